"""The characters a bank's file may hold (jeu de caractères SEPA), and texts brought to them.

Latin letters, digits, `/ - ? : ( ) . , ' +` and the space (EPC217-08). A text begins and ends
with no slash and holds no two in a row. Names and remittance texts are brought to that; an
identifier is never changed, since the bank gives it back to be matched: it is refused.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, normalize

NAME: Final = 70
REMITTANCE: Final = 140
IDENTIFIER: Final = 35
"""How many characters each may have."""

_ALLOWED: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ "
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]+")
_UNKNOWN: Final = "."
_AS_WRITTEN: Final = (
    "œ oe  Œ OE  æ ae  Æ AE  ß ss  ẞ SS  ø o  Ø O  ł l  Ł L  đ d  Đ D  ð d  Ð D  þ th  Þ TH  ı i  "
    "& +  € EUR  £ GBP  $ USD  @ (at)  ° o  × x  % pct  … ...  ; ,  = -  • -  · .  "
    "[ (  { (  < (  ] )  } )  > )  \\ /  | /  ⁄ /"
)
_WRITTEN: Final = {
    **dict(pair.split(" ") for pair in _AS_WRITTEN.split("  ")),
    **dict.fromkeys('’‘‚‛`´ʼ′"“”„«»‹›″', "'"),
    **dict.fromkeys("‐‑‒–—―−_~", "-"),
}


class _Table(dict[int, str]):
    """What each character becomes, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = written = _written(chr(code))
        return written


def _written(character: str) -> str:
    if character in _ALLOWED:
        return character
    if character in _WRITTEN:
        return _WRITTEN[character]
    if category(character) in ("Mn", "Me", "Cf"):  # An accent of the letter before, a mark unseen.
        return ""
    if category(character)[0] in "ZC" and category(character) not in ("Cs", "Co", "Cn"):
        return " "
    parts = normalize("NFKD", character)
    return "".join(map(_written, parts)) if parts != character else _UNKNOWN


_TABLE: Final = _Table()


def sepa(text: str, length: int, ampersand: str = "+", capitals: bool = False) -> str:
    """The text as a bank takes it: é → e, œ → oe, ’ → ', cut at the length.

    `ampersand` is what & becomes: "+", or "et" between words. Empty when nothing is left of it.
    """
    if "&" in text and ampersand != "+":
        text = text.replace("&", f" {ampersand} ")
    text = text.translate(_TABLE)
    if "  " in text:
        text = re.sub(" +", " ", text)
    if "//" in text:
        text = re.sub("/+", "/", text)
    text = text.strip(" /")
    if len(text) > length:
        text = text[:length].rstrip(" /")
    return text.upper() if capitals else text


def says_something(text: str) -> bool:
    """Whether a letter or a digit is left of a text brought to these characters."""
    return any(character.isalnum() for character in text)


def identifier_fault(text: str) -> str:
    """Why a text cannot be an identifier in a bank's file; "" when it can."""
    if not text:
        return "it is empty"
    if len(text) > IDENTIFIER:
        return f"it has {len(text)} characters, at most {IDENTIFIER} were expected"
    if not _IDENTIFIER.fullmatch(text):
        wrong = next(character for character in text if character not in _ALLOWED)
        return (
            f"{wrong!r} is no character of a bank's file: letters without accents, digits and "
            "/ - ? : ( ) . , ' + were expected"
        )
    if text[0] in "/ " or text[-1] in "/ " or "//" in text:
        return "it begins or ends with a slash or a space, or holds two slashes in a row"
    return ""
