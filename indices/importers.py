"""Publishers' files read into observations (import des valeurs publiées).

Three layouts, told apart by their headers: the CSV of the INSEE macro-economic database (BDM), in
columns or in rows; the SDMX-CSV of the ECB; and ours. A file is read whole or refused whole, with
the line, the column and what was expected there: a price must not rest on half a file.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from indices.series import (
    IndexBook,
    IndexUnavailable,
    Link,
    Observation,
    Series,
    first_day,
    next_period,
    period_of,
)

OUR_HEADER = ("series", "period", "value", "published_on", "source", "confidence")
LINK_HEADER = (
    "old_series",
    "new_series",
    "at",
    "coefficient",
    "published_on",
    "rule",
    "source",
    "confidence",
)
HOLE_HEADER = ("series", "first", "last", "reason")
CONFIDENCE = ("found", "derived", "recalled")
JUMP = Decimal("0.25")

# INSEE marks a provisional or estimated value beside it (a code) or behind it ("138,2 (p)").
_INSEE_STATUS = {"P": "provisional", "E": "estimated"}
_INSEE_ABSENT = ("", ".", "-", "NaN", "nd")


class BadIndexFile(Exception):
    """A file that cannot be trusted: where, what was read, what was expected. Nothing is kept."""

    def __init__(self, file: str, line: int, column: str, value: str, expected: str) -> None:
        super().__init__(file, line, column, value, expected)
        self.file = file
        self.line = line
        self.column = column
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}, {self.column}"
        return f"{place}: {self.value!r} where {self.expected} was expected"


class _Cell(str):
    """The text of a cell, which remembers where it was read."""

    file: str
    line: int
    column: str

    @classmethod
    def read(cls, text: str, file: str, line: int, column: str) -> "_Cell":
        cell = cls(text.replace("\xa0", " ").strip())
        cell.file, cell.line, cell.column = file, line, column
        return cell

    def bad(self, expected: str) -> BadIndexFile:
        return BadIndexFile(self.file, self.line, self.column, str(self), expected)

    def number(self) -> Decimal:
        if not re.fullmatch(r"[+-]?\d+([.,]\d+)?", self, re.ASCII):
            raise self.bad("a number such as 302.7 or 302,7")
        return Decimal(self.replace(",", "."))

    def day(self) -> date:
        try:
            if len(self) == len("2023-06-30"):
                return first_day(str(self))
        except ValueError:
            pass
        raise self.bad("a day written YYYY-MM-DD")

    def period(self, series: Series) -> str:
        expected = "a month written YYYY-MM" if series.frequency == "month" else "a first day"
        try:
            day = first_day(str(self))
        except ValueError:
            raise self.bad(f"{expected} ({series.id})") from None
        if self != period_of(series.frequency, day):
            raise self.bad(f"{expected} of a {series.frequency} ({series.id})")
        return str(self)

    def one_of(self, known: Iterable[str]) -> str:
        if str(self) not in known:
            raise self.bad(f"one of {', '.join(known)}")
        return str(self)


_Grid = list[list[_Cell]]


def read(
    path: Path,
    catalog: Mapping[str, Series],
    *,
    published_on: date | None = None,
    source: str = "",
) -> tuple[Observation, ...]:
    """The observations of a publisher's file.

    `published_on` is the day the file's values came out, for layouts that do not say it; without
    it the day is estimated by the declared lag of the series, and marked so. Give it for a new
    release; leave it out to fill old months. Raises BadIndexFile.
    """
    return parse(path.read_bytes(), path.name, catalog, published_on=published_on, source=source)


def parse(
    content: bytes,
    name: str,
    catalog: Mapping[str, Series],
    *,
    published_on: date | None = None,
    source: str = "",
) -> tuple[Observation, ...]:
    """As `read`, from bytes; `name` is what errors and sources call the file."""
    grid = _grid(content, name)
    header = [str(cell) for cell in grid[0]]
    if header[0] == "Libellé":
        found = _insee(grid, catalog)
    elif {"KEY", "TIME_PERIOD", "OBS_VALUE"} <= set(header):
        found = _ecb(grid, catalog)
    elif header[0] == "series":
        found = _ours(grid, catalog)
    else:
        raise grid[0][0].bad("the header of an INSEE, ECB or plain file (Libellé, KEY… or series)")
    observations: dict[tuple[str, str, date], Observation] = {}
    for row in found:
        series = catalog[row.series]
        given = row.published_on or published_on
        day = given or series.estimated_publication(row.period)
        if day is None:
            raise row.cell.bad(f"a value whose publication day is given ({series.id} has no lag)")
        told = row.source if header[0] == "series" else f"{source or name}: {row.source}"
        observation = Observation(
            series.id, row.period, row.value, day, told, row.confidence, estimated=given is None
        )
        before = observations.setdefault((series.id, row.period, day), observation)
        if before.value != row.value:
            raise row.cell.bad(f"{before.value}, already given for {series.id} {row.period},")
    return tuple(observations.values())


def _grid(content: bytes, name: str) -> _Grid:
    """The cells of the file, with their places; every line as long as the first."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\x00" in text:
        raise BadIndexFile(name, 1, "column 1", "binary data", "a text file")
    first_line = text.lstrip().partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in first_line else ",", strict=True
    )
    grid: _Grid = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                grid.append(
                    [
                        _Cell.read(cell, name, reader.line_num, f"column {number}")
                        for number, cell in enumerate(cells, 1)
                    ]
                )
    except csv.Error as broken:
        raise BadIndexFile(name, reader.line_num, "column 1", str(broken), "whole lines") from None
    if len(grid) < 2:
        raise BadIndexFile(name, 1, "column 1", text[:40], "a header and at least one line")
    for row in grid:
        if len(row) != len(grid[0]):
            raise row[-1].bad(f"a line of {len(grid[0])} cells, as the first")
    return grid


