"""Each test has a database of its own: SQLite in a file, and PostgreSQL where it may matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.api.serving import Api, served
from tests.played import copied, played
from tests.postgres import Server

__all__ = ["copied", "played"]


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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that several processes can open, on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/api.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """A database for what does not depend on which it is."""
    return f"sqlite:///{tmp_path}/api.db"


@pytest.fixture
def api(sqlite: str) -> Iterator[Api]:
    with served(sqlite) as api:
        yield api


@pytest.fixture
def api_on_both(url: str) -> Iterator[Api]:
    with served(url) as api:
        yield api
