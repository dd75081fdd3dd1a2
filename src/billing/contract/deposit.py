"""Deposits: invoiced when the money comes or is asked for, deducted from what follows (acomptes).

"Pour être validée, la commande doit faire l'objet d'un acompte" — Alliance Telecom, CGV art. 3

An invoice is due for each deposit cashed (CGI 289 I 1 c), and its tax with it (CGI 269 2 a and c).
The tax is what the gross holds; what follows takes off net and tax, to the cent, so that with and
without a deposit the same is billed in all. A deposit cashed before a change of the standard rate
keeps its own: that part of the supply is billed at it, the rest at the rate of its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from sys import intern
from typing import NamedTuple

from msgspec.structs import replace

from billing.clauses.vat import STANDARD, VatTotal, tax_on
from billing.contract.bill import Bill, CannotBill, vat_of
from billing.contract.guards import must_run, no_earlier_than_signature
from billing.contract.state import Advance, Contract
from billing.events.contract import ContractEvent, Deduction, DepositInvoiced
from billing.events.invoice import Line
from billing.invoice import DEDUCTED, vat_totals
from billing.money import CENT, ZERO, rounded, to_cents
from billing.refusal import Refused
from indices import IndexBook, IndexUnavailable

CODE = "ACOMPTE"
RATE_CHANGED = "deposit_rate"
"""The kind of the two lines that bring what was cashed before a change of rate to its own rate."""


def tax_within(gross: Decimal, rate: Decimal) -> Decimal:
    """The tax a gross amount holds: gross − gross / (1 + rate), rounded once; rate in percent."""
    return rounded(Fraction(gross) * Fraction(rate) / (100 + Fraction(rate)), 2)


def invoiced(
    contract: Contract,
    gross: Decimal,
    rate_on: date,
    issued_on: date,
    invoice: str,
    book: IndexBook,
    vat: str = "standard",
    paid_by: int = 0,
    note: str = "",
) -> Iterator[ContractEvent]:
    """A deposit has its invoice, under a number; `paid_by` is the version of its receipt, if any.

    The rate is that of the day the money came, or of the day it is asked for.
    """
    must_run(contract, rate_on)
    no_earlier_than_signature(contract, rate_on)
    if gross <= 0:
        raise Refused(f"{contract.number}: a deposit of {gross}; expected more than zero")
    rate, category, reason = _vat_of(contract, vat, rate_on, book)
    tax = tax_within(gross, rate)
    yield DepositInvoiced(
        invoice=invoice,
        issuer=contract.party_on("supplier", issued_on),
        issued_on=issued_on,
        net=to_cents(gross) - tax,
        tax=tax,
        vat_rate=rate,
        rate_on=rate_on,
        vat=vat,
        vat_category=category,
        vat_reason=reason,
        received=paid_by,
        note=note,
    )


def _vat_of(contract: Contract, code: str, on: date, book: IndexBook) -> tuple[Decimal, str, str]:
    try:
        return vat_of(code, contract.terms_on(on), on, book)
    except (CannotBill, IndexUnavailable) as cannot:
        raise Refused(f"{contract.number}: {cannot}") from None


def order_total(contract: Contract, on: date, book: IndexBook) -> Decimal:
    """What the order sells once and is not billed yet, with its tax, in euros."""
    total = ZERO
    waiting = (*contract.awaiting, *(p.charge for p in contract.pending))
    for charge in waiting:
        if charge.kind == "one_off" and not charge.credits:
            rate, _, _ = _vat_of(contract, charge.vat, on, book)
            total += charge.net * (1 + rate / 100)
    return to_cents(total)


def to_come(advance: Advance) -> Decimal:
    """What of a deposit invoice is still to be cashed, tax included."""
    return max(left(advance) - advance.cashed, ZERO)


def left(advance: Advance) -> Decimal:
    """What of a deposit invoice was not given back, tax included."""
    return advance.net - advance.credited_net + advance.tax - advance.credited_tax


def creditable(advance: Advance) -> Decimal:
    """What of a deposit invoice may be given back, before tax: neither was nor is deducted."""
    return advance.net - advance.credited_net - advance.deducted_net


def available(advance: Advance) -> tuple[Decimal, Decimal]:
    """Net and tax that may be deducted: of what was cashed and not given back, the rest.

    Of a deposit paid in part the tax is again what the money holds.
    """
    net, tax = advance.net - advance.credited_net, advance.tax - advance.credited_tax
    if advance.cashed < net + tax:
        tax = tax_within(advance.cashed, advance.vat_rate)
        net = advance.cashed - tax
    net -= advance.deducted_net
    return (net, tax - advance.deducted_tax) if net > 0 else (ZERO, ZERO)


# What follows


def deducted(contract: Contract, bills: Iterable[Bill], on: date, book: IndexBook) -> list[Bill]:
    """The bills of a day, less the deposits cashed: the first invoiced first, till used up."""
    clause = contract.terms_on(on).payment.deposit_deducted_from
    waiting = [(advance, *available(advance)) for advance in contract.deposits]
    found = []
    for bill in bills:
        waiting = [one for one in waiting if one[1] > 0]
        if waiting and bill.lines and not (clause == "sale" and bill.period is not None):
            taken = deduct(bill.lines, waiting, book)
            waiting = [_less(one, taken.deductions) for one in waiting]
            lines = (*bill.lines, *taken.lines)
            net = sum((line.net for line in lines), ZERO)
            bill = bill._replace(lines=lines, net=net, deducted=tuple(taken.deductions))
        found.append(bill)
    return found


class Taken(NamedTuple):
    """The lines that deduct deposits from an invoice, and what they take of each."""

    lines: list[Line]
    deductions: list[Deduction]


_Waiting = tuple[Advance, Decimal, Decimal]


def _less(waiting: _Waiting, deductions: Iterable[Deduction]) -> _Waiting:
    advance, net, tax = waiting
    for one in deductions:
        if one.invoice == advance.invoice:
            net, tax = net - one.net, tax - one.tax
    return advance, net, tax


def deduct(lines: Sequence[Line], waiting: Iterable[_Waiting], book: IndexBook) -> Taken:
    """What of these deposits an invoice of these lines takes off, never more than it comes to."""
    groups = [_Group(total.rate, total.category, total.base) for total in vat_totals(lines)]
    taken = Taken([], [])
    for advance, net, tax in waiting:
        for group in _payable(advance, groups, book):
            same = group.rate == advance.vat_rate
            part = _part(groups, group, net, tax, same)
            if part is None:
                continue
            group.take(*part, same)
            net, tax = net - part[0], tax - part[1]
            taken.deductions.append(
                Deduction(
                    invoice=advance.invoice,
                    net=part[0],
                    tax=part[1],
                    vat_rate=advance.vat_rate,
                    from_rate=group.rate,
                )
            )
            if not same:
                taken.lines.extend(_at_its_own_rate(advance, group, part[0]))
            taken.lines.append(_line(advance, *part))
    return taken


class _Group:
    """The lines of one rate of VAT, and what deposits have taken off them so far."""

    def __init__(self, rate: Decimal, category: str, base: Decimal) -> None:
        self.rate = rate
        self.category = category
        self.base = base  # Less what was brought to another rate.
        self.net = self.tax = ZERO  # Taken off.

    @property
    def net_left(self) -> Decimal:
        return self.base - self.net

    @property
    def tax_left(self) -> Decimal:
        return tax_on(self.base, self.rate) - self.tax

    def less(self, net: Decimal, tax: Decimal, same: bool) -> Decimal:
        """What is left with tax once that much is taken off it."""
        if same:
            return self.net_left - net + self.tax_left - tax
        return self.net_left - net + tax_on(self.base - net, self.rate) - self.tax

    def take(self, net: Decimal, tax: Decimal, same: bool) -> None:
        if same:
            self.net, self.tax = self.net + net, self.tax + tax
        else:
            self.base -= net


def _payable(advance: Advance, groups: list[_Group], book: IndexBook) -> list[_Group]:
    """The lines a deposit pays: those of its own VAT, then those of a later standard rate."""
    own = (advance.vat_rate, advance.vat_category)
    found = [g for g in groups if (g.rate, g.category) == own]
    if advance.vat == "standard":
        cashed = advance.rate_on.isoformat()
        later = {one.value for one in book.observations(STANDARD) if one.period > cashed}
        found += [g for g in groups if g not in found and g.category == "S" and g.rate in later]
    return found


def _part(
    groups: list[_Group], group: _Group, net: Decimal, tax: Decimal, same: bool
) -> tuple[Decimal, Decimal] | None:
    """Net and tax a deposit pays of these lines; neither they nor the invoice go under zero.

    A deposit used up gives all its tax; lines paid up take no more tax than they bear.
    """
    others = sum((g.net_left + g.tax_left for g in groups if g is not group), ZERO)
    nets = sum((g.net_left for g in groups), ZERO)
    part = min(net, group.net_left, nets)
    while part > 0:
        share = tax if part == net else rounded(Fraction(tax) * Fraction(part) / Fraction(net), 2)
        if same and part == group.net_left and part < net:
            share = min(tax, group.tax_left)
        rest = group.less(part, share, same)
        if rest >= 0 and others + rest >= 0:
            return part, share
        part -= CENT
    return None


def _line(advance: Advance, net: Decimal, tax: Decimal) -> Line:
    return Line(
        kind=DEDUCTED,
        code=CODE,
        label=f"Acompte, facture {advance.invoice} du {advance.issued_on:%d/%m/%Y}",
        net=-net,
        vat_rate=advance.vat_rate,
        vat_category=intern(advance.vat_category),  # As a default, so that it is stored alike.
        vat_reason=advance.vat_reason,
        note=f"TVA déjà facturée : {tax} €",
        because=(advance.by,),
    )


def _at_its_own_rate(advance: Advance, group: _Group, net: Decimal) -> Iterator[Line]:
    label = f"Part encaissée avant le changement de taux, facture {advance.invoice}"
    line = Line(
        kind=RATE_CHANGED,
        code=CODE,
        label=label,
        net=-net,
        vat_rate=group.rate,
        because=(advance.by,),
    )
    yield line
    yield replace(line, net=net, vat_rate=advance.vat_rate)


def vat_after(lines: Sequence[Line], deductions: Sequence[Deduction]) -> tuple[VatTotal, ...]:
    """The tax by rate of an invoice that deducts deposits: that of the whole, less theirs.

    `rounding` is the cent by which that differs from the tax of the rest.
    """
    totals = []
    for total in vat_totals(lines):
        own = [d for d in deductions if d.vat_rate == d.from_rate == total.rate]
        if own:
            whole = total.base + sum((d.net for d in own), ZERO)
            tax = tax_on(whole, total.rate) - sum((d.tax for d in own), ZERO)
            total = replace(total, tax=tax, rounding=tax - total.tax)
        totals.append(total)
    return tuple(totals)
