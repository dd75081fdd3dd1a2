"""Money received, allocated, set off, refunded, written off, rejected: given, when, then."""

from decimal import Decimal as D

import pytest

from billing.application import balances
from billing.events.contract import ChargeAdded
from billing.events.invoice import InvoiceWrittenOff, PaymentAllocated, PaymentReversed
from billing.events.party import CollectionOrdered
from billing.events.payment import (
    PaymentIdentified,
    PaymentReceived,
    PaymentRefunded,
    PaymentRejected,
)
from billing.identity import stream
from tests.money.office import Office, day


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def allocated(events):
    """F-1 100.00 2026-02-03, …: documents are told by the order of their names in the book."""
    return [(e.amount, f"{e.value_on:%m-%d}") for e in of(events, PaymentAllocated)]


# Received


def test_a_payment_pays_what_the_payer_names(office):
    office.invoice("F-1", "100.00")
    office.invoice("F-2", "60.00")
    events = office.pays("60.00", "02-03", invoices=["F-2"], reference="VIR-1", means="cheque")
    received, paid = events
    assert (received.reference, received.client, received.amount) == ("VIR-1", "C", D("60.00"))
    assert (received.value_on, received.means) == (day("02-03"), "cheque")
    assert (paid.amount, paid.value_on, paid.means, paid.payment) == (
        D("60.00"), day("02-03"), "cheque", "VIR-1"
    )  # fmt: skip
    assert office.owed("F-1", "F-2") == "100.00 0.00"
    assert office.told == ("payment VIR-1 allocated as the payer says: F-2 60.00 €",)


def test_the_client_is_the_one_of_the_documents_named(office):
    office.invoice("F-1", "100.00")
    (received, _) = office.does("pay", amount="100.00", value_on="02-03", invoices=["F-1"])
    assert received.client == "C"
    assert received.reference == "C-20260203"


def test_payments_of_a_day_without_a_reference_get_one_each(office):
    references = [office.pays("1.00", "02-03")[0].reference for _ in range(3)]
    assert references == ["C-20260203", "C-20260203-2", "C-20260203-3"]


def test_a_partial_payment_leaves_the_rest_owed(office):
    office.invoice("F-1", "100.00")
    office.pays("30.00", "02-03")
    office.pays("30.00", "02-04", reference="B")
    assert office.owed("F-1") == "40.00"  # 100 − 30 − 30
    assert office.document("F-1").owed_on(day("02-03")) == D("70.00")


def test_what_is_paid_too_much_is_the_clients_credit_and_pays_the_next_invoice(office):
    office.invoice("F-1", "100.00")
    office.pays("130.00", "02-03", reference="VIR")
    assert (office.owed("F-1"), office.left("VIR")) == ("0.00", "30.00")
    office.invoice("F-2", "50.00", issued="03-01", due="03-31")
    (paid,) = office.does("allocate", payment="VIR")
    # The funds are there since February, the debt since March.
    assert (paid.amount, paid.value_on) == (D("30.00"), day("03-01"))
    assert (office.owed("F-2"), office.left("VIR")) == ("20.00", "0.00")


def test_a_payment_before_any_invoice_waits_for_one(office):
    office.pays("100.00", "01-05", reference="VIR")
    assert office.left("VIR") == "100.00"
    office.invoice("F-1", "100.00", issued="02-01", due="02-28")
    office.does("allocate", client="C")
    assert (office.owed("F-1"), office.left("VIR")) == ("0.00", "0.00")
    assert office.document("F-1").owed_on(day("01-31")) == 0  # Not issued yet.


def test_all_the_payments_of_a_client_are_used_the_oldest_first(office):
    office.pays("40.00", "01-06", reference="B")
    office.pays("40.00", "01-05", reference="A")
    office.invoice("F-1", "50.00", issued="02-01", due="02-28")
    office.does("allocate", client="C")
    assert (office.left("A"), office.left("B")) == ("0.00", "30.00")  # 50 = 40 + 10


def test_the_last_invoice_of_a_contract_can_be_named_by_it(office):
    office.is_refused("pay", "K-1: no invoice was issued yet", amount="1", contract="K-1")


