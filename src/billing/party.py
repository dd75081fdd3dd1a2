"""Parties: who supplies and who buys, as last told (parties)."""

from __future__ import annotations

from msgspec import Struct

from billing.events.party import Identity, PartyAmended, PartyRegistered


class Party(Struct, frozen=True, array_like=True):
    """A party and the version of its stream."""

    identity: Identity
    version: int


def apply(_: Party | None, event: PartyRegistered | PartyAmended) -> Party:
    """The party after one more event."""
    return Party(event.party, event.originator_version)
