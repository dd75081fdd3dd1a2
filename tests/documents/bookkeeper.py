"""A bookkeeper: an office whose documents have lines and tax, and its entries as short texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from billing.application import ledger
from billing.clauses.vat import VatTotal
from billing.dates import DAY, Period
from billing.documents.chart import Chart, load_chart
from billing.documents.entries import Books
from billing.events.invoice import (
    CreditNoteIssued,
    DebitLine,
    DebitNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    Line,
)
from billing.events.party import CollectionReturned, PartyAmended, PartyRegistered
from billing.events.payment import EntrySettled, EntryUnmatched
from billing.identity import stream
from billing.money import ZERO, to_cents
from billing.record import to_stored
from tests.known import party
from tests.money.office import Office, day

D = Decimal
SIREN = "732829320"
VAT = "FR44732829320"


def line(net: str, kind: str = "fee", code: str = "A", rate: str = "20", period: str = "") -> Line:
    """A line of an invoice; its period as 2026-01-01/2026-12-31, both days inclusive."""
    first, _, last = period.partition("/")
    days = Period(day(first), day(last) + DAY) if period else None
    return Line(kind=kind, code=code, label=code, net=D(net), vat_rate=D(rate), period=days)


class Bookkeeper(Office):
    """Company S sells to client C under contract K-1."""

    def __init__(self, url: str = "sqlite://", today: str = "2026-12-31", **supplier: Any) -> None:
        super().__init__(url, today)
        for known in (
            party(
                "S", **{"name": "Société Vendeuse", "siren": SIREN, "vat_number": VAT} | supplier
            ),
            party("C", name="Client & Fils | Cie"),
        ):
            told = PartyRegistered(party=known)
            self.app.write(self.app.stamp([told], stream("party", known.code), 0))
        self.signs("K-1")

    @contextmanager
    def on(self, today: str) -> Iterator[None]:
        """What is told on another day."""
        before, self.today = self.today, day(today)
        yield
        self.today = before

    def sells(
        self,
        number: str,
        *lines: Line,
        issued: str = "2026-01-15",
        due: str = "",
        taxes: dict[str, str] | None = None,
        vat: tuple[VatTotal, ...] = (),
        client: str = "C",
        **more: Any,
    ) -> InvoiceIssued:
        """An invoice leaves with these lines."""
        vat = vat or _vat(lines, taxes)
        net, tax = _sums(lines, vat)
        event = InvoiceIssued(
            number=number, supplier="S", client=client, contract="K-1", contract_version=0,
            issued_on=day(issued), due_on=day(due or issued), lines=lines, vat=vat, net=net,
            tax=tax, gross=net + tax, **more,
        )  # fmt: skip
        self._issue("S", event)
        return event

    def gives_back(
        self,
        note: str,
        number: str,
        *lines: Line,
        issued: str = "2026-02-01",
        client: str = "C",
    ) -> CreditNoteIssued:
        """A credit note on a document."""
        vat = _vat(lines, None)
        net, tax = _sums(lines, vat)
        event = CreditNoteIssued(
            number=note, supplier="S", client=client, contract="K-1", contract_version=0,
            credits=number, issued_on=day(issued), lines=lines, vat=vat, net=net, tax=tax,
            gross=net + tax,
        )  # fmt: skip
        self._issue("S", event)
        mark = InvoiceCredited(
            credit_note=note, gross=event.gross, net=net, credited_on=day(issued)
        )
        self.tells(number, mark)
        return event

    def charges(self, number: str, issued: str, **amounts: str) -> DebitNoteIssued:
        """A debit note: late_interest="12.00", recovery_fee="40.00"."""
        lines = tuple(
            DebitLine(kind=kind, invoice="F-1", label=kind, amount=D(amount))  # type: ignore[arg-type]
            for kind, amount in amounts.items()
        )
        event = DebitNoteIssued(
            number=number, supplier="S", client="C", contract="K-1", issued_on=day(issued),
            due_on=day(issued), lines=lines, gross=sum((x.amount for x in lines), ZERO),
        )  # fmt: skip
        self._issue("S", event)
        return event

    def returned(self, end_to_end: str, invoice: str, amount: str, on: str, fee: str) -> None:
        """The bank sends a direct debit back and takes a fee."""
        told = CollectionReturned(
            end_to_end=end_to_end, supplier="S", invoice=invoice, amount=D(amount),
            returned_on=day(on), kind="return", code="AM04", settled=True, fee=D(fee),
        )  # fmt: skip
        # In the log alone: the mandate and its state are no matter here.
        (event,) = self.app.stamp([told], stream("mandate", "RUM-1"), 0)
        with self.app.store.transaction() as tx:
            tx.lock()
            tx.append([to_stored(event)])

    def bank_tells(self, entry: str, amount: str, on: str, supplier: str = "S") -> None:
        """A line of the bank that nothing explains."""
        told = EntryUnmatched(
            entry=entry, supplier=supplier, account="FR76", amount=D(amount), value_on=day(on),
            kind="transfer", why="no document fits", counterparty="ACME",
        )  # fmt: skip
        self.app.write(self.app.stamp([told], stream("bank_entry", f"{supplier}/{entry}"), 0))

    def settles(self, entry: str, on: str) -> None:
        """Someone says that the line is none of ours."""
        told = EntrySettled(settled_on=day(on), how="ignored: salaries")
        self.app.write(self.app.stamp([told], stream("bank_entry", f"S/{entry}"), 1))

    def amends(self, code: str, **changes: Any) -> None:
        """Something of a party changes."""
        known = self.app.party(code)
        assert known is not None
        told = PartyAmended(party=replace(known.identity, **changes))
        self.app.write(self.app.stamp([told], stream("party", code), known.version))

    # What the books say

    def books(
        self, start: str = "2026-01-01", end: str = "2026-12-31", chart: Chart | None = None
    ) -> list[Any]:
        """The lines of those days, in the order of the file."""
        days = Period(day(start), day(end) + DAY)
        closed = days.last_day <= self.today
        books = Books(chart or load_chart(), days, closed=closed)
        return list(ledger.postings(self.app, "S", books))

    def entries(self, *of: str, **said: Any) -> list[str]:
        """Each entry as a text: `VE 01-15 F-1: 411000 1200.00, 706000 -1000.00, …`."""
        codes = {"sales": "VE", "bank": "BQ", "misc": "OD"}
        found = []
        for entry, group in groupby(self.books(**said), itemgetter(0)):
            lines = ", ".join(
                f"{one.account}{f'[{one.letter}]' if one.letter else ''} {one.amount:.2f}"
                for _, one in group
            )
            if not of or entry.ref in of:
                on = entry.on.isoformat().removeprefix("2026-")
                found.append(f"{codes[entry.journal]} {on} {entry.ref}: {lines}")
        return found

    def file(self, folder: Path, year: int = 2026, **said: Any) -> Path:
        """The file of a year."""
        days = Period(day(f"{year}-01-01"), day(f"{year + 1}-01-01"))
        return Path(ledger.write(self.app, "S", days, folder, **said).path)


def _vat(lines: tuple[Line, ...], taxes: dict[str, str] | None) -> tuple[VatTotal, ...]:
    bases: dict[Decimal, Decimal] = {}
    for one in lines:
        bases[one.vat_rate] = bases.get(one.vat_rate, ZERO) + one.net
    return tuple(
        VatTotal(rate, base, D(taxes[f"{rate}"]) if taxes else to_cents(base * rate / 100))
        for rate, base in bases.items()
    )


def _sums(lines: tuple[Line, ...], vat: tuple[VatTotal, ...]) -> tuple[Decimal, Decimal]:
    return sum((x.net for x in lines), ZERO), sum((x.tax for x in vat), ZERO)
