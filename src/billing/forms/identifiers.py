"""Numbers that identify companies and accounts, checked by their own key (clé de contrôle).

Each function gives the number without its spaces, or raises ValueError with what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def iban(number: str) -> str:
    """An account, with its two keys: the IBAN's and, in France, the RIB's."""
    from schwifty import IBAN  # slow to import: it reads the registry of banks
    from schwifty.exceptions import SchwiftyException

    compact = _compact(number)
    try:
        return str(IBAN(compact, validate_bban=True))
    except SchwiftyException as error:
        raise ValueError(f"an IBAN was expected: {_told(error, 'its key does not fit')}") from None


def bic(number: str) -> str:
    """A bank's code, of 8 or 11 characters."""
    from schwifty import BIC
    from schwifty.exceptions import SchwiftyException

    compact = _compact(number)
    try:
        return str(BIC(compact))
    except SchwiftyException as error:
        raise ValueError(f"a BIC was expected: {_told(error, 'it is not well formed')}") from None


def siren(number: str) -> str:
    """A French company: nine digits, the last of which is their key."""
    compact = _compact(number)
    if not re.fullmatch(r"[0-9]{9}", compact):
        raise ValueError("a SIREN was expected: nine digits")
    if not _luhn(compact):
        raise ValueError("a SIREN was expected: its key does not fit")
    return compact


def is_siren(compact: str) -> bool:
    """Whether it is one, without any space."""
    return len(compact) == 9 and compact.isascii() and compact.isdigit() and _luhn(compact)


def french_vat_number(siren: str) -> str:
    """The VAT number of a company: its SIREN after a key worked out from it."""
    return f"FR{(12 + 3 * int(siren)) % 97:02}{siren}"


def siret(number: str) -> str:
    """A French establishment: a SIREN and five digits, the last of which is the key."""
    from stdnum.fr import siret as rule

    compact = _compact(number)
    if not re.fullmatch(r"[0-9]{14}", compact):
        raise ValueError("a SIRET was expected: fourteen digits")
    if not rule.is_valid(compact):  # La Poste has a key of its own
        raise ValueError("a SIRET was expected: its key does not fit")
    return compact


def vat_number(number: str) -> str:
    """A VAT number of the European Union, with its country (numéro de TVA intracommunautaire)."""
    compact = _compact(number)
    company = compact[4:]
    if is_siren(company) and compact == french_vat_number(company):
        return compact  # As most are; the library takes 40 µs.
    from stdnum.eu import vat as rule

    if not rule.is_valid(compact):
        raise ValueError(
            "a VAT number was expected, as FR and eleven characters: its key does not fit"
        )
    return compact


def creditor_identifier(number: str) -> str:
    """Who may collect direct debits (ICS). The key leaves out the three business characters."""
    from stdnum.eu import at_02 as rule

    compact = _compact(number)
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}", compact):
        raise ValueError("a creditor identifier (ICS) was expected, such as FR13222449274")
    if not rule.is_valid(compact):
        raise ValueError("a creditor identifier (ICS) was expected: its key does not fit")
    return compact


def email(address: str) -> str:
    """An address of electronic mail."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address):
        raise ValueError("an e-mail address was expected")
    return address


def country(code: str) -> str:
    """A country by its two letters (ISO 3166)."""
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise ValueError('a country of two capital letters was expected, such as "FR"')
    return code


def period(text: str) -> str:
    """The period of a published value."""
    from indices.series import first_day

    try:
        first_day(text)
    except ValueError:
        raise ValueError('a period was expected, such as "2023-04" or "2023-07-01"') from None
    return text


CHECKS: dict[str, Callable[[str], str]] = {
    check.__name__: check
    for check in (iban, bic, siren, siret, vat_number, creditor_identifier, email, country, period)
}
"""What is checked by the name of the field."""

PATTERNS: dict[str, str] = {
    "iban": r"^ *[A-Za-z]{2} ?[0-9]{2}( ?[A-Za-z0-9]){11,30} *$",
    "bic": r"^ *[A-Za-z]{4} ?[A-Za-z]{2} ?[A-Za-z0-9]{2} ?([A-Za-z0-9]{3})? *$",
    "siren": r"^ *([0-9][ .]?){9}$",
    "siret": r"^ *([0-9][ .]?){14}$",
    "vat_number": r"^ *[A-Za-z]{2}([ .]?[A-Za-z0-9]){2,13} *$",
    "creditor_identifier": r"^ *[A-Za-z]{2} ?[0-9]{2}( ?[A-Za-z0-9]){4,31} *$",
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "country": r"^[A-Z]{2}$",
    "period": r"^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$",
}
"""How they look, for the JSON Schema, which cannot work out a key."""


def _compact(number: str) -> str:
    return re.sub(r"[\s.]", "", number).upper()


def _told(error: Exception, otherwise: str) -> str:
    told = str(error)
    return f"{told[0].lower()}{told[1:]}" if told else otherwise


def _luhn(digits: str) -> bool:
    once, twice = digits[::-2], digits[-2::-2].translate(_DOUBLED)
    # The sum of the bytes is that of the digits and a "0" for each: summed in C.
    return (sum(f"{once}{twice}".encode()) - len(digits) * ord("0")) % 10 == 0


_DOUBLED = str.maketrans("0123456789", "0246813579")
"""Each digit doubled, and the two digits of what comes out added."""
