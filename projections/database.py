"""Rows in bulk: replaced a stream at a time, or put in new tables that take the old ones' place.

PostgreSQL gets them by COPY, SQLite by executemany.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from fcntl import LOCK_EX, flock
from functools import cache, lru_cache
from io import BytesIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg2.extras import execute_values
from sqlalchemy import Connection, Date, Engine, MetaData, Table, text
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import quoted_name

BESIDE = "rebuilding"
ASKED = 500  # Streams asked for at once on SQLite, which has no arrays.
Row = tuple[Any, ...]


class Target(NamedTuple):
    """Where rows go: into the tables that are read, or into those being made beside them."""

    dialect: str
    beside: bool = False

    def name(self, table: Table) -> str:
        """The table's name in SQL."""
        if not self.beside:
            return table.name
        if self.dialect == "postgresql":
            return f"{BESIDE}.{table.name}"
        return f"{table.name}__{BESIDE}"


def made(table: Table, **values: Any) -> tuple[Table, Row]:
    """A row of a table, every column named; quickest in the order of the table."""
    names = _names(table)
    if tuple(values) == names:
        return table, tuple(values.values())
    assert len(values) == len(names), (table.name, values.keys() ^ set(names))
    return table, tuple([values[column] for column in names])


@cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(table.columns.keys())


def replace(
    connection: Connection, target: Target, table: Table, streams: Sequence[UUID], rows: list[Row]
) -> None:
    """The rows of these streams become those."""
    if streams:
        forget(connection, target, table, streams)
    insert(connection, target, table, rows)


def forget(connection: Connection, target: Target, table: Table, streams: Sequence[UUID]) -> None:
    """Takes the rows of these streams away."""
    name = target.name(table)
    if target.dialect == "postgresql":
        connection.connection.cursor().execute(
            f"DELETE FROM {name} WHERE stream = ANY(%s::uuid[])", (_array(streams),)
        )
        return
    _driver(connection).executemany(
        f"DELETE FROM {name} WHERE stream = ?", [(id.bytes,) for id in streams]
    )


def insert(connection: Connection, target: Target, table: Table, rows: list[Row]) -> None:
    """Puts rows in; each has a value for every column of the table, in their order."""
    if not rows:
        return
    name = target.name(table)
    columns = ", ".join(column.name for column in table.columns)
    if target.dialect == "postgresql":
        lines = copied(rows).encode()  # A StringIO would keep four bytes a character.
        connection.connection.cursor().copy_expert(
            f"COPY {name} ({columns}) FROM STDIN (ENCODING 'UTF8')",
            BytesIO(lines),
            size=len(lines) + 1,
        )
        return
    marks = ", ".join("?" * len(table.columns))
    cells = zip(*map(_adapted_column, zip(*rows, strict=True)), strict=True)
    _driver(connection).executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", cells)


