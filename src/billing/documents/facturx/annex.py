"""Why prices changed: each revision of the invoice on one page (annexe de révision)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from msgspec import Struct

from billing.clauses.revision import Revision, Rounding, Weight
from billing.documents.facturx.facts import Document, Facts, Revised
from billing.documents.facturx.words import NO_BREAK, Words
from billing.events.contract import FeeChange, PriceRevised
from billing.events.invoice import DebitNoteIssued
from billing.money import rounded
from indices import Comparison, Link, Reading

MOST_PRICES = 24
"""How many prices a page has room for."""


class Index(Struct, frozen=True, kw_only=True, gc=False):
    """One index of the formula: its old and its new value, each with month and day, the ratio."""

    name: str
    weight: str
    old: tuple[str, str, str]
    new: tuple[str, str, str]
    ratio: str
    remarks: tuple[str, ...]


class Explained(Struct, frozen=True, kw_only=True, gc=False):
    """A revision, ready to be read."""

    title: str
    corrects: str
    formula: str
    indices: tuple[Index, ...]
    worked_out: str
    applied: str
    prices: tuple[tuple[str, str, str, str], ...]
    more: str


def explained(facts: Facts, say: Words) -> tuple[Explained, ...]:
    """The revisions that this document explains, in the order of their days."""
    here = [one for one in facts.revisions if not one.explained_in]
    here.sort(key=lambda one: (one.event.effective_on, one.event.originator_version))
    return tuple(_explained(one, facts.document, say) for one in here)


def _explained(one: Revised, document: Document, say: Words) -> Explained:
    event, clause = one.event, one.event.formula
    assert not isinstance(document, DebitNoteIssued)
    billed = {line.code for line in document.lines}
    fees = [fee for fee in event.fees if fee.code in billed] or list(event.fees)
    left_out = len(fees) - MOST_PRICES
    return Explained(
        title=say("revision_of", day=say.full_day(event.effective_on)),
        corrects=say("corrects", day=say.day(event.corrects)) if event.corrects else "",
        formula=formula(clause, say),
        indices=tuple(
            _index(one, weight, comparison, ratio, say)
            for weight, comparison, ratio in zip(
                clause.indices, event.comparisons, event.coefficient.ratios, strict=True
            )
        ),
        worked_out=_worked_out(event, say),
        applied=_applied(event, say),
        prices=tuple(_price(one, fee, say) for fee in fees[:MOST_PRICES]),
        more=say("more_prices", count=left_out) if left_out > 0 else "",
    )


def formula(clause: Revision, say: Words) -> str:
    """P = P₀ × (a + b × I/I₀), with the contract's own names of the indices."""
    parts = [say.number(clause.fixed)] if clause.fixed else []
    for weight in clause.indices:
        share = f"{_symbol(weight)}{NO_BREAK}/{NO_BREAK}{_symbol(weight)}₀"
        parts.append(share if weight.weight == 1 else f"{say.number(weight.weight)} × {share}")
    told = " + ".join(parts)
    return f"P = P₀ × {f'({told})' if len(parts) > 1 else told}"


def _symbol(weight: Weight) -> str:
    return weight.name or weight.series


def _index(one: Revised, weight: Weight, comparison: Comparison, ratio: str, say: Words) -> Index:
    name, symbol = _named(one, comparison.current.series, say), _symbol(weight)
    return Index(
        name=name if symbol in (name, weight.series) else f"{symbol} : {name}",
        weight=say.number(weight.weight),
        old=_reading(comparison.base, say),
        new=_reading(comparison.current, say),
        ratio=say.fraction(Fraction(ratio)),
        remarks=tuple(_remarks(one, weight, comparison, say)),
    )


def _reading(reading: Reading, say: Words) -> tuple[str, str, str]:
    published = "estimated" if reading.estimated else "published"
    return (
        say.published_period(reading.period),
        say.number(reading.value),
        say(published, day=say.day(reading.published_on)),
    )


def _remarks(one: Revised, weight: Weight, comparison: Comparison, say: Words) -> Iterator[str]:
    """Substitution, linking and sources."""
    for decided in one.substitutions:
        if decided.series == weight.series:
            yield say(
                "substituted",
                old=_symbol(weight),
                new=_named(one, decided.by_series, say),
                day=say.day(decided.decided_on),
                evidence=decided.evidence,
            )
    yield from (_link(one, link, say) for link in comparison.links)
    sources = dict.fromkeys(
        one.publishers.get(reading.series, reading.source)
        for reading in (comparison.base, comparison.current)
    )
    if told := ", ".join(filter(None, sources)):
        yield say("source", source=told)


def _named(one: Revised, series: str, say: Words) -> str:
    known = one.names.get(series)
    return say.choose(known) if known else series


def _link(one: Revised, link: Link, say: Words) -> str:
    return say(
        "linked",
        new=_named(one, link.new_series, say),
        coefficient=say.number(link.coefficient),
        old=_named(one, link.old_series, say),
        source=link.source,
    )


def _worked_out(event: PriceRevised, say: Words) -> str:
    clause = event.formula
    parts = [say.number(clause.fixed)] if clause.fixed else []
    for weight, ratio in zip(clause.indices, event.coefficient.ratios, strict=True):
        told = say.fraction(Fraction(ratio))
        parts.append(told if weight.weight == 1 else f"{say.number(weight.weight)} × {told}")
    exact = say.fraction(Fraction(event.coefficient.exact))
    told = " + ".join(parts)
    return exact if told == exact else say("worked_out", sum=told, exact=exact)


def _applied(event: PriceRevised, say: Words) -> str:
    """The coefficient applied, and how it was rounded or bounded."""
    clause, found = event.formula, event.coefficient
    how = [
        say(what, how=_rounding(rounding, say))
        for what, rounding in (
            ("ratio_rounded", clause.ratio_rounding),
            ("percentage_rounded", clause.percentage_rounding),
            ("coefficient_rounded", clause.coefficient_rounding),
        )
        if rounding is not None
    ]
    if clause.cap_percent is not None:
        how.append(say("capped", percent=say.percent(clause.cap_percent)))
    if clause.floor_percent is not None:
        how.append(say("floored", percent=say.percent(clause.floor_percent)))
    if clause.direction == "up_only":
        how.append(say("up_only"))
    return say(
        "applied",
        applied=say.fraction(found.value),
        how=", ".join(how) or say("unrounded"),
    )


def _rounding(rounding: Rounding, say: Words) -> str:
    return say(rounding.mode, n=rounding.decimals)


def _price(one: Revised, fee: FeeChange, say: Words) -> tuple[str, str, str, str]:
    change = ""
    if fee.before:
        moved = rounded((Fraction(fee.after) / Fraction(fee.before) - 1) * 100, 2)
        change = say.change(moved)
    label = one.labels.get(fee.code, fee.code)
    if list(one.labels.values()).count(label) > 1:
        label = f"{label} ({fee.code})"
    return label, say.price(fee.before), say.price(fee.after), change


__all__ = ["Explained", "Index", "explained", "formula"]
