"""Rows for an answer: one short statement, and nobody waits for it but the one who asked.

On PostgreSQL a few connections of our own that do not block: the event loop goes on while the
database works, and no thread takes a turn. Statements are prepared once a connection; they only
read, and give up after a while. On SQLite, where the program is its own database, a read first
follows the log to its end, then looks in the file itself, which takes less than handing it to a
thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any, Final
from uuid import UUID

import psycopg2.errors
from anyio import to_thread
from fastapi import FastAPI
from psycopg2 import extensions as pq
from sqlalchemy import Engine

from billing.store import StoreBusy
from projections.api.deps import Desk

LINES: Final = 4  # Connections at most: one process can take no more answers than these give.
GIVES_UP: Final = 10  # Seconds a statement may take.
PREPARED: Final = 200  # Statements a connection remembers.
_numbers = count(1)


class Statement:
    """A SELECT written once, its values as $1, $2 …; a name under which it is prepared."""

    __slots__ = ("lite", "name", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        # A day is text there.
        self.lite = text.replace("::date", "").replace("$", "?").replace("to_json", "json_quote")
        self.name = f"read_{next(_numbers)}"


Found = Sequence[tuple[Any, ...]]


class Reads:
    """The read model, asked from the event loop."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.store = desk.billing.store
        self.lite = self.store.in_process
        self._followed = -1  # The end of the log when it was last followed to it.
        most = min(desk.settings.pool, LINES)
        self._lines = None if self.lite else Lines(self.store.engine, most)

    async def rows(self, statement: Statement, values: Sequence[Any] = ()) -> Found:
        """The rows a statement finds."""
        if self._lines is None:
            await self.caught_up()
            return self._looked_up(statement, values)
        return await self._lines.rows(statement, values)

    def id_of(self, stream: UUID) -> str | bytes:
        """A stream's id as the database has it."""
        return stream.bytes if self.lite else str(stream)

    async def caught_up(self) -> None:
        """On SQLite, has the log followed to its end; whoever only looks pays one small read."""
        if not (self.lite and self.desk.settings.embedded):
            return
        end = self.store.log_position()
        if end != self._followed:
            await to_thread.run_sync(self.desk.runner.catch_up)
            self._followed = end

    def _looked_up(self, statement: Statement, values: Sequence[Any]) -> Found:
        with self.store.reading() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(statement.lite, tuple(values))
            return cursor.fetchall()

    def close(self) -> None:
        """Lets go of the connections."""
        if self._lines is not None:
            self._lines.close()


