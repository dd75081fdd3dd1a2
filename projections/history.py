"""The history (chronologie): a line for every event of the log, in words.

What happened to a contract, an invoice, a payment, a mandate is what its stream has; the line says
on which day it takes effect, who recorded it when, and what it comes to. The event's own data are
not copied: they stand in the log at the line's position, and `telling.told` leaves out of them what
is personal. No sentence says anything personal either.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Index, Table

from billing.events import TOPICS
from projections.database import Row
from projections.tables import day, key, metadata, moment, position, stream, text, whole
from projections.view import LogView, line

history = Table(
    "history",
    metadata,
    stream(),
    position("position", "Of the event in the log", primary=True),
    whole("version", "Of the event in its stream"),
    key("topic", "What kind of event: contract.signed, invoice.issued …"),
    day("on_day", "The day it is about: when it takes effect"),
    moment("recorded_at", "When it was recorded"),
    text("recorded_by", "By whom, or by which run"),
    text("told", "What happened, in a sentence"),
    comment="Every event, in words (chronologie)",
)
Index("history_stream", history.c.stream, history.c.version)


class History(LogView):
    """Every event in words."""

    name = "history"
    tables = (history,)
    topics: ClassVar = frozenset(TOPICS)

    def row(self, position: int, stream: Any, version: int, topic: str, body: bytes | str) -> Row:
        """The line of an event."""
        on_day, recorded_at, recorded_by, told = line(stream, version, topic, body)
        return stream, position, version, topic, on_day, recorded_at, recorded_by, told
