"""What happens to an invoice: issued once, never edited."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from msgspec import Struct

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
    `contract_version` is the contract's InstalmentBilled that asked for it.
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
