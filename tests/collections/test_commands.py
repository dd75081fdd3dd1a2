"""Direct debits as typed: `billing collect`, `collections`, `announce`, `schedule`, `mandates`."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from billing.application.actions import action_of
from billing.clauses import Terms
from billing.clauses.payment import Payment
from billing.cli import cli
from tests.collections import house
from tests.collections.house import opened, ready
from tests.collections.test_collect import comes_back


class Desk:
    """`billing …` on one database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *words: str | Path, on: str = "2026-01-25", code: int = 0) -> str:
        given = ["--database", self.url, "--today", on, *map(str, words)]
        answer = CliRunner().invoke(cli, given, prog_name="billing")
        assert answer.exit_code == code, answer.output + answer.stderr
        return answer.stdout if code == 0 else answer.stderr

    def json(self, *words: str | Path, on: str = "2026-01-25"):
        lines = [json.loads(line) for line in self("--json", *words, on=on).splitlines()]
        return lines[0] if len(lines) == 1 else lines


@pytest.fixture
def desk(sqlite):
    ready(
        sqlite,
        house.plain(2),
        house.client("OLD", email="compta@old.example"),
        house.mandate("RUM-OLD", "OLD", signed_on=date(2022, 12, 31)),
        house.contract("KOLD", "OLD", "RUM-OLD"),
        house.invoice("FOLD", "OLD", "KOLD", "RUM-OLD", "2026-02-02"),
        house.invoice("LATE", "C00000", "K00000", "RUM-00000", "2026-01-15"),
    )
    return Desk(sqlite)


def test_a_dry_run_shows_what_would_be_debited_and_why_the_rest_is_not(desk, tmp_path):
    said = desk("collect", "--dry-run")
    assert "Would hand over 2 debits, 241.00 €. Nothing was written." in said
    assert "mandate RUM-OLD lapsed on 2026-01-01, after 36 months without a collection" in said
    assert "announced for 2026-01-15, and the bank collects from 2026-01-27" in said
    found = desk.json("collect", "2026-01-31", "--dry-run")
    assert (found["debits"], found["dry_run"]) == (0, True)
    assert {left["invoice"]: left["to_announce_for"] for left in found["left"]} == {
        "LATE": "2026-03-02"
    }
    (debit, _) = desk.json("collect", "--dry-run")["plan"]
    assert (debit["amount"], debit["sequence"], debit["announced_on"]) == (
        "120.00", "FRST", "2026-01-01",
    )  # fmt: skip


def test_debits_are_handed_over_listed_and_their_file_written_again(desk, tmp_path):
    out = tmp_path / "bank"
    said = desk("collect", "--until", "2026-02-10", "--out", out)
    path = out / "S-20260125-1.xml"
    assert f"{path}: 2 debits, 241.00 €, SHA-256 " in said
    assert "Nothing is to be handed over." in desk("collect", "--out", out)
    assert "2 debits under way." in desk("collect", "--out", out)
    assert "S-20260125-1" in desk("collections", "--files")
    listed = desk.json("collections", "--status", "under way", "--month", "2026-02")
    assert [(one["end_to_end"], one["collected_on"]) for one in listed] == [
        ("F00000", "2026-02-02"),
        ("F00001", "2026-02-02"),
    ]
    assert desk("collections", "--status", "settled").strip() == "No debit."
    bytes_ = path.read_bytes()
    path.unlink()
    said = desk("collections", "--file", "S-20260125-1", "--out", out)
    assert "as it was recorded" in said
    assert path.read_bytes() == bytes_


def test_what_missed_its_day_is_announced_then_collected(desk, tmp_path):
    shown = desk("announce", "--dry-run")
    assert "1 notice to send (not recorded)" in shown
    told = desk.json("announce", "--contract", "K00000")["notices"]
    assert [(one["invoice"], one["collected_on"]) for one in told] == [("LATE", "2026-03-02")]
    assert "Nothing is to be announced." in desk("announce")
    desk("collect", "--out", tmp_path)
    said = desk("collect", "--out", tmp_path, on="2026-02-20")
    assert "S-20260220-1.xml: 1 debit, 120.00 €" in said


def test_mandates_are_listed_with_what_is_wrong(desk, tmp_path):
    said = desk("mandates")
    assert said.startswith("3 mandates")
    assert said.count("usable") == 2
    (one,) = desk.json("mandates", "--unusable")
    assert (one["mandate"]["reference"], one["usable"], one["contracts"]) == (
        "RUM-OLD", False, ["KOLD"],
    )  # fmt: skip
    assert desk("mandates", "--client", "NOBODY").strip() == "No mandate."
    # A debit made by the program before keeps it alive.
    desk("mandate", "amend", "RUM-OLD", "--last-collected", "2025-12-01")
    assert desk("mandates", "--unusable").strip() == "No mandate."
    desk("collect", "--out", tmp_path)
    desk("mandate", "sign", "KOLD", "--iban", house.IBANS[1], "--electronic", "--proof", "S-1")
    assert desk.json("mandate", "show", "RUM-KOLD")[0]["mandate"]["medium"] == "electronic"


def test_the_schedule_of_a_year_is_shown_and_recorded(sqlite):
    terms = Terms(payment=Payment(means="direct_debit", days=0, debit_day=5))
    ready(
        sqlite,
        house.company("S"),
        house.client("C"),
        house.mandate("RUM", "C"),
        house.contract("K", "C", "RUM", terms),
    )
    desk = Desk(sqlite)
    said = desk("schedule", "K", "--year", "2026", on="2025-12-10")
    assert "Debits of 2026, contract K: 1440.00 €" in said
    told = desk("schedule", "K", "--year", "2026", "--announce", on="2025-12-10")
    assert "12 debits announced on 2025-12-10: 120.00 € on 2026-01-05" in told
    assert "announced already" in desk(
        "schedule", "K", "--year", "2026", "--announce", on="2025-12-11", code=3
    )


def test_a_life_file_collects_too(sqlite, tmp_path):
    ready(sqlite, house.plain(1))
    with opened(sqlite, "2026-01-25") as app:
        done = action_of({"do": "collect", "path": str(tmp_path), "until": "2026-02-02"})
        assert [event.TOPIC for event in done.perform(app)] == [
            "mandate.collection_ordered",
            "collection_file.submitted",
        ]
        comes_back(app, "F00000")
        told = action_of({"do": "announce", "contract": "K00000"}).perform(app)
        assert [event.TOPIC for event in told] == ["mandate.collections_announced"]


# fmt: off
WRONG = [
    (("collect",), 2, "say with --out DIR"),
    (("collect", "2026-02-01", "--until", "2026-02-01", "--out", "x"), 2, "give DATE once"),
    (("collect", "--dry-run", "--profile", "nowhere"), 4, "no profile"),
    (("collections", "--out", "x"), 2, "--out goes with --file"),
    (("collections", "--file", "X", "--out", "x"), 3, "no file X"),
    (("schedule", "NONE"), 3, "no contract NONE"),
]
# fmt: on


@pytest.mark.parametrize(("words", "code", "told"), WRONG)
def test_what_is_asked_wrongly_is_told(desk, words, code, told):
    assert told in desk(*words, code=code)
