"""Publications: the series as the log knows them, folded into an index book."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from billing.events.base import Event
from billing.events.index import IndexCorrected, IndexPublished, SeriesDeclared, SeriesReplaced
from indices import IndexBook, Link, Observation, Series


class Published(Struct, frozen=True, array_like=True):
    """One series: what it is, its values with all their versions, its links to successors."""

    name: str
    version: int
    series: Series | None = None
    observations: tuple[Observation, ...] = ()
    links: tuple[Link, ...] = ()


def apply(published: Published | None, event: Event) -> Published:
    """The series after one more event."""
    if isinstance(event, SeriesDeclared):
        before = published or Published(event.series.id, 0)
        return Published(
            before.name, event.originator_version, event.series, before.observations, before.links
        )
    if isinstance(event, IndexPublished | IndexCorrected):
        before = published or Published(event.series, 0)
        return Published(
            before.name,
            event.originator_version,
            before.series,
            before.observations + event.observations,
            before.links,
        )
    assert isinstance(event, SeriesReplaced), event
    before = published or Published(event.series, 0)
    return Published(
        before.name,
        event.originator_version,
        before.series,
        before.observations,
        (*before.links, event.link),
    )


def book_of(published: Iterable[Published]) -> IndexBook:
    """All series as one book, from which clauses read."""
    published = tuple(published)
    return IndexBook(
        [p.series for p in published if p.series is not None],
        [o for p in published for o in p.observations],
        [link for p in published for link in p.links],
    )
