"""Projections kept up to date: followed live, caught up before a read, rebuilt beside and swapped.

A batch is read from the log once for all views that stand at the same place. Each view writes its
rows and how far it has followed in one transaction of its own, so that one that stops on an event
it cannot take holds up none of the others. Positions are the library's `Tracking`, under the name
`projection:<name>`.

Two runners may follow at once: rows are made before the transaction, and the tracked position only
moves forward, so whoever comes second starts again from where the first has got to. One at a time
rebuilds a projection; another waits for it.

An event a view cannot take stops that view, at the event before it, and is noted with its position
and topic; the others go on. It is tried again when asked to (`retry`), or when its code is newer.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from threading import Event as Flag
from time import sleep
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Tracking
from psycopg2 import Error as DriverError
from psycopg2 import InterfaceError, OperationalError
from sqlalchemy import delete, insert, text
from sqlalchemy import select as query
from sqlalchemy.exc import DBAPIError

from billing.application import Billing, receivables
from billing.application.states import fewer_collections, shorter_turns
from billing.record import UnknownEvent
from billing.refusal import Refused
from billing.store import Conflict, Store, StoreBusy, StoreError, StoreOutdated, Tx
from billing.store.postgres import CHANNEL
from billing.store.schema import tracking
from projections import analyst, schema
from projections.behind import Behind
from projections.database import (
    Target,
    difference,
    drop_beside,
    index_beside,
    make_beside,
    one_at_a_time,
    replace,
    swap,
)
from projections.tables import projection
from projections.view import Noted, Rows, Source, View, counted

STEP = 2_000  # Positions of the log in one batch; one is made while the one before is written.
POLL = 1.0  # Seconds after which the log is looked at again, woken or not.
ATTEMPTS = 60  # To swap tables while long queries read the old ones, a POLL apart.
PATIENCE = 300  # Milliseconds a swap waits for them, and all who come after it.


class Standing(NamedTuple):
    """How far a projection has followed the log, and what it stopped at, if it did."""

    name: str
    position: int
    behind: int
    failed_at: int = 0
    error: str = ""
    outdated: bool = False


Progress = Callable[[str, int], None]
"""Told while a projection is rebuilt: its name, and how many rows were written."""


class Runner:
    """Follows the log of an application for some projections, or for all."""

    def __init__(
        self,
        app: Billing,
        views: Iterable[View] | None = None,
        troubled: Callable[[Exception], object] = lambda error: None,
    ) -> None:
        from projections.catalog import VIEWS

        self.app = app
        self.troubled = troubled  # Told when the database does not answer a follower.
        self.store = app.store
        self.views = {view.name: view for view in (VIEWS if views is None else views)}
        self._dialect = self.store.engine.dialect.name
        self._ready = False

    def prepare(self) -> None:
        """Makes the tables there are not yet, once."""
        if not self._ready:
            schema.ensure(self.store)
            self._ready = True

    # How things stand

    def standings(self) -> list[Standing]:
        """How each projection stands."""
        self.prepare()
        end = self.store.log_position()
        with self.store.reading() as connection:
            known = {row.name: row for row in connection.execute(query(projection))}
        positions = self._positions(self.views.values())
        found = []
        for name, view in self.views.items():
            row = known.get(name)
            at = positions[name]
            outdated = row is None or row.version != view.version
            failed_at, error = 0, ""
            if row is not None and abs(row.version) == view.version:  # Else newer code may do it.
                failed_at, error = row.failed_at, row.error
            found.append(Standing(name, at, max(end - at, 0), failed_at, error, outdated))
        return found

    def _positions(self, views: Iterable[View]) -> dict[str, int]:
        """How far each has followed; in one statement, as a server asks every second."""
        t = tracking.c
        with self.store.reading() as connection:
            rows = connection.execute(query(t.application_name, t.notification_id))
            found = {row.application_name: row.notification_id for row in rows}
        return {view.name: found.get(tracked_as(view.name), 0) for view in views}

    def chosen(self, names: Sequence[str]) -> list[View]:
        """The views of these names, all when none is named. Raises Refused for another name."""
        for name in names:
            if name not in self.views:
                there = ", ".join(sorted(self.views))
                raise Refused(f"no projection {name}; there are {there}")
        return [self.views[name] for name in names] if names else list(self.views.values())

    # Following

    def catch_up(self, names: Sequence[str] = (), *, retry: bool = False) -> int:
        """Follows the log to its present end; how many positions the furthest behind went.

        A projection never made, or made by another version of its code, is rebuilt. One that
        stopped is left alone unless `retry`.
        """
        views = self.chosen(names)
        before = {one.name: one for one in self.standings()}
        going = [view for view in views if retry or not before[view.name].failed_at]
        going = [view for view in going if self._ready_to_go(view, before[view.name])]
        end = self.store.log_position()
        with fewer_collections(), shorter_turns():
            return self._followed(self._with_receivables(going), end)

    def _followed(self, going: list[View], end: int) -> int:
        """Follows for those views to a position; how many positions the furthest behind went."""
        at = self._positions(going)
        furthest = end - min(at.values(), default=end)
        with Behind(at_once=self.store.in_process) as behind:
            while going:
                lowest = min(at.values())
                if lowest >= end or behind.failed:
                    behind.settle()
                    if not behind.failed:
                        break
                    going = [
                        view
                        for view in going
                        if view.name not in behind.failed or self._taken_up(view, end)
                    ]
                    behind.failed.clear()
                    at = self._positions(going)
                    continue
                group = [view for view in going if at[view.name] == lowest]
                ahead = [place for place in at.values() if place > lowest]
                stop = min([end, lowest + STEP, *ahead])
                batch = self._read(group, lowest + 1, stop)
                source = Source(self.app, batch)
                for view in group:
                    self._made(view, batch, stop, source, behind)
                    at[view.name] = stop
        return furthest

    def _made(
        self, view: View, batch: Sequence[Noted], stop: int, source: Source, behind: Behind
    ) -> None:
        """Makes the rows of a batch and hands them over; views that take it share its `source`:
        what one has read and decoded, all have."""
        try:
            changed = view.change(source, [one for one in batch if one.topic in view.topics])
        except Exception as error:  # Looked into once what was handed over is written.
            behind.failed.setdefault(view.name, error)
        else:
            behind.hand(view.name, partial(self._put, view, stop, *changed))

    def _taken_up(self, view: View, end: int) -> bool:
        """Goes on after a failure, from where its rows stand: someone else may have been first,
        or it goes as far as the event it cannot take; whether it goes on."""
        at = self._positions([view])[view.name]
        stop = min(at + STEP, end)
        return stop <= at or self._advance(view, self._read([view], at + 1, stop), at, stop)

    def _ready_to_go(self, view: View, standing: Standing) -> bool:
        """Rebuilds it when it has to be, forgets why it stopped; whether it may go on."""
        if not standing.outdated:
            if standing.failed_at:
                self._note(view, 0, "")
            return True
        try:
            self.rebuild(view.name, only_if_outdated=True)
        except (Refused, StoreBusy):
            raise
        except Exception as error:  # Whatever it is, it is this view's alone.
            unless_away(error)
            self._note(view, *self._culprit(view, error), outdated=True)
            return False
        return True

    def _with_receivables(self, views: Sequence[View]) -> list[View]:
        """Brings the receivables book to the end of the log, for those of the views that ask it."""
        asking = [view for view in views if view.follows_receivables]
        try:
            if asking:
                receivables.follow(self.store)
        except StoreError:
            raise
        except Exception as error:
            unless_away(error)
            place, told = self._unreadable(error)
            for view in asking:
                self._note(view, place, f"the receivables book: {told}")
            return [view for view in views if not view.follows_receivables]
        return list(views)

    def _unreadable(self, error: Exception) -> tuple[int, str]:
        """The event the receivables book stopped at, if one cannot be read, and what is wrong."""
        at = (self.store.tracked(receivables.NAME) or 0) + 1
        for position, stored in self.store.read_log(at, topics=receivables.TOPICS):
            noted = Noted(position, stored)
            try:
                noted.event  # noqa: B018 (decoded when someone looks at it)
            except UnknownEvent as unknown:
                return position, _said(unknown, [noted])
        return at, _said(error)

    def follow(self, stop: Flag, names: Sequence[str] = (), *, retry: bool = True) -> None:
        """Follows the log as it grows, until someone sets the flag.

        A database that is busy, or away for a while, is asked again.
        """
        woken = Flag()
        self.store.listen(woken)
        try:
            while not stop.is_set():
                try:
                    with Closing(listening(self.store)) as heard:
                        self.catch_up(names, retry=retry)
                        retry = False
                        while not stop.is_set():
                            wait_for_news(woken, heard, POLL)
                            woken.clear()
                            self.catch_up(names)
                except (StoreError, DBAPIError) as error:
                    if isinstance(error, StoreOutdated):
                        raise
                    self.troubled(error)
                    stop.wait(POLL)
        finally:
            self.store.unlisten(woken)

    def _read(self, views: Sequence[View], start: int, stop: int) -> list[Noted]:
        topics = sorted(frozenset[str]().union(*(view.topics for view in views)))
        log = self.store.read_log(start, stop, topics=topics)
        return [Noted(position, stored) for position, stored in log]

    def _advance(self, view: View, batch: Sequence[Noted], at: int, stop: int) -> bool:
        """Brings a view from one position to another; whether it goes on."""
        try:
            self._put(view, stop, *view.change(Source(self.app, batch), batch))
        except Conflict as conflict:
            now = self._positions([view])[view.name]
            if now <= at:
                return self._halved(view, batch, at, stop, conflict)  # Its rows meet one another.
            if now < stop:  # Someone else was first, for a part of the way.
                rest = [noted for noted in batch if noted.position > now]
                return self._advance(view, rest, now, stop)
        except StoreBusy:
            raise
        except Exception as error:  # Whatever it is, it is this view's alone.
            unless_away(error)
            return self._halved(view, batch, at, stop, error)
        return True  # Someone else may have been first: they have done it all.

    def _put(self, view: View, stop: int, streams: Sequence[UUID], rows: Rows) -> None:
        """Writes what a batch changed, and the position it leads to."""
        with self.store.transaction() as tx:
            self._unhurried(tx)
            self._alone(tx, view)
            tx.track(Tracking(tracked_as(view.name), stop))
            self._write(tx, Target(self._dialect), view, streams, rows)

    def _halved(
        self, view: View, batch: Sequence[Noted], at: int, stop: int, error: Exception
    ) -> bool:
        """Goes as far as it can before the event that cannot be taken, and notes that one."""
        if len(batch) > 1:
            half = len(batch) // 2
            middle = batch[half].position - 1
            return self._advance(view, batch[:half], at, middle) and self._advance(
                view, batch[half:], middle, stop
            )
        place = batch[0].position if batch else stop
        if place - 1 > at:
            self._advance(view, (), at, place - 1)
        self._note(view, place, _said(error, batch))
        return False

    def _write(self, tx: Tx, target: Target, view: View, streams: Any, rows: Rows) -> None:
        with tx.writing() as connection:
            for one in view.totals:
                one.moved(connection, target, streams, rows.get(one.of, []))
            for table in view.tables:
                replace(connection, target, table, streams, rows.get(table, []))

    def _alone(self, tx: Tx, view: View) -> None:
        """No one else writes to the view's tables until this transaction ends."""
        if self._dialect == "postgresql":
            with tx.writing() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_advisory_xact_lock(hashtext(%s))", (tracked_as(view.name),)
                )

    def _unhurried(self, tx: Tx) -> None:
        """Does not wait for the disk: what a crash of the server takes away is followed again."""
        if self._dialect == "postgresql":
            with tx.writing() as connection:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    def _culprit(self, view: View, error: Exception) -> tuple[int, str]:
        """The event a view that could not be rebuilt stopped at, and what is wrong with it."""

        def trouble(some: Sequence[Noted]) -> Exception | None:
            try:
                view.change(Source(self.app, some), some)
            except Exception as error:
                return error
            return None

        log = self.store.read_log(topics=sorted(view.topics))
        while some := [Noted(position, stored) for position, stored in islice(log, STEP)]:
            while (found := trouble(some)) and len(some) > 1:
                half = len(some) // 2
                some = some[:half] if trouble(some[:half]) else some[half:]
            if found:
                return some[0].position, _said(found, some)
        return max(self.store.log_position(), 1), _said(error)

    def _note(self, view: View, failed_at: int, error: str, outdated: bool = False) -> None:
        with self.store.transaction() as tx:
            self._put_note(tx, view, failed_at, error, outdated)

    def _put_note(
        self, tx: Tx, view: View, failed_at: int, error: str, outdated: bool = False
    ) -> None:
        """Notes how it stands; `outdated` when this version of its code could not make its rows."""
        version = -view.version if outdated else view.version
        with tx.writing() as connection:
            connection.execute(
                text(
                    "INSERT INTO projection (name, version, failed_at, error)"
                    " VALUES (:name, :version, :failed_at, :error) ON CONFLICT (name) DO UPDATE"
                    " SET version = excluded.version, failed_at = excluded.failed_at,"
                    " error = excluded.error"
                ),
                {"name": view.name, "version": version, "failed_at": failed_at, "error": error},
            )

    # Rebuilding

    def rebuild(
        self,
        name: str,
        progress: Progress = lambda name, rows: None,
        only_if_outdated: bool = False,
    ) -> int:
        """Makes all rows again beside those that are read, then swaps; how many there are."""
        (view,) = self.chosen([name])
        self.prepare()
        with one_at_a_time(self.store.engine, name):
            (standing,) = (one for one in self.standings() if one.name == name)
            if only_if_outdated and not standing.outdated:
                return 0  # Someone else was first.
            count, at = self._build(view, progress)
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    self._swap(view, at)
                    break
                except StoreBusy:  # A long query reads the old table.
                    if attempt == ATTEMPTS:
                        raise
                    sleep(POLL)
        return count

    def _swap(self, view: View, at: int) -> None:
        target = Target(self._dialect, beside=True)
        with self.store.transaction() as tx:
            tx.lock()  # No event comes while the last ones are followed and the tables swapped.
            self._alone(tx, view)
            at = self._catch_up_beside(tx, view, at)
            with tx.writing() as connection:
                if self._dialect == "postgresql":
                    # Those who wish to read wait behind us while we wait: not for long.
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}ms'")
                granted = analyst.drop(connection, view.every_table)
                swap(connection, target, view.every_table)
                analyst.create(connection, view.every_table, granted)
                mark = tracked_as(view.name)
                connection.execute(delete(tracking).where(tracking.c.application_name == mark))
                connection.execute(
                    insert(tracking).values(application_name=mark, notification_id=at)
                )
            self._put_note(tx, view, 0, "")

    def compare(self, name: str) -> list[Any]:
        """Rows in which what was followed differs from what is rebuilt: there should be none."""
        (view,) = self.chosen([name])
        self.catch_up([name])
        (standing,) = (one for one in self.standings() if one.name == name)
        if standing.failed_at:
            raise Refused(f"{name} stopped and has not followed the log: {standing.error}")
        with one_at_a_time(self.store.engine, name):
            return self._compared(view)

    def _compared(self, view: View) -> list[Any]:
        _, at = self._build(view)
        target = Target(self._dialect, beside=True)
        with self.store.transaction() as tx:
            tx.lock()
            at = self._catch_up_beside(tx, view, at)
            followed = tx.tracked(tracked_as(view.name)) or 0
            if followed < at:
                self._follow_in(tx, Target(self._dialect), view, followed + 1, at)
            with tx.writing() as connection:
                found = [
                    row
                    for table in view.every_table
                    for row in difference(connection, target, table)
                ]
                drop_beside(connection, target, view.every_table)
        return found

    def _build(self, view: View, progress: Progress = lambda name, rows: None) -> tuple[int, int]:
        """All rows as the log has them now, in tables beside; how many, and up to where."""
        target = Target(self._dialect, beside=True)
        end = self.store.log_position()
        if view.follows_receivables:  # As far as that at least: what comes later is followed.
            receivables.follow(self.store)
        with self.store.transaction() as tx, tx.writing() as connection:
            make_beside(connection, target, view.tables, view.sums)
        count = 0

        def put(rows: Rows) -> None:
            with self.store.transaction() as tx:
                self._unhurried(tx)
                self._write(tx, target, view, (), rows)

        with fewer_collections(), shorter_turns(), Behind(at_once=self.store.in_process) as behind:
            for rows in view.pages(Source(self.app), end):
                behind.hand(view.name, partial(put, rows))
                if behind.failed:
                    break
                count += counted(rows)
                progress(view.name, count)
            behind.settle()
            for error in behind.failed.values():
                raise error
        with self.store.transaction() as tx, tx.writing() as connection:
            index_beside(connection, target, view.tables, view.sums)
        return count, self._nearly(view, end)

    def _nearly(self, view: View, at: int) -> int:
        """Follows beside what was recorded meanwhile, while that is much."""
        target = Target(self._dialect, beside=True)
        while self.store.log_position() - at > STEP:
            if view.follows_receivables:
                receivables.follow(self.store)
            with self.store.transaction() as tx:
                self._follow_in(tx, target, view, at + 1, at + STEP)
            at += STEP
        return at

    def _catch_up_beside(self, tx: Tx, view: View, at: int) -> int:
        """The same for the rest, under the append lock; where the log ends."""
        end = tx.log_position()
        if view.follows_receivables:
            receivables.catch_up(tx)
        if end > at:
            self._follow_in(tx, Target(self._dialect, beside=True), view, at + 1, end)
        return end

    def _follow_in(self, tx: Tx, target: Target, view: View, start: int, stop: int) -> None:
        log = tx.read_log(start, stop, topics=sorted(view.topics))
        while some := [Noted(position, stored) for position, stored in islice(log, STEP)]:
            self._write(tx, target, view, *view.change(Source(self.app, some, tx), some))


