"""Arrears: what is late is asked for, charged, and may stop the service (relance, impayés).

Pure, as `month` is: documents × a day × a dunning policy × the index book → decisions. Reminders
and charges are of a document; the formal notice and what its clock allows are of its contract.

"Tout professionnel en situation de retard de paiement est de plein droit débiteur, à l'égard du
créancier, d'une indemnité forfaitaire pour frais de recouvrement" — C. com. L441-10, II
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.interest import Category, Interest, late_interest, recovery_fee
from billing.clauses.suspension import Clock
from billing.contract import end
from billing.contract.state import Clocked, Contract, apply
from billing.dunning import Dunning
from billing.events.contract import ContractEvent, FormalNoticeSent
from billing.events.invoice import DebitLine, ReminderSent
from billing.money import ZERO
from billing.receivable import Receivable, Sent
from billing.refusal import Refused
from indices import IndexBook, IndexUnavailable

ABOUT = "Factures impayées : "
UNPAID = ("unpaid", "breach")
"""The clocks a letter about unpaid invoices starts: the one named so, else that of any breach."""
CHARGED = "invoice"
"""What bears interest and is put in a formal notice: an unpaid deposit (acompte) orders nothing,
and a debit note bears no interest; both are only reminded of."""
NOTHING = Interest((), "0", ZERO)

Kind = Literal["late_interest", "recovery_fee"]
TermsOf = Callable[[date], Terms]
NoteOf = Callable[[str, str], Receivable]


class Claim(NamedTuple):
    """What the lateness of a document comes to, to date: its interest, and the fee, in euros."""

    until: date
    interest: Interest
    fee: Decimal


class Charge(NamedTuple):
    """A line of a debit note, and the document it is for.

    Given back, its amount is positive too; `credited` of it lowers what the debit note is owed:
    what was credited or written off is not given back twice.
    """

    of: Receivable
    line: DebitLine
    credited: Decimal = ZERO


class Debit(NamedTuple):
    """A debit note that has no number yet."""

    supplier: str
    client: str
    contract: str
    charges: tuple[Charge, ...]

    @property
    def lines(self) -> tuple[DebitLine, ...]:
        """Its lines."""
        return tuple(charge.line for charge in self.charges)

    @property
    def gross(self) -> Decimal:
        """Its total, in euros, outside VAT."""
        return sum((charge.line.amount for charge in self.charges), ZERO)


class Credit(NamedTuple):
    """What one debit note gives back, on a credit note that has no number yet."""

    note: Receivable
    charges: tuple[Charge, ...]

    @property
    def gross(self) -> Decimal:
        """The total of the credit note, in euros, outside VAT; zero: none is needed."""
        return sum((charge.credited for charge in self.charges), ZERO)


class Measure(NamedTuple):
    """What a formal notice left without effect allows from a day on; a task, never automatic."""

    contract: str
    client: str
    clock: str
    sent_on: date
    allowed_from: date
    allows: tuple[str, ...]
    owed: Decimal


class Chased(NamedTuple):
    """What a day brings to the late documents of one contract.

    `aside` says why nothing could be charged, `remark` why the formal notice starts no clock;
    `waits`: something is too small to be charged yet.
    """

    reminders: tuple[tuple[Receivable, ReminderSent], ...] = ()
    events: tuple[ContractEvent, ...] = ()
    debits: tuple[Debit, ...] = ()
    credits: tuple[Credit, ...] = ()
    measures: tuple[Measure, ...] = ()
    aside: str = ""
    remark: str = ""
    waits: bool = False


def chase(
    contract: Contract,
    documents: Sequence[Receivable],
    terms_of: TermsOf,
    book: IndexBook,
    day: date,
    policy: Dunning,
    letters: Sequence[FormalNoticeSent] = (),
    note_of: NoteOf | None = None,
    by_transfer: Container[tuple[str, str]] = (),
) -> Chased:
    """What that day brings: cure, reminders, formal notice, charges, what a clock allows.

    `documents` are those of the contract of which something is owed, and those paid since they
    were last looked at; `letters` its formal notices so far; `terms_of` its clauses on a day.
    `by_transfer` are those, by company and number, that were to be debited and no longer can be.
    """
    after, events = contract, list(_cures(contract, documents, day, letters))
    for event in events:
        after = _applied(after, event)
    reminders = tuple(
        (one, reminder)
        for one in documents
        if (reminder := remind(one, day, policy, bool(_running(after, letters))))
    )
    remark, sent = "", list(letters)
    formal = [one for one, told in reminders if told.level == policy.formal_notice]
    if formal and not _running(after, letters):
        try:
            for event in _notice(after, documents, terms_of(day), day, policy):
                after, events = _applied(after, event), [*events, event]
                sent += [event] if isinstance(event, FormalNoticeSent) else []
        except Refused as refused:  # The letter goes out; no clock of the contract runs from it.
            remark = str(refused)
    told = {(one.supplier, one.number): one for one in documents} | {
        (one.supplier, one.number): reminded(one, reminder) for one, reminder in reminders
    }
    owed: tuple[Debit, ...] = ()
    back: tuple[Credit, ...] = ()
    aside = ""
    try:
        late = [
            asked_for(one) if key in by_transfer else one
            for key, one in told.items()
            if one.reminders or key not in by_transfer
        ]
        owed, back = _charges(contract, late, terms_of, book, day, policy, sent, note_of)
    except IndexUnavailable as unavailable:
        aside = str(unavailable)
    charged = tuple(debit for debit in owed if debit.gross >= policy.minimum_charge)
    return Chased(
        reminders,
        tuple(events),
        charged,
        back,
        tuple(_measures(after, documents, day, sent)),
        aside,
        remark,
        len(charged) < len(owed),
    )


def _applied(contract: Contract, event: ContractEvent) -> Contract:
    return apply(contract, replace(event, originator_version=contract.version + 1))


# What is late


def in_time_until(r: Receivable) -> date | None:
    """The last day on which paying is in time; none when it is the supplier who is late.

    A client to be debited on an agreed day is not late before that day, nor by a direct debit that
    was asked for later and never came back.
    """
    if r.attempts and not r.returns and not r.charged:
        return None
    return r.payable_on


def ages_from(r: Receivable) -> date:
    """The day from which a document ages, as the arrears count it: the last to pay.

    Where the supplier alone is late, that of the debit it asked for in the end.
    """
    return in_time_until(r) or max(r.payable_on, *(one.collected_on for one in r.debits))


def asked_for(r: Receivable) -> Receivable:
    """A document its supplier can debit no more, as its lateness is charged.

    The client had to wait for a debit: it is late from the first letter, that asks for a transfer.
    """
    first = min(one.sent_on for one in r.reminders)
    return replace(r, means="transfer", due_on=max(r.payable_on, first))


def asked_from(r: Receivable) -> date | None:
    """The last day to pay what is left: a retention that alone is left counts from its release."""
    last = in_time_until(r)
    alone = r.released_on is not None and r.owed <= r.withheld
    return last if last is None or not alone else max(last, r.released_on or last)


def kept_from(r: Receivable, day: date) -> str:
    """Why nothing is asked for on that day; empty when something is."""
    last = asked_from(r)
    if r.kind == "credit_note":
        return "a credit note"
    if r.due <= 0:
        return "withheld" if r.owed > 0 else "paid"
    if r.disputed_on is not None:
        return "disputed"
    if r.collecting:
        return "a direct debit is on its way"
    if last is None or day <= last:
        return "not late"
    return ""


def late_balances(r: Receivable, policy: Dunning) -> tuple[date, list[tuple[date, Decimal]]] | None:
    """The last day to pay, and what was owed from the end of each day on, as interest takes it."""
    last = in_time_until(r)
    credited = r.total("credit")
    if last is None or r.kind != CHARGED or credited >= r.gross > 0:
        return None
    movements = r.movements
    if policy.credit_note == "due_day":
        movements = tuple(
            replace(m, on=min(m.on, last)) if m.kind == "credit" else m for m in movements
        )
    return last, replace(r, due_on=last, movements=movements).balances()


def _was_late(balances: Sequence[tuple[date, Decimal]], until: date) -> bool:
    """Whether something was owed on a day after the last to pay, up to that day."""
    ends = [since for since, _ in balances[1:]] + [until]
    return any(
        left > 0 and min(end, until) > since
        for (since, left), end in zip(balances, ends, strict=True)
    )


# Reminders


def remind(
    r: Receivable, day: date, policy: Dunning, clock_runs: bool = False
) -> ReminderSent | None:
    """The next letter about a document, if its day has come: each level once, in order.

    While the clock of a formal notice runs, no other formal notice is sent. An invoice paid after
    its formal notice and owed again since (a payment came back) has another.
    """
    last = asked_from(r)
    if last is None or kept_from(r, day) or r.due < policy.minimum_owed:
        return None
    sent = max(r.reminders, key=lambda one: (one.sent_on, one.level), default=Sent(0, last))
    rank = sent.level + 1
    formal = policy.formal_notice
    came_back = any(m.kind == "reversal" and m.on > sent.sent_on for m in r.movements)
    if formal and sent.level >= formal and came_back:
        rank = formal
    if rank > len(policy.levels) or (rank == formal and (clock_runs or r.kind != CHARGED)):
        return None
    level = policy.level(rank)
    if (day - last).days < level.days:
        return None
    if sent.level and (day - sent.sent_on).days < policy.days_between:
        return None
    return ReminderSent(level=rank, name=level.name, sent_on=day, owed=r.due, sending=level.sending)


def reminded(r: Receivable, reminder: ReminderSent) -> Receivable:
    """The document once it is sent."""
    sent = Sent(reminder.level, reminder.sent_on)
    return replace(r, version=r.version + 1, reminders=(*r.reminders, sent))


# The formal notice, its clock, what it allows


def clock_for(terms: Terms) -> Clock | None:
    """The clock a letter about unpaid invoices starts; none where the contract has none."""
    for name in UNPAID:
        clock = terms.clock(name)
        if clock is not None and clock.notice_by in ("supplier", "either"):
            return clock
    return None


def _running(contract: Contract, letters: Iterable[FormalNoticeSent]) -> list[Clocked]:
    """The clocks that run for what is unpaid: one named `breach` only by a letter of ours."""
    ours = {(one.clock, one.sent_on) for one in letters if one.about.startswith(ABOUT)}
    return [
        clock
        for clock in contract.clocks
        if clock.by == "supplier"
        and (
            clock.clock == "unpaid"
            or (clock.clock == "breach" and (clock.clock, clock.sent_on) in ours)
        )
    ]


def _cures(
    contract: Contract,
    documents: Sequence[Receivable],
    day: date,
    letters: Sequence[FormalNoticeSent],
) -> Iterator[ContractEvent]:
    """The clock stops once all that was late on the day of its letter is paid."""
    for clock in _running(contract, letters):
        left = (one for one in documents if _late_on(one, clock.sent_on) and one.due > 0)
        if day >= clock.sent_on and next(left, None) is None:
            yield from end.cure(contract, clock.clock, day)


def _late_on(r: Receivable, day: date) -> bool:
    last = asked_from(r)
    return last is not None and last < day and r.kind == CHARGED


def _notice(
    contract: Contract,
    documents: Sequence[Receivable],
    terms: Terms,
    day: date,
    policy: Dunning,
) -> Iterator[ContractEvent]:
    """The formal notice of all that is late, on the clock of the contract, if it has one."""
    clock = clock_for(terms)
    if clock is None:
        return
    late = [
        one.number
        for one in documents
        if one.kind == CHARGED and not kept_from(one, day) and one.due >= policy.minimum_owed
    ]
    yield from end.formal_notice(
        contract,
        clock.name,
        "supplier",
        day,
        sending=policy.level(policy.formal_notice).sending if clock.by == "any" else clock.by,
        about=f"{ABOUT}{', '.join(sorted(late))}",
    )


def _measures(
    contract: Contract,
    documents: Sequence[Receivable],
    day: date,
    letters: Sequence[FormalNoticeSent],
) -> Iterator[Measure]:
    """What running clocks allow on that day, and was not done yet."""
    if contract.ends_on is not None and day >= contract.ends_on:
        return
    done = ("suspend",) if contract.suspended_on is not None else ()
    for clock in _running(contract, letters):
        allows = tuple(one for one in clock.allows if one not in done)
        if allows and clock.allowed_from is not None and clock.allowed_from <= day:
            yield Measure(
                contract.number,
                contract.client,
                clock.clock,
                clock.sent_on,
                clock.allowed_from,
                allows,
                sum((one.due for one in documents if _late_on(one, day)), ZERO),
            )


# Interest and the fee


def claim(
    r: Receivable,
    terms: Terms,
    category: Category,
    book: IndexBook,
    day: date,
    policy: Dunning,
    letters: Sequence[FormalNoticeSent] = (),
    substitutes: dict[str, str] | None = None,
) -> Claim:
    """All that the lateness of a document comes to, up to a day inclusive.

    In one exact sum rounded once, whatever was charged before: charged at many dates it comes to
    what it would at the last. Raises IndexUnavailable when a rate is not known.
    """
    until = max(day, r.interest_until or day)
    late = late_balances(r, policy)
    if late is None:
        return Claim(until, NOTHING, ZERO)
    last, balances = late
    interest = late_interest(
        terms.late_interest,
        balances,
        last,
        until,
        book,
        category,
        _formal_notice_on(r, last, policy, letters),
        substitutes,
    )
    fee = recovery_fee(terms.late_interest, category) if _was_late(balances, until) else ZERO
    return Claim(until, interest, fee)


def _formal_notice_on(
    r: Receivable, last: date, policy: Dunning, letters: Sequence[FormalNoticeSent]
) -> date | None:
    """The first formal notice about a document: its own, or one of the contract while it was late.

    A letter that lists its invoices is about those it lists.
    """
    days = [
        s.sent_on for s in r.reminders if policy.formal_notice and s.level == policy.formal_notice
    ]
    days += [
        one.sent_on
        for one in letters
        if one.by == "supplier"
        and one.sent_on > last
        and (
            r.number in one.about.removeprefix(ABOUT).split(", ")
            if one.about.startswith(ABOUT)
            else one.clock == "unpaid"
        )
    ]
    return min(days, default=None)


def _charges(
    contract: Contract,
    documents: Sequence[Receivable],
    terms_of: TermsOf,
    book: IndexBook,
    day: date,
    policy: Dunning,
    letters: Sequence[FormalNoticeSent],
    note_of: NoteOf | None,
) -> tuple[tuple[Debit, ...], tuple[Credit, ...]]:
    """The debit notes of the contract, one for each pair of parties; and what others give back."""
    substitutes = {one.series: one.by_series for one in contract.substitutes}
    owed: dict[tuple[str, str], list[Charge]] = {}
    back: dict[tuple[str, str], list[Charge]] = {}
    for one in documents:
        if not _chargeable(one, policy):
            continue
        category: Category = contract.category  # type: ignore[assignment]
        found = claim(
            one, terms_of(one.issued_on), category, book, day, policy, letters, substitutes
        )
        for line in _differences(one, found):
            if line.amount > 0 and _too_soon(one, day, policy):
                continue
            if line.amount > 0:
                owed.setdefault((one.supplier, one.client), []).append(Charge(one, line))
            else:
                for note, part in _from_notes(one, line):
                    back.setdefault((one.supplier, note), []).append(Charge(one, part))
    debits = (Debit(*parties, contract.number, tuple(some)) for parties, some in owed.items())
    assert note_of is not None or not back, "what is given back is credited on its debit note"
    given = (_credit(note_of(*note), some) for note, some in back.items() if note_of)
    return tuple(debits), tuple(given)


def _chargeable(r: Receivable, policy: Dunning) -> bool:
    """Whether the house charges now: the level from which it does was sent, or it did before.

    What is disputed or being debited waits; what was given up for lost is not charged further.
    """
    if r.collecting or r.disputed_on is not None:
        return False
    if r.total("write_off") > policy.minimum_owed:
        return False
    sent = max((one.level for one in r.reminders), default=0)
    return sent >= policy.charge_from or bool(r.charged)


def _too_soon(r: Receivable, day: date, policy: Dunning) -> bool:
    """Whether what is still unpaid was charged a few days ago."""
    last = r.interest_until if r.due > 0 and r.charged else None
    return last is not None and (day - last).days < policy.days_between_debit_notes


def _differences(r: Receivable, found: Claim) -> Iterator[DebitLine]:
    """What is not charged yet of the claim, negative where too much was."""
    before, total = r.interest, found.interest.amount
    if total != before:
        days = [stretch.period.last_day for stretch in found.interest.stretches]
        until = min(found.until, max(days, default=found.until))
        yield DebitLine(
            kind="late_interest",
            invoice=r.number,
            label=f"Intérêts de retard sur la facture {r.number}, arrêtés au {until:%d/%m/%Y}",
            amount=total - before,
            until=until,
            interest=found.interest,
            charged_before=before,
        )
    # Owed once: a clause amended since changes nothing for a fee that is charged.
    fee = found.fee - r.fee
    if (found.fee > 0) != (r.fee > 0):
        yield DebitLine(
            kind="recovery_fee",
            invoice=r.number,
            label=f"Indemnité forfaitaire de recouvrement, facture {r.number} (C. com. D441-5)",
            amount=fee,
            charged_before=r.fee,
        )


def _from_notes(r: Receivable, line: DebitLine) -> Iterator[tuple[str, DebitLine]]:
    """What was charged too much, taken back from the debit notes that claim it, the last first."""
    left = -line.amount
    for one in reversed(r.charged):
        part = min(left, one.amount)
        if one.kind == line.kind and part > 0:
            left -= part
            yield one.debit_note, replace(line, amount=part)
    assert not left, f"{r.number}: debit notes claim {left} € less than was charged"


def _credit(note: Receivable, charges: Iterable[Charge]) -> Credit:
    left = max(note.gross - note.total("credit") - note.total("write_off"), ZERO)
    given = []
    for charge in charges:
        credited = min(charge.line.amount, left)
        left -= credited
        given.append(charge._replace(credited=credited))
    return Credit(note, tuple(given))


# The service


class Gate(NamedTuple):
    """Whether the service of a contract that is served only while paid is open on a day.

    Closed: `since` that day, by `invoice`, of which `owed` is owed, in euros.
    """

    contract: str
    client: str
    open: bool
    since: date | None = None
    invoice: str = ""
    owed: Decimal = ZERO
    why: str = ""


def service_open(contract: Contract, documents: Iterable[Receivable], day: date) -> Gate:
    """Whether the period's invoice is paid at the end of that day; withheld counts as paid.

    "uniquement pendant la période définie et sous réserve du paiement du contrat" — Pixel Tech
    """

    def gate(is_open: bool, **why: object) -> Gate:
        return Gate(contract.number, contract.client, is_open, **why)  # type: ignore[arg-type]

    if contract.cancelled_on is not None or day < contract.starts_on:
        return gate(False, since=None, why="the period has not begun")
    end_on = contract.ends_on
    if end_on is not None and day >= end_on:
        return gate(False, since=end_on, why="the period is over")
    if not contract.terms_on(day).payment.service_while_paid:
        return gate(True, why="its service does not wait for the payment")
    billed = [
        one
        for one in documents
        if one.period is not None
        and day in one.period
        and one.issued_on <= day
        and one.total("credit") < one.gross
    ]
    for one in sorted(billed, key=lambda r: (r.issued_on, r.number)):
        if (owed := _owed_at(one, day)) > 0:
            return gate(False, since=_owed_since(one, day), invoice=one.number, owed=owed)
    return gate(True, why="" if billed else "the period is not billed yet")


def _owed_at(r: Receivable, day: date) -> Decimal:
    kept = r.withheld if r.withheld_on is not None and r.withheld_on <= day else ZERO
    if r.released_on is not None and r.released_on <= day:
        kept = ZERO
    return r.owed_on(day) - kept


def _owed_since(r: Receivable, day: date) -> date:
    """The first day of those without a break, up to that day, at whose end something was owed."""
    assert r.period is not None
    first = max(r.period.start, r.issued_on)
    moved = {m.on for m in r.movements} | {r.withheld_on, r.released_on, first}
    since: date | None = None
    for on in sorted(one for one in moved if one is not None and first <= one <= day):
        since = (since or on) if _owed_at(r, on) > 0 else None
    return since or day


__all__ = [
    "Chased", "Claim", "Credit", "Debit", "Gate", "Measure", "chase", "claim",
    "clock_for", "in_time_until", "kept_from", "remind", "reminded", "service_open",
]  # fmt: skip
