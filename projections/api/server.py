"""The server itself: uvicorn on one address, stopped without losing a request."""

from __future__ import annotations

import gc
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from projections.api.app import stop
from projections.api.settings import Settings

TURN: Final = 0.0005  # Seconds a request waits for the thread that follows the log, not 5 ms.
KEPT: Final = 65  # Seconds a connection without requests stays: longer than a proxy keeps it.


class Server(uvicorn.Server):
    """Tells what stays open that it stops, before it waits for what is open."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._told = app
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.proxies),
                forwarded_allow_ips=list(settings.proxies),
                timeout_keep_alive=KEPT,
                timeout_graceful_shutdown=settings.stop_within,
                ssl_certfile=settings.tls_certificate or None,
                ssl_keyfile=settings.tls_key or None,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops as asked, which is no failure: uvicorn would end the process by the signal."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams end by themselves; other requests have `stop_within` seconds."""
        stop(self._told)
        await super().shutdown(sockets)


def listening(host: str, port: int) -> socket.socket:
    """A socket on that address. Raises OSError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def address(sock: socket.socket, settings: Settings) -> str:
    """Where a browser finds it."""
    host, port = sock.getsockname()[:2]
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: FastAPI, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serves until it is asked to stop; `ready` is told the address once it listens."""
    with listening(settings.host, settings.port) as sock:
        gc.collect()
        gc.freeze()  # What is there now stays: the collector need not look at it again.
        sys.setswitchinterval(TURN)
        ready(address(sock, settings))
        Server(app, settings).run(sockets=[sock])