def test_an_invoice_issued_after_today_is_not_paid_by_rule(office):
    office.invoice("F-1", "100.00", issued="07-15", due="08-15")  # The day is 30 June.
    office.pays("100.00", "06-30", reference="VIR")
    assert (office.owed("F-1"), office.left("VIR")) == ("100.00", "100.00")


def test_a_payer_who_was_not_known_is_told_with_what_is_allocated(office):
    office.invoice("F-1", "100.00")
    unknown = PaymentReceived(
        reference="BANK-1", supplier="S", client="", amount=D("80.00"), value_on=day("02-02")
    )
    office.app.write(office.app.stamp([unknown], stream("payment", "S/BANK-1"), 0))
    assert [p.reference for p in office.book.payments("")] == ["BANK-1"]
    events = office.does("allocate", payment="BANK-1", invoices=["F-1"])
    assert of(events, PaymentIdentified)[0].client == "C"
    assert office.owed("F-1") == "20.00"
    assert [p.reference for p in office.book.payments("C", left_only=False)] == ["BANK-1"]


def test_interest_comes_first_or_not_as_the_contract_says(office):
    office.signs("K-2", client="D", imputed="oldest_first")
    office.invoice("F-1", "100.00")
    office.debit_note("N-1", "9.00", issued="02-15", due="02-15")
    office.pays("20.00", "02-20")
    assert office.owed("F-1", "N-1") == "89.00 0.00"  # 20 = 9 of interest + 11 of principal


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"amount": "100.00", "value_on": "07-01"}, ["2026-07-01 is in the future", "2026-06-30"]),
        ({"amount": "0"}, ["an amount of 0 €", "more than 0"]),
        ({"amount": "-5.00"}, ["amount", "a negative number"]),
        ({"amount": "10.005"}, ["whole cents"]),
        ({"amount": "1000000000000.00"}, ["amount"]),
        ({"amount": "100.00", "currency": "USD"}, ["100.00 USD", "only payments in euros"]),
        ({"amount": "100.00", "reference": "KNOWN"}, ["payment KNOWN", "already, on 2026-01-02"]),
        ({"amount": "100.00", "client": "X"}, ["no party X"]),
        ({"amount": "100.00", "client": ""}, ["say which client paid, or which invoice"]),
        ({"amount": "100.00", "supplier_code": "X"}, ["no party X"]),
        ({"amount": "100.00", "invoices": ["F-9"]}, ["no invoice F-9"]),
        ({"amount": "100.00", "invoices": ["F-3"]}, ["F-3 is of D, payment", "of C"]),
        ({"amount": "100.00", "amounts": {"F-1": "100.01"}}, ["F-1", "at most the 99.00 €"]),
        ({"amount": "50.00", "amounts": {"F-1": "60.00"}}, ["60.00 € to allocate, of 50.00 €"]),
        ({"amount": "50.00", "amounts": {"F-1": "0.001"}}, ["F-1", "whole cents"]),
        (
            {"amount": "100.00", "value_on": "02-01", "invoices": ["F-2"]},
            ["F-2 was issued on 2026-03-01, after 2026-02-01", "the client's credit"],
        ),
        ({"amount": "100.00", "invoices": ["A-1"]}, ["A-1 is a credit note"]),
    ],
)
def test_a_payment_is_refused_by_name(office, said, words):
    office.signs("K-2", client="D")
    office.invoice("F-1", "100.00")
    office.invoice("F-2", "100.00", issued="03-01", due="03-31")
    office.invoice("F-3", "100.00", client="D", contract="K-2")
    office.credits("F-1", "A-1", "0.00", "01-02")
    office.pays("1.00", "01-02", reference="KNOWN")
    office.is_refused("pay", *words, **{"client": "C", "value_on": "03-05"} | said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ["say which payment, or whose payments"]),
        ({"payment": "NONE"}, ["no payment NONE"]),
        ({"payment": "SPENT"}, ["SPENT: nothing of its 40.00 € is left"]),
        ({"payment": "LEFT", "client": "D"}, ["LEFT is of C, not of D"]),
        ({"payment": "LEFT", "invoices": ["F-3"]}, ["F-3 is of D"]),
        ({"payment": "LEFT"}, ["LEFT: C owes nothing it could pay"]),
        ({"payment": "LEFT", "invoices": ["F-1"]}, ["F-1: nothing is owed on it since 2026-02-01"]),
        ({"payment": "LEFT", "invoices": ["F-8"]}, ["F-8 was issued on 2026-07-08"]),
        ({"client": "D"}, ["D: no payment is left"]),
        ({"client": "C", "invoices": ["F-3"]}, ["say which payment pays the documents named"]),
    ],
)
def test_an_allocation_is_refused_by_name(office, said, words):
    office.signs("K-2", client="D")
    office.invoice("F-1", "40.00")
    office.invoice("F-3", "100.00", client="D", contract="K-2")
    office.invoice("F-8", "100.00", issued="07-08", due="08-08")
    office.pays("40.00", "02-01", reference="SPENT")
    office.pays("40.00", "02-02", reference="LEFT")
    office.is_refused("allocate", *words, **said)


