"""The PDF of a letter: laid out by typst with the house's fonts and colours (PDF/A-2).

One compiler serves a whole process; the same letter and brand give the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import typst

from billing.documents.facturx.brand import PLAIN, Brand
from billing.documents.facturx.page import FONTS, letterhead, party_block
from billing.documents.letters.letter import Letter
from billing.documents.letters.words import words

TEMPLATE: Final = Path(__file__).with_name("letter.typ")
STANDARDS: Final = ["a-2b"]


def pdf_of(letter: Letter, brand: Brand = PLAIN) -> bytes:
    """The finished file."""
    found: Any = _compiled(letter, brand, "pdf")
    return found  # type: ignore[no-any-return]


def images_of(letter: Letter, brand: Brand = PLAIN, ppi: int = 100) -> list[bytes]:
    """Its pages as PNG, for people to look at."""
    found: Any = _compiled(letter, brand, "png", ppi)
    return found if isinstance(found, list) else [found]


def _compiled(letter: Letter, brand: Brand, form: str, ppi: int | None = None) -> Any:
    dated = datetime.combine(letter.dated, time(), UTC)
    return _compiler().compile(
        format=form,
        ppi=ppi,
        sys_inputs={"data": msgspec.json.encode(page_data(letter, brand)).decode()},
        pdf_standards=STANDARDS if form == "pdf" else [],
        timestamp=int(dated.timestamp()),
    )


@cache
def _compiler() -> Any:
    """A logo may lie anywhere, hence the root; the template reads nothing else."""
    return typst.Compiler(
        str(TEMPLATE), root="/", font_paths=[str(FONTS)], ignore_system_fonts=True
    )


def page_data(letter: Letter, brand: Brand = PLAIN) -> dict[str, Any]:
    """Every text of the page; the template only lays them out."""
    say, dated = words(letter.language), letter.dated
    subject = f"{letter.title} – {letter.client.name}"
    return {
        "lang": say.language,
        "subject": subject,
        "issued_on": {"year": dated.year, "month": dated.month, "day": dated.day},
        "accent": brand.accent,
        "logo": brand.logo or None,
        "contact": brand.contact,
        "legal": brand.legal or letterhead(letter.supplier),
        "page": say("page", page="{page}", pages="{pages}"),
        "supplier": party_block(letter.supplier, say),
        "client": party_block(letter.client, say) | {"label": say("to_client")},
        "title": letter.title,
        "dated": say("dated", day=say.full_day(dated)),
        "sending": _sending(letter),
        "references": letter.references,
        "dear": say("dear") if letter.courteous else "",
        "regards": say("regards") if letter.courteous else "",
        "signed": say("for_party", name=letter.supplier.name) if letter.courteous else "",
        "blocks": [msgspec.to_builtins(block) for block in letter.blocks],
    }


def _sending(letter: Letter) -> str:
    say = words(letter.language)
    if letter.sending not in ("registered_letter", "letter", "email"):
        return ""
    if letter.sending == "email" and letter.client.email:
        return say("email_to", address=letter.client.email)
    return say(letter.sending)
