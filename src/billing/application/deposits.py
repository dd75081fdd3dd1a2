"""Deposits: their invoices, their money, what is given back of them (acomptes).

An invoice is due for each deposit cashed (CGI 289 I 1 c): recording the money issues it, paid, in
the same transaction. One asked for before the money comes is owed like any invoice, and its
contract hears of the money in `deposit_news`, whoever allocates it: only what was cashed is
deducted. It is at the rate of its own day: should the rate change before it is paid, it is credited
and asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec.structs import replace

from billing.allocation import whole_cents
from billing.application import receivables, runs
from billing.application.core import Billing
from billing.application.issuable import Issuable
from billing.application.receivables import Book, payment_id
from billing.clauses.payment import due_on as payment_due_on
from billing.clauses.vat import VatTotal, tax_on
from billing.contract import change, deposit, end
from billing.contract.state import Advance, Contract, apply
from billing.events import Event, stamped
from billing.events.base import E
from billing.events.contract import (
    ContractEvent,
    ContractSigned,
    DepositCredited,
    DepositInvoiced,
    DepositReceived,
    OrderCancelled,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line, PaymentAllocated
from billing.events.payment import PaymentIdentified, PaymentReceived
from billing.identity import contract_id, invoice_id
from billing.invoice import DEDUCTED
from billing.money import to_cents
from billing.month import Series, Stamp, credit_note
from billing.payment import Payment
from billing.refusal import Refused
from billing.store import Tx

LABEL = "Acompte sur commande"
Means = Literal["transfer", "cheque", "card", "cash", "direct_debit"]


def record(
    app: Billing,
    number: str,
    amount: Decimal,
    on: date,
    reference: str = "",
    means: Means = "transfer",
    vat: str = "standard",
    by: str = "",
) -> list[Event]:
    """Money came for an order: it pays the deposit invoices that asked for it, the oldest first.

    The rest gets its own deposit invoice, paid. A payment the book knows under that reference is
    used for as much as it has left, and not recorded twice.
    """
    amount = whole_cents(amount, f"{number}: a deposit")

    def decide(tx: Tx, book: Book) -> Iterator[Event]:
        one = _Under(app, tx, number, by)
        list(change.deposit(one.contract, amount, on, reference))  # It refuses first.
        supplier = one.contract.party_on("supplier", app.today)
        of = reference or f"{number}/D{one.contract.version + 1}"
        client = one.contract.party_on("client", on)
        known = book.payment(supplier, of)
        if known is None:
            yield one.received(supplier, of, amount, on, means)
        elif known.client not in ("", client) or known.left < amount:
            raise Refused(
                f"{number}: payment {of} of {known.amount} € is recorded already for "
                f"{known.client or 'nobody'} and has {known.left} € left; say another reference"
            )
        elif not known.client:
            yield one.identified(known, client)
        left = amount
        for advance in one.contract.deposits:
            part = min(left, deposit.to_come(advance))
            if part > 0 and advance.issuer == supplier:
                asked = book.one(advance.issuer, advance.invoice)
                id = invoice_id(advance.issuer, advance.invoice)
                yield one.paid(id, asked.version, asked.issued_on, part, on, means, of)
                left -= part
        if left:
            told = one.add(change.deposit(one.contract, left, on, reference))
            yield from told
            issued = list(one.invoice(left, on, vat, told[-1].originator_version))
            yield from issued
            invoice = issued[-1]
            assert isinstance(invoice, InvoiceIssued)
            id = invoice.originator_id
            yield one.paid(id, 1, invoice.issued_on, left, on, means, of)
        yield from one.series.taken(one.stamp)

    return _recorded(app, number, decide)


def invoice(
    app: Billing,
    number: str,
    amount: Decimal | None = None,
    percent: Decimal | None = None,
    of: Decimal | None = None,
    vat: str = "standard",
    due_on: date | None = None,
    by: str = "",
) -> list[Event]:
    """Invoices a deposit before the money comes: an amount, or a percentage, tax included.

    The percentage is `of` a gross amount, else of what the order sells once. Told neither, it
    invoices what was received without an invoice, else the deposit agreed at signature.
    """
    if amount is not None and percent is not None:
        raise Refused(f"{number}: an amount or a percentage, not both")
    if of is not None and percent is None:
        raise Refused(f"{number}: an amount to take a percentage of, and no percentage")
    if amount is not None:
        amount = whole_cents(amount, f"{number}: a deposit")
    today = app.today
    if due_on is not None and due_on < today:
        raise Refused(f"{number}: due on {due_on}, before it is issued on {today}")

    def decide(tx: Tx, book: Book) -> Iterator[Event]:
        one = _Under(app, tx, number, by)
        waiting = one.without_invoice() if amount is None and percent is None else []
        for received in waiting:
            version = received.originator_version
            yield from (
                issued := list(one.invoice(received.amount, received.received_on, vat, version))
            )
            document = issued[-1]
            assert isinstance(document, InvoiceIssued)
            on, of_ = received.received_on, f"{number}/D{version}"
            yield one.received(document.supplier, of_, received.amount, on, "transfer")
            yield one.paid(
                document.originator_id, 1, document.issued_on, received.amount, on, "transfer", of_
            )
        if not waiting:
            gross, note = one.asked(amount, percent, of)
            yield from one.invoice(gross, today, vat, 0, due_on, note)
        yield from one.series.taken(one.stamp)

    return _recorded(app, number, decide)


def _recorded(app: Billing, number: str, decide: receivables.Decide) -> list[Event]:
    app.contract(number)  # It knows the clauses, and refuses a number that is none.
    app.book()
    return receivables.record(app, decide)


class _Under:
    """A contract under the append lock, the numbers that follow, and what is decided on it."""

    def __init__(self, app: Billing, tx: Tx, number: str, by: str) -> None:
        (row,) = tx.states("contract", ids=[contract_id(number)])
        self.app = app
        self.id = row.id
        self.contract: Contract = app.contract_of(row)
        self.series: Series = runs.series_of(app, tx)
        self.stamp = Stamp(app.clock(), by or app.user)
        self.issuable = Issuable(app)

    def add(self, decisions: Iterable[ContractEvent]) -> list[ContractEvent]:
        """The decisions as they are recorded; the contract is as they leave it."""
        told = []
        for decision in decisions:
            event = self._stamped(decision, self.id, self.contract.version)
            self.contract = apply(self.contract, event)
            told.append(event)
        return told

    def _stamped(self, event: E, id: UUID, version: int) -> E:
        return stamped(event, id, version + 1, self.stamp.at, self.stamp.by)

    def received(
        self, supplier: str, reference: str, amount: Decimal, on: date, means: Means
    ) -> Event:
        """The money, as the book of receivables knows it."""
        payment = PaymentReceived(
            reference=reference,
            supplier=supplier,
            client=self.contract.party_on("client", on),
            amount=amount,
            value_on=on,
            means=means,
            remittance=f"{LABEL} {self.contract.number}",
        )
        return self._stamped(payment, payment_id(supplier, reference), 0)

    def identified(self, known: Payment, client: str) -> Event:
        """The payer was not known: it is the client of the contract."""
        id = payment_id(known.supplier, known.reference)
        return self._stamped(PaymentIdentified(client=client), id, known.version)

    def paid(
        self,
        id: UUID,
        version: int,
        issued_on: date,
        amount: Decimal,
        on: date,
        means: Means,
        payment: str,
    ) -> Event:
        """That much of the payment goes to that document."""
        allocated = PaymentAllocated(
            amount=amount, value_on=max(on, issued_on), means=means, payment=payment
        )
        return self._stamped(allocated, id, version)

    def without_invoice(self) -> list[DepositReceived]:
        """The deposits received that have no invoice yet, as older versions recorded them."""
        history = self.app.history(self.contract.number)
        done = {e.received for e in history if isinstance(e, DepositInvoiced)}
        return [
            e
            for e in history
            if isinstance(e, DepositReceived) and not e.invoice and e.originator_version not in done
        ]

    def asked(
        self, amount: Decimal | None, percent: Decimal | None, of: Decimal | None
    ) -> tuple[Decimal, str]:
        """The gross amount of the deposit that is asked for, and how it was worked out."""
        number, today = self.contract.number, self.app.today
        if amount is not None:
            return amount, ""
        if percent is None:
            signed = self.app.history(number)[0]
            if isinstance(signed, ContractSigned) and signed.deposit and not self.contract.deposits:
                return signed.deposit, f"convenu le {signed.signed_on:%d/%m/%Y}"
            raise Refused(f"{number}: no deposit waits for its invoice; say --amount, or --percent")
        if not 0 < percent <= 100:
            raise Refused(f"{number}: a deposit of {percent} %; expected more than 0, at most 100")
        whole = of if of is not None else deposit.order_total(self.contract, today, self.app.book())
        if whole <= 0:
            raise Refused(
                f"{number}: nothing sold once waits to be billed; say --of which amount, tax "
                "included"
            )
        return to_cents(whole * percent / 100), f"{percent} % de {whole} €"

    def invoice(
        self,
        gross: Decimal,
        rate_on: date,
        vat: str,
        paid_by: int,
        due_on: date | None = None,
        note: str = "",
    ) -> Iterator[Event]:
        """The deposit invoice, and the contract's word for it."""
        supplier = self.contract.party_on("supplier", self.app.today)
        number, issued_on = self.series.take(supplier, self.app.today)
        told = self.add(
            deposit.invoiced(
                self.contract,
                gross,
                rate_on,
                issued_on,
                number,
                self.app.book(),
                vat,
                paid_by,
                note,
            )
        )
        yield from told
        event = told[-1]
        assert isinstance(event, DepositInvoiced)
        if due_on is None:
            payment = self.contract.terms_on(issued_on).payment
            due_on = issued_on if paid_by else payment_due_on(payment, issued_on)
        issued = deposit_invoice(self.contract, event, max(due_on, issued_on), self.stamp)
        self.issuable.refuse(self.contract, issued, f"{self.contract.number}: no deposit invoice")
        yield issued

    def credit(self, advance: Advance, gross: Decimal, on: date, reason: str) -> Iterator[Event]:
        """A credit note on a deposit invoice, tax included; all that is left ends its tax."""
        tax = deposit.tax_within(gross, advance.vat_rate)
        if gross == deposit.left(advance):
            tax = advance.tax - advance.credited_tax
        net = gross - tax
        line = Line(
            kind=DEDUCTED,
            code=deposit.CODE,
            label=f"{LABEL} – facture {advance.invoice}",
            net=net,
            vat_rate=advance.vat_rate,
            vat_category=advance.vat_category,
            vat_reason=advance.vat_reason,
        )
        note = credit_note(
            advance.issuer,
            self.contract.party_on("client", on),
            self.contract.number,
            0,
            advance.invoice,
            (line,),
            reason,
            self.contract.purchase_order,
            self.series,
            self.app.today,
            self.stamp,
        )
        total = replace(note.vat[0], tax=tax, rounding=tax - tax_on(net, advance.vat_rate))
        note = replace(note, vat=(total,), tax=tax, gross=gross)
        self.issuable.refuse(self.contract, note, f"{advance.invoice}: no credit note")
        yield note
        yield from self.add([_credited(note, on)])


