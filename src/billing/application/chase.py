"""The arrears pass: a day brought to all that is late, contract by contract (relances du jour).

It looks at the documents of which something is owed, and at those that were paid, credited or
given back since it last went to its end: an invoice paid late is still charged. What is decided
lies in `billing.arrears`; here it is read, numbered and recorded, a chunk of contracts a
transaction. Each chunk is decided under the append lock on a book that has followed the log, so
that a pass stopped in the middle is given again, and two at once leave what one would have left.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from billing import arrears
from billing.application import receivables, runs
from billing.application.core import Billing
from billing.application.issuable import Issuable
from billing.application.receivables import Book
from billing.application.states import KINDS, decoder, fewer_collections
from billing.arrears import Chased, Credit, Debit, Gate, Measure
from billing.bank import reasons
from billing.clauses import Terms
from billing.clauses.interest import Category
from billing.collection import mandate_of
from billing.contract.state import Contract, fold
from billing.documents.faults import Document
from billing.dunning import Dunning, standard
from billing.events import Event, stamped
from billing.events.contract import BreachCured, FormalNoticeSent, InstalmentBilled
from billing.events.invoice import (
    CreditNoteIssued,
    DebitLine,
    DebitNoteIssued,
    DisputeSettled,
    InvoiceCredited,
    InvoiceDisputed,
    InvoiceReceived,
    InvoiceWrittenOff,
    LateInterestCharged,
    Line,
    PaymentAllocated,
    PaymentReversed,
    RecoveryFeeCharged,
    ReminderSent,
    RetentionReleased,
)
from billing.forms import BadFile
from billing.identity import contract_id, invoice_id, stream
from billing.mandate import Mandate, stranger, usable
from billing.money import ZERO
from billing.month import UNPRINTABLE, Series, Stamp, credit_note
from billing.receivable import Receivable
from billing.record import from_stored
from billing.refusal import Refused
from billing.store import StateRow, Tx
from billing.store.store import Reading
from indices import IndexBook

CHUNK = 250  # Contracts a transaction decides and writes, under the append lock.
NAME = "chase"
OUTSIDE = "Hors champ de la TVA : pénalités et indemnité de recouvrement"
MOVES = tuple(
    kind.TOPIC
    for kind in (
        PaymentAllocated, PaymentReversed, InvoiceCredited, InvoiceReceived, InvoiceWrittenOff,
        RetentionReleased, DisputeSettled,
    )
)  # fmt: skip
"""What may change the charges of a document that is paid."""

Progress = Callable[[int, int], None]
ToVisit = dict[str, set[UUID]]


class Aside(Struct, frozen=True):
    """A contract that could not be charged, or not be looked at; it is looked at again."""

    contract: str
    clause: str
    reason: str


class Letter(Struct, frozen=True):
    """A reminder: on which document, of which level, how it goes out, how much is asked for."""

    supplier: str
    invoice: str
    client: str
    contract: str
    level: int
    name: str
    sending: str
    owed: Decimal


class Notice(Struct, frozen=True):
    """A formal notice on a contract, with the day its measures are allowed from."""

    contract: str
    clock: str
    about: str
    allowed_from: date | None
    allows: tuple[str, ...]


class Task(Struct, frozen=True):
    """A measure now allowed: since when, by which clause; a person decides."""

    contract: str
    client: str
    allows: tuple[str, ...]
    allowed_from: date
    sent_on: date
    clock: str
    clause: str
    owed: Decimal


class ToCollect(Struct, frozen=True):
    """An invoice past its day that its direct debit was never asked for: the supplier's to do."""

    supplier: str
    invoice: str
    client: str
    contract: str
    owed: Decimal


class Report:
    """What a pass did, or would do; amounts in euros."""

    def __init__(self, day: date, policy: Dunning, dry_run: bool) -> None:
        self.day = day
        self.policy = policy
        self.dry_run = dry_run
        self.contracts = 0
        self.letters: list[Letter] = []
        self.notices: list[Notice] = []
        self.cured: list[str] = []
        self.debit_notes: list[DebitNoteIssued] = []
        self.credit_notes: list[CreditNoteIssued] = []
        self.tasks: list[Task] = []
        self.set_aside: list[Aside] = []
        self.remarks: list[Aside] = []
        self.to_collect: list[ToCollect] = []
        self.events: list[Event] = []

    def total(self, kind: str = "") -> Decimal:
        """What all debit notes claim, or claim of one kind."""
        lines = (line for note in self.debit_notes for line in note.lines)
        return sum((line.amount for line in lines if kind in ("", line.kind)), ZERO)

    @property
    def nothing(self) -> bool:
        """Whether nothing was, or would be, recorded."""
        found = (self.letters, self.notices, self.cured, self.debit_notes, self.credit_notes)
        return not any(found)


