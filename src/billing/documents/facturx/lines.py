"""The lines of a document as a client reads them: in sections, each with its plain words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import gcd

from msgspec import Struct

from billing.clauses.proration import Share
from billing.dates import Period
from billing.documents.facturx.facts import Document, Facts
from billing.documents.facturx.mentions import in_force
from billing.documents.facturx.words import Words
from billing.events.invoice import CreditNoteIssued, DebitLine, DebitNoteIssued, Line
from billing.money import CENT, rounded

SECTIONS = {
    "fee": "fees",
    "catch_up": "caught_up",
    "usage": "usage",
    "work": "works",
    "one_off": "works",
    "entry_fee": "works",
    "exchange": "works",
    "regularisation": "regularised",
    "indemnity": "ends",
    "bank_fee": "ends",
    "cancellation": "ends",
    "refund": "given_back",
    "credit": "given_back",
    "deposit": "deposits",
    "deposit_rate": "deposits",
}
"""Where each kind of line stands; an unknown one is among the works."""
_ORDER = {section: place for place, section in enumerate(dict.fromkeys(SECTIONS.values()))}

MEASURED = ("usage", "work")
"""Kinds of line of which the quantity is in a unit of a meter or of the rate card."""

DEDUCTED = "deposit"
"""Lines that deduct a deposit; of a deposit invoice, its line."""

OUTSIDE = "O"
FOUR = Decimal("0.0001")
"""A quantity has at most four decimals (BR-FR-DEC-02)."""
NONE, ONE = Decimal(0), Decimal(1)


class PrintedLine(Struct, frozen=True, kw_only=True, gc=False):
    """A line: its figures, and what explains them.

    `before_discount` is its net without the discount, in euros: quantity × `unit_price` for so
    many (`price_for`), to the cent, the price over the whole line (EN 16931). `mark` tells items
    of one label apart.
    """

    section: str
    code: str
    label: str
    details: tuple[str, ...]
    quantity: Decimal
    unit: str
    shown_price: str
    unit_price: Decimal
    price_for: Decimal
    discount: Decimal
    before_discount: Decimal
    net: Decimal
    vat_rate: Decimal
    vat_category: str
    period: Period | None = None
    mark: str = ""


def printed_lines(facts: Facts, say: Words) -> tuple[PrintedLine, ...]:
    """The lines in the order of their sections, as they were issued within each."""
    document = facts.document
    if isinstance(document, DebitNoteIssued):
        return tuple(_debit_line(line, say) for line in document.lines)
    found = [(SECTIONS.get(line.kind, "works"), line) for line in document.lines]
    found.sort(key=lambda one: _ORDER[one[0]])
    return tuple(_line(line, section, facts, say) for section, line in found)


def outside_reason(document: Document, say: Words) -> str:
    """Why a debit note bears no VAT."""
    return say.choose(in_force("outside_late", document.issued_on))


def _line(line: Line, section: str, facts: Facts, say: Words) -> PrintedLine:
    if isinstance(facts.document, CreditNoteIssued):
        section = "given_back"
    before = _before_discount(line)
    quantity, price, price_for = _even(line, before)
    return PrintedLine(
        section=say(section),
        code=line.code,
        label=line.label,
        details=tuple(_details(line, facts, say, before)),
        quantity=quantity,
        unit=facts.units.get(line.code, "") if line.kind in MEASURED else "",
        shown_price=_shown_price(line, say),
        unit_price=price,
        price_for=price_for,
        discount=line.discount,
        before_discount=before,
        net=line.net,
        vat_rate=line.vat_rate,
        vat_category=line.vat_category,
        period=line.period,
        mark=line.code if line.per_months else "",
    )


# Figures


def _before_discount(line: Line) -> Decimal:
    """What the line would come to without its discount; its net when it has none.

    Of a line below zero too: an allowance is never negative.
    """
    if not line.discount or line.unit_price is None:
        return line.net
    full = rounded(_price(line) * Fraction(line.quantity), 2)
    return full if 0 <= line.net <= full else line.net


def _price(line: Line) -> Fraction:
    """The price of one over the whole line, before the discount, exact."""
    price = Fraction(line.unit_price or line.net)
    if line.per_months:
        price = price * line.months / line.per_months
    return price * line.share.exact if line.share else price


def _even(line: Line, total: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Quantity, price ≥ 0 and for how many: quantity × price / so many = total, to the cent.

    The price of one as agreed where it comes out even (at most six decimals, BR-FR-DEC-03), else
    the total for the whole quantity. Below zero the quantity is.
    """
    quantity = abs(line.quantity)
    if not quantity or quantity != quantity.quantize(FOUR):
        quantity = ONE
    exact = abs(_price(line)) if line.unit_price is not None else Fraction(abs(total))
    signed = -quantity if total < 0 else quantity
    for decimals in (2, 4, 6):
        price = rounded(exact, decimals)
        if rounded(Fraction(price) * Fraction(quantity), 2) == abs(total):
            return signed, price, ONE
    return signed, abs(total), quantity


