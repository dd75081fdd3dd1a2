"""The outbox of each approved platform: what waits, what was sent, what came back (boîte d'envoi).

Everything is an event of the stream of its document, so that nothing is queued, declared or read
twice: two who try meet the unique version, and the second is refused. What is derived (whether a
document is ready, what is left to do) is no event.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from billing.application.core import Billing
from billing.application.payments import companies
from billing.einvoicing import cdar, collected, statuses
from billing.einvoicing.collected import Movement
from billing.einvoicing.directory import Address, Directory
from billing.einvoicing.house import House, obliged, route_of
from billing.einvoicing.reporting import type_code
from billing.einvoicing.xml import MOST
from billing.events import Event
from billing.events.einvoicing import (
    AddressRecorded,
    CollectionDeclared,
    DocumentQueued,
    DocumentSent,
    FileAttached,
    MessageRead,
    StatusReceived,
)
from billing.events.invoice import CreditNoteIssued, InvoiceCredited, InvoiceIssued
from billing.events.party import Identity, PartyAmended, PartyRegistered
from billing.forms import BadFile, identifiers
from billing.identity import invoice_id, stream
from billing.record import from_stored
from billing.refusal import FieldError, Refused

CHUNK = 500
OUTSIDE = "O"
_PARTIES = (PartyRegistered.TOPIC, PartyAmended.TOPIC)
_DOCUMENTS = (InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC)
_LIFE = tuple(
    kind.TOPIC
    for kind in (DocumentQueued, FileAttached, DocumentSent, CollectionDeclared, StatusReceived)
)


class Aside(NamedTuple):
    """What could not be done for one document or message, and why."""

    what: str
    why: str


class Item(Struct, frozen=True, kw_only=True):
    """A document of the outbox as it stands.

    `state`: waiting (for its file), ready, sent, or the code of its last status.
    """

    queued: DocumentQueued
    version: int
    file: str
    digest: str = ""
    sent_on: date | None = None
    flow: str = ""
    code: str = ""
    status: str = ""
    status_at: datetime | None = None
    why: str = ""
    declared: int = 0
    messages: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Where it is on its way."""
        if self.code:
            return self.code
        return "sent" if self.sent_on else "ready" if self.digest else "waiting"

    @property
    def to_do(self) -> str:
        """What is left for us to do with it."""
        if self.code:
            known = statuses.STATUSES.get(self.code)
            return known.to_do if known else ""
        return {"waiting": "attach its file", "ready": "send it"}.get(self.state, "")

    @property
    def stopped(self) -> bool:
        """Whether it goes no further."""
        return self.code in statuses.REFUSED


def stream_of(supplier: str, number: str) -> UUID:
    """The stream of a document's life between platforms."""
    return stream("einvoice", f"{supplier}/{number}")


# The directory


def learn(app: Billing, addresses: Iterable[Address], source: str) -> list[AddressRecorded]:
    """Records the addresses that are not known as they are told."""
    known: dict[tuple[str, str, date], AddressRecorded] = {}
    versions: dict[str, int] = {}
    for _, event in app.recorded(topics=[AddressRecorded.TOPIC]):
        assert isinstance(event, AddressRecorded)
        known[event.siren, event.client, event.valid_from] = event
        versions[event.siren] = event.originator_version
    events: list[AddressRecorded] = []
    for one in addresses:
        before = known.get((one.siren, one.client, one.valid_from))
        if before and (before.address, before.scheme, before.platform) == (
            one.address,
            one.scheme,
            one.platform,
        ):
            continue
        told = AddressRecorded(
            siren=one.siren, address=one.address, valid_from=one.valid_from, scheme=one.scheme,
            platform=one.platform, client=one.client, source=source,
        )  # fmt: skip
        events += app.stamp([told], stream("directory", one.siren), versions.get(one.siren, 0))
        versions[one.siren] = events[-1].originator_version
    app.write(events)
    return events


def directory(app: Billing) -> Directory:
    """The addresses recorded so far."""
    found = Directory()
    for _, event in app.recorded(topics=[AddressRecorded.TOPIC]):
        assert isinstance(event, AddressRecorded)
        found.learn(event)
    return found


# Into the outbox


