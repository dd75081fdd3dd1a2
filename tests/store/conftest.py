"""Each test is told on a database of its own: SQLite in memory, in a file, and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from billing.store import Store
from tests.postgres import Server


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as stack:
        if request.param == "memory":
            address = "sqlite://"
        elif request.param == "sqlite":
            address = f"sqlite:///{tmp_path}/store.db"
        else:
            server: Server = request.getfixturevalue("postgres")
            address = stack.enter_context(server.database())
        opened = Store.open(address)
        yield opened
        opened.close()
