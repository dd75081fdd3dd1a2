"""The record of what happened, and the current state kept beside it.

One transaction appends events and writes the states they lead to. Appending takes the append
lock: one appender at a time, so that positions follow the order of the commits. It is held
until the commit; read, decide and `encode` before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice, product
from operator import attrgetter
from threading import Event, RLock
from typing import Any, Protocol, TypeVar
from uuid import UUID

from eventsourcing.persistence import StoredEvent, Tracking
from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.store.errors import Conflict, StoreBusy, StoreError, StoreOutdated
from billing.store.schema import (
    SCHEMA,
    Logged,
    StateRow,
    Stream,
    events,
    meta,
    metadata,
    states,
    stored_event,
    tracking,
)

PAGE = 10_000  # Events held in memory while the log is read.
STREAMS = 500  # Streams asked for at once.
NAMES = 1_000  # States asked for at once.
FOLLOWED = ("receivables",)  # What is tracked and kept in the states, a cache like them.

T = TypeVar("T")
P = TypeVar("P")

_by_name = attrgetter("name")
_by_day = attrgetter("next_due", "rank", "name")


class Database(Protocol):
    """What SQLite and PostgreSQL do each in their own way."""

    engine: Engine
    place: str
    in_memory: bool
    named: Table  # Which kinds and names there are.

    @property
    def driver_error(self) -> type[Exception]: ...

    one_writer: bool  # No two transactions may write at once, even to different rows.

    def lock(self, connection: Connection) -> None: ...
    def encode(self, events: Sequence[StoredEvent]) -> list[Any]: ...
    def insert_events(self, connection: Connection, rows: list[Any], first: int) -> None: ...
    def log_page(
        self, connection: Connection, start: int, stop: int, topics: Sequence[str]
    ) -> Iterator[tuple[int, StoredEvent]]: ...
    def log_rows(
        self, connection: Connection, start: int, stop: int, topics: Sequence[str]
    ) -> list[Logged]: ...
    def stream_page(
        self, connection: Connection, first: UUID, last: UUID, topics: Sequence[str]
    ) -> list[Stream]: ...
    def streams(
        self, connection: Connection, ids: Sequence[UUID], topics: Sequence[str]
    ) -> Iterator[StoredEvent]: ...
    def states(
        self,
        connection: Connection,
        kind: str,
        among: Sequence[tuple[str, Sequence[Any]]],
        due_before: date | None,
        after: tuple[date, int, str] | None,
        limit: int | None,
    ) -> list[StateRow]: ...
    def insert_states(self, connection: Connection, rows: Sequence[StateRow]) -> None: ...
    def update_states(
        self, connection: Connection, rows: Sequence[StateRow], expected: Sequence[int]
    ) -> int: ...
    def upsert_states(self, connection: Connection, rows: Sequence[StateRow]) -> None: ...
    def delete_states(self, connection: Connection) -> None: ...
    def refusal(self, error: BaseException) -> StoreError: ...


@dataclass(frozen=True)
class Encoded:
    """Events made ready for the database before the append lock is taken."""

    rows: list[Any]


class Reading:
    """The reads a store and a transaction have in common."""

    _database: Database

    def _connection(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def read_log(
        self,
        start: int = 1,
        stop: int | None = None,
        limit: int | None = None,
        topics: Sequence[str] | None = None,
    ) -> Iterator[tuple[int, StoredEvent]]:
        """Positions and events in the order they were committed, up to `stop` or the present end.

        Read a page at a time, each in its own short transaction: the log only grows, so memory
        stays flat and no connection waits while the caller works. A page is a range of
        positions, which no planner can take for the whole table.
        """
        return islice(chain.from_iterable(self._pages(start, stop, limit, topics or ())), limit)

    def _pages(
        self, start: int, stop: int | None, limit: int | None, topics: Sequence[str]
    ) -> Iterator[Iterator[tuple[int, StoredEvent]]]:
        with self._connection() as connection:
            end = _last_position(connection)
        end = end if stop is None else min(stop, end)
        if limit is not None and not topics:
            end = min(end, start + limit - 1)
        for first in range(start, end + 1, PAGE):
            last = min(end, first + PAGE - 1)
            with self._connection() as connection:
                page = self._database.log_page(connection, first, last, topics)
            # The bytes are here, the objects not yet: made one by one as they are taken, they
            # die young, and the garbage collector, which took 40 % of the time, never wakes.
            yield page

    def read_events(self, ids: Iterable[UUID], topics: Iterable[str] = ()) -> Iterator[StoredEvent]:
        """All events of these streams, or those of some topics, by stream and version."""
        wanted = sorted(topics)
        for chunk in _chunks(sorted(set(ids), key=attrgetter("int")), STREAMS):
            with self._connection() as connection:
                found = self._database.streams(connection, chunk, wanted)
            yield from found

    def read_by_stream(self, topics: Sequence[str]) -> Iterator[Stream]:
        """All streams with events of these topics, by id.

        What folds a stream at a time keeps one state in memory, however long the log.
        """

        # Ids are digests, spread evenly: so many equal slices of them hold a page each.
        slices = self.log_position() // PAGE + 1
        bounds = [UUID(int=rank * (1 << 128) // slices) for rank in range(slices)]
        lasts = [UUID(int=bound.int - 1) for bound in bounds[1:]] + [UUID(int=(1 << 128) - 1)]

        def page(first: UUID, last: UUID) -> list[Stream]:
            with self._connection() as connection:
                return self._database.stream_page(connection, first, last, topics)

        yield from chain.from_iterable(self._ahead(page, bounds, lasts))

    def log_pages(self, stop: int, topics: Sequence[str], size: int) -> Iterator[list[Logged]]:
        """The events of these topics up to a position, in the pages of `size` positions they are
        in: for those who make a row of each, quicker than `read_log`."""

        def page(first: int, last: int) -> list[Logged]:
            with self._connection() as connection:
                return self._database.log_rows(connection, first, last, topics)

        firsts = range(1, stop + 1, size)
        yield from self._ahead(page, firsts, [min(first + size - 1, stop) for first in firsts])

    def _ahead(
        self, page: Callable[[T, T], list[P]], firsts: Iterable[T], lasts: Iterable[T]
    ) -> Iterator[list[P]]:
        """Pages one after another; where another process does the reading, the next is read while
        the caller is at this one."""
        if self._database.one_writer:
            yield from map(page, firsts, lasts)
            return
        with ThreadPoolExecutor(1, "reader") as reader:
            ahead: deque[Future[list[P]]] = deque()
            for first, last in zip(firsts, lasts, strict=True):
                ahead.append(reader.submit(page, first, last))
                if len(ahead) > 2:
                    yield ahead.popleft().result()
            for future in ahead:
                yield future.result()

    def read_stream(
        self,
        id: UUID,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Events of one stream, by version, or from the last one backwards."""
        version = events.c.originator_version
        query = select(version, events.c.topic, events.c.state).where(events.c.originator_id == id)
        if gt is not None:
            query = query.where(version > gt)
        if lte is not None:
            query = query.where(version <= lte)
        query = query.order_by(version.desc() if desc else version).limit(limit)
        with self._connection() as connection:
            return [stored_event(id, *row) for row in connection.execute(query)]

    def log_position(self) -> int:
        """The position of the last event, 0 when there is none."""
        with self._connection() as connection:
            return _last_position(connection)

    def states(
        self,
        kind: str,
        *,
        ids: Iterable[UUID] | None = None,
        names: Iterable[str] | None = None,
        parents: Iterable[UUID] | None = None,
        due_before: date | None = None,
        after: tuple[date, int, str] | None = None,
        limit: int | None = None,
    ) -> list[StateRow]:
        """The states of a kind that satisfy every condition given, by name.

        With `due_before`: those due before that day, by due day, rank and name, from the first
        one `after` that key. Take the next page with the key of the last row of this one.
        """
        lists = [
            [(column, chunk) for chunk in _chunks(list(dict.fromkeys(wanted)), NAMES)]
            for column, wanted in (("id", ids), ("name", names), ("parent", parents))
            if wanted is not None
        ]
        found: list[StateRow] = []
        with self._connection() as connection:
            for among in product(*lists):
                found += self._database.states(connection, kind, among, due_before, after, limit)
        if lists:
            found.sort(key=_by_name if due_before is None else _by_day)
        return found[:limit]

    def all_states(self, kind: str) -> Iterator[StateRow]:
        """Every state of a kind, by id, a page at a time."""
        after = UUID(int=0)
        while True:
            page = (
                select(states.c.id)
                .where(states.c.kind == kind, states.c.id > after)
                .order_by(states.c.id)
                .limit(PAGE)
            )
            with self._connection() as connection:
                ids = list(connection.execute(page).scalars())
            for chunk in _chunks(ids, NAMES):
                yield from self.states(kind, ids=chunk)
            if len(ids) < PAGE:
                return
            after = ids[-1]

    def state(self, kind: str, name: str) -> StateRow | None:
        """The state of the one aggregate of this kind and name."""
        return next(iter(self.states(kind, names=[name])), None)

    def count_states(self, kind: str) -> int:
        """How many aggregates of this kind there are."""
        named = self._database.named
        return self._count(select(func.count()).where(named.c.kind == kind))

    def count_due(self, kind: str, before: date) -> int:
        """How many aggregates of this kind are due before a day."""
        due = (states.c.kind == kind) & (states.c.next_due < before)
        return self._count(select(func.count()).where(due))

    def tracked(self, application_name: str) -> int | None:
        """How far the log of another application was followed."""
        row = tracking.c
        query = select(row.notification_id).where(row.application_name == application_name)
        with self._connection() as connection:
            found: int | None = connection.execute(query).scalar()
        return found

    def _count(self, query: Select[int]) -> int:
        with self._connection() as connection:
            return connection.execute(query).scalar_one()


