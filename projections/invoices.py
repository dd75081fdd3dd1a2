"""The register of documents (journal des factures): invoices, deposits, credit and debit notes.

A row a document, a row a line. A credit note's amounts are negative, so that a sum over rows is
what was billed; its quantities and prices are as printed. Debit notes are outside VAT: their net
is their total. What was paid of a document is in `receivable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Index, Table

from billing.dates import Period
from billing.events import Event
from billing.events.invoice import (
    CreditNoteIssued,
    DebitLine,
    DebitNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceReceived,
    Line,
)
from billing.money import ZERO
from projections.bodies import in_cents, json_of
from projections.database import made
from projections.tables import (
    IN_LINE,
    body,
    cents,
    day,
    exact,
    key,
    metadata,
    moment,
    stream,
    text,
    whole,
)
from projections.view import StreamView, Told

OUTSIDE: Final = "O"
"""The VAT category of what is outside its scope (EN 16931)."""

invoice = Table(
    "invoice",
    metadata,
    stream(),
    key("supplier", "The company that issued it", primary=True),
    key("number", "Its number, unbroken within the company", primary=True),
    key("kind", "invoice, deposit, credit_note or debit_note"),
    key("client", "Who it is for"),
    key("contract", "The contract it is billed under"),
    day("issued_on", "The day it bears"),
    day("due_on", "The last day to pay it, none of a credit note", optional=True),
    day("received_on", "The day the client received it, where it was told", optional=True),
    day("period_start", "The first day of the period it bills", optional=True),
    day("period_end", "The day after the last one of that period", optional=True),
    cents("net_cents", "Before tax; negative of a credit note"),
    cents("tax_cents", "VAT; negative of a credit note"),
    cents("gross_cents", "Tax included; negative of a credit note"),
    cents("credited_cents", "What credit notes gave back of it, tax included"),
    key("means", "How it is paid: transfer, direct_debit …; '' of a credit note"),
    day("collected_on", "The day of its direct debit, as it announces it", optional=True),
    key("mandate", "The mandate it is debited under"),
    key("run", "The run that issued it"),
    key("credits", "The document a credit note gives back"),
    text("purchase_order", "The client's purchase order"),
    moment("recorded_at", "When it was issued"),
    text("recorded_by", "By whom, or by which run"),
    body(),
    comment="Documents issued: invoices, deposits, credit and debit notes (factures, avoirs)",
    postgresql_with=IN_LINE,
)
Index("invoice_stream", invoice.c.stream)
Index("invoice_client", invoice.c.client, invoice.c.issued_on)
Index("invoice_contract", invoice.c.contract, invoice.c.issued_on)
Index("invoice_issued_on", invoice.c.issued_on, invoice.c.supplier, invoice.c.number)
Index("invoice_run", invoice.c.run)

invoice_line = Table(
    "invoice_line",
    metadata,
    stream(),
    key("supplier", "The company that issued the document", primary=True),
    key("number", "The document's number", primary=True),
    whole("rank", "Its place on the document, from 1", primary=True),
    key("kind", "What it bills: an item's kind, a charge's, late_interest, recovery_fee …"),
    key("code", "The item's or charge's code; the late invoice, on a debit note"),
    text("label", "As printed"),
    day("period_start", "The first day it bills", optional=True),
    day("period_end", "The day after the last one", optional=True),
    exact("quantity", "How many"),
    exact("unit_price", "In euros, before tax", optional=True),
    text("share", "Of the period's fee, as a fraction such as 15/30; '' for the whole"),
    cents("net_cents", "Before tax; negative on a credit note"),
    exact("vat_rate", "In percent"),
    key("vat_category", "S, E, AE, O … (EN 16931)"),
    text("because", "The versions of the contract's events it comes from, with commas"),
    comment="The lines of the documents",
)
Index("invoice_line_stream", invoice_line.c.stream)


class Shown(Struct, omit_defaults=True, gc=False):
    """A line as the API answers it; amounts in euros.

    The last four are of a debit note only: the late invoice, and how its interest was counted.
    """

    rank: int
    kind: str
    code: str
    label: str
    period: Period | None
    quantity: Decimal
    unit_price: Decimal | None
    discount: Decimal
    months: int
    per_months: int
    share: Any
    part: int
    parts: int
    net: Decimal
    vat_rate: Decimal
    vat_category: str
    vat_reason: str
    note: str
    because: tuple[int, ...]
    invoice: str = ""
    until: date | None = None
    interest: Any = None
    charged_before: Decimal | None = None


class Invoices(StreamView):
    """Every document and its lines."""

    name = "invoices"
    tables = (invoice, invoice_line)
    topics: ClassVar = frozenset(
        e.TOPIC
        for e in (
            InvoiceIssued, CreditNoteIssued, DebitNoteIssued, InvoiceCredited, InvoiceReceived,
        )
    )  # fmt: skip

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterator[Told]:
        """The document's row, and those of its lines."""
        document: Any = events[0]
        told = _TOLD[type(document)](document)
        received_on: date | None = None
        credited = ZERO
        for event in events[1:]:
            if isinstance(event, InvoiceReceived):
                received_on = event.received_on
                told |= {"due_on": event.due_on, "collected_on": event.collected_on}
            else:
                assert isinstance(event, InvoiceCredited), event
                credited += event.gross
        lines: list[Shown] = told["lines"]
        yield _row(id, document, told, received_on, credited)
        for line in lines:
            yield _line(id, document, line)


