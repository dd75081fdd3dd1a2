"""A house in memory whose clock is set by hand: contracts are signed, and months are run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from billing.application import Billing, runs
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.contract.sign import Signing, sign
from billing.contract.state import Contract
from billing.events.base import E
from billing.events.contract import InstalmentBilled
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.events.run import FormRecorded
from billing.forms import load_form
from billing.identity import contract_id, stream
from billing.month import month_days
from tests.known import register

D = Decimal


def day(text: str) -> date:
    """A day as it is written: 2026-11-01."""
    return date.fromisoformat(text)


class House:
    """The application on a database in memory, on a day of the test's choice."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.now = datetime(2020, 1, 1, 8, tzinfo=UTC)
        self.app = Billing(env={"DATABASE_URL": url}, clock=lambda: self.now, user="ada")
        self.app.publish_shipped()
        register(self.app, "SUP", "CLI")

    def copied(self, to: Path) -> House:
        """The same house on a database of its own."""
        with sqlite3.connect(to) as target, self._connected() as source:
            source.backup(target)
        house = House(f"sqlite:///{to}")
        house.now = self.now
        return house

    def alter(self, position: int, **fields: Any) -> None:
        """Someone changes stored fields of an event, behind the application's back."""
        ((_, stored),) = self.app.store.read_log(position, position)
        body = msgspec.json.decode(stored.state) | fields
        state = msgspec.json.encode(body)
        self.sql("UPDATE events SET state = ? WHERE position = ?", state, position)

    def sql(self, statement: str, *values: Any) -> None:
        """Someone writes to the database itself."""
        with self._connected() as connection:
            connection.execute(statement, values)

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self.app.store.engine.url.database))

    def find(self, kind: type[E], **fields: Any) -> tuple[int, E]:
        """The first event of that kind with these fields, and its place in the log."""
        return next(
            (position, event)
            for position, event in self.app.recorded()
            if isinstance(event, kind)
            and all(getattr(event, name) == value for name, value in fields.items())
        )

    def on(self, text: str) -> None:
        """It is that day, at eight."""
        self.now = datetime.combine(day(text), datetime.min.time(), UTC).replace(hour=8)

    def sign(
        self,
        number: str,
        terms: Terms,
        *items: Item,
        signed_on: str,
        starts_on: str = "",
        form: str = "integral-micro",
        parent: Contract | None = None,
        **more: Any,
    ) -> None:
        """A contract is signed; the text of its form is recorded with it."""
        self.on(signed_on)
        text = load_form(form)
        id = stream("form", text.digest)
        if not list(self.app.events.get(id)):
            told = FormRecorded(form=form, digest=text.digest, text=text.text)
            self.app.save(*self.app.stamp([told], id, 0))
        signing = Signing(
            **{"supplier": "SUP", "client": "CLI"} | more,
            number=number,
            form=form,
            form_digest=text.digest,
            signed_on=day(signed_on),
            starts_on=day(starts_on or signed_on),
            terms=terms,
            items=items,
            parent=parent.number if parent else "",
        )
        event = sign(signing, self.app.book(), parent)
        self.app.save(*self.app.stamp([event], contract_id(number), 0))

    def history(self, number: str) -> list[InstalmentBilled]:
        """The instalments billed so far."""
        return [e for e in self.app.history(number) if isinstance(e, InstalmentBilled)]

    def month(self, text: str) -> runs.Report:
        """The run of that month, on its first day unless the clock is later."""
        first, after = month_days(day(f"{text}-01"))
        if self.now.date() < first:
            self.on(f"{text}-01")
        return runs.run(self.app, first, after, text)

    def months(self, first: str, last: str) -> None:
        """The runs of several months."""
        month = day(f"{first}-01")
        while f"{month:%Y-%m}" <= last:
            self.month(f"{month:%Y-%m}")
            month = month_days(month)[1]

    def documents(self) -> Iterator[InvoiceIssued | CreditNoteIssued]:
        """Everything issued, in the order of the log."""
        for _, event in self.app.recorded():
            if isinstance(event, InvoiceIssued | CreditNoteIssued):
                yield event


def a_busy_house(url: str = "sqlite://") -> House:
    """Contracts of several kinds, billed from 2023-11 to 2024-07, with much happening to them."""
    from tests.explain.contracts import bill_them_all

    house = House(url)
    bill_them_all(house)
    return house
