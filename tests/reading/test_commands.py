"""Every command that looks, for people and as JSON, on the demo."""

import pytest

LOOKS = [
    ("list",),
    ("list", "--form", "integral-micro"),
    ("list", "--client", "CABINET-MOREAU"),
    ("list", "--status", "ended"),
    ("list", "--set-aside"),
    ("show", "SC-2024-031"),
    ("show", "CH-2024-018", "--clauses"),
    ("show", "AT-2025-207", "--as-of-version", "4"),
    ("calendar", "--until", "2027-06-30"),
    ("invoices",),
    ("invoices", "--contract", "AT-2025-207"),
    ("invoices", "--month", "2026-10"),
    ("invoices", "--client", "CABINET-MOREAU", "--last", "3"),
    ("invoice", "IM2023-000004"),
    ("invoice", "AT2026-000015"),
    ("debits",),
    ("debits", "--month", "2026-12"),
    ("debits", "--contract", "IM-2023-0042", "--forecast", "12"),
    ("explain", "IM2023-000004"),
    ("explain", "IM2023-000004", "--line", "1"),
    ("run", "2026-12", "--dry-run"),
    ("run", "--until", "2026-12-15", "--dry-run", "--changed-only", "--limit", "1"),
    ("verify", "2026-11"),
    ("audit",),
    ("mandates",),
    ("collect", "--dry-run"),
    ("collections", "--month", "2026-11"),
    ("collections", "--files"),
    ("unmatched",),
    ("owed", "--documents"),
    ("owed", "--at", "2026-04-30"),
    ("statement", "SONDAGES-GARONNE", "--from", "2025-10-01"),
    ("dso",),
    ("gates", "2026-04-30"),
    ("chase", "2026-12-15", "--dry-run"),
    ("invoice", "PT2026-000001"),
    ("explain", "PT2026-000006"),
]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_people_read_a_page_and_programs_the_same_as_data(played, words):
    page, data = played(*words), played(*words, "--json")
    assert (page.code, page.err) == (0, "")
    assert page.out.strip()
    assert not page.out.lstrip().startswith(("{", "["))
    assert data.code == 0
    assert data.data


def test_looking_writes_nothing(copied):
    record = copied.log()
    for words in LOOKS:
        copied(*words)
    assert copied.log() == record


@pytest.mark.parametrize("words", [
    ("show", "NONE"), ("invoice", "NONE"), ("explain", "NONE"), ("verify", "1999-01"),
    ("show", "PT-2024-001", "--as-of-version", "999"),
    ("debits", "--contract", "NONE", "--forecast", "2"),
], ids=" ".join)  # fmt: skip
def test_what_is_not_there_is_refused_by_name(played, words):
    answer = played(*words)
    assert answer.code == 3
    assert words[1] in answer.err or words[2] in answer.err
    assert answer.out == ""


@pytest.mark.parametrize("words", [
    ("run",), ("run", "2026-13"), ("run", "2026-7"), ("run", "2026-12", "--until", "2026-12-01"),
    ("run", "2026-12", "--limit", "1"), ("calendar",), ("debits", "--forecast", "2"),
    ("list", "--status", "asleep"),
], ids=" ".join)  # fmt: skip
def test_a_command_not_understood_says_how_it_is_written(played, words):
    answer = played(*words)
    assert answer.code == 2
    assert answer.err


def test_a_contract_is_shown_as_it_stands(played):
    page = played("show", "IM-2023-0042").out
    assert "running since 2023-07-01" in page
    assert "POSTE-5" in page
    assert "found undeclared" in page
    assert "revised ×1.0378 on 2024-07-01" in page
    data = played("show", "IM-2023-0042", "--json").data
    assert [one["version"] for one in data["timeline"]] == list(range(1, data["version"] + 1))
    prices = {one["code"]: one["unit_price"] for one in data["items"]}
    # 95.00 × 313.3 / 301.9 = 98.587…
    assert prices["SERVEUR"] == "98.59"


def test_a_contract_is_shown_as_it_was(played):
    data = played("show", "IM-2023-0042", "--as-of-version", "3", "--json").data
    assert data["version"] == len(data["timeline"]) == 3
    assert data["coming"] == []


