"""Which documents a payment pays (imputation des paiements).

"Le débiteur de plusieurs dettes peut indiquer, lorsqu'il paie, celle qu'il entend acquitter. A
défaut d'indication par le débiteur, l'imputation a lieu comme suit : d'abord sur les dettes
échues […]" — C. civ. 1342-10. "Le paiement partiel s'impute d'abord sur les intérêts." — 1343-1

As the payer says; else the documents its remittance text names; else the one document of
exactly that amount; else the oldest due first. What is left is the client's credit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from billing.money import ZERO, to_cents
from billing.receivable import Receivable
from billing.refusal import Refused

How = Literal["as told", "remittance", "amount", "oldest due", "not allocated"]
MOST = 10**12  # No payment is that large; a typing error is.
WORDS = 4  # A number is written in at most so many words: F 2026 000 123.

_WORD = re.compile(r"[0-9A-Za-z]+")


class Part(NamedTuple):
    """What of a payment goes to one document, in euros."""

    document: Receivable
    amount: Decimal


class Allocation(NamedTuple):
    """Where a payment goes, by which rule, and what of it is left to the client."""

    parts: tuple[Part, ...]
    how: How
    left: Decimal


class SetOff(NamedTuple):
    """What was credited too much on one document pays another of the client (compensation)."""

    credit: Receivable
    document: Receivable
    amount: Decimal
    on: date


def allocate(
    amount: Decimal,
    documents: Iterable[Receivable],
    said: Mapping[str, Decimal | None],
    remittance: str = "",
    interest_first: Container[str] = (),
) -> Allocation:
    """Shares an amount among documents of one client.

    `said` names documents, with an amount or as much as they need. `interest_first` are the
    contracts whose debit notes are paid before their invoices. What the payer did not name is
    left alone while a direct debit of it is under way, and what is withheld of it too.
    """
    known = in_order(documents, interest_first)
    if said:
        return _shared(amount, _told(amount, {d.number: d for d in known}, said), "as told")
    payable = [d for d in known if d.owed > 0]
    if named := numbered(remittance, payable):
        named = [d for d in payable if d in named]
        return _shared(amount, ((d, min(d.owed, amount)) for d in named), "remittance")
    free = [d for d in payable if d.due > 0 and not d.collecting and d.disputed_on is None]
    exact = [d for d in free if amount in (d.due, d.owed)]
    if len(exact) == 1:
        return Allocation((Part(exact[0], amount),), "amount", ZERO)
    return _shared(amount, ((d, d.due) for d in free), "oldest due")


def in_order(
    documents: Iterable[Receivable], interest_first: Container[str] = ()
) -> list[Receivable]:
    """The order in which documents are paid: interest and fees where they come first, then age."""

    def rank(d: Receivable) -> tuple[bool, date, date, str]:
        principal = d.kind != "debit_note" or d.contract not in interest_first
        return principal, d.due_on, d.issued_on, d.number

    return sorted(documents, key=rank)


def numbered(text: str, documents: Iterable[Receivable]) -> list[Receivable]:
    """The documents whose numbers a text names, however it separates their parts.

    A number that could be of two documents names neither.
    """
    written: dict[str, Receivable | None] = {}
    for document in documents:
        key = _key(_WORD.findall(document.number))
        written[key] = None if key in written else document
    words = _WORD.findall(text)
    found: dict[str, Receivable] = {}
    for first in range(len(words)):
        for last in range(first + 1, min(first + WORDS, len(words)) + 1):
            if named := written.get(_key(words[first:last])):
                found.setdefault(named.number, named)
    return list(found.values())


def set_off(
    sources: Sequence[Receivable],
    documents: Sequence[Receivable],
    interest_first: Container[str] = (),
    at_most: Decimal | None = None,
) -> Iterator[SetOff]:
    """What was paid or credited too much on some documents pays the others, the oldest first.

    From the day both debts are there (C. civ. 1347).
    """
    rest = sum((-s.owed for s in sources), ZERO) if at_most is None else at_most
    used = dict.fromkeys((d.number for d in (*sources, *documents)), ZERO)
    for source in in_order(sources):
        for document in in_order(documents, interest_first):
            room = document.owed - used[document.number]
            amount = min(rest, -source.owed - used[source.number], room)
            if amount <= 0:
                continue
            rest -= amount
            used[source.number] += amount
            used[document.number] += amount
            on = max(
                credited_since(source, used[source.number]),
                owed_since(document, used[document.number]),
            )
            yield SetOff(source, document, amount, on)


def owed_since(document: Receivable, amount: Decimal) -> date:
    """The day from which at least that much has been owed on a document."""
    return _since(document, lambda owed: owed >= amount)


def credited_since(document: Receivable, amount: Decimal) -> date:
    """The day from which at least that much has been the client's on a document."""
    return _since(document, lambda owed: owed <= -amount)


def _since(document: Receivable, holds: Callable[[Decimal], bool]) -> date:
    """The day from which it has always held of what is owed; it holds now."""
    days = sorted({document.issued_on, *(m.on for m in document.movements)})
    since = days[-1]
    for day in reversed(days):
        if not holds(document.owed_on(day)):
            break
        since = day
    return max(since, document.issued_on)


def _told(
    amount: Decimal, known: Mapping[str, Receivable], said: Mapping[str, Decimal | None]
) -> Iterator[tuple[Receivable, Decimal]]:
    """The documents the payer names and what each gets; refuses what cannot be."""
    told: dict[str, Decimal | None] = {}
    for number, wanted in said.items():
        document = known[number]
        payable(document)
        told[number] = None if wanted is None else whole_cents(wanted, number)
        if wanted is not None and wanted > document.owed:
            raise Refused(
                f"{number}: {wanted} € to allocate; expected at most the {document.owed} € that "
                "are owed on it"
            )
    left = amount - sum((part or ZERO for part in told.values()), ZERO)
    if left < 0:
        raise Refused(f"{amount - left} € to allocate, of {amount} € that are left")
    for number, document in known.items():
        if number not in told:
            continue
        part = told[number]
        if part is None:
            part = min(left, document.owed)
            left -= part
            if not part:
                raise Refused(f"{number}: nothing is left for it of {amount} €")
        yield document, part


def whole_cents(amount: Decimal, what: str) -> Decimal:
    """The amount, when it is some whole cents."""
    if amount.is_nan():
        amount = ZERO
    if not 0 < amount < MOST or amount != to_cents(amount):
        raise Refused(
            f"{what}: an amount of {amount} €; expected whole cents, more than 0 and less than "
            f"{MOST}"
        )
    return to_cents(amount)


def payable(document: Receivable) -> None:
    """Refuses a document on which nothing can be paid, and says why."""
    if document.owed > 0:
        return
    number = document.number
    if document.kind == "credit_note":
        raise Refused(f"{number} is a credit note; nothing is paid on it")
    if written_off := [m for m in document.movements if m.kind == "write_off"]:
        raise Refused(
            f"{number} was already written off on {written_off[-1].on}; `billing pay --invoice` "
            "records what is paid of it after all"
        )
    last = max((m.on for m in document.movements), default=document.issued_on)
    raise Refused(f"{number}: nothing is owed on it since {last}")


def _shared(amount: Decimal, wanted: Iterable[tuple[Receivable, Decimal]], how: How) -> Allocation:
    left, parts = amount, list[Part]()
    for document, room in wanted:
        part = min(left, room)
        if part > 0:
            parts.append(Part(document, part))
            left -= part
    return Allocation(tuple(parts), how if parts else "not allocated", left)


def _key(words: Sequence[str]) -> str:
    return "".join(words).upper()
