"""What happens to documents on their way through approved platforms (plateformes agréées)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal

from msgspec import Struct

from billing.events.base import Event


class AddressRecorded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Where a company receives its invoices (annuaire): its electronic address, from a day on.

    `scheme` is the address's own (ICD 6523; 0225 the French directory's). `client` is our code of
    the party when this address is for it alone. An empty address: none any more.
    """

    TOPIC: ClassVar[str] = "directory.address_recorded"

    siren: str
    address: str
    valid_from: date
    scheme: str = "0225"
    platform: str = ""
    client: str = ""
    source: str = ""


class DocumentQueued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A document waits for its platform (mise en file): whose, to which address, by which law.

    `type_code` is UNTDID 1001: 380 invoice, 386 deposit, 381 credit note. `because` is the
    obligation, or the wish, it goes by. `file` is what will be sent. `on_collection`: its tax is
    due when it is paid, and the platform is told of each payment.
    """

    TOPIC: ClassVar[str] = "einvoice.queued"

    number: str
    supplier: str
    client: str
    platform: str
    type_code: Literal["380", "381", "386"]
    issued_on: date
    siren: str
    address: str
    file: str
    because: str
    queued_on: date
    scheme: str = "0225"
    on_collection: bool = False


class FileAttached(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The file to send is there: its name and the SHA-256 of its bytes."""

    TOPIC: ClassVar[str] = "einvoice.file_attached"

    file: str
    digest: str


class DocumentSent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The file was handed to the platform, which may have given it a flow id."""

    TOPIC: ClassVar[str] = "einvoice.sent"

    sent_on: date
    digest: str
    flow: str = ""


class Collected(Struct, frozen=True, gc=False):
    """What was collected at one rate of VAT, tax included; negative when it was taken back."""

    rate: Decimal
    amount: Decimal


class CollectionDeclared(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The platform is told what was collected (212 Encaissée), tax included, by rate.

    For services whose tax is due on collection. `through` is the version of the document's last
    payment or reversal that it tells of, `digest` the SHA-256 of the message.
    """

    TOPIC: ClassVar[str] = "einvoice.collection_declared"

    message: str
    value_on: date
    amounts: tuple[Collected, ...]
    through: int
    digest: str = ""


class Reason(Struct, frozen=True, gc=False):
    """Why a status was given: the code of XP Z12-012, and words."""

    code: str
    text: str = ""


class StatusReceived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The life of a document went on elsewhere (statut de cycle de vie), as a message tells it.

    A document that was refused (210) or rejected (213) keeps its number.
    """

    TOPIC: ClassVar[str] = "einvoice.status_received"

    message: str
    code: str
    name: str
    at: datetime
    reasons: tuple[Reason, ...] = ()
    note: str = ""
    amount: Decimal | None = None
    sender: str = ""


class MessageRead(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A life-cycle message was read (CDAR); a second time it brings nothing."""

    TOPIC: ClassVar[str] = "einvoice_message.read"

    message: str
    digest: str
    documents: tuple[str, ...]
    name: str = ""


class ReportPrepared(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Data of sales or payments for the administration was written (e-reporting, flux 10).

    IN the first of its period, RE one that takes its place. Amounts in euros; of payments, `net`
    is what was collected, tax included.
    """

    TOPIC: ClassVar[str] = "ereport.prepared"

    report: str
    supplier: str
    kind: Literal["transactions", "payments"]
    type_code: Literal["IN", "RE"]
    start: date
    end: date
    documents: int
    net: Decimal
    tax: Decimal
    digest: str
    file: str
