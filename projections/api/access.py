"""Who asks, and what they may: API keys and OpenID Connect tokens, both as `Authorization: Bearer`.

Refused by default: an endpoint names the role it is for, and one that names none keeps the server
from starting. Roles include each other as a desk does; who administers the keys decides nothing
about money, unless given that role too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple
from weakref import WeakValueDictionary

import structlog
from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.requests import Request
from starlette.types import Scope

from billing.application import Billing
from projections.api import keys, problems
from projections.api.limits import Buckets
from projections.api.oidc import Issuer
from projections.api.settings import ROLES, Settings

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant

INCLUDED: Final[dict[str, frozenset[str]]] = {
    "reader": frozenset({"reader"}),
    "operator": frozenset({"reader", "operator"}),
    "approver": frozenset({"reader", "operator", "approver"}),
    "auditor": frozenset({"reader", "auditor"}),
    "admin": frozenset({"reader", "auditor", "admin"}),
}
PUBLIC: Final = frozenset({"/healthz", "/readyz", "/docs", "/docs/static", "/openapi.json"})
"""Open to strangers, and nothing else is."""
REMEMBERED: Final = 10_000
_log = structlog.get_logger("billing.access")


class Caller(NamedTuple):
    """Who asks: the name commands are recorded under, and what they may."""

    name: str
    roles: frozenset[str]  # With those they include.
    scopes: frozenset[str]
    id: str  # What the log calls them: no name, no address.
    until: float = float("inf")  # Seconds since 1970.

    def may(self, role: str) -> bool:
        """Whether they have a role, or one that includes it."""
        return role in self.roles

    @property
    def personal(self) -> bool:
        """Whether they may see personal data."""
        return "personal" in self.scopes


def caller(
    name: str, roles: Iterable[str], scopes: Iterable[str], id: str, until: float = float("inf")
) -> Caller:
    """A caller, whose roles include others."""
    included = frozenset[str]().union(*(INCLUDED[role] for role in roles))
    return Caller(name, included, frozenset(scopes), id, until)


class Gate:
    """Finds out who asks. What it found is believed for a few seconds (`settings.key_for`)."""

    def __init__(self, settings: Settings, billing: Billing) -> None:
        self._billing = billing
        self._for = settings.key_for
        self._issuer = Issuer(settings.oidc) if settings.oidc else None
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._looks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._callers = Buckets(settings.rate, settings.burst)
        self.strangers = Buckets(settings.stranger_rate, settings.stranger_burst)
        self._local = (
            caller(billing.user, ROLES, keys.SCOPES, "loopback")
            if settings.open_on_loopback
            else None
        )

    async def admit(self, request: Request) -> Caller:
        """Who asks. Raises a Problem when that is not known, or when they ask too much."""
        state = request.scope["state"]
        known: Caller | None = state.get("caller")
        if known is not None:
            return known
        presented = state["authorization"]
        if not presented:
            if self._local is None:
                raise problems.unauthenticated("a key or a token is needed: Authorization: Bearer")
            state["caller"] = self._local
            return self._local
        digest = sha256(presented).digest()
        found = self._known.get(digest)
        if found is None or found[0] < monotonic():
            # Many may ask at once when what was believed has to be looked at again: one looks.
            async with self._looks.setdefault(digest, asyncio.Lock()):
                found = self._known.get(digest)
                if found is None or found[0] < monotonic():
                    found = await self._look(request, presented, digest)
        who = found[1]
        if wait := self._callers.take(who.id):
            raise problems.too_many(wait)
        state["caller"] = who
        return who

    async def _look(
        self, request: Request, presented: bytes, digest: bytes
    ) -> tuple[float, Caller]:
        # Before anything is computed or looked up for someone who failed too often.
        where = address_of(request.scope)
        if wait := self.strangers.wait(where):
            raise problems.too_many(wait)
        self._known.pop(digest, None)
        try:
            who = await self._known_by(presented.decode("latin-1"))
        except problems.Problem as problem:
            if problem.status_code == 401:
                self.strangers.take(where)
            raise
        now = self._billing.clock().timestamp()
        found = (monotonic() + min(self._for, who.until - now), who)
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = found
        return found

    async def _known_by(self, presented: str) -> Caller:
        scheme, _, token = presented.partition(" ")
        if scheme.lower() != "bearer":
            raise problems.unauthenticated("Authorization: Bearer was expected")
        token = token.strip()
        return await (self._by_key(token) if keys.id_of(token) else self._by_token(token))

    async def _by_key(self, presented: str) -> Caller:
        id, now = keys.id_of(presented), self._billing.clock()
        key = await to_thread.run_sync(keys.find, self._billing.store, id)
        if key is None or not key.opens(presented):
            raise problems.unauthenticated("there is no such key")
        if key.state(now) != "valid":
            raise problems.unauthenticated(f"the key is {key.state(now)}")
        if key.last_used_at is None or key.last_used_at < now - keys.USED_EVERY:
            self._later(id)
        until = key.expires_at.timestamp() if key.expires_at else float("inf")
        return caller(key.name, key.roles, key.scopes, f"key {id}", until)

    async def _by_token(self, presented: str) -> Caller:
        if self._issuer is None:
            raise problems.unauthenticated("there is no such key, and no tokens are taken here")
        who = await self._issuer.identity(presented)
        return caller(who.name, who.roles, who.scopes & keys.SCOPES.keys(), who.id, who.until)

    def _later(self, id: str) -> None:
        """Notes that a key was used; nobody waits for it, nor minds if it could not be noted."""

        async def note() -> None:
            try:
                await to_thread.run_sync(keys.used, self._billing.store, id, self._billing.clock())
            except Exception as error:
                _log.warning("use of a key not noted", key=id, error=type(error).__name__)

        task = asyncio.create_task(note())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends what it began."""
        await asyncio.gather(*self._tasks)
        if self._issuer is not None:
            await self._issuer.close()


