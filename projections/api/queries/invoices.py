"""The register over HTTP: invoices, deposits, credit and debit notes; their lines and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from billing.application import Billing, printed
from billing.application.archive import file_name, finished
from billing.application.explain import explain
from billing.application.explanation import Explanation
from projections import invoices as table
from projections import receivables_at
from projections.api import asking, shapes
from projections.api.access import Reader, need_personal
from projections.api.deps import AtDesk
from projections.api.lean import Lean
from projections.api.live import worked_out
from projections.api.resources import Order, Resource, among, between, equals
from projections.view import Told

router = APIRouter(prefix="/v1/invoices", tags=["invoices"], route_class=Lean)
TAGS: Final = [{"name": "invoices", "description": "The register of documents issued."}]
KINDS: Final = ("invoice", "deposit", "credit_note", "debit_note")


def invoices_then(
    app: Billing, ids: Sequence[UUID], as_of: date | None, known_at: datetime | None
) -> Iterator[Told]:
    """The rows documents had in the register."""
    for row in receivables_at.registered_at(app, ids, as_of, known_at).values():
        yield table.invoice, row


_PERIOD: Final = shapes.period("The days billed")
_LINE: Final = shapes.record(
    "A line; amounts in euros before tax, negative on a credit note",
    rank=shapes.whole("Its place, from 1"),
    kind=shapes.text("What it bills: an item's kind, a charge's, late_interest, recovery_fee …"),
    code=shapes.text("The item's or charge's code"),
    label=shapes.text("As printed"),
    period=shapes.maybe(_PERIOD),
    quantity=shapes.exact("How many"),
    unit_price=shapes.maybe(shapes.exact("In euros before tax")),
    discount=shapes.exact("In percent"),
    months=shapes.whole("Months billed"),
    per_months=shapes.whole("The price is for so many months"),
    share=shapes.maybe(
        shapes.record(
            "The share of the period's fee that is billed",
            over=shapes.whole("Days billed"),
            under=shapes.whole("Days of the period"),
            method=shapes.text("How it was counted: days, 365, 30/360, months …"),
        )
    ),
    part=shapes.whole("Which of several parts of a period's fee; 0: of one"),
    parts=shapes.whole("How many parts there are"),
    net=shapes.amount("Before tax"),
    vat_rate=shapes.exact("In percent"),
    vat_category=shapes.text("S, E, AE, O … (EN 16931)"),
    vat_reason=shapes.text("Why no VAT is due, where none is"),
    note=shapes.text("What is said below it"),
    because=shapes.several(
        shapes.whole("A version"), "The versions of the contract's events it comes from"
    ),
    invoice=shapes.optional(shapes.text("The late invoice, on a debit note")),
    until=shapes.optional(shapes.day("Interest up to that day, inclusive")),
    interest=shapes.optional(shapes.anything("How the interest was counted")),
    charged_before=shapes.optional(shapes.amount("Charged before of the same")),
)
VAT: Final = shapes.record(
    "What is taxed at a rate",
    rate=shapes.exact("In percent"),
    category=shapes.optional(shapes.text("S, E, AE, O … (EN 16931); S when not said")),
    reason=shapes.optional(shapes.text("Why none is due, where none is")),
    base=shapes.amount("Before tax"),
    tax=shapes.amount("VAT"),
    rounding=shapes.optional(shapes.amount("What rounding by rate added")),
)
INVOICE: Final = Resource(
    "Invoice",
    "invoice",
    "invoices",
    table.invoice,
    ("supplier", "number"),
    filters=(
        equals("supplier", "The company that issued it (a party's code)"),
        equals("client", "Who it is for (a party's code)"),
        equals("contract", "The contract it is billed under"),
        among("kind", "What kind of document", KINDS),
        equals("run", "The run that issued it"),
        equals("credits", "The document a credit note gives back"),
        *between("issued_on", "The day it bears"),
        *between("due_on", "The last day to pay it"),
    ),
    orders=(Order(("issued_on", "supplier", "number"), down=True),),
    schema=shapes.of_table(
        table.invoice,
        ("period_start", "period_end"),
        kind=shapes.one_of("What kind of document", *KINDS),
        period=shapes.maybe(_PERIOD),
        reason=shapes.text("Why a credit note was issued"),
        lines=shapes.several(_LINE, "Its lines"),
        vat=shapes.several(VAT, "Totals by rate"),
    ),
    replay=invoices_then,
)
LINE: Final = Resource(
    "InvoiceLine",
    "line",
    "invoices",
    table.invoice_line,
    ("supplier", "number", "rank"),
    filters=(equals("kind", "What it bills"), equals("code", "The item's or charge's code")),
    under="(supplier, number) = ({value})",
)
EXPLAIN: Final = {
    "line": asking.whole("line", "The line to explain, from 1; else the whole document", 1, 10_000)
}
COMPONENTS: Final[dict[str, Any]] = {
    **INVOICE.components,
    **LINE.components,
    **shapes.of_types(Explanation),
}


@router.get("", **INVOICE.told_of_page("Invoices, credit and debit notes"))
async def list_invoices(request: Request, caller: Reader) -> Response:
    """The register: amounts in euros, those of credit notes negative, so that sums are what was
    billed. What was paid of a document is in /v1/receivables."""
    return await INVOICE.page(request, caller)


@router.get("/{supplier}/{number:path}/lines", **LINE.told_of_page("The lines of a document"))
async def list_invoice_lines(
    request: Request, caller: Reader, supplier: str, number: str
) -> Response:
    """Its lines in their order; amounts in euros before tax."""
    await INVOICE.must_be(request, [supplier, number])
    return await LINE.page(request, caller, [supplier, number])


@router.get(
    "/{supplier}/{number:path}/explain",
    **shapes.documented(
        "Why a document is what it is",
        shapes.named("Explanation"),
        EXPLAIN,
        shapes.EXAMPLES.get("Explanation"),
        missing="There is no such document",
    ),
)
async def explain_invoice(
    request: Request, caller: Reader, desk: AtDesk, supplier: str, number: str
) -> Response:
    """Every amount back to the events it rests on, each sum worked out anew: `agrees` says whether
    it is the one recorded. With `line`, that of one line."""
    asked = asking.asked(request, EXPLAIN)
    await INVOICE.must_be(request, [supplier, number])
    return await worked_out(
        request, lambda: explain(desk.billing, number, supplier, asked.get("line"))
    )


@router.get(
    "/{supplier}/{number:path}/document",
    **shapes.documented(
        "A document as it is sent (Factur-X)",
        {"type": "string", "format": "binary"},
        {},
        media_type="application/pdf",
        missing="There is no such document",
    ),
)
async def print_invoice(
    request: Request, caller: Reader, desk: AtDesk, supplier: str, number: str
) -> Response:
    """The PDF/A-3 with its data in it, made again as it was when it was issued.

    It bears names and addresses: for the scope `personal`.
    """
    asking.asked(request, {})
    need_personal(caller)
    await INVOICE.must_be(request, [supplier, number])
    name = file_name(printed.Name(supplier, number))
    return await worked_out(
        request,
        lambda: finished(printed.facts(desk.billing, number, supplier)),
        "application/pdf",
        {"Content-Disposition": f'inline; filename="{_plain(name)}"'},
    )


@router.get("/{supplier}/{number:path}", **INVOICE.told_of_row("A document"))
async def show_invoice(request: Request, caller: Reader, supplier: str, number: str) -> Response:
    """A document by the company that issued it and its number, with its lines and VAT.

    `as_of`: with what had been credited or received by then. Amounts in euros.
    """
    return await INVOICE.row(request, caller, [supplier, number])


def _plain(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
