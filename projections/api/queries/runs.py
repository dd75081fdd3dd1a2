"""Billing runs over HTTP, and what they set aside."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections import runs as table
from projections.api import shapes
from projections.api.access import Reader
from projections.api.lean import Lean
from projections.api.queries.invoices import VAT
from projections.api.resources import Order, Resource, between, equals, whether

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Lean)
TAGS: Final = [{"name": "runs", "description": "What each billing run billed, and set aside."}]

_COUNTED: Final = ("invoices", "credit_notes", "set_aside", "net", "tax", "gross")
_ONCE_CLOSED: Final = {
    **{name: shapes.of_table(table.run)["properties"][name] for name in _COUNTED},
    "renewed": shapes.whole("Contracts it renewed"),
    "revised": shapes.whole("Contracts whose prices it revised"),
    "vat": shapes.several(VAT, "Totals by rate"),
    "digest": shapes.text("Of all the documents it issued (SHA-256)"),
}
RUN: Final = Resource(
    "Run",
    "run",
    "runs",
    table.run,
    ("name",),
    filters=(
        *between("until", "It bills what is due before a day"),
        whether("closed", "Whether it is whole", "closed_at IS NOT NULL", "closed_at IS NULL"),
    ),
    orders=(Order(("name",), down=True),),
    schema=shapes.of_table(
        table.run,  # What it came to is told once it is whole.
        engine=shapes.text("The version of the program that billed"),
        **{name: shapes.optional(schema) for name, schema in _ONCE_CLOSED.items()},  # type: ignore[arg-type]
    ),
)
SET_ASIDE: Final = Resource(
    "SetAside",
    "contract set aside",
    "runs",
    table.set_aside,
    filters=(
        equals("contract", "The contract's number"),
        equals("clause", "The clause that could not be followed"),
        whether("held", "Whether its billing waits too", "held", "NOT held"),
    ),
    orders=(Order(("contract", "version")),),
    under="recorded_by = {value}",
)
COMPONENTS: Final[dict[str, Any]] = RUN.components | SET_ASIDE.components


@router.get("", **RUN.told_of_page("Billing runs"))
async def list_runs(request: Request, caller: Reader) -> Response:
    """Each run: what it billed up to which day, its invoices, its amounts in euros."""
    return await RUN.page(request, caller)


@router.get("/{name}", **RUN.told_of_row("A billing run"))
async def show_run(request: Request, caller: Reader, name: str) -> Response:
    """A run by its name: the month (2026-07), or the day it bills up to."""
    return await RUN.row(request, caller, [name])


@router.get("/{name}/set-aside", **SET_ASIDE.told_of_page("What a run set aside"))
async def list_set_aside(request: Request, caller: Reader, name: str) -> Response:
    """The contracts it could not bill as they should be, each with the clause and the reason."""
    await RUN.must_be(request, [name])
    return await SET_ASIDE.page(request, caller, [f"run {name}"])
