"""Opening a store says what to do when it cannot be opened."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from billing.store import Store, StoreBusy, StoreError, StoreOutdated
from tests.postgres import Server
from tests.store.examples import event, hold_lock, open_at, processes


@pytest.mark.parametrize(
    ("schema", "advice"), [(0, "copy its events into a new store"), (99, "upgrade this program")]
)
def test_a_store_of_another_version_is_refused(url: str, schema: int, advice: str) -> None:
    store = Store.open(url)
    with store.engine.connect() as connection:
        connection.execute(text(f"UPDATE meta SET value = '{schema}'"))
        connection.commit()
    store.close()
    with pytest.raises(StoreOutdated, match=advice):
        Store.open(url)


def test_an_existing_store_is_opened_as_it_is(url: str) -> None:
    with Store.open(url).transaction() as tx:
        tx.append([event(uuid4(), 1)])
    assert Store.open(url, create=False).log_position() == 1


def test_a_store_that_is_not_there_is_made_only_if_asked(url: str) -> None:
    with pytest.raises(StoreError, match="There is no store at"):
        Store.open(url, create=False)


def test_processes_that_start_together_make_the_tables_once(url: str) -> None:
    moment = time.time() + 1
    started = [processes.Process(target=open_at, args=(url, moment)) for _ in range(6)]
    for process in started:
        process.start()
    for process in started:
        process.join(30)
    assert [process.exitcode for process in started] == [0] * 6
    assert Store.open(url, create=False).log_position() == 0


def test_a_locked_store_says_so_in_a_sentence(url: str) -> None:
    Store.open(url).close()
    held, release = processes.Event(), processes.Event()
    holder = processes.Process(target=hold_lock, args=(url, held, release))
    holder.start()
    assert held.wait(30)
    try:
        store = Store.open(url, lock_timeout=0.3)
        sentence = "Another process has been writing to .* for more than 0.3 s: let it finish"
        with pytest.raises(StoreBusy, match=sentence), store.transaction() as tx:
            tx.append([event(uuid4(), 1)])
        assert store.log_position() == 0  # Reading never waits.
    finally:
        release.set()
        holder.join(30)
    with store.transaction() as tx:
        assert tx.append([event(uuid4(), 1)]) == range(1, 2)


def test_too_many_transactions_at_once_say_so(url: str) -> None:
    store = Store.open(url, pool_size=1, lock_timeout=0.2)
    with pytest.raises(StoreBusy, match="larger pool_size"), store.transaction():
        store.log_position()


def cut(url: str) -> None:
    """Ends every connection to a database but its own."""
    with Store.open(url).engine.connect() as other:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        other.execute(
            text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        )


def test_a_connection_lost_while_idle_is_replaced(postgres: Server) -> None:
    url = postgres.new_database()
    store = Store.open(url)
    assert store.log_position() == 0
    cut(url)
    with store.transaction() as tx:
        assert tx.append([event(uuid4(), 1)]) == range(1, 2)


def test_a_connection_lost_before_it_is_given_back_is_said_as_any_other(postgres: Server) -> None:
    url = postgres.new_database()
    store = Store.open(url)
    with pytest.raises(StoreError, match="does not answer"), store.reading():
        cut(url)
    assert store.log_position() == 0


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://billing:hunter2@127.0.0.1:1/billing",
        "postgresql://127.0.0.1:1/billing?user=billing&password=hunter2",
        "mysql://billing:hunter2@127.0.0.1/billing",
        "hunter2",
    ],
)
def test_no_message_bears_the_password(address: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store.open(address, lock_timeout=0.2)
    error: BaseException | None = refused.value
    while error:
        assert "hunter2" not in str(error)
        error = error.__cause__ or error.__context__


def test_a_file_in_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that its folder exists"):
        Store.open(f"sqlite:///{tmp_path}/none/store.db")
