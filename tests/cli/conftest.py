"""A desk with nothing on it, and one with Intégral's contract signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import INTEGRAL, Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("DATABASE_URL", "BILLING_FORMS", "BILLING_TODAY", "BILLING_USER"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path)


@pytest.fixture
def signed(desk: Desk) -> Desk:
    """IM-2023-0042: five computers and a backup, 270.00 € a month from 2023-07-01."""
    desk.reads("sign", INTEGRAL, today="2023-06-20")
    return desk
