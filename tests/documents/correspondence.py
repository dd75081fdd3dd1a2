"""Letters as they are read: their text, and a small house that writes some."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pypdfium2
from msgspec.structs import replace

from billing.application import Billing, letters
from billing.clauses import Terms
from billing.clauses.payment import Payment
from billing.documents.letters import Kind, Letter, letter_of
from billing.dunning import Dunning
from billing.events import Event, stamped
from billing.events.party import Address, CollectionsAnnounced, Identity, PartyRegistered
from billing.identity import stream
from billing.refusal import Refused
from tests.collections import house
from tests.collections.house import opened, ready

D = Decimal
SUPPLIER = Identity(
    code="S",
    name="Maintenance Exemple SAS",
    siren="999001027",
    address=Address(lines=("5 avenue de l’Exemple",), postcode="75011", city="Paris"),
    iban=house.CREDITOR,
    bic="AGRIFRPP835",
    creditor_identifier=house.ICS,
)
CLIENT = Identity(
    code="C",
    name="Cliente C",
    siren="999001076",
    address=Address(lines=("1 rue de l'Exemple",), postcode="75011", city="Paris"),
)
TRANSFER = Terms(payment=Payment())


def plain(text: str) -> str:
    """The text with ordinary spaces, and one where the page has several or breaks a line."""
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


def pages(pdf: bytes) -> list[str]:
    """The text of each page of a PDF."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [plain(page.get_textpage().get_text_range()) for page in document]
    finally:
        document.close()


def read(pdf: bytes) -> str:
    """The text of a PDF."""
    return " ".join(pages(pdf))


def facts_of(
    app: Billing, kind: Kind, about: str, on: date | None = None, supplier: str = ""
) -> Any:
    """What a letter is written from."""
    (found,) = letters.read(app, [letters.of(app, kind, about, on, supplier=supplier)])
    if isinstance(found, Refused):
        raise found
    return found


def letter(app: Billing, kind: Kind, about: str, on: date | None = None) -> Letter:
    """A letter, before it is laid out."""
    return letter_of(facts_of(app, kind, about, on))


def printed(
    app: Billing, kind: Kind, about: str, on: date | None = None, supplier: str = ""
) -> bytes:
    """A letter as a file."""
    return letters.finished(facts_of(app, kind, about, on, supplier), {})


def party(identity: Identity, **more: Any) -> Event:
    """A party of the house."""
    told = replace(identity, **more)
    return _at(PartyRegistered(party=told), stream("party", told.code), 1)


def announced(reference: str, version: int, *debits: Any, how: str = "notice") -> Event:
    """Debits a debtor was told of on 12 January 2026."""
    event = CollectionsAnnounced(announced_on=date(2026, 1, 12), debits=debits, how=how)  # type: ignore[arg-type]
    at = datetime(2026, 1, 12, 9, tzinfo=UTC)
    return stamped(event, stream("mandate", reference), version, at, "test")


def unpaid(
    url: str, count: int, contracts: int = 1, terms: Terms = TRANSFER, **client: Any
) -> None:
    """A client with so many unpaid invoices of 120, 121, 122 €… due on 31 January 2026."""
    known = {"category": client.get("category", "professional")}
    ready(
        url,
        party(SUPPLIER),
        party(CLIENT, **client),
        [house.contract(f"K{place}", "C", "", terms, **known) for place in range(contracts)],
        [
            due(f"F{place:03d}", "C", f"K{place % contracts}", f"{120 + place}.00")
            for place in range(count)
        ],
    )


def due(number: str, client: str, contract: str, gross: str = "120.00") -> Event:
    """An invoice of 1 January 2026 to be paid by transfer until 31 January."""
    issued = house.invoice(number, client, contract, "", "2026-01-31", gross, means="transfer")
    return replace(issued, collected_on=None)  # type: ignore[arg-type]


def chased(url: str, *days: str, policy: Dunning | None = None) -> Billing:
    """The house once these days were brought to it."""
    from billing.application.chase import chase

    for day in days:
        with opened(url, day) as app:
            chase(app, date.fromisoformat(day), policy)
    return opened(url, days[-1])


def _at(event: Event, id: Any, version: int) -> Event:
    return stamped(event, id, version, house.AT, "test")


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Their sum."""
    return sum(amounts, D("0.00"))


def euros(amount: Decimal) -> str:
    """An amount as a French letter writes it, with ordinary spaces: 1 234,50 €."""
    whole, cents = f"{amount:.2f}".split(".")
    groups = f"{int(whole):,}".replace(",", " ")
    return f"{groups},{cents} €"
