"""What the law has an invoice say, in force on its day (mentions légales).

The texts are dated data (`mentions.toml`): a reference that changes is a row there, never code.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from billing.documents.facturx.facts import Facts, Late
from billing.documents.facturx.words import Both, Words, words
from billing.events.invoice import DebitNoteIssued

TEXTS: Final = Path(__file__).with_name("mentions.toml")

# Subjects of a note (UNTDID 4451), as the French rules ask for them (BR-FR-05).
Subject = Literal["AAB", "PMD", "PMT", "AAI", "REG", "BAR"]


class Mention(Struct, frozen=True, rename={"starts_on": "from"}):
    """One text, from its day on; `law` and `seen` say what it rests on and how sure we are."""

    name: str
    starts_on: date
    law: str
    seen: Literal["found", "recalled"]
    fr: str
    en: str


class Note(Struct, frozen=True, gc=False):
    """A mention of a document: its subject code and its text."""

    subject: Subject
    text: str


class _File(Struct, frozen=True):
    mention: tuple[Mention, ...]


@lru_cache(maxsize=2)
def texts(path: Path = TEXTS) -> dict[str, tuple[Mention, ...]]:
    """All of a file by name, the latest first."""
    found: dict[str, list[Mention]] = {}
    for one in msgspec.toml.decode(path.read_bytes(), type=_File).mention:
        found.setdefault(one.name, []).append(one)
    return {
        name: tuple(sorted(some, key=lambda one: one.starts_on, reverse=True))
        for name, some in found.items()
    }


def in_force(name: str, day: date) -> Both:
    """The text of that name on a day; the oldest known before it had any."""
    dated = texts()[name]
    one = next((mention for mention in dated if mention.starts_on <= day), dated[-1])
    return Both(one.fr, one.en)


def mentions(facts: Facts) -> tuple[Note, ...]:
    """What the document says below its amounts, each with its subject."""
    document, say = facts.document, words(facts.client.language)
    day = document.issued_on

    def text(name: str, **values: str) -> str:
        return say.choose(in_force(name, day)).format(**values)

    rate = late_rate(facts.late, say, day)
    protected = facts.late.category in ("consumer", "non_professional")
    fee = facts.late.clause.recovery_fee
    notes = [
        Note("PMD", text("late_consumer" if protected else "late", rate=rate)),
        Note("PMT", text("fee_none") if protected or not fee else text("fee", fee=say.money(fee))),
        Note("AAB", text("no_discount")),
    ]
    if isinstance(document, DebitNoteIssued):
        return tuple(notes)
    categories = {total.category for total in document.vat}
    if facts.supplier.vat_on_debits and "S" in categories:
        notes.append(Note("AAI", text("on_debits")))
    if "AE" in categories:
        notes.append(Note("AAI", text("reverse_charge")))
    return tuple(notes)


def late_rate(late: Late, say: Words, day: date) -> str:
    """The yearly rate of late interest in words: what the contract says, else the law."""

    def text(name: str) -> str:
        return say.choose(in_force(name, day))

    clause = late.clause
    if late.category in ("consumer", "non_professional"):
        return text("rate_legal")
    if late.category == "public":
        return text("rate_public")
    if clause.series is None:
        return text("rate_statutory")
    agreed = _rate_name(late, say, day)
    if clause.times != 1:
        agreed = say("times_rate", times=say.number(clause.times), rate=agreed)
    if clause.points:
        agreed = say("plus_points", rate=agreed, points=say.number(clause.points))
    if clause.below_floor == "raise":
        return agreed + text("rate_floor")
    return agreed + (text("rate_or_statutory") if clause.below_floor == "statutory" else "")


def _rate_name(late: Late, say: Words, day: date) -> str:
    """How the law calls the published rate; else its name in the catalogue."""
    if late.series in texts():
        return say.choose(in_force(late.series, day))
    return say.choose(late.series_name) or late.clause.series or ""
