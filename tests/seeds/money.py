"""A house that bills, collects, reads its bank and reminds, day after day, on a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing.application import Billing, balances, bank, receivables, replay
from billing.application.actions import action_of
from billing.application.chase import chase
from billing.application.explain import explain, mismatches
from billing.events import Event
from tests.bank import files


def day(text: str) -> date:
    """A day as it is written: 2026-01-31."""
    return date.fromisoformat(text)


class House:
    """The application on a database, on the day of what is told."""

    def __init__(self, folder: Path, url: str, account: str) -> None:
        self.folder = folder
        self.account = account
        self.today = day("2026-01-01")
        self.app = Billing({"DATABASE_URL": url}, clock=self._clock, user="finance")

    def _clock(self) -> datetime:
        return datetime(self.today.year, self.today.month, self.today.day, 9, tzinfo=UTC)

    def on(self, when: str, do: str, **said: Any) -> list[Event]:
        """An action, on its day."""
        self.today = day(when)
        return action_of({"do": do, **said}).told(self.app).events

    def signs(self, when: str, text: str) -> None:
        """A contract is signed."""
        self.on(when, "sign", text=text)

    def collects(self, when: str) -> list[tuple[str, str, str]]:
        """The direct debits handed over: end-to-end id, day, amount; the file is read again."""
        self.today = day(when)
        done = action_of({"do": "collect", "path": str(self.folder)}).collect(self.app)  # type: ignore[attr-defined]
        return [(d.end_to_end, f"{d.collected_on}", f"{d.amount}") for d in done.plan.debits]

    def bank_tells(self, when: str, entries: Sequence[files.Ntry]) -> bank.Report:
        """A statement of the account is imported, twice: the second time changes nothing."""
        self.today = day(when)
        for entry in entries:
            entry.booked = entry.value = when
        statement = files.Stmt(entries, id=f"REL-{when}", account=self.account)
        path = files.written(self.folder, files.camt("camt.053.001.08", [statement]), f"{when}.xml")
        report = bank.import_file(self.app, path)
        position = self.app.store.log_position()
        assert bank.import_file(self.app, path).already == self.today
        assert self.app.store.log_position() == position
        assert not report.waiting, report.told
        return report

    def chases(self, when: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """The arrears of a day: reminders (invoice, name), debit note lines (kind, amount)."""
        self.today = day(when)
        report = chase(self.app, self.today)
        assert not report.set_aside
        lines = [(x.kind, f"{x.amount}") for note in report.debit_notes for x in note.lines]
        return [(x.invoice, x.name) for x in report.letters], lines

    def issued(self) -> dict[str, str]:
        """Invoices, credit and debit notes: their number and what they come to with tax."""
        topics = ["invoice.issued", "invoice.credit_note_issued", "invoice.debit_note_issued"]
        found: list[Any] = [event for _, event in self.app.recorded(topics=topics)]
        return {event.number: f"{event.gross}" for event in found}

    def owed(self, client: str) -> dict[str, str]:
        """What is owed, document by document."""
        book = receivables.book(self.app)
        return {one.number: f"{one.owed}" for one in book.open(client)}

    def balance(self, client: str) -> Decimal:
        """The balance of the client's account today."""
        return balances.aged(self.app, self.today, client).total.total

    def is_sound(self) -> None:
        """The record agrees with itself, each run is done again alike, each sum is explained."""
        assert replay.audit_numbers(self.app) == []
        assert self.app.drifted_states() == []
        for row in self.app.store.states("run"):
            assert replay.verify(self.app, row.name).differences == ()
        for number in self.issued():
            assert mismatches(explain(self.app, number)) == []
