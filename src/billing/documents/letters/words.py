"""What a letter says, in the client's language, with the spaces of its typography."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel.dates import format_date

from billing.documents.facturx.mentions import texts
from billing.documents.facturx.words import LANGUAGES, NO_BREAK, Words
from billing.documents.letters.phrases import PHRASES

LAWS: Final = Path(__file__).with_name("laws.toml")

_BEFORE: Final = re.compile(
    r" (?=[:;?!%€»])|(?<=«) |(?<=n°) |(?<=art\.) |(?<=article) (?=\d|[LRD]\.)"
)

_ISO: Final = re.compile(r"\b(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d)\b")


class Letterwords(Words):
    """The words of one language: the letters' own, then those of invoices."""

    def __call__(self, phrase: str, **values: object) -> str:
        both = PHRASES.get(phrase)
        if both is None:
            return super().__call__(phrase, **values)
        said = self.choose(both)
        return self.typeset(said.format(**values) if values else said)

    def typeset(self, text: str) -> str:
        """The text with the spaces at which French breaks no line."""
        return text if self.language == "en" else _BEFORE.sub(NO_BREAK, text)

    def recorded(self, text: str) -> str:
        """A text of the record, its days (2026-07-01) written as letters write them."""
        return self.typeset(_ISO.sub(lambda day: self.day(date.fromisoformat(day[0])), text))

    def full_day(self, day: date) -> str:
        """A day in full, kept on one line: 1er juillet 2026."""
        return super().full_day(day).replace(" ", NO_BREAK)

    def span(self, start: date, last: date) -> str:
        """The first and the last day in full."""
        if self.language == "en":
            return f"{self.full_day(start)} to {self.full_day(last)}"
        return f"du {self.full_day(start)} au {self.full_day(last)}"

    def lasting(self, days: int) -> str:
        """So many days."""
        return self("days_one" if days == 1 else "days_many", n=days)

    def month(self, day: date) -> str:
        """The name of a month: juillet."""
        return format_date(day, "MMMM", LANGUAGES[self.language])

    def ordinal(self, day: int) -> str:
        """A day of the month: le 1er du mois."""
        if self.language == "en":
            return f"day {day} of the month"
        return f"{day}er du mois" if day == 1 else f"{day} du mois"

    def law(self, name: str, on: date, **values: str) -> str:
        """What the law of a day has the letter say; nothing before it was in force."""
        for one in texts(LAWS)[name]:
            if one.starts_on <= on:
                text = one.en if self.language == "en" else one.fr
                return self.typeset(text.format(**values) if values else text)
        return ""


@lru_cache(maxsize=4)
def words(language: str) -> Letterwords:
    """The words of a language; French where there is no edition of it."""
    return Letterwords(language)
