"""`billing chase`, `gates`, `dispute` and `explain` of a debit note, as someone types them."""

from __future__ import annotations

import json

import pytest

from billing.application.actions import action_of
from tests.arrears.late import D
from tests.cli.running import ALLIANCE, INTEGRAL, PIXEL

RENTAL = ALLIANCE.parent / "alliance-telecom-2025-207.toml"


@pytest.fixture
def pixel(desk):
    """PT-2024-001: 1068.00 € issued on 2024-01-01, due on 2024-01-31, unpaid."""
    desk.reads("sign", PIXEL, today="2023-12-11")
    desk.reads("run", "2024-01", today="2024-01-02")
    return desk


def chased(desk, on, *more):
    return desk.reads_json("chase", on, *more, today=on)


def as_text(tree):
    return json.dumps(tree, ensure_ascii=False)


def lines_of(tree, kind):
    """The steps of a kind, in order, whatever their depth."""
    found = [tree] if tree["kind"] == kind else []
    return found + [one for child in tree["children"] for one in lines_of(child, kind)]


def test_a_pass_tells_what_it_brings_and_a_second_that_nothing_is_new(pixel):
    dry = pixel.reads("chase", "2024-02-10", "--dry-run", today="2024-02-10")
    told = pixel.reads("chase", "2024-02-10", today="2024-02-10")
    # 1068.00 × 14.50 % × 10 / 365 = 4.2427
    for said in (dry, told):
        assert "Première relance" in said
        assert "44.24 €" in said
    assert "Nothing was written." in dry
    assert "Nothing was written." not in told
    assert pixel.reads("chase", "2024-02-10", today="2024-02-10") == (
        "2024-02-10: nothing new is late.\n"
    )
    data = chased(pixel, "2024-02-10", "--dry-run")
    assert (data["reminders"], data["debit_notes"], data["total"]) == ([], [], "0.00")


def test_reminders_then_the_letter_its_clock_and_the_cure(pixel):
    levels = []
    for on in ("2024-02-10", "2024-02-20", "2024-03-10"):
        data = chased(pixel, on)
        levels += [one["level"] for one in data["reminders"] if one["invoice"] == "PT2024-000001"]
    assert levels == [1, 2, 3]
    (notice,) = data["formal_notices"]
    # Thirty clear days from 2024-03-10.
    assert (notice["clock"], notice["allowed_from"]) == ("breach", "2024-04-10")
    assert chased(pixel, "2024-04-09")["allowed"] == []
    (task,) = chased(pixel, "2024-04-10")["allowed"]
    assert (task["allows"], task["clause"], task["owed"]) == (["terminate"], "art. 10", "1068.00")
    pixel.reads(
        "pay", "1068.00", "--invoice", "PT2024-000001=1068.00", "--on", "2024-04-15",
        today="2024-04-15",
    )  # fmt: skip
    last = chased(pixel, "2024-04-16")
    assert (last["cured"], last["allowed"], last["formal_notices"]) == (["PT-2024-001"], [], [])
    # 75 days: 1068.00 × 14.50 % × 75 / 365 = 31.8205; all of it is on debit notes now
    charged = pixel.reads_json("invoices", "--contract", "PT-2024-001")
    debit_notes = [D(one["gross"]) for one in charged if one["kind"] == "debit note"]
    assert sum(debit_notes) == D("31.82") + 40
    assert "unbroken" in pixel.reads("audit")


def test_a_debit_note_is_explained_with_each_stretch_its_rates_and_their_sources(desk):
    desk.reads("sign", RENTAL, today="2025-02-10")
    desk.reads("accept", "AT-2025-207", "--on", "2025-03-01", today="2025-03-01")
    desk.reads("run", "2025-03", today="2025-03-03")
    # The installation, 1440.00, due on 2025-03-31. The rent is debited: that is to be asked for.
    data = chased(desk, "2025-07-10")
    assert [one["owed"] for one in data["to_collect"]] == ["216.00"]
    ((note, gross),) = [(n["number"], n["gross"]) for n in data["debit_notes"]]
    # 1440.00 × (91 days × 11.13 + 10 × 9.14) / 36500 = 43.5641, and 40.00
    assert gross == "83.56"
    tree = desk.reads_json("explain", note, today="2025-07-10")
    assert tree["agrees"]
    one, two = lines_of(tree, "stretch")
    # 2025-S1: 1.5 × 3.71 + 5 = 10.565 is under 3 × 3.71 = 11.13; S2: 9.14 is above 8.28
    assert "at 11.13 %" in one["title"]
    assert "raised to it" in one["detail"]
    assert "2025-07-01 to 2025-07-10: 10 days" in two["title"]
    assert "at 9.14" in two["title"]
    told = as_text(one)
    for said in (
        "Agreed 10.565 %", "Floor 11.13 %", "2025-01-01 to 2025-06-30", "Statutory 13.15 %",
        "Policy under the floor: raised to the floor", "published", "source:", "LEGAL_INTEREST",
    ):  # fmt: skip
        assert said in told
    fees = [line for line in lines_of(tree, "line") if "D441-5" in line["title"]]
    assert all("40" in fee["recorded"] and "even partly paid" in fee["detail"] for fee in fees)
    assert "une fois et demi le taux" in as_text(tree)
    text = desk.reads("explain", note, today="2025-07-10")
    for step in (tree, one, two):
        assert step["title"] in " ".join(text.split())


