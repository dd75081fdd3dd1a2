"""Si Contact, Sérénité: from signature to the last invoice."""

from datetime import date

import pytest

from billing.clauses.fees import Item
from billing.clauses.renewal import prompt_on
from billing.contract import cover, end, renew
from billing.events.contract import (
    ContractRenewed,
    ContractTerminated,
    EquipmentRemoved,
    IndemnityAssessed,
)
from billing.forms import BadFile
from billing.refusal import Refused
from tests.scenario import BOOK, D, House, day, lines_of, nets

CONTRACT = """
form = "si-contact"
number = "SC-1"
signed_on = {signed_on}
term_months = {months}

[client]
code = "CONGRES"
name = "Centre de Congrès"

[[items]]
code = "MISTRAL"
catalogue = "VISIO"
unit_price = "1500.00"
warranty_until = 2031-12-31
list_price = "6900.00"

[[items]]
code = "ALPILLES"
catalogue = "VISIO"
unit_price = "900.00"
warranty_until = {warranty}
list_price = "3400.00"
"""


def signed(months=36, signed_on="2024-03-15", warranty="2031-06-30"):
    house = House()
    house.signs(CONTRACT.format(months=months, signed_on=signed_on, warranty=warranty))
    return house


def test_each_annuity_is_billed_in_advance_on_the_anniversary():
    house = signed()
    invoices = house.months("2024-03-01", "2027-06-01")
    assert [(i.issued_on, i.net) for i in invoices] == [
        (date(2024, 3, 15), D("2400.00")),
        (date(2025, 3, 15), D("2400.00")),
        (date(2026, 3, 15), D("2400.00")),
    ]
    assert invoices[0].due_on == date(2024, 4, 14)  # 15 March + 30 days


@pytest.mark.parametrize(
    ("months", "last_day"), [(12, "2025-03-14"), (36, "2027-03-14"), (60, "2029-03-14")]
)
def test_one_three_or_five_years(months, last_day):
    assert signed(months)["SC-1"].term.last_day == day(last_day)


def test_and_nothing_between():
    with pytest.raises(BadFile, match="12, 36, 60"):
        signed(24)


# The offer


def test_the_offer_is_due_two_months_before_the_last_day():
    contract = signed()["SC-1"]
    assert prompt_on(contract.terms.renewal, contract.term) == date(2027, 1, 14)


def test_it_ends_unless_the_offer_is_accepted():
    house = signed()
    house.months("2024-03-01", "2027-01-01")
    house.do("SC-1", renew.offer, date(2027, 1, 14), months=12)
    assert house["SC-1"].ends_on == date(2027, 3, 15)
    assert house.months("2027-01-01", "2029-01-01") == []
    assert house["SC-1"].next_due() is None


def test_an_offer_accepted_is_another_term_at_its_price():
    house = signed()
    house.months("2024-03-01", "2027-01-01")
    house.do("SC-1", renew.offer, date(2027, 1, 14), months=12, prices={"ALPILLES": D("950.00")})
    house.do("SC-1", renew.accept_offer, date(2027, 3, 14))
    # 1500.00 + 950.00; and the year after it ends, as nothing is renewed twice by one offer.
    assert nets(house.months("2027-01-01", "2029-01-01")) == [D("2450.00")]
    [renewed] = [e for e in house.events["SC-1"] if isinstance(e, ContractRenewed)]
    assert (renewed.how, renewed.term.last_day) == ("accepted", date(2028, 3, 14))
    assert house["SC-1"].ends_on == date(2028, 3, 15)


def test_an_offer_has_one_of_the_lengths_of_the_form():
    with pytest.raises(Refused, match="12, 36, 60"):
        signed().do("SC-1", renew.offer, date(2027, 1, 14), months=24)


@pytest.mark.parametrize(
    ("offered_on", "accepted_on", "words"),
    [
        (None, "2027-02-01", "no renewal was offered"),
        ("2027-01-14", "2027-01-13", "before the offer"),
        ("2027-01-14", "2027-03-15", "ended on 2027-03-15"),
    ],
)
def test_what_is_not_accepted(offered_on, accepted_on, words):
    house = signed()
    if offered_on:
        house.do("SC-1", renew.offer, day(offered_on), months=12)
    with pytest.raises(Refused, match=words):
        house.do("SC-1", renew.accept_offer, day(accepted_on))


