"""The lines kept as they happen are those `billing fec` writes, of any year and company."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import date, timedelta
from inspect import signature
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing.application import ledger
from billing.application.payments import companies
from billing.dates import Period
from billing.documents.entries import Books
from projections.ledger import Ledger, ledger_line, ledger_total
from projections.runner import Runner
from tests.documents import test_fec
from tests.documents.bookkeeper import Bookkeeper, line
from tests.known import register
from tests.money import test_deposits
from tests.money.office import Office

ALWAYS = Period(date(2000, 1, 1), date(2100, 1, 1))


def kept(runner, supplier, year=None):
    """The lines of the view, as many times as they are there; letters only over all years."""
    wanted = select(ledger_line).where(ledger_line.c.supplier == supplier)
    with runner.store.reading() as connection:
        rows = connection.execute(wanted).all()
    return Counter(
        (
            *(row.journal, row.booked_on, row.valid_on, row.what, row.piece, row.piece_on),
            *(row.account, row.client, label(row), row.debit_cents - row.credit_cents),
            *((row.letter, row.lettered_on) if year is None else ()),
        )
        for row in rows
        if (row.booked_on.year == year if year else "PCA" not in row.what)
    )


def label(told):
    """What the line says; of a line of the bank nobody explained the view leaves out who wrote."""
    what, waits, _ = told.label.partition(" de banque en attente ")
    return f"{what}{waits}" if waits else told.label


def written(runner, supplier, year=None):
    """The lines of the file of that year; or of all of them, in which nothing is deferred."""
    chart = runner.views["ledger"].chart
    codes = {name: getattr(chart.journals, name).code for name in ("sales", "bank", "misc")}
    days = Period(date(year, 1, 1), date(year + 1, 1, 1)) if year else ALWAYS
    books = Books(chart, days, closed=year is not None)
    return Counter(
        (
            *(codes[entry.journal], entry.on, entry.valid_on, entry.what, entry.ref),
            *(entry.piece_on, line.account, line.client, label(line), int(line.amount * 100)),
            *((line.letter, line.lettered_on) if year is None else ()),
        )
        for entry, line in ledger.postings(runner.app, supplier, books)
    )


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_the_lines_of_a_year_are_those_of_its_file(retold, year):
    retold.catch_up()
    found = 0
    for supplier in companies(retold.app):
        lines = written(retold, supplier, year)
        assert kept(retold, supplier, year) == lines, supplier
        found += lines.total()
    assert found > 50


def test_lines_are_lettered_as_in_a_file_of_all_years(retold):
    retold.catch_up()
    for supplier in companies(retold.app):
        assert kept(retold, supplier) == written(retold, supplier)


def test_every_entry_balances_and_so_do_the_totals(retold):
    retold.catch_up()
    lines = ledger_line.c
    entry = (
        lines.supplier,
        lines.journal,
        lines.booked_on,
        lines.valid_on,
        lines.what,
        lines.piece,
    )
    balance = func.sum(lines.debit_cents - lines.credit_cents)
    with retold.store.reading() as connection:
        out = select(*entry).group_by(*entry).having(balance != 0)
        assert connection.execute(out).all() == []
        by_account = (lines.supplier, lines.month, lines.account)
        summed = select(*by_account, func.count(), func.sum(lines.debit_cents)).group_by(
            *by_account
        )
        rows = connection.execute(summed).all()
        totals = select(*list(ledger_total.columns)[:5])
        assert {tuple(row) for row in connection.execute(totals)} == {
            (*row[:4], int(row[4])) for row in rows
        }


# Whatever is told in the tests of the file, and in those of deposits


def alone(story):
    """Whether a story needs an office, and nothing more."""
    return set(signature(story).parameters) <= {"books", "on_debits", "office"}


STORIES = [
    story
    for module in (test_fec, test_deposits)
    for name, story in vars(module).items()
    if name.startswith("test_") and not hasattr(story, "pytestmark") and alone(story)
    # Its deposit was invoiced behind the contract's back: nothing like it can be recorded.
    if name != "test_a_deposit_kept_becomes_income"
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/books.db"


@pytest.fixture(autouse=True)
def each_moment_comes_after_the_last(monkeypatch):
    """As it does in life: an office of the tests has one moment a day."""
    moments, clock = count(), Office._clock
    monkeypatch.setattr(
        Office, "_clock", lambda self: clock(self) + timedelta(microseconds=next(moments))
    )


@pytest.fixture
def offices(monkeypatch) -> list[Office]:
    """Those that were opened; each has its books asked for once more when it is closed."""
    opened: list[Office] = []

    def closed(self, *_):
        runner = Runner(self.app, [Ledger()])
        runner.rebuild("ledger")
        for supplier in companies(self.app):
            assert kept(runner, supplier) == written(runner, supplier)
        opened.append(self)
        self.app.close()

    monkeypatch.setattr(Office, "__exit__", closed)
    return opened


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_in_every_story_the_lines_are_those_of_the_file(url, offices, story):
    with ExitStack() as stack:
        given = {}
        for name in signature(story).parameters:
            if name == "office":
                office = given[name] = stack.enter_context(Office(url, "2025-12-01"))
                office.app.publish_shipped()
                register(office.app, "S", "C")
                test_deposits.orders(office, "K-1")
            else:
                given[name] = stack.enter_context(Bookkeeper(vat_on_debits=name == "on_debits"))
        story(**given)
    assert offices


def test_with_a_chart_of_its_own_a_house_has_other_accounts_after_a_rebuild(
    tmp_path, monkeypatch, url
):
    chart = tmp_path / "chart.toml"
    chart.write_text('[accounts]\nrevenue = { number = "706100", label = "Maintenance" }\n')
    with Bookkeeper(url) as books:
        books.sells("F-1", line("1000.00"))
        Runner(books.app, [Ledger()]).catch_up()
        monkeypatch.setenv("BILLING_CHART", str(chart))
        runner = Runner(books.app, [Ledger()])
        assert runner.standings()[0].outdated
        runner.catch_up()
        lines = written(runner, "S")
        assert kept(runner, "S") == lines
    assert sorted(x[6] for x in lines) == ["411000", "445740", "706100"]
