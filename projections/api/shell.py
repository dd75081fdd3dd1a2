"""What surrounds every request: its id, its limits, its headers, its line in the log, its figures.

One layer of plain ASGI: a layer costs microseconds, and a framework's own costs many.
"""

from __future__ import annotations

import re
import secrets
from time import perf_counter
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from projections.api import logs, problems
from projections.api.access import Gate, address_of
from projections.api.meters import Meters
from projections.api.settings import Settings

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS: Final = SAFE | {"POST", "PUT", "PATCH", "DELETE"}
ALWAYS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
CSP: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
NO_STORE: Final = (b"cache-control", b"no-store")
REVALIDATE: Final = (b"cache-control", b"private, no-cache")
PROXIED: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("billing.api")


class Shell:
    """The outermost layer; whatever is not caught below becomes a problem here."""

    def __init__(self, app: ASGIApp, settings: Settings, gate: Gate, meters: Meters) -> None:
        self._app = app
        self._gate = gate
        self._meters = meters
        self._most = settings.max_body
        self._open = settings.open_on_loopback
        self._hosts = settings.answers_to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        id = given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = id
        state["authorization"] = headers.get(b"authorization", b"")
        structlog.contextvars.bind_contextvars(request_id=id)
        status = size = 0
        streaming = False

        async def answer(message: Message) -> None:
            nonlocal status, size, streaming
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"] = [*message["headers"], *ALWAYS]
                names = dict(own)
                if names.get(b"content-type", b"").startswith(b"text/event-stream"):
                    streaming = True
                    self._meters.streams.inc()
                if b"cache-control" not in names:
                    own.append(REVALIDATE if b"etag" in names else NO_STORE)
                if CSP[0] not in names:
                    own.append(CSP)
                if scope["scheme"] == "https":
                    own.append(HSTS)
                own.append((b"x-request-id", id.encode()))
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            self._admit(scope, headers)
            if b"transfer-encoding" in headers:
                receive = self._counted(receive)
            await self._app(scope, receive, answer)
        except problems.Problem as problem:
            if not status:
                await problem.response(id)(scope, receive, answer)
        except Exception as error:
            _log.error("our fault", error=type(error).__name__, exc_info=error)
            if status:  # The answer was begun: cut off, so that no one takes it for whole.
                raise
            await problems.ours().response(id)(scope, receive, answer)
        finally:
            seconds = perf_counter() - started
            route = getattr(scope.get("route"), "path", "")
            method = scope["method"] if scope["method"] in METHODS else "other"
            code = status or 499  # The caller went away before any answer.
            self._meters.request(method, route, code, None if streaming else seconds)
            if streaming:
                self._meters.streams.dec()
            who = state.get("caller")
            logs.request(
                request_id=id,
                method=method,
                route=route,
                status=code,
                ms=round(seconds * 1000, 1),
                bytes=size,
                caller=who.id if who else "",
            )

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Turns away what is not worth a look: too large, too often, not meant for us."""
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._most:
            raise problems.too_large(self._most)
        if self._hosts and _name(headers.get(b"host", b"")) not in self._hosts:
            # A page elsewhere may make its own name mean this machine (DNS rebinding).
            raise problems.Problem(
                421, "misdirected", "Not the server's name", "the Host header names another server"
            )
        if self._open:
            _from_here(scope, headers)
        elif b"authorization" not in headers and (
            wait := self._gate.strangers.take(address_of(scope))
        ):
            raise problems.too_many(wait)

    def _counted(self, receive: Receive) -> Receive:
        """A body whose length nobody said, counted as it comes."""
        read = 0

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise problems.too_large(self._most)
            return message

        return counting


def _from_here(scope: Scope, headers: dict[bytes, bytes]) -> None:
    """An open server takes commands from this machine's user, not from pages they happen to see."""
    if any(name in headers for name in PROXIED):
        raise problems.forbidden("an open server is not to be put behind a proxy")
    if scope["method"] in SAFE:
        return
    site = headers.get(b"sec-fetch-site", b"none")
    origin = headers.get(b"origin")
    own = scope["scheme"].encode() + b"://" + headers.get(b"host", b"")
    if site not in (b"none", b"same-origin") or (origin is not None and origin != own):
        raise problems.forbidden("a page of another site may give no command to an open server")


def _name(host: bytes) -> str:
    """The name in a Host header, without its port."""
    told = host.decode("latin-1").lower()
    if told.startswith("["):
        return told[1:].partition("]")[0]
    return told.partition(":")[0]
