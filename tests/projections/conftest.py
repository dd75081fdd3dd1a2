"""Each test is told on both databases; the record is the demo's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.application import Billing
from tests.played import copied, played
from tests.postgres import Server
from tests.projections.following import opened
from tests.projections.retold import retold, told

__all__ = ["copied", "played", "retold", "told"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/read.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def app(url: str) -> Iterator[Billing]:
    """The application on an empty database."""
    one = opened(url)
    yield one
    one.close()
    one.store.close()
