"""What happened, as entries of the books (écritures comptables): pure, a document at a time.

What a document's own event says makes its sales at once (`sales`); what its client owes and the
tax due on it follow from all that happened to it (`of_document`); money follows from the payment
and from the documents it pays (`of_payment`). Entries meet by their name: lines that bear the
same `Entry` are one entry, wherever they come from.

A debit is a positive amount, a credit a negative one, in euros.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from billing.dates import DAY, Period
from billing.documents.chart import Chart
from billing.events import Event
from billing.events import invoice as ev
from billing.events.invoice import CreditNoteIssued, DebitNoteIssued, InvoiceIssued
from billing.events.payment import (
    EntryUnmatched,
    PaymentIdentified,
    PaymentReceived,
    PaymentRefunded,
    PaymentRejected,
)
from billing.money import ZERO, share_of, to_cents

PARIS: Final = ZoneInfo("Europe/Paris")
DEPOSIT: Final = "deposit"
"""The kind of the lines that deduct deposits, and of the line of a deposit invoice."""

Book = Literal["sales", "bank", "misc"]
Tax = tuple[Decimal, Decimal]
"""A rate in percent, and the tax at that rate."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """The name of an entry: its journal, its day, the day it was told, its piece.

    `what` sets apart the entries of one piece: issued, paid, lost …
    """

    valid_on: date
    on: date
    journal: Book
    what: str
    ref: str
    piece_on: date


class Line(Struct, frozen=True, array_like=True, gc=False):
    """A line of an entry; `client` on the accounts kept by client, `letter` once settled."""

    account: str
    amount: Decimal
    label: str
    client: str = ""
    letter: str = ""
    lettered_on: date | None = None


Posting = tuple[Entry, Line]


class When(Struct, frozen=True, array_like=True, gc=False):
    """The day something happened, as it is booked, and the day it was told."""

    on: date
    valid_on: date

    def entry(self, journal: Book, what: str, ref: str, piece_on: date | None = None) -> Entry:
        """The entry of that day under that name."""
        return Entry(self.valid_on, self.on, journal, what, ref, piece_on or self.on)


# What happened to a document and to a payment, as much of it as the books need


class Fact(Struct, frozen=True, array_like=True, kw_only=True, tag=True, gc=False):
    """Something of a document or a payment."""

    when: When


class Issued(Fact, frozen=True, array_like=True, kw_only=True, tag="issued", gc=False):
    """A document is owed from now on; `on_debits`: its tax is due at once, not when it is paid."""

    piece_on: date
    number: str
    client: str
    gross: Decimal
    taxes: tuple[Tax, ...] = ()
    on_debits: bool = False
    label: str = ""


class Credited(Fact, frozen=True, array_like=True, kw_only=True, tag="credited", gc=False):
    """A credit note takes that much off it."""

    piece_on: date
    number: str
    gross: Decimal
    taxes: tuple[Tax, ...] = ()


class Moved(Fact, frozen=True, array_like=True, kw_only=True, tag="moved", gc=False):
    """Money came to it, or went from it when negative; `of` says from where."""

    amount: Decimal
    of: Literal["payment", "collection", "set_off", "refund", ""]
    source: str = ""
    code: str = ""


class Lost(Fact, frozen=True, array_like=True, kw_only=True, tag="lost", gc=False):
    """That much of it will not be paid."""

    amount: Decimal


class Kept(Fact, frozen=True, array_like=True, kw_only=True, tag="kept", gc=False):
    """The client keeps that much as a guarantee, or no longer when negative."""

    amount: Decimal


class Received(Fact, frozen=True, array_like=True, kw_only=True, tag="received", gc=False):
    """Money came."""

    reference: str
    client: str
    amount: Decimal
    means: str


class Identified(Fact, frozen=True, array_like=True, kw_only=True, tag="identified", gc=False):
    """It is known whose the money is."""

    client: str


class Rejected(Fact, frozen=True, array_like=True, kw_only=True, tag="rejected", gc=False):
    """All of it went back to the payer's bank, which takes a fee."""

    fee: Decimal


class Refunded(Fact, frozen=True, array_like=True, kw_only=True, tag="refunded", gc=False):
    """So much of it went back to the client."""

    amount: Decimal


class Part(Fact, frozen=True, array_like=True, kw_only=True, tag="part", gc=False):
    """So much of it paid a document, or no longer when negative; the document's lines of it."""

    amount: Decimal
    lines: tuple[Line, ...]


OfDocument = Issued | Credited | Moved | Lost | Kept
OfPayment = Received | Identified | Rejected | Refunded | Part


