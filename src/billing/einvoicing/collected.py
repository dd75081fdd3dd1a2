"""What was collected of a document, by rate of VAT and day: what 212 and e-reporting tell.

For services taxed on collection (CGI 269, 2 c). What is paid is of each rate in proportion to what
the document comes to at it, tax included, by cumulative rounding: the parts of all payments sum to
the document. What is paid too much is nobody's turnover and is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from billing.clauses.vat import VatTotal
from billing.events.base import Event
from billing.events.einvoicing import Collected
from billing.events.invoice import (
    CreditNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    PaymentAllocated,
    PaymentReversed,
)
from billing.money import ZERO, shared_out


class Movement(Struct, frozen=True):
    """Money that came to a document that day or went from it; `version` is its event's."""

    version: int
    value_on: date
    amounts: tuple[Collected, ...]

    @property
    def total(self) -> Decimal:
        """All rates together, tax included."""
        return sum((one.amount for one in self.amounts), ZERO)


def movements(events: Iterable[Event], notes: Mapping[str, CreditNoteIssued]) -> Iterator[Movement]:
    """What was collected, payment after payment, from a document's own events.

    `notes` are the credit notes on it, by number.
    """
    left: dict[Decimal, Decimal] = {}
    told: dict[Decimal, Decimal] = {}
    paid = ZERO
    for event in events:
        if isinstance(event, InvoiceIssued):
            _add(left, event.vat, 1)
        elif isinstance(event, InvoiceCredited):
            _add(left, notes[event.credit_note].vat, -1)
        elif isinstance(event, PaymentAllocated | PaymentReversed):
            paid += event.amount if isinstance(event, PaymentAllocated) else -event.amount
            now = _shares(left, paid)
            amounts = tuple(
                Collected(rate, change)
                for rate in left
                if (change := now.get(rate, ZERO) - told.get(rate, ZERO))
            )
            told = now
            if amounts:
                yield Movement(event.originator_version, event.value_on, amounts)


def _add(left: dict[Decimal, Decimal], vat: Iterable[VatTotal], sign: int) -> None:
    for total in vat:
        left[total.rate] = left.get(total.rate, ZERO) + sign * (total.base + total.tax)


def _shares(left: Mapping[Decimal, Decimal], paid: Decimal) -> dict[Decimal, Decimal]:
    """What of it is paid, by rate."""
    whole = sum(left.values(), ZERO)
    due = max(min(paid, whole), ZERO)
    if not due:
        return {}
    return dict(zip(left, shared_out(due, left.values()), strict=True))
