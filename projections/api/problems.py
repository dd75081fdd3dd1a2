"""What goes wrong, told as RFC 9457 tells it: application/problem+json, with a sentence.

`type` is a name programs may look at, `title` never changes for a type, `detail` is about this
request. What is at fault in a request stands in `errors`: where, the value, what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from eventsourcing.persistence import PersistenceError
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from billing.forms import BadFile
from billing.record import UnknownEvent
from billing.refusal import Refused
from billing.store import Conflict, StoreBusy
from indices import BadIndexFile, IndexUnavailable

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:billing:problem:"
WAIT: Final = 2  # Seconds after which something busy is worth another try.
SHOWN: Final = 200  # Characters of a wrong value that are told back.


class Problem(HTTPException):
    """Something went wrong and the caller is told; `more` are further members of the answer."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail or title, dict(headers or {}))
        self.kind = kind
        self.title = title
        self.told = detail
        self.more = more

    def response(self, request_id: str = "") -> Response:
        """The answer."""
        body: dict[str, Any] = {"type": TYPE + self.kind, "title": self.title}
        body["status"] = self.status_code
        if self.told:
            body["detail"] = self.told
        if request_id:
            body["request_id"] = request_id
        return Response(
            msgspec.json.encode(body | self.more),
            self.status_code,
            self.headers,
            media_type=MEDIA_TYPE,
        )


class Fault(msgspec.Struct, frozen=True):
    """One thing at fault in a request."""

    field: str
    value: Any
    expected: str


def faulty(*faults: Fault) -> Problem:
    """What a request says cannot be taken: each field, its value, what was expected."""
    told = "; ".join(f"{one.field}: {_shown(one.value)}, {one.expected}" for one in faults[:3])
    return Problem(
        422,
        "invalid",
        "The request cannot be taken as it is",
        told,
        errors=[msgspec.structs.asdict(one) | {"value": _short(one.value)} for one in faults],
    )


def unknown(what: str, name: str) -> Problem:
    """There is no such thing."""
    return Problem(404, "unknown", "There is no such thing", f"no {what} {name}")


def unauthenticated(detail: str) -> Problem:
    """No one vouches for this request."""
    return Problem(
        401,
        "unauthenticated",
        "Who asks is not known",
        detail,
        headers={"WWW-Authenticate": 'Bearer realm="billing"'},
    )


def forbidden(detail: str) -> Problem:
    """Whoever asks may not."""
    return Problem(403, "forbidden", "Whoever asks may not", detail)


def too_many(wait: float) -> Problem:
    """More requests than one caller may send."""
    seconds = max(1, int(wait + 0.999))
    return Problem(
        429,
        "too-many",
        "Too many requests",
        f"ask again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


def too_large(most: int) -> Problem:
    """A body larger than the server takes."""
    return Problem(
        413,
        "too-large",
        "The body is too large",
        f"{most} bytes are taken at most",
        headers={"Connection": "close"},
    )


def unavailable(kind: str, title: str, detail: str) -> Problem:
    """Not now; the same request may do later."""
    return Problem(503, kind, title, detail, headers={"Retry-After": str(WAIT)})


def ours() -> Problem:
    """Our own fault: what it was is in the log, under the request's id."""
    return Problem(
        500, "internal", "This is our fault", "the log has the details under this request's id"
    )


def problem_of(error: Exception) -> Problem:
    """What an exception means to the one who asked."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error.errors())
        case HTTPException():
            return _plain(error)
        case Refused() | IndexUnavailable():
            return Problem(422, "refused", "It is not allowed", str(error))
        case BadFile():
            faults = [
                {"field": one.key or "document", "line": one.line}
                | {"value": _short(one.value), "expected": one.expected}
                for one in error.errors
            ]
            return _bad_document(faults, str(error))
        case BadIndexFile():
            fault = {"field": error.column, "value": error.value, "expected": error.expected}
            return _bad_document([fault], str(error))
        case StoreBusy() | PoolTimeout():
            return unavailable(
                "busy", "The database is busy", "another process holds it; ask again"
            )
        case Conflict():
            return Problem(409, "conflict", "Someone else changed the same thing", str(error))
        case OperationalError():
            return unavailable(
                "database", "The database does not answer", "it may be starting; ask again"
            )
        case UnknownEvent() | PersistenceError():
            return unavailable("store", "The record cannot be read", str(error))
        case _:
            return ours()


def install(app: FastAPI) -> None:
    """Every exception of ours and of the framework becomes a problem."""
    for kind in (
        *(HTTPException, RequestValidationError, Refused, IndexUnavailable, BadFile),
        *(BadIndexFile, PersistenceError, UnknownEvent, OperationalError, PoolTimeout),
    ):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status_code >= 500:
        structlog.get_logger("billing.api").warning("unavailable", error=str(error)[:500])
    return problem.response(request.scope["state"].get("request_id", ""))


def _plain(error: HTTPException) -> Problem:
    """What the framework says in a word: no such path, no such method."""
    status = HTTPStatus(error.status_code)
    told = "" if error.detail == status.phrase else str(error.detail)
    name = {404: "unknown", 413: "too-large"}.get(status, status.phrase.lower().replace(" ", "-"))
    return Problem(int(status), name, status.phrase, told, headers=error.headers)


def _bad_document(faults: list[dict[str, Any]], told: str) -> Problem:
    return Problem(422, "bad-document", "The document cannot be taken", told, errors=faults)


_WHERE: Final = {"query": "", "path": "", "body": "", "header": "header ", "cookie": "cookie "}
_EXPECTED: Final = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "date_from_datetime_parsing": "a day written YYYY-MM-DD was expected",
    "date_parsing": "a day written YYYY-MM-DD was expected",
    "date_type": "a day written YYYY-MM-DD was expected",
    "decimal_parsing": 'an amount written "1234.56" was expected',
    "decimal_type": 'an amount written "1234.56" was expected',
    "int_parsing": "a whole number was expected",
    "int_type": "a whole number was expected",
    "bool_parsing": "true or false was expected",
    "string_type": "text was expected",
}


def _invalid(errors: Sequence[Any]) -> Problem:
    faults = []
    for one in errors:
        if one["type"] == "json_invalid":
            return Problem(
                400,
                "not-json",
                "The body is not JSON",
                f"{one['ctx']['error']}, at character {one['loc'][-1]}",
            )
        where, *path = one["loc"]
        named = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
        missing = one["type"] == "missing"
        expected = _EXPECTED.get(one["type"]) or one["msg"][:1].lower() + one["msg"][1:]
        value = None if missing or where in ("header", "cookie") else one.get("input")
        faults.append(Fault(_WHERE.get(where, "") + (named[1:] or str(where)), value, expected))
    return faulty(*faults)


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    told = value if isinstance(value, str) else str(value)
    return told if len(told) <= SHOWN else told[:SHOWN] + "…"


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(_short(value))
