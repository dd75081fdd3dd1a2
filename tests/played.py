"""The demo's database, played once for all the tests that look at it, and `billing` as typed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from billing.application import Billing
from billing.application.actions import Run
from billing.cli import cli
from billing.demo import story
from tests.once import made_once

MORNINGS = (
    *("2023-09", "2023-10", "2024-07", "2025-04", "2025-10"),
    *("2025-12", "2026-02", "2026-03", "2026-07", "2026-11"),
)
"""Months that tests run, or play from, themselves."""


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its JSON: one value, or a list of the values of its lines."""
        values = [json.loads(line) for line in self.out.splitlines()]
        return values[0] if len(values) == 1 else values


class Typed:
    """`billing …` on one database, on the day the demo is told from."""

    def __init__(self, database: Path) -> None:
        self.database = database

    def __call__(self, *words: str, today: str = f"{story.TODAY}") -> Said:
        given = ["--database", f"sqlite:///{self.database}", "--today", today, *words]
        answer = CliRunner().invoke(cli, given, prog_name="billing")
        return Said(answer.exit_code, answer.stdout, answer.stderr)

    def story(self) -> story.Story:
        """The demo's, its bank beside the database."""
        return story.story(self.database.with_name(f"{self.database.stem}-bank"))

    def app(self) -> Billing:
        """The application on that database, told from the same day."""
        app = Billing({"DATABASE_URL": f"sqlite:///{self.database}"})
        story.tell_from(app)
        return app

    def log(self) -> list[tuple[int, bytes]]:
        """The whole record, as stored."""
        return [(position, stored.state) for position, stored in self.app().store.read_log()]

    def morning(self, month: str) -> Path:
        """The database as the run of that month found it."""
        return self.database.with_name(f"{month}.db")


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """The demo, played; only looked at."""
    return Typed(made_once(tmp_path_factory, "demo", _play) / "demo.db")


def _play(folder: Path) -> None:
    typed = Typed(folder / "demo.db")
    told = typed.story()

    def keep(rank: int, of: int) -> None:
        step = told.steps[rank] if rank < of else None
        if step and isinstance(step.action, Run) and step.action.month in MORNINGS:
            with (
                closing(sqlite3.connect(typed.database)) as source,
                closing(sqlite3.connect(typed.morning(step.action.month))) as copy,
            ):
                source.backup(copy)

    app = typed.app()
    story.play(app, told, 0, keep)
    app.close()
    app.store.close()


@pytest.fixture
def copied(played: Typed, tmp_path: Path) -> Typed:
    """A copy of it that a test may write to."""
    shutil.copy(played.database, tmp_path / "demo.db")
    return Typed(tmp_path / "demo.db")
