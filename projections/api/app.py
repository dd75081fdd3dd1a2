"""The application that a server runs: routers, what surrounds them, what starts and stops with it.

A module may have a `router`, `TAGS` and `COMPONENTS` for the OpenAPI document, and `running(app)`,
an asynchronous context manager entered while the server runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from threading import Event as Flag
from threading import Thread
from types import ModuleType
from typing import Any, Final

import structlog
from anyio import to_thread
from fastapi import FastAPI

from billing import __version__
from billing.application import Billing
from projections.api import documentation, problems
from projections.api.access import Gate, unguarded
from projections.api.deps import Desk
from projections.api.lean import Index
from projections.api.meters import Meters
from projections.api.settings import Oidc, Settings
from projections.api.shell import Shell
from projections.runner import Runner

MODULES: Final = (
    "projections.api.reads",
    "projections.api.commands_http",
    "projections.api.feed",
    "projections.api.webhooks",
    "projections.api.keys_http",
    "projections.api.queries.calendar",
    "projections.api.queries.contracts",
    "projections.api.queries.direct_debits",
    "projections.api.queries.indices",
    "projections.api.queries.invoices",
    "projections.api.queries.ledger",
    "projections.api.queries.parties",
    "projections.api.queries.prices",
    "projections.api.queries.receivables",
    "projections.api.queries.revenue",
    "projections.api.queries.runs",
    "projections.api.health",
    "projections.api.documentation",
)
SPARE: Final = 4  # Connections of those who follow the log, besides one a request.
AGAIN: Final = 2.0  # Seconds before the log is followed again after it could not be.
_log = structlog.get_logger("billing.api")


def application(settings: Settings, **more: Any) -> Billing:
    """The billing application, with a connection for each thread of the server."""
    pool = str(settings.pool + SPARE)
    return Billing({"DATABASE_URL": settings.url, "POOL_SIZE": pool}, **more)


def create_app(settings: Settings, billing: Billing | None = None) -> FastAPI:
    """The API on a database. `billing` is closed by whoever made it; none: by the server."""
    own = billing is None
    billing = billing or application(settings)
    runner = Runner(billing, troubled=_troubled)
    runner.prepare()
    modules = [import_module(name) for name in MODULES]
    app = FastAPI(
        title="Billing",
        version=__version__,
        description=documentation.ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(modules, own),
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.desk = Desk(billing, settings, runner)
    app.state.gate = Gate(settings, billing)
    app.state.meters = Meters(billing, runner)
    app.state.stopping = asyncio.Event()
    app.state.on_stop = []
    for module in modules:
        if hasattr(module, "router"):
            app.router.routes.extend(module.router.routes)
    app.router.routes.append(documentation.assets())
    app.router.routes.insert(0, Index(app.routes))
    problems.install(app)
    app.add_middleware(Shell, settings=settings, gate=app.state.gate, meters=app.state.meters)
    app.openapi = lambda: _document(app, modules)  # type: ignore[method-assign]
    if open_to_all := unguarded(app):
        raise RuntimeError(f"{', '.join(open_to_all)}: no role is named that may use it")
    return app


def stop(app: FastAPI) -> None:
    """Tells everything that stays open that the server has been asked to stop."""
    app.state.stopping.set()
    calls: list[Callable[[], None]] = app.state.on_stop
    while calls:
        calls.pop()()


def _document(app: FastAPI, modules: list[ModuleType]) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = documentation.openapi(app, modules)
    return app.openapi_schema


def _lifespan(modules: list[ModuleType], own: bool) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk: Desk = app.state.desk
        # A request has one thread and one connection: with fewer connections threads would wait
        # for each other while they hold one.
        to_thread.current_default_thread_limiter().total_tokens = desk.settings.pool
        async with AsyncExitStack() as stack:
            stack.callback(desk.billing.close if own else _nothing)
            stack.push_async_callback(app.state.gate.close)
            if desk.settings.embedded:
                stack.enter_context(_Following(desk.runner))
            for module in modules:
                if hasattr(module, "running"):
                    await stack.enter_async_context(module.running(app))
            try:
                yield
            finally:
                stop(app)

    return lifespan


def _troubled(error: Exception) -> None:
    _log.warning("the log is not followed", error=f"{type(error).__name__}: {error}"[:500])


def _nothing() -> None:
    pass


class _Following:
    """A thread that follows the log while the server runs."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._stop = Flag()
        self._thread = Thread(target=self._follow, name="projections", daemon=True)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._runner.follow(self._stop)
            except Exception as error:
                _troubled(error)
                self._stop.wait(AGAIN)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)


__all__ = ["MODULES", "Oidc", "Settings", "application", "create_app", "stop"]
