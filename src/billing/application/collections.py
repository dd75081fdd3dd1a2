"""Collections handed over to the bank: planned, written, recorded, once (remises de prélèvements).

A file and its record are made in this order, so that no debit is asked for twice and none is
recorded without its file:

1. the plan is made on the book as it stands, and each file written beside its place under a name
   nobody looks for (`.X.pending`), on disk, valid and read again;
2. under the append lock, the collections, on their mandates, and the digest of each file are
   recorded together; if anything else was recorded since the plan, it is made again instead;
3. each file is given its name.

Killed before the record: nothing was ordered, and the pending file is never given a name. Killed
after it: whoever collects next into that folder finds the pending file, whose digest is recorded,
and gives it its name. Lost altogether, it is written again from its events, byte for byte
(`write_again`), and compared with its digest. Two that collect at once plan the same debits; the
second finds the record moved on, and plans again without them.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from hashlib import file_digest
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec

from billing import collection
from billing.application import mandates, outlook, receivables
from billing.application.core import Billing
from billing.application.receivables import Book
from billing.application.states import KINDS, fewer_collections
from billing.bank import reasons
from billing.clauses.payment import collected_on
from billing.collection import Agreed, Debit, Left, Plan, Rules, plan
from billing.contract.state import Contract
from billing.dates import DAY, Period
from billing.documents import grouping, pain008
from billing.documents.orders import Batch, Direct, Message
from billing.documents.profile import Profile
from billing.events import Event
from billing.events.party import (
    AnnouncedDebit,
    CollectionOrdered,
    CollectionReturned,
    CollectionsAnnounced,
    CollectionSettled,
    Identity,
    PartyAmended,
    PartyRegistered,
)
from billing.events.payment import CollectionFileSubmitted
from billing.forms import identifiers
from billing.identity import contract_id, short, stream
from billing.mandate import Mandate, Told, usable
from billing.mandate import apply as apply_mandate
from billing.receivable import Receivable
from billing.record import from_stored
from billing.refusal import Refused
from billing.store.store import Reading

PENDING = "pending"
FORGOTTEN = 24 * 3600  # Seconds after which a pending file that nobody recorded is nobody's.
SCHEDULED = 400  # Invoices of a year at most: more than one a day is no schedule.


class Asked(NamedTuple):
    """What is asked of a collection: up to which day, by which bank, for whom."""

    until: date | None = None
    profile: Profile = Profile()
    supplier: str = ""
    retries: int = 1
    retry_days: int = 8


class Handed(NamedTuple):
    """A file handed over: where it lies, its SHA-256, what it asks for, in euros."""

    message: str
    supplier: str
    path: Path
    digest: str
    debits: int
    total: Decimal


class Collected(NamedTuple):
    """What a collection did: its files, what it planned, what it recorded.

    `finished` are files of one that was stopped; `events` what was recorded, lapses included.
    """

    files: tuple[Handed, ...]
    plan: Plan
    events: tuple[Event, ...]
    finished: tuple[Path, ...] = ()


# The plan


class _Known(NamedTuple):
    """Who and what the documents are about, read together."""

    mandates: dict[str, Mandate]
    contracts: dict[str, Contract]
    parties: dict[str, Identity]


def planned(app: Billing, asked: Asked) -> Plan:
    """What would be debited, and what would not and why; nothing is written."""
    with fewer_collections():
        return _plan(app, app.store, receivables.book(app), asked, app.clock())[0]


def _plan(
    app: Billing, reads: Reading, book: Book, asked: Asked, at: datetime
) -> tuple[Plan, _Known]:
    app.must_know(asked.supplier)
    rules = _rules(app, asked, at)
    due = [
        r
        for r in book.open(due_before=rules.until + DAY, supplier=asked.supplier)
        if r.means == "direct_debit"
    ]
    known = _known(app, reads, due)
    agreed = {
        number: Agreed(contract.terms_on(rules.on).payment, contract.mandate)
        for number, contract in known.contracts.items()
    }
    categories = {code: party.category for code, party in known.parties.items()}
    profile, parties = asked.profile, known.parties

    @cache
    def fault_of(code: str, identifier: str) -> str:
        return _creditor_fault(parties[code], identifier)

    def fault(debit: Debit) -> str:
        told = fault_of(*debit.mandate.creditor_on(debit.collected_on))
        return told or pain008.fault(_direct_of(debit, parties), profile, rules.on)

    ending = _ending(app, reads, book, due, known, rules.on)
    return plan(due, known.mandates, agreed, categories, rules, fault, ending), known


def _creditor_fault(creditor: Identity, identifier: str) -> str:
    """Why no bank would collect for that company; "" when one would."""
    if not creditor.iban:
        return f"{creditor.code} has no account (IBAN) to be credited; `billing party amend`"
    try:
        identifiers.iban(creditor.iban)
        identifiers.creditor_identifier(identifier)
        if creditor.bic:
            identifiers.bic(creditor.bic)
    except ValueError as error:
        return f"{creditor.code}: {error}; `billing party amend`"
    return ""


def _rules(app: Billing, asked: Asked, at: datetime) -> Rules:
    ahead = Rules._field_defaults["ahead"]
    return Rules(
        on=app.today,
        until=asked.until or app.today + ahead * DAY,
        earliest={scheme: asked.profile.earliest(at, scheme) for scheme in ("CORE", "B2B")},
        retries=asked.retries,
        retry_days=asked.retry_days,
        again=reasons.AGAIN,
        stops=reasons.STOPS,
    )


def _known(app: Billing, reads: Reading, due: Sequence[Receivable]) -> _Known:
    rows = reads.states("contract", ids={contract_id(r.contract) for r in due})
    contracts = {row.name: app.contract_of(row) for row in rows}
    names = {r.mandate for r in due} | {c.mandate for c in contracts.values()}
    found = _states(reads, "mandate", names - {""})
    codes = {code for r in due for code in (r.supplier, r.client)}
    codes |= {mandate.known.creditor for mandate in found.values() if mandate.known is not None}
    parties = {code: one.identity for code, one in _states(reads, "party", codes).items()}
    return _Known(found, contracts, parties)


def _states(reads: Reading, kind: str, names: Iterable[str]) -> dict[str, Any]:
    rows = reads.states(kind, ids=[stream(kind, name) for name in names])
    decode = KINDS[kind].decode
    return {row.name: decode(row.body) for row in rows}


def _ending(
    app: Billing, reads: Reading, book: Book, due: Sequence[Receivable], known: _Known, on: date
) -> frozenset[str]:
    """The mandates of which every contract is over and billed, and nothing else is owed."""
    over = {number for number, contract in known.contracts.items() if _over(contract, on)}
    names = {known.contracts[number].mandate for number in over} - {""}
    names -= {contract.mandate for n, contract in known.contracts.items() if n not in over}
    if not names:
        return frozenset()
    for row in reads.states("contract"):
        contract = app.contract_of(row)
        if contract.mandate in names and not _over(contract, on):
            names.discard(contract.mandate)
    listed = {(r.supplier, r.number) for r in due}
    for client in {known.mandates[name].debtor for name in names if name in known.mandates}:
        for r in book.open(client):
            if r.means == "direct_debit" and (r.supplier, r.number) not in listed:
                names.discard(r.mandate)
    return frozenset(names)


def _over(contract: Contract, on: date) -> bool:
    end = contract.ends_on
    return end is not None and end <= on and contract.next_due() is None


# The files


class _Made(NamedTuple):
    """Files written beside their places, and the events that record them."""

    plan: Plan
    files: tuple[tuple[Handed, Path], ...]
    events: tuple[Event, ...]

    def forget(self) -> None:
        """The files were not recorded: nothing of them stays."""
        for _, pending in self.files:
            pending.unlink(missing_ok=True)


def collect(app: Billing, out: Path, asked: Asked) -> Collected:
    """Hands over all that is to be debited: files for the bank in a folder, and their record."""
    _must_be_a_folder(out)
    finished = tuple(finish(app, out))
    lapsed = mandates.lapse(app)
    with fewer_collections():
        made = _recorded_once(app, asked, out)
        for handed, pending in made.files:
            _give_name(pending, handed.path, handed.digest)
        receivables.follow(app.store)
    files = tuple(handed for handed, _ in made.files)
    return Collected(files, made.plan, (*lapsed, *made.events), finished)


def _recorded_once(app: Billing, asked: Asked, out: Path) -> _Made:
    """Files made, and recorded on the very record they were planned from.

    Planned before the append lock is taken, so that others may write meanwhile; under it in the
    end, if they always do.
    """
    for last in (False, False, True):
        position = app.store.log_position()
        made = _made(app, app.store, receivables.book(app), asked, out, app.clock())
        try:
            with app.store.transaction() as tx:
                tx.lock()
                stands = tx.log_position() == position
                if not stands:
                    made.forget()
                    if last:
                        receivables.catch_up(tx)
                        made = _made(app, tx, Book(tx), asked, out, app.clock())
                        stands = True
                if stands and made.events:
                    app.write_in(tx, made.events)
        except BaseException:
            made.forget()
            raise
        if stands:
            return made
    raise AssertionError("the last plan is made under the lock")


def _made(app: Billing, reads: Reading, book: Book, asked: Asked, out: Path, at: datetime) -> _Made:
    found, known = _plan(app, reads, book, asked, at)
    files: list[tuple[Handed, Path]] = []
    events: list[Event] = []
    versions = {name: mandate.version for name, mandate in known.mandates.items()}
    of_supplier: dict[str, list[Debit]] = defaultdict(list)
    for debit in found.debits:
        of_supplier[debit.receivable.supplier].append(debit)
    try:
        for supplier, debits in sorted(of_supplier.items()):
            base = _free(reads, supplier, app.today)
            for message in _messages(base, supplier, debits, known.parties, asked.profile, at):
                handed, pending = _written(message, supplier, out, asked.profile)
                files.append((handed, pending))
                events += _recorded(app, message, handed, debits, versions, known, asked, at)
    except BaseException:
        _Made(found, tuple(files), ()).forget()
        raise
    return _Made(found, tuple(files), tuple(events))


def _free(reads: Reading, supplier: str, on: date) -> str:
    """The first name of a file of that day that no other bears: company, day, rank."""
    for rank in count(1):
        name = f"{short(supplier, 14)}-{on:%Y%m%d}-{rank}"
        taken = [f"{supplier}/{name}", f"{supplier}/{name}-1"]
        if not reads.states("collection_file", names=taken):
            return name
    raise AssertionError("there is always another rank")


def _messages(
    name: str,
    supplier: str,
    debits: Sequence[Debit],
    parties: dict[str, Identity],
    profile: Profile,
    at: datetime,
) -> tuple[Message, ...]:
    creditor = parties[supplier]
    pairs = (
        (
            grouping.Group(
                creditor=creditor.name,
                iban=creditor.iban,
                bic=creditor.bic,
                creditor_identifier=debit.mandate.creditor_on(debit.collected_on)[1],
                scheme=debit.mandate.scheme,  # type: ignore[arg-type]
                sequence=debit.sequence,
                collected_on=debit.collected_on,
            ),
            _direct_of(debit, parties),
        )
        for debit in debits
    )
    return grouping.messages(name, at, creditor.name, pairs, profile)


def _direct_of(debit: Debit, parties: dict[str, Identity]) -> Direct:
    """A debit as the bank is asked for it."""
    before = _before(debit.original, debit.mandate, debit.collected_on, parties)
    return _direct(
        debit.end_to_end,
        debit.receivable.number,
        debit.amount,
        debit.mandate,
        parties[debit.mandate.debtor],
        before,
    )


class _Before(NamedTuple):
    """What the bank is told of an amendment: what was before, "" where nothing changed."""

    iban: str = ""
    bic: str = ""
    creditor: str = ""
    identifier: str = ""


def _before(
    original: Told | None, mandate: Mandate, on: date, parties: dict[str, Identity]
) -> _Before:
    if original is None:
        return _Before()
    now = mandate.told_on(on)
    name = parties[original.creditor].name
    account = original.iban != now.iban
    return _Before(
        original.iban if account else "",
        original.bic if account else "",
        name if name != parties[now.creditor].name else "",
        original.creditor_identifier
        if original.creditor_identifier != now.creditor_identifier
        else "",
    )


def _direct(
    end_to_end: str,
    invoice: str,
    amount: Decimal,
    mandate: Mandate,
    debtor: Identity,
    before: _Before,
) -> Direct:
    return Direct(
        end_to_end=end_to_end,
        amount=amount,
        mandate=mandate.reference,
        signed_on=mandate.signed_on,
        debtor=debtor.name,
        iban=mandate.iban,
        bic=mandate.bic,
        remittance=f"Facture {invoice}",
        original_iban=before.iban,
        original_bic=before.bic,
        original_creditor=before.creditor,
        original_creditor_identifier=before.identifier,
        address=debtor.address,
    )


def _written(message: Message, supplier: str, out: Path, profile: Profile) -> tuple[Handed, Path]:
    path = out / f"{message.id}.xml"
    if path.exists():
        raise Refused(f"{path} is there already, and no record of this database names it")
    pending = out / f".{message.id}.{uuid4().hex}.{PENDING}"
    written = pain008.write(pending, message, profile)
    handed = Handed(message.id, supplier, path, written.digest, written.count, written.total)
    return handed, pending


def _recorded(
    app: Billing,
    message: Message,
    handed: Handed,
    debits: Sequence[Debit],
    versions: dict[str, int],
    known: _Known,
    asked: Asked,
    at: datetime,
) -> Iterator[Event]:
    """What records a file: each debit on its mandate, then the file and its digest."""
    place = {one.end_to_end: batch for batch in message.batches for one in batch.collections}
    for debit in debits:
        batch = place.get(debit.end_to_end)
        if batch is None:
            continue
        name = debit.mandate.reference
        versions[name] += 1
        before = _before(debit.original, debit.mandate, debit.collected_on, known.parties)
        yield CollectionOrdered(
            originator_id=stream("mandate", name),
            originator_version=versions[name],
            recorded_at=at,
            recorded_by=app.user,
            end_to_end=debit.end_to_end,
            supplier=handed.supplier,
            invoice=debit.receivable.number,
            amount=debit.amount,
            collected_on=debit.collected_on,
            sequence=batch.sequence,
            file=message.id,
            announced_on=debit.announced_on,
            original_iban=before.iban,
            original_creditor=before.creditor,
            original_creditor_identifier=before.identifier,
            batch=batch.id,
            iban=debit.mandate.iban,
        )
    yield CollectionFileSubmitted(
        originator_id=stream("collection_file", f"{handed.supplier}/{message.id}"),
        originator_version=1,
        recorded_at=at,
        recorded_by=app.user,
        message=message.id,
        supplier=handed.supplier,
        schema=asked.profile.schema,
        created_on=app.today,
        count=handed.debits,
        total=handed.total,
        digest=handed.digest,
        profile=msgspec.json.encode(asked.profile).decode(),
    )


def _give_name(pending: Path, path: Path, digest: str) -> None:
    """Gives a recorded file its name, at once; another may have done so meanwhile."""
    try:
        os.link(pending, path)
    except FileExistsError:
        if _digest(path) != digest:
            raise Refused(
                f"{path} is there already, with other bytes than were recorded; write the file "
                "elsewhere with `billing collections --file`"
            ) from None
    except FileNotFoundError:
        if not path.exists():
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    pending.unlink(missing_ok=True)


def finish(app: Billing, out: Path) -> Iterator[Path]:
    """Gives their names to recorded files of a collection that was stopped before it could."""
    for unfinished in out.glob(f"*.{PENDING}.*.part"):
        with suppress(FileNotFoundError):
            _forgotten(unfinished)
    pendings = sorted(out.glob(f".*.{PENDING}"))
    if not pendings:
        return
    rows = app.store.states("collection_file")
    files = {file.digest: file for file in (KINDS["collection_file"].decode(r.body) for r in rows)}
    for pending in pendings:
        with suppress(FileNotFoundError):  # Another finishes it too.
            file = files.get(_digest(pending))
            if file is not None:
                path = out / f"{file.message}.xml"
                _give_name(pending, path, file.digest)
                yield path
            else:
                _forgotten(pending)


def _forgotten(path: Path) -> None:
    """Takes away what a collection that died left, once no other can be at it still."""
    if time.time() - path.stat().st_mtime > FORGOTTEN:
        path.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _must_be_a_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{out} cannot be the folder of the files: {error.strerror}") from None


# A file written again


def write_again(app: Billing, message: str, out: Path, supplier: str = "") -> Handed:
    """Writes a recorded file again from its events, the same to the byte."""
    found = [file for file in files(app, supplier) if file.message == message]
    if not found:
        raise Refused(f"no file {message}; `billing collections --files` lists those there are")
    if len(found) > 1:
        raise Refused(f"several companies handed over a {message}; say which with --supplier")
    supplier = found[0].supplier
    _must_be_a_folder(out)
    position, submitted = _submission(app, supplier, message)
    orders = [
        event
        for _, event in app.recorded(
            position - submitted.count, position - 1, [CollectionOrdered.TOPIC]
        )
        if isinstance(event, CollectionOrdered) and event.file == message
    ]
    parties = _parties_at(app, position)
    profile = msgspec.json.decode(submitted.profile.encode(), type=Profile)
    again = _message(submitted, orders, _mandates_before(app, orders), parties)
    path = out / f"{message}.xml"
    if path.exists() and _digest(path) == submitted.digest:
        return Handed(message, supplier, path, submitted.digest, submitted.count, submitted.total)
    pending = out / f".{message}.{uuid4().hex}.{PENDING}"
    written = pain008.write(pending, again, profile)
    if written.digest != submitted.digest:
        pending.unlink()
        raise Refused(
            f"file {message}: {submitted.digest} was recorded, and this version of the program "
            f"writes {written.digest}; nothing was written"
        )
    _give_name(pending, path, written.digest)
    return Handed(message, supplier, path, written.digest, written.count, written.total)


def _submission(app: Billing, supplier: str, message: str) -> tuple[int, CollectionFileSubmitted]:
    for position, event in app.recorded(topics=[CollectionFileSubmitted.TOPIC]):
        assert isinstance(event, CollectionFileSubmitted)
        if (event.supplier, event.message) == (supplier, message):
            return position, event
    raise AssertionError(f"{message} has a state and no event")


def _parties_at(app: Billing, position: int) -> dict[str, Identity]:
    topics = [PartyRegistered.TOPIC, PartyAmended.TOPIC]
    return {
        event.party.code: event.party
        for _, event in app.recorded(stop=position, topics=topics)
        if isinstance(event, PartyRegistered | PartyAmended)
    }


def _mandates_before(
    app: Billing, orders: Iterable[CollectionOrdered]
) -> dict[UUID, tuple[Mandate, ...]]:
    """Each mandate as each of its versions left it."""
    found: dict[UUID, tuple[Mandate, ...]] = {}
    for stored in app.store.read_events({order.originator_id for order in orders}):
        id = stored.originator_id
        assert isinstance(id, UUID)
        before = found.get(id, ())
        found[id] = (*before, apply_mandate(before[-1] if before else None, from_stored(stored)))
    return found


def _message(
    submitted: CollectionFileSubmitted,
    orders: Iterable[CollectionOrdered],
    known: dict[UUID, tuple[Mandate, ...]],
    parties: dict[str, Identity],
) -> Message:
    creditor = parties[submitted.supplier]
    batches: dict[str, tuple[CollectionOrdered, Mandate, list[Direct]]] = {}
    for order in orders:
        # As the debits of the file found it: before the first of them.
        mandate = known[order.originator_id][order.originator_version - 2]
        before = _Before(order.original_iban, "", order.original_creditor,
                         order.original_creditor_identifier)  # fmt: skip
        if order.original_iban and mandate.known is not None:
            before = before._replace(bic=mandate.known.bic)
        debtor = parties[mandate.debtor]
        direct = _direct(order.end_to_end, order.invoice, order.amount, mandate, debtor, before)
        batches.setdefault(order.batch, (order, mandate, []))[2].append(direct)
    return Message(
        id=submitted.message,
        created_at=submitted.recorded_at,
        initiator=creditor.name,
        batches=tuple(
            Batch(
                id=name,
                creditor=creditor.name,
                iban=creditor.iban,
                bic=creditor.bic,
                creditor_identifier=mandate.creditor_on(order.collected_on)[1],
                scheme=mandate.scheme,  # type: ignore[arg-type]
                sequence=order.sequence,
                collected_on=order.collected_on,
                collections=tuple(sorted(directs, key=lambda one: one.end_to_end)),
            )
            for name, (order, mandate, directs) in sorted(
                batches.items(), key=lambda item: int(item[0].rpartition("-")[2])
            )
        ),
    )


# What became of them


class Seen(NamedTuple):
    """A collection and what became of it: under way, settled or returned."""

    end_to_end: str
    supplier: str
    invoice: str
    amount: Decimal
    collected_on: date
    sequence: str
    file: str
    announced_on: date | None
    status: str
    on: date | None = None
    code: str = ""
    why: str = ""


def seen(
    app: Billing, supplier: str = "", file: str = "", status: str = "", days: Period | None = None
) -> list[Seen]:
    """The collections handed over, in that order, and what became of each."""
    app.must_know(supplier)
    found: dict[tuple[str, str], Seen] = {}
    topics = [one.TOPIC for one in (CollectionOrdered, CollectionSettled, CollectionReturned)]
    for _, event in app.recorded(topics=topics):
        assert isinstance(event, CollectionOrdered | CollectionSettled | CollectionReturned)
        key = event.supplier, event.end_to_end
        if isinstance(event, CollectionOrdered):
            found[key] = Seen(
                event.end_to_end, event.supplier, event.invoice, event.amount, event.collected_on,
                event.sequence, event.file, event.announced_on, "under way",
            )  # fmt: skip
        elif key not in found:
            continue
        elif isinstance(event, CollectionSettled):
            found[key] = found[key]._replace(status="settled", on=event.settled_on)
        else:
            found[key] = found[key]._replace(
                status="returned",
                on=event.returned_on,
                code=event.code,
                why=reasons.sentence(event.code),
            )
    return [
        one
        for one in found.values()
        if supplier in ("", one.supplier)
        and file in ("", one.file)
        and status in ("", one.status)
        and (days is None or one.collected_on in days)
    ]


def files(app: Billing, supplier: str = "") -> list[collection.File]:
    """The files handed over, by company and name."""
    decode: Callable[[bytes], collection.File] = KINDS["collection_file"].decode
    found = [decode(row.body) for row in app.store.states("collection_file")]
    return [file for file in found if supplier in ("", file.supplier)]


class MandateSeen(NamedTuple):
    """A mandate, why it is of no use today ("" when it is), and the contracts under it."""

    mandate: Mandate
    trouble: str
    contracts: tuple[str, ...]


def mandates_seen(app: Billing, client: str = "", unusable_only: bool = False) -> list[MandateSeen]:
    """The mandates and how they stand today."""
    under: dict[str, list[str]] = defaultdict(list)
    for contract in app.contracts():
        if contract.mandate:
            under[contract.mandate].append(contract.number)
    found = [KINDS["mandate"].decode(row.body) for row in app.store.states("mandate")]
    chosen: list[Mandate] = [one for one in found if client in ("", one.debtor)]
    parties = _states(app.store, "party", {one.debtor for one in chosen})
    rows = []
    for one in chosen:
        category = parties[one.debtor].identity.category
        trouble = usable(one, app.today, category, reasons.STOPS)
        if trouble or not unusable_only:
            rows.append(MandateSeen(one, trouble, tuple(under[one.reference])))
    return rows


# What the debtors are told


class Notice(NamedTuple):
    """A debit a client is to be told of (pré-notification): all that the notice says."""

    client: str
    email: str
    invoice: str
    contract: str
    mandate: str
    creditor: str
    creditor_identifier: str
    amount: Decimal
    collected_on: date
    why: str


class Announced(NamedTuple):
    """The notices to send, and the events that record they were."""

    notices: tuple[Notice, ...]
    events: tuple[Event, ...]


def announce(app: Billing, asked: Asked, contract: str = "", dry: bool = False) -> Announced:
    """Tells the clients of debits that no invoice announces for a day that can still be kept."""
    if contract:
        app.contract(contract)
    notices: list[Notice] = []
    at = app.clock()

    def decide(reads: Reading, book: Book) -> Iterator[Event]:
        notices.clear()
        found, known = _plan(app, reads, book, asked, at)
        told: dict[str, list[Left]] = defaultdict(list)
        for left in found.left:
            if left.to_announce_for is not None and contract in ("", left.receivable.contract):
                told[left.mandate].append(left)
        for name, some in sorted(told.items()):
            mandate = known.mandates[name]
            notices.extend(_notice(left, mandate, known.parties) for left in some)
            event = CollectionsAnnounced(
                announced_on=app.today,
                debits=tuple(
                    AnnouncedDebit(
                        contract=left.receivable.contract,
                        invoice=left.receivable.number,
                        amount=left.amount,
                        collected_on=left.to_announce_for or app.today,
                    )
                    for left in some
                ),
            )
            yield from app.stamp([event], stream("mandate", name), mandate.version)

    if dry:
        list(decide(app.store, receivables.book(app)))
        return Announced(tuple(notices), ())
    recorded = receivables.record(app, decide)
    return Announced(tuple(notices), tuple(recorded))


def _notice(left: Left, mandate: Mandate, parties: dict[str, Identity]) -> Notice:
    r = left.receivable
    assert left.to_announce_for is not None
    creditor, identifier = mandate.creditor_on(left.to_announce_for)
    return Notice(
        r.client,
        parties[r.client].email,
        r.number,
        r.contract,
        mandate.reference,
        creditor,
        identifier,
        left.amount,
        left.to_announce_for,
        left.why,
    )


class Line(NamedTuple):
    """A debit of a schedule: an invoice issued, or one to come at today's prices."""

    collected_on: date
    amount: Decimal
    due_on: date
    invoice: str
    period: Period | None
    status: str


