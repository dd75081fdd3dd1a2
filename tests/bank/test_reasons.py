"""Every reason a payment came back for is told in words, and what to do next."""

from __future__ import annotations

from datetime import date

import pytest

from billing.bank import reasons

ASKED = [
    "AC01", "AC04", "AC06", "AC13", "AG01", "AG02", "AM04", "AM05", "BE05",
    "CNOR", "DNOR", "FF01", "MD01", "MD02", "MD06", "MD07", "MS02", "MS03",
    "RC01", "RR01", "RR02", "RR03", "RR04", "SL01", "TM01", "FOCR", "CUST",
    "ED05", "AM09", "DUPL", "TECH", "FRAD", "UPAY", "NOAS", "NOOR",
]  # fmt: skip


@pytest.mark.parametrize("code", ASKED)
def test_every_sepa_code_has_a_sentence_and_a_next_step(code):
    reason = reasons.of(code)
    assert reason.code == code
    assert reason.french
    assert reason.english
    assert reason.kinds
    assert reason.what_next
    assert reasons.sentence(code) == f"{code} : {reason.french}"


def test_the_banks_own_words_are_kept():
    assert reasons.sentence("AC04", "clos le 12/06") == "AC04 : compte clôturé (clos le 12/06)"


def test_a_code_nobody_listed_is_told_as_it_is_and_left_to_a_person():
    assert reasons.sentence("ZZ99") == "ZZ99 : motif ZZ99, non répertorié"
    assert reasons.sentence("") == "motif non communiqué"
    assert not reasons.again("ZZ99")
    assert not reasons.stops("ZZ99")


@pytest.mark.parametrize("code", ["AM04", "MS03", "ED05", "TM01", "FF10"])
def test_what_may_work_tomorrow_may_be_presented_again(code):
    assert reasons.again(code)
    assert code in reasons.AGAIN
    assert code not in reasons.STOPS


@pytest.mark.parametrize("code", ["AC01", "AC04", "AC06", "AC13", "AG01", "MD01", "MD07", "FRAD"])
def test_an_account_or_a_mandate_that_is_no_good_is_collected_no_more(code):
    assert code in reasons.stops(code)
    assert code in reasons.STOPS
    assert not reasons.again(code)


FEBRUARY_2 = date(2026, 2, 2)  # A Monday; five TARGET days later is 9 February, three is the 5th.
KINDS = [
    # code, did money move, scheme, the day it came back, creditor's own: what it is
    ("AC01", False, "CORE", date(2026, 2, 1), False, "reject"),
    ("MS02", False, "CORE", date(2026, 2, 1), False, "refusal"),
    ("UPAY", False, "CORE", date(2026, 2, 1), False, "refusal"),
    ("AM04", True, "CORE", date(2026, 2, 4), False, "return"),
    ("MS02", True, "CORE", date(2026, 2, 4), False, "return"),
    ("MD06", True, "CORE", date(2026, 3, 30), False, "refund"),
    ("MD01", True, "CORE", date(2026, 2, 9), False, "return"),
    ("MD01", True, "CORE", date(2026, 2, 10), False, "refund"),
    ("MD01", True, "B2B", date(2026, 2, 5), False, "return"),
    ("MD01", True, "B2B", date(2026, 2, 6), False, "refund"),
    ("MD07", True, "CORE", date(2026, 2, 20), False, "return"),
    ("AM05", True, "CORE", date(2026, 2, 4), True, "reversal"),
    ("AM05", False, "CORE", date(2026, 2, 1), True, "reject"),
]


@pytest.mark.parametrize(("code", "moved", "scheme", "on", "own", "kind"), KINDS)
def test_an_r_transaction_is_told_by_its_code_and_its_day(code, moved, scheme, on, own, kind):
    assert reasons.kind_of(code, moved, scheme, FEBRUARY_2, on, own) == kind


UNUSUAL = [
    # 8 weeks after 2 February 2026 is 30 March; 13 months, 2 March 2027.
    ("MD06", "refund", "CORE", date(2026, 3, 30), ""),
    ("MD06", "refund", "CORE", date(2026, 3, 31), "more than 8 weeks"),
    ("MD01", "refund", "CORE", date(2026, 3, 31), ""),
    ("MD01", "refund", "CORE", date(2027, 3, 2), ""),
    ("MD01", "refund", "CORE", date(2027, 3, 3), "more than 13 months"),
    ("MD06", "refund", "B2B", date(2026, 2, 3), "a B2B collection is not refunded"),
    ("MD01", "refund", "B2B", date(2026, 2, 10), ""),
    ("AM04", "return", "B2B", date(2026, 2, 10), ""),
]


@pytest.mark.parametrize(("code", "kind", "scheme", "on", "said"), UNUSUAL)
def test_a_refund_the_scheme_does_not_grant_is_warned_of(code, kind, scheme, on, said):
    told = reasons.warning(code, kind, scheme, FEBRUARY_2, on)
    assert said in told
    assert bool(said) == bool(told)
