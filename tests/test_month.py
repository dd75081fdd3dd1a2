"""The month's pass: what a day brings to a contract, in which order, and under which numbers."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.cover import Rate
from billing.clauses.fees import Item
from billing.clauses.payment import Payment
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.clauses.schedule import Schedule
from billing.clauses.termination import Ground, Termination
from billing.clauses.vat import Vat
from billing.contract import change, cover, end, renew
from billing.events.contract import (
    ContractRenewed,
    ContractSetAside,
    EquipmentAdded,
    InstalmentBilled,
    PriceRevised,
)
from billing.month import Series, Totals, month_days
from billing.numbering import Numbers
from tests.scenario import (
    BOOK,
    STAMP,
    D,
    House,
    a_day,
    given,
    lines_of,
    nets,
    published,
    signed,
)

SYNTEC = Revision(indices=(Weight(weight=D(1), series="SYNTEC"),))
# Signed in June 2023: So is April 2023, 301.9. Made up: 310.0 for May 2025.
INDEXED = published("SYNTEC_REVISED", ("2025-05", "310.0", "2025-06-30"))


def yearly(**clauses):
    return Terms(**{"schedule": Schedule(every_months=12)} | clauses)


# Order


def test_a_contract_is_renewed_then_revised_then_billed():
    contract = given(signed(terms=yearly(revision=SYNTEC), starts_on="2023-06-01")).contract
    contract = a_day(contract, date(2023, 6, 1))[1].after
    _, issued = a_day(contract, date(2024, 6, 1))
    assert [type(e) for e in issued.contract_events] == [
        ContractRenewed,
        PriceRevised,
        InstalmentBilled,
    ]
    # On 1 June 2023, So is April's 301.9, out on 31 May; a year later April is 313.8:
    # 100.00 × 313.8/301.9 = 103.941… a month
    [invoice] = issued.invoices
    assert invoice.net == D("1247.28")  # 12 × 103.94


def test_a_price_agreed_for_the_renewal_is_not_revised_on_the_same_day():
    base = signed(terms=yearly(revision=SYNTEC), starts_on="2023-06-01")
    house = House()
    house.sign(base)
    house.run("2023-07-01")
    house.do("C-1", renew.offer, date(2024, 4, 2), prices={"A": D("110.00")})
    assert nets(house.run("2024-07-01")) == [D("1320.00")]


def test_a_warranty_ends_before_the_annuity_of_that_day_is_billed():
    room = Item(
        code="R",
        label="Room",
        unit_price=D("600.00"),
        per_months=12,
        kind="videoconference",
        warranty_until=date(2026, 12, 31),
    )
    terms = yearly(cover=cover_with("warranty_kinds", ("videoconference",)))
    house = House()
    house.sign(signed(room, terms=terms))
    assert nets(house.months("2026-01-01", "2027-06-01")) == [D("600.00")]


def cover_with(field, value):
    return replace(Terms().cover, **{field: value})


# Set aside


def test_a_missing_index_sets_the_contract_aside_and_is_told_once():
    house = House()
    house.sign(signed(terms=Terms(revision=SYNTEC), starts_on="2024-07-01"))
    house.months("2024-07-01", "2025-07-01")
    first, issued = a_day(house["C-1"], date(2025, 7, 1))
    assert first.aside is not None
    assert first.aside.held
    assert issued.invoices == ()
    again, told = a_day(issued.after, date(2025, 7, 1))
    assert again.aside is not None
    assert told.contract_events == ()


def test_billing_goes_on_without_the_revision_where_the_contract_says_so():
    clause = replace(SYNTEC, if_unpublished="bill_unrevised")
    house = House()
    house.sign(signed(terms=Terms(revision=clause), starts_on="2024-07-01"))
    # So: May 2024, 313.3. No May 2025 in the shipped book.
    assert nets(house.months("2024-07-01", "2025-10-01")) == [D("100.00")] * 15
    assert {(a.clause, a.held) for a in house.asides} == {("revision", False)}
    house.book = INDEXED
    # 100.00 × 310.0/313.3 = 98.946… → 98.95, from the first period billed after
    assert nets(house.run("2025-11-01")) == [D("98.95")]


def test_a_poison_contract_stops_nobody():
    house = House()
    house.sign(signed())
    house.sign(signed(number="C-2"))
    # Its stored state is broken: a price that is no number.
    [covered] = house["C-1"].items
    poison = replace(covered, prices=(replace(covered.prices[0], unit_price="abc"),))
    house.contracts["C-1"] = replace(house["C-1"], items=(poison,))
    invoices = house.run("2026-02-01")
    assert [i.contract for i in invoices] == ["C-2"]
    [aside] = house.asides
    assert (aside.clause, aside.held) == ("engine", True)
    # Nothing of its day was recorded but that.
    assert [type(e) for e in house.events["C-1"][1:]] == [ContractSetAside]


def test_a_treatment_the_contract_does_not_know_sets_it_aside():
    house = House()
    house.sign(signed(Item(code="A", label="A", unit_price=D(1), vat="reduced")))
    assert house.run("2026-02-01") == []
    assert house.asides[0].clause == "vat"
    assert "'reduced'" in house.asides[0].reason


def test_a_debit_only_contract_without_a_mandate_keeps_what_else_the_day_brings():
    terms = yearly(payment=Payment(means="direct_debit", debit_required=True))
    house = House()
    house.sign(signed(terms=terms, mandate="RUM"))
    house.run("2026-02-01")
    house.do("C-1", change.attach_mandate, "", date(2026, 3, 1))
    assert house.run("2027-02-01") == []
    assert [type(e) for e in house.events["C-1"]][-2:] == [ContractRenewed, ContractSetAside]
    house.do("C-1", change.attach_mandate, "RUM-2", date(2027, 2, 3))
    [invoice] = house.run("2027-03-01")
    assert (invoice.mandate, invoice.issued_on) == ("RUM-2", date(2027, 2, 1))
    assert invoice.period.start == date(2027, 1, 1)


# Late


def test_a_late_contract_is_billed_period_by_period():
    house = House()
    house.sign(signed())
    invoices = house.run("2026-06-01", earliest="2026-05-01")
    assert [i.period.start.month for i in invoices] == [1, 2, 3, 4, 5]
    assert {i.issued_on for i in invoices} == {date(2026, 5, 1)}
    assert [e.billed_on.month for e in house.history("C-1")] == [1, 2, 3, 4, 5]


def test_a_contract_late_by_two_terms_is_renewed_and_billed_in_its_order():
    house = House(INDEXED)
    house.sign(signed(terms=yearly(revision=SYNTEC), starts_on="2023-07-01"))
    assert house["C-1"].bases[0].value == D("302.7")
    invoices = house.run("2025-08-01", earliest="2025-07-01")
    assert [type(e).__name__ for e in house.events["C-1"][1:]] == [
        "InstalmentBilled",
        "ContractRenewed",
        "PriceRevised",
        "InstalmentBilled",
        "ContractRenewed",
        "PriceRevised",
        "InstalmentBilled",
    ]
    # 100.00 × 313.3/302.7 = 103.501… → 103.50; 103.50 × 310.0/313.3 = 102.409… → 102.41
    assert nets(invoices) == [D("1200.00"), D("1242.00"), D("1228.92")]


def test_a_charge_is_billed_with_the_rent_of_its_day_and_alone_on_another():
    house = House()
    terms = Terms(rates=(rate("H", "80.00"),))
    house.sign(signed(terms=terms))
    house.do("C-1", cover.do_work, "H", date(2026, 1, 1))
    house.do("C-1", cover.do_work, "H", date(2026, 1, 9))
    first, second = house.run("2026-02-01")
    assert [x.kind for x in first.lines] == ["fee", "work"]
    assert [(second.issued_on, x.kind) for x in second.lines] == [(date(2026, 1, 9), "work")]


def rate(code, price):
    return Rate(code=code, label=code, unit_price=D(price))


def test_what_is_owed_to_the_client_is_a_credit_note_on_its_last_invoice():
    house = House()
    house.sign(signed())
    [january] = house.run("2026-02-01")
    rebate = Item(code="GESTE", label="Geste", unit_price=D("-30.00"), per_months=0)
    house.do("C-1", cover.add_equipment, rebate, date(2026, 1, 20))
    [note] = house.run("2026-02-01", earliest="2026-01-01")
    assert (note.credits, note.net, note.tax) == (january.number, D("30.00"), D("6.00"))


def test_a_rebate_within_an_invoice_is_a_line_of_it():
    house = House()
    house.sign(signed())
    house.run("2026-02-01")
    rebate = Item(code="GESTE", label="Geste", unit_price=D("-30.00"), per_months=0)
    house.do("C-1", cover.add_equipment, rebate, date(2026, 2, 1))
    [february] = house.run("2026-03-01")
    assert (february.net, february.tax) == (D("70.00"), D("14.00"))


# Numbers


def test_numbers_follow_the_days_and_the_companies_each_have_theirs():
    house = House(prefixes={"S1": "A", "S2": "B"})
    house.sign(signed(number="C-1", supplier="S1", starts_on="2026-01-15"))
    house.sign(signed(number="C-2", supplier="S2", starts_on="2026-01-10"))
    house.sign(signed(number="C-3", supplier="S1", starts_on="2026-01-05"))
    invoices = house.run("2026-02-01")
    assert [(i.number, i.contract, i.issued_on.day) for i in invoices] == [
        ("A2026-000001", "C-3", 5),
        ("B2026-000001", "C-2", 10),
        ("A2026-000002", "C-1", 15),
    ]


def test_a_number_is_never_dated_before_the_one_it_follows():
    series = Series(
        lambda supplier, year: Numbers(supplier, year, 7, date(2026, 3, 9), 2), lambda s: ""
    )
    assert series.take("S", date(2026, 3, 1)) == ("2026-000008", date(2026, 3, 9))
    assert series.take("S", date(2026, 3, 12)) == ("2026-000009", date(2026, 3, 12))
    assert series.take("S", date(2026, 3, 10)) == ("2026-000010", date(2026, 3, 12))
    [taken] = series.taken(STAMP)
    assert (taken.first, taken.last, taken.last_issued_on, taken.originator_version) == (
        8,
        10,
        date(2026, 3, 12),
        3,
    )


def test_a_year_begins_at_one():
    house = House()
    house.sign(signed(starts_on="2026-11-01"))
    numbers = [i.number for i in house.months("2026-11-01", "2027-03-01")]
    assert numbers == ["2026-000001", "2026-000002", "2027-000001", "2027-000002"]


def test_credit_notes_and_invoices_share_a_sequence():
    house = House()
    house.sign(signed())
    house.run("2026-02-01")
    rebate = Item(code="GESTE", label="Geste", unit_price=D("-30.00"), per_months=0)
    house.do("C-1", cover.add_equipment, rebate, date(2026, 1, 20))
    house.months("2026-01-01", "2026-03-01")
    assert [d.number[-1] for d in house.documents] == ["1", "2", "3"]


# VAT


@pytest.mark.parametrize(
    ("in_advance", "starts_on", "rate"),
    [
        (True, "2013-12-01", "19.6"),
        (True, "2013-12-31", "19.6"),
        (True, "2014-01-01", "20"),
        (False, "2013-11-01", "19.6"),  # November, billed on 1 December
        (False, "2013-12-01", "19.6"),  # December, billed on 1 January: supplied by the 31st
        (False, "2013-12-02", "20"),  # its last day is 1 January
    ],
)
def test_the_rate_is_that_of_the_day_of_the_supply(in_advance, starts_on, rate):
    house = House()
    terms = Terms(schedule=Schedule(in_advance=in_advance))
    house.sign(signed(terms=terms, starts_on=starts_on))
    first = house.run("2014-02-15", earliest="2013-11-01")[0]
    assert first.lines[0].vat_rate == D(rate)


def test_a_credit_note_has_the_rate_of_what_it_gives_back():
    terms = yearly(termination=Termination(grounds=(Ground(cause="mutual", refund=True),)))
    house = House()
    house.sign(signed(terms=terms, starts_on="2013-07-01"))
    house.run("2013-08-01")
    house.do("C-1", end.terminate, date(2014, 3, 1), "mutual", "client", "", house.history("C-1"))
    [note] = house.run("2014-04-01")
    # March to June is 122 of 365 days: 1200.00 × 122/365 = 401.095… → 401.10; × 19.6 % = 78.615…
    assert (note.net, note.lines[0].vat_rate, note.tax) == (D("401.10"), D("19.6"), D("78.62"))


def test_in_arrears_a_credit_note_has_the_rate_of_the_last_day():
    terms = Terms(
        schedule=Schedule(in_advance=False),
        termination=Termination(grounds=(Ground(cause="mutual", refund=True),)),
    )
    house = House()
    house.sign(signed(terms=terms, starts_on="2013-12-02"))
    [invoice] = house.run("2014-02-01", earliest="2014-01-01")
    assert invoice.lines[0].vat_rate == D("20")  # The month ends on 1 January.
    house.do("C-1", end.terminate, date(2013, 12, 18), "mutual", "client", "", house.history("C-1"))
    [note] = house.run("2014-03-01")
    # 15 of 31 days: 100.00 × 15/31 = 48.387…
    assert (note.net, note.lines[0].vat_rate) == (D("48.39"), D("20"))


def test_tax_is_worked_out_on_the_sum_of_each_rate():
    reduced = Vat(code="reduced", rate=D("5.5"))
    house = House()
    items = (
        Item(code="A", label="A", unit_price=D("0.13")),
        Item(code="B", label="B", unit_price=D("0.13")),
        Item(code="C", label="C", unit_price=D("10.10"), vat="reduced"),
    )
    house.sign(signed(*items, terms=Terms(vat=(reduced,))))
    [invoice] = house.run("2026-02-01")
    # 0.26 × 20 % = 0.052 → 0.05, where line by line would give 0.03 + 0.03; 10.10 × 5.5 % = 0.5555
    assert [(t.rate, t.base, t.tax) for t in invoice.vat] == [
        (D(20), D("0.26"), D("0.05")),
        (D("5.5"), D("10.10"), D("0.56")),
    ]
    assert invoice.gross == D("10.97")


# Totals


def test_totals_add_up_invoices_less_credit_notes():
    house = House()
    house.sign(signed())
    house.run("2026-02-01")
    rebate = Item(code="GESTE", label="Geste", unit_price=D("-30.00"), per_months=0)
    house.do("C-1", cover.add_equipment, rebate, date(2026, 1, 20))
    house.run("2026-02-01", earliest="2026-01-01")
    totals = Totals()
    for document in house.documents:
        totals.add(document)
    assert (totals.invoices, totals.credit_notes) == (1, 1)
    assert (totals.net, totals.tax, totals.gross) == (D("70.00"), D("14.00"), D("84.00"))
    assert [(t.rate, t.base, t.tax) for t in totals.vat] == [(D(20), D("70.00"), D("14.00"))]


def test_a_month_is_its_days_up_to_the_next():
    assert month_days(date(2026, 12, 17)) == (date(2026, 12, 1), date(2027, 1, 1))


def test_a_line_names_the_events_it_comes_from():
    house = House(INDEXED)
    house.sign(signed(terms=Terms(revision=SYNTEC), starts_on="2023-07-01"))
    house.months("2023-07-01", "2024-08-01")
    line = lines_of(house.documents)[-1]
    origins = [house.events["C-1"][version - 1] for version in line.because]
    assert [type(e).__name__ for e in origins] == ["ContractSigned", "PriceRevised"]


def test_two_events_of_a_day_take_two_versions():
    house = House(BOOK)
    house.sign(signed())
    extra = Item(code="B", label="B", unit_price=D(5))
    house.do("C-1", cover.add_equipment, extra, date(2026, 1, 1))
    house.run("2026-02-01")
    versions = [e.originator_version for e in house.events["C-1"]]
    assert versions == list(range(1, len(versions) + 1))
    assert isinstance(house.events["C-1"][1], EquipmentAdded)


def test_a_contract_that_is_not_renewed_has_nothing_more_to_bill():
    house = House()
    house.sign(signed(terms=Terms(renewal=Renewal(kind="none", term_months=3))))
    assert len(house.months("2026-01-01", "2027-01-01")) == 3
    assert house["C-1"].next_due() is None
