"""Billing runs: everything due in a month becomes numbered invoices, once (facturation du mois).

Contracts are read by day, decided on purely, and each day is written in one transaction with
the numbers of its invoices. A run that died is run again: what it recorded stays, the rest
follows. Two runs at once leave one set of invoices, because each contract's next event takes
its next version.

While the database writes one chunk the next is decided, numbered and encoded, a contract after
another: what one leaves behind is bytes. That is a guess that nothing else happens meanwhile:
versions and numbers are checked under the append lock, and a chunk that guessed wrong is read,
decided and numbered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import cache
from hashlib import sha256
from heapq import heappop, heappush
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from msgspec.structs import replace

from billing import __version__, invoice, numbering
from billing.application import mandates
from billing.application.core import Billing
from billing.application.issuable import Issuable
from billing.application.states import KINDS, contract_row, fewer_collections, row_of, shorter_turns
from billing.contract.state import Contract
from billing.events import stamped
from billing.events.contract import ContractSetAside
from billing.events.invoice import (
    CreditNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceNumbersTaken,
)
from billing.events.run import BillingRunClosed, BillingRunOpened
from billing.identity import invoice_id, stream
from billing.money import ZERO
from billing.month import Issued, Outcome, Series, Stamp, Totals, decide, issue, set_aside
from billing.numbering import Numbers
from billing.record import from_stored, to_stored
from billing.refusal import Refused
from billing.run import Run, recorded_by
from billing.store import Conflict, StateRow, Store, Tx
from indices import IndexBook

CHUNK = 2_500  # Contracts a transaction writes.
AHEAD = 8  # Chunks read at once: between two reads the database writes while we decide.
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
    row: StateRow


class _Numbered:
    """What one transaction writes, and what the run then knows: decided, numbered, encoded."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.contracts: list[StoredEvent] = []
        self.invoices: list[StoredEvent] = []
        self.notes: list[CreditNoteIssued] = []
        self.rows: list[StateRow] = []
        self.expected: list[int] = []
        self.again: list[StateRow] = []  # Due again before the end of the run.
        self.asides: list[tuple[str, ContractSetAside | None]] = []  # One a contract.
        self.totals = Totals()
        self.credits = False


class _Pass:
    """One run being carried out: what it bills, its stamp, its book, what it has added up."""

    def __init__(
        self,
        app: Billing,
        name: str,
        earliest: date,
        until: date,
        position: int,
        stamp: Stamp,
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
        self.lapsed: frozenset[str] = frozenset()  # In a dry run, mandates that a run would lapse.
        self.stopped: dict[str, str] = {}  # Mandates the banks debit no more, and why.
        self.page: list[_Entry] = []  # As read, the first due at the end.
        self.heap: list[_Entry] = []  # Due again.
        self.bound: _Key | None = None  # The last key read from the store.
        self.underway: tuple[list[_Entry], _Numbered, Future[None]] | None = None
        self.numbers: dict[tuple[str, int], Numbers] = {}  # After all chunks, written or not yet.
        self.prefix = cache(_prefixes(app))
        self.fault = Issuable(app, position)
        self.ahead: dict[UUID, Contract] = {}  # In a dry run, contracts whose term has moved.

    def decide(self, entries: Sequence[_Entry]) -> Iterator[Outcome]:
        """What the day brings to each contract; parents before those linked to them."""
        self.fault.read(entry.row for entry in entries)
        after: dict[UUID, Contract] = {}
        missing = {entry.row.parent for entry in entries if entry.row.parent is not None}
        if missing:
            if self.underway and any(entry.row.id in missing for entry in self.underway[0]):
                _settle(self)
            after = {
                row.id: self.app.contract_of(row)
                for row in self.app.store.states("contract", ids=missing)
            }
            after |= {id: self.ahead[id] for id in missing if id in self.ahead}
        for key, row in entries:
            contract = self.read(row)
            if contract is None:
                continue
            parent = after.get(row.parent) if row.parent is not None else None
            outcome = decide(row.id, contract, key[0], self.book, parent, self.stamp, self.stopped)
            if row.id in missing:
                after[row.id] = outcome.after
            yield outcome

    def read(self, row: StateRow) -> Contract | None:
        """The contract of a row; one that cannot be read is set aside."""
        try:
            contract = self.app.contract_of(row)
            return replace(contract, mandate="") if contract.mandate in self.lapsed else contract
        except Exception as error:  # A state that cannot be read must not stop the others.
            self.asides[row.name] = ContractSetAside(
                due_on=_key(row)[0],
                clause="record",
                held=True,
                reason=f"its current state cannot be read ({error}); run `billing rebuild`",
            )
            return None

    def number(self, entries: Sequence[_Entry]) -> _Numbered:
        """The day decided, with the numbers that follow those of the chunk before."""
        in_store = _numbers_in(self.app.store)

        def known(supplier: str, year: int) -> Numbers | None:
            return self.numbers.get((supplier, year)) or in_store(supplier, year)

        return _numbered(self, self.decide(entries), Series(known, self.prefix))

    def took(self, made: _Numbered) -> None:
        """Remembers the last number of each sequence."""
        for event in made.series.taken(self.stamp):
            self.numbers[event.supplier, event.year] = numbering.apply(None, event)

    def note(self, number: str, aside: ContractSetAside | None) -> None:
        """Keeps who was set aside; a contract done since is so no more."""
        if aside is not None:
            self.asides[number] = aside
        else:
            self.asides.pop(number, None)


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
    total = app.store.count_due("contract", until) if progress is not None else 0
    with ThreadPoolExecutor(1, "writer") as writer, fewer_collections(), shorter_turns():
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
        current.name,
        resumed,
        not current.opened and not resumed,
        current.totals,
        tuple(current.asides.values()),
        tuple(current.asides),
        current.contracts,
        digest,
    )


