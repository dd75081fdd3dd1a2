"""Renewal: what a term's end brings, and what is said before it (reconduction)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from billing.clauses.renewal import Sending, last_day_for_notice, next_term
from billing.clauses.schedule import billing_period
from billing.contract.guards import must_run, no_earlier_than_signature, price_changes
from billing.contract.state import Contract
from billing.dates import DAY, Period, add_months, months_between
from billing.events.contract import (
    ContractEvent,
    ContractRenewed,
    ContractSetAside,
    ContractTerminated,
    NonRenewalNoticed,
    Party,
    RenewalAccepted,
    RenewalOffered,
)
from billing.refusal import Refused


def due(contract: Contract, on: date, parent: Contract | None) -> Iterator[ContractEvent]:
    """The term that follows, on the day this one ends; or the end, with the parent's."""
    term = contract.term
    if contract.cancelled_on is not None:
        return
    if parent is not None and (end := parent.ends_on) is not None and end < contract.limit:
        yield ContractTerminated(
            effective_on=max(end, contract.starts_on),
            cause="linked",
            by="supplier",
            evidence=f"{parent.number} ends on {end}",
        )
        return
    if term is None or on < term.end or not contract.goes_on:
        return
    clause = contract.terms_on(term.end).renewal
    offered = contract.offered.fees if contract.offered else ()
    if clause.kind == "linked":
        if parent is not None and parent.term is not None and parent.term.end > term.end:
            yield ContractRenewed(
                term=Period(term.end, parent.term.end), how="linked", fees=offered
            )
        elif parent is not None and parent.ends_on is not None:
            yield ContractTerminated(
                effective_on=term.end,
                cause="linked",
                by="supplier",
                evidence=f"{contract.parent} ended on {term.end}",
            )
        else:
            yield ContractSetAside(
                due_on=term.end,
                clause="renewal",
                held=True,
                reason=f"{contract.parent}, which it follows, is not renewed yet",
            )
        return
    following = next_term(clause, contract.starts_on, term, contract.term_months)
    if contract.offered is not None and contract.offered.term.start == term.end:
        following = contract.offered.term
    how = "accepted" if clause.kind == "offer" else "tacit"
    yield ContractRenewed(term=following, how=how, fees=offered)  # type: ignore[arg-type]


def offer(
    contract: Contract,
    on: date,
    months: int | None = None,
    prices: Mapping[str, Decimal] | None = None,
    reference: str = "",
) -> Iterator[ContractEvent]:
    """Send the renewal quote or offer (devis, proposition); prices in euros by item code."""
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    clause = contract.terms_on(on).renewal
    if contract.term is None or clause.kind not in ("tacit", "offer"):
        raise Refused(
            f"{contract.number}: its renewal clause ({clause.kind}) has no quote or offer"
        )
    term = next_term(clause, contract.starts_on, contract.term, contract.term_months)
    if months is not None:
        if clause.terms_allowed and months not in clause.terms_allowed:
            allowed = ", ".join(map(str, clause.terms_allowed))
            raise Refused(f"{contract.number}: a term of {months} months; allowed: {allowed}")
        term = Period(term.start, add_months(contract.starts_on, contract.term_months + months))
    yield RenewalOffered(
        offered_on=on,
        term=term,
        fees=price_changes(contract, prices or {}, term.start),
        reference=reference,
    )


def accept_offer(contract: Contract, on: date) -> Iterator[ContractEvent]:
    """The client accepts the offer, up to the last day of the term."""
    must_run(contract, on)
    if contract.offered is None or contract.term is None:
        raise Refused(f"{contract.number}: no renewal was offered; send one with `billing offer`")
    if on < contract.offered.offered_on:
        raise Refused(
            f"{contract.number}: accepted on {on}, before the offer of "
            f"{contract.offered.offered_on}"
        )
    if on >= contract.term.end:
        raise Refused(f"{contract.number}: ended on {contract.term.end}, before {on}")
    yield RenewalAccepted(accepted_on=on, term=contract.offered.term)


def notice(
    contract: Contract,
    by: Party,
    sent_on: date,
    received_on: date | None = None,
    sending: Sending = "registered_letter",
) -> Iterator[ContractEvent]:
    """A party says it will not renew (dénonciation); late, it takes effect one term later."""
    must_run(contract, sent_on)
    no_earlier_than_signature(contract, sent_on)
    clause = contract.terms_on(sent_on).renewal
    if contract.noticed_end is not None:
        raise Refused(
            f"{contract.number}: notice was already given, it ends on {contract.noticed_end}"
        )
    if clause.kind == "linked":
        raise Refused(f"{contract.number}: its duration follows {contract.parent}; end that one")
    if clause.kind in ("offer", "none"):
        end = contract.term.end if contract.term else None
        raise Refused(f"{contract.number}: it is not renewed by itself and ends on {end}")
    asked = clause.notice.by
    if asked != "any" and sending != asked:
        raise Refused(
            f"{contract.number}: notice by {sending}; its renewal clause asks for a {asked}"
        )
    counted = sent_on if clause.notice.counted_on == "dispatch" else received_on
    if counted is None:
        raise Refused(
            f"{contract.number}: notice counts from its receipt; say when it was received"
        )
    if contract.term is None:
        # The day it is given is still a day of the contract: the period it begins is owed.
        leave = add_months(counted, clause.notice.months) + clause.notice.days * DAY
        leave = max(leave, counted + DAY)
        schedule = contract.terms_on(sent_on).schedule
        whole = billing_period(
            schedule, contract.anchor_on, contract.whole_term, max(leave, contract.anchor_on)
        )
        end = whole.period.start if whole.period.start >= leave else whole.period.end
        yield NonRenewalNoticed(
            by=by,
            sent_on=sent_on,
            received_on=received_on,
            sending=sending,
            last_day=end - DAY,
            in_time=True,
            ends_on=end,
        )
        return
    last_day = last_day_for_notice(clause, contract.term)
    in_time = counted <= last_day
    term, months = contract.term, contract.term_months
    while counted > last_day_for_notice(clause, term):
        following = next_term(clause, contract.starts_on, term, months)
        months += months_between(following.start, following.end)
        term = following
    end = term.end
    yield NonRenewalNoticed(
        by=by,
        sent_on=sent_on,
        received_on=received_on,
        sending=sending,
        last_day=last_day,
        in_time=in_time,
        ends_on=end,
    )
