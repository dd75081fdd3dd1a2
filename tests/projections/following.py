"""The demo's record, told again a part at a time to a database that projections follow.

`python -m tests.projections.following URL follow|rebuild` does so slowly, to be killed in the
middle: a pause before each commit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import MetaData, Table

from billing.application import Billing
from billing.events import Event
from billing.events.contract import ContractSigned
from projections import runner, view
from projections.catalog import VIEWS
from projections.database import made
from projections.runner import Runner
from projections.tables import key, stream
from projections.view import StreamView, Told
from tests.another import Started, running

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def opened(url: str) -> Billing:
    """The application on that database, as late as all the demo tells."""
    return Billing({"DATABASE_URL": url}, clock=lambda: AT, user="test")


def in_parts(events: Sequence[Event], seed: int, most: int = 90) -> Iterator[list[Event]]:
    """The events in their order, some at a time, never the same number."""
    random, rest = Random(seed), iter(events)
    while some := list(islice(rest, random.randint(1, most))):
        yield some


def differences(one: Runner) -> dict[str, list[Any]]:
    """The projections whose followed rows are not those that are rebuilt."""
    return {name: found for name in one.views if (found := one.compare(name))}


signed = Table(
    "signed_once",
    MetaData(),
    stream(),
    key("number", "The contract's number", primary=True),
    key("said", "What the view says of it"),
)


class Signed(StreamView):
    """A view of the tests: the contracts signed, and what it thinks of them.

    It cannot take the number `refused`, and writes two rows of the same key for `doubled`.
    """

    name = "signed"
    tables = (signed,)
    topics: ClassVar = frozenset((ContractSigned.TOPIC,))
    version: ClassVar[int] = 1  # type: ignore[misc]

    def __init__(self, said: str = "", refused: str = "", doubled: str = "") -> None:
        self.said, self.refused, self.doubled = said, refused, doubled

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterable[Told]:
        (event,) = events
        assert isinstance(event, ContractSigned)
        if event.number == self.refused:
            raise ValueError(f"{event.number} is more than it can take")
        row = made(signed, stream=id, number=event.number, said=self.said)
        return [row, row] if event.number == self.doubled else [row]


class SignedAnew(Signed):
    """Its next version."""

    version = 2


def slowly(url: str, what: str) -> None:
    """Follows or rebuilds, with time to be killed before each commit."""
    app = opened(url)
    one = Runner(app, [found for found in VIEWS if found.name in ("invoices", "receivables")])
    write = one._write

    def pausing(*given: Any) -> None:
        write(*given)
        time.sleep(0.02)

    one._write = pausing  # type: ignore[method-assign]
    runner.STEP, view.PAGE = 40, 10
    if what == "follow":
        one.catch_up()
    else:
        one.rebuild("invoices")
    app.close()


def another(url: str, what: str) -> AbstractContextManager[Started]:
    """Another process that does so; killed at the end of the block."""
    return running("tests.projections.following", url, what)


if __name__ == "__main__":
    slowly(*sys.argv[1:])
