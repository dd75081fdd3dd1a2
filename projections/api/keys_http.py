"""Who one is to the API, and the keys there are. Keys are made at the desk: `billing key add`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from projections.api import keys
from projections.api.access import Admin, Reader
from projections.api.deps import AtDesk
from projections.api.lean import Lean
from projections.api.problems import unknown

router = APIRouter(prefix="/v1", tags=["access"], route_class=Lean)
TAGS: Final = [{"name": "access", "description": "Who asks, and with what keys."}]
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_MOMENT: Final = {"type": ["string", "null"], "format": "date-time"}
COMPONENTS: Final[dict[str, Any]] = {
    "Caller": {
        "type": "object",
        "required": ["name", "roles", "scopes"],
        "properties": {"name": {"type": "string"}, "roles": _TEXTS, "scopes": _TEXTS},
        "example": {"name": "erp", "roles": ["operator", "reader"], "scopes": ["personal"]},
    },
    "Key": {
        "type": "object",
        "required": ["id", "name", "roles", "scopes", "state"],
        "properties": {
            "id": {"type": "string", "description": "The part of the key that may be told"},
            "name": {"type": "string", "description": "Its commands are recorded under it"},
            "roles": _TEXTS,
            "scopes": _TEXTS,
            "state": {"enum": ["valid", "revoked", "expired"]},
            "created_at": _MOMENT,
            "created_by": {"type": "string"},
            "expires_at": _MOMENT,
            "revoked_at": _MOMENT,
            "revoked_by": {"type": "string"},
            "last_used_at": _MOMENT,
        },
        "example": {
            "id": "5f0c6d1e5a7b",
            "name": "erp",
            "roles": ["operator"],
            "scopes": [],
            "state": "valid",
            "created_at": "2026-03-02T08:00:00Z",
            "created_by": "anne",
            "expires_at": None,
            "revoked_at": None,
            "revoked_by": "",
            "last_used_at": "2026-03-02T09:41:00Z",
        },
    },
    "Keys": {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}}},
    },
}


def _answers(schema: str) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {200: {"description": schema, "content": content}}


@router.get("/me", summary="Who one is", responses=_answers("Caller"))
async def me(caller: Reader) -> Response:
    """The name one's commands are recorded under, one's roles with those they include, scopes."""
    told = {"name": caller.name, "roles": sorted(caller.roles), "scopes": sorted(caller.scopes)}
    return _told(told)


@router.get("/keys", summary="The keys there have been", responses=_answers("Keys"))
def listed_keys(_: Admin, desk: AtDesk) -> Response:
    """Every key, without its secret, the first made first."""
    now = desk.billing.clock()
    return _told({"items": [shown(one, now) for one in keys.listed(desk.billing.store)]})


@router.delete("/keys/{id}", summary="Take a key back", responses=_answers("Key"))
def revoked_key(id: str, caller: Admin, desk: AtDesk) -> Response:
    """From now on it opens nothing; where it was just used, within a few seconds. Taking it back
    twice is no fault."""
    store, now = desk.billing.store, desk.billing.clock()
    found = keys.find(store, id)
    if found is None:
        raise unknown("key", id)
    if found.revoked_at is None:
        keys.revoke(store, id, by=caller.name, at=now)
        found = found._replace(revoked_at=now, revoked_by=caller.name)
    return _told(shown(found, now))


def shown(key: keys.Key, now: datetime) -> dict[str, Any]:
    """A key, as it may be told."""
    told = key._asdict() | {"state": key.state(now)}
    del told["digest"]
    return told | {"roles": sorted(key.roles), "scopes": sorted(key.scopes)}


def _told(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
