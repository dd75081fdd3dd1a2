"""Rows written behind the one who makes them, in the order they were handed over.

PostgreSQL does its half of the work in a process of its own: while it takes the rows of one view,
those of the next are made. SQLite does all of it in ours, so there each is written when it is
handed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

AHEAD = 3  # Handed over and not yet written: their rows are in memory.


class Behind:
    """Writes what it is handed, one after another; after a failure, no more of that name."""

    def __init__(self, *, at_once: bool) -> None:
        self.failed: dict[str, Exception] = {}
        self._thread = None if at_once else ThreadPoolExecutor(1, "writer")
        self._waiting: deque[Future[None]] = deque()

    def hand(self, name: str, write: Callable[[], object]) -> None:
        """To be written under that name; waits while too much is waiting."""
        if self._thread is None:
            self._write(name, write)
            return
        while len(self._waiting) >= AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._write, name, write))

    def settle(self) -> None:
        """Waits until all of it is written."""
        while self._waiting:
            self._waiting.popleft().result()

    def _write(self, name: str, write: Callable[[], object]) -> None:
        if name in self.failed:
            return
        try:
            write()
        except Exception as error:
            self.failed[name] = error

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=kind is not None)
