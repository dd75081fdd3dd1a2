"""What is owed (comptes clients): by document, and what payments have left.

Rows follow the receivables book of the engine: a document's own events, its direct debits, its
payments. Of each document

    gross = credited + paid + written off + owed

and every movement has its row, so that what was owed at the end of any day is a sum in SQL
(`receivables_at.owed_on`). A credit note is owed nothing: it has no row here, but a movement on
the invoice it gives back. Amounts include tax; what the client has paid too much is negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import Index, Table

from billing import payment as payments
from billing import receivable as receivables
from billing.arrears import ages_from, asked_from
from billing.dates import DAY
from billing.events import Event
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.money import ZERO
from billing.payment import Payment
from billing.receivable import Receivable
from projections.bodies import in_cents, json_of
from projections.database import made
from projections.tables import (
    body,
    cents,
    day,
    key,
    metadata,
    private,
    stream,
    whole,
)
from projections.view import (
    Noted,
    Rows,
    Source,
    Told,
    View,
    gathered,
    invoice_id,
    paged,
    payment_id,
)

receivable = Table(
    "receivable",
    metadata,
    stream(),
    key("supplier", "To whom it is owed", primary=True),
    key("number", "The document's number", primary=True),
    key("kind", "invoice, deposit or debit_note"),
    key("client", "Who owes it"),
    key("contract", "The contract it is billed under"),
    day("issued_on", "The day the document bears"),
    day("due_on", "The last day to pay it, as the document says"),
    day("payable_on", "The last day to pay it, or the agreed day of its debit: it ages from then"),
    cents("gross_cents", "What it claims"),
    cents("credited_cents", "What credit notes gave back of it"),
    cents("paid_cents", "What was paid of it, less what was taken back"),
    cents("written_off_cents", "What was given up for lost"),
    cents("owed_cents", "What is left; negative when too much was paid or credited"),
    cents("retention_cents", "The guarantee the client keeps, or kept (retenue de garantie)"),
    day("withheld_on", "The day the retention was told", optional=True),
    day("released_on", "The day it was released", optional=True),
    day("disputed_on", "Since when the client contests it", optional=True),
    day("late_from", "The first day that is late, while something is owed", optional=True),
    whole("reminded", "The last level of reminder that was sent, 0 for none"),
    cents("interest_cents", "Late interest charged so far"),
    day("interest_until", "Up to which day, inclusive", optional=True),
    cents("fee_cents", "Recovery fee charged (indemnité forfaitaire)"),
    day("paid_on", "The last day something was paid", optional=True),
    day("moved_on", "The last day anything changed what is owed", optional=True),
    key("means", "How it is to be paid"),
    key("mandate", "The mandate it is debited under"),
    day("collected_on", "The day of its direct debit, as it was announced", optional=True),
    key("debit", "The direct debit handed to the bank that has no answer yet"),
    day("debited_on", "The day of that debit", optional=True),
    whole("returns", "How many of its debits came back"),
    body(),
    comment="What is owed on each document (créances)",
)
_open = receivable.c.owed_cents != 0
Index("receivable_stream", receivable.c.stream)
Index("receivable_client", receivable.c.client, receivable.c.due_on)
Index("receivable_contract", receivable.c.contract)
Index("receivable_due_on", receivable.c.due_on, receivable.c.supplier, receivable.c.number)
Index(
    "receivable_open",
    *(receivable.c.due_on, receivable.c.supplier, receivable.c.number),
    sqlite_where=_open,
    postgresql_where=_open,
)

receivable_movement = Table(
    "receivable_movement",
    metadata,
    stream(),
    key("supplier", "To whom the document is owed", primary=True),
    key("number", "The document's number", primary=True),
    whole("rank", "In the order it was recorded, from 1", primary=True),
    day("moved_on", "The day it counts from: a value day"),
    cents("amount_cents", "What less is owed by it; negative: more is"),
    key("kind", "payment, reversal, credit or write_off"),
    key("source", "The payment, the direct debit or the credit note it comes from"),
    key("source_kind", "payment, collection, credit_note or set_off: what the source is"),
    comment="What changed the amount owed on a document (imputations, avoirs, pertes)",
)
Index("receivable_movement_stream", receivable_movement.c.stream)
Index("receivable_movement_on", receivable_movement.c.moved_on)

payment = Table(
    "payment",
    metadata,
    stream(),
    key("supplier", "Who received it", primary=True),
    key("reference", "Its name within the company", primary=True),
    key("client", "Who paid, '' while that is not known"),
    day("value_on", "The day its funds were available"),
    cents("amount_cents", "What came"),
    cents("left_cents", "What is neither allocated nor gone back: the client's credit"),
    key("means", "transfer, cheque, card, cash or direct_debit"),
    day("rejected_on", "The day it failed after all", optional=True),
    body(),
    private(),
    comment="Payments received and what is left of each (règlements)",
)
_left = payment.c.left_cents != 0
Index("payment_stream", payment.c.stream)
Index("payment_client", payment.c.client, payment.c.value_on)
Index("payment_value_on", payment.c.value_on, payment.c.supplier, payment.c.reference)
Index(
    "payment_left",
    *(payment.c.value_on, payment.c.supplier, payment.c.reference),
    sqlite_where=_left,
    postgresql_where=_left,
)

payment_movement = Table(
    "payment_movement",
    metadata,
    stream(),
    key("supplier", "Who received the payment", primary=True),
    key("reference", "The payment's reference", primary=True),
    whole("rank", "From 1", primary=True),
    day("moved_on", "The day it counts from"),
    cents("amount_cents", "What more is left by it; negative: less is"),
    key("kind", "received, allocated, refunded or rejected"),
    key("document", "The document it was allocated to, or taken back from"),
    comment="What came of each payment, and where it went",
)
Index("payment_movement_stream", payment_movement.c.stream)
Index("payment_movement_on", payment_movement.c.moved_on)

FOLLOWS: Final[tuple[type[Event], ...]] = (
    *receivables.EVENTS,
    *receivables.OBSERVED,
    *payments.EVENTS,
)
_OBSERVED = frozenset(one.TOPIC for one in receivables.OBSERVED)
_RECEIVED = frozenset(one.TOPIC for one in payments.EVENTS)
_FROM_PAYMENTS = frozenset((PaymentAllocated.TOPIC, PaymentReversed.TOPIC))
RECEIVABLE, PAYMENT = "receivable", "payment"


class Receivables(View):
    """What is owed on each document, and what each payment has left."""

    name = "receivables"
    tables = (receivable, receivable_movement, payment, payment_movement)
    topics: ClassVar = frozenset(one.TOPIC for one in FOLLOWS)
    follows_receivables = True

    def change(self, source: Source, batch: Sequence[Noted]) -> tuple[list[UUID], Rows]:
        """The documents and payments that a batch of events is about, as they are now."""
        documents: dict[UUID, None] = {}
        received: dict[UUID, None] = {}
        named: dict[UUID, set[str]] = {}  # The payments each document says it had.
        for noted in batch:
            if noted.topic in _RECEIVED:
                received[noted.stream] = None
            elif noted.topic in _OBSERVED:
                event: Any = noted.event
                documents[invoice_id(event.supplier, event.invoice)] = None
            elif noted.topic in self.topics:
                documents[noted.stream] = None
                if noted.topic in _FROM_PAYMENTS and (reference := noted.event.payment):  # type: ignore[attr-defined]
                    named.setdefault(noted.stream, set()).add(reference)
        told: list[Told] = []
        for id, one in source.states(RECEIVABLE, list(documents)):
            told += document_rows(id, one)
            for reference in named.get(id, ()):
                received[payment_id(one.supplier, reference)] = None
        for id, one in source.states(PAYMENT, list(received)):
            told += payment_rows(id, one)
        return [*documents, *received], gathered(self.tables, told)

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """Every document and every payment of the book."""
        yield from paged(self.tables, source.states(RECEIVABLE), lambda one: document_rows(*one))
        yield from paged(self.tables, source.states(PAYMENT), lambda one: payment_rows(*one))


def document_rows(id: UUID, r: Receivable) -> Iterator[Told]:
    """The row of a document and those of its movements; none of a credit note."""
    if r.kind == "credit_note":
        return
    of = {"payment": ZERO, "reversal": ZERO, "credit": ZERO, "write_off": ZERO}
    paid_on: date | None = None
    moved_on: date | None = None
    for m in r.movements:
        of[m.kind] += m.amount
        if m.kind == "payment" and m.amount > 0 and (paid_on is None or m.on > paid_on):
            paid_on = m.on
        if moved_on is None or m.on > moved_on:
            moved_on = m.on
    gross, paid = r.gross + ZERO, of["payment"] + of["reversal"]
    owed = gross - paid - of["credit"] - of["write_off"]
    last = asked_from(r) if owed > 0 else None
    late_from = last + DAY if last is not None else None
    payable_on = ages_from(r)
    reminded = max((one.level for one in r.reminders), default=0) if r.reminders else 0
    shown = {
        "supplier": r.supplier,
        "number": r.number,
        "kind": r.kind,
        "client": r.client,
        "contract": r.contract,
        "issued_on": r.issued_on,
        "due_on": r.due_on,
        "payable_on": payable_on,
        "period": r.period,
        "gross": gross,
        "credited": of["credit"],
        "paid": paid,
        "written_off": of["write_off"],
        "owed": owed,
        "retention": {
            "amount": r.withheld + ZERO,
            "withheld_on": r.withheld_on,
            "released_on": r.released_on,
        }
        if r.withheld_on
        else None,
        "disputed_on": r.disputed_on,
        "late_from": late_from,
        "reminders": [{"level": one.level, "sent_on": one.sent_on} for one in r.reminders],
        "interest_charged": r.interest + ZERO,
        "interest_until": r.interest_until,
        "fee_charged": r.fee + ZERO,
        "debit_notes": [
            {"kind": one.kind, "number": one.debit_note, "amount": one.amount + ZERO}
            for one in r.charged
        ],
        "paid_on": paid_on,
        "means": r.means,
        "mandate": r.mandate,
        "collected_on": r.collected_on,
        "debit": r.collecting,
        "debited_on": r.collecting_on,
        "debits": [
            {
                "end_to_end": one.end_to_end,
                "amount": one.amount + ZERO,
                "collected_on": one.collected_on,
                "settled_on": one.settled_on,
                "returned_on": one.returned_on,
            }
            for one in r.debits
        ],
        "movements": [
            {
                "on": m.on,
                "amount": m.amount + ZERO,
                "kind": m.kind,
                "source": m.source,
                "source_kind": m.of,
            }
            for m in r.movements
        ],
    }
    yield made(
        receivable,
        stream=id,
        supplier=r.supplier,
        number=r.number,
        kind=r.kind,
        client=r.client,
        contract=r.contract,
        issued_on=r.issued_on,
        due_on=r.due_on,
        payable_on=payable_on,
        gross_cents=in_cents(gross),
        credited_cents=in_cents(of["credit"]),
        paid_cents=in_cents(paid),
        written_off_cents=in_cents(of["write_off"]),
        owed_cents=in_cents(owed),
        retention_cents=in_cents(r.withheld),
        withheld_on=r.withheld_on,
        released_on=r.released_on,
        disputed_on=r.disputed_on,
        late_from=late_from,
        reminded=reminded,
        interest_cents=in_cents(r.interest),
        interest_until=r.interest_until,
        fee_cents=in_cents(r.fee),
        paid_on=paid_on,
        moved_on=moved_on,
        means=r.means,
        mandate=r.mandate,
        collected_on=r.collected_on,
        debit=r.collecting,
        debited_on=r.collecting_on,
        returns=r.returns,
        body=json_of(shown),
    )
    for rank, m in enumerate(r.movements, 1):
        yield made(
            receivable_movement,
            stream=id,
            supplier=r.supplier,
            number=r.number,
            rank=rank,
            moved_on=m.on,
            amount_cents=in_cents(m.amount),
            kind=m.kind,
            source=m.source,
            source_kind=m.of,
        )


class _Owed(Struct):
    """What of a body says how late a document is."""

    owed: Decimal
    payable_on: date
    retention: _Retention | None = None


class _Retention(Struct):
    amount: Decimal
    withheld_on: date
    released_on: date | None


BUCKETS: Final = ((0, "not_due"), (30, "days_1_30"), (60, "days_31_60"), (90, "days_61_90"))
"""The columns of the aged balance (balance âgée), each with the most days late it holds."""
OVER: Final = "days_over_90"

_owed = msgspec.json.Decoder(_Owed).decode


def on_day(body: str, day: date) -> dict[str, Any]:
    """How late a document is on a day, since the last day to pay, and its place in the balance.

    What is withheld is not late; a retention that alone is left is late from its release.
    """
    told = _owed(body)
    kept, since = ZERO, told.payable_on
    retention = told.retention
    if retention is not None and retention.withheld_on <= day:
        released_on = retention.released_on
        if released_on is None or released_on > day:
            kept = retention.amount
        elif told.owed <= retention.amount:
            since = max(since, released_on)
    late = max((day - since).days, 0) if told.owed > kept else 0
    column = next((name for most, name in BUCKETS if late <= most), OVER)
    return {"days_late": late, "age": column if told.owed > 0 else ""}


def payment_rows(id: UUID, p: Payment) -> Iterator[Told]:
    """The row of a payment and those of what came of it."""
    left = p.left + ZERO
    shown = {
        "supplier": p.supplier,
        "reference": p.reference,
        "client": p.client,
        "amount": p.amount + ZERO,
        "left": left,
        "value_on": p.value_on,
        "means": p.means,
        "rejected_on": p.rejected_on,
        "entry": p.entry,
        "allocated": [
            {"on": part.on, "document": part.document, "amount": part.amount + ZERO}
            for part in p.parts
        ],
        "refunds": [{"on": one.on, "amount": one.amount + ZERO} for one in p.refunds],
    }
    known = {"payer": p.payer, "payer_iban": p.payer_iban, "remittance": p.remittance}
    yield made(
        payment,
        stream=id,
        supplier=p.supplier,
        reference=p.reference,
        client=p.client,
        value_on=p.value_on,
        amount_cents=in_cents(p.amount),
        left_cents=in_cents(left),
        means=p.means,
        rejected_on=p.rejected_on,
        body=json_of(shown),
        private=json_of(known) if any(known.values()) else "",
    )
    for rank, (on, amount, kind, document) in enumerate(_moves(p), 1):
        yield made(
            payment_movement,
            stream=id,
            supplier=p.supplier,
            reference=p.reference,
            rank=rank,
            moved_on=on,
            amount_cents=in_cents(amount),
            kind=kind,
            document=document,
        )


def _moves(p: Payment) -> Iterable[tuple[date, Any, str, str]]:
    """What makes more or less of it left: their sum up to a day is what was left at its end."""
    yield p.value_on, p.amount, "received", ""
    for part in p.parts:
        yield part.on, -part.amount, "allocated", part.document
    for refund in p.refunds:
        yield refund.on, -refund.amount, "refunded", ""
    if p.rejected_on is not None:
        yield max(p.rejected_on, p.value_on), -p.amount, "rejected", ""
