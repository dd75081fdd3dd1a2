"""A pain.008 read again from the disk, by itself: it knows the schema, not how it was written.

Validated as it streams, each collection forgotten once it was given; the counts and sums a file
and its batches state are compared with what they hold.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from lxml import etree
from msgspec import Struct

SCHEMAS: Final = Path(__file__).parent / "xsd"
PIECE: Final = 1 << 17
"""Bytes given to the parser at a time."""

_AMOUNT: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,2})?")


class Disagreement(Exception):
    """The file is not valid, or does not hold what it states."""


class Debit(Struct, frozen=True, gc=False):
    """A collection as the file says it, the amount in whole cents."""

    batch: str
    end_to_end: str
    mandate: str
    iban: str
    cents: int


class Sums(Struct):
    """So many collections, and what they come to in whole cents."""

    count: int = 0
    cents: int = 0

    def add(self, count: int, cents: int) -> None:
        """As many more."""
        self.count += count
        self.cents += cents

    def __str__(self) -> str:
        return f"{self.count} collections of {self.cents} cents"


class Digested:
    """A file that is hashed as it is read (SHA-256)."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        """Of all that is left of the file and of what was read."""
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()


@cache
def schema_of(name: str) -> etree.XMLSchema:
    """The official schema of a message, by its name ("pain.008.001.08")."""
    return etree.XMLSchema(etree.parse(SCHEMAS / f"{name}.xsd"))


def debits(file: IO[bytes] | Digested, schema: str) -> Iterator[Debit]:
    """Each collection of the file; raises Disagreement at the first thing that is wrong.

    The parser is fed a piece of the file at a time, and validates it; what is complete is then
    taken out of its tree.
    """
    space = f"urn:iso:std:iso:20022:tech:xsd:{schema}"
    header, batch_tag = f"{{{space}}}GrpHdr", f"{{{space}}}PmtInf"
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=(header, batch_tag),
        # Not with resolve_entities=False: lxml 6 then takes a truncated file for a whole one.
        schema=schema_of(schema),
    )
    stated, held, sums = Sums(), Sums(), Sums()
    batch = None
    try:
        while data := file.read(PIECE):
            parser.feed(data)
            for event, element in parser.read_events():
                if (event, element.tag) == ("end", header):
                    stated = _stated(element, space)
                elif (event, element.tag) == ("start", batch_tag):
                    batch, sums = element, Sums()
                elif batch is not None and element is batch:
                    yield from _taken_out(batch, space, sums)
                    name = batch.findtext(f"{{{space}}}PmtInfId")
                    _agree(f"batch {name}", _stated(batch, space), sums)
                    held.add(sums.count, sums.cents)
                    batch.clear()
                    batch = None
            if batch is not None:
                yield from _taken_out(batch, space, sums, but_last=1)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise Disagreement(str(error)) from None
    _agree("the file", stated, held)


def _taken_out(batch: etree._Element, space: str, sums: Sums, but_last: int = 0) -> Iterator[Debit]:
    """The collections of a batch, which then forgets them; the last one may not be complete."""
    name = batch.findtext(f"{{{space}}}PmtInfId", "")
    held = sum(1 for _ in batch.iterchildren(f"{{{space}}}DrctDbtTxInf"))
    most, first = max(0, held - but_last), len(batch) - held
    columns = [column(batch, most=most) for column in _columns(space)]
    if any(len(column) != most for column in columns):
        raise Disagreement(f"batch {name}: a collection has no id, no mandate or no IBAN")
    for end_to_end, mandate, iban, amount in zip(*columns, strict=True):
        debit = Debit(name, end_to_end, mandate, iban, cents_in(amount))
        sums.add(1, debit.cents)
        yield debit
    del batch[first : first + most]


@cache
def _columns(space: str) -> tuple[Any, ...]:
    """What a batch says of its first collections, a field at a time: twice as fast."""
    return tuple(
        etree.XPath(
            f"x:DrctDbtTxInf[position() <= $most]/{field}/text()",
            namespaces={"x": space},
            smart_strings=False,
        )
        for field in (
            "x:PmtId/x:EndToEndId",
            "x:DrctDbtTx/x:MndtRltdInf/x:MndtId",
            "x:DbtrAcct/x:Id/x:IBAN",
            "x:InstdAmt",
        )
    )


def _stated(element: etree._Element, space: str) -> Sums:
    count, total = (element.findtext(f"{{{space}}}{tag}", "") for tag in ("NbOfTxs", "CtrlSum"))
    return Sums(int(count), cents_in(total))


def _agree(what: str, stated: Sums, held: Sums) -> None:
    if stated != held:
        raise Disagreement(f"{what} states {stated} and holds {held}")


def cents_in(amount: str) -> int:
    """Whole cents of an amount as a file writes it, "12", "12.5" or "12.50"."""
    if not _AMOUNT.fullmatch(amount):
        raise Disagreement(f"{amount!r} is no amount of euros and cents")
    euros, _, decimals = amount.partition(".")
    return int(euros) * 100 + int(decimals.ljust(2, "0"))
