"""Life files: dated actions, read whole or refused whole, carried out day by day."""

from __future__ import annotations

import json

import jsonschema
import pytest

from billing.application.actions import ACTIONS, action_of
from billing.application.lives import read_life
from billing.forms import BadFile
from tests.cli.running import INTEGRAL, NUMBER, ROOT, Desk

LIVES = sorted((ROOT / "src/billing/demo/lives").glob("*.toml"))
LIFE = f"""
title = "Three days"

[[actions]]
on = 2023-09-17
do = "add-equipment"
contract = "{NUMBER}"
item = {{ code = "PC-12", label = "Poste", unit_price = "45.00", per = "month" }}

[[actions]]
on = 2023-06-20
do = "sign"
path = "{INTEGRAL}"

[[actions]]
on = 2023-07-01
do = "run"
month = "2023-07"

[[actions]]
on = 2024-01-10
do = "notice"
contract = "{NUMBER}"
by = "client"
"""


@pytest.fixture
def later(desk: Desk) -> Desk:
    desk.today = "2024-02-01"
    return desk


def test_actions_are_carried_out_in_the_order_of_their_days_each_on_its_day(later: Desk):
    said = later.reads("play", later.writes("life.toml", LIFE))
    order = [said.index(word) for word in ("sign ", "run 2023-07", "add-equipment", "notice")]
    assert order == sorted(order)
    # Left out, the day is the action's: the notice of 10 January is in time.
    assert "2024-01-10  the client will not renew (registered letter): in time" in said
    assert "4 actions played" in said


def test_playing_stops_after_the_day_asked_and_never_goes_beyond_today(later: Desk):
    path = later.writes("life.toml", LIFE)
    assert "1 action played" in later.reads("play", path, "--until", "2023-06-30")
    other = Desk(later.folder / "other", today="2023-12-31")
    other.folder.mkdir()
    said = other.reads("play", path)
    assert "3 actions played" in said
    assert "1 after 2023-12-31 wait" in said


def test_it_stops_at_the_first_action_refused_and_says_which(later: Desk):
    text = LIFE.replace('by = "client"', 'by = "client"\nsent_on = 2023-01-01')
    result = later.types("play", later.writes("life.toml", text))
    assert result.exit_code == 3
    assert "life.toml:20: action 4, notice on 2024-01-10: IM-2023-0042: 2023-01-01" in result.stderr
    # What came before it stays.
    assert later.reads_json("mandate", "show")[0]["contracts"] == [NUMBER]


def test_a_life_file_is_refused_whole_with_the_line_and_key_of_each_fault(later: Desk):
    text = (
        LIFE.replace("add-equipment", "add-equipmnt")
        .replace('month = "2023-07"', 'month = "2023-7"')
        .replace('by = "client"', 'by = "clint"\nsent = 2024-01-01')
        + '\n[[actions]]\non = 2024-01-11\ndo = "work"\ncontract = "X"\nquantity = 1.5\n'
        + '\n[[actions]]\ndo = "mandate-amend"\nmandate = "R"\niban = "FR7612"\n'
        + '\n[[actions]]\non = 2024-01-11\ndo = "amend"\ncontract = "X"\n'
        + "terms.payment.dayz = 1\n"
        + '\n[[actions]]\non = 2024-01-11\ndo = "party-amend"\nparty = { siren = "1" }\n'
    )
    result = later.types("--json", "play", later.writes("life.toml", text))
    assert result.exit_code == 4
    faults = {
        (fault["line"], fault["key"]): fault["expected"]
        for fault in json.loads(result.stderr)["faults"]
    }
    lines = text.splitlines()
    for (line, key), part in {
        (6, "actions[1].do"): 'did you mean "add-equipment"?',
        (18, "actions[3].month"): "a month was expected",
        (24, "actions[4].by"): 'did you mean "client"?',
        (25, "actions[4].sent"): 'did you mean "sent_on"?',
        (31, "actions[5].quantity"): "goes in quotes",
        (31, "actions[5].code"): "it is missing",
        (36, "actions[6].iban"): "an IBAN was expected",
        (33, "actions[6].on"): "it is missing",
        (42, "actions[7].terms.payment.dayz"): 'did you mean "days"?',
        (47, "actions[8].party.siren"): "nine digits",
        (47, "actions[8].party.code"): "it is missing",
    }.items():
        found = {k: told for (at, k), told in faults.items() if at == line or k == key}
        assert part in found.get(key, ""), (line, key, lines[line - 1], faults)
    assert not (later.folder / "billing.db").exists()


