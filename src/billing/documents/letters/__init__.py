"""Letters: what the house tells a client in words, made from the events that ask for it.

facts ─▶ check.refuse ─▶ letter_of ─▶ page.pdf_of (PDF/A-2, French, or English for who reads it)
"""

from __future__ import annotations

from typing import Any

from billing.documents.facturx.brand import PLAIN, Brand
from billing.documents.letters.changes import amendment, renewal, substitution
from billing.documents.letters.check import refuse, refuse_texts
from billing.documents.letters.debits import prenotification
from billing.documents.letters.ends import settlement
from billing.documents.letters.facts import (
    Amended,
    Facts,
    FormalNotice,
    Prenotified,
    Reminder,
    Renewal,
    Settlement,
    Substitution,
    Suspension,
)
from billing.documents.letters.late import formal_notice, reminder, suspension
from billing.documents.letters.letter import Kind, Letter
from billing.documents.letters.page import images_of, pdf_of

_WRITE = {
    Renewal: renewal,
    Reminder: reminder,
    FormalNotice: formal_notice,
    Suspension: suspension,
    Prenotified: prenotification,
    Substitution: substitution,
    Settlement: settlement,
    Amended: amendment,
}


def letter_of(facts: Facts) -> Letter:
    """The letter these facts make; Refused when they do not make one."""
    refuse(facts.head)
    write: Any = _WRITE[type(facts)]
    letter: Letter = write(facts)
    refuse_texts(facts.head, letter)
    return letter


def printed(facts: Facts, brand: Brand = PLAIN) -> bytes:
    """The finished file; the same facts and brand give the same bytes."""
    return pdf_of(letter_of(facts), brand)


__all__ = ["Facts", "Kind", "Letter", "images_of", "letter_of", "pdf_of", "printed"]
