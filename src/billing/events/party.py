"""Who the parties are, and the mandates they sign."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from msgspec import Struct

from billing.clauses.interest import Category
from billing.events.base import Event


class Address(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a party is; the country is an ISO 3166 code."""

    lines: tuple[str, ...]
    postcode: str
    city: str
    country: str = "FR"


class Identity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A party: legal name, SIREN, VAT number, address, category, bank details.

    `code` is how contracts name it. `creditor_identifier` (ICS) and `invoice_prefix` serve a
    supplier. `vat_on_debits`: tax due on invoicing instead of collection, by option.
    """

    code: str
    name: str
    siren: str = ""
    siret: str = ""
    vat_number: str = ""
    address: Address | None = None
    email: str = ""
    category: Category = "professional"
    iban: str = ""
    bic: str = ""
    creditor_identifier: str = ""
    invoice_prefix: str = ""
    vat_on_debits: bool = False
    language: str = "fr"


class PartyRegistered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A party is known to the house."""

    TOPIC: ClassVar[str] = "party.registered"

    party: Identity


class PartyAmended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something about the party changed: all of it, as it is from now on."""

    TOPIC: ClassVar[str] = "party.amended"

    party: Identity


class MandateSigned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The debtor authorises direct debits (mandat de prélèvement SEPA)."""

    TOPIC: ClassVar[str] = "mandate.signed"

    reference: str
    creditor: str
    creditor_identifier: str
    debtor: str
    iban: str
    bic: str = ""
    scheme: Literal["CORE", "B2B"] = "CORE"
    recurrent: bool = True
    signed_on: date
    proof: str = ""


class MandateAmended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The account or the creditor changes; the signature stays good (avenant au mandat)."""

    TOPIC: ClassVar[str] = "mandate.amended"

    amended_on: date
    iban: str = ""
    bic: str = ""
    creditor: str = ""
    creditor_identifier: str = ""


class MandateRevoked(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The debtor withdraws its authorisation (révocation)."""

    TOPIC: ClassVar[str] = "mandate.revoked"

    revoked_on: date
