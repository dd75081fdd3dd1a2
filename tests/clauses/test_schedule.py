"""Schedule: billing periods tile the time, from the start or by the calendar."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.proration import share
from billing.clauses.schedule import BillingPeriod, Schedule, billed_on, billing_period
from billing.dates import Period, add_months

day = date.fromisoformat


def period(start, end):
    return Period(day(start), day(end))


A_YEAR = period("2026-02-17", "2027-02-17")


@pytest.mark.parametrize(
    ("every", "anchor", "starts_on", "when", "expected", "index"),
    [
        (1, "start", "2026-02-17", "2026-02-17", ("2026-02-17", "2026-03-17"), 0),
        (1, "start", "2026-02-17", "2026-03-16", ("2026-02-17", "2026-03-17"), 0),
        (1, "start", "2026-02-17", "2026-03-17", ("2026-03-17", "2026-04-17"), 1),
        (3, "start", "2026-02-17", "2026-12-31", ("2026-11-17", "2027-02-17"), 3),
        (6, "start", "2026-02-17", "2026-12-31", ("2026-08-17", "2027-02-17"), 1),
        (12, "start", "2026-02-17", "2027-02-17", ("2027-02-17", "2028-02-17"), 1),
        # 31 January: clipped in February, never moved for good
        (1, "start", "2026-01-31", "2026-02-27", ("2026-01-31", "2026-02-28"), 0),
        (1, "start", "2026-01-31", "2026-02-28", ("2026-02-28", "2026-03-31"), 1),
        (1, "start", "2026-01-31", "2026-03-31", ("2026-03-31", "2026-04-30"), 2),
        # 29 February
        (12, "start", "2024-02-29", "2025-02-27", ("2024-02-29", "2025-02-28"), 0),
        (12, "start", "2024-02-29", "2028-02-28", ("2027-02-28", "2028-02-29"), 3),
        (12, "start", "2024-02-29", "2028-02-29", ("2028-02-29", "2029-02-28"), 4),
        # by the calendar: whole quarters, which the term cuts
        (3, "calendar", "2026-02-17", "2026-02-17", ("2026-01-01", "2026-04-01"), 0),
        (3, "calendar", "2026-02-17", "2027-02-16", ("2027-01-01", "2027-04-01"), 4),
        (1, "calendar", "2026-02-17", "2026-02-28", ("2026-02-01", "2026-03-01"), 1),
        (6, "calendar", "2026-08-01", "2026-08-01", ("2026-07-01", "2027-01-01"), 1),
        (12, "calendar", "2026-12-31", "2026-12-31", ("2026-01-01", "2027-01-01"), 0),
    ],
)
def test_a_day_is_in_one_billing_period(every, anchor, starts_on, when, expected, index):
    schedule = Schedule(every_months=every, anchor=anchor)
    term = Period(day(starts_on), add_months(day(starts_on), 12))
    found = billing_period(schedule, day(starts_on), term, day(when))
    assert found == BillingPeriod(period(*expected), every, index)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2026-02-17", "2027-02-17", 12),
        ("2024-03-15", "2029-03-15", 60),
        ("2024-02-29", "2025-02-28", 12),
        ("2026-01-31", "2026-02-28", 1),
        ("2026-01-01", "2026-01-16", 1),  # half a month, at the price of one
    ],
)
def test_a_whole_term_is_billed_at_once(start, end, months):
    term = period(start, end)
    found = billing_period(Schedule(every_months=None), term.start, term, term.last_day)
    assert found == BillingPeriod(term, months, 0)


@pytest.mark.parametrize("anchor", ["start", "calendar"])
@pytest.mark.parametrize("every", [1, 2, 3, 4, 6, 12, 24])
@given(starts_on=st.dates(date(2000, 1, 1), date(2060, 12, 31)), later=st.integers(0, 40))
def test_billing_periods_tile_the_time_without_gap_or_overlap(anchor, every, starts_on, later):
    schedule = Schedule(every_months=every, anchor=anchor)
    term = Period(starts_on, add_months(starts_on, 12))
    on = add_months(starts_on, later)
    found = billing_period(schedule, starts_on, term, on)
    assert on in found.period
    for inside in (found.period.start, found.period.last_day):
        assert billing_period(schedule, starts_on, term, inside) == found
    after = billing_period(schedule, starts_on, term, found.period.end)
    assert after.period.start == found.period.end
    assert after.place == found.place + 1


@pytest.mark.parametrize("anchor", ["start", "calendar"])
@pytest.mark.parametrize("every", [1, 3, 6, 12])
@given(starts_on=st.dates(date(2000, 1, 1), date(2060, 12, 31)), length=st.integers(1, 60))
def test_the_billing_periods_cut_to_the_term_are_the_term(anchor, every, starts_on, length):
    schedule = Schedule(every_months=every, anchor=anchor)
    term = Period(starts_on, add_months(starts_on, length))
    parts, on = [], starts_on
    while on < term.end:
        parts.append(billing_period(schedule, starts_on, term, on).period & term)
        on = parts[-1].end
    assert parts[0].start == term.start
    assert parts[-1].end == term.end
    assert sum(part.days for part in parts) == term.days


@given(starts_on=st.dates(date(2000, 1, 1), date(2060, 12, 31)), every=st.sampled_from([1, 3, 12]))
def test_periods_counted_from_the_start_need_no_stub_over_a_year(starts_on, every):
    term = Period(starts_on, add_months(starts_on, 12))
    schedule = Schedule(every_months=every)
    first = billing_period(schedule, starts_on, term, starts_on)
    last = billing_period(schedule, starts_on, term, term.last_day)
    assert first.period.start == term.start
    assert last.period.end == term.end
    assert last.place == 12 // every - 1


def test_calendar_quarters_leave_a_first_and_a_last_stub():
    schedule = Schedule(every_months=3, anchor="calendar")
    stubs = []
    for on in (A_YEAR.start, A_YEAR.last_day):
        whole = billing_period(schedule, A_YEAR.start, A_YEAR, on)
        stubs.append(share("days", A_YEAR, whole.period, whole.months))
    # 12 days of February and 31 of March, of the 90 of the first quarter of 2026
    assert (stubs[0].over, stubs[0].under) == (43, 90)
    # 31 days of January and 16 of February, of the 90 of the first quarter of 2027
    assert (stubs[1].over, stubs[1].under) == (47, 90)
    # with the three whole quarters between, the year costs four
    assert stubs[0].exact + 3 + stubs[1].exact == Fraction(4)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), "2026-02-17"),
        (Schedule(in_advance=False), "2027-02-17"),
        (Schedule(days_before=30), "2026-01-18"),  # 17 days back to 31 January, and 13 more
        (Schedule(in_advance=False, days_before=1), "2027-02-16"),
        (Schedule(every_months=None), "2026-02-17"),
    ],
)
def test_a_period_is_billed_on_its_first_day_or_on_the_day_after_its_last(schedule, expected):
    assert billed_on(schedule, A_YEAR) == day(expected)


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.integers(0, 90), st.integers(1, 400))
def test_billing_ahead_moves_the_day_and_not_the_order(start, ahead, length):
    whole = Period(start, start + timedelta(days=length))
    advance = billed_on(Schedule(days_before=ahead), whole)
    arrears = billed_on(Schedule(in_advance=False, days_before=ahead), whole)
    assert arrears - advance == timedelta(days=length)
