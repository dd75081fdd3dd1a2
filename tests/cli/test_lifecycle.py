"""The life of a contract from the command line: what is recorded, and what is told of it."""

from __future__ import annotations

import pytest

from tests.cli.running import ADD_A_POST, ALLIANCE, CONTRACTS, NUMBER, PIXEL, SI_CONTACT, Desk

RENTAL = CONTRACTS / "alliance-telecom-2025-207.toml"
COPY = CONTRACTS / "chronotech-2024-018.toml"
BACKUP = CONTRACTS / "chronotech-sauvegarde-2024-017.toml"
HOUSE = CONTRACTS.parent / "forms"


@pytest.fixture
def billed(signed: Desk) -> Desk:
    """July 2023 is billed: invoice 1 of Intégral, 270.00 € before tax."""
    signed.reads("run", "2023-07", today="2023-07-01")
    return signed


# Signature


def test_signing_tells_the_contract_its_warnings_and_its_first_invoice(desk: Desk):
    said = desk.reads("sign", ALLIANCE, today="2024-05-21")
    assert "signed with TELEVENTE-OCCITANE on the form alliance-telecom, from 2024-06-01" in said
    assert "warning: revision: PSDT: the series ended" in said
    # 180.00 € and 20 % of VAT; due 30 days after 1 June, a Saturday: the debit waits for Monday.
    assert (
        "next: AT-2024-112 is billed on 2024-06-01 for 2024-06-01 to 2024-06-30: 180.00 € before "
        "tax, 216.00 € with it, due on 2024-07-01"
    ) in said


def test_a_linked_contract_is_signed_after_its_parent_in_whatever_order(desk: Desk):
    said = desk.reads("sign", COPY, BACKUP, "--forms", HOUSE, today="2024-06-03")
    assert said.index("CH-2024-017") < said.index("CH-2024-018")


def test_a_linked_contract_without_its_parent_is_refused(desk: Desk):
    assert "no contract CH-2024-017; sign that one first" in desk.is_refused(
        "sign", COPY, "--forms", HOUSE, code=3, today="2024-06-03"
    )


def test_a_signature_of_a_day_to_come_is_refused(desk: Desk):
    said = desk.is_refused("sign", PIXEL, code=3, today="2023-12-10")
    assert "signed_on 2023-12-11 is in the future" in said


# Cover


def test_added_equipment_is_told_with_what_it_will_cost(billed: Desk):
    said = billed.reads(*ADD_A_POST)
    assert "2023-07-10  PC-12 45.00 € a month enters the cover" in said
    # 22 days of 31 of July are caught up: 45.00 × 22/31 = 31.94; 270.00 + 45.00 + 31.94 = 346.94.
    assert "is billed on 2023-08-01 for 2023-08-01 to 2023-08-31: 346.94 € before tax" in said


def test_the_catalogue_of_the_form_fills_in_what_is_not_said(signed: Desk):
    told = signed.reads_json(
        "add", NUMBER, "--item", "POSTE", "--code", "POSTE-9", "--price", "32.50"
    )
    item = told["events"][0]["item"]
    assert (item["code"], item["label"], item["kind"]) == (
        "POSTE-9",
        "Maintenance d'un poste de travail",
        "equipment",
    )


def test_the_catalogue_is_that_of_the_form_as_it_was_signed(desk: Desk):
    # The house changes its form later: the contract keeps the catalogue it was signed with.
    house = desk.folder / "forms"
    house.mkdir()
    form = (HOUSE.parents[1] / "forms/integral-micro.toml").read_text("utf-8")
    house.joinpath("house.toml").write_text(
        form.replace('name = "integral-micro"', 'name = "house"', 1), "utf-8"
    )
    contract = (CONTRACTS / "integral-micro-2023-0042.toml").read_text("utf-8")
    file = desk.writes(
        "contract.toml", contract.replace('form = "integral-micro"', 'form = "house"')
    )
    desk.reads("--forms", house, "sign", file, today="2023-06-20")
    house.joinpath("house.toml").unlink()
    told = desk.reads_json("add", NUMBER, "--item", "POSTE", "--price", "32.50")
    assert told["events"][0]["item"]["label"] == "Maintenance d'un poste de travail"


def test_what_the_catalogue_does_not_offer_needs_all_of_its_own(signed: Desk):
    said = signed.is_refused("add", NUMBER, "--item", "ECRAN", code=3)
    assert "ECRAN is not in the catalogue of integral-micro (it offers: POSTE, SERVEUR" in said
    assert "say its label and its unit_price and its per" in said
    said = signed.is_refused("add", NUMBER, "--item", "POSTE", code=3)
    assert "has no price for POSTE; say it" in said


