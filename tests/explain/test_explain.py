"""Each amount is told back to the events it comes from, and every sum is done again."""

from __future__ import annotations

import msgspec
import pytest

from billing.application.commands import receive_invoice
from billing.application.explain import Explanation, explain, mismatches, render
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.events.contract import PriceRevised
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.refusal import Refused
from tests.explain.house import D, House, day


def told(house: House, contract: str, code: str, kind: str = "fee", start: str = "") -> str:
    """What is said of the first line of that kind and item, from that day on."""
    for document in house.documents():
        for place, line in enumerate(document.lines, 1):
            begins = line.period.start.isoformat() if line.period else ""
            if (document.contract, line.code, line.kind) == (contract, code, kind) and (
                not start or begins == start
            ):
                return said(explain(house.app, document.number, line=place))
    raise AssertionError(f"no line {kind} {code} of {contract}")


def said(explanation: Explanation) -> str:
    return "\n".join(text for _, text in render(explanation))


def the_whole(house: House, contract: str, issued_on: str) -> str:
    for document in house.documents():
        if (document.contract, document.issued_on) == (contract, day(issued_on)):
            return said(explain(house.app, document.number))
    raise AssertionError(f"nothing issued to {contract} on {issued_on}")


def test_every_sum_of_every_document_is_found_again(busy: House):
    documents = list(busy.documents())
    assert len(documents) > 80
    for document in documents:
        assert mismatches(explain(busy.app, document.number)) == [], document.number


@pytest.mark.parametrize(
    ("contract", "code", "kind", "start", "sentence"),
    [
        # 2 × 31.13 × 14/30 = 871.64 / 30 = 29.0546…
        (
            "BUSY",
            "PC",
            "catch_up",
            "",
            "2 × 31.13 € × 14/30 days of the billing period (2023-11-17 "
            "to 2023-11-30) = 29.05466666… €, rounded HALF_UP to the cent: 29.05 €",
        ),
        ("BUSY", "PC", "catch_up", "", "2023-11-01 to 2023-11-30 was billed already"),
        ("BUSY", "PC", "catch_up", "", "declared: undeclared (evidence: visite)"),
        # An option opened on the 12th of a month goes by whole months.
        (
            "BUSY",
            "OPT",
            "fee",
            "",
            "1 × 40.00 € × 1/1 months, each month touched counted whole "
            "(2023-12-12 to 2023-12-31) = 40.00 €",
        ),
        ("BUSY", "OPT", "entry_fee", "", "1 × 25.00 € = 25.00 €"),
        # A yearly fee by the month: 250.00 less 166.67
        (
            "LINKED",
            "AN",
            "fee",
            "2022-01-01",
            "part 3 of 12: round(1000 × 3/12) − round(1000 × 2/12) = 83.33 €",
        ),
        ("LINKED", "AN", "fee", "2021-12-01", "round(1000 × 1/12) = 83.34 €"),
        ("LINKED", "PC", "fee", "2021-11-01", "3 × 12.34 € × (100 − 12.5)/100 = 32.3925 €"),
        ("QUARTER", "Q", "fee", "2022-10-20", "1 × 99.99 € × 3 months = 299.97 €"),
        # 120.2 − 100 = 20.2, by started Go 21
        (
            "BUSY",
            "GO",
            "usage",
            "",
            "used 120.2 − included 100 = 20.2 Go, by started steps of 1: "
            "21 Go; 21 × 3.00 € = 63.00 €",
        ),
        ("BUSY", "MIN", "usage", "", "4321 × 0.01 € / 60 s = 0.72016666… €"),
        ("BUSY", "HEURE", "work", "", "1.5 × 85.00 € = 127.50 €; done on 2023-11-20"),
        # 30 months of 240 + 40 are left: 8400 × 3/4
        (
            "BUSY",
            "INDEMNITE",
            "indemnity",
            "",
            "0.75 × 8400.00 € (30 remaining, counted as instalments) = 6300.00 €",
        ),
        ("BUSY", "INDEMNITE", "indemnity", "", "VAT 0 %: treatment outside, category O"),
        # 280 × 16/30 = 149.333…
        (
            "BUSY",
            "REMBOURSEMENT",
            "refund",
            "",
            "280.00 € billed by 2024-000016 × 16/30 days not used (2024-04-15 to 2024-04-30)",
        ),
        # 2 × 31.13 × 10/29 = 21.4689…
        ("BUSY", "PC", "refund", "", "2 × 31.13 € × 10/29 days"),
        # 3 × 105.38 − 3 × 99.99
        ("QUARTER", "Q", "regularisation", "", "316.14 € − 299.97 € = 16.17 €"),
        ("CHILD", "C", "entry_fee", "", "1 × 15.00 € = 15.00 €"),
    ],
)
def test_a_line_is_told_as_one_would_do_it_by_hand(
    busy: House, contract: str, code: str, kind: str, start: str, sentence: str
):
    assert sentence in told(busy, contract, code, kind, start)


