"""What goes wrong: one sentence on stderr, one exit code, never a traceback."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from billing import cli as package
from tests.cli.running import ALLIANCE, INTEGRAL, NUMBER, PIXEL, Desk, in_a_process


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {name: f"tests.cli.plugged:{name}" for name in ("broken", "stopped", "second")}
    monkeypatch.setattr(package, "_plugged", lambda: entries)


@contextmanager
def held(desk: Desk) -> Iterator[None]:
    """The database while another process writes to it."""
    connection = sqlite3.connect(desk.folder / "billing.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


# 2 · the command line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("frobnicate",), "no command 'frobnicate'"),
        (("add", NUMBER, "--since", "2023-02-30"), "is no day"),
        (("add", NUMBER, "--since", "10/02/2023"), "a day written YYYY-MM-DD was expected"),
        (("add", NUMBER), "say which item"),
        (("add", NUMBER, "--code", "A", "--price", "45,00"), '--price "45,00": decimals'),
        (("add", NUMBER, "--code", "A", "--price", "4e3"), "an amount was expected"),
        (("add", NUMBER, "--code", "A", "--price", "-45"), "a negative number"),
        (("deposit", NUMBER, "-5"), "no negative number is expected"),
        (("deposit", NUMBER, "12,50"), 'AMOUNT "12,50": decimals follow a point: "12.50"'),
        (("usage", NUMBER, "SAUVEGARDE", "2023-13", "1"), 'MONTH "2023-13": a month was expected'),
        (("amend", NUMBER, "--set", "payment.dayz=1"), "--set payment.dayz: unknown key"),
        (("amend", NUMBER, "--set", "payment"), "CLAUSE.NAME=VALUE was expected"),
        (("amend", NUMBER, "--price", "POSTE-1"), "CODE=PRICE was expected"),
        (("terminate", NUMBER, "--cause", "boredom", "--side", "client"), '--cause "boredom"'),
        (("party", "amend", "CABINET-MOREAU", "--iban", "FR7612"), "an IBAN was expected"),
        (("party", "amend", "CABINET-MOREAU", "--bic", "X"), "a BIC was expected"),
        (("party", "amend", "CABINET-MOREAU", "--siren", "123456789"), "a SIREN was expected"),
        (("party", "amend", "CABINET-MOREAU", "--vat-number", "FR1"), "a VAT number was expected"),
        (("party", "amend", "CABINET-MOREAU", "--creditor-identifier", "FR1"), "(ICS)"),
        (("mandate", "amend", "IM-RUM-0042", "--iban", "FR7630006000011234567890180"), "IBAN"),
    ],
)
def test_what_is_not_understood_is_told_with_its_option(
    signed: Desk, words: tuple[str, ...], told: str
):
    said = signed.is_refused(*words, code=2)
    assert told in said
    assert "--help` says how it is written" in said
    assert said.count("\n") == 1


# 3 · refused


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sign", str(INTEGRAL)), "contract IM-2023-0042 is already signed"),
        (("add", "NOPE", "--item", "POSTE"), "no contract NOPE; `billing list` shows"),
        (
            ("add", NUMBER, "--item", "POSTE", "--price", "1", "--since", "2023-06-19"),
            "2023-06-19 is before its signature on 2023-06-20",
        ),
        (("usage", NUMBER, "SAUVEGARDE", "2023-08", "1"), "2023-08 is in the future; today is"),
        (("accept", NUMBER, "--on", "2023-07-21"), "accepted_on 2023-07-21 is in the future"),
        (
            ("amend", NUMBER, "--set", 'revision.indices=[{weight="1", series="NOPE", name="N"}]'),
            "NOPE is no series of the catalogue",
        ),
        (
            ("amend", NUMBER, "--set", 'revision.indices=[{weight="1", series="IPC", name="N"}]'),
            "follows prices or wages in general",
        ),
        (("amend", NUMBER, "--set", "payment.days=15"), "its clauses say so already"),
        (
            ("terminate", NUMBER, "--cause", "insolvency", "--side", "supplier"),
            "insolvency alone never ends a contract",
        ),
        (
            ("party", "amend", "CABINET-MOREAU", "--siren", "552100554"),
            "VAT number FR60999001076 is not of SIREN 552100554",
        ),
        (("assign", NUMBER, "--side", "client", "--to", "X"), "no party X is known"),
        (("index", "show", "SYNTEK"), 'no series SYNTEK; did you mean "SYNTEC"?'),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_sentence(
    signed: Desk, words: tuple[str, ...], told: str
):
    assert told in signed.is_refused(*words, code=3)


def test_a_refusal_is_an_object_for_a_program(signed: Desk):
    told = json.loads(signed.is_refused("--json", "resume", NUMBER, code=3))
    assert told == {"error": f"{NUMBER}: it is not suspended", "kind": "refused"}


# 4 · bad files


def test_a_bad_contract_file_is_told_fault_by_fault_with_its_lines(desk: Desk):
    text = (
        INTEGRAL.read_text("utf-8")
        .replace('siren = "999 001 076"', 'siren = "999 001 077"')
        .replace('unit_price = "95.00"', "unit_price = 95.00")
        .replace("serial =", "serail =", 1)
    )
    path = desk.writes("bad.toml", text)
    said = desk.is_refused("sign", path, code=4)
    assert re.findall(r"bad\.toml:\d+: ([\w.\[\]]+)", said) == [
        "client.siren",
        "items[1].unit_price",
        "items[1].serail",
    ]
    assert 'did you mean "serial"?' in said
    faults = json.loads(desk.is_refused("--json", "sign", path, code=4))["faults"]
    assert [fault["key"] for fault in faults] == [
        "client.siren",
        "items[1].unit_price",
        "items[1].serail",
    ]
    assert all(fault["line"] for fault in faults)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("missing.toml", None, "there is no such file"),
        ("empty.toml", "", "the file is empty"),
        ("date.toml", "signed_on = 2023-02-31", "date.toml:1: this is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_so(desk: Desk, name: str, text: str | None, told: str):
    path = desk.folder / name if text is None else desk.writes(name, text)
    assert told in desk.is_refused("sign", path, code=4)


def test_a_bad_file_stops_none_of_the_others(desk: Desk):
    result = desk.types("sign", desk.folder / "none.toml", PIXEL, today="2024-01-02")
    assert result.exit_code == 4
    assert "PT-2024-001" in result.stdout
    assert "1 of 2 contracts signed" in result.stderr
    # What was signed is signed: a second time is refused.
    assert "already signed" in desk.is_refused("sign", PIXEL, code=3, today="2024-01-02")


def test_a_bad_index_file_is_told_with_its_line_and_column(desk: Desk):
    path = desk.writes(
        "values.csv",
        "series,period,value,published_on,source,confidence\n"
        "SYNTEC_REVISED,2026-10,33x,2026-11-20,syntec,found\n",
    )
    said = desk.is_refused("index", "import", path, code=4)
    assert "values.csv, line 2, column value: '33x'" in said
    assert "there is no such file" in desk.is_refused("index", "import", "nope.csv", code=4)


# 5, 6, 7 · the store


def test_a_database_that_another_process_holds_is_busy(
    signed: Desk, monkeypatch: pytest.MonkeyPatch
):
    from billing.store import Store

    opened = Store.open.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Store, "open", classmethod(lambda cls, url, **_: opened(cls, url, lock_timeout=0.1))
    )
    with held(signed):
        said = signed.is_refused(
            "party", "amend", "CABINET-MOREAU", "--email", "a@b.example", code=5
        )
    assert "let it finish, then run this again" in said


def test_a_database_of_another_version_is_not_touched(signed: Desk):
    path = signed.folder / "billing.db"
    for schema, told in (("99", "upgrade this program"), ("0", "older version")):
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (schema,))
        assert told in signed.is_refused("resume", NUMBER, code=6)


def test_what_is_no_database_is_told_so(desk: Desk):
    desk.writes("billing.db", "minutes of the meeting, " * 100)
    said = desk.is_refused("list", code=6)
    assert "not a database" in said
    assert "--database" in said


def test_a_database_that_is_not_there_is_not_made_by_a_question(desk: Desk):
    assert "There is no database" in desk.is_refused("list", code=6)
    assert not (desk.folder / "billing.db").exists()


def test_an_address_of_no_known_database_is_refused(tmp_path: Path):
    done = in_a_process("list", folder=tmp_path, DATABASE_URL="mysql://host/billing")
    assert done.returncode == 6
    assert "must begin with sqlite:// or postgresql://" in done.stderr


def test_an_event_that_this_version_does_not_know_is_told(signed: Desk):
    with sqlite3.connect(signed.folder / "billing.db") as connection:
        connection.execute(
            "UPDATE events SET topic = 'contract.teleported' WHERE topic = 'contract.signed'"
        )
    said = signed.is_refused("resume", NUMBER, code=6)
    assert "contract.teleported: this version of the program does not know it" in said


@pytest.mark.usefixtures("plugged")
def test_coming_second_is_a_conflict(desk: Desk):
    assert "Another writer was first" in desk.is_refused("second", code=7)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("contract", ("list",)),
        ("terms", ("list",)),
        ("mandate", ("mandates",)),
        ("party", ("party", "show")),
        ("receivable", ("owed",)),
        ("index", ("index", "list")),
    ],
)
def test_a_state_kept_by_another_version_says_to_rebuild_and_rebuilding_mends_it(
    signed: Desk, kind: str, words: tuple[str, ...]
):
    signed.reads("run", "2023-07", today="2023-07-01")
    before = signed.reads("owed") and signed.reads(*words)
    with sqlite3.connect(signed.folder / "billing.db") as connection:
        # An array of one whole number: no state is so.
        assert connection.execute(
            "UPDATE states SET body = x'9101' WHERE kind = ?", (kind,)
        ).rowcount
    connection.close()
    said = signed.is_refused(*words, code=6)
    assert f"keeps a {kind} as another version of the program did" in said
    assert "Run `billing rebuild`" in said
    signed.reads("rebuild")
    assert signed.reads(*words) == before


# 70, 130 · ours, and the keyboard


@pytest.mark.usefixtures("plugged")
def test_our_own_fault_leaves_its_details_in_a_file_only_its_owner_reads(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = desk.is_refused("broken", code=70)
    (path,) = tmp_path.glob("billing-error-*.txt")
    assert f"this is our fault (RuntimeError); the details are in {path}" in said
    assert "RuntimeError: postgresql://billing:…@db/billing broke" in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("plugged")
def test_debug_shows_the_traceback(desk: Desk):
    assert "Traceback" in desk.types("--debug", "broken").stderr


@pytest.mark.usefixtures("plugged")
def test_the_keyboard_interrupts(desk: Desk):
    assert "interrupted" in desk.is_refused("stopped", code=130)


def test_exit_codes_reach_the_shell(tmp_path: Path):
    def code(*words: str) -> int:
        return in_a_process(*words, folder=tmp_path).returncode

    assert code("--version") == 0
    assert code("frobnicate") == 2
    assert code("list") == 6
    assert code("sign", "none.toml") == 4
    assert code("sign", str(ALLIANCE)) == 0
    assert code("sign", str(ALLIANCE)) == 3


def test_a_reader_that_has_seen_enough_is_no_trouble(tmp_path: Path):
    import subprocess
    import sys

    from tests.cli.running import ROOT

    program = f"{sys.executable} -m billing schema life | head -c 10"
    done = subprocess.run(
        program,
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
