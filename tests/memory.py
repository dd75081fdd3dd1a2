"""Where tests write what nobody keeps: in memory, where the machine has room for it.

A database is some three hundred files, and a test makes one: on a disk, making and removing them
takes longer than the test.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30


def in_memory() -> Path | None:
    """A folder whose files lie in memory; None on a machine that has none, or no room in it."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        return MEMORY
    return None
