"""Parties of which nothing is missing: what a document has to bear of them is there."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from billing.application import Billing
from billing.events import Event
from billing.events.party import Address, Identity, PartyRegistered
from billing.identity import stream


def party(code: str, **more: Any) -> Identity:
    """A French company, its SIREN and VAT number made from its code with keys that fit."""
    siren = siren_of(code)
    key = (12 + 3 * int(siren)) % 97
    said = {
        "name": code.title(),
        "siren": siren,
        "vat_number": f"FR{key:02}{siren}",
        "address": Address(lines=("1 rue de l’Exemple",), postcode="75011", city="Paris"),
    }
    return Identity(code=code, **said | more)


def siren_of(code: str) -> str:
    """Nine digits, the last of which is their key."""
    digits = f"{crc32(code.encode()) % 10**8:08}"
    doubled = (sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits))
    return f"{digits}{-sum(doubled) % 10}"


def register(app: Billing, *codes: str, **more: Any) -> None:
    """The log hears of these parties, unless it knows them."""
    events: list[Event] = []
    for code in dict.fromkeys(codes):
        if app.party(code) is None:
            known = PartyRegistered(party=party(code, **more))
            events += app.stamp([known], stream("party", code), 0)
    app.write(events)


__all__ = ["party", "register", "siren_of"]
