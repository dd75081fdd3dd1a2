"""Refusals: what the contract, the law or the record does not allow, or a file one cannot take."""

from __future__ import annotations

from msgspec import Struct


class Refused(Exception):
    """The contract does not allow it. The sentence names the contract, the clause, the values."""


class FieldError(Struct, frozen=True, kw_only=True):
    """One fault of a file: where it stands, what was written, what was expected."""

    path: str
    expected: str
    line: int = 0
    key: str = ""
    value: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        written = f"{self.key} = {self.value}" if self.value else self.key
        return ": ".join(part for part in (place, written, self.expected) if part)


class BadFile(Exception):
    """A file that cannot be taken, with all its faults at once, in the order of its lines."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors)
        self.errors = sorted(errors, key=lambda error: error.line)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)
