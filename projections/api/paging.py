"""Pages: a question answered some rows at a time, each page going on where the last one ended.

A cursor holds the last row's place in the order, so that rows inserted meanwhile neither repeat one
nor hide one; whoever has it treats it as a word without meaning.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

import msgspec
from starlette.requests import Request

from projections.api.asking import Parameter, Wrong, text, whole

MOST: Final = 200
USUAL: Final = 50
LIMIT: Final = whole("limit", "How many rows a page has at most", 1, MOST, default=USUAL)
LONGEST: Final = 1_000  # Characters of a cursor.
_decode = msgspec.json.Decoder(list[str | int]).decode


def written(tag: str, place: Sequence[Any]) -> str:
    """The cursor of a row's place in an order; `tag` names what is asked and the order."""
    told = msgspec.json.encode([tag, *(_plain(value) for value in place)])
    return urlsafe_b64encode(told).decode().rstrip("=")


def place_of(cursor: str, tag: str, kinds: Sequence[type]) -> list[Any]:
    """The place a cursor holds. Raises Wrong for one that was not given for this question."""
    try:
        if len(cursor) > LONGEST:
            raise Wrong
        told = _decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        found, *place = told
        if found != tag or len(place) != len(kinds):
            raise Wrong
        return [_read(value, kind) for value, kind in zip(place, kinds, strict=True)]
    except (NotBase64, msgspec.MsgspecError, UnicodeError, ValueError):
        raise Wrong("the cursor of an answer to this same question was expected") from None


def cursor(says: str = "Where to go on: as `next` of the page before has it") -> Parameter:
    """The parameter; it is read once the order is known."""
    return text("cursor", says, maxLength=LONGEST)._replace(read=str)


def next_link(request: Request, asked: Mapping[str, Any], mark: str) -> str:
    """The address of the next page: the same question, going on at a cursor."""
    kept = [(name, value) for name, value in asked.items() if name != "cursor"]
    return f"{quote(request.scope['path'])}?{urlencode([*kept, ('cursor', mark)])}"


def link(address: str) -> dict[str, str]:
    """The header that says where the next page is (RFC 8288)."""
    return {"Link": f'<{address}>; rel="next"'}


def _plain(value: Any) -> str | int:
    if isinstance(value, bytes):  # A stream, on SQLite.
        return str(UUID(bytes=value))
    return value if isinstance(value, int | str) else str(value)


def _read(value: str | int, kind: type) -> Any:
    if kind is int:
        if not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise Wrong
        return value
    if not isinstance(value, str) or "\0" in value:
        raise Wrong
    if kind is UUID:
        return UUID(value)
    return date.fromisoformat(value).isoformat() if kind is date else value
