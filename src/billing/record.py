"""How events are written down and read back: JSON by msgspec, topics that name no module.

One decoder a topic, made once. An event stored in an older shape is upcast on the way in, so
that stored events outlive the code that wrote them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

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
