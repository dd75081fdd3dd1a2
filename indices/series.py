"""Published series and what was known of them on a day (indices et taux publiés).

"La réévaluation est calculée sur la base du dernier indice Syntec connu."
— Intégral Micro, CG art. 6

A value counts from the day it is published, not from the month it describes. Nothing here is ever
estimated, interpolated or carried forward: what is not in the book is refused by name. Values are
`Decimal`, ratios are `Fraction`; rounding belongs to the contract.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, Self

from dateutil.relativedelta import relativedelta
from msgspec import Struct

Frequency = Literal["month", "half-year", "year", "step"]
Scope = Literal["activity", "general", "rate", "tax"]

_VERSION = {"first": 0, "definitive": -1}  # policy → which of the versions, by publication day
MONTHS_IN: dict[str, int] = {"month": 1, "half-year": 6, "year": 12}


def first_day(period: str) -> date:
    """The day a period starts: "2023-05" or "2026-07-01". Raises ValueError on anything else."""
    day = date.fromisoformat(f"{period}-01" if len(period) == 7 else period)
    if period not in (f"{day:%Y-%m}", f"{day:%Y-%m-%d}"):
        raise ValueError(f"{period!r} is not written YYYY-MM or YYYY-MM-DD")
    if not 1900 <= day.year < 2200:
        raise ValueError(f"{period!r} is in no year a contract could mean")
    return day


def period_of(frequency: Frequency, day: date) -> str:
    """The period a day falls in, as the series writes it; for a step, the day itself."""
    if frequency == "month":
        return f"{day:%Y-%m}"
    if frequency == "half-year":
        return date(day.year, 1 if day.month < 7 else 7, 1).isoformat()
    if frequency == "year":
        return date(day.year, 1, 1).isoformat()
    return day.isoformat()


def next_period(frequency: Frequency, period: str) -> str:
    """The period after this one. A step has none: its next change is not known in advance."""
    return period_of(frequency, first_day(period) + relativedelta(months=MONTHS_IN[frequency]))


class Lag(Struct, frozen=True, gc=False):
    """How long after its period a value comes out (délai de publication).

    Counted from the last day of the month, from the last day of the month's quarter, or from the
    first day of the period; months first, then days.
    """

    after: Literal["month", "quarter", "start"]
    months: int = 0
    days: int = 0

    def due(self, period: str) -> date:
        """The day the value of this period is expected to be public."""
        start = first_day(period)
        if self.after == "start":
            return start + relativedelta(months=self.months, days=self.days)
        covered = 1 if self.after == "month" else 3 - (start.month - 1) % 3
        month_after = start.replace(day=1) + relativedelta(months=covered + self.months)
        return month_after + timedelta(days=self.days - 1)


class Series(Struct, frozen=True, gc=False):
    """One published series (indice, taux), with how and when it is published.

    `ended` is the first day it is no longer the living series. `first_published` is the day it
    came to exist: values it gives for earlier months were not public before. `known_through` is
    the last day for which a rate without fixed periods is known not to have changed.
    `grace_days` is how late a publication may be before its absence is a hole.
    """

    id: str
    name: str
    french_name: str
    publisher: str
    frequency: Frequency
    scope: Scope
    base: str = ""
    lag: Lag | None = None
    grace_days: int = 0
    first_published: date | None = None
    ended: date | None = None
    successor: str | None = None
    predecessor: str | None = None
    family: str | None = None
    idbank: str = ""
    sdmx_keys: tuple[str, ...] = ()
    known_through: date | None = None
    note: str = ""

    def estimated_publication(self, period: str) -> date | None:
        """The declared day of publication, never before the series existed; None without a lag."""
        if self.lag is None:
            return None
        return max(self.lag.due(period), self.first_published or date.min)


class Observation(Struct, frozen=True, gc=False):
    """One version of one published value. Never changed: a rectification is another version.

    Indices are numbers on the scale of their series; rates are in percent a year.
    """

    series: str
    period: str
    value: Decimal
    published_on: date
    source: str
    confidence: str = "found"
    estimated: bool = False


class Reading(Struct, frozen=True, gc=False):
    """What a clause read: an observation, and the day it was read for (valeur lue)."""

    series: str
    period: str
    value: Decimal
    published_on: date
    source: str
    confidence: str = "found"
    estimated: bool = False
    read_on: date | None = None


class Link(Struct, frozen=True, gc=False):
    """A linking coefficient (coefficient de raccordement): old scale = new value × coefficient."""

    old_series: str
    new_series: str
    at: str
    coefficient: Decimal
    source: str
    confidence: str = "found"
    published_on: date | None = None
    rule: str = ""


class Comparison(Struct, frozen=True, gc=False):
    """A current reading put on the scale of the base reading, with the links that do it."""

    base: Reading
    current: Reading
    links: tuple[Link, ...] = ()

    @property
    def comparable(self) -> Fraction:
        """The current value on the base's scale, exact."""
        value = Fraction(self.current.value)
        for link in self.links:
            value *= Fraction(link.coefficient)
        return value

    @property
    def ratio(self) -> Fraction:
        """I / Io, exact."""
        return self.comparable / Fraction(self.base.value)


