"""Prices: every price an item of a contract has had, who set it, and its revisions (révisions).

A price is set when an item is signed for, added or subscribed to, and again by a revision, the
correction of one, a renewal or an amendment. Each is a row, in force from its day until the next,
or until the item's fee ends; one that another took the place of from the same day on was never in
force, and its `until_on` is its `from_on`. The end of a contract ends no price: see `contract`.

What is sold once has a price too (`per_months` 0). Rates and meters are clauses, not items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import Index, PrimaryKeyConstraint, Table

from billing.events import Event
from billing.events.contract import (
    ContractRenewed,
    ContractSigned,
    EquipmentAdded,
    EquipmentRemoved,
    FeeChange,
    OptionCancelled,
    OptionSubscribed,
    PriceRevised,
    TermsAmended,
)
from billing.money import ZERO
from projections.bodies import json_of
from projections.database import made
from projections.tables import body, day, exact, key, metadata, moment, stream, text, whole
from projections.view import SHARED_CLAUSES, Item, Noted, StreamView, Told, topics_of

price = Table(
    "price",
    metadata,
    stream(),
    key("contract", "The contract's number"),
    whole("item", "The item's place among those the contract has had, from 1"),
    whole("version", "Of the contract's event that set the price"),
    key("code", "The item's code, which several may bear"),
    text("label", "What it is"),
    key("kind", "service, equipment, videoconference, option, access, volume or one_off"),
    day("from_on", "The first day of the price"),
    day("until_on", "The day after its last; none while it is the last one", optional=True),
    exact("quantity", "How many"),
    exact("unit_price", "In euros, before tax"),
    whole("per_months", "For how many months: 1 a month, 12 a year, 0 once"),
    exact("discount", "In percent"),
    day("discount_until", "The last day of the discount; none for ever", optional=True),
    key("why", "signed, added, subscribed, revised, corrected, renewed or amended"),
    text("coefficient", "Of the revision, exact: a number or a fraction; '' for another cause"),
    moment("recorded_at", "When it was recorded"),
    text("recorded_by", "By whom, or by which run"),
    body(),
    PrimaryKeyConstraint("stream", "item", "version"),
    comment="Every price an item has had (prix)",
)
Index("price_contract", price.c.contract, price.c.from_on)

price_revision = Table(
    "price_revision",
    metadata,
    stream(),
    whole("version", "Of the contract's event"),
    key("contract", "The contract's number"),
    day("effective_on", "The day of the revision"),
    day("corrects", "The day of the revision it corrects (indice définitif)", optional=True),
    text("coefficient", "Applied, exact: a number or a fraction"),
    moment("recorded_at", "When it was recorded"),
    text("recorded_by", "By whom, or by which run"),
    body(),
    PrimaryKeyConstraint("stream", "version"),
    comment="Revisions of prices, with the indices read (révisions de prix)",
)
Index("price_revision_contract", price_revision.c.contract, price_revision.c.effective_on)
Index("price_revision_day", price_revision.c.effective_on)

_MAY_PRICE: Final = topics_of(ContractRenewed, TermsAmended)
_ENTERS: Final = {EquipmentAdded: "added", OptionSubscribed: "subscribed"}


class Shown(Struct, rename={"from_on": "from", "until_on": "until"}, gc=False):
    """A price as the API answers it."""

    contract: str
    item: int
    version: int
    code: str
    label: str
    kind: str
    from_on: date
    until_on: date | None
    quantity: Decimal
    unit_price: Decimal
    per_months: int
    discount: Decimal
    discount_until: date | None
    why: str
    coefficient: str
    indices: msgspec.Raw
    recorded_at: datetime
    recorded_by: str


class _Set(NamedTuple):
    """A price as an event set it."""

    unit_price: Decimal
    version: int
    from_on: date
    why: str
    recorded_at: datetime
    recorded_by: str
    coefficient: str = ""
    indices: msgspec.Raw = msgspec.Raw(b"[]")


_in_order: Final = attrgetter("from_on", "version")


class _Priced:
    """An item of the contract and the prices it has had."""

    __slots__ = ("item", "prices", "until")

    def __init__(self, item: Item, first: _Set) -> None:
        self.item = item
        self.until = item.until
        self.prices = [first]


class Prices(StreamView):
    """The prices of items, and their revisions."""

    name = "prices"
    tables = (price, price_revision)
    topics: ClassVar = frozenset(
        e.TOPIC
        for e in (
            ContractSigned,
            EquipmentAdded,
            OptionSubscribed,
            EquipmentRemoved,
            OptionCancelled,
            PriceRevised,
            ContractRenewed,
            TermsAmended,
        )
    )

    reads: ClassVar = SHARED_CLAUSES

    def touches(self, noted: Noted) -> Iterable[UUID]:
        """Its own, but for a renewal or an amendment that leaves the fees as they were."""
        unpriced = noted.topic in _MAY_PRICE and not noted.event.fees  # type: ignore[attr-defined]
        return () if unpriced else (noted.stream,)

    def fold(self, id: UUID, events: Sequence[Event]) -> Iterator[Told]:
        """The prices of a contract, and its revisions."""
        signed: Any = events[0]
        number = signed.number
        items = [
            _entered(signed, item, item.since or signed.starts_on, "signed")
            for item in signed.items
        ]
        for event in events[1:]:
            if isinstance(event, EquipmentAdded | OptionSubscribed):
                items.append(_entered(event, event.item, event.since, _ENTERS[type(event)]))
            elif isinstance(event, EquipmentRemoved | OptionCancelled):
                _left(items, event.code, event.fee_until)
            elif isinstance(event, PriceRevised):
                _revised(items, event)
                yield _revision(id, number, event)
            elif isinstance(event, ContractRenewed):
                _changed(items, event.fees, _set_by(event, event.term.start, "renewed"))
            elif isinstance(event, TermsAmended):
                _changed(items, event.fees, _set_by(event, event.effective_on, "amended"))
        for rank, one in enumerate(items, 1):
            yield from _rows(id, number, rank, one)


def _entered(event: Event, item: Item, since: date, why: str) -> _Priced:
    return _Priced(item, _set_by(event, since, why, item.unit_price))


def _set_by(event: Event, from_on: date, why: str, unit_price: Decimal = ZERO) -> _Set:
    """What a price set by the event has besides its amount, and that amount if it is known."""
    by = event.recorded_by
    return _Set(unit_price, event.originator_version, from_on, why, event.recorded_at, by)


def _left(items: Sequence[_Priced], code: str, fee_until: date) -> None:
    """The item of that code last added, of those still there, has its fee until that day."""
    for one in reversed(items):
        if one.item.code == code and one.item.per_months and one.until is None:
            one.until = fee_until
            return


def _revised(items: Sequence[_Priced], event: PriceRevised) -> None:
    indices = [
        {
            "series": comparison.current.series,
            "base": comparison.base.value,
            "base_period": comparison.base.period,
            "base_published_on": comparison.base.published_on,
            "value": comparison.current.value,
            "period": comparison.current.period,
            "published_on": comparison.current.published_on,
            "links": [link.coefficient for link in comparison.links],
        }
        for comparison in event.comparisons
    ]
    why = "revised" if event.corrects is None else "corrected"
    like = _set_by(event, event.effective_on, why)._replace(
        coefficient=event.coefficient.applied, indices=msgspec.Raw(json_of(indices).encode())
    )
    _changed(items, event.fees, like)


def _changed(items: Sequence[_Priced], fees: Iterable[FeeChange], like: _Set) -> None:
    """The items of these codes have other prices, as the contract's own fold has it."""
    after = {change.code: change.after for change in fees}
    for one in items:
        unit_price = after.get(one.item.code)
        in_cover = one.until is None or one.until > like.from_on
        if unit_price is not None and in_cover and one.item.per_months:
            one.prices.append(_Set(unit_price, *like[1:]))