def preview(
    app: Billing, earliest: date, until: date, name: str, chunk: int = CHUNK
) -> tuple[Iterator[Draft], Callable[[], Report]]:
    """What the run would do, contract by contract, and then its report; nothing is written."""
    position = app.store.log_position()
    stamp = Stamp(app.clock(), recorded_by(name), name)
    current = _Pass(app, name, earliest, until, position, stamp, app.book())
    current.dry = True
    current.lapsed = frozenset(one.reference for one in mandates.lapsed(app, app.today))
    current.stopped = mandates.stopped(app)
    series = Series(_numbers_in(app.store), _prefixes(app))

    def drafts() -> Iterator[Draft]:
        for entries in _days(current, chunk):
            for decided in current.decide(entries):
                outcome = creditable(app.store, decided, stamp)
                issued = issue(outcome, series, earliest, current.stamp, current.fault)
                current.note(outcome.before.number, issued.aside)
                if issued.after.term != outcome.before.term:
                    current.ahead[outcome.id] = issued.after
                for event in (*issued.contract_events, *issued.invoices):
                    current.totals.add(event)
                row = contract_row(outcome.id, issued.after) if issued.contract_events else None
                if row is not None and _due_again(current, issued, row):
                    _again(current, [row])
                else:
                    current.contracts += 1
                yield Draft(outcome, issued)

    def report() -> Report:
        return Report(
            name,
            False,
            not current.contracts,
            current.totals,
            tuple(current.asides.values()),
            tuple(current.asides),
            current.contracts,
            "",
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
    mandates.lapse(app)
    position = app.store.log_position()
    stamp = Stamp(app.clock(), recorded_by(name), name)
    current = _Pass(app, name, earliest, until, position, stamp, app.book())
    current.stopped = mandates.stopped(app)
    return current, False


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
        app,
        found.name,
        found.earliest,
        found.until,
        found.log_position,
        Stamp(found.at, recorded_by(found.name), found.name),
        app.book_at(found.log_position),
    )
    current.shared = current.opened = True
    current.stopped = dict(found.stopped)
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
    current.fault = theirs.fault
    current.stopped = theirs.stopped
    current.opened = True


def _days(current: _Pass, chunk: int) -> Iterator[list[_Entry]]:
    """Contracts due, in order, at most a day and a chunk at a time.

    They come from the store a page of chunks after another, and from the heap when a contract is
    due again within what was read already (`_again`). A page is read while the last chunk of the
    one before is being written.
    """
    app, size = current.app, chunk * AHEAD
    exhausted = False
    while True:
        first = _first(current)
        if not exhausted and (first is None or (current.bound and first > current.bound)):
            rows = app.store.states(
                "contract", due_before=current.until, after=current.bound, limit=size
            )
            if underway := _underway(current):  # As if they had been waited for.
                told = {row.id: row for row in rows} | underway
                rows = sorted(told.values(), key=_key)[:size]
            exhausted = len(rows) < size
            current.page[:0] = [_entry(row) for row in reversed(rows)]
            current.bound = None if exhausted else _key(rows[-1])
            continue
        if first is None:
            _settle(current)
            if not current.heap:  # Else others had changed some of the last chunk.
                return
            continue
        wave: list[_Entry] = []
        day, bound = first[0], current.bound
        while first is not None and first[0] == day and len(wave) < chunk:
            if bound is not None and first > bound:
                break
            wave.append(_pop(current))
            first = _first(current)
        yield wave


def _underway(current: _Pass) -> dict[UUID, StateRow]:
    """Those being written that are due past what was read: the store may not tell of them yet."""
    if current.underway is None or current.bound is None:
        return {}
    rows = current.underway[1].rows
    due = [row for row in rows if row.next_due is not None and row.next_due < current.until]
    return {row.id: row for row in due if _key(row) > current.bound}


