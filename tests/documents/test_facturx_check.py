"""The validators validate: a mutation is found, and one that cannot run is never a pass."""

from __future__ import annotations

import pytest

from billing.documents.facturx import check, data_of
from tests.documents import paper

KINDS = {
    "invoice": paper.facts(),
    "direct debit": paper.debited(),
    "deposit": paper.paid_deposit(),
    "after a deposit": paper.with_deposit(),
    "credit note": paper.facts(paper.credit_note()),
    "debit note": paper.facts(paper.debit_note()),
    "several categories": paper.facts(paper.invoice(paper.fee(), paper.outside())),
}


@pytest.mark.parametrize("rules", check.RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_holds_the_european_and_the_french_rules(kind, rules):
    _, xml = data_of(KINDS[kind])
    assert check.xsd(xml) == []
    assert check.schematron(xml, rules) == []


XML = data_of(paper.debited())[1]
CREDIT = data_of(paper.facts(paper.credit_note()))[1]

BROKEN = {
    "no number": (XML, "<ram:ID>M2026-000007</ram:ID>", "", "", "is not expected"),
    "an amount in words": (XML, ">24.00<", ">vingt-quatre<", "", "not a valid value"),
    "a gross that does not add up": (
        XML, "GrandTotalAmount>144.00<", "GrandTotalAmount>145.00<", "EN 16931", "BR-CO-15",
    ),
    "lines that do not add up": (
        XML, "LineTotalAmount>120.00</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLine",
        "LineTotalAmount>119.00</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLine",
        "EN 16931", "BR-CO-10",
    ),
    "no VAT number": (
        XML, '<ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">FR10999001027</ram:ID>'
        "</ram:SpecifiedTaxRegistration>", "", "EN 16931", "BR-S-02",
    ),
    "a rate of zero": (
        XML, "RateApplicablePercent>20<", "RateApplicablePercent>0<", "EN 16931", "BR-S-05",
    ),
    "no country": (XML, "<ram:CountryID>FR</ram:CountryID>", "", "", "Missing child"),
    "a unit no list knows": (XML, 'unitCode="C62"', 'unitCode="QQQQ"', "EN 16931", "not allowed"),
    "no mention of the late rate": (
        XML, "<ram:SubjectCode>PMD<", "<ram:SubjectCode>AAI<", "BR-FR", "BR-FR-05",
    ),
    "no process": (XML, "<ram:ID>S1</ram:ID>", "<ram:ID>A1</ram:ID>", "BR-FR", "BR-FR-08"),
    "the client at an address of another": (
        XML, 'schemeID="0225">999001076', 'schemeID="0225">123', "BR-FR", "BR-FR-21",
    ),
    "due before its issue": (
        XML, '"102">20261201</udt:DateTimeString></ram:DueDateDateTime>',
        '"102">20261001</udt:DateTimeString></ram:DueDateDateTime>', "BR-FR", "BR-FR-CO-07",
    ),
    "a credit note on nothing": (
        CREDIT, "ram:InvoiceReferencedDocument>", "ram:Nothing>", "", "is not expected",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_mutation_is_found(case):
    good, old, new, rules, told = BROKEN[case]
    assert old.encode() in good, "the mutation changes something"
    xml = good.replace(old.encode(), new.encode())
    found = [str(one) for one in check.schematron(xml, rules)] if rules else check.xsd(xml)
    assert any(told in one for one in found), found


def test_a_document_that_breaks_a_rule_is_invalid_by_name():
    facts = paper.debited()
    xml = XML.replace(b"GrandTotalAmount>144.00<", b"GrandTotalAmount>145.00<")
    with pytest.raises(check.Invalid, match=r"M2026-000007: EN 16931 .*BR-CO-15"):
        check.hold(facts, xml)


def test_the_french_rules_are_for_french_companies_since_the_reform():
    assert check.rules_for(paper.facts()) == ("EN 16931", "BR-FR")
    before = paper.invoice(issued_on=paper.date(2026, 8, 31))
    assert check.rules_for(paper.facts(before)) == ("EN 16931",)
    assert check.rules_for(paper.facts(client=paper.client(siren=""))) == ("EN 16931",)


def test_no_data_at_all_are_no_pass():
    with pytest.raises(Exception, match=r"."):
        check.schematron(b"")
    assert check.xsd(b"")[0].startswith("no well-formed XML")


def test_rules_that_check_nothing_are_no_pass(tmp_path, monkeypatch):
    nothing = tmp_path / "nothing.xslt"
    nothing.write_text(
        '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
        'xmlns:svrl="http://purl.oclc.org/dsdl/svrl"><xsl:template match="/">'
        "<svrl:schematron-output/></xsl:template></xsl:stylesheet>"
    )
    monkeypatch.setitem(check.RULES, "nothing", nothing)
    with pytest.raises(check.Invalid, match="checked nothing"):
        check.schematron(XML, "nothing")


def test_rules_that_are_not_there_are_no_pass(tmp_path, monkeypatch):
    monkeypatch.setitem(check.RULES, "lost", tmp_path / "lost.xslt")
    with pytest.raises(Exception, match=r"lost|Unable|compil"):
        check.schematron(XML, "lost")