def test_a_payment_found_later_is_credited_on_the_debit_note_and_both_are_explained(pixel):
    (note,) = chased(pixel, "2024-02-20")["debit_notes"]
    # 20 days: 8.4855
    assert note["gross"] == "48.49"
    pixel.reads(
        "pay", "1068.00", "--invoice", "PT2024-000001=1068.00", "--on", "2024-02-05",
        today="2024-02-21",
    )  # fmt: skip
    data = chased(pixel, "2024-02-22")
    (given,) = data["credit_notes"]
    # 5 days: 2.1214; 8.49 − 2.12
    assert (given["credits"], given["gross"], given["tax"]) == (note["number"], "6.37", "0.00")
    refused = ("credit-note", note["number"], "--reason", "geste")
    assert "billing write-off" in pixel.is_refused(*refused, code=3, today="2024-02-22")
    assert pixel.reads_json("explain", note["number"])["agrees"]
    tree = pixel.reads_json("explain", given["number"])
    assert tree["agrees"]
    assert "5 days on 1068.00 €" in as_text(tree)
    shown = pixel.reads("invoice", given["number"])
    assert "pénalités" in shown
    assert pixel.reads_json("chase", "2024-02-22", today="2024-02-22")["credit_notes"] == []
    assert "unbroken" in pixel.reads("audit")


def test_an_explanation_that_does_not_agree_says_so(pixel):
    import sqlite3

    (note,) = chased(pixel, "2024-02-10")["debit_notes"]
    with sqlite3.connect(f"{pixel.folder}/billing.db") as connection:
        row = "SELECT position, state FROM events WHERE topic = 'invoice.debit_note_issued'"
        position, state = connection.execute(row).fetchone()
        forged = state.replace(b'"14.50"', b'"15.50"')
        assert forged != state
        connection.execute("UPDATE events SET state = ? WHERE position = ?", (forged, position))
    said = pixel.is_refused("explain", note["number"], code=9)
    assert "not the one recorded" in said


def test_a_missing_substitution_sets_the_contract_aside_and_what_was_paid_meanwhile_is_charged(
    desk,
):
    desk.reads("sign", ALLIANCE, today="2024-05-21")
    desk.reads("run", "2024-06", today="2024-06-02")  # 216.00 due and debited on 2024-07-01.
    desk.reads("mandate", "revoke", "AT-RUM-0112", today="2024-06-25")
    data = chased(desk, "2024-07-11")
    assert [one["level"] for one in data["reminders"]] == [1]
    (aside,) = data["set_aside"]
    assert (aside["contract"], aside["clause"]) == ("AT-2024-112", "late_interest")
    assert "BDF_DISCOUNT" in aside["reason"]
    desk.reads("pay", "216.00", "--invoice", "AT2024-000001", "--on", "2024-08-10",
               today="2024-08-10")  # fmt: skip
    assert len(chased(desk, "2024-08-12")["set_aside"]) == 1
    assert len(chased(desk, "2024-08-13")["set_aside"]) == 1  # Paid, and not forgotten.
    said = desk.is_refused("chase", "2024-08-13", "--strict", code=8, today="2024-08-13")
    assert "1 contract set aside" in said
    desk.reads(
        "index", "substitute", "AT-2024-112", "BDF_DISCOUNT", "ECB_MRO", "--by", "les parties",
        "--evidence", "lettre", "--on", "2024-08-14", today="2024-08-14",
    )  # fmt: skip
    data = chased(desk, "2024-08-14")
    # 4.25 + 2 is under 3 × 4.92 = 14.76: 216.00 × 14.76 % × 40 / 365 = 3.4939
    assert (data["interest"], data["recovery_fees"], data["set_aside"]) == ("3.49", "40.00", [])
    tree = desk.reads_json("explain", data["debit_notes"][0]["number"], today="2024-08-14")
    assert tree["agrees"]
    assert "BDF_DISCOUNT replaced by ECB_MRO" in as_text(tree)
    assert chased(desk, "2024-08-15")["debit_notes"] == []


