"""What a command tells: sentences and tables for people, JSON for programs (`--json`).

Everything a command prints goes through `Output`, so that one switch changes all of it:

    output.say(data, "CTR-1 is signed.")          a sentence
    output.say(data, table("Invoices", …))        a table, or anything rich can show
    output.say(data, lambda: page(contract))      worked out only when a person reads it

`data` is anything made of our values (events, states, NamedTuples, Decimals, dates): amounts
become texts, dates ISO texts. Each `say` is one line of JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console, RenderableType
    from rich.table import Table

    Human = RenderableType | Callable[[], RenderableType] | None

UNREAD_WIDTH = 200
"""How wide a page is when nobody looks: a file, a pipe."""


@dataclass
class Output:
    """Where a command tells what it did, and how."""

    as_json: bool = False

    def say(self, data: Any, human: Human = None) -> None:
        """Tells one thing: `data` with --json, else `human` (without it, the data as JSON)."""
        if self.as_json or human is None:
            click.echo(as_json(data))
            return
        shown = human() if callable(human) else human
        if isinstance(shown, str):
            click.echo(shown)
        else:
            _show(shown, sys.stdout)

    def warn(self, sentence: str) -> None:
        """Something to know that stops nothing; on stderr, so that JSON stays whole."""
        if self.as_json:
            click.echo(as_json({"warning": sentence}), err=True)
        else:
            click.echo(f"warning: {sentence}", err=True)

    def fail(self, kind: str, sentence: str, **details: Any) -> None:
        """What went wrong, on stderr; the exit code is the caller's (`billing.cli.exits`)."""
        if self.as_json:
            told = {"error": sentence, "kind": kind}
            click.echo(as_json(told | {k: v for k, v in details.items() if v}), err=True)
        else:
            click.echo(sentence, err=True)

    @property
    def watched(self) -> bool:
        """Whether a person looks at stderr, where progress is shown."""
        return not self.as_json and sys.stderr.isatty()


def as_json(value: Any) -> str:
    """One line of JSON; amounts are texts, since a number of JSON is binary in most readers."""
    import msgspec

    return msgspec.json.encode(as_data(value)).decode()


def as_data(value: Any) -> Any:
    """Our values as plain ones: structs and tuples with names by name, exact numbers as texts.

    An event also says which (`"event": "contract.signed"`).
    """
    from datetime import date
    from decimal import Decimal
    from fractions import Fraction
    from uuid import UUID

    from msgspec import Struct

    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Fraction | UUID):
        return str(value)
    if isinstance(value, Struct):
        topic = getattr(type(value), "TOPIC", "")
        named = {name: as_data(getattr(value, name)) for name in value.__struct_fields__}
        return {"event": topic, **named} if topic else named
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_data(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): as_data(part) for name, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [as_data(part) for part in value]
    return str(value)


def euros(amount: Decimal | None) -> str:
    """An amount as people read it: 1234.56 €."""
    return "" if amount is None else f"{amount:.2f} €"


def counted(number: int, what: str) -> str:
    """1 invoice, 2 invoices."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    right: Iterable[str] = (),
) -> Table:
    """A table for people; columns named in `right` are numbers."""
    from rich import box
    from rich.table import Table

    shown = Table(
        title=title or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        pad_edge=False,
    )
    aligned = set(right)
    for column in columns:
        number = column in aligned
        shown.add_column(column, justify="right" if number else "left", no_wrap=number)
    for row in rows:
        shown.add_row(*(cell_of(cell) for cell in row))
    return shown


def cell_of(value: Any) -> str:
    """A value as a cell of a table."""
    from decimal import Decimal

    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _show(shown: RenderableType, stream: IO[str]) -> None:
    console = _console(stream)
    if not console.is_terminal:
        # Nobody can widen a file: nothing is cut or wrapped there.
        wanted = console.measure(shown).maximum
        console.width = max(UNREAD_WIDTH, min(wanted, 10_000))
        with console.capture() as captured:
            console.print(shown, soft_wrap=False)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
        return
    console.print(shown)


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    watched = stream.isatty()
    return Console(
        file=stream,
        width=None if watched else UNREAD_WIDTH,
        no_color=None if watched else True,
        force_terminal=watched,
        highlight=False,
        markup=False,
        emoji=False,
    )
