"""The books: what happened, as entries, by document and by payment (journaux, grand livre).

The lines are those `billing fec` writes, from the same `billing.documents.entries`, of all years at
once: on the chart of BILLING_CHART, else the French defaults; another chart asks for a rebuild.
Financial years are calendar years, and each defers the income of later days on its 31 December
(487), taken back the day after: the file of a year that goes on has no such lines yet. `letter` is
as all that is known now leaves it.

A line belongs to the stream that makes it: a document has its sales, what its client owes and its
part of each payment, a payment its bank and what it has left, a mandate the fees of its returns, a
line of the bank nobody has explained its own (less the name the file has), a contract the deposit
it keeps of an order given up. Lines of the same journal, days, `what` and
piece are one entry.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID
from zlib import crc32

import msgspec
from msgspec.structs import replace
from sqlalchemy import Index, Table

from billing.dates import DAY, NEVER, Period
from billing.documents import entries
from billing.documents.chart import Chart, load_chart
from billing.documents.entries import (
    DEPOSIT,
    Books,
    Document,
    Entry,
    Line,
    Part,
    Posting,
)
from billing.events import Event
from billing.events.contract import (
    ContractSigned,
    DepositCredited,
    DepositInvoiced,
    InstalmentBilled,
    OrderCancelled,
)
from billing.events.invoice import (
    CreditNoteIssued,
    DebitNoteIssued,
    InvoiceCredited,
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
from billing.money import ZERO
from projections.bodies import in_cents
from projections.database import Totals
from projections.tables import cents, day, key, metadata, stream, text, whole
from projections.view import (
    PAGE,
    Noted,
    Payment,
    Rows,
    Source,
    Told,
    View,
    contract_id,
    gathered,
    invoice_id,
    party_id,
    payment_id,
    topics_of,
)

ledger_line = Table(
    "ledger_line",
    metadata,
    stream(),
    whole("rank", "Its place among the lines of its stream"),
    key("supplier", "Whose books"),
    day("month", "The first day of the month it is booked in"),
    day("booked_on", "The day it is booked"),
    day("valid_on", "The day it was told, and validated"),
    key("journal", "The code of its journal"),
    text("what", "What its entry is of: issued, paid, collected, lost, PCA …"),
    key("piece", "The number of the document, the payment or the collection"),
    day("piece_on", "The day of the piece"),
    key("account", "The number of the account"),
    key("client", 'Whose account, "" on those not kept by client'),
    text("label", "What it says"),
    cents("debit_cents", "Debit"),
    cents("credit_cents", "Credit"),
    key("letter", 'What it was settled with, "" while it is open'),
    day("lettered_on", "The day that was known", optional=True),
    comment="Lines of the entries of the books",
)
Index("ledger_line_key", ledger_line.c.stream, ledger_line.c.rank, unique=True)
Index("ledger_line_day", ledger_line.c.supplier, ledger_line.c.booked_on, ledger_line.c.piece)
Index("ledger_line_account", ledger_line.c.account, ledger_line.c.booked_on)
Index("ledger_line_client", ledger_line.c.client, ledger_line.c.booked_on)
Index("ledger_line_piece", ledger_line.c.piece)

ledger_total = Table(
    "ledger_total",
    metadata,
    key("supplier", "Whose books", primary=True),
    day("month", "The first day of the month", primary=True),
    key("account", "The number of the account", primary=True),
    whole("lines", "How many lines are added up"),
    cents("debit_cents", "Debit"),
    cents("credit_cents", "Credit"),
    comment="What each account of a company moved in a month (balance)",
)

_MOVED: Final = (PaymentAllocated, PaymentReversed)
_DOCUMENTS: Final = (InvoiceIssued, CreditNoteIssued, DebitNoteIssued)
_OWED: Final = (InvoiceIssued, DebitNoteIssued)
_HELD: Final = (DepositInvoiced, DepositCredited, InstalmentBilled)
_PARTIES: Final = (PartyRegistered, PartyAmended)
_ALWAYS: Final = Period(date(1900, 1, 1), NEVER)
_THEIRS: Final = ""
"""The account of what documents have of a payment, in its own entries: their streams tell it."""


_ISSUED: Final = topics_of(*_DOCUMENTS)
_MOVES: Final = topics_of(*_MOVED)
_SELL: Final = topics_of(InvoiceIssued, CreditNoteIssued)


class Ledger(View):
    """The lines of the books."""

    name = "ledger"
    tables = (ledger_line,)
    totals = (Totals(ledger_total, ledger_line),)
    follows_receivables = True  # It knows which documents a payment went to.
    topics: ClassVar = topics_of(
        *_DOCUMENTS,
        *_MOVED,
        InvoiceCredited,
        InvoiceWrittenOff,
        RetentionWithheld,
        RetentionReleased,
        PaymentReceived,
        PaymentIdentified,
        PaymentRejected,
        PaymentRefunded,
        CollectionReturned,
        OrderCancelled,
        EntryUnmatched,
        EntrySettled,
    )

    @cached_property
    def chart(self) -> Chart:
        """The accounts of the house."""
        return load_chart(os.environ.get("BILLING_CHART") or None)

    @cached_property
    def version(self) -> int:
        """Another chart makes other rows."""
        return crc32(msgspec.json.encode(self.chart, order="deterministic"), 1) >> 1

    def touches(self, noted: Noted) -> Iterable[UUID]:
        """Its own; a contract, too, that may keep the deposit a document takes or deducts."""
        yield noted.stream
        if noted.topic in _SELL:
            document: Any = noted.event
            if DEPOSIT in [line.kind for line in document.lines]:
                yield contract_id(document.contract)

    def change(self, source: Source, batch: Sequence[Noted]) -> tuple[list[UUID], Rows]:
        """The streams it touches, the payments that went to its documents among them."""
        wanted = [noted for noted in batch if noted.topic in self.topics]
        ids = dict.fromkeys(id for noted in wanted for id in self.touches(noted))
        moved: list[Any] = [noted.event for noted in wanted if noted.topic in _MOVES]
        paid = dict.fromkeys(event.originator_id for event in moved if event.payment)
        issued = source.events(list(paid), _ISSUED)
        for event in moved:
            if event.payment:
                ids[payment_id(_supplier(issued[event.originator_id]), event.payment)] = None
        streams = list(ids)
        return streams, gathered(self.tables, self.of(source, streams))

    def of(self, source: Source, ids: Sequence[UUID]) -> Iterator[Told]:
        """The lines of these streams."""
        return self._lines(source, source.events(ids, self.topics))

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """The lines of every stream."""
        streams = source.streams(self.topics)
        while some := dict(islice(streams, PAGE)):
            # What other streams tell is forgotten after each page.
            yield gathered(self.tables, self._lines(Source(source.app, (), source.reading), some))

    def _lines(self, source: Source, streams: Mapping[UUID, Sequence[Event]]) -> Iterator[Told]:
        elsewhere, journals = _Elsewhere(source, streams), self._journals
        for id, events in streams.items():
            supplier, postings = self._postings(id, events, elsewhere)
            told: Entry | None = None
            for rank, (entry, line) in enumerate(postings, 1):
                if entry is not told:  # Its lines follow one another.
                    told = entry
                    of_entry = (
                        supplier, entry.on.replace(day=1), entry.on, entry.valid_on,
                        journals[entry.journal], entry.what, entry.ref, entry.piece_on,
                    )  # fmt: skip
                amount = in_cents(line.amount)
                row = (
                    id, rank, *of_entry, line.account, line.client, line.label,
                    amount if amount > 0 else 0, -amount if amount < 0 else 0,
                    line.letter, line.lettered_on,
                )  # fmt: skip
                yield ledger_line, row

    @cached_property
    def _journals(self) -> dict[str, str]:
        journals = self.chart.journals
        return {name: getattr(journals, name).code for name in journals.__struct_fields__}

    def _postings(
        self, id: UUID, events: Sequence[Event], elsewhere: _Elsewhere
    ) -> tuple[str, Iterable[Posting]]:
        """Whose books, and the lines a stream makes."""
        match events:
            case [InvoiceIssued() | CreditNoteIssued() | DebitNoteIssued() as issued, *_]:
                return issued.supplier, self._of_document(issued, events[1:], elsewhere)
            case [PaymentReceived() as received, *_]:
                return received.supplier, self._of_payment(id, events, elsewhere)
            case [CollectionReturned() as returned, *_]:
                return returned.supplier, self._of_returns(events)
            case [EntryUnmatched() as line, *settled]:
                return line.supplier, self._of_bank_line(line, settled)
            case [OrderCancelled(), *_] if kept := elsewhere.deposit(id):
                return kept.supplier, self._kept(kept)
        return "", ()

    def _books(self, first: int = 0, last: int = 0) -> Books:
        """Books that are closed at the end of each year from the first to the one before the last.

        Those are the years whose end cuts the income of a document in two.
        """
        if (known := self._made.get((first, last))) is None:
            closings = tuple(date(year, 12, 31) for year in range(first, last))
            known = self._made[first, last] = Books(self.chart, _ALWAYS, closings=closings)
        return known

    @cached_property
    def _made(self) -> dict[tuple[int, int], Books]:
        return {}

    def _of_document(
        self, issued: Document, events: Sequence[Event], elsewhere: _Elsewhere
    ) -> Iterator[Posting]:
        lines = () if isinstance(issued, DebitNoteIssued) else issued.lines
        ends = [line.period.end for line in lines if line.period]
        until = max(ends) - DAY if ends else issued.issued_on
        books = self._books(issued.issued_on.year, until.year)
        yield from entries.sales(books, issued)
        if isinstance(issued, CreditNoteIssued):
            return  # What it takes off an invoice is the invoice's.
        on_debits = elsewhere.on_debits(issued.supplier, issued.recorded_at)
        facts: list[Any] = [entries.owed(books, issued, on_debits=on_debits)]
        for event in events:
            if isinstance(event, InvoiceCredited):
                note = elsewhere.credit_note(issued.supplier, event.credit_note)
                facts.append(entries.owed(books, note, on_debits=on_debits))
            else:
                facts.append(entries.happened(books, event))
        for one in entries.of_document(books, facts):
            reference, part = one
            if not isinstance(part, Part):
                yield one  # type: ignore[misc]
            elif received := elsewhere.received(issued.supplier, str(reference)):
                when: Any = entries.happened(books, received)
                yield from books.posted(entries.part_entry(when, part), part.lines)

    def _of_payment(
        self, id: UUID, events: Sequence[Event], elsewhere: _Elsewhere
    ) -> Iterator[Posting]:
        """Its bank, and what is left once documents have had their parts: those are theirs."""
        books = self._books()
        facts: list[Any] = [entries.happened(books, event) for event in events]
        for event in elsewhere.parts(id):
            moved: Any = entries.happened(books, event)
            theirs = (Line(_THEIRS, -moved.amount, ""),)
            facts.append(Part(when=moved.when, amount=moved.amount, lines=theirs))
        for entry, line in entries.of_payment(books, facts):
            if line.account != _THEIRS:
                yield entry, line

    def _of_returns(self, events: Sequence[Event]) -> Iterator[Posting]:
        books = self._books()
        for event in events:
            assert isinstance(event, CollectionReturned)
            when = books.when(event.returned_on, event.recorded_at)
            yield from entries.return_fee(books, when, event.end_to_end, event.fee)

    def _of_bank_line(self, line: EntryUnmatched, settled: Sequence[Event]) -> Iterator[Posting]:
        """A line of the bank that waits, until it is explained; who wrote it is not told."""
        books, line = self._books(), replace(line, counterparty="", remittance="")
        yield from entries.unmatched(books, line, line.recorded_at)
        for event in settled:
            yield from entries.unmatched(books, line, event.recorded_at, settled=True)

    def _kept(self, kept: _Kept) -> Iterator[Posting]:
        books = self._books()
        when = books.when(kept.cancelled.cancelled_on, kept.cancelled.recorded_at)
        yield from entries.deposit_kept(books, when, kept.contract, kept.net)


class _Kept(NamedTuple):
    """The deposit of an order given up, as far as it is kept, in euros before tax."""

    supplier: str
    contract: str
    net: Decimal
    cancelled: OrderCancelled


class _Elsewhere:
    """What streams need to know of other ones, read for all of them at once."""

    def __init__(self, source: Source, streams: Mapping[UUID, Sequence[Event]]) -> None:
        notes, payments, suppliers = set[UUID](), set[UUID](), set[str]()
        received, cancelled = list[UUID](), list[UUID]()
        for id, (first, *rest) in ((id, found) for id, found in streams.items() if found):
            if isinstance(first, _OWED):
                suppliers.add(first.supplier)
                for event in rest:
                    if isinstance(event, InvoiceCredited):
                        notes.add(invoice_id(first.supplier, event.credit_note))
                    elif isinstance(event, _MOVED) and event.payment:
                        payments.add(payment_id(first.supplier, event.payment))
            elif isinstance(first, PaymentReceived):
                received.append(id)
            elif isinstance(first, OrderCancelled) and first.deposit_kept:
                cancelled.append(id)
        self._notes = source.events(list(notes), _ISSUED)
        self._received = source.events(list(payments), topics_of(PaymentReceived))
        known = source.events([party_id(code) for code in suppliers], topics_of(*_PARTIES))
        self._parties: dict[str, list[Any]] = {
            code: list(known[party_id(code)]) for code in suppliers
        }
        self._parts = dict(_parts(source, received))
        self._contracts = source.events(
            cancelled, topics_of(ContractSigned, OrderCancelled, *_HELD)
        )

    def credit_note(self, supplier: str, number: str) -> CreditNoteIssued:
        """The credit note of that number."""
        (note, *_) = self._notes[invoice_id(supplier, number)]
        assert isinstance(note, CreditNoteIssued)
        return note

    def received(self, supplier: str, reference: str) -> PaymentReceived | None:
        """The payment of that reference, if there is one."""
        found: Any = self._received[payment_id(supplier, reference)]
        return found[0] if found else None

    def on_debits(self, supplier: str, at: datetime) -> bool:
        """Whether a company owed its VAT on debits when something was recorded."""
        said = False
        for event in self._parties[supplier]:
            if event.recorded_at <= at:
                said = event.party.vat_on_debits
        return said

    def parts(self, id: UUID) -> Sequence[Event]:
        """What documents had of a payment, and gave back."""
        return self._parts.get(id, ())

    def deposit(self, id: UUID) -> _Kept | None:
        """What a contract keeps of its deposit: what was invoiced, less credited and deducted."""
        if not (events := self._contracts.get(id)):
            return None
        signed, cancelled, net, supplier = events[0], events[-1], ZERO, ""
        assert isinstance(signed, ContractSigned)
        for event in events:
            if isinstance(event, DepositInvoiced):
                net, supplier = net + event.net, event.issuer
            elif isinstance(event, DepositCredited):
                net -= event.net
            elif isinstance(event, InstalmentBilled):
                net -= sum((one.net for one in event.deducted), ZERO)
            elif isinstance(event, OrderCancelled):
                cancelled = event
        assert isinstance(cancelled, OrderCancelled)
        return _Kept(supplier, signed.number, net, cancelled)


def _parts(source: Source, ids: Sequence[UUID]) -> Iterator[tuple[UUID, list[Event]]]:
    """What documents had of each payment, as their own events tell it."""
    payments: dict[UUID, Payment] = dict(source.states("payment", ids))
    documents = {
        id: dict.fromkeys(invoice_id(payment.supplier, part.document) for part in payment.parts)
        for id, payment in payments.items()
    }
    moved = source.events(list({one for some in documents.values() for one in some}), _MOVES)
    for id, some in documents.items():
        reference = payments[id].reference
        yield id, [e for one in some for e in moved[one] if _payment(e) == reference]


def _payment(event: Event) -> str:
    assert isinstance(event, _MOVED)
    return event.payment


def _supplier(issued: Sequence[Event]) -> str:
    (document,) = issued
    assert isinstance(document, _DOCUMENTS)
    return document.supplier
