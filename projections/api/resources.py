"""A table of the read side as people ask for it: a row by its key, or rows by pages.

A row that has a `body` is answered as it was written, and what depends on the day is put behind it
by the database; one that has none is told column by column. The position told with it is that of
the projection it was read from, taken in the same statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from anyio import to_thread
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, Table
from starlette.requests import Request
from starlette.responses import Response

from billing.application import Billing
from billing.store.schema import StreamId
from projections.api import answers, as_of, asking, paging, problems, shapes
from projections.api.access import Caller
from projections.api.asking import Asked, Parameter, Wrong
from projections.api.positions import wait_for
from projections.api.reads import Found, Reads, Statement
from projections.api.shapes import CENTS, HIDDEN, Schema
from projections.bodies import json_of
from projections.runner import tracked_as
from projections.view import Told

READ_AT_ONCE: Final = (2, 11, 51, 201)
"""How many rows a statement fetches: a literal, which the planner goes by; one more than shown."""


class Filter(NamedTuple):
    """A parameter that narrows a list: a condition on a column, where {value} stands for it.

    `otherwise` is the condition when the parameter says no. {day} is the day asked about.
    """

    parameter: Parameter
    sql: str
    otherwise: str = ""


def equals(name: str, says: str, sql: str = "") -> Filter:
    """A code or a number that a column is."""
    return Filter(asking.text(name, says), sql or f"{name} = {{value}}")


def among(name: str, says: str, words: Sequence[str], sql: str = "") -> Filter:
    """One of a few words that a column is."""
    return Filter(asking.choice(name, says, words), sql or f"{name} = {{value}}")


def between(column: str, says: str, name: str = "") -> tuple[Filter, Filter]:
    """A day from which, and a day until which, both inclusive."""
    name = name or column.removesuffix("_on")
    return (
        Filter(asking.day(f"{name}_from", f"{says}: from that day on"), f"{column} >= {{value}}"),
        Filter(asking.day(f"{name}_to", f"{says}: up to that day"), f"{column} <= {{value}}"),
    )


def within(column: str, says: str) -> tuple[Filter, Filter]:
    """The same of months; both inclusive."""
    return (
        Filter(asking.month("from", f"{says}: from that month on"), f"{column} >= {{value}}"),
        Filter(asking.month("to", f"{says}: up to that month"), f"{column} <= {{value}}"),
    )


def whether(name: str, says: str, sql: str, otherwise: str) -> Filter:
    """Yes or no."""
    return Filter(asking.yes(name, says), sql, otherwise)


class Order(NamedTuple):
    """An order rows come in: columns that together are unique; all up, or all down."""

    columns: tuple[str, ...]
    down: bool = False

    @property
    def name(self) -> str:
        """As `sort` says it."""
        return f"{'-' * self.down}{self.columns[0]}"


class Kind(NamedTuple):
    """How values of a column are told, and what they are in a cursor."""

    told: Callable[[Any], Any]
    placed: type


Live = Callable[[str], Mapping[str, str]]
"""Fields that depend on the day, as SQL: given the day's placeholder, name by name."""

Replay = Callable[[Billing, Sequence[UUID], date | None, datetime | None], Iterable[Told]]
"""The rows some streams had: as of a day (None: of any), as known at a moment (None: now)."""

Instead = Callable[[Sequence[Any], Asked], Sequence[Any]]
"""What a page tells instead of its rows, one for each; asked in a thread."""


