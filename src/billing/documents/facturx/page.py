"""The PDF: a page laid out by typst with the data attached (PDF/A-3b), said to be a Factur-X.

One compiler serves a whole process. typst gives the same bytes for the same page; what the
metadata lack, the Factur-X extension schema, is written into them here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import typst

from billing.clauses.vat import VatTotal
from billing.documents.facturx.annex import Explained
from billing.documents.facturx.brand import PLAIN, Brand
from billing.documents.facturx.cii import LEVEL, NAME
from billing.documents.facturx.lines import OUTSIDE, PrintedLine
from billing.documents.facturx.printed import Printed
from billing.documents.facturx.words import NO_BREAK, Words
from billing.events.party import Identity

FOLDER: Final = Path(__file__).parent
FONTS: Final = FOLDER / "fonts"
STANDARDS: Final = ["a-3b"]


def pdf_of(document: Printed, xml: bytes, brand: Brand = PLAIN) -> bytes:
    """The finished file."""
    page = _compiled(document, xml, brand, "pdf")
    return said_to_be_facturx(page)


def images_of(document: Printed, xml: bytes, brand: Brand = PLAIN, ppi: int = 100) -> list[bytes]:
    """Its pages as PNG, for people to look at."""
    found: Any = _compiled(document, xml, brand, "png", ppi)
    return found if isinstance(found, list) else [found]


def _compiled(
    document: Printed, xml: bytes, brand: Brand, form: str, ppi: int | None = None
) -> bytes:
    issued = datetime.combine(document.issued_on, time(), UTC)
    data = msgspec.json.encode(page_data(document, brand) | {"xml": xml.decode()}).decode()
    found: Any = _compiler().compile(
        format=form,
        ppi=ppi,
        sys_inputs={"data": data},
        pdf_standards=STANDARDS if form == "pdf" else [],
        timestamp=int(issued.timestamp()),
        pdf_tags=False,
    )
    return found  # type: ignore[no-any-return]


@cache
def _compiler() -> Any:
    """A logo may lie anywhere, hence the root; the template reads nothing else."""
    return typst.Compiler(
        str(FOLDER / "invoice.typ"), root="/", font_paths=[str(FONTS)], ignore_system_fonts=True
    )


# What the page says


def page_data(document: Printed, brand: Brand = PLAIN) -> dict[str, Any]:
    """Every text and figure of the page, written; the template only lays them out."""
    say = document.say
    subject = say(
        "subject", title=document.title, number=document.number, supplier=document.supplier.name
    )
    issued = document.issued_on
    return {
        "lang": say.language,
        "subject": subject,
        "issued_on": {"year": issued.year, "month": issued.month, "day": issued.day},
        "title": document.title,
        "number": document.number,
        "accent": brand.accent,
        "logo": brand.logo or None,
        "contact": brand.contact,
        "legal": brand.legal or letterhead(document.supplier),
        "page": say("page", page="{page}", pages="{pages}"),
        "supplier": party_block(document.supplier, say),
        "client": party_block(document.client, say) | {"label": say("client")},
        "particulars": list(_particulars(document)),
        "heads": _heads(document),
        "sections": list(_sections(document)),
        "long": sum(map(_height, document.lines)) > ONE_PAGE,
        "remarks": document.remarks,
        "vat": _vat(document),
        "totals": list(_totals(document)),
        "payment": _payment(document),
        "notes": [
            note.text
            for note in document.notes
            if document.kind != "credit_note" or note.subject == "AAI"
        ],
        "annex": _annex(document),
    }


def letterhead(supplier: Identity) -> str:
    return f"{supplier.name} – SIREN {spaced(supplier.siren, 3)}" if supplier.siren else ""


def spaced(number: str, by: int) -> str:
    """A number in groups that are kept together: 999 001 050."""
    return NO_BREAK.join(number[i : i + by] for i in range(0, len(number), by))


def party_block(party: Identity, say: Words) -> dict[str, Any]:
    address = party.address
    lines = []
    if address is not None:
        lines = [*address.lines, f"{address.postcode} {address.city}".strip()]
        lines += [address.country] if address.country != "FR" else []
    ids = []
    if party.siret:
        ids.append(say("siret", siret=f"{spaced(party.siret[:9], 3)}{NO_BREAK}{party.siret[9:]}"))
    elif party.siren:
        ids.append(say("siren", siren=spaced(party.siren, 3)))
    if party.vat_number:
        ids.append(say("vat_number", number=party.vat_number))
    return {"name": party.name, "address": [line for line in lines if line], "ids": ids}


def _particulars(document: Printed) -> Iterable[tuple[str, str]]:
    say = document.say
    yield say("issued_on"), say.day(document.issued_on)
    if document.due_on is not None:
        yield say("due_on"), say.day(document.due_on)
    if document.period is not None:
        first, last = document.period.start, document.period.last_day
        yield say("period"), f"{say.day(first)} – {say.day(last)}"
    if document.contract:
        yield say("contract"), document.contract
    if document.contract_label:
        yield say("contract_label"), document.contract_label
    if document.purchase_order:
        yield say("purchase_order"), document.purchase_order
    if document.site:
        yield say("site"), document.site
    if document.kind == "credit_note":
        for one in document.named:
            label = say("credits_debit" if one.debit_note else "credits")
            yield label, say("document_of", number=one.number, day=say.day(one.issued_on))
    if document.reason:
        yield say("reason"), document.reason
    yield say("nature"), document.nature


def _heads(document: Printed) -> list[str]:
    say = document.say
    if document.kind == "debit_note":
        return [say("label"), say("amount")]
    return [say("label"), say("quantity"), say("unit_price"), say("vat"), say("net")]


def _sections(document: Printed) -> Iterable[dict[str, Any]]:
    """The lines by section; a lone one has no title, a line alone no subtotal."""
    say = document.say
    groups = [(name, list(some)) for name, some in groupby(document.lines, lambda x: x.section)]
    for name, some in groups:
        titled = len(groups) > 1
        yield {
            "name": name if titled else "",
            "lines": [_line(line, say) for line in some],
            "subtotal-label": say("subtotal"),
            "subtotal": say.money(sum((line.net for line in some[1:]), some[0].net))
            if titled and len(some) > 1
            else "",
        }


def _line(line: PrintedLine, say: Words) -> dict[str, Any]:
    unit = f"{NO_BREAK}{line.unit}" if line.unit else ""
    return {
        "label": line.label,
        "mark": line.mark,
        "details": _details(line),
        "quantity": f"{say.number(abs(line.quantity))}{unit}" if line.shown_price else "",
        "price": line.shown_price,
        "vat": _rate(line.vat_category, line.vat_rate, say, "_short"),
        "net": say.money(line.net),
    }


ONE_PAGE: Final = 100
"""Millimetres of lines that the first page has room for, whatever else is on it."""


def _height(line: PrintedLine) -> float:
    """About how high a line is, in millimetres: its rows of text and what is around them."""
    rows = 1 + len(line.label) // 45
    rows += sum(1 + len(text) // 90 for text in _details(line))
    return 2.5 + 3.6 * rows


def _details(line: PrintedLine) -> list[str]:
    """Its plain words on one line of small print; the stretches of interest on one each."""
    if line.vat_category == OUTSIDE and not line.mark:
        return list(line.details)
    return [" · ".join(line.details)] if line.details else []


def _rate(category: str, rate: Decimal, say: Words, form: str = "") -> str:
    return say.percent(rate) if category == "S" else say(f"{category}{form}")


def _vat(document: Printed) -> dict[str, Any]:
    say = document.say
    rows = [] if document.kind == "debit_note" else [_vat_row(one, say) for one in document.vat]
    return {
        "title": say("vat_table"),
        "heads": [say("rate"), say("base"), say("tax")],
        "rows": rows,
    }


def _vat_row(total: VatTotal, say: Words) -> tuple[str, str, str, str]:
    rate = _rate(total.category, total.rate, say)
    return rate, say.money(total.base), say.money(total.tax), total.reason


def _totals(document: Printed) -> Iterable[tuple[str, str]]:
    """What it comes to; the last is what is to be paid."""
    say = document.say
    if document.deposits:
        before = document.gross + document.deposits
        yield say("before_deposits"), say.money(before)
        yield say("deposits_deducted"), say.money(-document.deposits)
    if document.kind == "debit_note":
        yield say("total_outside"), say.money(document.gross)
    else:
        yield say("total_net"), say.money(document.net)
        yield say("total_tax"), say.money(document.tax)
        yield say("total_gross"), say.money(document.gross)
    if document.prepaid and document.prepaid_on is not None:
        label = say("prepaid", day=say.day(document.prepaid_on))
        yield label, say.money(-document.prepaid)
    label = "credited" if document.kind == "credit_note" else "payable"
    yield say(label), say.money(document.payable)


def _payment(document: Printed) -> dict[str, Any]:
    say = document.say
    rows: list[tuple[str, str]] = []
    text = ""
    mandate = document.mandate
    if document.kind == "credit_note":
        text = say("set_off")
    elif document.payable <= 0:
        paid = document.prepaid_on if document.prepaid else None
        text = say("was_paid", day=say.day(paid)) if paid else say("nothing_due")
    elif document.means == "direct_debit" and mandate is not None:
        collected = document.collected_on or document.due_on
        assert collected is not None
        rows = [
            (say("payment"), say("direct_debit")),
            (say("mandate"), mandate.reference),
            (say("creditor_identifier"), mandate.creditor_identifier),
        ]
        text = say(
            "debited",
            amount=say.money(document.payable),
            day=say.day(collected),
            iban=masked(mandate.iban),
        )
    else:
        rows = [(say("payment"), say(document.means))]
        if document.due_on is not None:
            rows.append((say("before"), say.day(document.due_on)))
        if document.means == "transfer" and document.supplier.iban:
            rows.append((say("iban"), spaced(document.supplier.iban, 4)))
            if document.supplier.bic:
                rows.append((say("bic"), document.supplier.bic))
        rows.append((say("reference"), document.number))
    return {"title": say("payment"), "rows": rows, "text": text}


def masked(iban: str) -> str:
    """An account of which the middle is hidden: FR76 •••• •••• 009; its holder knows it."""
    return f"{iban[:4]}{NO_BREAK}••••{NO_BREAK}••••{NO_BREAK}{iban[-3:]}"


def _annex(document: Printed) -> dict[str, Any] | None:
    if not document.annex:
        return None
    say = document.say
    title = "annex_credit" if document.kind == "credit_note" else "annex_number"
    return {
        "title": say("annex"),
        "subtitle": say(title, number=document.number, contract=document.contract),
        "formula": say("formula"),
        "coefficient": say("coefficient"),
        "index-heads": [say("index"), say("old"), say("new"), say("ratio")],
        "price-heads": [say("label"), say("old_price"), say("new_price"), say("change")],
        "revisions": [_revision(one) for one in document.annex],
    }


def _revision(one: Explained) -> dict[str, Any]:
    return msgspec.to_builtins(one)  # type: ignore[no-any-return]


# Metadata

_FX: Final = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_FIELDS: Final = {
    "DocumentFileName": (NAME, "name of the embedded invoice data"),
    "DocumentType": ("INVOICE", "kind of the document"),
    "Version": ("1.0", "version of the data's schema"),
    "ConformanceLevel": (LEVEL, "profile of the data"),
}
_SCHEMA: Final = (
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema'
    f"</pdfaSchema:schema><pdfaSchema:namespaceURI>{_FX}</pdfaSchema:namespaceURI>"
    "<pdfaSchema:prefix>fx</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>"
    + "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name>'
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external"
        f"</pdfaProperty:category><pdfaProperty:description>{told}</pdfaProperty:description>"
        "</rdf:li>"
        for name, (_, told) in _FIELDS.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
).encode()
_SAID: Final = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_FX}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _FIELDS.items())
    + "</rdf:Description></rdf:RDF>"
).encode()
_BAG: Final = b"<pdfaExtension:schemas><rdf:Bag>"
_END: Final = b"</rdf:RDF>"
_TABLE: Final = re.compile(rb"xref\s+0 (\d+)\s+")
_REFERENCE: Final = re.compile(rb"/Metadata (\d+) 0 R")
_PLAIN_STREAM: Final = re.compile(rb"\d+ 0 obj\s*<<[^>]*?/Length (\d+)[^>]*>>\s*stream\r?\n")
"""Metadata are never compressed in PDF/A (ISO 19005-3, 6.6.2.1)."""
_ENTRY: Final = 20
"""Bytes of an entry of the cross-reference table (ISO 32000-1, 7.5.4)."""


def said_to_be_facturx(pdf: bytes) -> bytes:
    """The file with the Factur-X properties and their schema in its metadata (XMP).

    The metadata are one plain stream near the end; the objects after it move by what is added, and
    the table of objects is told so. Far cheaper than to read and write the whole file again.
    """
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split(maxsplit=1)[0])
    table = _found(_TABLE.match(pdf, start))
    root = _found(_REFERENCE.match(pdf, pdf.rindex(b"/Metadata ")))
    at = _offset(pdf, table.end(), int(root[1]))
    head = _found(_PLAIN_STREAM.match(pdf, at))
    after = head.end() + int(head[1])
    body = pdf[head.end() : after]
    if body.count(_BAG) != 1 or body.count(_END) != 1:
        raise ValueError("the metadata of the page are not as typst writes them")
    body = body.replace(_BAG, _BAG + _SCHEMA).replace(_END, _SAID)
    stream = head[0].replace(b"/Length " + head[1], b"/Length %d" % len(body)) + body
    moved = len(stream) - (after - at)
    entries = bytearray(pdf[table.end() : table.end() + _ENTRY * int(table[1])])
    for place in range(0, len(entries), _ENTRY):
        offset = int(entries[place : place + 10])
        if offset > at and entries[place + 17 : place + 18] == b"n":
            entries[place : place + 10] = b"%010d" % (offset + moved)
    rest = pdf[table.end() + len(entries) :]
    rest = re.sub(rb"startxref\s+\d+", b"startxref\n%d" % (start + moved), rest)
    return b"".join((pdf[:at], stream, pdf[after : table.end()], entries, rest))


def _found(match: re.Match[bytes] | None) -> re.Match[bytes]:
    if match is None:
        raise ValueError("the page is not laid out as typst writes it: a plain table of objects")
    return match


def _offset(pdf: bytes, table: int, number: int) -> int:
    place = table + _ENTRY * number
    return int(pdf[place : place + 10])