def _first(current: _Pass) -> _Key | None:
    """The key of the first contract that waits, of those read and those due again."""
    if current.page and not (current.heap and current.heap[0].key < current.page[-1].key):
        return current.page[-1].key
    return current.heap[0].key if current.heap else None


def _pop(current: _Pass) -> _Entry:
    if current.page and not (current.heap and current.heap[0].key < current.page[-1].key):
        return current.page.pop()
    return heappop(current.heap)


def _entry(row: StateRow) -> _Entry:
    return _Entry(_key(row), row)


def _key(row: StateRow) -> _Key:
    assert row.next_due is not None, "a contract read by its due day has one"
    return row.next_due, row.rank, row.name


def _due_again(current: _Pass, issued: Issued, row: StateRow) -> bool:
    if issued.aside is not None and issued.aside.held:
        return False
    return row.next_due is not None and row.next_due < current.until


def _again(current: _Pass, rows: Iterable[StateRow]) -> None:
    """Puts back contracts that are due again, unless the store is still to be read so far."""
    for row in rows:
        key = _key(row)
        if current.dry or current.bound is None or key <= current.bound:
            heappush(current.heap, _Entry(key, row))


def _carry_out(current: _Pass, entries: list[_Entry], writer: ThreadPoolExecutor) -> None:
    """Decides one day of a chunk, and has it written while the next is decided."""
    made = current.number(entries)
    if not _settle(current):
        made = current.number(entries)
    if made.credits:  # What is left to credit is known under the lock only.
        _insist(current, entries)
        return
    current.took(made)
    _again(current, made.again)
    current.underway = entries, made, writer.submit(_write, current, made)
    if current.app.store.in_process:
        _settle(current)  # Nothing else can be done meanwhile.


def _settle(current: _Pass) -> bool:
    """Waits until the chunk underway is written; false when others had changed some of it."""
    if current.underway is None:
        return True
    entries, made, written = current.underway
    current.underway = None
    try:
        written.result()
    except Conflict:
        _meet(current)
        _insist(current, _fresh(current, entries))
        return False
    _count(current, made)
    return True


def _insist(current: _Pass, entries: list[_Entry]) -> None:
    """Records one day of a chunk under the lock; what changed meanwhile is read again."""
    for _ in range(ATTEMPTS):
        if not entries:
            return
        try:
            made = _write_anew(current, list(current.decide(entries)))
        except Conflict:
            _meet(current)
            entries = _fresh(current, entries)
            continue
        current.took(made)
        _again(current, made.again)
        _count(current, made)
        return
    raise Conflict(
        f"{len(entries)} contracts due on {entries[0].key[0]} keep changing; run the month again"
    )


def _meet(current: _Pass) -> None:
    """Others are at work on the same contracts or numbers."""
    current.shared = True
    current.numbers.clear()
    _join(current)


def _count(current: _Pass, made: _Numbered) -> None:
    """Adds up what was written."""
    if made.contracts:
        current.opened = True
    for number, aside in made.asides:
        current.note(number, aside)
    for stored in made.invoices:
        current.digest.update(stored.state)
    current.totals.include(made.totals)
    current.contracts += len(made.asides) - len(made.again)


def _fresh(current: _Pass, entries: Sequence[_Entry]) -> list[_Entry]:
    """The same contracts as they are now; those due later wait for their day."""
    day = entries[0].key[0]
    found = []
    for row in current.app.store.states("contract", ids=[entry.row.id for entry in entries]):
        if row.next_due is None or row.next_due >= current.until:
            continue
        if row.next_due <= day:
            found.append(_Entry((day, row.rank, row.name), row))
        else:
            heappush(current.heap, _entry(row))
    return sorted(found)


def _numbered(current: _Pass, outcomes: Iterable[Outcome], series: Series) -> _Numbered:
    """The outcomes with their numbers, encoded."""
    made = _Numbered(series)
    for outcome in outcomes:
        issued = issue(outcome, series, current.earliest, current.stamp, current.fault)
        made.asides.append((outcome.before.number, issued.aside))
        if not issued.contract_events:
            continue
        for event in issued.contract_events:
            made.contracts.append(to_stored(event))
            made.totals.add(event)
        for document in issued.invoices:
            made.invoices.append(to_stored(document))
            made.totals.add(document)
            if type(document) is CreditNoteIssued:
                made.notes.append(document)
                made.credits = True
        row = contract_row(outcome.id, issued.after)
        made.rows.append(row)
        made.expected.append(outcome.before.version)
        if _due_again(current, issued, row):
            made.again.append(row)
    return made


