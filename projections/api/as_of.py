"""How things stood, or were known to stand: rows made again from the events of that day.

Two dates, never one for the other. `known_at` leaves out what was recorded later; `as_of` what took
effect later. The rows are those the projection would have held, made by the same code, and put in
a table of their own in memory, where the same question is asked of them as of the present ones: a
filter means the same whatever the day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from anyio import to_thread

from billing.identity import stream_id
from projections.api import problems
from projections.api.asking import Asked
from projections.api.reads import Found, Reads, Statement
from projections.database import adapted
from projections.view import Rows, gathered

if TYPE_CHECKING:
    from projections.api.resources import Order, Resource

AT_ONCE: Final = 200  # Rows replayed at once.
LOOKED_AT: Final = 1_000  # Rows replayed for one page, however few are wanted of them.
ASKED: Final = ("as_of", "known_at")


def is_asked(asked: Asked) -> bool:
    """Whether another day, or what was known at another moment, is asked for."""
    return any(name in asked.values for name in ASKED)


async def row_then(resource: Resource, reads: Reads, key: Sequence[str], asked: Asked) -> Found:
    """A row as it was, if there was one: its position and its columns."""
    streams = await reads.rows(_of_key(resource), key)
    if not streams:
        return ()
    position, id = streams[0]
    question = resource.by_key(key, resource.day(reads, asked))
    found = await to_thread.run_sync(_look, resource, reads, [id], asked, question)
    return [(position, *row[1:]) for row in found]


async def page_then(
    resource: Resource,
    reads: Reads,
    asked: Asked,
    order: Order,
    place: Sequence[Any],
    limit: int,
) -> tuple[int, Found, Sequence[Any] | None]:
    """A page of rows as they were, and the place to go on after, if there may be more.

    What is there now is replayed in the order of the key, some at a time, and asked the question:
    a page may hold fewer rows than asked for and still not be the last.
    """
    if order.columns != resource.key:
        there = ", ".join(resource.key)
        fault = f"with as_of or known_at rows come in the order of {there}"
        raise problems.faulty(problems.Fault("sort", order.name, fault))
    found: list[tuple[Any, ...]] = []
    position, looked_at, width = 0, 0, 1 + len(order.columns)
    day = resource.day(reads, asked)
    while len(found) <= limit and looked_at < LOOKED_AT:
        rows = await reads.rows(_streams(resource, bool(place)), place)
        position = position or rows[0][0]
        streams = [row[-1] for row in rows if row[-1] is not None]
        if not streams:
            return position, found[:limit], None
        place, looked_at = rows[-1][1:width], looked_at + len(streams)
        question = resource.selection(asked, order, (), AT_ONCE, day)
        rows = await to_thread.run_sync(_look, resource, reads, streams, asked, question)
        found += [row for row in rows if row[1] is not None]
        if len(streams) < AT_ONCE and len(found) <= limit:
            return position, found, None
    last = place if len(found) <= limit else found[limit - 1][1:width]
    return position, found[:limit], last


def _of_key(resource: Resource) -> Statement:
    where = " AND ".join(f"{name} = ${rank}" for rank, name in enumerate(resource.key, 1))
    return resource.statement(
        "stream",
        lambda: f"SELECT ({resource.position}), stream FROM {resource.table.name} WHERE {where}",
    )


def _streams(resource: Resource, after: bool) -> Statement:
    """The next streams in the order of the key, each with its place."""
    place = ", ".join(resource.key)
    places = ", ".join(f"{name} AS place_{n}" for n, name in enumerate(resource.key))
    again = ", ".join(f"place_{n}" for n in range(len(resource.key)))
    marks = ", ".join(f"${rank}" for rank in range(1, len(resource.key) + 1))
    where = f" WHERE ({place}) > ({marks})" if after else ""
    return resource.statement(
        ("streams", after),
        lambda: (
            f"SELECT * FROM ({resource.position_row}) AS followed LEFT JOIN (SELECT {places},"
            f" stream FROM {resource.table.name}{where} ORDER BY {place} LIMIT {AT_ONCE})"
            f" AS page ON true ORDER BY {again}"
        ),
    )


def _id(stream: Any) -> UUID:
    return stream_id(stream) if isinstance(stream, bytes) else UUID(str(stream))


# The rows made again


def _look(
    resource: Resource,
    reads: Reads,
    streams: Sequence[Any],
    asked: Asked,
    question: tuple[Statement, Sequence[Any]],
) -> Found:
    """What a question finds in the rows these streams had."""
    assert resource.replay is not None
    ids = [_id(stream) for stream in streams]
    day: date | None = asked.get("as_of")
    told = resource.replay(reads.desk.billing, ids, day, asked.get("known_at"))
    statement, values = question
    with closing(sqlite3.connect(":memory:")) as then:
        wanted = resource.tables
        _fill(then, gathered(wanted, (one for one in told if one[0] in wanted)))
        return then.execute(statement.lite, tuple(values)).fetchall()


def _fill(then: sqlite3.Connection, rows: Rows) -> None:
    then.execute("CREATE TABLE tracking (application_name, notification_id)")
    for table, some in rows.items():
        columns = ", ".join(column.name for column in table.columns)
        then.execute(f"CREATE TABLE {table.name} ({columns})")
        marks = ", ".join("?" * len(table.columns))
        then.executemany(f"INSERT INTO {table.name} VALUES ({marks})", map(adapted, some))
