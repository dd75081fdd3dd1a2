"""Billing runs: everything due in a month becomes numbered invoices, once (facturation du mois).

Contracts are read by day, decided on purely, and each day is written in one transaction with
the numbers of its invoices. A run that died is run again: what it recorded stays, the rest
follows. Two runs at once leave one set of invoices, because each contract's next event takes
its next version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from heapq import heappop, heappush
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from billing import __version__, invoice, numbering
from billing.application.core import Billing
from billing.application.states import KINDS, contract_row, row_of
from billing.contract.state import Contract
from billing.events import Event, stamped
from billing.events.contract import ContractSetAside
from billing.events.invoice import CreditNoteIssued, InvoiceCredited, InvoiceIssued
from billing.events.run import BillingRunClosed, BillingRunOpened
from billing.identity import invoice_id, stream
from billing.money import ZERO
from billing.month import Issued, Outcome, Series, Stamp, Totals, decide, issue, set_aside
from billing.numbering import Numbers
from billing.record import from_stored, to_stored
from billing.refusal import Refused
from billing.run import Run, recorded_by
from billing.store import Conflict, StateRow, Tx
from indices import IndexBook

CHUNK = 5_000
ATTEMPTS = 20
ROUNDS = 1_000

Progress = Callable[[int, int], None]


class Draft(NamedTuple):
    """What a run does, or would do, to one contract on one day."""

    outcome: Outcome
    issued: Issued


class Report(NamedTuple):
    """What a run did: its name, whether it went on with one that died, totals, set aside."""

    name: str
    resumed: bool
    nothing_due: bool
    totals: Totals
    set_aside: tuple[ContractSetAside, ...]
    aside_numbers: tuple[str, ...]
    contracts: int
    digest: str


class _Entry(NamedTuple):
    key: tuple[date, int, str]
    id: UUID
    contract: Contract
    version: int


class _Pass:
    """One run being carried out: what it bills, its stamp, its book, what it has added up."""

    def __init__(
        self, app: Billing, name: str, earliest: date, until: date, position: int, stamp: Stamp,
        book: IndexBook,
    ) -> None:
        self.app = app
        self.name = name
        self.earliest = earliest
        self.until = until
        self.position = position
        self.stamp = stamp
        self.book = book
        self.totals = Totals()
        self.digest = sha256()
        self.asides: dict[str, ContractSetAside] = {}
        self.seen: set[UUID] = set()
        self.shared = False  # Others worked on it too: the totals are read from the log.
        self.opened = False
        self.dry = False
        self.heap: list[_Entry] = []
        self.bound: tuple[date, int, str] | None = None  # The last key read from the store.

    def decide(self, entries: Sequence[_Entry]) -> list[Outcome]:
        """What the day brings to each contract; parents before those linked to them."""
        outcomes: list[Outcome] = []
        after: dict[UUID, Contract] = {}
        missing = {
            invoice_parent
            for entry in entries
            if entry.contract.parent
            and (invoice_parent := stream("contract", entry.contract.parent))
        }
        if missing:
            after = {
                row.id: self.app.contract_of(row)
                for row in self.app.store.states("contract", ids=missing)
            }
        for entry in entries:
            contract = entry.contract
            parent = after.get(stream("contract", contract.parent)) if contract.parent else None
            outcome = decide(entry.id, contract, entry.key[0], self.book, parent, self.stamp)
            if entry.id in missing:
                after[entry.id] = outcome.after
            outcomes.append(outcome)
        return outcomes

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Keeps who was set aside; a contract done since is so no more."""
        for outcome in outcomes:
            if outcome.aside is not None:
                self.asides[outcome.before.number] = outcome.aside
            else:
                self.asides.pop(outcome.before.number, None)


