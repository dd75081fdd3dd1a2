"""The API in this process, asked as a client would ask it, with a key for each role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from starlette.routing import Mount

from billing.application import Billing
from projections.api import keys
from projections.api.app import Settings, create_app
from projections.api.lean import Index

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Api:
    """A running application, its clock, and keys by role."""

    def __init__(self, app: FastAPI, billing: Billing, clock: Clock) -> None:
        self.app = app
        self.billing = billing
        self.clock = clock
        self._keys: dict[tuple[str, ...], str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def does(self, awaitable: Awaitable[Any]) -> Any:
        """What it yields in the server's loop."""

        async def done() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    def adds(self, router: APIRouter) -> None:
        """Endpoints of the test's own."""
        self.app.router.routes.extend(router.routes)
        self.app.router.routes[0] = Index(self.app.routes)

    def key(self, *roles: str, name: str = "", personal: bool = False) -> str:
        """A key with these roles; the same one when asked again."""
        asked = (name, *roles, str(personal))
        if asked not in self._keys:
            self._keys[asked] = keys.add(
                self.billing.store,
                name or "+".join(roles),
                roles,
                ["personal"] if personal else [],
                by="tests",
                at=self.clock(),
            )
        return self._keys[asked]

    def asks(
        self,
        method: str,
        path: str,
        *,
        role: str = "",
        token: str = "",
        client: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        scheme: str = "http",
        **more: Any,
    ) -> httpx.Response:
        """The answer to a request, by whoever has that role or that token, or by a stranger."""
        token = token or (self.key(role) if role else "")
        sent = {"Authorization": f"Bearer {token}"} if token else {}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.app, raise_app_exceptions=False, client=(client, 50_000)
            )
            async with httpx.AsyncClient(
                transport=transport, base_url=f"{scheme}://127.0.0.1:8000"
            ) as http:
                return await http.request(method, path, headers=sent | (headers or {}), **more)

        answer: httpx.Response = self.does(asked())
        return answer

    def gets(self, path: str, **more: Any) -> httpx.Response:
        """The answer to GET."""
        return self.asks("GET", path, **more)

    @contextmanager
    def running(self) -> Iterator[Api]:
        """The server for the length of the block."""
        self._thread.start()
        stop: list[Callable[[], Awaitable[Any]]] = []

        async def start() -> None:
            context = self.app.router.lifespan_context(self.app)
            await context.__aenter__()
            stop.append(lambda: context.__aexit__(None, None, None))

        self.does(start())
        try:
            yield self
        finally:
            self.does(stop[0]())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()


@contextmanager
def served(url: str, clock: Clock | None = None, **settings: Any) -> Iterator[Api]:
    """The API on a database; nobody follows the log unless `embedded` says so."""
    clock = clock or Clock()
    billing = Billing({"DATABASE_URL": url, "POOL_SIZE": "12"}, clock=clock, user="tests")
    try:
        app = create_app(Settings(url=url, **{"embedded": False} | settings), billing)
        with Api(app, billing, clock).running() as api:
            yield api
    finally:
        billing.close()


def endpoints(app: FastAPI) -> set[tuple[str, str]]:
    """Every method and path of the API."""
    return {
        (method, route.path_format)  # type: ignore[attr-defined]
        for route in app.routes
        if not isinstance(route, Mount | Index)
        for method in route.methods  # type: ignore[attr-defined]
    }
