"""A run done again from the log, and compared with what it recorded, event by event.

The log is folded to where the run stood before each of its decisions; the pass decides again
with the run's own clock and index book; what it brings must be, byte for byte, what was stored.
Numbers are a matter of their own: each block must be borne by its invoices, in order of date.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent
from msgspec import Struct

from billing import __version__
from billing.application import runs
from billing.application.core import Billing
from billing.application.issuable import Issuable
from billing.application.states import contract_row
from billing.contract.state import Contract, apply
from billing.documents.faults import FRENCH_RULES_FROM
from billing.events import TOPICS, Event
from billing.events.contract import (
    ContractAssigned,
    ContractSetAside,
    ContractSigned,
    InstalmentBilled,
)
from billing.events.invoice import (
    CreditNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceNumbersTaken,
)
from billing.events.run import BillingRunClosed, BillingRunOpened
from billing.identity import invoice_id, stream
from billing.month import Issued, Outcome, Series, Stamp, Totals, decide, issue, set_aside
from billing.numbering import name as sequence_name
from billing.record import UnknownEvent, from_stored, to_stored
from billing.refusal import Refused
from billing.run import recorded_by
from indices import IndexBook

STREAMS = 200  # Contracts folded at once.
KEPT = 1_000  # Differences told; the others are counted.

_NUMBER = re.compile(r"(.*?)(\d{4})-(\d{6,})", re.DOTALL)


class Difference(Struct, frozen=True):
    """One thing that is not what the run would do again: where, and both values.

    `contract` is its number, or the invoice, the sequence or the run when it is of none.
    """

    contract: str
    version: int
    field: str
    recorded: str
    found: str


class Verification(Struct, frozen=True, kw_only=True):
    """What came of doing a run again.

    `contracts` were folded, `events` and `invoices` of the run compared. The digests are those
    of the run's invoices: as recorded at its close, and as read from the log now.
    """

    run: str
    opened_at: datetime
    opened_by: str
    closed: bool
    engine_recorded: str
    engine: str
    contracts: int
    events: int
    invoices: int
    set_aside: int
    net: Decimal
    tax: Decimal
    gross: Decimal
    matches: bool
    differences: tuple[Difference, ...]
    differences_in_all: int
    digest_recorded: str
    digest_found: str


def verify(app: Billing, run_name: str) -> Verification:
    """Does the run again from the log, closed or not, and tells every difference."""
    return _Replay(app, run_name).verify()


class _Found:
    """The differences met: the first of them, and how many."""

    def __init__(self) -> None:
        self.kept: list[Difference] = []
        self.count = 0

    def add(self, contract: str, version: int, field: str, recorded: object, found: object) -> None:
        self.count += 1
        if self.count <= KEPT:
            self.kept.append(Difference(contract, version, field, _told(recorded), _told(found)))

    def compare(
        self, contract: str, version: int, field: str, recorded: object, found: object
    ) -> None:
        if recorded != found:
            self.add(contract, version, field, recorded, found)


def _told(value: object) -> str:
    told = "none" if value is None else str(value)
    return told if len(told) <= 500 else f"{told[:500]}…"


class _AsRecorded(Series):
    """Gives the numbers and days of issue that were recorded, in the order they were taken.

    What it was asked for is kept, so that the sequence itself can be looked over afterwards.
    """

    def __init__(self, not_before: date | None = None) -> None:
        super().__init__(lambda _supplier, _year: None, lambda _supplier: "")
        self.next: list[tuple[str, date | None]] = []
        self.asked: list[tuple[str, date, str, date]] = []
        self._not_before = not_before

    def give_back(self) -> None:
        """They were not taken after all."""
        self.asked.clear()

    def take(self, supplier: str, day: date) -> tuple[str, date]:
        """The number recorded for this document."""
        given, issued_on = self.next.pop(0) if self.next else ("", None)
        issued_on = issued_on or max(day, self._not_before or day)
        self.asked.append((supplier, day, given, issued_on))
        return given, issued_on


class _Ranks:
    """The numbers of one company and year that contracts of the run bear: rank, asked, issued."""

    def __init__(self) -> None:
        self.rank, self.asked, self.issued = array("q"), array("l"), array("l")

    def add(self, rank: int, asked: date, issued: date) -> None:
        self.rank.append(rank)
        self.asked.append(asked.toordinal())
        self.issued.append(issued.toordinal())


class _Document(Struct):
    contract: str
    contract_version: int
    issued_on: date


_document = msgspec.json.Decoder(_Document).decode


class _Upto:
    """Streams as they stood at a version."""

    def __init__(self, streams: Sequence[StoredEvent], last: int) -> None:
        self._streams = [s for s in streams if s.originator_version <= last]

    def read_events(self, ids: Iterable[UUID]) -> Iterator[StoredEvent]:
        wanted = set(ids)
        return (s for s in self._streams if s.originator_id in wanted)


class _Stream(NamedTuple):
    """A contract's events as stored and as read; its number, and all who ever supplied it."""

    id: UUID
    stored: list[StoredEvent]
    events: list[Any]
    number: str
    suppliers: tuple[str, ...]


