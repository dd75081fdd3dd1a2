"""The accounts and journals of a house (plan de comptes), as TOML; French defaults ship."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from billing.forms.fields import Checker, merged, shape_of
from billing.forms.toml_text import Key, Lines, text_of, values_of
from billing.refusal import BadFile

DEFAULT: Final = Path(__file__).parent / "charts" / "default.toml"
OF_CREDITS: Final = {"INTERETS": "late_interest", "D441-5": "recovery_fee"}
"""What the lines of a credit note on a debit note give back, by their code."""

_NUMBER: Final = re.compile(r"[1-8][0-9]{2,}[0-9A-Z]*")


class Account(Struct, frozen=True):
    """An account of the chart (compte): number and label."""

    number: str
    label: str


class Journal(Struct, frozen=True):
    """A journal: its code and its label."""

    code: str
    label: str


class Journals(Struct, frozen=True):
    """The journals entries go to."""

    sales: Journal
    bank: Journal
    misc: Journal


class Accounts(Struct, frozen=True):
    """The accounts that have one role each."""

    client: Account
    retention: Account
    deposit: Account
    unknown_payer: Account
    unmatched: Account
    deferred: Account
    vat_collected: Account
    vat_pending: Account
    loss: Account
    bank_fee: Account
    deposit_kept: Account
    revenue: Account


class Closing(Struct, frozen=True):
    """A financial year whose books were closed that day: what is told later is booked after it."""

    year_end: date
    closed_on: date


class Chart(Struct, frozen=True, kw_only=True):
    """A house's accounts.

    `closings` are the years that are closed. `vat_recovered_on_write_off`: where the tax is due on
    debits, a loss takes it back (CGI 272, 1), or is the whole amount.
    """

    journals: Journals
    accounts: Accounts
    banks: dict[str, Account]
    revenue: dict[str, Account]
    name: str = "default"
    codes: dict[str, Account] = {}
    vat_collected: dict[str, Account] = {}
    vat_pending: dict[str, Account] = {}
    vat_recovered_on_write_off: bool = True
    closings: tuple[Closing, ...] = ()

    def sold(self, kind: str, code: str) -> str:
        """The account of what a line sells, by its code, else its kind."""
        found = self.codes.get(code) or self.revenue.get(OF_CREDITS.get(code, kind))
        return (found or self.accounts.revenue).number

    def bank(self, means: str) -> str:
        """The account money of that means comes to."""
        return (self.banks.get(means) or self.banks["transfer"]).number

    def vat(self, rate: Decimal, *, collected: bool) -> str:
        """The account of the tax of that rate, due or waiting for its collection."""
        by_rate = self.vat_collected if collected else self.vat_pending
        one = self.accounts.vat_collected if collected else self.accounts.vat_pending
        return by_rate.get(_written(rate), one).number

    def booked_on(self, on: date, told_on: date) -> date:
        """The day what happened then is booked: after the years closed before it was told."""
        for closing in self.closings:
            if on <= closing.year_end and told_on > closing.closed_on:
                on = date.fromordinal(closing.year_end.toordinal() + 1)
        return on

    def labels(self) -> dict[str, str]:
        """The label of every account, by its number."""
        return {account.number: account.label for _, account in _accounts(self)}


@lru_cache(maxsize=256)  # The same few rates on every document.
def _written(rate: Decimal) -> str:
    """A rate as the chart names it: without zeros at its end."""
    return f"{rate.normalize():f}"


def load_chart(path: str | Path | None = None) -> Chart:
    """The chart of a TOML file, completed by the one that ships.

    Raises BadFile with every fault of the file, each with its line.
    """
    shipped = values_of(text_of(DEFAULT), str(DEFAULT))
    if path is None:
        return msgspec.convert(shipped, Chart)
    text = text_of(Path(path))
    checker = Checker(str(path), Lines(text))
    said = checker.check(shape_of(Chart), values_of(text, str(path)), (), partial=True)
    if checker.errors:
        raise BadFile(checker.errors)
    chart = msgspec.convert(merged(shipped, {"name": Path(path).stem} | said), Chart)
    _checked(chart, checker)
    if checker.errors:
        raise BadFile(checker.errors)
    return msgspec.structs.replace(chart, closings=tuple(sorted(chart.closings, key=_year_end)))


def _year_end(closing: Closing) -> date:
    return closing.year_end


def _checked(chart: Chart, checker: Checker) -> None:
    labels: dict[str, str] = {}
    for key, account in _accounts(chart):
        if not _NUMBER.fullmatch(account.number):
            told = "an account of classes 1 to 8 was expected, of at least three digits"
            checker.fault((*key, "number"), told, account.number)
        known = labels.setdefault(account.number, account.label)
        if known != account.label:
            told = f'{account.number} is called "{known}" elsewhere; one account has one label'
            checker.fault((*key, "label"), told, account.label)
    for closing in chart.closings:
        if closing.closed_on < closing.year_end:
            told = f"a day after the end of that year, {closing.year_end}, was expected"
            checker.fault(("closings",), told, closing.closed_on)
    for table in ("vat_collected", "vat_pending"):
        for rate in getattr(chart, table):
            if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]*[1-9])?", rate):
                checker.fault((table, rate), 'a rate in percent was expected, such as "5.5"')


def _accounts(chart: Chart) -> Iterator[tuple[Key, Account]]:
    tables: dict[str, Any] = {"accounts": msgspec.structs.asdict(chart.accounts)}
    names = ("banks", "revenue", "codes", "vat_collected", "vat_pending")
    tables |= {name: getattr(chart, name) for name in names}
    for table, accounts in tables.items():
        for name, account in accounts.items():
            yield (table, name), account
