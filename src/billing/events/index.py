"""What becomes known of published series."""

from __future__ import annotations

from typing import ClassVar

from billing.events.base import Event
from indices import Link, Observation, Series


class SeriesDeclared(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A series is known by that name: its publisher, frequency and lag."""

    TOPIC: ClassVar[str] = "index.series_declared"

    series: Series


class IndexPublished(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Values of a series, each with its day of publication and source (publication)."""

    TOPIC: ClassVar[str] = "index.published"

    series: str
    observations: tuple[Observation, ...]


class IndexCorrected(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The publisher corrects values (rectification): versions are added, none is changed."""

    TOPIC: ClassVar[str] = "index.corrected"

    series: str
    observations: tuple[Observation, ...]
    reason: str = ""


class SeriesReplaced(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A series stops and another goes on, by a linking coefficient (raccordement)."""

    TOPIC: ClassVar[str] = "index.series_replaced"

    series: str
    link: Link
