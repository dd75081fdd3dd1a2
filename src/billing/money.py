"""Money: exact until the line, then rounded once, HALF_UP, to the cent.

Amounts are `Decimal` euros, shares are `Fraction`; no binary fraction ever touches one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
HUNDRED = Decimal(100)

Exact = Decimal | Fraction | int

MODES = {"half_up": ROUND_HALF_UP, "ceiling": ROUND_CEILING, "down": ROUND_DOWN}


def to_cents(amount: Exact) -> Decimal:
    """The amount rounded HALF_UP to the cent: 0.005 gives 0.01 and -0.005 gives -0.01."""
    if type(amount) is Decimal:
        return amount.quantize(CENT, ROUND_HALF_UP) or ZERO  # No invoice shows −0.00.
    return rounded(amount, 2)


def rounded(value: Exact, decimals: int, mode: str = "half_up") -> Decimal:
    """The exact value rounded to so many decimals; mode is half_up, ceiling or down.

    half_up goes away from zero on a tie, ceiling goes towards plus infinity and down goes
    towards zero, as in `decimal`.
    """
    if mode not in MODES:
        raise ValueError(f"rounding mode {mode!r}: expected one of {', '.join(MODES)}")
    if isinstance(value, Decimal):
        near = value.quantize(Decimal(1).scaleb(-decimals), MODES[mode])
        return near if near else abs(near)  # No −0.00.
    return rounded_ratio(*value.as_integer_ratio(), decimals, mode)


def rounded_ratio(over: int, under: int, decimals: int, mode: str = "half_up") -> Decimal:
    """`over / under`, reduced or not, rounded in the same way: whole numbers all along."""
    over *= 10**decimals
    if mode == "half_up":
        whole = half_up(over, under)
    elif mode == "ceiling":
        whole = -(-over // under)
    else:
        whole = abs(over) // under * (1 if over >= 0 else -1)
    return Decimal(whole).scaleb(-decimals)


def half_up(over: int, under: int) -> int:
    """`over / under` as a whole number, rounded HALF_UP."""
    return (2 * abs(over) + under) // (2 * under) * (1 if over >= 0 else -1)


def times(amount: Decimal, factor: Fraction, decimals: int) -> Decimal:
    """`amount × factor`, exact, then rounded HALF_UP; a fifth of the time a `Fraction` takes."""
    over, under = amount.as_integer_ratio()
    return rounded_ratio(over * factor.numerator, under * factor.denominator, decimals)


def cents_times(amount: Decimal, over: int, under: int) -> Decimal | None:
    """`amount × over / under` rounded HALF_UP to the cent; none when it has more than cents.

    Amounts of whole cents are most of them, and whole numbers need no ratio to be reduced.
    """
    hundred = amount * HUNDRED
    cents = int(hundred)
    if cents != hundred or cents < 0:
        return None
    return Decimal((2 * cents * over + under) // (2 * under)) * CENT


def share_of(amount: Decimal, over: int, under: int) -> Decimal:
    """`amount × over / under`, rounded once to the cent."""
    if over == under:
        return to_cents(amount)
    numerator, denominator = amount.as_integer_ratio()
    return rounded_ratio(numerator * over, denominator * under, 2)


def instalment(amount: Exact, part: int, parts: int) -> Decimal:
    """Part number `part` (from 1) of an amount cut in `parts` by cumulative rounding.

    part k = round(A·k/n) − round(A·(k−1)/n), so that the parts always sum to the rounded
    amount and no part depends on what was billed before it.
    """
    if not 1 <= part <= parts:
        raise ValueError(f"part {part} of {parts}: expected 1 to {parts}")
    if parts == 1:
        return to_cents(amount)
    over, under = amount.as_integer_ratio()
    under *= parts
    return rounded_ratio(over * part, under, 2) - rounded_ratio(over * (part - 1), under, 2)


def split(amount: Exact, parts: int) -> tuple[Decimal, ...]:
    """An amount cut in equal parts that sum to it."""
    if parts < 1:
        raise ValueError(f"{amount} cut in {parts}: expected at least one part")
    return tuple(instalment(amount, part, parts) for part in range(1, parts + 1))


def shared_out(amount: Decimal, weights: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """An amount of whole cents shared in proportion to the weights, the parts summing to it."""
    weights = tuple(weights)
    total = sum(map(Fraction, weights), Fraction(0))
    if amount and not total:
        raise ValueError(f"{amount} shared out on weights that sum to nothing: {weights}")
    if not total:
        return tuple(ZERO for _ in weights)
    parts, reached, given = [], Fraction(0), ZERO
    for weight in weights:
        reached += Fraction(weight)
        upto = rounded(Fraction(amount) * reached / total, 2)
        parts.append(upto - given)
        given = upto
    return tuple(parts)


def plain(value: Exact) -> str:
    """An exact number as a person writes it: no exponent, a fraction kept as a fraction."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        return f"{value.numerator}/{value.denominator}"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
