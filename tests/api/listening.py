"""Servers and writers in processes of their own, and a reader of server-sent events."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Any, NamedTuple

import httpx
import msgspec
import structlog

from tests.another import PROCESSES

PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
"""For requests to this machine: no proxy is asked for, and no certificates are read (30 ms)."""


def elsewhere(act: Callable[..., None], *given: Any) -> BaseProcess:
    """Does something in a process of its own."""
    process = PROCESSES.Process(target=act, args=given)
    process.start()
    return process


def _serve(url: str, port: int) -> None:
    from projections.api import server
    from projections.api.app import Settings, create_app

    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings(url=url, port=port, open_on_loopback=True, embedded=False)
    server.run(create_app(settings), settings, ready=lambda address: None)


class Server:
    """A server that may be killed, and started again at the same port."""

    def __init__(self, url: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = elsewhere(_serve, url, self.port)
        for _ in range(1200):
            try:
                httpx.get(f"{self.address}/healthz", **PLAIN)
                return
            except httpx.HTTPError:
                assert self.process.is_alive(), "the server did not start"
                Event().wait(0.05)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """Takes it away in the middle of whatever it does."""
        self.process.kill()
        self.process.join()

    def ask_to_stop(self) -> int | None:
        """Asks it to stop, as a supervisor does; its exit code."""
        self.process.terminate()
        self.process.join(20)
        return self.process.exitcode


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


class Told(NamedTuple):
    """A server-sent event."""

    id: int
    event: str
    data: dict[str, Any]


def stream(
    address: str, after: int = 0, query: str = "", last_event_id: int | None = None
) -> Iterator[Told | int]:
    """Events as they come, and the positions that heartbeats tell; until the server ends it."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    path = f"{address}/v1/events/stream?after={after}&{query}"
    with httpx.stream("GET", path, headers=headers, timeout=30, **PLAIN) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        said: dict[str, str] = {}
        for line in answer.iter_lines():
            name, colon, value = line.partition(":")
            if colon and name:
                said[name] = value.removeprefix(" ")
            elif not line:
                if "data" in said:
                    yield Told(int(said["id"]), said["event"], msgspec.json.decode(said["data"]))
                elif "id" in said:
                    yield int(said["id"])
                said = {}