def _table(grid: _Grid, header: Sequence[str]) -> list[dict[str, _Cell]]:
    """The lines under a header, by column name."""
    if [str(cell) for cell in grid[0]] != list(header):
        raise grid[0][0].bad(f"the header {','.join(header)}")
    for row in grid[1:]:
        for cell, column in zip(row, header, strict=True):
            cell.column = f"column {column}"
    return [dict(zip(header, row, strict=True)) for row in grid[1:]]


class _Found(Struct):
    """A value and the cell it was read in."""

    cell: _Cell
    series: str
    period: str
    value: Decimal
    source: str
    confidence: str = "found"
    published_on: date | None = None


def _ours(grid: _Grid, catalog: Mapping[str, Series]) -> list[_Found]:
    found = []
    for row in _table(grid, OUR_HEADER):
        series = catalog[row["series"].one_of(catalog)]
        period, value = row["period"].period(series), row["value"].number()
        if not row["source"]:
            raise row["source"].bad("a source")
        confidence = row["confidence"].one_of(CONFIDENCE)
        day = row["published_on"].day() if row["published_on"] else None
        found.append(
            _Found(row["value"], series.id, period, value, str(row["source"]), confidence, day)
        )
    return found


def _insee(grid: _Grid, catalog: Mapping[str, Series]) -> list[_Found]:
    """BDM: a block of label, idBank, last update and "Période", then a value and a code a date.

    The site gives the dates downwards for one series and across for several; both in either order.
    """
    if "idBank" in grid[0]:
        grid = [list(column) for column in zip(*grid, strict=True)]
    labels = [str(row[0]) for row in grid]
    for label in ("idBank", "Dernière mise à jour", "Période"):
        if label not in labels:
            raise grid[0][0].bad(f"a BDM file with {label!r}")
    banks, updates = (grid[labels.index(name)] for name in ("idBank", "Dernière mise à jour"))
    known = {series.idbank: series for series in catalog.values() if series.idbank}
    found = []
    for place, bank in enumerate(banks[1:], 1):
        if not bank:
            continue  # The codes of the series before.
        series = known[bank.one_of(known)]
        coded = place + 1 < len(banks) and not banks[place + 1]
        for row in grid[labels.index("Période") + 1 :]:
            value, mark = _insee_value(row[place])
            if value in _INSEE_ABSENT:
                continue  # Not published: a hole, which stays one.
            code = str(row[place + 1]) if coded else mark
            period = _insee_month(row[0]).period(series)
            where = f"INSEE BDM {bank}, updated {updates[place]}"
            if status := _INSEE_STATUS.get(code.upper()):
                where = f"{where}, {status}"
            found.append(_Found(row[place], series.id, period, value.number(), where))
    return found


