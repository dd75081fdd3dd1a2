"""The busy house, made once; each test that needs to change it has a copy of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explain.house import House, a_busy_house


@pytest.fixture(scope="session")
def busy(tmp_path_factory: pytest.TempPathFactory) -> House:
    return a_busy_house(f"sqlite:///{tmp_path_factory.mktemp('busy') / 'busy.db'}")


@pytest.fixture
def copy(busy: House, tmp_path: Path) -> House:
    return busy.copied(tmp_path / "copy.db")
