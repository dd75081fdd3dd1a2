"""Whether the server lives, whether it may be asked, and its figures."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from billing.store import StoreError
from projections import schema
from projections.api.access import Access, Caller
from projections.api.deps import AtDesk, Desk
from projections.api.meters import lags
from projections.api.settings import is_loopback
from projections.api.shell import PROXIED

router = APIRouter(tags=["operation"])
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
ALIVE: Final = b'{"status":"alive"}'


class FromHere(Access):
    """For a role, or for whoever asks from this machine without saying who they are."""

    async def __call__(self, request: Request) -> Caller | None:  # type: ignore[override]
        """Who asks; None from this machine."""
        names = dict(request.scope["headers"])
        client = request.scope.get("client")
        proxied = b"authorization" in names or any(name in names for name in PROXIED)
        if client and is_loopback(client[0]) and not proxied:
            return None
        return await super().__call__(request)


from_here = FromHere("auditor")


def _example(status: str, **more: Any) -> dict[int | str, dict[str, Any]]:
    return {
        200 if status != "not ready" else 503: {
            "description": status.capitalize(),
            "content": {
                "application/json": {
                    "schema": {"type": "object", "required": ["status"]},
                    "example": {"status": status, **more},
                }
            },
        }
    }


@router.get("/healthz", summary="Whether the server lives", responses=_example("alive"))
async def alive() -> Response:
    """Says that the process answers; asks nothing of the database."""
    return Response(ALIVE, media_type="application/json")


@router.get(
    "/readyz",
    summary="Whether the server may be asked",
    responses=_example("ready", position=1204, lag_seconds=0.0, warnings=[])
    | _example("not ready", reasons=["invoices is 312 s late"], warnings=[]),
)
def ready(request: Request, desk: AtDesk) -> Response:
    """Says whether answers are to be had: the database, its tables, how late the projections are.

    A projection that stopped at an event it cannot take is a warning: the others go on.
    """
    if request.app.state.stopping.is_set():
        return _told(503, {"status": "not ready", "reasons": ["the server is stopping"]})
    try:
        told = _looked(desk)
    except (StoreError, OSError) as error:
        told = {"status": "not ready", "reasons": [f"the database: {error}"]}
    return _told(200 if told["status"] == "ready" else 503, told)


def _looked(desk: Desk) -> dict[str, Any]:
    outdated = _outdated(desk)
    if outdated:
        return {"status": "not ready", "reasons": [outdated]}
    found = lags(desk.billing, desk.runner)
    going = [one for one in found if not one.standing.failed_at]
    reasons = [
        f"{one.standing.name} is {one.seconds:.0f} s late"
        for one in going
        if one.seconds > desk.settings.max_lag
    ]
    return {
        "status": "not ready" if reasons else "ready",
        "position": desk.billing.store.log_position(),
        "lag_seconds": round(max((one.seconds for one in going), default=0.0), 1),
        "reasons": reasons,
        "warnings": [
            f"{one.standing.name} stopped at {one.standing.failed_at}"
            for one in found
            if one.standing.failed_at
        ],
    }


def _outdated(desk: Desk) -> str:
    """What the database lacks of the tables this program knows."""
    at_head = getattr(schema, "at_head", None)
    return at_head(desk.billing.store) if at_head else ""


def _told(status: int, told: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(told), status, media_type="application/json")


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"description": "Figures", "content": {"text/plain": {}}}},
)
def metrics(request: Request, _: Annotated[Caller | None, Depends(from_here)]) -> Response:
    """Requests, lag of each projection, the last billing run, invoices issued, errors.

    For auditors and admins; and for whoever asks from this machine.
    """
    return Response(request.app.state.meters.text(), media_type=TEXT)
