"""Revenue over HTTP: by month, document by document; what recurs, and what moved it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from billing.dates import add_months
from projections import recurring, revenue
from projections.api import answers, asking, shapes
from projections.api.access import Reader
from projections.api.lean import Lean
from projections.api.reads import Reads, Statement
from projections.api.resources import Order, Resource, among, between, equals, within
from projections.bodies import in_euros
from projections.runner import tracked_as

router = APIRouter(prefix="/v1/revenue", tags=["revenue"], route_class=Lean)
TAGS: Final = [{"name": "revenue", "description": "Billed, earned, deferred; what recurs."}]
KINDS: Final = tuple(recurring.KINDS)

MONTH: Final = Resource(
    "RevenueMonth",
    "month",
    "revenue",
    revenue.revenue_total,
    ("supplier", "month", "kind"),
    filters=(
        equals("supplier", "Who sells (a party's code)"),
        equals("kind", "What was sold: fee, usage, work …"),
        *within("month", "The month"),
    ),
)
DETAIL: Final = Resource(
    "RevenueDetail",
    "line",
    "revenue",
    revenue.revenue_month,
    filters=(
        equals("supplier", "Who sells (a party's code)"),
        equals("client", "Whom it is for (a party's code)"),
        equals("contract", "The contract it follows from"),
        equals("document", "The number of the invoice or credit note"),
        equals("kind", "What was sold"),
        *within("month", "The month"),
    ),
    orders=(Order(("month", "supplier", "stream", "kind")),),
)
MOVE: Final = Resource(
    "RecurringMove",
    "move",
    "recurring",
    recurring.recurring_move,
    filters=(
        equals("supplier", "Who serves (a party's code)"),
        equals("client", "Who pays (a party's code)"),
        equals("contract", "The contract's number"),
        equals("form", "The contract form"),
        among("kind", "What moved it", KINDS),
        *between("effective_on", "The day it counts from"),
    ),
    orders=(Order(("effective_on", "supplier", "stream", "rank")),),
)
RECURRING: Final = {
    one.name: one
    for one in (
        asking.text("supplier", "Of one company only (a party's code)"),
        asking.month("from", "From that month on"),
        asking.month("to", "Up to that month; the present one when not said"),
        asking.AT_LEAST,
    )
}
_MOVED: Final = shapes.record(
    lines=shapes.whole("How many moves"),
    monthly=shapes.amount("How much more a month"),
    yearly=shapes.amount("How much more a year"),
)
COMPONENTS: Final[dict[str, Any]] = {
    **MONTH.components,
    **DETAIL.components,
    **MOVE.components,
    "RecurringMonth": shapes.record(
        "What recurs at the end of a month, and what moved it in the month; before tax",
        supplier=shapes.text("Who serves the contracts"),
        month=shapes.day("The first day of the month"),
        monthly=shapes.amount("What recurs a month (MRR)"),
        yearly=shapes.amount("What recurs a year (ARR)"),
        moved={
            "type": "object",
            "description": "What moved it, by kind",
            "propertyNames": {"enum": list(KINDS)},
            "additionalProperties": _MOVED,
        },
    ),
}


@router.get("/months", **MONTH.told_of_page("Revenue by month"))
async def list_revenue_months(request: Request, caller: Reader) -> Response:
    """Billed, earned, deferred and accrued by company, month and kind, in euros before tax."""
    return await MONTH.page(request, caller)


@router.get("/details", **DETAIL.told_of_page("Revenue, document by document"))
async def list_revenue_details(request: Request, caller: Reader) -> Response:
    """What each document billed and earned, by month and kind, in euros before tax."""
    return await DETAIL.page(request, caller)


@router.get("/moves", **MOVE.told_of_page("What moved the recurring revenue"))
async def list_revenue_moves(request: Request, caller: Reader) -> Response:
    """Each change of a contract's yearly fees, in euros before tax: new, added, indexed, ended …"""
    return await MOVE.page(request, caller)


_TOTALS: Final = Statement(
    "SELECT (SELECT notification_id FROM tracking WHERE application_name ="
    f" '{tracked_as('recurring')}') AS followed, supplier, month, kind, lines, monthly_cents,"
    " yearly_cents FROM recurring_total WHERE month <= $1::date ORDER BY supplier, month, kind"
)


@router.get(
    "/recurring",
    **shapes.documented(
        "Recurring revenue by month",
        shapes.record(
            data=shapes.several(shapes.named("RecurringMonth"), "By company and month"),
            next=shapes.maybe(shapes.text("Null: it is answered whole")),
            position=shapes.whole("The position of the log up to which it knows"),
        ),
        RECURRING,
        shapes.example_page("RecurringMonth"),
    ),
)
async def show_recurring(request: Request, caller: Reader) -> Response:
    """What recurs at each month's end (MRR, ARR), in euros before tax, and what moved it."""
    asked = asking.asked(request, RECURRING)
    reads: Reads = request.app.state.reads
    await MOVE.wait(reads, asked)
    last = asked.get("to") or reads.desk.billing.today.replace(day=1)
    rows = await reads.rows(_TOTALS, [last.isoformat()])
    position = rows[0][0] if rows else await MOVE.followed(reads)
    wanted = asked.get("supplier")
    found = [
        told
        for told in _by_month([row[1:] for row in rows], last)
        if wanted in (None, told["supplier"]) and told["month"] >= (asked.get("from") or date.min)
    ]
    content = answers.told({"data": found, "next": None, "position": position})
    tag = f'W/"{answers.digest(answers.told(found))}"'
    return answers.answer(request, content, position, tag)


def _by_month(rows: Iterable[tuple[Any, ...]], last: date) -> Iterator[dict[str, Any]]:
    """Rows (supplier, month, kind, lines, two sums) as months with what recurs at their end.

    Every month from a company's first to the last, also those in which nothing moved.
    """
    for supplier, of_one in groupby(rows, key=itemgetter(0)):
        moves: dict[date, dict[str, Any]] = {}
        sums: dict[date, tuple[int, int]] = {}
        for _, told, kind, lines, a_month, a_year in of_one:
            month = date.fromisoformat(told) if isinstance(told, str) else told
            before = sums.get(month, (0, 0))
            sums[month] = before[0] + a_month, before[1] + a_year
            moves.setdefault(month, {})[kind] = {
                "lines": lines,
                "monthly": in_euros(a_month),
                "yearly": in_euros(a_year),
            }
        monthly = yearly = 0
        month = min(moves)
        while month <= last:
            more = sums.get(month, (0, 0))
            monthly, yearly = monthly + more[0], yearly + more[1]
            yield {
                "supplier": supplier,
                "month": month,
                "monthly": in_euros(monthly),
                "yearly": in_euros(yearly),
                "moved": moves.get(month, {}),
            }
            month = add_months(month, 1)
