"""Another process: started on the code of this one, waited for, slowed down to be killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from billing.store import Tx

ROOT = Path(__file__).parents[1]
ENV = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"}


def started(module: str, *words: Any, **more: Any) -> subprocess.Popen[Any]:
    """A module run by another process with these words; what it says comes through one pipe."""
    command = [sys.executable, "-m", module, *map(str, words)]
    said: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=ROOT, env=ENV, **said | more)


@contextmanager
def running(module: str, *words: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The same, killed at the end of the block if it still lives."""
    process = started(module, *words)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def done(module: str, *words: Any) -> subprocess.CompletedProcess[str]:
    """The same, to its end."""
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=120, check=False
    )


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
