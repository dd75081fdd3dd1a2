"""Contracts and events a second, on this machine: `python -m tests.bench`.

The month's run, the replay of the whole log, and beside them the naive way: one contract loaded
by replay, one transaction. Each in a new process; the first size on new copies of the database,
medians of three; the others once, to see the time grow with the contracts and the memory not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import psycopg2

from tests.bench.measures import Figures
from tests.postgres import running

SIZES = [10_000, 40_000]
LONG = [10_000, 100_000, 1_000_000]
NAIVE = 500  # Contracts of the sample: each takes as long as thirty of a run.
GOALS = {"billed_s": 8_000, "times": 30, "events_s": 200_000, "peak": 400}


class Place:
    """A database to fill once and to copy before each measure."""

    def __init__(self, name: str, folder: Path, server: Path | None) -> None:
        self.name = name
        self._folder = folder
        self._server = server
        self._copies = 0

    @property
    def url(self) -> str:
        return self._url("portfolio")

    def fresh(self) -> str:
        """A copy of the portfolio that nothing was done to."""
        if self._server is None:
            shutil.copyfile(self._file("portfolio"), self._file("copy"))
        else:
            self._sql("DROP DATABASE IF EXISTS copy")
            self._sql("CREATE DATABASE copy TEMPLATE portfolio STRATEGY file_copy")
        return self._url("copy")

    def empty(self) -> None:
        """A new, empty database under the portfolio's name."""
        if self._server is None:
            for name in ("portfolio", "copy"):
                for suffix in ("", "-wal", "-shm"):
                    self._file(name + suffix).unlink(missing_ok=True)
        else:
            for name in ("copy", "portfolio"):
                self._sql(f"DROP DATABASE IF EXISTS {name}")
            self._sql("CREATE DATABASE portfolio STRATEGY file_copy")

    def filled(self) -> None:
        """Statistics as autovacuum would have them after a while, and no write left waiting."""
        if self._server is not None:
            self._sql("ANALYZE", "portfolio")
            self._sql("CHECKPOINT", "portfolio")

    def drop_copy(self) -> None:
        """Gives back the room of the last copy."""
        if self._server is None:
            for suffix in ("", "-wal", "-shm"):
                self._file("copy" + suffix).unlink(missing_ok=True)
        else:
            self._sql("DROP DATABASE IF EXISTS copy")

    def _file(self, name: str) -> Path:
        return self._folder / name

    def _url(self, name: str) -> str:
        if self._server is None:
            return f"sqlite:///{self._file(name)}"
        return f"postgresql+psycopg2://postgres@/{name}?host={self._server}"

    def _sql(self, statement: str, database: str = "postgres") -> None:
        connection = psycopg2.connect(dbname=database, user="postgres", host=str(self._server))
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()


@contextmanager
def place(database: str) -> Iterator[Place]:
    """A SQLite file or a PostgreSQL server, with fsync on, gone at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = None
        if database == "postgresql":
            # As shipped but for two sizes: neither makes it any less durable. A quarter of the
            # memory for the server's own cache is what its manual advises.
            room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // 2**20
            server = stack.enter_context(
                running("fsync=on", "max_wal_size=4GB", f"shared_buffers={min(room, 4096)}MB")
            ).folder
        yield Place(database, folder, server)


def measure(name: str, url: str, size: int) -> Figures:
    """One measure in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.measures", name, url, str(size)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(told)
    return figures