@lru_cache(maxsize=1024)  # A run records thousands of documents at one moment.
def _day_in_paris(moment: datetime) -> date:
    return moment.astimezone(PARIS).date()


class Books:
    """Whose books, of which days, on which accounts; entries of other days are left out.

    At `closings` income of later days is set aside: the days before and at their end, the latter
    once they are `closed`, unless others are told.
    """

    def __init__(
        self,
        chart: Chart,
        days: Period,
        *,
        closed: bool = True,
        closings: Sequence[date] | None = None,
    ) -> None:
        self.chart = chart
        self.days = days
        if closings is None:
            closings = (days.start - DAY, days.last_day) if closed else (days.start - DAY,)
        self.closings = closings

    def when(self, on: date, recorded_at: datetime) -> When:
        """The day it is booked, and the day it was validated: never before it happened."""
        told = _day_in_paris(recorded_at)
        on = self.chart.booked_on(on, told)
        return When(on, max(told, on))

    def posted(self, entry: Entry, lines: Iterable[Line]) -> Iterator[Posting]:
        """The lines of an entry that says something, if it is of these days."""
        if entry.on in self.days:
            for line in lines:
                if line.amount:
                    yield entry, line


# Sales


Document = InvoiceIssued | CreditNoteIssued | DebitNoteIssued


def issued(books: Books, event: Document) -> Entry:
    """The entry of a document that is issued."""
    when = books.when(event.issued_on, event.recorded_at)
    return when.entry("sales", "issued", event.number, event.issued_on)


def label_of(event: Document) -> str:
    """How the entry of a document is called."""
    if isinstance(event, CreditNoteIssued):
        return f"Avoir {event.number} sur {event.credits}"
    if isinstance(event, DebitNoteIssued):
        return f"Note de débit {event.number}"
    return f"{'Acompte' if event.kind == DEPOSIT else 'Facture'} {event.number}"


def sales(books: Books, event: Document) -> Iterator[Posting]:
    """What a document sells, by account, and what of it is for days after a closing (487)."""
    entry, label = issued(books, event), label_of(event)
    by_account = _sold(books.chart, event)
    yield from books.posted(
        entry, (Line(account, -amount, label) for account, amount in by_account.items())
    )
    if not isinstance(event, DebitNoteIssued):
        for closing in books.closings:
            if entry.on <= closing:
                yield from _deferred(books, event, closing, entry.valid_on)


def _sold(chart: Chart, event: Document) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    if isinstance(event, DebitNoteIssued):
        sold = [(chart.sold(line.kind, ""), line.amount) for line in event.lines]
        rest = event.gross
    else:
        sold = [(_account_of(chart, line.kind, line.code), line.net) for line in event.lines]
        rest = event.net
    for account, amount in sold:
        found[account] = found.get(account, ZERO) + amount
        rest -= amount
    # A document recorded without its lines still sells what it comes to.
    if rest:
        account = chart.accounts.revenue.number
        found[account] = found.get(account, ZERO) + rest
    if isinstance(event, CreditNoteIssued):
        return {account: -amount for account, amount in found.items()}
    return found


def _account_of(chart: Chart, kind: str, code: str) -> str:
    return chart.accounts.deposit.number if kind == DEPOSIT else chart.sold(kind, code)


def _deferred(
    books: Books, event: InvoiceIssued | CreditNoteIssued, closing: date, valid_on: date
) -> Iterator[Posting]:
    """Income of days after the closing, set aside on its day and given back on the next.

    net × days after the closing / days of the line's period, a line at a time, to the cent.
    """
    sign = -1 if isinstance(event, CreditNoteIssued) else 1
    later: dict[str, Decimal] = {}
    for line in event.lines:
        if line.period is None or line.kind == DEPOSIT or line.period.last_day <= closing:
            continue
        after = line.period & Period(closing + DAY, line.period.end)
        part = sign * share_of(line.net, after.days, line.period.days)
        account = _account_of(books.chart, line.kind, line.code)
        later[account] = later.get(account, ZERO) + part
    number, deferred = event.number, books.chart.accounts.deferred.number
    total = sum(later.values(), ZERO)
    for day, back in ((closing, 1), (closing + DAY, -1)):
        told = "PCA" if back == 1 else "Extourne PCA"
        label = f"{told} {number}"
        entry = When(day, max(day, valid_on)).entry("misc", told, number, event.issued_on)
        yield from books.posted(
            entry,
            (
                *(Line(account, back * part, label) for account, part in later.items()),
                Line(deferred, -back * total, label),
            ),
        )


