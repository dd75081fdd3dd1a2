"""Billing: which periods, which days, which cents."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.clauses.schedule import Schedule
from billing.clauses.termination import Ground, Termination
from billing.contract import change, cover, end, renew
from tests.scenario import BOOK, D, House, day, lines_of, nets, published, signed

A = Item(code="A", label="A", unit_price=D("100.00"))
B = Item(code="B", label="B", unit_price=D("31.00"), kind="equipment")
YEARLY = Item(code="Y", label="Y", unit_price=D("1000.00"), per_months=12)


def house(*items, book=BOOK, starts_on="2026-01-01", signed_on="", **clauses):
    house = House(book)
    house.sign(
        signed(
            *(items or (A,)),
            terms=Terms(**clauses),
            starts_on=starts_on,
            signed_on=signed_on,
            book=book,
        )
    )
    return house


def test_from_the_31st_no_month_is_lost_and_no_day_moves():
    invoices = house(starts_on="2026-01-31").months("2026-01-01", "2026-08-01")
    assert [i.period.start for i in invoices] == [
        day(d)
        for d in (
            "2026-01-31",
            "2026-02-28",
            "2026-03-31",
            "2026-04-30",
            "2026-05-31",
            "2026-06-30",
            "2026-07-31",
        )
    ]
    assert set(nets(invoices)) == {D("100.00")}


def test_from_29_february_each_year_ends_where_the_next_begins():
    terms = {"schedule": Schedule(every_months=12)}
    invoices = house(YEARLY, starts_on="2024-02-29", **terms).months("2024-02-01", "2028-04-01")
    assert [i.period.start for i in invoices] == [
        day(d) for d in ("2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29")
    ]


def test_a_yearly_fee_is_cut_by_cumulative_rounding():
    invoices = house(YEARLY).months("2026-01-01", "2027-01-01")
    # 1000 k/12: 83.33, 166.67, 250.00, then the same again.
    assert nets(invoices) == [D("83.33"), D("83.34"), D("83.33")] * 4
    line = invoices[1].lines[0]
    assert (line.part, line.parts, line.per_months, line.months) == (2, 12, 12, 1)


@pytest.mark.parametrize(
    ("every", "in_advance", "days"),
    [
        (3, True, ["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01"]),
        (3, False, ["2026-04-01", "2026-07-01", "2026-10-01", "2027-01-01"]),
        (6, False, ["2026-07-01", "2027-01-01"]),
        (None, True, ["2026-01-01"]),
        (None, False, ["2027-01-01"]),
    ],
)
def test_in_advance_or_in_arrears(every, in_advance, days):
    found = house(
        schedule=Schedule(every_months=every, in_advance=in_advance),
        renewal=Renewal(kind="none", term_months=12),
    ).months("2026-01-01", "2027-03-01")
    assert [i.issued_on for i in found] == [day(d) for d in days]
    assert sum(nets(found)) == D("1200.00")


def test_by_the_calendar_there_is_a_first_and_a_last_part():
    found = house(
        starts_on="2026-02-17",
        schedule=Schedule(every_months=3, anchor="calendar"),
        renewal=Renewal(kind="none", term_months=12),
    ).months("2026-02-01", "2027-03-01")
    # 17 February to 31 March: 43 of 90 days → 300 × 43/90 = 143.333…;
    # 1 January to 16 February 2027: 47 of 90 days → 300 × 47/90 = 156.666…
    assert [(i.period.start, i.net) for i in found] == [
        (date(2026, 2, 17), D("143.33")),
        (date(2026, 4, 1), D("300.00")),
        (date(2026, 7, 1), D("300.00")),
        (date(2026, 10, 1), D("300.00")),
        (date(2027, 1, 1), D("156.67")),
    ]


@pytest.mark.parametrize(
    ("method", "amount"),
    [
        # Added on 15 February 2026 to a quarter of 90 days that ends on 31 March; 31.00 a month.
        ("days", "46.50"),  # 45/90 × 93.00
        ("actual_365", "45.86"),  # 45 × 12/(365 × 3) × 93.00 = 45.863…
        ("thirty_360", "47.53"),  # 46/90 × 93.00 = 47.533…
        ("whole_months", "62.00"),  # February and March
    ],
)
def test_an_addition_is_prorated_as_the_contract_says(method, amount):
    found = house(schedule=Schedule(every_months=3), cover=Cover(proration=method))
    found.run("2026-02-01")
    found.do("C-1", cover.add_equipment, B, date(2026, 2, 15))
    lines = lines_of(found.months("2026-02-01", "2026-05-01"))
    assert [x.net for x in lines if x.kind == "catch_up"] == [D(amount)]


def test_an_addition_is_caught_up_at_once_where_the_contract_says_so():
    found = house(schedule=Schedule(every_months=12), cover=Cover(catch_up="at_once"))
    found.run("2026-02-01")
    found.do("C-1", cover.add_equipment, B, date(2026, 4, 1))
    [invoice] = found.run("2026-05-01")
    # 275 of 365 days of 12 × 31.00: 372.00 × 275/365 = 280.273…
    assert (invoice.issued_on, invoice.net, invoice.period) == (
        date(2026, 4, 1),
        D("280.27"),
        None,
    )
    assert found["C-1"].next_due() == date(2027, 1, 1)


def test_an_addition_told_ahead_waits_for_its_day():
    found = house()
    found.run("2026-02-01")
    found.do("C-1", cover.add_equipment, B, date(2026, 4, 11))
    # From 11 April: 20 of 30 days → 31.00 × 20/30 = 20.666…
    assert nets(found.months("2026-02-01", "2026-06-01")) == [
        D("100.00"),
        D("100.00"),
        D("120.67"),
        D("131.00"),
    ]


def test_equipment_in_use_before_two_prices_is_caught_up_at_the_price_told():
    found = house()
    found.months("2026-01-01", "2026-05-01")
    found.do("C-1", cover.add_equipment, B, date(2026, 2, 1), "undeclared", "audit")
    # February to April whole, and May.
    assert nets(found.run("2026-06-01")) == [D("224.00")]


def test_undeclared_equipment_may_be_out_of_reach():
    found = house(cover=Cover(undeclared_from_use=False))
    with pytest.raises(Exception, match="undeclared"):
        found.do("C-1", cover.add_equipment, B, date(2026, 2, 1), "undeclared")


@pytest.mark.parametrize(
    ("credit", "documents"),
    [
        (False, []),
        # 1 March to 31 December: 306 of 365 days of 12 × 31.00 → 372.00 × 306/365 = 311.868…
        (True, ["-311.87"]),
    ],
)
def test_a_removal_gives_back_only_where_the_contract_says_so(credit, documents):
    found = house(A, B, schedule=Schedule(every_months=12), cover=Cover(removal_credit=credit))
    found.run("2026-02-01")
    found.do("C-1", cover.remove_equipment, "B", date(2026, 3, 1), BOOK, found.history("C-1"))
    assert nets(found.months("2026-02-01", "2027-01-01")) == [D(d) for d in documents]
    assert nets(found.run("2027-02-01")) == [D("1200.00")]


def test_a_discount_ends_on_its_day():
    offer = replace(A, discount=D(50), discount_until=date(2026, 3, 1))
    assert nets(house(offer).months("2026-01-01", "2026-06-01")) == [
        D("50.00"),
        D("50.00"),
        D("50.00"),
        D("100.00"),
        D("100.00"),
    ]


def test_a_price_change_within_a_period_already_billed_waits_for_the_next():
    found = house(schedule=Schedule(every_months=3))
    found.run("2026-02-01")
    terms = found["C-1"].terms
    found.do(
        "C-1", change.amend, terms, date(2026, 2, 1), "agreement", BOOK, prices={"A": D("110.00")}
    )
    assert nets(found.months("2026-02-01", "2026-05-01")) == [D("330.00")]


# What waits for the end


def test_what_was_added_to_the_last_period_is_billed_when_the_contract_ends():
    found = house(schedule=Schedule(every_months=12), renewal=Renewal(kind="none", term_months=12))
    found.run("2026-02-01")
    found.do("C-1", cover.add_equipment, B, date(2026, 12, 1))
    [invoice] = found.months("2026-02-01", "2028-01-01")
    # December: 372.00 × 31/365 = 31.594…
    assert (invoice.issued_on, invoice.net) == (date(2027, 1, 1), D("31.59"))
    assert found["C-1"].next_due() is None


GROUNDS = Termination(
    grounds=(Ground(cause="mutual", refund=True), Ground(cause="convenience", refund=False))
)


@pytest.mark.parametrize(
    ("cause", "caught_up"),
    [
        ("mutual", "63.19"),  # to the end on 1 September: 62 of 365 days × 372.00 = 63.189…
        ("convenience", "187.53"),  # the year stays due: 184 of 365 days × 372.00 = 187.528…
    ],
)
def test_what_was_added_before_an_early_end_is_billed_on_that_day(cause, caught_up):
    found = house(schedule=Schedule(every_months=12), termination=GROUNDS)
    found.run("2026-02-01")
    found.do("C-1", cover.add_equipment, B, date(2026, 7, 1))
    found.do("C-1", end.terminate, date(2026, 9, 1), cause, "client", "", found.history("C-1"))
    documents = found.months("2026-02-01", "2028-01-01")
    assert D(caught_up) in nets(documents)
    assert {d.issued_on for d in documents} == {date(2026, 9, 1)}
    assert found["C-1"].next_due() is None


def test_a_whole_term_added_to_is_caught_up_on_the_days_of_that_term():
    found = house(YEARLY, schedule=Schedule(every_months=None))
    found.run("2026-02-01")
    found.do("C-1", cover.add_equipment, replace(YEARLY, code="Z"), date(2026, 7, 1))
    lines = lines_of(found.months("2026-02-01", "2027-02-01"))
    # 184 of 365 days: 1000.00 × 184/365 = 504.109…
    assert [(x.code, x.kind, x.net) for x in lines] == [
        ("Y", "fee", D("1000.00")),
        ("Z", "catch_up", D("504.11")),
        ("Z", "fee", D("1000.00")),
    ]


def test_what_was_in_use_since_two_terms_is_caught_up_term_by_term():
    found = house(YEARLY, schedule=Schedule(every_months=None))
    found.months("2026-01-01", "2028-02-01")
    found.do("C-1", cover.add_equipment, replace(YEARLY, code="Z"), date(2026, 7, 1), "undeclared")
    lines = lines_of(found.months("2028-02-01", "2029-02-01"))
    assert [x.net for x in lines if x.kind == "catch_up"] == [
        D("504.11"),
        D("1000.00"),
        D("1000.00"),
    ]


# Prices, cut by the day or not

INDEX = Revision(indices=(Weight(weight=D(1), series="SYNTEC"),), month=7)


@pytest.mark.parametrize(
    ("applies_to", "amounts"),
    [
        # In arrears from 15 June 2023 to 14 June 2025; on 1 July 2024, 313.3/301.9 → 103.78.
        ("next_period", ["100.00", "100.00", "103.78"]),
        # 15 to 30 June at 100.00, 1 to 14 July at 103.78: 100.00 × 16/30 + 103.78 × 14/30
        ("by_day", ["100.00", "53.33", "48.43", "103.78"]),
    ],
)
def test_a_revision_cuts_a_period_only_where_the_contract_says_so(applies_to, amounts):
    found = house(
        starts_on="2023-06-15",
        schedule=Schedule(in_advance=False),
        revision=replace(INDEX, applies_to=applies_to),
    )
    lines = lines_of(found.months("2023-06-01", "2024-09-01"))
    assert [x.net for x in lines][-len(amounts) :] == [D(a) for a in amounts]


def test_what_goes_by_whole_months_is_never_billed_twice_for_one():
    access = replace(A, kind="access")
    found = house(
        access,
        starts_on="2023-06-15",
        schedule=Schedule(in_advance=False),
        cover=Cover(whole_month_kinds=("access",)),
        revision=replace(INDEX, applies_to="by_day"),
    )
    lines = lines_of(found.months("2023-06-01", "2024-09-01"))
    assert [x.net for x in lines][-3:] == [D("100.00"), D("100.00"), D("103.78")]


def test_a_period_billed_ahead_waits_for_the_revision_of_its_first_day():
    found = house(
        starts_on="2023-07-01",
        signed_on="2023-06-20",
        schedule=Schedule(days_before=5),
        renewal=Renewal(term_months=24),
        revision=INDEX,
    )
    invoices = found.months("2023-06-01", "2024-09-01")
    assert [(i.issued_on, i.net) for i in invoices[-4:]] == [
        (date(2024, 5, 27), D("100.00")),
        (date(2024, 7, 1), D("103.78")),
        (date(2024, 7, 27), D("103.78")),
        (date(2024, 8, 27), D("103.78")),
    ]


# Clauses that change


def test_a_period_in_arrears_is_billed_by_the_clauses_it_ran_under():
    found = house(A, schedule=Schedule(in_advance=False), cover=Cover(proration="days"))
    found.do("C-1", cover.add_equipment, B, date(2026, 1, 17))
    months = replace(found["C-1"].terms, cover=Cover(proration="whole_months"))
    found.do("C-1", change.amend, months, date(2026, 2, 1), "agreement", BOOK)
    # 15 of 31 days of January, billed on 1 February
    assert nets(found.run("2026-02-02")) == [D("115.00")]


def test_from_monthly_to_quarterly_no_day_is_lost():
    found = house()
    found.months("2026-01-01", "2026-03-01")
    quarterly = replace(found["C-1"].terms, schedule=Schedule(every_months=3))
    found.do("C-1", change.amend, quarterly, date(2026, 3, 1), "agreement", BOOK)
    invoices = found.months("2026-03-01", "2026-08-01")
    # March alone is 31 of the 90 days of its quarter: 300.00 × 31/90 = 103.333…
    assert [(i.period.start.month, i.net) for i in invoices] == [
        (3, D("103.33")),
        (4, D("300.00")),
        (7, D("300.00")),
    ]


def test_the_price_of_a_renewal_comes_with_it():
    book = published("SYNTEC_REVISED")
    found = house(book=book)
    found.months("2026-01-01", "2026-12-01")
    found.do("C-1", renew.offer, date(2026, 12, 1), prices={"A": D("120.00")})
    assert nets(found.months("2026-12-01", "2027-03-01")) == [
        D("100.00"),
        D("120.00"),
        D("120.00"),
    ]
