"""Recurring revenue, and what moved it (revenu récurrent: MRR, ARR).

It is the yearly fees of the contracts in force, whatever they are billed by: of each item in the
cover, quantity × price × (100 − discount) / 100 × 12 / the months its price is for, exact, rounded
once a contract. A contract is in force from its start, or its acceptance where it needs one, to the
day it ends as far as is known. A suspension moves nothing: suspended days stay due.

    what recurs on a day = Σ of the moves up to that day

A move of a day to come stands there until something else is agreed: the end of a contract that was
denounced, a price agreed for next year.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from math import lcm
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Index, Table

from billing.dates import DAY, NEVER
from billing.events import Event
from billing.events.contract import (
    ContractAssigned,
    ContractRenewed,
    ContractSigned,
    ContractTerminated,
    EquipmentAdded,
    EquipmentRemoved,
    InstallationAccepted,
    NonRenewalNoticed,
    OptionCancelled,
    OptionSubscribed,
    OrderCancelled,
    PriceRevised,
    RenewalAccepted,
    TermsAmended,
)
from billing.money import half_up
from projections.database import Totals
from projections.tables import cents, day, key, metadata, stream, whole
from projections.view import (
    SHARED_CLAUSES,
    Contract,
    Covered,
    StreamView,
    Told,
    contract_from,
    topics_of,
)

KINDS: Final = {
    "assigned": "from one party to another",
    "new": "a contract begins",
    "added": "an item or an option enters a contract",
    "indexed": "prices are revised by their index",
    "renewed": "another price from a new term on",
    "amended": "another price by amendment",
    "discount_ended": "a discount is over",
    "removed": "an item or an option leaves",
    "ended": "a contract ends",
}
"""What moves recurring revenue; those of one day are told in this order."""

_PRICED: Final[dict[type[Event], str]] = {
    PriceRevised: "indexed",
    ContractRenewed: "renewed",
    TermsAmended: "amended",
}
_LEFT: Final = (EquipmentRemoved, OptionCancelled)
_ENDED: Final = (ContractTerminated, NonRenewalNoticed, OrderCancelled)
_KINDS: Final = tuple(KINDS)
_ORDER: Final = {kind: place for place, kind in enumerate(KINDS)}

recurring_move = Table(
    "recurring_move",
    metadata,
    stream(),
    whole("rank", "Its place among the contract's moves"),
    day("effective_on", "From that day on"),
    day("month", "The first day of that month"),
    key("kind", f"{', '.join(KINDS)}"),
    key("contract", "The contract's number"),
    key("supplier", "Who serves it from then on"),
    key("client", "Who pays it from then on"),
    key("form", "The contract form it was signed on"),
    whole("version", "Of the contract's event that moved it; 0 when its term is over"),
    cents("monthly_cents", "How much more a month"),
    cents("yearly_cents", "How much more a year"),
    cents("monthly_after_cents", "What the contract then brings a month"),
    cents("yearly_after_cents", "What the contract then brings a year"),
    comment="What moved the yearly fees of a contract, and by how much",
)
Index("recurring_move_key", recurring_move.c.stream, recurring_move.c.rank, unique=True)
Index("recurring_move_on", recurring_move.c.effective_on, recurring_move.c.supplier)
Index("recurring_move_contract", recurring_move.c.contract, recurring_move.c.rank)

recurring_total = Table(
    "recurring_total",
    metadata,
    key("supplier", "Who serves the contracts", primary=True),
    day("month", "The first day of the month", primary=True),
    key("kind", "What moved them", primary=True),
    whole("lines", "How many moves"),
    cents("monthly_cents", "How much more a month"),
    cents("yearly_cents", "How much more a year"),
    comment="What moved the recurring revenue of a company, by month",
)


class Move(NamedTuple):
    """What a contract brings more a year from a day on; why, and by which event.

    `more` is exact, in parts of a euro: as many as `parts_of` says.
    """

    on: date
    kind: str
    version: int
    supplier: str
    client: str
    more: Decimal


class Recurring(StreamView):
    """What moved the yearly fees of the contracts."""

    name = "recurring"
    tables = (recurring_move,)
    totals = (Totals(recurring_total, recurring_move),)
    topics: ClassVar = topics_of(
        ContractSigned,
        InstallationAccepted,
        ContractAssigned,
        EquipmentAdded,
        OptionSubscribed,
        RenewalAccepted,
        *_PRICED,
        *_LEFT,
        *_ENDED,
    )
    reads: ClassVar = SHARED_CLAUSES

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterator[Told]:
        """The moves of a contract."""
        contract = contract_from(events)
        parts = parts_of(contract)
        yearly = Decimal(0)
        monthly_cents = yearly_cents = 0
        for rank, move in enumerate(moves(contract, events), 1):
            on, kind, version, supplier, client, more = move
            yearly += more
            over, under = yearly.as_integer_ratio()
            whole_year = half_up(over * 100, under * parts)
            monthly = half_up(over * 100, under * parts * 12)
            row = (
                id, rank, on, on.replace(day=1), kind, contract.number, supplier, client,
                contract.form, version, monthly - monthly_cents, whole_year - yearly_cents,
                monthly, whole_year,
            )  # fmt: skip
            yield recurring_move, row
            monthly_cents, yearly_cents = monthly, whole_year


def parts_of(contract: Contract) -> int:
    """In how many parts a euro is cut, so that no fee a year needs a division."""
    return 100 * lcm(*(covered.item.per_months for covered in contract.items))


def yearly_fee(contract: Contract, on: date) -> Fraction:
    """What a contract brings a year at the cover and prices of a day, in euros, exact.

    Of a day before the prices the contract still knows, its first ones count.
    """
    if not contract.billable or not contract.anchor_on <= on < (contract.ends_on or NEVER):
        return Fraction(0)
    parts = parts_of(contract)
    fees = (
        _fee(covered, on, on, parts)
        for covered in contract.items
        if covered.since <= on < (covered.until or NEVER)
    )
    return Fraction(sum(fees, Decimal(0))) / parts


def _fee(covered: Covered, priced_on: date, discounted_on: date, parts: int) -> Decimal:
    """What an item brings a year at the price of one day, less the discount of another.

    In parts of a euro: quantity × price × (100 − discount) × 12 / months, times the parts.
    """
    item = covered.item
    fee = item.quantity * covered.price_on(priced_on).unit_price
    kept: Decimal | int = 100
    if item.discount and (item.discount_until is None or discounted_on <= item.discount_until):
        kept = 100 - item.discount
    return fee * kept * (12 * parts // (100 * item.per_months))


def moves(contract: Contract, events: Sequence[Event]) -> Iterator[Move]:
    """The moves of a contract, in order; `events` are those it is folded from."""
    causes: dict[tuple[date, int, int], Decimal] = {}
    for on, kind, version, more in chain(_changes(contract, events), _assignments(events)):
        cause = on, _ORDER[kind], version
        causes[cause] = causes.get(cause, Decimal(0)) + more
    brings = Decimal(0)
    for cause in sorted(causes):
        on, place, version = cause
        kind, more = _KINDS[place], causes[cause]
        supplier, client = contract.party_on("supplier", on), contract.party_on("client", on)
        if kind == "assigned":
            if brings:
                before = on - DAY
                old = contract.party_on("supplier", before), contract.party_on("client", before)
                yield Move(on, kind, version, *old, -brings)
                yield Move(on, kind, version, supplier, client, brings)
        elif more:
            brings += more
            yield Move(on, kind, version, supplier, client, more)


_Change = tuple[date, str, int, Decimal]


def _assignments(events: Sequence[Event]) -> Iterator[_Change]:
    last = {e.effective_on: e for e in events if isinstance(e, ContractAssigned)}
    for on, event in last.items():
        yield on, "assigned", event.originator_version, Decimal(0)


def _changes(contract: Contract, events: Sequence[Event]) -> Iterator[_Change]:
    """What each item brings more or less, and when: it enters, its price changes, it leaves."""
    if not contract.billable:
        return
    start, end, parts = contract.anchor_on, contract.ends_on or NEVER, parts_of(contract)
    priced = {e.originator_version: _PRICED[type(e)] for e in events if type(e) in _PRICED}
    left = {(e.code, e.fee_until): e.originator_version for e in events if isinstance(e, _LEFT)}
    ended = max((e.originator_version for e in events if isinstance(e, _ENDED)), default=0)
    signed = events[0].originator_version
    for covered in contract.items:
        since, until = max(covered.since, start), min(covered.until or NEVER, end)
        if since >= until:
            continue
        fee = _fee(covered, since, since, parts)
        kind = "new" if covered.added == signed and since == start else "added"
        yield since, kind, covered.added, fee
        for on, kind, version in _steps(covered, priced):
            if since < on < until:
                discounted_on = on if kind == "discount_ended" else on - DAY
                yield on, kind, version, (after := _fee(covered, on, discounted_on, parts)) - fee
                fee = after
        if until == end != NEVER:
            yield until, "ended", ended, -fee
        elif until != NEVER:
            yield until, "removed", left.get((covered.item.code, until), covered.added), -fee


def _steps(covered: Covered, priced: Mapping[int, str]) -> Iterator[tuple[date, str, int]]:
    """The days on which what an item costs changes, in order: why, and by which event."""
    item, over = covered.item, NEVER
    if item.discount and item.discount_until is not None:
        over = item.discount_until + DAY
    for price in covered.prices:
        if price.effective_on > over:
            yield over, "discount_ended", covered.added
            over = NEVER
        if price.by in priced:
            yield price.effective_on, priced[price.by], price.by
    if over != NEVER:
        yield over, "discount_ended", covered.added
