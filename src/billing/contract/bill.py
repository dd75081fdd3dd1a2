"""Billing: what is due on a day becomes the lines of an invoice (facturation).

One rule serves every contract: an item is owed from the day it enters the cover, or from where
its last invoice stopped, to the end of the billing period or of its cover, whichever is first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from math import lcm
from typing import NamedTuple

from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.fees import Item, exact_period_fee, gross_fee, period_fee
from billing.clauses.proration import Method, share
from billing.clauses.schedule import BillingPeriod, billing_period
from billing.clauses.vat import standard_rate
from billing.contract.state import Contract, Covered, Pending
from billing.dates import DAY, Period
from billing.events.contract import Deduction
from billing.events.invoice import Line
from billing.money import ZERO, rounded, to_cents
from indices import IndexBook

NO_DISCOUNT = Decimal(0)


class Credit(NamedTuple):
    """Lines that give back what one invoice billed; amounts negative until they are written.

    `issuer` is who issued it: the contract may have changed hands since.
    """

    invoice: str
    lines: tuple[Line, ...]
    reason: str
    issuer: str = ""


class Bill(NamedTuple):
    """What one billing day brings to one invoice, before it has a number.

    `net` is the sum of the lines, in euros before tax; `nets` the fees of the period by VAT
    treatment.
    """

    billed_on: date
    period: Period | None
    until: date | None
    lines: tuple[Line, ...]
    nets: tuple[tuple[str, Decimal], ...]
    settled: tuple[int, ...]
    credits: tuple[Credit, ...]
    means: str
    net: Decimal
    deducted: tuple[Deduction, ...] = ()


class CannotBill(Exception):
    """The day cannot be billed; the contract is set aside with the clause and the reason."""

    def __init__(self, clause: str, reason: str) -> None:
        super().__init__(reason)
        self.clause = clause
        self.reason = reason


def due(
    contract: Contract, on: date, book: IndexBook, stopped: Mapping[str, str] | None = None
) -> Iterator[Bill]:
    """The invoices of that day: what is sold once and apart, then the instalment and the rest.

    `stopped` are the mandates the banks debit no more, each with its sentence.
    """
    billable = contract.billable
    if not billable and contract.cancelled_on is None:
        return  # Nothing is billed before the acceptance, what is sold once no more than fees.
    terms = contract.terms_on(on)
    ready = [p for p in contract.pending if p.charge.due_on <= on] if contract.pending else []
    instalment = contract.next_instalment() if billable else None
    if instalment is not None and instalment.day > on:
        instalment = None
    if not ready and instalment is None and not _caught_up_now(contract, terms, on):
        return
    mandate = contract.mandate_on(on)
    if terms.payment.debit_required and not mandate:
        raise CannotBill(
            "payment",
            "the contract is paid by direct debit only and has no mandate: record one with "
            "`billing mandate`, or amend the payment clause",
        )
    if terms.payment.debit_required and stopped and (why := stopped.get(mandate)):
        raise CannotBill(
            "payment",
            f"the contract is paid by direct debit only, and {why}: change its account or sign "
            "another with `billing mandate`, or amend the payment clause",
        )
    means = terms.payment.means
    if means == "direct_debit" and not mandate:
        means = "transfer"
    if apart := [p for p in ready if p.charge.apart]:
        yield _bill(on, None, None, [], apart, "transfer", terms, book, contract)
        ready = [p for p in ready if not p.charge.apart]
    if instalment is not None:
        # What was amended for the day after a period in arrears is not for that period.
        agreed = contract.terms_on(instalment.days.start)
        lines = instalment_lines(contract, agreed, instalment.whole, instalment.days, book)
        until = instalment.days.end
        yield _bill(on, instalment.days, until, lines, ready, means, terms, book, contract)
    elif _caught_up_now(contract, terms, on):
        lines = caught_up_lines(contract, terms, book)
        until = contract.billed_until
        yield _bill(on, None, until, lines, ready, means, terms, book, contract)
    elif ready:
        yield _bill(on, None, None, [], ready, means, terms, book, contract)


def instalment_lines(
    contract: Contract, terms: Terms, whole: BillingPeriod, days: Period, book: IndexBook
) -> list[Line]:
    """The fees of one period, after the days of earlier periods not billed yet."""
    lines: list[Line] = []
    in_advance = terms.schedule.in_advance
    first, end = days.start, days.end
    supplied_on = first if in_advance else end - DAY  # The last day, as for usage.
    # Most items are there all the days, at the standard rate: their lines are made at once.
    plain = None if _by_day(terms) or days != whole.period else standard_rate(book, supplied_on)
    for covered in contract.items:
        if covered.owed_from is not None:
            _catch_up(lines, contract, covered, terms, book)
        since, until = covered.since, covered.until
        if since <= first and (until is None or until >= end):
            if plain is not None and covered.item.vat == "standard":
                lines.append(_whole_line(covered, days, whole, plain))
            else:
                _fee_lines(lines, covered, days, whole, terms, "fee", supplied_on, book)
            continue
        start = since if since > first else first
        stop = until if until is not None and until < end else end
        if start < stop:
            day = start if in_advance else stop - DAY
            part = Period(start, stop)
            _fee_lines(lines, covered, part, whole, terms, "fee", day, book)
    return lines


def caught_up_lines(contract: Contract, terms: Terms, book: IndexBook) -> list[Line]:
    """What was added to periods already billed, billed at once where the contract says so."""
    lines: list[Line] = []
    for covered in contract.items:
        if covered.owed_from is not None:
            _catch_up(lines, contract, covered, terms, book)
    return lines


def _caught_up_now(contract: Contract, terms: Terms, on: date) -> bool:
    """Whether additions are billed today: at once, or at the end when no period follows."""
    for covered in contract.items:
        if covered.owed_from is not None and covered.since <= on:
            break
    else:
        return False
    if terms.cover.catch_up == "at_once":
        return True
    return on >= contract.limit and not contract.goes_on and contract.next_instalment() is None


def _catch_up(
    lines: list[Line], contract: Contract, covered: Covered, terms: Terms, book: IndexBook
) -> None:
    day = covered.owed_from
    assert day is not None
    end = min(contract.billed_until, contract.fees_until)
    if covered.until is not None:
        end = min(end, covered.until)
    while day < end:
        whole = billing_period(terms.schedule, contract.anchor_on, contract.term_of(day), day)
        days = Period(day, min(whole.period.end, end))
        _fee_lines(lines, covered, days, whole, terms, "catch_up", day, book)
        day = days.end


def _by_day(terms: Terms) -> bool:
    """Whether a price that changes within a period cuts its line."""
    return terms.revision is not None and terms.revision.applies_to == "by_day"


def _fee_lines(
    lines: list[Line],
    covered: Covered,
    days: Period,
    whole: BillingPeriod,
    terms: Terms,
    kind: str,
    supplied_on: date,
    book: IndexBook,
) -> None:
    cut = len(covered.prices) > 1 and _by_day(terms)
    if cut and covered.item.kind not in terms.cover.whole_month_kinds:
        cuts = [p.effective_on for p in covered.prices if p.effective_on in days]
        edges = sorted({days.start, *cuts, days.end})
        lines += [
            fee_line(covered, Period(start, end), whole, terms, kind, supplied_on, book)
            for start, end in pairwise(edges)
        ]
    else:
        lines.append(fee_line(covered, days, whole, terms, kind, supplied_on, book))


def discount_on(item: Item, day: date) -> Decimal:
    """The discount in percent on the fee of a period that starts that day."""
    over = item.discount_until is not None and day > item.discount_until
    return NO_DISCOUNT if over else item.discount


def _whole_line(covered: Covered, days: Period, whole: BillingPeriod, vat_rate: Decimal) -> Line:
    """The fee of one item for a whole billing period, at the standard rate."""
    item = covered.item
    price = covered.price_on(days.start)
    unit_price, quantity, discount = price.unit_price, item.quantity, item.discount
    fee = quantity * unit_price
    if discount:
        discount = discount_on(item, days.start)
        fee = gross_fee(quantity, unit_price, discount)
    per_months, months = item.per_months, whole.months
    part = parts = 0
    if per_months == months:
        net = to_cents(fee)
    else:
        net = period_fee(fee, per_months, months, whole.place)
        if months % per_months:  # The fee is cut, and the line says which part it is.
            parts = lcm(per_months, months) // months
            part = whole.place % parts + 1
    return Line(
        kind="fee",
        code=item.code,
        label=item.label,
        net=net,
        vat_rate=vat_rate,
        quantity=quantity,
        unit_price=unit_price,
        discount=discount,
        period=days,
        per_months=per_months,
        months=months,
        part=part,
        parts=parts,
        because=(covered.added,) if price.by == covered.added else (covered.added, price.by),
    )


def fee_line(
    covered: Covered,
    days: Period,
    whole: BillingPeriod,
    terms: Terms,
    kind: str,
    supplied_on: date,
    book: IndexBook,
) -> Line:
    """The fee of one item for some days of one billing period."""
    item = covered.item
    rate, category, reason = vat_of(item.vat, terms, supplied_on, book)
    counted = None
    if days != whole.period:
        method: Method = terms.cover.proration
        if item.kind in terms.cover.whole_month_kinds:
            method = "whole_months"
        counted = share(method, days, whole.period, whole.months)
    line = _whole_line(covered, days, whole, rate)
    if counted is not None and counted.over != counted.under:
        fee = gross_fee(line.quantity, covered.price_on(days.start).unit_price, line.discount)
        exact = exact_period_fee(fee, item.per_months, whole.months) * counted.exact
        line = replace(line, net=rounded(exact, 2), part=0, parts=0)
    return replace(line, kind=kind, share=counted, vat_category=category, vat_reason=reason)


def vat_of(code: str, terms: Terms, supplied_on: date, book: IndexBook) -> tuple[Decimal, str, str]:
    """Rate in percent, EN 16931 category and reason of a VAT treatment on a day."""
    if code == "standard":
        return standard_rate(book, supplied_on), "S", ""
    treatment = terms.vat_treatment(code)
    if treatment is None:
        raise CannotBill("vat", f"the contract has no VAT treatment called {code!r}")
    return treatment.rate, treatment.category, treatment.reason


def _charge_line(pending: Pending, terms: Terms, book: IndexBook) -> Line:
    charge = pending.charge
    supplied_on = charge.supplied_on or charge.due_on
    rate, category, reason = vat_of(charge.vat, terms, supplied_on, book)
    return Line(
        kind=charge.kind,
        code=charge.code,
        label=charge.label,
        net=charge.net,
        vat_rate=rate,
        quantity=charge.quantity,
        unit_price=charge.unit_price,
        discount=charge.discount,
        period=charge.period,
        vat_category=category,
        vat_reason=reason,
        note=charge.note,
        because=(pending.version,),
    )


def _bill(
    on: date,
    period: Period | None,
    until: date | None,
    lines: list[Line],
    ready: list[Pending],
    means: str,
    terms: Terms,
    book: IndexBook,
    contract: Contract,
) -> Bill:
    nets = _by_treatment(lines, contract) if lines else ()
    given_back: dict[str, list[Pending]] = {}
    if ready:
        owed = [p for p in ready if not p.charge.credits]
        for p in ready:
            if p.charge.credits:
                given_back.setdefault(p.charge.credits, []).append(p)
        lines = lines + [_charge_line(p, terms, book) for p in owed]
        total = sum((line.net for line in lines), ZERO)
        if total < 0:
            if not contract.last_invoice:
                raise CannotBill(
                    "payment",
                    f"{total} € would be owed to the client, and no "
                    "invoice was issued that could be credited",
                )
            given_back.setdefault(contract.last_invoice, []).extend(
                p for p in owed if p.charge.net < 0
            )
            lines = [line for line in lines if line.net >= 0]
    net = ZERO
    for line in lines:
        net += line.net
    given = [
        Credit(
            invoice,
            tuple(_charge_line(p, terms, book) for p in group),
            "; ".join(dict.fromkeys(p.charge.note or p.charge.label for p in group)),
            group[0].charge.issuer,
        )
        for invoice, group in given_back.items()
    ]
    settled = tuple([p.key for p in ready])
    return Bill(on, period, until, tuple(lines), nets, settled, tuple(given), means, net)


def _by_treatment(lines: list[Line], contract: Contract) -> tuple[tuple[str, Decimal], ...]:
    """The net of the period's fees by VAT treatment: what a refund of its days starts from.

    What was caught up is of earlier days, and no part of it.
    """
    for covered in contract.items:
        if covered.item.vat != "standard":
            break
    else:
        net, fees = ZERO, False
        for line in lines:
            if line.kind == "fee":
                net, fees = net + line.net, True
        return (("standard", net),) if fees else ()
    treatments = {covered.item.code: covered.item.vat for covered in contract.items}
    nets: dict[str, Decimal] = {}
    for line in lines:
        if line.kind == "fee":
            treatment = treatments.get(line.code, "standard")
            nets[treatment] = nets.get(treatment, ZERO) + line.net
    return tuple(nets.items())