def tracked_as(name: str) -> str:
    """The name under which a projection's position is tracked."""
    return f"projection:{name}"


def listening(store: Store) -> Any:
    """A connection that hears of appends by other processes; none on SQLite."""
    if store.in_process:
        return None
    connection = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql(f"LISTEN {CHANNEL}")
    connection.detach()  # It is ours for good: the pool has its place back.
    return connection


class Closing:
    """Closes a connection, if there is one, at the end of the block."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            with suppress(DBAPIError):  # The server may have closed it first.
                self._connection.close()


def wait_for_news(woken: Flag, heard: Any, seconds: float) -> None:
    """Waits until this process or another one has appended something, or so long."""
    if heard is None:
        woken.wait(seconds)
        return
    driver = heard.connection.dbapi_connection  # Detached, it has no driver_connection.
    try:
        if select.select([driver], [], [], seconds)[0]:
            driver.poll()
            driver.notifies.clear()
    except DriverError as error:
        raise StoreError(f"The database no longer answers ({error}).") from error


def unless_away(error: BaseException) -> None:
    """Raises StoreError when the trouble is the server's (gone, full, ending), and no view's."""
    cause: BaseException | None = error
    while cause is not None:
        origin = getattr(cause, "orig", None)
        if any(isinstance(one, InterfaceError | OperationalError) for one in (cause, origin)):
            raise StoreError(f"The database no longer answers ({cause}).") from error
        cause = cause.__cause__


def _said(error: Exception, batch: Sequence[Noted] = ()) -> str:
    where = f"{batch[0].topic} at position {batch[0].position}: " if batch else ""
    return f"{where}{type(error).__name__}: {error}"
