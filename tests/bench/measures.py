"""What is measured, each in a process of its own so that its memory is its own.

`python -m tests.bench.measures create|month|replay|naive URL N` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from billing.application import Billing, runs
from billing.application.core import project
from billing.events.invoice import InvoiceIssued
from billing.month import Stamp, decide, issue, month_days
from billing.run import recorded_by
from tests.bench import portfolio

Figures = dict[str, float]


def create(url: str, contracts: int) -> Figures:
    """The portfolio, written by the bulk path and folded."""
    start = perf_counter()
    events, states = portfolio.create(url, contracts)
    return {"events": events, "states": states, "seconds": perf_counter() - start}


def month(url: str, contracts: int) -> Figures:
    """The run of the month: events, invoices, numbers and states durable at the end."""
    app = portfolio.open_at(url)
    before = app.store.log_position()
    start = perf_counter()
    report = runs.run(app, *month_days(portfolio.MONTH), "2024-07")
    seconds = perf_counter() - start
    most = peak()
    assert not report.set_aside, report.set_aside[:3]
    # Contracts, not invoices: one that is billed twice in the month counts once.
    billed = len(
        {
            event.contract
            for _, event in app.recorded(before + 1, topics=["invoice.issued"])
            if isinstance(event, InvoiceIssued)
        }
    )
    return {
        "peak": most,
        "seconds": seconds,
        "contracts": contracts,
        "due": report.contracts,
        "billed": billed,
        "invoices": report.totals.invoices,
        "events": app.store.log_position() - before,
        "net": float(report.totals.net),
    }


def replay(url: str, contracts: int) -> Figures:
    """Every current state made again from the whole log."""
    app = portfolio.open_at(url)
    events = app.store.log_position()
    start = perf_counter()
    states = app.rebuild_states()
    return {
        "seconds": perf_counter() - start,
        "contracts": contracts,
        "events": events,
        "states": states,
    }


def naive(url: str, contracts: int) -> Figures:
    """Each contract loaded by replay through the library and saved in its own transaction."""
    app = portfolio.open_at(url)
    _, until = month_days(portfolio.MONTH)
    rows = app.store.states("contract", due_before=until, limit=contracts)
    stamp = Stamp(app.clock(), recorded_by("naive"), "naive")
    book = app.book()
    billed = 0
    start = perf_counter()
    for row in rows:
        billed += _one(app, row.id, stamp, book)
    return {"seconds": perf_counter() - start, "contracts": len(rows), "billed": billed}


def _one(app: Billing, id: Any, stamp: Stamp, book: Any) -> bool:
    contract: Any = app.repository.get(id, projector_func=project)  # type: ignore[type-var]
    due = contract.next_due()
    parent = app.contract(contract.parent) if contract.parent else None
    outcome = decide(id, contract, due, book, parent, stamp)
    with app.store.transaction() as tx:  # The next number, as the run asks for it.
        series = runs.series_of(app, tx)
        issued = issue(outcome, series, portfolio.MONTH, stamp)
    app.save(*issued.contract_events, *issued.invoices, *series.taken(stamp))
    return bool(issued.invoices)


def peak() -> float:
    """The most memory this process has had, in MiB (ru_maxrss would count its parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


MEASURES: dict[str, Callable[[str, int], Figures]] = {
    one.__name__: one for one in (create, month, replay, naive)
}

if __name__ == "__main__":
    name, address, size = sys.argv[1:]
    figures = MEASURES[name](address, int(size))
    print(json.dumps({"peak": peak(), **figures}))
