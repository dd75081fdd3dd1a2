"""Events a second of the read side, on this machine: `python -m tests.bench.projections`.

A portfolio, all projections rebuilt, a month run, and followed: once after the run, and once while
it runs, by `billing project` in a process of its own, to see how far behind it is when the run ends
(the lag) and how long it takes to catch up. Beside them the naive way: an event a transaction.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable

from billing.application import Billing
from projections import runner
from projections.runner import Runner, tracked_as
from tests.bench import portfolio
from tests.bench.__main__ import Place, measure, place

CONTRACTS = 10_000
NAIVE = 300  # Events of the sample.
GOALS = {"followed": 15_000, "rebuilt": 100_000, "lag": 5}


def main(words: Iterable[str] | None = None) -> None:
    """Measures and prints, database by database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contracts", type=int, nargs="?", default=CONTRACTS)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], action="append")
    given = parser.parse_args(words if words is None else list(words))
    for database in given.database or ["postgresql", "sqlite"]:
        with place(database) as where:
            bench(where, given.contracts)


def bench(where: Place, contracts: int) -> None:
    """All measures on a portfolio of that size."""
    where.empty()
    created = measure("create", where.url, contracts)
    where.filled()
    app = portfolio.open_at(where.url)
    follower = Runner(app)
    print(f"\n{where.name}, {contracts:,} contracts, {created['events']:,.0f} events")
    rebuilt(follower)
    before = app.store.log_position()
    app.store.close()
    followed_live(where, contracts, before)
    app = portfolio.open_at(where.url)
    naive(app, before)
    app.store.close()


def rebuilt(follower: Runner) -> None:
    """Every projection made from nothing; events are those of the whole log."""
    end = follower.store.log_position()
    slowest = 0.0
    for name in follower.views:
        start = time.perf_counter()
        rows = follower.rebuild(name)
        seconds = time.perf_counter() - start
        slowest += seconds
        print(
            f"  rebuilt {name:<15} {end / seconds:>9,.0f} events/s {rows:>9,} rows {seconds:6.1f} s"
        )
    print(f"  rebuilt, all of them one after another {end / slowest:,.0f} events/s of the log")


def followed_live(where: Place, contracts: int, before: int) -> None:
    """`billing project` follows while the month runs."""
    environment = os.environ | {"DATABASE_URL": where.url}
    command = [sys.executable, "-m", "billing", "project"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(5)  # It is up and has nothing to do.
        start = time.perf_counter()
        ran = measure("month", where.url, contracts)
        app = portfolio.open_at(where.url)
        end = app.store.log_position()
        ended = time.perf_counter()
        behind = end - slowest_at(app)
        while slowest_at(app) < end:
            time.sleep(0.02)
        done = time.perf_counter()
        app.store.close()
    finally:
        process.terminate()
        process.wait(30)
    events = end - before
    print(
        f"  month of {events:,} events in {ran['seconds']:.1f} s while followed; at its end"
        f" {behind:,} behind, caught up {done - ended:.1f} s later (goal {GOALS['lag']} s)"
    )
    print(
        f"  followed {events / (done - start):,.0f} events/s by all projections together,"
        f" the run's time included (goal {GOALS['followed']:,})"
    )


def slowest_at(app: Billing) -> int:
    """How far the projection that is furthest behind has followed."""
    from projections.catalog import VIEWS

    return min(app.store.tracked(tracked_as(view.name)) or 0 for view in VIEWS)


def naive(app: Billing, before: int) -> None:
    """The same events told again, one a transaction, as a projection is usually written."""
    from sqlalchemy import text

    events = min(NAIVE, app.store.log_position() - before)
    with app.store.transaction() as tx, tx.writing() as connection:
        connection.execute(
            text("UPDATE tracking SET notification_id = :at WHERE application_name LIKE :ours"),
            {"at": app.store.log_position() - events, "ours": tracked_as("%")},
        )
        connection.execute(
            text("DELETE FROM history WHERE position > :at"),
            {"at": app.store.log_position() - events},
        )
    step, runner.STEP = runner.STEP, 1
    try:
        start = time.perf_counter()
        Runner(app).catch_up()
        seconds = time.perf_counter() - start
    finally:
        runner.STEP = step
    print(f"  naive, an event a transaction: {events / seconds:,.0f} events/s")


if __name__ == "__main__":
    main()
