"""A house of plain contracts, and its month of January 2026 run by another process.

`python -m tests.faults.portfolio URL CHUNK PAUSE` runs the month, a chunk of contracts a
transaction, and sleeps a little before each commit so that it can be killed in the middle.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from decimal import Decimal as D

from billing.application import Billing, runs
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.contract.sign import Signing, sign
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.identity import contract_id
from tests import another
from tests.known import register

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
RUN = "2026-01"


def opened(url: str, day: date = date(2026, 1, 31)) -> Billing:
    """The application on that database, on that day."""
    clock = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    return Billing(env={"DATABASE_URL": url}, clock=lambda: clock, user="test")


def signed(url: str, contracts: int) -> None:
    """Signs so many monthly contracts, starting on four days of January."""
    with opened(url, date(2025, 12, 1)) as app:
        app.publish_shipped()
        register(app, "S0", "S1", "CLIENT")
        book = app.book()
        for first in range(0, contracts, 500):
            events = []
            for place in range(first, min(first + 500, contracts)):
                number = f"C{place:05d}"
                signing = Signing(
                    number=number,
                    form="plain",
                    form_digest="",
                    supplier=f"S{place % 2}",
                    client="CLIENT",
                    signed_on=date(2025, 12, 1),
                    starts_on=date(2026, 1, 1 + place % 4),
                    terms=Terms(),
                    items=(Item(code="A", label="Poste", unit_price=D(100 + place)),),
                )
                events += app.stamp([sign(signing, book)], contract_id(number), 0)
            app.save(*events)


def running(url: str, chunk: int, pause: float) -> AbstractContextManager[another.Started]:
    """The month run by another process, killed at the end of the block if it still lives."""
    return another.running("tests.faults.portfolio", url, chunk, pause)


def until_some_are_billed(app: Billing, fewer_than: int) -> int:
    """Waits until the other process has committed something, and is not done."""
    return another.until_some(lambda: len(documents(app)), fewer_than)


def documents(app: Billing) -> list[InvoiceIssued | CreditNoteIssued]:
    """All invoices and credit notes, in the order of the log."""
    topics = ["invoice.issued", "invoice.credit_note_issued"]
    return [event for _, event in app.recorded(topics=topics)]  # type: ignore[misc]


def _main(url: str, chunk: int, pause: float) -> None:
    another.slow(pause)
    with opened(url) as app:
        report = runs.run(app, JANUARY, FEBRUARY, RUN, chunk=chunk)
    print(report.name, report.contracts)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