def median(runs: list[Figures]) -> Figures:
    """The middle of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def bench(where: Place, size: int, times: int, naive: bool, say: Callable[[str], None]) -> Figures:
    """All measures on a portfolio of that size."""
    where.empty()
    say(f"{where.name}: writing {size:,} contracts")
    created = measure("create", where.url, size)
    where.filled()
    found: dict[str, Figures] = {"create": created}
    for name in ("replay", "month", *(["naive"] if naive else [])):
        runs = []
        for turn in range(times):
            say(f"{where.name}: {size:,} contracts, {name} {turn + 1}/{times}")
            # What is measured once needs no copy: a replay changes nothing, the month comes last.
            url = where.fresh() if times > 1 or naive else where.url
            runs.append(measure(name, url, NAIVE if name == "naive" else size))
        found[name] = median(runs)
    where.drop_copy()
    return figures_of(size, found)


def figures_of(size: int, found: dict[str, Figures]) -> Figures:
    """What the table shows."""
    month, replay = found["month"], found["replay"]
    line = {
        "contracts": size,
        "log": found["create"]["events"],
        "seconds": month["seconds"],
        "billed": month["billed"],
        "billed_s": month["billed"] / month["seconds"],
        "due_s": month["due"] / month["seconds"],
        "portfolio_s": size / month["seconds"],
        "invoices_s": month["invoices"] / month["seconds"],
        "month_events_s": month["events"] / month["seconds"],
        "net": month["net"],
        "peak": month["peak"],
        "replay_seconds": replay["seconds"],
        "events_s": replay["events"] / replay["seconds"],
        "replay_peak": replay["peak"],
        "create_seconds": found["create"]["seconds"],
    }
    if naive := found.get("naive"):
        line["naive_s"] = naive["billed"] / naive["seconds"]
        line["times"] = line["billed_s"] / line["naive_s"]
    return line


COLUMNS = {
    "contracts": "contracts",
    "billed": "billed",
    "seconds": "month, s",
    "billed_s": "billed/s",
    "due_s": "due/s",
    "portfolio_s": "looked at/s",
    "invoices_s": "invoices/s",
    "month_events_s": "events/s",
    "naive_s": "naive billed/s",
    "times": "× naive",
    "peak": "peak MiB",
    "replay_seconds": "replay, s",
    "events_s": "replay events/s",
    "replay_peak": "replay MiB",
}


def table(lines: list[Figures]) -> str:
    """The figures, one size a column."""
    rows = []
    for key, title in COLUMNS.items():
        cells = [
            f"{line[key]:,.1f}"
            if key in ("seconds", "replay_seconds", "times")
            else f"{line[key]:,.0f}"
            if key in line
            else ""
            for line in lines
            if key in line
        ]
        if cells:
            rows.append(f"  {title:<16}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(rows)


def slope(lines: list[Figures]) -> str:
    """How the time grows from one size to the next; 1.00 is linear."""
    steps = [
        f"{b['contracts'] / a['contracts']:.0f} × the contracts, "
        f"{b['seconds'] / a['seconds']:.1f} × the time"
        for a, b in pairwise(lines)
    ]
    return "; ".join(steps)


def main() -> None:
    """Measures and prints; `--json` keeps the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--contracts", type=int, action="append", help="size of the portfolio; may be repeated"
    )
    parser.add_argument(
        "--million",
        action="store_true",
        help="10,000, 100,000 and a million contracts: an hour or more",
    )
    parser.add_argument("--database", choices=["postgresql", "sqlite"], action="append")
    parser.add_argument("--times", type=int, default=3, help="medians of so many")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    asked = parser.parse_args()
    sizes = asked.contracts or (LONG if asked.million else SIZES)

    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)

    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(machine)
    found: dict[str, list[Figures]] = {}
    for database in asked.database or ["postgresql", "sqlite"]:
        with place(database) as where:
            lines = found[database] = []
            for rank, size in enumerate(sizes):
                times = asked.times if rank == 0 else 1
                lines.append(bench(where, size, times, rank == 0, say))
        print(f"\n{database}, every commit on disk")
        print(table(lines))
        if len(lines) > 1:
            print(f"  {slope(lines)}")
    goals = ", ".join(f"{COLUMNS[key]} {goal:,}" for key, goal in GOALS.items())
    print(f"\nGoals in one process on PostgreSQL: {goals} at most for the memory.")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine, "databases": found}, indent=1))


if __name__ == "__main__":
    main()
