"""Late invoices of plain contracts, chased by another process that can be killed in the middle.

`python -m tests.arrears.portfolio URL CHUNK PAUSE` brings 2026-03-15 to them, a chunk of contracts
a transaction, and sleeps a little before each commit.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from billing.application import Billing, runs
from billing.application.chase import chase
from tests import another
from tests.faults.portfolio import FEBRUARY, JANUARY, RUN, opened, signed

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


def chasing(url: str, chunk: int, pause: float) -> AbstractContextManager[another.Started]:
    """The pass made by another process, killed at the end of the block if it still lives."""
    return another.running("tests.arrears.portfolio", url, chunk, pause)


def until_some_are_charged(app: Billing, fewer_than: int) -> int:
    """Waits until the other process has committed something, and is not done."""
    return another.until_some(lambda: len(told(app, "invoice.debit_note_issued")), fewer_than)


def told(app: Billing, *topics: str) -> list[Any]:
    """The events of these topics, in the order of the log."""
    return [event for _, event in app.recorded(topics=topics or TOPICS)]


def _main(url: str, chunk: int, pause: float) -> None:
    another.slow(pause)
    with on_the_day(url) as app:
        report = chase(app, CHASED, chunk=chunk)
    print(len(report.debit_notes))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
