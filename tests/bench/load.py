"""A load on a server of this machine: so many connections that ask without a pause, for so long.

`wrk` (a Debian package) where it is installed: compiled, it takes the least of the machine it
shares with what it measures. Else sockets of our own, which take about a third of a core.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).with_name("load.lua")


class Load(NamedTuple):
    """What came of it: requests a second, milliseconds that half and 99 % of them took at most."""

    tool: str
    rate: float
    p50: float
    p99: float
    failed: int


def tool() -> str:
    """What makes the load."""
    return "wrk" if shutil.which("wrk") else "sockets of our own"


def load(
    address: tuple[str, int],
    paths: Sequence[str],
    token: str,
    seconds: float,
    connections: int,
    known: str = "",
) -> Load:
    """Asks for these paths in turn; `known` is an ETag sent with each."""
    if tool() != "wrk":
        return _ours(address, paths, token, seconds, connections, known)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(paths))
        file.flush()
        host, port = address
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s"]
        command += ["-s", str(SCRIPT), f"http://{host}:{port}", "--", file.name, token]
        told = subprocess.run(
            [*command, *([known] if known else [])], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    found = json.loads(told.splitlines()[-1])
    return Load(
        "wrk", found["requests"] / found["seconds"], found["p50"], found["p99"], found["failed"]
    )


class _Asker:
    """One connection: sends a request when the answer to the one before is whole."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setblocking(False)
        self.sent = 0.0
        self._head = b""
        self._left = -1  # Bytes of the body still to come; -1: the head is not whole.

    def send(self, request: bytes) -> None:
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def heard(self) -> bytes | None:
        """The status of an answer that is now whole."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed a connection")
        if self._left < 0:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return None
            self._head, lower = head, head.lower()
            _, length, rest = lower.partition(b"content-length:")
            self._left = int(rest.partition(b"\r\n")[0]) if length else 0
            data = body
        self._left -= len(data)
        if self._left > 0:
            return None
        status, self._head, self._left = self._head[9:12], b"", -1
        return status


def _ours(
    address: tuple[str, int],
    paths: Sequence[str],
    token: str,
    seconds: float,
    connections: int,
    known: str,
) -> Load:
    host = f"{address[0]}:{address[1]}"
    head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    head += f"If-None-Match: {known}\r\n" if known else ""
    requests = cycle(f"GET {path} {head}\r\n".encode() for path in paths)
    took: list[float] = []
    failed = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            asker = _Asker(address)
            selector.register(asker.socket, selectors.EVENT_READ, asker)
            asker.send(next(requests))
        start = time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            for key, _ in selector.select(1):
                asker = key.data
                if (status := asker.heard()) is not None:
                    took.append(time.perf_counter() - asker.sent)
                    failed += status not in (b"200", b"304")
                    asker.send(next(requests))
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    took.sort()
    return Load(
        tool(),
        len(took) / (now - start),
        took[len(took) // 2] * 1000,
        took[len(took) * 99 // 100] * 1000,
        failed,
    )


def cpu(pid: int) -> float:
    """Seconds of a core a process has used, with its threads."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