# Set off


def test_what_was_credited_after_it_was_paid_pays_another_document_on_both_sides(office):
    office.invoice("F-1", "100.00")
    office.pays("100.00", "01-20", reference="VIR")
    office.credits("F-1", "A-1", "30.00", "02-10")
    assert office.owed("F-1") == "-30.00"
    office.invoice("F-2", "80.00", issued="03-01", due="03-31")
    events = office.does("set-off", client="C")
    assert [(e.amount, e.credit, f"{e.value_on:%m-%d}", e.means) for e in events] == [
        (D("-30.00"), "F-2", "03-01", "set_off"),
        (D("30.00"), "F-1", "03-01", "set_off"),
    ]
    assert office.owed("F-1", "F-2") == "0.00 50.00"
    assert office.left("VIR") == "0.00"


def test_a_set_off_can_name_its_two_sides_and_its_amount(office):
    for number in ("F-1", "F-2", "F-3"):
        office.invoice(number, "100.00")
    office.pays("100.00", "01-20", invoices=["F-2"])
    office.credits("F-2", "A-1", "70.00", "02-10")
    office.does("set-off", credit="F-2", invoice="F-3", amount="20.00")
    assert office.owed("F-1", "F-2", "F-3") == "100.00 -50.00 80.00"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ["say whose credit it is"]),
        ({"client": "D"}, ["D: nothing was paid or credited too much"]),
        ({"credit": "F-2"}, ["F-2: nothing on it is the client's; 100.00 € is owed"]),
        ({"credit": "F-1", "client": "D"}, ["F-1 is of C, not of D"]),
        ({"credit": "F-1", "invoice": "F-3"}, ["F-3 is of D, the credit of C"]),
        ({"credit": "F-1", "amount": "30.01"}, ["30.01 € to set off, of 30.00 €"]),
        ({"credit": "F-1", "invoice": "F-1"}, ["F-1: nothing is owed on it"]),
    ],
)
def test_a_set_off_is_refused_by_name(office, said, words):
    office.signs("K-2", client="D")
    office.invoice("F-1", "100.00")
    office.invoice("F-2", "100.00")
    office.invoice("F-3", "100.00", client="D", contract="K-2")
    office.pays("100.00", "01-20", invoices=["F-1"])
    office.credits("F-1", "A-1", "30.00", "02-10")
    office.is_refused("set-off", *words, **said)


# Refunded


def test_what_is_left_of_a_payment_goes_back(office):
    office.invoice("F-1", "100.00")
    office.pays("150.00", "02-03", reference="VIR")
    (told,) = office.does("refund", payment="VIR", reason="trop-perçu", refunded_on="02-10",
                          amount="20.00")  # fmt: skip
    assert isinstance(told, PaymentRefunded)
    assert office.left("VIR") == "30.00"  # 150 − 100 − 20
    office.does("refund", payment="VIR", reason="trop-perçu", refunded_on="02-11")
    assert office.left("VIR") == "0.00"
    assert office.total("02-11") == "0.00"


