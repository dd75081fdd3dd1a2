"""What a crash or a second run in the middle of a month leaves behind."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import date
from decimal import Decimal as D
from functools import partial

import pytest

from billing.application import runs
from billing.clauses.fees import Item
from billing.contract import change, cover
from billing.identity import contract_id
from billing.refusal import Refused
from billing.store import Conflict
from tests.faults import portfolio
from tests.faults.portfolio import FEBRUARY, JANUARY, RUN

CONTRACTS = 240
# Contract n is billed 100 + n once: 240 × 100 + 239 × 240 / 2.
NET = D("52680.00")


def whole(app, contracts=CONTRACTS):
    """One invoice a contract, numbers unbroken and in order of date in each company."""
    issued = portfolio.documents(app)
    billed = Counter(invoice.contract for invoice in issued)
    assert billed == {f"C{place:05d}": 1 for place in range(contracts)}
    for supplier in ("S0", "S1"):
        ours = [invoice for invoice in issued if invoice.supplier == supplier]
        numbers = [invoice.number for invoice in ours]
        assert numbers == [f"2026-{rank:06d}" for rank in range(1, len(ours) + 1)]
        days = [invoice.issued_on for invoice in ours]
        assert days == sorted(days)
    assert app.drifted_states() == []
    return issued


def closings(app):
    return [event for _, event in app.recorded(topics=["run.closed"])]


def test_a_run_killed_in_the_middle_is_run_again_and_bills_each_contract_once(url):
    portfolio.signed(url, CONTRACTS)
    with portfolio.opened(url) as app:
        with portfolio.running(url, chunk=20, pause=0.05) as process:
            before = portfolio.until_some_are_billed(app, CONTRACTS)
            process.kill()
        assert closings(app) == []
        report = runs.run(app, JANUARY, FEBRUARY, RUN, chunk=20)
        assert report.resumed
        assert len(whole(app)) == CONTRACTS > before
        assert (report.totals.invoices, report.totals.net) == (CONTRACTS, NET)
        (closed,) = closings(app)
        assert (closed.invoices, closed.net, closed.digest) == (CONTRACTS, NET, report.digest)


def test_a_killed_run_leaves_the_events_an_undisturbed_one_would_have_left(url, tmp_path):
    undisturbed = f"sqlite:///{tmp_path}/undisturbed.db"
    for database in (url, undisturbed):
        portfolio.signed(database, CONTRACTS)
    with portfolio.opened(url) as app, portfolio.opened(undisturbed) as other:
        with portfolio.running(url, chunk=20, pause=0.05) as process:
            portfolio.until_some_are_billed(app, CONTRACTS)
            process.kill()
        killed = runs.run(app, JANUARY, FEBRUARY, RUN, chunk=20)
        smooth = runs.run(other, JANUARY, FEBRUARY, RUN, chunk=20)
        # All but who billed first, which is the clock of the run: the same on both sides here.
        assert portfolio.documents(app) == portfolio.documents(other)
        assert killed.digest == smooth.digest


def test_two_runs_of_a_month_at_once_leave_one_set_of_invoices(url):
    portfolio.signed(url, CONTRACTS)
    with (
        portfolio.opened(url) as app,
        portfolio.running(url, chunk=7, pause=0.02) as first,
        portfolio.running(url, chunk=11, pause=0.02) as second,
    ):
        for process in (first, second):
            ended = process.ended()
            assert ended.returncode == 0, ended.said
        whole(app)
        (closed,) = closings(app)
        assert (closed.invoices, closed.net) == (CONTRACTS, NET)
        assert runs.run(app, JANUARY, FEBRUARY, RUN).nothing_due


def test_a_command_in_the_middle_of_a_run_is_neither_lost_nor_billed_twice(url):
    portfolio.signed(url, CONTRACTS)
    number = f"C{CONTRACTS - 1:05d}"  # Of the last day of the run.
    with portfolio.opened(url) as app:
        with portfolio.running(url, chunk=20, pause=0.05) as process:
            portfolio.until_some_are_billed(app, CONTRACTS)
            item = Item(code="B", label="Écran", unit_price=D("5.00"))
            app.change(number, lambda c: cover.add_equipment(c, item, JANUARY))
            ended = process.ended()
            assert ended.returncode == 0, ended.said
        whole(app)
        runs.run(app, JANUARY, FEBRUARY, RUN)
        codes = [
            line.code for i in portfolio.documents(app) if i.contract == number for line in i.lines
        ]
        assert codes.count("A") == 1
        assert codes.count("B") <= 1
        assert app.contract(number).covered("B") is not None


def test_what_is_due_again_while_its_chunk_is_being_written_is_billed_once(
    url, tmp_path, monkeypatch
):
    contracts = 60
    at_leisure = f"sqlite:///{tmp_path}/at-leisure.db"
    for database in (url, at_leisure):
        portfolio.signed(database, contracts)
        with portfolio.opened(database) as app:
            for place in range(contracts):
                work = partial(
                    cover.do_work,
                    code="VISITE",
                    on=date(2026, 1, 2 + place % 4),  # The day after its first instalment.
                    label="Visite",
                    unit_price=D("80.00"),
                    quote=f"D-{place}",
                    accepted_on=JANUARY,
                )
                app.change(f"C{place:05d}", work)
    write = runs._write

    def slowly(current, made):
        time.sleep(0.02)  # The next page is read before what it would tell is there.
        write(current, made)

    with portfolio.opened(url) as app, portfolio.opened(at_leisure) as other:
        smooth = runs.run(other, JANUARY, FEBRUARY, RUN)
        monkeypatch.setattr(runs, "_write", slowly)
        paged = runs.run(app, JANUARY, FEBRUARY, RUN, chunk=4)
        assert portfolio.documents(app) == portfolio.documents(other)
        assert len(portfolio.documents(app)) == 2 * contracts
        assert (paged.digest, paged.contracts) == (smooth.digest, contracts)
        assert app.drifted_states() == []
        assert runs.run(app, JANUARY, FEBRUARY, RUN).nothing_due


def test_a_run_again_with_nothing_due_writes_nothing(url):
    portfolio.signed(url, 8)
    with portfolio.opened(url) as app:
        runs.run(app, JANUARY, FEBRUARY, RUN)
        position = app.store.log_position()
        again = runs.run(app, JANUARY, FEBRUARY, RUN)
        assert again.nothing_due
        assert app.store.log_position() == position


def test_an_unfinished_run_is_finished_before_another_of_its_name_with_other_days(url):
    portfolio.signed(url, CONTRACTS)
    with portfolio.opened(url) as app:
        with portfolio.running(url, chunk=20, pause=0.05) as process:
            portfolio.until_some_are_billed(app, CONTRACTS)
            process.kill()
        with pytest.raises(Refused, match="not finished"):
            runs.run(app, JANUARY, date(2026, 1, 15), RUN)


def test_a_conflict_on_a_stream_refuses_the_whole_transaction(url):
    portfolio.signed(url, 2)
    with portfolio.opened(url) as app, portfolio.opened(url) as other:
        mine = app.contract("C00000")
        other.change("C00000", lambda c: change.deposit(c, D("10.00"), JANUARY))
        position = app.store.log_position()
        with pytest.raises(Conflict):
            app.save(
                *app.stamp(
                    change.deposit(mine, D("20.00"), JANUARY), contract_id("C00000"), mine.version
                )
            )
        assert app.store.log_position() == position
        assert app.contract("C00000").deposit == D("10.00")


def test_a_reader_that_tails_the_log_while_two_runs_write_misses_no_event(url):
    portfolio.signed(url, CONTRACTS)
    with portfolio.opened(url) as app:
        seen: list[int] = []
        done = threading.Event()

        def tail() -> None:
            while True:
                last = done.is_set()
                start = seen[-1] + 1 if seen else 1
                for notification in app.notification_log.select(start=start, limit=10):
                    seen.append(notification.id)
                if last and app.store.log_position() == (seen[-1] if seen else 0):
                    return

        reader = threading.Thread(target=tail)
        reader.start()
        with (
            portfolio.running(url, chunk=7, pause=0.01) as first,
            portfolio.running(url, chunk=11, pause=0.01) as second,
        ):
            first.ended()
            second.ended()
        done.set()
        reader.join(60)
        assert seen == list(range(1, app.store.log_position() + 1))
