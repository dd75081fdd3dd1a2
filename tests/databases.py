"""The databases that tests are told on: a SQLite file and PostgreSQL, each test with its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from billing.application import Billing
from billing.store import Store
from projections import schema
from projections.runner import Runner
from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it, that several processes can open."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/billing.db"
    else:
        server: Server = request.getfixturevalue("postgres")
        with server.database() as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url_with_tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same, the tables of projections made: making them takes longer than most tests."""
    with a_copy(request, tmp_path, made) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url_followed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same, its log of nothing followed: a first time, projections are rebuilt one by one."""
    with a_copy(request, tmp_path, followed) as url:
        yield url


@pytest.fixture
def sqlite_followed(tmp_path: Path, models: Path) -> str:
    """The same, for what does not depend on which database it is."""
    return _on_sqlite(tmp_path, models, followed)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where SQLite files lie that are copied."""
    return tmp_path_factory.mktemp("models")


def made(url: str) -> None:
    """Makes the tables of the store and of projections."""
    store = Store.open(url)
    schema.ensure(store)
    store.close()


def followed(url: str) -> None:
    """Makes the tables, and has all projections follow the log, in which nothing is."""
    app = Billing({"DATABASE_URL": url})
    Runner(app).catch_up()
    app.close()
    app.store.close()


Fill = Callable[[str], None]


def _on_sqlite(folder: Path, models: Path, fill: Fill) -> str:
    model = models / f"{fill.__name__}.db"
    if not model.exists():
        fill(f"sqlite:///{model}")
    return f"sqlite:///{shutil.copy(model, folder / 'billing.db')}"


@contextmanager
def a_copy(request: pytest.FixtureRequest, folder: Path, fill: Fill) -> Iterator[str]:
    """A copy of the model that `fill` fills, on the database of the parameter."""
    if request.param == "sqlite":
        yield _on_sqlite(folder, request.getfixturevalue("models"), fill)
    else:
        server: Server = request.getfixturevalue("postgres")
        with server.database(server.model(fill.__name__, fill)) as url:
            yield url
