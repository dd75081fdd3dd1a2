"""Answers as bytes: their version (ETag), what has not changed since (304), their headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from projections.api.positions import HEADER
from projections.bodies import json_of

JSON: Final = "application/json"
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def answer(
    request: Request,
    content: bytes,
    position: int | None = None,
    tag: str = "",
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer, or 304 when whoever asks has it already.

    `tag` is its version where that is not a digest of all its bytes.
    """
    tag = tag or f'"{digest(content)}"'
    told = {"ETag": tag, **(headers or {})}
    if position is not None:
        told[HEADER] = str(position)
    if (known := request.headers.get("if-none-match")) and _has(known, tag):
        return Response(status_code=304, headers=told)
    return Response(content, 200, told, media_type)


def digest(content: bytes) -> str:
    """A short name for these bytes: no secret, so the fastest that no accident repeats."""
    return sha1(content, usedforsecurity=False).hexdigest()[:24]


def _has(known: str, tag: str) -> bool:
    """Whether one of the tags known is that one, as If-None-Match compares them: weakly."""
    bare = tag.removeprefix("W/")
    return known.strip() == "*" or bare in [
        one.strip().removeprefix("W/") for one in known.split(",")
    ]


def joined(body: str, *more: str) -> str:
    """JSON objects as one; `more` may be ""."""
    for one in more:
        if one and one != "{}":
            body = f"{body[:-1]},{one[1:]}" if body != "{}" else one
    return body


def sparse(body: str, fields: Sequence[str]) -> str:
    """An object with these of its fields only, in the order they were asked for."""
    told = _decode(body)
    return _encode({name: told[name] for name in fields if name in told}).decode()


def told(value: Any) -> bytes:
    """A value as JSON."""
    return json_of(value).encode()