def _write(current: _Pass, made: _Numbered) -> None:
    """One transaction: the day's events, invoices, numbers and states, if all is as guessed."""
    if not made.contracts:
        return
    with current.app.store.transaction() as tx:
        tx.lock()
        if made.series.moved(_numbers_in(tx)):
            raise Conflict("Invoices were numbered meanwhile; number these again.")
        _append(current, tx, made)


def _write_anew(current: _Pass, outcomes: list[Outcome]) -> _Numbered:
    """The same, numbered under the lock: nothing can move meanwhile."""
    app = current.app
    if not any(outcome.events or outcome.bills for outcome in outcomes):
        return _numbered(current, outcomes, series_of(app, app.store))
    with app.store.transaction() as tx:
        tx.lock()
        possible = (creditable(tx, outcome, current.stamp) for outcome in outcomes)
        made = _numbered(current, possible, series_of(app, tx))
        _append(current, tx, made)
    return made


def _append(current: _Pass, tx: Tx, made: _Numbered) -> None:
    credited = list(credit_marks(tx, made.notes, current.stamp))
    taken = list(made.series.taken(current.stamp))
    opening = [] if current.opened else [_opened(current)]
    tx.append(
        [to_stored(e) for e in opening]
        + made.contracts
        + made.invoices
        + [to_stored(e) for e in (*credited, *taken)]
    )
    others: list[BillingRunOpened | InvoiceNumbersTaken] = [*opening, *taken]
    tx.put_states(
        made.rows + [_row(event) for event in others],
        made.expected + [event.originator_version - 1 for event in others],
    )


def creditable(reader: Store | Tx, outcome: Outcome, stamp: Stamp) -> Outcome:
    """The outcome; or the contract set aside, when it would credit more than was invoiced."""
    asked: dict[tuple[str, str], Decimal] = {}
    for due in outcome.bills:
        for credit in due.credits:
            key = (credit.issuer or outcome.after.supplier, credit.invoice)
            asked[key] = asked.get(key, ZERO) - sum((line.net for line in credit.lines), ZERO)
    for (supplier, credited), net in asked.items():
        stored = reader.read_events([invoice_id(supplier, credited)])
        found = invoice.fold(map(from_stored, stored))
        left = found.net_left if found else ZERO
        if net > left:
            reason = f"{net} € before tax to credit on {credited}, of which only {left} € is left"
            return set_aside(outcome, "credit", reason, stamp)
    return outcome


def _row(event: BillingRunOpened | InvoiceNumbersTaken) -> StateRow:
    """The state that event leaves: of neither kind does the one before have a part in it."""
    kind = KINDS[event.TOPIC.partition(".")[0]]
    return row_of(kind, event.originator_id, kind.apply(None, event))


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
            versions[id] = (found.version, found.net_left)
        version, left = versions[id]
        if note.net > left:
            raise Refused(
                f"credit note of {note.net} € before tax on {note.credits}: only {left} € of it "
                "is left"
            )
        versions[id] = (version + 1, left - note.net)
        yield stamped(
            InvoiceCredited(
                credit_note=note.number,
                gross=note.gross,
                net=note.net,
                credited_on=note.issued_on,
            ),
            id,
            version + 1,
            stamp.at,
            stamp.by,
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
            run=current.name,
            earliest=current.earliest,
            until=current.until,
            log_position=current.position,
            engine=__version__,
            stopped=tuple(sorted(current.stopped.items())),
        ),
        stream("run", current.name),
        1,
        current.stamp.at,
        current.app.user,
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
        app.write(
            [
                stamped(
                    BillingRunClosed(
                        invoices=totals.invoices,
                        credit_notes=totals.credit_notes,
                        net=totals.net,
                        tax=totals.tax,
                        gross=totals.gross,
                        vat=totals.vat,
                        set_aside=len(current.asides),
                        renewed=totals.renewed,
                        revised=totals.revised,
                        digest=digest,
                    ),
                    stream("run", current.name),
                    before.version + 1,
                    current.stamp.at,
                    app.user,
                )
            ]
        )
    return digest


RUN_TOPICS = (
    "contract.renewed",
    "contract.price_revised",
    "invoice.issued",
    "invoice.credit_note_issued",
)


def totals_in_log(
    app: Billing, name: str, position: int, stop: int | None = None
) -> tuple[Totals, str]:
    """What a run billed, and its digest, read from the log after a position, up to another."""
    totals, digest = Totals(), sha256()
    by = recorded_by(name)
    for _, stored in app.store.read_log(position + 1, stop, topics=RUN_TOPICS):
        event = from_stored(stored)
        if event.recorded_by == by:
            totals.add(event)
            if isinstance(event, InvoiceIssued | CreditNoteIssued):
                digest.update(stored.state)
    return totals, digest.hexdigest()
