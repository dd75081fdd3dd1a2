"""The file of accounting entries (fichier des écritures comptables, LPF A47 A-1, VII): its rows.

Eighteen columns, amounts with a comma, days as AAAAMMJJ; ISO 8859-15, the alphabet the law names,
or UTF-8. Read again by `fec_check`, which knows nothing of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal
from unicodedata import category, normalize

from billing.documents.chart import Chart
from billing.documents.entries import Entry, Line
from billing.money import ZERO

COLUMNS: Final = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib",
    "CompAuxNum", "CompAuxLib", "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit",
    "EcritureLet", "DateLet", "ValidDate", "Montantdevise", "Idevise",
)  # fmt: skip
END: Final = "\r\n"

Encoding = Literal["iso8859-15", "utf-8"]
Separator = Literal["tab", "pipe"]
SEPARATORS: Final[Mapping[Separator, str]] = {"tab": "\t", "pipe": "|"}

_RANKS: Final = {"sales": "1", "bank": "2", "misc": "3"}
_WRITTEN: Final = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "−": "-"}
)


def file_name(siren: str, closing: date) -> str:
    """The name the law gives it: the SIREN, FEC, the day the year closes."""
    return f"{siren}FEC{closing:%Y%m%d}.txt"


def rank(entry: Entry, line: Line) -> bytes:
    """The place of a line: by the day it was told, its own day, its journal and its piece.

    In the order of validation, so that an entry keeps its number when later ones are told.
    """
    place = written_day(entry.valid_on) + written_day(entry.on) + _RANKS[entry.journal]
    return f"{place}\0{entry.ref}\0{entry.what}\0{line.amount < 0:d}{line.account}".encode()


class Rows:
    """Rows of the file, in the order they are given; labels and names by number and code."""

    def __init__(
        self,
        chart: Chart,
        names: Mapping[str, str],
        encoding: Encoding = "iso8859-15",
        separator: Separator = "tab",
    ) -> None:
        self._journals = {
            "sales": chart.journals.sales,
            "bank": chart.journals.bank,
            "misc": chart.journals.misc,
        }
        self._labels = chart.labels()
        self._names = names
        self._encoding = encoding
        self._alphabet = _Alphabet(encoding)
        self._separator = SEPARATORS[separator]

    def header(self) -> bytes:
        """The names of the columns."""
        return (self._separator.join(COLUMNS) + END).encode("ascii")

    def row(self, number: int, entry: Entry, line: Line) -> bytes:
        """A line of the entry of that number."""
        journal = self._journals[entry.journal]
        fields = (
            journal.code,
            journal.label,
            str(number),
            written_day(entry.on),
            line.account,
            self._labels[line.account],
            line.client,
            self._names.get(line.client, line.client),
            entry.ref,
            written_day(entry.piece_on),
            line.label,
            amount(max(line.amount, ZERO)),
            amount(max(-line.amount, ZERO)),
            line.letter,
            written_day(line.lettered_on) if line.lettered_on else "",
            written_day(entry.valid_on),
            "",
            "",
        )
        text = self._separator.join(self._written(field) for field in fields)
        return (text + END).encode(self._encoding)

    def _written(self, field: str) -> str:
        if field.isascii() and field.isprintable() and "|" not in field:
            return field
        return normalize("NFC", field).translate(self._alphabet).strip()


class _Alphabet(dict[int, str]):
    """What each character becomes in a file of that encoding, worked out when it is first met."""

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, code: int) -> str:
        self[code] = written = self._written(chr(code))
        return written

    def _written(self, one: str) -> str:
        if one == "|" or category(one)[0] in "CZ":
            return " "
        if self._has(one):
            return one
        plain = one.translate(_WRITTEN)
        if plain == one:
            plain = "".join(c for c in normalize("NFKD", one) if category(c) != "Mn")
        return "".join(c if self._has(c) else "?" for c in plain)

    def _has(self, one: str) -> bool:
        try:
            one.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True


@lru_cache(maxsize=4096)
def written_day(day: date) -> str:
    """20261231."""
    return f"{day:%Y%m%d}"


def amount(value: Decimal) -> str:
    """1200,00: a comma, no sign, no thousands."""
    return f"{value:.2f}".replace(".", ",")
