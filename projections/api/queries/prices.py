"""Prices over HTTP: every price an item has had, and the revisions that moved them."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from billing.events.contract import FeeChange
from projections import prices as table
from projections.api import asking, shapes
from projections.api.access import Reader
from projections.api.lean import Lean
from projections.api.resources import Filter, Order, Resource, among, between, equals

router = APIRouter(prefix="/v1", tags=["prices"], route_class=Lean)
TAGS: Final = [{"name": "prices", "description": "Prices of items, and their revisions."}]
WHY: Final = ("signed", "added", "subscribed", "revised", "corrected", "renewed", "amended")

PRICE: Final = Resource(
    "Price",
    "price",
    "prices",
    table.price,
    filters=(
        equals("contract", "The contract's number"),
        equals("code", "The item's code"),
        among("why", "What set it", WHY),
        Filter(
            asking.day("in_force_on", "In force on that day"),
            "from_on <= {value} AND (until_on IS NULL OR until_on > {value})",
        ),
        *between("from_on", "Its first day", "from"),
    ),
    orders=(Order(("contract", "from_on", "item", "version")),),
    schema=shapes.of_table(
        table.price,
        ("from_on", "until_on"),
        **{"from": shapes.day("The first day of the price")},
        until=shapes.maybe(shapes.day("The day after its last; null while it is the last one")),
        discount_until=shapes.maybe(shapes.day("The last day of the discount")),
        indices=shapes.several(shapes.anything("What was read"), "The indices the revision read"),
    ),
)
REVISION: Final = Resource(
    "Revision",
    "revision",
    "prices",
    table.price_revision,
    filters=(
        equals("contract", "The contract's number"),
        *between("effective_on", "The day of the revision"),
    ),
    orders=(Order(("effective_on", "contract", "version"), down=True),),
    schema=shapes.of_table(
        table.price_revision,
        exact=shapes.text("The coefficient before it was rounded, as a fraction"),
        ratios=shapes.several(shapes.anything("A ratio"), "Index by index"),
        formula=shapes.anything("The clause: its weights, its base, its rounding"),
        comparisons=shapes.several(shapes.anything("What was compared"), "The indices read"),
        fees=shapes.several(shapes.named("FeeChange"), "The prices before and after, in euros"),
        charges=shapes.several(shapes.anything("A charge"), "What a correction bills"),
        warnings=shapes.several(shapes.anything("A warning")),
    ),
)
COMPONENTS: Final[dict[str, Any]] = (
    PRICE.components | REVISION.components | shapes.of_types(FeeChange)
)


@router.get("/prices", **PRICE.told_of_page("Prices"))
async def list_prices(request: Request, caller: Reader) -> Response:
    """Every price an item of a contract has had, in euros before tax, and what set it."""
    return await PRICE.page(request, caller)


@router.get("/revisions", **REVISION.told_of_page("Revisions of prices"))
async def list_revisions(request: Request, caller: Reader) -> Response:
    """Revisions, the latest first: the indices read, the coefficient, the prices it made."""
    return await REVISION.page(request, caller)
