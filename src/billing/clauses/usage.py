"""Usage: what was consumed beyond what the fee includes (consommations, dépassements).

"Au delà du volume forfaitaire de sauvegarde […] les volumes sauvegardés en dépassement
seront facturés mensuellement sur la base de 3 €HT par Go." — Intégral Micro, sauvegardes

"0,01 €HT/min vers les fixe et 0,08 €HT/min vers les mobiles." — Alliance Telecom, devis
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from msgspec import Struct

from billing.money import rounded

ONE = Decimal(1)


class Meter(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something measured and billed each month in arrears (compteur).

    `unit_price` in euros before tax for `units_per_price` measured units: 0.01 for 60 seconds.
    `included` measured units a month cost nothing. `step` rounds the excess up to whole steps
    (1 for "per started Go"; 0 bills it as measured, and rounds only the line).
    """

    code: str
    label: str
    unit: str
    unit_price: Decimal
    units_per_price: Decimal = ONE
    included: Decimal = Decimal(0)
    step: Decimal = Decimal(0)
    vat: str = "standard"


class Excess(Struct, frozen=True, gc=False):
    """What of a month's measure is billed: the quantity, in measured units, and its price."""

    billed: Decimal
    net: Decimal


def usage_fee(meter: Meter, used: Decimal, included: Decimal | None = None) -> Excess:
    """(used − included) × unit price, rounded once; nothing when all of it is included."""
    allowance = meter.included if included is None else included
    excess = max(Decimal(0), used - allowance)
    if meter.step and excess:
        excess = (excess / meter.step).to_integral_value(ROUND_CEILING) * meter.step
    exact = Fraction(excess) * Fraction(meter.unit_price) / Fraction(meter.units_per_price)
    return Excess(excess, rounded(exact, 2))
