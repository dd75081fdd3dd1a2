"""Each test has a database of its own: SQLite in a file, and PostgreSQL where it may matter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.api.serving import Api, served
from tests.databases import sqlite_followed as sqlite
from tests.databases import url_followed as url

__all__ = ["sqlite", "url"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Nothing is drawn on the terminal, which takes long."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer(default=str)],
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    yield
    structlog.configure(**before)


@pytest.fixture
def api(sqlite: str) -> Iterator[Api]:
    with served(sqlite) as api:
        yield api


@pytest.fixture
def api_on_both(url: str) -> Iterator[Api]:
    with served(url) as api:
        yield api
