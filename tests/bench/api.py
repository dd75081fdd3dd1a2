"""Questions a second over HTTP, on this machine: `python -m tests.bench.api`.

A portfolio on PostgreSQL (fsync on), one month billed, projections followed; the server as
`billing serve` runs it, in a process of its own; 16 connections that ask without a pause. Beside
each question the naive way: the same answer made by replaying contracts for each request
(`known_at`), and the same page of rows built as objects. Server, database and load share the cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import text

from billing.store import Store
from projections.api import keys
from projections.api.paging import written
from projections.runner import Runner
from tests.bench import portfolio
from tests.bench.__main__ import measure, place
from tests.bench.load import Load, cpu, load, tool

CONTRACTS = 10_000
CONNECTIONS = 16
GOALS = {"row by key": 1_200, "page of 50": 500}
SLOWEST = 50.0  # Milliseconds 99 % of the requests may take.


class Question(NamedTuple):
    """What is asked, again and again."""

    name: str
    paths: list[str]
    known: str = ""


@contextmanager
def serving(url: str) -> Iterator[tuple[tuple[str, int], int]]:
    """`billing serve` on a free port: its address and its process."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "BILLING_API_RATE": "0",
        "BILLING_API_STRANGER_RATE": "0",
    }
    command = [sys.executable, "-m", "billing", "serve", "--port", "0", "--log", "info"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "http://" in line:
                found = urlsplit(line[line.index("http://") :].split()[0].rstrip(",;"))
                break
        else:
            raise RuntimeError("the server did not start")
        threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
        address = (str(found.hostname), found.port or 80)
        _wait(address)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: tuple[str, int]) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://{address[0]}:{address[1]}/healthz", timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server does not answer")


def questions(store: Store) -> list[Question]:
    """What is asked: of every row some, in no order a cache would like."""
    with store.reading() as connection:
        numbers = list(connection.execute(text("SELECT number FROM contract")).scalars())
        invoices = connection.execute(text("SELECT supplier, number FROM invoice")).all()
    numbers.sort()
    mixed = numbers[:: max(1, len(numbers) // 1999)]
    mixed.sort(key=lambda number: number[::-1])
    begins = numbers[:-60:7]
    of_one = [f"/v1/contracts/{number}" for number in mixed]
    pages = [
        f"/v1/contracts?limit=50&cursor={written('Contract number', [number])}" for number in begins
    ]
    documents = sorted(invoices, key=lambda row: row[1][::-1])[:2000]
    register = [
        f"/v1/invoices?limit=50&cursor={written('Invoice supplier', row)}" for row in documents
    ]
    now = "known_at=2199-12-31"
    return [
        Question("row by key", of_one),
        Question("row by key, 304", of_one[:1], "*"),
        Question("invoice by key", [f"/v1/invoices/{s}/{n}" for s, n in documents]),
        Question("page of 50", pages),
        Question(
            "page of 50, five fields",
            [f"{page}&fields=number,client,status,yearly,next_due_on" for page in pages],
        ),
        Question("page of 50 invoices", register),
        Question("naive: row by replay", [f"{one}?{now}" for one in of_one]),
        Question("naive: page by replay", [f"{one}&{now}" for one in pages]),
    ]


def streamed(address: tuple[str, int], token: str, seconds: float) -> float:
    """Events a second that one reader is told of by server-sent events, from the first on."""
    request = urllib.request.Request(
        f"http://{address[0]}:{address[1]}/v1/events/stream?after=0",
        headers={"Authorization": f"Bearer {token}"},
    )
    told = 0
    with urllib.request.urlopen(request, timeout=30) as answer:
        start = time.perf_counter()
        while time.perf_counter() < start + seconds and (data := answer.read1(1 << 18)):
            told += data.count(b"\ndata:")
        return told / (time.perf_counter() - start)


def asked(question: Question, runs: int, seconds: float, ask: Callable[..., Load]) -> Load:
    """The median of some runs, by their rate."""
    found = sorted((ask(question, seconds) for _ in range(runs)), key=lambda one: one.rate)
    return found[len(found) // 2]


def main() -> None:
    """Prints a line a question, and whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--url", default="", help="a database already made, with projections")
    given = parser.parse_args()
    if given.url:
        _measured(given.url, given.runs, given.seconds)
        return
    with place("postgresql") as database:
        database.empty()
        measure("create", database.url, given.contracts)
        measure("month", database.url, given.contracts)
        app = portfolio.open_at(database.url)
        Runner(app).catch_up()
        app.close()
        database.filled()
        _measured(database.url, given.runs, given.seconds)


def _measured(url: str, runs: int, seconds: float) -> None:
    store = Store.open(url)
    token = keys.add(store, "bench", ["reader", "auditor"], [], by="bench", at=datetime.now(UTC))
    print(
        f"load by {tool()}, {CONNECTIONS} connections; {os.cpu_count()} cores; busy: "
        f"{os.getloadavg()[0]:.1f} before"
    )
    print(f"{'':26}{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'µs of core':>12}")
    with serving(url) as (address, pid):

        def ask(question: Question, seconds: float) -> Load:
            return load(address, question.paths, token, seconds, CONNECTIONS, question.known)

        failed = 0
        for question in questions(store):
            ask(question, 1.0)
            before = cpu(pid)
            started = time.perf_counter()
            one = asked(question, runs, seconds, ask)
            used = (cpu(pid) - before) / (time.perf_counter() - started) / one.rate * 1e6
            goal = GOALS.get(question.name)
            met = ""
            if goal:
                met = (
                    "  goal met"
                    if one.rate >= goal and one.p99 < SLOWEST
                    else (f"  goal: {goal} req/s, p99 < {SLOWEST:g} ms")
                )
            failed += one.failed
            print(f"{question.name:26}{one.rate:8.0f}{one.p50:8.1f}{one.p99:8.1f}{used:12.0f}{met}")
        rate = median(streamed(address, token, seconds) for _ in range(runs))
        print(f"{'stream of events (SSE)':26}{rate:8.0f} events/s, one reader")
        print(f"{failed} answers were not the ones asked for")
    store.close()


if __name__ == "__main__":
    main()
