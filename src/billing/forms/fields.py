"""What a file may say, taken from the types of the engine: the check and the JSON Schema.

Both walk the same msgspec structs, so a parameter added to a clause is at once accepted,
checked and described. Amounts are strings ("120.00") or whole numbers, never TOML's binary
120.0; `false` says "none" where a parameter may be without a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import inspect as types

from billing.forms.identifiers import CHECKS, PATTERNS
from billing.forms.toml_text import Key, Lines, NotExact, named, written
from billing.refusal import FieldError

S = TypeVar("S")

MISSING: Final = object()
"""No value: it was refused, and the refusal is noted."""

MERGED_BY: Final = {
    "meters": "code",
    "clocks": "name",
    "grounds": "cause",
    "rates": "code",
    "tasks": "code",
    "vat": "code",
    "catalogue": "code",
}
"""Lists of which an override names one entry by its code; any other list is replaced whole."""

PARTIAL: Final = frozenset(("terms", "supplier", "client"))
"""Tables that complete another one: what they leave out is written there."""


def shape_of(cls: Any) -> types.Type:
    """The fields of a struct and their types, worked out once."""
    return _shape_of(cls)


_shape_of = cache(types.type_info)


class Limits(NamedTuple):
    """The least and the most a number may be, and how many decimals it may have."""

    least: int
    most: int
    decimals: int = 6


WHOLE: Final = Limits(0, 1200)
AMOUNT: Final = Limits(0, 10**12)
SIGNED_AMOUNT: Final = Limits(-(10**12), 10**12)
CENTS: Final = Limits(0, 10**12, 2)
PERCENT: Final = Limits(0, 100)
SHARE: Final = Limits(0, 1)

LIMITS: Final = {
    "month": Limits(1, 12),
    "year": Limits(2000, 2100),
    "debit_day": Limits(1, 31),
    "then_on_day": Limits(1, 31),
    "every_months": Limits(1, 600),
    "term_months": Limits(1, 600),
    "terms_allowed": Limits(1, 600),
    "decimals": Limits(0, 10),
    "deposit": CENTS,
    "recovery_fee": CENTS,
    "entry_fee": CENTS,
    "list_price": CENTS,
    "discount": PERCENT,
    "retention_percent": PERCENT,
    "rate": PERCENT,
    "share": SHARE,
    "weight": SHARE,
    "fixed": SHARE,
    "cap_percent": SIGNED_AMOUNT,
    "floor_percent": SIGNED_AMOUNT,
    "lead_days_core": Limits(0, 14),
    "lead_days_b2b": Limits(0, 14),
    "max_per_batch": Limits(1, 10**6),
    "max_per_file": Limits(1, 10**6),
    "name_length": Limits(20, 70),
}
"""By the name of the field; any other whole number has WHOLE, any other decimal AMOUNT."""

SIGNED: Final = frozenset((("ItemEntry", "unit_price"), ("CatalogueEntry", "unit_price")))
"""A rebate billed once is the one price below nothing; the file's reader looks further."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any], table: str = "") -> dict[str, Any]:
    """The base with what the other one says instead, table by table.

    `table` is their name: a form writes the list of a clause as the `terms` of the clause.
    """
    result = dict(base)
    for name, value in over.items():
        known = result.get(name)
        by = MERGED_BY.get(table if name == "terms" else name)
        if isinstance(known, dict) and isinstance(value, dict):
            result[name] = merged(known, value, name)
        elif by and isinstance(known, list | tuple) and isinstance(value, list):
            result[name] = _merged_entries(known, value, by)
        else:
            result[name] = value
    return result


def _merged_entries(known: Iterable[Any], over: list[Any], by: str) -> list[Any]:
    entries = {entry[by]: entry for entry in known}
    for entry in over:
        entries[entry[by]] = merged(entries.get(entry[by], {}), entry)
    return list(entries.values())


def suggestion(word: str, known: Iterable[str]) -> str:
    """A "did you mean" for a word that is not among the known ones, else what they are."""
    names = {name.lower(): name for name in sorted(known)}
    if close := get_close_matches(word.lower(), names, n=1, cutoff=0.6):
        return f'did you mean "{names[close[0]]}"?'
    return f"expected {', '.join(names.values())}" if names else "nothing was expected here"


