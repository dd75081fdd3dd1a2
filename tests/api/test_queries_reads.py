"""Reads wait for no writer: a rebuild under load, a connection lost, a slow statement."""

from __future__ import annotations

import asyncio
from threading import Thread

import psycopg2
import pytest

from billing.store import StoreBusy
from projections.api.reads import PREPARED, Lines, Statement
from projections.runner import Runner
from tests.api.living import Lives
from tests.api.serving import served
from tests.databases import followed


@pytest.fixture
def url(postgres):
    with postgres.database(postgres.model("followed", followed)) as url:
        yield url


@pytest.fixture
def lives(url):
    with served(url, pool=3) as api:
        lives = Lives(api).on("2026-01-05")
        for n in range(6):
            lives.signs(f"C-{n}")
        yield lives


def lines_of(lives):
    return lives.api.app.state.reads._lines


def test_reads_go_on_while_a_projection_is_rebuilt_and_swapped(lives):
    runner = Runner(lives.api.billing)
    token = lives.api.key("reader")
    rebuilt = []

    def rebuild():
        for _ in range(4):
            rebuilt.append(runner.rebuild("contracts"))

    thread = Thread(target=rebuild)
    thread.start()
    answers = []
    while thread.is_alive() or len(answers) < 30:
        page = lives.api.gets("/v1/contracts?fields=number", token=token)
        one = lives.api.gets("/v1/contracts/C-3?fields=number", token=token)
        answers.append((page.status_code, len(page.json()["data"]), one.status_code))
    thread.join()
    assert len(rebuilt) == 4
    assert set(answers) == {(200, 6, 200)}


def test_many_ask_at_once_over_a_few_connections(lives):
    reads = lives.api.app.state.reads
    slow = Statement("SELECT pg_sleep(0.05), $1::int")

    async def all_at_once():
        return await asyncio.gather(*(reads.rows(slow, [n]) for n in range(12)))

    found = lives.api.does(all_at_once())
    assert [rows[0][1] for rows in found] == list(range(12))
    assert lines_of(lives)._out == 0
    assert 1 <= len(lines_of(lives)._idle) <= 3


def test_a_slow_statement_holds_up_no_other(lives):
    reads = lives.api.app.state.reads
    slow, quick = Statement("SELECT pg_sleep(0.5), 'slow'"), Statement("SELECT 'quick'")
    order = []

    async def one(statement):
        order.append((await reads.rows(statement))[0][-1])

    async def both():
        await asyncio.gather(one(slow), one(quick))

    lives.api.does(both())
    assert order == ["quick", "slow"]


def test_a_connection_the_server_closed_is_replaced(lives, url):
    assert lives.api.gets("/v1/contracts/C-1", role="reader").status_code == 200
    other = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))
    other.autocommit = True
    other.cursor().execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        " AND query LIKE '%EXECUTE read_%'"
    )
    other.close()
    for _ in range(4):
        assert lives.api.gets("/v1/contracts/C-1", role="reader").status_code == 200


def test_a_statement_gives_up_after_a_while_and_its_connection_goes_on(lives):
    reads = lives.api.app.state.reads

    async def late():
        line = await lines_of(lives)._take()
        try:
            await line.rows(Statement("SELECT set_config('statement_timeout', '50', false)"), [])
        finally:
            lines_of(lives)._give(line)
        with pytest.raises(StoreBusy, match="statement timeout"):
            await reads.rows(Statement("SELECT pg_sleep(5)"))
        return await reads.rows(Statement("SELECT 1"))

    assert lives.api.does(late()) == [(1,)]


def test_who_asked_and_went_away_leaves_no_answer_to_the_next(lives):
    reads = lives.api.app.state.reads
    slow = Statement("SELECT pg_sleep(0.3), 'mine'")

    async def gone():
        waiting = asyncio.ensure_future(reads.rows(slow))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await reads.rows(Statement("SELECT 'yours'"))

    assert lives.api.does(gone()) == [("yours",)]
    assert lines_of(lives)._out == 0


def test_a_reading_connection_writes_nothing(lives):
    with pytest.raises(psycopg2.Error, match="read-only"):
        lives.api.does(
            lives.api.app.state.reads.rows(Statement("DELETE FROM contract RETURNING number"))
        )
    assert lives.api.gets("/v1/contracts/C-1", role="reader").status_code == 200


def test_statements_prepared_are_forgotten_before_they_are_too_many(lives):
    reads = lives.api.app.state.reads

    async def many():
        for n in range(PREPARED + 5):
            assert await reads.rows(Statement(f"SELECT {n}")) == [(n,)]
        return max(len(line._prepared) for line in lines_of(lives)._idle)

    assert lives.api.does(many()) <= PREPARED


def test_a_database_that_is_not_there_is_busy_not_broken(lives):
    engine = lives.api.billing.store.engine
    nowhere = Lines(engine, 2)
    nowhere._dsn = "host=/nonexistent dbname=none"

    async def asked():
        with pytest.raises(StoreBusy):
            await nowhere.rows(Statement("SELECT 1"), [])

    lives.api.does(asked())
    assert nowhere._out == 0
