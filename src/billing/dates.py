"""Dates: half-open periods, anniversaries from their anchor, TARGET days.

All are French civil dates (Europe/Paris), never instants. A period is `[start, end)`: its
last day is the day before `end`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from dateutil.easter import easter
from dateutil.relativedelta import relativedelta
from msgspec import Struct

DAY = timedelta(days=1)
NEVER = date.max


class Period(Struct, frozen=True, order=True, gc=False):
    """Days from `start` to the day before `end` (période)."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days the period has; none when it ends before it starts."""
        return max(0, (self.end - self.start).days)

    @property
    def last_day(self) -> date:
        """The last day of the period."""
        return self.end - DAY

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __and__(self, other: Period) -> Period:
        """The days common to both; a period of no day when there is none."""
        start = max(self.start, other.start)
        return Period(start, max(start, min(self.end, other.end)))

    @lru_cache(maxsize=4096)  # noqa: B019 (a log names the same few periods over and over)
    def __str__(self) -> str:
        return f"{self.start} to {self.end - DAY}"


@lru_cache(maxsize=65536)
def add_months(anchor: date, months: int) -> date:
    """The anchor moved by whole months, clipped to the month's last day.

    Always from the anchor, never from the occurrence before: 31 Jan + 1 is 28 Feb, and
    31 Jan + 2 is 31 Mar again.
    """
    return anchor + relativedelta(months=months)


def months_between(anchor: date, day: date) -> int:
    """The greatest whole number n such that anchor + n months is on or before the day."""
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    return months if add_months(anchor, months) <= day else months - 1


def month_of(day: date) -> Period:
    """The calendar month that holds the day."""
    start = day.replace(day=1)
    return Period(start, add_months(start, 1))


def months_of(period: Period) -> Iterator[Period]:
    """The calendar months a period touches, in order; none when it has no day."""
    month = month_of(period.start)
    while period.days and month.start < period.end:
        yield month
        month = month_of(month.end)


def half_year_of(day: date) -> Period:
    """The calendar half-year that holds the day (semestre)."""
    start = date(day.year, 1 if day.month < 7 else 7, 1)
    return Period(start, add_months(start, 6))


def half_years_of(period: Period) -> Iterator[Period]:
    """The period cut at every 1 January and 1 July."""
    start = period.start
    while start < period.end:
        end = min(half_year_of(start).end, period.end)
        yield Period(start, end)
        start = end


def end_of_month(day: date) -> date:
    """The last day of the day's month (fin de mois)."""
    return month_of(day).last_day


def days_30_360(start: date, end: date) -> int:
    """Days from start to end, counted in months of 30 days (European 30E/360)."""
    return (
        360 * (end.year - start.year)
        + 30 * (end.month - start.month)
        + min(end.day, 30)
        - min(start.day, 30)
    )


@lru_cache(maxsize=512)
def _target_holidays(year: int) -> frozenset[date]:
    sunday = easter(year)
    return frozenset(
        (
            date(year, 1, 1),
            sunday - 2 * DAY,
            sunday + DAY,
            date(year, 5, 1),
            date(year, 12, 25),
            date(year, 12, 26),
        )
    )


def is_target_day(day: date) -> bool:
    """Whether TARGET, and so SEPA, settles on that day.

    Closed on weekends, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December.
    """
    return day.weekday() < 5 and day not in _target_holidays(day.year)


@lru_cache(maxsize=4096)
def next_target_day(day: date) -> date:
    """The day itself when TARGET is open, else the next day it is."""
    while not is_target_day(day):
        day += DAY
    return day
