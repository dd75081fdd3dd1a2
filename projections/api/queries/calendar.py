"""The calendar over HTTP: what comes for every contract, and what waits for someone to act."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections import calendar as table
from projections.api import shapes
from projections.api.access import Reader
from projections.api.lean import Lean
from projections.api.resources import Order, Resource, among, between, equals, whether

router = APIRouter(prefix="/v1/calendar", tags=["calendar"], route_class=Lean)
TAGS: Final = [{"name": "calendar", "description": "Days to come, and what waits for someone."}]
WHAT: Final = (
    *("quote", "offer", "notice", "revision", "end", "renewal", "task", "warranty", "fee end"),
    *("discount", "return", "clock", "invoice", "mandate", "bank line"),
)

CALENDAR: Final = Resource(
    "CalendarDay",
    "day",
    "calendar",
    table.calendar,
    filters=(
        among("what", "What comes", WHAT),
        equals("client", "Whose contract or mandate (a party's code)"),
        equals("supplier", "Who supplies, or collects"),
        equals("contract", "The contract's number"),
        *between("on_day", "The day that comes", "on"),
        whether(
            "late",
            "Whether it passed with something left to do",
            "on_day < {day}",
            "on_day >= {day}",
        ),
    ),
    orders=(Order(("on_day", "contract", "what", "stream", "rank")),),
    live=lambda day: {"late": f"on_day < {day}"},
    shown="lapses_on > {day}",
    schema=shapes.of_table(
        table.calendar, late=shapes.flag("It passed, with something left to do")
    ),
)
COMPONENTS: Final[dict[str, Any]] = CALENDAR.components


@router.get("", **CALENDAR.told_of_page("Days to come"))
async def list_calendar(request: Request, caller: Reader) -> Response:
    """Quotes and offers to send, last days for notice, revisions, renewals, ends, tasks, invoices,
    in the order of their days; what passed with something left to do is `late`."""
    return await CALENDAR.page(request, caller)
