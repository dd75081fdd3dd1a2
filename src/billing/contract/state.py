"""The contract as its events leave it: an immutable fold.

Nothing is decided here and nothing is refused: what was recorded happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import first_term
from billing.clauses.revision import first_revision, next_revision, ratio_of
from billing.clauses.schedule import BillingPeriod, billed_on, billing_period
from billing.dates import DAY, NEVER, Period, months_between
from billing.events import contract as ev
from billing.events.base import Event, part
from billing.money import ZERO
from indices import Link, Reading

# Terms are content: the same clauses are the same value everywhere, so states name them by
# their digest and share them, as a hundred thousand contracts of five forms need no more.
_TERMS: dict[str, Terms] = {}
_WRITTEN: dict[str, bytes] = {}
_decode_terms = msgspec.json.Decoder(Terms).decode
_decode_nets = msgspec.json.Decoder(tuple[tuple[str, Decimal], ...]).decode
_canonical = msgspec.json.Encoder(order="deterministic")


def terms_id(terms: Terms) -> str:
    """The name of these terms: a digest of all their clauses."""
    name = sha256(_canonical.encode(terms)).hexdigest()[:16]
    _TERMS.setdefault(name, terms)
    return name


def terms_named(name: str) -> Terms:
    """The terms of that name, made known before."""
    return _TERMS[name]


def intern_terms(name: str, terms: Terms) -> None:
    """Makes terms known by their name."""
    _TERMS.setdefault(name, terms)


class Price(Struct, frozen=True, array_like=True, gc=False):
    """A unit price in euros from a day on, and the version of the event that set it."""

    effective_on: date
    unit_price: Decimal
    by: int


class Covered(Struct, frozen=True, array_like=True, gc=False):
    """An item in the cover, with the prices it has had and what of it is not billed yet.

    `owed_from` is set when days before the contract's `billed_until` are still to be billed.
    `coefficient` is the one in force when it entered, for formulas on the original base.
    """

    item: Item
    since: date
    until: date | None
    owed_from: date | None
    prices: tuple[Price, ...]
    added: int
    coefficient: str = "1"

    def price_on(self, day: date) -> Price:
        """The price in force on a day; before the first, the first."""
        prices = self.prices
        last = prices[-1]
        if last.effective_on <= day or len(prices) == 1:
            return last
        for price in reversed(prices):
            if price.effective_on <= day:
                return price
        return prices[0]


class Pending(Struct, frozen=True, array_like=True, gc=False):
    """A charge waiting for its day: its key is its event's version × 1000 + its place."""

    key: int
    charge: ev.Charge

    @property
    def version(self) -> int:
        """The version of the event that made it due."""
        return self.key // 1000


class Clocked(Struct, frozen=True, array_like=True, gc=False):
    """A formal notice whose clock runs."""

    clock: str
    by: str
    sent_on: date
    allowed_from: date | None
    allows: tuple[str, ...]


class Substitute(Struct, frozen=True, array_like=True, gc=False):
    """An index replaced by recorded decision."""

    series: str
    by_series: str
    link: Link | None


class Exchange(Struct, frozen=True, array_like=True, gc=False):
    """A replacement shipped; the faulty item is awaited."""

    code: str
    return_by: date
    list_price: Decimal


class Advance(Struct, frozen=True, array_like=True, gc=False):
    """A deposit that has its invoice: what of it came in, was given back, was deducted; in euros.

    `vat` is its treatment, `rate_on` the day its rate was in force; `by` the version of the event
    that invoiced it.
    """

    invoice: str
    issuer: str
    issued_on: date
    net: Decimal
    tax: Decimal
    vat_rate: Decimal
    vat: str
    vat_category: str
    vat_reason: str
    rate_on: date
    by: int
    cashed: Decimal = ZERO
    credited_net: Decimal = ZERO
    credited_tax: Decimal = ZERO
    deducted_net: Decimal = ZERO
    deducted_tax: Decimal = ZERO