def test_it_takes_no_notice_as_it_is_not_renewed_by_itself():
    with pytest.raises(Refused, match="ends on 2027-03-15"):
        signed().do("SC-1", renew.notice, "client", date(2026, 10, 1))


# Unpaid


def test_suspension_and_termination_are_allowed_on_day_15_and_never_come_by_themselves():
    house = signed(60)
    house.run("2024-04-01")
    [sent] = house.do("SC-1", end.formal_notice, "unpaid", "supplier", date(2024, 5, 2))
    assert sent.allowed_from == date(2024, 5, 17)
    for early in (
        lambda: house.do("SC-1", end.suspend, "unpaid", date(2024, 5, 16)),
        lambda: house.do("SC-1", end.terminate, date(2024, 5, 16), "unpaid", "supplier"),
    ):
        with pytest.raises(Refused, match="too early"):
            early()
    house.months("2024-04-01", "2024-12-01")
    assert house["SC-1"].suspended_on is None
    assert house["SC-1"].terminated_on is None
    house.do("SC-1", end.suspend, "unpaid", date(2024, 12, 2))
    assert house["SC-1"].suspended_on == date(2024, 12, 2)
    house.do("SC-1", end.resume, date(2024, 12, 20))
    assert house["SC-1"].suspended_on is None


def test_the_fee_runs_on_while_the_service_is_suspended():
    house = signed()
    house.run("2024-04-01")
    house.do("SC-1", end.formal_notice, "unpaid", "supplier", date(2024, 5, 2))
    house.do("SC-1", end.suspend, "unpaid", date(2024, 5, 17))
    assert nets(house.months("2024-04-01", "2025-04-01")) == [D("2400.00")]


@pytest.mark.parametrize("sending", ["email", "letter"])
def test_a_formal_notice_is_a_registered_letter(sending):
    with pytest.raises(Refused, match="registered_letter"):
        signed().do(
            "SC-1", end.formal_notice, "unpaid", "supplier", date(2024, 5, 2), sending=sending
        )


# Indemnity


def test_half_of_the_annuities_not_yet_fallen_due():
    house = signed(60)
    house.months("2024-03-01", "2026-09-01")
    ended, assessed = house.do(
        "SC-1",
        end.terminate,
        date(2026, 9, 1),
        "convenience",
        "client",
        history=house.history("SC-1"),
    )
    assert isinstance(ended, ContractTerminated)
    assert isinstance(assessed, IndemnityAssessed)
    # Fallen due: 2024, 2025 and 2026. Left: 15 March 2027 and 2028, 2400.00 each; a half of 4800.00
    assert [part.period.start for part in assessed.remaining] == [
        date(2027, 3, 15),
        date(2028, 3, 15),
    ]
    assert assessed.amount == D("2400.00")
    [invoice] = house.run("2026-10-01")
    # Taxable by default: 2400.00 × 20 % = 480.00. The annuity of 2026 stays due: no credit.
    assert (invoice.net, invoice.tax) == (D("2400.00"), D("480.00"))
    assert house.months("2026-10-01", "2029-06-01") == []


@pytest.mark.parametrize(
    ("on", "amount"),
    [
        # Fallen due on the day it ends, or not yet: the day itself is without contract.
        ("2027-03-14", "2400.00"),
        ("2027-03-15", "2400.00"),
        ("2027-03-16", "1200.00"),
        ("2028-03-16", "0.00"),
    ],
)
def test_an_annuity_falls_due_on_its_day(on, amount):
    house = signed(60)
    assessed = house.do("SC-1", end.terminate, day(on), "mutual", "client")[-1]
    assert assessed.amount == D(amount)


