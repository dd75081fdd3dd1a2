"""The store in PostgreSQL, through psycopg2.

Rows go in and events come out by `COPY` in its binary format, packed and unpacked here. To
append it is about five times faster than multi-row INSERT, and to read twice as fast as the
driver's own rows, which turn each bytea into hexadecimal and back (figures in README.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from io import BytesIO
from itertools import chain, repeat
from struct import Struct
from typing import Any
from uuid import UUID

import psycopg2
from eventsourcing.persistence import StoredEvent
from psycopg2 import errors, extensions
from sqlalchemy import URL, Connection, create_engine

from billing.identity import UNKNOWN, new, set_int, set_safe, stream_id
from billing.store.errors import Conflict, StoreBusy, StoreError
from billing.store.schema import (
    Logged,
    StateRow,
    Stream,
    names,
    states_query,
)

APPEND_LOCK = int.from_bytes(b"billing", "big")
CHANNEL = "billing_log"
"""What whoever follows the log listens to. A commit that notifies waits its turn among those that
do; appenders take turns already."""

_COLUMNS = "position, originator_id, originator_version, topic, state"
_CHANGING = ("version", "rank", "next_due", "parent", "body")  # Not the kind, not the name.
_SET = ", ".join(f"{column} = new.{column}" for column in _CHANGING)
_CHANGES = f"id, expected, {', '.join(_CHANGING)}"
_WHOLE = f"id, {', '.join(_CHANGING)}, kind, name"
# What is read comes in an order, and without NULL, that one Struct unpacks.
_NO_PARENT = UUID(int=0)
_READ = (
    "id, version, rank, coalesce(next_due, 'infinity'),"
    f" coalesce(parent, '{_NO_PARENT}'), name, body"
)

# Binary COPY: a signature, then rows of (number of fields, (length, bytes) …), then -1.
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_THREE = b"\0\3"  # 3 fields: kind, name, id.
_NULL = b"\xff\xff\xff\xff"
_POSITION = Struct(">hiq").pack  # 5 fields; 8 bytes: the position.
_STREAM = Struct(">i16siii").pack  # 16 bytes: the id; 4: the version; how many for the topic.
_LENGTH = Struct(">i").pack
_HEAD = Struct(">6xq4x16s4xii")  # The position, the id, the version, how many for the topic.
_CHANGE = Struct(">hi16siiiiih").pack  # 7 fields: id, expected, version, rank …
_NEW_STATE = Struct(">hi16siiih").pack  # 8 fields: id, version, rank …
_DAY = Struct(">ii").pack
_STATE_HEAD = Struct(">6x16s4xi4xh4xi4x16si")  # … due day, parent, how many for the name.
_NEVER = 2**31 - 1  # PostgreSQL's date 'infinity'.
_DAY_ZERO = date(2000, 1, 1).toordinal()


class PostgreSQL:
    """SQL and bulk paths for PostgreSQL."""

    driver_error = psycopg2.Error
    one_writer = False
    named = names
    in_memory = False

    def __init__(self, url: URL, lock_timeout: float, pool_size: int) -> None:
        # What may be shown: no user, no password, no option.
        self.place = f"postgresql://{url.host or ''}/{url.database or ''}"
        self._lock_timeout = lock_timeout
        # Before the first ANALYZE the planner would sort all that is due for each page of it, for
        # fear of random reads; disks have none to fear since they stopped turning.
        options = (
            f"{url.query.get('options', '')} -c random_page_cost=1.1 -c temp_buffers=64MB"
            # Our joins are of a few thousand rows with a key. Without statistics on the staged
            # rows the planner walked through all the states instead, and sorted besides.
            " -c enable_hashjoin=off -c enable_mergejoin=off"
            # What is asked for is found by an index, in order; workers would sort it first.
            " -c max_parallel_workers_per_gather=0"
            f" -c lock_timeout={round(lock_timeout * 1000)}"
        )
        self.engine = create_engine(
            url.set(drivername="postgresql+psycopg2"),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=lock_timeout,
            pool_pre_ping=True,
            # Streams are read as the bytes that come, and JSON is UTF-8 whatever the house's own.
            connect_args={"options": options.strip(), "client_encoding": "utf8"},
            hide_parameters=True,
        )

    def lock(self, connection: Connection) -> None:
        # An advisory lock rather than a table's: it leaves autovacuum and ANALYZE alone. Were
        # someone to insert without it, the key on the position would refuse one of the two.
        _cursor(connection).execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))

    def encode(self, events: Sequence[StoredEvent]) -> list[Any]:
        topics = {e.topic: e.topic.encode() for e in events}
        rows = []
        for e in events:
            topic = topics[e.topic]
            state = e.state
            id = e.originator_id.bytes  # type: ignore[union-attr]
            stream = _STREAM(16, id, 4, e.originator_version, len(topic))
            rows.append(b"".join((stream, topic, _LENGTH(len(state)), state)))
        return rows

    def insert_events(self, connection: Connection, rows: list[Any], first: int) -> None:
        positions = map(_POSITION, repeat(5), repeat(8), range(first, first + len(rows)))
        fields = chain.from_iterable(zip(positions, rows, strict=True))
        _copy_in(connection, f"events ({_COLUMNS})", fields)
        _cursor(connection).execute(f"NOTIFY {CHANNEL}")

    def log_page(
        self, connection: Connection, start: int, stop: int, topics: Sequence[str]
    ) -> Iterator[tuple[int, StoredEvent]]:
        data = _copy_out(
            connection,
            f"SELECT {_COLUMNS} FROM events WHERE position BETWEEN %s AND %s"
            f"{' AND topic = ANY(%s)' if topics else ''} ORDER BY position",
            (start, stop, *([list(topics)] if topics else [])),
        )
        return _events(data)

    def log_rows(
        self, connection: Connection, start: int, stop: int, topics: Sequence[str]
    ) -> list[Logged]:
        # The driver's own rows, and quicker than COPY as they are text: nothing is hexadecimal.
        cursor = _cursor(connection)
        cursor.execute(
            "SELECT position, originator_id::text, originator_version, topic,"
            " convert_from(state, 'UTF8') FROM events"
            " WHERE position BETWEEN %s AND %s AND topic = ANY(%s) ORDER BY position",
            (start, stop, list(topics)),
        )
        found: list[Logged] = cursor.fetchall()
        return found

    def stream_page(
        self, connection: Connection, first: UUID, last: UUID, topics: Sequence[str]
    ) -> list[Stream]:
        # A row a stream, put together by the server. Not by COPY, which would wait for the thread
        # that folds at every row; and as the bytes that came, with no str made of them between.
        cursor = _cursor(connection)
        extensions.register_type(extensions.BYTES, cursor)
        cursor.execute(
            "SELECT originator_id::text, count(*), '[' || string_agg("
            "'[\"' || topic || '\",' || convert_from(state, 'UTF8'), E'],\\n'"
            " ORDER BY originator_version) || ']]'"
            " FROM events WHERE originator_id BETWEEN %s::uuid AND %s::uuid AND topic = ANY(%s)"
            " GROUP BY events.originator_id ORDER BY events.originator_id",
            (str(first), str(last), list(topics)),
        )
        return [Stream(UUID(id.decode()), *told) for id, *told in cursor.fetchall()]

    def streams(
        self, connection: Connection, ids: Sequence[UUID], topics: Sequence[str]
    ) -> Iterator[StoredEvent]:
        data = _copy_out(
            connection,
            f"SELECT {_COLUMNS} FROM events WHERE originator_id = ANY(%s::uuid[])"
            f"{' AND topic = ANY(%s)' if topics else ''}"
            " ORDER BY originator_id, originator_version",
            (_array(ids), *([list(topics)] if topics else [])),
        )
        return (event for _, event in _events(data))

    def states(
        self,
        connection: Connection,
        kind: str,
        among: Sequence[tuple[str, Sequence[Any]]],
        due_before: date | None,
        after: tuple[date, int, str] | None,
        limit: int | None,
    ) -> list[StateRow]:
        # There is an index on the states by id, by parent and by day; else the names lead to them.
        asked = {column for column, _ in among}
        direct = asked & {"id", "parent"} or (due_before is not None and "name" not in asked)
        table = "states" if direct else "names JOIN states USING (id, kind, name)"
        conditions = ["kind = %s"]
        values: list[Any] = [kind]
        for column, wanted in among:
            conditions.append(f"{column} = ANY(%s{'' if column == 'name' else '::uuid[]'})")
            values.append(list(wanted) if column == "name" else _array(wanted))
        query, values = states_query(
            _READ, table, "%s", conditions, values, due_before, after, limit
        )
        return _states(kind, _copy_out(connection, query, values))

    def insert_states(self, connection: Connection, rows: Sequence[StateRow]) -> None:
        _copy_in(connection, f"states ({_WHOLE})", map(_state, rows))
        _copy_in(connection, "names (kind, name, id)", map(_named, rows))

    def update_states(
        self, connection: Connection, rows: Sequence[StateRow], expected: Sequence[int]
    ) -> int:
        columns = f"changed_states ({_CHANGES})"
        with _staged(connection, columns, map(_change, rows, expected)) as cursor:
            cursor.execute(
                f"UPDATE states SET {_SET} FROM changed_states new"
                " WHERE states.id = new.id AND states.version = new.expected"
            )
            changed: int = cursor.rowcount
        return changed

    def upsert_states(self, connection: Connection, rows: Sequence[StateRow]) -> None:
        # Encoded rows begin with the id: in that order, two that overlap wait, with no deadlock.
        staged = sorted(map(_state, rows))
        with _staged(connection, f"new_states ({_WHOLE})", staged) as cursor:
            cursor.execute(
                "INSERT INTO names (kind, name, id) SELECT kind, name, id FROM new_states"
                " ON CONFLICT DO NOTHING"
            )
            cursor.execute(
                "SELECT kind || ' ' || name FROM new_states JOIN names USING (kind, name)"
                " WHERE names.id <> new_states.id LIMIT 1"
            )
            if taken := cursor.fetchone():
                raise Conflict(
                    f"Another aggregate is {taken[0]}; nothing of this transaction was written: "
                    "read the current state again and decide anew."
                )
            cursor.execute(
                f"INSERT INTO states ({_WHOLE}) SELECT {_WHOLE} FROM new_states"
                f" ON CONFLICT (id) DO UPDATE SET {_SET.replace('new.', 'excluded.')}"
            )

    def delete_states(self, connection: Connection) -> None:
        _cursor(connection).execute("DELETE FROM names; DELETE FROM states")

    def refusal(self, error: BaseException) -> StoreError:
        said = str(error).partition("\n")[0]
        match error:
            case errors.UniqueViolation() | errors.DeadlockDetected():
                detail = error.diag.message_detail if error.pgcode == "23505" else said
                return Conflict(
                    f"Another writer was first ({detail}); nothing of this transaction was "
                    "written: read the current state again and decide anew."
                )
            case errors.LockNotAvailable():
                return StoreBusy(
                    f"Another process has been writing to {self.place} for more than "
                    f"{self._lock_timeout:g} s: let it finish, then run this again."
                )
            case psycopg2.OperationalError() if error.pgcode is None:
                return StoreError(
                    f"The database {self.place} does not answer ({said}): see that it runs and "
                    "that DATABASE_URL is right, then run this again."
                )
        return StoreError(f"The database {self.place} refused ({said}); nothing was written.")


def _cursor(connection: Connection) -> Any:
    return connection.connection.cursor()


def _array(ids: Iterable[UUID]) -> str:
    """Ids as one text the server reads an array from; the driver would quote them one by one."""
    return "{" + ",".join([id.hex for id in ids]) + "}"


@contextmanager
def _staged(connection: Connection, staging: str, rows: Iterable[bytes]) -> Iterator[Any]:
    """Rows put in a temporary table, for one statement to take them all."""
    table, _, columns = staging.partition(" ")
    cursor = _cursor(connection)
    cursor.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {table} ON COMMIT DELETE ROWS AS"
        f" SELECT {columns.strip('()').replace('expected', 'version AS expected')}"
        " FROM states WITH NO DATA"
    )
    _copy_in(connection, staging, rows)
    yield cursor
    cursor.execute(f"TRUNCATE {table}")


def _copy_in(connection: Connection, table: str, fields: Iterable[bytes]) -> None:
    # Sent in one go: between two pieces a thread that computes would keep us waiting its turn.
    payload = b"".join(chain((_SIGNATURE,), fields, (_END,)))
    statement = f"COPY {table} FROM STDIN (FORMAT binary)"
    _cursor(connection).copy_expert(statement, BytesIO(payload), size=len(payload) + 1)


def _copy_out(connection: Connection, query: str, values: Sequence[object]) -> bytes:
    cursor = _cursor(connection)
    answer = BytesIO()
    asked = cursor.mogrify(query, values).decode()
    cursor.copy_expert(f"COPY ({asked}) TO STDOUT (FORMAT binary)", answer, size=1 << 18)
    return answer.getvalue()


def _events(data: bytes) -> Iterator[tuple[int, StoredEvent]]:
    # One frame an event: what `stream_id` and `stored_event` do, without the calls.
    at, end = len(_SIGNATURE), len(data) - len(_END)
    topics: dict[bytes, str] = {}
    known = topics.get
    head, head_size = _HEAD.unpack_from, _HEAD.size
    integer = int.from_bytes
    while at < end:
        position, id, version, length = head(data, at)
        at += head_size
        until = at + length
        raw = data[at:until]
        topic = known(raw)
        if topic is None:
            topic = topics[raw] = raw.decode()
        at = until + 4
        until = at + integer(data[until:at], "big")
        stream = new(UUID)
        set_int(stream, integer(id, "big"))
        set_safe(stream, UNKNOWN)
        event = new(StoredEvent)
        fields = event.__dict__
        fields["originator_id"] = stream
        fields["originator_version"] = version
        fields["topic"] = topic
        fields["state"] = data[at:until]
        yield position, event
        at = until


def _states(kind: str, data: bytes) -> list[StateRow]:
    at, end = len(_SIGNATURE), len(data) - len(_END)
    days: dict[int, date | None] = {_NEVER: None}
    head, head_size = _STATE_HEAD.unpack_from, _STATE_HEAD.size
    integer, nobody = int.from_bytes, _NO_PARENT.bytes
    found = []
    while at < end:
        id, version, rank, due, parent, length = head(data, at)
        at += head_size
        until = at + length
        name = data[at:until].decode()
        at = until + 4
        until = at + integer(data[until:at], "big")
        if due not in days:
            days[due] = date.fromordinal(_DAY_ZERO + due)
        found.append(
            StateRow(
                stream_id(id),
                kind,
                name,
                version,
                data[at:until],
                days[due],
                rank,
                stream_id(parent) if parent != nobody else None,
            )
        )
        at = until
    return found


def _change(row: StateRow, expected: int) -> bytes:
    head = _CHANGE(7, 16, row.id.bytes, 4, expected, 4, row.version, 2, row.rank)
    return b"".join((head, _due(row.next_due), _parent(row), _LENGTH(len(row.body)), row.body))


def _state(row: StateRow) -> bytes:
    kind, name = row.kind.encode(), row.name.encode()
    return b"".join(
        (
            _NEW_STATE(8, 16, row.id.bytes, 4, row.version, 2, row.rank),
            _due(row.next_due),
            _parent(row),
            _LENGTH(len(row.body)),
            row.body,
            _LENGTH(len(kind)),
            kind,
            _LENGTH(len(name)),
            name,
        )
    )


def _named(row: StateRow) -> bytes:
    kind, name = row.kind.encode(), row.name.encode()
    id = _LENGTH(16) + row.id.bytes
    return b"".join((_THREE, _LENGTH(len(kind)), kind, _LENGTH(len(name)), name, id))


@lru_cache(maxsize=1_000)
def _due(day: date | None) -> bytes:
    return _NULL if day is None else _DAY(4, day.toordinal() - _DAY_ZERO)


def _parent(row: StateRow) -> bytes:
    return _NULL if row.parent is None else _LENGTH(16) + row.parent.bytes
