"""What clients owe: aged balance, statement of account, days of sales outstanding.

Read from the receivables book, at any day: what a document was owed then follows from its
movements. Amounts in euros, tax included; what is owed to the client is negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from billing.application.core import Billing
from billing.application.receivables import Book, book
from billing.arrears import ages_from
from billing.dates import DAY, NEVER, Period, month_of
from billing.money import ZERO, rounded
from billing.payment import Payment
from billing.receivable import Movement, Receivable
from billing.refusal import Refused


class Aged(Struct, frozen=True, kw_only=True):
    """What a client owes, by how late it is, in days (balance âgée).

    `credit` is what is the client's: payments not allocated, documents paid or credited too much.
    `withheld` is the part of `not_due` kept as a guarantee; once released, it ages from that day.
    """

    client: str
    not_due: Decimal = ZERO
    days_1_30: Decimal = ZERO
    days_31_60: Decimal = ZERO
    days_61_90: Decimal = ZERO
    days_over_90: Decimal = ZERO
    credit: Decimal = ZERO
    total: Decimal = ZERO
    withheld: Decimal = ZERO


class Open(Struct, frozen=True):
    """A document of which something is owed on a day.

    `late` is in days since `payable_on`, the due day or the agreed day of its debit; 0 before.
    """

    number: str
    kind: str
    supplier: str
    client: str
    contract: str
    issued_on: date
    due_on: date
    gross: Decimal
    owed: Decimal
    withheld: Decimal
    late: int
    payable_on: date


class Balance(Struct, frozen=True):
    """The aged balance of a day: a line a client, and their sum."""

    at: date
    clients: tuple[Aged, ...]
    total: Aged
    documents: tuple[Open, ...] = ()


class Entry(NamedTuple):
    """A line of a statement of account: debit is what the client owes more, credit what less."""

    on: date
    what: str
    reference: str
    debit: Decimal
    credit: Decimal
    balance: Decimal


class Statement(Struct, frozen=True):
    """What happened on a client's account from a day to another, inclusive (relevé de compte)."""

    client: str
    start: date
    end: date
    opening: Decimal
    entries: tuple[Entry, ...]
    closing: Decimal


class Dso(Struct, frozen=True):
    """Days of sales outstanding, by two methods, with their sums (délai moyen de règlement).

    `exhausted`: more is owed than was ever sold; the count goes back to the first sale only.
    """

    at: date
    owed: Decimal
    days: int
    sales: Decimal
    simple: Decimal | None
    count_back: Decimal | None
    simple_formula: str
    count_back_formula: str
    exhausted: bool = False


# The aged balance

_BUCKETS = ((0, "not_due"), (30, "days_1_30"), (60, "days_31_60"), (90, "days_61_90"))


def bucket(late: int) -> str:
    """The column of what is that many days late."""
    return next((name for most, name in _BUCKETS if late <= most), "days_over_90")


def aged(
    app: Billing, at: date, client: str | None = None, supplier: str = "", detail: bool = False
) -> Balance:
    """What is owed at the end of a day, by client and age; `detail` names the documents."""
    app.must_know(client, supplier)
    found = book(app)
    lines: dict[str, dict[str, Decimal]] = {}
    documents: list[Open] = []

    def add(whose: str, column: str, amount: Decimal) -> None:
        line = lines.setdefault(whose, {})
        line[column] = line.get(column, ZERO) + amount

    for r in _documents(found, app.today, at, client, supplier):
        owed = r.owed_on(at)
        if owed < 0:
            add(r.client, "credit", owed)
        elif owed:
            kept, released = (min(part, owed) for part in _withheld(r, at))
            payable = ages_from(r)
            late = max((at - payable).days, 0)
            since = max((at - max(payable, r.released_on or payable)).days, 0)
            add(r.client, "not_due", kept)
            add(r.client, "withheld", kept)
            add(r.client, bucket(since), released)
            add(r.client, bucket(late), owed - kept - released)
            if detail:
                days = since if owed == released else late
                documents.append(_open(r, owed, kept, days, payable))
    for payment in found.payments(client, at >= app.today, supplier):
        if left := payment.left_on(at):
            add(payment.client, "credit", -left)
    clients = tuple(_line(whose, columns) for whose, columns in sorted(lines.items()))
    whole: dict[str, Decimal] = {}
    for columns in lines.values():
        for column, amount in columns.items():
            whole[column] = whole.get(column, ZERO) + amount
    return Balance(
        at,
        clients,
        _line("", whole),
        tuple(sorted(documents, key=lambda d: (d.client, d.due_on, d.number))),
    )


def _open(r: Receivable, owed: Decimal, withheld: Decimal, late: int, payable_on: date) -> Open:
    return Open(
        r.number, r.kind, r.supplier, r.client, r.contract, r.issued_on, r.due_on, r.gross, owed,
        withheld, late if owed > withheld else 0, payable_on,
    )  # fmt: skip


def _line(client: str, columns: dict[str, Decimal]) -> Aged:
    total = sum((a for column, a in columns.items() if column != "withheld"), ZERO)
    return Aged(client=client, total=total, **columns)


def _documents(
    found: Book, today: date, at: date, client: str | None, supplier: str
) -> Iterable[Receivable]:
    """The documents of which something may be owed on a day: all of them, for a day gone by."""
    if at < today:
        return found.documents(client, supplier)
    return chain(found.open(client, supplier=supplier), found.credits(client, supplier))


