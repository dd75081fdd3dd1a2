"""Parties over HTTP: the names behind the codes."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections import parties as table
from projections.api import shapes
from projections.api.access import Reader
from projections.api.lean import Lean
from projections.api.resources import Resource, among, equals, whether
from projections.api.shapes import optional, personal, text

router = APIRouter(prefix="/v1/parties", tags=["parties"], route_class=Lean)
TAGS: Final = [{"name": "parties", "description": "Who supplies and who buys."}]
CATEGORIES: Final = ("professional", "public", "non_professional", "consumer")
_ADDRESS: Final = shapes.record(
    "Where it is",
    lines=shapes.several(text("A line")),
    postcode=text("Postcode"),
    city=text("City"),
    country=optional(text("ISO 3166; FR when not said")),
)

PARTY: Final = Resource(
    "Party",
    "party",
    "parties",
    table.party,
    ("code",),
    filters=(
        among("category", "What it is", CATEGORIES),
        equals("siren", "Its SIREN, of a company"),
        whether(
            "company", "Whether it is a company: its data are public", "company", "NOT company"
        ),
    ),
    schema=shapes.of_table(
        table.party,
        ("company", "country"),
        category=shapes.one_of("What it is", *CATEGORIES),
        name=personal(text("Its legal name; of a person, for the scope personal")),
        siren=personal(text("Its SIREN; likewise")),
        siret=personal(text("Its SIRET; likewise")),
        vat_number=personal(text("Its VAT number; likewise")),
        address=personal(shapes.maybe(_ADDRESS)),
        language=text("The language of its letters"),
        creditor_identifier=text("Its creditor identifier (ICS), of a supplier"),
        invoice_prefix=text("What its invoice numbers begin with, of a supplier"),
        vat_on_debits=shapes.flag("Its VAT is due on invoicing (option débits)"),
        email=personal(text("Where its letters go")),
        iban=personal(text("Its account")),
        bic=personal(text("Its bank")),
    ),
)
COMPONENTS: Final[dict[str, Any]] = PARTY.components


@router.get("", **PARTY.told_of_page("Parties"))
async def list_parties(request: Request, caller: Reader) -> Response:
    """Parties by code. Of one that is, or may be, a person, names, addresses and numbers are for
    the scope `personal`; so are e-mail addresses and accounts of all."""
    return await PARTY.page(request, caller)


@router.get("/{code:path}", **PARTY.told_of_row("A party"))
async def show_party(request: Request, caller: Reader, code: str) -> Response:
    """A party by the code that contracts and invoices name it by."""
    return await PARTY.row(request, caller, [code])
