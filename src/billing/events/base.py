"""What every event carries, and how it is written down.

An event is evidence: past tense, frozen, complete. Its `TOPIC` is what is stored, so modules
may move; once released it only gains fields with defaults. A change of meaning raises
`VERSION` and registers an upcaster beside the event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from msgspec import NODEFAULT, Struct, defstruct
from msgspec.structs import fields, replace

E = TypeVar("E", bound="Event")

NOWHERE = UUID(int=0)
UNRECORDED = datetime(1, 1, 1, tzinfo=UTC)

TOPICS: dict[str, type[Event]] = {}
UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that happened: where in which stream, when the system learned it, from whom.

    The four fields are stamped when the event is recorded; until then it is only a decision.
    `v` is the version of the event's shape, written when it is not the first.
    gc=False: frozen values make no cycle, so the collector need not walk through millions of them.
    """

    TOPIC: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1

    originator_id: UUID = NOWHERE
    originator_version: int = 0
    recorded_at: datetime = UNRECORDED
    recorded_by: str = ""
    v: int = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.TOPIC:
            known = TOPICS.setdefault(cls.TOPIC, cls)
            assert known.__qualname__ == cls.__qualname__, f"two events claim {cls.TOPIC}"
            TOPICS[cls.TOPIC] = cls


def upcaster(
    topic: str, from_version: int
) -> Callable[[Callable[[dict[str, Any]], dict[str, Any]]], Callable[..., dict[str, Any]]]:
    """Registers how the stored fields of one version of an event become those of the next."""

    def register(
        function: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Callable[..., dict[str, Any]]:
        UPCASTERS[topic, from_version] = function
        return function

    return register


def stamped(event: E, stream: UUID, version: int, at: datetime, by: str) -> E:
    """The decision as it is recorded."""
    return replace(
        event,
        originator_id=stream,
        originator_version=version,
        recorded_at=at,
        recorded_by=by,
        v=event.VERSION,
    )


def part(kind: type[Struct], names: Collection[str], types: Mapping[str, Any]) -> type[Struct]:
    """A struct of some fields of another, of these types where they are not the same.

    Most of what an event holds is evidence: it is quicker to decode no more than is looked at.
    """
    taken: list[Any] = []
    for field in fields(kind):
        if field.name in names:
            default = () if field.default is NODEFAULT else (field.default,)
            taken.append((field.name, types.get(field.name, field.type), *default))
    return defstruct(kind.__name__, taken, frozen=True, kw_only=True, gc=False)