class Totals(NamedTuple):
    """A table of sums of the rows of another, kept with them so that no one adds them up to ask.

    Its key are columns of the rows, `lines` counts them, its other columns are sums of theirs:
    two or more of each.
    """

    table: Table
    of: Table

    def moved(
        self, connection: Connection, target: Target, streams: Sequence[UUID], rows: list[Row]
    ) -> None:
        """The sums once those rows take the place of the streams' own, which are still there."""
        changes: dict[Row, list[int]] = {}
        for old in self._sums(connection, target, streams):
            self._add(changes, old[: self._keys], old[self._keys :], -1)
        for key, cells in self._by_key(rows).items():
            sums = [sum(column) for column in zip(*cells, strict=True)]
            self._add(changes, key, (len(cells), *sums), 1)
        moved = [(*key, *change) for key, change in changes.items() if any(change)]
        self._put(connection, target, moved)
        if any(change[0] < 0 for change in changes.values()):
            name = target.name(self.table)
            connection.exec_driver_sql(f"DELETE FROM {name} WHERE lines = 0")

    def _by_key(self, rows: list[Row]) -> dict[Row, list[Row]]:
        """What of the rows is summed, by key."""
        places = [_names(self.of).index(name) for name in self._named]
        key_of, summed_of = itemgetter(*places[: self._keys]), itemgetter(*places[self._keys :])
        found: dict[Row, list[Row]] = {}
        for row in rows:
            found.setdefault(key_of(row), []).append(summed_of(row))
        return found

    @staticmethod
    def _add(changes: dict[Row, list[int]], key: Row, more: Sequence[int], sign: int) -> None:
        known = changes.get(key)
        if known is None:
            changes[key] = [sign * one for one in more]
            return
        for place, one in enumerate(more):
            known[place] += sign * one

    @property
    def _keys(self) -> int:
        return len(self.table.primary_key)

    @property
    def _named(self) -> tuple[str, ...]:
        """The columns of the rows it is made of: its key, then those it sums."""
        return tuple(name for name in _names(self.table) if name != "lines")

    def _sums(
        self, connection: Connection, target: Target, streams: Sequence[UUID]
    ) -> Iterator[Row]:
        """What the streams' present rows come to, by key: days as the rows to come have them."""
        names = self._named
        keys = ", ".join(names[: self._keys])
        # A sum of BIGINT is NUMERIC on PostgreSQL, and would come back as a Decimal.
        sums = "".join(f", CAST(sum({name}) AS BIGINT)" for name in names[self._keys :])
        query = f"SELECT {keys}, count(*){sums} FROM {target.name(self.of)} WHERE stream "
        if target.dialect == "postgresql":
            if streams:
                cursor: Any = connection.connection.cursor()
                cursor.execute(f"{query} = ANY(%s::uuid[]) GROUP BY {keys}", (_array(streams),))
                yield from cursor
            return
        dates = [isinstance(self.table.c[name].type, Date) for name in names[: self._keys]]
        for first in range(0, len(streams), ASKED):
            some = [id.bytes for id in streams[first : first + ASKED]]
            asked = f"{query} IN ({', '.join('?' * len(some))}) GROUP BY {keys}"
            for row in _driver(connection).execute(asked, some):
                told = [
                    date.fromisoformat(value) if is_date else value
                    for value, is_date in zip(row, dates, strict=False)
                ]
                yield (*told, *row[self._keys :])

    def _put(self, connection: Connection, target: Target, rows: list[Row]) -> None:
        if not rows:
            return
        names = _names(self.table)
        keys, sums = names[: self._keys], names[self._keys :]
        marks = "%s" if target.dialect == "postgresql" else f"({', '.join('?' * len(names))})"
        query = (
            f"INSERT INTO {target.name(self.table)} AS kept ({', '.join(names)}) VALUES {marks}"
            f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET "
            + ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in sums)
        )
        if target.dialect == "postgresql":
            execute_values(connection.connection.cursor(), query, rows)
        else:
            _driver(connection).executemany(query, [adapted(row) for row in rows])


@contextmanager
def one_at_a_time(engine: Engine, name: str) -> Iterator[None]:
    """Waits until no one else, in any process, is in such a block of that name.

    On PostgreSQL by a lock of the server's, which a session that dies lets go of; on SQLite by one
    of the system's on a file beside the database, as dependable.
    """
    place = engine.url.database
    if engine.dialect.name == "postgresql":
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # Held for long: the pool has its place back.
        try:
            connection.exec_driver_sql("SET lock_timeout = 0")
            connection.exec_driver_sql(
                "SELECT pg_advisory_lock(hashtext(%s))", (f"rebuild:{name}",)
            )
            yield
        finally:
            connection.close()
    elif place in (None, "", ":memory:"):
        yield
    else:
        with Path(f"{place}-{BESIDE}").open("a") as file:
            flock(file, LOCK_EX)
            yield


def make_beside(
    connection: Connection, target: Target, tables: Iterable[Table], sums: Iterable[Table] = ()
) -> None:
    """Empty tables beside those that are read, without their indexes.

    On PostgreSQL without their keys too, which took half of the time of a row of `history`; sums
    keep theirs, by which they are found.
    """
    tables = list(tables)
    if target.dialect == "postgresql":
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {BESIDE}")
    for table in (*tables, *sums):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {target.name(table)}")
        connection.execute(CreateTable(_copy(table, target)))
    for name, key, _ in _keys(target, tables):
        connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT {key}")


def _keys(target: Target, tables: Iterable[Table]) -> Iterator[tuple[str, str, str]]:
    """Of tables whose keys are made last: table, name of the key, columns. None on SQLite."""
    for table in tables:
        if target.dialect == "postgresql" and len(table.primary_key):
            columns = ", ".join(column.name for column in table.primary_key)
            yield target.name(table), f"{table.name}_pkey", columns


def index_beside(
    connection: Connection, target: Target, tables: Iterable[Table], sums: Iterable[Table] = ()
) -> None:
    """Their keys and indexes, once they are full."""
    tables = list(tables)
    for name, key, columns in _keys(target, tables):
        connection.exec_driver_sql(
            f"ALTER TABLE {name} ADD CONSTRAINT {key} PRIMARY KEY ({columns})"
        )
    for table in (*tables, *sums):
        copy = _copy(table, target)
        taken = _index_names(connection) if target.dialect == "sqlite" else set()
        for index in sorted(copy.indexes, key=lambda one: str(one.name)):
            # On SQLite a name is one for the whole file, and the old table has it until the swap.
            if index.name in taken:
                index.name = quoted_name(f"{index.name}__{BESIDE}", quote=None)
            connection.execute(CreateIndex(index))
        if target.dialect == "postgresql":
            connection.exec_driver_sql(f"ANALYZE {target.name(table)}")


