"""What is billed, earned and deferred by month, and what recurs: sums worked out by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import func, select, text

from billing.clauses import Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.contract import cover, renew
from billing.dates import Period
from billing.demo import story
from billing.documents.chart import load_chart
from billing.events.contract import ContractAssigned
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line
from billing.identity import invoice_id
from billing.money import rounded
from projections import contracts
from projections.ledger import ledger_line
from projections.recurring import Recurring, moves, parts_of, recurring_move, yearly_fee
from projections.revenue import Revenue, revenue_month, revenue_total, spread
from projections.view import contract_from
from tests.scenario import D, House, day, signed
from tests.test_properties import INDEXED, live, lives


def line(net: str, period: str = "", kind: str = "fee", code: str = "A") -> Line:
    """A line, of a period written 2026-01-15/2026-04-15."""
    days = Period(*map(day, period.split("/"))) if period else None
    return Line(kind=kind, code=code, label=code, net=D(net), vat_rate=D(20), period=days)


def document(*lines: Line, issued_on: str = "2026-01-01", kind: type = InvoiceIssued) -> Any:
    net = sum((one.net for one in lines), D(0))
    fields: dict[str, Any] = {
        "originator_id": invoice_id("S", "F1"),
        "originator_version": 1,
        "number": "F1",
        "supplier": "S",
        "client": "C",
        "contract": "K",
        "contract_version": 1,
        "issued_on": day(issued_on),
        "lines": lines,
        "vat": (),
        "net": net,
        "tax": D(0),
        "gross": net,
    }
    if kind is CreditNoteIssued:
        return CreditNoteIssued(credits="F0", **fields)
    return InvoiceIssued(due_on=day(issued_on), **fields)


def shown(event: Any) -> list[tuple[str, str, int, int, int, int]]:
    """Month, kind, billed, earned, moved to deferred, moved to accrued."""
    names = revenue_month.columns.keys()
    found = []
    for _, values in Revenue().fold(event.originator_id, [event]):
        row = dict(zip(names, values, strict=True))
        amounts = (row[f"{name}_cents"] for name in ("billed", "earned", "deferred", "accrued"))
        found.append((f"{row['month']:%Y-%m}", row["kind"], *amounts))
    return found


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        # A quarter billed in advance: 90.00 over 90 days, 31 + 28 + 31.
        (
            document(line("90.00", "2026-01-01/2026-04-01")),
            [
                ("2026-01", "fee", 9000, 3100, 5900, 0),
                ("2026-02", "fee", 0, 2800, -2800, 0),
                ("2026-03", "fee", 0, 3100, -3100, 0),
            ],
        ),
        # The same in arrears: earned before it is billed.
        (
            document(line("90.00", "2026-01-01/2026-04-01"), issued_on="2026-04-01"),
            [
                ("2026-01", "fee", 0, 3100, 0, 3100),
                ("2026-02", "fee", 0, 2800, 0, 2800),
                ("2026-03", "fee", 0, 3100, 0, 3100),
                ("2026-04", "fee", 9000, 0, 0, -9000),
            ],
        ),
        # Billed in the middle of its period: what was earned before is accrued till then.
        (
            document(line("90.00", "2026-01-01/2026-04-01"), issued_on="2026-02-10"),
            [
                ("2026-01", "fee", 0, 3100, 0, 3100),
                ("2026-02", "fee", 9000, 2800, 3100, -3100),
                ("2026-03", "fee", 0, 3100, -3100, 0),
            ],
        ),
        # 100.00 over 59 days: 28 days are left after January, 47.4576… of it.
        (
            document(line("100.00", "2026-01-01/2026-03-01")),
            [("2026-01", "fee", 10000, 5254, 4746, 0), ("2026-02", "fee", 0, 4746, -4746, 0)],
        ),
        # Half a cent that is left is kept, as the books keep it: 0.01 × 31/62 = 0.005.
        (
            document(line("0.01", "2026-07-01/2026-09-01"), issued_on="2026-07-01"),
            [("2026-07", "fee", 1, 0, 1, 0), ("2026-08", "fee", 0, 1, -1, 0)],
        ),
        # What has no period is earned the day it is issued; kinds stand apart.
        (
            document(line("12.50", kind="work"), line("1.00", kind="usage")),
            [("2026-01", "work", 1250, 1250, 0, 0), ("2026-01", "usage", 100, 100, 0, 0)],
        ),
        # A credit note takes back, in the months of its lines.
        (
            document(
                line("59.00", "2026-02-01/2026-04-01"),
                issued_on="2026-03-05",
                kind=CreditNoteIssued,
            ),
            [("2026-02", "fee", 0, -2800, 0, -2800), ("2026-03", "fee", -5900, -3100, 0, 2800)],
        ),
        # A deposit is no sale, and what it pays for is one, whole.
        (document(line("50.00", kind="deposit")), []),
        (
            document(line("300.00", kind="one_off"), line("-50.00", kind="deposit")),
            [("2026-01", "one_off", 30000, 30000, 0, 0)],
        ),
        # Nor is what a credit note gives back of interest.
        (document(line("5.00", code="INTERETS"), kind=CreditNoteIssued), []),
    ],
)
def test_what_a_document_bills_and_earns_by_month(event, expected):
    assert shown(event) == expected


@given(st.integers(-10_000_000, 10_000_000), st.dates(date(2020, 1, 1)), st.integers(1, 2_000))
def test_the_months_of_a_line_sum_to_it_and_none_is_a_cent_off(net, start, days):
    period = Period(start, start + timedelta(days=days))
    found = spread(period, net)
    assert sum(gain for _, gain in found) == net
    for month, gain in found:
        end = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
        share = Fraction(net) * (period & Period(month, end)).days / days
        assert abs(gain - share) <= 1


def test_what_is_deferred_at_a_closing_is_what_the_books_defer(retold):
    """Account 487, year by year and company by company."""
    retold.catch_up()
    deferred = load_chart().accounts.deferred.number
    books: defaultdict[tuple[str, int], int] = defaultdict(int)
    revenue: defaultdict[tuple[str, int], int] = defaultdict(int)
    with retold.store.reading() as connection:
        lines = select(ledger_line).where(
            ledger_line.c.account == deferred, ledger_line.c.what == "PCA"
        )
        for row in connection.execute(lines):
            books[row.supplier, row.booked_on.year] += row.credit_cents - row.debit_cents
        for row in connection.execute(select(revenue_total)):
            for year in range(row.month.year, 2030):
                revenue[row.supplier, year] += row.deferred_cents
    assert len(books) > 5
    assert {key: cents for key, cents in revenue.items() if cents} == books


# What recurs

SYNTEC = Terms(
    revision=Revision(indices=(Weight(weight=D(1), series="SYNTEC_REVISED"),), month=7),
    renewal=Renewal(kind="tacit", term_months=12),
    cover=Cover(whole_month_kinds=("access",)),
)


def heard(house: House, number: str) -> list[Any]:
    """What the view is told of a contract."""
    return [event for event in house.events[number] if event.TOPIC in Recurring.topics]


def rows(events: list[Any]) -> list[dict[str, Any]]:
    found = Recurring().fold(events[0].originator_id, events)
    return [dict(zip(table.columns.keys(), row, strict=True)) for table, row in found]


def moved(house: House, number: str) -> list[tuple[str, str, int, int, int]]:
    """Day, kind, version, change a month and a year, in cents."""
    names = ("kind", "version", "monthly_cents", "yearly_cents")
    return [
        (str(row["effective_on"]), *(row[name] for name in names))
        for row in rows(heard(house, number))
    ]


def test_what_moved_a_contract_from_its_signature_to_its_end():
    house = House(INDEXED)
    number = house.sign(
        signed(
            Item(code="M", label="Maintenance", unit_price=D(1200), per_months=12),
            Item(
                code="D",
                label="Dépannage",
                unit_price=D("10.00"),
                discount=D(50),
                discount_until=day("2026-03-31"),
            ),
            terms=SYNTEC,
            starts_on="2026-01-01",
            book=INDEXED,
        )
    )
    house.run("2026-02-01")
    access = Item(code="X", label="Accès", unit_price=D(5), kind="access", indexed=False)
    house.do(number, cover.subscribe, access, day("2026-02-10"))
    house.run("2026-05-01")
    house.do(number, cover.cancel_option, "X", day("2026-05-10"), INDEXED, house.history(number))
    house.run("2026-07-01")
    house.do(number, renew.notice, "client", day("2026-09-01"))
    assert moved(house, number) == [
        # 1200/12 + 10 × 50 % = 105.00 a month; from April the discount of 5.00 is over.
        ("2026-01-01", "new", 1, 10500, 126000),
        ("2026-02-10", "added", house_version(house, number, "OptionSubscribed"), 500, 6000),
        ("2026-04-01", "discount_ended", 1, 500, 6000),
        # Accesses go by whole months: May, then June is the first month without it.
        ("2026-06-01", "removed", house_version(house, number, "OptionCancelled"), -500, -6000),
        ("2027-01-01", "ended", house_version(house, number, "NonRenewalNoticed"), -11000, -132000),
    ]


def house_version(house: House, number: str, name: str) -> int:
    return next(e.originator_version for e in house.events[number] if type(e).__name__ == name)


def test_an_index_moves_by_what_the_prices_move():
    house = House(INDEXED)
    number = house.sign(
        signed(
            Item(code="M", label="Maintenance", unit_price=D(100)),
            terms=SYNTEC,
            starts_on="2024-07-01",
            book=INDEXED,
        )
    )
    for month in range(1, 14):
        house.run(f"{2024 + (6 + month) // 12}-{(6 + month) % 12 + 1:02}-01")
    revised = next(e for e in house.events[number] if type(e).__name__ == "PriceRevised")
    change = revised.fees[0].after - revised.fees[0].before
    assert change
    new, indexed = moved(house, number)
    assert new == ("2024-07-01", "new", 1, 10000, 120000)
    assert indexed == (
        "2025-07-01",
        "indexed",
        revised.originator_version,
        int(change * 100),
        int(change * 1200),
    )


def test_what_needs_an_acceptance_recurs_from_that_day():
    house = House(INDEXED)
    terms = replace(SYNTEC, cover=Cover(needs_acceptance=True), revision=None)
    number = house.sign(
        signed(
            Item(code="M", label="Location", unit_price=D(180)),
            terms=terms,
            starts_on="2026-01-01",
        )
    )
    assert moved(house, number) == []
    house.do(number, cover.accept_installation, day("2026-01-20"))
    assert moved(house, number) == [("2026-01-20", "new", 1, 18000, 216000)]


def test_an_assignment_takes_it_from_one_client_and_gives_it_to_the_other():
    house = House(INDEXED)
    number = house.sign(
        signed(
            Item(code="M", label="Maintenance", unit_price=D("33.333")),
            terms=replace(SYNTEC, revision=None),
            starts_on="2026-01-01",
        )
    )
    events, client = heard(house, number), house[number].client
    assigned = ContractAssigned(
        originator_id=events[0].originator_id,
        originator_version=2,
        side="client",
        to="OTHER",
        effective_on=day("2026-06-01"),
    )
    told = [(row["client"], row["kind"], row["yearly_cents"]) for row in rows([*events, assigned])]
    # 33.333 × 12 = 399.996 a year: rounded once, and given back to the cent.
    assert told == [
        (client, "new", 40000),
        (client, "assigned", -40000),
        ("OTHER", "assigned", 40000),
    ]


@given(lives(), st.data())
@settings(max_examples=60, deadline=None)
def test_moves_up_to_any_day_sum_to_the_yearly_fees_of_that_day(life, data):
    house, number = live(*life, until=800)
    events = heard(house, number)
    contract = contract_from(events)
    fee = partial(yearly_fee, contract)
    on = life[2] + timedelta(days=data.draw(st.integers(-40, 1_400)))
    found = [move.more for move in moves(contract, events) if move.on <= on]
    assert Fraction(sum(found)) / parts_of(contract) == fee(on)
    cents = sum(row["yearly_cents"] for row in rows(events) if row["effective_on"] <= on)
    assert cents == int(rounded(fee(on) * 100, 0))


@given(lives())
@settings(max_examples=40, deadline=None)
def test_the_yearly_fee_of_today_is_that_of_the_state_billing_keeps(life):
    house, number = live(*life, until=500)
    today = house[number].billed_until
    assert yearly_fee(house[number], today) == yearly_fee(
        contract_from(heard(house, number)), today
    )


@pytest.mark.parametrize("later", [0, 40, 120, 400])
def test_what_recurs_is_what_the_contracts_in_force_cost(retold, later):
    """From today on: the other figure is that of the view of the contracts as they are now."""
    retold.catch_up()
    on = story.TODAY + timedelta(days=later)
    asked = f"'{on}'" if retold.store.in_process else f"DATE '{on}'"
    in_force = f"billable AND starts_on <= {asked} AND coalesce(accepted_on, starts_on) <= {asked}"
    yearly = f"SELECT sum({contracts.yearly_sql(asked)}) FROM contract WHERE {in_force}"
    moved = select(func.sum(recurring_move.c.yearly_cents))
    with retold.store.reading() as connection:
        of_contracts = connection.execute(text(yearly)).scalar()
        of_moves = connection.execute(moved.where(recurring_move.c.effective_on <= on)).scalar()
    assert int(of_contracts) == int(of_moves) > 0