class Checker:
    """Checks values against types and notes all the faults, each with its line.

    `partial` tables may leave out anything but the code by which an entry is merged.
    """

    def __init__(self, path: str = "", lines: Lines | None = None) -> None:
        self.path = path
        self.lines = lines or Lines()
        self.errors: list[FieldError] = []

    def fault(self, key: Key, expected: str, value: Any = MISSING, at: Key | None = None) -> None:
        """Notes a fault; `at` is where it is seen when the key itself is absent."""
        self.errors.append(
            FieldError(
                path=self.path,
                line=self.lines[at if at is not None else key],
                key=named(key),
                value="" if value is MISSING else written(value),
                expected=expected,
            )
        )

    def absent(self, key: Key) -> bool:
        """Whether a value that is not there was never written, rather than written and refused."""
        return all(error.key != named(key) for error in self.errors)

    def check(self, kind: types.Type, value: Any, key: Key, *, partial: bool = False) -> Any:
        """The value as the type wants it, or MISSING when it was refused."""
        return self._value(kind, value, key, owner="", partial=partial)

    def build(self, cls: type[S], value: dict[str, Any], key: Key, said: Any = MISSING) -> S | None:
        """The struct the values make; none, with the faults noted, when something is missing.

        `said` is what the file says of them when they are put together from elsewhere too: a
        fault is then shown where the file speaks of it.
        """
        missing = list(_missing(shape_of(cls), value, key))
        for one in missing:
            place = one if said is MISSING else _as_said(one, key, value, said)
            if self.absent(place):
                self.fault(place, "it is missing", at=place[:-1])
        return None if missing else msgspec.convert(value, cls)

    def _value(self, kind: types.Type, value: Any, key: Key, *, owner: str, partial: bool) -> Any:
        name = next((part for part in reversed(key) if isinstance(part, str)), "")
        if isinstance(kind, types.UnionType):
            if value is False or value is None:
                return None
            kind = _some(kind)
        if isinstance(kind, types.AnyType):
            return value
        if isinstance(kind, types.StructType):
            return self._struct(kind, value, key, partial=partial or name in PARTIAL)
        if isinstance(kind, types.DictType):
            return self._dict(kind, value, key, partial=partial)
        if isinstance(kind, types.VarTupleType):
            return self._list(kind, value, key, owner=owner, partial=partial)
        try:
            return _scalar(kind, value, name, limits_of(owner, name, kind))
        except ValueError as error:
            self.fault(key, str(error), value)
            return MISSING

    def _struct(self, kind: types.StructType, value: Any, key: Key, *, partial: bool) -> Any:
        if not isinstance(value, dict):
            self.fault(key, "a table was expected", value)
            return MISSING
        fields = {field.encode_name: field for field in kind.fields}
        result = {}
        for name, one in value.items():
            if name not in fields:
                told = f'unknown key "{name}"; {suggestion(name, list(fields))}'
                self.fault((*key, name), told)
            else:
                checked = self._value(
                    fields[name].type, one, (*key, name), owner=kind.cls.__name__, partial=partial
                )
                if checked is not MISSING:
                    result[name] = checked
        by = MERGED_BY.get(_list_of(key)) if key and isinstance(key[-1], int) else None
        for name, field in fields.items():
            if field.required and name not in value and (not partial or name == by):
                self.fault((*key, name), "it is missing", at=key)
        return result if not by or by in result else MISSING

    def _dict(self, kind: types.DictType, value: Any, key: Key, *, partial: bool) -> Any:
        if not isinstance(value, dict):
            self.fault(key, "a table was expected", value)
            return MISSING
        checked = {
            name: self._value(kind.value_type, one, (*key, name), owner="", partial=partial)
            for name, one in value.items()
        }
        return {name: one for name, one in checked.items() if one is not MISSING}

    def _list(
        self, kind: types.VarTupleType, value: Any, key: Key, *, owner: str, partial: bool
    ) -> Any:
        if not isinstance(value, list | tuple):
            tables = isinstance(kind.item_type, types.StructType)
            self.fault(key, f"{'[[…]] tables were' if tables else 'a list was'} expected", value)
            return MISSING
        checked = [
            self._value(kind.item_type, one, (*key, place), owner=owner, partial=partial)
            for place, one in enumerate(value)
        ]
        return [one for one in checked if one is not MISSING]


