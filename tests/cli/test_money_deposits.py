"""Deposits as they are typed, and as a life file tells them."""

import pytest

from tests.cli.running import CONTRACTS

RENTAL = CONTRACTS / "alliance-telecom-2025-207.toml"
NUMBER = "AT-2025-207"


@pytest.fixture
def ordered(desk):
    """AT-2025-207: an installation of 1200.00 € and 180.00 € a month, not accepted yet."""
    desk.reads("sign", RENTAL, today="2025-02-10")
    return desk


def test_a_deposit_is_asked_for_paid_deducted_and_explained(ordered):
    asked = ordered.reads("deposit-invoice", NUMBER, "--percent", "30", today="2025-02-11")
    # 1200.00 + 240.00 of VAT, 30 %: 432.00, of which 72.00 is VAT.
    assert "deposit invoice AT2025-000001: 360.00 € net, 72.00 € of VAT at 20 %" in asked
    paid = ordered.reads("deposit", NUMBER, "432", "--reference", "VIR 9", today="2025-02-14")
    assert "deposit of 432.00 € received for invoice AT2025-000001" in paid
    ordered.reads("accept", NUMBER, today="2025-03-10")
    ordered.reads("run", "2025-03", today="2025-04-01")
    page = ordered.reads("invoice", "AT2025-000002", today="2025-04-01")
    assert "facture AT2025-000001 du 11/02/2025" in page
    assert "1008.00 €" in page  # 1440.00 − 432.00
    why = ordered.reads("explain", "AT2025-000002", today="2025-04-01")
    assert "of deposit invoice AT2025-000001, 432.00 €, 432.00 € were cashed" in " ".join(
        why.replace("│", " ").split()
    )
    assert "DOES NOT AGREE" not in why
    assert ordered.reads("invoices", today="2025-04-01").count("deposit") == 1
    shown = ordered.reads("show", NUMBER, today="2025-04-01")
    assert "AT2025-000001, 432.00 €: 432.00 € received, 360.00 € net deducted" in shown


def test_the_dry_run_tells_what_the_deposit_takes_off(ordered):
    ordered.reads("deposit", NUMBER, "540", today="2025-02-14")
    ordered.reads("accept", NUMBER, today="2025-03-10")
    planned = ordered.reads("--json", "run", "2025-03", "--dry-run", today="2025-04-01")
    assert "deposit deducted ACOMPTE: Acompte, facture AT2025-000001" in planned
    assert '"-450.00"' in planned


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--amount", "5", "--percent", "4"), "not both"),
        (("--percent", "120"), "at most 100"),
        (("--amount", "5", "--vat", "nope"), "no VAT treatment called 'nope'"),
        ((), "no deposit waits for its invoice; say --amount, or --percent"),
    ],
)
def test_what_is_refused_says_what_to_do(ordered, words, said):
    told = ordered.is_refused("deposit-invoice", NUMBER, *words, code=3, today="2025-02-11")
    assert said in told


def test_what_is_no_amount_is_a_usage_error(ordered):
    told = ordered.is_refused("deposit-invoice", NUMBER, "--amount", "x", code=2)
    assert '--amount "x": an amount was expected' in told


def test_a_life_file_asks_for_a_deposit(desk):
    life = desk.writes(
        "life.toml",
        f"""
        [[actions]]
        on = 2025-02-10
        do = "sign"
        path = "{RENTAL}"
        [[actions]]
        on = 2025-02-11
        do = "deposit-invoice"
        contract = "{NUMBER}"
        amount = "540.00"
        [[actions]]
        on = 2025-02-14
        do = "deposit"
        contract = "{NUMBER}"
        amount = "540.00"
        means = "cheque"
        reference = "CHQ 1"
        """,
    )
    assert "540.00 € paid by cheque, payment CHQ 1" in desk.reads("play", life, today="2025-03-01")
