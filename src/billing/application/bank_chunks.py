"""Chunks of a bank file, decided and recorded one after another, each in one transaction.

While the database writes one chunk the next is decided, from what is committed. That is a guess
that nobody else records anything meanwhile: under the append lock the position of the log is
compared, and a chunk that guessed wrong is decided again there, by `receivables.record`. So is a
chunk in which something happens that more than the book must hear of (a contract's charge, a
deposit). What the next chunk would read of the one being written makes it wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from uuid import UUID

from eventsourcing.persistence import Tracking

from billing.application import receivables
from billing.application.bank_desk import Desk, Line, Outcome, Payers, Written
from billing.application.core import Billing
from billing.application.receivables import Book
from billing.events import Event
from billing.receivable import Receivable
from billing.record import to_stored
from billing.store import Conflict, Store, Tx
from billing.store.store import Encoded, Reading

T = TypeVar("T")
TOLD = 1_000  # Sentences kept of one file.

Note = Callable[[Line, Outcome], None]


class _Moved(Exception):
    """Somebody else recorded something since it was decided."""


class _UnderWay(NamedTuple):
    """A chunk being written, and what was decided of it."""

    chunk: Sequence[Line]
    outcomes: list[Outcome]
    told: list[str]
    ids: frozenset[UUID]
    position: Future[int]


class Chunks:
    """The chunks of one file; `note` is told what became of each line once it is recorded."""

    def __init__(
        self, app: Billing, payers: Payers, prefixes: dict[str, str], dry: bool, note: Note
    ) -> None:
        self._app = app
        self._payers = payers
        self._prefixes = prefixes
        self._note = note
        self._dry = self._desk(app.store, Book(app.store)) if dry else None
        self._position = app.store.tracked(receivables.NAME) or 0
        self._writer: ThreadPoolExecutor | None = None
        self._underway: _UnderWay | None = None
        self.told: list[str] = []

    @contextmanager
    def open(self) -> Iterator[Chunks]:
        """At the end all is written."""
        # In SQLite this process does the database's work, and cannot do its own meanwhile.
        if self._app.store.in_process:
            yield self
            self.settle()
            return
        with ThreadPoolExecutor(1, "bank") as self._writer:
            yield self
            self.settle()

    def decide(self, chunk: Sequence[Line]) -> None:
        """What the lines mean, recorded together."""
        if self._dry is not None:
            self._done(chunk, self.run(lambda desk: _decided(desk, chunk)))
            return
        desk = self._desk(self._app.store, Book(self._app.store), waits=True)
        outcomes = _decided(desk, chunk)
        written = desk.written()
        self.settle()
        if written is None:
            self._done(chunk, self.run(lambda desk: _decided(desk, chunk)))
            return
        encoded = self._app.store.encode([to_stored(event) for event in desk.events])
        arguments = self._app.store, encoded, written, self._position
        if self._writer is None:
            position: Future[int] = Future()
            try:
                position.set_result(_write(*arguments))
            except (_Moved, Conflict) as error:
                position.set_exception(error)
        else:
            position = self._writer.submit(_write, *arguments)
        ids = frozenset(written.ids)
        self._underway = _UnderWay(chunk, outcomes, desk.told, ids, position)

    def settle(self, ids: Iterable[UUID] | None = None) -> None:
        """Waits for the chunk that is being written, if it is about any of these streams."""
        underway = self._underway
        if underway is None or (ids is not None and underway.ids.isdisjoint(ids)):
            return
        self._underway = None
        try:
            self._position = underway.position.result()
        except (_Moved, Conflict):
            chunk = underway.chunk
            self._done(chunk, self.run(lambda desk: _decided(desk, chunk)))
            return
        self._tell(underway.told)
        self._done(underway.chunk, underway.outcomes)

    def run(self, work: Callable[[Desk], T]) -> T:
        """Decisions of one transaction, taken under the append lock."""
        if self._dry is not None:
            done = work(self._dry)
            self._tell(self._dry.told)
            self._dry.told.clear()
            self._dry.events.clear()
            return done
        self.settle()
        found: list[tuple[T, Desk]] = []

        def decide(tx: Tx, book: Book) -> Iterable[Event]:
            desk = self._desk(tx, book)
            found.append((work(desk), desk))
            return desk.events

        receivables.record(self._app, decide)
        self._position = self._app.store.tracked(receivables.NAME) or 0
        done, desk = found[-1]
        self._tell(desk.told)
        return done

    def documents(self, ids: Sequence[UUID]) -> dict[UUID, Receivable]:
        """Documents as the decisions so far leave them."""
        if self._dry is None:
            self.settle()
            return Book(self._app.store).many(ids)
        self._dry.preload(ids)
        return {id: self._dry.known(id) for id in ids}

    def _desk(self, reads: Reading, book: Book, waits: bool = False) -> Desk:
        wait = self.settle if waits else _nothing
        return Desk(self._app, book, reads, self._payers, self._prefixes, wait)

    def _done(self, chunk: Sequence[Line], outcomes: Sequence[Outcome]) -> None:
        for line, outcome in zip(chunk, outcomes, strict=True):
            self._note(line, outcome)

    def _tell(self, told: Sequence[str]) -> None:
        self.told += told[: max(TOLD - len(self.told), 0)]


def _decided(desk: Desk, chunk: Sequence[Line]) -> list[Outcome]:
    desk.prepare(chunk)
    return [desk.decide(line) for line in chunk]


def _nothing(ids: Iterable[UUID] | None = None) -> None:
    """What is decided under the lock waits for nobody."""


def _write(store: Store, events: Encoded, written: Written, position: int) -> int:
    """Writes a chunk as it was decided, if the log is where it was; where it is then."""
    if not events.rows:
        return position
    with store.transaction() as tx:
        tx.lock()
        if tx.log_position() != position:
            raise _Moved
        last = tx.append(events)[-1]
        tx.put_states(written.rows, written.expected)
        tx.track(Tracking(receivables.NAME, last))
    return last
