"""How one knows that the server lives, what it tells of itself, and how it stops."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from fastapi import APIRouter
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from billing.application import Billing
from billing.cli import cli
from projections.api import health, server
from projections.api.access import Reader, operations
from projections.api.app import Settings, create_app
from projections.api.settings import BadSetting
from tests.api.serving import NOW, Api, Clock, served
from tests.cli.running import INTEGRAL, Desk

# Alive, ready


def test_the_server_says_that_it_lives_to_anyone(api: Api) -> None:
    answer = api.gets("/healthz", client="192.0.2.1")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_the_server_is_ready_when_the_projections_have_followed(api_on_both: Api) -> None:
    answer = api_on_both.gets("/readyz", client="192.0.2.1")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "status": "ready",
        "position": 0,
        "lag_seconds": 0.0,
        "reasons": [],
        "warnings": [],
    }


def test_the_server_is_not_ready_while_a_projection_is_late(url: str) -> None:
    with served(url, max_lag=60.0) as api:
        runner = api.app.state.desk.runner
        runner.catch_up()
        api.billing.publish_shipped()
        api.clock.now = NOW + timedelta(seconds=60)
        assert api.gets("/readyz").status_code == 200
        api.clock.now = NOW + timedelta(seconds=61)
        answer = api.gets("/readyz")
        assert answer.status_code == 503
        assert answer.json()["lag_seconds"] == 61.0
        assert "runs is 61 s late" in answer.json()["reasons"]
        runner.catch_up()
        assert api.gets("/readyz").status_code == 200


def test_a_projection_that_stopped_is_a_warning(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = api.app.state.desk.runner
    first, *others = runner.standings()
    stopped = first._replace(failed_at=17, behind=9, position=16, error="no such clause")
    monkeypatch.setattr(runner, "standings", lambda: [stopped, *others])
    answer = api.gets("/readyz")
    assert answer.status_code == 200
    assert answer.json()["warnings"] == [f"{first.name} stopped at 17"]


def test_the_server_is_not_ready_when_the_database_does_not_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(health, "_looked", away)
    answer = api.gets("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (
        503,
        ["the database: no route to host"],
    )


# Figures


def figures(api: Api, **more: Any) -> dict[tuple[str, ...], float]:
    """What /metrics tells, by name and labels."""
    answer = api.gets("/metrics", **more)
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(api: Api) -> None:
    api.gets("/v1/me", role="reader")
    api.gets("/v1/me", role="reader")
    api.gets("/v1/me", token="wrong")
    for path in ("/v1/a", "/v1/b"):
        api.gets(path, role="reader")
    api.asks("BREW", "/v1/me", role="reader")
    told = figures(api)
    assert told["billing_http_requests_total", "GET", "/v1/me", "200"] == 2
    assert told["billing_http_requests_total", "GET", "/v1/me", "401"] == 1
    # However many paths and methods strangers invent, they are one line.
    assert told["billing_http_requests_total", "GET", "", "404"] == 2
    assert told["billing_http_requests_total", "other", "/v1/me", "405"] == 1
    assert told["billing_http_request_seconds_count", "GET", "/v1/me"] == 3


def test_the_last_run_and_the_invoices_are_told(url: str, tmp_path: Path) -> None:
    with served(url) as api:
        assert not [name for name, *_ in figures(api) if name.startswith("billing_run")]
    desk = Desk(tmp_path)

    def types(*words: Any, today: str) -> None:
        before = ["--database", url, "--today", today, "--user", "tests"]
        result = CliRunner().invoke(cli, [*before, *map(str, words)])
        assert result.exit_code == 0, result.output

    types("sign", INTEGRAL, today="2023-06-20")
    types("run", "2023-07", today="2023-07-20")
    assert desk.folder == tmp_path
    with served(url) as api:
        told = figures(api)
        assert told["billing_run_finished", "2023-07"] == 1
        assert told["billing_run_contracts_done", "2023-07"] == 1
        assert told["billing_run_contracts_left", "2023-07"] == 0
        assert told["billing_run_set_aside", "2023-07"] == 0
        issued = {key: value for key, value in told.items() if key[0].startswith("billing_inv")}
        assert sum(issued.values()) == 1
        end = api.billing.store.log_position()
        assert told["billing_log_position",] == end
        assert told["billing_projection_behind", "runs"] == end
        assert told["billing_projection_lag_seconds", "runs"] > 0
        assert told["billing_projection_stopped", "runs"] == 0


READERS = [
    ({"client": "127.0.0.1"}, 200),
    ({"client": "::1"}, 200),
    ({"client": "192.0.2.1"}, 401),
    ({"client": "127.0.0.1", "headers": {"X-Forwarded-For": "127.0.0.1"}}, 401),
    ({"client": "192.0.2.1", "role": "reader"}, 403),
    ({"client": "127.0.0.1", "role": "reader"}, 403),
    ({"client": "192.0.2.1", "role": "auditor"}, 200),
    ({"client": "192.0.2.1", "role": "admin"}, 200),
]


@pytest.mark.parametrize(("asked", "status"), READERS)
def test_figures_are_for_auditors_and_for_this_machine(
    api: Api, asked: dict[str, Any], status: int
) -> None:
    assert api.gets("/metrics", **asked).status_code == status


def test_our_faults_are_counted(api: Api) -> None:
    router = APIRouter(prefix="/v1/tests")

    @router.get("/fault")
    def fault(_: Reader) -> Response:
        raise KeyError("x")

    api.adds(router)
    api.gets("/v1/tests/fault", role="reader")
    assert figures(api)["billing_errors_total",] == 1


# What describes it


def test_the_document_describes_every_endpoint_and_whom_it_is_for(api: Api) -> None:
    document = api.gets("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    names = [operation["operationId"] for operation in described.values()]
    assert len(names) == len(set(names))
    for one in operations(api.app):
        for method in one.methods:
            if one.path in ("/docs", "/openapi.json"):
                continue
            operation = described[method, one.path]
            assert operation["tags"], one.path
            assert operation["summary"], one.path
            content = operation["responses"]["default"]["content"]
            assert [*content] == ["application/problem+json"]
            assert operation.get("security", []) == (
                [{"bearer": sorted(one.roles)}] if one.roles else []
            )
            assert ("401" in operation["responses"]) == bool(one.roles)
    assert "HTTPValidationError" not in json.dumps(document)


def test_what_the_document_refers_to_is_there(api: Api) -> None:
    text = api.gets("/openapi.json").text
    there = json.loads(text)["components"]["schemas"]
    for name in set(re.findall(r'"#/components/schemas/(\w+)"', text)):
        assert name in there


def test_the_page_that_shows_it_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.gets("/docs")
    assert page.status_code == 200
    assert not re.findall(r"https?://", page.text)
    assert "<script>" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert api.gets(f"/{path}").status_code == 200, path
    assert api.gets("/docs/static/../app.py").status_code == 404
    assert api.gets("/docs/static/%2e%2e/app.py").status_code == 404


# Settings


BAD_SETTINGS = {
    "no number": ({"BILLING_API_POOL": "many"}, "BILLING_API_POOL: 'many'; a whole number"),
    "below 0": ({"BILLING_API_RATE": "-1"}, "BILLING_API_RATE: '-1'; a number, 0 or more"),
    "not finite": ({"BILLING_API_RATE": "nan"}, "BILLING_API_RATE: 'nan'"),
    "no pool": ({"BILLING_API_POOL": "0"}, "pool: 0; 1 or more"),
    "misspelt": ({"BILLING_API_RATES": "1"}, "BILLING_API_RATES: there is no such setting"),
    "half of TLS": ({"BILLING_API_TLS_KEY": "k.pem"}, "both or neither"),
    "half of OIDC": (
        {"BILLING_API_OIDC_ISSUER": "https://id.example"},
        "BILLING_API_OIDC_AUDIENCE: missing",
    ),
    "no pairs": (
        {"BILLING_API_OIDC_ROLES": "admin"},
        "BILLING_API_OIDC_ROLES: 'admin'; claim=role",
    ),
    "open by the environment": (
        {"BILLING_API_OPEN_ON_LOOPBACK": "yes"},
        "BILLING_API_OPEN_ON_LOOPBACK: there is no such setting",
    ),
}


@pytest.mark.parametrize(("environment", "said"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_setting_that_cannot_be_taken_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(BadSetting) as told:
        Settings.read(environment)
    assert said in str(told.value)


def test_settings_come_from_the_environment_and_options_come_first() -> None:
    environment = {
        "BILLING_API_PORT": "9000",
        "BILLING_API_POOL": "3",
        "BILLING_API_HOSTS": "billing.example, b.example",
        "BILLING_API_EMBEDDED": "no",
        "BILLING_API_OIDC_ISSUER": "https://id.example",
        "BILLING_API_OIDC_AUDIENCE": "billing",
        "BILLING_API_OIDC_ROLES": "desk=operator,head=approver",
        "PATH": "/bin",
    }
    settings = Settings.read(environment, port=9001, host=None)
    assert (settings.port, settings.host, settings.pool) == (9001, "127.0.0.1", 3)
    assert settings.hosts == ("billing.example", "b.example")
    assert not settings.embedded
    assert settings.oidc is not None
    assert settings.oidc.roles == {"desk": "operator", "head": "approver"}


# The server itself


@contextmanager
def listening(url: str, router: APIRouter, **settings: Any) -> Iterator[tuple[str, Any, Thread]]:
    """A real server on a free port: its address, itself, and its thread."""
    clock = Clock()
    billing = Billing({"DATABASE_URL": url}, clock=clock)
    made = Settings(url=url, port=0, open_on_loopback=True, embedded=False, **settings)
    app = create_app(made, billing)
    app.router.routes.extend(router.routes)
    with server.listening("127.0.0.1", 0) as sock:
        running = server.Server(app, made)
        thread = Thread(target=running.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        waits(lambda: running.started)
        try:
            yield server.address(sock, made), running, thread
        finally:
            running.should_exit = True
            thread.join(15)
            billing.close()


def waits(until: Callable[[], bool], seconds: float = 10) -> None:
    """Waits until it is so."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def streams(begun: list[str]) -> APIRouter:
    """A stream that ends when the server stops, one that does not, and a slow answer."""
    router = APIRouter(prefix="/v1/tests")

    async def polite(request: Request) -> AsyncIterator[str]:
        yield "data: begun\n\n"
        await request.app.state.stopping.wait()
        yield "data: the server stops\n\n"

    async def stubborn() -> AsyncIterator[str]:
        while True:
            yield "data: still here\n\n"
            await asyncio.sleep(0.05)

    @router.get("/polite")
    async def polite_stream(request: Request, _: Reader) -> Response:
        return StreamingResponse(polite(request), media_type="text/event-stream")

    @router.get("/stubborn")
    async def stubborn_stream(_: Reader) -> Response:
        return StreamingResponse(stubborn(), media_type="text/event-stream")

    @router.get("/slow")
    async def slow_answer(_: Reader) -> Response:
        begun.append("slow")
        await asyncio.sleep(0.5)
        return Response("whole")

    return router


