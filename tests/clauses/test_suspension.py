"""Suspension: so many days after a letter, some measures are allowed."""

from datetime import date

import pytest

from billing.clauses.suspension import Clock, allowed_from

day = date.fromisoformat

UNPAID_15 = Clock(name="unpaid", days=15, allows=("suspend",))
UNPAID_10 = Clock(name="unpaid", days=10, allows=("suspend", "recover"))
UNPAID_5 = Clock(name="unpaid", days=5, allows=("suspend", "terminate"))
FROM_RECEIPT = Clock(name="unpaid", days=15, allows=("suspend",), counted_on="receipt")
OVERRUN = Clock(name="overrun", days=30, allows=("block", "subscribe"), by="email")


@pytest.mark.parametrize(
    ("clock", "sent_on", "received_on", "allowed"),
    [
        (UNPAID_15, "2026-09-01", None, "2026-09-16"),  # Si Contact, from dispatch
        (UNPAID_15, "2026-09-01", "2026-09-04", "2026-09-16"),  # receipt changes nothing
        (UNPAID_10, "2026-12-28", None, "2027-01-07"),  # Alliance Telecom, sale and rental
        (UNPAID_5, "2026-02-25", None, "2026-03-02"),  # Alliance Telecom, maintenance
        (UNPAID_5, "2024-02-25", None, "2024-03-01"),  # a leap year
        (FROM_RECEIPT, "2026-09-01", "2026-09-04", "2026-09-19"),
        (FROM_RECEIPT, "2026-09-01", None, None),  # not received: nothing runs
        (OVERRUN, "2026-01-31", None, "2026-03-02"),  # Chronotech, 28 days of February and 2
        (Clock(name="x", days=0, allows=()), "2026-09-01", None, "2026-09-01"),
    ],
)
def test_measures_are_allowed_when_the_clock_has_run_out(clock, sent_on, received_on, allowed):
    received = None if received_on is None else day(received_on)
    expected = None if allowed is None else day(allowed)
    assert allowed_from(clock, day(sent_on), received) == expected


def test_a_breach_not_cured_within_30_days_allows_termination_from_day_31():
    # Pixel Tech has thirty whole days to cure: 2 to 31 October
    clock = Clock(name="breach", days=31, allows=("terminate",), notice_by="either")
    assert allowed_from(clock, day("2026-10-01"), None) == day("2026-11-01")
