"""The calendar: rows that no day changes, read on any day as the outlook would tell them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from billing.application import outlook
from projections.bodies import in_euros
from projections.calendar import Calendar, calendar
from tests.projections.stages import days_of, laid_out, stages


def shown(connection, on, *wanted):
    """The rows shown on a day."""
    found = select(calendar).where(calendar.c.lapses_on > on, *wanted)
    return connection.execute(found.order_by(calendar.c.on_day)).all()


def test_on_any_day_it_shows_the_days_to_come_that_the_outlook_does(app, told):
    some = stages(told)
    laid_out(app, Calendar(), some)
    seen = set()
    with app.store.reading() as connection:
        for on in days_of(some)[::3]:
            found: dict = {}
            for row in shown(connection, on, calendar.c.what != "invoice"):
                coming = outlook.Coming(
                    row.on_day, row.contract, row.client, row.what, row.told,
                    in_euros(row.net_cents), row.on_day < on,
                )  # fmt: skip
                found.setdefault(row.stream, []).append(coming)
                seen.add(row.what)
            for id, contract, _ in some:
                expected = list(outlook.comings(contract, on))
                assert sorted(found.get(id, []), key=str) == sorted(expected, key=str)
    assert seen == {
        "quote", "offer", "notice", "revision", "end", "renewal", "task", "warranty", "fee end",
        "discount", "return", "clock",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("number", "version", "expected"),
    [
        # A term of 2026, tacit, notice up to its last day: then it is too late for one.
        (
            "H-SUSPENDED",
            1,
            {
                ("notice", "2026-12-31", "2027-01-01"),
                ("renewal", "2027-01-01", "9999-12-31"),
                ("invoice", "2026-01-01", "9999-12-31"),
            },
        ),
        # Renewed by an offer only, due two months before: an end while none is accepted.
        (
            "H-ASIDE",
            1,
            {
                ("offer", "2026-10-31", "2027-01-01"),
                ("end", "2026-12-31", "2027-01-01"),
                ("invoice", "2026-01-01", "9999-12-31"),
            },
        ),
        # A discount until 31 March; an item whose fee ends on 1 November.
        (
            "H-PRICES",
            4,
            {
                ("discount", "2026-03-31", "2026-04-01"),
                ("fee end", "2026-11-01", "2026-11-02"),
                ("notice", "2026-12-31", "2027-01-01"),
                ("renewal", "2027-01-01", "9999-12-31"),
                ("invoice", "2026-01-01", "9999-12-31"),
            },
        ),
        ("H-CANCELLED", 2, set()),
    ],
)
def test_a_day_is_shown_until_there_is_nothing_left_to_do(number, version, expected):
    (stage,) = [
        one
        for one in stages(())
        if (one.contract.number, one.contract.version) == (number, version)
    ]
    places = [list(calendar.columns.keys()).index(name) for name in ("what", "on_day", "lapses_on")]
    rows = [row for _, row in Calendar().show(stage.id, stage.contract)]
    assert {tuple(str(row[place]) for place in places) for row in rows} == expected


def test_the_next_invoice_is_the_one_the_month_s_pass_would_issue(retold):
    app = retold.app
    book, parents = app.book(), outlook.parents_of(app)
    with app.store.reading() as connection:
        rows = {row.contract: row for row in shown(connection, app.today, IS_INVOICE)}
    assert "set aside: revision" in rows["IM-2021-0015"].told
    for contract in app.contracts():
        ahead = outlook.forecast(contract, book, app.today, 1, parents=parents)
        row = rows.pop(contract.number, None)
        if not ahead.invoices:
            assert row is None, row
            continue
        (first,) = ahead.invoices
        assert row is not None, contract.number
        assert max(row.on_day, app.today) == first.on
        assert str(first.period) in row.told
    assert rows == {}


IS_INVOICE = calendar.c.what == "invoice"


def test_a_line_of_the_bank_that_waits_and_a_mandate_that_will_lapse_are_days_too(retold):
    with retold.store.reading() as connection:
        found = shown(connection, retold.app.today, calendar.c.contract == "")
    waiting = [row for row in found if row.what == "bank line"]
    assert [(str(row.on_day), row.supplier) for row in waiting] == [("2026-11-17", "INTEGRALMICRO")]
    assert waiting[0].told.startswith("250.00 € on the bank wait")
    mandates = {
        row.told.split()[5].strip(","): str(row.on_day) for row in found if row.what == "mandate"
    }
    # Last collected under on 2026-11-02, and good for 36 months after it.
    assert mandates["IM-RUM-0042"] == "2029-11-02"