class IndexUnavailable(Exception):
    """A value a clause needs is not to be had. Says which, for which day, and what is known."""

    def __init__(
        self,
        series: str,
        on: date | None,
        why: str,
        expected: str | None = None,
        last_known: Observation | None = None,
    ) -> None:
        super().__init__(series, on, why, expected, last_known)  # so that it can be pickled
        self.series = series
        self.on = on
        self.why = why
        self.expected = expected
        self.last_known = last_known

    def __str__(self) -> str:
        day = f" on {self.on}" if self.on else ""
        told = f"{self.series}{day}: {self.why}"
        if (last := self.last_known) is None:
            return told
        return f"{told}; last known {last.period} = {last.value}, published {last.published_on}"


class UnknownSeries(IndexUnavailable):
    """No such series in the catalogue."""


class NotYetPublished(IndexUnavailable):
    """Nothing public yet, or a value that must be public by now is not in the book (trou)."""


class SeriesEnded(IndexUnavailable):
    """The series stopped and nothing continues it: a substitution must be recorded (C. civ. 1167).

    A known successor does not count as one until its linking coefficient is in the book.
    """


class MissingLink(IndexUnavailable):
    """Two scales and no linking coefficient between them. Never counts as 1."""


class _History:
    """The versions of one series, in order of publication, and the last known after each."""

    __slots__ = ("days", "known", "versions")

    def __init__(self, observations: Iterable[Observation]) -> None:
        # An observation met twice (shipped, then imported) is one version, not two.
        ordered = sorted(dict.fromkeys(observations), key=lambda o: (o.published_on, o.period))
        self.versions: dict[str, tuple[Observation, ...]] = {}
        self.days: list[date] = []
        self.known: dict[str, list[Observation]] = {policy: [] for policy in _VERSION}
        first = definitive = None
        for observation in ordered:
            period = observation.period
            self.versions[period] = (*self.versions.get(period, ()), observation)
            if first is None or period > first.period:
                first = definitive = observation
            elif period == first.period:
                definitive = observation
            assert definitive is not None
            self.days.append(observation.published_on)
            self.known["first"].append(first)
            self.known["definitive"].append(definitive)

    def last(self, on: date, policy: str) -> Observation | None:
        place = bisect_right(self.days, on)
        return self.known[policy][place - 1] if place else None

    def all(self) -> tuple[Observation, ...]:
        return tuple(o for period in sorted(self.versions) for o in self.versions[period])


_NOTHING = _History(())


