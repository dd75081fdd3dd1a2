"""Current states: which fold each stream has, and how its result is kept beside the log."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from billing import bank_entry, bank_file, collection, mandate, numbering, party, publication, run
from billing.contract import state as contract
from billing.contract.state import Contract
from billing.events import TOPICS, Event
from billing.events.contract import ContractSigned, TermsAmended
from billing.identity import contract_id, stream
from billing.record import Reader
from billing.store import StateRow, StoreOutdated, Stream


def decoder(name: str, decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Reads states of that kind; raises StoreOutdated for one kept by another version."""

    def decoded(body: bytes) -> Any:
        try:
            return decode(body)
        except msgspec.DecodeError as error:  # ValidationError is one.
            raise StoreOutdated(
                f"This database keeps a {name.replace('_', ' ')} as another version of the program "
                f"did ({error}). Run `billing rebuild`: its current states are made again from its "
                "events, and nothing is lost."
            ) from None

    return decoded


class Kind(NamedTuple):
    """One kind of aggregate: its fold, and its state as bytes."""

    name: str
    apply: Callable[[Any, Any], Any]
    decode: Callable[[bytes], Any]
    named: Callable[[Any], str]

    @classmethod
    def of(
        cls, name: str, apply: Callable[[Any, Any], Any], state: type, named: Callable[[Any], str]
    ) -> Kind:
        """The kind of aggregate that leaves states of that type."""
        return cls(name, apply, decoder(name, msgspec.msgpack.Decoder(state).decode), named)

    def row(
        self, id: UUID, state: Any, next_due: date | None = None, parent: UUID | None = None
    ) -> StateRow:
        """The state as a row, due that day, found under that parent."""
        body = _encode(state)
        return StateRow(id, self.name, self.named(state), state.version, body, next_due, 0, parent)


KINDS = {
    prefix: Kind.of(prefix, apply, state, named)
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
        (
            "collection_file",
            collection.apply,
            collection.File,
            lambda s: f"{s.supplier}/{s.message}",
        ),
        ("bank_file", bank_file.apply, bank_file.Imported, lambda s: s.digest),
        ("bank_entry", bank_entry.apply, bank_entry.Waiting, lambda s: f"{s.supplier}/{s.entry}"),
        ("run", run.apply, run.Run, lambda s: s.name),
    )
}
FOLDED = tuple(topic for topic in TOPICS if topic.partition(".")[0] in KINDS)
"""The topics of the streams that have a current state."""

CAME_BACK = stream("mandate", "")
"""Under which mandates are found since a debit came back; no mandate has this stream."""

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
    """The state as a row; some also say when they are due, contracts whom they follow."""
    if type(state) is Contract:
        return contract_row(id, state)
    if type(state) is mandate.Mandate:
        back = CAME_BACK if state.stopped else None
        return kind.row(id, state, state.next_due, back)  # The day it is to be seen to lapse.
    if type(state) is bank_entry.Waiting:
        return kind.row(id, state, state.next_due)
    return kind.row(id, state)


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
    gc.set_threshold(1_000_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def shorter_turns() -> Iterator[None]:
    """Has threads take turns more often: one that writes must not wait 5 ms for each answer."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Folded(NamedTuple):
    """A stream folded: its state as a row, and the names of the clauses agreed on the way."""

    row: StateRow
    agreed: list[str]


_Folding = tuple[Kind, Callable[[Any, Any], Any], bool]


@lru_cache
def _reading(whole: bool) -> tuple[Reader, dict[type, _Folding]]:
    """What reads a stream to be folded, and by the shape of an event: its kind, how it is folded,
    whether it agrees clauses. Of most events only what the fold reads is decoded."""
    shapes: dict[str, type] = {}
    by_shape: dict[type, _Folding] = {}
    for topic in FOLDED:
        kind, event = KINDS[topic.partition(".")[0]], TOPICS[topic]
        fold, shape = kind.apply, event
        if not whole and event in contract.READS and event.VERSION == 1:
            fold, shape = contract.READS[event]
        shapes[topic] = shape
        by_shape[shape] = kind, fold, topic in AGREED
    return Reader(shapes), by_shape


def folds(streams: Iterable[Stream], whole: bool = False) -> Iterator[Folded]:
    """The fold of each stream. Raises UnknownEvent for what this program cannot read.

    `whole` decodes every field of every event, those that no fold looks at too.
    """
    read, by_shape = _reading(whole)
    for id, length, told in streams:
        events = read(id, length, told)
        state, agreed = None, []
        try:
            for event in events:
                _, apply, agrees = by_shape[type(event)]
                state = apply(state, event)
                if agrees:
                    agreed.append(event.terms_id)
        except msgspec.MsgspecError:  # Some fields are decoded only as they are folded.
            read.find_unreadable(id, told)
            raise
        # Of a row the bytes are kept: of states, thousands of values of which none is near.
        yield Folded(row_of(by_shape[type(events[0])][0], id, state), agreed)
