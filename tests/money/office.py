"""An accountant's office: contracts signed, documents issued as they are told, then money."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Self

import pytest

from billing.application import Billing, balances
from billing.application import receivables as book_of
from billing.application.actions import action_of
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.payment import Payment
from billing.contract.sign import Signing, sign
from billing.events import Event
from billing.events.invoice import (
    CreditNoteIssued,
    DebitNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceNumbersTaken,
    RetentionReleased,
    RetentionWithheld,
)
from billing.forms import BadFile
from billing.identity import contract_id, invoice_id, stream
from billing.receivable import Receivable
from billing.refusal import Refused
from tests.known import register

TODAY = "2026-06-30"


def day(text: str) -> date:
    """A day as it is written: 2026-01-31, or 01-31 of 2026."""
    return date.fromisoformat(text if len(text) == 10 else f"2026-{text}")


class Office:
    """A database, the day it is, and what people tell it."""

    def __init__(self, url: str, today: str = TODAY) -> None:
        self.today = day(today)
        self.app = Billing({"DATABASE_URL": url}, clock=self._clock, user="tests")
        self.told: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.app.close()

    def _clock(self) -> datetime:
        return datetime(self.today.year, self.today.month, self.today.day, 9, tzinfo=UTC)

    # What was issued

    def signs(self, number: str, client: str = "C", supplier: str = "S", **payment: Any) -> None:
        """A contract with that payment clause; its parties are known from then on."""
        register(self.app, supplier, client)
        signing = Signing(
            number=number,
            form="plain",
            form_digest="",
            supplier=supplier,
            client=client,
            signed_on=day("2025-12-01"),
            starts_on=day("2026-01-01"),
            terms=Terms(payment=Payment(**payment)),
            items=(Item(code="A", label="Poste", unit_price=Decimal("100.00")),),
        )
        event = sign(signing, self.app.book())
        self.app.write(self.app.stamp([event], contract_id(number), 0))

    def invoice(
        self,
        number: str,
        gross: str,
        issued: str = "01-01",
        due: str = "01-31",
        client: str = "C",
        contract: str = "K-1",
        supplier: str = "S",
    ) -> None:
        """An invoice leaves."""
        amount = Decimal(gross)
        self._issue(
            supplier,
            InvoiceIssued(
                number=number,
                supplier=supplier,
                client=client,
                contract=contract,
                contract_version=0,
                issued_on=day(issued),
                due_on=day(due),
                lines=(),
                vat=(),
                net=amount,
                tax=Decimal(0),
                gross=amount,
            ),
        )

    def debit_note(self, number: str, gross: str, issued: str, due: str) -> None:
        """Interest is charged."""
        self._issue(
            "S",
            DebitNoteIssued(
                number=number,
                supplier="S",
                client="C",
                contract="K-1",
                issued_on=day(issued),
                due_on=day(due),
                lines=(),
                gross=Decimal(gross),
            ),
        )

    def credits(self, number: str, note: str, gross: str, on: str, client: str = "C") -> None:
        """A credit note on an invoice, all of it outside VAT."""
        amount = Decimal(gross)
        issued = CreditNoteIssued(
            number=note,
            supplier="S",
            client=client,
            contract="K-1",
            contract_version=0,
            credits=number,
            issued_on=day(on),
            lines=(),
            vat=(),
            net=amount,
            tax=Decimal(0),
            gross=amount,
        )
        self._issue("S", issued)
        mark = InvoiceCredited(credit_note=note, gross=amount, net=amount, credited_on=day(on))
        self.tells(number, mark)

    def withholds(self, number: str, amount: str, on: str) -> None:
        """The client keeps a guarantee."""
        told = RetentionWithheld(
            amount=Decimal(amount), percent=Decimal(5), notified_on=day(on), reason="reserves"
        )
        self.tells(number, told)

    def releases(self, number: str, amount: str, on: str) -> None:
        """The reserves are lifted."""
        self.tells(number, RetentionReleased(amount=Decimal(amount), released_on=day(on)))

    def tells(self, number: str, *events: Event, supplier: str = "S") -> None:
        """Something else happens to a document."""
        id = invoice_id(supplier, number)
        version = len(self.app.store.read_stream(id))
        self.app.write(self.app.stamp(events, id, version))

    def _issue(self, supplier: str, event: Any) -> None:
        if supplier not in self.app.suppliers():
            taken = InvoiceNumbersTaken(
                supplier=supplier, year=2026, first=1, last=1, last_issued_on=day("01-01")
            )
            self.app.write(self.app.stamp([taken], stream("numbers", f"{supplier}/2026"), 0))
        self.app.write(self.app.stamp([event], invoice_id(supplier, event.number), 0))

    # What people do

    def does(self, do: str, **said: Any) -> list[Event]:
        """An action, as the command line and life files say it; days as 01-31."""
        given = {name: self._said(name, one) for name, one in said.items()}
        told = action_of({"do": do, **given}).told(self.app)
        self.told = told.changes
        return told.events

    @staticmethod
    def _said(name: str, one: Any) -> Any:
        return day(one) if name.endswith("_on") and isinstance(one, str) else one

    def pays(self, amount: str, on: str, **said: Any) -> list[Event]:
        """Client C pays, unless another is named."""
        return self.does("pay", **{"client": "C", "amount": amount, "value_on": on} | said)

    def is_refused(self, do: str, *words: str, **said: Any) -> None:
        """It is refused in a sentence with these words, and nothing is recorded."""
        before = self.app.store.log_position()
        with pytest.raises((Refused, BadFile)) as refusal:
            self.does(do, **said)
        for word in words:
            assert word in str(refusal.value)
        assert self.app.store.log_position() == before

    # What it comes to

    @property
    def book(self) -> book_of.Book:
        """The receivables book."""
        return book_of.book(self.app)

    def document(self, number: str, supplier: str = "S") -> Receivable:
        """A document in the book."""
        return self.book.one(supplier, number)

    def owed(self, *numbers: str, supplier: str = "S") -> str:
        """What is owed on these documents, as texts: 100.00 0.00."""
        return " ".join(f"{self.document(number, supplier).owed:.2f}" for number in numbers)

    def left(self, reference: str, supplier: str = "S") -> str:
        """What is left of a payment."""
        payment = self.book.payment(supplier, reference)
        assert payment is not None
        return f"{payment.left:.2f}"

    def total(self, at: str, client: str = "C") -> str:
        """The total of a client's aged balance."""
        return f"{balances.aged(self.app, day(at), client).total.total:.2f}"

    def rows(self) -> Iterator[Any]:
        """All rows of the book."""
        book_of.follow(self.app.store)
        for kind in book_of.KINDS:
            yield from self.app.store.all_states(kind)
