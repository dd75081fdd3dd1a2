"""Billing runs: everything due in a month becomes numbered invoices, once (facturation du mois).

Contracts are read by day, decided on purely, and each day is written in one transaction with
the numbers of its invoices. A run that died is run again: what it recorded stays, the rest
follows. Two runs at once leave one set of invoices, because each contract's next event takes
its next version.

While the database writes one chunk the next is decided, numbered and encoded. That is a guess
that nothing else happens meanwhile: versions and numbers are checked under the append lock, and
a chunk that guessed wrong is read, decided and numbered again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from functools import cache
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
from billing.identity import contract_id, invoice_id, stream
from billing.money import ZERO
from billing.month import Issued, Outcome, Series, Stamp, Totals, decide, issue, set_aside
from billing.numbering import Numbers
from billing.record import from_stored, to_stored
from billing.refusal import Refused
from billing.run import Run, recorded_by
from billing.store import Conflict, StateRow, Store, Tx
from indices import IndexBook

CHUNK = 5_000  # Contracts a transaction writes.
AHEAD = 4  # Chunks read at once: between two reads the database writes while we decide.
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


_Key = tuple[date, int, str]


class _Entry(NamedTuple):
    key: _Key
    id: UUID
    contract: Contract


class _Numbered(NamedTuple):
    """What one transaction writes: the outcomes with their numbers, and their states after."""

    outcomes: list[Outcome]
    series: Series
    contracts: list[StoredEvent]
    invoices: list[StoredEvent]
    notes: list[CreditNoteIssued]
    counted: list[Event]
    rows: list[StateRow | None]  # One an outcome; none where nothing came of it.


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
        self.contracts = 0  # Those done with, each counted once.
        self.shared = False  # Others worked on it too: the totals are read from the log.
        self.opened = False
        self.dry = False
        self.heap: list[tuple[_Key, StateRow]] = []
        self.bound: _Key | None = None  # The last key read from the store.
        self.underway: tuple[list[_Entry], _Numbered, Future[_Numbered]] | None = None
        self.numbers: dict[tuple[str, int], Numbers] = {}  # After all chunks, written or not yet.
        self.prefix = cache(_prefixes(app))
        self.ahead: dict[UUID, Contract] = {}  # In a dry run, contracts whose term has moved.

    def decide(self, entries: Sequence[_Entry]) -> list[Outcome]:
        """What the day brings to each contract; parents before those linked to them."""
        outcomes: list[Outcome] = []
        after: dict[UUID, Contract] = {}
        missing = {
            contract_id(entry.contract.parent) for entry in entries if entry.contract.parent
        }
        if missing:
            _settle(self)  # A parent may be of the chunk being written.
            after = {
                row.id: self.app.contract_of(row)
                for row in self.app.store.states("contract", ids=missing)
            }
            after |= {id: self.ahead[id] for id in missing if id in self.ahead}
        for entry in entries:
            contract = entry.contract
            parent = after.get(contract_id(contract.parent)) if contract.parent else None
            outcome = decide(entry.id, contract, entry.key[0], self.book, parent, self.stamp)
            if entry.id in missing:
                after[entry.id] = outcome.after
            outcomes.append(outcome)
        return outcomes

    def number(self, outcomes: list[Outcome]) -> _Numbered:
        """The outcomes with the numbers that follow those of the chunk before."""
        in_store = _numbers_in(self.app.store)

        def known(supplier: str, year: int) -> Numbers | None:
            return self.numbers.get((supplier, year)) or in_store(supplier, year)

        made = _numbered(self, outcomes, Series(known, self.prefix))
        self.took(made)
        return made

    def took(self, made: _Numbered) -> None:
        """Remembers the last number of each sequence."""
        for event in made.series.taken(self.stamp):
            self.numbers[event.supplier, event.year] = numbering.apply(None, event)

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
    with ThreadPoolExecutor(1, "writer") as writer, fewer_collections():
        for entries in _days(current, chunk):
            _carry_out(current, entries, writer)
            if progress is not None:
                progress(current.contracts, max(total, current.contracts))
        _settle(current)
    if progress is not None:
        progress(current.contracts, max(total, current.contracts))
    if current.opened or resumed:
        digest = _close(current)
    else:
        digest = ""
    return Report(
        current.name, resumed, not current.opened and not resumed, current.totals,
        tuple(current.asides.values()), tuple(current.asides), current.contracts, digest,
    )


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Has the garbage collector look less often: a chunk is a million objects, in no cycle."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
                issued = issue(outcome, series, earliest, current.stamp)
                if issued.after.term != outcome.before.term:
                    current.ahead[outcome.id] = issued.after
                for event in (*issued.contract_events, *issued.invoices):
                    current.totals.add(event)
                row = contract_row(outcome.id, issued.after) if issued.contract_events else None
                _again(current, [outcome], [row])
                current.contracts += not _due_again(current, outcome, row)
                yield Draft(outcome, issued)

    def report() -> Report:
        return Report(
            name, False, not current.contracts, current.totals, tuple(current.asides.values()),
            tuple(current.asides), current.contracts, "",
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
    app, heap, page = current.app, current.heap, chunk * AHEAD
    exhausted = False
    while True:
        beyond = not heap or (current.bound is not None and heap[0][0] > current.bound)
        if not exhausted and beyond:
            _settle(current)  # So that the store says who is due again.
            rows = app.store.states(
                "contract", due_before=current.until, after=current.bound, limit=page
            )
            exhausted = len(rows) < page
            for row in rows:
                heappush(heap, (_key(row), row))
            current.bound = None if exhausted else _key(rows[-1])
            continue
        if not heap:
            return
        wave: list[_Entry] = []
        day, bound = heap[0][0][0], current.bound
        while heap and heap[0][0][0] == day and len(wave) < chunk:
            if bound is not None and heap[0][0] > bound:
                break
            if (entry := _entry(current, heappop(heap)[1])) is not None:
                wave.append(entry)
        if wave:
            yield wave


def _key(row: StateRow) -> _Key:
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
    return _Entry(key, row.id, contract)


def _due_again(current: _Pass, outcome: Outcome, row: StateRow | None) -> bool:
    if row is None or (outcome.aside is not None and outcome.aside.held):
        return False  # Nothing came of it: asking again would bring nothing more.
    return row.next_due is not None and row.next_due < current.until


def _again(current: _Pass, outcomes: list[Outcome], rows: list[StateRow | None]) -> None:
    """Puts back the contracts that are due again before the end of the run."""
    for outcome, row in zip(outcomes, rows, strict=True):
        if row is not None and _due_again(current, outcome, row):
            key = _key(row)
            if current.dry or current.bound is None or key <= current.bound:
                heappush(current.heap, (key, row))


def _carry_out(current: _Pass, entries: list[_Entry], writer: ThreadPoolExecutor) -> None:
    """Decides one day of a chunk, and has it written while the next is decided."""
    made = current.number(current.decide(entries))
    if not _settle(current):
        made = current.number(current.decide(entries))
    if _credits(made):  # What is left to credit is known under the lock only.
        _insist(current, entries, made)
        return
    current.underway = entries, made, writer.submit(_write, current, made)
    _again(current, made.outcomes, made.rows)


def _settle(current: _Pass) -> bool:
    """Waits until the chunk underway is written; false when it was not written as guessed."""
    if current.underway is None:
        return True
    entries, guessed, written = current.underway
    current.underway = None
    try:
        made = written.result()
    except Conflict:
        _insist(current, entries, None)
        return False
    _count(current, made)
    if made is not guessed:
        current.took(made)
    return made is guessed


def _insist(current: _Pass, entries: list[_Entry], made: _Numbered | None) -> None:
    """Records one day of a chunk now; what changed meanwhile is read again."""
    day = entries[0].key[0]
    for _ in range(ATTEMPTS):
        if made is None:
            current.shared = True
            current.numbers.clear()
            _join(current)
            entries = _fresh(current, day, entries)
            if not entries:
                return
            made = current.number(current.decide(entries))
        try:
            made = _write(current, made)
        except Conflict:
            made = None
            continue
        _count(current, made)
        current.took(made)
        _again(current, made.outcomes, made.rows)
        return
    raise Conflict(f"{len(entries)} contracts due on {day} keep changing; run the month again")


def _count(current: _Pass, made: _Numbered) -> None:
    """Adds up what was written."""
    if made.contracts:
        current.opened = True
    current.note(made.outcomes)
    for stored in made.invoices:
        current.digest.update(stored.state)
    for event in made.counted:
        current.totals.add(event)
    for outcome, row in zip(made.outcomes, made.rows, strict=True):
        current.contracts += not _due_again(current, outcome, row)


def _fresh(current: _Pass, day: date, entries: Sequence[_Entry]) -> list[_Entry]:
    """The same contracts as they are now; those due later wait for their day."""
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
            heappush(current.heap, (entry.key, row))
    return sorted(found, key=lambda entry: entry.key)


def _numbered(current: _Pass, outcomes: list[Outcome], series: Series) -> _Numbered:
    """The outcomes with their numbers, encoded."""
    made = _Numbered(outcomes, series, [], [], [], [], [])
    for outcome in outcomes:
        issued = issue(outcome, series, current.earliest, current.stamp)
        if not issued.contract_events:
            made.rows.append(None)
            continue
        made.contracts.extend(map(to_stored, issued.contract_events))
        made.rows.append(contract_row(outcome.id, issued.after))
        made.counted.extend(issued.contract_events)
        for document in issued.invoices:
            made.invoices.append(to_stored(document))
            made.counted.append(document)
            if type(document) is CreditNoteIssued:
                made.notes.append(document)
    return made


def _credits(made: _Numbered) -> bool:
    return any(due.credits for outcome in made.outcomes for due in outcome.bills)


def _write(current: _Pass, made: _Numbered) -> _Numbered:
    """One transaction: the day's events, invoices, numbers and states; as it was written."""
    if not made.contracts:
        return made
    app, stamp = current.app, current.stamp
    with app.store.transaction() as tx:
        tx.lock()
        if _credits(made):
            outcomes = [_creditable(tx, outcome, stamp) for outcome in made.outcomes]
            made = _numbered(current, outcomes, series_of(app, tx))
        elif made.series.moved(_numbers_in(tx)):
            made = _numbered(current, made.outcomes, series_of(app, tx))
        credited = list(credit_marks(tx, made.notes, stamp))
        taken = list(made.series.taken(stamp))
        opening = [] if current.opened else [_opened(current)]
        tx.append(
            [to_stored(e) for e in opening] + made.contracts + made.invoices
            + [to_stored(e) for e in (*credited, *taken)]
        )
        changed = [
            (row, outcome.before.version)
            for outcome, row in zip(made.outcomes, made.rows, strict=True)
            if row is not None
        ]
        tx.put_states([row for row, _ in changed], [version for _, version in changed])
        for event in (*opening, *taken):
            _put(tx, event)
    return made


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


def series_of(app: Billing, reader: Store | Tx) -> Series:
    """The number sequences; a transaction that holds the append lock sees the last numbers."""
    return Series(_numbers_in(reader), _prefixes(app))


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
    with suppress(Conflict):
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