def test_a_dispute_stops_reminders_and_charges_until_it_is_settled(pixel):
    pixel.reads(
        "dispute", "PT2024-000001", "--reason", "clé défectueuse", "--on", "2024-02-02",
        today="2024-02-02",
    )  # fmt: skip
    assert pixel.reads("chase", "2024-02-20", today="2024-02-20").endswith("nothing new is late.\n")
    assert "disputed since" in pixel.is_refused(
        "dispute", "PT2024-000001", "--reason", "encore", code=3, today="2024-02-21"
    )
    pixel.reads("settle-dispute", "PT2024-000001", "--how", "clé changée", today="2024-02-22")
    data = chased(pixel, "2024-02-22")
    # 22 days: 9.3340
    assert (data["interest"], data["recovery_fees"]) == ("9.33", "40.00")
    assert "is not disputed" in pixel.is_refused(
        "settle-dispute", "PT2024-000001", "--how", "encore", code=3, today="2024-02-22"
    )


def test_the_service_of_pixel_tech_is_open_once_it_is_paid(pixel):
    (gate,) = pixel.reads_json("gates", "2024-01-10", today="2024-01-10")
    assert (gate["open"], gate["since"], gate["invoice"]) == (False, "2024-01-01", "PT2024-000001")
    shown = pixel.reads("show", "PT-2024-001", today="2024-01-10")
    assert "closed since 2024-01-01, PT2024-000001 is not paid, 1068.00 € owed" in shown
    pixel.reads(
        "pay", "1068.00", "--invoice", "PT2024-000001", "--on", "2024-01-15", today="2024-01-15"
    )
    (gate,) = pixel.reads_json("gates", "2024-01-15", today="2024-01-15")
    assert gate["open"]
    assert "paid: open" in pixel.reads("show", "PT-2024-001", today="2024-01-15")
    assert pixel.reads_json("gates", "2024-01-15", "--closed", today="2024-01-15") == []
    (before,) = pixel.reads_json("gates", "2024-01-14", today="2024-01-15")
    assert not before["open"]


def test_a_contract_that_is_always_served_has_no_gate(desk):
    desk.reads("sign", INTEGRAL, today="2023-06-20")
    assert "no service waits" in desk.reads("gates", "2023-07-20")


def test_a_house_brings_its_policy_and_a_bad_one_is_refused_whole(pixel):
    house = pixel.writes(
        "house.toml",
        'name = "house"\n[[levels]]\ndays = 3\nname = "Rappel"\nenglish = "Reminder"\n',
    )
    data = chased(pixel, "2024-02-03", "--policy", house)
    assert (data["policy"], [one["name"] for one in data["reminders"]]) == ("house", ["Rappel"])
    bad = pixel.writes("bad.toml", 'name = "house"\nlevels = []\n')
    said = pixel.is_refused("chase", "2024-02-04", "--policy", bad, code=4, today="2024-02-04")
    assert "bad.toml:2: levels" in said
    missing = pixel.folder / "none.toml"
    pixel.is_refused("chase", "2024-02-04", "--policy", missing, code=4, today="2024-02-04")


def test_a_day_to_come_is_refused(pixel):
    said = pixel.is_refused("chase", "2024-02-05", code=3, today="2024-02-04")
    assert "in the future" in said
    assert "--dry-run" in said


def test_a_chase_is_an_action_of_a_life_file(pixel):
    life = pixel.writes(
        "life.toml",
        '[[actions]]\non = 2024-02-10\ndo = "chase"\n'
        '[[actions]]\non = 2024-02-11\ndo = "dispute"\ninvoice = "PT2024-000001"\n'
        'reason = "panne"\n'
        '[[actions]]\non = 2024-02-12\ndo = "settle-dispute"\ninvoice = "PT2024-000001"\n'
        'how = "réparée"\n',
    )
    told = pixel.reads("play", life, today="2024-02-20")
    for said in ("Première relance", "debit note PT2024-000002 of 44.24 €", "dispute settled"):
        assert said in told
    assert action_of({"do": "chase"}).path == ""