class Tx(Reading):
    """One transaction: everything in it is written, or nothing.

    Reads before the lock see what is committed at that moment, each its own; reads after it
    see the latest, which no other appender can change until this transaction ends.
    """

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._open = connection
        self._last: int | None = None  # The last position, once we hold the append lock.
        self._refused: StoreError | None = None
        self.appended = range(0)  # The positions taken, in a row: the lock is held to the end.

    def lock(self) -> None:
        """Be the only appender until this transaction ends."""
        if self._last is None:
            with self._connection() as connection:
                self._database.lock(connection)
                self._last = _last_position(connection)

    def append(self, events: Sequence[StoredEvent] | Encoded) -> range:
        """Record events; the positions they took. A version already taken is a `Conflict`."""
        if not isinstance(events, Encoded):
            events = Encoded(self._database.encode(events))
        self.lock()
        assert self._last is not None
        positions = range(self._last + 1, self._last + 1 + len(events.rows))
        if positions:
            with self._connection() as connection:
                self._database.insert_events(connection, events.rows, positions.start)
            self._last = positions[-1]
            self.appended = range((self.appended or positions).start, positions.stop)
        return positions

    def put_states(self, rows: Sequence[StateRow], expected: Sequence[int] | None = None) -> None:
        """Write current states.

        `expected` tells, row by row, the version the row must have had, 0 where there must be
        none; any other is a `Conflict`. Without it the rows are written over whatever is there.
        An aggregate keeps the kind and the name of its first row.
        """
        if not rows:
            return
        if self._database.one_writer:
            self.lock()
        with self._connection() as connection:
            if expected is None:
                self._database.upsert_states(connection, rows)
                return
            pairs = list(zip(rows, expected, strict=True))
            if new := [row for row, version in pairs if not version]:
                self._database.insert_states(connection, new)
            if old := [(row, version) for row, version in pairs if version]:
                changed = self._database.update_states(
                    connection, [row for row, _ in old], [version for _, version in old]
                )
                if changed != len(old):
                    raise Conflict(
                        f"{len(old) - changed} of {len(old)} aggregates changed since they were "
                        "read; nothing of this transaction was written: read them again and "
                        "decide anew."
                    )

    def delete_all_states(self) -> None:
        """Forget every current state, to rebuild them from the events.

        States made by following the log (FOLLOWED) are forgotten with how far they followed it.
        """
        self.lock()
        with self._connection() as connection:
            self._database.delete_states(connection)
            connection.execute(delete(tracking).where(tracking.c.application_name.in_(FOLLOWED)))

    def track(self, mark: Tracking) -> None:
        """Note how far another application's log was followed; it only moves forward."""
        if self._database.one_writer:
            self.lock()
        with self._connection() as connection:
            moved = connection.execute(
                text(
                    "INSERT INTO tracking (application_name, notification_id)"
                    " VALUES (:application_name, :notification_id)"
                    " ON CONFLICT (application_name) DO UPDATE"
                    " SET notification_id = excluded.notification_id"
                    " WHERE tracking.notification_id < excluded.notification_id"
                ),
                vars(mark),
            )
            if not moved.rowcount:
                raise Conflict(
                    f"Position {mark.notification_id} of {mark.application_name} was already "
                    "followed: read how far it was followed and go on from there."
                )

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The connection, to write in this transaction to tables that are not the store's."""
        if self._database.one_writer:
            self.lock()
        with self._connection() as connection:
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if self._refused:
            raise self._refused
        try:
            with _speaking(self._database):
                yield self._open
        except StoreError as error:
            self._refused = error
            _roll_back(self._database, self._open)
            raise

    def _commit(self) -> None:
        # A refusal that the caller caught: nothing was written, so do not end as if it were.
        with self._connection() as connection:
            connection.connection.commit()


