"""`billing fec` and `billing fec-check`, as a person gives them."""

from __future__ import annotations

import json

import pytest

from tests.cli.running import Desk

SIREN = "999001027"  # Of the demo's Intégral Micro.


@pytest.fixture
def billed(signed: Desk) -> Desk:
    """Six months of Intégral's contract are billed."""
    for month in range(7, 13):
        signed.reads("run", f"2023-{month:02}", today=f"2023-{month:02}-28")
    signed.today = "2024-01-10"
    return signed


def test_the_books_of_a_year_are_written_and_found_good(billed: Desk):
    told = billed.reads("fec", "2023", "--out", billed.folder)
    path = billed.folder / f"{SIREN}FEC20231231.txt"
    assert str(path) in told
    said = billed.reads("fec-check", path)
    assert "nothing is wrong" in said
    assert "2023-01-01 to 2023-12-31" in said


def test_both_tell_json(billed: Desk):
    told = billed.reads_json("fec", "2023", "--out", billed.folder, "--separator", "pipe")
    assert told["siren"] == SIREN
    assert told["closed"] is True
    found = billed.reads_json("fec-check", told["path"])
    assert (found["faults"], found["entries"]) == ([], told["entries"])
    assert found["rows"] == told["lines"]


def test_a_fault_ends_with_the_code_of_a_bad_file(billed: Desk):
    path = billed.folder / f"{SIREN}FEC20231231.txt"
    path.write_bytes(b"nothing of the kind")
    assert "columns between tabs" in billed.is_refused("fec-check", path, code=4)
    told = json.loads(billed.is_refused("--json", "fec-check", path, code=4))
    assert told["faults"][0]["line"] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say a YEAR, or --from and --to"),
        (("2023", "--from", "2023-01-01"), "say a YEAR, or --from and --to"),
        (("--from", "2023-01-01"), "go together"),
        (("--from", "2023-01-01", "--to", "2025-06-30"), "at most 24 months"),
        (("1804",), "no year"),
    ],
)
def test_a_year_is_told_once(billed: Desk, words: tuple[str, ...], told: str):
    assert told in billed.is_refused("fec", *words, code=2)


def test_a_year_to_come_has_no_books(billed: Desk):
    assert "has not begun" in billed.is_refused("fec", "2031", code=3)


def test_a_wrong_chart_is_refused_with_its_line(billed: Desk):
    own = billed.writes("house.toml", '[accounts]\nclient = { number = "4", label = "C" }\n')
    told = billed.is_refused("fec", "2023", "--chart", own, code=4)
    assert "house.toml:2: accounts.client.number" in told
