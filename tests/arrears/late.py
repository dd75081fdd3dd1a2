"""Documents as their events leave them, and what a day of arrears brings to them, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing import arrears, receivable
from billing.arrears import Chased, Credit, Debit
from billing.clauses import Terms
from billing.clauses.interest import LateInterest
from billing.clauses.suspension import Clock
from billing.contract.state import Contract
from billing.dunning import Dunning, Level
from billing.events import Event, stamped
from billing.events import invoice as iv
from billing.events.contract import FormalNoticeSent
from billing.identity import contract_id, invoice_id
from billing.receivable import Receivable
from tests.scenario import AT, BOOK, given, signed

D = Decimal
STATUTORY = LateInterest()
ALLIANCE = LateInterest(series="LEGAL_INTEREST_PROFESSIONAL", times=D("1.5"), points=D(5))
UNPAID = Clock(name="unpaid", days=10, allows=("suspend", "terminate"))
POLICY = Dunning(
    name="tests",
    levels=(
        Level(days=8, name="Première relance", english="First reminder"),
        Level(days=20, name="Deuxième relance", english="Second reminder", sending="letter"),
        Level(
            days=35, name="Mise en demeure", english="Formal notice", sending="registered_letter"
        ),
    ),
    minimum_owed=D("5.00"),
    days_between=8,
    formal_notice=3,
)
SILENT = Dunning(name="silent", levels=(Level(days=9_000, name="Jamais", english="Never"),))
"""A policy that sends nothing, for tests of what is charged."""


def day(text: str) -> date:
    """A day as it is written: 2026-11-01."""
    return date.fromisoformat(text)


def invoice(
    number: str = "F-1",
    gross: str = "1080.00",
    due: str = "2026-08-31",
    *happened: Event,
    issued: str = "",
    **more: Any,
) -> Receivable:
    """An invoice issued thirty days before it is due, and what happened to it."""
    due_on = day(due)
    event = iv.InvoiceIssued(
        number=number,
        supplier="S",
        client="C",
        contract="C-1",
        contract_version=1,
        issued_on=day(issued) if issued else due_on - timedelta(days=30),
        due_on=due_on,
        lines=(),
        vat=(),
        net=D(gross),
        tax=D("0.00"),
        gross=D(gross),
        **more,
    )
    return after(None, event, *happened, number=number)


def debit_note(number: str, gross: str, due: str) -> Receivable:
    """A debit note, as it is owed."""
    due_on = day(due)
    event = iv.DebitNoteIssued(
        number=number,
        supplier="S",
        client="C",
        contract="C-1",
        issued_on=due_on - timedelta(days=15),
        due_on=due_on,
        lines=(),
        gross=D(gross),
    )
    return after(None, event, number=number)


def after(one: Receivable | None, *happened: Event, number: str = "") -> Receivable:
    """The document once that happened to it."""
    id = invoice_id("S", one.number if one else number)
    for event in happened:
        version = one.version + 1 if one else 1
        one = receivable.apply(one, stamped(event, id, version, AT, "the tests"))
    assert one is not None
    return one


def paid(amount: str, on: str, payment: str = "P-1") -> Event:
    """A payment."""
    return iv.PaymentAllocated(
        amount=D(amount), value_on=day(on), means="transfer", payment=payment
    )


def taken_back(amount: str, on: str, payment: str = "P-1") -> Event:
    """What was paid comes back."""
    return iv.PaymentReversed(amount=D(amount), value_on=day(on), payment=payment)


def credited(amount: str, on: str) -> Event:
    """A credit note."""
    return iv.InvoiceCredited(
        credit_note="A-1", gross=D(amount), net=D(amount), credited_on=day(on)
    )


def withheld(amount: str, on: str) -> Event:
    """A guarantee retention."""
    return iv.RetentionWithheld(amount=D(amount), percent=D(5), notified_on=day(on), reason="r")


def released(amount: str, on: str) -> Event:
    """It is released."""
    return iv.RetentionReleased(amount=D(amount), released_on=day(on))


def contract(
    clause: LateInterest = STATUTORY, *clocks: Clock, category: str = "professional", **more: Any
) -> Contract:
    """A contract with that clause on late payment."""
    terms = Terms(late_interest=clause, clocks=clocks, **more)
    return given(signed(terms=terms, starts_on="2020-01-01", category=category)).contract


def amounts(chased: Chased) -> dict[tuple[str, str], Decimal]:
    """What is charged, by invoice and kind; what is given back is negative."""
    found: dict[tuple[str, str], Decimal] = {}
    for sign, notes in ((1, chased.debits), (-1, chased.credits)):
        for note in notes:
            for charge in note.charges:  # type: ignore[attr-defined]
                key = (charge.line.invoice, charge.line.kind)
                found[key] = found.get(key, D("0.00")) + sign * charge.line.amount
    return found


class Desk:
    """A contract and its documents, chased day after day as the application does it."""

    def __init__(
        self,
        of: Contract,
        *documents: Receivable,
        policy: Dunning = POLICY,
        book: Any = BOOK,
    ) -> None:
        self.contract = of
        self.documents = {one.number: one for one in documents}
        self.policy = policy
        self.book = book
        self.letters: list[FormalNoticeSent] = []
        self.notes: list[Debit] = []
        self.given_back: list[Credit] = []

    def __getitem__(self, number: str) -> Receivable:
        return self.documents[number]

    def happens(self, number: str, *events: Event) -> None:
        """Something happens to a document."""
        self.documents[number] = after(self.documents[number], *events)

    def chase(self, on: str) -> Chased:
        """That day is brought to it, and recorded."""
        chased = arrears.chase(
            self.contract,
            list(self.documents.values()),
            self.contract.terms_on,
            self.book,
            day(on),
            self.policy,
            self.letters,
            lambda supplier, number: self.documents[number],
        )
        for one, reminder in chased.reminders:
            self.happens(one.number, reminder)
        for event in chased.events:
            self._tells(event)
        for debit in chased.debits:
            self._debits(debit, day(on))
        for credit in chased.credits:
            self._credits(credit, day(on))
        return chased

    def _tells(self, event: Any) -> None:
        version = self.contract.version + 1
        told = stamped(event, contract_id(self.contract.number), version, AT, "the tests")
        self.contract = arrears.apply(self.contract, told)
        if isinstance(event, FormalNoticeSent):
            self.letters.append(event)

    def _debits(self, debit: Debit, on: date) -> None:
        number = f"ND-{len(self.notes) + 1}"
        self.notes.append(debit)
        event = iv.DebitNoteIssued(
            number=number,
            supplier=debit.supplier,
            client=debit.client,
            contract=debit.contract,
            issued_on=on,
            due_on=on + timedelta(days=self.policy.debit_note_days),
            lines=debit.lines,
            gross=debit.gross,
        )
        self.documents[number] = after(None, event, number=number)
        self._marks(debit.charges, number)

    def _credits(self, credit: Credit, on: date) -> None:
        number = f"AV-{len(self.given_back) + 1}"
        self.given_back.append(credit)
        if credit.gross:
            told = iv.InvoiceCredited(
                credit_note=number, gross=credit.gross, net=credit.gross, credited_on=on
            )
            self.happens(credit.note.number, told)
        self._marks(credit.charges, number, credit.note.number)

    def _marks(self, charges: Sequence[Any], number: str, credited: str = "") -> None:
        for charge in charges:
            line = charge.line
            said: dict[str, Any] = {"debit_note": number, "credits": credited}
            said["amount"] = -line.amount if credited else line.amount
            if line.kind == "late_interest":
                event: Event = iv.LateInterestCharged(until=line.until, **said)
            else:
                event = iv.RecoveryFeeCharged(**said)
            self.happens(line.invoice, event)


def sent(chased: Chased, kind: str = "invoice") -> list[tuple[str, int]]:
    """The reminders of documents of a kind: number and level."""
    return [(one.number, told.level) for one, told in chased.reminders if one.kind == kind]


def total(lines: Iterable[Decimal]) -> Decimal:
    """Their sum."""
    return sum(lines, D("0.00"))
