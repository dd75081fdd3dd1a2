"""How a supplier's documents look: its logo, its colours, what its letterhead says (charte).

A TOML file of the house, a table a supplier:

    [suppliers.ALLIANCE]
    logo = "alliance.svg"          # beside the file: svg, png or jpg
    accent = "#0b4f6c"
    contact = ["05 00 00 00 00", "facturation@alliance.example"]
    legal = "SAS au capital de 50 000 € – RCS Toulouse 999 001 050"
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from billing.forms.fields import Checker, shape_of
from billing.forms.toml_text import Lines, text_of, values_of
from billing.refusal import BadFile

LOGOS: Final = (".svg", ".png", ".jpg", ".jpeg")


class Brand(Struct, frozen=True, kw_only=True):
    """One supplier's. `legal` is its form, capital and register (C. com. R123-237)."""

    logo: str = ""
    accent: str = "#1f4e79"
    contact: tuple[str, ...] = ()
    legal: str = ""


class _File(Struct, frozen=True, kw_only=True):
    suppliers: dict[str, Brand] = {}


PLAIN: Final = Brand()


def read_brands(path: Path | str) -> dict[str, Brand]:
    """The brands of a file, logos as whole paths; BadFile tells all its faults, with their line."""
    path = Path(path)
    text = text_of(path)
    checker = Checker(str(path), Lines(text))
    said = checker.check(shape_of(_File), values_of(text, str(path)), ())
    found = None if checker.errors else checker.build(_File, said, ())
    suppliers = found.suppliers if found is not None else {}
    brands = {code: _looked_at(checker, code, brand, path) for code, brand in suppliers.items()}
    if checker.errors:
        raise BadFile(checker.errors)
    return brands


def _looked_at(checker: Checker, code: str, brand: Brand, path: Path) -> Brand:
    at = ("suppliers", code)
    if not re.fullmatch("#[0-9a-fA-F]{6}", brand.accent):
        checker.fault((*at, "accent"), 'a colour was expected, such as "#0b4f6c"', brand.accent)
    if not brand.logo:
        return brand
    logo = path.parent / brand.logo
    if logo.suffix.lower() not in LOGOS or not logo.is_file():
        told = f"a file beside this one was expected, one of {', '.join(LOGOS)}"
        checker.fault((*at, "logo"), told, brand.logo)
    return replace(brand, logo=str(logo.resolve()))
