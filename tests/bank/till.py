"""A house whose collections are at the bank, and what the bank says of them.

`python -m tests.bank.till URL FILE DAY N` imports in a process of its own, which kills itself
(kill -9) when it is about to commit its Nth transaction.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from decimal import Decimal as D
from pathlib import Path

from billing.application import bank, collections, receivables
from billing.application.bank import Report
from billing.clauses import Terms
from billing.clauses.payment import Payment
from billing.events import Event
from tests import another
from tests.bank.files import Ntry, Stmt, camt, written
from tests.collections.house import CREDITOR, opened, plain, ready

BILLED_ON = Terms(payment=Payment(means="direct_debit", debit_day=1, return_fees="client"))
LATER = "2026-02-20"
COLLECTED = "2026-02-02"


def at_the_bank(url: str, folder: Path, count: int = 3, **more: object) -> list[Event]:
    """So many invoices, F00000 … of 120, 121, 122 € …, collected on 2 February in one file."""
    ready(url, plain(count, **more))  # type: ignore[arg-type]
    with opened(url, "2026-01-20") as app:
        done = collections.collect(app, folder, collections.Asked())
    return list(done.events)


def statement(
    *entries: Ntry, schema: str = "camt.054.001.08", id: str = "A-1", **more: object
) -> str:
    """What the bank says of the supplier's account."""
    for entry in entries:
        if entry.booked == "2026-07-03":
            entry.booked = entry.value = "2026-02-03"
    return camt(schema, [Stmt(entries=entries, account=CREDITOR, id=id, **more)])  # type: ignore[arg-type]


def told(url: str, folder: Path, text: str, on: str = LATER, **more: object) -> Report:
    """The file as it is imported that day."""
    name = f"{abs(hash(text))}.xml"
    with opened(url, on) as app:
        return bank.import_file(app, written(folder, text, name), **more)  # type: ignore[arg-type]


def owed(url: str, on: str = LATER) -> dict[str, D]:
    """What is owed on each document; every state is what its events say."""
    with opened(url, on) as app:
        found = {r.number: r.owed for r in receivables.book(app).documents()}
        assert app.drifted_states() == []
    return found


def history(url: str, topic: str) -> list[Event]:
    """The events of a kind, in the order they were recorded."""
    with opened(url, LATER) as app:
        return [event for _, event in app.recorded(topics=[topic])]


def length(url: str) -> int:
    """How many events there are."""
    with opened(url, LATER) as app:
        return app.store.log_position()


def importing(url: str, path: Path, on: str, die: int = 0) -> another.Ended:
    """An import by another process, killed before the commit of that rank if one is said."""
    return another.done("tests.bank.till", url, path, on, die)


def main(url: str, path: str, on: str, die: str) -> None:
    """Imports in chunks of three lines."""
    from billing.store import Tx

    bank.CHUNK = 3
    commit, left = Tx._commit, int(die)

    def fatal(self: Tx) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self)

    with opened(url, on) as app:
        if left:
            Tx._commit = fatal  # type: ignore[method-assign]
        report = bank.import_file(app, Path(path))
    print(dict(report.counts))


def day(text: str) -> date:
    """A day as it is written."""
    return date.fromisoformat(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
