"""What a projection is: tables, the events that change them, and the rows of a stream.

The rows of a stream are a function of its events (StreamView), or of the state that billing keeps
of it (StateView), and replace those that were there. So a projection that followed the log and one
rebuilt from nothing hold the same rows, and a crash between the two repeats what it had done.
A LogView has a row for each event, by its position.

Views may be ahead of the position they are tracked at, never behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Table

from billing.application import Billing, receivables
from billing.application.lines import line
from billing.application.outlook import (
    STATUSES,
    Standing,
    ahead,
    next_billed,
    standing,
    why_it_ends,
    why_it_runs,
)
from billing.application.receivables import client_id as party_id
from billing.application.receivables import payment_id
from billing.application.states import KINDS, Kind
from billing.application.words import happened_on
from billing.bank_entry import Waiting
from billing.clauses.fees import Item
from billing.clauses.renewal import last_day_for_notice, prompt_on
from billing.contract.state import READS, Contract, Covered, Instalment, clauses_of, fold
from billing.events import TOPICS, Event
from billing.events.contract import ContractSigned
from billing.identity import contract_id, invoice_id
from billing.mandate import Mandate
from billing.party import Party
from billing.payment import Payment
from billing.record import Reader, from_stored
from billing.store.store import Reading
from projections.database import Row, Totals

Rows = dict[Table, list[Row]]
Told = tuple[Table, Row]
T = TypeVar("T")


class Part:
    """What of an event is decoded, and what is looked at once it is; either raises MsgspecError."""

    def __init__(self, shape: type, look: Callable[[Any], object]) -> None:
        self.shape = shape
        self.look = look
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode

    def of(self, body: bytes) -> Any:
        """That part of an event."""
        event = self._decode(body)
        self.look(event)
        return event


Reads = Mapping[str, Part]
"""By topic, what is looked at of an event, where that is not all of it."""
WHOLE: Reads = {}

PAGE = 2_000  # Streams whose rows are made at once.


class Noted:
    """An event of the log at its position, decoded when someone looks at it."""

    __slots__ = ("_event", "position", "stored", "stream", "topic")

    def __init__(self, position: int, stored: StoredEvent) -> None:
        self.position = position
        self.stored = stored
        self.stream: UUID = stored.originator_id  # type: ignore[assignment]
        self.topic = stored.topic
        self._event: Event | None = None

    @property
    def version(self) -> int:
        """Its version in its stream."""
        return self.stored.originator_version

    @property
    def event(self) -> Event:
        """The event. Raises UnknownEvent for what this program cannot read."""
        if self._event is None:  # A cached_property would take a lock each time.
            self._event = from_stored(self.stored)
        return self._event

    def read(self, reads: Reads) -> Any:
        """The event, or of one of these topics no more than that."""
        part = reads.get(self.topic) if self._event is None else None
        if part is not None:
            with suppress(msgspec.MsgspecError):
                return part.of(self.stored.state)
        return self.event


class Source:
    """What rows are made from: the streams of the log, and the states billing keeps of them."""

    def __init__(
        self, app: Billing, batch: Sequence[Noted] = (), reading: Reading | None = None
    ) -> None:
        self.app = app
        self.reading = reading or app.store  # The store, or a transaction that has written.
        self._begun: dict[UUID, list[Noted]] = {}
        for noted in batch:
            if noted.stored.originator_version == 1:
                self._begun[noted.stream] = [noted]
            elif noted.stream in self._begun:
                self._begun[noted.stream].append(noted)
        self._read: dict[tuple[UUID, frozenset[str]], list[Noted]] = {}
        self._states: dict[str, dict[UUID, Any]] = {}

    def events(
        self, ids: Sequence[UUID], topics: frozenset[str], reads: Reads = WHOLE
    ) -> dict[UUID, list[Any]]:
        """The events of these topics in each stream, of some no more than `reads`.

        A stream that begins in the batch is all there: what comes later will be asked for later.
        """
        missing = [id for id in ids if id not in self._begun and (id, topics) not in self._read]
        for id in missing:
            self._read[id, topics] = []
        for stored in self.reading.read_events(missing, topics):
            noted = Noted(0, stored)
            self._read[noted.stream, topics].append(noted)
        return {
            id: [
                noted.read(reads)
                for noted in self._begun.get(id) or self._read[id, topics]
                if noted.topic in topics
            ]
            for id in ids
        }

    def streams(
        self, topics: Iterable[str], reads: Reads = WHOLE
    ) -> Iterator[tuple[UUID, list[Any]]]:
        """Every stream of the log that has events of these topics, with them."""
        read = Reader({one: reads[one].shape if one in reads else TOPICS[one] for one in topics})
        looked_at = {part.shape: part.look for part in reads.values()}
        for id, length, told in self.reading.read_by_stream(sorted(topics)):
            events = read(id, length, told)
            try:
                for event in events if looked_at else ():
                    if look := looked_at.get(type(event)):
                        look(event)
            except msgspec.MsgspecError:
                read.find_unreadable(id, told)
                raise
            yield id, events

    def states(self, kind: str, ids: Sequence[UUID] | None = None) -> Iterator[tuple[UUID, Any]]:
        """States of a kind (contract, party, mandate, receivable, payment …), decoded: of these
        streams, or all."""
        decode = _kind(kind).decode
        if ids is None:
            for row in self.reading.all_states(kind):
                yield row.id, self.app.contract_of(row) if kind == "contract" else decode(row.body)
            return
        known = self._states.setdefault(kind, {})
        missing = [id for id in ids if id not in known]
        for row in self.reading.states(kind, ids=missing) if missing else ():
            known[row.id] = self.app.contract_of(row) if kind == "contract" else decode(row.body)
        yield from ((id, known[id]) for id in ids if id in known)


def _kind(name: str) -> Kind:
    return {**KINDS, **{one.name: one for one in (receivables.RECEIVABLE, receivables.PAYMENT)}}[
        name
    ]


class View:
    """A projection. `version` is raised whenever its rows would be others: it is then rebuilt."""

    name: ClassVar[str]
    tables: ClassVar[tuple[Table, ...]]
    totals: ClassVar[tuple[Totals, ...]] = ()
    topics: ClassVar[frozenset[str]]
    follows_receivables: ClassVar[bool] = False

    @property
    def version(self) -> int:
        """Of its rows: the code, and whatever else they are made by."""
        return 1

    @property
    def sums(self) -> tuple[Table, ...]:
        """The tables of its totals."""
        return tuple(one.table for one in self.totals)

    @property
    def every_table(self) -> tuple[Table, ...]:
        """Its tables, those of its totals too."""
        return (*self.tables, *self.sums)

    def touches(self, noted: Noted) -> Iterable[UUID]:
        """The streams whose rows may change with an event: its own, unless a view says more."""
        return (noted.stream,)

    def change(self, source: Source, batch: Sequence[Noted]) -> tuple[list[UUID], Rows]:
        """The streams a batch of events touches, and the rows they now have."""
        wanted = [noted for noted in batch if noted.topic in self.topics]
        ids = list(dict.fromkeys(id for noted in wanted for id in self.touches(noted)))
        return ids, gathered(self.tables, self.of(source, ids))

    def of(self, source: Source, ids: Sequence[UUID]) -> Iterator[Told]:
        """The rows of these streams, each with its table."""
        raise NotImplementedError

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """All rows there are at the end of the log (`until`) or later, some at a time."""
        raise NotImplementedError


class StreamView(View):
    """Rows made from the events of a stream."""

    reads: ClassVar[Reads] = WHOLE

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterable[Told]:
        """The rows of a stream, from all its events of `topics`, in order; never none of them."""
        raise NotImplementedError

    def of(self, source: Source, ids: Sequence[UUID]) -> Iterator[Told]:
        """Folds each of them."""
        for id, events in source.events(ids, self.topics, self.reads).items():
            if events:
                yield from self.fold(id, events)

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """Folds every stream of the log."""
        streams = source.streams(self.topics, self.reads)
        yield from paged(self.tables, streams, lambda one: self.fold(*one))


class StateView(View):
    """Rows made from the state billing keeps of each aggregate of a kind, or of several."""

    kind: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ()

    def show(self, id: UUID, state: Any) -> Iterable[Told]:
        """The rows of an aggregate."""
        raise NotImplementedError

    def of(self, source: Source, ids: Sequence[UUID]) -> Iterator[Told]:
        """Shows each of them; one that is of a kind is looked for among no other."""
        left = dict.fromkeys(ids)
        for kind in self.kinds or (self.kind,):
            for id, state in source.states(kind, list(left)):
                del left[id]
                yield from self.show(id, state)

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """Shows every aggregate of the kind."""
        for kind in self.kinds or (self.kind,):
            yield from paged(self.tables, source.states(kind), lambda one: self.show(*one))


class LogView(View):
    """A row for each event, keyed by its position; none is ever replaced."""

    def row(self, position: int, stream: Any, version: int, topic: str, body: bytes | str) -> Row:
        """The row of an event: its stream in any form the database takes, its body in JSON."""
        raise NotImplementedError

    def change(self, source: Source, batch: Sequence[Noted]) -> tuple[list[UUID], Rows]:
        """Rows of the events of a batch."""
        (table,) = self.tables
        rows = [
            self.row(one.position, one.stream, one.version, one.topic, one.stored.state)
            for one in batch
            if one.topic in self.topics
        ]
        return [], {table: rows}

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """Rows of every event up to a position."""
        (table,) = self.tables
        for page in source.reading.log_pages(until, sorted(self.topics), PAGE):
            yield {table: [self.row(*logged) for logged in page]}


def topics_of(*kinds: type[Event]) -> frozenset[str]:
    """The topics of kinds of events."""
    return frozenset(kind.TOPIC for kind in kinds)


SHARED_CLAUSES: Reads = {ContractSigned.TOPIC: Part(READS[ContractSigned][1], clauses_of)}
"""Of a signature the clauses, half of what there is to decode, are read once for all that have the
same."""


def contract_from(events: Iterable[Event]) -> Contract:
    """The contract that events of one stream lead to; those a view is not told of are missed.

    What billing has done is best left out: its events are most of a contract's, and where they
    are folded, prices of days already billed are forgotten.
    """
    contract = fold(None, events)
    assert contract is not None
    return contract


def gathered(tables: Iterable[Table], told: Iterable[Told]) -> Rows:
    """Rows by table."""
    rows: Rows = {table: [] for table in tables}
    for table, row in told:
        rows[table].append(row)
    return rows


def paged(
    tables: Iterable[Table], found: Iterator[T], rows_of: Callable[[T], Iterable[Told]]
) -> Iterator[Rows]:
    """The rows of some at a time; each is looked at when its turn comes."""
    while some := list(islice(found, 1)):
        page = chain(some, islice(found, PAGE - 1))
        yield gathered(tables, (told for one in page for told in rows_of(one)))


def counted(rows: Mapping[Table, Sequence[Row]]) -> int:
    """How many rows there are."""
    return sum(map(len, rows.values()))


__all__ = [
    "SHARED_CLAUSES",
    "STATUSES",
    "Contract",
    "Covered",
    "Instalment",
    "Item",
    "LogView",
    "Mandate",
    "Noted",
    "Party",
    "Payment",
    "Rows",
    "Source",
    "Standing",
    "StateView",
    "StreamView",
    "Told",
    "View",
    "Waiting",
    "ahead",
    "contract_from",
    "contract_id",
    "counted",
    "happened_on",
    "invoice_id",
    "last_day_for_notice",
    "line",
    "next_billed",
    "party_id",
    "payment_id",
    "prompt_on",
    "standing",
    "topics_of",
    "why_it_ends",
    "why_it_runs",
]
