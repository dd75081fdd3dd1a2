"""The pass is played on databases that several processes open: a SQLite file and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import desk
from tests.postgres import Server

__all__ = ["desk"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/arrears.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()