@pytest.mark.parametrize(
    ("cause", "by", "owed"),
    [
        ("convenience", "client", True),
        ("mutual", "client", True),
        ("mutual", "supplier", True),
        ("breach_by_supplier", "client", False),
        ("force_majeure", "client", False),
        ("force_majeure", "supplier", False),
    ],
)
def test_it_is_owed_for_every_cause_but_the_suppliers_fault_and_force_majeure(cause, by, owed):
    house = signed(60)
    house.months("2024-03-01", "2026-09-01")
    events = house.do(
        "SC-1", end.terminate, date(2026, 9, 1), cause, by, "proof", house.history("SC-1")
    )
    assert any(isinstance(e, IndemnityAssessed) for e in events) == owed
    # Then the part prepaid comes back: 1 September 2026 to 14 March 2027 is 195 of 365 days;
    # 2400.00 × 195/365 = 1282.191… → 1282.19
    credited = [charge.net for e in events for charge in e.charges if charge.credits]
    assert credited == ([] if owed else [D("-1282.19")])


def test_a_client_at_fault_owes_it_too():
    house = signed(60)
    house.months("2024-03-01", "2026-05-01")
    house.do("SC-1", end.formal_notice, "unpaid", "supplier", date(2026, 5, 2))
    events = house.do("SC-1", end.terminate, date(2026, 5, 17), "unpaid", "supplier")
    assert events[-1].amount == D("2400.00")


def test_insolvency_ends_nothing():
    with pytest.raises(Refused, match="L622-13"):
        signed().do("SC-1", end.terminate, date(2026, 9, 1), "insolvency", "supplier")


@pytest.mark.parametrize(("agreed", "billed"), [("0.00", []), ("1000.00", [D("1000.00")])])
def test_it_may_be_waived_or_agreed_before_it_is_billed(agreed, billed):
    house = signed(60)
    house.months("2024-03-01", "2026-09-01")
    house.do("SC-1", end.terminate, date(2026, 9, 1), "mutual", "client")
    house.do("SC-1", end.settle_indemnity, D(agreed), date(2026, 9, 1), "geste commercial")
    # One invoice of what was agreed, and none of nothing.
    assert nets(house.run("2026-10-01")) == billed


def test_it_may_be_agreed_anew_before_the_credit_note_leaves():
    house = signed(60)
    house.months("2024-03-01", "2026-09-01")
    house.do("SC-1", end.terminate, date(2026, 9, 1), "mutual", "client")
    house.run("2026-10-01")
    house.do("SC-1", end.settle_indemnity, D("1000.00"), date(2026, 10, 8), "transaction")
    house.do("SC-1", end.settle_indemnity, D("600.00"), date(2026, 10, 9), "transaction")
    # Billed 2400.00, agreed 600.00: one credit note of 1800.00
    assert nets(house.run("2026-11-01")) == [D("-1800.00")]


def test_waived_after_it_was_billed_it_is_credited_on_its_invoice():
    house = signed(60)
    house.months("2024-03-01", "2026-09-01")
    house.do("SC-1", end.terminate, date(2026, 9, 1), "mutual", "client")
    [invoice] = house.run("2026-10-01")
    house.do("SC-1", end.settle_indemnity, D("1000.00"), date(2026, 10, 8), "transaction")
    [note] = house.run("2026-11-01")
    assert (note.credits, note.net, note.gross) == (invoice.number, D("1400.00"), D("1680.00"))


# Warranty


def test_videoconference_equipment_without_a_warranty_is_not_signed_for():
    with pytest.raises(BadFile, match="warranty"):
        signed(warranty="2024-03-14")
    assert signed(warranty="2024-03-15")["SC-1"].items


def test_out_of_warranty_it_leaves_the_cover_and_its_fee_ends_at_the_next_annuity():
    house = signed(warranty="2025-08-31")
    house.months("2024-03-01", "2026-06-01")
    [left] = [e for e in house.events["SC-1"] if isinstance(e, EquipmentRemoved)]
    assert (left.removed_on, left.fee_until, left.because) == (
        date(2025, 9, 1),
        date(2026, 3, 15),
        "out_of_warranty",
    )
    assert nets(house.documents) == [D("2400.00"), D("2400.00"), D("1500.00")]


