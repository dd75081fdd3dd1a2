"""Money on the command line: paid, allocated, set off, refunded, rejected; what is owed."""

import re
from pathlib import Path

import pytest

from tests.cli.running import ALLIANCE, INTEGRAL, Desk

TODAY = "2023-12-15"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """IM-2023-0042, 324.00 € a month tax included, billed from July to September 2023."""
    for name in ("DATABASE_URL", "BILLING_FORMS", "BILLING_TODAY", "BILLING_USER"):
        monkeypatch.delenv(name, raising=False)
    desk = Desk(tmp_path, TODAY)
    desk.reads("sign", INTEGRAL, today="2023-06-20")
    for month in ("2023-07", "2023-08", "2023-09"):
        desk.reads("run", month, today=f"{month}-02")
    return desk


@pytest.fixture
def client(desk: Desk) -> str:
    return desk.reads_json("list")[0]["client"]


def numbers(desk):
    return [one["number"] for one in desk.reads_json("invoices", "--client", client_of(desk))]


def client_of(desk):
    return desk.reads_json("list")[0]["client"]


def owed(desk):
    return [one["owed"] for one in desk.reads_json("invoices", "--contract", "IM-2023-0042")]


def test_a_payment_and_what_is_left_of_it(desk, client):
    first, second, third = numbers(desk)
    wrote = f"FACT {second} ET {third}"
    told = desk.reads("pay", "700.00", "--client", client, "--on", "2023-09-20",
                      "--reference", "VIR-1", "--remittance", wrote)  # fmt: skip
    assert f"allocated by the numbers in its remittance text: {second} 324.00 €" in told
    assert "52.00 € of payment VIR-1 is left, the client's credit" in told  # 700 − 648
    assert owed(desk) == ["324.00", "0.00", "0.00"]
    told = desk.reads("allocate", "VIR-1")
    assert f"{first} 52.00 €" in told
    assert owed(desk) == ["272.00", "0.00", "0.00"]
    line = next(row for row in desk.reads("invoices").splitlines() if first in row)
    assert re.search(r"324\.00 €\s+272\.00 €", line)


def test_what_it_records_is_told_as_json(desk, client):
    first = numbers(desk)[0]
    told = desk.reads_json("pay", "100", "--invoice", f"{first}=40.50", "--on", "2023-09-20",
                           "--means", "cheque", "--reference", "CHQ-9")  # fmt: skip
    assert told["do"] == "pay"
    assert [(e["event"], e["amount"]) for e in told["events"]] == [
        ("payment.received", "100.00"),
        ("invoice.payment_allocated", "40.50"),
    ]
    assert told["changes"][1] == "59.50 € of payment CHQ-9 is left, the client's credit"


def test_a_cheque_bounces_and_its_fee_stays_with_the_supplier(desk, client):
    first = numbers(desk)[0]
    desk.reads("pay", "324.00", "--invoice", first, "--means", "cheque", "--reference", "CHQ-9")
    told = desk.reads("reject-payment", "CHQ-9", "--fee", "15.00", "--code", "MS03")
    assert f"{first}: 324.00 € is owed again" in told
    assert "the bank's fee of 15.00 € is the supplier's" in told  # Intégral: frais à sa charge.
    assert owed(desk)[0] == "324.00"


def test_a_fee_is_billed_on_where_the_contract_says_so(desk):
    desk.reads("sign", ALLIANCE, today="2024-05-21")
    desk.reads("run", "2024-06", today="2024-06-02")
    (number,) = [
        one["number"]
        for one in desk.reads_json("invoices", "--month", "2024-06", today="2024-06-02")
        if one["contract"].startswith("AT")
    ]
    desk.reads("pay", "100.00", "--invoice", number, "--means", "cheque", "--reference", "CHQ-1",
               today="2024-06-10")  # fmt: skip
    told = desk.reads("reject-payment", "CHQ-1", "--fee", "15.00", today="2024-06-20")
    assert "15.00 € to bill, due 2024-06-20: Frais bancaires, chèque impayé" in told


