"""Money is counted on SQLite, in memory and in a file, and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.money.office import Office
from tests.postgres import Server


@pytest.fixture
def office() -> Iterator[Office]:
    """An office with one contract, K-1 of client C, in memory."""
    with Office("sqlite://") as opened:
        opened.signs("K-1")
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/money.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()
