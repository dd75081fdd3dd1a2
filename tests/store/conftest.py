"""Each test is told on a database of its own: SQLite in memory, in a file, and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.store import Store
from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        address = "sqlite://"
    elif request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/store.db"
    else:
        server: Server = request.getfixturevalue("postgres")
        address = server.new_database()
    opened = Store.open(address)
    yield opened
    opened.close()
