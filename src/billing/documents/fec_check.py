"""A file of accounting entries read again by itself (FEC, LPF A47 A-1): what would be refused.

It knows the law's columns, not how the file was written: names, order, days of the year, balance
of each entry, unbroken numbers, SIREN. Read a row at a time; what it keeps is accounts and clients.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from billing.dates import DAY, add_months
from billing.forms import identifiers
from billing.refusal import FieldError

NAMES: Final = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib",
    "CompAuxNum", "CompAuxLib", "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit",
    "EcritureLet", "DateLet", "ValidDate", "Montantdevise", "Idevise",
)  # fmt: skip
REQUIRED: Final = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib",
    "PieceRef", "PieceDate", "EcritureLib", "ValidDate",
)  # fmt: skip
DAYS: Final = ("EcritureDate", "PieceDate", "DateLet", "ValidDate")
FAULTS: Final = 200
"""How many faults are named; the rest are counted."""

_NAME: Final = re.compile(r"([0-9]{9})FEC([0-9]{8})\.txt")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}(,[0-9]{1,2})?")
_ACCOUNT: Final = re.compile(r"[1-9][0-9]{2}[0-9A-Za-z]*")


class Checked(Struct):
    """What the file holds, and what is wrong with it; amounts in whole cents."""

    path: str
    siren: str = ""
    start: date | None = None
    end: date | None = None
    encoding: str = ""
    separator: str = ""
    rows: int = 0
    entries: int = 0
    debit: int = 0
    credit: int = 0
    faults: list[FieldError] = []
    more: int = 0

    def fault(self, line: int, key: str, value: str, expected: str) -> None:
        """One more thing wrong."""
        if len(self.faults) >= FAULTS:
            self.more += 1
            return
        shown = value if len(value) <= 60 else f"{value[:60]}…"
        self.faults.append(
            FieldError(path=self.path, line=line, key=key, value=shown, expected=expected)
        )


def check(path: Path, start: date | None = None) -> Checked:
    """Reads a file to its end; the year is the twelve months its name closes, or from `start`."""
    found = Checked(str(path))
    _named(found, path.name, start)
    try:
        encoding = _encoding(path)
    except OSError as error:
        found.fault(0, "", "", f"the file cannot be read: {error.strerror}")
        return found
    found.encoding = encoding
    with path.open(encoding=encoding, newline="") as file:
        lines = _lines(file)
        header = next(lines, "")
        if not _columns(found, header):
            return found
        _Reading(found).read(lines)
    if found.debit != found.credit:
        told = f"debits of {_euros(found.debit)} and credits of {_euros(found.credit)} that agree"
        found.fault(0, "", "", f"{told} were expected")
    if not found.rows:
        found.fault(2, "", "", "at least one entry was expected")
    return found


def _named(found: Checked, name: str, start: date | None) -> None:
    told = _NAME.fullmatch(name)
    if told is None:
        found.fault(0, "file name", name, "SirenFECAAAAMMJJ.txt was expected")
        return
    found.siren, found.end = told[1], _day(told[2])
    try:
        identifiers.siren(told[1])
    except ValueError as error:
        found.fault(0, "file name", told[1], str(error))
    if found.end is None:
        found.fault(0, "file name", told[2], "the day the year closes, AAAAMMJJ, was expected")
        return
    found.start = start or add_months(found.end + DAY, -12)
    if found.start > found.end:
        found.fault(0, "file name", told[2], f"a day after {found.start} was expected")


def _encoding(path: Path) -> str:
    """UTF-8 when all of it is, else ISO 8859-15, which any bytes are."""
    decode = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(1 << 20):
                decode.decode(block)
            decode.decode(b"", final=True)
        except UnicodeDecodeError:
            return "iso8859-15"
    return "utf-8"


def _lines(file: Iterator[str]) -> Iterator[str]:
    """The records: a line of a file ends in CR, LF or both; an end of file is no record."""
    for line in file:
        yield line.rstrip("\r\n")


def _columns(found: Checked, header: str) -> bool:
    separators = [one for one in "\t|" if one in header]
    if len(separators) != 1:
        found.fault(1, "columns", header, "columns between tabs, or between |, were expected")
        return False
    found.separator = separators[0]
    columns = header.removeprefix("\ufeff").split(separators[0])
    if header.startswith("\ufeff"):
        found.fault(1, "", "", "the file begins with a byte order mark; JournalCode was expected")
    for place, (expected, written) in enumerate(zip(NAMES, columns, strict=False), 1):
        if written != expected:
            found.fault(1, f"column {place}", written, f"{expected} was expected")
    if len(columns) != len(NAMES):
        found.fault(1, "", "", f"{len(NAMES)} columns were expected, there are {len(columns)}")
    return tuple(columns) == NAMES


class _Reading:
    """The rows, one after another."""

    def __init__(self, found: Checked) -> None:
        self.found = found
        self.number = 0
        self.opened = 0  # The line its entry began on.
        self.head: tuple[str, ...] = ()
        self.balance = 0
        self.validated = ""
        self.labels: dict[tuple[str, str], str] = {}

    def read(self, lines: Iterator[str]) -> None:
        for line, text in enumerate(lines, 2):
            fields = text.split(self.found.separator)
            if len(fields) != len(NAMES):
                told = f"{len(NAMES)} fields were expected, there are {len(fields)}"
                self.found.fault(line, "fields", text, told)
                continue
            self.found.rows += 1
            self._row(line, dict(zip(NAMES, fields, strict=True)))
        self._close()

    def _row(self, line: int, row: dict[str, str]) -> None:
        fault = self.found.fault
        for name in REQUIRED:
            if not row[name].strip():
                fault(line, name, "", "it is missing")
        for name in DAYS:
            if row[name] and _day(row[name]) is None:
                fault(line, name, row[name], "a day written AAAAMMJJ was expected")
        self._entry(line, row)
        self._within(line, row)
        debit, credit = self._amount(line, row, "Debit"), self._amount(line, row, "Credit")
        if bool(debit) == bool(credit):
            told = f"{row['Debit']} / {row['Credit']}"
            fault(line, "Debit / Credit", told, "one of the two was expected, and the other 0,00")
        self.balance += debit - credit
        self.found.debit += debit
        self.found.credit += credit
        if not _ACCOUNT.fullmatch(row["CompteNum"]):
            told = "an account was expected: at least three digits, from class 1 to 9"
            fault(line, "CompteNum", row["CompteNum"], told)
        self._one_label(line, row, "JournalCode", "JournalLib")
        self._one_label(line, row, "CompteNum", "CompteLib")
        self._one_label(line, row, "CompAuxNum", "CompAuxLib")
        for one, other in (("CompAuxNum", "CompAuxLib"), ("EcritureLet", "DateLet"),
                           ("Montantdevise", "Idevise")):  # fmt: skip
            if bool(row[one]) != bool(row[other]):
                fault(line, one, row[one], f"{one} and {other} go together")

    def _entry(self, line: int, row: dict[str, str]) -> None:
        """Numbers without a hole; one journal, day and validation an entry; in their order."""
        head = tuple(row[name] for name in ("JournalCode", "EcritureDate", "ValidDate"))
        written = row["EcritureNum"]
        if not re.fullmatch("[0-9]+", written):
            if written:
                self.found.fault(line, "EcritureNum", written, "a whole number was expected")
            return
        if int(written) == self.number and self.opened:
            if head != self.head:
                told = f"as on line {self.opened}, {' '.join(self.head)}, was expected: one entry"
                self.found.fault(line, "EcritureNum", " ".join(head), told)
            return
        self._close()
        if int(written) != self.number + 1:
            told = f"{self.number + 1} was expected: the numbers of entries are unbroken"
            self.found.fault(line, "EcritureNum", written, told)
        self.number, self.opened, self.head = int(written), line, head
        self.found.entries += 1
        if row["ValidDate"] < self.validated:
            told = f"no day before {self.validated} was expected: entries follow their validation"
            self.found.fault(line, "ValidDate", row["ValidDate"], told)
        self.validated = max(self.validated, row["ValidDate"])

    def _close(self) -> None:
        if self.balance:
            told = "debits and credits that agree were expected; they differ by "
            self.found.fault(
                self.opened, "EcritureNum", str(self.number), told + _euros(self.balance)
            )
        self.balance = 0

    def _within(self, line: int, row: dict[str, str]) -> None:
        start, end, on = self.found.start, self.found.end, _day(row["EcritureDate"])
        if on is not None and start is not None and end is not None and not start <= on <= end:
            told = f"a day from {start} to {end} was expected"
            self.found.fault(line, "EcritureDate", row["EcritureDate"], told)
        if row["ValidDate"] and row["ValidDate"] < row["EcritureDate"]:
            told = f"no day before its EcritureDate, {row['EcritureDate']}, was expected"
            self.found.fault(line, "ValidDate", row["ValidDate"], told)

    def _amount(self, line: int, row: dict[str, str], name: str) -> int:
        """Whole cents."""
        written = row[name].strip()
        if not _AMOUNT.fullmatch(written):
            told = "an amount with a comma was expected, such as 1200,00"
            self.found.fault(line, name, row[name], told)
            return 0
        whole, _, cents = written.partition(",")
        sign = -1 if whole.startswith("-") else 1
        return sign * (abs(int(whole)) * 100 + int(cents.ljust(2, "0")))

    def _one_label(self, line: int, row: dict[str, str], code: str, label: str) -> None:
        if row[code]:
            known = self.labels.setdefault((code, row[code]), row[label])
            if known != row[label]:
                told = f'{row[code]} is called "{known}" before; one label was expected'
                self.found.fault(line, label, row[label], told)


@lru_cache(maxsize=4096)
def _day(text: str) -> date | None:
    if not re.fullmatch("[0-9]{8}", text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 (a day has no zone)
    except ValueError:
        return None


def _euros(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100},{abs(cents) % 100:02} €"
