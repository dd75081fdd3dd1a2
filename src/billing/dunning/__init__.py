"""How a house asks for what is late: levels of reminders, and what is charged (relance).

A policy is the house's own and no part of a contract: it gives no right that the contract or the
law does not give. `standard.toml`, beside this file, is the one that ships; a house may bring its
own.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from billing.forms.fields import Checker, shape_of
from billing.forms.toml_text import Lines, text_of, values_of
from billing.refusal import BadFile

STANDARD: Final = Path(__file__).parent / "standard.toml"


class Level(Struct, frozen=True, kw_only=True):
    """A reminder: so many days after the due day, its name in French and in English, its way."""

    days: int
    name: str
    english: str
    sending: Literal["email", "letter", "registered_letter"] = "email"


class Dunning(Struct, frozen=True, kw_only=True):
    """The policy. Levels are counted from 1, amounts are in euros.

    formal_notice: the level that is the formal notice (mise en demeure); 0 for none.
    charge_from: interest and the fee are charged once that level was sent; 0 at once.
    days_between_debit_notes: on one invoice, while it is unpaid; what is paid is charged at once.
    credit_note: whether a credit note makes less late from its own day or from the due day.
    """

    name: str
    levels: tuple[Level, ...]
    about: str = ""
    minimum_owed: Decimal = Decimal("0.00")
    days_between: int = 8
    formal_notice: int = 0
    charge_from: int = 0
    minimum_charge: Decimal = Decimal("0.00")
    days_between_debit_notes: int = 0
    debit_note_days: int = 15
    credit_note: Literal["own_day", "due_day"] = "own_day"

    def level(self, rank: int) -> Level:
        """The level of that rank, from 1."""
        return self.levels[rank - 1]


def read_policy(path: Path | str) -> Dunning:
    """The policy of a file; BadFile tells all its faults, each with its line."""
    path = Path(path)
    return policy_from_text(text_of(path), str(path))


@lru_cache(maxsize=1)
def standard() -> Dunning:
    """The policy that ships."""
    return read_policy(STANDARD)


def policy_from_text(text: str, path: str = "the policy's text") -> Dunning:
    """The policy a TOML text says."""
    checker = Checker(path, Lines(text))
    values = checker.check(shape_of(Dunning), values_of(text, path), ())
    policy = None if checker.errors else checker.build(Dunning, values, ())
    if policy is not None:
        _look_at(checker, policy)
    if policy is None or checker.errors:
        raise BadFile(checker.errors)
    return policy


def _look_at(checker: Checker, policy: Dunning) -> None:
    """What no field says alone: the order of the levels, the ranks, whole cents."""
    known = len(policy.levels)
    if not known:
        checker.fault(("levels",), "at least one [[levels]] was expected")
    before = 0
    for place, level in enumerate(policy.levels):
        if level.days <= before:
            told = f"more than {before} days were expected: levels come one after another"
            checker.fault(("levels", place, "days"), told, level.days)
        before = level.days
    for name, rank in (
        ("formal_notice", policy.formal_notice),
        ("charge_from", policy.charge_from),
    ):
        if rank > known:
            told = f"a level from 1 to {known} was expected, or 0"
            checker.fault((name,), told, rank)
    for name, amount in (
        ("minimum_owed", policy.minimum_owed),
        ("minimum_charge", policy.minimum_charge),
    ):
        if amount != round(amount, 2):
            checker.fault((name,), "an amount in whole cents was expected", f"{amount}")


__all__ = ["Dunning", "Level", "policy_from_text", "read_policy", "standard"]
