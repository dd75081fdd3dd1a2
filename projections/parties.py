"""Parties (tiers): the names behind the codes of contracts and invoices, as last told.

What a company is registered under (name, SIREN, VAT number, address) is public. Of a party that is
or may be a person it is personal, as are e-mail addresses and bank accounts whoever they belong to:
all that stands in `private` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Table

from billing.events.party import PartyAmended, PartyRegistered
from projections.bodies import json_of
from projections.database import made
from projections.tables import body, flag, key, metadata, private, stream, text, whole
from projections.telling import NATURAL
from projections.view import Party, StateView, Told

party = Table(
    "party",
    metadata,
    stream(),
    key("code", "How contracts name it", primary=True),
    whole("version", "Of its stream"),
    flag("company", "Not a person, nor an association that may be one: its data are public"),
    key("category", "professional, public, non_professional or consumer"),
    text("name", "Its legal name; '' unless it is a company"),
    key("siren", "Its SIREN; '' unless it is a company"),
    text("vat_number", "Its VAT number; '' unless it is a company"),
    text("country", "ISO 3166; '' where no address is known"),
    body(),
    private(),
    comment="Who supplies and who buys (tiers)",
)
Index("party_stream", party.c.stream)
Index("party_siren", party.c.siren)

_REGISTERED = ("name", "siren", "siret", "vat_number", "address")
_ALWAYS_PERSONAL = ("email", "iban", "bic")


class Parties(StateView):
    """The parties."""

    name = "parties"
    kind = "party"
    tables = (party,)
    topics: ClassVar = frozenset(e.TOPIC for e in (PartyRegistered, PartyAmended))

    def show(self, id: UUID, state: Party) -> Iterator[Told]:
        """The row of a party."""
        who = state.identity
        company = who.category not in NATURAL
        registered = {name: getattr(who, name) for name in _REGISTERED}
        told: dict[str, Any] = {
            "code": who.code,
            "version": state.version,
            "category": who.category,
            "language": who.language,
            "creditor_identifier": who.creditor_identifier,
            "invoice_prefix": who.invoice_prefix,
            "vat_on_debits": who.vat_on_debits,
        }
        hidden = {name: getattr(who, name) for name in _ALWAYS_PERSONAL}
        (told if company else hidden).update(registered)
        yield made(
            party,
            stream=id,
            code=who.code,
            version=state.version,
            company=company,
            category=who.category,
            name=who.name if company else "",
            siren=who.siren if company else "",
            vat_number=who.vat_number if company else "",
            country=who.address.country if who.address else "",
            body=json_of(told),
            private=json_of({name: value for name, value in hidden.items() if value}),
        )
