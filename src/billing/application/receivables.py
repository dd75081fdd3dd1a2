"""The receivables book: what each document is owed, what each payment has left (comptes clients).

It follows the log: documents, mandates and payments each have their stream, and what is owed
lies across them. Its rows are states like others, and a cache of the log as they are, but they are
brought up to date when someone asks and not by whoever records: the monthly run pays nothing
for them. How far it has followed is tracked in the transaction that writes its rows.

Whoever decides on money does it in `record`: under the append lock, on a book that has
followed the log to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent, Tracking

from billing import payment as payments
from billing import receivable as receivables
from billing.application.deposit_news import heard
from billing.application.states import Kind, fewer_collections
from billing.dates import NEVER
from billing.events import Event
from billing.events.invoice import (
    CreditNoteIssued,
    DebitNoteIssued,
    InvoiceIssued,
    PaymentAllocated,
    PaymentReversed,
)
from billing.events.payment import PaymentReceived
from billing.identity import invoice_id, stream
from billing.payment import Payment
from billing.receivable import Receivable
from billing.record import from_stored
from billing.refusal import Refused
from billing.store import StateRow, Store, Tx
from billing.store.store import FOLLOWED, Reading

if TYPE_CHECKING:
    from billing.application.core import Billing

(NAME,) = FOLLOWED
STEP = 50_000  # Positions followed in one transaction while nobody waits for the end.
EVENTS_HELD = 5_000  # Events folded at once.
ROWS = 5_000  # Rows read at once.

RECEIVABLE: Kind = Kind.of(
    "receivable", receivables.apply, Receivable, lambda r: f"{r.supplier}/{r.number}"
)
PAYMENT: Kind = Kind.of("payment", payments.apply, Payment, lambda p: f"{p.supplier}/{p.reference}")
KINDS = (RECEIVABLE.name, PAYMENT.name)
FOLLOWS: tuple[type[Event], ...] = (
    *receivables.EVENTS,
    *receivables.OBSERVED,
    *payments.EVENTS,
)
TOPICS = tuple(event.TOPIC for event in FOLLOWS)

_OBSERVED = frozenset(receivables.OBSERVED)
_RECEIVED = frozenset(payments.EVENTS)
_FOLLOWED = frozenset(FOLLOWS)
_BEGIN = frozenset((InvoiceIssued, CreditNoteIssued, DebitNoteIssued, PaymentReceived))
_CHANGE = frozenset(receivables.EVENTS) - _BEGIN

Decide = Callable[[Tx, "Book"], Iterable[Event]]


@lru_cache(maxsize=65536)
def client_id(code: str) -> UUID:
    """The stream of a client, under which the rows of its documents and payments are found."""
    return stream("party", code)


@lru_cache(maxsize=16384)
def payment_id(supplier: str, reference: str) -> UUID:
    """The stream of a payment: references are the supplier's."""
    return stream("payment", f"{supplier}/{reference}")


def receivable_row(id: UUID, r: Receivable) -> StateRow:
    """A document's row: due while anything of it is owed, or owed back."""
    due = r.due_on if r.owed else None
    return RECEIVABLE.row(id, r, due, client_id(r.client))


def payment_row(id: UUID, p: Payment) -> StateRow:
    """A payment's row: due, to be allocated, from the day it came while anything of it is left."""
    due = p.value_on if p.left else None
    return PAYMENT.row(id, p, due, client_id(p.client) if p.client else None)


# Following the log


def catch_up(tx: Tx, until: int | None = None) -> int:
    """Follows the log to its end (or to a position) within a transaction, under the append lock.

    How many positions that was.
    """
    tx.lock()
    at, end = tx.tracked(NAME) or 0, tx.log_position()
    end = end if until is None else min(end, until)
    if end <= at:
        return 0
    _follow(tx, tx.read_log(at + 1, end, topics=TOPICS))
    tx.track(Tracking(NAME, end))
    return end - at


def follow(store: Store) -> int:
    """The same in a transaction of its own for so many positions, so that others may write."""
    followed = 0
    with fewer_collections():
        while (at := store.tracked(NAME) or 0) < store.log_position():
            with store.transaction() as tx:
                followed += catch_up(tx, at + STEP)
    return followed


def _follow(tx: Tx, found: Iterable[tuple[int, StoredEvent]]) -> None:
    events = (from_stored(stored) for _, stored in found)
    while some := list(islice(events, EVENTS_HELD)):
        _fold(tx, some)