def deposit_invoice(
    contract: Contract, event: DepositInvoiced, due_on: date, stamp: Stamp
) -> InvoiceIssued:
    """The document: one line, its tax what the gross holds."""
    line = Line(
        kind=DEDUCTED,
        code=deposit.CODE,
        label=LABEL,
        net=event.net,
        vat_rate=event.vat_rate,
        vat_category=event.vat_category,
        vat_reason=event.vat_reason,
        note=event.note,
        because=(event.originator_version,),
    )
    rate = event.vat_rate
    rounding = event.tax - tax_on(event.net, rate)
    total = VatTotal(rate, event.net, event.tax, event.vat_category, event.vat_reason, rounding)
    return InvoiceIssued(
        originator_id=invoice_id(event.issuer, event.invoice),
        originator_version=1,
        recorded_at=stamp.at,
        recorded_by=stamp.by,
        number=event.invoice,
        supplier=event.issuer,
        client=contract.party_on("client", event.issued_on),
        contract=contract.number,
        contract_version=event.originator_version,
        issued_on=event.issued_on,
        due_on=due_on,
        lines=(line,),
        vat=(total,),
        net=event.net,
        tax=event.tax,
        gross=event.net + event.tax,
        purchase_order=contract.purchase_order,
        kind="deposit",
    )