class Schedule(NamedTuple):
    """The debits of a year under a mandate (échéancier), and why there are no more, if so."""

    contract: str
    client: str
    mandate: str
    creditor: str
    creditor_identifier: str
    iban: str
    year: int
    lines: tuple[Line, ...]
    stopped: str

    @property
    def total(self) -> Decimal:
        """The debits of the year, in euros."""
        return sum((line.amount for line in self.lines), Decimal("0.00"))


def schedule(app: Billing, number: str, year: int) -> Schedule:
    """The debits of a contract in a year, at today's prices: each its day and its amount.

    Told of in advance, a debit needs no notice of its own: it falls on the first agreed day on or
    after the due day of its invoice.
    """
    contract = app.contract(number)
    payment = contract.terms.payment
    if payment.means != "direct_debit" or not contract.mandate:
        raise Refused(f"{number} is not collected by direct debit: it has no schedule of debits")
    mandate = app.mandate(contract.mandate)
    assert mandate is not None
    debtor = app.party(mandate.debtor)
    category = debtor.identity.category if debtor else "professional"
    if why := usable(mandate, app.today, category, reasons.STOPS):
        raise Refused(f"{number}: {why}")
    lines = [
        Line(day, r.gross, r.due_on, r.number, r.period, _status(r))
        for r in receivables.book(app).documents(contract.client)
        if r.contract == number and r.means == "direct_debit"
        and (day := _debited_on(r, mandate)) is not None and day.year == year
    ]  # fmt: skip
    ahead = outlook.forecast(
        contract, app.book(), app.today, SCHEDULED, date(year + 1, 1, 1), outlook.parents_of(app)
    )
    for coming in ahead.invoices:
        day = collected_on(payment, coming.due_on, app.today)
        if coming.means == "direct_debit" and day.year == year and coming.gross > 0:
            lines.append(Line(day, coming.gross, coming.due_on, "", coming.period, "to come"))
    creditor, identifier = mandate.creditor_on(date(year, 1, 1))
    return Schedule(
        number,
        mandate.debtor,
        mandate.reference,
        creditor,
        identifier,
        mandate.iban,
        year,
        tuple(sorted(lines, key=lambda line: (line.collected_on, line.invoice))),
        ahead.stopped,
    )


