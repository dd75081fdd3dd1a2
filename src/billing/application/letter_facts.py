"""What a letter is written from, read from the record as it stood when its event was recorded.

A party that moved since, an invoice paid since: the letter is made again as it was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from billing import mandate as mandates
from billing import month, publication, receivable
from billing.application import receivables
from billing.application.actions import recorded_form
from billing.application.chase import terms_on
from billing.application.core import PARIS, Billing
from billing.application.printed import Record, form_title, series_name
from billing.arrears import ABOUT, CHARGED, claim, in_time_until, kept_from
from billing.clauses import Terms
from billing.clauses.renewal import last_day_for_notice
from billing.contract import bill
from billing.contract.state import Contract, fold
from billing.dates import DAY, NEVER
from billing.documents.facturx.facts import Debited, Late
from billing.documents.facturx.words import Both
from billing.documents.letters.facts import (
    Amended,
    Duty,
    FormalNotice,
    Head,
    Owed,
    Prenotified,
    Priced,
    Quoted,
    Reminder,
    Renewal,
    Returned,
    Settlement,
    Substitution,
    Suspension,
)
from billing.dunning import Dunning
from billing.events import Event
from billing.events.contract import (
    ContractEvent,
    ContractSigned,
    ContractTerminated,
    FormalNoticeSent,
    IndemnityAssessed,
    IndemnitySettled,
    IndexSubstituted,
    RenewalOffered,
    ServiceSuspended,
    TermsAmended,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, ReminderSent
from billing.events.party import (
    AnnouncedDebit,
    CollectionsAnnounced,
    Identity,
    PartyAmended,
    PartyRegistered,
)
from billing.forms import BadFile, Form
from billing.identity import contract_id, invoice_id, stream
from billing.mandate import Mandate
from billing.receivable import Receivable
from billing.refusal import Refused
from indices import IndexBook, IndexUnavailable

_INDEX = ["index.series_declared", "index.published", "index.corrected", "index.series_replaced"]
_PROTECTED = ("consumer", "non_professional")


class Gathering:
    """The record some letters are written from; each stream is read once."""

    def __init__(self, app: Billing, policy: Dunning) -> None:
        self.app = app
        self.policy = policy
        self.record = Record(app, ())
        self._forms: dict[str, Form | None] = {}
        self._book: tuple[int, IndexBook] | None = None

    def add(self, ids: Iterable[UUID]) -> None:
        """Reads streams together."""
        self.record.add(ids)

    def _stream(self, id: UUID, until: datetime) -> list[Any]:
        """The events of a stream recorded up to a moment."""
        self.record.add([id])
        return [event for event in self.record[id] if event.recorded_at <= until]

    # As it stood

    def _history(self, number: str, event: ContractEvent) -> list[Any]:
        """The contract's events up to this one, with those decided together with it."""
        self.record.add([contract_id(number)])
        after = event.originator_version
        return [
            one
            for one in self.record[contract_id(number)]
            if one.originator_version <= after or one.recorded_at == event.recorded_at
        ]

    def _party(self, code: str, side: str, at: datetime, about: str) -> Identity:
        id = stream("party", code)
        known = self._stream(id, at) or self.record[id][:1]
        for event in reversed(known):
            if isinstance(event, PartyRegistered | PartyAmended):
                return event.party
        raise Refused(
            f"{about}: {side} {code} is not registered; its name and address were expected "
            "(`billing party`)"
        )

    def _mandate(self, reference: str, at: datetime) -> Mandate:
        id = stream("mandate", reference)
        state: Mandate | None = None
        for event in self._stream(id, at) or self.record[id][:1]:
            state = mandates.apply(state, event)
        if state is None:
            raise Refused(
                f"mandate {reference} is not recorded; it was expected (`billing mandate`)"
            )
        return state

    def _documents(self, contract: Contract, at: datetime) -> list[Receivable]:
        """The documents of a contract and what was known of them then, by due day."""
        clients = {contract.client, *(was for _, _, was in contract.assigned)}
        ids = {
            invoice_id(one.supplier, one.number)
            for client in clients
            for one in self._receivables.documents(client)
            if one.contract == contract.number
        }
        self.record.add(ids)
        found = [one for id in ids if (one := self._receivable(id, at)) is not None]
        return sorted(found, key=lambda one: (one.due_on, one.number))

    @cached_property
    def _receivables(self) -> receivables.Book:
        return receivables.book(self.app)

    def _receivable(self, id: UUID, at: datetime) -> Receivable | None:
        state: Receivable | None = None
        for event in self._stream(id, at):
            if isinstance(event, receivable.EVENTS):
                state = receivable.apply(state, event)
        if state is None or not state.mandate:
            return state
        for event in self._stream(stream("mandate", state.mandate), at):
            if isinstance(event, receivable.OBSERVED) and event.invoice == state.number:
                state = receivable.observe(state, event)
        return state

    def _index_book(self, at: datetime) -> IndexBook:
        """The published series as they were known then."""
        known = bisect_right(self._published, at, key=lambda event: event.recorded_at)
        if self._book is None or self._book[0] != known:
            series: dict[UUID, Any] = {}
            for event in self._published[:known]:
                id = event.originator_id
                series[id] = publication.apply(series.get(id), event)
            self._book = known, publication.book_of(series.values())
        return self._book[1]

    @cached_property
    def _published(self) -> list[Any]:
        events: list[Any] = [event for _, event in self.app.recorded(topics=_INDEX)]
        return sorted(events, key=lambda event: event.recorded_at)

    # What several letters say

    def _head(self, history: Sequence[Any], day: date, at: datetime, sending: str = "") -> Head:
        contract, signed = _folded(history), _signed(history)
        supplier = contract.party_on("supplier", day)
        client = contract.party_on("client", day)
        return Head(
            supplier=self._party(supplier, "supplier", at, contract.number),
            client=self._party(client, "client", at, contract.number),
            dated=day,
            contracts=(contract.number,),
            label=form_title(self.app, signed),
            signed_on=signed.signed_on,
            sending=sending,
        )

    def _quoted(self, history: Sequence[Any], clause: str) -> Quoted:
        """The contract's own words for a clause, on its form as recorded at signature."""
        signed = _signed(history)
        digest = signed.form_digest
        if digest not in self._forms:
            try:
                self._forms[digest] = recorded_form(self.app, digest)
            except BadFile:
                self._forms[digest] = None
        form = self._forms[digest]
        if form is None:
            return Quoted()
        said = form.words(clause, signed.variant)
        return Quoted(said.words, said.source if said.words else "")

    def _late(self, contract: Contract, terms: Terms) -> Late:
        clause = terms.late_interest
        substitute = contract.substitute_for(clause.series or "")
        series = substitute.by_series if substitute is not None else clause.series or ""
        category: Any = contract.category
        return Late(
            clause=clause,
            category=category,
            series=series,
            series_name=series_name(self.app, series),
        )

    def _owed(self, one: Receivable, day: date, **more: Any) -> Owed:
        last = in_time_until(one) or one.due_on
        said: dict[str, Any] = {
            "number": one.number,
            "kind": one.kind,
            "contract": one.contract,
            "issued_on": one.issued_on,
            "due_on": one.due_on,
            "gross": one.gross,
            "owed": one.due,
            "late": max(0, (day - last).days),
            "reminded": any(sent.sent_on < day for sent in one.reminders),
        }
        return Owed(**said | more)

    # Reminders and formal notices

    def reminder(self, events: Sequence[ReminderSent], documents: Sequence[Receivable]) -> Reminder:
        """The documents of a client reminded of together."""
        first, at = documents[0], events[0].recorded_at
        day, level = events[0].sent_on, events[0].level
        owed = list(self._reminded_of(events))
        contracts = tuple(dict.fromkeys(sorted(one.contract for one in owed)))
        states = [self._contract(number, at) for number in contracts]
        late = [self._late(_folded(one), _folded(one).terms_on(day)) for one in states]
        (head, *_) = (self._head(one, day, at, events[0].sending) for one in states[:1])
        head = replace(
            head,
            supplier=self._party(first.supplier, "supplier", at, first.number),
            client=self._party(first.client, "client", at, first.number),
            contracts=contracts,
            label=head.label if len(contracts) == 1 else "",
            signed_on=None,
        )
        return Reminder(
            head=head,
            level=level,
            name=self._name_of(events[0]),
            owed=tuple(sorted(owed, key=lambda one: (one.due_on, one.number))),
            late=tuple(late),
        )

    def _reminded_of(self, events: Iterable[ReminderSent]) -> Iterator[Owed]:
        """Each document as the reminder of it tells, just before it was sent."""
        for event in events:
            state = self._receivable(event.originator_id, event.recorded_at)
            assert state is not None, "a reminder is of a document that was issued"
            yield self._owed(state, event.sent_on, owed=event.owed)

    def _name_of(self, event: ReminderSent) -> Both:
        """The name of the level; its English one where the policy at hand has that level."""
        levels = self.policy.levels
        known = levels[event.level - 1] if 0 < event.level <= len(levels) else None
        english = known.english if known is not None and known.name == event.name else ""
        return Both(event.name, english)

    def _contract(self, number: str, at: datetime) -> list[Any]:
        return self._stream(contract_id(number), at)

    def formal_reminder(
        self, events: Sequence[ReminderSent], documents: Sequence[Receivable]
    ) -> FormalNotice:
        """The policy's formal notice where the contract has no clock for it to start."""
        at, day = events[0].recorded_at, events[0].sent_on
        numbers = {one.number for one in documents}
        history = self._contract(documents[0].contract, at)
        return self._formal(history, day, at, events[0].sending, None, numbers)

    def formal_notice(self, number: str, event: FormalNoticeSent) -> FormalNotice:
        """A formal notice of a contract, with what is unpaid where it is about that."""
        history = self._history(number, event)
        numbers: set[str] | None = set()
        if event.about.startswith(ABOUT):
            numbers = set(event.about.removeprefix(ABOUT).split(", "))
        elif event.clock == "unpaid":
            numbers = None
        at = event.recorded_at
        return self._formal(history, event.sent_on, at, event.sending, event, numbers)

    def _formal(
        self,
        history: Sequence[Any],
        day: date,
        at: datetime,
        sending: str,
        event: FormalNoticeSent | None,
        numbers: set[str] | None,
    ) -> FormalNotice:
        """`numbers` are the invoices it is about; None for all that are late."""
        contract = _folded(history)
        documents = self._documents(contract, at)
        about = [
            one
            for one in documents
            if (_late_on(one, day) if numbers is None else one.number in numbers)
        ]
        notes = [one for one in documents if one.kind == "debit_note" and one.due > 0]
        terms = contract.terms_on(day)
        overrun = terms.overrun if event is not None and event.clock == "overrun" else None
        subscribed = overrun is not None and overrun.then == "subscribe"
        told = event.about if event is not None else ""
        return FormalNotice(
            head=self._head(history, day, at, sending),
            event=event,
            clock=terms.clock(event.clock) if event is not None else None,
            owed=tuple(self._claimed(one, contract, history, day, at) for one in about),
            debit_notes=tuple(self._owed(one, day) for one in notes) if about else (),
            late=self._late(contract, terms),
            about="" if told.startswith(ABOUT) else told,
            overrun=(overrun.step, overrun.step_price) if overrun and subscribed else None,
            clause=self._quoted(history, "clocks") if event is not None else Quoted(),
        )

    def _claimed(
        self, one: Receivable, contract: Contract, history: Sequence[Any], day: date, at: datetime
    ) -> Owed:
        """An unpaid invoice with all that its lateness comes to by that day."""
        letters = [event for event in history if isinstance(event, FormalNoticeSent)]
        charged = {"interest_charged": one.interest, "fee_charged": one.fee}
        category: Any = contract.category
        try:
            found = claim(
                one,
                terms_on(self.app, contract, one.issued_on),
                category,
                self._index_book(at),
                day,
                self.policy,
                letters,
                {sub.series: sub.by_series for sub in contract.substitutes},
            )
        except IndexUnavailable:
            return self._owed(one, day, interest=None, interest_charged=one.interest, fee=one.fee,
                              fee_charged=one.fee)  # fmt: skip
        return self._owed(one, day, interest=found.interest.amount, fee=found.fee, **charged)

    def suspension(self, number: str, event: ServiceSuspended) -> Suspension:
        """The measure, the letter it follows, what was unpaid then."""
        history, at = self._history(number, event), event.recorded_at
        contract = _folded(history)
        letters = [e for e in history if isinstance(e, FormalNoticeSent) and e.clock == event.clock]
        notice = letters[-1] if letters else None
        unpaid = event.clock == "unpaid" or (notice and notice.about.startswith(ABOUT))
        day = at.astimezone(PARIS).date()
        late = [one for one in self._documents(contract, at) if _late_on(one, day)]
        return Suspension(
            head=self._head(history, day, at),
            event=event,
            notice=notice,
            owed=tuple(self._owed(one, day) for one in late) if unpaid else (),
            clause=self._quoted(history, "clocks"),
        )

    # Debits

    def debits(self, event: CollectionsAnnounced | InvoiceIssued) -> Prenotified:
        """What a debtor is told of: by a notice or a schedule, or by its invoice."""
        at = event.recorded_at
        if isinstance(event, InvoiceIssued):
            assert event.collected_on is not None
            mandate = self._mandate(event.mandate, at)
            debits: tuple[AnnouncedDebit, ...] = (
                AnnouncedDebit(
                    contract=event.contract,
                    amount=event.gross,
                    collected_on=event.collected_on,
                    invoice=event.number,
                ),
            )
            day, schedule = event.issued_on, False
        else:
            known = self._stream(event.originator_id, at)
            mandate = self._mandate(known[0].reference, at)
            debits, day, schedule = event.debits, event.announced_on, event.how == "schedule"
        told = mandate.told_on(debits[0].collected_on)
        contracts = tuple(dict.fromkeys(debit.contract for debit in debits))
        if not told.creditor_identifier:
            raise Refused(
                f"mandate {mandate.reference}: its creditor {told.creditor} has no creditor "
                "identifier (ICS); a pre-notification bears it"
            )
        label, signed_on = "", None
        if len(contracts) == 1 and (history := self._contract(contracts[0], at)):
            signed = _signed(history)
            label, signed_on = form_title(self.app, signed), signed.signed_on
        return Prenotified(
            head=Head(
                supplier=self._party(told.creditor, "supplier", at, mandate.reference),
                client=self._party(mandate.debtor, "client", at, mandate.reference),
                dated=day,
                contracts=contracts,
                label=label,
                signed_on=signed_on,
            ),
            debits=debits,
            mandate=Debited(
                reference=mandate.reference,
                creditor_identifier=told.creditor_identifier,
                iban=told.iban,
                bic=told.bic,
                scheme=mandate.scheme,
            ),
            schedule=schedule,
        )

    # Changes

    def renewal(self, number: str, event: RenewalOffered) -> Renewal:
        """A quote or an offer, with the prices of the term to come."""
        history, at = self._history(number, event), event.recorded_at
        contract = _folded(history)
        assert contract.term is not None, "an offer is of a contract with a term"
        clause = contract.terms_on(event.offered_on).renewal
        tacit = clause.kind == "tacit"
        return Renewal(
            head=self._head(history, event.offered_on, at),
            event=event,
            tacit=tacit,
            current=contract.term,
            items=tuple(_priced(contract, event)),
            notice=clause.notice,
            notice_until=last_day_for_notice(clause, contract.term) if tacit else None,
            protected=contract.category in _PROTECTED,
            clause=self._quoted(history, "renewal"),
        )

    def substitution(self, number: str, events: Sequence[IndexSubstituted]) -> Substitution:
        """The indices replaced on a day, and the clauses that read them."""
        last = events[-1]
        history, at = self._history(number, last), last.recorded_at
        contract = _folded(history)
        day = at.astimezone(PARIS).date()
        terms = contract.terms_on(day)
        gone = {event.series for event in events}
        weights = terms.revision.indices if terms.revision else ()
        revised = any(weight.series in gone for weight in weights)
        series = gone | {event.by_series for event in events}
        return Substitution(
            head=self._head(history, day, at),
            events=tuple(events),
            names={one: series_name(self.app, one) for one in sorted(series)},
            called={weight.series: weight.name for weight in weights if weight.name},
            revision=terms.revision if revised else None,
            interest=terms.late_interest.series in gone,
            clause=self._quoted(history, "revision" if revised else "late_interest"),
        )

    def amendment(self, number: str, event: TermsAmended) -> Amended:
        """The clauses before and after."""
        history, at = self._history(number, event), event.recorded_at
        before = [one for one in history if one.originator_version < event.originator_version]
        contract = _folded(before)
        series = {one for terms in (contract.terms, event.terms) for one in _read_by(terms)}
        series |= {reading.series for reading in event.bases or () if reading is not None}
        day = at.astimezone(PARIS).date()
        return Amended(
            head=self._head(history, day, at),
            event=event,
            before=contract.terms,
            labels={covered.item.code: covered.item.label for covered in contract.items},
            names={one: series_name(self.app, one) for one in sorted(series)},
            clause=self._quoted(history, "amendment"),
        )

    # The end

    def settlement(self, number: str, event: ContractTerminated | IndemnitySettled) -> Settlement:
        """What is owed on either side once the end is known, or the indemnity settled."""
        history, at = self._history(number, event), event.recorded_at
        contract = _folded(history)
        ended = next(e for e in reversed(history) if isinstance(e, ContractTerminated))
        assessed = _last(history, IndemnityAssessed)
        day = at.astimezone(PARIS).date()
        documents = self._documents(contract, at)
        coming, known = _to_come(contract, self._index_book(at), day)
        returned, recovered = _to_return(contract, ended)
        return Settlement(
            head=self._head(history, day, at),
            event=ended,
            parent=contract.parent,
            indemnity=assessed,
            settled=_last(history, IndemnitySettled),
            owed=tuple(self._owed(one, day, owed=one.owed) for one in documents if one.owed),
            to_come=coming,
            unknown=not known,
            returned=returned,
            duties=tuple(
                Duty(task.label, ended.effective_on + timedelta(days=task.days_after_end))
                for task in contract.terms.tasks
                if task.code not in contract.tasks_done
            ),
            clause=self._quoted(history, "indemnity") if assessed is not None else Quoted(),
            recovery=self._quoted(history, "clocks") if recovered else Quoted(),
        )