class _Step(NamedTuple):
    """One decision of the run: how many recorded events it answers for, and what was set aside."""

    taken: int
    aside: ContractSetAside | None


class _Replay:
    """One run being done again."""

    def __init__(self, app: Billing, name: str) -> None:
        self.app = app
        self.name = name
        self.found = _Found()
        self.opened, self.closed = self._header()
        self.by = recorded_by(name)
        self.stamp = Stamp(self.opened.recorded_at, self.by, name)
        self.book: IndexBook = app.book_at(self.opened.log_position)
        self.fault = Issuable(app, self.opened.log_position)
        self.stopped = dict(self.opened.stopped)
        self.totals = Totals()
        self.numbers: dict[tuple[str, int], _Ranks] = {}
        self.at_open: dict[UUID, int] = {}  # The version of each contract when the run opened.
        self.at_close: dict[UUID, int] = {}  # And when it closed, of those that moved meanwhile.
        self.families: dict[UUID, _Stream] = {}
        self.documents: dict[UUID, StoredEvent] = {}
        self.contracts = self.events = self.invoices = 0
        self.asides = self.held = 0

    def verify(self) -> Verification:
        """Everything, in the order an auditor would ask."""
        self._look_over()
        moved = [id for id in self.at_close if id not in self.at_open]
        ids = [*self.at_open, *moved]
        for first in range(0, len(ids), STREAMS):
            self._chunk(ids[first : first + STREAMS])
        self._sequences()
        digest = self._sums()
        totals, opened, closed = self.totals, self.opened, self.closed
        return Verification(
            run=self.name,
            opened_at=opened.recorded_at,
            opened_by=opened.recorded_by,
            closed=closed is not None,
            engine_recorded=opened.engine,
            engine=__version__,
            contracts=self.contracts,
            events=self.events,
            invoices=self.invoices,
            set_aside=self.asides,
            net=totals.net,
            tax=totals.tax,
            gross=totals.gross,
            matches=not self.found.count,
            differences=tuple(self.found.kept),
            differences_in_all=self.found.count,
            digest_recorded=closed.digest if closed else "",
            digest_found=digest,
        )

    def _header(self) -> tuple[BillingRunOpened, BillingRunClosed | None]:
        id = stream("run", self.name)
        events = [from_stored(stored) for stored in self.app.store.read_events([id])]
        if not events:
            known = ", ".join(row.name for row in self.app.store.states("run")) or "none"
            raise Refused(f"no run {self.name}; the log has: {known}")
        opened, *rest = events
        if not isinstance(opened, BillingRunOpened):
            raise Refused(f"run {self.name}: its first event is not its opening")
        self.found.compare(self.name, 1, "run", opened.run, self.name)
        closed = [event for event in rest if isinstance(event, BillingRunClosed)]
        return opened, closed[0] if closed else None

    # Where each contract stood

    def _look_over(self) -> None:
        """One look at the log up to the close, for the versions of contracts on either side."""
        position, run_id = self.opened.log_position, stream("run", self.name)
        topics = [topic for topic in TOPICS if topic.startswith("contract.")] + ["run.closed"]
        at_open, at_close = self.at_open, self.at_close
        for place, stored in self.app.store.read_log(topics=topics):
            id: Any = stored.originator_id
            if stored.topic == "run.closed":
                if id == run_id:
                    return
            elif place <= position:
                at_open[id] = stored.originator_version
            else:
                at_close[id] = stored.originator_version

    def _chunk(self, ids: Sequence[UUID]) -> None:
        """Some contracts at a time, with their parents and the documents billed to them."""
        streams = self._read(ids)
        parents = {
            stream("contract", parent)
            for one in streams.values()
            if (parent := getattr(one.events[0] if one.events else None, "parent", ""))
        }
        self.families = {**self._read(parents - streams.keys()), **streams}
        self.documents = self._read_documents(streams.values())
        rows = {row.id: row for row in self.app.store.states("contract", ids=ids)}
        self.fault.read(rows.values())
        for one in streams.values():
            self.contracts += 1
            try:
                final = self._contract(one)
            except Exception as error:  # Tampered fields may not even fold; tell, and go on.
                self.found.add(
                    one.number,
                    len(one.events),
                    "events",
                    "cannot be folded",
                    f"{type(error).__name__}: {error}",
                )
                continue
            row = rows.get(one.id)
            if final is None:
                continue
            if row is None:
                self.found.add(one.number, final.version, "state", None, "one state a contract")
            elif row.version <= final.version and row != contract_row(one.id, final):
                self.found.add(
                    one.number,
                    row.version,
                    "state",
                    "as kept beside the log",
                    "another, from the events; see `billing rebuild`",
                )

    def _read(self, ids: Iterable[UUID]) -> dict[UUID, _Stream]:
        found: dict[UUID, _Stream] = {}
        for id, group in groupby(self.app.store.read_events(ids), lambda s: s.originator_id):
            stored = list(group)
            events: list[Any] = []
            number = str(id)
            suppliers: dict[str, None] = {}
            for one in stored:
                try:
                    event = from_stored(one)
                except UnknownEvent as unknown:
                    self.found.add(
                        number, one.originator_version, "event", "cannot be read", unknown
                    )
                    break
                if isinstance(event, ContractSigned):
                    number = event.number
                    suppliers[event.supplier] = None
                elif isinstance(event, ContractAssigned) and event.side == "supplier":
                    suppliers[event.to] = None
                events.append(event)
            known: Any = id
            found[known] = _Stream(known, stored, events, number, tuple(suppliers))
        return found

    def _read_documents(self, streams: Iterable[_Stream]) -> dict[UUID, StoredEvent]:
        """The first event of each invoice and credit note the run billed to these contracts."""
        ids: set[UUID] = set()
        for one in streams:
            for event in one.events:
                if isinstance(event, InstalmentBilled) and event.recorded_by == self.by:
                    for number in (event.invoice, *event.credit_notes):
                        if number:
                            ids.update(invoice_id(code, number) for code in one.suppliers)
        found: dict[UUID, StoredEvent] = {}
        for stored in self.app.store.read_events(ids):
            id: Any = stored.originator_id
            if stored.originator_version == 1:
                found[id] = stored
        return found

    # One contract

    def _contract(self, one: _Stream) -> Contract | None:
        """Follows the contract through the log; at each of the run's steps, decides again.

        Between the opening and the close there must be a moment, after the last step, at which
        the run had nothing more to do.
        """
        at_open = self.at_open.get(one.id, 0)
        at_close = self.at_close.get(one.id, at_open)
        state: Contract | None = None
        aside: ContractSetAside | None = None
        undone: Outcome | None = None
        idle, place = False, 0
        while place < len(one.events):
            event = one.events[place]
            if event.originator_version != place + 1:
                self.found.add(
                    one.number,
                    place + 1,
                    "version",
                    event.originator_version,
                    f"{place + 1}: an event is missing",
                )
                return None
            if event.recorded_by == self.by and state is not None:
                step = self._step(one, state, place)
                aside, idle = step.aside, False
                for again in one.events[place : place + step.taken]:
                    state = apply(state, again)
                place += step.taken
            else:
                state = apply(state, event)
                place += 1
            following = one.events[place] if place < len(one.events) else None
            acts = following is not None and following.recorded_by == self.by
            if at_open <= place <= at_close and not idle and (place == at_close or not acts):
                undone, idle, aside = self._asked_again(one, state, aside)
        if not idle and at_open and self.closed is not None and undone is not None:
            self._left_undone(one, undone)
        if aside is not None:
            self.asides += 1
            self.held += aside.held
        return state

    def _asked_again(
        self, one: _Stream, state: Contract, aside: ContractSetAside | None
    ) -> tuple[Outcome | None, bool, ContractSetAside | None]:
        """What the run would do on the contract as it stands; whether that is nothing."""
        due = state.next_due()
        if due is None or due >= self.opened.until:
            return None, True, aside
        parent = next(self._parents(state, due), None)
        decided = decide(one.id, state, due, self.book, parent, self.stamp, self.stopped)
        for outcome in self._carried_out(decided):
            if not (outcome.events or outcome.bills):
                return outcome, True, outcome.aside
        return decided, False, aside

    def _carried_out(self, outcome: Outcome) -> Iterator[Outcome]:
        """What the run may have made of a decision, which it sets aside for two reasons.

        A document that could not be printed: its day was the one asked for, or a later one that
        the numbers before it had. A credit above what is left: how much that was is not in the
        contract, so each moment of the invoice is tried, from the last back to its issue.
        """
        yield outcome
        told: list[str] = []
        for not_before in (None, FRENCH_RULES_FROM) if outcome.bills else ():
            series = _AsRecorded(not_before)
            aside = issue(outcome, series, self.opened.earliest, self.stamp, self.fault).aside
            if aside is not None and aside is not outcome.aside and aside.reason not in told:
                told.append(aside.reason)
                yield set_aside(outcome, aside.clause, aside.reason, self.stamp)
        credited = {
            invoice_id(credit.issuer or outcome.after.supplier, credit.invoice)
            for due in outcome.bills
            for credit in due.credits
        }
        if not credited:
            return
        streams = list(self.app.store.read_events(credited))
        tried: list[str] = []
        for last in range(max((s.originator_version for s in streams), default=0), -1, -1):
            stopped = runs.creditable(_Upto(streams, last), outcome, self.stamp)  # type: ignore[arg-type]
            reason = stopped.aside.reason if stopped.aside is not None else ""
            if stopped is not outcome and reason not in tried:
                tried.append(reason)
                yield stopped

    def _left_undone(self, one: _Stream, undone: Outcome) -> None:
        brings = [event.TOPIC for event in undone.events]
        brings += ["contract.instalment_billed" for _ in undone.bills]
        self.found.add(
            one.number,
            undone.before.version + 1,
            "event",
            None,
            f"due on {undone.day}: {', '.join(brings)}",
        )

    def _step(self, one: _Stream, state: Contract, place: int) -> _Step:
        """One decision again, and its comparison with the events that stand there.

        The day is the contract's next; where other processes were at work, the day recorded.
        """
        first: tuple[Outcome, Issued, _AsRecorded] | None = None
        for day in self._days(one, state, place):
            for parent in self._parents(state, day):
                decided = decide(one.id, state, day, self.book, parent, self.stamp, self.stopped)
                for outcome in self._carried_out(decided):
                    again = self._again(one, outcome, place)
                    first = first or again
                    events = again[1].contract_events
                    if (
                        events
                        and all(map(_same, one.stored[place:], events))
                        and len(one.stored) >= place + len(events)
                    ):
                        return self._compared(one, place, again, len(events))
        if first is None or not first[1].contract_events:
            event = one.events[place]
            self.found.add(one.number, place + 1, "event", event.TOPIC, "nothing to do")
            return _Step(1, None)
        return self._compared(one, place, first, self._extent(one, place, first[1]))

    def _days(self, one: _Stream, state: Contract, place: int) -> Iterator[date]:
        due = state.next_due()
        if due is not None and due < self.opened.until:
            yield due
        for event in one.events[place:]:
            if event.recorded_by != self.by:
                return
            told = getattr(event, "billed_on", None) or getattr(event, "due_on", None)
            if told is not None and told != due and told < self.opened.until:
                yield told
                return

    def _parents(self, state: Contract, day: date) -> Iterator[Contract | None]:
        """The parent as the run had left it by that day; then, if others wrote, as it was else."""
        if not state.parent:
            yield None
            return
        one = self.families.get(stream("contract", state.parent))
        if one is None:
            yield None
            return
        at_open = self.at_open.get(one.id, 0)
        at_close = self.at_close.get(one.id, at_open)
        parent: Contract | None = None
        others: list[Contract] = []
        reached = False
        for place, event in enumerate(one.events[:at_close], 1):
            if (
                place > at_open
                and event.recorded_by == self.by
                and parent is not None
                and not reached
                and (parent.next_due() or date.max) > day
            ):
                reached = True
                yield parent
            parent = apply(parent, event)
            if place >= at_open:
                others.append(parent)
        if not reached:
            yield parent
        yield from others

    def _again(
        self, one: _Stream, outcome: Outcome, place: int
    ) -> tuple[Outcome, Issued, _AsRecorded]:
        """The outcome with the numbers recorded for it."""
        series = _AsRecorded()
        billed = one.events[place + len(outcome.events) :][: len(outcome.bills)]
        for event in billed:
            if isinstance(event, InstalmentBilled):
                numbers = (event.invoice, *event.credit_notes)
                series.next += [self._numbered(one, event, number) for number in numbers if number]
        issued = issue(outcome, series, self.opened.earliest, self.stamp, self.fault)
        return outcome, issued, series

    def _numbered(
        self, one: _Stream, billed: InstalmentBilled, number: str
    ) -> tuple[str, date | None]:
        """The day a document was issued, as its event says; two suppliers may share a number."""
        asked = (one.number, billed.originator_version)
        days: list[date] = []
        for supplier in one.suppliers:
            stored = self.documents.get(invoice_id(supplier, number))
            if stored is None:
                continue
            try:
                document = _document(stored.state)
            except msgspec.MsgspecError:
                continue
            its_own = (document.contract, document.contract_version) == asked
            days.insert(0 if its_own else len(days), document.issued_on)
        return number, next(iter(days), None)

    def _extent(self, one: _Stream, place: int, issued: Issued) -> int:
        """How many recorded events stand for a decision they do not agree with."""
        ours = [event.TOPIC for event in issued.contract_events]
        theirs = [
            event.TOPIC
            for event in one.events[place : place + len(ours)]
            if event.recorded_by == self.by
        ]
        if ours == theirs:
            return len(ours)
        for taken, event in enumerate(one.events[place:], 1):
            if event.recorded_by != self.by:
                return taken - 1
            if isinstance(event, InstalmentBilled | ContractSetAside):
                return taken
        return len(one.events) - place

    def _compared(
        self, one: _Stream, place: int, again: tuple[Outcome, Issued, _AsRecorded], taken: int
    ) -> _Step:
        _, issued, series = again
        expected = issued.contract_events
        for rank in range(max(taken, len(expected))):
            version = place + rank + 1
            stored = one.stored[place + rank] if rank < taken else None
            event = expected[rank] if rank < len(expected) else None
            self._event(one.number, version, "", stored, event)
        for document in issued.invoices:
            self._invoice(one, document)
        for asked in series.asked:
            self._number(one, *asked)
        return _Step(max(1, taken), issued.aside)

    def _event(
        self,
        number: str,
        version: int,
        within: str,
        stored: StoredEvent | None,
        expected: Event | None,
    ) -> None:
        """A stored event against the one the run would record again."""
        if expected is not None:
            self.events += 1
            self.totals.add(expected)
        if stored is None or expected is None:
            self.found.add(
                number,
                version,
                f"{within}event",
                stored and stored.topic,
                expected and expected.TOPIC,
            )
            return
        if _same(stored, expected):
            return
        if stored.topic != expected.TOPIC:
            self.found.add(number, version, f"{within}topic", stored.topic, expected.TOPIC)
            return
        try:
            recorded = from_stored(stored)
        except UnknownEvent as unknown:
            self.found.add(number, version, f"{within}event", "cannot be read", unknown)
            return
        before = self.found.count
        for field, told, found in _fields(recorded, expected, within.rstrip(".")):
            self.found.add(number, version, field, told, found)
        if self.found.count == before:
            self.found.add(
                number,
                version,
                f"{within}bytes",
                stored.state.decode(errors="replace"),
                to_stored(expected).state.decode(),
            )

    def _invoice(self, one: _Stream, document: InvoiceIssued | CreditNoteIssued) -> None:
        self.invoices += 1
        stored = self.documents.get(document.originator_id)
        self._event(one.number, document.contract_version, f"{document.number}.", stored, document)
        if isinstance(document, CreditNoteIssued):
            self._mark(one, document)

    def _mark(self, one: _Stream, note: CreditNoteIssued) -> None:
        """The mark a credit note leaves on the invoice it names."""
        credited = invoice_id(note.supplier, note.credits)
        marks = [
            event
            for event in map(from_stored, self.app.store.read_events([credited]))
            if isinstance(event, InvoiceCredited) and event.credit_note == note.number
        ]
        told = [(mark.gross, mark.net, mark.recorded_by) for mark in marks]
        self.found.compare(
            one.number,
            note.contract_version,
            f"{note.credits}.credited by {note.number}",
            told,
            [(note.gross, note.net, self.by)],
        )

    # Numbers

    def _number(
        self, one: _Stream, supplier: str, asked: date, number: str, issued_on: date
    ) -> None:
        parsed = _NUMBER.fullmatch(number)
        if parsed is None or int(parsed[2]) != asked.year:
            self.found.add(one.number, 0, "number", number or None, f"one of {asked.year}")
            return
        ranks = self.numbers.setdefault((supplier, asked.year), _Ranks())
        ranks.add(int(parsed[3]), asked, issued_on)

    def _sequences(self) -> None:
        """Each block the run took is borne, number by number, by what it issued."""
        names = {sequence_name(*key): key for key in self.numbers}
        for row in self.app.store.states("numbers"):
            supplier, _, year = row.name.rpartition("/")
            names.setdefault(row.name, (supplier, int(year)))
        for name, key in sorted(names.items()):
            try:
                blocks: list[Any] = [
                    from_stored(s) for s in self.app.store.read_events([stream("numbers", name)])
                ]
            except UnknownEvent as unknown:
                self.found.add(name, 0, "event", "cannot be read", unknown)
                continue
            self._sequence(name, blocks, self.numbers.get(key, _Ranks()))

    def _sequence(self, name: str, blocks: list[InvoiceNumbersTaken], ranks: _Ranks) -> None:
        borne = sorted(range(len(ranks.rank)), key=ranks.rank.__getitem__)
        at, last, day = 0, 0, 0
        for version, block in enumerate(blocks, 1):
            self.found.compare(name, version, "version", block.originator_version, version)
            self.found.compare(name, version, "first", block.first, last + 1)
            last = block.last
            if block.recorded_by != self.by:
                day = block.last_issued_on.toordinal()
                continue
            self.found.compare(name, version, "run", block.run, self.name)
            self.found.compare(name, version, "recorded_at", block.recorded_at, self.stamp.at)
            while at < len(borne) and ranks.rank[borne[at]] < block.first:
                self.found.add(name, version, "number", ranks.rank[borne[at]], "in no block")
                at += 1
            for rank in range(block.first, block.last + 1):
                bearers = 0
                while at < len(borne) and ranks.rank[borne[at]] == rank:
                    place, bearers, at = borne[at], bearers + 1, at + 1
                    day = max(day, ranks.asked[place])
                    self.found.compare(
                        name,
                        version,
                        f"{rank}.issued_on",
                        date.fromordinal(ranks.issued[place]),
                        date.fromordinal(day),
                    )
                if bearers != 1:
                    self.found.add(
                        name,
                        version,
                        f"number {rank}",
                        "taken once",
                        f"borne by {bearers} documents of the run",
                    )
            self.found.compare(
                name,
                version,
                "last_issued_on",
                block.last_issued_on,
                date.fromordinal(day) if day else None,
            )
        for place in borne[at:]:
            self.found.add(name, len(blocks), "number", ranks.rank[place], "in no block")

    # Totals

    def _sums(self) -> str:
        """The totals done again, read from the log, and recorded at the close: all the same."""
        try:
            in_log, digest = runs.totals_in_log(self.app, self.name, self.opened.log_position)
        except UnknownEvent as unknown:
            self.found.add(self.name, 2, "totals", "cannot be read", unknown)
            return ""
        for field in _SUMS:
            found = getattr(self.totals, field)
            self.found.compare(self.name, 0, f"{field} in the log", getattr(in_log, field), found)
            if self.closed is not None:
                self.found.compare(self.name, 2, field, getattr(self.closed, field), found)
        if self.closed is not None:
            self.found.compare(self.name, 2, "digest", self.closed.digest, digest)
            # A run that died and went on counts again only those that still wait.
            if not self.held <= self.closed.set_aside <= self.asides:
                self.found.add(self.name, 2, "set_aside", self.closed.set_aside, self.asides)
        return digest


