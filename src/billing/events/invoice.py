"""What happens to an invoice: issued once, never edited."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from msgspec import Struct

from billing.clauses.interest import Interest
from billing.clauses.proration import Share
from billing.clauses.vat import VatTotal
from billing.dates import Period
from billing.events.base import Event


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line: all it takes to redo its sum by hand.

    net = quantity × unit_price × (1 − discount/100) × months/per_months × share, rounded once;
    when `parts` is set, the line is part `part` of `parts` of that fee by cumulative rounding.
    A charge has only its quantity, unit price and net. `because` are the versions of the
    contract's events it comes from: the item, then its price, or the charge.
    """

    kind: str
    code: str
    label: str
    net: Decimal
    vat_rate: Decimal
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    discount: Decimal = Decimal(0)
    period: Period | None = None
    per_months: int = 0
    months: int = 0
    share: Share | None = None
    part: int = 0
    parts: int = 0
    vat_category: str = "S"
    vat_reason: str = ""
    note: str = ""
    because: tuple[int, ...] = ()


class InvoiceIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice leaves with its number (facture): lines, tax by rate, due day.

    Amounts in euros. `collected_on` is the day of the direct debit under `mandate`.
    `contract_version` is the contract's InstalmentBilled that asked for it. `kind` deposit is a
    facture d'acompte (UNTDID 1001: 386), asked for by a DepositInvoiced.
    """

    TOPIC: ClassVar[str] = "invoice.issued"

    number: str
    supplier: str
    client: str
    contract: str
    contract_version: int
    issued_on: date
    due_on: date
    lines: tuple[Line, ...]
    vat: tuple[VatTotal, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal
    period: Period | None = None
    means: str = "transfer"
    collected_on: date | None = None
    mandate: str = ""
    purchase_order: str = ""
    run: str = ""
    kind: Literal["invoice", "deposit"] = "invoice"


class CreditNoteIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A credit note (avoir) gives back part or all of the invoice it names; amounts positive."""

    TOPIC: ClassVar[str] = "invoice.credit_note_issued"

    number: str
    supplier: str
    client: str
    contract: str
    contract_version: int
    credits: str
    issued_on: date
    lines: tuple[Line, ...]
    vat: tuple[VatTotal, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal
    reason: str = ""
    purchase_order: str = ""
    run: str = ""


class InvoiceCredited(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The invoice was credited by that credit note, for that gross amount."""

    TOPIC: ClassVar[str] = "invoice.credited"

    credit_note: str
    gross: Decimal
    net: Decimal
    credited_on: date | None = None


class InvoiceReceived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The client received the invoice that day; the due day follows where terms count from it."""

    TOPIC: ClassVar[str] = "invoice.received"

    received_on: date
    due_on: date
    collected_on: date | None = None
    evidence: str = ""


class RetentionWithheld(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The client keeps a guarantee retention (retenue de garantie), in euros; it is not late."""

    TOPIC: ClassVar[str] = "invoice.retention_withheld"

    amount: Decimal
    percent: Decimal
    notified_on: date
    reason: str


class RetentionReleased(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The reserves are lifted: the retention is due from that day."""

    TOPIC: ClassVar[str] = "invoice.retention_released"

    amount: Decimal
    released_on: date


class PaymentAllocated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Money goes to this document (imputation, lettrage), in euros; what is owed falls by it.

    `value_on` is the day the funds were available. One source: a received `payment`, a settled
    `collection` (its end-to-end id), or what was credited too much on another document of the
    client, set off here (`credit`; there the opposite amount is allocated).
    """

    TOPIC: ClassVar[str] = "invoice.payment_allocated"

    amount: Decimal
    value_on: date
    means: str
    payment: str = ""
    collection: str = ""
    credit: str = ""


class PaymentReversed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What was paid is taken back (impayé, rejet): the document is owed again, from that day.

    `code` is the bank's reason (ISO 20022), `reason` the same in words. With neither a payment
    nor a collection, what was paid or credited too much went back to the client (remboursement).
    """

    TOPIC: ClassVar[str] = "invoice.payment_reversed"

    amount: Decimal
    value_on: date
    payment: str = ""
    collection: str = ""
    code: str = ""
    reason: str = ""


class ReminderSent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The client was reminded (relance): the level of the policy and its name."""

    TOPIC: ClassVar[str] = "invoice.reminder_sent"

    level: int
    name: str
    sent_on: date
    owed: Decimal
    sending: str = "email"


class DebitLine(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A line of a debit note: late interest, the recovery fee or a bank's fee, on one invoice.

    `interest` is what all interest of the invoice comes to up to `until`, inclusive; `amount`
    what of it was not charged before.
    """

    kind: Literal["late_interest", "recovery_fee", "return_fee"]
    invoice: str
    label: str
    amount: Decimal
    until: date | None = None
    interest: Interest | None = None
    charged_before: Decimal = Decimal(0)


class DebitNoteIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What is owed for being late (note de débit), in euros, outside VAT."""

    TOPIC: ClassVar[str] = "invoice.debit_note_issued"

    number: str
    supplier: str
    client: str
    contract: str
    issued_on: date
    due_on: date
    lines: tuple[DebitLine, ...]
    gross: Decimal
    means: str = "transfer"
    run: str = ""


class LateInterestCharged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Interest on this invoice was charged by a debit note, up to a day inclusive, in euros.

    Less is owed after all (a payment of an earlier value day was found): the amount is negative,
    `credits` is the debit note given back, `debit_note` the credit note, and `interest` what all
    interest of the invoice now comes to.
    """

    TOPIC: ClassVar[str] = "invoice.late_interest_charged"

    debit_note: str
    until: date
    amount: Decimal
    credits: str = ""
    interest: Interest | None = None


class RecoveryFeeCharged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The fixed fee for recovery (indemnité forfaitaire, D441-5) was charged, once, in euros.

    Given back because the invoice was not late after all: as for interest.
    """

    TOPIC: ClassVar[str] = "invoice.recovery_fee_charged"

    debit_note: str
    amount: Decimal
    credits: str = ""


class InvoiceWrittenOff(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What is left will not be paid (perte sur créance irrécouvrable), in euros.

    Negative: that much is paid after all (rentrée sur créance amortie).
    """

    TOPIC: ClassVar[str] = "invoice.written_off"

    amount: Decimal
    written_off_on: date
    reason: str


class InvoiceDisputed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The client contests it (litige): it is neither reminded nor charged until that is settled."""

    TOPIC: ClassVar[str] = "invoice.disputed"

    disputed_on: date
    reason: str


class DisputeSettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The dispute is over; what is still owed is late since its due day."""

    TOPIC: ClassVar[str] = "invoice.dispute_settled"

    settled_on: date
    how: str


class InvoiceNumbersTaken(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A block of numbers of one company and year, taken with the invoices that bear them."""

    TOPIC: ClassVar[str] = "numbers.taken"

    supplier: str
    year: int
    first: int
    last: int
    last_issued_on: date
    run: str = ""


DocumentKind = Literal["invoice", "credit_note"]
