"""Answers that no table holds: worked out by the application, in a thread, from the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from projections.api import answers
from projections.api.deps import Desk


async def worked_out(
    request: Request,
    work: Callable[[], Any],
    media_type: str = answers.JSON,
    headers: dict[str, str] | None = None,
) -> Response:
    """What `work` finds, as JSON unless it is bytes; it knows of all that was recorded before."""
    desk: Desk = request.app.state.desk

    def done() -> tuple[int, bytes]:
        position = desk.billing.store.log_position()
        found = work()
        return position, found if isinstance(found, bytes) else answers.told(found)

    position, content = await to_thread.run_sync(done)
    return answers.answer(request, content, position, media_type=media_type, headers=headers)


def whole(found: list[Any]) -> dict[str, Any]:
    """A list that is always answered whole, as a page is."""
    return {"data": found, "next": None}
