"""The local directory: where companies receive their invoices, from a TOML or a CSV file.

[[addresses]]                     siren,address,platform,valid_from
siren = "732829320"               732829320,732829320_ACHATS,EXEMPLE,2026-09-01
address = "732829320_ACHATS"
valid_from = 2026-09-01
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from billing.events.einvoicing import AddressRecorded
from billing.forms.fields import Checker, shape_of
from billing.forms.toml_text import Lines, text_of, values_of
from billing.refusal import BadFile, FieldError

SCHEME: Final = "0225"
"""The French directory's own addresses: the SIREN, and what follows it after a _."""

_ADDRESS: Final = re.compile(r"[A-Za-z0-9+\-_/]{1,125}")


class Address(Struct, frozen=True, kw_only=True):
    """Where a company receives its invoices; for one of our clients alone when it is told."""

    siren: str
    address: str
    valid_from: date
    scheme: Literal["0225", "0002", "0009"] = "0225"
    platform: str = ""
    client: str = ""


class _File(Struct, frozen=True):
    addresses: tuple[Address, ...]


def read_directory(path: Path) -> tuple[Address, ...]:
    """The addresses of a file. Raises BadFile with every fault, each with its line."""
    text = text_of(path)
    checker = Checker(str(path), Lines(text) if path.suffix == ".toml" else Lines())
    if path.suffix == ".toml":
        said = checker.check(shape_of(_File), values_of(text, str(path)), ())
        rows = [] if checker.errors else said["addresses"]
        lines = {place: ("addresses", place) for place in range(len(rows))}
        found = [msgspec.convert(row, Address) for row in rows]
        for place, one in enumerate(found):
            if told := _wrong(one):
                checker.fault((*lines[place], "address"), told, one.address)
    else:
        found = list(_of_csv(text, str(path), checker))
    if not found and not checker.errors:
        checker.errors.append(FieldError(path=str(path), expected="no address is in the file"))
    if checker.errors:
        raise BadFile(checker.errors)
    return tuple(found)


def _of_csv(text: str, path: str, checker: Checker) -> Iterable[Address]:
    header = text.split("\n", 1)[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    for row in (rows := csv.DictReader(io.StringIO(text), delimiter=separator, restval="")):
        values: dict[str, Any] = {
            str(name).strip(): (value or "").strip() if isinstance(value, str) else value
            for name, value in row.items()
            if value != ""
        }
        one = Checker(path)
        said = one.check(shape_of(Address), values | _day(values.get("valid_from")), ())
        if not one.errors:
            address = msgspec.convert(said, Address)
            if told := _wrong(address):
                one.fault(("address",), told, address.address)
            else:
                yield address
        checker.errors += [msgspec.structs.replace(e, line=rows.line_num) for e in one.errors]


def _day(written: Any) -> dict[str, date]:
    """A day of a CSV, which has no days of its own."""
    try:
        return {"valid_from": date.fromisoformat(written)}
    except (TypeError, ValueError):
        return {}


def _wrong(one: Address) -> str:
    if not _ADDRESS.fullmatch(one.address):
        return "letters, digits and + - _ / were expected, 125 at most"
    if one.scheme == SCHEME and one.address.partition("_")[0] != one.siren:
        return f"an address of {one.siren} was expected: the SIREN, and what follows it after a _"
    return ""


class Directory:
    """The addresses as recorded: the one of a client's own, else its company's, on a day."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[AddressRecorded]] = {}

    def learn(self, event: AddressRecorded) -> None:
        """One more address; told later, it counts before those of the same day."""
        self._known.setdefault((event.siren, event.client), []).append(event)

    def of(self, siren: str, client: str, on: date) -> AddressRecorded | None:
        """Where a client receives its invoices on a day; none when it is in no directory."""
        for code in (client, ""):
            known = [e for e in self._known.get((siren, code), ()) if e.valid_from <= on]
            if known:
                last = max(enumerate(known), key=lambda one: (one[1].valid_from, one[0]))[1]
                if last.address:
                    return last
        return None
