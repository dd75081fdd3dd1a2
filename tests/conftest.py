"""What every folder of tests may ask for: a real PostgreSQL, started once."""

from __future__ import annotations

from tests.postgres import postgres

__all__ = ["postgres"]
