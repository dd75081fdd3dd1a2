"""What every folder of tests may ask for: databases, a real PostgreSQL started once."""

from __future__ import annotations

import gc
import os

import pytest

from tests.databases import models, url
from tests.memory import in_memory
from tests.played import copied, played
from tests.postgres import postgres

# Here alone: imported by two folders, a fixture of the session is made twice.
__all__ = [
    "copied",
    "models",
    "played",
    "postgres",
    "url",
]


def pytest_configure(config: pytest.Config) -> None:
    """Folders of tests lie in memory, where there is room."""
    if folder := in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_collection_finish() -> None:
    """Six thousand tests, collected, stay: nobody looks for garbage among them again."""
    gc.collect()
    gc.freeze()