def _list_of(key: Key) -> str:
    """The name of the list a key is in; a form writes it as the `terms` of its clause."""
    names = [part for part in key if isinstance(part, str)]
    return names[-2] if names[-1] == "terms" and len(names) > 1 else names[-1]


def _missing(kind: types.Type, value: Any, key: Key) -> Iterator[Key]:
    """What is required and absent."""
    kind = _some(kind)
    if isinstance(kind, types.StructType) and isinstance(value, dict):
        for field in kind.fields:
            if field.encode_name in value:
                yield from _missing(field.type, value[field.encode_name], (*key, field.encode_name))
            elif field.required:
                yield (*key, field.encode_name)
    elif isinstance(kind, types.VarTupleType) and isinstance(value, list):
        for place, one in enumerate(value):
            yield from _missing(kind.item_type, one, (*key, place))


def _as_said(key: Key, root: Key, whole: Any, said: Any) -> Key:
    """The key in the file of what has that key once the lists are merged."""
    result = list(root)
    for part in key[len(root) :]:
        entry: Any = whole.get(part) if isinstance(whole, dict) else whole[part]
        by = MERGED_BY.get(str(result[-1])) if isinstance(part, int) else None
        if by and isinstance(said, list):
            part = next((i for i, one in enumerate(said) if one[by] == entry[by]), part)
        result.append(part)
        whole = entry
        if isinstance(said, list):
            said = said[part] if isinstance(part, int) and part < len(said) else None
        else:
            said = said.get(part) if isinstance(said, dict) else None
    return tuple(result)


def limits_of(owner: str, name: str, kind: types.Type) -> Limits:
    """Between what a number of that name may be."""
    if (owner, name) in SIGNED:
        return SIGNED_AMOUNT
    return LIMITS.get(name, WHOLE if isinstance(kind, types.IntType) else AMOUNT)


def _some(kind: types.Type) -> types.Type:
    """The type without its "or none"."""
    if not isinstance(kind, types.UnionType):
        return kind
    (some,) = (one for one in kind.types if not isinstance(one, types.NoneType))
    return some


def _scalar(kind: types.Type, value: Any, name: str, limits: Limits) -> Any:
    """One value, or ValueError with what was expected."""
    if isinstance(kind, types.DecimalType):
        return _decimal(value, limits)
    if isinstance(kind, types.IntType):
        if type(value) is not int:
            raise ValueError("a whole number was expected, without quotes")
        return _within(value, limits)
    if isinstance(kind, types.BoolType):
        if type(value) is not bool:
            raise ValueError("true or false was expected")
        return value
    if isinstance(kind, types.DateType):
        return _date(value)
    if isinstance(kind, types.LiteralType):
        if type(value) not in (str, int) or value not in kind.values:
            choices = [str(choice) for choice in kind.values]
            raise ValueError(suggestion(str(value), choices))
        return value
    assert isinstance(kind, types.StrType), f"no check is written for {kind}"
    if type(value) is not str:
        raise ValueError("a text in quotes was expected")
    if not value.strip():
        if value or name in ("code", "label", "name", "number", "form"):
            raise ValueError("it is empty")
        return value
    return CHECKS[name](value) if name in CHECKS else value


def _decimal(value: Any, limits: Limits) -> Decimal:
    if isinstance(value, Decimal):
        return _within(value, limits)
    if type(value) is int:
        return Decimal(_within(value, limits))
    if isinstance(value, NotExact):
        raise ValueError(f'a number with a point goes in quotes, so that it is exact: "{value}"')
    if type(value) is not str:
        raise ValueError('an amount in quotes was expected, such as "120.00"')
    if re.fullmatch(r"[-+]?[0-9\s]+,[0-9]+\s*€?", value):
        exact = re.sub(r"[\s€]", "", value).replace(",", ".")
        raise ValueError(f'decimals follow a point: "{exact}"')
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]+)?", value):
        raise ValueError('an amount was expected, digits and a point only, such as "120.00"')
    decimals = len(value.partition(".")[2])
    if decimals > limits.decimals:
        raise ValueError(f"{decimals} decimals, at most {limits.decimals} were expected")
    return _within(Decimal(value), limits)


N = TypeVar("N", int, Decimal)