def test_what_a_document_has_too_much_goes_back(office):
    office.invoice("F-1", "100.00")
    office.pays("100.00", "01-20")
    office.credits("F-1", "A-1", "100.00", "02-10")
    (told,) = office.does("refund", invoice="F-1", reason="avoir", refunded_on="02-12")
    assert isinstance(told, PaymentReversed)
    assert (told.amount, told.payment, told.collection) == (D("100.00"), "", "")
    assert office.owed("F-1") == "0.00"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"payment": "VIR", "amount": "50.01"}, ["VIR: 50.01 € to refund, of 50.00 €"]),
        ({"payment": "VIR", "refunded_on": "02-02"}, ["VIR: nothing of it is left to refund on"]),
        ({"payment": "VIR", "refunded_on": "07-01"}, ["in the future"]),
        ({"payment": "VIR", "reason": ""}, ["say why"]),
        ({"payment": "BAD"}, ["BAD was rejected on 2026-02-06"]),
        ({"invoice": "F-1"}, ["F-1: nothing of it is left"]),
        ({"invoice": "F-1", "payment": "VIR"}, ["say which payment is refunded, or which"]),
        ({}, ["say which payment is refunded, or which"]),
    ],
)
def test_a_refund_is_refused_by_name(office, said, words):
    office.invoice("F-1", "100.00")
    office.pays("150.00", "02-03", reference="VIR")
    office.pays("10.00", "02-04", reference="BAD", means="cheque")
    office.does("reject-payment", payment="BAD", rejected_on="02-06")
    office.is_refused("refund", *words, **{"reason": "trop-perçu", "refunded_on": "02-10"} | said)


# Written off


def test_what_will_not_be_paid_is_written_off(office):
    office.invoice("F-1", "100.00")
    office.pays("30.00", "02-03")
    (told,) = office.does("write-off", invoice="F-1", reason="liquidation", written_off_on="05-05")
    assert told.amount == D("70.00")
    assert isinstance(told, InvoiceWrittenOff)
    assert office.owed("F-1") == "0.00"
    assert list(office.book.open()) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"invoice": "F-2"}, ["F-2 was already written off on 2026-05-05"]),
        ({"invoice": "F-1", "amount": "100.01"}, ["100.01 € to write off, of 100.00 €"]),
        ({"invoice": "F-1", "written_off_on": "07-01"}, ["in the future"]),
        ({"invoice": "F-1", "written_off_on": "2025-12-31"}, ["issued on 2026-01-01, after"]),
        ({"invoice": "F-1", "reason": ""}, ["say why"]),
        ({"invoice": "F-3"}, ["a direct debit of it is under way for 2026-06-05"]),
        ({"invoice": "F-9"}, ["no invoice F-9"]),
    ],
)
def test_a_write_off_is_refused_by_name(office, said, words):
    for number in ("F-1", "F-2", "F-3"):
        office.invoice(number, "100.00")
    office.does("write-off", invoice="F-2", reason="liquidation", written_off_on="05-05")
    ordered = CollectionOrdered(
        end_to_end="F-3",
        supplier="S",
        invoice="F-3",
        amount=D("100.00"),
        collected_on=day("06-05"),
        sequence="RCUR",
        file="M-1",
    )
    signed_mandate(office)
    office.app.write(office.app.stamp([ordered], stream("mandate", "RUM"), 1))
    office.is_refused("write-off", *words, **{"reason": "perdu", "written_off_on": "06-01"} | said)


def signed_mandate(office: Office) -> None:
    from billing.events.party import MandateSigned

    told = MandateSigned(
        reference="RUM",
        creditor="S",
        creditor_identifier="FR00",
        debtor="C",
        iban="FR7630006000011234567890189",
        signed_on=day("01-01"),
    )
    office.app.write(office.app.stamp([told], stream("mandate", "RUM"), 0))