def test_a_day_left_out_is_today(signed: Desk):
    said = signed.reads("remove", NUMBER, "POSTE-2", today="2023-09-04")
    assert "2023-09-04  POSTE-2 leaves the cover" in said


def test_usage_is_told_with_the_sum_that_is_billed(billed: Desk):
    said = billed.reads("usage", NUMBER, "SAUVEGARDE", "2023-07", "112.3", today="2023-08-01")
    # 12.3 Go above 100: 13 begun, at 3.00 €.
    assert "39.00 € to bill, due 2023-08-01" in said
    assert "(112.3 − 100 Go → 13, 3.00 € pour 1 Go)" in said


def test_work_is_billed_at_the_rate_card_or_by_a_quote(signed: Desk):
    assert "90.00 € to bill" in signed.reads("work", NUMBER, "DEPLACEMENT", "--at-fault")
    said = signed.reads(
        "work",
        NUMBER,
        "CABLAGE",
        "--quote",
        "D-12",
        "--label",
        "Câblage",
        "--price",
        "250.00",
        "--accepted-on",
        "2023-07-18",
        "--quantity",
        "2",
    )
    assert "500.00 € to bill, due 2023-07-20: Câblage – devis D-12" in said
    assert "goes with the accepted quote" in signed.is_refused(
        "work", NUMBER, "DEPLACEMENT", "--price", "80", code=3
    )


# Changes


def test_an_amendment_tells_each_parameter_before_and_after(signed: Desk):
    said = signed.reads(
        "amend",
        NUMBER,
        "--set",
        "payment.days=30",
        "--price",
        "SERVEUR=99.00",
        "--from",
        "2023-10-01",
        "--reason",
        "avenant 1",
    )
    assert "2023-10-01  clauses amended by agreement: avenant 1 (SERVEUR 95.00 → 99.00 €)" in said
    assert "payment.days: 15 → 30" in said


def test_an_amendment_changes_one_entry_of_a_list_and_leaves_the_others(signed: Desk):
    terms = signed.writes("avenant.toml", '[[meters]]\ncode = "SAUVEGARDE"\nunit_price = "2.50"\n')
    said = signed.reads("amend", NUMBER, "--terms", terms)
    assert "meters[1].unit_price: 3.00 → 2.50" in said
    assert "included" not in said
    usage = signed.reads("usage", NUMBER, "SAUVEGARDE", "2023-08", "101", today="2023-09-01")
    assert "2.50 € to bill" in usage


def test_an_amendment_the_law_forbids_is_refused_with_its_source(signed: Desk):
    said = signed.is_refused("amend", NUMBER, "--set", "payment.days=70", code=3)
    assert "70 days later; the law allows" in said
    assert "C. com. L441-10" in said


def test_a_file_of_terms_is_refused_with_its_lines(signed: Desk):
    terms = signed.writes("avenant.toml", "[payment]\ndays = 30\ndayz = 3\n")
    said = signed.is_refused("amend", NUMBER, "--terms", terms, code=4)
    assert 'avenant.toml:3: payment.dayz: unknown key "dayz"; did you mean "days"?' in said


def test_a_new_supplier_takes_the_contract_and_its_mandate(signed: Desk):
    party = signed.writes(
        "repreneur.toml",
        'name = "Pixel Tech"\nsiren = "999 001 019"\ncreditor_identifier = "FR13222449274"\n',
    )
    said = signed.reads(
        "assign",
        NUMBER,
        "--side",
        "supplier",
        "--to",
        "REPRENEUR",
        "--party",
        party,
    )
    assert "the supplier is now REPRENEUR" in said
    assert "mandate amended on 2023-07-20: creditor REPRENEUR, FR13222449274" in said


def test_a_mandate_is_revoked_with_the_contracts_that_used_it(signed: Desk):
    said = signed.reads("mandate", "revoke", "IM-RUM-0042")
    assert f"{NUMBER}: no mandate any more" in said
    shown = signed.reads_json("mandate", "show", "IM-RUM-0042")
    assert shown[0]["mandate"]["revoked_on"] == "2023-07-20"
    assert shown[0]["contracts"] == []


def test_a_mandate_revoked_is_not_amended(signed: Desk):
    signed.reads("mandate", "revoke", "IM-RUM-0042")
    said = signed.is_refused(
        "mandate", "amend", "IM-RUM-0042", "--iban", "FR76 3000 6000 0112 3456 7890 189", code=3
    )
    assert "mandate IM-RUM-0042 was revoked on 2023-07-20" in said


