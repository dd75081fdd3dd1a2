"""Lives with money are told on a SQLite file and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/money.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()
