"""Proration: the share of a period's fee that the days covered cost (prorata temporis).

"L'augmentation du périmètre couvert par le présent Contrat de Maintenance donne lieu à un
réajustement de la facturation au prorata." — Intégral Micro, conditions financières, 3

"L'ouverture d'un accès supplémentaire en cours de mois donne lieu à facturation pour le
mois entier." — Chronotech, utilisateur
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from billing.dates import Period, add_months, days_30_360, months_between

Method = Literal["days", "actual_365", "thirty_360", "whole_months"]


class Share(Struct, frozen=True, gc=False):
    """`over / under` of the fee of one billing period, and how it was counted."""

    over: int
    under: int
    method: Method

    @property
    def exact(self) -> Fraction:
        """The share as a fraction."""
        return Fraction(self.over, self.under)


WHOLE = Share(1, 1, "days")


def share(method: Method, covered: Period, period: Period, months: int) -> Share:
    """The share of the period's fee for the days covered; a whole period is always 1.

    days: days covered ÷ days of that period (the default). actual_365: days ÷ 365 of the
    yearly fee. thirty_360: days of 30-day months ÷ 360 of the yearly fee. whole_months: each
    month touched counts whole. `months` is the length of the period in months. A part never
    costs more than the whole: 183 days of a half-year of 184 are 366/365 of it on 365 days.
    """
    covered = covered & period
    if covered == period:
        return WHOLE
    if not covered.days:
        return Share(0, 1, method)
    if method == "days":
        over, under = covered.days, period.days
    elif method == "actual_365":
        over, under = covered.days * 12, 365 * months
    elif method == "thirty_360":
        over, under = days_30_360(covered.start, covered.end), 30 * months
    else:
        over, under = _months_touched(covered, period), months
    return Share(min(over, under), under, method)


def whole_months_around(covered: Period, anchor: date) -> Period:
    """The whole months, counted from the anchor, that the days covered touch (mois entier)."""
    first = months_between(anchor, covered.start)
    last = months_between(anchor, covered.last_day)
    return Period(add_months(anchor, first), add_months(anchor, last + 1))


def _months_touched(covered: Period, period: Period) -> int:
    """The months of the period that the days covered touch.

    A boundary clipped to the end of a short month is no anchor: from 28 February the quarter
    to 30 May would have four months. The other boundary still has the anchor's day.
    """
    anchor = max(period.start, period.end, key=lambda day: day.day)
    return months_between(anchor, covered.last_day) - months_between(anchor, covered.start) + 1
