"""VAT: the rate of the day of the supply (TVA, fait générateur).

The standard rate is a published series: 19.6 % until 2013-12-31, 20 % from 2014-01-01.
Other treatments are named by the contract, with their reason.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from billing.money import share_of, to_cents
from indices import IndexBook

STANDARD = "VAT_STANDARD"


class Vat(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A treatment other than the standard rate: reduced, exempt, reverse charge, outside.

    category is the EN 16931 code: S standard or reduced, E exempt, AE reverse charge, O outside
    the scope. rate in percent. A rate of 0 needs its reason.
    """

    code: str
    category: Literal["S", "E", "AE", "O", "Z", "G", "K"] = "S"
    rate: Decimal = Decimal(0)
    reason: str = ""


class VatTotal(Struct, frozen=True, omit_defaults=True, gc=False):
    """The tax of one rate: on the sum of the lines' nets, HALF_UP (EN 16931).

    `rounding` is the cent by which the last credit note of an invoice ends its tax exactly.
    """

    rate: Decimal
    base: Decimal
    tax: Decimal
    category: str = "S"
    reason: str = ""
    rounding: Decimal = Decimal(0)


def standard_rate(book: IndexBook, supplied_on: date) -> Decimal:
    """The standard rate in force on the day of the supply, in percent."""
    return book.in_force(STANDARD, supplied_on).value


def tax_on(base: Decimal, rate: Decimal) -> Decimal:
    """base × rate / 100, in euros, rounded once."""
    return to_cents(base * rate / 100) if rate else share_of(base, 0, 1)
