"""A TOML file as a person wrote it: its values, and the line each of them stands on.

`tomllib` gives the values and forgets where they were; a refusal must name the line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from billing.refusal import BadFile, FieldError

Key = tuple[str | int, ...]


class NotExact(str):
    """A TOML number with a point, as written: 120.5 is binary, so it is never an amount."""


def text_of(path: Path) -> str:
    """What the file says, or a sentence on why it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise _bad(path, "there is no such file") from None
    except IsADirectoryError:
        raise _bad(path, "this is a folder, a TOML file was expected") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _bad(path, "the file is not UTF-8: save it again with that encoding", line) from None
    except OSError as error:
        raise _bad(path, f"the file cannot be read: {error.strerror}") from None
    if not text.strip():
        raise _bad(path, "the file is empty")
    return text


def values_of(text: str, path: str) -> dict[str, Any]:
    """The values of a TOML text; a fault of syntax is told with its line."""
    try:
        return tomllib.loads(text, parse_float=NotExact)
    except tomllib.TOMLDecodeError as error:
        told = str(error)
        if found := re.search(r" \(at line (\d+), column (\d+)\)$", told):
            line, told = int(found[1]), f"{told[: found.start()]}, column {found[2]}"
        else:
            line, told = text.count("\n") + 1, told.replace(" (at end of document)", "")
        written = text.splitlines()[line - 1].strip() if line <= len(text.splitlines()) else ""
        where = f" in {written}" if written else " at the end of the file"
        raise BadFile(
            [FieldError(path=path, line=line, expected=f"this is not TOML: {told}{where}")]
        ) from None


def written(value: Any) -> str:
    """A value as it stands in a TOML file."""
    if isinstance(value, NotExact):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return str(value)


def named(key: Key) -> str:
    """A key as a person reads it: items[1].unit_price, counted from 1 as one counts lines."""
    name = ""
    for part in key:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if name else part
    return name


class Lines:
    """On which line each key of a TOML text stands; looked for when it is first asked.

    The text is known to be TOML, so that nothing here refuses anything.
    """

    def __init__(self, text: str = "") -> None:
        self._text, self._at = text.replace("\r\n", "\n"), 0
        self._found: dict[Key, int] = {}
        self._tables: dict[Key, int] = {}

    def __getitem__(self, key: Key) -> int:
        """The line of the key, else of what it should have stood in, else the first."""
        if not self._found:
            table: Key = ()
            for _ in self._statements():
                table = self._header() if self._next("[") else self._pair(table)
        while key and key not in self._found:
            key = key[:-1]
        return self._found.get(key, 1 if self._text else 0)

    def _statements(self) -> Iterator[None]:
        while self._skip(" \t\n"):
            if self._next("#"):
                self._until("\n")
            else:
                yield

    def _header(self) -> Key:
        start, several = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if several else 1
        *above, last = self._name()
        table = (*self._inside((), above), last)
        if several:
            self._tables[table] = self._tables.get(table, 0) + 1
        table = self._current(table)
        self._note(table, start)
        self._until("\n")
        return table

    def _inside(self, table: Key, names: list[str]) -> Key:
        for name in names:
            table = self._current((*table, name))
        return table

    def _current(self, table: Key) -> Key:
        """Of an array of tables, the one being written: its last."""
        return (*table, self._tables[table] - 1) if table in self._tables else table

    def _pair(self, table: Key) -> Key:
        start = self._at
        key = (*table, *self._name())
        self._note(key, start)
        self._at = self._text.index("=", self._at) + 1
        self._value(key)
        return table

    def _value(self, key: Key) -> None:
        self._skip(" \t")
        if self._next("{"):
            self._at += 1
            while self._items() and not self._next("}"):
                self._pair(key)
            self._at += 1
        elif self._next("["):
            self._at += 1
            place = 0
            while self._items() and not self._next("]"):
                self._note((*key, place), self._at)
                self._value((*key, place))
                place += 1
            self._at += 1
        elif self._next('"') or self._next("'"):
            self._string()
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}\n#":
                self._at += 1

    def _items(self) -> bool:
        while self._skip(" \t\n,") and self._next("#"):
            self._until("\n")
        return self._at < len(self._text)

    def _name(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip(" \t")
            start = self._at
            if self._next('"') or self._next("'"):
                self._string()
                names.append(self._text[start + 1 : self._at - 1])
            else:
                while re.match(r"[\w-]", self._text[self._at]):
                    self._at += 1
                names.append(self._text[start : self._at])
            self._skip(" \t")
            if not self._next("."):
                return names
            self._at += 1

    def _string(self) -> None:
        quote = self._text[self._at]
        quotes = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(quotes)
        while not self._text.startswith(quotes, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(quotes)
        while len(quotes) == 3 and self._next(quote):  # """"quoted"""" ends with its own quote
            self._at += 1

    def _next(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    def _skip(self, characters: str) -> bool:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1
        return self._at < len(self._text)

    def _until(self, character: str) -> None:
        end = self._text.find(character, self._at)
        self._at = len(self._text) if end < 0 else end

    def _note(self, key: Key, at: int) -> None:
        line = self._text.count("\n", 0, at) + 1
        for length in range(1, len(key) + 1):
            self._found.setdefault(key[:length], line)


def _bad(path: Path, expected: str, line: int = 0) -> BadFile:
    return BadFile([FieldError(path=str(path), line=line, expected=expected)])
