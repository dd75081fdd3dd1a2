"""The `billing` command, run as someone would, on a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from billing.cli import cli

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "src/billing/demo/contracts"
INTEGRAL = CONTRACTS / "integral-micro-2023-0042.toml"
PIXEL = CONTRACTS / "pixel-tech-2024-001.toml"
ALLIANCE = CONTRACTS / "alliance-telecom-2024-112.toml"
SI_CONTACT = CONTRACTS / "si-contact-2024-031.toml"
NUMBER = "IM-2023-0042"
ADD_A_POST = (
    "add", NUMBER, "--code", "PC-12", "--label", "Poste", "--price", "45.00", "--per", "month",
    "--since", "2023-07-10",
)  # fmt: skip


class Desk:
    """Where commands are typed: a folder with its database, on a day."""

    def __init__(self, folder: Path, today: str = "2023-07-20") -> None:
        self.folder = folder
        self.today = today

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder}/billing.db"

    def types(self, *words: Any, today: str = "") -> Result:
        """What the command answers, whatever its exit code."""
        before = ["--database", self.database, "--today", today or self.today, "--user", "tests"]
        return CliRunner().invoke(cli, [*before, *map(str, words)])

    def reads(self, *words: Any, today: str = "") -> str:
        """What it prints when all goes well."""
        result = self.types(*words, today=today)
        assert result.exit_code == 0, result.output
        return result.stdout

    def reads_json(self, *words: Any, today: str = "") -> Any:
        """The one thing it tells with --json."""
        return json.loads(self.reads("--json", *words, today=today))

    def is_refused(self, *words: Any, code: int, today: str = "") -> str:
        """What it says on stderr when it ends with that exit code, without a traceback."""
        result = self.types(*words, today=today)
        assert result.exit_code == code, (result.exit_code, result.output)
        assert "Traceback" not in result.output
        return result.stderr

    def writes(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path


def in_a_process(*words: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command as the shell runs it."""
    return subprocess.run(
        [sys.executable, "-m", "billing", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **env},
    )
