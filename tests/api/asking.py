"""Commands as other services ask for them, on the demo's contracts."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec

from billing.demo.story import FOLDER
from tests.api.serving import Api

CONTRACTS = FOLDER / "contracts"
INTEGRAL = CONTRACTS / "integral-micro-2023-0042.toml"
NUMBER = "IM-2023-0042"
PIXEL = CONTRACTS / "pixel-tech-2024-001.toml"

_keys = count(1)


def a_key() -> str:
    """A key no other request of these tests has."""
    return f"test-{next(_keys)}"


def values_of(path: Path) -> dict[str, Any]:
    """A contract file as JSON has it."""
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tomllib.loads(path.read_text())))
    return told


def at(day: date) -> datetime:
    """That day, in the morning."""
    return datetime(day.year, day.month, day.day, 8, tzinfo=UTC)


def asks(
    api: Api,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    key: str = "",
    role: str = "operator",
    on: date | None = None,
    **more: Any,
) -> httpx.Response:
    """The answer to a command."""
    if on is not None:
        api.clock.now = at(on)
    headers = {"Idempotency-Key": key or a_key(), **more.pop("headers", {})}
    if body is not None:
        more["json"] = body
    return api.asks("POST", path, role=role if "token" not in more else "", headers=headers, **more)


def done(answer: httpx.Response) -> dict[str, Any]:
    """What a command answered that was done."""
    assert answer.status_code in (200, 201), answer.text
    told: dict[str, Any] = answer.json()
    return told


def signs(api: Api, path: Path = INTEGRAL, on: date = date(2023, 6, 20)) -> dict[str, Any]:
    """A contract, signed."""
    return done(asks(api, "/v1/contracts", values_of(path), on=on))


def topics(told: dict[str, Any]) -> list[str]:
    """The kinds of events recorded."""
    return [event["topic"] for event in told["events"]]
