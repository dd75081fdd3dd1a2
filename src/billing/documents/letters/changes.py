"""Letters on what changes: renewal, index substituted, amendment (devis, avenant)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from billing.dates import months_between
from billing.documents.facturx.annex import formula
from billing.documents.facturx.words import Both
from billing.documents.letters import parameters
from billing.documents.letters.facts import Amended, Priced, Renewal, Substitution
from billing.documents.letters.letter import (
    Block,
    Boxed,
    Heading,
    Letter,
    Pairs,
    Signatures,
    Small,
    Table,
    Text,
)
from billing.documents.letters.parts import quoted, references, saying, total
from billing.documents.letters.words import Letterwords
from billing.events.contract import IndexSubstituted
from billing.money import rounded

# Renewal


def renewal(facts: Renewal) -> Letter:
    """The quote of a tacit renewal, or an offer that has to be accepted."""
    head, say, event = facts.head, saying(facts.head), facts.event
    term, last = event.term, facts.current.last_day
    told = say(
        "renewal_quote" if facts.tacit else "renewal_offer",
        contract=head.contracts[0],
        last=say.full_day(last),
        term=say.span(term.start, term.last_day),
    )
    return Letter(
        kind="renewal",
        language=say.language,
        dated=head.dated,
        title=say("quote_title" if facts.tacit else "offer_title"),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say, (say("our_reference"), event.reference)),
        blocks=(
            Text(told),
            *_prices(facts, say),
            Text(say("vat_added")),
            *(_refusing(facts, say) if facts.tacit else _accepting(facts, last, say)),
            *quoted(facts.clause, say),
            *(() if facts.tacit else (Signatures((say("agreed_client", name=head.client.name),)),)),
        ),
    )


def _prices(facts: Renewal, say: Letterwords) -> Iterator[Block]:
    heads = (say("item"), say("quantity"), say("price_now"), say("price_new"))
    rows = tuple(
        (
            one.label + (f" – {_less(one, say)}" if one.discount else ""),
            say.number(one.quantity),
            _price(one.before, one.per_months, say),
            _price(one.after, one.per_months, say),
        )
        for one in facts.items
    )
    yield Table(heads, rows, 3, tuple(_term_total(facts, say)))


def _less(one: Priced, say: Letterwords) -> str:
    return say("less", percent=say.percent(one.discount))


def _price(price: Decimal, per: int, say: Letterwords) -> str:
    phrase = f"per_{per}" if per in (1, 3, 6, 12) else "per_n"
    return say(phrase, price=say.price(price), n=per)


def _term_total(facts: Renewal, say: Letterwords) -> Iterator[tuple[str, str]]:
    """The fees of the whole term; not told where something ends before it does."""
    if not facts.items or any(one.ends for one in facts.items):
        return
    term = facts.event.term
    months = months_between(term.start, term.end)
    fees = total(_fee(one, months) for one in facts.items)
    length = say("months_one") if months == 1 else say("months_many", months=months)
    yield say("term_total", months=length), say.money(fees)


def _fee(one: Priced, months: int) -> Decimal:
    yearly = Fraction(one.quantity) * Fraction(one.after) * (100 - Fraction(one.discount)) / 100
    return rounded(yearly * months / one.per_months, 2)


def _refusing(facts: Renewal, say: Letterwords) -> Iterator[Block]:
    day, notice = facts.notice_until, facts.notice
    if day is None or day < facts.head.dated:
        return
    sent = notice.counted_on == "dispatch"
    told = say(
        "refuse_sent" if sent else "refuse_received",
        day=say.full_day(day),
        how=say(f"by_{notice.by}"),
    )
    yield Boxed(told)
    if facts.protected:
        counted = Both("envoyée", "sent") if sent else Both("reçue", "received")
        text = say.law(
            "may_leave", facts.head.dated, counted=say.choose(counted), day=say.full_day(day)
        )
        if text:
            yield Boxed(text)


def _accepting(facts: Renewal, last: date, say: Letterwords) -> Iterator[Block]:
    yield Boxed(say("accept_until", day=say.full_day(last)))


# An index substituted


def substitution(facts: Substitution) -> Letter:
    """Which index takes the place of which, by whose decision, on what."""
    head, say = facts.head, saying(facts.head)
    several = len(facts.events) > 1
    rows = tuple(
        (_old(facts, one, say), _new(facts, one, say), _decision(one, say)) for one in facts.events
    )
    return Letter(
        kind="index-substitution",
        language=say.language,
        dated=head.dated,
        title=say("substitution_title"),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say),
        blocks=(
            Text(say(f"substituted_{'many' if several else 'one'}", contract=head.contracts[0])),
            Table((say("index_before"), say("index_after"), say("decision")), rows),
            *_used_in(facts, say),
            *quoted(facts.clause, say),
            *(Small(text) for text in (say.law("closest_index", head.dated),) if text),
        ),
    )


def _name(facts: Substitution, series: str, say: Letterwords) -> str:
    known = facts.names.get(series)
    return (say.choose(known) if known else "") or series


def _old(facts: Substitution, one: IndexSubstituted, say: Letterwords) -> str:
    name, called = _name(facts, one.series, say), facts.called.get(one.series, "")
    told = not called or re.search(rf"\b{re.escape(called)}\b", name)
    return name if told else say.typeset(f"{called} : {name}")


def _new(facts: Substitution, one: IndexSubstituted, say: Letterwords) -> str:
    told = [_name(facts, one.by_series, say)]
    if (base := one.base) is not None:
        told.append(
            say(
                "base_value",
                value=say.number(base.value),
                period=say.published_period(base.period),
                day=say.day(base.published_on),
            )
        )
    if (link := one.link) is not None:
        old = facts.called.get(one.series) or _name(facts, one.series, say)
        coefficient = say.number(link.coefficient)
        new = _name(facts, one.by_series, say)
        told.append(say("linking", new=new, coefficient=coefficient, old=old))
    return "\n".join(told)


def _decision(one: IndexSubstituted, say: Letterwords) -> str:
    decided = say("decided", day=say.day(one.decided_on), by=say.recorded(one.decided_by))
    return f"{decided}\n{say('evidence', evidence=say.recorded(one.evidence))}"


def _used_in(facts: Substitution, say: Letterwords) -> Iterator[Block]:
    if facts.revision is not None:
        yield Pairs(((say("revision_formula"), formula(facts.revision, say)),))
        yield Text(say("formula_stays"))
    if facts.interest:
        yield Text(say("rate_follows"))


# An amendment


def amendment(facts: Amended) -> Letter:
    """Each clause and price before and after, from a day on."""
    head, say, event = facts.head, saying(facts.head), facts.event
    agreed = event.how == "agreement"
    told = say(
        "amended_by_agreement" if agreed else "amended_by_publication",
        contract=head.contracts[0],
        day=say.full_day(event.effective_on),
    )
    places = tuple(say("sign_here", name=one.name) for one in (head.supplier, head.client))
    return Letter(
        kind="amendment",
        language=say.language,
        dated=head.dated,
        title=say("amendment_title" if agreed else "conditions_title"),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say, (say("reason"), say.recorded(event.reason))),
        blocks=(
            Text(told),
            *_clauses(facts, say),
            *_new_prices(facts, say),
            Text(say("rest_stays")),
            *(() if agreed else quoted(facts.clause, say)),
            *((Signatures(places),) if agreed else ()),
        ),
        courteous=not agreed,
    )


def _clauses(facts: Amended, say: Letterwords) -> Iterator[Block]:
    rows = []
    clause = ""
    for one in parameters.changes(facts.before, facts.event.terms, say, facts.names):
        rows.append((one.clause if one.clause != clause else "", one.what, one.before, one.after))
        clause = one.clause
    if rows:
        yield Heading(say("clauses_part"))
        heads = (say("clause"), say("provision"), say("before_head"), say("after_head"))
        yield Table(heads, tuple(rows))
    bases = tuple(
        (
            say(
                "bases_read",
                name=say.choose(facts.names.get(one.series, Both(one.series, one.series))),
            ),
            f"{say.number(one.value)} ({say.published_period(one.period)})",
        )
        for one in facts.event.bases or ()
        if one is not None
    )
    if bases:
        yield Pairs(bases)


def _new_prices(facts: Amended, say: Letterwords) -> Iterator[Block]:
    if not facts.event.fees:
        return
    rows = tuple(
        (facts.labels.get(one.code, one.code), say.price(one.before), say.price(one.after))
        for one in facts.event.fees
    )
    yield Heading(say("prices_part"))
    yield Table((say("item"), say("price_now"), say("price_new")), rows, 2)


__all__ = ["amendment", "renewal", "substitution"]