def _folded(history: Sequence[Any]) -> Contract:
    contract = fold(None, history)
    assert contract is not None, "a letter is about a contract that was signed"
    return contract


def _signed(history: Sequence[Any]) -> ContractSigned:
    first = history[0]
    assert isinstance(first, ContractSigned), first
    return first


def _last(history: Sequence[Any], kind: type[Event]) -> Any:
    return next((event for event in reversed(history) if isinstance(event, kind)), None)


def _late_on(one: Receivable, day: date) -> bool:
    return one.kind == CHARGED and not kept_from(one, day)


def _read_by(terms: Terms) -> Iterator[str]:
    """The series that the clauses read."""
    yield from (weight.series for weight in (terms.revision.indices if terms.revision else ()))
    if terms.late_interest.series:
        yield terms.late_interest.series


def _priced(contract: Contract, event: RenewalOffered) -> Iterator[Priced]:
    """The items of the term to come at the prices offered."""
    term, after = event.term, {fee.code: fee.after for fee in event.fees}
    for covered in contract.items:
        item = covered.item
        if covered.until is not None and covered.until <= term.start:
            continue
        before = covered.price_on(term.start).unit_price
        discount = bill.discount_on(item, term.start)
        ends = covered.until is not None and covered.until < term.end
        yield Priced(
            code=item.code,
            label=item.label,
            quantity=item.quantity,
            per_months=item.per_months,
            before=before,
            after=after.get(item.code, before),
            discount=discount,
            ends=ends or (bool(discount) and (item.discount_until or NEVER) < term.last_day),
        )


