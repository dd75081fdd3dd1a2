"""Another process: started on the code of this one, waited for, slowed down to be killed.

It is forked from a server that has imported the program once: a start takes no second of its own.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from billing.store import Tx

ROOT = Path(__file__).parents[1]
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "projections.api.app",
        "projections.api.commands_http",
        "projections.api.server",
        "projections.catalog",
        "billing.application.bank",
        "billing.application.chase",
        "billing.application.collections",
        "billing.application.runs",
    ]
)


class Ended(NamedTuple):
    """How a process ended, and all it said."""

    returncode: int
    said: str


class Started:
    """A module run by another process with these words; what it says comes through one pipe."""

    def __init__(self, module: str, *words: Any) -> None:
        here, there = PROCESSES.Pipe(duplex=False)
        given = (module, [str(word) for word in words], there)
        self._process = PROCESSES.Process(target=_run, args=given)
        self._process.start()
        there.close()  # So that the pipe ends with the process.
        self.said = os.fdopen(os.dup(here.fileno()), "r")
        here.close()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def kill(self) -> None:
        """Kills it, if it still lives."""
        self._process.kill()
        self._process.join()
        self.said.close()

    def ended(self) -> Ended:
        """Waits for its end; one that takes more than two minutes is killed: its code tells."""
        too_long = Timer(120, self._process.kill)
        too_long.start()
        said = self.said.read()
        self._process.join()
        too_long.cancel()
        assert self._process.exitcode is not None
        return Ended(self._process.exitcode, said)


def _run(module: str, words: list[str], pipe: Connection) -> None:
    for stream in (1, 2):
        os.dup2(pipe.fileno(), stream)
    pipe.close()
    os.environ.clear()  # Nothing of the tests' own settings.
    os.environ["PATH"] = "/usr/bin:/bin"
    os.chdir(ROOT)
    sys.argv = [module, *words]
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


@contextmanager
def running(module: str, *words: Any) -> Iterator[Started]:
    """The same, killed at the end of the block if it still lives."""
    process = Started(module, *words)
    try:
        yield process
    finally:
        process.kill()


def done(module: str, *words: Any) -> Ended:
    """The same, to its end."""
    return Started(module, *words).ended()


def until_some(found: Callable[[], int], fewer_than: int) -> int:
    """Waits until the other process has committed something, and is not done."""
    for _ in range(900):
        if count := found():
            assert count < fewer_than, "it was over before it could be interrupted"
            return count
        time.sleep(0.02)
    raise AssertionError("the other process committed nothing in 18 seconds")


def slow(pause: float) -> None:
    """Has this process sleep a little before each commit."""
    append = Tx.append

    def slowly(tx: Tx, events: Any) -> range:
        positions = append(tx, events)
        time.sleep(pause)
        return positions

    Tx.append = slowly  # type: ignore[method-assign]