class _Mark(Struct, frozen=True, array_like=True):
    """How far the log was followed, and the paid documents still to be charged: a cache.

    Without it (states made again) every payment of the log is looked at once more.
    """

    position: int = 0
    waiting: tuple[UUID, ...] = ()


class _Pass:
    def __init__(self, app: Billing, report: Report) -> None:
        self.app = app
        self.report = report
        self.index: IndexBook = app.book()
        self.stamp = Stamp(app.clock(), app.user, f"{NAME} {report.day}")
        self.waiting: set[UUID] = set()
        self.issuable = Issuable(app)


def chase(
    app: Billing,
    day: date,
    policy: Dunning | None = None,
    contract: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
    chunk: int = CHUNK,
    keep: bool = False,
) -> Report:
    """Brings a day to all that is late, or to one contract; a dry run shows it and writes nothing.

    The same day again brings nothing new. `keep` keeps the events in the report.
    """
    if day > app.today and not dry_run:
        raise Refused(
            f"{day} is in the future: today is {app.today}; a letter is recorded once it is sent "
            "(--dry-run shows what that day would bring)"
        )
    if contract:
        app.contract(contract)
    app.learn_terms()
    report = Report(day, policy or standard(), dry_run)
    current = _Pass(app, report)
    position = app.store.log_position()
    with fewer_collections():
        book = receivables.book(app)
        visits = _to_visit(app, book, day, position, contract)
        names = sorted(visits)
        series = runs.series_of(app, app.store)
        for first in range(0, len(names), chunk):
            some = {name: visits[name] for name in names[first : first + chunk]}
            if dry_run:
                for _ in _decided(current, app.store, book, some, series):
                    pass
            else:
                recorded = receivables.record(app, partial(_recorded, current, some))
                report.events += recorded if keep else ()
            if progress is not None:
                progress(min(first + chunk, len(names)), len(names))
    if not dry_run and not contract:
        _leave_mark(app, _Mark(position, tuple(sorted(current.waiting))))
    return report


def _recorded(current: _Pass, visits: ToVisit, tx: Tx, book: Book) -> Iterator[Event]:
    series = runs.series_of(current.app, tx)
    yield from _decided(current, tx, book, visits, series)
    yield from series.taken(current.stamp)


# What is looked at


def _to_visit(app: Billing, book: Book, day: date, position: int, contract: str) -> ToVisit:
    """The documents owed and due before the day, and those something happened to since."""
    visits: ToVisit = {}

    def visit(id: UUID, one: Receivable) -> None:
        if not contract or one.contract == contract:
            visits.setdefault(one.contract, set()).add(id)

    for one in book.open(due_before=day):
        visit(invoice_id(one.supplier, one.number), one)
    mark = _mark(app)
    touched = set(mark.waiting)
    for _, stored in app.store.read_log(mark.position + 1, position, topics=MOVES):
        touched.add(stored.originator_id)  # type: ignore[arg-type]
        if len(touched) >= receivables.ROWS:
            for id, one in book.many(touched).items():
                visit(id, one)
            touched.clear()
    for id, one in book.many(touched).items():
        visit(id, one)
    return visits


_encode = msgspec.msgpack.Encoder().encode
_decode = decoder(NAME, msgspec.msgpack.Decoder(_Mark).decode)


def _mark(app: Billing) -> _Mark:
    row = app.store.state(NAME, NAME)
    return _Mark() if row is None else _decode(row.body)


def _leave_mark(app: Billing, mark: _Mark) -> None:
    with app.store.transaction() as tx:
        tx.lock()
        row = StateRow(stream("run", NAME), NAME, NAME, mark.position, _encode(mark))
        tx.put_states([row])


# Deciding, a chunk of contracts


