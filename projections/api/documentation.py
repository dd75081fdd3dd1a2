"""The OpenAPI document, and the page that shows it (swagger-ui, kept beside this module)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from types import ModuleType
from typing import Any, Final

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from projections.api.access import operations
from projections.api.problems import MEDIA_TYPE, TYPE

router = APIRouter()
STATIC: Final = files("projections.api") / "static"
MOUNT: Final = "/docs/static"
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Files of this server only; swagger-ui's style sheet holds its icons."""
ABOUT: Final = """\
What was billed, what is owed, what a price was on a day: derived from the record of events.
Commands are handed to the engine and answered with the events they recorded.

Amounts are texts with their decimals (`"1234.56"`), days `YYYY-MM-DD`, moments ISO 8601 in UTC.
What goes wrong is `application/problem+json`: `type` names it, `detail` says what to do.
"""
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "What went wrong, for programs"},
        "title": {"type": "string", "description": "The same, for people"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong with this request"},
        "request_id": {"type": "string", "description": "How the log calls it"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "expected"],
                "properties": {
                    "field": {"type": "string"},
                    "value": {},
                    "expected": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": f"{TYPE}unknown",
        "title": "There is no such thing",
        "status": 404,
        "detail": "no contract IM-2023-0043",
        "request_id": "9f0c6d1e5a7b4c32",
    },
}
SAID: Final = {
    "401": "Who asks is not known",
    "403": "Whoever asks may not",
    "422": "Some of it cannot be taken: `errors` has each field, its value, what was expected",
    "429": "Too many requests; `Retry-After` says when to ask again",
    "default": "What else goes wrong",
}
TAGS: Final = [{"name": "operation", "description": "For those who run the server."}]


def openapi(app: FastAPI, modules: Iterable[ModuleType]) -> dict[str, Any]:
    """The OpenAPI document: problems instead of the framework's errors, roles with the schemes."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=[*TAGS, *(tag for module in modules for tag in getattr(module, "TAGS", ()))],
    )
    known = {(one.path, method.lower()): one for one in operations(app) for method in one.methods}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            operation["operationId"] = known[path, method].name
            _finish(operation, sorted(known[path, method].roles))
    _examples(app, document)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    for module in modules:
        schemas.update(getattr(module, "COMPONENTS", {}))
    return document


def _examples(app: FastAPI, document: dict[str, Any]) -> None:
    """Examples of answers as they were given: the framework takes nulls out of them."""
    for route in app.routes:
        if not isinstance(route, APIRoute) or route.path_format not in document["paths"]:
            continue
        item = document["paths"][route.path_format]
        for code, response in route.responses.items():
            for kind, content in response.get("content", {}).items():
                if "example" in content:
                    for method in (route.methods or set()) & {name.upper() for name in item}:
                        told = item[method.lower()]["responses"][str(code)]["content"][kind]
                        told["example"] = content["example"]


def _finish(operation: dict[str, Any], roles: list[str]) -> None:
    responses = operation["responses"]
    asks = "requestBody" in operation or "parameters" in operation
    if not asks or "HTTPValidationError" in str(responses.get("422", "")):
        responses.pop("422", None)
    wanted = ["429", "default", *(["401", "403"] if roles else []), *(["422"] if asks else [])]
    for code in wanted:
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses.setdefault(code, {"description": SAID[code], "content": content})
    operation["responses"] = dict(sorted(responses.items()))
    if roles:
        operation["security"] = [{"bearer": roles}]
        told = f"For the role {' or '.join(roles)}."
        operation["description"] = f"{operation.get('description', '')}\n\n{told}".strip()


@router.get("/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    """The OpenAPI document."""
    state = request.app.state
    if getattr(state, "openapi_bytes", None) is None:
        state.openapi_bytes = msgspec.json.encode(request.app.openapi())
    return Response(state.openapi_bytes, media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def page() -> Response:
    """The page that shows it."""
    return Response(
        (STATIC / "docs.html").read_bytes(),
        media_type="text/html",
        headers={"Content-Security-Policy": CSP},
    )


class Assets(StaticFiles):
    """The files of the page: they change with the program only."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, kept by the browser for an hour."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


def assets() -> Mount:
    """Where the page finds them."""
    return Mount(MOUNT, Assets(directory=str(STATIC)), name="static")