def owed(books: Books, event: Document, *, on_debits: bool) -> Issued | Credited:
    """What a document's client owes from then on, or a credit note takes off."""
    when, piece_on = books.when(event.issued_on, event.recorded_at), event.issued_on
    taxes = () if isinstance(event, DebitNoteIssued) else event.vat
    kept = tuple((total.rate, total.tax) for total in taxes if total.tax)
    if isinstance(event, CreditNoteIssued):
        return Credited(
            when=when, piece_on=piece_on, number=event.number, gross=event.gross, taxes=kept
        )
    return Issued(
        when=when,
        piece_on=piece_on,
        number=event.number,
        client=event.client,
        gross=event.gross,
        taxes=kept,
        on_debits=on_debits,
        label=label_of(event),
    )


def happened(books: Books, event: Event) -> OfDocument | OfPayment | None:
    """What an event of a document or a payment means to the books; none when nothing."""
    told = event.recorded_at
    match event:
        case ev.PaymentAllocated():
            source = event.payment or event.collection or event.credit
            of: Any = "payment" if event.payment else "collection" if event.collection else ""
            of = "set_off" if event.credit else of
            when = books.when(event.value_on, told)
            return Moved(when=when, amount=event.amount, of=of, source=source)
        case ev.PaymentReversed():
            source = event.payment or event.collection
            of = "payment" if event.payment else "collection" if event.collection else "refund"
            when = books.when(event.value_on, told)
            return Moved(when=when, amount=-event.amount, of=of, source=source, code=event.code)
        case ev.InvoiceWrittenOff():
            return Lost(when=books.when(event.written_off_on, told), amount=event.amount)
        case ev.RetentionWithheld():
            return Kept(when=books.when(event.notified_on, told), amount=event.amount)
        case ev.RetentionReleased():
            return Kept(when=books.when(event.released_on, told), amount=-event.amount)
        case PaymentReceived():
            return Received(
                when=books.when(event.value_on, told),
                reference=event.reference,
                client=event.client,
                amount=event.amount,
                means=event.means,
            )
        case PaymentIdentified():
            return Identified(
                when=books.when(told.astimezone(PARIS).date(), told), client=event.client
            )
        case PaymentRejected():
            return Rejected(when=books.when(event.rejected_on, told), fee=event.fee)
        case PaymentRefunded():
            return Refunded(when=books.when(event.refunded_on, told), amount=event.amount)
    return None


# What a client owes on a document, and the tax due on it


def of_document(books: Books, facts: Sequence[OfDocument]) -> Iterator[Posting | tuple[str, Part]]:
    """The lines of one document, from all that happened to it in the order it was told.

    What a payment brings comes as a Part, with the payment's reference.
    """
    first = facts[0]
    if not isinstance(first, Issued):
        return  # Another company's.
    account = _Owed(books, first)
    moves = [account.move(fact) for fact in facts]
    letter, on = _lettered(books, account, moves)
    for entry, fact, lines in moves:
        told = lines
        if letter:
            told = tuple(_with_letter(line, letter, on) if line.client else line for line in lines)
        if isinstance(fact, Moved) and fact.of == "payment":
            yield fact.source, Part(when=fact.when, amount=fact.amount, lines=told)
        else:
            yield from books.posted(entry, told)


_Move = tuple[Entry, "OfDocument", tuple[Line, ...]]


