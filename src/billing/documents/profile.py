"""What the creditor's bank wants of a file of direct debits (profil bancaire), as TOML.

Two profiles ship, `default` and `pain.008.001.02`; a house writes others in files of its own.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from billing.dates import DAY, is_target_day, next_target_day
from billing.forms.fields import Checker, shape_of, suggestion
from billing.forms.toml_text import Lines, text_of, values_of
from billing.refusal import BadFile, FieldError

Scheme = Literal["CORE", "B2B"]
SequenceType = Literal["FRST", "RCUR", "FNAL", "OOFF"]
Schema = Literal["pain.008.001.08", "pain.008.001.02"]

PARIS: Final = ZoneInfo("Europe/Paris")
SHIPPED: Final = Path(__file__).parent / "profiles"


class Profile(Struct, frozen=True, kw_only=True):
    """One bank's conditions.

    `first`: how the first collection of a recurrent mandate is told; RCUR is allowed since
    November 2016. `lead_days_*`: TARGET days from the day the file is taken to the day of
    collection; `cut_off`: the hour, in Paris, after which a file is taken on the next TARGET day.
    `max_per_*`: collections, none for no limit. `smnda`: a new account of the debtor is told by
    its former IBAN within the same bank and by SMNDA in another (other_bank), or by SMNDA always
    (any_change), both allowed since November 2016. `ampersand`: what & becomes.
    """

    name: str = "default"
    about: str = ""
    schema: Schema = "pain.008.001.08"
    batch_booking: bool = True
    first: Literal["FRST", "RCUR"] = "FRST"
    lead_days_core: int = 1
    lead_days_b2b: int = 1
    cut_off: str = "12:00"
    max_per_batch: int | None = None
    max_per_file: int | None = 100_000
    smnda: Literal["other_bank", "any_change"] = "other_bank"
    name_length: int = 70
    ampersand: Literal["+", "et"] = "+"
    capitals: bool = False

    def told(self, sequence: SequenceType) -> SequenceType:
        """The sequence type as this bank is told it."""
        return self.first if sequence == "FRST" else sequence

    def lead_days(self, scheme: Scheme) -> int:
        """TARGET days from the file to the collection."""
        return self.lead_days_core if scheme == "CORE" else self.lead_days_b2b

    def earliest(self, given_at: datetime, scheme: Scheme) -> date:
        """The first day on which collections handed over then may be collected."""
        at = in_paris(given_at)
        day = at.date()
        late = is_target_day(day) and at.time() >= time.fromisoformat(self.cut_off)
        day = next_target_day(day + DAY if late else day)
        for _ in range(self.lead_days(scheme)):
            day = next_target_day(day + DAY)
        return day

    def latest(self, collected_on: date, scheme: Scheme) -> date:
        """The last day on which the file may be handed over, before the cut-off."""
        day = next_target_day(collected_on)
        for _ in range(self.lead_days(scheme)):
            day -= DAY
            while not is_target_day(day):
                day -= DAY
        return day


def in_paris(at: datetime) -> datetime:
    """The French civil time of an instant; a time without a zone is taken for one."""
    return at.astimezone(PARIS) if at.tzinfo else at


def load_profile(named: str | Path = "default") -> Profile:
    """The profile that ships under that name, or the one a TOML file holds.

    Raises BadFile with every fault of the file, each with its line.
    """
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    if str(named) in shipped:
        path = shipped[str(named)]
    elif Path(named).suffix == ".toml" or Path(named).parent != Path():
        path = Path(named)
    else:
        told = f'there is no profile "{named}"; {suggestion(str(named), shipped)}, or a .toml file'
        raise BadFile([FieldError(path="bank profiles", expected=told)])
    return profile_from_text(text_of(path), str(path), path.stem)


def profile_from_text(text: str, path: str = "profile", name: str = "profile") -> Profile:
    """The same from the text of a file; its name is the file's unless it says another."""
    values = values_of(text, path)
    checker = Checker(path, Lines(text))
    said = checker.check(shape_of(Profile), values, ())
    if "cut_off" in said and not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", said["cut_off"]):
        told = 'an hour of the day was expected, such as "12:00"'
        checker.fault(("cut_off",), told, said["cut_off"])
    if checker.errors:
        raise BadFile(checker.errors)
    return msgspec.convert({"name": name} | said, Profile)
