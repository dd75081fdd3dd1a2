"""Collections: which documents are debited on which day, under which mandate (prélèvements).

A document is debited on a day the debtor was told of, at least as many calendar days before as
was agreed (pré-notification: 14 unless agreed shorter). The invoice tells of its own debit: its
amount, and the agreed day of the month on or after the due day (`clauses.payment.collected_on`).
A schedule for a year, or a notice, tells of the others. A debit that missed its day, because the
file was made too late for the bank or because it came back, is never moved in silence: it waits
to be announced anew, for the next agreed day. What is debited may be less than what was told,
when part of it was paid or credited since; never more.

Pure: the documents owed, the mandates and the clauses come in, debits and sentences go out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Literal, NamedTuple

from msgspec import Struct

from billing.clauses.interest import Category
from billing.clauses.payment import Payment, collected_on
from billing.dates import DAY, is_target_day
from billing.events.payment import CollectionFileSubmitted
from billing.mandate import Announced, Mandate, Told, stranger, usable
from billing.money import ZERO
from billing.receivable import Receivable

Sequence = Literal["FRST", "RCUR", "FNAL", "OOFF"]


class File(Struct, frozen=True, array_like=True, gc=False):
    """A file of direct debits handed over (remise); amounts in euros."""

    message: str
    version: int
    supplier: str
    schema: str
    created_on: date
    count: int
    total: Decimal
    digest: str


def apply(_: File | None, event: CollectionFileSubmitted) -> File:
    """The file once it is recorded; nothing more happens to it."""
    return File(
        event.message,
        event.originator_version,
        event.supplier,
        event.schema,
        event.created_on,
        event.count,
        event.total,
        event.digest,
    )


class Agreed(NamedTuple):
    """What a contract says of its debits: its payment clause, its mandate now."""

    payment: Payment
    mandate: str


class Rules(NamedTuple):
    """What the bank and the house ask for, on the day the file is handed over (`on`).

    `earliest` is the first day the bank still collects on, by scheme (its lead time). A file is
    taken at most `ahead` calendar days before (EPC: 14). `again` are the reasons after which the
    bank's return may be presented once more, at most `retries` times, not before `retry_days`
    calendar days; `stops` those after which an account or a mandate is debited no more.
    """

    on: date
    until: date
    earliest: Mapping[str, date]
    ahead: int = 14
    retries: int = 1
    retry_days: int = 8
    again: frozenset[str] = frozenset()
    stops: Mapping[str, str] = {}


class Debit(NamedTuple):
    """One direct debit to ask for: the whole of what is due on a document, in euros."""

    receivable: Receivable
    mandate: Mandate
    end_to_end: str
    amount: Decimal
    collected_on: date
    announced_on: date
    sequence: Sequence = "RCUR"
    original: Told | None = None


class Left(NamedTuple):
    """A document that is not debited, and why; `to_announce_for` a day it can be, once told."""

    receivable: Receivable
    mandate: str
    amount: Decimal
    why: str
    to_announce_for: date | None = None


class Plan(NamedTuple):
    """The debits, by mandate and day, what is left out, how many come later."""

    debits: tuple[Debit, ...]
    left: tuple[Left, ...]
    later: int


class _Told(NamedTuple):
    """A day the debtor was told of, when, at most for how much, and the line of a schedule."""

    collected_on: date
    announced_on: date
    at_most: Decimal
    scheduled: Announced | None = None


class _Case(NamedTuple):
    """A document, the mandate it would be debited under, the clause, who the client is."""

    receivable: Receivable
    mandate: Mandate | None
    name: str
    payment: Payment
    category: Category

    def left(self, why: str, day: date | None = None) -> Left:
        return Left(self.receivable, self.name, self.receivable.due, why, day)


def plan(
    receivables: Iterable[Receivable],
    mandates: Mapping[str, Mandate],
    agreed: Mapping[str, Agreed],
    categories: Mapping[str, Category],
    rules: Rules,
    fault: Callable[[Debit], str] = lambda debit: "",
    ending: frozenset[str] = frozenset(),
) -> Plan:
    """What is debited up to `rules.until`, of the documents payable by direct debit.

    `agreed` is by contract, `categories` by client. `fault` says why a bank would not take a
    debit. `ending` are the mandates of contracts that are over, with nothing left but these
    documents: their last debit is final.
    """
    found: list[Debit] = []
    left: list[Left] = []
    open_: set[str] = set()  # Mandates under which something is still to come.
    taken: set[int] = set()  # Lines of schedules: each announces one debit.
    later = 0
    for r in receivables:
        if r.means != "direct_debit" or r.owed <= 0:
            continue
        terms = agreed[r.contract]
        name = mandate_of(r, terms.mandate, mandates, rules.on)
        category = categories.get(r.client, "professional")
        case = _Case(r, mandates.get(name), name, terms.payment, category)
        told = _decided(case, mandates, rules, taken)
        if isinstance(told, Left):
            open_.add(name)
            if r.collected_on is not None and r.collected_on > rules.until:
                later += 1
            else:
                left.append(told)
        elif told.collected_on > min(rules.until, rules.on + rules.ahead * DAY):
            open_.add(name)
            later += 1
        elif why := fault(told):
            open_.add(name)
            left.append(case.left(why))
        else:
            found.append(told)
            if told.amount != r.owed:
                open_.add(name)
    debits, too_many = _sequenced(found, ending - open_)
    return Plan(tuple(debits), (*left, *too_many), later)


def mandate_of(r: Receivable, agreed: str, mandates: Mapping[str, Mandate], on: date) -> str:
    """Under which mandate a document is debited on a day or later, of those known.

    The contract's now; else the one it was issued under, if that alone is of its company and its
    client: an assignment takes nothing from the mandate of the side that left.
    """
    day = max(r.payable_on, on)
    for name in (agreed, r.mandate):
        known = mandates.get(name)
        if known is not None and not stranger(known, r.supplier, r.client, day):
            return name
    return agreed or r.mandate


def _decided(
    case: _Case, mandates: Mapping[str, Mandate], rules: Rules, taken: set[int]
) -> Debit | Left:
    """The day a document is debited, or why it is not."""
    r, mandate, name, payment, _ = case
    if r.collecting:
        return case.left(f"the debit {r.collecting} of {r.collecting_on} is on its way")
    if r.disputed_on is not None:
        return case.left(f"it is disputed since {r.disputed_on}")
    if r.due <= 0:
        return case.left(f"the {r.owed} € owed are withheld (retenue de garantie)")
    if mandate is None:
        missing = f"no mandate {name} is known" if name else f"{r.contract} has no mandate any more"
        return case.left(missing)
    again_from = date.min
    if r.attempts:
        told = _presented_again(case, mandates, rules)
        if isinstance(told, Left):
            return told
        again_from = told
    first = max(rules.earliest[mandate.scheme], again_from)
    days = list(_told(r, mandate, payment, taken))
    chosen = min(
        (day for day in days if day.collected_on >= first and day.at_most >= r.due),
        key=lambda day: day.collected_on,
        default=None,
    )
    if chosen is None:
        on = collected_on(payment, max(r.due_on, first), rules.on)
        if why := _unfit(case, mandate, on, rules):
            return case.left(why)
        return case.left(_untold(r, mandate, days, first, again_from), on)
    if why := _unfit(case, mandate, chosen.collected_on, rules):
        return case.left(why)
    if chosen.scheduled is not None:
        taken.add(id(chosen.scheduled))
    attempt = r.attempts + 1
    end_to_end = r.number if attempt == 1 else f"{r.number}/{attempt}"
    return Debit(r, mandate, end_to_end, r.due, chosen.collected_on, chosen.announced_on)


def _presented_again(case: _Case, mandates: Mapping[str, Mandate], rules: Rules) -> date | Left:
    """From which day a document may be debited again, by why its last debit came back."""
    r, mandate = case.receivable, case.mandate
    assert mandate is not None
    for under in (mandate, mandates.get(r.mandate)):
        for back in under.came_back if under is not None else ():
            if (back.supplier, back.invoice) != (r.supplier, r.number):
                continue
            since = f"its debit came back on {back.returned_on} ({back.kind}, {back.code})"
            stopped = {code for code, _ in mandate.stopped}
            if back.code in rules.stops and (under is not mandate or back.code not in stopped):
                return date.min  # Another account, or another mandate since.
            if back.kind not in ("reject", "return") or back.code not in rules.again:
                return case.left(f"{since}, for a reason not to ask again: have it paid otherwise")
            if r.returns > rules.retries:
                return case.left(f"{since}, {r.returns} times in all: have it paid otherwise")
            return back.returned_on + rules.retry_days * DAY
    return date.min


def _told(r: Receivable, mandate: Mandate, payment: Payment, taken: set[int]) -> Iterator[_Told]:
    """The days the debtor was told of, early enough, and at most for how much."""
    if r.attempts == 0 and r.collected_on is not None:
        yield _Told(r.collected_on, r.issued_on, r.gross)
    if not mandate.announced:
        return
    notice = payment.prenotification_days * DAY
    early = [
        one
        for one in sorted(mandate.announced, key=lambda one: one.collected_on)
        if one.announced_on + notice <= one.collected_on and is_target_day(one.collected_on)
    ]
    for one in early:
        if one.invoice == r.number:
            yield _Told(one.collected_on, one.announced_on, one.amount)
    if r.attempts == 0:
        for one in early:  # Of a schedule: the debit of that amount that follows the due day.
            if (
                (one.invoice, one.contract, one.amount) == ("", r.contract, r.gross)
                and one.collected_on >= r.due_on
                and id(one) not in taken
            ):
                yield _Told(one.collected_on, one.announced_on, one.amount, one)
                return


def _unfit(case: _Case, mandate: Mandate, on: date, rules: Rules) -> str:
    """Why the document cannot be debited under that mandate on that day."""
    r = case.receivable
    if why := stranger(mandate, r.supplier, r.client, on):
        return why
    creditor, identifier = mandate.creditor_on(on)
    if not identifier:
        return f"{creditor} has no creditor identifier (ICS)"
    return usable(mandate, on, case.category, rules.stops)


def _untold(
    r: Receivable, mandate: Mandate, days: Iterable[_Told], first: date, again_from: date
) -> str:
    """Why none of the days the debtor was told of will do."""
    if enough := [day.collected_on for day in days if day.at_most >= r.due]:
        return (
            f"announced for {max(enough)}, and the bank collects from {first} on what it is handed "
            f"today ({mandate.scheme}): announce another day"
        )
    if told := [day.at_most for day in days]:
        return f"{max(told)} € were announced and {r.due} € are due: announce the amount"
    if again_from > date.min:
        return f"it came back, and may be presented again from {again_from} on: announce the day"
    return "no debit of it was announced: announce the day"


def _sequenced(debits: Iterable[Debit], ending: frozenset[str]) -> tuple[list[Debit], list[Left]]:
    """The debits of each mandate in their order: the first, the following, the last, the only.

    The bank is told of an amendment once, with the first debit after it.
    """
    placed: list[Debit] = []
    too_many: list[Left] = []
    of_mandate = groupby(sorted(debits, key=_place), key=lambda d: d.mandate.reference)
    for name, group in of_mandate:
        some = list(group)
        mandate = some[0].mandate
        if not mandate.recurrent:
            why = f"mandate {name} is for one debit, of {some[0].receivable.number}"
            too_many += [Left(d.receivable, name, d.amount, why) for d in some[1:]]
            some = some[:1]
        known, first = mandate.known, mandate.first
        for rank, debit in enumerate(some, 1):
            now = mandate.told_on(debit.collected_on)
            original = None if known in (None, now) else known
            sequence: Sequence = "FRST" if first else "RCUR"
            if not mandate.recurrent:
                sequence = "OOFF"
            elif not first and rank == len(some) and name in ending:
                sequence = "FNAL"
            placed.append(debit._replace(sequence=sequence, original=original))
            known, first = now, False
    return placed, too_many


def _place(debit: Debit) -> tuple[str, date, str]:
    return debit.mandate.reference, debit.collected_on, debit.receivable.number


def total(debits: Iterable[Debit]) -> Decimal:
    """What some debits come to, in euros."""
    return sum((debit.amount for debit in debits), ZERO)
