"""Debits to come (pré-notification, échéancier): at most that amount, on that day."""

from __future__ import annotations

from collections.abc import Iterator

from billing.documents.facturx.page import masked
from billing.documents.letters.facts import Prenotified
from billing.documents.letters.letter import Block, Boxed, Letter, Pairs, Small, Table, Text
from billing.documents.letters.parts import references, saying, total
from billing.documents.letters.words import Letterwords


def prenotification(facts: Prenotified) -> Letter:
    """What will be debited, when, under which mandate, and the right to a refund."""
    head, say = facts.head, saying(facts.head)
    title = "schedule_title" if facts.schedule else "prenotification_title"
    return Letter(
        kind="schedule" if facts.schedule else "pre-notification",
        language=say.language,
        dated=head.dated,
        title=say(title),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say),
        blocks=(*_debits(facts, say), *_mandate(facts, say)),
    )


def _debits(facts: Prenotified, say: Letterwords) -> Iterator[Block]:
    iban, debits = masked(facts.mandate.iban), facts.debits
    if len(debits) == 1:
        (one,) = debits
        day = say.full_day(one.collected_on)
        told = say("will_debit_one", amount=say.money(one.amount), day=day, iban=iban)
        yield Boxed(told)
    else:
        yield Text(say("will_debit_many", iban=iban))
    rows = [
        (
            say("doc_invoice", number=one.invoice)
            if one.invoice
            else say("scheduled_for", contract=one.contract),
            say.day(one.collected_on),
            say.money(one.amount),
        )
        for one in sorted(debits, key=lambda one: (one.collected_on, one.invoice))
    ]
    foot = ((say("debits_total"), say.money(total(one.amount for one in debits))),)
    yield Table(
        (say("debit_for"), say("debit_day"), say("debit_amount")),
        tuple(rows),
        1,
        foot if len(debits) > 1 else (),
    )


def _mandate(facts: Prenotified, say: Letterwords) -> Iterator[Block]:
    mandate, head = facts.mandate, facts.head
    if facts.schedule:
        yield Text(say("schedule_counts", day=say.day(head.dated)))
    yield Pairs(
        (
            (say("mandate"), mandate.reference),
            (say("creditor"), head.supplier.name),
            (say("creditor_identifier"), mandate.creditor_identifier),
            (say("debited_account"), masked(mandate.iban)),
            (say("scheme"), say(mandate.scheme)),
        )
    )
    if text := say.law(f"refund_{mandate.scheme}", head.dated):
        yield Small(text)


__all__ = ["prenotification"]
