"""Webhooks over HTTP: registered, looked at, paused, replayed and removed by administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from threading import Thread
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from anyio import to_thread
from fastapi import APIRouter, FastAPI, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from projections import webhooks as core
from projections.api.access import Admin, need_personal
from projections.api.deps import AtDesk, Desk
from projections.api.problems import Fault, faulty, unknown
from projections.api.settings import Settings
from projections.webhooks import Courier, Hook, Letter, NoWebhook, Policy, Webhooks

T = TypeVar("T")
router = APIRouter(prefix="/v1/webhooks", tags=["Webhooks"])
TAGS: Final = [{"name": "Webhooks", "description": core.__doc__}]
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
LAST: Final = 2**62


def policy_of(settings: Settings) -> Policy:
    """Where a server posts: to this machine too when it is open to it."""
    own = LOOPBACK if settings.open_on_loopback else ()
    return Policy((*settings.webhook_networks, *own))


def webhooks_of(desk: Desk) -> Webhooks:
    """The webhooks of a server."""
    return Webhooks(desk.billing.store, desk.billing.clock, policy_of(desk.settings))


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Delivers while the server runs, unless others do (`billing webhook deliver`)."""
    desk: Desk = app.state.desk
    if not desk.settings.embedded:
        yield
        return
    courier = Courier(webhooks_of(desk))
    thread = Thread(target=courier.run, name="webhooks", daemon=True)
    thread.start()
    app.state.on_stop.append(courier.stop)
    try:
        yield
    finally:
        courier.stop()
        await to_thread.run_sync(thread.join, core.TIMEOUT)