def _withheld(r: Receivable, at: date) -> tuple[Decimal, Decimal]:
    """What of a retention is kept on a day, and what of it was released."""
    if r.withheld_on is None or r.withheld_on > at:
        return ZERO, ZERO
    if r.released_on is None or r.released_on > at:
        return r.withheld, ZERO
    return ZERO, r.withheld


# The statement of account


def statement(
    app: Billing, client: str, start: date | None, end: date, supplier: str = ""
) -> Statement:
    """The lines of a client's account, with the running balance."""
    app.must_know(client, supplier)
    if start is not None and start > end:
        raise Refused(f"from {start} to {end}: the first day comes first")
    found = book(app)
    lines = sorted(
        chain(
            (one for r in found.documents(client, supplier) for one in _of_document(r)),
            (one for p in found.payments(client, False, supplier) for one in _of_payment(p)),
        )
    )
    opening = balance = ZERO
    entries: list[Entry] = []
    for on, _, what, reference, amount in lines:
        if on > end:
            break
        balance += amount
        if start is not None and on < start:
            opening = balance
            continue
        debit, credit = max(amount, ZERO), max(-amount, ZERO)
        entries.append(Entry(on, what, reference, debit, credit, balance))
    first = start or (entries[0].on if entries else end)
    return Statement(client, first, end, opening, tuple(entries), balance)


_Line = tuple[date, int, str, str, Decimal]
"""Day, rank within the day, what, its reference, what more is owed."""

_ISSUED = {"invoice": "invoice", "deposit": "deposit invoice", "debit_note": "debit note"}


def _of_document(r: Receivable) -> Iterator[_Line]:
    """What a document does to the account: its payments and set-offs are told elsewhere."""
    if r.kind != "credit_note":
        yield r.issued_on, 0, _ISSUED[r.kind], r.number, r.gross
    for m in r.movements:
        if what := _moved(r, m):
            yield m.on, 1, what, m.source or r.number, -m.amount


def _moved(r: Receivable, m: Movement) -> str:
    if m.kind == "credit":
        return f"credit note on {r.number}"
    if m.kind == "write_off":
        return f"{r.number} written off" if m.amount > 0 else f"{r.number} no longer written off"
    if m.of == "collection":
        what = "returned" if m.kind == "reversal" else "collected"
        return f"direct debit of {r.number} {what}"
    return f"refund of {r.number}" if not m.of else ""


def _of_payment(p: Payment) -> Iterator[_Line]:
    means = p.means.replace("_", " ")
    yield p.value_on, 1, f"payment by {means}", p.reference, -p.amount
    for refund in p.refunds:
        yield refund.on, 1, "refund of a payment", p.reference, refund.amount
    if p.rejected_on is not None:
        yield p.rejected_on, 1, f"{means} rejected", p.reference, p.amount


# Days of sales outstanding

SIMPLE = "owed at the day ÷ sales of the last {days} days × {days}, tax included"
COUNT_BACK = (
    "from the day back, month by month: as many days as the owed covers whole months of sales, "
    "and of the last one the share it covers; tax included"
)


def dso(app: Billing, at: date, days: int = 90, supplier: str = "") -> Dso:
    """How many days of sales are owed at the end of a day, tax included.

    Debit notes are no sales: what is owed on them is left out too, lest lateness count twice.
    """
    if days < 1:
        raise Refused(f"sales of {days} days; expected at least 1")
    app.must_know(supplier)
    found = book(app)
    owed, recent = ZERO, ZERO
    sales: dict[date, Decimal] = {}  # By first day of the month, up to that day.
    last = Period(at - (days - 1) * DAY, at + DAY)
    for r in found.documents(supplier=supplier):
        if r.kind not in ("invoice", "deposit"):
            continue
        owed += r.owed_on(at)
        credited = ((m.on, -m.amount) for m in r.movements if m.kind == "credit")
        for on, amount in chain([(r.issued_on, r.gross)], credited):
            if on <= at:
                month = on.replace(day=1)
                sales[month] = sales.get(month, ZERO) + amount
                recent += amount if on in last else ZERO
    owed -= sum((p.left_on(at) for p in found.payments(None, False, supplier)), ZERO)
    counted, exhausted = _counted_back(max(owed, ZERO), sales, at)
    return Dso(
        at,
        owed,
        days,
        recent,
        rounded(Fraction(max(owed, ZERO)) / Fraction(recent) * days, 1) if recent > 0 else None,
        rounded(counted, 1) if sales else None,
        SIMPLE.format(days=days),
        COUNT_BACK,
        exhausted,
    )


def _counted_back(owed: Decimal, sales: dict[date, Decimal], at: date) -> tuple[Fraction, bool]:
    """The days, and whether the sales known do not cover what is owed."""
    left, days = Fraction(owed), Fraction(0)
    first = min(sales, default=NEVER)
    month = month_of(at) & Period(first, at + DAY)
    while left > 0 and month.start >= first and month.days:
        sold = Fraction(max(sales.get(month.start, ZERO), ZERO))
        if sold >= left:
            return days + month.days * left / sold, False
        left -= sold
        days += month.days
        if month.start == first:
            return days, True
        month = month_of(month.start - DAY)
    return days, left > 0
