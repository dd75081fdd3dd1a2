"""Direct debits as a file for the bank (remise de prélèvements SEPA): ISO 20022 pain.008.

The same collections give the same bytes, the amounts written from whole cents. A file is checked
before it is written (`orders`), written beside its place, read again from the disk (`reread`) by
the official schema and against what was asked, and only then given its name: whole, once, or not
at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Any

from lxml import etree
from msgspec import Struct

from billing.documents.orders import Batch, Direct, Message, cents_of, fault, refuse
from billing.documents.pieces import (
    BATCH,
    COLLECTION,
    HEADER,
    Template,
    batch_values,
    collection_values,
    header_values,
)
from billing.documents.profile import Profile, load_profile
from billing.documents.reread import Debit, Digested, Disagreement, debits
from billing.refusal import Refused

__all__ = [
    "Batch",
    "Direct",
    "Message",
    "Profile",
    "Written",
    "fault",
    "load_profile",
    "write",
]


class Written(Struct, frozen=True):
    """A file handed over: the SHA-256 of its bytes, how many collections, their sum in euros."""

    digest: str
    count: int
    total: Decimal


def write(path: Path | str, message: Message, profile: Profile | None = None) -> Written:
    """Writes the file, or raises Refused and leaves nothing behind; no file is ever overwritten."""
    path, profile = Path(path), profile or Profile()
    if path.exists():
        raise _exists(path)
    refuse(message, profile)
    try:
        handle, temporary = mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w+b") as file:
            sums = [
                [cents_of(one.amount) for one in batch.collections] for batch in message.batches
            ]
            _write(file, message, sums, profile)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            digest = _reread(file, message, sums, profile)
        _publish(temporary, path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
    cents = sum(map(sum, sums))
    return Written(digest, sum(map(len, sums)), Decimal(cents).scaleb(-2))


def _reread(file: IO[bytes], message: Message, sums: list[list[int]], profile: Profile) -> str:
    """The digest of a file that is valid and holds what was asked, one collection after another."""
    asked = (
        Debit(batch.id, one.end_to_end, one.mandate, one.iban, cents)
        for batch, amounts in zip(message.batches, sums, strict=True)
        for one, cents in zip(batch.collections, amounts, strict=True)
    )
    digested = Digested(file)
    try:
        for wanted, found in zip_longest(asked, debits(digested, profile.schema)):
            if wanted != found:
                raise Disagreement(f"{wanted} was asked and {found} written")
    except Disagreement as error:
        raise Refused(
            f"file {message.id}: what was written is not what was asked, so that nothing is "
            f"handed over: {error}"
        ) from error
    return digested.digest()


def _publish(temporary: str, path: Path) -> None:
    """Gives the file its name, which the file system does at once, and only if it is free."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(path) from None
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(path: Path) -> Refused:
    return Refused(f"{path} is there already: a file for the bank is never overwritten")


def _write(file: IO[bytes], message: Message, sums: list[list[int]], profile: Profile) -> None:
    """The bytes of the file, a collection at a time; `sums` are the amounts in whole cents."""
    schema = profile.schema
    header, head, line = (Template(text, schema) for text in (HEADER, BATCH, COLLECTION))
    totals = [sum(amounts) for amounts in sums]
    space = f"urn:iso:std:iso:20022:tech:xsd:{schema}"
    with etree.xmlfile(file, encoding="UTF-8") as xml:
        xml.write_declaration()
        with _element(xml, f"{{{space}}}Document", "\n", nsmap={None: space}):
            xml.write("\n  ")
            with _element(xml, f"{{{space}}}CstmrDrctDbtInitn", "\n  "):
                # The pieces bear no namespace: written here, they are in the Document's.
                xml.write("\n    ", header.filled(header_values(message, sum(totals), profile)))
                for batch, total, amounts in zip(message.batches, totals, sums, strict=True):
                    xml.write("\n    ")
                    with _element(xml, "PmtInf", "\n    "):
                        for element in head.filled(batch_values(batch, total, profile)):
                            xml.write("\n      ", element, with_tail=False)
                        for collection, cents in zip(batch.collections, amounts, strict=True):
                            values = collection_values(collection, cents, profile)
                            xml.write("\n      ", line.filled(values))
    file.write(b"\n")


@contextmanager
def _element(xml: Any, tag: str, before_end: str, **declared: Any) -> Iterator[None]:
    with xml.element(tag, **declared):
        yield
        xml.write(before_end)
