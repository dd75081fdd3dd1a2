"""A mandate as its events leave it: good or not, first or not, what its bank was told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import msgspec
import pytest

from billing.application.states import KINDS
from billing.dates import DAY
from billing.events import stamped
from billing.events.party import (
    AnnouncedDebit,
    CollectionOrdered,
    CollectionReturned,
    CollectionsAnnounced,
    CollectionSettled,
    MandateAmended,
    MandateLapsed,
    MandateRevoked,
    MandateSigned,
)
from billing.identity import stream
from billing.mandate import Told, amend, apply, reference, reference_fault, usable
from billing.refusal import Refused
from tests.collections.house import IBANS, day

SIGNED = MandateSigned(
    reference="RUM-1",
    creditor="S",
    creditor_identifier="FR13222449274",
    debtor="C",
    iban=IBANS[0],
    bic="AAAAFRPP",
    signed_on=date(2023, 3, 15),
)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def after(*events):
    """The mandate after these events; a mandate signed on 15 March 2023 if none signs it."""
    if not isinstance(events[0] if events else None, MandateSigned):
        events = (SIGNED, *events)
    mandate = None
    for version, event in enumerate(events, 1):
        mandate = apply(mandate, stamped(event, stream("mandate", "RUM-1"), version, AT, "test"))
        assert mandate.version == version
    return mandate


def ordered(on, end_to_end="F-1", sequence="RCUR", invoice="", **more):
    return CollectionOrdered(
        end_to_end=end_to_end,
        supplier="S",
        invoice=invoice or end_to_end,
        amount=D("120.00"),
        collected_on=day(on),
        sequence=sequence,
        file="X",
        **more,
    )


def settled(end_to_end="F-1", on="2026-01-02"):
    return CollectionSettled(
        end_to_end=end_to_end,
        supplier="S",
        invoice=end_to_end,
        amount=D("120.00"),
        settled_on=day(on),
    )


def returned(code="AM04", settled=False, end_to_end="F-1", kind="reject", on="2026-01-05"):
    return CollectionReturned(
        end_to_end=end_to_end,
        supplier="S",
        invoice=end_to_end,
        amount=D("120.00"),
        returned_on=day(on),
        kind=kind,
        code=code,
        settled=settled,
    )


def revised(mandate, **changes):
    return msgspec.structs.replace(mandate, **changes)


# fmt: off
LAPSES = [
    # last debit or signature, then the last day it is good and the first it is not
    ((), "2026-03-15", "2026-03-16"),                              # signed on 2023-03-15
    ((ordered("2024-02-29"),), "2027-02-28", "2027-03-01"),        # 36 months clipped to February
    ((ordered("2024-01-31"),), "2027-01-31", "2027-02-01"),
    ((ordered("2024-05-02"), returned()), "2027-05-02", "2027-05-03"),  # even if it came back
    ((ordered("2024-05-02"), ordered("2024-04-02", "F-2")), "2027-05-02", "2027-05-03"),
    ((MandateAmended(amended_on=day("2025-01-01"), last_collected_on=day("2024-12-02")),),
     "2027-12-02", "2027-12-03"),                                  # debited by another program
]
# fmt: on


@pytest.mark.parametrize(("events", "last_day", "lapsed_on"), LAPSES)
def test_a_mandate_lapses_after_36_months_without_a_debit_to_the_day(events, last_day, lapsed_on):
    mandate = after(*events)
    assert usable(mandate, day(last_day)) == ""
    assert f"lapsed on {lapsed_on}" in usable(mandate, day(lapsed_on))
    assert mandate.lapses_on == mandate.next_due == day(lapsed_on) == day(last_day) + DAY


def test_a_mandate_found_lapsed_is_so_for_good_and_no_one_need_look_again():
    mandate = after(MandateLapsed(lapsed_on=day("2026-03-16")))
    assert "lapsed on 2026-03-16" in usable(mandate, day("2026-03-01"))
    assert mandate.next_due is None
    with pytest.raises(Refused, match="sign another"):
        amend(mandate, day("2026-04-01"), IBANS[1])


ONE_OFF = msgspec.structs.replace(SIGNED, recurrent=False)
B2B = msgspec.structs.replace(SIGNED, scheme="B2B")
STOPS = {"AC04": "the account is closed", "MD01": "there is no mandate"}

# fmt: off
USES = [
    # events, category, on, what is wrong
    ((), "professional", "2023-03-15", ""),
    ((), "professional", "2023-03-14", "signed on 2023-03-15, after"),
    ((MandateRevoked(revoked_on=day("2024-01-10")),), "professional", "2024-01-09", ""),
    ((MandateRevoked(revoked_on=day("2024-01-10")),), "professional", "2024-01-10",
     "revoked on 2024-01-10"),
    ((ONE_OFF,), "professional", "2024-01-10", ""),
    ((ONE_OFF, ordered("2024-01-10")), "professional", "2024-02-10",
     "was for one debit, made on 2024-01-10"),
    ((ONE_OFF, ordered("2024-01-10"), returned()), "professional", "2024-02-10", ""),
    ((ONE_OFF, ordered("2024-01-10"), settled(), returned(settled=True)), "professional",
     "2024-02-10", ""),                                       # nothing was had under it
    ((B2B,), "professional", "2024-01-10", ""),
    ((B2B,), "public", "2024-01-10", ""),
    ((B2B,), "consumer", "2024-01-10", "C is a consumer"),
    ((B2B,), "non_professional", "2024-01-10", "C is a non-professional"),
    ((ordered("2024-01-10", sequence="FNAL"),), "professional", "2024-02-10", "FNAL"),
    ((ordered("2024-01-10", sequence="FNAL"), returned()), "professional", "2024-02-10", ""),
    ((ordered("2024-01-10"), returned("AM04")), "professional", "2024-02-10", ""),
    ((ordered("2024-01-10"), returned("AC04")), "professional", "2024-02-10",
     "stopped since 2026-01-05: the account is closed (AC04)"),
    ((ordered("2024-01-10"), returned("AC04"),
      MandateAmended(amended_on=day("2024-02-01"), iban=IBANS[1])), "professional", "2024-02-10",
     ""),
    ((ordered("2024-01-10"), returned("AC04"), settled("F-2", "2026-01-06")), "professional",
     "2024-02-10", ""),
    ((ordered("2024-01-10"), returned("AC04"), settled("F-2")), "professional", "2024-02-10",
     "stopped since 2026-01-05"),                             # credited before, told after
    ((ordered("2024-01-10"), ordered("2024-01-10", "F-2"), returned("AC04"),
      returned("AM04", end_to_end="F-2")), "professional", "2024-02-10",
     "stopped since 2026-01-05: the account is closed (AC04)"),  # the next reason undoes nothing
    ((ordered("2024-01-10"), MandateAmended(amended_on=day("2024-01-12"), iban=IBANS[1]),
      returned("AC04")), "professional", "2024-02-10", ""),   # of the account before
]
# fmt: on


@pytest.mark.parametrize(("events", "category", "on", "trouble"), USES)
def test_why_nothing_is_debited_under_a_mandate(events, category, on, trouble):
    told = usable(after(*events), day(on), category, STOPS)
    assert trouble in told
    assert bool(told) == bool(trouble)


# fmt: off
FIRSTS = [
    ((), True),
    ((ordered("2024-01-10"),), False),                            # on its way
    ((ordered("2024-01-10"), settled()), False),
    ((ordered("2024-01-10"), returned()), True),                  # rejected before it was credited
    ((ordered("2024-01-10"), settled(), returned(settled=True)), False),
    ((ordered("2024-01-10"), ordered("2024-02-10", "F-2"), returned()), False),
    ((msgspec.structs.replace(SIGNED, last_collected_on=day("2024-01-05")),), False),
]
# fmt: on


@pytest.mark.parametrize(("events", "first"), FIRSTS)
def test_the_next_debit_is_the_first_until_one_has_gone_through(events, first):
    assert after(*events).first is first


ELSEWHERE = MandateAmended(amended_on=day("2024-03-01"), iban=IBANS[1], bic="BBBBFRPP")
ASSIGNED = MandateAmended(
    amended_on=day("2024-06-01"), creditor="T", creditor_identifier="FR21ZZZ990002"
)
BEFORE = Told(IBANS[0], "AAAAFRPP", "S", "FR13222449274")

# fmt: off
AMENDED = [
    # events, the day of the next debit, what its bank is told was before
    ((ELSEWHERE,), "2024-04-02", None),                           # its bank never knew another
    ((ordered("2024-01-10"), ELSEWHERE), "2024-04-02", BEFORE),
    ((ordered("2024-01-10"), ELSEWHERE, ordered("2024-04-02", "F-2")), "2024-05-02", None),  # once
    ((ordered("2024-01-10"), ELSEWHERE, ordered("2024-04-02", "F-2"), returned(end_to_end="F-2")),
     "2024-05-02", BEFORE),                                       # it did not take it in
    ((ordered("2024-01-10"), ELSEWHERE, ordered("2024-04-02", "F-2"), settled("F-2"),
      returned(end_to_end="F-2", settled=True)), "2024-05-02", None),
    ((ordered("2024-01-10"), returned(), ELSEWHERE), "2024-04-02", None),
    ((ordered("2024-01-10"), ELSEWHERE,
      MandateAmended(amended_on=day("2024-03-09"), iban=IBANS[0], bic="AAAAFRPP")), "2024-04-02",
     None),                                                       # back where it was
    ((ordered("2024-01-10"), MandateAmended(amended_on=day("2024-03-01"), bic="BBBBFRPP")),
     "2024-04-02", None),                                         # a BIC is no amendment
    ((ordered("2024-01-10"), ASSIGNED), "2024-05-31", None),      # not yet
    ((ordered("2024-01-10"), ASSIGNED), "2024-06-03", BEFORE),
]
# fmt: on


@pytest.mark.parametrize(("events", "on", "before"), AMENDED)
def test_a_bank_is_told_of_an_amendment_once_with_the_first_debit_after_it(events, on, before):
    found = after(*events).amended_from(day(on))
    assert found == before
    if before is not None:
        assert found.bic == before.bic


def test_an_assignment_counts_from_its_day():
    mandate = after(ASSIGNED)
    assert mandate.creditor_on(day("2024-05-31")) == ("S", "FR13222449274")
    assert mandate.creditor_on(day("2024-06-01")) == ("T", "FR21ZZZ990002")


def test_a_new_account_has_its_own_bank_or_none_known():
    moved = after(MandateAmended(amended_on=day("2024-03-01"), iban=IBANS[1]))
    assert (moved.iban, moved.bic) == (IBANS[1], "")


def test_what_was_announced_is_forgotten_once_ordered_or_past():
    def debit(on, invoice=""):
        return AnnouncedDebit(
            contract="K", amount=D("120.00"), collected_on=day(on), invoice=invoice
        )

    year = CollectionsAnnounced(
        announced_on=day("2024-01-02"),
        debits=(debit("2024-02-01"), debit("2024-03-01"), debit("2024-04-02")),
        how="schedule",
    )
    mandate = after(year, ordered("2024-03-01"))
    assert [one.collected_on for one in mandate.announced] == [day("2024-02-01"), day("2024-04-02")]
    again = CollectionsAnnounced(
        announced_on=day("2024-03-10"), debits=(debit("2024-05-02", "F-2"),)
    )
    later = CollectionsAnnounced(
        announced_on=day("2024-03-11"), debits=(debit("2024-05-06", "F-2"),)
    )
    mandate = after(year, ordered("2024-03-01"), again, later)
    told = [(one.collected_on, one.invoice) for one in mandate.announced]
    assert told == [(day("2024-04-02"), ""), (day("2024-05-06"), "F-2")]


def test_a_mandate_kept_by_the_version_before_is_still_read():
    # Eleven fields, as they were stored before collections were known.
    before = ["RUM-1", 1, "S", "FR13222449274", "C", IBANS[0], "AAAAFRPP", "CORE", True]
    kept = msgspec.msgpack.encode([*before, "2023-03-15", None])
    assert KINDS["mandate"].decode(kept) == after()
    assert KINDS["mandate"].decode(msgspec.msgpack.encode(after(ordered("2024-01-10")))) == after(
        ordered("2024-01-10")
    )


# fmt: off
NAMES = [
    ("AT-2024-112", 1, "RUM-AT-2024-112"),
    ("AT-2024-112", 2, "RUM-AT-2024-112-2"),
    ("K" * 31, 1, "RUM-" + "K" * 31),                             # 35 characters
]
# fmt: on


@pytest.mark.parametrize(("contract", "rank", "name"), NAMES)
def test_a_mandate_has_its_contracts_reference_when_none_is_given(contract, rank, name):
    assert reference(contract, rank) == name


@pytest.mark.parametrize("contract", ["Électricité n° 12/2024", "k" * 31, "K" * 60, "é", "A_B"])
def test_a_reference_made_from_any_number_is_one_banks_take_and_stays_its_own(contract):
    made = reference(contract)
    assert reference_fault(made) == ""
    assert made != reference(contract + "!")
    assert made == reference(contract)


# fmt: off
WRONG = [
    ("", "letters without accents"), ("R" * 36, "36 characters, at most 35"), ("RÉF", "accents"),
    ("/R", "slash"), ("R/", "slash"), ("R//1", "two slashes"), ("R ", "space"), ("R_1", "digits"),
]
# fmt: on


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_reference_banks_do_not_take_is_told(text, told):
    assert told in reference_fault(text)
    assert reference_fault("RUM++2024/1 (A)") == ""


# fmt: off
REFUSED = [
    ({"on": "2022-01-01", "iban": IBANS[1]}, "signed on 2023-03-15"),
    ({"on": "2024-01-01"}, "say the new IBAN"),
    ({"on": "2024-01-01", "iban": IBANS[0]}, "already"),
    ({"on": "2027-01-01", "iban": IBANS[1]}, "lapsed on 2026-03-16"),
    ({"on": "2024-01-01", "last_collected_on": "2023-01-01"}, "expected from 2023-03-15"),
    ({"on": "2024-01-01", "last_collected_on": "2024-01-02"}, "to 2024-01-01"),
]
# fmt: on


@pytest.mark.parametrize(("said", "told"), REFUSED)
def test_what_changes_nothing_or_comes_too_late_is_refused(said, told):
    said = {name: day(one) if one[:2] == "20" else one for name, one in said.items()}
    with pytest.raises(Refused, match=told):
        amend(after(), **said)


def test_a_debit_made_elsewhere_brings_a_mandate_back_that_only_seemed_lapsed():
    on = day("2026-06-01")
    told = amend(after(), on, last_collected_on=day("2026-05-04"))
    mandate = after(told)
    assert usable(mandate, on) == ""
    assert not mandate.first