def _rows(id: UUID, number: str, rank: int, one: _Priced) -> Iterator[Told]:
    item = one.item
    named = item.code, item.label, item.kind
    until_on = one.until
    for found in sorted(one.prices, key=_in_order, reverse=True):
        unit_price, version, from_on, why, recorded_at, recorded_by, coefficient, indices = found
        if until_on is not None:
            until_on = max(from_on, until_on)
        values = (
            number, rank, version, *named, from_on, until_on, item.quantity, unit_price,
            item.per_months, item.discount, item.discount_until, why, coefficient,
        )  # fmt: skip
        body = json_of(Shown(*values, indices, recorded_at, recorded_by))
        yield price, (id, *values, recorded_at, recorded_by, body)
        until_on = from_on if one.until is None else min(from_on, one.until)


def _revision(id: UUID, number: str, event: PriceRevised) -> Told:
    told: dict[str, Any] = {
        "contract": number,
        "version": event.originator_version,
        "effective_on": event.effective_on,
        "corrects": event.corrects,
        "coefficient": event.coefficient.applied,
        "exact": event.coefficient.exact,
        "ratios": event.coefficient.ratios,
        "formula": event.formula,
        "comparisons": event.comparisons,
        "fees": event.fees,
        "charges": event.charges,
        "warnings": event.warnings,
        "recorded_at": event.recorded_at,
        "recorded_by": event.recorded_by,
    }
    return made(
        price_revision,
        stream=id,
        version=event.originator_version,
        contract=number,
        effective_on=event.effective_on,
        corrects=event.corrects,
        coefficient=event.coefficient.applied,
        recorded_at=event.recorded_at,
        recorded_by=event.recorded_by,
        body=json_of(told),
    )