def _fold(tx: Tx, events: Sequence[Event]) -> None:
    """Folds some events, in the order of the log, into the rows they change."""
    born = {event.originator_id for event in events if type(event) in _BEGIN}
    documents = _documents(tx, events, born)
    received = _payments(tx, events, documents, born)
    for event in events:
        of = type(event)
        id = event.originator_id
        if of in _OBSERVED:
            id = _invoice_of(event)
            documents[id] = receivables.observe(documents[id], event)
        elif of in _RECEIVED:
            received[id] = payments.apply(received.get(id), event)
        else:
            document = documents[id] = receivables.apply(documents.get(id), event)
            if isinstance(event, PaymentAllocated | PaymentReversed) and event.payment:
                id = payment_id(document.supplier, event.payment)
                received[id] = payments.observe(received[id], event, document.number)
    new, old = list[StateRow](), list[StateRow]()
    for id, document in documents.items():
        (new if id in born else old).append(receivable_row(id, document))
    for id, payment in received.items():
        (new if id in born else old).append(payment_row(id, payment))
    tx.put_states(new, [0] * len(new))
    tx.put_states(old)


def _invoice_of(event: Any) -> UUID:
    return invoice_id(event.supplier, event.invoice)


def _documents(tx: Tx, events: Sequence[Event], born: set[UUID]) -> dict[UUID, Receivable]:
    """The documents these events are about, but those they issue, as they were before."""
    wanted = {event.originator_id for event in events if type(event) in _CHANGE}
    wanted |= {_invoice_of(event) for event in events if type(event) in _OBSERVED}
    wanted -= born
    return {row.id: RECEIVABLE.decode(row.body) for row in tx.states("receivable", ids=wanted)}


def _payments(
    tx: Tx, events: Sequence[Event], documents: dict[UUID, Receivable], born: set[UUID]
) -> dict[UUID, Payment]:
    """The payments these events are about, but those they receive, as they were before."""
    wanted = {event.originator_id for event in events if type(event) in _RECEIVED}
    suppliers = {id: document.supplier for id, document in documents.items()}
    for event in events:
        if isinstance(event, InvoiceIssued | DebitNoteIssued):
            suppliers[event.originator_id] = event.supplier
        elif isinstance(event, PaymentAllocated | PaymentReversed) and event.payment:
            wanted.add(payment_id(suppliers[event.originator_id], event.payment))
    wanted -= born
    return {row.id: PAYMENT.decode(row.body) for row in tx.states("payment", ids=wanted)}


# Reading and deciding


class Book:
    """The book as a reader sees it: the store, or a transaction in which it was caught up."""

    def __init__(self, reader: Reading) -> None:
        self._reader = reader

    def open(
        self, client: str | None = None, due_before: date | None = None, supplier: str = ""
    ) -> Iterator[Receivable]:
        """The documents of which something is owed, by due day, then number."""
        for row in self._due("receivable", client, due_before):
            found: Receivable = RECEIVABLE.decode(row.body)
            if found.owed > 0 and supplier in ("", found.supplier):
                yield found

    def credits(self, client: str | None = None, supplier: str = "") -> Iterator[Receivable]:
        """The documents on which the client has paid, or was credited, too much."""
        for row in self._due("receivable", client, None):
            found: Receivable = RECEIVABLE.decode(row.body)
            if found.owed < 0 and supplier in ("", found.supplier):
                yield found

    def documents(self, client: str | None = None, supplier: str = "") -> Iterator[Receivable]:
        """Every document, of one client or of all, settled ones too."""
        return self._all(RECEIVABLE, client, supplier)

    def payments(
        self, client: str | None = None, left_only: bool = True, supplier: str = ""
    ) -> Iterator[Payment]:
        """The payments of which something is left, by value day, or all of them.

        Those whose payer is not known are the client "".
        """
        if not left_only or client == "":
            everyone = self._all(PAYMENT, client or None, supplier)
            kept = (p for p in everyone if client is None or p.client == client)
            yield from (p for p in kept if p.left or not left_only)
            return
        for row in self._due("payment", client, None):
            found: Payment = PAYMENT.decode(row.body)
            if supplier in ("", found.supplier):
                yield found

    def one(self, supplier: str, number: str) -> Receivable:
        """The document of that number."""
        found = self.many([invoice_id(supplier, number)])
        if not found:
            raise Refused(
                f"no invoice {number} of {supplier}; `billing invoices` shows those there are"
            )
        return next(iter(found.values()))

    def many(self, ids: Iterable[UUID]) -> dict[UUID, Receivable]:
        """The documents of these streams, those there are."""
        rows = self._reader.states("receivable", ids=ids)
        return {row.id: RECEIVABLE.decode(row.body) for row in rows}

    def payment(self, supplier: str, reference: str) -> Payment | None:
        """The payment of that reference."""
        return next(iter(self.payments_of(supplier, [reference])), None)

    def payments_of(self, supplier: str, references: Iterable[str]) -> list[Payment]:
        """The payments of these references, those there are."""
        ids = {payment_id(supplier, one) for one in references}
        return [PAYMENT.decode(row.body) for row in self._reader.states("payment", ids=ids)]

    def _due(self, kind: str, client: str | None, before: date | None) -> Iterator[StateRow]:
        parents = None if client is None else [client_id(client)]
        after = None
        while True:
            rows = self._reader.states(
                kind, parents=parents, due_before=before or NEVER, after=after, limit=ROWS
            )
            yield from rows
            if len(rows) < ROWS:
                return
            last = rows[-1]
            assert last.next_due is not None
            after = last.next_due, last.rank, last.name

    def _all(self, kind: Kind, client: str | None, supplier: str) -> Iterator[Any]:
        if client is None:
            rows: Iterable[StateRow] = self._reader.all_states(kind.name)
        else:
            rows = self._reader.states(kind.name, parents=[client_id(client)])
        found = (kind.decode(row.body) for row in rows)
        return (one for one in found if supplier in ("", one.supplier))