_SUMS = ("invoices", "credit_notes", "net", "tax", "gross", "vat", "renewed", "revised")


def _same(stored: StoredEvent, expected: Event) -> bool:
    return stored.topic == expected.TOPIC and stored.state == to_stored(expected).state


def _fields(recorded: Any, found: Any, path: str = "") -> Iterator[tuple[str, object, object]]:
    """The innermost fields in which two values differ."""
    if recorded == found:
        return
    if isinstance(recorded, Struct) and type(recorded) is type(found):
        for name in recorded.__struct_fields__:
            within = f"{path}.{name}" if path else name
            yield from _fields(getattr(recorded, name), getattr(found, name), within)
    elif isinstance(recorded, tuple) and isinstance(found, tuple) and len(recorded) == len(found):
        for place, (told, again) in enumerate(zip(recorded, found, strict=True)):
            yield from _fields(told, again, f"{path}[{place}]")
    else:
        yield path, recorded, found


# All sequences, without doing anything again


class _Issue(Struct):
    number: str
    supplier: str
    issued_on: date


_issue = msgspec.json.Decoder(_Issue).decode
_SEQUENCES = (
    "invoice.issued",
    "invoice.credit_note_issued",
    "invoice.debit_note_issued",
    "numbers.taken",
)


def audit_numbers(app: Billing) -> list[str]:
    """What is wrong with the number sequences: gaps, doubles, dates going backwards, blocks."""
    problems: list[str] = []
    sequences: dict[str, _Ranks] = {}
    blocks: dict[str, list[InvoiceNumbersTaken]] = {}
    for position, stored in app.store.read_log(topics=_SEQUENCES):
        try:
            if stored.topic == "numbers.taken":
                block = from_stored(stored)
                assert isinstance(block, InvoiceNumbersTaken)
                blocks.setdefault(sequence_name(block.supplier, block.year), []).append(block)
                continue
            issued = _issue(stored.state)
        except (UnknownEvent, msgspec.MsgspecError) as unreadable:
            problems.append(f"log {position}: {stored.topic} cannot be read ({unreadable})")
            continue
        if stored.originator_id != invoice_id(issued.supplier, issued.number):
            problems.append(f"{issued.number} of {issued.supplier}: recorded under another number")
        parsed = _NUMBER.fullmatch(issued.number)
        if parsed is None:
            problems.append(f"{issued.number} of {issued.supplier}: not a number of a sequence")
            continue
        if int(parsed[2]) != issued.issued_on.year:
            problems.append(
                f"{issued.number} of {issued.supplier}: issued on {issued.issued_on}, not in "
                f"{parsed[2]}"
            )
        name = sequence_name(issued.supplier, int(parsed[2]))
        sequences.setdefault(name, _Ranks()).add(int(parsed[3]), issued.issued_on, issued.issued_on)
    for name in sorted(sequences.keys() | blocks.keys()):
        problems += _broken(name, sequences.get(name, _Ranks()), blocks.get(name, []))
    return problems


