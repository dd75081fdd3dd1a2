"""Published series over HTTP, as the record knows them: indices, rates, their values."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from indices import Observation, Series
from projections.api import asking, problems, shapes
from projections.api.access import Reader
from projections.api.deps import AtDesk
from projections.api.lean import Lean
from projections.api.live import whole, worked_out

router = APIRouter(prefix="/v1/indices", tags=["indices"], route_class=Lean)
TAGS: Final = [{"name": "indices", "description": "Published series, with source and day."}]

SERIES: Final = {
    one.name: one
    for one in (
        asking.month("from", "Periods from that month on"),
        asking.month("to", "Periods up to that month"),
        asking.day("published_by", "What was public by that day"),
    )
}
_VALUE: Final = shapes.record(
    "One version of one published value: a rectification is another version",
    period=shapes.text("The month (2026-03), or the first day of the period"),
    value=shapes.exact("On the scale of its series; a rate: in percent a year"),
    published_on=shapes.day("The day it was published: it counts from then"),
    source=shapes.text("Where it was read"),
    confidence=shapes.text("found, derived or recalled"),
    estimated=shapes.flag("The day of publication is estimated"),
)
_LINK: Final = shapes.record(
    "What the old series goes on by: old scale = new value × coefficient",
    old_series=shapes.text("The old one"),
    new_series=shapes.text("The new one"),
    at=shapes.text("The period both were published for"),
    coefficient=shapes.exact("The coefficient (coefficient de raccordement)"),
    source=shapes.text("Where it was read"),
    confidence=shapes.text("found, derived or recalled"),
    published_on=shapes.maybe(shapes.day("When it was published")),
    rule=shapes.text("How it is to be used"),
)
_ONE: Final = shapes.of_types(Series)
COMPONENTS: Final[dict[str, Any]] = {
    **_ONE,
    "SeriesValues": shapes.record(
        "A series with its values",
        series=shapes.named("Series"),
        values=shapes.several(_VALUE, "By period, then day of publication"),
        links=shapes.several(_LINK),
    ),
}


@router.get(
    "",
    **shapes.documented(
        "Published series",
        shapes.record(
            data=shapes.several(shapes.named("Series")),
            next=shapes.maybe(shapes.text("Null: it is answered whole")),
        ),
        {},
        {"data": [shapes.EXAMPLES["Series"]], "next": None},
    ),
)
async def list_indices(request: Request, caller: Reader, desk: AtDesk) -> Response:
    """The series the record knows: who publishes them, how often, which replaces which."""
    asking.asked(request, {})
    return await worked_out(
        request, lambda: whole([one for _, one in sorted(desk.billing.book().series().items())])
    )


@router.get(
    "/{series}",
    **shapes.documented(
        "A published series",
        shapes.named("SeriesValues"),
        SERIES,
        shapes.EXAMPLES.get("SeriesValues"),
        missing="There is no such series",
    ),
)
async def show_index(request: Request, caller: Reader, desk: AtDesk, series: str) -> Response:
    """A series and its values, each with the day it was published, its source and its versions."""
    asked = asking.asked(request, SERIES)

    def work() -> Any:
        book = desk.billing.book()
        if series not in book.series():
            raise problems.unknown("series", series)
        first, last = asked.get("from"), asked.get("to")
        by = asked.get("published_by")
        return {
            "series": book.series()[series],
            "values": [
                _told(one)
                for one in book.observations(series)
                if (first is None or one.period[:7] >= f"{first:%Y-%m}")
                and (last is None or one.period[:7] <= f"{last:%Y-%m}")
                and (by is None or one.published_on <= by)
            ],
            "links": [one for one in book.links() if series in (one.old_series, one.new_series)],
        }

    return await worked_out(request, work)


def _told(one: Observation) -> dict[str, Any]:
    told = msgspec.structs.asdict(one)
    del told["series"]
    return told