def test_a_revision_across_the_change_of_syntec_shows_the_link(busy: House):
    text = told(busy, "LINKED", "AN", start="2023-11-01")
    # 1000 × 306.0 × 0.97975 / 276.5 = 1084.28; without the link it would be 1106.69
    assert "Price revised from 2023-11-01: 1000.00 € → 1084.28 €" in text
    assert "P = Po × (1 × Syntec/Synteco)" in text
    assert "weight 1; 306.0 × 0.97975 / 276.5 = 1.08428028…" in text
    assert "Base (Io): 276.5 (SYNTEC_OLD 2021-08, published 2021-09-30, found; source: " in text
    assert "Current (I), read on 2023-11-01: 306.0 (SYNTEC_REVISED 2023-09" in text
    assert "Linking coefficient 0.97975: SYNTEC_REVISED × 0.97975 continues SYNTEC_OLD" in text
    assert "exact 599607/553000" in text
    assert "1000.00 €: as signed on 2021-09-30" in text
    assert "« Les tarifs des prestations sont réévalués annuellement au mois de juillet." in text


def test_an_index_replaced_by_decision_names_who_decided_and_on_what(busy: House):
    text = told(busy, "QUARTER", "Q", start="2024-01-20")
    assert "S_SME replaced by SYNTEC: decided on 2024-02-20 by ada, on: avenant 3" in text
    # 0.20 + 0.80 × I/Io
    assert "P = Po × (0.20 + 0.80 × S/So)" in text


def test_an_item_names_the_event_that_put_it_in_the_cover(busy: House):
    text = told(busy, "BUSY", "PC", start="2023-12-01")
    assert "Equipment added on BUSY: in the cover from 2023-11-17" in text
    assert "version 3, recorded 2023-11-28 08:00:00 UTC by ada" in text


def test_the_due_day_and_the_debit_follow_the_payment_clause(busy: House):
    text = the_whole(busy, "LINKED", "2024-05-01")
    assert "Due on 2024-05-16: issued on 2024-05-01; 15 days from the receipt" in text
    assert "presumed 0 days after the issue" in text
    # 14 days of notice end on the 15th; the first 1st after the 16th is Saturday 1 June.
    assert "Debited on 2024-06-03: mandate MANDATE-1" in text
    assert "2024-06-01; TARGET is closed that day" in text


def test_a_receipt_recorded_moves_the_due_day(copy: House):
    copy.on("2024-07-22")
    _, invoice = copy.find(InvoiceIssued, contract="LINKED", issued_on=day("2024-07-01"))
    receive_invoice(copy.app, invoice.number, day("2024-07-05"))
    explanation = explain(copy.app, invoice.number)
    assert explanation.agrees
    assert "Received on 2024-07-05: due on 2024-07-20" in said(explanation)


def test_the_late_rate_shows_the_agreed_rate_and_the_floor(busy: House):
    text = the_whole(busy, "LINKED", "2024-05-01")
    # Legal rate of 2024-S1 5.07: 1.5 × 5.07 + 5 = 12.605, under 3 × 5.07 = 15.21
    assert "Late payment, 15.21 % a year" in text
    assert "the agreed rate is under the floor, and raised to it" in text
    assert "Agreed 12.605 %: 1.5 × 5.07 + 5 points" in text
    assert "Floor 15.21 %: 3 × legal interest rate 5.07" in text
    assert "Recovery fee 40.00 €" in text