def _shown_price(line: Line, say: Words) -> str:
    """The price as agreed, and for how long."""
    if line.unit_price is None:
        return ""
    told = say.price(line.unit_price)
    if not line.per_months:
        return told
    if line.per_months == 1:
        return f"{told} {say('a_month')}"
    if line.per_months == 12:
        return f"{told} {say('a_year')}"
    return f"{told} {say('for_months', months=line.per_months)}"


# Plain words


def _details(line: Line, facts: Facts, say: Words, before: Decimal) -> Iterator[str]:
    """Site, proration, revision, discount, and the engine's own note."""
    if site := facts.sites.get(line.code, ""):
        yield site
    if told := _how_long(line, facts, say):
        yield say("added", days=told) if line.kind == "catch_up" else told
    if line.discount == 100:
        yield say("offered")
    elif line.discount > 0:
        amount = abs(before - line.net)
        yield say("discount", percent=say.percent(line.discount), amount=say.money(amount))
    yield from _revised(line, facts, say)
    if line.kind == DEDUCTED and facts.deductions:
        for one in facts.deductions:
            if (one.net, one.vat_rate) == (-line.net, line.vat_rate) and one.invoice in line.label:
                yield say("tax_before", tax=say.money(one.tax))
    elif line.note:
        yield say.note(line.note)


def _how_long(line: Line, facts: Facts, say: Words) -> str:
    """The days a line is for, and what part of its price they make."""
    if line.period is None:
        return ""
    days, share = say.days(line.period), line.share
    if share is not None and share.over != share.under:
        return _shared(share, days, say)
    parts = []
    if line.period != _period(facts.document):
        parts.append(days)
    if line.parts:
        told = say("part", part=line.part, parts=line.parts)
        parts.append(say("of_price", part=told, price=_shown_price(line, say)))
    elif line.per_months and line.months != line.per_months:
        parts.append(_months(line, say))
    return ", ".join(parts)


def _months(line: Line, say: Words) -> str:
    if line.months == 1:
        return say("months_one")
    return say("months_many", months=line.months)


def _shared(share: Share, days: str, say: Words) -> str:
    over, under = share.over, share.under
    if share.method == "days":
        return say("days", days=days, over=over, under=under)
    if share.method == "actual_365" and over % 12 == 0:
        return say("days_365", days=days, over=over // 12)
    if share.method == "thirty_360":
        return say("days_360", days=days, over=over, under=under)
    if share.method == "whole_months":
        return say("days_months", days=days, over=over, under=under)
    common = gcd(over, under)
    return say("days_share", days=days, share=f"{over // common}/{under // common}")


def _revised(line: Line, facts: Facts, say: Words) -> Iterator[str]:
    """By which revision its price was set, where this document explains it."""
    if line.kind not in ("fee", "catch_up") or len(line.because) < 2:
        return
    for one in facts.revisions:
        if one.explained_in or one.event.originator_version != line.because[-1]:
            continue
        for fee in one.event.fees:
            if fee.code == line.code:
                yield say(
                    "revised",
                    day=say.day(one.event.effective_on),
                    before=say.price(fee.before),
                    after=say.price(fee.after),
                )


def remarks(facts: Facts, say: Words) -> tuple[str, ...]:
    """Where the prices of this document are explained: in its annex, or on an earlier invoice."""
    told = [
        say("revised_before", day=say.day(one.event.effective_on), number=one.explained_in)
        if one.explained_in
        else say("revised_here")
        for one in facts.revisions
    ]
    return tuple(dict.fromkeys(told))


def _period(document: Document) -> Period | None:
    return getattr(document, "period", None)


# Debit notes


def _debit_line(line: DebitLine, say: Words) -> PrintedLine:
    return PrintedLine(
        section=say("late"),
        code=line.kind,
        label=line.label,
        details=tuple(_stretches(line, say)),
        quantity=ONE,
        unit="",
        shown_price="",
        unit_price=line.amount,
        price_for=ONE,
        discount=NONE,
        before_discount=line.amount,
        net=line.amount.quantize(CENT),
        vat_rate=NONE,
        vat_category=OUTSIDE,
    )


def _stretches(line: DebitLine, say: Words) -> Iterator[str]:
    """Each principal, its days and its rate; then what was charged before."""
    if line.interest is None:
        return
    for one in line.interest.stretches:
        yield say(
            "stretch" if one.period.days > 1 else "stretch_one",
            days=say.days(one.period),
            principal=say.money(one.principal),
            rate=say.percent(one.rate),
            count=one.period.days,
        )
    if line.charged_before:
        total, before = say.money(line.interest.amount), say.money(line.charged_before)
        yield say("charged_before", total=total, before=before)
