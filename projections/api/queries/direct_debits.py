"""Direct debits over HTTP, and the mandates they are made under."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections import direct_debits as table
from projections.api import shapes
from projections.api.access import Reader
from projections.api.lean import Lean
from projections.api.resources import Order, Resource, among, between, equals
from projections.api.shapes import personal, text

router = APIRouter(prefix="/v1", tags=["direct debits"], route_class=Lean)
TAGS: Final = [{"name": "direct debits", "description": "Collections, and mandates (SEPA)."}]
STATUSES: Final = ("under_way", "settled", "returned")
GOOD: Final = ("active", "revoked", "lapsed", "final")

DIRECT_DEBIT: Final = Resource(
    "DirectDebit",
    "direct debit",
    "direct_debits",
    table.collection,
    ("supplier", "end_to_end"),
    filters=(
        equals("supplier", "The creditor (a party's code)"),
        equals("debtor", "Who is debited (a party's code)"),
        equals("mandate", "The mandate it is made under"),
        equals("invoice", "The document it collects"),
        equals("file", "The file it is part of"),
        among("status", "What became of it", STATUSES),
        *between("collected_on", "The day asked for"),
    ),
    orders=(Order(("collected_on", "supplier", "end_to_end"), down=True),),
    schema=shapes.of_table(
        table.collection,
        status=shapes.one_of("What became of it", *STATUSES),
        ordered_by=text("By whom it was handed over"),
    ),
)
MANDATE: Final = Resource(
    "Mandate",
    "mandate",
    "direct_debits",
    table.mandate,
    ("reference",),
    filters=(
        equals("debtor", "Who is debited (a party's code)"),
        equals("creditor", "Who collects (a party's code)"),
        among("status", "How it is recorded", GOOD),
        *between("lapses_on", "The first day it is good no more"),
    ),
    on_day=table.on_day,
    schema=shapes.of_table(
        table.mandate,
        status=shapes.one_of("How it is recorded", *GOOD),
        account=text("The account, masked"),
        medium=text("paper or electronic"),
        stopped=shapes.several(
            shapes.record(
                code=text("The bank's reason (ISO 20022)"),
                since=shapes.day("Since when"),
                reason=text("The same as a French sentence"),
                stops=shapes.flag("Nothing may be collected until someone has acted"),
            ),
            "What the bank said against it",
        ),
        announced=shapes.several(
            shapes.record(
                announced_on=shapes.day("When"),
                contract=text("Under which contract"),
                invoice=text("For which document"),
                amount=shapes.amount("What"),
                collected_on=shapes.day("For which day"),
            ),
            "What the debtor was told (pré-notification)",
        ),
        usable=shapes.flag("Whether something may be collected under it on the day"),
        why_not=text("Why it may not"),
        iban=personal(text("The account")),
        bic=personal(text("Its bank")),
        debtor_name=personal(text("Who is debited")),
        proof=personal(text("Where the signed mandate is kept")),
    ),
)
COMPONENTS: Final[dict[str, Any]] = DIRECT_DEBIT.components | MANDATE.components


@router.get("/direct-debits", **DIRECT_DEBIT.told_of_page("Direct debits"))
async def list_direct_debits(request: Request, caller: Reader) -> Response:
    """Direct debits handed to the bank, in euros, and what became of each."""
    return await DIRECT_DEBIT.page(request, caller)


@router.get(
    "/direct-debits/{supplier}/{end_to_end:path}", **DIRECT_DEBIT.told_of_row("A direct debit")
)
async def show_direct_debit(
    request: Request, caller: Reader, supplier: str, end_to_end: str
) -> Response:
    """A direct debit by its creditor and its end-to-end name."""
    return await DIRECT_DEBIT.row(request, caller, [supplier, end_to_end])


@router.get("/mandates", **MANDATE.told_of_page("Mandates"))
async def list_mandates(request: Request, caller: Reader) -> Response:
    """Mandates by reference; the account is masked but for the scope `personal`."""
    return await MANDATE.page(request, caller)


@router.get("/mandates/{reference:path}", **MANDATE.told_of_row("A mandate"))
async def show_mandate(request: Request, caller: Reader, reference: str) -> Response:
    """A mandate by its reference (RUM), and whether something may be collected under it."""
    return await MANDATE.row(request, caller, [reference])
