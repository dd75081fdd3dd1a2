"""An office in memory; `url` is a database that several processes can open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.money.office import Office


@pytest.fixture
def office() -> Iterator[Office]:
    """An office with one contract, K-1 of client C, in memory."""
    with Office("sqlite://") as opened:
        opened.signs("K-1")
        yield opened
