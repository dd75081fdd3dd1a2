"""The change feed: every event in the order it was committed, by pages or as a stream.

Positions have no gap and follow the commits: whoever passes back the last one it has seen misses
nothing and is told nothing twice. Pages and streams hold the same events in the same words.

A stream is server-sent events: `id` is the position, `event` the topic, `data` the event. It reads
a page of the log once its reader has taken the one before: a slow reader costs a page of memory.
After MAX_AGE it ends, and its reader comes back with Last-Event-ID: so access is looked at
again. When the server is asked to stop, streams end at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import chain
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple, cast

import msgspec
import structlog
from anyio import to_thread
from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from billing.store import Store, StoreError
from projections import telling
from projections.api.access import Reader
from projections.api.deps import AtDesk
from projections.api.problems import Fault, faulty, unavailable
from projections.runner import Closing, listening, wait_for_news

PAGE: Final = 500  # Events a stream reads at once.
SCAN: Final = 50_000  # Positions looked through for one page, however few are wanted of them.
POLL: Final = 0.25  # Seconds between two looks at the log for what no one tells us of.
HEARTBEAT: Final = 15.0
MAX_AGE: Final = 900.0
MAX_STREAMS: Final = 200
LONGEST_WAIT: Final = 30
RETRY: Final = b"retry: 2000\n\n"
LAST: Final = 2**62

router = APIRouter(prefix="/v1/events", tags=["Change feed"])
_log = structlog.get_logger("billing.feed")


class Tail:
    """The end of the log as this process knows it: one thread watches it for all who wait."""

    def __init__(self, store: Store, poll: float = POLL) -> None:
        self.store = store
        self.position = 0
        self.streams = 0
        self.stopping = False
        self._poll = poll
        self._woken = Flag()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._thread = Thread(target=self._watch, name="tail", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self.position = self.store.log_position()
        self.store.listen(self._woken)
        self._thread.start()

    def stop(self) -> None:
        """Ends the streams, and whoever waits for an event: the server is asked to stop."""
        self.stopping = True
        self._woken.set()
        self._tell()

    def join(self) -> None:
        """Waits until it watches no more."""
        self._thread.join(5)

    async def beyond(self, position: int, seconds: float) -> bool:
        """Waits until the log goes beyond a position; whether it does."""
        told = asyncio.Event()
        self._waiting[told] = asyncio.get_running_loop()
        try:
            until = monotonic() + seconds
            while self.position <= position and not self.stopping:
                told.clear()
                async with asyncio.timeout(until - monotonic()):
                    await told.wait()
        except TimeoutError:
            pass
        finally:
            del self._waiting[told]
        return self.position > position

    def _watch(self) -> None:
        while not self.stopping:
            try:
                with Closing(listening(self.store)) as heard:
                    while not self.stopping:
                        self._look()
                        wait_for_news(self._woken, heard, self._poll)
                        self._woken.clear()
            except Exception as error:  # The database went away: it will be asked again.
                _log.warning("the log cannot be watched", error=f"{type(error).__name__}: {error}")
                self._woken.wait(self._poll * 4)
        self.store.unlisten(self._woken)

    def _look(self) -> None:
        end = self.store.log_position()
        if end > self.position:
            self.position = end
            self._tell()

    def _tell(self) -> None:
        for told, loop in list(self._waiting.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(told.set)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """The tail of the log, while the server runs."""
    tail = app.state.tail = Tail(app.state.desk.billing.store)
    await to_thread.run_sync(tail.start)
    app.state.on_stop.append(tail.stop)
    try:
        yield
    finally:
        tail.stop()
        await to_thread.run_sync(tail.join)


def tail_of(app: FastAPI) -> Tail:
    """The tail of a server."""
    return cast("Tail", app.state.tail)


class Read(NamedTuple):
    """Some of the log: events as others are told of them, and how far it was looked through."""

    events: list[dict[str, Any]]
    through: int


def read(
    store: Store, after: int, end: int, topics: Sequence[str], limit: int, personal: bool
) -> Read:
    """The events after a position, up to `end`."""
    stop = min(end, after + SCAN)
    if stop <= after:
        return Read([], after)
    log = store.read_log(after + 1, stop, limit, topics)
    events = [telling.told(position, stored, personal) for position, stored in log]
    return Read(events, events[-1]["position"] if len(events) == limit else stop)


# Pages

_EXAMPLE: Final = {
    "position": 4711,
    "topic": "payment.received",
    "stream": "5f0c6c1e-7c0e-5a57-9d0f-0c7a2f6b7a11",
    "version": 1,
    "recorded_at": "2026-03-02T09:30:00Z",
    "recorded_by": "erp",
    "data": {
        "reference": "VIR-2026-0042",
        "supplier": "ACME",
        "client": "MAIRIE-LYON",
        "amount": "1200.00",
        "value_on": "2026-03-02",
    },
}
COMPONENTS: Final[dict[str, Any]] = {
    "RecordedEvent": {
        "type": "object",
        "description": "Something that happened. Amounts in `data` are texts; fields that hold "
        "their default, and personal data one may not see, are left out.",
        "required": ["topic", "stream", "version", "recorded_by", "data"],
        "properties": {
            "position": {"type": "integer", "description": "Where it stands in the log"},
            "topic": {"type": "string", "description": "What kind of event it is"},
            "stream": {"type": "string", "format": "uuid", "description": "Of which aggregate"},
            "version": {"type": "integer", "description": "Its rank among the aggregate's events"},
            "recorded_at": {"type": "string", "format": "date-time"},
            "recorded_by": {"type": "string"},
            "data": {"type": "object", "additionalProperties": True},
        },
        "example": _EXAMPLE,
    },
    "EventPage": {
        "type": "object",
        "required": ["events", "next", "end"],
        "properties": {
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/RecordedEvent"}},
            "next": {"type": "integer", "description": "What to pass as `after` for the next page"},
            "end": {"type": "integer", "description": "Where the log ended when it was read"},
        },
        "example": {"events": [_EXAMPLE], "next": 4711, "end": 4711},
    },
}
_HEADERS: Final = {"ETag": {"schema": {"type": "string"}}}

After = Annotated[int, Query(ge=0, le=LAST, description="The last position already seen")]
Topics = Annotated[
    list[str],
    Query(
        description="Only these kinds of events: names (`invoice.issued`) or groups (`invoice.*`)",
        max_length=100,
    ),
]


@router.get(
    "",
    summary="Events, a page at a time",
    responses={
        200: {
            "headers": _HEADERS,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EventPage"}}},
        },
        304: {"description": "Nothing new since the page of that ETag"},
    },
    response_class=Response,
)
async def events(
    request: Request,
    caller: Reader,
    desk: AtDesk,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    topic: Topics = [],  # noqa: B006
    wait: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an event if none is new")
    ] = 0,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """What was recorded after a position, in order; `next` is where the next page begins.

    A page is empty when nothing is new, or nothing of the topics wanted was found yet: go on from
    `next` either way.
    """
    topics = telling.topics_of(telling.words(topic))
    store, tail = desk.billing.store, tail_of(request.app)
    until = monotonic() + wait
    at = after
    while True:
        end = await to_thread.run_sync(store.log_position)
        found = await to_thread.run_sync(read, store, at, end, topics, limit, caller.personal)
        at = found.through
        left = until - monotonic()
        if found.events or at < end or left <= 0 or not await tail.beyond(at, left):
            break
    kind = f"{limit} {caller.personal} {','.join(topics)}"
    etag = f'W/"{after}-{found.through}-{sha256(kind.encode()).hexdigest()[:12]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in (one.strip() for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    page = {"events": found.events, "next": found.through, "end": max(end, found.through)}
    return Response(msgspec.json.encode(page), headers=headers, media_type="application/json")


# The stream


@router.get(
    "/stream",
    summary="Events, as they are recorded",
    responses={
        200: {
            "description": "Server-sent events. A comment now and then says that it lives, and "
            "how far it has looked.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": "id: 4711\nevent: payment.received\ndata: {…}\n\n",
                }
            },
        }
    },
    response_class=StreamingResponse,
)
async def stream(
    request: Request,
    caller: Reader,
    desk: AtDesk,
    after: After = 0,
    topic: Topics = [],  # noqa: B006
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """Follows the log from a position on: `after`, or Last-Event-ID when a reader comes back."""
    topics = telling.topics_of(telling.words(topic))
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19):
            expected = "a position was expected, as `id` told it"
            raise faulty(Fault("header Last-Event-ID", last_event_id, expected))
        after = int(last_event_id)
    tail = tail_of(request.app)
    if tail.stopping or tail.streams >= MAX_STREAMS:
        raise unavailable("streams", "No more streams", f"{MAX_STREAMS} are open; ask again")
    chunks = _chunks(tail, after, topics, caller.personal)
    return StreamingResponse(
        chunks,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _chunks(
    tail: Tail, at: int, topics: Sequence[str], personal: bool
) -> AsyncIterator[bytes]:
    tail.streams += 1
    ends, heard = monotonic() + MAX_AGE, monotonic()
    told = at
    try:
        yield RETRY
        while not tail.stopping and monotonic() < ends:
            if tail.position > at:
                found = await to_thread.run_sync(
                    read, tail.store, at, tail.position, topics, PAGE, personal
                )
                at = found.through
                if found.events:
                    told, heard = at, monotonic()
                    yield b"".join(chain.from_iterable(map(_lines, found.events)))
                    continue
            elif await tail.beyond(at, max(0.0, heard + HEARTBEAT - monotonic())):
                continue
            if monotonic() >= heard + HEARTBEAT:
                heard = monotonic()
                # An id without data moves Last-Event-ID on: what was passed over is not read again.
                yield b": alive\n\n" if at == told else b": alive\nid: %d\n\n" % at
                told = at
    except StoreError as error:
        _log.warning("a stream ended early", error=str(error))
    finally:
        tail.streams -= 1


def _lines(event: dict[str, Any]) -> tuple[bytes, ...]:
    head = f"id: {event['position']}\nevent: {event['topic']}\ndata: ".encode()
    return head, msgspec.json.encode(event), b"\n\n"