def run(
    app: Billing,
    earliest: date,
    until: date,
    name: str,
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> Report:
    """Bills all that is due before `until`; nothing is dated before `earliest`.

    A run of that name that did not finish goes on with its own clock and index book. One that
    did is followed by another (`#2`) when something has become due since.
    """
    current, resumed = _open(app, earliest, until, name)
    total = app.store.count_due("contract", until)
    done = 0
    for entries in _days(current, chunk):
        current.seen.update(outcome.id for outcome in _carry_out(current, entries))
        done = len(current.seen)
        if progress is not None:
            progress(done, max(total, done))
    if current.opened or resumed:
        digest = _close(current)
    else:
        digest = ""
    return Report(
        current.name, resumed, not current.opened and not resumed, current.totals,
        tuple(current.asides.values()), tuple(current.asides), len(current.seen), digest,
    )


def preview(
    app: Billing, earliest: date, until: date, name: str, chunk: int = CHUNK
) -> tuple[Iterator[Draft], Callable[[], Report]]:
    """What the run would do, contract by contract, and then its report; nothing is written."""
    position = app.store.log_position()
    stamp = Stamp(app.clock(), recorded_by(name), name)
    current = _Pass(app, name, earliest, until, position, stamp, app.book())
    current.dry = True
    series = Series(_numbers_in(app.store), _prefixes(app))

    def drafts() -> Iterator[Draft]:
        for entries in _days(current, chunk):
            outcomes = current.decide(entries)
            current.note(outcomes)
            for outcome in outcomes:
                current.seen.add(outcome.id)
                issued = issue(outcome, series, earliest, current.stamp)
                for event in (*issued.contract_events, *issued.invoices):
                    current.totals.add(event)
                _again(current, outcome, issued.after)
                yield Draft(outcome, issued)

    def report() -> Report:
        return Report(
            name, False, not current.seen, current.totals, tuple(current.asides.values()),
            tuple(current.asides), len(current.seen), "",
        )

    return drafts(), report


def _open(app: Billing, earliest: date, until: date, name: str) -> tuple[_Pass, bool]:
    """The run to go on with, or a new one; it is recorded with its first events."""
    if earliest > app.today:
        raise Refused(
            f"{earliest:%Y-%m} is in the future: today is {app.today}; a month is billed once it "
            "has begun"
        )
    app.learn_terms()
    name, found = _unfinished(app, name)
    if found is not None:
        if (found.earliest, found.until) != (earliest, until):
            raise Refused(
                f"the run {name} of {found.earliest} to {found.until} is not finished; finish it "
                "first"
            )
        return _resumed(app, found), True
    position = app.store.log_position()
    stamp = Stamp(app.clock(), recorded_by(name), name)
    return _Pass(app, name, earliest, until, position, stamp, app.book()), False


def _unfinished(app: Billing, name: str) -> tuple[str, Run | None]:
    """The run of that name that is not closed; or the first name free: 2026-07, 2026-07#2 …"""
    while (row := app.store.state("run", name)) is not None:
        found: Run = KINDS["run"].decode(row.body)
        if found.closed is None:
            return name, found
        base, _, rank = name.partition("#")
        name = f"{base}#{int(rank or 1) + 1}"
    return name, None


def _resumed(app: Billing, found: Run) -> _Pass:
    """The same run: its clock, and the index book as it saw it."""
    current = _Pass(
        app, found.name, found.earliest, found.until, found.log_position,
        Stamp(found.at, recorded_by(found.name), found.name), app.book_at(found.log_position),
    )
    current.shared = current.opened = True
    return current


def _join(current: _Pass) -> None:
    """Another process opened this run first: go on with its clock and its book."""
    if current.opened:
        return
    name, found = _unfinished(current.app, current.name)
    if found is None:
        current.name = name
        current.stamp = current.stamp._replace(by=recorded_by(name), run=name)
        return
    theirs = _resumed(current.app, found)
    current.stamp, current.book, current.position = theirs.stamp, theirs.book, theirs.position
    current.opened = True


def _days(current: _Pass, chunk: int) -> Iterator[list[_Entry]]:
    """Contracts due, in order, at most a day and a chunk at a time.

    They come from the store a page after another, and from the heap when a contract is due
    again within what was read already (`_again`).
    """
    app, heap = current.app, current.heap
    exhausted = False
    while True:
        beyond = not heap or (current.bound is not None and heap[0].key > current.bound)
        if not exhausted and beyond:
            rows = app.store.states(
                "contract", due_before=current.until, after=current.bound, limit=chunk
            )
            exhausted = len(rows) < chunk
            for row in rows:
                if (entry := _entry(current, row)) is not None:
                    heappush(heap, entry)
            current.bound = None if exhausted else _key(rows[-1])
            continue
        if not heap:
            return
        wave: list[_Entry] = []
        day, bound = heap[0].key[0], current.bound
        while heap and heap[0].key[0] == day and len(wave) < chunk:
            if bound is not None and heap[0].key > bound:
                break
            wave.append(heappop(heap))
        yield wave


def _key(row: StateRow) -> tuple[date, int, str]:
    assert row.next_due is not None, "a contract read by its due day has one"
    return row.next_due, row.rank, row.name


def _entry(current: _Pass, row: StateRow) -> _Entry | None:
    key = _key(row)
    try:
        contract = current.app.contract_of(row)
    except Exception as error:  # A state that cannot be read must not stop the others.
        current.asides[row.name] = ContractSetAside(
            due_on=key[0], clause="record", held=True,
            reason=f"its current state cannot be read ({error}); run `billing rebuild`",
        )
        return None
    return _Entry(key, row.id, contract, row.version)


def _again(current: _Pass, outcome: Outcome, after: Contract) -> None:
    """Puts back a contract that is due again before the end of the run."""
    if outcome.aside is not None and outcome.aside.held:
        return
    if after.version == outcome.before.version:
        return  # Nothing came of it: asking again would bring nothing more.
    due = after.next_due()
    if due is None or due >= current.until:
        return
    key = (due, 1 if after.parent else 0, after.number)
    if current.dry or current.bound is None or key <= current.bound:
        heappush(current.heap, _Entry(key, outcome.id, after, after.version))


def _carry_out(current: _Pass, entries: list[_Entry]) -> list[Outcome]:
    """Decides and records one day of a chunk; what changed meanwhile is read again."""
    for _ in range(ATTEMPTS):
        outcomes = current.decide(entries)
        try:
            outcomes, afters = _write(current, outcomes)
        except Conflict:
            current.shared = True
            _join(current)
            entries = _fresh(current, entries)
            if not entries:
                return []
            continue
        current.note(outcomes)
        for outcome, after in zip(outcomes, afters, strict=True):
            _again(current, outcome, after)
        return outcomes
    raise Conflict(
        f"{len(entries)} contracts due on {entries[0].key[0]} keep changing; run the month again"
    )


def _fresh(current: _Pass, entries: Sequence[_Entry]) -> list[_Entry]:
    """The same contracts as they are now; those due later wait for their day."""
    day = entries[0].key[0]
    found = []
    for row in current.app.store.states("contract", ids=[entry.id for entry in entries]):
        if row.next_due is None or row.next_due >= current.until:
            continue
        entry = _entry(current, row)
        if entry is None:
            continue
        if row.next_due <= day:
            found.append(entry._replace(key=(day, entry.key[1], entry.key[2])))
        else:
            heappush(current.heap, entry)
    return sorted(found, key=lambda entry: entry.key)


def _write(
    current: _Pass, outcomes: list[Outcome]
) -> tuple[list[Outcome], list[Contract]]:
    """One transaction: the day's events, invoices, numbers and states."""
    app, stamp = current.app, current.stamp
    if not any(outcome.events or outcome.bills for outcome in outcomes):
        return outcomes, [outcome.after for outcome in outcomes]
    with app.store.transaction() as tx:
        tx.lock()
        outcomes = [
            _creditable(tx, outcome, stamp)
            if any(due.credits for due in outcome.bills)
            else outcome
            for outcome in outcomes
        ]
        series = series_of(app, tx)
        contracts: list[StoredEvent] = []
        states: list[StateRow] = []
        expected: list[int] = []
        invoices: list[StoredEvent] = []
        notes: list[CreditNoteIssued] = []
        afters: list[Contract] = []
        totals = current.totals
        counted: list[Event] = []
        for outcome in outcomes:
            issued = issue(outcome, series, current.earliest, stamp)
            afters.append(issued.after)
            if issued.contract_events:
                contracts += map(to_stored, issued.contract_events)
                states.append(contract_row(outcome.id, issued.after))
                expected.append(outcome.before.version)
                counted += issued.contract_events
            for document in issued.invoices:
                invoices.append(to_stored(document))
                counted.append(document)
                if type(document) is CreditNoteIssued:
                    notes.append(document)
        credited = list(credit_marks(tx, notes, stamp))
        taken = list(series.taken(stamp))
        opening = [] if current.opened else [_opened(current)]
        tx.append(
            [to_stored(e) for e in opening] + contracts + invoices
            + [to_stored(e) for e in (*credited, *taken)]
        )
        tx.put_states(states, expected)
        for event in (*opening, *taken):
            _put(tx, event)
    current.opened = True
    for stored in invoices:
        current.digest.update(stored.state)
    for event in counted:
        totals.add(event)
    return outcomes, afters


def _creditable(tx: Tx, outcome: Outcome, stamp: Stamp) -> Outcome:
    """The outcome; or the contract set aside, when it would credit more than was invoiced."""
    asked: dict[tuple[str, str], Decimal] = {}
    for due in outcome.bills:
        for credit in due.credits:
            key = (credit.issuer or outcome.after.supplier, credit.invoice)
            totals = invoice.vat_totals(credit.lines)
            asked[key] = asked.get(key, ZERO) - sum((t.base + t.tax for t in totals), ZERO)
    for (supplier, credited), gross in asked.items():
        stored = tx.read_events([invoice_id(supplier, credited)])
        found = invoice.fold(map(from_stored, stored))
        left = found.issued.gross - found.credited if found else ZERO
        if gross > left:
            reason = f"{gross} € to credit on {credited}, of which only {left} € is left"
            return set_aside(outcome, "credit", reason, stamp)
    return outcome


def _put(tx: Tx, event: Event) -> None:
    kind = KINDS[event.TOPIC.partition(".")[0]]
    rows = tx.states(kind.name, ids=[event.originator_id])
    before = kind.decode(rows[0].body) if rows else None
    state: Any = kind.apply(before, event)
    tx.put_states([row_of(kind, event.originator_id, state)], [rows[0].version if rows else 0])


def credit_marks(
    tx: Tx, notes: Sequence[CreditNoteIssued], stamp: Stamp
) -> Iterator[InvoiceCredited]:
    """What each credit note leaves on the invoice it names; never more than was invoiced."""
    versions: dict[UUID, tuple[int, Any]] = {}
    for note in notes:
        id = invoice_id(note.supplier, note.credits)
        if id not in versions:
            found = invoice.fold(from_stored(stored) for stored in tx.read_events([id]))
            if found is None:
                raise Refused(f"credit note on {note.credits}: no such invoice of {note.supplier}")
            versions[id] = (found.version, found.issued.gross - found.credited)
        version, left = versions[id]
        if note.gross > left:
            raise Refused(
                f"credit note of {note.gross} € on {note.credits}: only {left} € of it is left"
            )
        versions[id] = (version + 1, left - note.gross)
        yield stamped(
            InvoiceCredited(credit_note=note.number, gross=note.gross, net=note.net),
            id, version + 1, stamp.at, stamp.by,
        )


def series_of(app: Billing, tx: Tx) -> Series:
    """The number sequences, as a transaction that holds the append lock sees them."""
    return Series(_numbers_in(tx), _prefixes(app))


def _numbers_in(reader: Any) -> Callable[[str, int], Numbers | None]:
    def known(supplier: str, year: int) -> Numbers | None:
        row = reader.state("numbers", numbering.name(supplier, year))
        return None if row is None else KINDS["numbers"].decode(row.body)

    return known


def _prefixes(app: Billing) -> Callable[[str], str]:
    def prefix(supplier: str) -> str:
        party = app.party(supplier)
        return party.identity.invoice_prefix if party else ""

    return prefix


def _opened(current: _Pass) -> BillingRunOpened:
    return stamped(
        BillingRunOpened(
            run=current.name, earliest=current.earliest, until=current.until,
            log_position=current.position, engine=__version__,
        ),
        stream("run", current.name), 1, current.stamp.at, current.app.user,
    )


def _close(current: _Pass) -> str:
    """Records that the run is whole; another that closed it first said the same."""
    app, totals = current.app, current.totals
    digest = current.digest.hexdigest()
    if current.shared:
        totals, digest = totals_in_log(app, current.name, current.position)
        current.totals = totals
    row = app.store.state("run", current.name)
    assert row is not None, "a run is recorded with its first events"
    before: Run = KINDS["run"].decode(row.body)
    if before.closed is not None:
        return before.closed.digest
    try:
        app.write([
            stamped(
                BillingRunClosed(
                    invoices=totals.invoices, credit_notes=totals.credit_notes, net=totals.net,
                    tax=totals.tax, gross=totals.gross, vat=totals.vat,
                    set_aside=len(current.asides), renewed=totals.renewed,
                    revised=totals.revised, digest=digest,
                ),
                stream("run", current.name), before.version + 1, current.stamp.at, app.user,
            )
        ])
    except Conflict:
        pass
    return digest


RUN_TOPICS = (
    "contract.renewed", "contract.price_revised", "invoice.issued", "invoice.credit_note_issued"
)


def totals_in_log(app: Billing, name: str, position: int) -> tuple[Totals, str]:
    """What a run billed, and its digest, read from the log."""
    totals, digest = Totals(), sha256()
    by = recorded_by(name)
    for _, stored in app.store.read_log(position + 1, topics=RUN_TOPICS):
        event = from_stored(stored)
        if event.recorded_by == by:
            totals.add(event)
            if isinstance(event, InvoiceIssued | CreditNoteIssued):
                digest.update(stored.state)
    return totals, digest.hexdigest()