def _to_come(
    contract: Contract, book: IndexBook, day: date
) -> tuple[tuple[InvoiceIssued | CreditNoteIssued, ...], bool]:
    """The documents the runs to come would issue at the prices in force, and whether that is all.

    What is awaited back may still come back, and what a clock would bring stops with the end.
    """
    stamp = month.Stamp(datetime.combine(day, time(), UTC), "settlement", "settlement")
    series = month.Series(lambda supplier, year: None, lambda supplier: "")
    found: list[InvoiceIssued | CreditNoteIssued] = []
    after = replace(contract, exchanges=(), clocks=())
    while True:
        after = replace(after, next_revision_on=None, revision_waiting=False, last_revision=None)
        due = after.next_due()
        if due is None:
            return tuple(found), True
        outcome = month.decide(contract_id(contract.number), after, due, book, None, stamp)
        if outcome.aside is not None and outcome.aside.held:
            return tuple(found), False
        issued = month.issue(outcome, series, max(day, due), stamp)
        if issued.after.version == after.version:
            return tuple(found), True
        found += issued.invoices
        after = issued.after


def _to_return(contract: Contract, ended: ContractTerminated) -> tuple[tuple[Returned, ...], bool]:
    """What was replaced and is awaited back; and, where the contract lets the supplier take its
    equipment back, that equipment: then True."""
    items = {covered.item.code: covered.item for covered in contract.items}
    awaited = tuple(
        Returned(
            code=one.code,
            label=items[one.code].label if one.code in items else one.code,
            serial=items[one.code].serial if one.code in items else "",
            return_by=one.return_by,
            list_price=one.list_price,
        )
        for one in contract.exchanges
    )
    terms = contract.terms_on(ended.effective_on - DAY)
    may = any("recover" in clock.allows for clock in terms.clocks)
    if not may or ended.cause == "purchased":
        return awaited, False
    supplied = tuple(
        Returned(code=item.code, label=item.label, serial=item.serial)
        for item in items.values()
        if item.kind == "equipment"
    )
    return (*awaited, *supplied), bool(supplied)


__all__ = ["Gathering"]
