"""Which documents are debited on which day, as what, and why the others are not: pure tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.clauses.payment import Payment, collected_on
from billing.collection import Agreed, Rules, plan, total
from billing.dates import DAY, is_target_day
from billing.documents.profile import PARIS, Profile
from billing.mandate import Announced, CameBack, Mandate, Told
from billing.receivable import Movement, Receivable
from tests.collections.house import IBANS, day

FIRST_OF_MONTH = Payment(means="direct_debit", debit_day=1)
ON_DUE_DAY = Payment(means="direct_debit")
MANDATE = Mandate(
    "RUM", 1, "S", "FR13222449274", "C", IBANS[0], "", "CORE", True, date(2025, 12, 1)
)
USED = replace(
    MANDATE,
    presented=1,
    collected_on=date(2026, 1, 2),
    known=Told(IBANS[0], "", "S", "FR13222449274"),
)


def owed(number="F-1", on="2026-02-02", gross="120.00", **more):
    """An invoice of 1 January, told to be debited on that day."""
    of = {
        "number": number,
        "version": 1,
        "supplier": "S",
        "client": "C",
        "contract": "K",
        "kind": "invoice",
        "issued_on": date(2026, 1, 1),
        "due_on": min(day(on), date(2026, 1, 31)),
        "gross": D(gross),
        "means": "direct_debit",
        "mandate": "RUM",
        "collected_on": day(on),
    }
    return Receivable(**of | more)


def rules(on="2026-01-20", hour=9, until="2026-12-31", profile=None, **more):
    """What the bank asks for of a file handed over on that day, at that hour."""
    profile = profile or Profile()
    at = datetime(*day(on).timetuple()[:3], hour, tzinfo=PARIS).astimezone(UTC)
    earliest = {scheme: profile.earliest(at, scheme) for scheme in ("CORE", "B2B")}
    asked = {"again": frozenset({"AM04"}), "stops": {"AC04": "the account is closed"}} | more
    return Rules(day(on), day(until), earliest, **asked)


def planned(*documents, mandate=MANDATE, payment=FIRST_OF_MONTH, under="RUM", told=None, **more):
    """The plan of these documents, of one contract."""
    keys = ("categories", "fault", "ending", "mandates")
    given_ = {name: more.pop(name) for name in keys if name in more}
    mandates = given_.pop("mandates", {"RUM": mandate})
    return plan(
        documents,
        mandates,
        {"K": Agreed(payment, under)},
        given_.pop("categories", {}),
        told or rules(**more),
        **given_,
    )


# The day

# fmt: off
LEADS = [
    # the file: day, hour in Paris; the debit announced; whether the bank still takes it
    ("2026-01-30", 9, "2026-02-02", True),     # Friday morning for Monday
    ("2026-01-30", 12, "2026-02-02", False),   # Friday at noon is Monday, which collects on Tuesday
    ("2026-01-31", 9, "2026-02-02", False),    # a Saturday is Monday
    ("2026-01-31", 9, "2026-02-03", True),
    ("2026-02-02", 9, "2026-02-02", False),    # the day itself
    ("2026-04-02", 9, "2026-04-07", True),     # Good Friday 3 April, Easter Monday 6 April 2026
    ("2026-04-02", 13, "2026-04-07", False),
    ("2026-04-03", 9, "2026-04-07", False),    # Good Friday is Tuesday 7, which collects on 8
    ("2026-04-03", 9, "2026-04-08", True),
    ("2026-04-30", 9, "2026-05-04", True),     # 1 May is a Friday: Monday 4
    ("2026-04-30", 15, "2026-05-04", False),   # the hour is that of Paris, in summer too
    ("2026-12-24", 9, "2026-12-28", True),     # 25 and 26 December, then a Sunday
    ("2026-12-24", 14, "2026-12-28", False),
    ("2026-12-31", 9, "2027-01-04", True),     # 1 January is a Friday
]
# fmt: on


@pytest.mark.parametrize(("on", "hour", "announced", "taken"), LEADS)
def test_a_debit_is_handed_over_a_target_day_before_or_not_at_all(on, hour, announced, taken):
    found = planned(owed(on=announced), on=on, hour=hour, until="2027-12-31")
    if taken:
        (debit,) = found.debits
        assert (debit.collected_on, debit.announced_on) == (day(announced), date(2026, 1, 1))
    else:
        (left,) = found.left
        assert f"announced for {announced}, and the bank collects from" in left.why
        assert found.debits == ()


def test_the_bank_says_how_many_days_it_needs():
    profile = Profile(lead_days_core=3, lead_days_b2b=1)
    core = owed(on="2026-02-02")
    b2b = replace(MANDATE, scheme="B2B")
    # Thursday 29 January + 3 TARGET days: Friday 30, Monday 2, Tuesday 3.
    assert planned(core, on="2026-01-29", profile=profile).debits == ()
    assert len(planned(core, on="2026-01-28", profile=profile).debits) == 1
    assert len(planned(core, mandate=b2b, on="2026-01-30", profile=profile).debits) == 1


# fmt: off
WINDOWS = [
    # the day the file is made, up to which day, debits and debits later
    ("2026-01-18", "2026-12-31", 0, 1),        # 15 days before: banks take a file 14 days ahead
    ("2026-01-19", "2026-12-31", 1, 0),
    ("2026-01-20", "2026-02-01", 0, 1),
    ("2026-01-20", "2026-02-02", 1, 0),
]
# fmt: on


@pytest.mark.parametrize(("on", "until", "debits", "later"), WINDOWS)
def test_a_debit_is_handed_over_two_weeks_ahead_at_most(on, until, debits, later):
    found = planned(owed(), on=on, until=until)
    assert (len(found.debits), found.later, found.left) == (debits, later, ())


# fmt: off
NEXT_DAYS = [
    # it missed its day; made on; the clause; the next day that can be announced
    ("2026-02-02", FIRST_OF_MONTH, "2026-03-02"),               # told 14 days before 16 February,
                                                                # the next 1st, a Sunday
    ("2026-02-15", FIRST_OF_MONTH, "2026-03-02"),               # 1 March is 14 days on
    ("2026-02-16", FIRST_OF_MONTH, "2026-04-01"),               # 13 days
    ("2026-02-16", replace(FIRST_OF_MONTH, prenotification_days=20), "2026-04-01"),
    ("2026-02-02", ON_DUE_DAY, "2026-02-16"),                   # 14 days, and a Monday
    ("2026-02-07", ON_DUE_DAY, "2026-02-23"),                   # 21 February is a Saturday
    ("2026-02-07", replace(ON_DUE_DAY, prenotification_days=2), "2026-02-10"),  # as banks go
    ("2026-03-20", ON_DUE_DAY, "2026-04-07"),                   # 3 April is Good Friday
    ("2026-04-17", replace(ON_DUE_DAY, prenotification_days=14), "2026-05-04"),  # 1 May
    ("2026-12-11", ON_DUE_DAY, "2026-12-28"),                   # 25 December
    ("2026-02-18", replace(FIRST_OF_MONTH, debit_day=31), "2026-03-31"),
    ("2026-02-10", replace(FIRST_OF_MONTH, debit_day=31), "2026-03-02"),  # 28 February, a Saturday
]
# fmt: on


@pytest.mark.parametrize(("on", "payment", "expected"), NEXT_DAYS)
def test_a_debit_that_missed_its_day_waits_for_the_next_agreed_one_to_be_told(
    on, payment, expected
):
    (left,) = planned(owed(on="2026-01-15"), payment=payment, on=on).left
    assert left.to_announce_for == day(expected)
    assert left.amount == D("120.00")


def announced(on, told_on, amount="120.00", invoice="F-1", contract="K"):
    return Announced(day(told_on), contract, invoice, D(amount), day(on))


# fmt: off
TOLD = [
    # announced for, on, at most; prenotification of the contract; the day it is debited on, or not
    (("2026-03-02", "2026-02-16"), 14, "2026-03-02"),
    (("2026-03-02", "2026-02-17"), 14, None),                   # 13 days before: too late
    (("2026-03-02", "2026-02-17"), 13, "2026-03-02"),           # as agreed
    (("2026-03-01", "2026-02-10"), 14, None),                   # a Sunday
    (("2026-03-02", "2026-02-16", "119.99"), 14, None),         # more than was told
    (("2026-03-02", "2026-02-16", "150.00"), 14, "2026-03-02"), # less than was told
    (("2026-03-02", "2026-02-16", "120.00", "F-2"), 14, None),  # of another invoice
]
# fmt: on


@pytest.mark.parametrize(("told", "notice", "debited_on"), TOLD)
def test_a_debit_is_made_on_a_day_told_early_enough_for_no_more_than_was_told(
    told, notice, debited_on
):
    found = planned(
        owed(on="2026-01-15"),
        mandate=replace(MANDATE, announced=(announced(*told),)),
        payment=replace(FIRST_OF_MONTH, prenotification_days=notice),
        on="2026-02-20",
    )
    if debited_on is None:
        assert (found.debits, len(found.left)) == ((), 1)
    else:
        (debit,) = found.debits
        assert (debit.collected_on, debit.announced_on) == (day(debited_on), day(told[1]))


def test_a_schedule_brings_the_debit_of_its_amount_to_the_first_agreed_day_once():
    lines = tuple(
        announced(on, "2025-12-15", invoice="") for on in ("2026-02-02", "2026-03-02", "2026-04-01")
    )
    mandate = replace(MANDATE, announced=lines)
    # Issued on 1 February, its own notice would bring it to 2 March; the schedule to 2 February.
    own = {"issued_on": date(2026, 2, 1), "due_on": date(2026, 2, 1)}
    fee = owed("F-1", "2026-03-02", **own)
    twin = owed("F-2", "2026-03-02", **own)
    other = owed("F-3", "2026-03-02", gross="130.00", **own)
    found = planned(fee, twin, other, mandate=mandate, on="2026-01-28")
    (debit,) = found.debits
    assert (debit.end_to_end, debit.collected_on) == ("F-1", day("2026-02-02"))
    assert debit.announced_on == day("2025-12-15")
    assert found.later == 2  # Each line announces one debit, and of its amount only.


# The amount

# fmt: off
AMOUNTS = [
    # movements, withheld, released; the debit
    ((), "0.00", False, "120.00"),
    ((("payment", "50.00"),), "0.00", False, "70.00"),
    ((("credit", "120.00"),), "0.00", False, None),
    ((("payment", "130.00"),), "0.00", False, None),
    ((("payment", "50.00"), ("reversal", "-50.00")), "0.00", False, "120.00"),
    ((("write_off", "119.99"),), "0.00", False, "0.01"),
    ((), "6.00", False, "114.00"),
    ((), "6.00", True, "120.00"),
]
# fmt: on


@pytest.mark.parametrize(("movements", "withheld", "released", "amount"), AMOUNTS)
def test_what_is_debited_is_what_is_still_due(movements, withheld, released, amount):
    document = owed(
        movements=tuple(Movement(date(2026, 1, 5), D(a), kind) for kind, a in movements),
        withheld=D(withheld),
        released_on=date(2026, 1, 10) if released else None,
    )
    found = planned(document)
    assert total(found.debits) == (D(amount) if amount else 0)
    assert bool(found.debits) == (amount is not None)


# What is left out

CAME_BACK = {"attempts": 1, "returns": 1}


def back(code="AM04", kind="reject", invoice="F-1", on="2026-02-04"):
    return replace(USED, came_back=(CameBack("S", invoice, kind, code, day(on)),))


# fmt: off
LEFT = [
    # the document, what else; the sentence
    ({"collecting": "F-1", "collecting_on": date(2026, 2, 2)}, {},
     "the debit F-1 of 2026-02-02 is on its way"),
    ({"withheld": D("120.00")}, {}, "120.00 € owed are withheld"),
    ({"disputed_on": date(2026, 1, 9)}, {}, "disputed since 2026-01-09"),
    ({}, {"mandates": {}}, "no mandate RUM is known"),
    ({"mandate": ""}, {"mandates": {}, "under": ""}, "K has no mandate any more"),
    ({}, {"mandate": replace(MANDATE, revoked_on=date(2026, 1, 10))}, "was revoked on 2026-01-10"),
    ({}, {"mandate": replace(MANDATE, signed_on=date(2023, 1, 31))}, "lapsed on 2026-02-01"),
    ({}, {"mandate": replace(MANDATE, recurrent=False, presented=1, collected_on=date(2026, 1, 2))},
     "was for one debit, made on 2026-01-02"),
    ({}, {"mandate": replace(MANDATE, scheme="B2B"), "categories": {"C": "consumer"}},
     "C is a consumer"),
    ({}, {"mandate": replace(MANDATE, creditor="T")}, "is for T, the invoice is of S"),
    ({}, {"mandate": replace(MANDATE, debtor="D")}, "is of D, the invoice for C"),
    ({}, {"mandate": replace(MANDATE, creditor_identifier="")}, "no creditor identifier"),
    ({}, {"mandate": replace(MANDATE, stopped=(("AC04", date(2026, 1, 5)),))},
     "stopped since 2026-01-05: the account is closed (AC04)"),
    ({}, {"fault": lambda debit: "its account is wrong"}, "its account is wrong"),
    (CAME_BACK, {"mandate": back("MD07")}, "came back on 2026-02-04 (reject, MD07)"),
    (CAME_BACK, {"mandate": back("AM04", "refund")}, "not to ask again"),
    ({"attempts": 2, "returns": 2}, {"mandate": back()}, "2 times in all"),
]
# fmt: on


@pytest.mark.parametrize(("document", "more", "told"), LEFT)
def test_what_is_not_debited_is_left_out_with_a_sentence(document, more, told):
    found = planned(owed(**document), **more)
    assert found.debits == ()
    (left,) = found.left
    assert told in left.why
    assert left.to_announce_for is None


@pytest.mark.parametrize("document", [{"means": "transfer"}, {"gross": D(0)}, {"gross": D(-5)}])
def test_what_is_paid_otherwise_or_owed_nothing_is_no_business_of_the_bank(document):
    assert planned(owed(**document)) == ((), (), 0)


def test_the_contracts_mandate_of_today_takes_the_place_of_the_invoices():
    newer = replace(MANDATE, reference="RUM-2")
    revoked = replace(MANDATE, revoked_on=date(2026, 1, 10))
    both = {"RUM": revoked, "RUM-2": newer}
    (debit,) = planned(owed(), mandates=both, under="RUM-2").debits
    assert debit.mandate.reference == "RUM-2"


# Presented again

# fmt: off
AGAIN = [
    # it came back on, made on, days to wait, the clause; the next day that can be announced
    ("2026-02-04", "2026-02-05", 8, FIRST_OF_MONTH, "2026-03-02"),
    ("2026-02-04", "2026-02-05", 30, FIRST_OF_MONTH, "2026-04-01"),  # not before 6 March
    ("2026-02-04", "2026-02-05", 8, ON_DUE_DAY, "2026-02-19"),       # 14 days to tell
    ("2026-02-04", "2026-02-05", 8, replace(ON_DUE_DAY, prenotification_days=1), "2026-02-12"),
]
# fmt: on


@pytest.mark.parametrize(("on", "made_on", "days", "payment", "expected"), AGAIN)
def test_a_debit_that_came_back_for_want_of_money_may_be_presented_again_once_told(
    on, made_on, days, payment, expected
):
    document = owed(**CAME_BACK)
    found = planned(document, mandate=back(on=on), payment=payment, on=made_on, retry_days=days)
    (left,) = found.left
    assert left.to_announce_for == day(expected)
    told = replace(back(on=on), announced=(announced(expected, made_on),))
    near = max(day(made_on), day(expected) - 10 * DAY)
    found = planned(document, mandate=told, payment=payment, on=f"{near}", retry_days=days)
    (debit,) = found.debits
    assert (debit.end_to_end, debit.collected_on, debit.sequence) == (
        "F-1/2",
        day(expected),
        "RCUR",
    )


def test_how_often_is_the_houses_to_say():
    twice = owed(attempts=2, returns=2)
    assert (
        planned(twice, mandate=back(), on="2026-02-05", retries=1).left[0].to_announce_for is None
    )
    found = planned(twice, mandate=back(), on="2026-02-05", retries=2)
    assert found.left[0].to_announce_for == day("2026-03-02")


def test_a_closed_account_is_debited_again_once_another_is_told():
    closed = replace(back("AC04"), stopped=(("AC04", date(2026, 2, 4)),))
    assert (
        planned(owed(**CAME_BACK), mandate=closed, on="2026-02-05").left[0].to_announce_for is None
    )
    moved = replace(closed, iban=IBANS[1], stopped=())
    left = planned(owed(**CAME_BACK), mandate=moved, on="2026-02-05").left[0]
    assert left.to_announce_for == day("2026-03-02")


# The sequence


def sequences(found):
    return [(debit.receivable.number, debit.sequence) for debit in found.debits]


# fmt: off
SEQUENCES = [
    (MANDATE, False, ["FRST", "RCUR", "RCUR"]),
    (USED, False, ["RCUR", "RCUR", "RCUR"]),
    (replace(USED, unsettled=1, returned=1), False, ["FRST", "RCUR", "RCUR"]),
    (MANDATE, True, ["FRST", "RCUR", "FNAL"]),
    (USED, True, ["RCUR", "RCUR", "FNAL"]),
]
# fmt: on


@pytest.mark.parametrize(("mandate", "ending", "expected"), SEQUENCES)
def test_debits_follow_one_another_by_day_then_number(mandate, ending, expected):
    documents = (owed("F-3", "2026-02-03"), owed("F-2"), owed("F-1"))
    found = planned(*documents, mandate=mandate, ending=frozenset({"RUM"} if ending else ()))
    assert sequences(found) == list(zip(("F-1", "F-2", "F-3"), expected, strict=True))


def test_the_only_debit_of_a_mandate_that_ends_is_its_first():
    assert sequences(planned(owed(), ending=frozenset({"RUM"}))) == [("F-1", "FRST")]


# fmt: off
NOT_LAST = [
    owed("F-2", "2026-02-20"),                                     # later
    owed("F-2", disputed_on=date(2026, 1, 9)),                     # left out
    owed("F-2", withheld=D("6.00")),                               # 6 € are still to come
]
# fmt: on


@pytest.mark.parametrize("other", NOT_LAST)
def test_no_debit_is_the_last_while_anything_is_still_to_come(other):
    found = planned(owed(), other, mandate=USED, ending=frozenset({"RUM"}))
    assert {sequence for _, sequence in sequences(found)} == {"RCUR"}


def test_a_mandate_for_one_debit_has_one():
    once = replace(MANDATE, recurrent=False)
    found = planned(owed("F-2"), owed("F-1"), mandate=once)
    assert sequences(found) == [("F-1", "OOFF")]
    (left,) = found.left
    assert (left.receivable.number, left.why) == ("F-2", "mandate RUM is for one debit, of F-1")


def test_an_amendment_is_told_with_the_first_debit_only():
    moved = replace(USED, iban=IBANS[1])
    found = planned(owed("F-1"), owed("F-2"), mandate=moved)
    assert [debit.original for debit in found.debits] == [USED.known, None]


def test_an_assignment_to_come_is_told_with_the_first_debit_from_its_day_on():
    assigned = replace(
        USED,
        creditor="T",
        creditor_identifier="X",
        assigned=((day("2026-02-03"), "S", "FR13222449274"),),
    )
    old, new = owed("F-1"), owed("F-2", "2026-02-03", supplier="T")
    found = planned(old, new, mandate=assigned)
    assert [(d.receivable.supplier, d.original) for d in found.debits] == [
        ("S", None),
        ("T", USED.known),
    ]
    # What the company before invoiced is not collected by the one after.
    late = planned(owed("F-3", "2026-02-03"), mandate=assigned)
    assert "is for T, the invoice is of S" in late.left[0].why


# Always


@given(
    st.lists(
        st.tuples(
            st.dates(date(2026, 1, 2), date(2026, 3, 31)),
            st.decimals(D("0.01"), D("999.99"), places=2),
            st.decimals(D("-10.00"), D("999.99"), places=2),
            st.integers(0, 2),
        ),
        max_size=8,
    ),
    st.dates(date(2026, 1, 2), date(2026, 3, 31)),
    st.sampled_from([1, 5, 14]),
)
def test_whatever_is_owed_each_debit_is_on_a_target_day_told_in_time_and_no_more_than_owed(
    documents, on, notice
):
    payment = Payment(means="direct_debit", debit_day=5, prenotification_days=notice)
    some = []
    for rank, (due, gross, paid, returns) in enumerate(documents):
        debit_on = collected_on(payment, due, date(2026, 1, 1))
        some.append(
            owed(
                f"F-{rank}",
                f"{debit_on}",
                f"{gross}",
                due_on=due,
                movements=(Movement(date(2026, 1, 1), paid, "payment"),),
                attempts=returns,
                returns=returns,
            )
        )
    told = rules(on=f"{on}")
    found = planned(*some, payment=payment, told=told)
    for debit in found.debits:
        assert is_target_day(debit.collected_on)
        assert told.earliest["CORE"] <= debit.collected_on <= on + 14 * DAY
        assert debit.announced_on + notice * DAY <= debit.collected_on
        assert 0 < debit.amount <= min(debit.receivable.owed, debit.receivable.gross)
    for left in found.left:
        assert left.why
        if left.to_announce_for is not None:
            assert is_target_day(left.to_announce_for)
            assert left.to_announce_for >= on + notice * DAY
            assert left.to_announce_for >= told.earliest["CORE"]
    asked = [r for r in some if r.owed > 0]
    assert len(found.debits) + len(found.left) + found.later == len(asked)
    ends = [debit.end_to_end for debit in found.debits]
    assert len(set(ends)) == len(ends)
