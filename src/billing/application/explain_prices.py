"""Where a unit price comes from: signature, amendment, renewal, revision with its indices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from billing.application.explanation import Case, Explanation, node, number, read, recorded
from billing.clauses.revision import Coefficient, Revision, Weight, coefficient, revised_price
from billing.contract.revise import new_fees
from billing.contract.state import Contract
from billing.events.contract import (
    ContractEvent,
    ContractRenewed,
    ContractSigned,
    EquipmentAdded,
    FeeChange,
    IndexSubstituted,
    OptionSubscribed,
    PriceRevised,
    TermsAmended,
)
from billing.events.invoice import Line
from billing.money import rounded
from indices import Comparison, Link


def price(case: Case, line: Line) -> Iterator[Explanation]:
    """The event that set the unit price of a fee, then the prices before it."""
    if not line.because:
        return
    version = line.because[-1]
    event = case.event(version)
    if event is None:
        yield node(
            "event",
            f"Version {version} of {line.code}'s contract",
            "there is no such event",
            check=(f"version {version}", "none"),
        )
        return
    if isinstance(event, PriceRevised):
        yield revision(case, event, line)
    else:
        set_to = price_in(event, line.code)
        yield node(
            "price",
            f"Unit price {line.unit_price} €",
            f"{_set_by(event)}; {recorded(event)}",
            _change(event, line.code),
            check=(line.unit_price, set_to),
        )
    if earlier := list(_earlier(case, line.code, version)):
        yield node("prices", "Prices before", "", earlier)
    if line.period is not None and line.kind in ("fee", "catch_up"):
        yield _in_force(case, line)


def price_in(event: ContractEvent, code: str) -> Decimal | None:
    """The unit price an event gives to an item."""
    if isinstance(event, ContractSigned):
        return next((item.unit_price for item in event.items if item.code == code), None)
    if isinstance(event, EquipmentAdded | OptionSubscribed):
        return event.item.unit_price if event.item.code == code else None
    return next((fee.after for fee in _fees(event) if fee.code == code), None)


def _fees(event: ContractEvent) -> tuple[FeeChange, ...]:
    if isinstance(event, PriceRevised | ContractRenewed | TermsAmended):
        return event.fees
    return ()


def _set_by(event: ContractEvent) -> str:
    if isinstance(event, ContractSigned):
        return f"as signed on {event.signed_on}"
    if isinstance(event, EquipmentAdded | OptionSubscribed):
        return f"as agreed when it entered the cover on {event.since}"
    if isinstance(event, ContractRenewed):
        return f"of the renewal ({event.how}) for {event.term}"
    if isinstance(event, TermsAmended):
        return f"of the amendment ({event.how}) in force from {event.effective_on}"
    return ""


def _change(event: ContractEvent, code: str) -> Iterator[Explanation]:
    for fee in _fees(event):
        if fee.code == code:
            yield node("price", "Before and after", f"{fee.before} € → {fee.after} €")


def _earlier(case: Case, code: str, version: int) -> Iterator[Explanation]:
    """Each price the item has had, back to its entry."""
    for event in reversed(case.history[: version - 1]):
        set_to = price_in(event, code)
        if set_to is None:
            continue
        told = _set_by(event)
        if isinstance(event, PriceRevised):
            told = f"of the revision of {event.effective_on}"
        yield node("price", f"{set_to} €", f"{told}; {recorded(event)}")


def _in_force(case: Case, line: Line) -> Explanation:
    """The price the contract's fold gives for the first day of the line."""
    assert line.period is not None
    day = line.period.start
    covered = next(
        (c for c in case.contract.items if c.item.code == line.code and c.added == line.because[0]),
        None,
    )
    found = None if covered is None else covered.price_on(day)
    by = "no event" if found is None else f"version {found.by}"
    return node(
        "price",
        f"In force on {day}",
        f"the first day of the line; set by {by}",
        check=(line.unit_price, None if found is None else found.unit_price),
    )


# Revision


def revision(case: Case, event: PriceRevised, line: Line) -> Explanation:
    """A revision worked out again, with each index as it was read."""
    clause = event.formula
    worked_out = coefficient(clause, event.comparisons)
    fee = next((fee for fee in event.fees if fee.code == line.code), None)
    children = [
        node("formula", "Formula", f"P = Po × {formula(clause)}", case.clause("revision")),
        *(
            _index(case, event, weight, comparison, ratio)
            for weight, comparison, ratio in zip(
                clause.indices, event.comparisons, worked_out.ratios, strict=True
            )
        ),
        _coefficient(clause, event.coefficient, worked_out),
    ]
    if fee is not None:
        children.append(_revised_price(case, event, fee))
    children += [node("warning", "Warning", warning) for warning in event.warnings]
    corrected = f", correcting the one of {event.corrects}" if event.corrects else ""
    told = f"{fee.before} € → {fee.after} €; {recorded(event)}" if fee else recorded(event)
    return node(
        "revision",
        f"Price revised from {event.effective_on}{corrected}",
        told,
        children,
        check=(line.unit_price, fee.after if fee else None) if line.unit_price else None,
    )


def formula(clause: Revision) -> str:
    """(a + Σ b × I/Io) with the contract's own names of the indices."""
    parts = [str(clause.fixed)] if clause.fixed else []
    parts += [f"{w.weight} × {_name(w)}/{_name(w)}o" for w in clause.indices]
    return f"({' + '.join(parts)})"


def _name(weight: Weight) -> str:
    return weight.name or weight.series


