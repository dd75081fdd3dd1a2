"""Invoices: issued once, then received, credited, partly withheld; never edited (factures)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from billing.clauses.payment import Payment, collected_on, due_on, retention
from billing.clauses.vat import VatTotal, tax_on
from billing.dates import DAY
from billing.events.base import Event
from billing.events.invoice import (
    InvoiceCredited,
    InvoiceIssued,
    InvoiceReceived,
    Line,
    RetentionReleased,
    RetentionWithheld,
)
from billing.money import ZERO
from billing.refusal import Refused

DEDUCTED = "deposit"
"""The kind of the lines that deduct deposits, and of the line of a deposit invoice."""


class Invoice(Struct, frozen=True):
    """An invoice as its events leave it; amounts in euros."""

    issued: InvoiceIssued
    version: int
    due_on: date
    collected_on: date | None
    received_on: date | None = None
    credited: Decimal = ZERO
    credited_net: Decimal = ZERO
    withheld: Decimal = ZERO
    released_on: date | None = None

    @property
    def net_left(self) -> Decimal:
        """What of its net is not credited; what a deposit paid of it can be credited too."""
        return self.before_deposits[0] - self.credited_net

    @property
    def tax_left(self) -> Decimal:
        """What of its tax is not credited."""
        return self.before_deposits[1] - (self.credited - self.credited_net)

    @property
    def before_deposits(self) -> tuple[Decimal, Decimal]:
        """Net and tax of what it bills, before deposits are deducted."""
        lines = supplied(self.issued)
        if len(lines) == len(self.issued.lines):
            return self.issued.net, self.issued.tax
        net = sum((line.net for line in lines), ZERO)
        return net, sum((total.tax for total in vat_totals(lines)), ZERO)


def apply(invoice: Invoice | None, event: Event) -> Invoice:
    """The invoice after one more event."""
    version = event.originator_version
    if isinstance(event, InvoiceIssued):
        return Invoice(event, version, event.due_on, event.collected_on)
    assert invoice is not None
    if isinstance(event, InvoiceReceived):
        return replace(
            invoice,
            version=version,
            received_on=event.received_on,
            due_on=event.due_on,
            collected_on=event.collected_on,
        )
    if isinstance(event, InvoiceCredited):
        return replace(
            invoice,
            version=version,
            credited=invoice.credited + event.gross,
            credited_net=invoice.credited_net + event.net,
        )
    if isinstance(event, RetentionWithheld):
        return replace(invoice, version=version, withheld=event.amount)
    if isinstance(event, RetentionReleased):
        return replace(invoice, version=version, released_on=event.released_on)
    return replace(invoice, version=version)  # What is owed of it: `billing.receivable`.


def fold(events: Iterable[Event]) -> Invoice | None:
    """The invoice after all its events; none when it is another document or does not exist."""
    invoice = None
    for event in events:
        if invoice is not None or isinstance(event, InvoiceIssued):
            invoice = apply(invoice, event)
    return invoice


def supplied(issued: InvoiceIssued) -> tuple[Line, ...]:
    """Its lines but those that deduct deposits: what a credit note may give back."""
    return tuple(x for x in issued.lines if x.kind != DEDUCTED or issued.kind == "deposit")


def vat_totals(lines: Iterable[Line]) -> tuple[VatTotal, ...]:
    """The tax by category and rate, on the sum of the lines' nets (EN 16931)."""
    bases: dict[tuple[Decimal, str], Decimal] = {}
    reasons: dict[tuple[Decimal, str], str] = {}
    for line in lines:
        key = (line.vat_rate, line.vat_category)
        bases[key] = bases.get(key, ZERO) + line.net
        if line.vat_reason:
            reasons.setdefault(key, line.vat_reason)
    return tuple(
        VatTotal(rate, base, tax_on(base, rate), category, reasons.get((rate, category), ""))
        for (rate, category), base in bases.items()
    )


def received(
    invoice: Invoice, payment: Payment, on: date, evidence: str = ""
) -> Iterator[InvoiceReceived]:
    """The client received it: where the due day counts from the receipt, it moves."""
    number, issued_on = invoice.issued.number, invoice.issued.issued_on
    if on < issued_on:
        raise Refused(f"{number}: received on {on}, before it was issued on {issued_on}")
    if invoice.received_on is not None:
        raise Refused(f"{number}: already received on {invoice.received_on}")
    due = due_on(payment, issued_on, on)
    debit = None
    if invoice.collected_on is not None:
        debit = collected_on(payment, due, issued_on)
    yield InvoiceReceived(received_on=on, due_on=due, collected_on=debit, evidence=evidence)


def withhold(
    invoice: Invoice, payment: Payment, percent: Decimal, on: date, served_on: date, reason: str
) -> Iterator[RetentionWithheld]:
    """A guarantee retention the client told in time (retenue de garantie)."""
    number = invoice.issued.number
    if invoice.withheld:
        raise Refused(f"{number}: {invoice.withheld} € are withheld already")
    last = served_on + payment.retention_notice_days * DAY
    if on > last:
        raise Refused(f"{number}: a retention is told by {last}, {on} is too late")
    if not reason:
        raise Refused(f"{number}: say which reserves the retention is for")
    if percent <= 0:
        raise Refused(f"{number}: a retention of {percent} %; expected more than zero")
    try:
        amount = retention(payment, invoice.issued.gross, percent)
    except ValueError as error:
        raise Refused(f"{number}: {error}") from None
    yield RetentionWithheld(amount=amount, percent=percent, notified_on=on, reason=reason)


def release(invoice: Invoice, on: date) -> Iterator[RetentionReleased]:
    """The reserves are lifted: what was withheld is due."""
    if not invoice.withheld or invoice.released_on is not None:
        raise Refused(f"{invoice.issued.number}: nothing is withheld")
    yield RetentionReleased(amount=invoice.withheld, released_on=on)
