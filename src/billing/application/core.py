"""The application: the only reader and writer of the log.

Events and the states they lead to are written in one transaction, or not at all.
"""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from eventsourcing.application import AggregateNotFoundError, Application, ProcessingEvent
from eventsourcing.persistence import Mapper, Notification, Recording

from billing import publication
from billing.application import receivables
from billing.application.states import (
    FOLDED,
    KINDS,
    Folded,
    Kind,
    contract_row,
    decoder,
    fewer_collections,
    folds,
    kind_of_event,
    row_of,
    shorter_turns,
)
from billing.clauses import Terms
from billing.contract.state import Contract, apply, fold, intern_terms, terms_named
from billing.events import Event, stamped
from billing.events.base import E
from billing.events.contract import ContractEvent, ContractSigned, TermsAmended
from billing.events.index import IndexPublished, SeriesDeclared, SeriesReplaced
from billing.identity import contract_id, invoice_id, stream
from billing.invoice import Invoice
from billing.invoice import fold as fold_invoice
from billing.mandate import Mandate
from billing.party import Party
from billing.record import EventMapper, UnknownEvent, from_stored, to_stored
from billing.refusal import Refused
from billing.store import Conflict, StateRow, Store, Tx
from indices import IndexBook, shipped

ATTEMPTS = 5
PARIS = ZoneInfo("Europe/Paris")
FOLDS = 2_000  # States held in memory while all are made again or compared.
_terms = decoder("terms", msgspec.json.Decoder(Terms).decode)


def project(contract: Contract | None, events: Iterable[Event]) -> Contract | None:
    """The projector of a contract, as the library's repository calls it."""
    return fold(contract, events)


_projector: Any = project  # The library's types know aggregates of its own only.


