"""Revision: fees move with published indices, P = Po × (a + Σ b·I/Io) (révision de prix).

"P = Po(0.20 × PsdT / PsdTo + 0.80 × S / So) […] les derniers connus lors de la révision de
prix" — Alliance Telecom, maintenance art. 4

"Les tarifs des prestations sont réévalués annuellement au mois de juillet […] sur la base du
dernier indice Syntec connu." — Intégral Micro, conditions financières, 6
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from billing.dates import add_months, months_between
from billing.money import cents_times, plain, rounded, times
from indices import Comparison, Reading
from indices.series import first_day


class Rounding(Struct, frozen=True, omit_defaults=True, gc=False):
    """So many decimals, and which way: half_up, ceiling or down."""

    decimals: int
    mode: Literal["half_up", "ceiling", "down"] = "half_up"


class Weight(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One index of the formula: its weight, and the series that publishes it.

    `name` is how the contract calls it ("PsdT"), which may be an index that no longer exists.
    """

    weight: Decimal
    series: str
    name: str = ""


class Revision(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """When and how the fees are revised. Every choice the law leaves open is a parameter.

    fixed, indices: a and the b·I of the formula; they sum to 1.
    month: the calendar month of the revision (7 for July); none: the anniversary of the start.
    first_after_months: no revision before so many months from the start.
    base: rolling (Po and So of the previous revision) or original (of the signature).
    base_read_on: So is the last known at signature, or at the start.
    applies_to: next_period (periods that start on or after the day; a period already billed is
    never reopened) or by_day (a period not yet billed is cut on the day).
    Rounding of each ratio, of the coefficient, or of the percentage; `price_rounding` says
    whether the unit price, the line or the contract's total is rounded to the cent.
    rectified: when a publisher corrects a value, keep_first, use the definitive one once known
    (definitive), or regularise by a line on the next invoice.
    if_unpublished: hold the contract's billing, or bill_unrevised until the value is there.
    late: what a revision applied after its day does to the periods billed since: nothing
    (next_period) or a line for the difference (regularise).
    """

    indices: tuple[Weight, ...]
    fixed: Decimal = Decimal(0)
    every_months: int = 12
    month: int | None = None
    first_after_months: int = 12
    base: Literal["rolling", "original"] = "rolling"
    base_read_on: Literal["signature", "start"] = "signature"
    applies_to: Literal["next_period", "by_day"] = "next_period"
    ratio_rounding: Rounding | None = None
    coefficient_rounding: Rounding | None = None
    percentage_rounding: Rounding | None = None
    price_rounding: Literal["unit", "line", "contract"] = "unit"
    direction: Literal["both", "up_only"] = "both"
    cap_percent: Decimal | None = None
    floor_percent: Decimal | None = None
    rectified: Literal["keep_first", "definitive", "regularise"] = "keep_first"
    if_unpublished: Literal["hold", "bill_unrevised"] = "hold"
    late: Literal["next_period", "regularise"] = "next_period"


class Coefficient(Struct, frozen=True, gc=False):
    """The formula worked out: each ratio used, the exact coefficient, the one applied.

    Fractions are written "over/under", so that the event alone can redo the sum.
    """

    ratios: tuple[str, ...]
    exact: str
    applied: str

    @property
    def value(self) -> Fraction:
        """The coefficient that multiplies the fees."""
        return ratio_of(self.applied)


@lru_cache(maxsize=4096)
def ratio_of(written: str) -> Fraction:
    """A coefficient as written, "over/under"; a month's contracts share a few of them."""
    return Fraction(written)


def coefficient(clause: Revision, comparisons: Sequence[Comparison]) -> Coefficient:
    """a + Σ bᵢ · Iᵢ/Iᵢo, each index on the scale of its base, rounded as the contract says."""
    if len(comparisons) != len(clause.indices):
        raise ValueError(f"{len(clause.indices)} indices in the formula, {len(comparisons)} read")
    ratios = [comparison.ratio for comparison in comparisons]
    if clause.ratio_rounding:
        ratios = [_round(ratio, clause.ratio_rounding) for ratio in ratios]
    exact = Fraction(clause.fixed) + sum(
        (
            Fraction(index.weight) * ratio
            for index, ratio in zip(clause.indices, ratios, strict=True)
        ),
        Fraction(0),
    )
    applied = exact
    if clause.percentage_rounding:
        applied = 1 + _round((applied - 1) * 100, clause.percentage_rounding) / 100
    if clause.coefficient_rounding:
        applied = _round(applied, clause.coefficient_rounding)
    if clause.cap_percent is not None:
        applied = min(applied, 1 + Fraction(clause.cap_percent) / 100)
    if clause.floor_percent is not None:
        applied = max(applied, 1 + Fraction(clause.floor_percent) / 100)
    if clause.direction == "up_only":
        applied = max(applied, Fraction(1))
    return Coefficient(tuple(plain(ratio) for ratio in ratios), plain(exact), plain(applied))


def _round(value: Fraction, rounding: Rounding) -> Fraction:
    return Fraction(rounded(value, rounding.decimals, rounding.mode))


def revised_price(price: Decimal, factor: Fraction, rounding: str) -> Decimal:
    """The unit price after the coefficient, in euros.

    To the cent when the unit price is what the contract rounds; a price written with more
    decimals (0.0085 a minute) keeps as many. Else to ten decimals, which no line can see.
    """
    if rounding == "unit":
        cents = cents_times(price, factor.numerator, factor.denominator)
        if cents is not None:
            return cents
    exponent = price.as_tuple().exponent
    written = -exponent if isinstance(exponent, int) else 2
    return times(price, factor, max(2, written) if rounding == "unit" else 10)


def first_revision(clause: Revision, starts_on: date) -> date:
    """The first day on which the fees may be revised."""
    earliest = add_months(starts_on, clause.first_after_months)
    if clause.month is not None:
        day = date(earliest.year, clause.month, 1)
        return day if day >= earliest else date(earliest.year + 1, clause.month, 1)
    if clause.first_after_months % clause.every_months == 0:
        return earliest
    return add_months(
        starts_on, -(-clause.first_after_months // clause.every_months) * clause.every_months
    )


def next_revision(clause: Revision, starts_on: date, revised_on: date) -> date:
    """The revision that follows the one of that day: from the anchor, never from the last."""
    anchor = starts_on if clause.month is None else first_revision(clause, starts_on)
    every = clause.every_months
    return add_months(anchor, (months_between(anchor, revised_on) // every + 1) * every)


def variation_warning(base: Reading, current: Reading, every_months: int) -> str | None:
    """Why an index varies over longer than the time between revisions, if it does.

    "Last known" can jump 13 months in 12; nothing is refused, both periods are shown.
    """
    months = months_between(first_day(base.period), first_day(current.period))
    if months <= every_months:
        return None
    return (
        f"{current.series} varies from {base.period} to {current.period}, {months} months, and the "
        f"fees are revised every {every_months} (L112-1 CMF [R])"
    )
