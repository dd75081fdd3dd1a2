"""`billing outbox`, as a person gives it: from the directory to what comes back and is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Desk as Terminal
from tests.einvoicing.desk import AT_HOME, SIREN, Desk, line, message, reason

HOUSE = """\
[platforms.EXEMPLE]
name = "Plateforme Exemple"
matricule = "0123"

[suppliers.S]
size = "large"
platform = "EXEMPLE"
"""


@pytest.fixture
def typed(tmp_path: Path) -> Terminal:
    """A terminal on a house that sold to a company and to a consumer in September 2026."""
    terminal = Terminal(tmp_path, today="2026-11-20")
    with Desk(terminal.database) as desk:
        desk.knows("JEAN", category="consumer", address=AT_HOME)
        desk.knows("B", siren="404833048", address=AT_HOME)
        desk.sells("F-1", line("1000.00"), issued="2026-09-15")
        desk.sells("F-2", line("50.00"), issued="2026-09-16", client="B")
        desk.sells("F-3", line("10.00"), issued="2026-09-16", client="JEAN")
        desk.pays("1200.00", "2026-09-29", invoices=["F-1"])
    terminal.writes("einvoicing.toml", HOUSE)
    return terminal


def test_from_the_directory_to_what_is_collected_and_refused(typed: Terminal):
    house = ("--house", typed.folder / "einvoicing.toml")
    told = typed.types("outbox", "queue", *house)
    assert told.stdout == "1 document queued\n"
    assert "F-2: B, SIREN 404833048, is not in the directory" in told.stderr

    addresses = typed.writes(
        "annuaire.csv", "siren,address,valid_from\n404833048,404833048,2026-09-01\n"
    )
    assert "1 new or changed" in typed.reads("outbox", "directory", addresses)
    assert "404833048" in typed.reads("outbox", "directory")
    assert "1 document queued" in typed.reads("outbox", "queue", *house)

    files = typed.folder / "files"
    files.mkdir()
    (files / "F-1.pdf").write_bytes(b"%PDF")
    assert "1 file attached" in typed.reads("outbox", "attach", files)
    assert "F-1 was sent on 2026-11-20" in typed.reads("outbox", "sent", "F-1", "--flow", "X")
    told = typed.reads("outbox", "collected", *house, "--out", files)
    assert told == "1 message written, 1200.00 € collected\n"
    assert (files / f"CDAR_{SIREN}-F-1-212-2.xml").exists()

    inbox = typed.folder / "inbox"
    inbox.mkdir()
    (inbox / "a.xml").write_bytes(message(status=reason("CMD_ERR"), at="20261119101500"))
    (inbox / "b.xml").write_bytes(message(number="F-2", code="299", id="M-2"))
    read = typed.types("outbox", "read", inbox)
    assert "F-1: 210 Refusée; CMD_ERR (commande erronée ou absente) → it keeps" in read.stdout
    assert "2 messages read, 0 known already" in read.stdout
    assert "F-2: 299 is no status that is known here" in read.stderr
    assert "0 messages read, 2 known already" in typed.reads("outbox", "read", inbox)

    shown = typed.reads_json("outbox")
    assert [(one["number"], one["state"]) for one in shown] == [("F-1", "210"), ("F-2", "299")]
    assert "210 Refusée" in typed.reads("outbox", "--state", "210")


def test_a_bad_message_ends_with_its_code_after_the_others(typed: Terminal):
    inbox = typed.folder / "inbox"
    inbox.mkdir()
    (inbox / "a.xml").write_bytes(b"<!DOCTYPE x><x/>")
    (inbox / "b.xml").write_bytes(message(code="204"))
    told = typed.types("outbox", "read", inbox)
    assert told.exit_code == 4
    assert "a.xml:1: the file declares a document type" in told.stderr
    assert "F-1: 204 Prise en charge" in told.stdout


def test_what_is_reported_says_how_much(typed: Terminal):
    words = ("--house", typed.folder / "einvoicing.toml", "--out", typed.folder)
    told = typed.reads("outbox", "report", "transactions", "2026-09", *words)
    assert "IN of 2026-09-01 to 2026-09-30, 1 document, 10.00 € and 2.00 € of tax" in told
    assert f"EREPORTING_{SIREN}-T-20260901-20260930-1.xml" in told
    again = typed.reads_json("outbox", "report", "transactions", "2026-09", *words)
    assert again["prepared"]["type_code"] == "RE"
    told = typed.reads("outbox", "report", "transactions", "2026-09", "--part", "3", *words)
    assert "2026-09-21 to 2026-09-30: nothing to tell of" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("2026-13",), "a month written YYYY-MM"),
        ((), "say a month"),
        (("2026-09", "--from", "2026-09-01"), "alone"),
        (("--from", "2026-09-10", "--to", "2026-09-01"), "the first day first"),
    ],
)
def test_a_period_is_told_in_one_way(typed: Terminal, words: tuple[str, ...], told: str):
    assert told in typed.is_refused("outbox", "report", "payments", *words, code=2)


def test_the_law_is_shown_with_its_source(typed: Terminal):
    assert "LF 2024" in typed.reads("outbox", "law")
    assert {one["since"] for one in typed.reads_json("outbox", "law")} == {
        "2026-09-01",
        "2027-09-01",
    }


def test_a_house_that_is_not_told_of_is_a_bad_file(typed: Terminal):
    missing = typed.folder / "none.toml"
    told = typed.is_refused("--json", "outbox", "queue", "--house", missing, code=4)
    assert "there is no such file" in json.loads(told)["error"]
