"""The contract as its events leave it: an immutable fold.

Nothing is decided here and nothing is refused: what was recorded happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import first_term
from billing.clauses.revision import first_revision, next_revision
from billing.clauses.schedule import BillingPeriod, billed_on, billing_period
from billing.dates import DAY, NEVER, Period, months_between
from billing.events import contract as ev
from billing.events.base import Event
from indices import Link, Reading

# Terms are content: the same clauses are the same value everywhere, so states name them by
# their digest and share them, as a hundred thousand contracts of five forms need no more.
_TERMS: dict[str, Terms] = {}
_canonical = msgspec.json.Encoder(order="deterministic")


def terms_id(terms: Terms) -> str:
    """The name of these terms: a digest of all their clauses."""
    name = sha256(_canonical.encode(terms)).hexdigest()[:16]
    _TERMS.setdefault(name, terms)
    return name


def intern_terms(name: str, terms: Terms) -> None:
    """Makes terms known by their name."""
    _TERMS.setdefault(name, terms)


class Price(Struct, frozen=True, array_like=True):
    """A unit price in euros from a day on, and the version of the event that set it."""

    effective_on: date
    unit_price: Decimal
    by: int


class Covered(Struct, frozen=True, array_like=True):
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
        if len(prices) == 1:
            return prices[0]
        for price in reversed(prices):
            if price.effective_on <= day:
                return price
        return prices[0]


class Pending(Struct, frozen=True, array_like=True):
    """A charge waiting for its day: its key is its event's version × 1000 + its place."""

    key: int
    charge: ev.Charge

    @property
    def version(self) -> int:
        """The version of the event that made it due."""
        return self.key // 1000


class Clocked(Struct, frozen=True, array_like=True):
    """A formal notice whose clock runs."""

    clock: str
    by: str
    sent_on: date
    allowed_from: date | None
    allows: tuple[str, ...]


class Substitute(Struct, frozen=True, array_like=True):
    """An index replaced by recorded decision."""

    series: str
    by_series: str
    link: Link | None


class Exchange(Struct, frozen=True, array_like=True):
    """A replacement shipped; the faulty item is awaited."""

    code: str
    return_by: date
    list_price: Decimal


class Aside(Struct, frozen=True, array_like=True):
    """What the contract was last set aside for."""

    due_on: date
    clause: str
    reason: str
    held: bool


class Instalment(NamedTuple):
    """What is billed next: the whole billing period, its days in the term, the day."""

    whole: BillingPeriod
    days: Period
    day: date


class Contract(Struct, frozen=True, array_like=True, kw_only=True):
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
        kind = self.terms.renewal.kind
        if kind == "none" or (kind == "offer" and not self.offer_accepted):
            return self.term.end
        limit = self.terms.renewal.max_renewals
        return self.term.end if limit is not None and self.renewals >= limit else None

    @property
    def goes_on(self) -> bool:
        """Whether another term follows this one, as far as is known."""
        return self.term is not None and (self.ends_on or NEVER) > self.term.end

    @property
    def limit(self) -> date:
        """The day fees stop at, as far as is known: the end of the term or of the contract."""
        end = self.ends_on or NEVER
        return end if self.term is None else min(end, self.term.end)

    @property
    def billable(self) -> bool:
        """Whether fees run: not cancelled, and accepted where the contract asks for it."""
        if self.cancelled_on is not None:
            return False
        return self.accepted_on is not None or not self.terms.cover.needs_acceptance

    def covered(self, code: str) -> Covered | None:
        """The item of that code, the one last added when there are several."""
        return next((c for c in reversed(self.items) if c.item.code == code), None)

    def substitute_for(self, series: str) -> Substitute | None:
        """The decision that replaced a series."""
        return next((s for s in reversed(self.substitutes) if s.series == series), None)

    def next_due(self) -> date | None:
        """The next day on which the month's pass has something to do; none when all is done."""
        days = [pending.charge.due_on for pending in self.pending]
        terms = self.terms
        if self.billable:
            limit = self.limit
            if (instalment := self.next_instalment()) is not None:
                days.append(instalment.day)
            if self.next_revision_on is not None and not self.revision_waiting \
                    and self.next_revision_on < limit:
                days.append(self.next_revision_on)
            if terms.cover.catch_up == "at_once":
                days += [c.since for c in self.items if c.owed_from is not None]
        if self.cancelled_on is None:
            if self.goes_on:
                days.append(self.whole_term.end)
            if terms.cover.warranty_kinds:
                days += [
                    c.item.warranty_until + DAY
                    for c in self.items
                    if c.until is None
                    and c.item.warranty_until is not None
                    and c.item.kind in terms.cover.warranty_kinds
                    and c.item.warranty_until + DAY < (self.ends_on or NEVER)
                ]
            if terms.overrun is not None and self.clocks:
                days += [
                    c.allowed_from
                    for c in self.clocks
                    if c.clock == "overrun" and c.allowed_from is not None and not self.blocked
                ]
        days += [exchange.return_by + DAY for exchange in self.exchanges]
        return min(days, default=None)

    def next_instalment(self) -> Instalment | None:
        """The next period to bill, cut at the end of the term, and the day to bill it."""
        limit = self.limit
        start = self.billed_until
        if start >= limit:
            return None
        schedule = self.terms_on(start).schedule
        whole = billing_period(schedule, self.anchor_on, self.whole_term, start)
        days = Period(start, min(whole.period.end, limit))
        return Instalment(whole, days, billed_on(schedule, days))

    @property
    def whole_term(self) -> Period:
        """The term, or for a contract without one all days from its start."""
        return self.term or Period(self.starts_on, NEVER)


