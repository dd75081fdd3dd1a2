"""Late payment: interest on what is overdue, and the recovery fee (pénalités de retard).

"Tout retard de paiement donnera lieu à une pénalité […] de une fois et demi le taux d'intérêt
légal majoré de cinq points." — Alliance Telecom, CGV art. 8

Statutory rate, floor and 40 €: C. com. L441-10 and D441-5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from billing.dates import DAY, Period, half_year_of, half_years_of, months_of
from billing.money import plain, rounded
from indices import IndexBook, Reading

LEGAL = "LEGAL_INTEREST_PROFESSIONAL"
ECB = "ECB_MRO"
STATUTORY_POINTS = Decimal(10)
PUBLIC_POINTS = Decimal(8)
RECOVERY_FEE = Decimal("40.00")

Category = Literal["professional", "non_professional", "consumer", "public"]


class LateInterest(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A yearly rate in percent: times × a published rate + points; no series: the statutory one.

    below_floor: what happens in a half-year in which the agreed rate is under three times the
    legal rate: raise it to the floor, take the statutory rate, or keep it as_written.
    floor_tested: in each half-year, or once, with the rates of the half-year of the due day.
    read_each: the published rate is read at the start of each half-year, or of each month.
    days_in_year: 365 even in leap years, or the actual number of days of each year (0).
    """

    series: str | None = None
    times: Decimal = Decimal(1)
    points: Decimal = Decimal(0)
    below_floor: Literal["raise", "statutory", "as_written"] = "raise"
    floor_tested: Literal["half_year", "once"] = "half_year"
    read_each: Literal["half_year", "month"] = "half_year"
    days_in_year: Literal[365, 0] = 365
    recovery_fee: Decimal = RECOVERY_FEE


class Stretch(Struct, frozen=True, kw_only=True, gc=False):
    """Days at one rate on one principal: all it takes to redo the sum by hand.

    Rates are yearly, in percent. `agreed` and `floor` are both shown; `rate` is applied.
    """

    period: Period
    principal: Decimal
    rate: Decimal
    agreed: Decimal | None
    floor: Decimal | None
    statutory: Decimal | None
    readings: tuple[Reading, ...]
    warning: str = ""


class Interest(Struct, frozen=True, gc=False):
    """What is owed for being late: the stretches, the exact sum, and the sum rounded once."""

    stretches: tuple[Stretch, ...]
    exact: str
    amount: Decimal


def recovery_fee(clause: LateInterest, category: Category) -> Decimal:
    """The fixed fee of a late invoice, in euros: professionals and public buyers only."""
    return clause.recovery_fee if category in ("professional", "public") else Decimal("0.00")


def late_interest(
    clause: LateInterest,
    balances: Sequence[tuple[date, Decimal]],
    due: date,
    until: date,
    book: IndexBook,
    category: Category = "professional",
    formal_notice_on: date | None = None,
    substitutes: Mapping[str, str] | None = None,
) -> Interest:
    """Simple interest on the unpaid gross, from the day after the due day to `until` inclusive.

    `balances` are (day, what is owed from the end of that day on), oldest first; the first is
    the amount due. A consumer or a non-professional owes it from the formal notice only.
    """
    start = due
    if category in ("consumer", "non_professional"):
        if formal_notice_on is None:
            return Interest((), "0", Decimal("0.00"))
        start = max(due, formal_notice_on)
    stretches: list[Stretch] = []
    exact = Fraction(0)
    for principal, period in _owed(balances, start, until):
        for part in _cut(clause, period, category):
            stretch = _at_rate(clause, principal, part, due, book, category, substitutes or {})
            stretches.append(stretch)
            exact += stretch_interest(clause, stretch)
    return Interest(tuple(stretches), plain(exact), rounded(exact, 2))


def stretch_interest(clause: LateInterest, stretch: Stretch) -> Fraction:
    """principal × rate / 100 × days / 365, exact."""
    yearly = Fraction(stretch.principal) * Fraction(stretch.rate) / 100
    if clause.days_in_year:
        return yearly * stretch.period.days / clause.days_in_year
    return sum((yearly * days / length for days, length in _by_year(stretch.period)), Fraction(0))


def rate_between(
    clause: LateInterest,
    day: date,
    book: IndexBook,
    category: Category = "professional",
    substitutes: Mapping[str, str] | None = None,
    tested_on: date | None = None,
) -> Stretch:
    """The rate in force on a day, with the agreed rate, the floor and what was read."""
    period = Period(day, day + DAY)
    return _at_rate(clause, Decimal(0), period, tested_on or day, book, category, substitutes or {})


def _owed(
    balances: Sequence[tuple[date, Decimal]], start: date, until: date
) -> Iterable[tuple[Decimal, Period]]:
    """Each principal with the days, after `start` and through `until`, on which it was owed."""
    window = Period(start + DAY, until + DAY)
    for place, (since, principal) in enumerate(balances):
        end = balances[place + 1][0] + DAY if place + 1 < len(balances) else window.end
        days = Period(since + DAY if place else window.start, end) & window
        if days.days and principal > 0:
            yield principal, days


def _cut(clause: LateInterest, period: Period, category: Category) -> Iterable[Period]:
    agreed = clause.series is not None and category == "professional"
    if agreed and clause.read_each == "month":
        return (month & period for month in months_of(period))
    return half_years_of(period)


def _at_rate(
    clause: LateInterest,
    principal: Decimal,
    period: Period,
    due: date,
    book: IndexBook,
    category: Category,
    substitutes: Mapping[str, str],
) -> Stretch:
    half_year = half_year_of(period.start).start
    if category in ("consumer", "non_professional"):
        legal = book.in_force(LEGAL, half_year)
        return Stretch(
            period=period,
            principal=principal,
            rate=legal.value,
            agreed=None,
            floor=None,
            statutory=None,
            readings=(legal,),
        )
    points = PUBLIC_POINTS if category == "public" else STATUTORY_POINTS
    ecb = book.in_force(ECB, half_year)
    statutory = ecb.value + points
    if clause.series is None or category == "public":
        return Stretch(
            period=period,
            principal=principal,
            rate=statutory,
            agreed=None,
            floor=None,
            statutory=statutory,
            readings=(ecb,),
        )
    # Of the month, not of the stretch: a payment in mid-month does not change the rate read.
    read_on = period.start.replace(day=1) if clause.read_each == "month" else half_year
    base = book.in_force(substitutes.get(clause.series, clause.series), read_on)
    tested = half_year if clause.floor_tested == "half_year" else half_year_of(due).start
    legal = book.in_force(LEGAL, tested)
    agreed, floor = clause.times * base.value + clause.points, 3 * legal.value
    rate, warning, at_test = agreed, "", agreed
    if tested != half_year:
        then = book.in_force(substitutes.get(clause.series, clause.series), tested)
        at_test = clause.times * then.value + clause.points
    if at_test < floor:
        if clause.below_floor == "raise":
            rate = max(agreed, floor)
        elif clause.below_floor == "statutory":
            rate = statutory
        else:
            warning = (
                f"the agreed rate, {agreed} %, is under three times the legal rate, {floor} %, "
                "and the contract keeps it as written (C. com. L441-10)"
            )
    return Stretch(
        period=period,
        principal=principal,
        rate=rate,
        agreed=agreed,
        floor=floor,
        statutory=statutory,
        readings=(base, legal, ecb),
        warning=warning,
    )


def _by_year(period: Period) -> Iterable[tuple[int, int]]:
    for year in range(period.start.year, period.last_day.year + 1):
        whole = Period(date(year, 1, 1), date(year + 1, 1, 1))
        yield (period & whole).days, whole.days
