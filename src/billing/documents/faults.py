"""What keeps a document from being printed, told of its event and its parties, a sentence each.

Asked twice: before its number is taken, and again when it is printed. Nothing here is slow to
import or to ask, as a month asks of each of its invoices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from billing.clauses.vat import VatTotal
from billing.events.invoice import (
    CreditNoteIssued,
    DebitLine,
    DebitNoteIssued,
    InvoiceIssued,
    Line,
)
from billing.events.party import Address, Identity
from billing.forms import identifiers
from billing.money import CENT, ZERO

Document = InvoiceIssued | CreditNoteIssued | DebitNoteIssued

FONTS: Final = Path(__file__).parent / "facturx" / "fonts"

FRENCH_RULES_FROM: Final = date(2026, 9, 1)
"""From that day an invoice between French companies names the client's SIREN, and BR-FR hold."""

NUMBER: Final = re.compile(r"[A-Za-z0-9+\-_/]{1,35}")
NUMBERS: Final = "a number of at most 35 letters, digits, + - _ / was expected"
LONGEST: Final = "2026-1000000"
"""What follows a supplier's prefix, at its longest: the year and the rank."""

TAXED: Final = ("S",)
NEEDS_REASON: Final = ("E", "AE", "O", "G", "K")
NEEDS_VAT_NUMBER: Final = ("S", "AE", "Z", "G", "K")
ZERO_RATED: Final = ("E", "AE", "O", "G", "K", "Z")


def categories_of(document: Document) -> tuple[str, ...]:
    """Its VAT categories; a debit note is outside VAT."""
    if isinstance(document, DebitNoteIssued):
        return ("O",)
    return tuple(dict.fromkeys(total.category for total in document.vat))


# Parties


def supplier_faults(party: Identity, categories: Iterable[str] = TAXED) -> Iterator[str]:
    """What the supplier lacks to issue documents of these VAT categories."""
    who = f"supplier {party.code}"
    yield from _party(party, who)
    if not _prefixed(party):
        yield f"{who}: invoice_prefix {party.invoice_prefix!r}; {NUMBERS} (BR-FR-01, BR-FR-02)"
    if not party.siren:
        yield f"{who} has no SIREN; an invoice names the supplier's (C. com. R123-237)"
    needing = [category for category in categories if category in NEEDS_VAT_NUMBER]
    if needing and not party.vat_number:
        yield f"{who} has no VAT number; VAT category {needing[0]} asks for it (BR-S-02)"


def client_faults(
    party: Identity, categories: Iterable[str], category: str, issued_on: date
) -> Iterator[str]:
    """What the client lacks to receive documents of these VAT categories, issued that day."""
    who = f"client {party.code}"
    yield from _party(party, who)
    french = party.address is None or party.address.country == "FR"
    if (
        not party.siren
        and french
        and category in ("professional", "public")
        and issued_on >= FRENCH_RULES_FROM
    ):
        yield (
            f"{who} has no SIREN; an invoice to a French company names it from "
            f"{FRENCH_RULES_FROM} (CGI ann. II 242 nonies A)"
        )
    needing = [one for one in categories if one in ("AE", "K")]
    if needing and not party.vat_number:
        yield f"{who} has no VAT number; VAT category {needing[0]} asks for it (BR-AE-02)"


_KEYS: Final[dict[str, Callable[[str], str]]] = {
    "siren": identifiers.siren,
    "siret": identifiers.siret,
    "vat_number": identifiers.vat_number,
}


def plain(party: Identity) -> bool:
    """Whether it is a French company that lacks nothing on any side of any document.

    As most are, and found ten times as fast as that nothing is wrong.
    """
    siren, where = party.siren, party.address
    return (
        where is not None
        and where.country == "FR"
        and where.city.strip() != ""
        and party.name.strip() != ""
        and not party.siret
        and (not party.invoice_prefix or _prefixed(party))
        and identifiers.is_siren(siren)
        and party.vat_number == identifiers.french_vat_number(siren)
        and not _no_glyph().search(_written(party, where))
    )


def _party(party: Identity, who: str) -> Iterator[str]:
    if not party.name.strip():
        yield f"{who} has no name"
    if party.address is None:
        yield f"{who} has no address; an invoice bears it (CGI ann. II 242 nonies A, 1°)"
    elif not (party.address.city.strip() and re.fullmatch("[A-Z]{2}", party.address.country)):
        told = f"{party.address.city!r}, {party.address.country!r}"
        yield f"{who}: address without its city or its country ({told})"
    for field, key in _KEYS.items():
        value = getattr(party, field)
        if not value:
            continue
        try:
            key(value)
        except ValueError as wrong:
            yield f"{who}: {field} {value!r}: {wrong}"
    if party.siret and party.siren and party.siret[:9] != party.siren:
        yield f"{who}: SIRET {party.siret} is not of SIREN {party.siren}"
    if party.siren and party.vat_number.startswith("FR") and party.vat_number[4:] != party.siren:
        yield f"{who}: VAT number {party.vat_number} is not of SIREN {party.siren}"


# Texts


