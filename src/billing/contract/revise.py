"""Revision: on its day, the fees move with the indices then public (révision de prix)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from msgspec.structs import replace

from billing.clauses.revision import (
    Coefficient,
    Revision,
    coefficient,
    ratio_of,
    revised_price,
    variation_warning,
)
from billing.clauses.schedule import billing_period
from billing.contract.bill import fee_line
from billing.contract.state import Contract, Covered, Price
from billing.dates import NEVER, Period
from billing.events.contract import (
    Charge,
    ContractEvent,
    ContractSetAside,
    FeeChange,
    PriceRevised,
)
from billing.money import ZERO, rounded, shared_out
from indices import Comparison, IndexBook, IndexUnavailable, Reading


def due(contract: Contract, on: date, book: IndexBook) -> Iterator[ContractEvent]:
    """The revision of that day, or of an earlier one still waiting for its index."""
    day = contract.next_revision_on
    if day is not None and day <= on and day < contract.limit and contract.billable:
        clause = contract.terms_on(day).revision
        if clause is not None:
            yield _revision(contract, clause, day, on, book)
            return
    if contract.last_revision is not None:
        yield from _rectification(contract, contract.last_revision, on, book)


def _revision(
    contract: Contract, clause: Revision, day: date, on: date, book: IndexBook
) -> ContractEvent:
    comparisons, missing = read(contract, clause, day, book)
    if missing:
        return ContractSetAside(
            due_on=day,
            clause="revision",
            reason="; ".join(missing),
            held=clause.if_unpublished == "hold",
        )
    worked_out, warnings = _worked_out(clause, comparisons)
    fees = new_fees(contract, clause, worked_out, day)
    charges: tuple[Charge, ...] = ()
    if clause.late == "regularise":
        charges = tuple(_differences(contract, fees, day, on, book))
    return PriceRevised(
        effective_on=day,
        formula=clause,
        comparisons=comparisons,
        coefficient=worked_out,
        fees=fees,
        charges=charges,
        warnings=warnings,
    )


@lru_cache(maxsize=4096)
def _worked_out(
    clause: Revision, comparisons: tuple[Comparison, ...]
) -> tuple[Coefficient, tuple[str, ...]]:
    """The coefficient and what to warn of, the same for all contracts of a form and a day."""
    return coefficient(clause, comparisons), tuple(_warnings(clause, comparisons))


def read(
    contract: Contract, clause: Revision, day: date, book: IndexBook
) -> tuple[tuple[Comparison, ...], list[str]]:
    """Each index of the formula against its base, as public on the day; and what is missing."""
    comparisons: list[Comparison] = []
    missing: list[str] = []
    bases = contract.original_bases if clause.base == "original" else contract.bases
    policy = "definitive" if clause.rectified == "definitive" else "first"
    for place, weight in enumerate(clause.indices):
        substitute = contract.substitute_for(weight.series)
        series = substitute.by_series if substitute else weight.series
        base = bases[place] if place < len(bases) else None
        try:
            current = book.last_known(series, day, policy)
            if base is None:
                missing.append(
                    f"{weight.name or weight.series}: the contract has no base value (Io); "
                    "record one with `billing index substitute`"
                )
                continue
            if policy == "definitive":
                base = _definitive(base, day, book)
            comparisons.append(_comparison(base, current, substitute, book))
        except IndexUnavailable as unavailable:
            missing.append(str(unavailable))
    return tuple(comparisons), missing


def _comparison(base: Reading, current: Reading, substitute: object, book: IndexBook) -> Comparison:
    link = getattr(substitute, "link", None)
    if link is not None and base.series == link.old_series and current.series == link.new_series:
        return Comparison(base, current, (link,))
    return book.compare(base, current)


def _definitive(base: Reading, day: date, book: IndexBook) -> Reading:
    try:
        return book.at(base.series, base.period, day, "definitive")
    except IndexUnavailable:
        return base  # A base written in the contract itself, which no publisher corrects.


def new_fees(
    contract: Contract, clause: Revision, worked_out: Coefficient, day: date
) -> tuple[FeeChange, ...]:
    """The unit price of each indexed item before and after, rounded where the contract says.

    A price agreed for that very day or later (a renewal's, an addition's) is not revised on it.
    """
    indexed: list[Covered] = []
    before: list[Decimal] = []
    for c in contract.items:
        if c.item.indexed and (c.until is None or c.until > day):
            price = c.price_on(day)
            if price.effective_on < day:
                indexed.append(c)
                before.append(price.unit_price)
    factor = worked_out.value
    if clause.base == "original":
        starts = [c.item.unit_price for c in indexed]
        factors = [factor / ratio_of(c.coefficient) for c in indexed]
    else:
        starts = before
        factors = [factor] * len(indexed)
    return _changes(clause, indexed, before, starts, factors)


def _changes(
    clause: Revision,
    indexed: Sequence[Covered],
    before: Sequence[Decimal],
    starts: Sequence[Decimal],
    factors: Sequence[Fraction],
) -> tuple[FeeChange, ...]:
    if clause.price_rounding == "unit":
        after = [
            revised_price(start, each, "unit") for start, each in zip(starts, factors, strict=True)
        ]
    else:
        after = _rounded_lines(indexed, starts, factors, clause.price_rounding == "contract")
    return tuple(
        [
            FeeChange(c.item.code, was, price)
            for c, was, price in zip(indexed, before, after, strict=True)
        ]
    )


def _rounded_lines(
    indexed: Sequence[Covered], starts: Sequence[Decimal], factors: Sequence[Fraction], total: bool
) -> list[Decimal]:
    """Unit prices such that each line, or their total, is the rounded revised amount."""
    exact = [
        Fraction(c.item.quantity) * Fraction(start) * factor
        for c, start, factor in zip(indexed, starts, factors, strict=True)
    ]
    lines = [rounded(amount, 2) for amount in exact]
    if total and sum(exact, Fraction(0)):
        lines = list(
            shared_out(
                rounded(sum(exact, Fraction(0)), 2), [rounded(amount, 10) for amount in exact]
            )
        )
    return [
        rounded(Fraction(line) / Fraction(c.item.quantity), 10) if c.item.quantity else start
        for c, line, start in zip(indexed, lines, starts, strict=True)
    ]


def _differences(
    contract: Contract, fees: Sequence[FeeChange], day: date, on: date, book: IndexBook
) -> Iterator[Charge]:
    """What the periods already billed since the day would have cost more or less."""
    changes = {fee.code: fee for fee in fees}
    terms = contract.terms_on(day)
    first = billing_period(terms.schedule, contract.anchor_on, contract.term_of(day), day)
    begun = day if first.period.start == day else first.period.end
    for covered in contract.items:
        change = changes.get(covered.item.code)
        if change is None:
            continue
        item, net = covered.item, ZERO
        start = at = max(begun, covered.since)
        stop = min(contract.billed_until, covered.owed_from or NEVER, covered.until or NEVER)
        revised = replace(covered, prices=(Price(day, change.after, 0),))
        while at < stop and covered.price_on(at).effective_on <= day:
            term = contract.term_of(at)
            whole = billing_period(terms.schedule, contract.anchor_on, term, at)
            days = Period(at, min(whole.period.end, stop))
            for priced, sign in ((revised, 1), (covered, -1)):
                line = fee_line(priced, days, whole, terms, "regularisation", at, book)
                net += sign * line.net
            at = days.end
        if net:
            yield Charge(
                kind="regularisation",
                code=item.code,
                label=f"{item.label} – régularisation de la révision du {day:%d/%m/%Y}",
                due_on=on,
                net=net,
                period=Period(start, at),
                vat=item.vat,
                supplied_on=start,
                note=f"{change.before} → {change.after}",
            )


def _rectification(
    contract: Contract, last: PriceRevised, on: date, book: IndexBook
) -> Iterator[PriceRevised]:
    """The last revision worked out again when a publisher has corrected a value it read."""
    clause = last.formula
    comparisons = tuple(
        Comparison(_definitive(c.base, on, book), _definitive(c.current, on, book), c.links)
        for c in last.comparisons
    )
    if all(
        new.base.value == old.base.value and new.current.value == old.current.value
        for new, old in zip(comparisons, last.comparisons, strict=True)
    ):
        return
    worked_out = coefficient(clause, comparisons)
    day = last.effective_on
    before = {fee.code: fee.before for fee in last.fees}
    revised = [
        c
        for c in contract.items
        if c.item.code in before
        and (c.until is None or c.until > day)
        and c.price_on(day).effective_on == day
    ]
    prices = [c.price_on(day).unit_price for c in revised]
    if clause.base == "original":
        starts = [c.item.unit_price for c in revised]
        factors = [worked_out.value / Fraction(c.coefficient) for c in revised]
    elif last.corrects is None:
        starts = [before[c.item.code] for c in revised]
        factors = [worked_out.value] * len(revised)
    else:
        starts = prices
        factors = [worked_out.value / last.coefficient.value] * len(revised)
    fees = _changes(clause, revised, prices, starts, factors)
    yield PriceRevised(
        effective_on=day,
        formula=clause,
        comparisons=comparisons,
        coefficient=worked_out,
        fees=fees,
        corrects=day,
        charges=tuple(_differences(contract, fees, day, on, book)),
    )


def _warnings(clause: Revision, comparisons: Sequence[Comparison]) -> Iterator[str]:
    if clause.base == "rolling":
        for comparison in comparisons:
            told = variation_warning(comparison.base, comparison.current, clause.every_months)
            if told is not None:
                yield told