def _within(value: N, limits: Limits) -> N:
    if value < limits.least:
        told = "a negative number" if value < 0 else f"{value}"
        raise ValueError(f"{told}, at least {limits.least} was expected")
    if value > limits.most:
        raise ValueError(f"at most {limits.most} was expected")
    return value


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        raise ValueError("a day was expected, without the time of day")
    if type(value) is str and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise ValueError("there is no such day") from None
    if type(value) is not date:
        raise ValueError("a date was expected, such as 2024-01-31")
    if not 1950 <= value.year < 2150:
        raise ValueError("a year from 1950 to 2149 was expected")
    return value


def schema_of(cls: type, *, title: str, about: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what the checker takes for that struct."""
    definitions: dict[str, Any] = {}
    root = _schema(shape_of(cls), "", "", definitions, partial=False)
    body = definitions.pop(root["$ref"].rpartition("/")[2])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **body,
        "description": about,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(
    kind: types.Type, owner: str, name: str, definitions: dict[str, Any], *, partial: bool
) -> dict[str, Any]:
    if isinstance(kind, types.UnionType):
        some = _schema(_some(kind), owner, name, definitions, partial=partial)
        return {"anyOf": [some, {"const": False, "description": "none"}]}
    if isinstance(kind, types.AnyType):
        return {}
    if isinstance(kind, types.StructType):
        return _struct_schema(kind, definitions, partial=partial or name in PARTIAL, listed=name)
    if isinstance(kind, types.DictType):
        inner = _schema(kind.value_type, "", "", definitions, partial=partial)
        return {"type": "object", "additionalProperties": inner}
    if isinstance(kind, types.VarTupleType):
        listed = owner.removesuffix("Clause").lower() if name == "terms" else name
        items = _schema(
            kind.item_type, owner, listed, definitions, partial=partial or name in PARTIAL
        )
        return {"type": "array", "items": items}
    return _scalar_schema(kind, name, limits_of(owner, name, kind))


def _struct_schema(
    kind: types.StructType, definitions: dict[str, Any], *, partial: bool, listed: str
) -> dict[str, Any]:
    name = f"{kind.cls.__name__}{'Override' if partial else ''}"
    if name not in definitions:
        definitions[name] = {}
        properties = {
            field.encode_name: _schema(
                field.type, kind.cls.__name__, field.encode_name, definitions, partial=partial
            )
            for field in kind.fields
        }
        by = MERGED_BY.get(listed)
        required = [
            field.encode_name
            for field in kind.fields
            if field.required and (not partial or field.encode_name == by)
        ]
        definitions[name] = {
            "type": "object",
            "description": (kind.cls.__doc__ or name).strip(),
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _scalar_schema(kind: types.Type, name: str, limits: Limits) -> dict[str, Any]:
    if isinstance(kind, types.DecimalType):
        return {
            "anyOf": [
                {"type": "string", "pattern": _amount_pattern(limits)},
                {"type": "integer", "minimum": limits.least, "maximum": limits.most},
            ]
        }
    if isinstance(kind, types.IntType):
        return {"type": "integer", "minimum": limits.least, "maximum": limits.most}
    if isinstance(kind, types.BoolType):
        return {"type": "boolean"}
    if isinstance(kind, types.DateType):
        return {"type": "string", "format": "date", "pattern": DAY_PATTERN}
    if isinstance(kind, types.LiteralType):
        return {"enum": list(kind.values)}
    assert isinstance(kind, types.StrType), f"no schema is written for {kind}"
    if name in PATTERNS:
        return {"type": "string", "pattern": f"{PATTERNS[name]}|^$"}
    if name in ("code", "label", "name", "number", "form"):
        return {"type": "string", "pattern": r"\S"}
    return {"type": "string"}


DAY_PATTERN: Final = "^(19[5-9][0-9]|20[0-9]{2}|21[0-4][0-9])-[0-9]{2}-[0-9]{2}$"


def _amount_pattern(limits: Limits) -> str:
    decimals = rf"(\.[0-9]{{1,{limits.decimals}}})?"
    zeros = rf"(\.0{{1,{limits.decimals}}})?"
    if limits.most == 1:
        return f"^(0{{0,11}}1{zeros}|0{{1,12}}{decimals})$"
    if limits.most == 100:
        return f"^(0{{0,9}}100{zeros}|0{{0,10}}[0-9]{{1,2}}{decimals})$"
    return f"^{'-?' if limits.least < 0 else ''}[0-9]{{1,12}}{decimals}$"
