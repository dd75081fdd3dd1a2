"""Revenue by month: what was billed, what was earned, what is deferred (chiffre d'affaires).

A line is earned day by day over its period, by months: at the end of each, what is left of it is
its net × days left / days, to the cent, as the books defer it (487); a month earns the difference,
so that the months sum to the line. A line without a period is earned the day it is issued. A
credit note takes back billed and earned alike, in the months of its own lines.

    deferred − accrued = billed − earned      (each up to a month's end)

Deferred (produits constatés d'avance) is billed before it is earned, accrued (produits à recevoir)
the other way round. Taking a deposit is no sale: neither deposit invoices nor the lines that deduct
them are revenue, and what they pay for is, whole. Nor are interest and fees for being late (debit
notes, and the credit notes on them), and deposits kept of orders given up: they are in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import Index, Table

from billing.dates import Period, months_of
from billing.documents.chart import OF_CREDITS
from billing.events import Event
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line
from billing.money import rounded_ratio
from projections.bodies import in_cents
from projections.database import Totals
from projections.tables import cents, day, key, metadata, stream, whole
from projections.view import StreamView, Told, topics_of

OTHER: Final = "other"
"""What a document sells beyond its lines, when it was recorded without all of them."""

NOT_SOLD: Final = frozenset(("deposit", "deposit_rate"))

revenue_month = Table(
    "revenue_month",
    metadata,
    stream(),
    day("month", "The first day of the month"),
    key("kind", "What was sold: fee, catch_up, usage, work, one_off, indemnity …"),
    key("document", "The number of the invoice or credit note"),
    key("supplier", "Who issued it"),
    key("client", "Whom it is for"),
    key("contract", "The contract it follows from"),
    cents("billed_cents", "Invoiced that month, before tax"),
    cents("earned_cents", "Earned in that month, whenever it is invoiced"),
    cents("deferred_cents", "Moved to what is billed before it is earned; back when negative"),
    cents("accrued_cents", "Moved to what is earned before it is billed; back when negative"),
    comment="What each document billed and earned, by month and kind",
)
_key = (revenue_month.c.stream, revenue_month.c.month, revenue_month.c.kind)
Index("revenue_month_key", *_key, unique=True)
Index("revenue_month_contract", revenue_month.c.contract, revenue_month.c.month)
Index("revenue_month_by", revenue_month.c.month, revenue_month.c.supplier)

revenue_total = Table(
    "revenue_total",
    metadata,
    key("supplier", "Who sells", primary=True),
    day("month", "The first day of the month", primary=True),
    key("kind", "What was sold", primary=True),
    whole("lines", "How many rows are added up"),
    cents("billed_cents", "Invoiced that month, before tax"),
    cents("earned_cents", "Earned in that month"),
    cents("deferred_cents", "Moved to what is billed before it is earned"),
    cents("accrued_cents", "Moved to what is earned before it is billed"),
    comment="What a company billed and earned, by month and kind",
)

_DOCUMENTS: Final = (InvoiceIssued, CreditNoteIssued)

Months = tuple[tuple[date, int], ...]
"""What a line earns, in cents, by month."""


class Revenue(StreamView):
    """What documents billed and earned."""

    name = "revenue"
    tables = (revenue_month,)
    totals = (Totals(revenue_total, revenue_month),)
    topics: ClassVar = topics_of(InvoiceIssued, CreditNoteIssued)

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterator[Told]:
        """The months of a document."""
        (document,) = events
        assert isinstance(document, _DOCUMENTS)
        issued_in = document.issued_on.replace(day=1)
        number, supplier = document.number, document.supplier
        client, contract = document.client, document.contract
        for kind, (billed, earned) in _by_kind(document, issued_in).items():
            deferred = accrued = 0
            so_far = 0
            for month in sorted({issued_in, *earned}):
                so_far += (gain := earned.get(month, 0))
                before = deferred, accrued
                deferred = billed - so_far if month >= issued_in else 0
                accrued = so_far if month < issued_in else 0
                row = (
                    id, month, kind, number, supplier, client, contract,
                    billed if month == issued_in else 0, gain,
                    deferred - before[0], accrued - before[1],
                )  # fmt: skip
                yield revenue_month, row


def _by_kind(
    document: InvoiceIssued | CreditNoteIssued, issued_in: date
) -> dict[str, tuple[int, dict[date, int]]]:
    """What a document bills and earns, in cents, by kind."""
    sign = 1 if isinstance(document, InvoiceIssued) else -1
    found: dict[str, tuple[int, dict[date, int]]] = {}
    rest = in_cents(document.net)
    for line in document.lines:
        net = in_cents(line.net)
        rest -= net
        if line.kind in NOT_SOLD or line.code in OF_CREDITS:
            continue
        _add(found, line.kind, sign * net, _earned(line, sign * net, issued_in))
    if rest:
        _add(found, OTHER, sign * rest, ((issued_in, sign * rest),))
    return found


def _add(
    found: dict[str, tuple[int, dict[date, int]]], kind: str, net: int, months: Months
) -> None:
    known = found.get(kind)
    if known is None:
        found[kind] = net, dict(months)
        return
    billed, earned = known
    for month, gain in months:
        earned[month] = earned.get(month, 0) + gain
    found[kind] = billed + net, earned


def _earned(line: Line, net: int, issued_in: date) -> Months:
    over = spread(line.period, net) if line.period is not None else ()
    return over or ((issued_in, net),)


@lru_cache(maxsize=65536)  # The same fees of the same months, over and over.
def spread(period: Period, net: int) -> Months:
    """An amount in cents earned over a period, by month; nothing when it has no day."""
    found: list[tuple[date, int]] = []
    left = net
    for month, after in _days_left(period):
        rest = int(rounded_ratio(net * after, period.days, 0)) if after else 0
        found.append((month, left - rest))
        left = rest
    return tuple(found)


@lru_cache(maxsize=4096)
def _days_left(period: Period) -> tuple[tuple[date, int], ...]:
    """The months a period touches, each with its days after that month's end."""
    return tuple(
        (month.start, max(0, (period.end - month.end).days)) for month in months_of(period)
    )