class IndexBook:
    """The published series as one immutable book; what is added makes another book.

    Readings are remembered by (series, day, policy): a run asks the same few questions of it for
    every contract. Policy "first" reads the first published version of a period, "definitive" the
    latest version published by the day of the reading.
    """

    def __init__(
        self,
        series: Iterable[Series],
        observations: Iterable[Observation] = (),
        links: Iterable[Link] = (),
    ) -> None:
        self._series = {one.id: one for one in series}
        self._histories: dict[str, _History] = {}
        self._links = {(link.old_series, link.new_series): link for link in links}
        self._families: dict[str, list[Series]] = {}
        for one in sorted(self._series.values(), key=lambda s: s.first_published or date.min):
            if one.family:
                self._families.setdefault(one.family, []).append(one)
        self._read: dict[tuple[str, date, str], Reading] = {}
        self._in_force: dict[tuple[str, date, str], Reading] = {}
        self._shelve(observations)

    def _shelve(self, observations: Iterable[Observation]) -> None:
        added: dict[str, list[Observation]] = {}
        for observation in observations:
            added.setdefault(observation.series, []).append(observation)
        for name, fresh in added.items():
            if name not in self._series:
                raise UnknownSeries(name, None, "not in the catalogue")
            self._histories[name] = _History((*self._history(name).all(), *fresh))

    def _history(self, name: str) -> _History:
        return self._histories.get(name, _NOTHING)

    def _copy(self, series: Iterable[Series] = (), links: Iterable[Link] = ()) -> Self:
        book = type(self)((*self._series.values(), *series), (), (*self._links.values(), *links))
        book._histories = dict(self._histories)
        return book

    def with_observations(self, observations: Iterable[Observation]) -> Self:
        """This book and these values; only the series they belong to are worked out again."""
        book = self._copy()
        book._shelve(observations)
        return book

    def with_links(self, links: Iterable[Link]) -> Self:
        """This book and these coefficients; one given for the same pair replaces the earlier."""
        return self._copy(links=links)

    def with_series(self, series: Iterable[Series]) -> Self:
        """This book and these series (house series, or a new description of a known one)."""
        return self._copy(series=series)

    def series(self) -> Mapping[str, Series]:
        return MappingProxyType(self._series)

    def families(self) -> Mapping[str, tuple[str, ...]]:
        """The names clauses use for a line of series ("SYNTEC"), and the series in order."""
        return {name: tuple(s.id for s in members) for name, members in self._families.items()}

    def links(self) -> tuple[Link, ...]:
        return tuple(self._links.values())

    def observations(self, series: str | None = None) -> tuple[Observation, ...]:
        """Every version, by series, period and publication day."""
        names = sorted(self._histories) if series is None else [series]
        return tuple(o for name in names for o in self._history(name).all())

    def versions(self, series: str, period: str) -> tuple[Observation, ...]:
        """The versions of one period, by publication day; the second is a rectification."""
        return self._history(series).versions.get(period, ())

    def resolve(self, series: str, on: date) -> Series:
        """The series that answers to this name on a day.

        A family name ("SYNTEC") is its living series. A series that ended is continued by its
        successor when a link between the two is in the book.

        Raises UnknownSeries, and SeriesEnded when nothing continues it.
        """
        if members := self._families.get(series):
            alive = [s for s in members if (s.first_published or date.min) <= on]
            found: Series | None = alive[-1] if alive else members[0]
        else:
            found = self._series.get(series)
        if found is None:
            raise UnknownSeries(series, on, "not in the catalogue")
        while found.ended is not None and on >= found.ended:
            if found.successor is None or (found.id, found.successor) not in self._links:
                last = self._history(found.id).last(on, "first")
                raise SeriesEnded(found.id, on, _ended(found), last_known=last)
            found = self._series[found.successor]
        return found

    def last_known(self, series: str, on: date, policy: str = "first") -> Reading:
        """The last known value on a day (dernier indice connu).

        The greatest period among what is published on or before that day. Raises NotYetPublished
        when nothing is, or when by the declared lag and its grace a later period must be public
        and is not in the book: an older value is never read in its place.
        """
        key = (series, on, policy)
        if (reading := self._read.get(key)) is None:
            reading = self._read[key] = self._last_known(self.resolve(series, on), on, policy)
        return reading

    def _last_known(self, series: Series, on: date, policy: str) -> Reading:
        last = self._history(series.id).last(on, policy)
        if last is None:
            raise NotYetPublished(series.id, on, "no value was published by then")
        if expected := self._overdue(series, last.period, on):
            why = f"{expected} must be public by then and is not in the book"
            raise NotYetPublished(series.id, on, why, expected, last)
        return _reading(last, on)

    def _overdue(self, series: Series, last: str, on: date) -> str | None:
        """The period a reader of that day would have read, if the book has missed it."""
        if series.frequency == "step":
            through = max(series.known_through or date.max, first_day(last))
            return on.isoformat() if on > through else None
        if series.lag is None:
            return None
        missing = next_period(series.frequency, last)
        due = series.lag.due(missing)
        # The months of a quarter come out together: no grace for those of a release already read.
        released = self.versions(series.id, last)[0].published_on
        same_release = due == series.lag.due(last) and released >= due
        if on < due + timedelta(days=0 if same_release else series.grace_days):
            return None
        while series.lag.due(following := next_period(series.frequency, missing)) <= on:
            missing = following
        return missing

    def in_force(self, series: str, on: date, policy: str = "first") -> Reading:
        """The rate in force on a day (taux en vigueur), whenever it was published.

        A half-year or yearly rate must be the one of that very period; a step holds until the
        next, up to the last day known. Where a series begins, its predecessor answers for the
        days before. "definitive" is the latest version in the book, since a rate may be published
        after the day it governs.
        """
        key = (series, on, policy)
        if (reading := self._in_force.get(key)) is None:
            reading = self._in_force[key] = self._rate(self.resolve(series, on), on, policy)
        return reading

    def _rate(self, series: Series, on: date, policy: str) -> Reading:
        versions = self._history(series.id).versions
        wanted = period_of(series.frequency, on)
        last = max((period for period in versions if period <= wanted), default=None)
        if last == wanted or (last and series.frequency == "step" and on <= self._through(series)):
            return _reading(versions[last][_VERSION[policy]], on)
        if last is None and series.predecessor:
            return self._rate(self.resolve(series.predecessor, on), on, policy)
        why = "the rate in force is not in the book"
        raise NotYetPublished(series.id, on, why, wanted, versions[last][0] if last else None)

    def _through(self, series: Series) -> date:
        """The last day for which a step is known; a newer observation tells of its own day."""
        declared = series.known_through or date.max
        return max(declared, *map(first_day, self._history(series.id).versions))

    def at(self, series: str, period: str, on: date, policy: str = "first") -> Reading:
        """A given period, as known on a day.

        The scale is that of the series named, whether or not it has ended since. By a family name
        ("SYNTEC") it is the scale the period first came out on: August 2021 is on the old one.
        """
        if members := self._families.get(series):
            due = members[-1].lag.due(period) if members[-1].lag else on
            series = self.resolve(series, min(due, on)).id
        elif series not in self._series:
            raise UnknownSeries(series, on, "not in the catalogue")
        public = [o for o in self.versions(series, period) if o.published_on <= on]
        if not public:
            last = self._history(series).last(on, policy)
            why = f"{period} was not public by then, or is not in the book"
            raise NotYetPublished(series, on, why, period, last)
        return _reading(public[_VERSION[policy]], on)

    def compare(self, base: Reading, current: Reading) -> Comparison:
        """The current reading on the base's scale, along the links from one series to the other.

        Raises MissingLink when a coefficient is not in the book.
        """
        links = self._chain(base.series, current.series, frozenset())
        if links is None:
            why = f"no linking coefficient from {base.series} to {current.series}"
            if (series := self._series.get(base.series)) and series.note:
                why = f"{why} ({series.note})"
            raise MissingLink(base.series, current.read_on, why, current.period)
        return Comparison(base, current, links)

    def _chain(self, old: str, new: str, seen: frozenset[str]) -> tuple[Link, ...] | None:
        if old == new:
            return ()
        for link in self._links.values():
            if link.old_series == old and link.new_series not in seen:
                rest = self._chain(link.new_series, new, seen | {old})
                if rest is not None:
                    return (link, *rest)
        return None


def _reading(observation: Observation, on: date) -> Reading:
    o = observation
    return Reading(
        o.series, o.period, o.value, o.published_on, o.source, o.confidence, o.estimated, on
    )


def _ended(series: Series) -> str:
    told = f"the series ended on {series.ended}"
    if series.successor:
        told = f"{told}; {series.successor} follows it, but no linking coefficient is in the book"
    if series.note:
        told = f"{told} ({series.note})"
    return f"{told}; a substitution must be recorded"
