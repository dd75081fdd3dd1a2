"""The settlement of a contract that ends (décompte de résiliation)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

from billing.dates import DAY, Period
from billing.documents.letters.facts import Returned, Settlement
from billing.documents.letters.letter import (
    Block,
    Boxed,
    Heading,
    Letter,
    Pairs,
    Points,
    Small,
    Table,
    Text,
)
from billing.documents.letters.parts import owed_table, pay_to, quoted, references, saying, total
from billing.documents.letters.words import Letterwords
from billing.events.contract import IndemnityAssessed
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.money import ZERO


def settlement(facts: Settlement) -> Letter:
    """What is owed on either side, the indemnity worked out, what is to be given back."""
    head, say, event = facts.head, saying(facts.head), facts.event
    last = event.effective_on - DAY
    return Letter(
        kind="settlement",
        language=say.language,
        dated=head.dated,
        title=say("settlement_title"),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say),
        blocks=(
            Text(say("ends", contract=head.contracts[0], last=say.full_day(last))),
            Pairs(tuple(_why(facts, say))),
            *_indemnity(facts, say),
            *_invoiced(facts, say),
            *_to_come(facts, say),
            *_balance(facts, say),
            *_given_back(facts, say),
            *_duties(facts, say),
        ),
    )


def _why(facts: Settlement, say: Letterwords) -> Iterator[tuple[str, str]]:
    """Why it ends, by whom; what the engine wrote as evidence by itself is told in its words."""
    event = facts.event
    linked = event.cause == "linked" and facts.parent
    cause = say("cause_linked_to", parent=facts.parent) if linked else say(f"cause_{event.cause}")
    yield say("cause"), cause
    if event.ground is None:
        return
    asking = facts.head.supplier if event.by == "supplier" else facts.head.client
    yield say("asked_by"), asking.name
    if event.evidence:
        yield say("proof"), say.recorded(event.evidence)


# The indemnity


def _indemnity(facts: Settlement, say: Letterwords) -> Iterator[Block]:
    assessed = facts.indemnity
    if assessed is None:
        return
    clause, day = assessed.clause, facts.head.dated
    yield Heading(say("indemnity_part"))
    yield from quoted(facts.clause, say)
    if not assessed.remaining:
        yield Text(say("indemnity_nothing"))
        return
    left = total(part.net for part in assessed.remaining)
    counted = say("indemnity_sum", share=say.number(clause.share), left=say.money(left))
    yield Text(say(f"left_{clause.of}"))
    yield Table(
        (say("left_period"), say("left_count"), say("left_each"), say("left_sum")),
        tuple(_left(assessed, say)),
        3,
        ((say("left_sum"), say.money(left)), (counted, say.money(assessed.amount))),
    )
    if (settled := facts.settled) is not None:
        yield Boxed(
            say(
                "indemnity_settled",
                assessed=say.money(settled.assessed),
                amount=say.money(settled.amount),
                reason=say.recorded(settled.reason),
            )
        )
    if text := say.law("penalty", day):
        yield Small(text)
    untaxed = "indemnity_untaxed" if clause.untaxed_because else "indemnity_untaxed_bare"
    told = "indemnity_taxed" if clause.taxable else untaxed
    yield Small(say(told, reason=clause.untaxed_because))


def _left(assessed: IndemnityAssessed, say: Letterwords) -> Iterator[tuple[str, ...]]:
    """What is left, the equal ones that follow one another together."""
    for net, some in groupby(assessed.remaining, lambda part: part.net):
        parts = list(some)
        whole = Period(parts[0].period.start, parts[-1].period.end)
        yield (
            say.days(whole),
            say.number(Decimal(len(parts))),
            say.money(net),
            say.money(net * len(parts)),
        )


# What is owed


def _invoiced(facts: Settlement, say: Letterwords) -> Iterator[Block]:
    if facts.owed:
        yield Heading(say("invoiced_part"))
        yield owed_table(facts.owed, say)


def _to_come(facts: Settlement, say: Letterwords) -> Iterator[Block]:
    if not facts.to_come:
        return
    yield Heading(say("to_come_part"))
    rows = [row for document in facts.to_come for row in _lines(document, say)]
    net = total(_signed(one, one.net) for one in facts.to_come)
    tax = total(_signed(one, one.tax) for one in facts.to_come)
    gross = total(_signed(one, one.gross) for one in facts.to_come)
    foot = (
        (say("total_net"), say.money(net)),
        (say("total_tax"), say.money(tax)),
        (say("total_gross"), say.money(gross)),
    )
    yield Table((say("item"), say("period"), say("net")), tuple(rows), 1, foot)


def _lines(
    document: InvoiceIssued | CreditNoteIssued, say: Letterwords
) -> Iterator[tuple[str, ...]]:
    credit = isinstance(document, CreditNoteIssued)
    for line in document.lines:
        label = line.label
        if isinstance(document, CreditNoteIssued):
            label = say("credit_on", label=label, number=document.credits)
        days = say.days(line.period) if line.period is not None else "–"
        yield label, days, say.money(-line.net if credit else line.net)


def _signed(document: InvoiceIssued | CreditNoteIssued, amount: Decimal) -> Decimal:
    return -amount if isinstance(document, CreditNoteIssued) else amount


def _balance(facts: Settlement, say: Letterwords) -> Iterator[Block]:
    invoiced = total(one.owed for one in facts.owed)
    coming = total(d.gross for d in facts.to_come if isinstance(d, InvoiceIssued))
    credited = total(d.gross for d in facts.to_come if isinstance(d, CreditNoteIssued))
    balance = invoiced + coming - credited
    yield Heading(say("balance_part", day=say.day(facts.head.dated)))
    if not facts.owed and not facts.to_come:
        yield Text(say("nothing_owed"))
    else:
        rows = [("balance_invoiced", invoiced), ("balance_to_invoice", coming)]
        rows.append(("balance_to_credit", -credited))
        foot = [(say(label), say.money(amount)) for label, amount in rows if amount]
        label = "balance_back" if balance < 0 else "balance_due"
        foot.append((say(label), say.money(abs(balance))))
        yield Table((), (), 0, tuple(foot))
    if facts.unknown:
        yield Text(say("not_worked_out"))
    yield Small(say("balance_limits"))
    if balance > ZERO and facts.owed:
        yield from pay_to(facts.head.supplier, facts.owed, say)


# After the end


def _given_back(facts: Settlement, say: Letterwords) -> Iterator[Block]:
    if not facts.returned:
        return
    yield Heading(say("equipment_part"))
    yield from quoted(facts.recovery, say)
    yield Points(tuple(_returned(one, say) for one in facts.returned))


def _returned(one: Returned, say: Letterwords) -> str:
    what = say("serial", label=one.label, serial=one.serial) if one.serial else one.label
    if one.return_by is None or one.list_price is None:
        return what
    price = say.price(one.list_price)
    return say("equipment_by", what=what, day=say.full_day(one.return_by), price=price)


def _duties(facts: Settlement, say: Letterwords) -> Iterator[Block]:
    if facts.duties:
        yield Heading(say("duties_part"))
        told = (say("duty_by", label=one.label, day=say.full_day(one.by)) for one in facts.duties)
        yield Points(tuple(told))


__all__ = ["settlement"]
