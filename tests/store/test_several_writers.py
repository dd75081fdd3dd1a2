"""Several processes write to one store, and one of them dies."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from billing.store import Conflict, Store, recorders
from billing.store.recorders import StoreApplicationRecorder
from tests.store.examples import contract, event, events, processes, write_for_ever, write_many

WRITERS, TRANSACTIONS, SIZE = 4, 25, 40
ALL = WRITERS * TRANSACTIONS * SIZE


def test_a_reader_that_follows_four_writers_misses_nothing(url: str) -> None:
    store = Store.open(url)
    writers = [
        processes.Process(target=write_many, args=(url, TRANSACTIONS, SIZE)) for _ in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    followed: list[int] = []
    deadline = time.monotonic() + 50
    while len(followed) < ALL and time.monotonic() < deadline:
        followed += [position for position, _ in store.read_log(len(followed) + 1)]
    for writer in writers:
        writer.join(10)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert followed == list(range(1, ALL + 1))


def test_a_subscription_yields_each_event_of_other_processes_once(url: str) -> None:
    store = Store.open(url)
    with store.transaction() as tx:
        tx.append(events(10))
    writer = processes.Process(target=write_many, args=(url, TRANSACTIONS, SIZE))
    with StoreApplicationRecorder(store).subscribe(gt=4) as subscription:
        writer.start()
        wanted = list(range(5, 10 + TRANSACTIONS * SIZE + 1))
        assert [next(subscription).id for _ in wanted] == wanted
    writer.join(10)


def test_a_subscription_yields_at_once_what_this_process_appends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorders, "POLL", 30)
    stream = uuid4()
    with StoreApplicationRecorder(store).subscribe(topics=["kept"]) as subscription:
        for version in range(1, 6):
            with store.transaction() as tx:
                tx.append(
                    [event(stream, 2 * version - 1, "left"), event(stream, 2 * version, "kept")]
                )
            assert next(subscription).id == 2 * version


def test_of_two_that_decide_on_the_same_version_one_is_refused(url: str) -> None:
    store = Store.open(url)
    stream = uuid4()
    outcomes: list[str] = []
    both_read = threading.Barrier(2)

    def decide() -> None:
        try:
            with store.transaction() as tx:
                assert tx.state("contract", "C-1") is None
                both_read.wait(10)
                tx.put_states([contract("C-1")], [0])
                tx.append([event(stream, 1)])
            outcomes.append("written")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=decide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused", "written"]
    assert store.log_position() == 1
    assert store.count_states("contract") == 1


def test_after_the_lock_a_transaction_reads_the_latest(url: str) -> None:
    store, other = Store.open(url), Store.open(url)
    with store.transaction() as tx:
        assert tx.state("contract", "C-1") is None
        with other.transaction() as theirs:
            theirs.append([event(uuid4(), 1)])
            theirs.put_states([contract("C-1", 1)], [0])
        tx.lock()
        tx.lock()
        assert tx.state("contract", "C-1") == contract("C-1", 1)
        assert tx.append([event(uuid4(), 1)]) == range(2, 3)
        assert other.log_position() == 1  # Not before the commit.


def test_a_writer_killed_in_a_big_transaction_leaves_nothing(url: str) -> None:
    store = Store.open(url)
    with store.transaction() as tx:
        tx.append(events(10))
        tx.put_states([contract("C-1")])
    for delay in (0.0, 0.15, 0.3):
        started = processes.Event()
        victim = processes.Process(target=write_for_ever, args=(url, started))
        victim.start()
        assert started.wait(30)
        time.sleep(delay)
        victim.kill()
        victim.join(10)
        assert store.log_position() == 10
        assert store.count_states("contract") == 1
    with store.transaction() as tx:
        assert tx.append(events(2)) == range(11, 13)
