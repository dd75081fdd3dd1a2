"""Invoices as Factur-X: a page to read (PDF/A-3b) with the data to book (EN 16931) inside it.

facts ─▶ check.faults ─▶ printed ─┬▶ cii.xml_of ─▶ check.xsd ─┐
                                  └▶ page.pdf_of ◀────────────┘
"""

from __future__ import annotations

from billing.documents.facturx import check
from billing.documents.facturx.brand import PLAIN, Brand, read_brands
from billing.documents.facturx.cii import xml_of
from billing.documents.facturx.facts import Debited, Document, Facts, Late, Named, Revised
from billing.documents.facturx.page import pdf_of
from billing.documents.facturx.printed import Kind, Printed, kind_of, printed


def data_of(facts: Facts) -> tuple[Printed, bytes]:
    """The document as it is printed, and its data, valid by the official schema.

    Raises Refused when the facts do not make one, Invalid when what was written is not valid.
    """
    check.refuse(facts)
    document = printed(facts)
    xml = xml_of(document)
    if wrong := check.xsd(xml):
        raise check.Invalid(f"{document.number}: {wrong[0]}")
    return document, xml


def facturx(facts: Facts, brand: Brand = PLAIN) -> bytes:
    """The finished file; the same facts and brand give the same bytes."""
    document, xml = data_of(facts)
    return pdf_of(document, xml, brand)


__all__ = [
    "PLAIN", "Brand", "Debited", "Document", "Facts", "Kind", "Late", "Named", "Printed", "Revised",
    "data_of", "facturx", "kind_of", "pdf_of", "printed", "read_brands",
]  # fmt: skip