def test_what_was_credited_after_it_was_paid_is_set_off_or_refunded(desk, client):
    first, second, _ = numbers(desk)
    desk.reads("pay", "324.00", "--invoice", first, "--on", "2023-09-20")
    desk.reads("credit-note", first, "--reason", "geste", "--net", "100.00")
    assert owed(desk)[0] == "-120.00"
    told = desk.reads("set-off", client, "--amount", "50.00", "--invoice", second)
    assert f"50.00 € of {first} pays {second}" in told
    told = desk.reads("refund", "--invoice", first, "--reason", "avoir")
    assert f"70.00 € of {first} goes back to the client; 0.00 € of it is left" in told
    assert owed(desk)[:2] == ["0.00", "274.00"]


def test_a_write_off_gives_up_what_is_left(desk):
    first = numbers(desk)[0]
    told = desk.reads("write-off", first, "--amount", "24.00", "--reason", "irrécouvrable")
    assert f"24.00 € of {first} written off, 300.00 € still owed" in told


def test_the_aged_balance_the_statement_and_the_days_of_sales(desk, client):
    first, _, _ = numbers(desk)
    desk.reads("pay", "400.00", "--invoice", first, "--on", "2023-09-20", "--reference", "VIR")
    shown = desk.reads("owed")
    assert "> 90" in shown
    assert "572.00 €" in shown  # 2 × 324 − 76
    found = desk.reads_json("owed", "--at", "2023-08-20", "--documents")
    assert [(d["number"], d["owed"]) for d in found["documents"]] == [
        (number, "324.00") for number in numbers(desk)[:2]
    ]
    found = desk.reads_json("statement", client, "--from", "2023-09-01", "--to", "2023-09-30")
    assert (found["opening"], found["closing"]) == ("648.00", "572.00")  # + 324 − 400
    assert [e["what"] for e in found["entries"]] == ["invoice", "payment by transfer"]
    page = desk.reads("statement", client, "--from", "2023-09-01")
    assert "balance before" in page
    found = desk.reads_json("dso", "--at", "2023-09-30")
    # 572 owed of 3 × 324 in 90 days (from 3 July: August and September, 648): 79.4 days; back:
    # 30 days of September, 248/324 of 31 days of August.
    assert (found["simple"], found["count_back"]) == ("79.4", "53.7")
    assert "count-back: 53.7 days" in desk.reads("dso", "--at", "2023-09-30")


def test_nothing_owed_is_a_sentence(desk):
    assert desk.reads("owed", "--at", "2023-01-01") == "Nothing is owed on 2023-01-01.\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("pay", "10.00", "--client", "NOBODY"), 3, "no party NOBODY"),
        (("pay", "10.00", "--currency", "GBP", "--client", "X"), 3, "only payments in euros"),
        (("pay", "10.00", "--client", "X", "--on", "2023-12-16"), 3, "in the future"),
        (("pay", "ten", "--client", "X"), 2, "an amount was expected"),
        (("pay", "10.00", "--invoice", "A="), 2, "NUMBER or NUMBER=AMOUNT was expected"),
        (("pay", "10.00", "--invoice", "A", "--invoice", "A=1"), 2, "A is named twice"),
        (("allocate",), 3, "say which payment"),
        (("refund", "--reason", "x"), 3, "say which payment is refunded"),
        (("statement", "NOBODY"), 3, "no party NOBODY"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_leaves_nothing(desk, words, code, said):
    before = desk.reads_json("owed")
    if "X" in words:
        words = tuple(client_of(desk) if word == "X" else word for word in words)
    assert said in desk.is_refused(*words, code=code)
    assert desk.reads_json("owed") == before


def test_the_record_agrees_with_itself_after_all_that(desk, client):
    first = numbers(desk)[0]
    desk.reads("pay", "324.00", "--invoice", first, "--means", "card", "--reference", "CB")
    desk.reads("reject-payment", "CB")
    desk.reads("audit")
    desk.reads("rebuild")
    desk.reads("audit")
    desk.reads("verify", "2023-07")
    assert owed(desk) == ["324.00", "324.00", "324.00"]


def test_a_life_file_can_pay_the_last_invoice_of_a_contract(desk):
    life = desk.writes(
        "life.toml",
        """
        [[actions]]
        on = 2023-10-10
        do = "pay"
        contract = "IM-2023-0042"
        amount = "300.00"
        """.replace("        ", ""),
    )
    desk.reads("play", life)
    assert owed(desk) == ["324.00", "324.00", "24.00"]
