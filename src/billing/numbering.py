"""Numbering: an unbroken, chronological sequence a company and year (numérotation).

Numbers are taken in the transaction that issues the invoices bearing them: CGI ann. II 242
nonies A asks for a unique number in a continuous chronological sequence.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from billing.events.invoice import InvoiceNumbersTaken


class Numbers(Struct, frozen=True, array_like=True, gc=False):
    """How far the sequence of one company and year has gone."""

    supplier: str
    year: int
    last: int
    last_issued_on: date
    version: int


def apply(_: Numbers | None, event: InvoiceNumbersTaken) -> Numbers:
    """The sequence after a block was taken."""
    return Numbers(
        event.supplier, event.year, event.last, event.last_issued_on, event.originator_version
    )


def name(supplier: str, year: int) -> str:
    """The name of the sequence of that company and year."""
    return f"{supplier}/{year}"


def number(prefix: str, year: int, rank: int) -> str:
    """The number as it is printed: prefix, year, six digits."""
    return f"{prefix}{year}-{rank:06d}"