def _broken(name: str, ranks: _Ranks, blocks: Sequence[InvoiceNumbersTaken]) -> Iterator[str]:
    """What is wrong with one sequence."""
    order = sorted(range(len(ranks.rank)), key=ranks.rank.__getitem__)
    last, day = 0, 0
    for place in order:
        rank, issued = ranks.rank[place], ranks.issued[place]
        if rank == last:
            yield f"{name}: number {rank} is borne twice"
        elif rank > last + 1:
            upto = f" to {rank - 1}" if rank > last + 2 else ""
            yield f"{name}: number {last + 1}{upto} missing"
        if issued < day:
            yield (
                f"{name}: number {rank} is dated {date.fromordinal(issued)}, before "
                f"{date.fromordinal(day)} of an earlier number"
            )
        last, day = rank, max(day, issued)
    taken = 0
    for version, block in enumerate(blocks, 1):
        if block.originator_version != version:
            yield f"{name}: block {version} is missing"
        if block.first != taken + 1 or block.last < block.first:
            yield f"{name}: a block of {block.first} to {block.last} follows number {taken}"
        taken = block.last
    if taken != last:
        yield f"{name}: numbers are taken up to {taken}, and borne up to {last}"


__all__ = ["Difference", "Verification", "audit_numbers", "verify"]
