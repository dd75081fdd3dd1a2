"""Cover: what is refused of equipment, options, usage, work and exchanges, and what it brings."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.cover import Cover, Overrun, Rate
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.clauses.suspension import Clock
from billing.clauses.usage import Meter
from billing.contract import cover
from billing.events.contract import (
    BreachCured,
    Charge,
    ChargeAdded,
    ContractTerminated,
    EquipmentAdded,
    EquipmentRemoved,
    FormalNoticeSent,
    InstallationAccepted,
    InstalmentBilled,
    OptionCancelled,
    OptionSubscribed,
    ReplacementShipped,
    ServiceSuspended,
    UsageMeasured,
)
from tests.scenario import BOOK, D, a_day, day, given, signed

A = Item(code="A", label="A", unit_price=D("100.00"), list_price=D("900.00"))
B = Item(code="B", label="B", unit_price=D("10.00"))
OPTION = replace(B, code="OPT", kind="option")
TERMS = Terms(
    cover=Cover(return_days=15, whole_month_kinds=("option",)),
    meters=(Meter(code="GO", label="Go", unit="Go", unit_price=D("3.00"), step=D(1)),),
    rates=(Rate(code="H", label="Heure", unit_price=D("75.00"), first_free=1),),
)
SIGNED = signed(A, terms=TERMS)
BILLED = InstalmentBilled(
    billed_on=date(2026, 1, 1), period=None, until=date(2026, 2, 1), net=D("100.00")
)


def test_an_item_that_bears_a_code_already_taken_is_numbered():
    added = EquipmentAdded(item=replace(A, code="A-2"), since=date(2026, 1, 9))
    given(SIGNED).when(cover.add_equipment, A, date(2026, 1, 9)).then(added)
    given(SIGNED, added).when(cover.add_equipment, A, date(2026, 1, 9)).then(
        EquipmentAdded(item=replace(A, code="A-3"), since=date(2026, 1, 9))
    )


def test_an_addition_before_the_start_enters_on_the_start():
    early = signed(A, signed_on="2025-12-01", starts_on="2026-01-01")
    [added] = given(early).when(cover.add_equipment, B, date(2025, 12, 20)).events
    assert added.since == date(2026, 1, 1)
    given(early).when(cover.add_equipment, B, date(2025, 11, 30)).refused("before its signature")


def test_an_option_opened_is_due_with_its_entry_fee():
    item = replace(OPTION, entry_fee=D("15.00"))
    given(SIGNED).when(cover.subscribe, item, date(2026, 1, 9)).then(
        OptionSubscribed(
            item=item,
            since=date(2026, 1, 9),
            charges=(
                Charge(
                    kind="entry_fee",
                    code="OPT",
                    label="B – droit d'entrée",
                    due_on=date(2026, 1, 9),
                    net=D("15.00"),
                    unit_price=D("15.00"),
                ),
            ),
        )
    )


@pytest.mark.parametrize(
    ("events", "on", "fee_until"),
    [
        ([], "2026-01-20", "2026-01-20"),  # not billed yet: to its day
        ([BILLED], "2026-01-20", "2026-02-01"),  # billed: to the end of what was billed
        ([BILLED], "2026-02-10", "2026-02-10"),
    ],
)
def test_the_fee_of_what_leaves_ends(events, on, fee_until):
    given(SIGNED, *events).when(cover.remove_equipment, "A", day(on), BOOK, [], "PV").then(
        EquipmentRemoved(code="A", removed_on=day(on), fee_until=day(fee_until), evidence="PV")
    )


@pytest.mark.parametrize(
    ("on", "fee_until"),
    [("2026-03-01", "2026-03-01"), ("2026-03-02", "2026-04-01"), ("2026-03-31", "2026-04-01")],
)
def test_an_option_is_due_for_the_months_it_was_open_in(on, fee_until):
    opened = OptionSubscribed(item=OPTION, since=date(2026, 1, 1))
    given(SIGNED, opened).when(cover.cancel_option, "OPT", day(on), BOOK, []).then(
        OptionCancelled(code="OPT", cancelled_on=day(on), fee_until=day(fee_until))
    )


@pytest.mark.parametrize(
    ("decision", "told", "words"),
    [
        (cover.remove_equipment, ("B", date(2026, 1, 9), BOOK, []), ["no item B", "covers: A"]),
        (cover.remove_equipment, ("A", date(2025, 1, 9), BOOK, []), ["entered on 2026-01-01"]),
        (cover.ship_replacement, ("B", date(2026, 1, 9)), ["no item B"]),
        (cover.return_faulty, ("A", date(2026, 1, 9)), ["no replacement of A"]),
        (cover.measure, ("KWH", date(2026, 1, 9), D(1)), ["no meter KWH", "GO"]),
        (cover.measure, ("GO", date(2026, 1, 9), D(-1)), ["-1", "zero or more"]),
        (cover.measure, ("GO", date(2025, 11, 9), D(1)), ["before its signature"]),
        (cover.do_work, ("KM", date(2026, 1, 9)), ["not on its rate card", "H"]),
        (cover.do_work, ("H", date(2026, 1, 9), D(-1)), ["zero or more"]),
        (cover.do_work, ("H", date(2025, 1, 9)), ["before its signature"]),
    ],
)
def test_what_the_cover_does_not_allow(decision, told, words):
    given(SIGNED).when(decision, *told).refused(*words)


def test_there_is_no_exchange_without_its_clause_nor_its_price():
    told = (cover.ship_replacement, "A", date(2026, 1, 9))
    given(signed(A)).when(*told).refused("no exchange of equipment")
    given(signed(replace(A, list_price=None), terms=TERMS)).when(*told).refused("no list price")


def test_the_first_regeneration_is_free_and_the_next_are_not():
    contract = given(SIGNED)
    [free] = contract.when(cover.do_work, "H", date(2026, 1, 9)).events
    assert (free.free, free.charges) == (True, ())
    [billed] = given(SIGNED, free).when(cover.do_work, "H", date(2026, 1, 9), D("1.5")).events
    assert billed.charges[0].net == D("112.50")


def test_a_quote_is_accepted_before_the_work():
    told = {"quote": "D-1", "label": "Pose", "unit_price": D("80.00")}
    contract = given(SIGNED)
    contract.when(
        cover.do_work, "POSE", date(2026, 2, 9), accepted_on=date(2026, 2, 10), **told
    ).refused("D-1", "not accepted before")
    contract.when(
        cover.do_work, "POSE", date(2026, 2, 9), quote="D-1", accepted_on=date(2026, 2, 1)
    ).refused("needs a label and a unit price")
    [done] = contract.when(
        cover.do_work, "POSE", date(2026, 2, 9), D(2), accepted_on=date(2026, 2, 9), **told
    ).events
    assert (done.charges[0].net, done.charges[0].label) == (D("160.00"), "Pose – devis D-1")


@pytest.mark.parametrize(
    ("used", "included", "billed", "net"),
    [
        ("0", "0", "0", None),
        ("0.1", "0", "1", "3.00"),  # a started Go
        ("100", "100", "0", None),
        ("100.01", "100", "1", "3.00"),
        ("250", "100", "150", "450.00"),
    ],
)
def test_what_is_measured_is_billed_on_the_first_of_the_next_month(used, included, billed, net):
    [told] = given(SIGNED).when(cover.measure, "GO", date(2026, 1, 31), D(used), D(included)).events
    assert isinstance(told, UsageMeasured)
    assert told.billed == D(billed)
    assert [(c.net, c.due_on) for c in told.charges] == (
        [(D(net), date(2026, 2, 1))] if net else []
    )


def test_what_is_not_returned_is_billed_the_day_after_its_last():
    shipped = ReplacementShipped(
        code="A", shipped_on=date(2026, 3, 2), return_by=date(2026, 3, 17), list_price=D("900.00")
    )
    given(SIGNED).when(cover.ship_replacement, "A", date(2026, 3, 2)).then(shipped)
    given(SIGNED, shipped).when(cover.due, date(2026, 3, 17)).then()
    [charged] = given(SIGNED, shipped).when(cover.due, date(2026, 3, 18)).events
    assert isinstance(charged, ChargeAdded)
    assert (charged.charges[0].net, charged.charges[0].due_on) == (
        D("900.00"),
        date(2026, 3, 18),
    )
    given(SIGNED, shipped, charged).when(cover.due, date(2026, 3, 19)).then()


OVERRUN = replace(
    TERMS,
    overrun=Overrun(),
    clocks=(Clock(name="overrun", days=30, allows=("block",), by="email"),),
)
WARNED = FormalNoticeSent(
    clock="overrun",
    by="supplier",
    sent_on=date(2026, 3, 2),
    received_on=None,
    sending="email",
    allowed_from=date(2026, 4, 1),
    allows=("block",),
)


def test_an_overrun_blocks_on_its_day_and_not_before():
    contract = given(signed(A, terms=OVERRUN), WARNED)
    contract.when(cover.due, date(2026, 3, 31)).then()
    contract.when(cover.due, date(2026, 4, 1)).then(
        ServiceSuspended(suspended_on=date(2026, 4, 1), clock="overrun", measure="block")
    )


def test_an_overrun_of_a_contract_that_has_ended_leads_to_nothing():
    ended = ContractTerminated(effective_on=date(2026, 3, 20), cause="mutual", by="client")
    contract = given(signed(A, terms=OVERRUN), WARNED, ended)
    contract.when(cover.due, date(2026, 4, 1)).then()


def test_or_subscribes_a_step_of_volume():
    terms = replace(OVERRUN, overrun=Overrun(then="subscribe", step=D(100), step_price=D("0.12")))
    opened, cured = given(signed(A, terms=terms), WARNED).when(cover.due, date(2026, 4, 1)).events
    assert (opened.item.quantity, opened.item.unit_price, opened.since) == (
        D(100),
        D("0.12"),
        date(2026, 4, 1),
    )
    assert cured == BreachCured(clock="overrun", cured_on=date(2026, 4, 1))


def test_an_acceptance_makes_due_what_waited_for_it():
    waits = replace(
        TERMS, cover=Cover(needs_acceptance=True), renewal=Renewal(kind="open", term_months=None)
    )
    install = Item(code="I", label="Pose", unit_price=D("1200.00"), per_months=0)
    contract = given(signed(A, install, terms=waits))
    assert contract.contract.next_due() is None
    assert a_day(contract.contract, date(2026, 1, 10))[1].invoices == ()
    [accepted] = contract.when(cover.accept_installation, date(2026, 1, 20)).events
    assert [(c.code, c.due_on) for c in accepted.charges] == [("I", date(2026, 1, 20))]
    [blocked] = contract.when(cover.accept_installation, date(2026, 1, 20), "panne").events
    assert blocked == InstallationAccepted(accepted_on=date(2026, 1, 20), blocking_defects="panne")
    after = given(signed(A, install, terms=waits), blocked, accepted).contract
    assert (after.accepted_on, after.anchor_on, after.next_due()) == (date(2026, 1, 20),) * 3
