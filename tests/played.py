"""The demo's database, played once for all the tests that look at it, and `billing` as typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from billing.application import Billing
from billing.cli import cli
from billing.demo import story


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


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """The demo, played; only looked at."""
    typed = Typed(tmp_path_factory.mktemp("demo") / "demo.db")
    app = typed.app()
    story.play(app, typed.story(), after=0)
    app.close()
    return typed


@pytest.fixture
def copied(played: Typed, tmp_path: Path) -> Typed:
    """A copy of it that a test may write to."""
    shutil.copy(played.database, tmp_path / "demo.db")
    return Typed(tmp_path / "demo.db")