class Line:
    """A connection to PostgreSQL that does not block. It does one thing at a time."""

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = psycopg2.connect(dsn, async_=1)
        self._prepared: set[str] = set()
        self._waiting: asyncio.Future[None] | None = None
        self._fd = -1

    @property
    def usable(self) -> bool:
        """Whether it may be asked again: it is open, idle, and this loop's."""
        return (
            not self.closed and self._waiting is None and self._loop is asyncio.get_running_loop()
        )

    @property
    def closed(self) -> bool:
        """Whether it is lost."""
        return bool(self._connection.closed)

    async def open(self) -> None:
        """Connects. Raises psycopg2.OperationalError when there is nobody."""
        while (state := self._connection.poll()) != pq.POLL_OK:
            fd, ready = self._connection.fileno(), self._loop.create_future()
            add, remove = (
                (self._loop.add_reader, self._loop.remove_reader)
                if state == pq.POLL_READ
                else (self._loop.add_writer, self._loop.remove_writer)
            )
            add(fd, _done, ready)
            try:
                await ready
            finally:
                remove(fd)
        self._fd = self._connection.fileno()
        self._loop.add_reader(self._fd, self._heard)

    async def rows(self, statement: Statement, values: Sequence[Any]) -> Found:
        """The rows a statement finds."""
        cursor = self._connection.cursor()
        given = f"({', '.join(['%s'] * len(values))})" if values else ""
        said = f"EXECUTE {statement.name}{given}"
        if statement.name not in self._prepared:
            text = statement.text.replace("%", "%%") if values else statement.text
            said = f"PREPARE {statement.name} AS {text}; {said}"
            if len(self._prepared) >= PREPARED:
                self._prepared.clear()
                said = f"DEALLOCATE ALL; {said}"
        self._waiting = self._loop.create_future()
        try:
            cursor.execute(said, values or None)
            await self._waiting
        except asyncio.CancelledError:
            self.close()  # What it was doing is not over.
            raise
        finally:
            self._waiting = None
        self._prepared.add(statement.name)
        return cursor.fetchall()

    def _heard(self) -> None:
        """Something came from the server: an answer, part of one, or its farewell."""
        waiting = self._waiting
        try:
            state = self._connection.poll()
        except psycopg2.Error as error:
            if self._connection.closed or waiting is None:
                self.close()
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
            return
        if state == pq.POLL_OK and waiting is not None and not waiting.done():
            waiting.set_result(None)

    def close(self) -> None:
        """Lets go of it."""
        if self._fd >= 0:
            with suppress(RuntimeError):  # Its loop may be closed.
                self._loop.remove_reader(self._fd)
            self._fd = -1
        self._connection.close()


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Lines:
    """A few connections, each lent to one read at a time."""

    def __init__(self, engine: Engine, most: int) -> None:
        self._dsn = _dsn(engine)
        self._most = most
        self._out = 0
        self._idle: list[Line] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def rows(self, statement: Statement, values: Sequence[Any]) -> Found:
        """The rows a statement finds; what the driver complains of is said as a sentence.

        Asked once more where the connection was lost, or where a table is not what it was.
        """
        for again in (True, False):
            line = await self._take()
            try:
                return await line.rows(statement, values)
            except psycopg2.Error as error:
                outdated = isinstance(error, psycopg2.errors.FeatureNotSupported)
                if again and (outdated or line.closed):
                    line.close()
                elif isinstance(error, psycopg2.OperationalError):
                    raise _busy(error) from error
                else:
                    raise
            finally:
                self._give(line)
        raise AssertionError("the last attempt returns or raises")

    async def _take(self) -> Line:
        if self._out < self._most:
            self._out += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next()
                raise
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                return line
            line.close()
        try:
            line = Line(self._dsn)
            await line.open()
        except BaseException as error:
            self._next()
            if isinstance(error, psycopg2.OperationalError):
                raise _busy(error) from error
            raise
        return line

    def _give(self, line: Line) -> None:
        if line.usable:
            self._idle.append(line)
        else:
            line.close()
        self._next()

    def _next(self) -> None:
        """The turn passes to who has waited longest: nobody who comes later gets in before."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._out -= 1

    def close(self) -> None:
        """Lets go of those that are idle."""
        while self._idle:
            self._idle.pop().close()


OPTIONS: Final = (
    # Plans as the store asks for them (store/postgres.py), made once: what is asked differs in its
    # values, not in how it is found.
    "-c random_page_cost=1.1 -c max_parallel_workers_per_gather=0"
    " -c plan_cache_mode=force_generic_plan -c timezone=UTC"
    f" -c default_transaction_read_only=on -c statement_timeout={GIVES_UP * 1000}"
)


def _dsn(engine: Engine) -> str:
    arguments, options = engine.dialect.create_connect_args(engine.url)
    own = f"{options.pop('options', '')} {OPTIONS}".strip()
    dsn = arguments[0] if arguments else ""
    return pq.make_dsn(dsn, **options, options=own)


def _busy(error: psycopg2.OperationalError) -> StoreBusy:
    return StoreBusy(f"The database does not answer: {str(error).strip() or 'it went away'}.")


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """The reads of a server, while it runs: `app.state.reads`."""
    app.state.reads = Reads(app.state.desk)
    try:
        yield
    finally:
        app.state.reads.close()
