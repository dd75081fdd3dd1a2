"""A document as it is printed: who, what, how much, why and by when; pure, from its facts.

The page (`page`) and the data inside it (`cii`) are both made from this, so they cannot differ.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from billing.clauses.vat import VatTotal
from billing.dates import Period
from billing.documents.facturx.annex import Explained, explained
from billing.documents.facturx.facts import Debited, Document, Facts, Named
from billing.documents.facturx.lines import (
    OUTSIDE,
    PrintedLine,
    outside_reason,
    printed_lines,
    remarks,
)
from billing.documents.facturx.mentions import Note, mentions
from billing.documents.facturx.words import Words, words
from billing.events.invoice import CreditNoteIssued, DebitNoteIssued, InvoiceIssued
from billing.events.party import Identity
from billing.money import ZERO

Kind = Literal["invoice", "deposit", "credit_note", "debit_note"]

TYPE_CODES: Final[dict[Kind, str]] = {
    "invoice": "380",
    "deposit": "386",
    "credit_note": "381",
    "debit_note": "380",
}
"""BT-3. A debit note is 380 outside VAT: the French rules of 2026 (BR-FR-04) know no 383."""

GOODS: Final = frozenset(("ACHAT",))
"""Codes of lines by which goods are sold, not services: a rental that is bought."""


class Printed(Struct, frozen=True, kw_only=True, gc=False):
    """The document. Amounts in euros; `payable` is what is to be paid of the gross."""

    kind: Kind
    type_code: str
    process: str
    number: str
    issued_on: date
    due_on: date | None
    supplier: Identity
    client: Identity
    client_address: tuple[str, str]
    professional: bool
    contract: str
    contract_label: str
    site: str
    purchase_order: str
    period: Period | None
    supplied_on: date | None
    nature: str
    reason: str
    named: tuple[Named, ...]
    lines: tuple[PrintedLine, ...]
    remarks: tuple[str, ...]
    vat: tuple[VatTotal, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal
    prepaid: Decimal
    prepaid_on: date | None
    deposits: Decimal
    means: str
    collected_on: date | None
    mandate: Debited | None
    terms: str
    notes: tuple[Note, ...]
    annex: tuple[Explained, ...]

    @property
    def payable(self) -> Decimal:
        """What is left to pay."""
        return self.gross - self.prepaid

    @property
    def say(self) -> Words:
        """The language it is printed in."""
        return words(self.client.language)

    @property
    def title(self) -> str:
        """Facture, Avoir…"""
        return self.say(self.kind)


def kind_of(document: Document) -> Kind:
    """What it is called."""
    if isinstance(document, DebitNoteIssued):
        return "debit_note"
    if isinstance(document, CreditNoteIssued):
        return "credit_note"
    return document.kind


def printed(facts: Facts) -> Printed:
    """The document that these facts make."""
    document, say = facts.document, words(facts.client.language)
    kind = kind_of(document)
    invoice = document if isinstance(document, InvoiceIssued) else None
    credit = document if isinstance(document, CreditNoteIssued) else None
    lines = printed_lines(facts, say)
    vat, net, tax = _totals(document, say)
    due_on = None if credit else document.due_on  # type: ignore[union-attr]
    period = invoice.period if invoice else None
    notes = mentions(facts)
    deposits = sum((one.net + one.tax for one in facts.deductions), ZERO)
    paid = bool(facts.prepaid) and facts.prepaid == document.gross
    return Printed(
        kind=kind,
        type_code=TYPE_CODES[kind],
        process=_nature(lines)[0] + ("2" if paid else "4" if facts.deductions else "1"),
        number=document.number,
        issued_on=document.issued_on,
        due_on=facts.prepaid_on if paid and facts.prepaid_on else due_on,
        supplier=facts.supplier,
        client=facts.client,
        client_address=_address(facts),
        professional=facts.late.category in ("professional", "public"),
        contract=document.contract,
        contract_label=facts.contract_label,
        site=facts.site,
        purchase_order=getattr(document, "purchase_order", ""),
        period=period,
        supplied_on=None if period or kind in ("deposit", "debit_note") else _supplied(lines),
        nature=say("outside" if kind == "debit_note" else _NATURES[_nature(lines)]),
        reason=credit.reason if credit else "",
        named=facts.named,
        lines=lines,
        remarks=remarks(facts, say),
        vat=vat,
        net=net,
        tax=tax,
        gross=document.gross,
        prepaid=facts.prepaid,
        prepaid_on=facts.prepaid_on,
        deposits=deposits,
        means=invoice.means if invoice else "transfer",
        collected_on=invoice.collected_on if invoice else None,
        mandate=facts.mandate,
        terms=_terms(kind, due_on, facts, notes, say),
        notes=notes,
        annex=explained(facts, say),
    )


def _totals(document: Document, say: Words) -> tuple[tuple[VatTotal, ...], Decimal, Decimal]:
    if isinstance(document, DebitNoteIssued):
        reason = outside_reason(document, say)
        return (VatTotal(ZERO, document.gross, ZERO, OUTSIDE, reason),), document.gross, ZERO
    return document.vat, document.net, document.tax


_NATURES: Final = {"S": "services", "B": "goods", "M": "mixed"}


def _nature(lines: tuple[PrintedLine, ...]) -> str:
    """S services, B goods, M both (BT-23, cadre de facturation)."""
    goods = [line.code in GOODS for line in lines]
    if not any(goods):
        return "S"
    return "B" if all(goods) else "M"


def _supplied(lines: tuple[PrintedLine, ...]) -> date | None:
    """The last day that the lines are for."""
    days = [line.period.last_day for line in lines if line.period is not None]
    return max(days, default=None)


def _address(facts: Facts) -> tuple[str, str]:
    """Where the client receives electronic invoices: as told, else by its SIREN or its e-mail."""
    if facts.client_address[1]:
        return facts.client_address
    return electronic_address(facts.client)


def electronic_address(party: Identity) -> tuple[str, str]:
    """Scheme and identifier: 0225 is the French directory, by SIREN; EM an e-mail address."""
    if party.siren:
        return "0225", party.siren
    return ("EM", party.email) if party.email else ("", "")


def _terms(
    kind: Kind, due_on: date | None, facts: Facts, notes: tuple[Note, ...], say: Words
) -> str:
    """The payment terms in one text (BT-20): the day, the late rate, the fee, no discount."""
    if kind == "credit_note":
        return say("set_off")
    if facts.prepaid and facts.prepaid_on and facts.prepaid == facts.document.gross:
        first = say("was_paid", day=say.day(facts.prepaid_on))
    else:
        assert due_on is not None
        first = say("terms", day=say.day(due_on))
    told = (note.text for note in notes if note.subject in ("PMD", "PMT", "AAB"))
    return " ".join((first, *told))
