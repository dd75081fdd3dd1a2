"""Fees: what each item of the contract costs, and per what (redevance).

"La redevance annuelle pourra être augmentée en fonction des différents matériels ajoutés."
— Alliance Telecom, maintenance art. 4
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Literal

from msgspec import Struct

from billing.money import instalment, to_cents

ItemKind = Literal[
    "service", "equipment", "videoconference", "option", "access", "volume", "one_off"
]

HUNDRED = Decimal(100)
NONE = Decimal(0)


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing the contract covers or sells, with its price (article).

    `unit_price` is in euros before tax, for `per_months` months (1 a month, 12 a year,
    0 once). `discount` is a percentage (100 for "offert") until `discount_until`.
    `list_price` is what an unreturned item costs; `entry_fee` is due once, at the opening.
    """

    code: str
    label: str
    unit_price: Decimal
    quantity: Decimal = Decimal(1)
    per_months: int = 1
    kind: ItemKind = "service"
    since: date | None = None
    until: date | None = None
    discount: Decimal = NONE
    discount_until: date | None = None
    entry_fee: Decimal = NONE
    list_price: Decimal | None = None
    serial: str = ""
    warranty_until: date | None = None
    site: str = ""
    indexed: bool = True
    vat: str = "standard"


def gross_fee(quantity: Decimal, unit_price: Decimal, discount: Decimal) -> Decimal:
    """Quantity × unit price, less the discount in percent; exact."""
    fee = quantity * unit_price
    return fee * (HUNDRED - discount) / HUNDRED if discount else fee


def period_fee(fee: Decimal, per_months: int, months: int, index: int) -> Decimal:
    """The fee of one whole billing period, in euros rounded to the cent.

    A yearly fee billed by the month is cut by cumulative rounding: `index` counts the
    billing periods from the anchor, so twelve instalments always sum to the year. Lengths that
    do not divide each other (a half-yearly fee billed every four months) are cut in the same
    way over the first months they both divide: three instalments sum to two half-years.
    """
    assert per_months, "what is due once has no billing period"
    if per_months == months:
        return to_cents(fee)
    cycle = lcm(per_months, months)
    parts = cycle // months
    return instalment(fee * (cycle // per_months), index % parts + 1, parts)


def exact_period_fee(fee: Decimal, per_months: int, months: int) -> Fraction:
    """The fee of one billing period before any rounding; what proration starts from."""
    return Fraction(fee) * months / per_months
