"""Letters on what is late: reminder, formal notice, suspension (relance, mise en demeure)."""

from __future__ import annotations

from collections.abc import Iterator

from billing.documents.facturx.mentions import late_rate
from billing.documents.letters.facts import FormalNotice, Owed, Reminder, Suspension
from billing.documents.letters.letter import Block, Letter, Pairs, Points, Small, Table, Text
from billing.documents.letters.parts import (
    late_mentions,
    named,
    owed_table,
    pay_to,
    quoted,
    references,
    saying,
    total,
)
from billing.documents.letters.words import Letterwords


def reminder(facts: Reminder) -> Letter:
    """Asks for what is late; the same letter for all documents of a client and a level."""
    head, say = facts.head, saying(facts.head)
    again = facts.level > 1 and all(one.reminded for one in facts.owed)
    amount = say.money(total(one.owed for one in facts.owed))
    mentions = dict.fromkeys(late_mentions(one, say, head.dated) for one in facts.late)
    return Letter(
        kind="reminder",
        language=say.language,
        dated=head.dated,
        title=say.choose(facts.name) or say("reminder_title"),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say),
        blocks=(
            Text(say("next_reminder" if again else "first_reminder")),
            owed_table(facts.owed, say, len(head.contracts) > 1),
            Text(say("please_pay", amount=amount)),
            *pay_to(head.supplier, facts.owed, say),
            Text(say("crossed")),
            *(Small(text) for text in mentions),
        ),
    )


# The formal notice


def formal_notice(facts: FormalNotice) -> Letter:
    """What is to be put right, by when, and what follows otherwise."""
    head, say = facts.head, saying(facts.head)
    overrun = facts.event is not None and facts.event.clock == "overrun"
    title = "overrun_title" if overrun else "notice_pay_title" if facts.owed else "notice_title"
    return Letter(
        kind="formal-notice",
        language=say.language,
        dated=head.dated,
        title=say(title),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say, *_about(facts, say)),
        blocks=(
            *(_claimed(facts, say) if facts.owed else _wrong(facts, overrun, say)),
            *_failing(facts, say),
            *quoted(facts.clause, say),
            *(pay_to(head.supplier, facts.owed, say) if facts.owed else ()),
            *_law(facts, overrun, say),
        ),
    )


def _about(facts: FormalNotice, say: Letterwords) -> Iterator[tuple[str, str]]:
    if facts.owed and facts.about:
        yield say("reason"), say.recorded(facts.about)


def _wrong(facts: FormalNotice, overrun: bool, say: Letterwords) -> Iterator[Block]:
    """What is wrong where no amount is claimed."""
    told = "overrun_of" if overrun else "breach_of"
    if facts.about:
        yield Text(say(told, contract=facts.head.contracts[0], about=say.recorded(facts.about)))
    yield Text(say("ask_cure" if overrun else "summon_cure"))


def _claimed(facts: FormalNotice, say: Letterwords) -> Iterator[Block]:
    day = say.day(facts.head.dated)
    interest = _has_interest(facts)
    yield Text(say("unpaid_sums", contract=", ".join(facts.head.contracts)))
    heads = [say("document"), say("due"), say("lateness"), say("left")]
    heads += [say("interest_to", day=day), say("fixed_fee")] if interest else []
    foot = tuple(_sums(facts, interest, say))
    yield Table(
        tuple(heads),
        tuple(_row(one, interest, say) for one in facts.owed),
        4 if interest else 2,
        foot,
    )
    yield Text(say("summon_pay", amount=foot[-1][1]))


def _has_interest(facts: FormalNotice) -> bool:
    return any(one.interest or one.fee for one in facts.owed)


def _row(one: Owed, interest: bool, say: Letterwords) -> tuple[str, ...]:
    row = (named(one, say), say.day(one.due_on), say.lasting(one.late), say.money(one.owed))
    if not interest:
        return row
    told = "–" if one.interest is None else say.money(one.interest)
    return (*row, told, say.money(one.fee))


