"""The `billing` command as a whole: its subcommands, its options, what it prints."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from billing import cli as package
from billing.cli import SECTIONS, cli
from tests.cli.running import ADD_A_POST, INTEGRAL, NUMBER, Desk, in_a_process

NAMES = [name for section in SECTIONS.values() for name in section]


def every_command() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    found = []
    for name in NAMES:
        command = cli.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {one.name}", one) for one in command.commands.values()]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_subcommand_named_in_the_help_is_there_under_that_name(name: str):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_every_command_says_what_it_does_and_explains_its_options():
    unexplained = [
        f"{name} {param.opts[0]}"
        for name, command in every_command()
        for param in command.params
        if isinstance(param, click.Option) and not param.help and not param.show_default
    ]
    assert unexplained == []
    assert [name for name, command in every_command() if not command.help] == []


def test_the_help_lists_sections_commands_and_exit_codes():
    shown = CliRunner().invoke(cli, ["--help"]).stdout
    assert "Renew and end:" in shown
    assert "settle-indemnity  Waive or negotiate an indemnity." in shown
    assert "  3  refused:" in shown
    assert "130  interrupted:" in shown


def test_the_help_imports_neither_the_engine_nor_the_tables():
    asked = "import sys; from billing.cli import cli; cli.main(['--help'], standalone_mode=False)"
    heavy = ("msgspec", "rich", "sqlalchemy", "eventsourcing", "billing.application")
    program = f"""
import sys, atexit
atexit.register(lambda: print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr))
{asked}
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stderr.strip().endswith("[]"), done.stderr


def test_the_help_costs_little_more_than_click_itself():
    def seconds(*command: str) -> float:
        took = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *command],
                capture_output=True,
                check=False,
                env={"PYTHONPATH": ":".join(sys.path)},
            )
            took.append(time.perf_counter() - start)
        return statistics.median(took)

    # Measured side by side, so that a busy machine slows both.
    assert seconds("-m", "billing", "--help") < 2.5 * seconds("-c", "import click") + 0.05


def test_a_mistyped_command_is_answered_with_those_near_it(desk: Desk):
    assert "no command 'teminate'; did you mean terminate" in desk.is_refused("teminate", code=2)


def test_options_of_billing_are_understood_after_the_subcommand_too(desk: Desk):
    result = CliRunner().invoke(
        cli,
        ["sign", str(INTEGRAL), "--today", "2023-06-20", f"--database={desk.database}", "--json"],
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["events"][-1]["event"] == "contract.signed"


def test_another_package_adds_a_command_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed = tmp_path / "projections-1.0.dist-info"
    installed.mkdir()
    installed.joinpath("entry_points.txt").write_text(
        "[console_scripts]\nother = other:main\n\n"
        f"[{package.GROUP}]\nreceivables = tests.cli.plugged:receivables\n\n[more]\nx = y:z\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    shown = CliRunner().invoke(cli, ["--help"]).stdout
    assert "receivables       From tests.cli.plugged." in shown
    assert "other " not in shown.partition("More:")[2].partition("Exit codes:")[0]
    assert CliRunner().invoke(cli, ["receivables"]).stdout == "nothing is owed\n"


def test_the_database_is_the_one_of_the_environment_else_billing_db_here(tmp_path: Path):
    done = in_a_process("sign", str(INTEGRAL), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "billing.db").exists()
    done = in_a_process("sign", str(INTEGRAL), folder=tmp_path, DATABASE_URL="sqlite:///other.db")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "other.db").exists()


def test_amounts_are_texts_and_days_iso_in_json(signed: Desk):
    told = signed.reads_json(*ADD_A_POST)
    (event,) = told["events"]
    assert event["event"] == "contract.equipment_added"
    assert event["item"]["unit_price"] == "45.00"
    assert event["since"] == "2023-07-10"
    assert event["recorded_by"] == "tests"
    assert told["next"][0]["contract"] == NUMBER


def test_tables_are_neither_cut_nor_coloured_in_a_pipe(tmp_path: Path):
    done = in_a_process("sign", str(INTEGRAL), folder=tmp_path)
    done = in_a_process("index", "list", folder=tmp_path, COLUMNS="40", FORCE_COLOR="1")
    assert done.returncode == 0, done.stderr
    assert "Taux de refinancement principal de la BCE" in done.stdout
    assert "…" not in done.stdout
    assert "\x1b" not in done.stdout


def test_a_terminal_that_cannot_write_the_euro_sign_still_gets_its_answer(tmp_path: Path):
    done = in_a_process("sign", str(INTEGRAL), folder=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "signed with CABINET-MOREAU" in done.stdout


def test_a_day_to_come_cannot_be_played(desk: Desk):
    said = desk.is_refused("index", "list", code=2, today="2999-01-01")
    assert "only past days are played" in said