class Aside(Struct, frozen=True, array_like=True, gc=False):
    """What the contract was last set aside for."""

    due_on: date
    clause: str
    reason: str
    held: bool


class Instalment(Struct, frozen=True, gc=False):
    """What is billed next: the whole billing period, its days in the term, the day."""

    whole: BillingPeriod
    days: Period
    day: date


class Contract(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """All that deciding needs to know of a contract, at one version of its stream."""

    number: str
    version: int
    supplier: str
    client: str
    category: str
    form: str
    form_digest: str
    signed_on: date
    starts_on: date
    anchor_on: date
    term: Period | None
    term_months: int
    terms_ids: tuple[tuple[date, str], ...]
    items: tuple[Covered, ...]
    billed_until: date
    bases: tuple[Reading | None, ...] = ()
    original_bases: tuple[Reading | None, ...] = ()
    coefficient: str = "1"
    next_revision_on: date | None = None
    revision_waiting: bool = False
    last_revision: ev.PriceRevised | None = None
    mandate: str = ""
    parent: str = ""
    purchase_order: str = ""
    site: str = ""
    renewals: int = 0
    past_terms: tuple[Period, ...] = ()
    assigned: tuple[tuple[str, date, str], ...] = ()
    accepted_on: date | None = None
    pending: tuple[Pending, ...] = ()
    awaiting: tuple[ev.Charge, ...] = ()
    first_invoice: tuple[str, Decimal] | None = None
    last_invoice: str = ""
    offered: ev.RenewalOffered | None = None
    offer_accepted: bool = False
    noticed_end: date | None = None
    clocks: tuple[Clocked, ...] = ()
    suspended_on: date | None = None
    suspended_by: str = ""
    blocked: bool = False
    terminated_on: date | None = None
    refunds: bool = False
    cause: str = ""
    cancelled_on: date | None = None
    deposit: Decimal = Decimal(0)
    indemnity: Decimal | None = None
    substitutes: tuple[Substitute, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    measured: tuple[tuple[str, date], ...] = ()
    free_used: tuple[str, ...] = ()
    tasks_done: tuple[str, ...] = ()
    purchased_on: date | None = None
    aside: Aside | None = None
    deposits: tuple[Advance, ...] = ()
    mandates: tuple[tuple[date, str], ...] = ()  # Of former clients, each until that day.

    def terms_on(self, day: date) -> Terms:
        """The clauses in force on a day."""
        ids = self.terms_ids
        if len(ids) == 1:
            return _TERMS[ids[0][1]]
        name = ids[0][1]
        for effective_on, candidate in ids:
            if effective_on <= day:
                name = candidate
        return _TERMS[name]

    @property
    def terms(self) -> Terms:
        """The clauses last agreed."""
        return _TERMS[self.terms_ids[-1][1]]

    @property
    def ends_on(self) -> date | None:
        """The day after the last of the contract, once that is known; none while it goes on."""
        if self.cancelled_on is not None:
            return self.starts_on
        if self.terminated_on is not None:
            return self.terminated_on
        if self.noticed_end is not None:
            return self.noticed_end
        if self.term is None:
            return None
        renewal = self.terms_on(self.term.end).renewal
        if renewal.kind == "none" or (renewal.kind == "offer" and not self.offer_accepted):
            return self.term.end
        limit = renewal.max_renewals
        return self.term.end if limit is not None and self.renewals >= limit else None

    @property
    def goes_on(self) -> bool:
        """Whether another term follows this one, as far as is known."""
        return self.term is not None and (self.ends_on or NEVER) > self.term.end

    @property
    def limit(self) -> date:
        """The day fees stop at, as far as is known: the end of the term or of the contract."""
        end, term = self.ends_on or NEVER, self.term
        return end if term is None or term.end > end else term.end

    @property
    def billable(self) -> bool:
        """Whether fees run: not cancelled, and accepted where the contract asks for it."""
        if self.cancelled_on is not None:
            return False
        return self.accepted_on is not None or not self.terms.cover.needs_acceptance

    @property
    def fees_until(self) -> date:
        """The day fees stop at; a period begun in advance stays due unless the end refunds it."""
        end = self.terminated_on
        if end is None or (not self.refunds and self.terms_on(end).schedule.in_advance):
            return NEVER
        return end

    def mandate_on(self, day: date) -> str:
        """The mandate invoices of a day are collected under: of the client of that day; or ""."""
        for until, former in self.mandates:
            if day < until:
                return former
        return self.mandate

    def party_on(self, side: str, day: date) -> str:
        """Who stands on that side of the contract on a day; an assignment counts from its own."""
        for assigned, effective_on, before in self.assigned:
            if assigned == side and day < effective_on:
                return before
        return self.supplier if side == "supplier" else self.client

    def covered(self, code: str) -> Covered | None:
        """The item of that code, the one last added when there are several."""
        return next((c for c in reversed(self.items) if c.item.code == code), None)

    def substitute_for(self, series: str) -> Substitute | None:
        """The decision that replaced a series."""
        return next((s for s in reversed(self.substitutes) if s.series == series), None)

    def next_due(self) -> date | None:
        """The next day on which the month's pass has something to do; none when all is done."""
        days: list[date] = []
        terms, term, billable, end = self.terms, self.term, self.billable, self.ends_on or NEVER
        goes_on = term is not None and end > term.end
        if self.pending and (billable or self.cancelled_on is not None):
            days += [pending.charge.due_on for pending in self.pending]
        if billable:
            limit = term.end if term is not None and goes_on else end
            owed = [c.since for c in self.items if c.owed_from is not None]
            if (instalment := self._instalment(limit)) is not None:
                days.append(instalment.day)
            elif owed and not goes_on:
                days.append(limit)
            revised_on = self.next_revision_on
            if revised_on is not None and not self.revision_waiting and revised_on < limit:
                days.append(revised_on)
            if owed and terms.cover.catch_up == "at_once":
                days += owed
        if self.cancelled_on is None:
            if term is not None and goes_on:
                days.append(term.end)
            if terms.cover.warranty_kinds:
                days += [
                    c.item.warranty_until + DAY
                    for c in self.items
                    if c.until is None
                    and c.item.warranty_until is not None
                    and c.item.kind in terms.cover.warranty_kinds
                    and c.item.warranty_until + DAY < end
                ]
            if terms.overrun is not None and self.clocks:
                days += [
                    c.allowed_from
                    for c in self.clocks
                    if c.clock == "overrun"
                    and c.allowed_from is not None
                    and c.allowed_from < end
                    and not self.blocked
                ]
        if self.exchanges:
            days += [exchange.return_by + DAY for exchange in self.exchanges]
        return min(days) if days else None

    def next_instalment(self) -> Instalment | None:
        """The next period to bill, cut at the end of the term, and the day to bill it.

        A period fallen due in advance is not cut by a termination that refunds nothing: it stays
        due whole, whether the run came before or after. A period billed ahead of its first day
        waits for the revision of that day.
        """
        return self._instalment(self.limit)

    def _instalment(self, limit: date) -> Instalment | None:
        start = self.billed_until
        if start >= limit:
            return None
        schedule = self.terms_on(start).schedule
        whole = billing_period(schedule, self.anchor_on, self.whole_term, start)
        if schedule.in_advance and limit == self.terminated_on and not self.refunds:
            limit = self.whole_term.end
        days = whole.period
        if days.start != start or days.end > limit:
            days = Period(start, min(days.end, limit))
        day = billed_on(schedule, days)
        revised_on = self.next_revision_on
        if revised_on is not None and day < revised_on <= start and not self.revision_waiting:
            day = revised_on
        return Instalment(whole, days, day)

    @property
    def whole_term(self) -> Period:
        """The term, or for a contract without one all days from its start."""
        return self.term or Period(self.starts_on, NEVER)

    def term_of(self, day: date) -> Period:
        """The term that holds a day already billed, where whole terms are billed at once."""
        for term in self.past_terms:
            if day in term:
                return term
        return self.whole_term


def _signed(_: Contract | None, event: ev.ContractSigned) -> Contract:
    terms = clauses_of(event)
    revision = terms.revision
    term = event.term or first_term(terms.renewal, event.starts_on)
    return Contract(
        number=event.number,
        version=event.originator_version,
        supplier=event.supplier,
        client=event.client,
        category=event.category,
        form=event.form,
        form_digest=event.form_digest,
        signed_on=event.signed_on,
        starts_on=event.starts_on,
        anchor_on=event.starts_on,
        term=term,
        term_months=months_between(term.start, term.end) if term else 0,
        terms_ids=((event.starts_on, event.terms_id),),
        items=tuple(
            [
                _enter(item, item.since or event.starts_on, None, event.originator_version)
                for item in event.items
                if item.per_months
            ]
        ),
        billed_until=event.starts_on,
        bases=event.bases,
        original_bases=event.bases,
        next_revision_on=first_revision(revision, event.starts_on) if revision else None,
        mandate=event.mandate,
        parent=event.parent,
        purchase_order=event.purchase_order,
        site=event.site,
        pending=() if terms.cover.needs_acceptance else _pending((), event),
        awaiting=event.charges if terms.cover.needs_acceptance else (),
    )


def clauses_of(event: ev.ContractSigned) -> Terms:
    """The clauses, made known by their name; read once when many contracts have the same."""
    written: Any = event.terms
    if isinstance(written, Raw):
        body = bytes(written)
        if _WRITTEN.get(event.terms_id) == body:
            return _TERMS[event.terms_id]
        written = _decode_terms(body)
        _WRITTEN[event.terms_id] = body
    intern_terms(event.terms_id, written)
    agreed: Terms = written
    return agreed


def _enter(
    item: Item, since: date, owed_from: date | None, version: int, coefficient: str = "1"
) -> Covered:
    price = Price(since, item.unit_price, version)
    return Covered(item, since, item.until, owed_from, (price,), version, coefficient)


def _pending(pending: tuple[Pending, ...], event: ev.ContractEvent) -> tuple[Pending, ...]:
    if not event.charges:
        return pending
    base = event.originator_version * 1000
    return (*pending, *[Pending(base + i, charge) for i, charge in enumerate(event.charges)])


def _changed(c: Contract, event: ev.ContractEvent, **fields: Any) -> Contract:
    if event.charges:
        fields["pending"] = _pending(c.pending, event)
    return replace(c, version=event.originator_version, **fields)


def _added(c: Contract, event: ev.EquipmentAdded | ev.OptionSubscribed) -> Contract:
    owed = event.since if event.since < c.billed_until else None
    if not event.item.per_months:
        return _changed(c, event)
    entered = _enter(event.item, event.since, owed, event.originator_version, c.coefficient)
    return _changed(c, event, items=(*c.items, entered))


def _removed(c: Contract, event: ev.EquipmentRemoved | ev.OptionCancelled) -> Contract:
    items = list(c.items)
    for place in range(len(items) - 1, -1, -1):
        if items[place].item.code == event.code and items[place].until is None:
            items[place] = replace(items[place], until=event.fee_until)
            break
    return _changed(c, event, items=tuple(items))


def _repriced(
    c: Contract,
    fees: Iterable[ev.FeeChange],
    effective_on: date,
    version: int,
    anew: bool = False,
) -> tuple[Covered, ...]:
    """The items at their new prices; `anew` makes them the Po of the revisions to come."""
    changes = {change.code: change.after for change in fees}
    if not changes:
        return c.items
    items = []
    for covered in c.items:
        after = changes.get(covered.item.code)
        if after is not None and (covered.until is None or covered.until > effective_on):
            prices = _priced(covered, Price(effective_on, after, version), c)
            if anew:
                item = replace(covered.item, unit_price=after)
                covered = replace(covered, item=item, prices=prices, coefficient=c.coefficient)
            else:
                covered = replace(covered, prices=prices)
        items.append(covered)
    return tuple(items)


def _priced(covered: Covered, price: Price, c: Contract) -> tuple[Price, ...]:
    """The prices still needed: of days not billed yet, the new one, those agreed for later."""
    if len(covered.prices) == 1 and covered.prices[0].effective_on < price.effective_on:
        return (covered.prices[0], price)
    earliest = min(c.billed_until, covered.owed_from or NEVER, price.effective_on)
    kept = [p for p in covered.prices if p.effective_on < price.effective_on]
    while len(kept) > 1 and kept[1].effective_on <= earliest:
        kept.pop(0)
    later = (p for p in covered.prices if p.effective_on > price.effective_on)
    return (*kept, price, *later)


def _revised(c: Contract, event: ev.PriceRevised) -> Contract:
    items = _repriced(c, event.fees, event.effective_on, event.originator_version)
    clause = event.formula
    bases = c.bases
    written = event.coefficient.applied
    if clause.base == "rolling":
        bases = tuple([comparison.current for comparison in event.comparisons])
        corrected = c.last_revision if event.corrects is not None else None
        replaced = corrected.coefficient.applied if corrected is not None else "1"
        written = _compounded(c.coefficient, written, replaced)
    if event.corrects is not None:
        return _changed(
            c, event, items=items, bases=bases, coefficient=written, last_revision=event
        )
    for item in items:
        if item.prices[0].effective_on >= event.effective_on:  # In the cover since then only.
            items = tuple(
                replace(item, coefficient=written)
                if item.prices[0].effective_on >= event.effective_on
                else item
                for item in items
            )
            break
    return _changed(
        c,
        event,
        items=items,
        bases=bases,
        coefficient=written,
        next_revision_on=_revision_from(c, c.terms_ids, event.effective_on + DAY),
        revision_waiting=False,
        last_revision=event if clause.rectified == "regularise" else None,
        aside=None,
    )


@lru_cache(maxsize=4096)  # The same index moves all contracts of a form and a day.
def _compounded(before: str, applied: str, replaced: str) -> str:
    """The coefficient since the signature, once another one is applied, or takes its place."""
    return str(ratio_of(before) * ratio_of(applied) / ratio_of(replaced))


def _revision_from(
    c: Contract, terms_ids: tuple[tuple[date, str], ...], start: date
) -> date | None:
    """The first revision on or after a day, by the clauses that will then be in force."""
    for place, (effective_on, name) in enumerate(terms_ids):
        clause = _TERMS[name].revision
        until = terms_ids[place + 1][0] if place + 1 < len(terms_ids) else NEVER
        if clause is None or until <= start:
            continue
        earliest = max(start, effective_on) if place else start
        day = first_revision(clause, c.starts_on)
        if day < earliest:
            day = next_revision(clause, c.starts_on, earliest - DAY)
        if day < until:
            return day
    return None


def _amended(c: Contract, event: ev.TermsAmended) -> Contract:
    intern_terms(event.terms_id, event.terms)
    items = _repriced(c, event.fees, event.effective_on, event.originator_version, anew=True)
    fields: dict[str, Any] = {}
    if event.bases is not None:
        fields.update(bases=event.bases, original_bases=event.bases)
    kept = [pair for pair in c.terms_ids if pair[0] < event.effective_on]
    earliest = min(c.billed_until, event.effective_on)
    while len(kept) > 1 and kept[1][0] <= earliest:
        kept.pop(0)
    terms_ids = (*kept, (event.effective_on, event.terms_id))
    if c.next_revision_on is None or c.next_revision_on >= event.effective_on:
        fields.update(
            next_revision_on=_revision_from(c, terms_ids, event.effective_on),
            revision_waiting=False,
        )
    return _changed(c, event, items=items, terms_ids=terms_ids, **fields)


def _deposit_invoiced(c: Contract, e: ev.DepositInvoiced) -> Contract:
    cashed = e.net + e.tax if e.received else ZERO
    new = Advance(
        e.invoice, e.issuer, e.issued_on, e.net, e.tax, e.vat_rate, e.vat, e.vat_category,
        e.vat_reason, e.rate_on, e.originator_version, cashed,
    )  # fmt: skip
    return _changed(c, e, deposits=(*c.deposits, new))


def _on_deposit(c: Contract, invoice: str, **more: Decimal) -> tuple[Advance, ...]:
    """The deposits, amounts added to those of that invoice."""
    return tuple(
        replace(a, **{name: getattr(a, name) + amount for name, amount in more.items()})
        if a.invoice == invoice
        else a
        for a in c.deposits
    )


def _deducted(c: Contract, deductions: Iterable[ev.Deduction]) -> Contract:
    for d in deductions:
        taken = _on_deposit(c, d.invoice, deducted_net=d.net, deducted_tax=d.tax)
        c = replace(c, deposits=taken)
    return c


def _nets(event: ev.InstalmentBilled) -> tuple[tuple[str, Decimal], ...]:
    nets: Any = event.nets
    return _decode_nets(nets) if isinstance(nets, Raw) else nets


def _billed(c: Contract, event: ev.InstalmentBilled) -> Contract:
    if event.deducted:
        c = _deducted(c, event.deducted)
    pending = c.pending
    if event.settled:
        settled = event.settled
        pending = tuple([p for p in pending if p.key not in settled])
    until = event.until
    if until is None:
        return _changed(c, event, pending=pending, last_invoice=event.invoice or c.last_invoice)
    first = c.first_invoice
    if first is None and (nets := _nets(event)):
        first = (event.invoice, sum((net for _, net in nets), Decimal(0)))
    items = c.items
    for x in items:
        if x.owed_from is not None or (x.until is not None and x.until <= until):
            items = tuple(
                [
                    replace(x, owed_from=None) if x.owed_from is not None else x
                    for x in items
                    if x.until is None or x.until > until or x.until > event.billed_on
                ]
            )
            break
    if event.charges:
        pending = _pending(pending, event)
    return replace(
        c,
        version=event.originator_version,
        items=items,
        billed_until=until,
        pending=pending,
        first_invoice=first,
        last_invoice=event.invoice or c.last_invoice,
        aside=c.aside if c.revision_waiting else None,
    )


def _set_aside(c: Contract, event: ev.ContractSetAside) -> Contract:
    waiting = c.revision_waiting or (event.clause == "revision" and not event.held)
    return _changed(
        c,
        event,
        aside=Aside(event.due_on, event.clause, event.reason, event.held),
        revision_waiting=waiting,
    )


def _renewed(c: Contract, event: ev.ContractRenewed) -> Contract:
    past = c.past_terms
    if c.term is not None and c.terms_on(c.term.start).schedule.every_months is None:
        past = (*past, c.term)
    return _changed(
        c,
        event,
        past_terms=past,
        term=event.term,
        term_months=c.term_months + months_between(event.term.start, event.term.end),
        renewals=c.renewals + 1,
        items=_repriced(c, event.fees, event.term.start, event.originator_version, anew=True),
        offered=None,
        offer_accepted=False,
    )


def _substituted(c: Contract, event: ev.IndexSubstituted) -> Contract:
    fields: dict[str, Any] = {
        "substitutes": (*c.substitutes, Substitute(event.series, event.by_series, event.link))
    }
    revision = c.terms.revision
    if revision is not None and event.base is not None:
        bases = list(c.bases) or [None] * len(revision.indices)
        originals = list(c.original_bases) or [None] * len(revision.indices)
        for place, weight in enumerate(revision.indices):
            if weight.series == event.series:
                bases[place] = originals[place] = event.base
        fields.update(bases=tuple(bases), original_bases=tuple(originals))
    return _changed(c, event, **fields)


def _terminated(c: Contract, event: ev.ContractTerminated) -> Contract:
    refunds = event.ground is not None and event.ground.refund
    return _changed(c, event, terminated_on=event.effective_on, cause=event.cause, refunds=refunds)


def _settled(c: Contract, event: ev.IndemnitySettled) -> Contract:
    """What was still to be billed of the indemnity gives way to what was agreed."""
    pending = tuple(p for p in c.pending if p.charge.kind != "indemnity")
    return _changed(replace(c, pending=pending), event, indemnity=event.amount)


def _assigned(c: Contract, event: ev.ContractAssigned) -> Contract:
    before = c.supplier if event.side == "supplier" else c.client
    assigned = (*c.assigned, (event.side, event.effective_on, before))
    if event.mandate is None:
        return _changed(c, event, assigned=assigned, **{event.side: event.to})
    mandates = (*c.mandates, (event.effective_on, c.mandate))
    changes = {event.side: event.to, "mandate": event.mandate, "mandates": mandates}
    return _changed(c, event, assigned=assigned, **changes)


_FOLDS: dict[type[Event], Callable[[Any, Any], Contract]] = {
    ev.ContractSigned: _signed,
    ev.TermsAmended: _amended,
    ev.ContractAssigned: _assigned,
    ev.MandateAttached: lambda c, e: _changed(c, e, mandate=e.mandate),
    ev.InstallationAccepted: lambda c, e: (
        _changed(c, e)
        if e.blocking_defects
        else _changed(
            c,
            e,
            accepted_on=e.accepted_on,
            anchor_on=max(c.starts_on, e.accepted_on),
            billed_until=max(c.billed_until, e.accepted_on),
            awaiting=(),
        )
    ),
    ev.DepositReceived: lambda c, e: _changed(
        c, e, deposit=c.deposit + e.amount, deposits=_on_deposit(c, e.invoice, cashed=e.amount)
    ),
    ev.DepositInvoiced: _deposit_invoiced,
    ev.DepositReversed: lambda c, e: _changed(
        c, e, deposit=c.deposit - e.amount, deposits=_on_deposit(c, e.invoice, cashed=-e.amount)
    ),
    ev.DepositCredited: lambda c, e: _changed(
        c, e, deposits=_on_deposit(c, e.invoice, credited_net=e.net, credited_tax=e.tax)
    ),
    ev.OrderCancelled: lambda c, e: replace(
        c,
        version=e.originator_version,
        cancelled_on=e.cancelled_on,
        pending=_pending((), e),
        awaiting=(),
        deposit=Decimal(0),
    ),
    ev.EquipmentAdded: _added,
    ev.OptionSubscribed: _added,
    ev.EquipmentRemoved: _removed,
    ev.OptionCancelled: _removed,
    ev.EquipmentChecked: lambda c, e: _changed(c, e),
    ev.ReplacementShipped: lambda c, e: _changed(
        c, e, exchanges=(*c.exchanges, Exchange(e.code, e.return_by, e.list_price))
    ),
    ev.FaultyItemReturned: lambda c, e: _changed(
        c, e, exchanges=tuple(x for x in c.exchanges if x.code != e.code)
    ),
    ev.UsageMeasured: lambda c, e: _changed(
        c, e, measured=(*c.measured[-47:], (e.meter, e.period.start))
    ),
    ev.SupplementaryWorkDone: lambda c, e: _changed(
        c, e, free_used=(*c.free_used, e.code) if e.free else c.free_used
    ),
    ev.ChargeAdded: lambda c, e: _changed(
        c,
        e,
        exchanges=tuple(
            x
            for x in c.exchanges
            if not any(ch.kind == "exchange" and ch.code == x.code for ch in e.charges)
        ),
    ),
    ev.RentalPurchased: lambda c, e: _changed(c, e, purchased_on=e.purchased_on),
    ev.PriceRevised: _revised,
    ev.IndexSubstituted: _substituted,
    ev.RenewalOffered: lambda c, e: _changed(c, e, offered=e),
    ev.RenewalAccepted: lambda c, e: _changed(c, e, offer_accepted=True),
    ev.NonRenewalNoticed: lambda c, e: _changed(c, e, noticed_end=e.ends_on),
    ev.ContractRenewed: _renewed,
    ev.FormalNoticeSent: lambda c, e: _changed(
        c, e, clocks=(*c.clocks, Clocked(e.clock, e.by, e.sent_on, e.allowed_from, e.allows))
    ),
    ev.BreachCured: lambda c, e: _changed(
        c, e, clocks=tuple(x for x in c.clocks if x.clock != e.clock)
    ),
    ev.ServiceSuspended: lambda c, e: (
        _changed(c, e, blocked=True)
        if e.measure == "block"
        else _changed(c, e, suspended_on=e.suspended_on, suspended_by=e.clock)
    ),
    ev.ServiceResumed: lambda c, e: _changed(
        c, e, suspended_on=None, suspended_by="", blocked=False
    ),
    ev.ContractTerminated: _terminated,
    ev.IndemnityAssessed: lambda c, e: _changed(c, e, indemnity=e.amount),
    ev.IndemnitySettled: _settled,
    ev.TaskDone: lambda c, e: _changed(c, e, tasks_done=(*c.tasks_done, e.code)),
    ev.InstalmentBilled: _billed,
    ev.ContractSetAside: _set_aside,
}


def _read_of(event: type[Event], names: str, **types: Any) -> tuple[Callable[..., Any], type]:
    """The fold of an event, and a struct of no more of its fields than the fold looks at."""
    wanted = {"originator_version", "charges", *names.split()}
    return _FOLDS[event], part(event, wanted, types)


# Most of what an event holds is evidence, and no part of the state: to fold a log its dates and
# amounts need not be made. A field missed here is an AttributeError in the first test of a replay.
_LOOKED_AT: dict[type[Event], str] = {
    ev.EquipmentAdded: "item since",
    ev.OptionSubscribed: "item since",
    ev.EquipmentRemoved: "code fee_until",
    ev.OptionCancelled: "code fee_until",
    ev.EquipmentChecked: "",
    ev.ReplacementShipped: "code return_by list_price",
    ev.FaultyItemReturned: "code",
    ev.UsageMeasured: "meter period",
    ev.SupplementaryWorkDone: "code free",
    ev.ContractRenewed: "term fees",
    ev.ContractSetAside: "due_on clause reason held",
}
READS = {event: _read_of(event, names) for event, names in _LOOKED_AT.items()}
READS[ev.InstalmentBilled] = _read_of(
    ev.InstalmentBilled, "billed_on until nets invoice settled deducted", nets=Raw
)
_signature = {field.name for field in structs.fields(ev.ContractSigned)}
READS[ev.ContractSigned] = _read_of(ev.ContractSigned, " ".join(_signature), terms=Raw)
_FOLDS.update({read: fold for fold, read in READS.values()})


def apply(contract: Contract | None, event: Event) -> Contract:
    """The contract after one more event."""
    return _FOLDS[type(event)](contract, event)


def fold(contract: Contract | None, events: Iterable[Event]) -> Contract | None:
    """The contract after these events; in chunks or at once, the same."""
    for event in events:
        contract = _FOLDS[type(event)](contract, event)
    return contract


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Contract)


def to_bytes(contract: Contract) -> bytes:
    """The state as stored beside the log: a cache, rebuilt at will."""
    return _encoder.encode(contract)


def from_bytes(body: bytes) -> Contract:
    """The state read back; its terms must be known (`intern_terms`)."""
    return _decoder.decode(body)