def test_a_server_that_stops_ends_streams_and_finishes_what_was_begun(sqlite: str) -> None:
    begun: list[str] = []
    answers: list[str] = []
    with listening(sqlite, streams(begun)) as (address, running, thread):
        slow = Thread(target=lambda: answers.append(httpx.get(f"{address}/v1/tests/slow").text))
        with httpx.stream("GET", f"{address}/v1/tests/polite", timeout=10) as stream:
            told = stream.iter_lines()
            assert next(told) == "data: begun"
            slow.start()
            waits(lambda: bool(begun))
            at = time.monotonic()
            running.should_exit = True
            assert [line for line in told if line] == ["data: the server stops"]
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - at < 5  # Not the 10 s it might have waited.
        slow.join(5)
        assert answers == ["whole"]
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/healthz")


def test_a_stream_that_does_not_end_is_cut_off_in_time(sqlite: str) -> None:
    with listening(sqlite, streams([]), stop_within=1) as (address, running, thread):
        with httpx.stream("GET", f"{address}/v1/tests/stubborn", timeout=10) as stream:
            told = stream.iter_lines()
            assert next(told) == "data: still here"
            at = time.monotonic()
            running.should_exit = True
            with pytest.raises(httpx.HTTPError):
                list(told)
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - at < 5


