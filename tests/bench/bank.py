"""A bank's file on PostgreSQL, on this machine: `python -m tests.bench.bank`.

A camt.054 of 100,000 collections credited: read and checked to its end, each line matched, its
mandate, its invoice and their states recorded. Beside it the naive way: a line a transaction, of a
sample. Each in a new process and a new database, medians of three.

`python -m tests.bench.bank ready|camt054|camt054_naive N URL FILE` prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from time import perf_counter

from billing.application import bank, receivables
from billing.bank import read
from billing.events import Event, stamped
from billing.events.party import CollectionOrdered
from billing.identity import stream
from tests.bank.files import Stmt, camt, credit
from tests.bench.measures import Figures, peak
from tests.collections.house import (
    AT,
    CREDITOR,
    client,
    company,
    contract,
    invoice,
    mandate,
    opened,
)
from tests.postgres import running

ENTRIES = 100_000
SAMPLE = 500
GOAL = 5_000


def camt054(count: int, url: str, path: Path) -> Figures:
    """As `billing bank import` does it; reading alone is measured before, and done again in it."""
    start = perf_counter()
    with read(path) as file:
        assert file.count == count
    reading = perf_counter() - start
    with opened(url, "2026-02-20") as app:
        start = perf_counter()
        report = bank.import_file(app, path)
        seconds = perf_counter() - start
    assert report.counts == {"settled": count}, report.counts
    return {"entries": count, "reading": reading, "seconds": seconds, "peak": peak()}


def camt054_naive(count: int, url: str, path: Path) -> Figures:
    """A line a transaction."""
    bank.CHUNK = 1
    return camt054(count, url, path)


def ready(count: int, url: str, path: Path) -> Figures:
    """So many collections at the bank, and its file that credits them all."""
    with opened(url, "2026-01-20") as app:
        made = _events(count)
        while some := list(islice(made, 5_000)):
            app.write(some)
        receivables.book(app)
    told = [
        credit(
            "324.00",
            f"F2026-{n:06d}",
            booked="2026-02-02",
            value="2026-02-02",
            reference=f"REF{n}",
            mandate=f"RUM-{n:06d}",
            debtor=f"Cliente & Cie {n}",
            iban="FR7630006000011234567890189",
            remittance=[f"Facture F2026-{n:06d}"],
        )
        for n in range(count)
    ]
    path.write_text(camt("camt.054.001.08", [Stmt(entries=told, account=CREDITOR)]), "utf-8")
    return {}


def _events(count: int) -> Iterator[Event]:
    yield company("S")
    yield contract("K", "C000000", "RUM-000000")
    for n in range(count):
        under, number = f"RUM-{n:06d}", f"F2026-{n:06d}"
        yield client(f"C{n:06d}")
        yield mandate(under, f"C{n:06d}")
        yield invoice(number, f"C{n:06d}", "K", under, "2026-02-02", "324.00")
        order = CollectionOrdered(
            end_to_end=number,
            supplier="S",
            invoice=number,
            amount=Decimal("324.00"),
            collected_on=date(2026, 2, 2),
            sequence="RCUR",
            file="BENCH",
            batch="BENCH-1",
        )
        yield stamped(order, stream("mandate", under), 2, AT, "bench")


MEASURES: dict[str, Callable[[int, str, Path], Figures]] = {
    one.__name__: one for one in (camt054, camt054_naive)
}
STEPS = {"ready": ready, **MEASURES}


def measured(name: str, count: int, times: int) -> Figures:
    """The median of each figure, each time in a process and a database of its own."""
    count = min(count, SAMPLE) if name.endswith("naive") else count
    runs = []
    with running() as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for _ in range(times):
            asked = [str(count), server.new_database(), f"{folder}/camt.054.xml"]
            for step in ("ready", name):
                command = [sys.executable, "-m", "tests.bench.bank", step, *asked]
                told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            runs.append(json.loads(told.stdout))
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    """One measure as JSON when it is named, else all of them as a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bank", description=__doc__)
    parser.add_argument("step", nargs="?", choices=STEPS)
    parser.add_argument("count", nargs="?", type=int, default=ENTRIES)
    parser.add_argument("url", nargs="?")
    parser.add_argument("file", nargs="?", type=Path)
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps(STEPS[asked.step](asked.count, asked.url, asked.file)))
        return
    columns = ("entries", "read s", "all s", "entries/s", "peak MiB")
    print(f"  {'':<16}" + "".join(f"{column:>12}" for column in columns))
    for name in MEASURES:
        one = measured(name, asked.count, 3)
        rate = one["entries"] / one["seconds"]
        print(
            f"  {name:<16}{one['entries']:>12,.0f}{one['reading']:>12.2f}{one['seconds']:>12.2f}"
            f"{rate:>12,.0f}{one['peak']:>12,.0f}"
        )
    print(f"\nGoal: {GOAL:,} entries a second.")


if __name__ == "__main__":
    main()