def test_clauses_come_with_the_words_of_the_contract(played):
    clauses = {one["name"]: one for one in
               played("show", "SC-2024-031", "--clauses", "--json").data["clauses"]}  # fmt: skip
    assert "moitié des annuités restant à courir" in clauses["indemnity"]["words"]
    assert clauses["indemnity"]["source"] == "art. 7"
    assert clauses["indemnity"]["terms"]["share"] == "0.5"
    assert clauses["indemnity"]["terms"]["of"] == "annuities"
    page = played("show", "SC-2024-031", "--clauses").out
    assert "moitié des annuités" in " ".join(page.split())
    assert "BDF_DISCOUNT is replaced by ECB_MRO" in played("show", "AT-2024-112").out
    maintenance = played("show", "AT-2024-112", "--json").data
    rental = played("show", "AT-2025-207", "--json").data
    assert (maintenance["variant"], rental["variant"]) == ("maintenance", "rental")


def test_what_waits_is_listed_with_its_reason(played):
    rows = {row["contract"]: row for row in played("list", "--set-aside", "--json").data}
    # The maintenance of Alliance ended: nobody has to do anything for it any more.
    assert set(rows) == {"IM-2021-0015", "IM-2023-0042"}
    assert rows["IM-2021-0015"]["status"] == "set aside"
    assert rows["IM-2023-0042"]["status"] == "running"
    assert "2025-05" in rows["IM-2021-0015"]["set_aside"]["reason"]
    assert "waits: 6 invoices, 6660.90 € net" in played("list", "--set-aside").out


def test_the_status_filter_agrees_with_the_status(played):
    every = played("list", "--json").data
    for status in ("running", "ended", "set aside", "suspended"):
        asked = played("list", "--status", status, "--json")
        found = [row["contract"] for row in asked.data]
        assert found == [row["contract"] for row in every if row["status"] == status]


def test_an_invoice_is_read_with_its_lines_and_what_became_of_it(played):
    page = played("invoice", "AT2025-000007").out
    for told in ("AT-2025-207", "180.00 €", "216.00 €", "AT-RUM-0207", "credited 216.00 €"):
        assert told in page


def test_the_debits_to_come_are_on_days_banks_settle(played):
    rows = played("debits", "--json").data
    assert {row["collected_on"] for row in rows} == {"2026-12-01"}
    moreau = next(row for row in rows if row["debtor"] == "CABINET-MOREAU")
    assert moreau["mandate"] == "IM-RUM-0042"
    assert moreau["creditor_identifier"] == "FR21ZZZ990002"
    ahead = played("debits", "--contract", "IM-2023-0042", "--forecast", "2", "--json").data
    # Due on 2026-12-16, so on 1 January: a holiday of TARGET, then a weekend.
    assert ahead["invoices"][0]["collected_on"] == "2027-01-04"


def test_a_debit_under_a_mandate_revoked_is_told(copied):
    assert copied("mandate", "revoke", "IM-RUM-0042").code == 0
    rows = copied("debits", "--json").data
    assert [row["trouble"] for row in rows if row["debtor"] == "CABINET-MOREAU"] == [
        "mandate IM-RUM-0042 was revoked on 2026-11-22"
    ]


def test_a_credited_invoice_is_debited_for_what_is_left(copied):
    answer = copied("credit-note", "IM2026-000011", "--net", "100.00", "--reason", "geste")
    assert answer.code == 0, answer.err
    [row] = [r for r in copied("debits", "--json").data if r["debtor"] == "CABINET-MOREAU"]
    # 447.10 − 120.00
    assert row["amount"] == "327.10"


def test_the_calendar_is_in_order_and_names_what_is_late(played):
    rows = played("calendar", "--until", "2027-06-30", "--json").data
    assert [row["on"] for row in rows] == sorted(row["on"] for row in rows)
    told = {(row["contract"], row["what"]): row["on"] for row in rows}
    assert told["SC-2024-031", "offer"] == "2027-01-14"
    assert told["CH-2024-018", "task"] == "2026-12-01"
    assert told["PT-2024-001", "notice"] == "2026-12-31"
    assert told["IM-2023-0042", "notice"] == "2027-03-30"
    late = {row["contract"] for row in rows if row["late"]}
    assert late == {"IM-2021-0015", "IM-2023-0042"}


def test_an_explanation_is_a_tree_of_sums_done_again(played):
    found = played("explain", "IM2023-000004", "--json").data
    assert found["agrees"]
    page = played("explain", "IM2023-000004").out
    assert "302.7 × 0.97975 / 276.5" in page
    assert "└──" in page