def book(app: Billing) -> Book:
    """The book, caught up with the log."""
    follow(app.store)
    return Book(app.store)


def record(app: Billing, decide: Decide) -> list[Event]:
    """Records what is decided on the book, under the append lock, and the book with it.

    `decide` takes the transaction and the book and yields stamped events; nothing is recorded
    when it refuses.
    """
    follow(app.store)
    with app.store.transaction() as tx:
        catch_up(tx)
        events = list(decide(tx, Book(tx)))
        events += heard(tx, events, RECEIVABLE.decode)
        if events:
            positions = app.write_in(tx, events)
            ours = [event for event in events if type(event) in _FOLLOWED]
            for first in range(0, len(ours), EVENTS_HELD):
                _fold(tx, ours[first : first + EVENTS_HELD])
            tx.track(Tracking(NAME, positions[-1]))
    return events


# Checking


def drifted(store: Store) -> list[str]:
    """The rows that are not what the log makes of them, as far as it was followed; none is right.

    The log is followed again, into a store of its own, and the two are compared.
    """
    end = store.tracked(NAME)
    if end is None:
        return [f"{row.kind} {row.name}" for one in KINDS for row in store.all_states(one)]
    with TemporaryDirectory() as folder, fewer_collections():
        afresh = Store.open(f"sqlite:///{Path(folder) / 'afresh.db'}")
        try:
            return _compared(store, afresh, end)
        finally:
            afresh.close()


def _compared(store: Store, afresh: Store, end: int) -> list[str]:
    with afresh.transaction() as again:
        _follow(again, store.read_log(1, end, topics=TOPICS))
    suspects = list(_differences(store, afresh))
    if not suspects:
        return []
    with store.transaction() as tx:  # Others may have moved it on meanwhile.
        tx.lock()
        now = tx.tracked(NAME) or 0
        with afresh.transaction() as again:
            _follow(again, tx.read_log(end + 1, now, topics=TOPICS))
        return sorted(
            f"{kind} {name}"
            for kind, name, id in suspects
            if _row(tx, kind, id) != _row(afresh, kind, id)
        )


def _differences(one: Reading, other: Reading) -> Iterator[tuple[str, str, UUID]]:
    for kind in KINDS:
        for reader, against in ((one, other), (other, one)):
            rows = reader.all_states(kind)
            while some := list(islice(rows, ROWS)):
                known = {row.id: row for row in against.states(kind, ids=[row.id for row in some])}
                for row in some:
                    theirs = known.get(row.id)
                    if theirs is None or (reader is one and theirs != row):
                        yield kind, row.name, row.id


def _row(reader: Reading, kind: str, id: UUID) -> StateRow | None:
    return next(iter(reader.states(kind, ids=[id])), None)
