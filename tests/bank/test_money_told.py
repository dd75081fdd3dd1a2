"""What clients transfer: whose it is, what it pays, and what waits for a person to say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from billing.application import bank, payments, receivables
from billing.clauses import Terms
from billing.clauses.payment import Payment
from billing.refusal import Refused
from tests.bank.files import Ntry, credit, debit, transfer
from tests.bank.till import LATER, at_the_bank, history, length, owed, statement, told
from tests.collections.house import IBANS, client, company, contract, invoice, opened, ready

BY_TRANSFER = Terms(payment=Payment(means="transfer", return_fees="client"))
RECEIVED = "payment.received"
PETIT = "FR7630004000031234567890143"


@pytest.fixture
def house(url):
    """Two clients who pay by transfer: C1 owes F2026-000001 of 120 € and F2026-000002 of 60 €,
    C2 F2026-000003 of 120 €."""

    def issued(number, of, *more):
        made = invoice(f"F2026-00000{number}", of, f"K{of[1]}", "", *more)
        return replace(made, means="transfer", collected_on=None, mandate="")

    seller = company("S")
    seller = replace(seller, party=replace(seller.party, invoice_prefix="F"))
    ready(
        url,
        seller,
        client("C1", iban=PETIT),
        client("C2"),
        contract("K1", "C1", "", BY_TRANSFER),
        contract("K2", "C2", "", BY_TRANSFER),
        issued(1, "C1", "2026-01-31"),
        issued(2, "C1", "2026-02-15", "60.00"),
        issued(3, "C2", "2026-01-31"),
    )
    return url


def left(url):
    """What is owed on the three invoices."""
    return tuple(owed(url)[f"F2026-00000{n}"] for n in (1, 2, 3))


WAYS = [
    # how the payer is known, the line; what is left on F-1 (120), F-2 (60), F-3 (120)
    ("the number of an invoice", transfer("60.00", remittance=["Fact. F2026-000002"]), (120, 0,
     120)),
    ("the number, written apart", transfer("60.00", remittance=["FACT 2026 000002"]), (120, 0,
     120)),
    ("two numbers", transfer("150.00", remittance=["F2026-000001", "et F2026-000002"]), (0, 30,
     120)),
    ("a structured reference", transfer("120.00", scor="F2026-000003"), (120, 60, 0)),
    ("a document named", transfer("120.00", document="F2026-000003"), (120, 60, 0)),
    ("its account, and the amount", transfer("60.00", iban=PETIT), (120, 0, 120)),
    ("its account, the oldest first", transfer("130.00", iban=PETIT), (0, 50, 120)),
    ("its name", transfer("120.00", debtor="CLIENTE C2"), (120, 60, 0)),
    ("its name, otherwise written", transfer("120.00", debtor="Cliente, C2."), (120, 60, 0)),
    ("an end-to-end id that is a number", transfer("120.00", e2e="F2026-000003"), (120, 60, 0)),
    ("more than is owed", transfer("500.00", iban=PETIT), (0, 0, 120)),
    ("another pays for it", transfer("120.00", iban=PETIT, remittance=["F2026-000003"]), (120, 60,
     0)),
]  # fmt: skip


@pytest.mark.parametrize(("how", "line", "after"), WAYS, ids=[one[0] for one in WAYS])
def test_a_transfer_finds_its_client_and_its_invoices(how, line, after, house, tmp_path):
    report = told(house, tmp_path, statement(line))
    assert dict(report.counts) == {"received": 1}
    assert left(house) == after
    (event,) = history(house, RECEIVED)
    assert (event.amount, event.value_on) == (D(line.amount), date(2026, 2, 3))
    assert event.entry == event.reference
    assert event.means == "transfer"


def test_a_payer_nobody_knows_waits_and_pays_nothing(house, tmp_path):
    report = told(
        house, tmp_path, statement(transfer("120.00", debtor="Inconnue SARL", iban=IBANS[2]))
    )
    assert dict(report.counts) == {"waiting": 1}
    assert left(house) == (120, 60, 120)
    assert history(house, RECEIVED) == []
    with opened(house, LATER) as app:
        (waiting,) = bank.unmatched(app)
    assert waiting.line.amount == D("120.00")
    assert waiting.line.counterparty == "Inconnue SARL"
    assert waiting.line.why == "the payer is not known"
    assert waiting.suggested == ("F2026-000001", "F2026-000003")


def test_numbers_of_two_clients_wait(house, tmp_path):
    line = transfer("240.00", remittance=["F2026-000001 F2026-000003"])
    report = told(house, tmp_path, statement(line))
    assert dict(report.counts) == {"waiting": 1}


def test_a_payment_is_told_once_whatever_file_tells_it(house, tmp_path):
    line = transfer("60.00", iban=PETIT, reference="BK1")
    told(house, tmp_path, statement(line))
    bare = Ntry("60.00", reference="BK1", code="PMNT-RCDT-ESCT")
    again = told(house, tmp_path, statement(bare, schema="camt.053.001.02", id="R"))
    assert dict(again.counts) == {"known": 1}
    assert left(house) == (120, 0, 120)


def test_a_payment_recorded_by_hand_before_is_not_counted_twice(house, tmp_path):
    with opened(house, LATER) as app:
        payments.pay(app, D("60.00"), date(2026, 2, 2), client="C1", reference="VIR-1")
    report = told(house, tmp_path, statement(transfer("60.00", iban=PETIT)))
    assert dict(report.counts) == {"waiting": 1}
    (line,) = history(house, "bank_entry.unmatched")
    assert "C1 may have paid it already: payment VIR-1" in line.why
    assert left(house) == (120, 0, 120)


def test_the_same_payment_told_with_and_without_the_banks_reference_waits(house, tmp_path):
    told(house, tmp_path, statement(transfer("60.00", iban=PETIT, reference="BK1")))
    again = told(house, tmp_path, statement(transfer("60.00", iban=PETIT), id="R"))
    assert dict(again.counts) == {"waiting": 1}
    assert left(house) == (120, 0, 120)


def test_two_equal_payments_of_one_day_are_two(house, tmp_path):
    line = transfer("30.00", iban=PETIT)
    report = told(house, tmp_path, statement(line, line))
    assert dict(report.counts) == {"received": 2}
    assert left(house) == (60, 60, 120)


def test_a_payment_is_given_back_when_the_bank_reverses_it(house, tmp_path):
    told(house, tmp_path, statement(transfer("60.00", iban=PETIT, reference="BK1")))
    back = debit("60.00", "NOTPROVIDED", "FOCR", iban=PETIT, reversal=True, reference="BK2")
    back.code = "PMNT-RCDT-RRTN"
    report = told(house, tmp_path, statement(back, id="R"))
    assert dict(report.counts) == {"returned": 1}
    assert left(house) == (120, 60, 120)
    (event,) = history(house, "payment.rejected")
    assert event.code == "FOCR"
    again = told(house, tmp_path, statement(back, id="Q", schema="camt.053.001.08"))
    assert dict(again.counts) == {"known": 1}


def test_a_debit_that_is_no_return_is_none_of_our_business(house, tmp_path):
    rent = Ntry("900.00", credit=False, code="PMNT-ICDT-ESCT", reference="LOYER")
    fees = Ntry("12.00", credit=False, code="ACMT-MDOP-CHRG", reference="FRAIS")
    report = told(house, tmp_path, statement(rent, fees))
    assert dict(report.counts) == {"other": 2}
    assert history(house, "bank_entry.unmatched") == []


def test_a_return_of_what_is_not_ours_waits(house, tmp_path):
    report = told(house, tmp_path, statement(debit("77.00", "X-1")))
    assert dict(report.counts) == {"waiting": 1}
    (line,) = history(house, "bank_entry.unmatched")
    assert (line.amount, line.kind, line.code) == (D("-77.00"), "return", "AM04")


# By hand


def one_waits(url, folder, line):
    told(url, folder, statement(line))
    with opened(url, LATER) as app:
        (waiting,) = bank.unmatched(app)
    return waiting.line.entry


def test_a_line_that_waits_is_matched_with_an_invoice(house, tmp_path):
    entry = one_waits(house, tmp_path, transfer("120.00", debtor="Inconnue", iban=IBANS[2]))
    with opened(house, LATER) as app:
        events = bank.match_entry(app, entry, ["F2026-000003"])
        assert bank.unmatched(app) == []
        with pytest.raises(Refused, match="was settled on 2026-02-20: payment of C2"):
            bank.match_entry(app, entry, ["F2026-000003"])
    assert left(house) == (120, 60, 0)
    assert events[-1].TOPIC == "bank_entry.settled"
    assert (events[-1].payment, events[0].entry) == (entry, entry)


def test_a_line_that_was_matched_is_known_in_the_next_file_and_teaches_the_account(house, tmp_path):
    line = transfer("120.00", debtor="Inconnue", iban=IBANS[2], reference="BK1")
    entry = one_waits(house, tmp_path, line)
    with opened(house, LATER) as app:
        bank.match_entry(app, entry, client="C2")
    assert left(house) == (120, 60, 0)
    later = transfer("15.00", debtor="Inconnue", iban=IBANS[2], reference="BK2")
    report = told(house, tmp_path, statement(line, later, schema="camt.053.001.02", id="R"))
    assert dict(report.counts) == {"known": 1, "received": 1}
    assert [event.client for event in history(house, RECEIVED)] == ["C2", "C2"]


def test_a_line_is_ignored_with_a_reason(house, tmp_path):
    entry = one_waits(house, tmp_path, Ntry("3.00", code="ACMT-MCOP-INTR", reference="INT"))
    with opened(house, LATER) as app:
        (event,) = bank.match_entry(app, entry, ignore="intérêts de la banque")
        assert bank.unmatched(app) == []
    assert event.how == "ignored: intérêts de la banque"
    assert left(house) == (120, 60, 120)


def test_a_collection_the_bank_does_not_name_is_matched_by_hand(url, tmp_path):
    at_the_bank(url, tmp_path, 2)
    entry = one_waits(url, tmp_path, credit("120.00", ""))
    with opened(url, LATER) as app:
        bank.match_entry(app, entry, ["F00000"])
    assert owed(url) == {"F00000": 0, "F00001": D("121.00")}
    assert [event.entry for event in history(url, "mandate.collection_settled")] == [entry]
    entry = one_waits(url, tmp_path, debit("120.00", "?", "MD06", booked="2026-02-10"))
    with opened(url, LATER) as app:
        bank.match_entry(app, entry, ["F00000"])
    assert owed(url)["F00000"] == D("120.00")
    (back,) = history(url, "mandate.collection_returned")
    assert (back.code, back.kind, back.settled) == ("MD06", "refund", True)


WRONG = [
    ({}, "say which invoice or which client"),
    ({"client": "C1", "ignore": "x"}, "say which invoice or which client"),
    ({"client": "NOBODY"}, "no party NOBODY"),
    ({"invoices": ["F-404"]}, "no invoice F-404"),
    ({"invoices": ["F2026-000001", "F2026-000003"]}, "are not all of one client"),
    ({"invoices": ["F2026-000001"], "client": "C2"}, "are not all of one client"),
]


@pytest.mark.parametrize(("said", "why"), WRONG, ids=[one[1] for one in WRONG])
def test_what_cannot_explain_a_line_is_refused(said, why, house, tmp_path):
    entry = one_waits(house, tmp_path, transfer("120.00", debtor="Inconnue"))
    before = length(house)
    with opened(house, LATER) as app, pytest.raises(Refused, match=why):
        bank.match_entry(app, entry, **said)
    with opened(house, LATER) as app, pytest.raises(Refused, match="no line c0 waits"):
        bank.match_entry(app, "c0", client="C1")
    assert length(house) == before


def test_a_debit_that_waits_is_no_payment(house, tmp_path):
    entry = one_waits(house, tmp_path, debit("77.00", "X-1"))
    with opened(house, LATER) as app, pytest.raises(Refused, match=r"no collection of 77\.00 €"):
        bank.match_entry(app, entry, client="C1")


def test_a_payment_of_tomorrow_s_value_counts_from_the_day_it_was_booked(house, tmp_path):
    line = transfer("60.00", iban=PETIT, booked="2026-02-20", value="2026-02-21")
    told(house, tmp_path, statement(line))
    (event,) = history(house, RECEIVED)
    assert event.value_on == date(2026, 2, 20)
    with opened(house, LATER) as app:
        assert receivables.book(app).payment("S", event.reference).left == 0
