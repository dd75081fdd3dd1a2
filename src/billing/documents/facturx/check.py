"""Whether a document may leave: what is wrong with its facts, its data, its file.

`faults` looks at the facts, once more than before the number was taken (`documents.faults`); `xsd`
and `schematron` at the data written, by the official files. A check that cannot run raises: it is
never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from lxml import etree

from billing.documents.facturx.facts import Facts
from billing.documents.facturx.lines import DEDUCTED
from billing.documents.facturx.printed import kind_of
from billing.documents.faults import (
    FRENCH_RULES_FROM,
    NUMBER,
    NUMBERS,
    categories_of,
    client_faults,
    sum_faults,
    supplier_faults,
    text_faults,
    total_faults,
    unprintable_party,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.refusal import Refused

FOLDER: Final = Path(__file__).parent
SCHEMA: Final = FOLDER / "schema"
XSD: Final = SCHEMA / "Factur-X_EN16931.xsd"
RULES: Final = {
    "EN 16931": SCHEMA / "FACTUR-X_EN16931.xslt",
    "BR-FR": SCHEMA / "BR-FR-Flux2-Schematron-CII.xslt",
}
"""The official schematrons, compiled: the European rules, and the French ones of the reform."""


class Invalid(Exception):
    """A document written is not what the standard asks for; our fault, or the facts'."""


# Facts


def refuse(facts: Facts) -> None:
    """Raises Refused, with the first of what is wrong; the sentence names the document."""
    found = next(faults(facts), None)
    if found is not None:
        raise Refused(f"{facts.document.number}: {found}")


def faults(facts: Facts) -> Iterator[str]:
    """Everything that keeps the document from being printed, a sentence each."""
    document = facts.document
    if not NUMBER.fullmatch(document.number):
        yield f"the number {document.number!r}; {NUMBERS} (BR-FR-01, BR-FR-02)"
    categories = categories_of(document)
    yield from supplier_faults(facts.supplier, categories)
    yield from client_faults(facts.client, categories, facts.late.category, document.issued_on)
    yield from unprintable_party(facts.supplier, f"supplier {facts.supplier.code}")
    yield from unprintable_party(facts.client, f"client {facts.client.code}")
    yield from text_faults(document, facts.site)
    yield from total_faults(document)
    yield from sum_faults(document)
    yield from _payment(facts)
    yield from _references(facts)


# Payment and references


def _payment(facts: Facts) -> Iterator[str]:
    document = facts.document
    if isinstance(document, CreditNoteIssued):
        return
    if document.due_on < document.issued_on and not facts.prepaid:
        yield f"due on {document.due_on}, before it is issued on {document.issued_on}"
    if isinstance(document, InvoiceIssued) and document.means == "direct_debit":
        mandate = facts.mandate
        if mandate is None:
            named = document.mandate or "none"
            yield f"paid by direct debit, and its mandate is not known ({named})"
            return
        for field, value in (
            ("reference", mandate.reference),
            ("creditor identifier", mandate.creditor_identifier),
            ("account", mandate.iban),
        ):
            if not value:
                yield f"paid by direct debit, and its mandate has no {field}"


def _references(facts: Facts) -> Iterator[str]:
    document = facts.document
    named = {one.number for one in facts.named}
    if isinstance(document, CreditNoteIssued) and document.credits not in named:
        yield f"it credits {document.credits or 'no invoice'}, which is not known"
    for one in facts.deductions:
        if one.invoice not in named:
            yield f"it deducts deposit {one.invoice}, which is not known"
    deducted = any(line.kind == DEDUCTED for line in document.lines)
    if kind_of(document) == "invoice" and deducted and not facts.deductions:
        yield "it deducts deposits, and the contract does not say which"


# The data written


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(XSD))


def xsd(xml: bytes) -> list[str]:
    """What the official schema has against the data; [] when it is valid."""
    try:
        tree = etree.fromstring(xml)
    except etree.XMLSyntaxError as error:
        return [f"no well-formed XML: {error}"]
    schema = _schema()
    if schema.validate(tree):
        return []
    return [f"line {error.line}: {error.message}" for error in schema.error_log]


class Broken(NamedTuple):
    """A rule of a schematron that does not hold: its name, its weight, its words, where."""

    rules: str
    id: str
    flag: str
    told: str
    where: str

    def __str__(self) -> str:
        return f"{self.rules} {self.id}: {self.told} ({self.where})"


_SVRL: Final = "{http://purl.oclc.org/dsdl/svrl}"
_LOCK: Final = Lock()


@cache
def _stylesheet(rules: str) -> tuple[Any, Any]:
    """The processor and the rules, compiled once a process; saxonche takes seconds to start."""
    from saxonche import PySaxonProcessor

    processor = PySaxonProcessor(license=False)
    sheet = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES[rules]))
    return processor, sheet


def schematron(xml: bytes, rules: str = "EN 16931") -> list[Broken]:
    """The rules that do not hold, warnings left out; raises when it cannot be run."""
    with _LOCK:
        processor, sheet = _stylesheet(rules)
        node = processor.parse_xml(xml_text=xml.decode())
        answer = sheet.transform_to_string(xdm_node=node)
    if not answer:
        raise Invalid(f"the schematron {rules} gave no answer")
    report = etree.fromstring(answer.encode())
    if report.tag != f"{_SVRL}schematron-output" or report.find(f"{_SVRL}fired-rule") is None:
        raise Invalid(f"the schematron {rules} checked nothing")
    return [
        Broken(
            rules,
            str(one.get("id") or ""),
            str(one.get("flag") or "fatal"),
            " ".join("".join(one.itertext()).split()),
            str(one.get("location") or ""),
        )
        for one in report.iter(f"{_SVRL}failed-assert")
        if one.get("flag") != "warning"
    ]


def hold(facts: Facts, xml: bytes) -> None:
    """Raises Invalid when a rule of the schematrons that are for the document does not hold."""
    for rules in rules_for(facts):
        for broken in schematron(xml, rules):
            raise Invalid(f"{facts.document.number}: {broken}")


def rules_for(facts: Facts) -> tuple[str, ...]:
    """The European rules; the French ones where both are French companies, since the reform."""
    address = facts.client.address
    french = address is not None and address.country == "FR" and facts.client.siren != ""
    reformed = facts.document.issued_on >= FRENCH_RULES_FROM
    return ("EN 16931", "BR-FR") if french and reformed else ("EN 16931",)
