"""Documents as they would be printed: a house, a client, and small changes to them."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

from lxml import etree
from msgspec.structs import replace

from billing.clauses.interest import LateInterest, late_interest
from billing.clauses.proration import Share
from billing.clauses.vat import VatTotal, tax_on
from billing.dates import Period
from billing.documents.facturx import Debited, Facts, Named, cii, data_of
from billing.documents.facturx.facts import Document
from billing.events.contract import Deduction
from billing.events.invoice import (
    CreditNoteIssued,
    DebitLine,
    DebitNoteIssued,
    InvoiceIssued,
    Line,
)
from billing.events.party import Address, Identity
from billing.money import ZERO
from tests.scenario import BOOK

D = Decimal

SUPPLIER = Identity(
    code="MAINT",
    name="Maintenance Exemple SAS",
    siren="999001027",
    vat_number="FR10999001027",
    address=Address(lines=("5 avenue de l’Exemple",), postcode="75011", city="Paris"),
    iban="FR7699999000011000222222215",
    bic="DEMOFRPPXXX",
)
CLIENT = Identity(
    code="MOREAU",
    name="Cabinet Moreau et Associés SELARL",
    siren="999001076",
    vat_number="FR60999001076",
    address=Address(lines=("Bâtiment C", "27 rue du Faubourg"), postcode="75010", city="Paris"),
)
MANDATE = Debited(
    reference="IM-RUM-0042",
    creditor_identifier="FR21ZZZ990002",
    iban="FR7699999000011000777777784",
)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))


def fee(net: str = "120.00", **more: Any) -> Line:
    """A month of one item."""
    said = {"unit_price": D(net), "per_months": 1, "months": 1, "period": NOVEMBER} | more
    kind, code, label = (said.pop(name, default) for name, default in (
        ("kind", "fee"), ("code", "POSTE"), ("label", "Maintenance d'un poste de travail"),
    ))  # fmt: skip
    rate = said.pop("vat_rate", D(20))
    return Line(kind=kind, code=code, label=label, net=D(net), vat_rate=rate, **said)


def half_a_month(net: str = "14.00") -> Line:
    """From the 17th on, of a fee of 30.00 a month."""
    return fee(
        net,
        unit_price=D("30.00"),
        period=Period(date(2026, 11, 17), date(2026, 12, 1)),
        share=Share(14, 30, "days"),
    )


def once(net: str, kind: str = "work", **more: Any) -> Line:
    """Something owed once."""
    said = {"code": "HEURE", "label": "Heure de travail", "period": None} | more
    return fee(net, kind=kind, per_months=0, months=0, **said)


def outside(net: str = "12.50") -> Line:
    """A bank's fee billed on, outside VAT."""
    return once(
        net,
        kind="bank_fee",
        code="FRAIS",
        label="Frais de rejet",
        vat_rate=D(0),
        vat_category="O",
        vat_reason="Hors champ : remboursement de frais",
    )


def totals(lines: tuple[Line, ...]) -> tuple[VatTotal, ...]:
    """The VAT of lines, by category and rate."""
    bases: dict[tuple[Decimal, str, str], Decimal] = {}
    for line in lines:
        key = (line.vat_rate, line.vat_category, line.vat_reason)
        bases[key] = bases.get(key, ZERO) + line.net
    return tuple(
        VatTotal(rate, base, tax_on(base, rate), category, reason)
        for (rate, category, reason), base in bases.items()
    )


def _amounts(lines: tuple[Line, ...]) -> dict[str, Any]:
    vat = totals(lines)
    net = sum((line.net for line in lines), ZERO)
    tax = sum((total.tax for total in vat), ZERO)
    return {"lines": lines, "vat": vat, "net": net, "tax": tax, "gross": net + tax}


def invoice(*lines: Line, **more: Any) -> InvoiceIssued:
    """An invoice of November 2026."""
    said = {
        "number": "M2026-000007",
        "issued_on": date(2026, 11, 1),
        "due_on": date(2026, 12, 1),
        "period": NOVEMBER,
        **_amounts(lines or (fee(),)),
    }
    return InvoiceIssued(
        supplier="MAINT", client="MOREAU", contract="M-001", contract_version=2, **said | more
    )


def credit_note(*lines: Line, **more: Any) -> CreditNoteIssued:
    """A credit note on the invoice of October."""
    said = {
        "number": "M2026-000008",
        "credits": "M2026-000006",
        "issued_on": date(2026, 11, 3),
        "reason": "Matériel retiré",
        **_amounts(lines or (fee("30.00", kind="refund"),)),
    }
    return CreditNoteIssued(
        supplier="MAINT", client="MOREAU", contract="M-001", contract_version=0, **said | more
    )


