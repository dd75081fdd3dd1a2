"""The shipped values: sound, sourced, and in agreement with an independent table."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from shutil import copytree

import pytest

from indices import CATALOG, shipped
from indices.__main__ import main
from indices.catalog import DATA

BOOK = shipped()
ORACLE = Path(__file__).parent / "late-interest-floor.csv"


def half_years() -> list[dict[str, str]]:
    with ORACLE.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


@pytest.mark.parametrize("row", half_years(), ids=lambda row: row["semester_start"])
def test_legal_and_ecb_rates_agree_with_the_late_interest_table(row):
    on = date.fromisoformat(row["semester_start"])
    legal = BOOK.in_force("LEGAL_INTEREST_PROFESSIONAL", on).value
    ecb = BOOK.in_force("ECB_MRO", on).value
    assert legal == Decimal(row["til_pro"])
    assert ecb == Decimal(row["ecb_mro_at_date"])
    assert 3 * legal == Decimal(row["floor_3x_til"])
    assert ecb + 10 == Decimal(row["default_ecb_plus_10"])
    agreed = legal * Decimal("1.5") + 5
    assert ("OK" if agreed >= 3 * legal else "BELOW_FLOOR") == row["seed004_1.5xTIL+5_vs_floor"]


def test_every_shipped_value_has_a_source_and_a_known_confidence():
    for observation in BOOK.observations():
        assert observation.source
        assert observation.confidence in ("found", "derived", "recalled")


def test_a_recalled_value_says_so_to_whoever_reads_it():
    assert BOOK.in_force("ECB_MRO", date(2008, 8, 1)).confidence == "recalled"


def test_a_month_both_found_and_derived_keeps_the_found_value():
    (august,) = BOOK.versions("SYNTEC_REVISED", "2022-08")
    assert (august.value, august.confidence) == (Decimal("286.4"), "found")


def test_a_value_whose_month_is_not_stated_is_not_an_observation():
    values = {o.value for name in ("FSD2", "ICHTREV_TS_IME") for o in BOOK.observations(name)}
    assert values.isdisjoint({Decimal("169.8"), Decimal("141.4")})


@pytest.mark.parametrize("name", ["IPC", "SMIC"])
def test_general_levels_are_named_for_the_legality_review_and_have_no_values(name):
    assert CATALOG[name].scope == "general"
    assert BOOK.observations(name) == ()


def test_the_shipped_reference_passes_its_own_check(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    assert "hole   SYNTEC_REVISED: 2025-02 to 2025-08 are missing" in told
    assert "0 errors" in told


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("syntec-old.csv", "2015-06,250.7", "2015-06,0", "0 is not a value"),
        ("syntec-old.csv", "2015-06,250.7", "2015-04,250.7", "already given for SYNTEC_OLD 2015-0"),
        ("syntec-old.csv", "2015-06,250.7", "2014-06,244.7", "2015-06 is missing, undeclared"),
        ("syntec-old.csv", "2015-06,250.7", "2015-06,350.7", "from 250.2 to 350.7 in a month"),
        ("syntec-old.csv", "2015-06,250.7", "2015-06,250.7e0", "a number such as"),
        ("syntec-old.csv", "SYNTEC_OLD,2015-06", "SINTEC,2015-06", "one of SYNTEC_OLD"),
        ("syntec-revised.csv", "2023-05,302.7,2023-06-30", "2023-05,302.7,2023-05-30", "before 20"),
        ("syntec-revised.csv", "2023-01,293.9,2023-02-28", "2023-01,293.9,2022-02-28", "before 20"),
        ("links.csv", "0.97975", "1.02066", "is not 280.6"),  # the ratio upside down
        ("links.csv", "0.97975", "0", "above zero"),
        ("links.csv", "SYNTEC_OLD,", "SYNTEC_VERY_OLD,", "not in the catalogue"),
        ("holes.csv", "2023-12,2023-12", "2023-11,2023-12", "declared a hole and has a value"),
    ],
)
def test_the_check_names_what_is_wrong(tmp_path, capsys, file, old, new, said):
    data = copytree(DATA, tmp_path / "data")
    text = (data / file).read_text(encoding="utf-8")
    assert old in text
    (data / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    failed = main(["check", str(data)])
    told = capsys.readouterr().out
    assert said in told
    assert failed == ("in a month" not in said)  # a jump is a note: it happens


def test_show_prints_what_a_clause_reads_and_where_it_comes_from(capsys):
    assert main(["show", "SYNTEC", "--on", "2023-07-01"]) == 0
    told = capsys.readouterr().out
    assert "SYNTEC_REVISED 2023-05 = 302.7" in told
    assert "published on 2023-06-30, found" in told
    assert "source: https://" in told


def test_show_gives_a_rate_as_it_is_in_force_on_the_day(capsys):
    assert main(["show", "LEGAL_INTEREST_PROFESSIONAL", "--on", "2009-01-15"]) == 0
    assert "LEGAL_INTEREST 2009-01-01 = 3.79" in capsys.readouterr().out


def test_show_says_why_it_cannot_and_fails(capsys):
    assert main(["show", "SYNTEC", "--on", "2025-07-01"]) == 1
    assert "2025-05 must be public by then" in capsys.readouterr().err
