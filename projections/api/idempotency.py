"""A command asked twice is done once: the Idempotency-Key of a request, and what was answered.

The answer's row is written in the transaction of the events it tells of. So a server that dies
between the two has done neither; one that dies before it answered has left the positions of what it
recorded, and whoever asks again is told of those.

A command that takes several transactions (a run, a file of debits, a bank's file, a chase) has its
row from the start, under way, and can be taken up again: it goes on with what is left to do. While
it shows that it lives no one else begins it; once it was taken over it may write no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from billing.store import Store, Tx
from projections.api.problems import Fault, Problem, faulty
from projections.desk import idempotency, utc

KEPT: Final = timedelta(hours=48)
LEASE: Final = timedelta(seconds=60)  # A command under way that showed no life for so long is dead.
TIDIED: Final = timedelta(hours=1)
LONGEST: Final = 255

Positions = tuple[tuple[int, int], ...]
"""First and last position of what each transaction of a command recorded."""


class Ask(NamedTuple):
    """Who asks for what, and the status that answers it; a key asks for one thing only."""

    caller: str
    key: str
    action: str
    digest: str
    status: int = 200


class Answer(NamedTuple):
    """What is answered, and whether it was answered before."""

    status: int
    body: bytes
    positions: Positions = ()
    replayed: bool = False

    @property
    def position(self) -> int:
        """The last position recorded; 0 when nothing was."""
        return self.positions[-1][1] if self.positions else 0


More = dict[str, Any]
Act = Callable[[Store], More]
"""Performs the command on a store that writes down what it records; what it tells besides."""

Tell = Callable[[More, Positions], bytes]
"""The answer's body. After a crash the events recorded are all there is to tell."""


class Kept(NamedTuple):
    """A row: how far a command has come."""

    digest: str
    state: str
    attempt: str
    positions: Positions
    status: int
    body: str
    touched_at: datetime


class TakenOver(Exception):
    """Someone else answers for this key: nothing of this transaction is written."""


class Once:
    """Performs each command once, whoever asks however often."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.clock = clock
        self._here: set[tuple[str, str]] = set()
        self._lock = Lock()
        self._tidied: datetime | None = None

    def perform(self, ask: Ask, act: Act, tell: Tell, *, resumable: bool = False) -> Answer:
        """The answer, made now or before. Problems: the key of another request, one under way."""
        with self._alone(ask):
            attempt = self._begin(ask, tell, resumable)
            if isinstance(attempt, Answer):
                return attempt
            try:
                return self._carry_out(attempt, act, tell)
            except BaseException:
                attempt.forget()
                raise

    def begin(
        self, ask: Ask, act: Act, tell: Tell, fail: Callable[[Exception], Answer]
    ) -> Answer | Callable[[], Answer]:
        """A long command: what was answered before, or else the work, noted as under way.

        What it refuses is kept as its answer: no one may be waiting for it.
        """
        with self._alone(ask):
            attempt = self._begin(ask, tell, resumable=True)
        if isinstance(attempt, Answer):
            return attempt

        def work() -> Answer:
            try:
                return self._carry_out(attempt, act, tell)
            except Exception as error:
                failed = fail(error)
                return attempt.answer(failed.body, failed.status)
            except BaseException:
                attempt.forget()
                raise

        return work

    def _begin(self, ask: Ask, tell: Tell, resumable: bool) -> Answer | _Attempt:
        self._tidy()
        kept = self.kept(ask.caller, ask.key)
        if kept is not None:
            _same(ask, kept)
            if kept.state != "under_way":
                return self._again(ask, kept, tell)
            left = (kept.touched_at + LEASE - self.clock()).total_seconds()
            if left > 0:
                raise _under_way(ceil(left))
        attempt = _Attempt(self, ask, resumable, kept.positions if kept else ())
        if resumable:
            try:
                attempt.begin(kept)
            except TakenOver:
                return self._answered_elsewhere(ask, tell)
        return attempt

    def _carry_out(self, attempt: _Attempt, act: Act, tell: Tell) -> Answer:
        try:
            more = act(self.store.ending_with(attempt.note))
            return attempt.answer(tell(more, attempt.positions))
        except TakenOver:
            return self._answered_elsewhere(attempt.ask, tell)

    def kept(self, caller: str, key: str) -> Kept | None:
        """What is known of a caller's key."""
        t = idempotency.c
        columns = (t.digest, t.state, t.attempt, t.positions, t.status, t.body, t.touched_at)
        query = select(*columns).where(t.caller == caller, t.key == key)
        with self.store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        positions = tuple((first, last) for first, last in msgspec.json.decode(row.positions))
        touched_at = utc(row.touched_at)
        assert touched_at is not None
        return Kept(row.digest, row.state, row.attempt, positions, row.status, row.body, touched_at)

    def _again(self, ask: Ask, kept: Kept, tell: Tell) -> Answer:
        if kept.state == "answered":
            return Answer(kept.status, kept.body.encode(), kept.positions, replayed=True)
        # The server died before it answered: its events are all there is to tell.
        attempt = _Attempt(self, ask, False, kept.positions, kept.attempt)
        return attempt.answer(tell({}, kept.positions))._replace(replayed=True)

    def _answered_elsewhere(self, ask: Ask, tell: Tell) -> Answer:
        kept = self.kept(ask.caller, ask.key)
        if kept is None or kept.state == "under_way":
            raise _under_way(1)
        _same(ask, kept)
        return self._again(ask, kept, tell)

    @contextmanager
    def _alone(self, ask: Ask) -> Iterator[None]:
        """One request of a key at a time in this process; others see to it in the database."""
        name = (ask.caller, ask.key)
        with self._lock:
            if name in self._here:
                raise _under_way(1)
            self._here.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._here.discard(name)

    def _tidy(self) -> None:
        now = self.clock()
        with self._lock:
            if self._tidied is not None and now - self._tidied < TIDIED:
                return
            self._tidied = now
        with self.store.transaction() as tx, tx.writing() as connection:
            connection.execute(delete(idempotency).where(idempotency.c.begun_at < now - KEPT))


