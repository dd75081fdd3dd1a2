"""Bank files: bytes → facts. Nothing is decided here; README.md says what is read and refused.

    with read(path) as file:
        file.schema, file.statements      what it is and which accounts it tells of
        for entry in file.entries(): …    its lines, one by one, as many times as one likes

A file is read and checked to its end before `read` returns. Its facts wait in a temporary file
meanwhile, so that memory stays flat and nobody can change them between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from struct import Struct as Packed
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Any

import msgspec

from billing.bank import camt, pain002
from billing.bank.facts import (
    NOT_PROVIDED,
    Balance,
    Batch,
    Entry,
    Family,
    Statement,
    Status,
    Transaction,
)
from billing.bank.xml import Document

__all__ = [
    "NOT_PROVIDED",
    "Balance",
    "BankFile",
    "Batch",
    "Entry",
    "Family",
    "Statement",
    "Status",
    "Transaction",
    "read",
]

_IN_MEMORY = 1 << 23
_LENGTH = Packed(">I")
_BLOCK = 256  # Facts written and read at once.
_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_statuses = msgspec.msgpack.Decoder(list[Status]).decode


class BankFile:
    """A file of the bank, wholly read and found good.

    `digest` is the SHA-256 of its bytes, `schema` its message (camt.053.001.08), `message` its
    own id, `original` the message a status report answers, `count` its entries or statuses,
    `latest` the last day on which anything was booked, with the entry's rank and line.
    """

    def __init__(self, path: str, facts: IO[bytes]) -> None:
        self.path = path
        self.digest = self.schema = self.message = self.created = self.original = ""
        self.statements: tuple[Statement, ...] = ()
        self.count = 0
        self.latest: tuple[date, int, int] | None = None
        self._facts = facts

    @property
    def family(self) -> Family:
        """camt.053, camt.054 or pain.002."""
        return self.schema[:8]  # type: ignore[return-value]

    def entries(self) -> Iterator[Entry]:
        """The entries of the statements, in the order of the file."""
        assert self.family != "pain.002"
        yield from chain.from_iterable(map(_entries, self._stored()))

    def statuses(self) -> Iterator[Status]:
        """What a status report says: transactions, then the payment information they are of,
        and the message as a whole at the end."""
        assert self.family == "pain.002"
        yield from chain.from_iterable(map(_statuses, self._stored()))

    def _stored(self) -> Iterator[bytes]:
        read, size = self._facts.read, _LENGTH.size
        self._facts.seek(0)
        while head := read(size):
            yield read(_LENGTH.unpack(head)[0])

    def close(self) -> None:
        """Forgets the facts."""
        self._facts.close()

    def __enter__(self) -> BankFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


def read(path: str | Path) -> BankFile:
    """The file, read and checked to its end; raises BadFile with the line and the element."""
    facts: Any = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (the file's to close)
    try:
        return _read(Document(path), facts)
    except BaseException:
        facts.close()
        raise


def _read(document: Document, facts: IO[bytes]) -> BankFile:
    encode, pack = msgspec.msgpack.Encoder().encode, _LENGTH.pack
    block: list[Entry | Status] = []

    def store() -> None:
        body = encode(block)
        facts.write(pack(len(body)) + body)
        block.clear()

    def keep(fact: Entry | Status) -> None:
        block.append(fact)
        if len(block) == _BLOCK or (type(fact) is Entry and not fact.last):
            store()  # A part of a large entry is as much as a block.

    reader: Any = None
    for name, element in document.elements(camt.ELEMENTS | pain002.ELEMENTS):
        if reader is None:
            reader = _reader(document, keep)
        if not name:
            reader.pause(element)
            continue
        if name not in reader.elements:
            raise document.refusal(element, "", f"it has no place in a {document.schema}")
        reader.take(name, element)
    if reader is None:
        reader = _reader(document, keep)
    reader.end()
    store()
    file = BankFile(document.path, facts)
    file.digest, file.schema = document.digest, document.schema
    file.message, file.created = reader.message, reader.created
    if isinstance(reader, camt.Reader):
        file.statements, file.count = tuple(reader.statements), reader.entries
        file.latest = reader.latest
    else:
        file.original, file.count = reader.original, reader.statuses
    return file


def _reader(document: Document, keep: Any) -> camt.Reader | pain002.Reader:
    kind = pain002.Reader if document.schema.startswith("pain") else camt.Reader
    return kind(document, keep)