class _Owed:
    """What one document is owed, and its tax: due, or waiting for what it is due on."""

    def __init__(self, books: Books, first: Issued) -> None:
        self.chart = books.chart
        self.number, self.client = first.number, first.client
        self.on_debits = first.on_debits
        self.gross = self.paid = ZERO
        self.taxes: dict[Decimal, Decimal] = {}
        self.booked: dict[str, Decimal] = {}

    def move(self, fact: OfDocument) -> _Move:
        entry, lines = self._move(fact)
        return entry, fact, (*lines, *self._tax(lines[0].label))

    def _move(self, fact: OfDocument) -> tuple[Entry, tuple[Line, ...]]:
        accounts, number, when = self.chart.accounts, self.number, fact.when
        match fact:
            case Issued():
                self._more(fact.gross, fact.taxes, 1)
                entry = when.entry("sales", "issued", number, fact.piece_on)
                return entry, (self._owes(fact.gross, fact.label),)
            case Credited():
                self._more(fact.gross, fact.taxes, -1)
                entry = when.entry("sales", "issued", fact.number, fact.piece_on)
                return entry, (self._owes(-fact.gross, f"Avoir {fact.number} sur {number}"),)
            case Moved():
                self.paid += fact.amount
                return self._paid(fact)
            case Lost():
                label = f"Perte sur {number}"
                loss = fact.amount - self._lose(fact.amount)
                entry = when.entry("misc", "lost", number)
                lost = Line(accounts.loss.number, loss, label)
                return entry, (self._owes(-fact.amount, label), lost)
            case Kept():
                told = "Retenue de garantie" if fact.amount > 0 else "Retenue libérée"
                label = f"{told} {number}"
                entry = when.entry("misc", told, number)
                kept = Line(accounts.retention.number, fact.amount, label, self.client)
                return entry, (self._owes(-fact.amount, label), kept)

    def _more(self, gross: Decimal, taxes: Iterable[Tax], sign: int) -> None:
        self.gross += sign * gross
        for rate, tax in taxes:
            self.taxes[rate] = self.taxes.get(rate, ZERO) + sign * tax

    def _owes(self, amount: Decimal, label: str) -> Line:
        return Line(self.chart.accounts.client.number, amount, label, self.client)

    def _paid(self, fact: Moved) -> tuple[Entry, tuple[Line, ...]]:
        number, when, bank = self.number, fact.when, self.chart.bank("transfer")
        if fact.of == "payment":
            told = "Règlement" if fact.amount > 0 else "Règlement rejeté"
            label = f"{told} {fact.source} {number}"
            return when.entry("bank", "paid", fact.source), (self._owes(-fact.amount, label),)
        if fact.of == "set_off":
            # The other document has the other half, in the same entry.
            pair = " / ".join(sorted((number, fact.source)))
            label = f"Compensation {pair}"
            return when.entry("misc", "set off", pair), (self._owes(-fact.amount, label),)
        if fact.of == "collection":
            back = f"Prélèvement impayé {fact.code}".rstrip()
            label = f"{'Prélèvement' if fact.amount > 0 else back} {fact.source} {number}"
            what = "collected" if fact.amount > 0 else "returned"
            entry = when.entry("bank", what, fact.source)
            bank = self.chart.bank("direct_debit")
        else:
            label = f"{'Règlement' if fact.amount > 0 else 'Remboursement'} {number}"
            entry = when.entry("bank", fact.of or "paid", number)
        return entry, (self._owes(-fact.amount, label), Line(bank, fact.amount, label))

    def _lose(self, amount: Decimal) -> Decimal:
        """The tax that a loss takes back, off what is left of it."""
        before, self.gross = self.gross, self.gross - amount
        if self.on_debits and not self.chart.vat_recovered_on_write_off:
            return ZERO
        lost = ZERO
        for rate, tax in self.taxes.items():
            if self.gross == self.paid and not self.on_debits:
                left = self._due(rate)  # To the cent: what waits for a payment waits no more.
            else:
                left = tax - to_cents(tax * amount / before) if before else tax
            self.taxes[rate] = left
            lost += tax - left
        return lost

    def _due(self, rate: Decimal) -> Decimal:
        return -self.booked.get(self.chart.vat(rate, collected=True), ZERO)

    def _tax(self, label: str) -> Iterator[Line]:
        """The tax as it now is, less as it was booked: due on debits, or on what was paid."""
        wanted = dict.fromkeys(self.booked, ZERO)
        for rate, tax in self.taxes.items():
            due = tax
            if not self.on_debits and self.gross > 0 and self.paid < self.gross:
                due = to_cents(tax * self.paid / self.gross)
            for collected, amount in ((True, due), (False, tax - due)):
                account = self.chart.vat(rate, collected=collected)
                wanted[account] = wanted.get(account, ZERO) - amount
        for account, amount in wanted.items():
            if change := amount - self.booked.get(account, ZERO):
                yield Line(account, change, label)
        self.booked = wanted


def _lettered(books: Books, account: _Owed, moves: Sequence[_Move]) -> tuple[str, date | None]:
    """The document's number once its lines come to nothing on each account, and the day told."""
    sums: dict[str, Decimal] = {}
    told: list[date] = []
    for entry, _, lines in moves:
        if entry.on < books.days.end:
            told.append(entry.valid_on)
            for line in lines:
                if line.client:
                    sums[line.account] = sums.get(line.account, ZERO) + line.amount
    return ("", None) if any(sums.values()) or not told else (account.number, max(told))


def _with_letter(line: Line, letter: str, on: date | None) -> Line:
    return Line(line.account, line.amount, line.label, line.client, letter, on)


# Money