def _credited(note: CreditNoteIssued, on: date) -> DepositCredited:
    return DepositCredited(
        invoice=note.credits, credit_note=note.number, net=note.net, tax=note.tax, credited_on=on
    )


def cancelled(app: Billing, number: str, events: list[Event], by: str = "") -> list[Event]:
    """Records that an order with deposit invoices was given up, and credits what is given back."""
    told = next(e for e in events if isinstance(e, OrderCancelled))

    def decide(tx: Tx, book: Book) -> Iterator[Event]:
        yield from events
        one = _Under(app, tx, number, by)
        back = list(end.given_back(one.contract, told))
        one.contract = apply(one.contract, told)
        notes = []
        for advance, gross in back:
            for event in one.credit(advance, gross, told.cancelled_on, "Commande annulée"):
                if isinstance(event, CreditNoteIssued):
                    notes.append(event)
                yield event
        yield from runs.credit_marks(tx, notes, one.stamp)
        yield from one.series.taken(one.stamp)

    return _recorded(app, number, decide)


def credited(app: Billing, tx: Tx, note: CreditNoteIssued, stamp: Stamp) -> list[Event]:
    """What a contract hears of a credit note on its deposit invoice; never what was deducted."""
    one = _Under(app, tx, note.contract, stamp.by)
    advance = next(a for a in one.contract.deposits if a.invoice == note.credits)
    if note.net > deposit.creditable(advance):
        raise Refused(
            f"{note.credits}: {note.net} € before tax to credit, of which only "
            f"{deposit.creditable(advance)} € was not deducted from invoices"
        )
    return list(one.add([_credited(note, note.issued_on)]))
