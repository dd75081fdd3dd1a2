"""Bank files are applied on SQLite, in memory and in a file, and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bank.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()
