"""What a question says in its query string: each parameter named, read and told of when wrong.

A parameter nobody knows is refused with those there are: a filter misspelt must not answer with
everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.requests import Request

from projections.api.positions import HEADER
from projections.api.problems import Fault, faulty

PARIS: Final = ZoneInfo("Europe/Paris")
LAST: Final = 2**62
_MOST_DIGITS: Final = 19


class Wrong(ValueError):
    """A value that cannot be taken; says what was expected."""


def as_day(value: str) -> date:
    """A day written YYYY-MM-DD. Raises Wrong."""
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.isoformat() != value or not 1900 <= found.year < 2200:
        raise Wrong("a day written YYYY-MM-DD was expected")
    return found


def as_moment(value: str) -> datetime:
    """The last moment meant: a moment with its offset, or the end of a day in Paris."""
    if len(value) == len("2026-03-31"):
        after = datetime.combine(as_day(value) + timedelta(days=1), time(), PARIS)
        return after.astimezone(UTC) - timedelta(microseconds=1)
    try:
        # In a query string a + that was not written %2B is a space.
        found = datetime.fromisoformat(value.replace(" ", "+"))
        if found.tzinfo is not None and 1900 <= found.year < 2200:
            return found.astimezone(UTC)
    except ValueError:
        pass
    raise Wrong("a day YYYY-MM-DD or a moment YYYY-MM-DDTHH:MM:SS+02:00 was expected")


def _month(value: str) -> date:
    try:
        return as_day(f"{value}-01")
    except Wrong:
        raise Wrong("a month written YYYY-MM was expected") from None


def _text(value: str) -> str:
    if not value or "\0" in value or len(value) > 200:
        raise Wrong("a text of 1 to 200 characters was expected")
    return value


def _yes(value: str) -> bool:
    if value not in ("true", "false"):
        raise Wrong("true or false was expected")
    return value == "true"


class Parameter(NamedTuple):
    """A parameter of a question: how it is read, and what the documentation says of it."""

    name: str
    says: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any]

    def documented(self) -> dict[str, Any]:
        """As OpenAPI tells it."""
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.says,
            "schema": dict(self.schema),
        }


def text(name: str, says: str, **schema: Any) -> Parameter:
    """A code, a number, a name."""
    return Parameter(name, says, _text, {"type": "string", "minLength": 1, **schema})


def choice(name: str, says: str, among: Sequence[str], default: str = "") -> Parameter:
    """One of a few words."""
    schema: dict[str, Any] = {"type": "string", "enum": list(among)}
    if default:
        schema["default"] = default

    def read(value: str) -> str:
        if value not in among:
            raise Wrong(f"one of {', '.join(among)} was expected")
        return value

    return Parameter(name, says, read, schema)


def day(name: str, says: str) -> Parameter:
    """A civil date."""
    return Parameter(name, says, as_day, {"type": "string", "format": "date"})


def month(name: str, says: str) -> Parameter:
    """A month; read as its first day."""
    return Parameter(name, says, _month, {"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])$"})


def yes(name: str, says: str) -> Parameter:
    """Yes or no."""
    return Parameter(name, says, _yes, {"type": "boolean"})


def whole(name: str, says: str, least: int = 0, most: int = LAST, **schema: Any) -> Parameter:
    """A whole number."""

    def read(value: str) -> int:
        found = int(value) if value.isascii() and value.isdigit() else -1
        if len(value) > _MOST_DIGITS or not least <= found <= most:
            raise Wrong(f"a whole number from {least} to {most} was expected")
        return found

    schema = {"type": "integer", "minimum": least, "maximum": most, **schema}
    return Parameter(name, says, read, schema)


def names(name: str, says: str, there: Iterable[str]) -> Parameter:
    """Names with commas between them, of those there are."""
    known = tuple(there)

    def read(value: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(value.split(",")))
        if unknown := [one for one in found if one not in known]:
            raise Wrong(f"there is no field {unknown[0]!r}; there are {', '.join(known)}")
        return found

    schema = {"type": "string", "examples": [",".join(known[:3])]}
    return Parameter(name, says, read, schema)


AT_LEAST: Final = whole(
    "at_least",
    "Wait until the answer knows of this position of the log, as a command told it (read your own"
    " writes); the header Billing-Position says the same",
)
AS_OF: Final = day("as_of", "How things stand at the end of this day; today when not said")
KNOWN_AT: Final = Parameter(
    "known_at",
    "What had been recorded by then: a day (to its end, in Paris) or a moment with its offset."
    " Everything when not said",
    as_moment,
    {"type": "string", "examples": ["2026-03-31", "2026-03-31T18:00:00+02:00"]},
)


class Asked(NamedTuple):
    """What a question said, read."""

    values: Mapping[str, Any]
    at_least: int = 0

    def get(self, name: str, otherwise: Any = None) -> Any:
        """What was said of that name."""
        return self.values.get(name, otherwise)


NOTHING: Final = Asked({})


def asked(request: Request, known: Mapping[str, Parameter]) -> Asked:
    """What a request says. Raises a Problem that names each parameter that cannot be taken."""
    said = request.scope["query_string"]
    position = request.headers.get(HEADER)
    if not said and position is None:
        return NOTHING
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in parse_qsl(said.decode("latin-1"), keep_blank_values=True):
        parameter = known.get(name)
        if parameter is None:
            there = ", ".join(known) or "none"
            faults.append(Fault(name, value, f"there is no such parameter; there are {there}"))
        elif name in values:
            faults.append(Fault(name, value, "it was given twice"))
        else:
            values[name] = None
            try:
                values[name] = parameter.read(value)
            except Wrong as error:
                faults.append(Fault(name, value, str(error)))
    least = values.get("at_least") or 0
    if position is not None and "at_least" in known:
        try:
            least = max(least, AT_LEAST.read(position))
        except Wrong as error:
            faults.append(Fault("header Billing-Position", None, str(error)))
    if faults:
        raise faulty(*faults)
    return Asked(values, least)
