from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """A database for what does not depend on which it is."""
    return f"sqlite:///{tmp_path}/collections.db"
