"""What cannot be printed is refused by name: document, field, value, what was expected."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses.vat import VatTotal
from billing.documents.facturx import Late, check, data_of
from billing.events.party import Address
from billing.refusal import Refused
from tests.documents import paper
from tests.documents.paper import D

NOWHERE = Address(lines=("1 rue du Lac",), postcode="74000", city="")
GOOD = paper.invoice()


def taxed(**changes):
    """The invoice with its only VAT otherwise."""
    (total,) = GOOD.vat
    return paper.facts(replace(GOOD, vat=(replace(total, **changes),)))


def untaxed(category, reason="", rate="0", **parties):
    """An invoice of one line of that category."""
    line = paper.fee(vat_category=category, vat_reason=reason, vat_rate=D(rate))
    return paper.facts(paper.invoice(line), **parties)


WRONG = {
    # Parties
    "no SIREN of the supplier": (
        paper.facts(supplier=paper.supplier(siren="", vat_number="")),
        "supplier MAINT has no SIREN",
    ),
    "no address of the supplier": (
        paper.facts(supplier=paper.supplier(address=None)),
        "supplier MAINT has no address",
    ),
    "no VAT number of the supplier": (
        paper.facts(supplier=paper.supplier(vat_number="")),
        "supplier MAINT has no VAT number; VAT category S asks for it",
    ),
    "no name": (paper.facts(client=paper.client(name=" ")), "client MOREAU has no name"),
    "no address": (paper.facts(client=paper.client(address=None)), "client MOREAU has no address"),
    "no city": (paper.facts(client=paper.client(address=NOWHERE)), "without its city"),
    "no SIREN since the reform": (
        paper.facts(client=paper.client(siren="", vat_number="")),
        "client MOREAU has no SIREN; an invoice to a French company names it from 2026-09-01",
    ),
    "a SIREN with a wrong key": (
        paper.facts(client=paper.client(siren="999001077", vat_number="")),
        "client MOREAU: siren '999001077': a SIREN was expected: its key does not fit",
    ),
    "a VAT number with a wrong key": (
        paper.facts(client=paper.client(vat_number="FR61999001076")),
        "client MOREAU: vat_number 'FR61999001076'",
    ),
    "a VAT number of someone else": (
        paper.facts(client=paper.client(vat_number=paper.SUPPLIER.vat_number)),
        "VAT number FR10999001027 is not of SIREN 999001076",
    ),
    "a SIRET of someone else": (
        paper.facts(client=paper.client(siret="99900102700018")),
        "client MOREAU: SIRET 99900102700018 is not of SIREN 999001076",
    ),
    "reverse charge without the client's VAT number": (
        untaxed("AE", "Autoliquidation", client=paper.client(vat_number="")),
        "client MOREAU has no VAT number; VAT category AE asks for it",
    ),
    # Texts
    "an emoji in a name": (
        paper.facts(client=paper.client(name="Boulangerie 🥐")),
        "client MOREAU, name: '🥐' (U+1F950) in 'Boulangerie 🥐' cannot be printed",
    ),
    "Chinese in an address": (
        paper.facts(client=paper.client(address=replace(NOWHERE, lines=("北京路 1",), city="X"))),
        "client MOREAU, address: '北' (U+5317)",
    ),
    "a control character in a label": (
        paper.facts(paper.invoice(paper.fee(label="Poste\x07 1"))),
        "line 1: '\\x07' (U+0007)",
    ),
    "a number that no platform takes": (
        paper.facts(replace(GOOD, number="M 2026/7 bis")),
        "the number 'M 2026/7 bis'; a number of at most 35 letters, digits",
    ),
    # Amounts
    "no line": (
        paper.facts(replace(GOOD, lines=(), vat=(), net=D("0.00"), tax=D("0.00"), gross=D("0.00"))),
        "it has no line",
    ),
    "a total below zero": (
        paper.facts(paper.invoice(paper.fee("20.00"), paper.once("-50.00"))),
        "its total is -36.00 €; below zero a credit note was expected",
    ),
    "a net that is not that of the lines": (
        paper.facts(replace(GOOD, net=D("121.00"), gross=D("145.00"))),
        "its lines sum to 120.00 € and its net is 121.00 €",
    ),
    "a gross that is not net and tax": (
        paper.facts(replace(GOOD, gross=D("144.01"))),
        "net 120.00 + VAT 24.00 is not its gross 144.01 €",
    ),
    "VAT on something else": (taxed(base=D("100.00")), "its VAT is on 100.00 € at S 20 %"),
    "a wrong VAT": (
        paper.facts(
            replace(
                GOOD,
                vat=(replace(GOOD.vat[0], tax=D("23.98")),),
                tax=D("23.98"),
                gross=D("143.98"),
            )
        ),
        "23.98 € of VAT on 120.00 €, which gives 24",
    ),
    "a rate of 0 without reason": (untaxed("E"), "VAT category E at 0 % has no reason"),
    "outside VAT without reason": (untaxed("O"), "VAT category O at 0 % has no reason"),
    "a standard rate of 0": (untaxed("S"), "VAT category S at 0 %; a rate above zero"),
    "an exemption at 20 %": (untaxed("E", "art. 261", "20"), "VAT category E at 20 %; a rate of 0"),
    "a category no one knows": (untaxed("L", "IGIC"), "one of S, Z, E, AE, G, K, O was expected"),
    "a debit note that does not add up": (
        paper.facts(replace(paper.debit_note(), gross=D("40.00"))),
        "and its total is 40.00 €",
    ),
    # Payment and references
    "due before it is issued": (
        paper.facts(replace(GOOD, due_on=date(2026, 10, 1))),
        "due on 2026-10-01, before it is issued on 2026-11-01",
    ),
    "a direct debit without mandate": (
        replace(paper.debited(), mandate=None),
        "paid by direct debit, and its mandate is not known (IM-RUM-0042)",
    ),
    "a mandate without creditor identifier": (
        replace(paper.debited(), mandate=replace(paper.MANDATE, creditor_identifier="")),
        "its mandate has no creditor identifier",
    ),
    "a mandate without account": (
        replace(paper.debited(), mandate=replace(paper.MANDATE, iban="")),
        "its mandate has no account",
    ),
    "a credit note on nothing known": (
        replace(paper.facts(paper.credit_note()), named=()),
        "it credits M2026-000006, which is not known",
    ),
    "a deposit that is not known": (
        replace(paper.with_deposit(), named=()),
        "it deducts deposit M2026-000005, which is not known",
    ),
    "a deposit deducted, and which one is not said": (
        replace(paper.with_deposit(), deductions=()),
        "it deducts deposits, and the contract does not say which",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_it_is_refused_in_a_sentence_that_names_the_document(case):
    facts, told = WRONG[case]
    with pytest.raises(Refused) as refusal:
        data_of(facts)
    assert str(refusal.value).startswith(f"{facts.document.number}: ")
    assert any(told in fault for fault in check.faults(facts)), list(check.faults(facts))


RIGHT = {
    "a name in three scripts": paper.facts(
        client=paper.client(name="Компания Δέλτα شركة المثال ש. לוי SARL")
    ),
    "a total of zero": paper.facts(paper.invoice(paper.fee("50.00"), paper.once("-50.00"))),
    "no SIREN before the reform": paper.facts(
        paper.invoice(issued_on=date(2026, 8, 31)), client=paper.client(siren="", vat_number="")
    ),
    "an association without SIREN": paper.facts(
        client=paper.client(siren="", vat_number=""), late=Late(category="non_professional")
    ),
    "a supplier under the VAT threshold": untaxed(
        "E", "TVA non applicable, art. 293 B du CGI", supplier=paper.supplier(vat_number="")
    ),
    "reverse charge": untaxed("AE", "Autoliquidation"),
    "a rate of zero that needs no reason": untaxed("Z"),
    "a cent of rounding on the VAT": paper.facts(
        replace(
            GOOD, vat=(VatTotal(D(20), D("120.00"), D("24.01")),), tax=D("24.01"), gross=D("144.01")
        )
    ),
    "a deposit, asked for or paid": paper.paid_deposit(),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_only_unusual_is_a_valid_document(case):
    facts = RIGHT[case]
    assert list(check.faults(facts)) == []
    _, xml = data_of(facts)
    check.hold(facts, xml)  # Both schematrons, where they are for it.


def test_all_faults_are_told_at_once():
    facts = paper.facts(
        supplier=paper.supplier(address=None), client=paper.client(name="", address=None)
    )
    assert len(list(check.faults(facts))) == 3
