"""How events are written down and read back: JSON by msgspec, topics that name no module.

One decoder a topic, made once. An event stored in an older shape is upcast on the way in, so
that stored events outlive the code that wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Union
from uuid import UUID

import msgspec
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from msgspec import Raw, Struct, defstruct

from billing.events import TOPICS, UPCASTERS, Event
from billing.events.base import NOWHERE

_encode = msgspec.json.Encoder().encode
_decoders = {topic: msgspec.json.Decoder(kind).decode for topic, kind in TOPICS.items()}
_upcast = {topic: kind.VERSION for topic, kind in TOPICS.items() if kind.VERSION > 1}


class UnknownEvent(Exception):
    """The log holds an event this version of the program does not know, or cannot read."""


def to_stored(event: Event) -> StoredEvent:
    """The event as the store keeps it."""
    # A frozen dataclass sets its fields one by one; a run stores two events a contract.
    made = object.__new__(StoredEvent)
    made.__dict__.update(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=event.TOPIC,
        state=_encode(event),
    )
    return made


def from_stored(stored: StoredEvent) -> Event:
    """The event as it was recorded, in today's shape.

    Raises UnknownEvent, with the stream, the version and the topic.
    """
    try:
        if stored.topic in _upcast:
            return _upcasted(stored)
        return _decoders[stored.topic](stored.state)
    except KeyError:
        why = "this version of the program does not know it; upgrade the program"
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        why = str(error)
    raise UnknownEvent(
        f"event {stored.originator_version} of stream {stored.originator_id}, "
        f"topic {stored.topic}: {why}"
    )


def reader(topic: str) -> Callable[[bytes | str], Event]:
    """What reads the JSON of events of a topic, and raises what is not said for people.

    For those who read many; `from_stored` says which event cannot be read. Raises KeyError.
    """
    if topic in _upcast:
        return lambda body: from_stored(StoredEvent(NOWHERE, 0, topic, as_bytes(body)))
    return _decoders[topic]


def as_bytes(body: bytes | str) -> bytes:
    """JSON as the store keeps it."""
    return body if isinstance(body, bytes) else body.encode()


def _upcasted(stored: StoredEvent) -> Event:
    fields: dict[str, Any] = msgspec.json.decode(stored.state)
    kind = TOPICS[stored.topic]
    version = fields.get("v", 1)
    while version < kind.VERSION:
        fields = UPCASTERS[stored.topic, version](fields)
        version += 1
        fields["v"] = version
    return msgspec.convert(fields, kind, strict=False)


class Reader:
    """Reads all events of a stream in one call, each in the shape its topic is given.

    The store tells a stream as one array of `["topic", {the event}]`. Half the time of a call an
    event; `forbid_unknown_fields` and the count leave no room for what is not one event each.
    """

    def __init__(self, shapes: Mapping[str, Any]) -> None:
        told: Any = Union[tuple(_told(topic, shape) for topic, shape in shapes.items())]  # noqa: UP007
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(list[told]).decode

    def __call__(self, id: UUID, length: int, told: bytes) -> list[Any]:
        """The events of that stream. Raises UnknownEvent, with the version and the topic."""
        try:
            events = [one.event for one in self._decode(told)]
            if len(events) != length:
                raise UnknownEvent(f"stream {id}: {len(events)} events are read, {length} are kept")
        except (msgspec.MsgspecError, UnknownEvent):
            self.find_unreadable(id, told)
            raise
        return events

    @staticmethod
    def find_unreadable(id: UUID, told: bytes) -> None:
        """Raises UnknownEvent for the first event that cannot be read, each read whole."""
        for version, (topic, body) in enumerate(_one_by_one(told), 1):
            from_stored(StoredEvent(id, version, topic, body))


def _told(topic: str, shape: Any) -> type[Struct]:
    """An event of that topic as a stream tells it: the topic, which is the tag, and the event."""
    fields, named = [("event", shape)], {}
    if topic in _upcast:

        def event(self: Any) -> Event:
            return from_stored(StoredEvent(NOWHERE, 0, topic, bytes(self.body)))

        fields, named = [("body", Raw)], {"event": property(event)}
    return defstruct(
        "Told",
        fields,
        namespace=named,
        tag=topic,
        array_like=True,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )


def _one_by_one(told: bytes) -> Iterator[tuple[str, bytes]]:
    """The topics and bodies of a stream, taken apart without reading the bodies."""
    for one in told[3:-2].split(b'],\n["'):  # JSON writes a line feed within a text as \\n.
        topic, _, body = one.partition(b'",')
        yield topic.decode(), body


class EventMapper(Mapper[UUID]):
    """The library's mapper, on our own encoding."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """The event as the store keeps it."""
        return to_stored(domain_event)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The event as it was recorded."""
        return from_stored(stored_event)
