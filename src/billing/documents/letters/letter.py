"""A letter: who writes to whom, of what, in blocks the page lays out one under the other."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from billing.events.party import Identity

Kind = Literal[
    "renewal",
    "reminder",
    "formal-notice",
    "suspension",
    "pre-notification",
    "schedule",
    "index-substitution",
    "settlement",
    "amendment",
]
Row = tuple[str, ...]


class Text(Struct, frozen=True, tag="text"):
    """A paragraph."""

    text: str


class Boxed(Struct, frozen=True, tag="boxed"):
    """A sentence nobody may miss (encadré)."""

    text: str


class Heading(Struct, frozen=True, tag="heading"):
    """The title of a part."""

    text: str


class Quote(Struct, frozen=True, tag="quote"):
    """The contract's own words, and where they stand."""

    words: str
    source: str


class Points(Struct, frozen=True, tag="points"):
    """Things told one after another."""

    points: tuple[str, ...]


class Pairs(Struct, frozen=True, tag="pairs"):
    """Labels and their values."""

    pairs: tuple[tuple[str, str], ...]


class Table(Struct, frozen=True, tag="table"):
    """Rows under their heads; those of `right` are amounts. The last of `foot` is the total."""

    heads: Row
    rows: tuple[Row, ...]
    right: int = 0
    foot: tuple[tuple[str, str], ...] = ()


class Small(Struct, frozen=True, tag="small"):
    """What the law has it say, in smaller letters."""

    text: str


class Signatures(Struct, frozen=True, tag="signatures"):
    """Where the parties sign: what stands above each place."""

    places: tuple[str, ...]


Block = Text | Boxed | Heading | Quote | Points | Pairs | Table | Small | Signatures


class Letter(Struct, frozen=True, kw_only=True):
    """All that is printed; `references` head it, `sending` is how it goes out."""

    kind: Kind
    language: str
    dated: date
    title: str
    supplier: Identity
    client: Identity
    sending: str
    references: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    courteous: bool = True
