"""What surrounds every request: limits, headers, problems, the log."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import Response

from billing.forms import BadFile
from billing.forms.toml_text import FieldError
from billing.refusal import Refused
from billing.store import Conflict, StoreBusy, StoreError
from projections.api import logs
from projections.api.access import Operator, Reader
from projections.api.lean import Lean
from projections.api.limits import Buckets
from tests.api.serving import Api, served


class Payment(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid")

    amount: Decimal
    received_on: date
    lines: list[int] = []


TROUBLES: dict[str, tuple[Exception, int, str]] = {
    "refused": (Refused("CTR-1 ended on 2026-01-31"), 422, "refused"),
    "conflict": (Conflict("CTR-1 changed meanwhile"), 409, "conflict"),
    "busy": (StoreBusy("the file is locked"), 503, "busy"),
    "store": (StoreError("the store is older"), 503, "store"),
    "away": (OperationalError("SELECT 1", {}, Exception("gone")), 503, "database"),
    "file": (
        BadFile([FieldError(path="sign", line=3, key="fee", value="-1", expected="0 or more")]),
        422,
        "bad-document",
    ),
    "ours": (ZeroDivisionError("secret of the house"), 500, "internal"),
}


def endpoints() -> APIRouter:
    """Endpoints that go wrong, are large, or take a body."""
    router = APIRouter(prefix="/v1/tests")

    @router.get("/trouble/{name}")
    def trouble(name: str, _: Reader) -> Response:
        raise TROUBLES[name][0]

    @router.post("/payment")
    async def payment(body: Payment, _: Operator, page: int = 1) -> Response:
        return Response(str(body.amount))

    @router.post("/bytes")
    async def counted(request: Request, _: Operator) -> Response:
        return Response(str(len(await request.body())))

    @router.get("/etag")
    async def tagged(_: Reader) -> Response:
        return Response("x", headers={"ETag": '"1"'})

    @router.get("/cached")
    async def cached(_: Reader) -> Response:
        return Response("x", headers={"Cache-Control": "public", "Content-Security-Policy": "own"})

    return router


def lean_endpoints() -> APIRouter:
    """The same troubles on lean routes."""
    router = APIRouter(prefix="/v1/lean", route_class=Lean)

    @router.get("/trouble/{name}")
    def lean_trouble(name: str, _: Reader) -> Response:
        raise TROUBLES[name][0]

    return router


@pytest.fixture
def api(sqlite: str) -> Iterator[Api]:
    with served(sqlite, max_body=1_000) as api:
        api.adds(endpoints())
        api.adds(lean_endpoints())
        yield api


# Problems


@pytest.mark.parametrize("way", ["tests", "lean"])
@pytest.mark.parametrize(("name", "trouble"), TROUBLES.items())
def test_whatever_goes_wrong_is_a_problem(
    api: Api, name: str, trouble: tuple[Exception, int, str], way: str
) -> None:
    error, status, kind = trouble
    answer = api.gets(f"/v1/{way}/trouble/{name}", role="reader")
    told = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, told["status"]) == (status, status)
    assert told["type"] == f"urn:billing:problem:{kind}"
    assert told["request_id"] == answer.headers["X-Request-ID"]
    assert ("Retry-After" in answer.headers) == (status == 503)
    if status in (409, 422):
        assert told["detail"] == str(error)
    if status == 500:
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text


def test_a_document_at_fault_is_told_with_its_lines(api: Api) -> None:
    told = api.gets("/v1/tests/trouble/file", role="reader").json()
    assert told["errors"] == [{"field": "fee", "line": 3, "value": "-1", "expected": "0 or more"}]


BODIES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "missing": (
        {"amount": "1.00"},
        [{"field": "received_on", "value": None, "expected": "it is missing"}],
    ),
    "no day": (
        {"amount": "1.00", "received_on": "2026-02-30"},
        [
            {
                "field": "received_on",
                "value": "2026-02-30",
                "expected": "a day written YYYY-MM-DD was expected",
            }
        ],
    ),
    "no amount": (
        {"amount": "twelve", "received_on": "2026-02-03"},
        [
            {
                "field": "amount",
                "value": "twelve",
                "expected": 'an amount written "1234.56" was expected',
            }
        ],
    ),
    "too much": (
        {"amount": "1.00", "received_on": "2026-02-03", "colour": "red"},
        [{"field": "colour", "value": "red", "expected": "there is no such field"}],
    ),
    "within a list": (
        {"amount": "1.00", "received_on": "2026-02-03", "lines": [1, "x" * 300]},
        [
            {
                "field": "lines[1]",
                "value": "x" * 200 + "…",
                "expected": "a whole number was expected",
            }
        ],
    ),
}


@pytest.mark.parametrize(("body", "errors"), BODIES.values(), ids=BODIES)
def test_a_body_at_fault_is_told_field_by_field(api: Api, body: Any, errors: Any) -> None:
    answer = api.asks("POST", "/v1/tests/payment", role="operator", json=body)
    told = answer.json()
    assert (answer.status_code, told["type"]) == (422, "urn:billing:problem:invalid")
    assert told["errors"] == errors
    assert errors[0]["field"] in told["detail"]


def test_a_query_at_fault_is_told_too(api: Api) -> None:
    body = {"amount": "1.00", "received_on": "2026-02-03"}
    answer = api.asks("POST", "/v1/tests/payment?page=two", role="operator", json=body)
    assert answer.json()["errors"] == [
        {"field": "page", "value": "two", "expected": "a whole number was expected"}
    ]


def test_what_is_not_json_is_told_with_the_place(api: Api) -> None:
    answer = api.asks(
        "POST",
        "/v1/tests/payment",
        role="operator",
        content=b'{"amount": ',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:billing:problem:not-json")
    assert "at character 11" in answer.json()["detail"]


def test_paths_and_methods_unknown_are_problems_too(api: Api) -> None:
    nowhere = api.gets("/v1/nowhere", role="reader")
    assert (nowhere.status_code, nowhere.json()["type"]) == (404, "urn:billing:problem:unknown")
    wrong = api.asks("PUT", "/v1/me", role="reader")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET")
    assert wrong.headers["Content-Type"] == "application/problem+json"


# Limits


def test_a_body_said_to_be_too_large_is_not_read(api: Api) -> None:
    answer = api.asks("POST", "/v1/tests/bytes", role="operator", content=b"x" * 1_001)
    assert (answer.status_code, answer.json()["detail"]) == (413, "1000 bytes are taken at most")
    assert answer.headers["Connection"] == "close"
    fits = api.asks("POST", "/v1/tests/bytes", role="operator", content=b"x" * 1_000)
    assert fits.text == "1000"


@pytest.mark.parametrize(("chunks", "status"), [(10, 200), (11, 413), (1_000, 413)])
def test_a_body_sent_in_pieces_is_counted_as_it_comes(api: Api, chunks: int, status: int) -> None:
    read = []

    async def pieces() -> AsyncIterator[bytes]:
        for rank in range(chunks):
            read.append(rank)
            yield b"x" * 100

    answer = api.asks(
        "POST",
        "/v1/tests/bytes",
        role="operator",
        content=pieces(),
        headers={"Transfer-Encoding": "chunked"},
    )
    assert answer.status_code == status
    assert len(read) <= 11  # The rest was never asked for.


def test_a_caller_who_asks_too_much_waits_and_others_do_not(sqlite: str) -> None:
    with served(sqlite, rate=0.01, burst=3) as api:
        one, two = api.key("reader", name="one"), api.key("reader", name="two")
        statuses = [api.gets("/v1/me", token=one).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        late = api.gets("/v1/me", token=one)
        assert 1 <= int(late.headers["Retry-After"]) <= 100
        assert late.json()["type"] == "urn:billing:problem:too-many"
        assert api.gets("/v1/me", token=two).status_code == 200


def test_a_stranger_is_limited_by_address_before_anything_is_looked_up(sqlite: str) -> None:
    with served(sqlite, stranger_rate=0.01, stranger_burst=4) as api:
        wrong = "bk_000000000000_" + "A" * 43
        asked = [api.gets("/v1/me", token=wrong, client="192.0.2.1") for _ in range(6)]
        assert [one.status_code for one in asked] == [401, 401, 401, 401, 429, 429]
        assert api.gets("/healthz", client="192.0.2.1").status_code == 429
        assert api.gets("/v1/me", token=wrong, client="192.0.2.2").status_code == 401
        # A good key is not lost among the strangers of its address, once it is known.
        good = api.key("reader")
        assert api.gets("/v1/me", token=good, client="192.0.2.3").status_code == 200


def test_an_ipv6_subscriber_is_one_address(sqlite: str) -> None:
    with served(sqlite, stranger_rate=0.01, stranger_burst=2) as api:
        from_one = [
            api.gets("/healthz", client=f"2001:db8:1:2::{n:x}:0:1").status_code for n in range(1, 4)
        ]
        assert from_one == [200, 200, 429]
        assert api.gets("/healthz", client="2001:db8:1:3:0:0:0:1").status_code == 200


def test_a_bucket_fills_again_with_time() -> None:
    now = [0.0]
    buckets = Buckets(rate=2, burst=4, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now[0] = 0.5
    assert buckets.wait("a") == 0
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    now[0] = 100.0
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_buckets_do_not_fill_the_memory() -> None:
    buckets = Buckets(rate=0.001, burst=1, most=2)
    assert buckets.take("a") == 0
    assert buckets.take("b") == 0
    assert buckets.take("a") > 0
    assert buckets.take("c") == 0  # The one longest unused is forgotten: a.
    assert buckets.take("b") > 0
    assert buckets.take("a") == 0


# Headers


def test_every_answer_has_the_headers_that_keep_browsers_careful(api: Api) -> None:
    for path in ("/v1/me", "/v1/nowhere", "/healthz", "/v1/tests/trouble/ours"):
        headers = api.gets(path, role="reader").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers
        assert "Server" not in headers


def test_behind_tls_browsers_are_told_to_stay_there(api: Api) -> None:
    headers = api.gets("/v1/me", role="reader", scheme="https").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_what_an_endpoint_says_of_caching_stands(api: Api) -> None:
    tagged = api.gets("/v1/tests/etag", role="reader").headers
    assert tagged["Cache-Control"] == "private, no-cache"
    own = api.gets("/v1/tests/cached", role="reader").headers
    assert (own["Cache-Control"], own["Content-Security-Policy"]) == ("public", "own")


def test_the_callers_request_id_is_kept_if_it_can_be_one(api: Api) -> None:
    kept = api.gets("/v1/me", role="reader", headers={"X-Request-ID": "order-17.b"})
    assert kept.headers["X-Request-ID"] == "order-17.b"
    for wrong in ("a b", "x" * 65, 'a"b', ""):
        made = api.gets("/v1/me", role="reader", headers={"X-Request-ID": wrong})
        assert made.headers["X-Request-ID"] not in (wrong, "")


# The log


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    """What the server logs, as it does when it is served."""
    out = io.BytesIO()
    root = logging.getLogger()
    before, told = root.handlers, logs._told
    logs.configure("info", out)
    yield out
    root.handlers, logs._told = before, told


def lines(log: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_request_leaves_one_line_without_names_or_secrets(api: Api, log: io.BytesIO) -> None:
    key = api.key("reader", name="anne@example.org")
    api.gets("/v1/tests/trouble/refused?iban=FR7630006000011234567890189", token=key)
    (line,) = lines(log)
    assert line.pop("ms") >= 0
    assert line.pop("at").endswith("Z")
    assert len(line.pop("request_id")) == 16
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/v1/tests/trouble/{name}",
        "status": 422,
        "bytes": line["bytes"],
        "caller": f"key {key[3:15]}",
    }
    for secret in ("anne", "FR76", key[16:]):
        assert secret not in log.getvalue().decode()


def test_our_fault_is_in_the_log_under_the_requests_id(api: Api, log: io.BytesIO) -> None:
    answer = api.gets("/v1/tests/trouble/ours", role="reader")
    ours, request = lines(log)
    assert ours["event"] == "our fault"
    assert "ZeroDivisionError" in ours["exception"]
    assert ours["request_id"] == request["request_id"] == answer.headers["X-Request-ID"]


def test_lines_of_a_run_bear_its_name(log: io.BytesIO) -> None:
    async def billed() -> None:
        logs.about(run="2026-03")
        structlog.get_logger("billing").info("a chunk was written", contracts=2_500)

    asyncio.run(billed())
    (line,) = lines(log)
    assert (line["run"], line["contracts"]) == ("2026-03", 2_500)


SECRETS = {
    "postgresql://billing:hunter2@db/x is away": "hunter2",
    "key bk_0123456789ab_" + "s" * 43: "ssss",
    "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "eyJzdWIi",
    "debit of FR76 3000 6000 0112 3456 7890 189 failed": "0112",
    "letter to anne.martin@example.org": "anne",
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.items())
def test_secrets_that_errors_quote_are_cut_out(log: io.BytesIO, text: str, secret: str) -> None:
    structlog.get_logger("billing").error("failed", error=text)
    logging.getLogger("uvicorn.error").error(text)
    ours, theirs = lines(log)
    assert secret not in json.dumps([ours, theirs])
    assert theirs["logger"] == "uvicorn.error"
    assert theirs["level"] == "error"
