"""What an amendment changes, parameter by parameter, in words (clauses modifiées)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from billing.clauses import Terms
from billing.documents.facturx.words import Both
from billing.documents.letters.words import Letterwords

TEXTS: Final = Path(__file__).with_name("clauses.toml")

_NOTHING: Final = ((None, False), (False, None))
_Values = dict[str, tuple[str, str]]


class Parameter(Struct, frozen=True):
    """How a parameter is called and its value written; `key` names the elements of a list."""

    said: tuple[str, str]
    unit: str = ""
    key: str = ""
    values: _Values = {}


class Texts(Struct, frozen=True):
    """All of the file."""

    clauses: dict[str, tuple[str, str]]
    parameters: dict[str, Parameter]
    values: _Values


class Change(NamedTuple):
    """A parameter that changed: its clause, what it is, before and after."""

    clause: str
    what: str
    before: str
    after: str


@lru_cache(maxsize=1)
def texts() -> Texts:
    """How clauses and parameters are called."""
    return msgspec.toml.decode(TEXTS.read_bytes(), type=Texts)


def changes(
    before: Terms, after: Terms, say: Letterwords, names: Mapping[str, Both]
) -> Iterator[Change]:
    """The parameters that differ, in the order of the clauses; `names` are those of the indices."""
    for clause in before.__struct_fields__:
        old, new = getattr(before, clause), getattr(after, clause)
        if old == new:
            continue
        told = _Told(say, names, _either(texts().clauses[clause], say))
        yield from told.differences(clause, old, new, "")


def _either(said: tuple[str, str], say: Letterwords) -> str:
    return said[1] if say.language == "en" else said[0]


class _Told:
    """One clause, being compared."""

    def __init__(self, say: Letterwords, names: Mapping[str, Both], clause: str) -> None:
        self.say = say
        self.names = names
        self.clause = clause

    def differences(self, path: str, old: Any, new: Any, of: str) -> Iterator[Change]:
        """What differs at a place; `of` names the element of a list it lies in."""
        if old == new:
            return
        parameter = texts().parameters.get(path)
        if parameter is not None and parameter.key:
            before, after = _by(old or (), parameter.key), _by(new or (), parameter.key)
            for key in dict.fromkeys((*before, *after)):
                named = _either(parameter.said, self.say).format(of=self.word(key[0], parameter))
                yield from self.differences(f"{path}.", before.get(key), after.get(key), named)
        elif isinstance(old, Struct) or isinstance(new, Struct):
            fields = (old if isinstance(old, Struct) else new).__struct_fields__
            stem = path.rstrip(".")
            for field in fields:
                was, now = getattr(old, field, None), getattr(new, field, None)
                told_by_name = of and field == texts().parameters[stem].key
                if not told_by_name and (was, now) not in _NOTHING:
                    yield from self.differences(f"{stem}.{field}", was, now, of)
        else:
            assert parameter is not None, f"clauses.toml does not name {path}"
            what = _either(parameter.said, self.say)
            told = f"{of} – {what}" if of else what
            was, now = self.value(old, parameter), self.value(new, parameter)
            if was != now:
                yield Change(self.clause, told[:1].upper() + told[1:], was, now)

    def value(self, value: Any, parameter: Parameter) -> str:
        """A value in words."""
        say = self.say
        if value is None or value == "" or value == ():
            return "–"
        if isinstance(value, tuple):
            return ", ".join(self.value(one, parameter) for one in value)
        if isinstance(value, bool):
            return self.word("yes" if value else "no", parameter)
        if isinstance(value, str):
            if parameter.unit == "series":
                return self.series(value)
            return self.word(value, parameter)
        if str(value) in parameter.values:
            return self.word(str(value), parameter)
        return _numbered(value, parameter.unit, say)

    def series(self, series: str) -> str:
        """An index or a rate by its name."""
        known = self.names.get(series)
        return say if known and (say := self.say.choose(known)) else series

    def word(self, word: str, parameter: Parameter) -> str:
        """A word of the clauses; a text of the contract's own stays as it is."""
        if word in ("yes", "no") and word not in parameter.values:
            return self.say(word)
        if parameter.key == "series":
            return self.series(word)
        said = parameter.values.get(word) or texts().values.get(word)
        return _either(said, self.say) if said else word


def _by(elements: tuple[Any, ...], key: str) -> dict[tuple[str, int], Any]:
    """The elements of a list by their name, and their rank among those of that name."""
    found: dict[tuple[str, int], Any] = {}
    for element in elements:
        name, rank = getattr(element, key), 0
        while (name, rank) in found:
            rank += 1
        found[name, rank] = element
    return found


def _numbered(value: int | Decimal, unit: str, say: Letterwords) -> str:
    number = Decimal(value)
    if unit == "months":
        return say("months_one") if value == 1 else say("months_many", months=value)
    if unit == "days":
        return say.lasting(int(value))
    if unit == "percent":
        return say.percent(number)
    if unit in ("euros", "price"):
        return say.price(number)
    if unit == "month_name":
        return say.month(date(2000, int(value), 1))
    if unit == "day_of_month":
        return say.ordinal(int(value))
    told = say.number(number)
    return f"{told} points" if unit == "points" else told


__all__ = ["Change", "changes", "texts"]
