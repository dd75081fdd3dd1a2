"""Ways around what the framework does for endpoints that need none of it.

Most endpoints take the caller, the desk, the request and names in the path. FastAPI describes them
as it does any other; solving their dependencies anew for each request would cost more than all the
rest of the server (105 µs become 20), and so would trying the routes one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from projections.api.access import Access
from projections.api.deps import desk


class Lean(APIRoute):
    """A route whose endpoint is called without detours, if it takes nothing but the caller, the
    desk, the request and texts of the path; else a route as any other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lean = _is_lean(self)
        self._access = [
            (one.name, one.call)
            for one in self.dependant.dependencies
            if isinstance(one.call, Access)
        ]
        self._desk = [one.name for one in self.dependant.dependencies if one.call is desk]
        self._request = self.dependant.request_param_name
        self._call: Callable[..., Any] = self.endpoint
        if not iscoroutinefunction(self.endpoint):
            self._call = partial(run_in_threadpool, self.endpoint)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Who asks, then the answer."""
        if not self.lean or scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        given: dict[str, Any] = dict(scope["path_params"])
        for name, access in self._access:
            caller = await access(request)
            if name is not None:
                given[name] = caller
        for name in self._desk:
            if name is not None:
                given[name] = scope["app"].state.desk
        if self._request is not None:
            given[self._request] = request
        response = await self._call(**given)
        await response(scope, receive, send)


def _is_lean(route: APIRoute) -> bool:
    needs: Dependant = route.dependant
    known = all(isinstance(one.call, Access) or one.call is desk for one in needs.dependencies)
    texts = all(one.field_info.annotation is str for one in needs.path_params)
    bare = all(not one.field_info.metadata for one in needs.path_params)
    return (
        known
        and texts
        and bare
        and route.response_model is None
        and not (needs.query_params or needs.header_params or needs.cookie_params)
        and not needs.body_params
        and not (needs.response_param_name or needs.background_tasks_param_name)
    )


class Index(BaseRoute):
    """Finds a route by the first words of the path, among those alone that begin with them."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self.indexed: dict[str, list[APIRoute]] = {}  # All of them stand in the list of routes too.
        self._by_method: dict[tuple[str, str], list[APIRoute]] = {}
        for route in routes:
            if isinstance(route, APIRoute) and "{" not in (head := _head(route.path)):
                self.indexed.setdefault(head, []).append(route)
                for method in route.methods or ():
                    self._by_method.setdefault((method, head), []).append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The route meant, if it is one of these; others are looked for as ever."""
        head = _head(scope["path"])
        for route in self._by_method.get((scope["method"], head), ()):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, child
        for route in self.indexed.get(head, ()):  # The path of one, by another method.
            match, child = route.matches(scope)
            if match is not Match.NONE:
                return match, child
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What was found answers."""
        await scope["route"].handle(scope, receive, send)


def _head(path: str) -> str:
    """/v1/contracts of /v1/contracts/CTR-1/prices."""
    return "/".join(path.split("/", 3)[:3])
