"""The end: formal notices, suspension, termination and what it costs (fin du contrat)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import get_args

from billing.clauses import Terms
from billing.clauses.fees import gross_fee, period_fee
from billing.clauses.indemnity import Indemnity, Remaining, indemnity
from billing.clauses.proration import share
from billing.clauses.renewal import Sending
from billing.clauses.schedule import billing_period
from billing.clauses.suspension import Allowed, allowed_from
from billing.clauses.termination import Cause, ground_for
from billing.contract import deposit
from billing.contract.bill import discount_on
from billing.contract.guards import (
    issuer_of,
    must_run,
    no_earlier_than_signature,
    not_negative,
    supplied_on,
)
from billing.contract.state import Advance, Contract, Covered
from billing.dates import DAY, NEVER, Period, add_months, months_between
from billing.events.contract import (
    BreachCured,
    Charge,
    ContractEvent,
    ContractTerminated,
    FormalNoticeSent,
    IndemnityAssessed,
    IndemnitySettled,
    InstalmentBilled,
    OrderCancelled,
    Party,
    RentalPurchased,
    ServiceResumed,
    ServiceSuspended,
    TaskDone,
)
from billing.money import ZERO, rounded, share_of, shared_out, to_cents
from billing.refusal import Refused

INDEMNITY_LABEL = "Indemnité de résiliation anticipée"


def formal_notice(
    contract: Contract,
    clock: str,
    by: Party,
    sent_on: date,
    received_on: date | None = None,
    sending: Sending = "registered_letter",
    about: str = "",
) -> Iterator[ContractEvent]:
    """Send the letter that starts a clock (mise en demeure)."""
    must_run(contract, sent_on)
    no_earlier_than_signature(contract, sent_on)
    terms = contract.terms_on(sent_on)
    clause = terms.clock(clock)
    if clause is None:
        known = ", ".join(c.name for c in terms.clocks) or "none"
        raise Refused(f"{contract.number}: it has no clock {clock!r}; it has: {known}")
    if clause.notice_by not in (by, "either"):
        raise Refused(
            f"{contract.number}: the clock {clock!r} is started by the {clause.notice_by}"
        )
    if clause.by != "any" and sending != clause.by:
        raise Refused(f"{contract.number}: {clock!r} asks for a {clause.by}, not {sending}")
    if any(running.clock == clock for running in contract.clocks):
        raise Refused(f"{contract.number}: the clock {clock!r} runs already")
    yield FormalNoticeSent(
        clock=clock,
        by=by,
        sent_on=sent_on,
        received_on=received_on,
        sending=sending,
        allowed_from=allowed_from(clause, sent_on, received_on),
        allows=clause.allows,
        about=about,
    )


def cure(contract: Contract, clock: str, on: date) -> Iterator[ContractEvent]:
    """What the letter asked for was done; its clock stops."""
    if not any(running.clock == clock for running in contract.clocks):
        raise Refused(f"{contract.number}: no clock {clock!r} runs")
    yield BreachCured(clock=clock, cured_on=on)


def suspend(
    contract: Contract, clock: str, on: date, measure: Allowed = "suspend"
) -> Iterator[ContractEvent]:
    """Suspend the service, block its growth or recover equipment, once a clock allows it."""
    must_run(contract, on)
    _clock_ran_out(contract, clock, on, measure)
    if contract.suspended_on is not None and measure == "suspend":
        raise Refused(f"{contract.number}: suspended since {contract.suspended_on}")
    yield ServiceSuspended(suspended_on=on, clock=clock, measure=measure)


def resume(contract: Contract, on: date) -> Iterator[ContractEvent]:
    """Open the service again; the days suspended stay due."""
    must_run(contract, on)
    if contract.suspended_on is None and not contract.blocked:
        raise Refused(f"{contract.number}: it is not suspended")
    if contract.suspended_on is not None and on < contract.suspended_on:
        raise Refused(f"{contract.number}: suspended on {contract.suspended_on}, after {on}")
    yield ServiceResumed(resumed_on=on)
    if contract.blocked and any(running.clock == "overrun" for running in contract.clocks):
        yield BreachCured(clock="overrun", cured_on=on)  # Else the next day blocks it again.


def _clock_ran_out(contract: Contract, clock: str, on: date, measure: str) -> None:
    for running in contract.clocks:
        if running.clock == clock:
            if running.allowed_from is None:
                raise Refused(f"{contract.number}: the letter of {running.sent_on} is not received")
            if on < running.allowed_from:
                raise Refused(
                    f"{contract.number}: {measure} is allowed from {running.allowed_from}, "
                    f"after the letter of {running.sent_on}; {on} is too early"
                )
            if measure not in running.allows:
                raise Refused(
                    f"{contract.number}: the clock {clock!r} allows {', '.join(running.allows)}, "
                    f"not {measure}"
                )
            return
    raise Refused(
        f"{contract.number}: no clock {clock!r} runs; send the letter with `billing formal-notice`"
    )


def terminate(
    contract: Contract,
    on: date,
    cause: str,
    by: Party,
    evidence: str = "",
    history: Sequence[InstalmentBilled] = (),
) -> Iterator[ContractEvent]:
    """End the contract before its term (résiliation anticipée); `on` is its first day without."""
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    if cause == "insolvency":
        raise Refused(
            f"{contract.number}: insolvency alone never ends a contract (C. com. L622-13); ask the "
            "administrator whether it goes on"
        )
    if cause not in get_args(Cause):
        raise Refused(f"{contract.number}: cause {cause!r}; expected {', '.join(get_args(Cause))}")
    terms = contract.terms_on(on)
    ground = ground_for(terms.termination, cause, by)  # type: ignore[arg-type]
    if ground is None:
        open_ways = ", ".join(f"{g.cause} by {g.by}" for g in terms.termination.grounds) or "none"
        raise Refused(
            f"{contract.number}: the {by} may not end it for {cause}; it allows: {open_ways}"
        )
    if ground.proof and not evidence:
        raise Refused(f"{contract.number}: {cause} needs a proof; give it as evidence")
    if ground.clock:
        _clock_ran_out(contract, ground.clock, on, "terminate")
    end = on
    if ground.effective == "period_end":
        start = max(on - DAY, contract.anchor_on)
        end = billing_period(
            terms.schedule, contract.anchor_on, contract.whole_term, start
        ).period.end
    if contract.term is not None and end >= contract.term.end and not contract.goes_on:
        raise Refused(
            f"{contract.number}: it ends on {contract.term.end} by itself, not after {end}"
        )
    yield ContractTerminated(
        effective_on=end,
        cause=ground.cause,
        by=by,
        ground=ground,
        evidence=evidence,
        charges=tuple(_given_back(contract, end, ground.refund, history)),
    )
    clause = terms.indemnity
    if clause is not None and ground.indemnity:
        remaining = tuple(left_to_run(contract, terms, end, clause))
        amount = indemnity(clause, remaining)
        yield IndemnityAssessed(
            clause=clause,
            remaining=remaining,
            amount=amount,
            charges=(_indemnity_charge(terms, clause, remaining, amount, end),) if amount else (),
        )


def _given_back(
    contract: Contract, end: date, refund: bool, history: Sequence[InstalmentBilled]
) -> Iterator[Charge]:
    """Credits: whole for periods that start later; for the running one, if the ground says so.

    In arrears only days served are due: an end told after the bill gives the others back.
    """
    for event in history:
        if event.period is None or not event.invoice or event.period.end <= end:
            continue
        later = event.period.start >= end
        in_advance = contract.terms_on(event.period.start).schedule.in_advance
        if not later and not refund and in_advance:
            continue
        unused = Period(max(end, event.period.start), event.period.end)
        for treatment, net in event.nets:
            credit = -share_of(net, unused.days, event.period.days)
            if credit:
                yield Charge(
                    kind="refund",
                    code="REMBOURSEMENT",
                    label=f"Période non courue du {unused.start:%d/%m/%Y} "
                    f"au {unused.last_day:%d/%m/%Y}",
                    due_on=end,
                    net=credit,
                    period=unused,
                    vat=treatment,
                    supplied_on=supplied_on(contract, event.period),
                    credits=event.invoice,
                    issuer=issuer_of(contract, event),
                    note=f"{unused.days} jours sur {event.period.days}",
                )


def left_to_run(
    contract: Contract, terms: Terms, on: date, clause: Indemnity
) -> Iterator[Remaining]:
    """What remains of the current term, net, at the fees in force on the day.

    instalments: the periods that start on the day or later, and in arrears the rest of the
    running one. annuities: whole years not yet fallen due. pro_rata: every day left.
    """
    term = contract.term
    if term is None:
        return
    covers = [c for c in contract.items if c.until is None or c.until > on]
    if clause.of == "annuities":
        rank = months_between(contract.anchor_on, max(on, contract.anchor_on)) // 12
        while (start := add_months(contract.anchor_on, 12 * rank)) < term.end:
            year = Period(start, add_months(contract.anchor_on, 12 * (rank + 1)))
            if start >= on:
                yield Remaining(year & term, _fee_of(covers, year & term, year, 12, 0, on))
            rank += 1
        return
    day = max(on, contract.anchor_on)
    while day < term.end:
        whole = billing_period(terms.schedule, contract.anchor_on, term, day)
        days = Period(max(whole.period.start, term.start), min(whole.period.end, term.end))
        if days.start >= on:
            net = _fee_of(covers, days, whole.period, whole.months, whole.place, on)
            yield Remaining(days, net)
        elif not terms.schedule.in_advance or clause.of == "pro_rata":
            rest = Period(on, days.end)
            net = _fee_of(covers, rest, whole.period, whole.months, whole.place, on)
            yield Remaining(rest, net)
        day = days.end


def _fee_of(
    covers: Sequence[Covered], days: Period, whole: Period, months: int, place: int, on: date
) -> Decimal:
    total = ZERO
    for covered in covers:
        item = covered.item
        price = covered.price_on(on).unit_price
        fee = gross_fee(item.quantity, price, discount_on(item, days.start))
        owed = days & Period(covered.since, covered.until or NEVER)
        if owed == whole:
            total += period_fee(fee, item.per_months, months, place)
        elif owed.days:
            part = share("days", owed, whole, months).exact
            total += rounded(Fraction(fee) * months / item.per_months * part, 2)
    return total


def _indemnity_charge(
    terms: Terms,
    clause: Indemnity,
    remaining: Sequence[Remaining],
    amount: Decimal,
    due_on: date,
) -> Charge:
    left = sum((part.net for part in remaining), ZERO)
    vat = "standard"
    if not clause.taxable:
        vat = _untaxed(terms)
    return Charge(
        kind="indemnity",
        code="INDEMNITE",
        label=INDEMNITY_LABEL,
        due_on=due_on,
        net=amount,
        vat=vat,
        note=f"{clause.share} × {left} € ({len(remaining)} échéances restantes)",
    )


def _untaxed(terms: Terms) -> str:
    return next((v.code for v in terms.vat if v.category == "O"), "outside")


def settle_indemnity(
    contract: Contract, amount: Decimal, on: date, reason: str, invoice: str = ""
) -> Iterator[ContractEvent]:
    """Waive the indemnity (0) or agree on another amount, in euros before tax, with a reason.

    Already invoiced, the difference is credited on that invoice or billed.
    """
    if contract.indemnity is None:
        raise Refused(f"{contract.number}: no indemnity was assessed")
    not_negative(contract, "the indemnity", amount)
    if not reason:
        raise Refused(f"{contract.number}: say why the indemnity changes")
    if to_cents(amount) == contract.indemnity:
        raise Refused(f"{contract.number}: the indemnity is {amount} already")
    waiting = [p.charge for p in contract.pending if p.charge.kind == "indemnity"]
    invoiced = contract.indemnity - sum((charge.net for charge in waiting), ZERO)
    left = to_cents(amount - invoiced)
    clause = contract.terms.indemnity
    vat = "standard" if clause is None or clause.taxable else _untaxed(contract.terms)
    yield IndemnitySettled(
        assessed=contract.indemnity,
        amount=to_cents(amount),
        reason=reason,
        charges=(
            Charge(
                kind="indemnity",
                code="INDEMNITE",
                label=f"{INDEMNITY_LABEL} – {reason}",
                due_on=on,
                net=left,
                credits=(invoice or contract.last_invoice) if left < 0 else "",
                vat=vat,
            ),
        )
        if left
        else (),
    )


def cancel_order(
    contract: Contract, on: date, agreed: bool, costs: Decimal = ZERO
) -> Iterator[ContractEvent]:
    """The client gives up the order before it is served; the deposit is kept where it may be."""
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    if contract.last_invoice or contract.accepted_on is not None:
        raise Refused(f"{contract.number}: it is already served; end it with `billing terminate`")
    not_negative(contract, "the costs", costs)
    terms = contract.terms_on(on)
    kept = ZERO
    charges: tuple[Charge, ...] = ()
    if not agreed:
        if contract.deposit and terms.payment.deposit_kept:
            kept = contract.deposit
            charges = tuple(_outside_vat(contract, terms, on))
        elif costs:
            charges = (
                Charge(
                    kind="cancellation",
                    code="ANNULATION",
                    label="Frais engagés – annulation de commande",
                    due_on=on,
                    net=to_cents(costs),
                    unit_price=costs,
                ),
            )
    yield OrderCancelled(
        cancelled_on=on,
        agreed=agreed,
        deposit_kept=kept,
        deposit_returned=contract.deposit - kept,
        charges=charges,
    )


def _outside_vat(contract: Contract, terms: Terms, on: date) -> Iterator[Charge]:
    """A deposit kept that is no price of anything, invoiced with tax before: without tax now."""
    because = terms.payment.deposit_untaxed_because
    cashed = sum((advance.cashed for advance in contract.deposits), ZERO)
    if because and cashed:
        yield Charge(
            kind="cancellation",
            code="ACOMPTE",
            label="Acompte conservé – annulation de commande",
            due_on=on,
            net=cashed,
            unit_price=cashed,
            vat=_untaxed(terms),
            apart=True,
            note=because,
        )


def given_back(contract: Contract, cancelled: OrderCancelled) -> Iterator[tuple[Advance, Decimal]]:
    """What cancelling the order gives back of each deposit invoice, tax included, in euros.

    Kept, a deposit stands for what was cashed of it; kept outside VAT, or returned, for nothing.
    """
    untaxed = contract.terms_on(cancelled.cancelled_on).payment.deposit_untaxed_because
    stands = bool(cancelled.deposit_kept) and not untaxed
    for advance in contract.deposits:
        back = deposit.left(advance) - (advance.cashed if stands else ZERO)
        if back > 0:
            yield advance, back


def purchase(
    contract: Contract,
    on: date,
    price: Decimal,
    label: str,
    history: Sequence[InstalmentBilled],
    left: Mapping[str, Decimal] | None = None,
) -> Iterator[ContractEvent]:
    """The client buys what it rents: the first rents are credited, the rental ends that day.

    A rent is the fees of a whole period: one cut short at the start of the contract counts only
    while there is no other. `left` is the net not credited yet of its invoices, those told; a
    rent given back already, wholly or in part, is refunded for the rest only.
    """
    must_run(contract, on)
    rents = contract.terms_on(on).purchase.rents_refunded
    if not rents:
        raise Refused(f"{contract.number}: its terms have no purchase with a refund of rents")
    not_negative(contract, "the price", price)
    first = _first_rents(contract, history)[:rents]
    if not first:
        raise Refused(f"{contract.number}: no rent was billed yet that could be refunded")
    refunds = [charge for event in first for charge in _rent_back(contract, event, on, left or {})]
    sale = (
        (
            Charge(
                kind="one_off",
                code="ACHAT",
                label=label,
                due_on=on,
                net=to_cents(price),
                unit_price=price,
                apart=True,
            ),
        )
        if price
        else ()
    )
    yield RentalPurchased(purchased_on=on, price=price, charges=(*sale, *refunds))
    yield ContractTerminated(
        effective_on=on,
        cause="purchased",
        by="client",
        evidence=f"purchase of {on}",
        charges=tuple(_given_back(contract, on, False, [e for e in history if e not in first])),
    )


def _first_rents(contract: Contract, history: Sequence[InstalmentBilled]) -> list[InstalmentBilled]:
    """The instalments that billed fees, whole periods first."""
    billed = [e for e in history if e.period and e.invoice and any(net > 0 for _, net in e.nets)]
    return sorted(billed, key=lambda event: not _whole(contract, event))


def _whole(contract: Contract, event: InstalmentBilled) -> bool:
    assert event.period is not None
    start = event.period.start
    schedule = contract.terms_on(start).schedule
    whole = billing_period(schedule, contract.anchor_on, contract.term_of(start), start)
    return whole.period == event.period


def _rent_back(
    contract: Contract, event: InstalmentBilled, on: date, left: Mapping[str, Decimal]
) -> Iterator[Charge]:
    """A rent as a credit on its invoice, at its VAT; what was credited of it before is not."""
    assert event.period is not None
    rent = sum((net for _, net in event.nets), ZERO)
    back = min(rent, left.get(event.invoice, rent))
    parts = shared_out(back, (net for _, net in event.nets))
    for (treatment, _), part in zip(event.nets, parts, strict=True):
        if part:
            yield Charge(
                kind="refund",
                code="LOYER",
                label="Remboursement de loyer – achat",
                due_on=on,
                net=-part,
                period=event.period,
                vat=treatment,
                supplied_on=supplied_on(contract, event.period),
                credits=event.invoice,
                issuer=issuer_of(contract, event),
                note=f"Loyer de {rent} €, {back} € restant à rembourser" if back < rent else "",
            )


def finish_task(contract: Contract, code: str, on: date, proof: str) -> Iterator[ContractEvent]:
    """A duty that follows the end is done, with its proof (destruction des données)."""
    tasks = {task.code for task in contract.terms.tasks}
    if code not in tasks:
        raise Refused(f"{contract.number}: no task {code}; it has: {', '.join(tasks) or 'none'}")
    end = contract.ends_on
    if end is None or on < end:
        raise Refused(f"{contract.number}: {code} comes after the end, {end or 'not yet known'}")
    if code in contract.tasks_done:
        raise Refused(f"{contract.number}: {code} is already done")
    if not proof:
        raise Refused(f"{contract.number}: {code} needs a proof")
    yield TaskDone(code=code, done_on=on, proof=proof)


def follow_parent(contract: Contract, parent: Contract, on: date) -> Iterator[ContractEvent]:
    """A linked contract ends on its parent's day."""
    if contract.terminated_on is None and (contract.ends_on or NEVER) > on:
        yield ContractTerminated(
            effective_on=max(on, contract.starts_on),
            cause="linked",
            by="supplier",
            evidence=f"{parent.number} ended on {on}",
        )
