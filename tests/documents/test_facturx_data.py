"""The data inside an invoice say what its event says, by the terms of EN 16931."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from msgspec.structs import replace

from billing.clauses.interest import LateInterest
from billing.clauses.vat import VatTotal
from billing.documents.facturx import Late, cii, printed
from billing.documents.facturx.words import Both
from billing.events.party import Address
from billing.money import rounded
from tests.documents import paper
from tests.documents.paper import D, Data

SUMS = "SpecifiedTradeSettlementHeaderMonetarySummation"
MEANS = "SpecifiedTradeSettlementPaymentMeans"
LINE = "IncludedSupplyChainTradeLineItem"


def test_an_invoice_says_who_bills_whom_for_what_and_when():
    document = paper.invoice(purchase_order="CMD-118")
    data = Data.of(paper.facts(document))
    assert data.one("GuidelineSpecifiedDocumentContextParameter/ID") == cii.PROFILE
    assert data.one("ExchangedDocument/ID") == "M2026-000007"
    assert data.one("ExchangedDocument/TypeCode") == "380"
    assert data.one("IssueDateTime/DateTimeString") == "20261101"
    assert data.all("SpecifiedLegalOrganization/ID") == ["999001027", "999001076"]
    assert data.all("SpecifiedTaxRegistration/ID") == ["FR10999001027", "FR60999001076"]
    assert data.all("URIUniversalCommunication/URIID") == ["999001027", "999001076"]
    assert data.one("BuyerOrderReferencedDocument/IssuerAssignedID") == "CMD-118"
    assert data.one("ContractReferencedDocument/IssuerAssignedID") == "M-001"
    assert data.one("DueDateDateTime/DateTimeString") == "20261201"
    header = "ApplicableHeaderTradeSettlement/BillingSpecifiedPeriod"
    assert data.one(f"{header}/StartDateTime/DateTimeString") == "20261101"
    assert data.one(f"{header}/EndDateTime/DateTimeString") == "20261130"  # The last day.


@pytest.mark.parametrize(
    ("facts", "code", "process"),
    [
        (paper.facts(), "380", "S1"),
        (paper.with_deposit(), "380", "S4"),  # Final, after a deposit.
        (paper.paid_deposit(), "386", "S2"),  # Paid already.
        (paper.facts(paper.credit_note()), "381", "S1"),
        (paper.facts(paper.debit_note()), "380", "S1"),  # The French rules know no 383.
        (paper.facts(paper.invoice(paper.once("900.00", code="ACHAT"))), "380", "B1"),
        (paper.facts(paper.invoice(paper.fee(), paper.once("9.00", code="ACHAT"))), "380", "M1"),
    ],
)
def test_each_kind_of_document_has_its_code_and_its_process(facts, code, process):
    data = Data.of(facts)
    assert data.one("ExchangedDocument/TypeCode") == code
    assert data.one("BusinessProcessSpecifiedDocumentContextParameter/ID") == process


def test_a_transfer_names_the_account_it_is_made_to():
    data = Data.of(paper.facts())
    assert data.one(f"{MEANS}/TypeCode") == "58"
    assert data.one("PayeePartyCreditorFinancialAccount/IBANID") == "FR7699999000011000222222215"
    assert data.one("PayeeSpecifiedCreditorFinancialInstitution/BICID") == "DEMOFRPPXXX"
    assert data.one("PaymentReference") == "M2026-000007"


def test_without_an_account_a_transfer_names_none():
    data = Data.of(paper.facts(supplier=paper.supplier(iban="", bic="")))
    assert data.one(f"{MEANS}/TypeCode") == "1"
    assert data.all("IBANID") == []


def test_a_direct_debit_names_mandate_creditor_and_account():
    data = Data.of(paper.debited())
    assert data.one(f"{MEANS}/TypeCode") == "59"
    assert data.one("DirectDebitMandateID") == "IM-RUM-0042"
    assert data.one("CreditorReferenceID") == "FR21ZZZ990002"
    assert data.one("PayerPartyDebtorFinancialAccount/IBANID") == paper.MANDATE.iban


@pytest.mark.parametrize(("means", "code"), [("cheque", "20"), ("card", "48")])
def test_other_means_have_their_code(means, code):
    assert Data.of(paper.facts(paper.invoice(means=means))).one(f"{MEANS}/TypeCode") == code


def test_a_discount_is_an_allowance_of_the_line():
    line = paper.fee("37.02", unit_price=D("12.34"), quantity=D(3), discount=D("0"))
    offered = paper.once("0.00", unit_price=D("300.00"), discount=D(100), kind="one_off")
    reduced = paper.fee("32.39", unit_price=D("12.34"), quantity=D(3), discount=D("12.5"))
    data = Data.of(paper.facts(paper.invoice(line, offered, reduced)))
    allowance = "SpecifiedTradeAllowanceCharge"
    # 37.02 − 32.39 = 4.63, 12.5 % of 37.02 being 4.6275; fees come before what is sold once.
    assert data.all(f"{allowance}/ActualAmount") == ["4.63", "300.00"]
    assert data.all(f"{allowance}/BasisAmount") == ["37.02", "300.00"]
    assert data.all(f"{allowance}/CalculationPercent") == ["12.5", "100"]
    assert data.all(f"{LINE}/SpecifiedTradeProduct/Name")[-1] == offered.label


PRICES = {
    "as agreed": (paper.fee("120.00"), ("1", "120.00", "")),
    "three of them": (paper.fee("37.02", unit_price=D("12.34"), quantity=D(3)), ("3", "12.34", "")),
    "a year's price, a quarter": (
        paper.fee("150.00", unit_price=D("600.00"), per_months=12, months=3),
        ("1", "150.00", ""),
    ),
    "14 days of 30": (paper.half_a_month(), ("1", "14.00", "")),
    # 4321 seconds at 0.01 € a minute: 0.72016…, so the price is told for all of them.
    "seconds": (
        paper.once("0.72", quantity=D(4321), unit_price=D("0.01")),
        ("4321", "0.72", "4321"),
    ),
    "a refund": (paper.once("-300.00"), ("-1", "300.00", "")),
    # The last third of 100.00 is 33.34: the exact 33.333333 is not.
    "the third part of three": (
        paper.fee("33.34", unit_price=D("100.00"), per_months=3, months=1, part=3, parts=3),
        ("1", "33.34", "1"),
    ),
    "nothing of them": (
        paper.once("0.00", quantity=D(0), unit_price=D("5.00")),
        ("1", "0.00", "1"),
    ),
    "five decimals": (
        paper.once("1.00", quantity=D("1.23456"), unit_price=D("0.81")),
        ("1", "1.00", "1"),
    ),
}


@pytest.mark.parametrize("case", PRICES)
def test_quantity_times_price_is_the_net_of_the_line(case):
    line, (quantity, price, price_for) = PRICES[case]
    rest = paper.fee("500.00", label="the rest")
    lines = printed(paper.facts(paper.invoice(line, rest))).lines
    (found,) = (one for one in lines if one.label == line.label)
    exact = Fraction(found.quantity) * Fraction(found.unit_price) / Fraction(found.price_for)
    assert rounded(exact, 2) == line.net
    assert (f"{found.quantity}", f"{found.unit_price}") == (quantity, price)
    assert f"{found.price_for}" == (price_for or "1")
    assert found.unit_price >= 0


def test_a_deposit_is_deducted_by_a_line_below_zero_and_its_invoice_is_named():
    data = Data.of(paper.with_deposit())
    assert data.all("LineTotalAmount") == ["1200.00", "-450.00", "750.00"]
    assert data.all("BilledQuantity") == ["1", "-1"]
    assert data.amount(f"{SUMS}/GrandTotalAmount") == D("900.00")
    assert data.one("InvoiceReferencedDocument/IssuerAssignedID") == "M2026-000005"
    assert data.one("FormattedIssueDateTime/DateTimeString") == "20261001"


def test_a_deposit_cashed_before_its_invoice_is_prepaid():
    data = Data.of(paper.paid_deposit())
    assert data.amount("TotalPrepaidAmount") == D("540.00")
    assert data.amount("DuePayableAmount") == 0
    assert data.one("DueDateDateTime/DateTimeString") == "20261031"  # The day it was paid.


def test_a_credit_note_names_its_invoice_and_asks_for_nothing():
    data = Data.of(paper.facts(paper.credit_note()))
    assert data.one("InvoiceReferencedDocument/IssuerAssignedID") == "M2026-000006"
    assert data.amount("DuePayableAmount") == D("36.00")  # Amounts positive; 381 says the rest.
    assert data.all(MEANS) == []
    assert "Matériel retiré" in data.all("IncludedNote/Content")


def test_a_debit_note_is_outside_vat_and_bears_no_vat_number():
    data = Data.of(paper.facts(paper.debit_note()))
    tax = "ApplicableHeaderTradeSettlement/ApplicableTradeTax"
    assert data.one(f"{tax}/CategoryCode") == "O"
    assert data.one(f"{tax}/RateApplicablePercent") == ""
    assert "hors champ de la TVA (CGI, art. 256)" in data.one(f"{tax}/ExemptionReason")
    assert data.all("SpecifiedTaxRegistration/ID") == []  # BR-O-02
    assert "OUTOFSCOPE" in data.all("IncludedNote/Content")


def test_what_is_outside_vat_beside_what_is_taxed_is_told_as_exempt():
    data = Data.of(paper.facts(paper.invoice(paper.fee(), paper.outside())))
    tax = "ApplicableHeaderTradeSettlement/ApplicableTradeTax"
    assert data.all(f"{tax}/CategoryCode") == ["S", "E"]  # BR-O-11 wants O alone.
    assert data.all(f"{tax}/BasisAmount") == ["120.00", "12.50"]
    assert data.one(f"{tax}/ExemptionReason") == "Hors champ : remboursement de frais"


def test_two_reasons_for_no_tax_make_one_exemption():
    vat = (
        VatTotal(D(0), D("12.50"), D("0.00"), "O", "hors champ"),
        VatTotal(D(20), D("100.00"), D("20.00")),
        VatTotal(D(0), D("7.50"), D("0.00"), "E", "art. 261"),
    )
    assert cii.breakdown(vat) == (
        VatTotal(D(0), D("20.00"), D("0.00"), "E", "hors champ ; art. 261"),
        VatTotal(D(20), D("100.00"), D("20.00"), "S"),
    )


@pytest.mark.parametrize(("on_debits", "code"), [(True, "5"), (False, "72")])
def test_the_tax_is_due_on_issue_by_option_else_when_the_money_comes(on_debits, code):
    data = Data.of(paper.facts(supplier=paper.supplier(vat_on_debits=on_debits)))
    assert data.one("DueDateTypeCode") == code
    told = "Option pour le paiement de la taxe d’après les débits."
    assert (told in data.all("IncludedNote/Content")) is on_debits


AGREED = LateInterest(series="LEGAL_INTEREST_PROFESSIONAL", times=D("1.5"), points=D(5))
RATES = [
    (Late(), "taux de refinancement de la Banque centrale européenne majoré de 10 points."),
    (
        Late(clause=AGREED, series="LEGAL_INTEREST_PROFESSIONAL"),
        "1,5 fois le taux de l’intérêt légal majoré de 5 points, sans être inférieur à trois fois",
    ),
    (Late(category="public"), "majoré de 8 points"),
    (Late(category="consumer"), "taux de l’intérêt légal, à compter de la mise en demeure"),
    (
        Late(
            clause=replace(AGREED, times=D(1), below_floor="as_written"),
            series="OTHER",
            series_name=Both("l’indice maison", "the house index"),
        ),
        "suivant : l’indice maison majoré de 5 points.",
    ),
]


@pytest.mark.parametrize(("late", "told"), RATES)
def test_the_terms_tell_the_late_rate_of_the_contract(late, told):
    terms = Data.of(paper.facts(late=late)).one("SpecifiedTradePaymentTerms/Description")
    assert terms.startswith("Échéance le 01/12/2026. ")
    assert told in terms


def test_the_forty_euros_are_told_to_professionals_only():
    def terms(category):
        late = Late(category=category)
        return Data.of(paper.facts(late=late)).one("SpecifiedTradePaymentTerms/Description")

    assert "en cas de retard : 40,00\u00a0€." in terms("professional")
    assert "Aucune indemnité forfaitaire" in terms("consumer")


CIRCUITS = [
    ({}, "professional", "B2B"),
    ({"siren": "", "vat_number": ""}, "consumer", "B2C"),
    (
        {
            "siren": "",
            "vat_number": "BE0403170701",
            "address": replace(paper.CLIENT.address, city="Bruxelles", country="BE"),
        },
        "professional",
        "B2BINT",
    ),
]


@pytest.mark.parametrize(("changes", "category", "circuit"), CIRCUITS)
def test_the_circuit_of_the_invoice_follows_from_its_client(changes, category, circuit):
    data = Data.of(paper.facts(client=paper.client(**changes), late=Late(category=category)))
    assert circuit in data.all("IncludedNote/Content")


def test_a_client_known_to_the_directory_is_told_at_its_own_address():
    data = Data.of(paper.facts(client_address=("0225", "999001076_COMPTA")))
    assert data.all("URIUniversalCommunication/URIID")[1] == "999001076_COMPTA"


def test_what_has_no_period_tells_the_last_day_it_was_supplied():
    line = paper.once("85.00", period=paper.NOVEMBER)
    data = Data.of(paper.facts(paper.invoice(line, period=None)))
    assert data.one("OccurrenceDateTime/DateTimeString") == "20261130"


def test_the_mentions_change_with_the_day():
    def reason(day):
        note = replace(paper.debit_note(), issued_on=day, due_on=day)
        return Data.of(paper.facts(note)).one("ApplicableTradeTax/ExemptionReason")

    assert "(CGI, art. 256)" in reason(date(2026, 12, 31))
    assert "(CIBS, livre II)" in reason(date(2027, 1, 1))


def test_addresses_keep_all_their_lines():
    far = Address(
        lines=("Bât. A", "Zone du Lac", "4e étage", "Porte 12"), postcode="74000", city="Annecy"
    )
    data = Data.of(paper.facts(client=paper.client(address=far)))
    assert data.all("BuyerTradeParty/PostalTradeAddress/LineThree") == ["4e étage, Porte 12"]