class Body(BaseModel):
    """What a request says; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewWebhook(Body):
    """A webhook to be registered."""

    url: str = Field(
        max_length=2000,
        description="https, on the public internet",
        examples=["https://erp.example.com/billing-events"],
    )
    topics: list[str] = Field(
        default=[],
        max_length=100,
        description="Kinds of events (`invoice.issued`) and groups (`invoice.*`); all when empty",
        examples=[["invoice.*", "payment.received"]],
    )
    personal: bool = Field(
        default=False, description="Personal data too: for those who have the scope themselves"
    )
    after: int | None = Field(
        default=None,
        ge=0,
        le=LAST,
        description="From which position on; only what is to come, unless said",
    )


class Replay(Body):
    """What is to be told again: all after a position, or dead letters."""

    after: int | None = Field(default=None, ge=0, le=LAST, examples=[4700])
    dead: bool = Field(default=False, description="The dead letters (of one `position`, if said)")
    position: int | None = Field(default=None, ge=1, le=LAST)


class Rotation(Body):
    """How a secret gives way to another."""

    overlap_hours: int = Field(
        default=24, ge=0, le=168, description="How long the secret before signs too; 0: no more"
    )


class WebhookShown(BaseModel):
    """A webhook, and how far it is."""

    id: str = Field(examples=["wh_3f9c1a2b4d5e"])
    url: str
    topics: list[str]
    personal: bool
    state: str = Field(description="active or paused", examples=["active"])
    why: str = Field(description="Why it is paused")
    position: int = Field(description="The last event delivered, given up or passed over")
    dead_in_a_row: int
    delivered_at: datetime | None
    created_at: datetime
    created_by: str
    signed_so_until: datetime | None = Field(description="Until when the secret before signs too")


class WebhookMade(WebhookShown):
    """A webhook and its secret."""

    secret: str = Field(
        description="What messages are signed with; shown this once",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class LetterShown(BaseModel):
    """An event that was not taken."""

    webhook: str
    position: int
    topic: str
    state: str = Field(
        description="dead, again (asked for once more) or waiting for its next attempt"
    )
    attempts: int
    next_at: datetime | None
    error: str
    first_at: datetime
    last_at: datetime


class WebhookList(BaseModel):
    """Webhooks."""

    webhooks: list[WebhookShown]


class LetterList(BaseModel):
    """Events that were not taken."""

    letters: list[LetterShown]


def _shown(hook: Hook, *, secret: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = hook._asdict()
    del told["secret_before"]
    if not secret:
        del told["secret"]
    return told


async def _asked(desk: Desk, ask: Callable[[Webhooks], T]) -> T:
    try:
        return await to_thread.run_sync(ask, webhooks_of(desk))
    except NoWebhook as error:
        raise unknown("webhook", str(error).rpartition(" ")[2]) from None


def _answer(told: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(told), status, media_type="application/json")


@router.get("", response_model=WebhookList)
async def list_webhooks(desk: AtDesk, caller: Admin) -> Response:
    """Every webhook, the oldest first."""
    found = await _asked(desk, Webhooks.all)
    return _answer({"webhooks": [_shown(hook) for hook in found]})


@router.post("", status_code=201, response_model=WebhookMade)
async def add_webhook(said: NewWebhook, desk: AtDesk, caller: Admin) -> Response:
    """Registers where events are posted; the secret they are signed with is shown this once."""
    if said.personal:
        need_personal(caller)
    add = partial(
        Webhooks.add,
        url=said.url,
        by=caller.name,
        topics=said.topics,
        personal=said.personal,
        after=said.after,
    )
    return _answer(_shown(await _asked(desk, add), secret=True), 201)


@router.get("/{id}", response_model=WebhookShown)
async def show_webhook(id: str, desk: AtDesk, caller: Admin) -> Response:
    """One webhook, and how far it is."""
    return _answer(_shown(await _asked(desk, partial(Webhooks.one, id=id))))


@router.delete("/{id}", status_code=204)
async def remove_webhook(id: str, desk: AtDesk, caller: Admin) -> Response:
    """Forgets a webhook, with its dead letters."""
    await _asked(desk, partial(Webhooks.remove, id=id))
    return Response(status_code=204)


@router.post("/{id}/pause", response_model=WebhookShown)
async def pause_webhook(id: str, desk: AtDesk, caller: Admin) -> Response:
    """Tells it nothing until it is resumed; then it goes on where it stopped."""
    pause = partial(Webhooks.pause, id=id, why=f"paused by {caller.name}")
    return _answer(_shown(await _asked(desk, pause)))


@router.post("/{id}/resume", response_model=WebhookShown)
async def resume_webhook(id: str, desk: AtDesk, caller: Admin) -> Response:
    """Goes on; what was waiting for its next attempt is tried at once."""
    return _answer(_shown(await _asked(desk, partial(Webhooks.resume, id=id))))


@router.post("/{id}/rotate", response_model=WebhookMade)
async def rotate_webhook(id: str, said: Rotation, desk: AtDesk, caller: Admin) -> Response:
    """Gives it another secret, shown this once; the one before signs too for a while."""
    rotate = partial(Webhooks.rotate, id=id, overlap=timedelta(hours=said.overlap_hours))
    return _answer(_shown(await _asked(desk, rotate), secret=True))


@router.post("/{id}/replay", response_model=WebhookShown)
async def replay_webhook(id: str, said: Replay, desk: AtDesk, caller: Admin) -> Response:
    """Tells it again what comes after a position, or tries its dead letters once more."""
    if (said.after is None) == (not said.dead):
        raise faulty(Fault("after", said.after, "a position, or else dead: true, was expected"))
    if said.after is not None:
        await _asked(desk, partial(Webhooks.replay, id=id, after=said.after))
    else:
        await _asked(desk, partial(Webhooks.replay_dead, id=id, position=said.position))
    return _answer(_shown(await _asked(desk, partial(Webhooks.one, id=id))))


@router.get("/{id}/letters", response_model=LetterList)
async def list_letters(
    id: str,
    desk: AtDesk,
    caller: Admin,
    state: Annotated[list[Literal["dead", "again", "waiting"]], Query(max_length=3)] = ["dead"],  # noqa: B006
) -> Response:
    """The events it did not take: dead letters, unless other states are asked for."""
    found: list[Letter] = await _asked(desk, partial(Webhooks.letters, id=id, states=state))
    return _answer({"letters": [letter._asdict() for letter in found]})