def _decided(
    current: _Pass, reader: Reading, book: Book, visits: ToVisit, series: Series
) -> Iterator[Event]:
    """The events of each contract, numbered; one that cannot be looked at stops none."""
    app, report = current.app, current.report
    rows = {row.name: row for row in reader.states("contract", names=visits)}
    current.issuable.read(rows.values())
    documents = book.many(id for ids in visits.values() for id in ids)
    mandates: dict[str, Mandate] = {}
    _learn(reader, mandates, (one.mandate for one in documents.values() if _undebited(one)))
    for number, ids in visits.items():
        report.contracts += 1
        ours = sorted(
            (documents[id] for id in ids if id in documents), key=lambda r: (r.due_on, r.number)
        )
        try:
            contract = app.contract_of(rows[number])
            undebited = [one for one in ours if _undebited(one)]
            if undebited:
                _learn(reader, mandates, [contract.mandate])
            waiting = [one for one in undebited if _to_collect(one, mandates, contract, report.day)]
            ours = [one for one in ours if one not in waiting]
            by_transfer = {
                (one.supplier, one.number)
                for one in undebited
                if _nobodys(one, mandates, contract, report.day)
            }
            chased = _chased(current, reader, book, contract, ours, by_transfer)
        except Exception as error:  # One poison contract must not stop the others.
            reason = f"{type(error).__name__}: {error}"
            report.set_aside.append(Aside(number, "engine", reason))
            current.waiting |= ids
            continue
        report.to_collect += [
            ToCollect(one.supplier, one.number, one.client, one.contract, one.due)
            for one in waiting
        ]
        if chased.waits:
            current.waiting |= ids
        # A day gone by: what happened after it is charged by the pass of a later day.
        current.waiting |= {
            id for id in ids if id in documents and _moves_after(documents[id], report.day)
        }
        before = len(report.set_aside)
        yield from _numbered(current, contract, chased, series)
        if len(report.set_aside) > before:
            current.waiting |= ids


def _moves_after(one: Receivable, day: date) -> bool:
    released = one.released_on is not None and one.released_on > day
    return released or any(movement.on > day for movement in one.movements)


def _learn(reader: Reading, known: dict[str, Mandate], names: Iterable[str]) -> None:
    """Reads the mandates of these names that are not known yet."""
    if missing := set(names) - known.keys() - {""}:
        decode = KINDS["mandate"].decode
        known |= {row.name: decode(row.body) for row in reader.states("mandate", names=missing)}


def _undebited(one: Receivable) -> bool:
    return one.means == "direct_debit" and not one.attempts


def _nobodys(
    one: Receivable, mandates: Mapping[str, Mandate], contract: Contract, day: date
) -> bool:
    """Whether nobody may debit it any more: its mandate is another company's, another client's."""
    mandate = mandates.get(mandate_of(one, contract.mandate, mandates, day))
    on = max(one.payable_on, day)
    return mandate is not None and bool(stranger(mandate, one.supplier, one.client, on))


def _to_collect(
    one: Receivable, mandates: Mapping[str, Mandate], contract: Contract, day: date
) -> bool:
    """Whether its debit was never asked for though the mandate is good: the client is not late."""
    if one.due <= 0 or _nobodys(one, mandates, contract, day):
        return False
    mandate = mandates.get(mandate_of(one, contract.mandate, mandates, day))
    category: Category = contract.category  # type: ignore[assignment]
    return mandate is not None and not usable(mandate, day, category, reasons.STOPS)


def _chased(
    current: _Pass,
    reader: Reading,
    book: Book,
    contract: Contract,
    documents: list[Receivable],
    by_transfer: Container[tuple[str, str]],
) -> Chased:
    app, report = current.app, current.report
    letters: list[FormalNoticeSent] = []
    if contract.clocks or contract.category in ("consumer", "non_professional"):
        letters = list(_letters(reader, contract.number))
    return arrears.chase(
        contract,
        documents,
        lambda day: terms_on(app, contract, day),
        current.index,
        report.day,
        report.policy,
        letters,
        book.one,
        by_transfer,
    )


def _letters(reader: Reading, number: str) -> Iterator[FormalNoticeSent]:
    for stored in reader.read_events([contract_id(number)]):
        if stored.topic == FormalNoticeSent.TOPIC:
            yield from_stored(stored)  # type: ignore[misc]


def terms_on(app: Billing, contract: Contract, day: date) -> Terms:
    """The clauses in force on a day, read from the contract's history where its state forgot."""
    known_from = contract.terms_ids[0][0]
    if day >= known_from or known_from == contract.starts_on:
        return contract.terms_on(day)
    before = None
    for event in app.history(contract.number):
        after = fold(before, [event])
        assert after is not None
        if after.terms_ids[0][0] > day and before is not None:
            return before.terms_on(day)
        before = after
    return contract.terms_on(day)


