"""Dates: half-open periods, anniversaries from their anchor, TARGET days."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dates import (
    DAY,
    Period,
    add_months,
    days_30_360,
    end_of_month,
    half_year_of,
    half_years_of,
    is_target_day,
    month_of,
    months_between,
    months_of,
    next_target_day,
)

day = date.fromisoformat

days = st.dates(date(1990, 1, 1), date(2090, 12, 31))


def period(start, end):
    return Period(day(start), day(end))


@st.composite
def periods(draw):
    start = draw(days)
    return Period(start, start + timedelta(days=draw(st.integers(0, 2000))))


@pytest.mark.parametrize(
    ("start", "end", "count", "last"),
    [
        ("2026-01-01", "2027-01-01", 365, "2026-12-31"),
        ("2024-01-01", "2025-01-01", 366, "2024-12-31"),
        ("2026-09-15", "2026-09-16", 1, "2026-09-15"),
        ("2026-09-15", "2026-09-15", 0, "2026-09-14"),
        ("2026-09-15", "2026-09-01", 0, "2026-08-31"),  # it ends before it starts
        ("2024-02-28", "2024-03-01", 2, "2024-02-29"),
    ],
)
def test_a_period_stops_the_day_before_its_end(start, end, count, last):
    assert period(start, end).days == count
    assert period(start, end).last_day == day(last)


def test_a_period_is_written_with_its_last_day():
    assert str(period("2026-01-01", "2027-01-01")) == "2026-01-01 to 2026-12-31"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-01-31", True), ("2026-02-01", False)],
)
def test_a_period_holds_its_first_day_and_not_its_end(inside, expected):
    assert (day(inside) in period("2026-01-01", "2026-02-01")) is expected


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (("2026-01-01", "2026-03-01"), ("2026-02-01", "2026-04-01"), ("2026-02-01", "2026-03-01")),
        (("2026-01-01", "2026-12-31"), ("2026-02-01", "2026-02-02"), ("2026-02-01", "2026-02-02")),
        # they touch, or are apart: no day in common
        (("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"), ("2026-02-01", "2026-02-01")),
        (("2026-01-01", "2026-02-01"), ("2026-05-01", "2026-06-01"), ("2026-05-01", "2026-05-01")),
    ],
)
def test_two_periods_have_their_common_days(one, other, common):
    assert period(*one) & period(*other) == period(*common)
    assert period(*other) & period(*one) == period(*common)


@given(periods(), periods(), days)
def test_a_day_is_common_to_two_periods_when_it_is_in_both(one, other, when):
    assert (when in (one & other)) == (when in one and when in other)


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        ("2026-01-31", 0, "2026-01-31"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-31", 2, "2026-03-31"),  # and not 28 March
        ("2026-01-31", 3, "2026-04-30"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2024-02-29", 1200, "2124-02-29"),
        ("2000-02-29", 1200, "2100-02-28"),  # 2100 is no leap year
        ("2026-12-31", -3, "2026-09-30"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2027-03-14", -2, "2027-01-14"),
        ("2026-11-30", 3, "2027-02-28"),
    ],
)
def test_an_anniversary_is_clipped_to_the_last_day_of_its_month(anchor, months, expected):
    assert add_months(day(anchor), months) == day(expected)


@given(days, st.integers(0, 240))
def test_an_anniversary_never_drifts_from_its_anchor(anchor, months):
    moved = add_months(anchor, months)
    assert moved.day == min(anchor.day, end_of_month(moved).day)
    assert (moved.year - anchor.year) * 12 + moved.month - anchor.month == months


@pytest.mark.parametrize(
    ("anchor", "when", "months"),
    [
        ("2026-01-31", "2026-01-31", 0),
        ("2026-01-31", "2026-02-27", 0),
        ("2026-01-31", "2026-02-28", 1),  # the clipped anniversary
        ("2026-01-31", "2026-03-30", 1),
        ("2026-01-31", "2026-03-31", 2),
        ("2024-02-29", "2025-02-27", 11),
        ("2024-02-29", "2025-02-28", 12),
        ("2026-01-15", "2026-01-14", -1),
        ("2026-01-15", "2025-12-15", -1),
        ("2026-01-15", "2025-12-14", -2),
    ],
)
def test_months_between_counts_whole_months_from_the_anchor(anchor, when, months):
    assert months_between(day(anchor), day(when)) == months


@given(days, days)
def test_a_day_is_between_two_anniversaries(anchor, when):
    months = months_between(anchor, when)
    assert add_months(anchor, months) <= when < add_months(anchor, months + 1)


@given(days)
def test_a_month_goes_from_its_first_to_its_last_day(when):
    month = month_of(when)
    assert when in month
    assert month.start.day == month.end.day == 1
    assert end_of_month(when) == month.last_day


@given(periods())
def test_the_months_of_a_period_follow_each_other_and_cover_it(whole):
    months = list(months_of(whole))
    assert sum((month & whole).days for month in months) == whole.days
    assert all(month.end == after.start for month, after in pairwise(months))
    assert all((month & whole).days for month in months)


@pytest.mark.parametrize(
    ("when", "start", "end"),
    [
        ("2026-01-01", "2026-01-01", "2026-07-01"),
        ("2026-06-30", "2026-01-01", "2026-07-01"),
        ("2026-07-01", "2026-07-01", "2027-01-01"),
        ("2026-12-31", "2026-07-01", "2027-01-01"),
    ],
)
def test_a_day_is_in_one_half_year(when, start, end):
    assert half_year_of(day(when)) == period(start, end)


@given(periods())
def test_half_years_cut_a_period_on_1_january_and_1_july_only(whole):
    parts = list(half_years_of(whole))
    assert sum(part.days for part in parts) == whole.days
    for part in parts:
        assert part.days
        assert half_year_of(part.start) == half_year_of(part.last_day)
    for cut in (part.start for part in parts[1:]):
        assert (cut.month, cut.day) in {(1, 1), (7, 1)}


def test_a_period_that_ends_before_it_starts_has_no_half_year_and_no_month():
    assert list(half_years_of(period("2026-07-02", "2026-07-01"))) == []
    assert list(months_of(period("2026-07-02", "2026-07-01"))) == []


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2026-01-01", "2026-02-01", 30),
        ("2026-02-01", "2026-03-01", 30),  # February has 30 days like the others
        ("2026-01-15", "2027-01-15", 360),
        ("2024-01-01", "2025-01-01", 360),
        ("2026-12-31", "2027-12-31", 360),
        ("2026-01-31", "2026-02-01", 1),  # 31 January counts as the 30th
        ("2026-01-30", "2026-01-31", 0),  # so this day counts for nothing
        ("2026-02-28", "2026-03-01", 3),
        ("2024-02-29", "2024-03-01", 2),
        ("2026-01-31", "2026-02-28", 28),
        # from the ISDA table, column 30E/360 (recalled, each redone by hand)
        ("2007-01-15", "2007-01-30", 15),
        ("2007-01-15", "2007-02-15", 30),
        ("2007-01-15", "2007-07-15", 180),
        ("2007-09-30", "2008-03-31", 180),
        ("2007-09-30", "2007-10-31", 30),
        ("2007-01-15", "2007-01-31", 15),
        ("2007-01-31", "2007-02-28", 28),
        ("2007-02-28", "2007-03-31", 32),
        ("2006-08-31", "2007-02-28", 178),
        ("2007-08-31", "2008-02-29", 179),
    ],
)
def test_thirty_360_counts_months_of_thirty_days(start, end, count):
    assert days_30_360(day(start), day(end)) == count


@given(days, days, days)
def test_thirty_360_days_add_up(one, two, three):
    one, two, three = sorted((one, two, three))
    assert days_30_360(one, two) + days_30_360(two, three) == days_30_360(one, three)
    assert days_30_360(one, two) >= 0


# Easter: 2024-03-31, 2025-04-20, 2026-04-05, 2027-03-28. A closing day on a weekend is not listed.
CLOSED_WEEKDAYS = {
    2024: ["01-01", "03-29", "04-01", "05-01", "12-25", "12-26"],
    2025: ["01-01", "04-18", "04-21", "05-01", "12-25", "12-26"],
    2026: ["01-01", "04-03", "04-06", "05-01", "12-25"],
    2027: ["01-01", "03-26", "03-29"],
}


@pytest.mark.parametrize("year", CLOSED_WEEKDAYS)
def test_target_closes_on_these_weekdays_and_on_no_other(year):
    weekdays = [
        when
        for when in (date(year, 1, 1) + timedelta(days=n) for n in range(366))
        if when.weekday() < 5 and when.year == year
    ]
    closed = [f"{when:%m-%d}" for when in weekdays if not is_target_day(when)]
    assert closed == CLOSED_WEEKDAYS[year]


@pytest.mark.parametrize(
    "when", ["2026-05-08", "2026-05-14", "2026-05-25", "2026-07-14", "2026-11-11", "2027-11-01"]
)
def test_target_is_open_on_the_other_french_holidays(when):
    assert is_target_day(day(when))


@pytest.mark.parametrize(
    ("asked", "opened"),
    [
        ("2026-10-01", "2026-10-01"),  # a Thursday
        ("2027-01-01", "2027-01-04"),  # New Year's Day, a Friday
        ("2027-05-01", "2027-05-03"),  # a Saturday
        ("2026-05-01", "2026-05-04"),  # Labour Day, a Friday
        ("2026-04-03", "2026-04-07"),  # Good Friday, the weekend, Easter Monday
        ("2024-03-29", "2024-04-02"),
        ("2025-12-25", "2025-12-29"),  # a Thursday, then the 26th, then the weekend
        ("2026-12-25", "2026-12-28"),  # a Friday; the 26th is a Saturday
        ("2026-02-01", "2026-02-02"),  # a Sunday
    ],
)
def test_a_closed_day_waits_for_the_next_target_day(asked, opened):
    assert next_target_day(day(asked)) == day(opened)


@given(days)
def test_target_never_stays_closed_for_more_than_five_days(when):
    opened = next_target_day(when)
    assert is_target_day(opened)
    assert DAY * 0 <= opened - when <= DAY * 5
    assert not any(is_target_day(when + DAY * n) for n in range((opened - when).days))