def test_what_was_written_off_and_is_paid_after_all_is_no_longer_written_off(office):
    office.invoice("F-1", "100.00")
    office.invoice("F-2", "50.00", issued="02-01", due="03-03")
    office.does("write-off", invoice="F-1", written_off_on="05-01", reason="faillite")
    # Nobody says it pays F-1: it pays the other, and the rest is the client's.
    office.pays("60.00", "06-01", reference="V-1")
    assert (office.owed("F-1", "F-2"), office.left("V-1")) == ("0.00 0.00", "10.00")
    events = office.pays("60.00", "06-02", invoices=["F-1"], reference="V-2")
    assert [type(event) for event in events] == [
        PaymentReceived,
        InvoiceWrittenOff,
        PaymentAllocated,
    ]
    document = office.document("F-1")
    # 100 = 60 paid + 40 written off, at every date
    assert (document.total("write_off"), document.total("payment")) == (D("40.00"), D("60.00"))
    owed = [document.owed_on(day(on)) for on in ("04-30", "05-01", "06-01", "06-02")]
    assert owed == [D("100.00"), 0, 0, 0]
    # No more than was given up; what came before it was given up is told from that day.
    too_much = {"client": "C", "amount": "41.00", "value_on": "06-03", "amounts": {"F-1": "41.00"}}
    office.is_refused("pay", "at most the 40.00 €", **too_much)
    office.pays("40.00", "04-15", invoices=["F-1"], reference="V-3")
    document = office.document("F-1")
    assert document.total("write_off") == 0
    assert [document.owed_on(day(on)) for on in ("04-30", "05-01", "06-02")] == [D("60.00"), 0, 0]
    assert office.total("06-30") == "-10.00"


def test_what_was_given_up_of_a_document_waits_for_what_is_owed_on_the_others(office):
    office.invoice("F-1", "100.00")
    office.invoice("F-2", "100.00", issued="02-01", due="03-03")
    office.does("write-off", invoice="F-1", written_off_on="05-01", reason="geste", amount="60.00")
    office.pays("140.00", "06-01", invoices=["F-1", "F-2"], reference="V-1")
    assert (office.owed("F-1", "F-2"), office.left("V-1")) == ("0.00 0.00", "0.00")
    assert office.document("F-1").total("write_off") == D("60.00")


def test_no_more_is_written_off_than_was_owed_that_day(office):
    office.invoice("F-1", "100.00")
    office.pays("80.00", "02-03", means="cheque", reference="CHQ")
    office.does("reject-payment", payment="CHQ", rejected_on="05-02")
    told = {"invoice": "F-1", "reason": "perdu", "amount": "100.00"}
    office.is_refused("write-off", "of 20.00 € owed on 2026-05-01", **told, written_off_on="05-01")
    office.does("write-off", **told, written_off_on="05-02")


# Rejected


def test_a_bounced_cheque_reopens_all_it_paid_from_that_day(office):
    office.invoice("F-1", "100.00")
    office.invoice("F-2", "60.00")
    office.pays("170.00", "02-03", means="cheque", reference="CHQ-7")
    events = office.does("reject-payment", payment="CHQ-7", rejected_on="02-20", code="MS03",
                         reason="sans provision")  # fmt: skip
    assert isinstance(events[0], PaymentRejected)
    assert sorted(e.amount for e in of(events, PaymentReversed)) == [D("60.00"), D("100.00")]
    assert office.owed("F-1", "F-2") == "100.00 60.00"
    assert office.left("CHQ-7") == "0.00"
    one = office.document("F-1")
    assert (one.owed_on(day("02-19")), one.owed_on(day("02-20"))) == (D(0), D("100.00"))


def test_a_cheque_told_late_to_have_bounced_before_it_paid_anything_leaves_no_credit(office):
    office.pays("100.00", "01-05", means="cheque", reference="CHQ-7")
    office.invoice("F-1", "100.00", issued="02-01", due="03-03")
    office.does("allocate", payment="CHQ-7")
    office.does("reject-payment", payment="CHQ-7", rejected_on="01-10")
    totals = [office.total(on) for on in ("01-05", "01-10", "01-31", "02-01", "06-30")]
    assert totals == ["-100.00", "0.00", "0.00", "100.00", "100.00"]
    for on in ("01-05", "01-10", "01-31", "02-01", "06-30"):
        told = balances.statement(office.app, "C", None, day(on))
        assert f"{told.closing:.2f}" == office.total(on)