def text_faults(document: Document, site: str = "") -> Iterator[str]:
    """The first character of each text of the document that cannot be printed."""
    lines: tuple[Line | DebitLine, ...] = document.lines
    texts = [document.contract, site, *[line.label for line in lines]]
    order = reason = ""
    if not isinstance(document, DebitNoteIssued):
        order = document.purchase_order
        reason = document.reason if isinstance(document, CreditNoteIssued) else ""
        texts += [order, reason, *[line.note for line in document.lines]]
    if not _no_glyph().search("".join(texts)):
        return  # One look is enough for nearly all.
    yield from unprintable(document.contract, "contract")
    yield from unprintable(site, "site")
    yield from unprintable(order, "purchase order")
    yield from unprintable(reason, "reason")
    for place, line in enumerate(lines, 1):
        yield from unprintable(f"{line.label} {getattr(line, 'note', '')}", f"line {place}")


def unprintable_party(party: Identity, who: str) -> Iterator[str]:
    """What of a party's name and address has no glyph in the fonts that ship."""
    yield from unprintable(party.name, f"{who}, name")
    where = party.address
    if where is not None:
        told = "\u0020".join((*where.lines, where.postcode, where.city))
        yield from unprintable(told, f"{who}, address")


def _prefixed(party: Identity) -> bool:
    return NUMBER.fullmatch(f"{party.invoice_prefix}{LONGEST}") is not None


def _written(party: Identity, where: Address) -> str:
    return "".join((party.name, *where.lines, where.postcode, where.city))


def unprintable(text: str, what: str) -> Iterator[str]:
    """Why a text cannot be printed: its first character no font that ships has."""
    found = _no_glyph().search(text)
    if found is not None:
        yield (
            f"{what}: {found[0]!r} (U+{ord(found[0]):04X}) in {text!r} cannot be printed; "
            "Latin, Greek, Cyrillic, Arabic or Hebrew script was expected"
        )


@cache
def _no_glyph() -> re.Pattern[str]:
    """A character the fonts lack; those they have are in `fonts/coverage.txt`."""
    lines = (FONTS / "coverage.txt").read_text("ascii").splitlines()
    ranges = [line.split("-") for line in lines if line and not line.startswith("#")]
    covered = "".join(rf"\U{one[0]:>08}-\U{one[-1]:>08}" for one in ranges)
    return re.compile(f"[^{covered}]")


# Amounts


def total_faults(document: Document) -> Iterator[str]:
    """No line, a total below zero, a rate that is not its category's, one of 0 without reason."""
    if not document.lines:
        yield "it has no line"
    if document.gross < 0:
        yield f"its total is {document.gross} €; below zero a credit note was expected"
    if not isinstance(document, DebitNoteIssued):
        for one in document.vat:
            if one.category != "S" or one.rate <= 0:
                yield from _vat(one)


def sum_faults(document: Document) -> Iterator[str]:
    """Sums that are not the lines'."""
    if isinstance(document, DebitNoteIssued):
        total = sum((line.amount for line in document.lines), ZERO)
        if total != document.gross:
            yield f"its lines sum to {total} € and its total is {document.gross} €"
        return
    net = sum((line.net for line in document.lines), ZERO)
    if net != document.net:
        yield f"its lines sum to {net} € and its net is {document.net} €"
    tax = sum((total.tax for total in document.vat), ZERO)
    if tax != document.tax:
        yield f"its VAT sums to {tax} € and is told as {document.tax} €"
    if document.net + document.tax != document.gross:
        yield f"net {document.net} + VAT {document.tax} is not its gross {document.gross} €"
    bases: dict[tuple[str, Decimal], Decimal] = {}
    for line in document.lines:
        key = (line.vat_category, line.vat_rate)
        bases[key] = bases.get(key, ZERO) + line.net
    told = {(total.category, total.rate): total.base for total in document.vat}
    if {k: base for k, base in bases.items() if base} != {k: b for k, b in told.items() if b}:
        yield f"its VAT is on {_rates(told)}, and its lines come to {_rates(bases)}"
    for one in document.vat:
        exact = one.base * one.rate / 100
        if abs(one.tax - exact) > CENT:
            rate = f"VAT category {one.category} at {one.rate} %"
            yield f"{rate}: {one.tax} € of VAT on {one.base} €, which gives {exact} €"


def _rates(bases: dict[tuple[str, Decimal], Decimal]) -> str:
    return ", ".join(f"{base} € at {key[0]} {key[1]} %" for key, base in bases.items())


def _vat(total: VatTotal) -> Iterator[str]:
    told = f"VAT category {total.category} at {total.rate} %"
    if total.category in TAXED and total.rate <= 0:
        yield f"{told}; a rate above zero, or another category with its reason, was expected"
    elif total.category in ZERO_RATED and total.rate:
        yield f"{told}; a rate of 0 was expected"
    elif total.category not in (*TAXED, *ZERO_RATED):
        yield f"{told}; one of S, Z, E, AE, G, K, O was expected"
    elif total.category in NEEDS_REASON and not total.reason.strip():
        yield f"{told} has no reason; the law it rests on was expected (BR-{total.category}-10)"
