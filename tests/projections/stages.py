"""Contracts at every version they have had, and rows made of them, in tables to ask.

The demo's, and a few lives more that the demo has none of: cancelled, suspended, blocked, set
aside, with a discount that ends and an option to come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal as D
from typing import Any, NamedTuple
from uuid import UUID

from billing.application import Billing
from billing.clauses import Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.contract.state import Contract, apply
from billing.dates import DAY, Period
from billing.events import Event
from billing.events.contract import (
    ContractSetAside,
    EquipmentRemoved,
    FeeChange,
    OptionSubscribed,
    OrderCancelled,
    RenewalAccepted,
    RenewalOffered,
    ServiceSuspended,
    TermsAmended,
)
from billing.identity import contract_id
from projections import schema
from projections.database import Target, insert
from projections.view import StateView, Told, gathered
from tests.scenario import day, recorded, signed


class Stage(NamedTuple):
    """A contract as it was at a version; `id` names the stage, and no other."""

    id: UUID
    contract: Contract
    events: tuple[Any, ...]


TERMS = Terms(cover=Cover(needs_acceptance=True))
OFFERED = Terms(renewal=Renewal(kind="offer", prompt_months=2))
LIVES: dict[str, tuple[Event, ...]] = {
    "H-CANCELLED": (
        signed(terms=TERMS, number="H-CANCELLED"),
        OrderCancelled(cancelled_on=day("2025-12-20"), agreed=True),
    ),
    "H-SUSPENDED": (
        signed(number="H-SUSPENDED"),
        ServiceSuspended(suspended_on=day("2026-02-01"), clock="overrun", measure="block"),
        ServiceSuspended(suspended_on=day("2026-03-01"), clock="unpaid"),
    ),
    "H-ASIDE": (
        signed(number="H-ASIDE", terms=OFFERED),
        ContractSetAside(
            due_on=day("2026-01-01"), clause="payment", reason="no mandate", held=True
        ),
        ContractSetAside(
            due_on=day("2026-01-01"), clause="revision", reason="no index", held=False
        ),
        RenewalOffered(
            offered_on=day("2026-10-01"), term=Period(day("2027-01-01"), day("2028-01-01"))
        ),
        RenewalAccepted(
            accepted_on=day("2026-11-01"), term=Period(day("2027-01-01"), day("2028-01-01"))
        ),
    ),
    "H-PRICES": (
        signed(
            Item(
                code="A", label="a", unit_price=D("100.00"), quantity=D(2), discount=D(50),
                discount_until=day("2026-03-31"),
            ),
            Item(code="B", label="b", unit_price=D("10.00"), per_months=7),
            Item(code="C", label="c", unit_price=D("10.00"), per_months=7),
            number="H-PRICES",
        ),
        OptionSubscribed(
            item=Item(code="O", label="o", unit_price=D("5.00"), kind="option"),
            since=day("2026-06-01"),
        ),
        TermsAmended(
            effective_on=day("2026-09-01"), terms=Terms(), terms_id="none", how="agreement",
            fees=(FeeChange("A", D("100.00"), D("120.00")),),
        ),
        EquipmentRemoved(code="B", removed_on=day("2026-10-10"), fee_until=day("2026-11-01")),
    ),
}  # fmt: skip


def stages(told: Iterable[Event]) -> list[Stage]:
    """Every stage of these contracts and of the lives above."""
    streams: dict[UUID, list[Any]] = defaultdict(list)
    for event in told:
        if event.TOPIC.startswith("contract."):
            streams[event.originator_id].append(event)
    for number, events in LIVES.items():
        streams[contract_id(number)] += recorded(events, number)
    return list(_stages(streams.values()))


def _stages(streams: Iterable[Sequence[Any]]) -> Iterator[Stage]:
    rank = 0
    for events in streams:
        contract = None
        for count, event in enumerate(events, 1):
            contract = apply(contract, event)
            rank += 1
            yield Stage(UUID(int=rank), contract, tuple(events[:count]))


def days_of(some: Iterable[Stage]) -> list[date]:
    """Days that matter to these contracts, the days around them, and a few others."""
    found = {date(year, month, 15) for year in range(2021, 2030) for month in (2, 6, 10)}
    for _, contract, _ in some:
        ends = contract.term and contract.term.end
        near = [contract.starts_on, contract.ends_on, ends, contract.billed_until]
        for covered in contract.items:
            item = covered.item
            near += [covered.since, covered.until, item.discount_until, item.warranty_until]
            near += [price.effective_on for price in covered.prices]
        for on in near:
            if on is not None and on.year < 2100:
                found |= {on - DAY, on, on + DAY}
    return sorted(found)


def laid_out(app: Billing, view: StateView, some: Iterable[Stage]) -> None:
    """The rows of every stage in the tables of its view, each as if it were a contract apart."""
    schema.ensure(app.store)

    def rows() -> Iterator[Told]:
        for id, contract, _ in some:
            for table, row in view.show(id, contract):
                place = list(table.columns.keys()).index("number") if "number" in table.c else None
                apart = list(row)
                if place is not None:
                    apart[place] = f"{row[place]} {id.int}"
                yield table, tuple(apart)

    with app.store.transaction() as tx, tx.writing() as connection:
        target = Target(connection.dialect.name)
        for table, found in gathered(view.tables, rows()).items():
            insert(connection, target, table, found)
