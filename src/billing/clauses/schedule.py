"""Schedule: which periods are billed, and on which day (échéancier).

"La facturation aura lieu également de manière annuelle, semestrielle, trimestrielle ou
mensuelle suivant le choix du client." — Intégral Micro, conditions financières, 2
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec import Struct

from billing.dates import Period, add_months, months_between


class Schedule(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Billing frequency in months (1, 3, 6, 12 …; none: the whole term at once).

    `in_advance` bills a period on its first day (terme à échoir), else on the day after its
    last (terme échu). Periods are counted from the start of the contract, or from 1 January
    (`calendar`), then with a first and a last part. `days_before` bills so many days ahead.
    """

    every_months: int | None = 1
    in_advance: bool = True
    anchor: Literal["start", "calendar"] = "start"
    days_before: int = 0


class BillingPeriod(NamedTuple):
    """One whole billing period: its days, its length in months, its place from the anchor."""

    period: Period
    months: int
    place: int


def billing_period(schedule: Schedule, starts_on: date, term: Period, day: date) -> BillingPeriod:
    """The whole billing period that holds the day; a term may cut it short at either end."""
    every = schedule.every_months
    if every is None:
        months = max(1, months_between(term.start, term.end))
        return BillingPeriod(term, months, 0)
    anchor = starts_on if schedule.anchor == "start" else date(starts_on.year, 1, 1)
    return _from_anchor(anchor, every, day)


@lru_cache(maxsize=65536)  # A run asks for the same few days of as many anchors, again and again.
def _from_anchor(anchor: date, every: int, day: date) -> BillingPeriod:
    place = months_between(anchor, day) // every
    return BillingPeriod(
        Period(add_months(anchor, place * every), add_months(anchor, (place + 1) * every)),
        every,
        place,
    )


def billed_on(schedule: Schedule, period: Period) -> date:
    """The day a period is billed: its first when in advance, else the day after its last."""
    day = period.start if schedule.in_advance else period.end
    return day - timedelta(days=schedule.days_before) if schedule.days_before else day
