"""The busy house of tests/explain, and a copy of it for each test that tampers with it."""

from __future__ import annotations

from tests.explain.conftest import busy, copy

__all__ = ["busy", "copy"]