def _row(
    id: UUID, document: Any, told: dict[str, Any], received_on: date | None, credited: Decimal
) -> Told:
    period: Period | None = told["period"]
    # In the order the API answers them.
    shown = {
        "supplier": document.supplier,
        "number": document.number,
        "kind": told["kind"],
        "client": document.client,
        "contract": document.contract,
        "issued_on": document.issued_on,
        "due_on": told["due_on"],
        "received_on": received_on,
        "period": period,
        "net": told["net"],
        "tax": told["tax"],
        "gross": told["gross"],
        "credited": credited,
        "means": told["means"],
        "collected_on": told["collected_on"],
        "mandate": told["mandate"],
        "run": document.run,
        "credits": told["credits"],
        "reason": told["reason"],
        "purchase_order": told["purchase_order"],
        "lines": told["lines"],
        "vat": told["vat"],
        "recorded_at": document.recorded_at,
        "recorded_by": document.recorded_by,
    }
    return made(
        invoice,
        stream=id,
        supplier=document.supplier,
        number=document.number,
        kind=told["kind"],
        client=document.client,
        contract=document.contract,
        issued_on=document.issued_on,
        due_on=told["due_on"],
        received_on=received_on,
        period_start=period and period.start,
        period_end=period and period.end,
        net_cents=in_cents(told["net"]),
        tax_cents=in_cents(told["tax"]),
        gross_cents=in_cents(told["gross"]),
        credited_cents=in_cents(credited),
        means=told["means"],
        collected_on=told["collected_on"],
        mandate=told["mandate"],
        run=document.run,
        credits=told["credits"],
        purchase_order=told["purchase_order"],
        recorded_at=document.recorded_at,
        recorded_by=document.recorded_by,
        body=json_of(shown),
    )


def _line(id: UUID, document: Any, line: Shown) -> Told:
    period, share = line.period, line.share
    row = (
        id, document.supplier, document.number, line.rank,
        line.kind, line.code or line.invoice, line.label,
        period and period.start, period and period.end,
        line.quantity, line.unit_price, f"{share.over}/{share.under}" if share else "",
        in_cents(line.net), line.vat_rate, line.vat_category, ",".join(map(str, line.because)),
    )  # fmt: skip
    return invoice_line, row


# What each kind of document tells


def _issued(e: InvoiceIssued) -> dict[str, Any]:
    return {
        "kind": e.kind,
        "due_on": e.due_on,
        "period": e.period,
        "net": e.net + ZERO,
        "tax": e.tax + ZERO,
        "gross": e.gross + ZERO,
        "means": e.means,
        "collected_on": e.collected_on,
        "mandate": e.mandate,
        "credits": "",
        "reason": "",
        "purchase_order": e.purchase_order,
        "lines": [_shown(rank, line, line.net) for rank, line in enumerate(e.lines, 1)],
        "vat": [_vat(one, 1) for one in e.vat],
    }


def _credit_note(e: CreditNoteIssued) -> dict[str, Any]:
    return {
        "kind": "credit_note",
        "due_on": None,
        "period": None,
        "net": ZERO - e.net,
        "tax": ZERO - e.tax,
        "gross": ZERO - e.gross,
        "means": "",
        "collected_on": None,
        "mandate": "",
        "credits": e.credits,
        "reason": e.reason,
        "purchase_order": e.purchase_order,
        "lines": [_shown(rank, line, ZERO - line.net) for rank, line in enumerate(e.lines, 1)],
        "vat": [_vat(one, -1) for one in e.vat],
    }


def _debit_note(e: DebitNoteIssued) -> dict[str, Any]:
    return {
        "kind": "debit_note",
        "due_on": e.due_on,
        "period": None,
        "net": e.gross + ZERO,
        "tax": ZERO,
        "gross": e.gross + ZERO,
        "means": e.means,
        "collected_on": None,
        "mandate": "",
        "credits": "",
        "reason": "",
        "purchase_order": "",
        "lines": [_claimed(rank, line) for rank, line in enumerate(e.lines, 1)],
        "vat": [],
    }


_TOLD: Final[dict[type[Event], Any]] = {
    InvoiceIssued: _issued,
    CreditNoteIssued: _credit_note,
    DebitNoteIssued: _debit_note,
}


def _shown(rank: int, line: Line, net: Decimal) -> Shown:
    return Shown(
        rank, line.kind, line.code, line.label, line.period, line.quantity, line.unit_price,
        line.discount, line.months, line.per_months, line.share, line.part, line.parts, net + ZERO,
        line.vat_rate, line.vat_category, line.vat_reason, line.note, line.because,
    )  # fmt: skip


def _claimed(rank: int, line: DebitLine) -> Shown:
    """A line of a debit note, on the invoice that is late."""
    amount = line.amount + ZERO
    return Shown(
        rank, line.kind, "", line.label, None, Decimal(1), None, Decimal(0), 0, 0, None, 0, 0,
        amount, Decimal(0), OUTSIDE, "", "", (), line.invoice, line.until, line.interest,
        line.charged_before + ZERO,
    )  # fmt: skip


def _vat(one: Any, sign: int) -> dict[str, Any]:
    return {
        "rate": one.rate,
        "category": one.category,
        "reason": one.reason,
        "base": sign * one.base + ZERO,
        "tax": sign * one.tax + ZERO,
        "rounding": sign * one.rounding + ZERO,
    }