def debit_note() -> DebitNoteIssued:
    """Interest and the fee on the invoice of October, paid three weeks late."""
    due = date(2026, 10, 31)
    interest = late_interest(LateInterest(), [(due, D("1440.00"))], due, date(2026, 11, 21), BOOK)
    late = DebitLine(
        kind="late_interest",
        invoice="M2026-000006",
        label="Intérêts de retard sur la facture M2026-000006, arrêtés au 21/11/2026",
        amount=interest.amount,
        until=date(2026, 11, 21),
        interest=interest,
    )
    fixed = DebitLine(
        kind="recovery_fee",
        invoice="M2026-000006",
        label="Indemnité forfaitaire de recouvrement, facture M2026-000006 (C. com. D441-5)",
        amount=D("40.00"),
    )
    return DebitNoteIssued(
        number="M2026-000009",
        supplier="MAINT",
        client="MOREAU",
        contract="M-001",
        issued_on=date(2026, 11, 22),
        due_on=date(2026, 12, 7),
        lines=(late, fixed),
        gross=interest.amount + 40,
    )


def facts(document: Document | None = None, **more: Any) -> Facts:
    """What a document is printed from."""
    document = document or invoice()
    named: tuple[Named, ...] = ()
    if isinstance(document, CreditNoteIssued | DebitNoteIssued):
        named = (Named("M2026-000006", date(2026, 10, 1)),)
    said = {"supplier": SUPPLIER, "client": CLIENT, "named": named} | more
    return Facts(document=document, **said)


def debited(**more: Any) -> Facts:
    """An invoice paid by direct debit."""
    document = invoice(means="direct_debit", mandate="IM-RUM-0042", collected_on=date(2026, 12, 1))
    return facts(document, mandate=MANDATE, **more)


def with_deposit() -> Facts:
    """An installation of 1200.00, a deposit of 450.00 and its tax taken off."""
    taken = once(
        "-450.00",
        kind="deposit",
        code="ACOMPTE",
        label="Acompte, facture M2026-000005 du 01/10/2026",
        unit_price=None,
        note="TVA déjà facturée : 90.00 €",
    )
    document = invoice(once("1200.00", kind="one_off"), taken, period=None)
    deduction = Deduction(
        invoice="M2026-000005", net=D("450.00"), tax=D("90.00"), vat_rate=D(20), from_rate=D(20)
    )
    named = (Named("M2026-000005", date(2026, 10, 1)),)
    return facts(document, deductions=(deduction,), named=named)


def paid_deposit() -> Facts:
    """A deposit invoice of 540.00, for money received the day before."""
    line = once("450.00", kind="deposit", code="ACOMPTE", label="Acompte", unit_price=None)
    document = invoice(line, kind="deposit", period=None, due_on=date(2026, 11, 1))
    return facts(document, prepaid=D("540.00"), prepaid_on=date(2026, 10, 31))


def client(**changes: Any) -> Identity:
    """The client, otherwise."""
    return replace(CLIENT, **changes)


def supplier(**changes: Any) -> Identity:
    """The supplier, otherwise."""
    return replace(SUPPLIER, **changes)


# What was written, read back


class Data:
    """The data of a document, asked by paths of local names: "ApplicableTradeTax/CategoryCode"."""

    def __init__(self, xml: bytes) -> None:
        self.tree = etree.fromstring(xml)

    @classmethod
    def of(cls, facts: Facts) -> Data:
        """Those of a document, valid by the schema."""
        return cls(data_of(facts)[1])

    def all(self, path: str) -> list[str]:
        """The texts at a path, anywhere in the document."""
        steps = "/".join(f"*[local-name()='{name}']" for name in path.split("/"))
        found: Any = self.tree.xpath(f"//{steps}")
        return ["".join(one.itertext()) for one in found]

    def one(self, path: str) -> str:
        """The only text at a path; "" when there is none."""
        found = self.all(path)
        assert len(found) <= 1, (path, found)
        return found[0] if found else ""

    def amount(self, path: str) -> Decimal:
        """The only amount at a path."""
        return D(self.one(path))


def text_of(pdf: bytes) -> str:
    """The words of a PDF, its spaces made one."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    pages = [page.get_textpage().get_text_range() for page in document]
    return " ".join(" ".join(pages).split())


def attached(pdf: bytes) -> bytes:
    """The data inside a PDF."""
    import pikepdf

    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return opened.attachments[cii.NAME].get_file().read_bytes()


__all__ = ["BOOK", "D", "Data", "attached", "facts", "invoice", "text_of"]
