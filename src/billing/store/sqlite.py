"""The store in one SQLite file (or in memory).

Connections are in the driver's autocommit mode and `BEGIN IMMEDIATE` opens every transaction
that writes: the driver's own `BEGIN` is deferred, and a deferred transaction that read first
cannot become a writer once another process has written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import URL, Connection, StaticPool, create_engine, event

from billing.identity import stream_id
from billing.store.errors import Conflict, StoreBusy, StoreError
from billing.store.schema import (
    STATE,
    Logged,
    StateRow,
    Stream,
    states,
    states_query,
    stored_event,
)


class SQLite:
    """SQL and bulk paths for SQLite, through the driver of the standard library."""

    driver_error = sqlite3.Error
    one_writer = True
    named = states

    def __init__(self, url: URL, lock_timeout: float, pool_size: int, create: bool) -> None:
        self.place = url.database or "memory"
        self.in_memory = url.database in (None, "", ":memory:")
        self._lock_timeout = lock_timeout
        if not (self.in_memory or create or Path(self.place).exists()):
            raise StoreError(f"There is no store at {self.place}: create it, or correct the path.")
        pool: dict[str, Any] = {"poolclass": StaticPool}
        if not self.in_memory:
            pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": lock_timeout}
        self.engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            connect_args={"check_same_thread": False, "timeout": lock_timeout},
            hide_parameters=True,
            **pool,
        )
        event.listen(self.engine, "connect", self._on_connect)

    def _on_connect(self, connection: sqlite3.Connection, _record: object) -> None:
        # Pages twice the usual size and fewer checkpoints: a fifth more events a second.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        # Several processes opening a new file together: the change to WAL does not always wait.
        deadline = monotonic() + self._lock_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or monotonic() > deadline:
                    raise
                sleep(0.02)
        # With FULL a commit that returned survives a power cut; NORMAL could lose the last ones.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -65536")

    def lock(self, connection: Connection) -> None:
        _driver(connection).execute("BEGIN IMMEDIATE")

    def encode(self, events: Sequence[StoredEvent]) -> list[Any]:
        return [
            (e.originator_id.bytes, e.originator_version, e.topic, e.state)  # type: ignore[union-attr]
            for e in events
        ]

    def insert_events(self, connection: Connection, rows: list[Any], _first: int) -> None:
        # The row number is the position: SQLite gives the last one plus one.
        _driver(connection).executemany(
            "INSERT INTO events (originator_id, originator_version, topic, state)"
            " VALUES (?, ?, ?, ?)",
            rows,
        )

    def log_page(
        self, connection: Connection, start: int, stop: int, topics: Sequence[str]
    ) -> Iterator[tuple[int, StoredEvent]]:
        return (
            (position, stored_event(stream_id(id), version, topic, state))
            for position, id, version, topic, state in self.log_rows(
                connection, start, stop, topics
            )
        )

    def log_rows(
        self, connection: Connection, start: int, stop: int, topics: Sequence[str]
    ) -> list[Logged]:
        wanted = f" AND topic IN ({_marks(topics)})" if topics else ""
        return (
            _driver(connection)
            .execute(
                "SELECT position, originator_id, originator_version, topic, state FROM events"
                f" WHERE position BETWEEN ? AND ?{wanted} ORDER BY position",
                (start, stop, *topics),
            )
            .fetchall()
        )

    def stream_page(
        self, connection: Connection, first: UUID, last: UUID, topics: Sequence[str]
    ) -> list[Stream]:
        rows = _driver(connection).execute(
            # As a blob: what is no text is for whoever reads the event to complain of.
            """SELECT originator_id, CAST('["' || topic || '",' || state AS BLOB) FROM events"""
            f" WHERE originator_id BETWEEN ? AND ? AND topic IN ({_marks(topics)})"
            " ORDER BY originator_id, originator_version",
            (first.bytes, last.bytes, *topics),
        )
        return [
            Stream(stream_id(id), len(told), b"[%b]]" % b"],\n".join(told))
            for id, found in groupby(rows, itemgetter(0))
            if (told := [event for _, event in found])
        ]

    def streams(
        self, connection: Connection, ids: Sequence[UUID], topics: Sequence[str]
    ) -> Iterator[StoredEvent]:
        known = {id.bytes: id for id in ids}
        of_topics = f" AND topic IN ({_marks(topics)})" if topics else ""
        query = (
            "SELECT originator_id, originator_version, topic, state FROM events WHERE originator_id"
            f" IN ({_marks(ids)}){of_topics} ORDER BY originator_id, originator_version"
        )
        found = _driver(connection).execute(query, [*known, *topics]).fetchall()
        return (
            stored_event(known[id], version, topic, state) for id, version, topic, state in found
        )

    def states(
        self,
        connection: Connection,
        kind: str,
        among: Sequence[tuple[str, Sequence[Any]]],
        due_before: date | None,
        after: tuple[date, int, str] | None,
        limit: int | None,
    ) -> list[StateRow]:
        # `+` keeps SQLite from walking through the whole kind instead of asking for each id.
        conditions = ["+kind = ?" if {"id", "parent"} & dict(among).keys() else "kind = ?"]
        values: list[Any] = [kind]
        for column, wanted in among:
            conditions.append(f"{column} IN ({_marks(wanted)})")
            values += wanted if column == "name" else [id.bytes for id in wanted]
        day = due_before and due_before.isoformat()
        key = after and (after[0].isoformat(), *after[1:])
        query, values = states_query(STATE, "states", "?", conditions, values, day, key, limit)
        return [
            StateRow(
                stream_id(id),
                kind,
                name,
                version,
                body,
                next_due and date.fromisoformat(next_due),
                rank,
                parent and stream_id(parent),
            )
            for id, kind, name, version, body, next_due, rank, parent in _driver(
                connection
            ).execute(query, values)
        ]

    def insert_states(self, connection: Connection, rows: Sequence[StateRow]) -> None:
        _driver(connection).executemany(
            f"INSERT INTO states ({STATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_cells, rows)
        )

    def update_states(
        self, connection: Connection, rows: Sequence[StateRow], expected: Sequence[int]
    ) -> int:
        return (
            _driver(connection)
            .executemany(
                "UPDATE states SET version = ?4, body = ?5, next_due = ?6, rank = ?7, parent = ?8"
                " WHERE id = ?1 AND version = ?9",
                ((*_cells(row), version) for row, version in zip(rows, expected, strict=True)),
            )
            .rowcount
        )

    def upsert_states(self, connection: Connection, rows: Sequence[StateRow]) -> None:
        _driver(connection).executemany(
            f"INSERT INTO states ({STATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET version = excluded.version, body = excluded.body,"
            " next_due = excluded.next_due, rank = excluded.rank, parent = excluded.parent",
            map(_cells, rows),
        )

    def delete_states(self, connection: Connection) -> None:
        _driver(connection).execute("DELETE FROM states")

    def refusal(self, error: BaseException) -> StoreError:
        if isinstance(error, sqlite3.IntegrityError):
            return Conflict(
                f"Another writer was first ({error}); nothing of this transaction was written: "
                "read the current state again and decide anew."
            )
        if "locked" in str(error):
            return StoreBusy(
                f"Another process has been writing to {self.place} for more than "
                f"{self._lock_timeout:g} s: let it finish, then run this again."
            )
        if "unable to open" in str(error):
            return StoreError(
                f"The file {self.place} cannot be opened: check that its folder exists and that "
                "you may write there."
            )
        return StoreError(f"The database {self.place} refused ({error}); nothing was written.")


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _cells(row: StateRow) -> tuple[Any, ...]:
    return (
        row.id.bytes,
        row.kind,
        row.name,
        row.version,
        row.body,
        row.next_due and row.next_due.isoformat(),
        row.rank,
        row.parent and row.parent.bytes,
    )