def _index(
    case: Case, event: PriceRevised, weight: Weight, comparison: Comparison, ratio: str
) -> Explanation:
    base, current = comparison.base, comparison.current
    linked = "".join(f" × {link.coefficient}" for link in comparison.links)
    exact = comparison.ratio
    told = f"weight {weight.weight}; {current.value}{linked} / {base.value} = {number(exact)}"
    if Fraction(ratio) != exact and event.formula.ratio_rounding:
        rounding = event.formula.ratio_rounding
        told += f", {rounding.mode} to {rounding.decimals} decimals: {number(Fraction(ratio))}"
    read_on = f", read on {current.read_on}" if current.read_on else ""
    children = [
        node("reading", "Base (Io)", read(base)),
        node("reading", f"Current (I){read_on}", read(current)),
        *(_link(link) for link in comparison.links),
        *substitutions(case, weight.series, event.originator_version),
    ]
    return node("index", f"{_name(weight)} ({weight.series})", told, children)


def _link(link: Link) -> Explanation:
    rule = f"; {link.rule}" if link.rule else ""
    return node(
        "link",
        f"Linking coefficient {link.coefficient}",
        f"{link.new_series} × {link.coefficient} continues {link.old_series}, at {link.at}, "
        f"{link.confidence}; source: {link.source}{rule}",
    )


def substitutions(case: Case, series: str, before: int) -> Iterator[Explanation]:
    """The recorded decisions that replaced a series, up to a version of the contract."""
    for event in case.history[: before - 1]:
        if isinstance(event, IndexSubstituted) and event.series == series:
            children = (
                []
                if event.base is None
                else [node("reading", "Base (Io) agreed", read(event.base))]
            )
            if event.link is not None:
                children.append(_link(event.link))
            yield node(
                "substitution",
                f"{event.series} replaced by {event.by_series}",
                f"decided on {event.decided_on} by {event.decided_by}, on: {event.evidence}; "
                f"{recorded(event)}",
                children,
            )


def _coefficient(clause: Revision, told: Coefficient, found: Coefficient) -> Explanation:
    rounding = [
        f"{what} {r.mode} to {r.decimals} decimals"
        for what, r in (
            ("each ratio", clause.ratio_rounding),
            ("percentage", clause.percentage_rounding),
            ("coefficient", clause.coefficient_rounding),
        )
        if r is not None
    ]
    if clause.cap_percent is not None:
        rounding.append(f"at most +{clause.cap_percent} %")
    if clause.floor_percent is not None:
        rounding.append(f"at least {clause.floor_percent} %")
    if clause.direction == "up_only":
        rounding.append("never down")
    parts = [number(clause.fixed)] if clause.fixed else []
    parts += [
        f"{weight.weight} × {number(Fraction(ratio))}"
        for weight, ratio in zip(clause.indices, found.ratios, strict=True)
    ]
    return node(
        "coefficient",
        "Coefficient",
        f"{' + '.join(parts)} = {number(Fraction(found.exact))}; applied "
        f"{number(found.value)} ({', '.join(rounding) or 'exact, not rounded'})",
        [node("fraction", "As fractions", f"exact {found.exact}, applied {found.applied}")],
        check=((told.ratios, told.exact, told.applied), (found.ratios, found.exact, found.applied))
        if told != found
        else None,
    )


_ROUNDED = {
    "unit": "the unit price HALF_UP to the cent (or as many decimals as it is written with)",
    "line": "the line to the cent, the unit price to ten decimals",
    "contract": "the contract's total to the cent, shared out on its lines",
}


def _revised_price(case: Case, event: PriceRevised, fee: FeeChange) -> Explanation:
    before = case.at(event.originator_version - 1)
    factor = event.coefficient.value
    clause = event.formula
    found: Decimal | None
    if event.corrects is not None:
        start, factor, found = _corrected(before, event, fee)
    else:
        fees = new_fees(before, clause, event.coefficient, event.effective_on)
        found = next((one.after for one in fees if one.code == fee.code), None)
        start = fee.before
        covered = before.covered(fee.code)
        if clause.base == "original" and covered is not None:
            start = covered.item.unit_price
            factor = factor / Fraction(covered.coefficient)
    base = "the price before" if clause.base == "rolling" else "the price at the original base"
    covered = before.covered(fee.code)
    known = covered.price_on(event.effective_on).unit_price if covered is not None else None
    return node(
        "price",
        f"{fee.before} € → {fee.after} €",
        f"{start} € ({base}) × {number(factor)} = {number(Fraction(start) * factor)}; rounded: "
        f"{_ROUNDED[clause.price_rounding]}",
        [
            node(
                "price",
                "Price before",
                f"as the contract stood at version {before.version}",
                check=(fee.before, known),
            )
        ],
        check=(fee.after, found),
    )


def _corrected(
    before: Contract, event: PriceRevised, fee: FeeChange
) -> tuple[Decimal, Fraction, Decimal | None]:
    """A revision worked out again with the definitive index: from the price it started from."""
    last, covered = before.last_revision, before.covered(fee.code)
    clause, factor = event.formula, event.coefficient.value
    fees = () if last is None else last.fees
    start = next((one.before for one in fees if one.code == fee.code), None)
    if last is None or covered is None or start is None:
        return fee.before, factor, None
    if clause.base == "original":
        start, factor = covered.item.unit_price, factor / Fraction(covered.coefficient)
    elif last.corrects is not None:
        start, factor = fee.before, factor / last.coefficient.value
    if clause.price_rounding != "unit":
        quantity = Fraction(covered.item.quantity)
        line = rounded(quantity * Fraction(start) * factor, 2)
        after = rounded(Fraction(line) / quantity, 10) if quantity else start
        return start, factor, after if clause.price_rounding == "line" else fee.after
    return start, factor, revised_price(start, factor, clause.price_rounding)