@pytest.mark.parametrize(
    ("who", "charged"), [("client", [D("12.50")]), ("supplier", [])], ids=["client", "supplier"]
)
def test_the_banks_fee_is_billed_on_where_the_contract_says_so(who, charged):
    with Office("sqlite://") as office:
        office.signs("K-1", return_fees=who)
        office.invoice("F-1", "100.00")
        office.pays("100.00", "02-03", means="cheque", reference="CHQ-7")
        events = office.does("reject-payment", payment="CHQ-7", rejected_on="02-20", fee="12.50")
        charges = [charge for e in of(events, ChargeAdded) for charge in e.charges]
        assert [charge.net for charge in charges] == charged
        assert of(events, PaymentRejected)[0].fee == D("12.50")
        assert office.app.drifted_states() == []


def test_what_was_refunded_of_a_cheque_that_bounces_is_owed_by_the_client(office):
    office.pays("100.00", "02-03", means="cheque", reference="CHQ-7")
    office.does("refund", payment="CHQ-7", amount="40.00", reason="trop", refunded_on="02-05")
    office.does("reject-payment", payment="CHQ-7", rejected_on="02-20")
    assert office.left("CHQ-7") == "-40.00"
    assert office.total("02-20") == "40.00"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"payment": "NONE"}, ["no payment NONE"]),
        ({"payment": "BAD"}, ["BAD was already rejected on 2026-02-06"]),
        ({"payment": "CASH"}, ["CASH was made in cash"]),
        ({"payment": "CHQ", "rejected_on": "02-02"}, ["rejected on 2026-02-02, before"]),
        ({"payment": "CHQ", "rejected_on": "07-02"}, ["in the future"]),
        ({"payment": "CHQ", "fee": "-1"}, ["fee", "a negative number"]),
        ({"payment": "BOTH"}, ["several companies have a payment BOTH"]),
    ],
)
def test_a_rejection_is_refused_by_name(office, said, words):
    office.signs("K-2", client="C", supplier="T")
    office.invoice("F-1", "100.00")
    office.invoice("T-1", "100.00", supplier="T", contract="K-2")
    for reference, means in (("CHQ", "cheque"), ("CASH", "cash"), ("BAD", "cheque")):
        office.pays("1.00", "02-03", reference=reference, means=means, supplier_code="S")
    for supplier in ("S", "T"):
        office.pays("1.00", "02-03", reference="BOTH", supplier_code=supplier)
    office.does("reject-payment", payment="BAD", rejected_on="02-06")
    office.is_refused("reject-payment", *words, **{"rejected_on": "02-20"} | said)


def test_companies_with_the_same_references_and_numbers_are_kept_apart(office):
    office.signs("K-2", client="C", supplier="T")
    office.invoice("1", "100.00")
    office.invoice("1", "100.00", supplier="T", contract="K-2")
    office.pays("70.00", "02-03", reference="VIR", supplier_code="T")
    assert office.owed("1") == "100.00"
    assert office.owed("1", supplier="T") == "30.00"
    office.pays("100.00", "02-03", reference="VIR", supplier_code="S")
    assert office.owed("1") == "0.00"


# Withheld


def test_what_is_withheld_waits_and_is_due_once_released(office):
    office.invoice("F-1", "1080.00")
    office.withholds("F-1", "54.00", "01-05")
    office.pays("1080.00", "01-31", reference="VIR")
    # 1080 is all of it: the client pays the guarantee too.
    assert (office.owed("F-1"), office.left("VIR")) == ("0.00", "0.00")


def test_what_is_withheld_is_not_paid_by_rule_before_it_is_released(office):
    office.invoice("F-1", "1080.00")
    office.withholds("F-1", "54.00", "01-05")
    office.pays("1050.00", "01-31", reference="VIR")
    assert (office.owed("F-1"), office.left("VIR")) == ("54.00", "24.00")  # 1080 − 54 = 1026
    office.releases("F-1", "54.00", "05-01")
    office.does("allocate", payment="VIR")
    assert (office.owed("F-1"), office.left("VIR")) == ("30.00", "0.00")