def queue(app: Billing, house: House) -> tuple[list[DocumentQueued], list[Aside]]:
    """Queues the documents that must go, or go by choice, and did not yet."""
    for code in house.suppliers:
        siren_of(app, code)
    known = directory(app)
    done = {event.originator_id for _, event in app.recorded(topics=[DocumentQueued.TOPIC])}
    parties: dict[str, Identity] = {}
    queued: list[DocumentQueued] = []
    aside: list[Aside] = []
    waiting: list[Event] = []
    for _, event in app.recorded(topics=(*_PARTIES, *_DOCUMENTS)):
        if isinstance(event, PartyRegistered | PartyAmended):
            parties[event.party.code] = event.party
            continue
        assert isinstance(event, InvoiceIssued | CreditNoteIssued)
        if event.supplier not in house.suppliers:
            continue
        id = stream_of(event.supplier, event.number)
        if id in done or outside(event):
            continue
        try:
            told = _queued(app, house, known, parties, event)
        except Refused as refusal:
            aside.append(Aside(event.number, str(refusal)))
            continue
        if told is not None:
            (stamped,) = app.stamp([told], id, 0)
            queued.append(stamped)
            waiting.append(stamped)
            if len(waiting) >= CHUNK:
                app.write(waiting)
                waiting = []
    app.write(waiting)
    return queued, aside


def outside(event: InvoiceIssued | CreditNoteIssued) -> bool:
    """Whether all of it is outside the scope of VAT: such a document goes by no platform."""
    return bool(event.vat) and all(total.category == OUTSIDE for total in event.vat)


def _queued(
    app: Billing,
    house: House,
    known: Directory,
    parties: dict[str, Identity],
    event: InvoiceIssued | CreditNoteIssued,
) -> DocumentQueued | None:
    company = house.company(event.supplier)
    must = obliged("issue", company, event.issued_on)
    if must is None:
        return None
    client, supplier = parties[event.client], parties[event.supplier]
    address = known.of(client.siren, client.code, event.issued_on) if client.siren else None
    if route_of(client, listed=address is not None) != "einvoice":
        return None
    if address is None:
        raise Refused(
            f"{event.number}: {client.code}, SIREN {client.siren}, is not in the directory on "
            f"{event.issued_on}; import its address with `billing outbox directory`"
        )
    return DocumentQueued(
        number=event.number,
        supplier=event.supplier,
        client=event.client,
        platform=company.platform,
        type_code=type_code(event),
        issued_on=event.issued_on,
        siren=client.siren,
        address=address.address,
        scheme=address.scheme,
        file=f"{event.number}.pdf",
        because=must.source,
        queued_on=app.today,
        on_collection=not supplier.vat_on_debits
        and isinstance(event, InvoiceIssued)
        and event.tax > 0,
    )


def attach(app: Billing, folder: Path, supplier: str = "") -> tuple[list[Item], list[Aside]]:
    """Takes the digest of the files that are there; one that was sent is never another one."""
    changed, aside = [], []
    for item in outbox(app, supplier):
        path = folder / item.file
        if not path.is_file():
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest == item.digest:
            continue
        if item.sent_on is not None:
            told = f"{path} is not the file that was sent on {item.sent_on} ({item.digest[:12]}…)"
            aside.append(Aside(item.queued.number, told))
            continue
        _record(app, item, FileAttached(file=item.file, digest=digest))
        changed.append(replace(item, digest=digest))
    return changed, aside


def send(app: Billing, number: str, on: date, flow: str = "", supplier: str = "") -> DocumentSent:
    """Records that a document was handed to its platform."""
    item = one(app, number, supplier)
    if item.sent_on is not None and not item.stopped:
        raise Refused(f"{number} was sent on {item.sent_on} already")
    if not item.digest:
        raise Refused(f"{number}: {item.file} is not attached; `billing outbox attach DIR` does it")
    if on > app.today or on < item.queued.issued_on:
        raise Refused(
            f"{number}: sent on {on}; a day from its issue, {item.queued.issued_on}, to today, "
            f"{app.today}, was expected"
        )
    told = DocumentSent(sent_on=on, digest=item.digest, flow=flow)
    _record(app, item, told)
    return told


def _record(app: Billing, item: Item, event: Event) -> None:
    id = stream_of(item.queued.supplier, item.queued.number)
    app.write(app.stamp([event], id, item.version))


# Looking


def outbox(app: Billing, supplier: str = "", platform: str = "", state: str = "") -> list[Item]:
    """The documents queued, in the order they were, as they stand."""
    found: dict[UUID, Item] = {}
    for _, event in app.recorded(topics=_LIFE):
        id = event.originator_id
        if isinstance(event, DocumentQueued):
            found[id] = Item(queued=event, version=event.originator_version, file=event.file)
        elif id in found:
            found[id] = _after(found[id], event)
    return [
        item
        for item in found.values()
        if supplier in ("", item.queued.supplier)
        and platform in ("", item.queued.platform)
        and state in ("", item.state)
    ]