def test_more_requests_than_threads_all_get_an_answer(url: str) -> None:
    router = APIRouter(prefix="/v1/tests")

    @router.get("/reads")
    def reads(request: Request, _: Reader) -> Response:
        store = request.app.state.desk.billing.store
        with store.reading() as connection:
            time.sleep(0.01)
            connection.exec_driver_sql("SELECT 1")
        return Response("read")

    async def all_at_once(address: str) -> list[str]:
        async with httpx.AsyncClient(timeout=20) as client:
            asked = [client.get(f"{address}/v1/tests/reads") for _ in range(60)]
            return [answer.text for answer in await asyncio.gather(*asked)]

    with listening(url, router, pool=3) as (address, *_):
        assert asyncio.run(all_at_once(address)) == ["read"] * 60


@contextmanager
def serving(database: str, *options: str, **environment: str) -> Iterator[Any]:
    """`billing serve`, as someone starts it; ended if the test does not."""
    import os

    command = [sys.executable, "-m", "billing", "--database", database, "--user", "anne"]
    process = subprocess.Popen(
        [*command, "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_billing_serve_says_how_it_is_open_answers_and_stops_when_asked(sqlite: str) -> None:
    Billing({"DATABASE_URL": sqlite}).close()
    with serving(sqlite, "--open") as process:
        first = json.loads(process.stdout.readline())
        assert (first["event"], first["open"]) == ("listening", True)
        address = first["address"]
        assert f"Listening on {address}" in process.stderr.readline()
        warning = process.stderr.readline()
        assert "the server is OPEN" in warning
        assert "decides as anne, without a key" in warning
        assert httpx.get(f"{address}/v1/me").json()["name"] == "anne"
        assert httpx.get(f"{address}/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        told = [json.loads(line) for line in out.splitlines()]
        assert [one["route"] for one in told if one["event"] == "request"] == ["/v1/me", "/readyz"]
        assert "Traceback" not in err


def test_billing_serve_without_keys_says_that_nobody_may_ask(sqlite: str) -> None:
    Billing({"DATABASE_URL": sqlite}).close()
    with serving(sqlite) as process:
        address = re.findall(r"http://\S+?:\d+", process.stderr.readline())[0]
        assert "nobody may ask anything yet" in process.stderr.readline()
        assert httpx.get(f"{address}/v1/me").status_code == 401


REFUSED_STARTS = {
    "open to all": (["--open", "--host", "0.0.0.0"], {}, "loopback address only"),
    "a bad setting": ([], {"BILLING_API_POOL": "x"}, "BILLING_API_POOL: 'x'"),
    "an address of another machine": (["--host", "192.0.2.1"], {}, "192.0.2.1:0"),
}


def refused(database: str, *options: str, **environment: str) -> str:
    """What `billing serve` says when it does not start."""
    words = ["--database", database, "serve", "--port", "0", *options]
    answer = CliRunner().invoke(cli, words, env=environment)
    assert answer.exit_code == 2, answer.output
    assert isinstance(answer.exception, SystemExit)
    return answer.stderr


@pytest.mark.parametrize(
    ("options", "environment", "said"), REFUSED_STARTS.values(), ids=REFUSED_STARTS
)
def test_billing_serve_does_not_start_as_it_should_not(
    sqlite: str, options: list[str], environment: dict[str, str], said: str
) -> None:
    assert said in refused(sqlite, *options, **environment)


def test_a_port_that_is_taken_is_said(sqlite: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused(sqlite, "--port", str(port))


# Keys at the desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("DATABASE_URL", "BILLING_FORMS", "BILLING_TODAY", "BILLING_USER"):
        monkeypatch.delenv(name, raising=False)
    desk = Desk(tmp_path)
    desk.reads("sign", INTEGRAL, today="2023-06-20")
    return desk


def test_a_key_is_made_listed_and_taken_back_at_the_desk(desk: Desk) -> None:
    made = desk.reads_json("key", "add", "erp", "--role", "reader", "--until", "2023-07-31")
    assert made["key"].startswith(f"bk_{made['id']}_")
    (listed,) = desk.reads_json("key", "list")
    assert (listed["name"], listed["state"], listed["created_by"]) == ("erp", "valid", "tests")
    assert made["key"] not in desk.reads("key", "list")
    assert "2023-07-31" in listed["expires_at"]  # 22:00 UTC: midnight in Paris.
    (late,) = desk.reads_json("key", "list", today="2023-08-01")
    assert late["state"] == "expired"
    assert desk.reads_json("key", "revoke", "erp") == {"revoked": [made["id"]]}
    (listed,) = desk.reads_json("key", "list")
    assert (listed["state"], listed["revoked_by"]) == ("revoked", "tests")
    again = desk.is_refused("key", "revoke", made["id"], code=3)
    assert "already revoked on 2023-07-20" in again


def test_keys_ask_for_a_role_a_name_and_a_database(desk: Desk, tmp_path: Path) -> None:
    assert "--role" in desk.is_refused("key", "add", "erp", code=2)
    assert "'king'" in desk.is_refused("key", "add", "erp", "--role", "king", code=2)
    past = desk.is_refused(
        *("key", "add", "erp", "--role", "reader", "--until", "2023-07-01"), code=3
    )
    assert "a moment to come was expected" in past
    assert "no key 'x'" in desk.is_refused("key", "revoke", "x", code=3)
    nowhere = Desk(tmp_path / "nowhere")
    assert "There is no database" in nowhere.is_refused("key", "list", code=6)
