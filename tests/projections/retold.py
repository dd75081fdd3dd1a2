"""The demo's record told again in odd pieces, on either database, projections following each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, islice, repeat

import pytest

from billing.application import Billing
from billing.demo import story
from billing.events import Event
from projections.runner import Runner
from tests.played import Typed
from tests.postgres import Server

PIECES = (1, 197, 7, 511, 1, 1, 53)
"""So many events at a time, and again."""


@pytest.fixture(scope="session")
def told(played: Typed) -> list[Event]:
    """Every event of the demo, in order."""
    app = played.app()
    events = [event for _, event in app.recorded()]
    app.close()
    return events


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def retold(
    request: pytest.FixtureRequest, told: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    """The demo on a database of its own, all that projections show followed piece by piece."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('retold')}/retold.db"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.new_database()
    app = Billing({"DATABASE_URL": url})
    story.tell_from(app)
    runner = Runner(app)
    rest = iter(told)
    for size in chain(repeat(1, 3), cycle(PIECES)):
        if not (some := list(islice(rest, size))):
            break
        app.write(some)
        runner.catch_up()
    yield runner
    app.close()
    app.store.close()
