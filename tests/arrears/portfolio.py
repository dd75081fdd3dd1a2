"""Late invoices of plain contracts, chased by another process that can be killed in the middle.

`python -m tests.arrears.portfolio URL CHUNK PAUSE` brings 2026-03-15 to them, a chunk of contracts
a transaction, and sleeps a little before each commit.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from billing.application import Billing, runs
from billing.application.chase import chase
from billing.store import Tx
from tests.faults.portfolio import FEBRUARY, JANUARY, ROOT, RUN, opened, signed

CHASED = date(2026, 3, 15)
TOPICS = (
    "invoice.debit_note_issued",
    "invoice.reminder_sent",
    "invoice.late_interest_charged",
    "invoice.recovery_fee_charged",
)


def billed(url: str, contracts: int) -> None:
    """So many contracts, each with an invoice of January due in the first days of March."""
    signed(url, contracts)
    with opened(url) as app:
        runs.run(app, JANUARY, FEBRUARY, RUN)


def on_the_day(url: str) -> Billing:
    """The application on the day it is chased."""
    return opened(url, CHASED)


@contextmanager
def chasing(url: str, chunk: int, pause: float) -> Iterator[subprocess.Popen[bytes]]:
    """The pass made by another process, killed at the end of the block if it still lives."""
    command = [sys.executable, "-m", "tests.arrears.portfolio", url, str(chunk), str(pause)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_some_are_charged(app: Billing, fewer_than: int) -> int:
    """Waits until the other process has committed something, and is not done."""
    for _ in range(900):
        found = len(told(app, "invoice.debit_note_issued"))
        if found:
            assert found < fewer_than, "the pass was over before it could be interrupted"
            return found
        time.sleep(0.02)
    raise AssertionError("the other process charged nothing in 18 seconds")


def told(app: Billing, *topics: str) -> list[Any]:
    """The events of these topics, in the order of the log."""
    return [event for _, event in app.recorded(topics=topics or TOPICS)]


def _main(url: str, chunk: int, pause: float) -> None:
    append = Tx.append

    def slowly(tx: Tx, events: Any) -> range:
        positions = append(tx, events)
        time.sleep(pause)
        return positions

    Tx.append = slowly  # type: ignore[method-assign]
    with on_the_day(url) as app:
        report = chase(app, CHASED, chunk=chunk)
    print(len(report.debit_notes))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