@dataclass(frozen=True)
class Resource:
    """What is asked for: its table, how its rows are found, and what they tell."""

    name: str  # Of the component that describes a row: "Contract".
    one: str  # What a row is called when there is none: "contract".
    view: str
    table: Table
    key: tuple[str, ...] = ()  # Of one row, and the order of the rows; none: see `orders`.
    filters: tuple[Filter, ...] = ()
    orders: tuple[Order, ...] = ()  # Besides the key's.
    live: Live | None = None
    on_day: Callable[[str, date], Mapping[str, Any]] | None = None
    in_force: Callable[[str, date], str] | None = None  # The row with what holds on the day,
    in_force_from: str = ""  # and the column of the day from which its body says so itself.
    more: Callable[[Mapping[str, Any], Caller], Mapping[str, Any]] | None = None
    schema: Schema | None = None  # Of its rows; of a table without bodies, its columns.
    under: str = ""  # The condition of a list below another resource: "contract = {value}".
    shown: str = ""  # The condition of every list: {day} is the day asked about.
    replay: Replay | None = None  # How its rows are made again, for as_of and known_at.
    beside: tuple[Table, ...] = ()  # Tables its fields are read from too.
    _made: dict[Any, Statement] = field(default_factory=dict, repr=False)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables it is read from."""
        return (self.table, *self.beside)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What is selected of a row, besides its place."""
        if "body" in self.table.c:
            return ("body", "private") if "private" in self.table.c else ("body",)
        return tuple(name for name in list(self.table.columns.keys()) if name not in HIDDEN)

    @cached_property
    def _told_by(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        """How what is selected of a table without bodies is told."""
        columns = [
            (name.removesuffix(CENTS), kind_of(self.table.c[name]).told) for name in self.columns
        ]
        if self.live is None or self.more:
            return tuple(columns)
        fields = self.described["properties"]
        return (*columns, *((name, _TOLD[fields[name]["type"]]) for name in self.live("$1")))

    @cached_property
    def described(self) -> Schema:
        """What its rows hold."""
        return self.schema or shapes.of_table(self.table)

    @property
    def components(self) -> dict[str, Schema]:
        """The same as a component of the document: `fields` may leave out any of them.

        `x-always` names those that are there when nothing is left out.
        """
        always = {"x-always": self.described["required"]}
        kept = {name: one for name, one in self.described.items() if name != "required"}
        return {self.name: kept | always}

    def told_of_row(self, summary: str) -> dict[str, Any]:
        """What the decorator of the endpoint of a row is told."""
        return shapes.documented(
            summary,
            shapes.named(self.name),
            self.of_one,
            shapes.EXAMPLES.get(self.name),
            missing=f"There is no such {self.one}",
        )

    def told_of_page(self, summary: str, instead: str = "") -> dict[str, Any]:
        """What the decorator of the endpoint of its pages is told.

        `instead`: the component that stands for each of its rows.
        """
        name = instead or self.name
        asked = self.of_page_instead if instead else self.of_page
        return shapes.documented(summary, shapes.page_of(name), asked, shapes.example_page(name))

    @cached_property
    def sorts(self) -> dict[str, Order]:
        """The orders there are, by name; the key's comes first."""
        first = (Order(self.key),) if self.key else ()
        return {order.name: order for order in (*first, *self.orders)}

    @cached_property
    def of_one(self) -> dict[str, Parameter]:
        """What may be said when one row is asked for."""
        dated = (asking.AS_OF, asking.KNOWN_AT) if self.replay else ()
        sparse = asking.names(
            "fields", "Only these fields, with commas between", self.described["properties"]
        )
        return {one.name: one for one in (*dated, sparse, asking.AT_LEAST)}

    @cached_property
    def of_page(self) -> dict[str, Parameter]:
        """What may be said when a page is asked for."""
        sort = asking.choice(
            "sort",
            "The order of the rows; - is downwards",
            tuple(self.sorts),
            next(iter(self.sorts)),
        )
        sorts = (sort,) if len(self.sorts) > 1 else ()
        filters = tuple(one.parameter for one in self.filters)
        paged = (*filters, *sorts, paging.LIMIT, paging.cursor())
        return {one.name: one for one in paged} | self.of_one

    @cached_property
    def of_page_instead(self) -> dict[str, Parameter]:
        """The same where something else is told of each row, which has no fields to leave out."""
        return {name: one for name, one in self.of_page.items() if name != "fields"}

    # One row

    async def row(self, request: Request, caller: Caller, key: Sequence[str]) -> Response:
        """One row by its key. Raises a Problem when there is none."""
        asked = asking.asked(request, self.of_one)
        reads: Reads = request.app.state.reads
        await self.wait(reads, asked)
        if any("\0" in part for part in key):
            found: Found = ()
        elif as_of.is_asked(asked):
            found = await as_of.row_then(self, reads, key, asked)
        else:
            found = await reads.rows(*self.by_key(key, self.day(reads, asked)))
        if not found:
            raise problems.unknown(self.one, "/".join(key))
        position, *values = found[0]
        told = self.teller(caller, self.day(reads, asked), asked.get("fields"))
        return answers.answer(request, told(values).encode(), position)

    def by_key(self, key: Sequence[str], day: date) -> tuple[Statement, list[Any]]:
        """The statement of a row, and its values."""
        values = [*key, day.isoformat()] if self._lives_by_day else [*key]
        return self.statement("row", self._of_row), values

    def _of_row(self) -> str:
        where = " AND ".join(f"{name} = ${rank}" for rank, name in enumerate(self.key, 1))
        chosen = self._selected(f"${len(self.key) + 1}::date")
        return (
            f"SELECT ({self.position}), {self._told} FROM"
            f" (SELECT {chosen} FROM {self.table.name} WHERE {where}) AS found"
        )

    async def must_be(self, request: Request, key: Sequence[str]) -> None:
        """Raises a Problem when there is no such row: what is below it is not an empty list."""
        where = " AND ".join(f"{name} = ${rank}" for rank, name in enumerate(self.key, 1))
        sql = f"SELECT 1 FROM {self.table.name} WHERE {where}"
        reads: Reads = request.app.state.reads
        known = not any("\0" in part for part in key)
        if not (known and await reads.rows(self.statement("there", lambda: sql), key)):
            raise problems.unknown(self.one, "/".join(key))

    # Pages

    async def page(
        self,
        request: Request,
        caller: Caller,
        under: Sequence[Any] = (),
        also: tuple[str, Any] | None = None,
        instead: Instead | None = None,
    ) -> Response:
        """A page of rows; `under` are the values of the resource they are listed below.

        `also` is a filter that the path says. `instead` makes of the rows what is told.
        """
        asked = asking.asked(request, self.of_page_instead if instead else self.of_page)
        if also is not None:
            if also[0] in asked.values:
                fault = "the path says it already"
                raise problems.faulty(problems.Fault(also[0], asked.values[also[0]], fault))
            asked = Asked({**asked.values, also[0]: also[1]}, asked.at_least)
        reads: Reads = request.app.state.reads
        await self.wait(reads, asked)
        limit = asked.get("limit", paging.USUAL)
        order = self.sorts[asked.get("sort", next(iter(self.sorts)))]
        tag = f"{self.name} {order.name}"
        place = self._after(reads, asked, order, tag)
        position, data, last = await self._told_page(
            reads, caller, asked, order, place, limit, under
        )
        if instead is not None:
            rows = msgspec.json.decode(f"[{data}]")
            data = json_of(await to_thread.run_sync(instead, rows, asked))[1:-1]
        address = None
        if last is not None:
            mark = paging.written(tag, last)
            address = paging.next_link(request, request.query_params, mark)
        told = f'{{"data":[{data}],"next":{json_of(address)}'.encode()
        return answers.answer(
            request,
            b'%b,"position":%d}' % (told, position),
            position,
            # The position moves on without the rows: the version of a page is that of its rows.
            tag=f'W/"{answers.digest(told)}"',
            headers=paging.link(address) if address else None,
        )

    async def _told_page(
        self,
        reads: Reads,
        caller: Caller,
        asked: Asked,
        order: Order,
        place: Sequence[Any],
        limit: int,
        under: Sequence[Any],
    ) -> tuple[int, str, Sequence[Any] | None]:
        """The position, the rows as JSON, and the place to go on after if there are more."""
        day, fields = self.day(reads, asked), asked.get("fields")
        told = self.teller(caller, day, fields)
        if as_of.is_asked(asked):
            position, found, last = await as_of.page_then(self, reads, asked, order, place, limit)
        elif self._comes_whole(reads, caller):
            which = self.selection(asked, order, place, limit, day, under, whole=True)
            ((position, there, later, text, *after),) = await reads.rows(*which)
            text = (text or "").rsplit("\n", max(0, there - limit))[0]
            last = after if there > limit else None
            if text and (later or fields):
                return position, ",".join([told((line,)) for line in text.split("\n")]), last
            return position, text.replace("\n", ","), last
        else:
            rows = await reads.rows(*self.selection(asked, order, place, limit, day, under))
            position = rows[0][0]
            found = [row for row in rows[:limit] if row[1] is not None]  # The place of no row.
            last = found[-1][1 : 1 + len(order.columns)] if len(rows) > limit else None
        data = ",".join([told(row[1 + len(order.columns) :]) for row in found])
        return position, data, last

    def _comes_whole(self, reads: Reads, caller: Caller) -> bool:
        """Whether the database tells a page as one text, a line a row.

        PostgreSQL does where the rows want nothing more of us: that takes half of the time of
        telling them one by one. SQLite, in our own process, has nothing to send.
        """
        return (
            not reads.lite
            and self.columns[0] == "body"
            and not (self.on_day or self.more or (caller.personal and len(self.columns) > 1))
        )

    def _after(self, reads: Reads, asked: Asked, order: Order, tag: str) -> list[Any]:
        """The place a page begins after; empty for the first."""
        if "cursor" not in asked.values:
            return []
        kinds = [kind_of(self.table.c[name]).placed for name in order.columns]
        try:
            place = paging.place_of(asked.values["cursor"], tag, kinds)
            return [reads.id_of(part) if isinstance(part, UUID) else part for part in place]
        except Wrong as error:
            cursor = asked.values["cursor"]
            raise problems.faulty(problems.Fault("cursor", cursor, str(error))) from None

    def selection(
        self,
        asked: Asked,
        order: Order,
        place: Sequence[Any],
        limit: int,
        day: date,
        under: Sequence[Any] = (),
        whole: bool = False,
    ) -> tuple[Statement, list[Any]]:
        """The statement of a page, and its values; each of its rows: position, place, columns.

        `whole`: all of it in one row, as `_told_page` takes it.
        """
        said = [one for one in self.filters if one.parameter.name in asked.values]
        chosen = [(one, asked.values[one.parameter.name]) for one in said]
        size = next(size for size in READ_AT_ONCE if size > limit)
        which = (
            "page",
            order.name,
            size,
            bool(place),
            whole,
            *((one.parameter.name, value if one.otherwise else None) for one, value in chosen),
        )
        statement = self.statement(
            which, lambda: self._of_page(chosen, order, bool(place), size, len(under), whole)
        )
        values = [_given(value) for one, value in chosen if not one.otherwise]
        days = [day.isoformat()] if self._asks_the_day(chosen) else []
        return statement, [*days, *under, *values, *place, *([limit] if whole else [])]

    def _of_page(
        self,
        chosen: Sequence[tuple[Filter, Any]],
        order: Order,
        after: bool,
        size: int,
        under: int,
        whole: bool,
    ) -> str:
        rank = 0

        def mark() -> str:
            nonlocal rank
            rank += 1
            return f"${rank}"

        day = f"{mark()}::date" if self._asks_the_day(chosen) else ""
        where = [self.shown.format(day=day)] if self.shown else []
        if self.under:
            marks = ", ".join(mark() for _ in range(under))
            where.append(self.under.format(value=marks, day=day))
        for one, value in chosen:
            where.append(_sql(one, value).format(value="" if one.otherwise else mark(), day=day))
        place = ", ".join(order.columns)
        if after:
            marks = ", ".join(mark() for _ in order.columns)
            where.append(f"({place}) {'<' if order.down else '>'} ({marks})")
        direction = " DESC" if order.down else ""
        by = ", ".join(f"{name}{direction}" for name in order.columns)
        names = [f"place_{n}" for n in range(len(order.columns))]
        again = ", ".join(f"{name}{direction}" for name in names)
        places = ", ".join(f"{name} AS place_{n}" for n, name in enumerate(order.columns))
        later = f", {self.in_force_from} > {day} AS later" if whole and self.in_force_from else ""
        page = (
            f"(SELECT {places}, {self._selected(day)}{later} FROM {self.table.name}"
            f"{' WHERE ' if where else ''}{' AND '.join(where)}"
            f" ORDER BY {by} LIMIT {size}) AS page"
        )
        if whole:
            # How many rows there are, whether one is to be told anew, the text, the last place.
            told = self._told if self.columns == ("body",) else "told_0"  # Without what is private.
            lasts = "".join(f", (array_agg({name} ORDER BY {again}))[{{0}}]" for name in names)
            return (
                f"SELECT ({self.position_row}), count(*), {'bool_or(later)' if later else 'false'},"
                f" string_agg({told}, E'\\n' ORDER BY {again})"
                f"{lasts.format(f'{mark()}::int')} FROM {page}"
            )
        return (
            f"SELECT position, {', '.join(names)}, {self._told}"
            f" FROM ({self.position_row}) AS followed LEFT JOIN {page} ON true ORDER BY {again}"
        )

    # Both

    def _asks_the_day(self, chosen: Sequence[tuple[Filter, Any]]) -> bool:
        """Whether the statement of a page is given the day asked about."""
        sqls = [self.shown, self.under, *(_sql(one, value) for one, value in chosen)]
        return self._lives_by_day or any("{day}" in sql for sql in sqls)

    def day(self, reads: Reads, asked: Asked) -> date:
        """The day asked about."""
        found: date = asked.get("as_of") or reads.desk.billing.today
        return found

    def _selected(self, day: str) -> str:
        lively = self.live(day).values() if self.live else ()
        wanted = (*self.columns, *(f"({sql})" for sql in lively))
        return ", ".join(f"{sql} AS told_{n}" for n, sql in enumerate(wanted))

    @cached_property
    def _told(self) -> str:
        """SQL for what was selected; for a row's body with the fields of the day behind it.

        Bodies of such tables are left open: their last brace comes here.
        """
        count = len(self.columns)
        lively = list(self.live("$1")) if self.live else []
        if self.columns != ("body",) or not lively:
            return ", ".join(f"told_{n}" for n in range(count + len(lively)))
        fields = " || ".join(
            f"""',"{name.removesuffix(CENTS)}":' || {_in_json(name, f"told_{n}")}"""
            for n, name in enumerate(lively, count)
        )
        return f"told_0 || ({fields} || '}}')"

    @property
    def position(self) -> str:
        """SQL for how far its projection has followed."""
        mark = tracked_as(self.view)
        return f"SELECT notification_id FROM tracking WHERE application_name = '{mark}'"

    @property
    def position_row(self) -> str:
        """The same as a row, 0 where it has not begun."""
        return f"SELECT coalesce(({self.position}), 0) AS position"

    async def followed(self, reads: Reads) -> int:
        """How far its projection has followed."""
        found = await reads.rows(self.statement("followed", lambda: self.position_row))
        position: int = found[0][0]
        return position

    def statement(self, which: Any, made: Callable[[], str]) -> Statement:
        """A statement of its own, written the first time."""
        statement = self._made.get(which)
        if statement is None:
            statement = self._made[which] = Statement(made())
        return statement

    async def wait(self, reads: Reads, asked: Asked) -> None:
        """Waits for the position asked for."""
        if asked.at_least:
            await wait_for(reads.desk, asked.at_least, [self.view])

    def teller(
        self, caller: Caller, day: date, fields: Sequence[str] | None
    ) -> Callable[[Sequence[Any]], str]:
        """How the rows of one answer are told as JSON, from what was selected of each."""
        width = len(self.columns)
        has_body, personal = self.columns[0] == "body", caller.personal and width == 2
        plain = has_body and not (self.on_day or self.in_force or self.more)

        def told(values: Sequence[Any]) -> str:
            body: str = values[0] if has_body else self._of_columns(values)
            if personal and has_body and values[1]:
                body = answers.joined(body, values[1])
            if not plain:
                if self.on_day is not None:
                    body = answers.joined(body, json_of(self.on_day(values[0], day)))
                if self.in_force is not None:
                    body = self.in_force(body, day)
                if self.more is not None:
                    body = answers.joined(body, json_of(self.more(self._line(values), caller)))
            return answers.sparse(body, fields) if fields else body

        return told

    def _of_columns(self, values: Sequence[Any]) -> str:
        """A row of a table without bodies."""
        cells = zip(self._told_by, values, strict=self.more is None)
        return json_of({name: told(value) for (name, told), value in cells})

    def _line(self, values: Sequence[Any]) -> dict[str, Any]:
        """What was selected of a row, by name."""
        assert self.live is not None
        return dict(zip((*self.columns, *self.live("$1")), values, strict=True))

    @cached_property
    def _lives_by_day(self) -> bool:
        """Whether its fields besides the columns need the day."""
        return self.live is not None and any("{day}" in sql for sql in self.live("{day}").values())


def kind_of(column: Column[Any]) -> Kind:
    """How values of a column are told."""
    if column.name.endswith(CENTS):
        return Kind(euros, int)
    if isinstance(column.type, BigInteger | Integer):
        return Kind(_same, int)
    if isinstance(column.type, Boolean):
        return Kind(bool, int)
    if isinstance(column.type, DateTime):
        return Kind(_moment, str)
    if isinstance(column.type, StreamId):
        return Kind(_same, UUID)
    return Kind(_same, date if isinstance(column.type, Date) else str)


def euros(cents: int | None) -> str | None:
    """Cents as an amount in JSON: in a tenth of the time a Decimal takes."""
    if cents is None:
        return None
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


def _in_json(name: str, sql: str) -> str:
    """SQL for a value as JSON: an amount in cents, or a word or a day."""
    if name.endswith(CENTS):
        rest = f"substr(CAST(100 + abs({sql}) % 100 AS text), 2)"
        sign = f"CASE WHEN {sql} < 0 THEN '-' ELSE '' END"
        told = f"""'"' || {sign} || (abs({sql}) / 100) || '.' || {rest} || '"'"""
    else:
        told = f"CAST(to_json({sql}) AS text)"
    return f"coalesce({told}, 'null')"


def _same(value: Any) -> Any:
    return value


def _moment(value: Any) -> Any:
    """A moment in UTC; SQLite has it as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value


_TOLD: Final[dict[str, Callable[[Any], Any]]] = {"boolean": bool}


def _sql(one: Filter, value: Any) -> str:
    return one.otherwise if one.otherwise and not value else one.sql


def _given(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
