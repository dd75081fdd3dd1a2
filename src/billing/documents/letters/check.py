"""What keeps a letter from being written: a party nobody could reach, a text without glyphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from billing.documents.faults import unprintable, unprintable_party
from billing.documents.letters.facts import Head
from billing.documents.letters.letter import Letter
from billing.events.party import Identity
from billing.refusal import Refused


def refuse(head: Head) -> None:
    """Raises Refused when a party has no name or no address, or one that cannot be printed."""
    for side, party in (("supplier", head.supplier), ("client", head.client)):
        _refuse(head, _party_faults(party, f"{side} {party.code}"))


def refuse_texts(head: Head, letter: Letter) -> None:
    """Raises Refused when the fonts that ship lack a character of the letter."""
    texts = _texts(msgspec.to_builtins((letter.references, letter.blocks)))
    _refuse(head, (fault for text in texts for fault in unprintable(text, letter.kind)))


def _refuse(head: Head, faults: Iterable[str]) -> None:
    for fault in faults:
        raise Refused(f"{', '.join(head.contracts) or head.client.code}: {fault}")


def _party_faults(party: Identity, who: str) -> Iterator[str]:
    if not party.name.strip():
        yield f"{who} has no name; a letter bears it (`billing party`)"
    if party.address is None:
        yield f"{who} has no address; a letter bears it (`billing party`)"
    elif not party.address.city.strip():
        yield f"{who}: an address with its city was expected (`billing party`)"
    yield from unprintable_party(party, who)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.replace("\n", " ")
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


__all__ = ["refuse", "refuse_texts"]
