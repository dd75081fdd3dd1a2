"""Collections put together as the bank wants them (remises): pure, the same from the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import asdict, replace

from billing.documents.orders import Batch, Direct, Message
from billing.documents.profile import Profile, Scheme, SequenceType


class Group(Struct, frozen=True):
    """What the collections of a batch have in common: creditor, account, scheme, sequence, day."""

    creditor: str
    iban: str
    bic: str
    creditor_identifier: str
    scheme: Scheme
    sequence: SequenceType
    collected_on: date


def messages(
    id: str,
    created_at: datetime,
    initiator: str,
    collections: Iterable[tuple[Group, Direct]],
    profile: Profile,
) -> tuple[Message, ...]:
    """The files these collections make, none when there are none; their order does not matter.

    By day, creditor, scheme and sequence type as the bank is told it; within a batch by
    end-to-end id. One file bears `id`, several `id-1`, `id-2`…; batches `{file}-1`, `{file}-2`…
    """
    files: list[list[Batch]] = []
    room = 0
    for batch in _batches(collections, profile):
        if not files or (profile.max_per_file and len(batch.collections) > room):
            files.append([])
            room = profile.max_per_file or 0
        files[-1].append(batch)
        room -= len(batch.collections)
    names = [id] if len(files) == 1 else [f"{id}-{n}" for n in range(1, len(files) + 1)]
    return tuple(
        Message(
            id=name,
            created_at=created_at,
            initiator=initiator,
            batches=tuple(
                replace(batch, id=f"{name}-{n}") for n, batch in enumerate(batches, start=1)
            ),
        )
        for name, batches in zip(names, files, strict=True)
    )


def _batches(collections: Iterable[tuple[Group, Direct]], profile: Profile) -> Iterable[Batch]:
    grouped: defaultdict[Group, list[Direct]] = defaultdict(list)
    for group, collection in collections:
        grouped[replace(group, sequence=profile.told(group.sequence))].append(collection)
    limits = [most for most in (profile.max_per_batch, profile.max_per_file) if most]
    for group in sorted(grouped, key=_order):
        alike = sorted(grouped[group], key=lambda collection: collection.end_to_end)
        most = min(limits, default=len(alike))
        for start in range(0, len(alike), most):
            yield Batch(id="", collections=tuple(alike[start : start + most]), **asdict(group))


def _order(group: Group) -> tuple[str | date, ...]:
    return (
        group.collected_on,
        group.creditor_identifier,
        group.iban,
        group.scheme,
        group.sequence,
        group.creditor,
        group.bic,
    )
