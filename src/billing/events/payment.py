"""What happens to money received, to the files sent to the bank and to those it sends."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from billing.events.base import Event


class PaymentReceived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Money came from a client (règlement reçu), in euros; what it pays is allocated apart.

    `reference` names it within the supplier. `value_on` is the day the funds are available.
    `client` is empty while the payer is not known. `remittance` is what the payer wrote,
    `entry` the line of the bank's statement it was read from.
    """

    TOPIC: ClassVar[str] = "payment.received"

    reference: str
    supplier: str
    client: str
    amount: Decimal
    value_on: date
    means: Literal["transfer", "cheque", "card", "cash", "direct_debit"] = "transfer"
    payer: str = ""
    payer_iban: str = ""
    remittance: str = ""
    entry: str = ""


class PaymentIdentified(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Whose the payment is, found or told afterwards."""

    TOPIC: ClassVar[str] = "payment.identified"

    client: str


class PaymentRejected(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The payment failed after all (chèque impayé, contestation de carte): all of it is undone."""

    TOPIC: ClassVar[str] = "payment.rejected"

    rejected_on: date
    code: str = ""
    reason: str = ""
    fee: Decimal = Decimal(0)


class PaymentRefunded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What was paid too much goes back to the client (remboursement d'un trop-perçu), in euros."""

    TOPIC: ClassVar[str] = "payment.refunded"

    amount: Decimal
    refunded_on: date
    reason: str = ""


class CollectionFileSubmitted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A file of direct debits was handed over (remise de prélèvements, pain.008).

    `message` is its message id, `digest` the SHA-256 of its bytes, `total` in euros. `profile` are
    the bank's conditions it was written by, in JSON: with the collections ordered in it, all it
    takes to write it again, byte for byte.
    """

    TOPIC: ClassVar[str] = "collection_file.submitted"

    message: str
    supplier: str
    schema: str
    created_on: date
    count: int
    total: Decimal
    digest: str
    profile: str = ""


class BankFileImported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A file of the bank was read and applied (relevé, avis, compte rendu): a second time, nothing.

    `schema` is its ISO 20022 message (camt.053.001.02 …), `identification` its own id.
    """

    TOPIC: ClassVar[str] = "bank_file.imported"

    digest: str
    schema: str
    identification: str
    supplier: str
    account: str
    entries: int
    matched: int
    name: str = ""


class EntryUnmatched(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the bank that nothing here explains waits to be allocated by hand.

    `entry` is its stable id, `amount` in euros, negative when the account was debited.
    """

    TOPIC: ClassVar[str] = "bank_entry.unmatched"

    entry: str
    supplier: str
    account: str
    amount: Decimal
    value_on: date
    kind: str
    why: str
    end_to_end: str = ""
    mandate: str = ""
    remittance: str = ""
    counterparty: str = ""
    counterparty_iban: str = ""
    code: str = ""


class EntrySettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The line was explained by hand, or found to be none of this product's business."""

    TOPIC: ClassVar[str] = "bank_entry.settled"

    settled_on: date
    how: str
    payment: str = ""
