"""Billing runs (traitements de facturation): what each billed, and whom it set aside.

A run is opened and closed in its own stream; the contracts it could not bill as they should be say
so in theirs, under the run's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Table

from billing.events import Event
from billing.events.contract import ContractSetAside, ContractSigned
from billing.events.run import BillingRunClosed, BillingRunOpened
from projections.bodies import in_cents, json_of
from projections.database import made
from projections.tables import (
    body,
    cents,
    day,
    flag,
    key,
    metadata,
    moment,
    position,
    stream,
    text,
    whole,
)
from projections.view import StreamView, Told

run = Table(
    "run",
    metadata,
    stream(),
    key("name", "Its name: the month, or the day it bills up to", primary=True),
    day("earliest", "Nothing it issues is dated before that day"),
    day("until", "It bills what is due before that day"),
    position("log_position", "The last event it saw"),
    moment("opened_at", "When it began"),
    text("opened_by", "Who began it"),
    moment("closed_at", "When it was whole", optional=True),
    whole("invoices", "Invoices it issued", optional=True),
    whole("credit_notes", "Credit notes it issued", optional=True),
    whole("set_aside", "Contracts set aside", optional=True),
    cents("net_cents", "Before tax", optional=True),
    cents("tax_cents", "VAT", optional=True),
    cents("gross_cents", "Tax included", optional=True),
    body(),
    comment="Billing runs",
)

set_aside = Table(
    "set_aside",
    metadata,
    stream(),
    whole("version", "Of the contract's event", primary=True),
    key("contract", "The contract's number", primary=True),
    day("due_on", "The day something was due"),
    text("clause", "The clause that could not be followed"),
    text("reason", "Why"),
    flag("held", "The billing waits too, not only the clause"),
    moment("recorded_at", "When it was set aside"),
    text("recorded_by", "By which run"),
    body(),
    comment="What could not be done when it was due (mises de côté)",
)
Index("set_aside_by", set_aside.c.recorded_by)
Index("set_aside_stream", set_aside.c.stream)
Index("run_stream", run.c.stream)


class Runs(StreamView):
    """The runs, and what they set aside."""

    name = "runs"
    tables = (run, set_aside)
    topics: ClassVar = frozenset(
        e.TOPIC for e in (BillingRunOpened, BillingRunClosed, ContractSigned, ContractSetAside)
    )

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterable[Told]:
        """A run's row, or those of a contract that was set aside."""
        if isinstance(events[0], BillingRunOpened):
            return _run(id, events)
        return _set_aside(id, events)


def _run(id: UUID, events: Sequence[Event]) -> Iterator[Told]:
    opened, closed = events[0], events[-1]
    assert isinstance(opened, BillingRunOpened)
    told: dict[str, Any] = {
        "name": opened.run,
        "earliest": opened.earliest,
        "until": opened.until,
        "log_position": opened.log_position,
        "engine": opened.engine,
        "opened_at": opened.recorded_at,
        "opened_by": opened.recorded_by,
        "closed_at": None,
    }
    counts: dict[str, Any] = dict.fromkeys(("invoices", "credit_notes", "set_aside"))
    amounts: dict[str, Any] = dict.fromkeys(("net", "tax", "gross"))
    if isinstance(closed, BillingRunClosed):
        told["closed_at"] = closed.recorded_at
        counts = {name: getattr(closed, name) for name in counts}
        amounts = {name: getattr(closed, name) for name in amounts}
        told |= counts | amounts
        told |= {name: getattr(closed, name) for name in ("renewed", "revised", "vat", "digest")}
    yield made(
        run,
        stream=id,
        name=opened.run,
        earliest=opened.earliest,
        until=opened.until,
        log_position=opened.log_position,
        opened_at=opened.recorded_at,
        opened_by=opened.recorded_by,
        closed_at=told["closed_at"],
        **counts,
        **{f"{name}_cents": in_cents(amount) for name, amount in amounts.items()},
        body=json_of(told),
    )


def _set_aside(id: UUID, events: Sequence[Event]) -> Iterator[Told]:
    signed = events[0]
    assert isinstance(signed, ContractSigned)
    for event in events[1:]:
        assert isinstance(event, ContractSetAside)
        told = {
            "contract": signed.number,
            "version": event.originator_version,
            "due_on": event.due_on,
            "clause": event.clause,
            "reason": event.reason,
            "held": event.held,
            "recorded_at": event.recorded_at,
            "recorded_by": event.recorded_by,
        }
        yield made(set_aside, stream=id, **told, body=json_of(told))
