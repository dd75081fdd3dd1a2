"""How each line of an invoice comes out: a fee for some days, or a charge owed once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from math import lcm
from typing import Any, NamedTuple

from msgspec.structs import replace

from billing.application import explain_deposits
from billing.application.explain_prices import price
from billing.application.explanation import Case, Explanation, days, node, number, read, recorded
from billing.clauses.fees import gross_fee
from billing.clauses.indemnity import indemnity
from billing.clauses.proration import Share
from billing.clauses.schedule import billing_period
from billing.clauses.usage import usage_fee
from billing.clauses.vat import STANDARD
from billing.contract.bill import CannotBill, fee_line
from billing.contract.state import Covered, Price
from billing.dates import DAY, Period
from billing.events.contract import (
    Charge,
    ContractEvent,
    ContractSigned,
    ContractTerminated,
    EquipmentAdded,
    EquipmentRemoved,
    IndemnityAssessed,
    IndemnitySettled,
    InstalmentBilled,
    OptionCancelled,
    OptionSubscribed,
    PriceRevised,
    RentalPurchased,
    SupplementaryWorkDone,
    UsageMeasured,
)
from billing.events.invoice import CreditNoteIssued, Line
from billing.identity import invoice_id
from billing.invoice import fold as fold_invoice
from billing.money import ZERO, Exact, instalment, rounded, share_of, to_cents
from indices import IndexUnavailable

FEES = ("fee", "catch_up")
ROUNDED = "rounded HALF_UP to the cent"


class Sum(NamedTuple):
    """A sum worked out: its formula with the numbers written out, its result, its steps."""

    formula: str
    net: Decimal | None
    steps: tuple[Explanation, ...] = ()


def line(case: Case, place: int, one: Line) -> Explanation:
    """A line: its sum, the events behind it, and the words of the clauses it rests on."""
    title = f"Line {place}, {one.label} ({one.code}) {one.net} €"
    if one.per_months:
        worked_out = fee_sum(one)
        children = [
            *_into_cover(case, one),
            *price(case, one),
            *_caught_up(case, one),
            *case.clause("schedule"),
            *_prorated(case, one),
        ]
    elif one.because and one.kind in explain_deposits.KINDS:
        told = explain_deposits.line(case, one)
        worked_out, children = Sum(told.formula, told.net), told.children
    elif one.because:
        worked_out, children = _charged(case, one)
    else:
        worked_out, children = _written(one), []
    return node(
        "line",
        title,
        worked_out.formula,
        (*worked_out.steps, *children, _vat(case, one)),
        check=(one.net, worked_out.net),
    )


# Fees


def fee_sum(one: Line) -> Sum:
    """A fee from the fields of its line alone, written out."""
    unit_price = one.unit_price
    if unit_price is None:
        return Sum("", None)
    fee = gross_fee(one.quantity, unit_price, one.discount)
    product = f"{one.quantity} × {unit_price} €"
    if one.discount:
        product += f" × (100 − {one.discount})/100"
    covered = one.share
    whole = covered is None or covered.over == covered.under
    told = f" for {days(one.period.start, one.period.end)}" if one.period else ""
    if whole and one.parts:
        fee *= lcm(one.per_months, one.months) // one.per_months
        net = instalment(fee, one.part, one.parts)
        return Sum(
            f"{product} = {number(fee)} € for {lcm(one.per_months, one.months)} months; part "
            f"{one.part} of {one.parts}: round({number(fee)} × {one.part}/{one.parts}) − "
            f"round({number(fee)} × {one.part - 1}/{one.parts}) = {net} €{told}, each {ROUNDED}",
            net,
        )
    exact = Fraction(fee) * one.months / one.per_months
    if one.months != one.per_months:
        over = Fraction(one.months, one.per_months)
        product += f" × {over}" if over.denominator == 1 else f" × {one.months}/{one.per_months}"
        product += (
            " months" if one.per_months == 1 else f" ({one.months} of {one.per_months} months)"
        )
    if covered is not None:
        exact *= covered.exact
        product += f" × {_share(covered, one)}"
        told = ""
    net = rounded(exact, 2)
    return Sum(f"{product} = {_cents(exact, net)}{told}", net)


def _cents(exact: Exact, net: Decimal) -> str:
    """The exact amount, and the one it is rounded to where they differ."""
    if Fraction(net) == Fraction(exact):
        return f"{net} €"
    return f"{number(exact)} €, {ROUNDED}: {net} €"


_COUNTED = {
    "days": "days of the billing period",
    "actual_365": "of the period's fee, 365 days a year",
    "thirty_360": "days, in months of 30",
    "whole_months": "months, each month touched counted whole",
}


def _share(share: Share, one: Line) -> str:
    told = f" ({days(one.period.start, one.period.end)})" if one.period else ""
    return f"{share.over}/{share.under} {_COUNTED[share.method]}{told}"


def _into_cover(case: Case, one: Line) -> Iterator[Explanation]:
    """The event that put the item in the cover, and when its fee ends."""
    event = case.event(one.because[0]) if one.because else None
    if event is None:
        version = one.because[0] if one.because else 0
        yield node(
            "event",
            f"In the cover by version {version}",
            "there is no such event",
            check=(f"version {version}", "none"),
        )
        return
    item = None
    if isinstance(event, ContractSigned):
        item = next((i for i in event.items if i.code == one.code), None)
        since = (item.since if item else None) or event.starts_on
    elif isinstance(event, EquipmentAdded | OptionSubscribed):
        item = event.item if event.item.code == one.code else None
        since = event.since
    if item is None:
        yield node(
            "event",
            f"In the cover by version {one.because[0]}",
            "that event brings no such item",
            check=(one.code, "none"),
        )
        return
    declared = ""
    if isinstance(event, EquipmentAdded) and event.declared != "in_time":
        declared = f", declared: {event.declared.replace('_', ' ')}"
        declared += f" (evidence: {event.evidence})" if event.evidence else ""
    yield case.because(event, f"in the cover from {since}{declared}", kind="cover")
    billed, agreed = (one.label, one.quantity), (item.label, item.quantity)
    yield node(
        "item",
        "As agreed",
        f"quantity {item.quantity}, a price for {_months(item.per_months)}",
        check=(billed, agreed) if billed != agreed else None,
    )
    covered = covered_of(case, one)
    if covered is not None and covered.until is not None:
        left = next(
            (
                e
                for e in reversed(case.history[: case.contract.version])
                if isinstance(e, EquipmentRemoved | OptionCancelled) and e.code == one.code
            ),
            None,
        )
        told = recorded(left) if left else "as agreed"
        yield node("cover", f"Its fee ends on {covered.until}", told)


def _months(months: int) -> str:
    return "a month" if months == 1 else f"{months} months"


def covered_of(case: Case, one: Line) -> Covered | None:
    """The item of a fee line, as the contract held it on the day billed."""
    return next(
        (
            c
            for c in case.contract.items
            if c.item.code == one.code and one.because and c.added == one.because[0]
        ),
        None,
    )


def _caught_up(case: Case, one: Line) -> Iterator[Explanation]:
    if one.kind != "catch_up" or one.period is None:
        return
    for event in case.history[: case.contract.version]:
        if (
            isinstance(event, InstalmentBilled)
            and event.period is not None
            and one.period.start in event.period
        ):
            yield node(
                "catch_up",
                f"Catch-up: {event.period} was billed already",
                f"on {event.billed_on}, invoice {event.invoice}, before the item was recorded; "
                f"{recorded(event)}",
            )


def _prorated(case: Case, one: Line) -> Iterator[Explanation]:
    if one.share is not None or one.kind == "catch_up":
        yield from case.clause("cover")


# Charges


def _written(one: Line) -> Sum:
    """A line written by hand: quantity × unit price, where it has one."""
    if one.unit_price is None:
        return Sum(f"{one.net} €, as decided; no event of the contract is behind it", one.net)
    return _product(one.quantity, one.unit_price, one.discount)


def _product(quantity: Decimal, unit_price: Decimal, discount: Decimal) -> Sum:
    exact = gross_fee(quantity, unit_price, discount)
    net = to_cents(exact)
    told = f"{quantity} × {unit_price} €"
    if discount:
        told += f" × (100 − {discount})/100"
    return Sum(f"{told} = {_cents(exact, net)}", net)


def _charged(case: Case, one: Line) -> tuple[Sum, list[Explanation]]:
    version = one.because[-1]
    event = case.event(version)
    charge = None if event is None else charge_of(case, event, one)
    if event is None or charge is None:
        return Sum(f"no charge of version {version} is this one", None), []
    found = charge_sum(case, event, charge)
    told, net = found.formula, found.net
    if isinstance(case.document, CreditNoteIssued) and not case.by_hand:
        told += "; given back, so written as a positive amount on the credit note"
        net = None if net is None else -net
    children = [case.because(event, f"the charge falls due on {charge.due_on}", kind="charge")]
    if charge.note:
        children.append(node("note", "Note", charge.note))
    if clause := _REFUNDS.get(type(event)) if charge.credits else _CLAUSES.get(charge.kind):
        children += case.clause(clause)
    return Sum(told, net, found.steps), children


_CLAUSES = {
    "usage": "meters",
    "work": "rates",
    "indemnity": "indemnity",
    "regularisation": "revision",
    "exchange": "cover",
    "bank_fee": "payment",
    "cancellation": "payment",
}
_REFUNDS: dict[type[ContractEvent], str] = {
    ContractTerminated: "termination",
    RentalPurchased: "purchase",
    EquipmentRemoved: "cover",
    OptionCancelled: "cover",
}


def charge_of(case: Case, event: ContractEvent, one: Line) -> Charge | None:
    """The charge of an event that a line bills."""
    settled = case.billed.settled if case.billed else ()
    base = event.originator_version * 1000
    ready = [
        charge
        for place, charge in enumerate(event.charges)
        if (not settled or base + place in settled)
        and (charge.kind, charge.code, charge.label, charge.period)
        == (one.kind, one.code, one.label, one.period)
    ]
    exact = [charge for charge in ready if abs(charge.net) == abs(one.net)]
    return next(iter(exact or ready), None)


def charge_sum(case: Case, event: ContractEvent, charge: Charge) -> Sum:
    """A charge worked out again from the event that made it due."""
    if isinstance(event, UsageMeasured):
        return _usage(case, event)
    if isinstance(event, IndemnityAssessed):
        return _indemnity(event)
    if isinstance(event, IndemnitySettled):
        net = to_cents(event.amount - event.assessed)
        return Sum(
            f"agreed {event.amount} € − assessed {event.assessed} € = {net} €, "
            f"because: {event.reason}",
            net,
        )
    if isinstance(event, PriceRevised):
        return _regularisation(case, event, charge)
    if isinstance(event, ContractTerminated | RentalPurchased) and charge.credits:
        return _given_back(case, event, charge)
    if isinstance(event, EquipmentRemoved | OptionCancelled) and charge.credits:
        return _removed(case, event, charge)
    if charge.unit_price is None:
        return Sum(f"{charge.net} €, as recorded", charge.net)
    worked_out = _product(charge.quantity, charge.unit_price, charge.discount)
    if isinstance(event, SupplementaryWorkDone):
        by = (
            f"quote {event.quote}, accepted on {event.quote_accepted_on}"
            if event.quote
            else "the rate card in force"
        )
        return worked_out._replace(
            formula=f"{worked_out.formula}; done on {event.done_on}, by {by}"
        )
    return worked_out


def _usage(case: Case, event: UsageMeasured) -> Sum:
    before = case.at(event.originator_version - 1)
    meter = before.terms_on(event.period.start).meter(event.meter)
    if meter is None:
        return Sum(f"the contract has no meter {event.meter}", None)
    found = usage_fee(meter, event.used, event.included)
    unit = meter.unit
    excess = max(Decimal(0), event.used - event.included)
    told = f"used {event.used} − included {event.included} = {number(excess)} {unit}"
    if meter.step:
        told += f", by started steps of {meter.step}: {number(found.billed)} {unit}"
    per = "" if meter.units_per_price == 1 else f" / {meter.units_per_price} {unit}"
    exact = Fraction(found.billed) * Fraction(meter.unit_price) / Fraction(meter.units_per_price)
    told += f"; {number(found.billed)} × {meter.unit_price} €{per} = {_cents(exact, found.net)}"
    return Sum(
        f"{told}, measured over {event.period}",
        found.net,
        (node("usage", "Quantity billed", f"in {unit}", check=(event.billed, found.billed)),),
    )


def _indemnity(event: IndemnityAssessed) -> Sum:
    left = sum((part.net for part in event.remaining), ZERO)
    net = indemnity(event.clause, event.remaining)
    steps = tuple(
        node("remaining", f"Remaining {place}", f"{part.period}: {part.net} €")
        for place, part in enumerate(event.remaining, 1)
    )
    vat = "inside VAT" if event.clause.taxable else f"no VAT: {event.clause.untaxed_because}"
    return Sum(
        f"{event.clause.share} × {left} € ({len(event.remaining)} remaining, counted as "
        f"{event.clause.of}) = {_cents(Fraction(left) * Fraction(event.clause.share), net)}; {vat}",
        net,
        (
            node("remaining", f"What remains, {left} €", "", steps),
            node("indemnity", "Indemnity assessed", recorded(event), check=(event.amount, net)),
        ),
    )


def _given_back(case: Case, event: ContractTerminated | RentalPurchased, charge: Charge) -> Sum:
    """A refund after a termination by the days not used, or of a first rent whole."""
    billed = case.instalment_of(charge.credits, event.originator_version)
    if billed is None or billed.period is None or charge.period is None:
        return Sum(f"no instalment was billed by {charge.credits}", None)
    net = dict(billed.nets).get(charge.vat)
    if net is None:
        return Sum(f"{charge.credits} bills nothing with the VAT treatment {charge.vat}", None)
    if isinstance(event, RentalPurchased) and abs(charge.net) < net:
        return _rest_of_rent(case, event, charge, billed.period, net)
    if isinstance(event, RentalPurchased):
        return Sum(
            f"the whole rent of {billed.period}, {net} €, billed by {charge.credits}: −{net} €",
            -net,
        )
    unused, whole = charge.period.days, billed.period.days
    back = -share_of(net, unused, whole)
    return Sum(
        f"{net} € billed by {charge.credits} × {unused}/{whole} days not used "
        f"({charge.period}) = {_cents(Fraction(net) * unused / whole, -back)}, given back",
        back,
    )


def _rest_of_rent(
    case: Case, event: RentalPurchased, charge: Charge, period: Period, rent: Decimal
) -> Sum:
    """A rent refunded for what was not credited of its invoice when it was bought."""
    events: list[Any] = list(case.app.events.get(invoice_id(charge.issuer, charge.credits)))
    ours = case.document.number
    earlier = takewhile(lambda e: getattr(e, "credit_note", "") != ours, events)
    found = fold_invoice(e for e in earlier if e.recorded_at <= event.recorded_at)
    left = min(rent, found.net_left) if found else ZERO
    return Sum(
        f"the rent of {period}, {rent} €, billed by {charge.credits}, of which {left} € was left "
        f"to credit on {event.purchased_on}: −{left} €",
        -left,
    )


def _removed(case: Case, event: EquipmentRemoved | OptionCancelled, charge: Charge) -> Sum:
    """What was billed ahead for an item that left, by the same formula as its fee."""
    billed = case.instalment_of(charge.credits, event.originator_version)
    before = case.at(event.originator_version - 1)
    covered = before.covered(event.code)
    if billed is None or billed.period is None or charge.period is None or covered is None:
        return Sum(f"no instalment was billed by {charge.credits}", None)
    on = event.removed_on if isinstance(event, EquipmentRemoved) else event.cancelled_on
    terms = before.terms_on(on)
    whole = billing_period(terms.schedule, before.anchor_on, before.whole_term, billed.period.start)
    try:
        fee = fee_line(
            covered, charge.period, whole, terms, "refund", charge.period.start, case.book
        )
    except (CannotBill, IndexUnavailable) as cannot:
        return Sum(str(cannot), None)
    worked_out = fee_sum(fee)
    net = None if worked_out.net is None else -worked_out.net
    return Sum(f"{worked_out.formula}, billed ahead by {charge.credits}: {net} €", net)


def _regularisation(case: Case, event: PriceRevised, charge: Charge) -> Sum:
    """The periods billed since the day of the revision, at the new price less the old."""
    before = case.at(event.originator_version - 1)
    fee = next((fee for fee in event.fees if fee.code == charge.code), None)
    covered = before.covered(charge.code)
    if fee is None or covered is None or charge.period is None:
        return Sum("no fee of that revision is regularised", None)
    terms = before.terms_on(event.effective_on)
    revised = replace(covered, prices=(Price(event.effective_on, fee.after, 0),))
    net, at, steps = ZERO, charge.period.start, []
    while at < charge.period.end:
        whole = billing_period(terms.schedule, before.anchor_on, before.term_of(at), at)
        part = Period(at, min(whole.period.end, charge.period.end))
        new, old = (
            fee_sum(fee_line(priced, part, whole, terms, "regularisation", at, case.book))
            for priced in (revised, covered)
        )
        difference = (new.net or ZERO) - (old.net or ZERO)
        steps.append(
            node(
                "period",
                str(part),
                f"{new.net} € − {old.net} € = {difference} €",
                (
                    node("period", "At the new price", new.formula),
                    node("period", "As billed", old.formula),
                ),
            )
        )
        net += difference
        at = part.end
    return Sum(
        f"the periods billed since {event.effective_on}, at {fee.after} € less {fee.before} €: "
        f"{net} €",
        net,
        (node("periods", "Periods billed since", "", steps),),
    )


# VAT


def _vat(case: Case, one: Line) -> Explanation:
    """The rate of the line: of the series on the day of the supply, or the treatment agreed."""
    if one.because and one.kind in explain_deposits.KINDS:
        return explain_deposits.vat(case, one)
    code, supplied_on = supply(case, one)
    title = f"VAT {one.vat_rate} %"
    if code != "standard":
        treatment = case.terms.vat_treatment(code)
        if treatment is None:
            return node(
                "vat",
                title,
                f"the contract has no VAT treatment {code}",
                check=(one.vat_rate, None),
            )
        return node(
            "vat",
            title,
            f"treatment {code}, category {treatment.category}"
            f"{': ' if treatment.reason else ''}{treatment.reason}",
            case.clause("vat"),
            check=(one.vat_rate, treatment.rate),
        )
    if one.vat_category != "S" or supplied_on is None:
        reason = f": {one.vat_reason}" if one.vat_reason else ""
        return node("vat", title, f"category {one.vat_category}{reason}")
    try:
        rate = case.book.in_force(STANDARD, supplied_on)
    except IndexUnavailable as unavailable:
        return node("vat", title, str(unavailable), check=(one.vat_rate, None))
    return node(
        "vat",
        title,
        f"standard rate on {supplied_on}, the day of the supply: {read(rate)}",
        check=(one.vat_rate, rate.value),
    )


def supply(case: Case, one: Line) -> tuple[str, date | None]:
    """The VAT treatment of a line, and the day of its supply (fait générateur)."""
    if one.per_months:
        covered = covered_of(case, one)
        code = covered.item.vat if covered else "standard"
        if one.period is None:
            return code, None
        if one.kind == "catch_up":
            return code, one.period.start
        if case.billed is None or case.billed.period is None:
            return code, one.period.start
        period = case.billed.period
        if case.agreed.schedule.in_advance:
            return code, max(period.start, covered.since if covered else period.start)
        end = period.end
        if covered is not None and covered.until is not None:
            end = min(end, covered.until)
        return code, end - DAY
    event = case.event(one.because[-1]) if one.because else None
    charge = charge_of(case, event, one) if event else None
    if charge is None:
        return "standard", None
    return charge.vat, charge.supplied_on or charge.due_on