# Numbers and stamps


def _numbered(
    current: _Pass, contract: Contract, chased: Chased, series: Series
) -> Iterator[Event]:
    """What was decided, as it is recorded; the report hears of it."""
    report, stamp = current.report, current.stamp
    versions: dict[UUID, int] = {}

    def on(supplier: str, number: str, version: int, event: Event) -> Event:
        id = invoice_id(supplier, number)
        versions[id] = versions.get(id, version) + 1
        return stamped(event, id, versions[id], stamp.at, stamp.by)

    for one, reminder in chased.reminders:
        report.letters.append(_letter(one, reminder))
        yield on(one.supplier, one.number, one.version, reminder)
    for rank, event in enumerate(chased.events, 1):
        yield stamped(
            event, contract_id(contract.number), contract.version + rank, stamp.at, stamp.by
        )
        if isinstance(event, FormalNoticeSent):
            report.notices.append(
                Notice(contract.number, event.clock, event.about, event.allowed_from, event.allows)
            )
        elif isinstance(event, BreachCured):
            report.cured.append(contract.number)
    series.mark()
    notes = [_debit_note(debit, series, current) for debit in chased.debits]
    given_back = [_credit_note(c, series, current) if c.gross else None for c in chased.credits]
    issued: list[Document | None] = [*notes, *given_back]
    unprintable = (current.issuable(contract, one) for one in issued if one is not None)
    if reason := next(filter(None, unprintable), ""):
        series.give_back()
        report.set_aside.append(Aside(contract.number, UNPRINTABLE, reason))
        chased = chased._replace(debits=(), credits=())
    for debit, note in zip(chased.debits, notes, strict=False):
        report.debit_notes.append(note)
        yield note
        for charged in debit.charges:
            mark = _charged(charged.line, note.number)
            yield on(debit.supplier, charged.of.number, charged.of.version, mark)
    for credit, given in zip(chased.credits, given_back, strict=False):
        number = credit.note.number
        if given is not None:
            number = given.number
            report.credit_notes.append(given)
            yield given
            told = InvoiceCredited(
                credit_note=number, gross=given.gross, net=given.net, credited_on=given.issued_on
            )
            yield on(credit.note.supplier, credit.note.number, credit.note.version, told)
        for back in credit.charges:
            mark = _charged(back.line, number, credit.note.number)
            yield on(credit.note.supplier, back.of.number, back.of.version, mark)
    report.tasks += [_task(current.app, contract, measure) for measure in chased.measures]
    if chased.aside:
        report.set_aside.append(Aside(contract.number, "late_interest", chased.aside))
    if chased.remark:
        report.remarks.append(Aside(contract.number, "clocks", chased.remark))


def _letter(one: Receivable, reminder: ReminderSent) -> Letter:
    return Letter(
        one.supplier, one.number, one.client, one.contract, reminder.level, reminder.name,
        reminder.sending, reminder.owed,
    )  # fmt: skip


def _debit_note(debit: Debit, series: Series, current: _Pass) -> DebitNoteIssued:
    """Under the next number of the supplier's own sequence."""
    stamp, policy = current.stamp, current.report.policy
    number, issued_on = series.take(debit.supplier, current.report.day)
    return stamped(
        DebitNoteIssued(
            number=number,
            supplier=debit.supplier,
            client=debit.client,
            contract=debit.contract,
            issued_on=issued_on,
            due_on=issued_on + timedelta(days=policy.debit_note_days),
            lines=debit.lines,
            gross=debit.gross,
            run=stamp.run,
        ),
        invoice_id(debit.supplier, number),
        1,
        stamp.at,
        stamp.by,
    )


def _charged(line: DebitLine, note: str, credited: str = "") -> Event:
    amount = -line.amount if credited else line.amount
    if line.kind == "recovery_fee":
        return RecoveryFeeCharged(debit_note=note, amount=amount, credits=credited)
    assert line.until is not None
    return LateInterestCharged(
        debit_note=note,
        until=line.until,
        amount=amount,
        credits=credited,
        interest=line.interest if credited else None,
    )