class Store(Reading):
    """Events and current states in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.engine = database.engine
        # A read is one statement, its own transaction: no BEGIN and no ROLLBACK around it.
        self._reads = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        # A database in memory lives in one connection, which threads take in turn.
        self._only: Connection | None = None
        self._turn = RLock() if database.in_memory else nullcontext()
        self._listeners: set[Event] = set()
        self._last: Callable[[Tx], None] | None = None

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, lock_timeout: float = 10.0, pool_size: int = 10
    ) -> Store:
        """The store at a URL: `sqlite:///path/file.db`, `sqlite://` (memory), `postgresql://…`.

        Its tables are made if there are none and `create` is true. Someone else's lock is
        waited for `lock_timeout` seconds.
        """
        store = cls(_database(url, lock_timeout, pool_size, create))
        try:
            store._prepare(create)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def in_process(self) -> bool:
        """Whether this process does the database's work: it cannot do its own meanwhile."""
        return self._database.one_writer

    def close(self) -> None:
        """Let go of every connection."""
        if self._only:
            self._only.close()
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """A transaction, committed at the end of the block unless it raised."""
        with self._opened(self.engine) as connection:
            tx = Tx(self._database, connection)
            try:
                yield tx
                if self._last is not None and tx.appended:
                    self._last(tx)
                tx._commit()
            except BaseException:
                _roll_back(self._database, connection)
                raise
        if tx.appended:
            for listener in tuple(self._listeners):
                listener.set()

    def ending_with(self, last: Callable[[Tx], None]) -> Store:
        """This store, with a last word in each transaction that appends, written with it or not."""
        twin = copy(self)
        twin._last = last
        return twin

    def delete_all_states(self) -> None:
        """Forget every current state, to rebuild them from the events."""
        with self.transaction() as tx:
            tx.delete_all_states()

    def encode(self, events: Sequence[StoredEvent]) -> Encoded:
        """Make events ready to be appended, so that the append lock is held more briefly."""
        return Encoded(self._database.encode(events))

    def listen(self, listener: Event) -> None:
        """Set this flag whenever this store has appended events."""
        self._listeners.add(listener)

    def unlisten(self, listener: Event) -> None:
        """Stop setting it."""
        self._listeners.discard(listener)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by: every statement is a transaction of its own."""
        with self._connection() as connection:
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with _speaking(self._database), self._opened(self._reads) as connection:
            yield connection

    @contextmanager
    def _opened(self, engine: Engine) -> Iterator[Connection]:
        with self._turn:
            if self._database.in_memory:
                self._only = self._only or engine.connect()
                yield self._only
                return
            with _speaking(self._database):
                connection = engine.connect()
            with connection:
                yield connection

    def _prepare(self, create: bool) -> None:
        with self._connection() as connection:
            found = _schema_of(connection)
        if found is None and create:
            with self.transaction() as tx, tx._connection() as connection:
                self._database.lock(connection)
                found = _schema_of(connection)  # Another process may have been first.
                if found is None:
                    dialect = connection.dialect.name
                    tables = metadata.sorted_tables
                    metadata.create_all(
                        connection,
                        [table for table in tables if table.info.get("only", dialect) == dialect],
                    )
                    found = SCHEMA
                    connection.execute(insert(meta).values(key="schema", value=str(found)))
        place = self._database.place
        if found is None:
            raise StoreError(f"There is no store at {place}: create it, or correct the address.")
        if found < SCHEMA:
            raise StoreOutdated(
                f"The store at {place} was made by an older version of this program (schema "
                f"{found}, this one writes {SCHEMA}): copy its events into a new store."
            )
        if found > SCHEMA:
            raise StoreOutdated(
                f"The store at {place} was made by a newer version of this program (schema "
                f"{found}, this one knows {SCHEMA}): upgrade this program before opening it."
            )


def _database(url: str, lock_timeout: float, pool_size: int, create: bool) -> Database:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError:
        backend = ""
    if backend == "sqlite":
        from billing.store.sqlite import SQLite

        return SQLite(parsed, lock_timeout, pool_size, create)
    if backend == "postgresql":
        from billing.store.postgres import PostgreSQL

        return PostgreSQL(parsed, lock_timeout, pool_size)
    raise StoreError(
        "The address of the store must begin with sqlite:// or postgresql://: correct DATABASE_URL."
    )


@contextmanager
def _speaking(database: Database) -> Iterator[None]:
    """What the driver complains of, said as a sentence."""
    try:
        yield
    except DBAPIError as error:
        raise database.refusal(error.orig or error) from error
    except database.driver_error as error:
        raise database.refusal(error) from error
    except PoolTimeout as error:
        raise StoreBusy(
            "Every connection to the database is in use: run fewer threads, or open the store "
            "with a larger pool_size."
        ) from error


def _roll_back(database: Database, connection: Connection) -> None:
    with suppress(database.driver_error):  # A lost connection has rolled back by itself.
        connection.connection.rollback()


def _schema_of(connection: Connection) -> int | None:
    if not inspect(connection).has_table("meta"):
        return None
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema")).scalar()
    return int(found or 0)


def _last_position(connection: Connection) -> int:
    last: int | None = connection.execute(select(func.max(events.c.position))).scalar()
    return last or 0


def _chunks(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
