"""The end: letters and their clocks, ways out, what is left to pay, what comes back."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.indemnity import Indemnity, Remaining
from billing.clauses.renewal import Renewal
from billing.clauses.schedule import Schedule
from billing.clauses.suspension import Clock
from billing.clauses.termination import Ground, Termination
from billing.clauses.vat import Vat
from billing.contract import cover, end
from billing.dates import Period
from billing.events.contract import (
    BreachCured,
    ContractTerminated,
    FormalNoticeSent,
    IndemnityAssessed,
    ServiceResumed,
    ServiceSuspended,
)
from tests.scenario import BOOK, D, House, day, given, lines_of, nets, signed

UNPAID = Clock(name="unpaid", days=10, allows=("suspend", "terminate"))
BREACH = Clock(
    name="breach",
    days=30,
    allows=("terminate",),
    by="any",
    counted_on="receipt",
    notice_by="either",
    clear_days=True,
)
LEAVING = Ground(cause="convenience", by="client", indemnity=True)
AT_FAULT = Ground(cause="unpaid", by="supplier", clock="unpaid", indemnity=True)
TERMS = Terms(
    renewal=Renewal(term_months=36),
    clocks=(UNPAID, BREACH),
    termination=Termination(
        grounds=(
            LEAVING,
            AT_FAULT,
            Ground(cause="force_majeure", proof=True, refund=True),
            Ground(cause="mutual", effective="period_end"),
        )
    ),
    indemnity=Indemnity(share=D("0.5"), of="annuities"),
)
SIGNED = signed(terms=TERMS)
LETTER = FormalNoticeSent(
    clock="unpaid",
    by="supplier",
    sent_on=date(2026, 5, 2),
    received_on=None,
    sending="registered_letter",
    allowed_from=date(2026, 5, 12),
    allows=("suspend", "terminate"),
)


def test_a_letter_starts_its_clock():
    given(SIGNED).when(end.formal_notice, "unpaid", "supplier", date(2026, 5, 2)).then(LETTER)


def test_clear_days_count_from_the_day_after_the_receipt():
    contract = given(SIGNED)
    [told] = contract.when(
        end.formal_notice, "breach", "client", date(2026, 5, 2), date(2026, 5, 5), sending="email"
    ).events
    # Received on 5 May: 30 clear days run from 6 May to 4 June, and 5 June is the first free day.
    assert told.allowed_from == date(2026, 6, 5)
    [waits] = contract.when(
        end.formal_notice, "breach", "client", date(2026, 5, 2), sending="email"
    ).events
    assert waits.allowed_from is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (("nothing", "supplier", date(2026, 5, 2)), ["no clock 'nothing'", "unpaid, breach"]),
        (("unpaid", "client", date(2026, 5, 2)), ["started by the supplier"]),
        (("unpaid", "supplier", date(2025, 5, 2)), ["before its signature"]),
    ],
)
def test_a_letter_the_contract_does_not_know(told, words):
    given(SIGNED).when(end.formal_notice, *told).refused(*words)


def test_a_clock_runs_once():
    given(SIGNED, LETTER).when(end.formal_notice, "unpaid", "supplier", date(2026, 5, 3)).refused(
        "runs already"
    )


def test_a_service_is_suspended_from_the_day_and_resumed():
    suspended = ServiceSuspended(suspended_on=date(2026, 5, 12), clock="unpaid")
    given(SIGNED, LETTER).when(end.suspend, "unpaid", date(2026, 5, 11)).refused("too early")
    given(SIGNED, LETTER).when(end.suspend, "unpaid", date(2026, 5, 12)).then(suspended)
    given(SIGNED, LETTER).when(end.suspend, "unpaid", date(2026, 5, 12), "recover").refused(
        "allows suspend, terminate, not recover"
    )
    given(SIGNED, LETTER, suspended).when(end.suspend, "unpaid", date(2026, 5, 13)).refused(
        "suspended since 2026-05-12"
    )
    given(SIGNED, LETTER, suspended).when(end.resume, date(2026, 5, 11)).refused("after")
    given(SIGNED, LETTER, suspended).when(end.resume, date(2026, 5, 20)).then(
        ServiceResumed(resumed_on=date(2026, 5, 20))
    )
    given(SIGNED).when(end.resume, date(2026, 5, 20)).refused("not suspended")


def test_a_letter_answered_in_time_stops_its_clock():
    given(SIGNED, LETTER).when(end.cure, "unpaid", date(2026, 5, 9)).then(
        BreachCured(clock="unpaid", cured_on=date(2026, 5, 9))
    )
    given(SIGNED).when(end.cure, "unpaid", date(2026, 5, 9)).refused("no clock 'unpaid' runs")


def test_leaving_two_years_early_costs_half_of_what_was_left():
    two = tuple(
        Remaining(Period(date(year, 1, 1), date(year + 1, 1, 1)), D("1200.00"))
        for year in (2027, 2028)
    )
    ended, assessed = (
        given(SIGNED).when(end.terminate, date(2026, 6, 1), "convenience", "client").events
    )
    assert ended == ContractTerminated(
        effective_on=date(2026, 6, 1), cause="convenience", by="client", ground=LEAVING
    )
    # 2 × 1200.00 were left; a half is 1200.00
    assert isinstance(assessed, IndemnityAssessed)
    assert (assessed.remaining, assessed.amount) == (two, D("1200.00"))
    assert assessed.charges[0].note == "0.5 × 2400.00 € (2 échéances restantes)"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((date(2026, 6, 1), "convenience", "supplier"), ["supplier may not end it"]),
        ((date(2026, 6, 1), "moved_abroad", "client"), ["may not end it for moved_abroad"]),
        ((date(2026, 6, 1), "insolvency", "supplier"), ["L622-13", "administrator"]),
        ((date(2026, 6, 1), "boredom", "client"), ["'boredom'", "convenience"]),
        ((date(2026, 6, 1), "force_majeure", "client"), ["needs a proof"]),
        ((date(2026, 6, 1), "unpaid", "supplier"), ["no clock 'unpaid' runs"]),
        ((date(2025, 6, 1), "convenience", "client"), ["before its signature"]),
    ],
)
def test_what_does_not_end_it(told, words):
    given(SIGNED).when(end.terminate, *told).refused(*words)


def test_it_ends_once():
    ended = ContractTerminated(effective_on=date(2026, 6, 1), cause="convenience", by="client")
    given(SIGNED, ended).when(end.terminate, date(2026, 7, 1), "convenience", "client").refused(
        "terminated on 2026-06-01"
    )


def test_a_contract_that_ends_by_itself_is_not_ended_on_that_day():
    once = replace(TERMS, renewal=Renewal(kind="none", term_months=12))
    given(signed(terms=once)).when(end.terminate, date(2026, 12, 15), "mutual", "client").refused(
        "ends on 2027-01-01 by itself"
    )


@pytest.mark.parametrize(
    ("on", "ends_on"),
    [("2026-06-15", "2026-07-01"), ("2026-06-01", "2026-06-01"), ("2026-06-02", "2026-07-01")],
)
def test_some_ways_out_open_at_the_end_of_a_billing_period(on, ends_on):
    [ended] = given(SIGNED).when(end.terminate, day(on), "mutual", "client").events
    assert ended.effective_on == day(ends_on)


# What is left


def owed(of, every, in_advance, on, *items, **clauses):
    terms = replace(
        TERMS,
        indemnity=Indemnity(share=D(1), of=of),
        schedule=Schedule(every_months=every, in_advance=in_advance),
        **clauses,
    )
    contract = given(signed(*items, terms=terms))
    return contract.when(end.terminate, day(on), "convenience", "client").events[-1]


@pytest.mark.parametrize(
    ("of", "every", "in_advance", "on", "amount"),
    [
        # 36 months of 100.00 from 1 January 2026 to 31 December 2028.
        ("instalments", 1, True, "2027-12-01", "1300.00"),
        ("instalments", 1, True, "2027-12-02", "1200.00"),  # December is billed: it stays due
        # In arrears the rest of December is owed: 30 of 31 days, 96.774…
        ("instalments", 1, False, "2027-12-02", "1296.77"),
        ("instalments", 12, True, "2027-12-02", "1200.00"),
        ("instalments", 12, False, "2027-12-02", "1298.63"),  # 30 of 365 days of 1200: 98.630…
        ("instalments", 3, True, "2027-12-02", "1200.00"),
        ("annuities", 1, True, "2027-12-02", "1200.00"),
        ("annuities", 1, True, "2028-01-01", "1200.00"),
        ("annuities", 1, True, "2028-01-02", "0.00"),
        ("pro_rata", 1, True, "2027-12-02", "1296.77"),
        ("pro_rata", 12, True, "2028-07-01", "603.28"),  # 184 of 366 days of 1200: 603.278…
    ],
)
def test_what_remains(of, every, in_advance, on, amount):
    assert owed(of, every, in_advance, on).amount == D(amount)


def test_what_remains_knows_when_a_discount_and_an_item_end():
    items = (
        Item(
            code="A",
            label="A",
            unit_price=D("100.00"),
            discount=D(50),
            discount_until=date(2028, 9, 30),
        ),
        Item(code="B", label="B", unit_price=D("10.00"), until=date(2028, 10, 16)),
    )
    found = owed("instalments", 1, True, "2028-09-01", *items)
    # A: 50.00 for September, then 3 × 100.00; B: 10.00, and 15 of 31 days of October, 4.838…
    assert [part.net for part in found.remaining] == [
        D("60.00"),
        D("104.84"),
        D("100.00"),
        D("100.00"),
    ]


def test_the_indemnity_may_be_outside_vat():
    outside = Vat(code="hors", category="O", reason="sans contrepartie")
    house = House()
    clause = Indemnity(share=D("0.5"), of="annuities", taxable=False, untaxed_because="x")
    house.sign(signed(terms=replace(TERMS, indemnity=clause, vat=(outside,))))
    house.months("2026-01-01", "2026-07-01")
    house.do("C-1", end.terminate, date(2026, 6, 10), "convenience", "client")
    [invoice] = house.run("2026-07-01", earliest="2026-06-01")
    assert (invoice.net, invoice.tax, invoice.lines[0].vat_category) == (D("1200.00"), 0, "O")


def test_an_instalment_already_invoiced_for_a_later_period_is_credited():
    house = House()
    house.sign(signed(terms=replace(TERMS, schedule=Schedule(days_before=20))))
    house.months("2026-01-01", "2026-07-01")
    # July was billed on 11 June.
    assert house.history("C-1")[-1].period.start == date(2026, 7, 1)
    house.do(
        "C-1",
        end.terminate,
        date(2026, 6, 20),
        "convenience",
        "client",
        history=house.history("C-1"),
    )
    documents = house.run("2026-08-01")
    assert [(d.net, getattr(d, "credits", "")) for d in documents] == [
        (D("1200.00"), ""),
        (D("100.00"), house.history("C-1")[-2].invoice),
    ]


def test_force_majeure_gives_back_what_was_not_served_and_costs_nothing():
    house = House()
    house.sign(signed(terms=replace(TERMS, schedule=Schedule(every_months=3))))
    house.run("2026-02-01")
    house.do(
        "C-1",
        end.terminate,
        date(2026, 2, 1),
        "force_majeure",
        "client",
        "arrêté",
        house.history("C-1"),
    )
    # February and March: 59 of 90 days, 300.00 × 59/90 = 196.666…
    assert nets(house.run("2026-03-01")) == [D("-196.67")]


@pytest.mark.parametrize(("in_advance", "credit"), [(True, []), (False, ["-64.52"])])
def test_in_arrears_an_end_told_after_the_bill_gives_back_the_days_not_served(in_advance, credit):
    house = House()
    clause = replace(TERMS, indemnity=None, schedule=Schedule(in_advance=in_advance))
    house.sign(signed(terms=clause))
    house.run("2026-03-01", earliest="2026-01-01")
    house.do(
        "C-1", end.terminate, date(2026, 1, 12), "convenience", "client", "", house.history("C-1")
    )
    # January, 20 of 31 days: 64.516… In advance January stays due, and February goes back whole.
    february = ["-100.00"] if in_advance else []
    assert nets(house.run("2026-04-01")) == [D(net) for net in credit + february]


def test_the_fee_line_of_what_left_is_not_billed_again():
    house = House()
    extra = Item(code="B", label="B", unit_price=D("10.00"))
    house.sign(signed(Item(code="A", label="A", unit_price=D("100.00")), extra, terms=TERMS))
    house.run("2026-02-01")
    house.do("C-1", cover.remove_equipment, "B", date(2026, 1, 20), BOOK, house.history("C-1"))
    assert [x.code for x in lines_of(house.run("2026-03-01"))] == ["A"]