def one(app: Billing, number: str, supplier: str = "") -> Item:
    """One document of the outbox."""
    found = [item for item in outbox(app, supplier) if item.queued.number == number]
    if not found:
        raise Refused(f"{number} is not in the outbox; `billing outbox` shows what is")
    if len(found) > 1:
        raise Refused(f"several companies issued a {number}; say which with --supplier")
    return found[0]


def _after(item: Item, event: Event) -> Item:
    item = replace(item, version=event.originator_version)
    match event:
        case FileAttached():
            return replace(item, file=event.file, digest=event.digest)
        case DocumentSent():
            return replace(
                item, sent_on=event.sent_on, flow=event.flow, digest=event.digest, code="",
                status="", status_at=None, why="",
            )  # fmt: skip
        case CollectionDeclared():
            return replace(item, declared=event.through, messages=(*item.messages, event.message))
        case StatusReceived():
            if item.status_at is not None and event.at < item.status_at:
                return item  # It arrived after a later one.
            why = "; ".join(
                reason.text or statuses.reason_text(reason.code) for reason in event.reasons
            )
            return replace(
                item, code=event.code, status=event.name, status_at=event.at,
                why=why or event.note,
            )  # fmt: skip
    return item


# What was collected (212)


def declare(
    app: Billing, house: House, folder: Path
) -> tuple[list[CollectionDeclared], list[Aside]]:
    """Writes a message 212 for each payment of a document taxed on collection not told of yet.

    The file is there before the event: one whose event is lost is written again, over it.
    """
    told: list[CollectionDeclared] = []
    aside: list[Aside] = []
    items = [
        item
        for item in outbox(app)
        if item.queued.on_collection and item.sent_on and item.queued.supplier in house.suppliers
    ]
    for first in range(0, len(items), CHUNK):
        some = items[first : first + CHUNK]
        moved = _moved(app, [(i.queued.supplier, i.queued.number) for i in some])
        for item in some:
            for movement in moved[item.queued.supplier, item.queued.number]:
                if movement.version <= item.declared:
                    continue
                if item.stopped:
                    why = f"{movement.total} € on {movement.value_on} is not told of: {item.status}"
                    aside.append(Aside(item.queued.number, why))
                    break
                item, event = _declared(app, item, movement, folder)
                told.append(event)
    return told, aside


def _declared(
    app: Billing, item: Item, movement: Movement, folder: Path
) -> tuple[Item, CollectionDeclared]:
    queued = item.queued
    siren = siren_of(app, queued.supplier)
    name = re.sub(r"[^A-Za-z0-9+\-_]", "-", queued.number)
    id = f"{siren}-{name}-212-{movement.version}"
    event = CollectionDeclared(
        message=id,
        value_on=movement.value_on,
        amounts=movement.amounts,
        through=movement.version,
    )
    (event,) = app.stamp([event], stream_of(queued.supplier, queued.number), item.version)
    data = message_of(app, queued, event)
    event = replace(event, digest=hashlib.sha256(data).hexdigest())
    put(folder / f"CDAR_{id}.xml", data)
    app.write([event])
    return _after(item, event), event


def message_of(app: Billing, queued: DocumentQueued, event: CollectionDeclared) -> bytes:
    """The message 212 of an event: the same bytes each time, while the parties have their names."""
    seller, buyer = party_of(app, queued.supplier), party_of(app, queued.client)
    return cdar.collection_message(
        cdar.CollectionMessage(
            id=event.message,
            at=event.recorded_at,
            seller=cdar.Party(seller.siren, seller.name),
            buyer=cdar.Party(queued.siren, buyer.name, queued.address, queued.scheme),
            number=queued.number,
            type_code=queued.type_code,
            issued_on=queued.issued_on,
            value_on=event.value_on,
            amounts=event.amounts,
        )
    )


def _moved(
    app: Billing, documents: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[Movement]]:
    """What was collected of some documents, by rate."""
    ids = {invoice_id(*one): one for one in documents}
    streams: dict[UUID, list[Event]] = {}
    for stored in app.store.read_events(ids):
        assert isinstance(stored.originator_id, UUID)
        streams.setdefault(stored.originator_id, []).append(from_stored(stored))
    wanted = {
        invoice_id(ids[id][0], event.credit_note)
        for id, events in streams.items()
        for event in events
        if isinstance(event, InvoiceCredited)
    }
    notes: dict[str, CreditNoteIssued] = {}
    for stored in app.store.read_events(wanted):
        note = from_stored(stored)
        if isinstance(note, CreditNoteIssued):
            notes[note.number] = note
    return {
        document: list(collected.movements(streams.get(id, []), notes))
        for id, document in ids.items()
    }