class _Attempt:
    """One attempt at a command; it writes its row with its events, unless it was taken over."""

    def __init__(
        self, once: Once, ask: Ask, resumable: bool, positions: Positions, name: str = ""
    ) -> None:
        self.ask = ask
        self.positions = positions  # What was recorded, by this attempt and those before it.
        self._once = once
        self._resumable = resumable
        self._name = name or uuid4().hex
        self._begun = False

    def begin(self, dead: Kept | None) -> None:
        """Says that it is under way, in the place of an attempt that died."""
        with self._once.store.transaction() as tx:
            if dead is None:
                self._insert(tx, "under_way")
            else:
                self._update(tx, dead.attempt, attempt=self._name)
        self._begun = True

    def note(self, tx: Tx) -> None:
        """The last word of a transaction that recorded events."""
        first, last = tx.appended.start, tx.appended.stop - 1
        if not self._resumable:
            self.positions = ((first, last),)
            self._insert(tx, "recorded")
            return
        *before, end = (*self.positions, (first, last))
        if before and before[-1][1] + 1 == first:
            end = (before.pop()[0], last)
        self.positions = (*before, end)
        self._update(tx, self._name, positions=_json(self.positions))

    def answer(self, body: bytes, status: int = 0) -> Answer:
        """The answer, kept for whoever asks again."""
        status = status or self.ask.status
        with self._once.store.transaction() as tx:
            if self._begun or self.positions:
                told = {"status": status, "body": body.decode()}
                self._update(tx, self._name, state="answered", **told)
            else:
                self._insert(tx, "answered", body.decode())
        return Answer(status, body, self.positions)

    def forget(self) -> None:
        """It was refused: the same key may ask again, once what stood in its way is gone."""
        if self._begun:
            with self._once.store.transaction() as tx, tx.writing() as connection:
                connection.execute(delete(idempotency).where(*self._mine(self._name)))

    def _mine(self, attempt: str) -> tuple[Any, ...]:
        t = idempotency.c
        return (t.caller == self.ask.caller, t.key == self.ask.key, t.attempt == attempt)

    def _insert(self, tx: Tx, state: str, body: str = "") -> None:
        now = self._once.clock()
        row = self.ask._asdict() | {
            "state": state,
            "attempt": self._name,
            "positions": _json(self.positions),
            "body": body,
            "begun_at": now,
            "touched_at": now,
        }
        with tx.writing() as connection:
            is_postgresql = connection.dialect.name == "postgresql"
            insert = postgresql.insert if is_postgresql else sqlite.insert
            if not connection.execute(
                insert(idempotency).values(row).on_conflict_do_nothing()
            ).rowcount:
                ours = select(idempotency.c.key).where(*self._mine(self._name))
                assert connection.execute(ours).first() is None, (
                    f"{self.ask.action} takes several transactions: it must be resumable"
                )
                raise TakenOver

    def _update(self, tx: Tx, of: str, **values: Any) -> None:
        told = {"touched_at": self._once.clock(), **values}
        with tx.writing() as connection:
            mine = update(idempotency).where(*self._mine(of)).values(told)
            if not connection.execute(mine).rowcount:
                raise TakenOver


def digest_of(method: str, path: str, body: bytes) -> str:
    """What a request says, in 64 characters."""
    return sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


def key_of(header: str | None) -> str:
    """The key of a request. Raises Problem when there is none, or no good one."""
    if header is None:
        raise Problem(
            400,
            "key-missing",
            "A command needs a key",
            "Idempotency-Key: a text of the caller's own was expected, such as a UUID: new for "
            "each command, the same whenever the command is repeated",
        )
    key = header.strip().strip('"')  # As a string of RFC 8941, or bare.
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{LONGEST}}}", key):
        expected = f"1 to {LONGEST} visible ASCII characters were expected"
        raise faulty(Fault("header Idempotency-Key", header[:LONGEST], expected))
    return key


def _same(ask: Ask, kept: Kept) -> None:
    if ask.digest != kept.digest:
        raise Problem(
            422,
            "key-reused",
            "This key asked for something else",
            f"Idempotency-Key {ask.key} came with another path or body before; a new command needs "
            "a new key",
        )


def _under_way(seconds: int) -> Problem:
    return Problem(
        409,
        "under-way",
        "The same command is under way",
        f"ask again in {seconds} s, with the same key and body",
        headers={"Retry-After": str(seconds)},
    )


def _json(positions: Positions) -> str:
    return msgspec.json.encode(positions).decode()


__all__ = ["Answer", "Ask", "More", "Once", "Positions", "digest_of", "key_of"]