def swap(connection: Connection, target: Target, tables: Iterable[Table]) -> None:
    """The new tables take the place of the old ones; views on them must be made again."""
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")
        if target.dialect == "postgresql":
            schema = connection.execute(text("SELECT current_schema()")).scalar_one()
            connection.exec_driver_sql(f'ALTER TABLE {target.name(table)} SET SCHEMA "{schema}"')
        else:
            connection.exec_driver_sql(f"ALTER TABLE {target.name(table)} RENAME TO {table.name}")


def difference(connection: Connection, target: Target, table: Table) -> list[Row]:
    """Rows that only one of a table and the one made beside it holds, a hundred at most."""
    one, other = table.name, target.name(table)
    found: list[Row] = []
    for here, there in ((one, other), (other, one)):
        rows = connection.exec_driver_sql(
            f"SELECT * FROM {here} EXCEPT SELECT * FROM {there} LIMIT 50"
        )
        found += [(here, *row) for row in rows]
    return found


def drop_beside(connection: Connection, target: Target, tables: Iterable[Table]) -> None:
    """Throws the tables made beside away."""
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {target.name(table)}")


def _index_names(connection: Connection) -> set[str]:
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'")
    return set(found.scalars())


def _copy(table: Table, target: Target) -> Table:
    if target.dialect == "postgresql":
        return table.to_metadata(MetaData(), schema=BESIDE)
    return table.to_metadata(MetaData(), name=target.name(table))


def copied(rows: Sequence[Row]) -> str:
    """Rows as COPY of PostgreSQL takes them.

    A column at a time: most hold values of one type, which no call for each cell need look at.
    """
    columns = map(_column_of_text, zip(*rows, strict=True))
    return "\n".join([*map("\t".join, zip(*columns, strict=True)), ""])


def _column_of_text(values: Sequence[Any]) -> Iterable[str]:
    kinds = set(map(type, values))
    if kinds == {str}:
        whole = "".join(values)
        if not any(mark in whole for mark in _ESCAPES):
            return values
    if kinds == {datetime}:
        return _moments(values)
    if kinds == {UUID}:
        return _streams(values)
    if len(kinds) == 1:
        return map(_TOLD.get(kinds.pop(), str), values)
    return [_TOLD.get(type(value), str)(value) for value in values]


def _moments(values: Sequence[datetime]) -> Iterator[str]:
    """Few moments and many rows, as of a run: each moment is written once."""
    known: dict[datetime, str] = {}
    for moment, same in groupby(values):
        told = known.get(moment)
        if told is None:
            told = known[moment] = moment.isoformat()
        for _ in same:
            yield told


def _streams(values: Sequence[UUID]) -> Iterator[str]:
    """The rows of a stream lie together: its id is written once."""
    known, told = None, ""
    for id in values:
        if id is not known:
            known, told = id, id.hex
        yield told


def _escaped(told: str) -> str:
    for mark, written in _ESCAPES.items():
        told = told.replace(mark, written)
    return told


_ESCAPES: Final = {"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}  # In that order.

# Few days and many rows: looking one up takes a third of the time of writing it.
_day = lru_cache(maxsize=16384)(date.isoformat)

_TOLD: Final[dict[type, Callable[[Any], str]]] = {
    str: _escaped,
    UUID: lambda value: value.hex,
    date: _day,
    datetime: datetime.isoformat,
    bool: lambda value: "t" if value else "f",
    type(None): lambda _: r"\N",
}
"""How COPY is told a value of each type, and of all others by `str`."""


def adapted(row: Row) -> Row:
    """A row as the driver of SQLite takes it."""
    return tuple(
        [
            value if (as_kept := _ADAPTED.get(type(value))) is None else as_kept(value)
            for value in row
        ]
    )


def _adapted_column(values: Sequence[Any]) -> Sequence[Any]:
    kinds = set(map(type, values))
    if _ADAPTED.keys().isdisjoint(kinds):
        return values
    if len(kinds) == 1:
        return list(map(_ADAPTED[kinds.pop()], values))
    return adapted(values)  # type: ignore[arg-type]


_ADAPTED: dict[type, Callable[[Any], Any]] = {
    UUID: lambda value: value.bytes,
    date: _day,
    # As SQLAlchemy writes and reads it.
    datetime: lambda value: value.isoformat(" ", "microseconds")[:26],
    Decimal: str,
    bool: int,
}


def _array(ids: Iterable[UUID]) -> str:
    """Ids as one text PostgreSQL reads an array from; the driver would quote them one by one."""
    return "{" + ",".join([id.hex for id in ids]) + "}"


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