def _credit_note(credit: Credit, series: Series, current: _Pass) -> CreditNoteIssued:
    note = credit.note
    lines = tuple(
        Line(
            kind="credit",
            code="INTERETS" if back.line.kind == "late_interest" else "D441-5",
            label=back.line.label,
            net=back.credited,
            vat_rate=ZERO,
            vat_category="O",
            vat_reason=OUTSIDE,
            note=_why(back.line),
        )
        for back in credit.charges
        if back.credited
    )
    reason = "Moins de retard que facturé : règlement ou avoir de date antérieure"
    return credit_note(
        note.supplier, note.client, note.contract, 0, note.number, lines, reason, "", series,
        current.report.day, current.stamp,
    )  # fmt: skip


def _why(line: DebitLine) -> str:
    owed = line.interest.amount if line.interest is not None else ZERO
    return f"{line.charged_before} € facturés, {owed} € dus"


def _task(app: Billing, contract: Contract, measure: Measure) -> Task:
    return Task(
        measure.contract, measure.client, measure.allows, measure.allowed_from, measure.sent_on,
        measure.clock, _place_of(app, contract), measure.owed,
    )  # fmt: skip


def _place_of(app: Billing, contract: Contract) -> str:
    """Where the contract has its clocks: the article, as its form says."""
    from billing.application.actions import recorded_form  # It has this pass as an action.

    try:
        form = recorded_form(app, contract.form_digest)
    except BadFile:
        form = None
    if form is None:
        return ""
    signed: Any = app.history(contract.number)[0]
    return form.words("clocks", signed.variant).source


# Disputes


def dispute(
    app: Billing, number: str, on: date, reason: str, supplier: str = "", by: str = ""
) -> list[Event]:
    """The client contests a document: nothing is asked for until that is settled."""

    def decide(one: Receivable) -> Iterator[Event]:
        if one.disputed_on is not None:
            raise Refused(f"{number}: disputed since {one.disputed_on} already")
        if one.owed <= 0:
            raise Refused(f"{number}: nothing is owed on it any more")
        if on < one.issued_on:
            raise Refused(f"{number}: disputed on {on}, before it was issued on {one.issued_on}")
        if not reason:
            raise Refused(f"{number}: say what is disputed")
        yield InvoiceDisputed(disputed_on=on, reason=reason)

    return _on_document(app, number, supplier, by, decide)


def settle_dispute(
    app: Billing, number: str, on: date, how: str, supplier: str = "", by: str = ""
) -> list[Event]:
    """The dispute is over; what is still owed is late since its due day."""

    def decide(one: Receivable) -> Iterator[Event]:
        if one.disputed_on is None:
            raise Refused(f"{number}: it is not disputed")
        if on < one.disputed_on:
            raise Refused(f"{number}: disputed on {one.disputed_on}, after {on}")
        if not how:
            raise Refused(f"{number}: say how the dispute was settled")
        yield DisputeSettled(settled_on=on, how=how)

    return _on_document(app, number, supplier, by, decide)


def _on_document(
    app: Billing,
    number: str,
    supplier: str,
    by: str,
    decide: Callable[[Receivable], Iterable[Event]],
) -> list[Event]:
    issued: Any = app.invoice_events(number, supplier)[0]

    def decided(tx: Tx, book: Book) -> list[Event]:
        one = book.one(issued.supplier, number)
        return app.stamp(decide(one), invoice_id(one.supplier, one.number), one.version, by)

    return receivables.record(app, decided)


# The service


def gate(app: Billing, contract: Contract, day: date, book: Book | None = None) -> Gate:
    """Whether the service of a contract is open on a day, for one that is served while paid."""
    ids = [
        invoice_id(contract.party_on("supplier", event.billed_on), event.invoice)
        for event in app.history(contract.number)
        if isinstance(event, InstalmentBilled)
        and event.invoice
        and event.period is not None
        and day in event.period
    ]
    found = (book or receivables.book(app)).many(ids)
    return arrears.service_open(contract, found.values(), day)


def gates(app: Billing, day: date) -> list[Gate]:
    """The contracts served only while paid, the closed ones first."""
    book = receivables.book(app)
    found = [
        gate(app, contract, day, book)
        for contract in app.contracts()
        if contract.terms_on(day).payment.service_while_paid
    ]
    return sorted(found, key=lambda one: (one.open, one.contract))


__all__ = ["Aside", "Report", "chase", "dispute", "gate", "gates", "settle_dispute", "terms_on"]
