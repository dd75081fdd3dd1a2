"""Billing runs: opened, then closed once everything due is done (campagne de facturation)."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from billing.events.base import Event
from billing.events.run import BillingRunClosed, BillingRunOpened


class Run(Struct, frozen=True, array_like=True):
    """A run: what it bills, what it saw, whether it is whole."""

    name: str
    version: int
    earliest: date
    until: date
    log_position: int
    engine: str
    at: datetime
    opened_by: str
    closed: BillingRunClosed | None = None
    stopped: tuple[tuple[str, str], ...] = ()


def apply(run: Run | None, event: Event) -> Run:
    """The run after one more event."""
    if isinstance(event, BillingRunOpened):
        return Run(
            event.run,
            event.originator_version,
            event.earliest,
            event.until,
            event.log_position,
            event.engine,
            event.recorded_at,
            event.recorded_by,
            stopped=event.stopped,
        )
    assert run is not None, event
    assert isinstance(event, BillingRunClosed), event
    return replace(run, version=event.originator_version, closed=event)


def recorded_by(name: str) -> str:
    """How the events of a run are signed."""
    return f"run {name}"