def test_out_of_warranty_on_the_anniversary_it_is_not_billed_again():
    house = signed(warranty="2025-03-14")
    assert nets(house.months("2024-03-01", "2025-06-01")) == [D("2400.00"), D("1500.00")]


def test_what_left_the_cover_is_no_part_of_the_annuities_left():
    house = signed(60, warranty="2026-06-30")
    house.months("2024-03-01", "2026-09-01")
    assessed = house.do("SC-1", end.terminate, date(2026, 9, 1), "mutual", "client")[-1]
    # Only 1500.00 a year are left for 2027 and 2028: a half of 3000.00
    assert assessed.amount == D("1500.00")


def test_added_equipment_must_be_under_warranty_and_audio_need_not():
    house = signed()
    house.run("2024-04-01")
    room = Item(
        code="SALLE-3",
        label="Salle 3",
        unit_price=D("730.00"),
        per_months=12,
        kind="videoconference",
        warranty_until=date(2024, 5, 31),
    )
    with pytest.raises(Refused, match="its warranty ends: 2024-05-31"):
        house.do("SC-1", cover.add_equipment, room, date(2024, 6, 1))
    audio = Item(
        code="SONO", label="Sonorisation", unit_price=D("730.00"), per_months=12, kind="equipment"
    )
    house.do("SC-1", cover.add_equipment, audio, date(2024, 6, 1))
    # 1 June 2024 to 14 March 2025: 287 of 365 days; 730.00 × 287/365 = 574.00
    assert [x.net for x in lines_of(house.months("2024-04-01", "2025-04-01"))][-2:] == [
        D("574.00"),
        D("730.00"),
    ]


# Return of equipment, cover resumed


def test_equipment_not_sent_back_within_15_days_is_billed_at_its_list_price():
    house = signed()
    house.run("2024-04-01")
    [shipped] = house.do("SC-1", cover.ship_replacement, "MISTRAL", date(2024, 6, 3))
    assert shipped.return_by == date(2024, 6, 18)
    [invoice] = house.months("2024-04-01", "2024-09-01")
    assert (invoice.issued_on, invoice.net) == (date(2024, 6, 19), D("6900.00"))


def test_equipment_sent_back_in_time_costs_nothing():
    house = signed()
    house.run("2024-04-01")
    house.do("SC-1", cover.ship_replacement, "MISTRAL", date(2024, 6, 3))
    house.do("SC-1", cover.return_faulty, "MISTRAL", date(2024, 6, 18))
    assert house.months("2024-04-01", "2024-09-01") == []
    with pytest.raises(Refused, match="no replacement"):
        house.do("SC-1", cover.return_faulty, "MISTRAL", date(2024, 6, 19))


def test_cover_resumed_is_a_check_and_a_repair_quote():
    house = signed()
    house.run("2024-04-01")
    checked = ("SALLE-3", date(2024, 6, 3), False)
    with pytest.raises(Refused, match="its quote and its price"):
        house.do("SC-1", cover.check_equipment, *checked, accepted_on=date(2024, 6, 10))
    house.do("SC-1", cover.check_equipment, *checked, "R-12", D("480.00"))
    assert house.run("2024-07-01") == []  # Offered, not accepted.
    house.do("SC-1", cover.check_equipment, *checked, "R-12", D("480.00"), date(2024, 6, 10))
    assert nets(house.run("2024-07-01")) == [D("480.00")]


def test_a_journey_out_of_the_perimeter_goes_by_quote():
    house = signed()
    with pytest.raises(Refused, match="accepted quote"):
        house.do("SC-1", cover.do_work, "DEPLACEMENT", date(2024, 6, 3))


def test_nothing_is_revised():
    assert signed()["SC-1"].next_revision_on is None


def test_a_removal_gives_nothing_back():
    house = signed()
    house.run("2024-04-01")
    [left] = house.do(
        "SC-1", cover.remove_equipment, "ALPILLES", date(2024, 9, 1), BOOK, house.history("SC-1")
    )
    assert (left.fee_until, left.charges) == (date(2025, 3, 15), ())
