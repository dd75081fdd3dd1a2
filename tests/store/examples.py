"""Events and states to write, and the processes that write them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable
from datetime import date
from multiprocessing.synchronize import Event
from uuid import UUID, uuid4, uuid5

from eventsourcing.persistence import StoredEvent

from billing.store import StateRow, Store

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.store.examples", "billing.store.postgres"])

NAMES = UUID("3b5f3f60-2f4b-5d0a-9a57-0d6c8c1f4f10")


def event(stream: UUID, version: int, topic: str = "t", state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(stream, version, topic, state)


def events(count: int, *, size: int = 20) -> list[StoredEvent]:
    """Two events to a stream."""
    streams = (uuid4() for _ in range(count // 2))
    return [event(id, version, state=os.urandom(size)) for id in streams for version in (1, 2)]


def contract(
    name: str,
    version: int = 1,
    due: date | None = None,
    rank: int = 0,
    parent: UUID | None = None,
) -> StateRow:
    return StateRow(uuid5(NAMES, name), "contract", name, version, b"\0body", due, rank, parent)


def versions(found: Iterable[tuple[int, StoredEvent]]) -> list[tuple[int, int]]:
    return [(position, event.originator_version) for position, event in found]


def write_many(url: str, transactions: int, size: int) -> None:
    """A process that appends, one transaction after another."""
    store = Store.open(url, lock_timeout=60)
    for _ in range(transactions):
        with store.transaction() as tx:
            tx.append(events(size))
    store.close()


def write_for_ever(url: str, started: Event) -> None:
    """A process that never ends its transaction."""
    store = Store.open(url)
    with store.transaction() as tx:
        while True:
            tx.append(events(2_000, size=300))
            tx.put_states([contract(str(uuid4())) for _ in range(500)])
            started.set()


def hold_lock(url: str, held: Event, release: Event) -> None:
    """A process that keeps the append lock."""
    store = Store.open(url)
    with store.transaction() as tx:
        tx.lock()
        held.set()
        release.wait(30)


def open_at(url: str, moment: float) -> None:
    """A process that opens a store that may not be there yet, at the same moment as others."""
    time.sleep(max(0.0, moment - time.time()))
    Store.open(url).close()