def test_a_contract_file_that_a_life_signs_is_looked_at_first(later: Desk):
    later.writes("bad.toml", INTEGRAL.read_text("utf-8").replace("form =", "frm ="))
    path = later.writes("life.toml", LIFE.replace(str(INTEGRAL), "bad.toml"))
    said = later.is_refused("play", path, code=4)
    assert "bad.toml:4: frm: unknown key" in said


@pytest.mark.parametrize("text", ["", "title = 3", "[[action]]\non = 2024-01-01\n"])
def test_a_file_without_actions_is_no_life(later: Desk, text: str):
    later.is_refused("play", later.writes("life.toml", text), code=4)


def test_check_reads_the_file_and_records_nothing(later: Desk):
    said = later.reads("play", "--check", later.writes("life.toml", LIFE))
    assert "4 actions, from 2023-06-20 to 2024-01-10" in said
    assert not (later.folder / "billing.db").exists()


@pytest.mark.parametrize("path", LIVES, ids=lambda path: path.stem)
def test_the_lives_of_the_demo_are_well_written(path):
    assert read_life(path).actions


# The vocabulary


@pytest.mark.parametrize("word", sorted(ACTIONS))
def test_every_action_has_a_sentence_and_a_schema(desk: Desk, word: str):
    assert (ACTIONS[word].__doc__ or "").strip().endswith(".")
    schema = desk.reads_json("schema", "actions")
    (found,) = [one for one in schema["oneOf"] if one["properties"]["do"] == {"const": word}]
    assert found["additionalProperties"] is False


def test_the_schema_of_a_life_takes_what_play_takes_and_refuses_what_it_refuses(desk: Desk):
    validator = jsonschema.Draft202012Validator(desk.reads_json("schema", "life"))
    action = {
        "on": "2023-09-17",
        "do": "amend",
        "contract": NUMBER,
        "terms": {"payment": {"days": 30}},
        "prices": {"A": "1.00"},
    }
    validator.validate({"actions": [action]})
    for wrong in (
        {"terms": {"payment": {"dayz": 30}}},
        {"prices": {"A": "1,00"}},
        {"contrat": "X"},
    ):
        assert not validator.is_valid({"actions": [{**action, **wrong}]})
    assert not validator.is_valid({"actions": [{**action, "do": "amnd"}]})


@pytest.mark.parametrize("name", ["contract", "form", "actions", "life"])
def test_every_schema_is_a_json_schema(desk: Desk, name: str):
    jsonschema.Draft202012Validator.check_schema(desk.reads_json("schema", name))


def test_an_action_is_the_same_from_a_program_as_from_a_file():
    action = action_of(
        {
            "do": "work",
            "contract": NUMBER,
            "code": "DEPLACEMENT",
            "done_on": "2023-09-17",
            "quantity": "2",
        }
    )
    assert action.perform.__name__ == "perform"
    assert str(action.done_on) == "2023-09-17"  # type: ignore[attr-defined]
    with pytest.raises(BadFile, match='done_on = "17/09/2023": a date was expected'):
        action_of({"do": "work", "contract": NUMBER, "code": "D", "done_on": "17/09/2023"})


# Forms


def test_the_words_of_a_clause_are_shown_with_their_reading(desk: Desk):
    said = desk.reads("forms", "show", "chronotech", "--clause", "renewal")
    assert "« La durée est liée et identique aux conditions particulières de sauvegarde." in said
    assert "→ It ends, and is renewed, with the parent contract" in said
    assert "kind = linked" in said


def test_the_forms_are_listed_with_those_of_the_house(desk: Desk):
    house = ROOT / "src/billing/demo/forms"
    names = {one["name"] for one in desk.reads_json("forms", "--forms", house)}
    assert {"integral-micro", "chronotech-sauvegarde"} <= names
    said = desk.is_refused("forms", "--forms", desk.folder / "none", code=4)
    assert "there is no such folder of forms" in said
