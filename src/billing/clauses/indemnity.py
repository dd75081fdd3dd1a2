"""Indemnity: the share of what remains that early termination costs.

"En cas de résiliation anticipée du fait du client, une indemnité égale aux 3/4 des sommes
restantes sera exigée." — Alliance Telecom, maintenance art. 4

"une indemnité égale au moins à la moitié des annuités restant à courir." — Si Contact, art. 7

It is a penalty clause: the judge may reduce it (C. civ. 1231-5).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from billing.dates import Period
from billing.money import rounded


class Indemnity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What early termination costs (indemnité de résiliation anticipée).

    share: 0.5 or 0.75 of what remains. of: annuities not yet fallen due, instalments left, or
    the remaining time pro rata. taxable: inside VAT by default (CJEU C-295/17 and C-43/19;
    BOI-TVA-BASE-10-10-50), else why not.
    """

    share: Decimal
    of: Literal["annuities", "instalments", "pro_rata"] = "instalments"
    taxable: bool = True
    untaxed_because: str = ""


class Remaining(Struct, frozen=True, gc=False):
    """One instalment left to run: its period and its net fee in euros."""

    period: Period
    net: Decimal


def indemnity(clause: Indemnity, remaining: Iterable[Remaining]) -> Decimal:
    """share × Σ of what remains, in euros before tax, rounded once."""
    left = sum((Fraction(part.net) for part in remaining), Fraction(0))
    return rounded(left * Fraction(clause.share), 2)
