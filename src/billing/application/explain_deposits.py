"""How a deposit invoice comes out, and how an invoice deducts it (acomptes)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from billing.application.explanation import Case, Explanation, node, number, read
from billing.clauses.vat import STANDARD
from billing.contract import deposit
from billing.contract.state import Advance
from billing.events.contract import DepositInvoiced, DepositReceived
from billing.events.invoice import InvoiceIssued, Line
from billing.invoice import DEDUCTED, supplied
from billing.money import ZERO
from indices import IndexUnavailable

KINDS = (DEDUCTED, deposit.RATE_CHANGED)


class Told(NamedTuple):
    """The sum of a line that is of a deposit, its result, what is behind it."""

    formula: str
    net: Decimal | None
    children: list[Explanation]


def line(case: Case, one: Line) -> Told:
    """The line of a deposit invoice, or one that deducts it from another."""
    event = case.event(one.because[0])
    if not isinstance(event, DepositInvoiced):
        return Told("no deposit was invoiced by that event", None, [])
    if case.document.number == event.invoice:
        return _asked(case, event)
    return _deducted(case, one, event)


def _asked(case: Case, event: DepositInvoiced) -> Told:
    gross, rate = event.net + event.tax, event.vat_rate
    tax = deposit.tax_within(gross, rate)
    exact = Fraction(gross) * Fraction(rate) / (100 + Fraction(rate))
    told = (
        f"{gross} € holds its tax: {gross} × {rate}/{100 + rate} = {number(exact)} €, rounded "
        f"HALF_UP to the cent: {tax} €; {gross} − {tax} = {gross - tax} € net"
    )
    paid = case.event(event.received)
    children = [case.because(event, event.note, kind="deposit")]
    if isinstance(paid, DepositReceived):
        children.append(
            case.because(paid, f"{paid.amount} € received on {paid.received_on}", kind="deposit")
        )
    return Told(told, gross - tax, [*children, *case.clause("payment")])


def _deducted(case: Case, one: Line, event: DepositInvoiced) -> Told:
    """Redone from the deposits as they stood and the lines they are taken from."""
    document = case.document
    assert isinstance(document, InvoiceIssued)
    advances = case.contract.deposits
    before = [x for x in supplied(document) if x.kind not in KINDS]
    waiting = [(advance, *deposit.available(advance)) for advance in advances]
    again = deposit.deduct(before, waiting, case.book).lines
    place = [x for x in document.lines if x.kind in KINDS].index(one)
    net = again[place].net if place < len(again) else None
    advance = next(a for a in advances if a.by == event.originator_version)
    left, tax = deposit.available(advance)
    told = (
        f"of deposit invoice {event.invoice}, {event.net + event.tax} €, {advance.cashed} € were "
        f"cashed and {advance.deducted_net} € net deducted before: {left} € net and {tax} € of VAT "
        f"are left; never more than the invoice comes to: {net} €"
    )
    if one.kind == deposit.RATE_CHANGED:
        told = (
            f"what was cashed before the rate changed keeps {event.vat_rate} %: that part of the "
            f"supply is billed at it, {net} € here"
        )
    children = [case.because(event, _rate(event), kind="deposit"), *_tax(document, advance)]
    return Told(told, net, [*children, *case.clause("payment")])


def _tax(document: InvoiceIssued, advance: Advance) -> Iterator[Explanation]:
    """The tax of the rate: that of the whole, less what deposits bore already."""
    rate = advance.vat_rate
    for total in document.vat:
        if total.rate == rate and total.rounding:
            whole = sum((x.net for x in supplied(document) if x.vat_rate == rate), ZERO)
            yield node(
                "deposit",
                f"VAT {rate} % with its deposits",
                f"the tax of the whole {whole} €, less that of the deposits; it differs by "
                f"{total.rounding} € from {rate} % of the {total.base} € left, so that nothing is "
                "lost to rounding",
            )


def _rate(event: DepositInvoiced) -> str:
    what = "the money came" if event.received else "it was asked for"
    return (
        f"invoiced on {event.issued_on} at {event.vat_rate} %, the rate of {event.rate_on}, {what}"
    )


def vat(case: Case, one: Line) -> Explanation:
    """The rate of the line: of the day the money came, which no later change moves."""
    title = f"VAT {one.vat_rate} %"
    event = case.event(one.because[0])
    if not isinstance(event, DepositInvoiced):
        return node("vat", title, "no deposit was invoiced by that event", check=("", "none"))
    if one.kind == deposit.RATE_CHANGED and one.net < 0:
        return node("vat", title, "the rate of the lines the deposit is taken from")
    if event.vat != "standard":
        told = f"treatment {event.vat}, category {event.vat_category} {event.vat_reason}"
        return node("vat", title, told, case.clause("vat"))
    try:
        rate = case.book.in_force(STANDARD, event.rate_on)
    except IndexUnavailable as unavailable:
        return node("vat", title, str(unavailable), check=(one.vat_rate, None))
    return node(
        "vat",
        title,
        f"{_rate(event)}; tax on a deposit is due when it is cashed (CGI 269 2): {read(rate)}",
        check=(one.vat_rate, rate.value),
    )
