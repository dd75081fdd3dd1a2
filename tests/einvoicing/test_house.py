"""Who must do what since when, where a sale goes, and the files that say it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from billing.einvoicing.directory import Directory, read_directory
from billing.einvoicing.house import Company, load_house, obligations, obliged, route_of
from billing.events.einvoicing import AddressRecorded
from billing.events.party import Identity
from billing.forms import BadFile
from billing.refusal import Refused
from tests.einvoicing.desk import AT_HOME, CLIENT, abroad
from tests.money.office import day

HOUSE = """\
[platforms.EXEMPLE]
name = "Plateforme Exemple"
matricule = "0123"

[suppliers.S]
size = "sme"
platform = "EXEMPLE"
issues_from = 2026-10-01
"""


@pytest.mark.parametrize(
    ("what", "size", "since"),
    [
        ("receive", "large", "2026-09-01"),
        ("receive", "micro", "2026-09-01"),
        ("issue", "large", "2026-09-01"),
        ("issue", "mid", "2026-09-01"),
        ("issue", "sme", "2027-09-01"),
        ("issue", "micro", "2027-09-01"),
        ("report", "mid", "2026-09-01"),
        ("report", "sme", "2027-09-01"),
    ],
)
def test_a_company_must_from_its_day_on(what, size, since):
    company = Company(size=size, platform="P")
    first = day(since)
    assert obliged(what, company, date.fromordinal(first.toordinal() - 1)) is None
    must = obliged(what, company, first)
    assert must is not None
    assert "LF 2024" in must.source


def test_every_size_is_told_of_each_obligation():
    told = {(one.what, size) for one in obligations() for size in one.sizes}
    assert len(told) == 3 * 4


def test_a_company_may_issue_before_it_must():
    early = Company(size="sme", platform="P", issues_from=day("2026-10-01"))
    assert obliged("issue", early, day("2026-09-30")) is None
    assert obliged("issue", early, day("2026-10-01")).source == "par choix"
    assert "LF 2024" in obliged("issue", early, day("2027-09-01")).source
    assert obliged("report", early, day("2026-10-01")) is None


@pytest.mark.parametrize(
    ("said", "listed", "route"),
    [
        ({"siren": CLIENT, "address": AT_HOME}, False, "einvoice"),
        ({"siren": CLIENT, "category": "public"}, False, "einvoice"),
        ({"siren": CLIENT, "category": "non_professional"}, True, "einvoice"),
        ({"siren": CLIENT, "category": "non_professional"}, False, "consumer"),
        ({"category": "consumer", "address": AT_HOME}, False, "consumer"),
        ({"address": abroad("RE"), "siren": CLIENT}, False, "einvoice"),
        ({"address": abroad("DE"), "vat_number": "DE136695976"}, False, "abroad"),
        ({"address": abroad("CH")}, False, "abroad"),
        ({"address": abroad("DE"), "category": "consumer"}, False, "consumer"),
    ],
)
def test_a_sale_goes_by_who_buys_and_where(said, listed, route):
    assert route_of(Identity(code="C", name="C", **said), listed=listed) == route


def test_a_business_in_france_without_a_siren_is_refused_by_name():
    with pytest.raises(Refused, match="C: no SIREN"):
        route_of(Identity(code="C", name="C", address=AT_HOME), listed=False)


def test_the_house_file_is_read(tmp_path):
    path = tmp_path / "house.toml"
    path.write_text(HOUSE)
    house = load_house(path)
    assert house.platform("S").matricule == "0123"
    assert house.company("S").issues_from == day("2026-10-01")
    with pytest.raises(Refused, match="T: its size and its platform are not told"):
        house.company("T")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"sme"', '"small"', r"house.toml:6: suppliers.S.size"),
        ('= "EXEMPLE"', '= "AUTRE"', r"house.toml:7: suppliers.S.platform = \"AUTRE\""),
        ('"0123"', '"123"', r"house.toml:3: platforms.EXEMPLE.matricule"),
        ("2026-10-01", '"soon"', r"house.toml:8: suppliers.S.issues_from"),
        ("size", "taille", r"unknown key \"taille\""),
    ],
)
def test_a_wrong_house_file_is_refused_with_its_line(tmp_path, before, after, told):
    path = tmp_path / "house.toml"
    path.write_text(HOUSE.replace(before, after, 1))
    with pytest.raises(BadFile, match=told):
        load_house(path)


TOML = """\
[[addresses]]
siren = "552100554"
address = "552100554_ACHATS"
valid_from = 2026-09-01
platform = "AUTRE"
"""
CSV = "siren;address;valid_from;platform\n552100554;552100554_ACHATS;2026-09-01;AUTRE\n"


@pytest.mark.parametrize(("name", "text"), [("a.toml", TOML), ("a.csv", CSV)])
def test_the_directory_is_read_from_toml_or_csv(tmp_path: Path, name, text):
    path = tmp_path / name
    path.write_text(text)
    (one,) = read_directory(path)
    assert (one.siren, one.address, one.platform) == (CLIENT, f"{CLIENT}_ACHATS", "AUTRE")
    assert one.valid_from == day("2026-09-01")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CSV.replace("552100554;", "552100555;", 1), "a.csv:2: siren"),
        (CSV.replace("552100554_", "732829320_"), "a.csv:2: address .* an address of 552100554"),
        (CSV.replace("2026-09-01", "01/09/2026"), "a.csv:2: valid_from"),
        (CSV.replace("_ACHATS", "_ACH ATS"), "a.csv:2: address .* letters, digits"),
        (CSV.replace("platform", "plateforme"), 'a.csv:2: .*unknown key "plateforme"'),
        (CSV.splitlines()[0], "no address is in the file"),
        (CSV + ";x;2026-09-01;\n", "a.csv:3: .*siren.*missing"),
    ],
)
def test_a_wrong_directory_is_refused_with_its_line(tmp_path, text, told):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(BadFile, match=told):
        read_directory(path)


def test_the_address_is_that_of_the_day_and_a_clients_own_comes_first():
    known = Directory()
    for address, since, client in (
        ("552100554", "2026-09-01", ""),
        ("552100554_B", "2026-10-01", ""),
        ("552100554_C", "2026-11-01", "C"),
    ):
        known.learn(
            AddressRecorded(siren=CLIENT, address=address, valid_from=day(since), client=client)
        )

    def on(text: str, client: str = "C") -> str:
        found = known.of(CLIENT, client, day(text))
        return found.address if found else ""

    assert on("2026-08-31") == ""
    assert on("2026-09-30") == "552100554"
    assert on("2026-10-01") == "552100554_B"
    assert on("2026-11-01") == "552100554_C"
    assert on("2026-11-01", "D") == "552100554_B"
    known.learn(AddressRecorded(siren=CLIENT, address="", valid_from=day("2026-12-01")))
    assert on("2026-12-01", "D") == ""
