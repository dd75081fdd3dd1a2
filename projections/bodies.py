"""JSON as the API answers it: amounts and prices as text, exact; days and moments in ISO 8601."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, overload

import msgspec

from billing.money import ZERO

_encode = msgspec.json.Encoder(decimal_format="string").encode


def json_of(value: Any) -> str:
    """A value as JSON; fields in the order they are given."""
    return _encode(value).decode()


@overload
def in_cents(amount: Decimal) -> int: ...
@overload
def in_cents(amount: None) -> None: ...
@overload
def in_cents(amount: Decimal | None) -> int | None: ...
def in_cents(amount: Decimal | None) -> int | None:
    """An amount of euros in cents. Raises ValueError when it has more decimals than that."""
    if amount is None:
        return None
    over, under = amount.as_integer_ratio()  # In lowest terms.
    if 100 % under:
        raise ValueError(f"{amount} is no amount in cents")
    return over * (100 // under)


def in_euros(cents: int | None) -> Decimal | None:
    """Cents as an amount of euros with its two decimals."""
    return None if cents is None else Decimal(cents).scaleb(-2) + ZERO