class Access(SecurityBase):
    """The dependency of an endpoint that is for a role."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.model = HTTPBearer(
            description="A key of the API (`bk_…`), or a token of the OpenID Connect issuer."
        )
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Caller:
        """Who asks, if they have the role."""
        who: Caller = await request.app.state.gate.admit(request)
        if self.role not in who.roles:
            raise problems.forbidden(f"this is for the role {self.role}")
        return who


reader, operator, approver, auditor, admin = map(Access, ROLES)
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
Approver = Annotated[Caller, Depends(approver)]
Auditor = Annotated[Caller, Depends(auditor)]
Admin = Annotated[Caller, Depends(admin)]


def need_personal(who: Caller) -> None:
    """Refuses whoever may not see personal data."""
    if not who.personal:
        raise problems.forbidden("this is for the scope personal")


def address_of(scope: Scope) -> str:
    """Where a request comes from, as limits count: an IPv6 subscriber is a /64."""
    client = scope.get("client")
    host: str = client[0] if client else ""
    return ":".join(host.split(":")[:4]) if host.count(":") > 4 else host


class Operation(NamedTuple):
    """An endpoint of the API, and the roles it names."""

    name: str
    path: str
    methods: frozenset[str]
    roles: frozenset[str]


def operations(app: FastAPI) -> Iterator[Operation]:
    """Every endpoint, and for whom it is."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            roles = frozenset(_roles(route.dependant))
            yield Operation(route.name, route.path_format, frozenset(route.methods or ()), roles)
        elif not hasattr(route, "indexed"):
            yield Operation("", getattr(route, "path", repr(route)), frozenset(), frozenset())


def unguarded(app: FastAPI) -> list[str]:
    """The endpoints anyone could use without being meant to: there must be none."""
    return sorted(one.path for one in operations(app) if not one.roles and one.path not in PUBLIC)


def _roles(dependant: Dependant) -> Iterator[str]:
    if isinstance(dependant.call, Access):
        yield dependant.call.role
    for inner in dependant.dependencies:
        yield from _roles(inner)
