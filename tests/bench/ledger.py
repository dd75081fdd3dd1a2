"""The books of a year: `python -m tests.bench.ledger 100000` writes them and reads them again.

Each invoice has three lines for a year, is paid by transfer some weeks later, and one in twenty is
credited. The file is written and checked in a process of its own, whose memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from billing.application import Billing, ledger
from billing.clauses.vat import VatTotal
from billing.dates import Period, add_months
from billing.documents.fec_check import check
from billing.events import Event, stamped
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line, PaymentAllocated
from billing.events.party import Identity, PartyRegistered
from billing.events.payment import PaymentReceived
from billing.identity import invoice_id, stream
from billing.record import to_stored
from tests.bench.measures import Figures, peak

YEAR = Period(date(2025, 1, 1), date(2026, 1, 1))
CLIENTS = 2_000


def prepare(url: str, invoices: int) -> None:
    """The log of the year, in the order it was told."""
    app = _open(url)
    app.write(list(_parties()))
    with app.store.transaction() as tx:
        tx.lock()
        some = []
        for event in _events(invoices):
            some.append(to_stored(event))
            if len(some) == 20_000:
                tx.append(some)
                some = []
        tx.append(some)
    app.close()


def _open(url: str) -> Billing:
    return Billing({"DATABASE_URL": url}, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC))


def _parties() -> Iterator[Event]:
    at = datetime(2025, 1, 1, 9, tzinfo=UTC)
    parties = [Identity(code="S", name="Vendeur", siren="732829320")]
    parties += [Identity(code=f"C{n}", name=f"Client n° {n}") for n in range(CLIENTS)]
    for party in parties:
        yield stamped(PartyRegistered(party=party), stream("party", party.code), 1, at, "bench")


def _events(invoices: int) -> Iterator[Event]:
    for rank in range(invoices):
        day = YEAR.start + timedelta(days=rank * 330 // invoices)
        yield from _invoice(rank, day)


def _invoice(rank: int, day: date) -> Iterator[Event]:
    number, client = f"F-{rank:06}", f"C{rank % CLIENTS}"
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    period = Period(day, add_months(day, 12))
    net = Decimal(100 + rank % 900)
    lines = tuple(
        Line(kind="fee", code=code, label=code, net=net, vat_rate=Decimal(20), period=period)
        for code in "ABC"
    )
    said = {"supplier": "S", "client": client, "contract": f"K{rank}", "contract_version": 1}
    vat = (VatTotal(Decimal(20), 3 * net, 3 * net / 5),)
    sums = {"lines": lines, "vat": vat, "net": 3 * net, "tax": 3 * net / 5, "gross": 18 * net / 5}
    id = invoice_id("S", number)
    issued = InvoiceIssued(number=number, issued_on=day, due_on=day, **said, **sums)  # type: ignore[arg-type]
    yield stamped(issued, id, 1, at, "bench")
    if not rank % 20:
        note = CreditNoteIssued(number=f"A{rank:06}", credits=number, issued_on=day, **said, **sums)  # type: ignore[arg-type]
        yield stamped(note, invoice_id("S", f"A{rank:06}"), 1, at, "bench")
        return
    paid_on, reference = day + timedelta(days=30), f"P-{rank:06}"
    received = PaymentReceived(
        reference=reference, supplier="S", client=client, amount=issued.gross, value_on=paid_on
    )
    allocated = PaymentAllocated(
        amount=issued.gross, value_on=paid_on, means="transfer", payment=reference
    )
    later = at + timedelta(days=30)
    yield stamped(received, stream("payment", f"S/{reference}"), 1, later, "bench")
    yield stamped(allocated, id, 2, later, "bench")


def measured(url: str, folder: str) -> Figures:
    """The file written, then read again; seconds of each and the most memory, in MiB."""
    app = _open(url)
    begun = perf_counter()
    written = ledger.write(app, "S", YEAR, Path(folder))
    wrote = perf_counter()
    most = peak()
    found = check(Path(written.path))
    assert not found.faults, found.faults[:3]
    assert found.rows == written.lines
    return {
        "entries": written.entries,
        "lines": written.lines,
        "bytes": Path(written.path).stat().st_size,
        "write_seconds": wrote - begun,
        "check_seconds": perf_counter() - wrote,
        "peak": most,
    }


def bench(invoices: int = 100_000) -> Figures:
    """The same in a process of its own, on a log made before."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        prepare(url, invoices)
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.ledger", url, folder],
            capture_output=True,
            text=True,
            check=True,
        )
        figures: Figures = json.loads(done.stdout)
        return {"invoices": invoices, **figures}


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measured(sys.argv[1], sys.argv[2])))
    else:
        print(json.dumps(bench(int(sys.argv[1]) if len(sys.argv) == 2 else 100_000)))
