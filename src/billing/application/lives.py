"""Life files: dated actions in TOML, carried out in the order of their days (`billing play`).

    title = "Two years of IM-2023-0042"

    [[actions]]
    on = 2024-03-10
    do = "add-equipment"
    contract = "IM-2023-0042"
    item = { code = "PC-12", label = "Poste", unit_price = "45.00", per = "month" }

`on` is the day the action is recorded: the clock is set to it, and every day the action leaves out
is that one. Paths are relative to the life file. The file is read whole or refused whole, with
every fault at its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from os.path import normpath
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from billing.application.actions import (
    Action,
    BankImport,
    Chase,
    IndexImport,
    Sign,
    Told,
    actions_schema,
    checked_action,
)
from billing.application.core import PARIS, Billing
from billing.forms import BadFile, read_contract
from billing.forms.fields import MISSING, Checker, shape_of, suggestion
from billing.forms.toml_text import Lines, text_of, values_of
from billing.refusal import Refused


class Dated(NamedTuple):
    """An action of a life file: its day, its line, its rank in the file (from 1)."""

    on: date
    line: int
    rank: int
    action: Action


class Life(NamedTuple):
    """A life file that was read without a fault, its actions by day."""

    path: str
    title: str
    actions: tuple[Dated, ...]


class Played(NamedTuple):
    """An action carried out, and what it recorded."""

    dated: Dated
    told: Told


class Stopped(Refused):
    """An action of a life file was refused; the ones before it stay recorded."""


class _Day(Struct, frozen=True, kw_only=True):
    on: date


_WHOLE = {"title": "a text", "about": "a text", "actions": "[[actions]] tables"}


def read_life(path: Path | str, folders: Iterable[Path | str] = ()) -> Life:
    """The actions of a life file by day, those of a day in the order of the file.

    `folders` hold the house's own forms. Raises BadFile with every fault.
    """
    path = Path(path)
    return life_from_text(text_of(path), str(path), folders=folders)


def life_from_text(text: str, path: str = "life", *, folders: Iterable[Path | str] = ()) -> Life:
    """The same from the text of a file."""
    values, lines = values_of(text, path), Lines(text)
    checker = Checker(path, lines)
    for name in values:
        if name not in _WHOLE:
            checker.fault((name,), f'unknown key "{name}"; {suggestion(name, _WHOLE)}')
    listed = values.get("actions")
    if not isinstance(listed, list) or not listed:
        checker.fault(("actions",), "at least one [[actions]] was expected", at=())
        listed = []
    found = []
    for place, entry in enumerate(listed):
        if not isinstance(entry, dict):
            checker.fault(("actions", place), "a table was expected", entry)
            continue
        dated = _dated(checker, entry, place, lines)
        if dated is not None:
            action = _located(dated.action, Path(path), folders)
            found.append(dated._replace(action=action))
            _look_inside(checker, action)
    if checker.errors:
        raise BadFile(checker.errors)
    found.sort(key=lambda one: (one.on, one.rank))
    return Life(path, str(values.get("title", "")), tuple(found))


def _dated(checker: Checker, entry: dict[str, Any], place: int, lines: Lines) -> Dated | None:
    key = ("actions", place)
    day = {"on": entry["on"]} if "on" in entry else {}
    said = checker.check(shape_of(_Day), day, key)
    action = checked_action(checker, entry, key, besides=("on",))
    if action is None or said is MISSING or "on" not in said:
        return None
    return Dated(said["on"], lines[key], place + 1, action)


def _located(action: Action, life: Path, folders: Iterable[Path | str]) -> Action:
    """The action with its path found from the life file, and the house's forms."""
    if isinstance(action, Sign):
        house = {Path(folder).resolve(): str(folder) for folder in folders}
        for folder in action.folders:
            house.setdefault((life.parent / folder).resolve(), normpath(life.parent / folder))
        path = normpath(life.parent / action.path) if action.path else ""
        return replace(action, path=path, folders=tuple(house.values()))
    if isinstance(action, IndexImport | BankImport) or (isinstance(action, Chase) and action.path):
        return replace(action, path=normpath(life.parent / action.path))
    return action


def _look_inside(checker: Checker, action: Action) -> None:
    """The contract file an action signs must be as sound as the life file."""
    if isinstance(action, Sign) and action.path:
        try:
            read_contract(action.path, folders=action.folders)
        except BadFile as bad:
            checker.errors += bad.errors


def play(app: Billing, life: Life, until: date | None = None) -> Iterator[Played]:
    """Carries out the actions up to a day, each on its day; yields each once it is recorded.

    Stops at the first that is refused and says which: what came before it stays.
    """
    clock = app.clock
    try:
        for dated in due(life, until):
            moment = datetime.combine(dated.on, time(9), PARIS).astimezone(UTC)
            app.clock = lambda moment=moment: moment  # type: ignore[misc]
            yield Played(dated, _performed(app, life, dated))
    finally:
        app.clock = clock


def due(life: Life, until: date | None) -> Sequence[Dated]:
    """The actions up to a day, that day included."""
    return [one for one in life.actions if until is None or one.on <= until]


def _performed(app: Billing, life: Life, dated: Dated) -> Told:
    action = dated.action
    try:
        return action.told(app)
    except Refused as refused:
        do = action.__struct_config__.tag
        raise Stopped(
            f"{life.path}:{dated.line}: action {dated.rank}, {do} on {dated.on}: {refused}"
        ) from refused


def life_schema() -> dict[str, Any]:
    """The JSON Schema of a life file."""
    action = actions_schema(
        {"on": {"type": "string", "format": "date", "description": "The day it is recorded."}}
    )
    return {
        "$schema": action.pop("$schema"),
        "title": "Life",
        "description": "Dated actions, carried out in the order of their days.",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "about": {"type": "string"},
            "actions": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/Action"},
            },
        },
        "required": ["actions"],
        "additionalProperties": False,
        "$defs": {**action.pop("$defs"), "Action": action},
    }