def test_another_mandate_is_signed_on_the_account_of_the_client(signed: Desk):
    signed.reads("mandate", "revoke", "IM-RUM-0042")
    said = signed.reads("mandate", "sign", NUMBER, "IM-RUM-0043")
    assert "account FR7699999000011000777777784" in said
    assert "collected under mandate IM-RUM-0043" in said


def test_a_party_changes_and_keeps_what_was_not_said(signed: Desk):
    signed.reads("party", "amend", "CABINET-MOREAU", "--email", "facture@cabinet-moreau.example")
    shown = signed.reads_json("party", "show", "CABINET-MOREAU")
    assert shown["email"] == "facture@cabinet-moreau.example"
    assert shown["siren"] == "999001076"
    assert shown["address"]["city"] == "Paris"


# Acceptance, renewal, end


def test_nothing_is_billed_before_the_acceptance(desk: Desk):
    said = desk.reads("sign", RENTAL, today="2025-02-10")
    assert "is billed once its installation is accepted (`billing accept`)" in said
    said = desk.reads("accept", "AT-2025-207", "--on", "2025-03-05", today="2025-03-06")
    assert "installation accepted" in said
    assert "next: AT-2025-207 is billed on" in said


def test_a_notice_sent_late_says_when_the_contract_ends(signed: Desk):
    said = signed.reads("notice", NUMBER, "--by", "client", today="2024-04-02")
    # The term ends on 2024-06-30; three months before is 2024-03-30.
    assert "late, the last day was 2024-03-30, ends 2025-07-01" in said


def test_an_offer_is_sent_and_accepted(desk: Desk):
    desk.reads("sign", SI_CONTACT, today="2024-03-15")
    said = desk.reads("offer", "SC-2024-031", "--months", "12", today="2026-09-01")
    assert "renewal quote or offer for 2027-03-15 to 2028-03-14" in said
    said = desk.reads("accept-offer", "SC-2024-031", today="2026-09-10")
    assert "the client accepts the term 2027-03-15 to 2028-03-14" in said


def test_a_suspension_waits_for_its_clock(desk: Desk):
    desk.reads("sign", SI_CONTACT, today="2024-03-15")
    said = desk.reads(
        "formal-notice", "SC-2024-031", "unpaid", "--reason", "facture 1", today="2024-06-03"
    )
    assert "formal notice by the supplier (unpaid, facture 1)" in said
    early = desk.is_refused("suspend", "SC-2024-031", "unpaid", code=3, today="2024-06-10")
    assert "is allowed from 2024-06-1" in early
    said = desk.reads("suspend", "SC-2024-031", "unpaid", today="2024-06-20")
    assert "service suspended (unpaid)" in said
    assert "service resumed" in desk.reads("resume", "SC-2024-031", today="2024-07-01")


def test_a_termination_tells_its_indemnity(desk: Desk):
    desk.reads("sign", ALLIANCE, today="2024-05-21")
    refused = desk.is_refused(
        "terminate",
        "AT-2024-112",
        "--cause",
        "moved_abroad",
        "--side",
        "client",
        code=3,
        today="2024-08-20",
    )
    assert "the client may not end it for moved_abroad; it allows:" in refused
    said = desk.reads(
        "terminate",
        "AT-2024-112",
        "--cause",
        "convenience",
        "--side",
        "client",
        "--on",
        "2024-09-01",
        today="2024-08-20",
    )
    # 57 months were left of 60, at 180.00 €: 10260.00; three quarters are 7695.00.
    assert "indemnity of 7695.00 €: 0.75 × 10260.00 € (57" in said
    settled = desk.reads(
        "settle-indemnity",
        "AT-2024-112",
        "--amount",
        "5000",
        "--reason",
        "transaction",
        today="2024-08-21",
    )
    assert "indemnity of 7695.00 € brought to 5000.00 €: transaction" in settled


# Invoices


def test_an_invoice_is_received_then_credited_in_part(billed: Desk):
    number = "IM2023-000001"
    # 15 days from the receipt of 5 July.
    said = billed.reads("receive", number, "--on", "2023-07-05", "--evidence", "AR")
    assert "received, due on 2023-07-20" in said
    # 100.00 € and 20 % of VAT.
    said = billed.reads("credit-note", number, "--net", "100", "--reason", "geste commercial")
    assert f"credit note IM2023-000002 of 120.00 € on {number}: geste commercial" in said
    said = billed.is_refused(
        "credit-note", number, "--line", 1, "--line", 1, "--reason", "deux fois", code=3
    )
    assert "line 1 is named twice" in said
    said = billed.is_refused("credit-note", number, "--net", "300", "--reason", "trop", code=3)
    assert "300 € to credit; expected more than 0, at most 270.00" in said
