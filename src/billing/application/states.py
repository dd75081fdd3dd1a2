"""Current states: which fold each stream has, and how its result is kept beside the log."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent

from billing import mandate, numbering, party, publication, run
from billing.contract import state as contract
from billing.contract.state import Contract
from billing.events import TOPICS, Event
from billing.events.base import NOWHERE
from billing.events.contract import ContractSigned, TermsAmended
from billing.identity import contract_id
from billing.record import from_stored
from billing.store import StateRow


class Kind(NamedTuple):
    """One kind of aggregate: its fold, and its state as bytes."""

    name: str
    apply: Callable[[Any, Any], Any]
    decode: Callable[[bytes], Any]
    named: Callable[[Any], str]


KINDS = {
    prefix: Kind(prefix, apply, msgspec.msgpack.Decoder(state).decode, named)
    for prefix, apply, state, named in (
        ("contract", contract.apply, Contract, lambda s: s.number),
        (
            "numbers",
            numbering.apply,
            numbering.Numbers,
            lambda s: numbering.name(s.supplier, s.year),
        ),
        ("index", publication.apply, publication.Published, lambda s: s.name),
        ("party", party.apply, party.Party, lambda s: s.identity.code),
        ("mandate", mandate.apply, mandate.Mandate, lambda s: s.reference),
        ("run", run.apply, run.Run, lambda s: s.name),
    )
}
FOLDED = tuple(topic for topic in TOPICS if topic.partition(".")[0] in KINDS)
"""The topics of the streams that have a current state."""

AGREED = (ContractSigned.TOPIC, TermsAmended.TOPIC)

_encode = msgspec.msgpack.Encoder().encode


@lru_cache(maxsize=256)
def kind_of(topic: str) -> Kind | None:
    """The kind of aggregate a topic belongs to; none for streams read from their events."""
    return KINDS.get(topic.partition(".")[0])


def kind_of_event(event: Event) -> Kind | None:
    """The kind of aggregate an event belongs to."""
    return kind_of(event.TOPIC)


def row_of(kind: Kind, id: UUID, state: Any) -> StateRow:
    """The state as a row: contracts also say when they are due and whom they follow."""
    if type(state) is Contract:
        return contract_row(id, state)
    return StateRow(id, kind.name, kind.named(state), state.version, _encode(state))


def contract_row(id: UUID, state: Contract) -> StateRow:
    """A contract's row; a linked contract comes after the others on the same day."""
    parent = contract_id(state.parent) if state.parent else None
    return StateRow(
        id,
        "contract",
        state.number,
        state.version,
        _encode(state),
        state.next_due(),
        0 if parent is None else 1,
        parent,
    )


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Has the garbage collector look less often: batches are many values, in no cycle."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Folded(NamedTuple):
    """A stream folded: its state, and the events among it that say which clauses were agreed."""

    kind: Kind
    id: UUID
    state: Any
    agreed: list[ContractSigned | TermsAmended]

    def row(self) -> StateRow:
        """The state as a row."""
        return row_of(self.kind, self.id, self.state)


def folds(stored: Iterable[StoredEvent]) -> Iterator[Folded]:
    """The fold of each stream, from events told one stream after another."""
    kind: Kind | None = None
    apply: Callable[[Any, Any], Any]
    id, number, state, agreed = NOWHERE, -1, None, list[Any]()
    for one in stored:
        stream: Any = one.originator_id
        if stream.int != number:
            if kind is not None:
                yield Folded(kind, id, state, agreed)
            kind, id, number = kind_of(one.topic), stream, stream.int
            assert kind is not None, one.topic
            state, agreed, apply = None, [], kind.apply
        event = from_stored(one)
        state = apply(state, event)
        if one.topic in AGREED:
            agreed.append(event)
    if kind is not None:
        yield Folded(kind, id, state, agreed)
