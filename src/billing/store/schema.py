"""The tables of the store.

`events` is the record. `position` is taken under the append lock as the last position plus
one, so positions have no gap and follow the order of the commits: a reader that remembers
the last one it saw misses nothing. `states` is a cache of the record, one row a stream.

Stream ids are `uuid` on PostgreSQL and 16-byte blobs on SQLite: half the size of hexadecimal
text, in the table and in every index, and `hex(originator_id)` reads them.

Names of aggregates sort by code point on both databases, as Python sorts them, so that a page
of states continues where the last one stopped whatever the locale of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.types import TypeEngine

from billing.identity import new, stream_id

SCHEMA = 1


class StateRow(NamedTuple):
    """The current state of one aggregate: its stream, folded up to `version`."""

    id: UUID
    kind: str
    name: str
    version: int
    body: bytes
    next_due: date | None = None
    rank: int = 0
    parent: UUID | None = None


class Stream(NamedTuple):
    """The events of one stream, by version: how many, and all of them as one JSON array.

    `told` is `[["topic",{…}],` line feed `["topic",{…}]]`: whoever reads it does so in one call.
    """

    id: UUID
    length: int
    told: bytes


Logged = tuple[int, Any, int, str, Any]
"""An event of the log, as the driver has it: position, stream, version, topic, body.

The stream is in the form its tables take (the text of a `uuid` on PostgreSQL, 16 bytes on SQLite),
the body is JSON in text or in bytes.
"""


class StreamId(TypeDecorator[UUID]):
    """A stream's id: `uuid` on PostgreSQL, a blob of 16 bytes on SQLite."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        blob = dialect.name == "sqlite"
        return dialect.type_descriptor(LargeBinary(16) if blob else Uuid())

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return stream_id(value) if isinstance(value, bytes) else value


metadata = MetaData()
_name = Text().with_variant(Text(collation="C"), "postgresql")

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column(
        "position",
        BigInteger().with_variant(Integer(), "sqlite"),  # INTEGER is SQLite's own row number.
        primary_key=True,
        autoincrement=False,
    ),
    Column("originator_id", StreamId, nullable=False),
    Column("originator_version", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    UniqueConstraint("originator_id", "originator_version"),
)

states = Table(
    "states",
    metadata,
    Column("id", StreamId, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", _name, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("next_due", Date),
    Column("rank", SmallInteger, nullable=False),
    Column("parent", StreamId),
    # SQLite leaves the index alone when neither column changes; PostgreSQL has `names`.
    UniqueConstraint("kind", "name").ddl_if(dialect="sqlite"),
)
# On PostgreSQL a row that moves is written again in every index of its table, so what never
# changes has a table of its own: a quarter more states changed a second (README.md).
names = Table(
    "names",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", _name, primary_key=True),
    Column("id", StreamId, nullable=False),
    info={"only": "postgresql"},
)
# Most rows (invoices, parties, series) have neither a due day nor a parent.
_due = states.c.next_due.is_not(None)
_child = states.c.parent.is_not(None)
Index(
    "states_due",
    *(states.c.kind, states.c.next_due, states.c.rank, states.c.name),
    sqlite_where=_due,
    postgresql_where=_due,
)
Index("states_parent", states.c.parent, sqlite_where=_child, postgresql_where=_child)

tracking = Table(
    "tracking",
    metadata,
    Column("application_name", Text, primary_key=True),
    Column("notification_id", BigInteger, nullable=False),
)

STATE = ", ".join(StateRow._fields)


def states_query(
    columns: str,
    table: str,
    mark: str,
    conditions: Sequence[str],
    values: Sequence[Any],
    due_before: Any,
    after: tuple[Any, int, str] | None,
    limit: int | None,
) -> tuple[str, list[Any]]:
    """The `SELECT` of states and its values; `mark` stands where a value goes."""
    where, given = [*conditions], [*values]
    if due_before is not None:
        where.append(f"next_due < {mark}")
        given.append(due_before)
    if after is not None:
        where.append(f"(next_due, rank, name) > ({mark}, {mark}, {mark})")
        given.extend(after)
    order = "name" if due_before is None else "next_due, rank, name"
    query = f"SELECT {columns} FROM {table} WHERE {' AND '.join(where)} ORDER BY {order}"
    if limit is not None:
        query += f" LIMIT {mark}"
        given.append(limit)
    return query, given


def stored_event(originator_id: UUID, version: int, topic: str, state: bytes) -> StoredEvent:
    """A `StoredEvent`, in half the time: its `__init__` sets frozen fields one by one."""
    made = new(StoredEvent)
    fields = made.__dict__
    fields["originator_id"] = originator_id
    fields["originator_version"] = version
    fields["topic"] = topic
    fields["state"] = state
    return made