def _debited_on(r: Receivable, mandate: Mandate) -> date | None:
    """The day a document is debited, as far as is known; the day it was paid once it is."""
    if r.owed <= 0 and r.movements:
        return max(movement.on for movement in r.movements)
    told = [one.collected_on for one in mandate.announced if one.invoice == r.number]
    return r.collecting_on or max(told, default=r.collected_on)


def _status(r: Receivable) -> str:
    if r.owed <= 0:
        return "paid"
    return f"debit of {r.collecting_on} under way" if r.collecting else "invoiced"


def announce_schedule(app: Billing, told: Schedule) -> list[Event]:
    """Records that the client was told of the debits to come of a schedule."""
    coming = tuple(
        AnnouncedDebit(contract=told.contract, amount=line.amount, collected_on=line.collected_on)
        for line in told.lines
        if line.status == "to come"
    )
    if not coming:
        raise Refused(f"{told.contract}: no debit of {told.year} is still to come")
    mandate = app.mandate(told.mandate)
    assert mandate is not None
    known = {(one.contract, one.amount, one.collected_on) for one in mandate.announced}
    fresh = tuple(
        one for one in coming if (one.contract, one.amount, one.collected_on) not in known
    )
    if not fresh:
        raise Refused(f"{told.contract}: all these debits were announced already")
    event = CollectionsAnnounced(announced_on=app.today, debits=fresh, how="schedule")
    events = app.stamp([event], stream("mandate", told.mandate), mandate.version)
    app.save(*events)
    return list(events)
