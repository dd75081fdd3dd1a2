"""The books over HTTP: lines of the entries, and what each account moved by month."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections import ledger as table
from projections.api.access import Auditor
from projections.api.lean import Lean
from projections.api.resources import Order, Resource, between, equals, whether, within

router = APIRouter(prefix="/v1/ledger", tags=["ledger"], route_class=Lean)
TAGS: Final = [{"name": "ledger", "description": "The books: entries and balances."}]

ENTRY: Final = Resource(
    "LedgerLine",
    "line",
    "ledger",
    table.ledger_line,
    filters=(
        equals("supplier", "Whose books (a party's code)"),
        equals("account", "The number of the account"),
        equals("client", "Whose account, on those kept by client"),
        equals("journal", "The code of its journal"),
        equals("piece", "The number of the document, the payment or the collection"),
        whether("lettered", "Whether it was settled", "letter <> ''", "letter = ''"),
        *between("booked_on", "The day it is booked"),
    ),
    orders=(Order(("supplier", "booked_on", "piece", "stream", "rank")),),
)
BALANCE: Final = Resource(
    "LedgerBalance",
    "balance",
    "ledger",
    table.ledger_total,
    ("supplier", "month", "account"),
    filters=(
        equals("supplier", "Whose books (a party's code)"),
        equals("account", "The number of the account"),
        *within("month", "The month"),
    ),
)
COMPONENTS: Final[dict[str, Any]] = ENTRY.components | BALANCE.components


@router.get("/entries", **ENTRY.told_of_page("Lines of the books"))
async def list_ledger_entries(request: Request, caller: Auditor) -> Response:
    """Debits and credits in euros, by company, day and piece. Lines of the same journal, days,
    `what` and piece are one entry."""
    return await ENTRY.page(request, caller)


@router.get("/balances", **BALANCE.told_of_page("What accounts moved, by month"))
async def list_ledger_balances(request: Request, caller: Auditor) -> Response:
    """Debits and credits of each account, in euros, by company and month; their sum from the first
    month on is the balance."""
    return await BALANCE.page(request, caller)