class Billing(Application[UUID]):
    """Contracts and all that follows, on the database DATABASE_URL names.

    `clock` tells the moment events are recorded; it is read here and nowhere below.
    """

    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "billing.store",
        "DATABASE_URL": "sqlite:///billing.db",
    }

    _lent = False

    def __init__(
        self,
        env: dict[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        user: str | None = None,
    ) -> None:
        super().__init__(env)
        self.clock = clock
        self.user = user or _who()
        self.store: Store = self.recorder.store  # type: ignore[attr-defined]
        self._book: tuple[int, IndexBook] | None = None
        self._terms_known: set[str] = set()

    def acting(self, user: str, store: Store | None = None) -> Billing:
        """This application for another user: one command of a server that takes many's.

        `store` is the same database with a condition of its own on what is written.
        """
        twin = copy(self)
        twin.user = user
        twin.store = store or self.store
        twin._lent = True
        return twin

    def close(self) -> None:
        """Lets go of the database, unless it is another application's: a twin goes by itself."""
        if not self._lent:
            super().close()

    def construct_mapper(self) -> Mapper[UUID]:
        """Our own encoding of events, beneath the library's event store."""
        return EventMapper()

    @property
    def today(self) -> date:
        """The civil date in Paris."""
        return self.clock().astimezone(PARIS).date()

    # Writing

    def _record(self, processing_event: ProcessingEvent[UUID]) -> list[Recording[UUID]]:
        """What `save` records goes down the same path as everything else."""
        events: list[Any] = processing_event.events
        positions = self.write(events)
        return [
            Recording(
                event,
                Notification(
                    originator_id=event.originator_id,
                    originator_version=event.originator_version,
                    topic=event.TOPIC,
                    state=to_stored(event).state,
                    id=position,
                ),
            )
            for event, position in zip(events, positions, strict=True)
        ]

    def write(self, events: Sequence[Event]) -> range:
        """Records events and the states they lead to; a version taken meanwhile is a Conflict."""
        if not events:
            return range(0)
        with self.store.transaction() as tx:
            tx.lock()
            return self.write_in(tx, events)

    def write_in(self, tx: Tx, events: Sequence[Event]) -> range:
        """The same within a transaction that already is the only writer."""
        kinds: dict[UUID, Kind] = {}
        for event in events:
            if event.originator_id not in kinds and (kind := kind_of_event(event)):
                kinds[event.originator_id] = kind
        states: dict[UUID, Any] = {}
        expected = dict.fromkeys(kinds, 0)
        for kind in dict.fromkeys(kinds.values()):
            ids = [id for id, one in kinds.items() if one is kind]
            for row in tx.states(kind.name, ids=ids):
                states[row.id], expected[row.id] = kind.decode(row.body), row.version
        for event in events:
            id = event.originator_id
            if id in kinds:
                states[id] = kinds[id].apply(states.get(id), event)
        positions = tx.append([to_stored(event) for event in events])
        self.put_terms(
            tx,
            {e.terms_id: e.terms for e in events if isinstance(e, ContractSigned | TermsAmended)},
        )
        tx.put_states(
            [row_of(kind, id, states[id]) for id, kind in kinds.items()], list(expected.values())
        )
        return positions

    def put_terms(self, tx: Tx, agreed: Mapping[str, Terms]) -> None:
        """Keeps the clauses by their digest, as the states name them."""
        fresh = agreed.keys() - self._terms_known
        if fresh:
            tx.put_states(
                [
                    StateRow(
                        stream("form", f"terms/{name}"),
                        "terms",
                        name,
                        1,
                        msgspec.json.encode(agreed[name]),
                    )
                    for name in sorted(fresh)
                ]
            )
            self._terms_known.update(fresh)

    def stamp(self, decisions: Iterable[E], id: UUID, version: int, by: str = "") -> list[E]:
        """The decisions as they will be recorded, after that version of the stream."""
        at, by = self.clock(), by or self.user
        return [
            stamped(decision, id, version + rank, at, by)
            for rank, decision in enumerate(decisions, 1)
        ]

    def change(
        self,
        number: str,
        decision: Callable[[Contract], Iterable[ContractEvent]],
        by: str = "",
    ) -> list[ContractEvent]:
        """One decision on one contract, recorded; raises Refused when it is not allowed.

        Decided anew when something else was recorded of the contract meanwhile.
        """
        for attempt in range(ATTEMPTS):
            contract = self.contract(number)
            events = self.stamp(decision(contract), contract_id(number), contract.version, by)
            try:
                self.save(*events)
            except Conflict:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return events
        raise AssertionError("the last attempt returns or raises")

    # Reading

    def contract(self, number: str, version: int | None = None) -> Contract:
        """The contract now, or as it was at a version, replayed from its events."""
        try:
            found: Any = self.repository.get(
                contract_id(number), version=version, projector_func=_projector
            )
        except AggregateNotFoundError:
            raise Refused(f"no contract {number}; `billing list` shows those there are") from None
        contract: Contract = found
        return contract

    def history(self, number: str) -> list[ContractEvent]:
        """All events of a contract, in order."""
        events: list[Any] = list(self.events.get(contract_id(number)))
        if not events:
            raise Refused(f"no contract {number}; `billing list` shows those there are")
        return events

    def contract_of(self, row: StateRow) -> Contract:
        """The contract a state row holds."""
        contract: Contract = KINDS["contract"].decode(row.body)
        for _, name in contract.terms_ids:
            if name not in self._terms_known:
                self.learn_terms()
                break
        return contract

    def learn_terms(self) -> None:
        """Reads the clauses that the states name by their digest."""
        for row in self.store.states("terms"):
            if row.name not in self._terms_known:
                intern_terms(row.name, _terms(row.body))
                self._terms_known.add(row.name)

    def contracts(self) -> Iterator[Contract]:
        """Every contract as it is now, by number."""
        for row in self.store.states("contract"):
            yield self.contract_of(row)

    def party(self, code: str) -> Party | None:
        """The party of that code."""
        row = self.store.state("party", code)
        return None if row is None else KINDS["party"].decode(row.body)

    def must_know(self, *codes: str | None) -> None:
        """Refuses the code of a party that is none: a typing error is no empty answer."""
        for code in codes:
            if code and self.party(code) is None:
                raise Refused(f"no party {code}; `billing party show` lists those there are")

    def mandate(self, reference: str) -> Mandate | None:
        """The mandate of that reference."""
        row = self.store.state("mandate", reference)
        return None if row is None else KINDS["mandate"].decode(row.body)

    def invoice_events(self, number: str, supplier: str = "") -> list[Event]:
        """The events of an invoice or credit note; the supplier is needed when several bear it."""
        suppliers = [supplier] if supplier else self.suppliers()
        found = []
        for code in suppliers:
            events: list[Any] = list(self.events.get(invoice_id(code, number)))
            if events:
                found.append(events)
        if not found:
            raise Refused(f"no invoice {number}; `billing invoices` shows those there are")
        if len(found) > 1:
            raise Refused(f"several companies issued a {number}; say which with --supplier")
        return found[0]

    def invoice(self, number: str, supplier: str = "") -> Invoice:
        """An invoice as it is now."""
        invoice = fold_invoice(self.invoice_events(number, supplier))
        if invoice is None:
            raise Refused(f"{number} is no invoice: it is a credit note or a debit note")
        return invoice

    def suppliers(self) -> list[str]:
        """The codes of the companies that have issued invoices."""
        return list(dict.fromkeys(r.name.rpartition("/")[0] for r in self.store.states("numbers")))

    def recorded(
        self, start: int = 1, stop: int | None = None, topics: Sequence[str] | None = None
    ) -> Iterator[tuple[int, Event]]:
        """Positions and events, in the order they were recorded."""
        for position, stored in self.store.read_log(start, stop, topics=topics):
            yield position, from_stored(stored)

    # The index book

    def book(self) -> IndexBook:
        """The published series as the log knows them now."""
        position = self.store.log_position()
        if self._book is None or self._book[0] != position:
            published = [KINDS["index"].decode(row.body) for row in self.store.states("index")]
            self._book = (position, publication.book_of(published))
        return self._book[1]

    def book_at(self, position: int) -> IndexBook:
        """The book as it was when the log had that many events."""
        series: dict[UUID, publication.Published] = {}
        topics = [
            "index.series_declared",
            "index.published",
            "index.corrected",
            "index.series_replaced",
        ]
        for _, event in self.recorded(stop=position, topics=topics):
            id = event.originator_id
            series[id] = publication.apply(series.get(id), event)
        return publication.book_of(series.values())

    def publish_shipped(self) -> int:
        """Records the series and values shipped with the product that the log lacks; how many."""
        book = shipped()
        known = {row.name: row for row in self.store.states("index")}
        events: list[Event] = []
        values = 0
        links = {link.old_series: link for link in book.links()}
        for name, series in book.series().items():
            before = KINDS["index"].decode(known[name].body) if name in known else None
            held = set(before.observations) if before else set()
            fresh = tuple(o for o in book.observations(name) if o not in held)
            told: list[Event] = []
            if before is None or before.series is None:
                told.append(SeriesDeclared(series=series))
            if fresh:
                told.append(IndexPublished(series=name, observations=fresh))
            link = links.get(name)
            if link is not None and (before is None or link not in before.links):
                told.append(SeriesReplaced(series=name, link=link))
            values += len(fresh)
            version = before.version if before else 0
            events += self.stamp(told, stream("series", name), version, "shipped data")
        self.write(events)
        return values

    # Rebuilding

    def rebuild_states(self) -> int:
        """Folds every stream again and replaces every current state; how many there are.

        The receivables book too, where there is one: else whoever first asks for it makes it.
        """
        count = 0
        with fewer_collections(), shorter_turns(), self.store.transaction() as tx:
            tx.lock()
            followed = tx.tracked(receivables.NAME) is not None
            tx.delete_all_states()
            self._terms_known.clear()
            self._book = None
            with ThreadPoolExecutor(1, "writer") as writer:
                written: Future[None] | None = None
                for folded in self._folded():
                    rows = [one.row for one in folded]
                    if written is not None:
                        written.result()
                    agreed = {name for one in folded for name in one.agreed}
                    self.put_terms(tx, {name: terms_named(name) for name in agreed})
                    written = writer.submit(tx.put_states, rows, [0] * len(rows))
                    count += len(rows)
                if written is not None:
                    written.result()
            if followed:
                receivables.catch_up(tx)
                count += sum(map(tx.count_states, receivables.KINDS))
        return count

    def drifted_states(self) -> list[str]:
        """The names of current states that are not the fold of their events; none is right."""
        wrong: list[str] = []
        right = Counter[str]()
        for folded in self._folded(whole=True):
            kinds = {one.row.kind for one in folded}
            rows = {
                row.id: row
                for kind in kinds
                for row in self.store.states(
                    kind, ids=[one.row.id for one in folded if one.row.kind == kind]
                )
            }
            for one in folded:
                row = rows.get(one.row.id)
                if row is not None:
                    right[row.kind] += 1
                if row != one.row:
                    wrong.append(f"{one.row.kind} {(row or one.row).name}")
        for name in KINDS:
            if self.store.count_states(name) != right[name]:  # Some have no events at all.
                wrong += [
                    f"{name} {row.name}"
                    for row in self.store.states(name)
                    if not self.store.read_stream(row.id, limit=1)
                ]
        return sorted([*wrong, *receivables.drifted(self.store)])

    def _folded(self, whole: bool = False) -> Iterator[list[Folded]]:
        """The fold of every stream, some at a time: memory stays flat."""
        found = folds(self.store.read_by_stream(FOLDED), whole)
        while some := list(islice(found, FOLDS)):
            yield some


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


__all__ = ["Billing", "UnknownEvent", "apply", "contract_row", "project"]
