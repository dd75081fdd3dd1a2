"""Why a debit note is what it is: each stretch of days, its rate and the floor, and the 40 €.

Each rate is read again from the published series, each principal from what happened to the
invoice up to the day it was charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from msgspec.structs import replace

from billing import receivable
from billing.application import words
from billing.application.chase import terms_on
from billing.application.core import Billing
from billing.application.explain_prices import substitutions
from billing.application.explanation import Case, Explanation, node, number, read, recorded
from billing.arrears import in_time_until
from billing.clauses.interest import (
    Category,
    Interest,
    LateInterest,
    Stretch,
    rate_between,
    recovery_fee,
    stretch_interest,
)
from billing.contract.state import Contract
from billing.dates import DAY, half_year_of
from billing.events import Event
from billing.events.contract import FormalNoticeSent
from billing.events.invoice import (
    CreditNoteIssued,
    DebitLine,
    DebitNoteIssued,
    DisputeSettled,
    InvoiceCredited,
    InvoiceDisputed,
    InvoiceWrittenOff,
    LateInterestCharged,
    PaymentAllocated,
    PaymentReversed,
    RecoveryFeeCharged,
    ReminderSent,
)
from billing.identity import invoice_id
from billing.money import ZERO, rounded
from billing.receivable import Receivable
from billing.refusal import Refused
from indices import IndexUnavailable

FLOOR = "three times the legal interest rate of the half-year (C. com. L441-10, II)"
D441_5 = (
    "40 € once for each late invoice, even partly paid and without any reminder "
    "(C. com. L441-10, II and D441-5); professionals and public buyers only, outside VAT"
)
POLICIES = {
    "raise": "raised to the floor",
    "statutory": "the statutory rate instead",
    "as_written": "kept as written, with a warning",
}
Charged = LateInterestCharged | RecoveryFeeCharged
SINCE = (
    PaymentAllocated, PaymentReversed, InvoiceWrittenOff, ReminderSent, LateInterestCharged,
    RecoveryFeeCharged, InvoiceDisputed, DisputeSettled,
)  # fmt: skip
"""What happens to a document once it is issued, and is told in its own words."""


def is_one(app: Billing, document: Event) -> bool:
    """Whether it is a debit note, or the credit note of one."""
    if isinstance(document, DebitNoteIssued):
        return True
    if not isinstance(document, CreditNoteIssued):
        return False
    credited = app.events.get(invoice_id(document.supplier, document.credits))
    return isinstance(next(iter(credited), None), DebitNoteIssued)


def explain(
    app: Billing, events: Sequence[Event], line: int | None, numbered: Explanation
) -> Explanation:
    """How each amount of a debit note, or of its credit note, came to be; or one line, from 1."""
    document = events[0]
    if isinstance(document, DebitNoteIssued):
        title, told = "Debit note", "outside VAT"
        lines = [_line(app, document, place, one) for place, one in enumerate(document.lines, 1)]
        amounts = [one.amount for one in document.lines]
    else:
        assert isinstance(document, CreditNoteIssued)
        title, told = "Credit note", f"on debit note {document.credits}, outside VAT"
        lines = list(_given_back(app, document))
        amounts = [one.net for one in document.lines]
    if line is not None:
        if line > len(lines):
            raise Refused(f"{document.number}: no line {line}; it has {len(lines)}, counted from 1")
        return lines[line - 1]
    total = sum(amounts, ZERO)
    return node(
        "document",
        f"{title} {document.number} of {document.supplier} to {document.client}",
        f"contract {document.contract}, issued on {document.issued_on}, {document.gross} € {told}",
        [
            node(
                "totals",
                f"Total {document.gross} €",
                f"{' + '.join(map(str, amounts))} = {total} €; penalties and the recovery fee are "
                "outside VAT",
                check=(document.gross, total),
            ),
            *lines,
            *_due(document),
            numbered,
            *_since(events[1:]),
        ],
    )


# What stands behind a line


class Late(NamedTuple):
    """A late invoice as it stood just before it was charged: its clause, who owes, the notices."""

    case: Case
    before: Receivable
    contract: Contract
    clause: LateInterest
    category: Category
    letters: tuple[FormalNoticeSent, ...]
    mark: Charged | None


def _late(app: Billing, supplier: str, invoice: str, document: str, kind: str) -> Late:
    """The invoice up to the event by which that document charged it."""
    events = app.invoice_events(invoice, supplier)
    wanted = LateInterestCharged if kind == "late_interest" else RecoveryFeeCharged
    mark = next((e for e in events if isinstance(e, wanted) and e.debit_note == document), None)
    before: Any = None
    for event in events:
        if event is mark:
            break
        before = receivable.apply(before, event)
    case = Case(app, invoice, supplier)
    at = mark.recorded_at if mark is not None else events[-1].recorded_at
    known = [event for event in case.history if event.recorded_at <= at]
    contract = case.at(len(known))
    return Late(
        case,
        before,
        contract,
        terms_on(app, contract, before.issued_on).late_interest,
        contract.category,  # type: ignore[arg-type]
        tuple(event for event in known if isinstance(event, FormalNoticeSent)),
        mark,
    )


# A debit note


def _line(app: Billing, note: DebitNoteIssued, place: int, one: DebitLine) -> Explanation:
    title = f"Line {place}, {one.label} {one.amount} €"
    if one.kind == "return_fee":
        clause = Case(app, one.invoice, note.supplier).clause("payment")
        return node("line", title, f"the bank's fee for a payment of {one.invoice}", clause)
    late = _late(app, note.supplier, one.invoice, note.number, one.kind)
    charged = None if late.mark is None else late.mark.amount
    marked = node(
        "event",
        f"It is charged on {one.invoice}",
        recorded(late.mark) if late.mark else "no event of the invoice says so",
        check=(one.amount, charged),
    )
    if one.kind == "recovery_fee":
        return node(
            "line",
            title,
            D441_5,
            [
                _invoice(late),
                node("fee", f"Of a {late.category} client, by the clause", "once"),
                marked,
            ],
            check=(one.amount, recovery_fee(late.clause, late.category)),
        )
    assert one.interest is not None
    return node(
        "line",
        title,
        f"{one.interest.amount} € to date − {one.charged_before} € charged before = {one.amount} €",
        [
            _invoice(late),
            *_interest(late, one.interest),
            node(
                "charged",
                f"Charged before {one.charged_before} €",
                _charged_before(late),
                check=(one.charged_before, late.before.interest),
            ),
            *late.case.clause("late_interest"),
            *_substituted(late),
            marked,
        ],
        check=(one.amount, one.interest.amount - one.charged_before),
    )


def _invoice(late: Late) -> Explanation:
    """The invoice, when it had to be paid, and what happened to what it claims."""
    one = late.before
    last = in_time_until(one) or one.due_on
    told = f"{one.gross} € issued on {one.issued_on}, due on {one.due_on}"
    if last != one.due_on:
        told += f", debited on {last}: not late before"
    words = {
        "payment": "paid", "reversal": "taken back", "credit": "credited",
        "write_off": "written off",
    }  # fmt: skip
    steps = [
        node(
            "movement",
            f"{m.on} {'no longer ' if m.kind == 'write_off' and m.amount < 0 else ''}"
            f"{words[m.kind]} {abs(m.amount)} €",
            f"{m.source + ', ' if m.source else ''}{one.owed_on(m.on)} € owed that evening",
        )
        for m in sorted(one.movements, key=lambda m: m.on)
    ]
    if one.withheld:
        until = f" to {one.released_on}" if one.released_on else ""
        told_of = f"told on {one.withheld_on}{until}: not late meanwhile"
        steps.append(node("movement", f"Retention of {one.withheld} €", told_of))
    return node("invoice", f"Invoice {one.number}", told, steps)


def _interest(late: Late, interest: Interest) -> Iterator[Explanation]:
    """Each stretch done again, then their exact sum, rounded once."""
    exact = Fraction(0)
    for stretch in interest.stretches:
        exact += stretch_interest(late.clause, stretch)
        yield _stretch(late, stretch)
    if not interest.stretches:
        yield node("stretch", "No day was late", "nothing is owed for it")
    if late.category in ("consumer", "non_professional"):
        yield _from_notice(late)
    yield node(
        "sum",
        f"Interest to date {interest.amount} €",
        f"{' + '.join(number(stretch_interest(late.clause, s)) for s in interest.stretches) or 0} "
        f"= {number(exact)}, exact {interest.exact}; rounded HALF_UP to the cent, once",
        check=(
            (interest.amount, Fraction(interest.exact)),
            (rounded(exact, 2), exact),
        )
        if (interest.amount, Fraction(interest.exact)) != (rounded(exact, 2), exact)
        else None,
    )


def _stretch(late: Late, stretch: Stretch) -> Explanation:
    clause, days = late.clause, stretch.period.days
    year = f"/ {clause.days_in_year}" if clause.days_in_year else "/ days of the year"
    found = stretch_interest(clause, stretch)
    return node(
        "stretch",
        f"{stretch.period}: {days} days on {stretch.principal} € at {stretch.rate} %",
        f"{stretch.principal} × {stretch.rate} / 100 × {days} {year} = {number(found)} €; "
        f"{chosen(clause, stretch)}",
        [
            node(
                "principal",
                f"Principal {stretch.principal} €",
                f"late from the end of {stretch.period.start - DAY}",
                check=(stretch.principal, _principal(late.before, stretch)),
            ),
            *_read_again(late, stretch),
            *rates(clause, stretch),
        ],
    )


def _principal(one: Receivable, stretch: Stretch) -> Decimal:
    """What was late during the stretch, by what had happened when it was charged.

    A house may count a credit note from the due day: the invoice then was of what is left.
    """
    last = in_time_until(one) or one.due_on
    moved = tuple(
        replace(m, on=min(m.on, last)) if m.kind == "credit" else m for m in one.movements
    )
    found = [
        _owed_during(replace(one, due_on=last, movements=movements), stretch.period.start)
        for movements in (one.movements, moved)
    ]
    return found[1] if found[1] == stretch.principal else found[0]


def _owed_during(one: Receivable, day: date) -> Decimal:
    left = ZERO
    for since, amount in one.balances():
        if since < day:
            left = amount
    return left


def _read_again(late: Late, stretch: Stretch) -> Iterator[Explanation]:
    replaced = {one.series: one.by_series for one in late.contract.substitutes}
    last = in_time_until(late.before) or late.before.due_on
    try:
        found = rate_between(
            late.clause, stretch.period.start, late.case.book, late.category, replaced, last
        )
    except IndexUnavailable as unavailable:
        yield node("rate", "The rate cannot be read again", str(unavailable), check=("read", "no"))
        return
    told = (stretch.rate, stretch.agreed, stretch.floor, stretch.statutory)
    again = (found.rate, found.agreed, found.floor, found.statutory)
    if told != again:
        yield node("rate", "The rates read again differ", "", check=(told, again))


def chosen(clause: LateInterest, rate: Stretch) -> str:
    """Which rate applies, and why."""
    if rate.agreed is None:
        return "the statutory rate" if rate.statutory is not None else "the legal rate"
    if rate.rate == rate.agreed:
        return rate.warning or "the agreed rate, not under the floor"
    if clause.below_floor == "raise":
        return "the agreed rate is under the floor, and raised to it"
    return "the agreed rate is under the floor, so the statutory one"


def rates(clause: LateInterest, rate: Stretch) -> Iterator[Explanation]:
    """The agreed rate, the floor, the statutory rate, and each value read, with its source."""
    if rate.agreed is not None:
        yield node(
            "rate",
            f"Agreed {rate.agreed} %",
            f"{clause.times} × {rate.readings[0].value} + {clause.points} points",
        )
    if rate.floor is not None:
        legal = rate.readings[1]
        half = half_year_of(date.fromisoformat(legal.period))
        yield node(
            "rate",
            f"Floor {rate.floor} %",
            f"3 × legal interest rate {legal.value}, half-year {half}",
        )
        yield node("policy", f"Policy under the floor: {POLICIES[clause.below_floor]}", FLOOR)
    if rate.statutory is not None:
        base = rate.readings[-1].value
        told = f"ECB refinancing rate {base} + {rate.statutory - base} points (C. com. L441-10)"
        yield node("rate", f"Statutory {rate.statutory} %", told)
    for reading in dict.fromkeys(rate.readings):
        yield node("reading", f"{reading.series} {reading.period}", read(reading))


def _from_notice(late: Late) -> Explanation:
    letters = ", ".join(
        [f"reminder {sent.level} of {sent.sent_on}" for sent in late.before.reminders]
        + [f"letter of {one.sent_on} ({one.about or one.clock})" for one in late.letters]
    )
    return node(
        "notice",
        f"A {late.category.replace('_', '-')} client owes the legal rate from the formal notice on",
        f"C. civ. 1231-6; {letters or 'no letter'}",
    )


def _charged_before(late: Late) -> str:
    told = ", ".join(
        f"{one.amount} € by {one.debit_note}"
        for one in late.before.charged
        if one.kind == "late_interest"
    )
    return told or "by no debit note"


def _substituted(late: Late) -> Iterator[Explanation]:
    if late.clause.series:
        yield from substitutions(late.case, late.clause.series, late.contract.version + 1)


# Its credit note


def _given_back(app: Billing, given: CreditNoteIssued) -> Iterator[Explanation]:
    """What the debit note claimed too much, with the interest as it now comes out."""
    issued: Any = app.invoice_events(given.credits, given.supplier)[0]
    assert isinstance(issued, DebitNoteIssued)
    claimed = dict.fromkeys((line.invoice, line.kind) for line in issued.lines)
    found = []
    for invoice, kind in claimed:
        late = _late(app, given.supplier, invoice, given.number, kind)
        if late.mark is not None:
            found.append((late, late.mark))
    for place, (one, (late, mark)) in enumerate(zip(given.lines, found, strict=False), 1):
        yield node(
            "line",
            f"Line {place}, {one.label} {one.net} €",
            f"{one.note}; {-mark.amount} € of it were claimed by {given.credits}, {one.net} € were "
            "neither credited nor written off yet",
            [_invoice(late), *_now(late, mark), *_marked(mark)],
            check=(one.net, min(one.net, -mark.amount)),
        )
    for one in given.lines[len(found) :]:
        yield node("line", one.label, "no event of an invoice gives it back", check=(one.net, None))


def _now(late: Late, mark: Charged) -> Iterable[Explanation]:
    if isinstance(mark, LateInterestCharged) and mark.interest is not None:
        return _interest(late, mark.interest)
    return [node("fee", "It was not late after all", D441_5)]


def _marked(mark: Charged) -> Iterator[Explanation]:
    yield node("event", f"Given back on {mark.credits}", f"{mark.amount} €; {recorded(mark)}")


# Days


def _due(document: DebitNoteIssued | CreditNoteIssued) -> Iterator[Explanation]:
    if isinstance(document, DebitNoteIssued):
        days = (document.due_on - document.issued_on).days
        yield node(
            "due",
            f"Due on {document.due_on}",
            f"issued on {document.issued_on}, {days} days by the house's policy; it bears no "
            "interest itself",
        )


def _since(later: Sequence[Event]) -> Iterator[Explanation]:
    steps = [
        node("since", words.told(event), recorded(event))
        for event in later
        if isinstance(event, (InvoiceCredited, *SINCE))
    ]
    if steps:
        yield node("since", "Since its issue", "", steps)


__all__ = ["chosen", "explain", "is_one", "rates"]