def _signed(_: Contract | None, event: ev.ContractSigned) -> Contract:
    terms = event.terms
    intern_terms(event.terms_id, terms)
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
            _enter(item, item.since or event.starts_on, None, event.originator_version)
            for item in event.items
            if item.per_months
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


def _enter(
    item: Item, since: date, owed_from: date | None, version: int, coefficient: str = "1"
) -> Covered:
    price = Price(since, item.unit_price, version)
    return Covered(item, since, item.until, owed_from, (price,), version, coefficient)


def _pending(pending: tuple[Pending, ...], event: ev.ContractEvent) -> tuple[Pending, ...]:
    base = event.originator_version * 1000
    return pending + tuple(Pending(base + i, charge) for i, charge in enumerate(event.charges))


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
        if after is not None and covered.until is None:
            prices = _priced(covered, Price(effective_on, after, version), c)
            if anew:
                item = replace(covered.item, unit_price=after)
                covered = replace(covered, item=item, coefficient=c.coefficient)
            covered = replace(covered, prices=prices)
        items.append(covered)
    return tuple(items)


def _priced(covered: Covered, price: Price, c: Contract) -> tuple[Price, ...]:
    """The prices still needed: those of days not billed yet, and the new one."""
    earliest = min(c.billed_until, covered.owed_from or NEVER, price.effective_on)
    kept = [p for p in covered.prices if p.effective_on < price.effective_on]
    while len(kept) > 1 and kept[1].effective_on <= earliest:
        kept.pop(0)
    return (*kept, price)


def _revised(c: Contract, event: ev.PriceRevised) -> Contract:
    items = _repriced(c, event.fees, event.effective_on, event.originator_version)
    clause = event.formula
    if event.corrects is not None:
        bases = tuple(comparison.current for comparison in event.comparisons)
        if clause.base == "original":
            bases = c.bases
        return _changed(c, event, items=items, bases=bases, last_revision=event)
    bases = c.bases
    coefficient = str(event.coefficient.value)
    if clause.base == "rolling":
        bases = tuple(comparison.current for comparison in event.comparisons)
        coefficient = str(Fraction(c.coefficient) * event.coefficient.value)
    return _changed(
        c,
        event,
        items=items,
        bases=bases,
        coefficient=coefficient,
        next_revision_on=next_revision(clause, c.starts_on, event.effective_on),
        revision_waiting=False,
        last_revision=event if clause.rectified == "regularise" else None,
        aside=None,
    )


def _amended(c: Contract, event: ev.TermsAmended) -> Contract:
    intern_terms(event.terms_id, event.terms)
    items = _repriced(c, event.fees, event.effective_on, event.originator_version, anew=True)
    fields: dict[str, Any] = {}
    revision = event.terms.revision
    if event.bases is not None:
        fields.update(bases=event.bases, original_bases=event.bases)
    if revision is None:
        fields.update(next_revision_on=None, revision_waiting=False)
    elif c.terms.revision is None or c.next_revision_on is None:
        first = first_revision(revision, c.starts_on)
        while first < event.effective_on:
            first = next_revision(revision, c.starts_on, first)
        fields.update(next_revision_on=first, revision_waiting=False)
    kept = [pair for pair in c.terms_ids if pair[0] < event.effective_on]
    earliest = min(c.billed_until, event.effective_on)
    while len(kept) > 1 and kept[1][0] <= earliest:
        kept.pop(0)
    return _changed(
        c, event, items=items, terms_ids=(*kept, (event.effective_on, event.terms_id)), **fields
    )


def _billed(c: Contract, event: ev.InstalmentBilled) -> Contract:
    pending = c.pending
    if event.settled:
        pending = tuple(p for p in pending if p.key not in event.settled)
    until = event.until
    if until is None:
        return _changed(
            c, event, pending=pending, last_invoice=event.invoice or c.last_invoice
        )
    first = c.first_invoice
    if first is None and event.nets:
        first = (event.invoice, sum((net for _, net in event.nets), Decimal(0)))
    items = c.items
    if any(x.owed_from is not None or (x.until and x.until <= until) for x in items):
        items = tuple(
            replace(x, owed_from=None) if x.owed_from is not None else x
            for x in items
            if x.until is None or x.until > until or x.until > event.billed_on
        )
    return _changed(
        c,
        event,
        billed_until=until,
        items=items,
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
    return _changed(
        c,
        event,
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
    return _changed(c, event, terminated_on=event.effective_on, cause=event.cause)


_FOLDS: dict[type[Event], Callable[[Any, Any], Contract]] = {
    ev.ContractSigned: _signed,
    ev.TermsAmended: _amended,
    ev.ContractAssigned: lambda c, e: _changed(c, e, **{e.side: e.to}),
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
    ev.DepositReceived: lambda c, e: _changed(c, e, deposit=c.deposit + e.amount),
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
    ev.IndemnitySettled: lambda c, e: _changed(c, e, indemnity=e.amount),
    ev.TaskDone: lambda c, e: _changed(c, e, tasks_done=(*c.tasks_done, e.code)),
    ev.InstalmentBilled: _billed,
    ev.ContractSetAside: _set_aside,
}


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
