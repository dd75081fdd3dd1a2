"""A file of the bank that was imported: its digest, and the accounts it told of."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from billing.events.payment import BankFileImported


class Imported(Struct, frozen=True, array_like=True, gc=False):
    """An account that a file told of; the last one, where it told of several."""

    digest: str
    version: int
    schema: str
    identification: str
    supplier: str
    account: str
    entries: int
    matched: int
    name: str
    imported_on: date


def apply(_: Imported | None, event: BankFileImported) -> Imported:
    """The file after one more account of it was recorded."""
    return Imported(
        event.digest,
        event.originator_version,
        event.schema,
        event.identification,
        event.supplier,
        event.account,
        event.entries,
        event.matched,
        event.name,
        event.recorded_at.date(),
    )
