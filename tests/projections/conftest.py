"""Each test is told on both databases; the record is the demo's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing.application import Billing
from tests.databases import url_with_tables as url
from tests.projections.following import opened
from tests.projections.retold import retold, told

__all__ = ["retold", "told", "url"]


@pytest.fixture
def app(url: str) -> Iterator[Billing]:
    """The application on a database with nothing in it but tables."""
    one = opened(url)
    yield one
    one.close()
    one.store.close()
