"""Who we are to the platforms, as TOML: each company's size and platform; what the law asks when.

[platforms.EXEMPLE]
name = "Plateforme Exemple"
matricule = "0123"

[suppliers.IM]
size = "sme"                # large, mid (ETI), sme (PME), micro
platform = "EXEMPLE"
issues_from = 2026-10-01    # by choice, before the law
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from billing.dates import NEVER
from billing.events.party import Identity
from billing.forms.fields import Checker, shape_of, suggestion
from billing.forms.toml_text import Lines, text_of, values_of
from billing.refusal import BadFile, Refused

OBLIGATIONS: Final = Path(__file__).parent / "obligations.toml"
DOMESTIC: Final = frozenset(("FR", "GP", "MC", "MQ", "RE"))
"""Countries whose sales are French ones for VAT (CGI 256-0, 294)."""

Size = Literal["large", "mid", "sme", "micro"]
What = Literal["receive", "issue", "report"]
Route = Literal["einvoice", "abroad", "consumer"]


class Platform(Struct, frozen=True):
    """An approved platform; `matricule` is the number the State gave it (ICD 0238)."""

    name: str
    matricule: str


class Company(Struct, frozen=True, kw_only=True):
    """One of our companies: its size (décret 2008-1354), its platform, and since when by choice."""

    size: Size
    platform: str
    issues_from: date = NEVER


class House(Struct, frozen=True, kw_only=True):
    """Our companies by code, and the platforms they use."""

    platforms: dict[str, Platform]
    suppliers: dict[str, Company]

    def company(self, supplier: str) -> Company:
        """What the file says of one of our companies."""
        if supplier not in self.suppliers:
            told = suggestion(supplier, self.suppliers)
            raise Refused(f"{supplier}: its size and its platform are not told; {told}")
        return self.suppliers[supplier]

    def platform(self, supplier: str) -> Platform:
        """The platform of one of our companies."""
        return self.platforms[self.company(supplier).platform]


class Obligation(Struct, frozen=True):
    """What the law asks of companies of some sizes since a day, and where it is written."""

    what: What
    sizes: tuple[Size, ...]
    since: date
    source: str


def load_house(path: Path) -> House:
    """What a file says. Raises BadFile with every fault, each with its line."""
    text = text_of(path)
    checker = Checker(str(path), Lines(text))
    said = checker.check(shape_of(House), values_of(text, str(path)), ())
    if checker.errors:
        raise BadFile(checker.errors)
    house: House = msgspec.convert(said, House)
    for code, platform in house.platforms.items():
        if not re.fullmatch("[0-9A-Z]{4}", platform.matricule):
            key = ("platforms", code, "matricule")
            checker.fault(key, "the four characters the State gave it", platform.matricule)
    for code, company in house.suppliers.items():
        if company.platform not in house.platforms:
            told = suggestion(company.platform, house.platforms)
            checker.fault(("suppliers", code, "platform"), told, company.platform)
    if checker.errors:
        raise BadFile(checker.errors)
    return house


@cache
def obligations() -> tuple[Obligation, ...]:
    """The law, as dated data."""
    values = values_of(text_of(OBLIGATIONS), str(OBLIGATIONS))
    return msgspec.convert(values["obligations"], tuple[Obligation, ...])


def obliged(what: What, company: Company, on: date) -> Obligation | None:
    """Why a company must, on that day; none while it need not."""
    found = [o for o in obligations() if o.what == what and company.size in o.sizes]
    in_force = [one for one in found if one.since <= on]
    if what == "issue" and company.issues_from <= on and not in_force:
        return Obligation(what, (company.size,), company.issues_from, "par choix")
    return max(in_force, key=lambda one: one.since, default=None)


def route_of(client: Identity, *, listed: bool) -> Route:
    """How what is sold to a client goes: through platforms, or told as sales abroad, to consumers.

    A company of the directory (`listed`), or a business or public body with a SIREN, receives
    invoices; who is no business and in no directory is told of like a consumer (CGI 290).
    """
    country = client.address.country if client.address else "FR"
    if country not in DOMESTIC:
        business = bool(client.vat_number) or client.category in ("professional", "public")
        return "abroad" if business else "consumer"
    if listed or (client.siren and client.category in ("professional", "public")):
        return "einvoice"
    if client.category in ("professional", "public"):
        raise Refused(
            f"{client.code}: no SIREN; a business in France receives its invoices by its SIREN: "
            "record it with `billing party amend`"
        )
    return "consumer"
