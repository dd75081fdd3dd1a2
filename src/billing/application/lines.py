"""A line of the history (chronologie), from an event as it is stored.

Most of what an event holds is evidence that no line tells. Of the events there are most of, and of
those that hold most, no more is decoded than their line takes; `billing verify` reads all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent
from msgspec import structs

from billing.application import words
from billing.clauses.fees import Item
from billing.clauses.revision import Coefficient
from billing.events import TOPICS, Event
from billing.events import contract as ev
from billing.events import invoice as iv
from billing.events.base import part
from billing.record import UnknownEvent, as_bytes, from_stored, reader

Line = tuple[date, datetime, str, str]
"""The day an event is about, when it was recorded and by whom, and the event in words."""

_Reader = tuple[Callable[[Any], Any], tuple[str, ...], Callable[[Any], str]]


def line(stream: Any, version: int, topic: str, body: bytes | str) -> Line:
    """The line of an event of the log, from its JSON.

    Raises UnknownEvent for what this program does not know or cannot read.
    """
    try:
        decode, days, told = _readers[topic]
        event = decode(body)
    except (KeyError, msgspec.MsgspecError, UnknownEvent):
        id = UUID(bytes=stream) if isinstance(stream, bytes) else stream
        from_stored(StoredEvent(id, version, topic, as_bytes(body)))  # Says which, and why.
        raise
    return words.day_among(days, event), event.recorded_at, event.recorded_by, told(event)


class _Readers(dict[str, _Reader]):
    """By topic: how an event is decoded, which fields may say its day, and what tells it."""

    def __missing__(self, topic: str) -> _Reader:
        kind = TOPICS[topic]
        self[topic] = (_decoder(kind), words.days_of(kind), words.words_of(kind))
        return self[topic]


_readers = _Readers()


def _decoder(kind: type[Event]) -> Callable[[Any], Any]:
    told = _TOLD.get(kind)
    if told is None or kind.VERSION > 1:
        return reader(kind.TOPIC)
    names = " ".join((told, *words.days_of(kind), "recorded_at", "recorded_by"))
    return msgspec.json.Decoder(_part(kind, names)).decode


def _part(kind: Any, names: str) -> Any:
    """Some fields of a struct; of what they hold, too, only what is told."""
    fields = structs.fields(kind)
    types = {field.name: _PARTS[field.type] for field in fields if field.type in _PARTS}
    return part(kind, names.split(), types)


_PARTS: Final[dict[Any, Any]] = {}
_PARTS[Item] = _part(Item, "code quantity unit_price per_months")
_PARTS[Coefficient] = _part(Coefficient, "applied")
_Charge: Any = _part(ev.Charge, "net")
_PARTS[tuple[ev.Charge, ...]] = tuple[_Charge, ...]

# What the words of these events say, besides the day they are about. A field missed here is an
# AttributeError in the test that tells a sample of each.
_TOLD: Final[dict[type[Event], str]] = {
    ev.ContractSigned: "client form starts_on term parent",
    ev.EquipmentAdded: "item declared charges",
    ev.EquipmentRemoved: "code because fee_until charges",
    ev.OptionSubscribed: "item charges",
    ev.OptionCancelled: "code fee_until charges",
    ev.EquipmentChecked: "code working charges",
    ev.ReplacementShipped: "code return_by",
    ev.FaultyItemReturned: "code",
    ev.UsageMeasured: "meter period used included charges",
    ev.SupplementaryWorkDone: "code quote free charges",
    ev.PriceRevised: "effective_on corrects coefficient comparisons charges",
    ev.ContractRenewed: "how term fees",
    ev.InstalmentBilled: "invoice period net deducted credit_notes",
    iv.InvoiceIssued: "number kind gross due_on",
    iv.CreditNoteIssued: "gross credits reason",
    iv.DebitNoteIssued: "number gross due_on",
    iv.PaymentAllocated: "amount means payment collection credit",
}