def test_a_number_names_its_sequence_and_its_run(busy: House):
    text = the_whole(busy, "BUSY", "2024-05-01")
    assert "rank 21 of the sequence SUP/2024" in text
    assert "Block 21 to 22 of SUP/2024" in text
    assert "After 2024-000020" in text
    assert "Billing run 2024-05" in text


def test_a_credit_note_names_what_it_gives_back(busy: House):
    _, note = busy.find(CreditNoteIssued, contract="BUSY", issued_on=day("2024-03-01"))
    text = said(explain(busy.app, note.number))
    # 62.26 … 342.26 net, 410.71 with tax, less 25.76
    assert "Credits 2024-000007 of 2024-02-01: 25.76 € of its 410.71 €" in text
    assert "Issued by hand" not in text


def test_a_credit_note_made_by_hand_says_so(busy: House):
    _, note = busy.find(CreditNoteIssued, contract_version=0)
    explanation = explain(busy.app, note.number)
    assert explanation.agrees
    assert "Issued by hand: geste commercial" in said(explanation)


def test_the_words_are_those_recorded_at_signature_else_those_of_the_form_as_it_ships(
    copy: House,
):
    text = told(copy, "LINKED", "AN", start="2023-11-01")
    assert "words from the text recorded when it was first signed from" in text
    copy.sql("DELETE FROM events WHERE topic = 'form.recorded'")
    assert "words from the form as it ships" in told(copy, "LINKED", "AN", start="2023-11-01")


def test_a_form_nobody_knows_leaves_the_sums_and_no_words():
    house = House()
    house.sign(
        "C", Terms(), Item(code="A", label="A", unit_price=D("10.00")), signed_on="2024-01-01"
    )
    with house.app.store.engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE topic = 'form.recorded'")
        connection.exec_driver_sql(
            "UPDATE events SET state = replace(state, 'integral-micro', 'no-such-form') "
            "WHERE topic = 'contract.signed'"
        )
    house.app.rebuild_states()
    house.month("2024-01")
    explanation = explain(house.app, "2024-000001")
    assert explanation.agrees
    assert "Clause" not in said(explanation)


def test_one_line_alone_is_explained_and_one_that_is_not_there_is_refused(busy: House):
    assert explain(busy.app, "2023-000048", line=2).title.startswith("Line 2, Installation")
    with pytest.raises(Refused, match="no line 9; it has 3"):
        explain(busy.app, "2023-000048", line=9)


def test_an_amount_changed_in_the_database_is_shown_where_it_is(copy: House):
    position, invoice = copy.find(InvoiceIssued, contract="BUSY", issued_on=day("2024-03-01"))
    lines = msgspec.to_builtins(invoice.lines)
    lines[1]["net"] = "44.00"
    copy.alter(position, lines=lines)
    explanation = explain(copy.app, invoice.number)
    assert not explanation.agrees
    found = [(one.kind, one.recorded, one.found) for one in mismatches(explanation)]
    assert ("line", "44.00", "40.00") in found
    assert ("total", "280.00", "284.00") in found
    assert "DOES NOT AGREE: recorded 44.00, found 40.00" in said(explanation)


def test_a_coefficient_changed_in_the_database_is_shown_where_it_is(copy: House):
    position, revised = copy.find(PriceRevised, effective_on=day("2023-11-01"))
    coefficient = msgspec.to_builtins(revised.coefficient) | {"applied": "11/10"}
    copy.alter(position, coefficient=coefficient)
    _, invoice = copy.find(InvoiceIssued, contract="LINKED", issued_on=day("2024-05-01"))
    kinds = {one.kind for one in mismatches(explain(copy.app, invoice.number))}
    assert "coefficient" in kinds


def test_an_explanation_is_json_and_reads_back(busy: House):
    explanation = explain(busy.app, "2023-000053")
    body = msgspec.json.encode(explanation)
    assert msgspec.json.decode(body, type=Explanation) == explanation


def test_an_invoice_nobody_issued_is_refused(busy: House):
    with pytest.raises(Refused, match="no invoice 2024-999999"):
        explain(busy.app, "2024-999999")