def siren_of(app: Billing, supplier: str) -> str:
    """The SIREN of one of our companies, without which no platform knows it."""
    siren = party_of(app, supplier).siren
    try:
        return identifiers.siren(siren)
    except ValueError as error:
        raise Refused(f"{supplier}: SIREN {siren!r}: {error}") from None


def party_of(app: Billing, code: str) -> Identity:
    """A party as it is now."""
    found = app.party(code)
    if found is None:
        raise Refused(f"no party {code}")
    return found.identity


def put(path: Path, data: bytes) -> None:
    """The whole file, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


# What comes back


class Read(NamedTuple):
    """A message that was read: what it brought, or that it was known."""

    path: str
    message: str
    statuses: tuple[tuple[str, StatusReceived], ...]
    known: bool


def read(app: Billing, path: Path) -> tuple[list[Read], list[FieldError]]:
    """Reads the messages of an inbox (or one), each once; what is wrong with the others."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".xml")
    else:
        files = [path]
    found: list[Read] = []
    faults: list[FieldError] = []
    sirens = {party_of(app, code).siren: code for code in companies(app)}
    for file in files:
        try:
            found.append(_read(app, file, sirens))
        except BadFile as error:
            faults += error.errors
        except OSError as error:
            told = f"the file cannot be read: {error.strerror}"
            faults.append(FieldError(path=str(file), expected=told))
    return found, faults


def _read(app: Billing, file: Path, sirens: dict[str, str]) -> Read:
    with file.open("rb") as opened:
        data = opened.read(MOST + 1)
    message = cdar.read_message(data, str(file))
    digest = hashlib.sha256(data).hexdigest()
    id = stream("einvoice_message", message.id)
    for stored in app.store.read_stream(id):
        before: Any = from_stored(stored)
        if before.digest != digest:
            told = f"message {message.id} was read on {before.recorded_at:%Y-%m-%d} already, and "
            told += "said something else; a message has an id of its own"
            raise BadFile([FieldError(path=str(file), key="ID", value=message.id, expected=told)])
        return Read(str(file), message.id, (), known=True)
    events: list[Event] = []
    brought: list[tuple[str, StatusReceived]] = []
    mark = MessageRead(
        message=message.id,
        digest=digest,
        documents=tuple(told.number for told in message.told),
        name=file.name,
    )
    events += app.stamp([mark], id, 0)
    ordered = sorted(message.told, key=lambda told: (told.seller, told.number))
    for (siren, number), group in groupby(ordered, key=lambda told: (told.seller, told.number)):
        supplier = _ours(app, file, siren, number, sirens)
        own = stream_of(supplier, number)
        received = [_status(message, told) for told in group]
        version = len(app.store.read_stream(own))
        events += app.stamp(received, own, version)
        brought += [(number, status) for status in received]
    app.write(events)
    return Read(str(file), message.id, tuple(brought), known=False)


def _ours(app: Billing, file: Path, siren: str, number: str, sirens: dict[str, str]) -> str:
    if siren not in sirens:
        told = f"{number} is of a seller that is none of our companies"
        raise BadFile(
            [FieldError(path=str(file), key="IssuerTradeParty", value=siren, expected=told)]
        )
    supplier = sirens[siren]
    if not app.store.read_stream(invoice_id(supplier, number), limit=1):
        told = f"{supplier} issued no document of that number"
        raise BadFile(
            [FieldError(path=str(file), key="IssuerAssignedID", value=number, expected=told)]
        )
    return supplier


def _status(message: cdar.Message, told: cdar.Told) -> StatusReceived:
    amount: Decimal | None = told.amount
    return StatusReceived(
        message=message.id,
        code=told.code,
        name=told.name,
        at=message.at,
        reasons=told.reasons,
        note=told.note,
        amount=amount,
        sender=message.sender,
    )


def collected_of(
    app: Billing, documents: Iterable[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], list[Movement]]]:
    """What was collected of documents, a chunk of them at a time."""
    waiting = list(documents)
    for first in range(0, len(waiting), CHUNK):
        yield from _moved(app, waiting[first : first + CHUNK]).items()