def of_payment(books: Books, facts: Sequence[OfPayment]) -> Iterator[Posting]:
    """The lines of one payment: the bank's, those of the documents it pays, and the client's rest.

    What is not allocated stays on the client's account, or waits while nobody knows whose it is.
    """
    first = facts[0]
    if not isinstance(first, Received):
        return
    made: dict[Entry, list[Line]] = {}
    for fact in facts:
        entry, lines = _of_payment(books, first, fact)
        made.setdefault(entry, []).extend(lines)
    known = next((f for f in facts if isinstance(f, Identified)), None)
    rest = list(_rest(books, first, known, made))
    before_end = [
        (entry, line) for entry, line in rest if line.client and entry.on < books.days.end
    ]
    if before_end and not sum((line.amount for _, line in before_end), ZERO):
        letter, on = first.reference, max(entry.valid_on for entry, _ in before_end)
        rest = [(e, _with_letter(x, letter, on) if x.client else x) for e, x in rest]
    for entry, line in rest:
        made.setdefault(entry, []).append(line)
    for entry, lines in made.items():
        yield from books.posted(entry, lines)


def _of_payment(books: Books, first: Received, fact: OfPayment) -> tuple[Entry, Sequence[Line]]:
    chart, ref, when = books.chart, first.reference, fact.when
    bank = chart.bank(first.means)
    match fact:
        case Received():
            label = f"Règlement {ref}"
            return when.entry("bank", "paid", ref), [Line(bank, first.amount, label)]
        case Rejected():
            label = f"Règlement rejeté {ref}"
            return when.entry("bank", "rejected", ref), [
                Line(bank, -first.amount - fact.fee, label),
                Line(chart.accounts.bank_fee.number, fact.fee, f"Frais bancaires {ref}"),
            ]
        case Refunded():
            label = f"Remboursement {ref}"
            return when.entry("bank", "refunded", ref), [Line(bank, -fact.amount, label)]
        case Part():
            return part_entry(first, fact), fact.lines
        case Identified():
            return when.entry("misc", "identified", ref), []


def part_entry(first: Received, part: Part) -> Entry:
    """The entry a document has its part of a payment in: the money's own, if both are one day's."""
    ref, when = first.reference, part.when
    if when == first.when:
        return when.entry("bank", "paid", ref)
    if part.amount < 0:
        return when.entry("bank", "rejected", ref)
    return when.entry("misc", "allocated", ref)


def _rest(
    books: Books, first: Received, known: Identified | None, made: dict[Entry, list[Line]]
) -> Iterator[Posting]:
    """What balances each entry of a payment: what the client has left of it, more or less."""
    accounts, ref = books.chart.accounts, first.reference
    client = known.client if known else first.client
    waiting = ZERO
    for entry, lines in made.items():
        if left := -sum((line.amount for line in lines), ZERO):
            if first.client or (known and entry.valid_on >= known.when.valid_on):
                yield entry, Line(accounts.client.number, left, f"Règlement {ref}", client)
            else:
                waiting += left
                yield entry, Line(accounts.unknown_payer.number, left, f"Règlement {ref}")
    if waiting and known:
        entry, label = _of_payment(books, first, known)[0], f"Règlement {ref} identifié"
        yield entry, Line(accounts.unknown_payer.number, -waiting, label)
        yield entry, Line(accounts.client.number, waiting, label, client)


def return_fee(books: Books, when: When, end_to_end: str, fee: Decimal) -> Iterator[Posting]:
    """What the bank keeps for a direct debit that came back."""
    label = f"Frais bancaires {end_to_end}"
    lines = (
        Line(books.chart.accounts.bank_fee.number, fee, label),
        Line(books.chart.bank("direct_debit"), -fee, label),
    )
    yield from books.posted(when.entry("bank", "returned", end_to_end), lines)


def unmatched(
    books: Books, line: EntryUnmatched, told: datetime, *, settled: bool = False
) -> Iterator[Posting]:
    """A line of the bank that nothing explains waits on 471; once settled it does no more.

    Taken back on its own day, for what explains it is booked on that day too.
    """
    when = books.when(line.value_on, told)
    amount = -line.amount if settled else line.amount
    about = line.counterparty or line.remittance or line.kind
    label = f"{'Extourne ligne' if settled else 'Ligne'} de banque en attente {about}"
    accounts, bank = books.chart.accounts, books.chart.bank("transfer")
    lines = (Line(bank, amount, label), Line(accounts.unmatched.number, -amount, label))
    what = "settled" if settled else "unmatched"
    yield from books.posted(when.entry("bank", what, line.entry), lines)


def deposit_kept(books: Books, when: When, contract: str, net: Decimal) -> Iterator[Posting]:
    """A deposit kept when the order is given up is no longer owed to the client."""
    label = f"Acompte conservé {contract}"
    accounts = books.chart.accounts
    lines = (
        Line(accounts.deposit.number, net, label),
        Line(accounts.deposit_kept.number, -net, label),
    )
    yield from books.posted(when.entry("misc", "kept", contract), lines)