def _insee_value(cell: _Cell) -> tuple[_Cell, str]:
    """The value and the mark behind it: 138,2 (p) is 138,2 and p."""
    if marked := re.fullmatch(r"(.*?)\s*\((\w)\)", cell):
        return _Cell.read(marked[1], cell.file, cell.line, cell.column), marked[2]
    return cell, ""


def _insee_month(cell: _Cell) -> _Cell:
    """Months as INSEE has written them: 2024-06, 2024M06, 06/2024."""
    month = re.sub(r"^(\d{4})M(\d\d)$", r"\1-\2", re.sub(r"^(\d\d)/(\d{4})$", r"\2-\1", cell))
    return _Cell.read(month, cell.file, cell.line, cell.column)


def _ecb(grid: _Grid, catalog: Mapping[str, Series]) -> list[_Found]:
    """SDMX-CSV of the key rates, daily or by change: the days the rate changed, and the last.

    The last day is kept though nothing changed: it tells how far the rate is known.
    """
    known = {key: series for series in catalog.values() for key in series.sdmx_keys}
    days: list[tuple[str, _Cell, Decimal]] = []
    for row in _table(grid, [str(cell) for cell in grid[0]]):
        if row["OBS_VALUE"] not in ("", "NaN"):
            key = row["KEY"].one_of(known)
            row["TIME_PERIOD"].period(known[key])
            days.append((key, row["TIME_PERIOD"], row["OBS_VALUE"].number()))
    found = []
    for key, listed in groupby(sorted(days, key=lambda day: day[:2]), key=lambda day: day[0]):
        of_key = list(listed)
        before = None
        for place, (_, day, value) in enumerate(of_key, 1):
            if value != before or place == len(of_key):
                found.append(_Found(day, known[key].id, str(day), value, f"ECB {key}"))
            before = value
    return found


def read_links(path: Path) -> tuple[Link, ...]:
    """The linking coefficients of a file with our header. Raises BadIndexFile."""
    links = []
    for row in _table(_grid(path.read_bytes(), path.name), LINK_HEADER):
        coefficient = row["coefficient"].number()
        if coefficient <= 0:
            raise row["coefficient"].bad("a coefficient above zero")
        links.append(
            Link(
                str(row["old_series"]),
                str(row["new_series"]),
                str(row["at"]),
                coefficient,
                str(row["source"]),
                row["confidence"].one_of(CONFIDENCE),
                row["published_on"].day() if row["published_on"] else None,
                str(row["rule"]),
            )
        )
    return tuple(links)


def read_holes(path: Path, catalog: Mapping[str, Series]) -> tuple[tuple[str, str], ...]:
    """The periods known to be missing, as (series, period). Raises BadIndexFile."""
    holes = []
    for row in _table(_grid(path.read_bytes(), path.name), HOLE_HEADER):
        series = catalog[row["series"].one_of(catalog)]
        period, last = row["first"].period(series), row["last"].period(series)
        while period <= last:
            holes.append((series.id, period))
            period = next_period(series.frequency, period)
    return tuple(holes)


