"""A payment received and what became of it (règlement reçu): allocated, refunded, rejected.

A fold over the payment's own stream, and over what documents say was allocated from it. What is
left is the client's credit: it pays later documents, or goes back.

    left = amount − allocated + taken back − refunded          (no amount once it is rejected)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from billing.dates import NEVER
from billing.events.base import Event
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.events.payment import (
    PaymentIdentified,
    PaymentReceived,
    PaymentRefunded,
    PaymentRejected,
)
from billing.money import ZERO

EVENTS = (PaymentReceived, PaymentIdentified, PaymentRejected, PaymentRefunded)
"""What happens in a payment's own stream."""


class Part(Struct, frozen=True, array_like=True, gc=False):
    """What of a payment went to a document that day, or came back from it when negative."""

    on: date
    document: str
    amount: Decimal


class Refund(Struct, frozen=True, array_like=True, gc=False):
    """What of a payment went back to the client that day."""

    on: date
    amount: Decimal


class Payment(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A payment as its events leave it; amounts in euros.

    `value_on` is the day its funds were available. `client` is empty while it is not known.
    """

    reference: str
    version: int
    supplier: str
    client: str
    amount: Decimal
    value_on: date
    means: str
    payer: str = ""
    payer_iban: str = ""
    remittance: str = ""
    entry: str = ""
    parts: tuple[Part, ...] = ()
    refunds: tuple[Refund, ...] = ()
    rejected_on: date | None = None

    def allocated_on(self, day: date) -> Decimal:
        """What of it documents have had by the end of a day."""
        return sum((part.amount for part in self.parts if part.on <= day), ZERO)

    def refunded_on(self, day: date) -> Decimal:
        """What of it went back to the client by the end of a day."""
        return sum((refund.amount for refund in self.refunds if refund.on <= day), ZERO)

    def received_by(self, day: date) -> Decimal:
        """What of it the house has had by the end of a day: nothing once it is rejected."""
        gone = self.rejected_on is not None and self.rejected_on <= day
        return self.amount if self.value_on <= day and not gone else ZERO

    def left_on(self, day: date) -> Decimal:
        """What is left of it at the end of a day, the client's credit.

        Negative when what was refunded of it was rejected afterwards.
        """
        return self.received_by(day) - self.allocated_on(day) - self.refunded_on(day)

    @property
    def left(self) -> Decimal:
        """What is left of it when all that is known has happened."""
        return self.left_on(NEVER)

    def paid(self) -> Iterator[tuple[str, Decimal]]:
        """The documents it pays, and how much of each."""
        totals: dict[str, Decimal] = {}
        for part in self.parts:
            totals[part.document] = totals.get(part.document, ZERO) + part.amount
        return ((document, amount) for document, amount in totals.items() if amount)


def apply(payment: Payment | None, event: Event) -> Payment:
    """The payment after one more event of its own stream."""
    version = event.originator_version
    if isinstance(event, PaymentReceived):
        return Payment(
            reference=event.reference,
            version=version,
            supplier=event.supplier,
            client=event.client,
            amount=event.amount,
            value_on=event.value_on,
            means=event.means,
            payer=event.payer,
            payer_iban=event.payer_iban,
            remittance=event.remittance,
            entry=event.entry,
        )
    assert payment is not None
    if isinstance(event, PaymentIdentified):
        return replace(payment, version=version, client=event.client)
    if isinstance(event, PaymentRejected):
        return replace(payment, version=version, rejected_on=event.rejected_on)
    assert isinstance(event, PaymentRefunded), event
    refund = Refund(event.refunded_on, event.amount)
    return replace(payment, version=version, refunds=(*payment.refunds, refund))


def observe(payment: Payment, event: PaymentAllocated | PaymentReversed, document: str) -> Payment:
    """The payment after a document was paid from it, or no longer is."""
    amount = event.amount if isinstance(event, PaymentAllocated) else -event.amount
    return replace(payment, parts=(*payment.parts, Part(event.value_on, document, amount)))
