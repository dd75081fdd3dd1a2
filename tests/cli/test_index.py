"""Index values from the command line: published, corrected, imported, substituted, read."""

from __future__ import annotations

import pytest

from tests.cli.running import ALLIANCE, Desk

HEADER = "series,period,value,published_on,source,confidence\n"


@pytest.fixture
def now(desk: Desk) -> Desk:
    desk.today = "2026-11-21"
    return desk


def test_what_a_clause_reads_on_a_day_is_shown_with_its_source(now: Desk):
    said = now.reads("index", "show", "SYNTEC", "--on", "2023-07-01")
    assert "SYNTEC_REVISED 2023-05 = 302.7\npublished on 2023-06-30, found" in said
    said = now.reads("index", "show", "SYNTEC", "--on", "2023-06-29")
    assert "2023-04 = 301.9" in said


def test_a_value_is_published_on_the_living_series_of_its_family(now: Desk):
    said = now.reads(
        "index",
        "publish",
        "SYNTEC",
        "2026-09",
        "330.1",
        "--source",
        "syntec.fr",
        "--published-on",
        "2026-10-30",
    )
    assert "SYNTEC_REVISED: 2026-09 = 330.1, published on 2026-10-30" in said


def test_the_same_value_twice_is_nothing_new(now: Desk):
    for said in ("SYNTEC_REVISED: 2026-09", "nothing new: it was known already"):
        assert said in now.reads(
            "index",
            "publish",
            "SYNTEC",
            "2026-09",
            "330.1",
            "--source",
            "syntec.fr",
            "--published-on",
            "2026-10-30",
        )


def test_another_value_is_a_correction_and_must_say_so(now: Desk):
    told = ("SYNTEC", "2023-05", "302.8", "--source", "syntec.fr", "--published-on", "2026-10-30")
    said = now.is_refused("index", "publish", *told, code=3)
    assert "302.7 is known, published 2023-06-30" in said
    said = now.reads("index", "correct", *told, "--reason", "rectification")
    assert "corrected: 2023-05 = 302.8, published on 2026-10-30: rectification" in said
    # What was read then stays what it was.
    assert "2023-05 = 302.7" in now.reads("index", "show", "SYNTEC", "--on", "2023-07-01")


def test_there_is_no_correction_of_what_is_not_known(now: Desk):
    assert "no value is known that could be corrected" in now.is_refused(
        "index", "correct", "SYNTEC", "2026-10", "1", "--source", "x", "--reason", "y", code=3
    )


def test_an_import_shows_what_is_new_and_rectified_then_records_it(now: Desk):
    path = now.writes(
        "values.csv",
        HEADER
        + "SYNTEC_REVISED,2026-10,331.0,2026-11-20,syntec,found\n"
        + "SYNTEC_REVISED,2023-06,302.9,2026-11-20,syntec,found\n"
        + "SYNTEC_REVISED,2023-05,302.7,2023-06-30,syntec,found\n",
    )
    dry = now.reads("index", "import", path, "--dry-run")
    assert "1 new, 1 rectified: nothing recorded (--dry-run), 1 known already." in dry
    told = now.reads_json("index", "import", path)
    assert told["recorded"] == 2
    assert [o["period"] for o in told["new"]] == ["2026-10"]
    assert [o["period"] for o in told["changed"]] == ["2023-06"]
    assert "0 values recorded, 3 known already" in now.reads("index", "import", path)


def test_an_import_with_one_value_refused_records_none(now: Desk):
    path = now.writes(
        "values.csv",
        HEADER
        + "SYNTEC_REVISED,2026-10,331.0,2026-11-20,syntec,found\n"
        + "SYNTEC_REVISED,2023-07,303.5,2023-07-02,syntec,found\n",
    )
    result = now.types("index", "import", path)
    assert result.exit_code == 4
    assert "before 2023-07 ended" in result.stdout
    assert "1 value refused; nothing was recorded" in result.stderr
    assert "1 new" in now.types("index", "import", path, "--dry-run").stdout


def test_an_index_is_substituted_in_one_contract_by_a_decision(now: Desk):
    now.reads("sign", ALLIANCE)
    said = now.reads(
        "index",
        "substitute",
        "AT-2024-112",
        "BDF_DISCOUNT",
        "ECB_MRO",
        "--by",
        "les parties",
        "--evidence",
        "avenant 1",
    )
    assert "BDF_DISCOUNT replaced by ECB_MRO, decided by les parties: avenant 1" in said
    said = now.is_refused(
        "index",
        "substitute",
        "AT-2024-112",
        "SYNTEC",
        "ECB_MRO",
        "--by",
        "x",
        "--evidence",
        "y",
        code=3,
    )
    assert "SYNTEC is in none of its clauses" in said
    said = now.is_refused(
        "index",
        "substitute",
        "AT-2024-112",
        "PSDT",
        "FSD2",
        "--by",
        "x",
        "--base-value",
        "1",
        code=2,
    )
    assert "a base needs --base-value, --base-period and --base-published-on" in said


def test_the_series_are_listed_before_anything_was_recorded(now: Desk):
    assert {one["series"] for one in now.reads_json("index", "list")} >= {
        "SYNTEC_REVISED",
        "ECB_MRO",
        "FSD2",
    }
    assert not (now.folder / "billing.db").exists()