def _sums(facts: FormalNotice, interest: bool, say: Letterwords) -> Iterator[tuple[str, str]]:
    """What is claimed: the invoices, their lateness, less what debit notes claim already."""
    invoices = total(one.owed for one in facts.owed)
    notes = total(one.owed for one in facts.debit_notes)
    accrued = total(one.interest for one in facts.owed if one.interest is not None)
    fees = total(one.fee for one in facts.owed)
    charged = total(one.interest_charged + one.fee_charged for one in facts.owed)
    claimed = invoices + accrued + fees - charged + notes
    if claimed != invoices:
        yield say("invoices_sum"), say.money(invoices)
    if interest:
        yield say("interest_sum", day=say.day(facts.head.dated)), say.money(accrued)
        yield say("fee_sum"), say.money(fees)
    if charged:
        yield say("already"), say.money(-charged)
    if facts.debit_notes:
        numbers = ", ".join(one.number for one in facts.debit_notes)
        yield say("notes_sum", numbers=numbers), say.money(notes)
    yield say("claimed_sum"), say.money(claimed)


def _failing(facts: FormalNotice, say: Letterwords) -> Iterator[Block]:
    """What the clause allows, and from when; nothing where no clock runs."""
    event = facts.event
    if event is None or not event.allows:
        return
    if event.allowed_from is not None:
        yield Text(say("failing_day", day=say.full_day(event.allowed_from)))
    elif facts.clock is not None:
        yield Text(say("failing_receipt", days=say.lasting(facts.clock.days)))
    yield Points(tuple(say(f"may_{measure}") for measure in event.allows))
    if facts.overrun is not None and "subscribe" in event.allows:
        step, price = facts.overrun
        yield Text(say("next_step", step=say.number(step), price=say.price(price)))


def _law(facts: FormalNotice, overrun: bool, say: Letterwords) -> Iterator[Block]:
    day = facts.head.dated
    if facts.owed:
        rate = late_rate(facts.late, say, day)
        if facts.late.category in ("consumer", "non_professional"):
            yield Small(say("interest_notice", rate=rate))
        elif _has_interest(facts):
            yield Small(say("interest_how", day=say.day(day), rate=rate))
        if any(one.interest is None for one in facts.owed):
            yield Small(say("interest_unknown"))
    if not overrun and (text := say.law("summons", day)):
        yield Small(text)


# Suspension


def suspension(facts: Suspension) -> Letter:
    """The measure taken, from when, after which letter, and what would end it."""
    head, say, event = facts.head, saying(facts.head), facts.event
    titled = event.measure in ("suspend", "block", "recover")
    return Letter(
        kind="suspension",
        language=say.language,
        dated=head.dated,
        title=say(f"{event.measure}_title" if titled else "measure_title"),
        supplier=head.supplier,
        client=head.client,
        sending=head.sending,
        references=references(head, say),
        blocks=(
            *_after_notice(facts, say),
            Text(say(f"{event.measure}_done", day=say.full_day(event.suspended_on))),
            *quoted(facts.clause, say),
            *_still_owed(facts, say),
        ),
    )


def _after_notice(facts: Suspension, say: Letterwords) -> Iterator[Block]:
    notice = facts.notice
    if notice is None or notice.allowed_from is None:
        return
    yield Text(
        say(
            "after_notice",
            sent=say.full_day(notice.sent_on),
            allowed=say.full_day(notice.allowed_from),
            contract=facts.head.contracts[0],
        )
    )
    if notice.about:
        yield Pairs(((say("letter_about"), say.recorded(notice.about)),))


def _still_owed(facts: Suspension, say: Letterwords) -> Iterator[Block]:
    suspended = facts.event.measure == "suspend"
    if facts.owed:
        yield owed_table(facts.owed, say)
        if suspended:
            yield Text(say("pay_to_resume"))
    if suspended:
        yield Text(say("fees_run_on"))
    yield from pay_to(facts.head.supplier, facts.owed, say) if facts.owed else ()


__all__ = ["formal_notice", "reminder", "suspension"]