class Remark(Struct, frozen=True):
    """An observation and what is to be said of it."""

    observation: Observation
    reason: str


class Differences(Struct, frozen=True):
    """What a set of observations would bring to a book."""

    new: tuple[Observation, ...]
    changed: tuple[Observation, ...]
    unchanged: tuple[Observation, ...]
    refused: tuple[Remark, ...]
    warnings: tuple[Remark, ...]


def diff(book: IndexBook, observations: Iterable[Observation]) -> Differences:
    """What is new, what rectifies a value, what is known already, and what cannot be taken.

    A rectification needs its own day of publication, later than the version it corrects. A jump of
    more than a quarter in a month, or a value dated long after its time, is only a warning: someone
    reads it before the value is recorded.
    """
    new: list[Observation] = []
    changed: list[Observation] = []
    unchanged: list[Observation] = []
    refused: list[Remark] = []
    warnings: list[Remark] = []
    for observation in sorted(observations, key=lambda o: (o.series, o.period, o.published_on)):
        if reason := _refusal(book, observation):
            refused.append(Remark(observation, reason))
            continue
        if _says_nothing_new(book, observation):
            unchanged.append(observation)
            continue
        rectifies = book.versions(observation.series, observation.period)
        (changed if rectifies else new).append(observation)
        warnings += [Remark(observation, doubt) for doubt in _doubts(book, observation)]
        book = book.with_observations([observation])
    return Differences(
        tuple(new), tuple(changed), tuple(unchanged), tuple(refused), tuple(warnings)
    )


def _says_nothing_new(book: IndexBook, observation: Observation) -> bool:
    """The book has this value; for a step, it may have it from an earlier day."""
    o = observation
    if versions := book.versions(o.series, o.period):
        return versions[-1].value == o.value
    if book.series()[o.series].frequency != "step":
        return False
    try:
        return book.in_force(o.series, first_day(o.period), "definitive").value == o.value
    except IndexUnavailable:
        return False


def _refusal(book: IndexBook, observation: Observation) -> str | None:
    o = observation
    if (series := book.series().get(o.series)) is None:
        return f"{o.series} is not in the catalogue"
    try:
        start = first_day(o.period)
    except ValueError as wrong:
        return str(wrong)
    if o.period != period_of(series.frequency, start):
        return f"{o.period} is not a {series.frequency} of {o.series}"
    if not o.value.is_finite() or o.value < 0 or (o.value == 0 and series.scope == "activity"):
        return f"{o.value} is not a value {o.series} can take"
    if series.frequency == "month" and o.published_on < first_day(next_period("month", o.period)):
        return f"published on {o.published_on}, before {o.period} ended"
    if o.published_on < (series.first_published or date.min):
        return f"published on {o.published_on}, before {o.series} existed"
    versions = book.versions(o.series, o.period)
    if versions and versions[-1].value != o.value:
        last = versions[-1]
        if o.estimated:
            return f"rectifies {last.value} of {last.published_on}: its publication day is needed"
        if o.published_on <= last.published_on:
            return f"rectifies {last.value} of {last.published_on}, but is not published after it"
    return None


def _doubts(book: IndexBook, observation: Observation) -> list[str]:
    o = observation
    series = book.series()[o.series]
    doubts = []
    if series.ended and first_day(o.period) >= series.ended:
        doubts.append(f"{o.series} ended on {series.ended}")
    due = series.estimated_publication(o.period)
    if due and not book.versions(o.series, o.period) and series.scope == "activity":
        late = (o.published_on - due).days
        if late > series.grace_days:
            doubts.append(f"dated {late} days after it was due: read by no earlier revision")
    if series.scope == "activity":
        month_before = period_of("month", first_day(o.period) - timedelta(days=1))
        for before in book.versions(o.series, month_before)[-1:]:
            if abs(o.value - before.value) > JUMP * before.value:
                doubts.append(f"from {before.value} to {o.value} in a month")
    return doubts
