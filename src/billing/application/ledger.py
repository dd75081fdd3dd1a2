"""The books of a company, written as the law wants them (FEC): the log → entries → one file.

The log is swept once, in its order: documents make their sales at once; what happened to each
document and to each payment is put together on the disk, and its entries in order likewise, so
that memory holds neither a year nor a portfolio. Only the names of parties are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from billing.application.core import Billing
from billing.application.payments import companies
from billing.application.sorted_on_disk import SortedOnDisk
from billing.application.states import fewer_collections
from billing.dates import Period
from billing.documents import entries, fec
from billing.documents.chart import Chart, load_chart
from billing.documents.entries import Books, Entry, Line, OfDocument, OfPayment, Part, Posting, When
from billing.documents.fec import Encoding, Rows, Separator
from billing.events import Event
from billing.events.contract import OrderCancelled
from billing.events.invoice import (
    CreditNoteIssued,
    DebitNoteIssued,
    InvoiceIssued,
    InvoiceWrittenOff,
    PaymentAllocated,
    PaymentReversed,
    RetentionReleased,
    RetentionWithheld,
)
from billing.events.party import CollectionReturned, PartyAmended, PartyRegistered
from billing.events.payment import (
    EntrySettled,
    EntryUnmatched,
    PaymentIdentified,
    PaymentReceived,
    PaymentRefunded,
    PaymentRejected,
)
from billing.forms import identifiers
from billing.identity import contract_id, invoice_id, stream
from billing.money import ZERO
from billing.refusal import Refused

_TO_DOCUMENT = (
    PaymentAllocated, PaymentReversed, InvoiceWrittenOff, RetentionWithheld, RetentionReleased
)  # fmt: skip
_TO_PAYMENT = (PaymentReceived, PaymentIdentified, PaymentRejected, PaymentRefunded)
_DOCUMENTS = (InvoiceIssued, CreditNoteIssued, DebitNoteIssued)
_OTHERS = (
    CollectionReturned, PartyRegistered, PartyAmended, OrderCancelled, EntryUnmatched, EntrySettled
)  # fmt: skip
TOPICS = tuple(kind.TOPIC for kind in (*_TO_DOCUMENT, *_TO_PAYMENT, *_DOCUMENTS, *_OTHERS))

Progress = Callable[[int, int], None]

_encode = msgspec.msgpack.Encoder().encode
_of_document = msgspec.msgpack.Decoder(OfDocument).decode
_of_payment = msgspec.msgpack.Decoder(OfPayment).decode
_posting = msgspec.msgpack.Decoder(Posting).decode


class Written(NamedTuple):
    """The file that was written: where, what it holds, its SHA-256. Amounts in euros."""

    path: str
    supplier: str
    siren: str
    start: date
    end: date
    entries: int
    lines: int
    total: Decimal
    digest: str
    closed: bool


def write(
    app: Billing,
    supplier: str,
    days: Period,
    folder: Path,
    chart: Chart | None = None,
    encoding: Encoding = "iso8859-15",
    separator: Separator = "tab",
    progress: Progress | None = None,
) -> Written:
    """Writes the entries of a financial year of a company; deferred income once it is over.

    The same events give the same bytes. Nothing is left when it is refused.
    """
    siren = _siren(app, supplier)
    if days.start > app.today:
        raise Refused(f"{days}: the year has not begun; today is {app.today}")
    closed = days.last_day <= app.today
    books = Books(chart or load_chart(), days, closed=closed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / fec.file_name(siren, days.last_day)
    names: dict[str, str] = {}
    with NamedTemporaryFile(dir=folder, prefix=".fec-", delete=False) as file:
        try:
            hashed, tally = hashlib.sha256(), _Tally()
            rows = Rows(books.chart, names, encoding, separator)
            with fewer_collections():
                lines = _Sweep(books, supplier, names).lines(app, progress)
                for row in _rows(lines, rows, tally):
                    hashed.update(row)
                    file.write(row)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
    return Written(
        str(path), supplier, siren, days.start, days.last_day, tally.entries, tally.lines,
        tally.total, hashed.hexdigest(), closed,
    )  # fmt: skip


def company(app: Billing, supplier: str = "") -> str:
    """The company whose books are wanted: the only one there is, unless told."""
    found = companies(app)
    if supplier or len(found) == 1:
        return supplier or found[0]
    told = f"say which company with --supplier: {', '.join(found)}" if found else "no company sells"
    raise Refused(told)


def postings(app: Billing, supplier: str, books: Books) -> Iterator[Posting]:
    """The lines of those days, in the order of the file."""
    yield from _Sweep(books, supplier, {}).lines(app, None)


def _siren(app: Billing, supplier: str) -> str:
    party = app.party(supplier)
    if party is None:
        raise Refused(f"no party {supplier}")
    try:
        return identifiers.siren(party.identity.siren)
    except ValueError as error:
        raise Refused(
            f"{supplier}: SIREN {party.identity.siren!r}: {error}; the file is named after it"
        ) from None


class _Tally(Struct):
    """What a file holds so far; `total` of the debits, in euros."""

    entries: int = 0
    lines: int = 0
    total: Decimal = ZERO


def _rows(lines: Iterable[Posting], rows: Rows, tally: _Tally) -> Iterator[bytes]:
    """The rows, each entry numbered and found balanced."""
    yield rows.header()
    for number, (entry, group) in enumerate(groupby(lines, itemgetter(0)), 1):
        balance = ZERO
        for _, line in group:
            balance += line.amount
            tally.lines += 1
            tally.total += max(line.amount, ZERO)
            yield rows.row(number, entry, line)
        tally.entries = number
        if balance:
            raise Refused(
                f"{entry.ref}, {entry.on}: its entry in the {entry.journal} journal is out by "
                f"{balance} €: the record of it does not add up; `billing audit` says more"
            )


class _Sweep:
    """One pass over the log, for the books of one company."""

    def __init__(self, books: Books, supplier: str, names: dict[str, str]) -> None:
        self.books = books
        self.supplier = supplier
        self.names = names
        self.on_debits = False
        # Deposits not deducted yet, by contract: few at any time.
        self.deposits: dict[UUID, tuple[str, Decimal]] = {}
        self.cancelled: dict[UUID, When] = {}
        self.unmatched: dict[UUID, EntryUnmatched] = {}  # Lines of the bank that wait.

    def lines(self, app: Billing, progress: Progress | None) -> Iterator[Posting]:
        """All lines, in the order of the file."""
        with SortedOnDisk() as documents, SortedOnDisk() as payments, SortedOnDisk() as lines:
            end = app.store.log_position()
            for position, event in app.recorded(stop=end, topics=TOPICS):
                self._hear(position, event, documents, payments, lines)
                if progress is not None and not position % 5_000:
                    progress(position, end)
            for facts in documents.groups(16):
                for one in entries.of_document(self.books, [_of_document(f) for f in facts]):
                    reference, part = one
                    if isinstance(part, Part):
                        assert isinstance(reference, str)
                        payments.add(self._payment(reference) + b"\xff", _encode(part))
                    else:
                        _add(lines, one)  # type: ignore[arg-type]
            for facts in payments.groups(16):
                for line in entries.of_payment(self.books, [_of_payment(f) for f in facts]):
                    _add(lines, line)
            for id, when in self.cancelled.items():
                contract, net = self.deposits.get(id, ("", ZERO))
                for line in entries.deposit_kept(self.books, when, contract, net):
                    _add(lines, line)
            for _, stored in lines:
                yield _posting(stored)

    def _payment(self, reference: str) -> bytes:
        return stream("payment", f"{self.supplier}/{reference}").bytes

    def _hear(
        self,
        position: int,
        event: Event,
        documents: SortedOnDisk,
        payments: SortedOnDisk,
        lines: SortedOnDisk,
    ) -> None:
        books, at = self.books, position.to_bytes(8, "big")
        if isinstance(event, (*_TO_DOCUMENT, *_TO_PAYMENT)):
            if isinstance(event, PaymentReceived) and event.supplier != self.supplier:
                return
            group = documents if isinstance(event, _TO_DOCUMENT) else payments
            group.add(event.originator_id.bytes + at, _encode(entries.happened(books, event)))
        elif isinstance(event, PartyRegistered | PartyAmended):
            self.names[event.party.code] = event.party.name
            if event.party.code == self.supplier:
                self.on_debits = event.party.vat_on_debits
        elif isinstance(event, OrderCancelled):
            if event.deposit_kept:
                when = books.when(event.cancelled_on, event.recorded_at)
                self.cancelled[event.originator_id] = when
        elif isinstance(event, EntrySettled):
            if found := self.unmatched.pop(event.originator_id, None):
                for line in entries.unmatched(books, found, event.recorded_at, settled=True):
                    _add(lines, line)
        elif event.supplier != self.supplier:  # type: ignore[attr-defined]
            return
        elif isinstance(event, EntryUnmatched):
            self.unmatched[event.originator_id] = event
            for line in entries.unmatched(books, event, event.recorded_at):
                _add(lines, line)
        elif isinstance(event, CollectionReturned):
            when = books.when(event.returned_on, event.recorded_at)
            for line in entries.return_fee(books, when, event.end_to_end, event.fee):
                _add(lines, line)
        elif isinstance(event, InvoiceIssued | CreditNoteIssued | DebitNoteIssued):
            for line in entries.sales(books, event):
                _add(lines, line)
            owed = entries.owed(books, event, on_debits=self.on_debits)
            id = event.originator_id
            if isinstance(event, CreditNoteIssued):
                id = invoice_id(event.supplier, event.credits)
            documents.add(id.bytes + at, _encode(owed))
            self._deposits(event)

    def _deposits(self, event: InvoiceIssued | CreditNoteIssued | DebitNoteIssued) -> None:
        """What is held of deposits, by contract."""
        if isinstance(event, DebitNoteIssued):
            return
        held = sum((line.net for line in event.lines if line.kind == entries.DEPOSIT), ZERO)
        if not held:
            return
        id = contract_id(event.contract)
        sign = -1 if isinstance(event, CreditNoteIssued) else 1
        left = self.deposits.get(id, ("", ZERO))[1] + sign * held
        self.deposits[id] = (event.contract, left)
        if not left:
            del self.deposits[id]


def _add(lines: SortedOnDisk, posting: tuple[Entry, Line]) -> None:
    entry, line = posting
    lines.add(fec.rank(entry, line), _encode(posting))
