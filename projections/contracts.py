"""Contracts (contrats): how each stands, what a year of it costs, its next dates, its items.

A row is made from the state billing keeps of the contract. What follows from the day it is read
on is no column: how the contract stands, and its yearly fee. The days these follow from are
columns, and SQL texts made from them say both for any day (`status_sql`, `yearly_sql`), as do
`standing_on` and `yearly_on` in the program.

The yearly fee (montant annuel) on a day is the sum over the items in the cover that day of quantity
× price in force × (1 − discount) × 12/months, exact, rounded once a contract. Before the contract
starts it is that of its first day, from its end on nothing; a contract of usage only has none.

Parties are named by their codes (`party` has the names): no row holds personal data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter
from typing import Any, ClassVar, Final
from uuid import UUID

from msgspec import Struct, defstruct
from sqlalchemy import Index, Table

from billing.dates import DAY, NEVER
from billing.events import TOPICS
from billing.money import HUNDRED, ZERO, to_cents
from projections.bodies import in_cents, json_of
from projections.tables import IN_LINE, body, cents, day, flag, key, metadata, stream, text, whole
from projections.view import (
    Contract,
    Covered,
    Instalment,
    Standing,
    StateView,
    Told,
    last_day_for_notice,
    prompt_on,
    why_it_ends,
    why_it_runs,
)

CURRENCY: Final = "EUR"

Fee = tuple[date, Decimal | None]
"""A yearly fee in euros, from a day on; none for a contract of usage only."""

contract = Table(
    "contract",
    metadata,
    stream(),
    key("number", "Its number", primary=True),
    whole("version", "Of its stream: how many events it has"),
    key("supplier", "Who supplies (a party's code)"),
    key("client", "Who buys (a party's code)"),
    key("form", "The contract form it was signed on"),
    key("category", "What the client is: professional, public, non_professional, consumer"),
    key("parent", "The contract whose duration it follows; '' for none"),
    key("purchase_order", "The client's purchase order"),
    key("site", "Where it is carried out"),
    key("mandate", "The mandate its invoices are collected under; '' for none"),
    day("signed_on", "The day it was signed"),
    day("accepted_on", "The day the installation was accepted", optional=True),
    flag("billable", "Fees run: it is not cancelled, and accepted where it has to be"),
    day("starts_on", "The day it starts (prise d'effet)"),
    whole("renewals", "How often it was renewed"),
    day("ends_on", "The day after its last, once that is known", optional=True),
    text("why_ended", "Why it has an end; '' while it has none"),
    key("currency", "Of its prices"),
    text("coefficient", "Of the revisions since the signature, exact: a number or a fraction"),
    whole("every_months", "Months of a billing period; none: the whole term", optional=True),
    flag("in_advance", "Billed before the period (terme à échoir), not after it (terme échu)"),
    day("billed_until", "The day after the last one billed"),
    day("next_due_on", "The next day the month's pass has something to do", optional=True),
    day("next_revision_on", "The next revision of its prices", optional=True),
    day("notice_by", "The last day for a notice against tacit renewal", optional=True),
    key("prompt", "What is to be sent before the term ends: quote, offer or ''"),
    day("prompt_on", "When that is to be sent", optional=True),
    day("suspended_on", "Since when its service is suspended", optional=True),
    key("suspended_by", "By which formal notice"),
    flag("blocked", "Its growth is blocked (overrun)"),
    day("cancelled_on", "The day the order was cancelled", optional=True),
    day("terminated_on", "The day it was terminated for, before its term", optional=True),
    key("cause", "Why it was terminated"),
    day("term_start", "The first day of the present term, if it has one", optional=True),
    day("term_end", "The day after the last of the present term", optional=True),
    day("yearly_from", "From when on its items cost what is agreed last"),
    cents("yearly_cents", "Yearly fee from that day on (`yearly_fee`: before)", optional=True),
    day("next_instalment_on", "When the next period is billed; none when all is", optional=True),
    day("aside_on", "The day of what could not be done (mise de côté)", optional=True),
    key("aside_clause", "The clause that could not be followed; '' for none"),
    text("aside_reason", "Why"),
    flag("aside_held", "Its billing waits too, not only the clause"),
    text("why_running", "What is to be known of it while it runs"),
    day("priced_from", "From when on its items have the prices that `body` tells", optional=True),
    body(),
    comment="Contracts as they are now (contrats)",
    postgresql_with=IN_LINE,
)
Index("contract_stream", contract.c.stream)
Index("contract_client", contract.c.client, contract.c.number)
Index("contract_parent", contract.c.parent, contract.c.number)

yearly_fee = Table(
    "yearly_fee",
    metadata,
    stream(),
    day("from_on", "From that day on"),
    cents("yearly_cents", "Yearly fee"),
    comment="Yearly fees before the one agreed last (contract.yearly_from), each until the next",
)
Index("yearly_fee_stream", yearly_fee.c.stream, yearly_fee.c.from_on, unique=True)


_COLUMNS: Final = tuple([str(column.name) for column in contract.columns])
_TOLD: Final = _COLUMNS[1 : _COLUMNS.index("term_start")]
"""The columns that are told as they are; those after them are told otherwise."""

_RARE: Final = (
    *("offered", "charges", "formal_notices", "to_be_returned", "substituted_indices"),
    *("deposits", "indemnity", "tasks_done"),
)

Shown: Final = defstruct(
    "Shown",
    [
        *(*_TOLD, "term", "yearly_fees", "means", "renewal", "terms", "next_instalment"),
        *("noticed_end", "set_aside", "items"),
        *((name, Any, None) for name in _RARE),
    ],
    kw_only=True,
    omit_defaults=True,
    gc=False,
)
"""A contract as the API answers it, but for what depends on the day; amounts in euros.

What few contracts have (_RARE) is there only where there is any.
"""


class ShownItem(Struct, omit_defaults=True, gc=False):
    """An item at the price last agreed; `prices` where it had another, or has one to come."""

    code: str
    label: str
    kind: str
    quantity: Decimal
    unit_price: Decimal
    priced_since: date
    per_months: int
    discount: Decimal
    discount_until: date | None
    since: date
    until: date | None
    warranty_until: date | None
    serial: str
    site: str
    indexed: bool
    vat: str
    added: int
    prices: list[dict[str, Any]] | None = None


class Contracts(StateView):
    """The contracts, and their yearly fees."""

    name = "contracts"
    kind = "contract"
    tables = (contract, yearly_fee)
    topics: ClassVar = frozenset(topic for topic in TOPICS if topic.startswith("contract."))

    @property
    def version(self) -> int:
        """The second: `priced_from`, and bodies left open."""
        return 2

    def show(self, id: UUID, state: Contract) -> Iterator[Told]:
        """The row of a contract, and those of its yearly fees before the one agreed last."""
        fees = yearly_fees(state)
        for from_on, amount in fees[:-1]:
            yield yearly_fee, (id, from_on, in_cents(amount))
        yearly_from, yearly = fees[-1]
        term, aside = state.term, state.aside
        instalment = state.next_instalment() if state.billable else None
        shown = _shown(state, fees, instalment)
        row = (
            id, *_told(shown),
            term and term.start, term and term.end,
            yearly_from, in_cents(yearly),
            instalment and instalment.day,
            aside and aside.due_on, aside.clause if aside else "", aside.reason if aside else "",
            aside is not None and aside.held,
            why_it_runs(state),
            _priced_from(state),
            json_of(shown)[:-1],  # Left open: what depends on the day is put behind it.
        )  # fmt: skip
        yield contract, row


_told: Final = attrgetter(*_TOLD)


def _shown(c: Contract, fees: Sequence[Fee], instalment: Instalment | None) -> Any:
    terms, end, aside = c.terms, c.ends_on, c.aside
    prompt, prompted_on = _prompt(c, end)
    return Shown(
        number=c.number,
        version=c.version,
        supplier=c.supplier,
        client=c.client,
        form=c.form,
        category=c.category,
        parent=c.parent,
        purchase_order=c.purchase_order,
        site=c.site,
        mandate=c.mandate,
        signed_on=c.signed_on,
        accepted_on=c.accepted_on,
        billable=c.billable,
        starts_on=c.starts_on,
        renewals=c.renewals,
        ends_on=end,
        why_ended="" if end is None else why_it_ends(c),
        currency=CURRENCY,
        coefficient=c.coefficient,
        every_months=terms.schedule.every_months,
        in_advance=terms.schedule.in_advance,
        billed_until=c.billed_until,
        next_due_on=c.next_due(),
        next_revision_on=c.next_revision_on,
        notice_by=_notice_by(c, end),
        prompt=prompt,
        prompt_on=prompted_on,
        suspended_on=c.suspended_on,
        suspended_by=c.suspended_by,
        blocked=c.blocked,
        cancelled_on=c.cancelled_on,
        terminated_on=c.terminated_on,
        cause=c.cause,
        term=c.term,
        yearly_fees=[{"from": from_on, "amount": amount} for from_on, amount in fees],
        means=terms.payment.means,
        renewal=terms.renewal.kind,
        terms=c.terms_ids[-1][1],
        next_instalment=instalment and {"on": instalment.day, "period": instalment.days},
        noticed_end=c.noticed_end,
        set_aside=aside
        and {
            "due_on": aside.due_on,
            "clause": aside.clause,
            "reason": aside.reason,
            "held": aside.held,
        },
        items=[_item(covered) for covered in c.items],
        **_rare(c),
    )


def _item(covered: Covered) -> ShownItem:
    item, prices = covered.item, covered.prices
    last = prices[-1]
    others = None
    if len(prices) > 1:
        others = [{"from": p.effective_on, "unit_price": p.unit_price, "by": p.by} for p in prices]
    return ShownItem(
        item.code, item.label, item.kind, item.quantity, last.unit_price, last.effective_on,
        item.per_months, item.discount, item.discount_until, covered.since, covered.until,
        item.warranty_until, item.serial, item.site, item.indexed, item.vat, covered.added, others,
    )  # fmt: skip


def _priced_from(c: Contract) -> date | None:
    """The last day a price changes; none where each item has had one price."""
    days = [price.effective_on for one in c.items if len(one.prices) > 1 for price in one.prices]
    return max(days, default=None)


def _rare(c: Contract) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if c.offered is not None:
        told["offered"] = {
            "offered_on": c.offered.offered_on,
            "term": c.offered.term,
            "reference": c.offered.reference,
            "accepted": c.offer_accepted,
        }
    if c.pending:
        told["charges"] = [
            {"code": p.charge.code, "label": p.charge.label, "kind": p.charge.kind}
            | {"due_on": p.charge.due_on, "net": p.charge.net, "by": p.version}
            for p in c.pending
        ]
    if c.clocks:
        told["formal_notices"] = [
            {"clock": x.clock, "by": x.by, "sent_on": x.sent_on}
            | {"allowed_from": x.allowed_from, "allows": x.allows}
            for x in c.clocks
        ]
    if c.exchanges:
        told["to_be_returned"] = [
            {"code": x.code, "return_by": x.return_by, "list_price": x.list_price}
            for x in c.exchanges
        ]
    if c.substitutes:
        told["substituted_indices"] = [
            {"series": x.series, "by_series": x.by_series} for x in c.substitutes
        ]
    if c.deposits:
        told["deposits"] = [
            {"invoice": x.invoice, "issued_on": x.issued_on, "net": x.net, "tax": x.tax}
            | {"cashed": x.cashed, "credited_net": x.credited_net, "deducted_net": x.deducted_net}
            for x in c.deposits
        ]
    if c.indemnity is not None:
        told["indemnity"] = c.indemnity
    if c.tasks_done:
        told["tasks_done"] = c.tasks_done
    return told


def _notice_by(c: Contract, end: date | None) -> date | None:
    """The last day on which a notice stops the tacit renewal."""
    renewal, term = c.terms.renewal, c.term
    if term is None or renewal.kind != "tacit" or (end or NEVER) <= term.end:
        return None
    return last_day_for_notice(renewal, term)


def _prompt(c: Contract, end: date | None) -> tuple[str, date | None]:
    """The renewal quote or offer still to be sent, and when."""
    renewal, term = c.terms.renewal, c.term
    if term is None or c.offered is not None or c.cancelled_on is not None:
        return "", None
    offers = renewal.kind == "offer" and c.terminated_on is None
    if not offers and (end or NEVER) <= term.end:
        return "", None
    prompted_on = prompt_on(renewal, term)
    if prompted_on is None:
        return "", None
    return ("offer" if offers else "quote"), prompted_on


# What a year costs


def yearly_fees(c: Contract) -> list[Fee]:
    """Days from which the yearly fee is another, with it; one for a contract that never changes.

    The first is the day the contract starts: of what was billed long ago the state of a contract
    forgets prices and items, and so do these.
    """
    start, end = c.starts_on, c.ends_on or NEVER
    if not c.items:
        return [(start, None if c.terms.meters else ZERO)]
    odd = any(12 % covered.item.per_months for covered in c.items)
    nothing: Any = Fraction(0) if odd else ZERO
    changes = {start: nothing}
    for covered in c.items:
        before = nothing
        for on, amount in _steps(covered, odd):
            day = max(on, start)
            changes[day] = changes.get(day, nothing) + amount - before
            before = amount
    found: list[Fee] = []
    exact = nothing
    for on in sorted(changes):
        if on >= end and found:
            break
        exact += changes[on]
        amount = to_cents(exact)
        if not found or found[-1][1] != amount:
            found.append((on, amount))
    return found


def _steps(covered: Covered, odd: bool) -> Iterator[tuple[date, Any]]:
    """What a year of an item costs, exact, from each day on that it changes.

    `odd`: as a fraction, where some fee is for a number of months that does not divide a year.
    """
    item, since, until = covered.item, covered.since, covered.until
    days = [since]
    if len(covered.prices) > 1:
        days += [price.effective_on for price in covered.prices if price.effective_on > since]
    last = item.discount_until if item.discount else None
    if last is not None and last >= since:
        days = sorted({*days, last + DAY})
    for on in days:
        if until is not None and on >= until:
            break
        fee = item.quantity * covered.price_on(on).unit_price
        if item.discount and (last is None or on <= last):
            fee = fee * (HUNDRED - item.discount) / HUNDRED
        months = item.per_months
        yield on, Fraction(fee) * 12 / months if odd else fee * (12 // months)
    if until is not None and until > since:
        yield until, Fraction(0) if odd else ZERO


def yearly_on(row: Mapping[str, Any], fees: Sequence[tuple[date, int]], on: date) -> int | None:
    """The yearly fee of a contract on a day, in cents: from its row, and the fees before."""
    ended = row["ends_on"] is not None and row["ends_on"] <= on
    if ended or row["cancelled_on"] is not None:
        return None if row["yearly_cents"] is None else 0
    if on >= row["yearly_from"] or not fees:
        yearly: int | None = row["yearly_cents"]
        return yearly
    past = [amount for from_on, amount in fees if from_on <= on]
    return past[-1] if past else fees[0][1]


# How it stands on a day

NOT_ACCEPTED: Final = "no acceptance is signed yet"

_STANDINGS: Final = (
    # When, in this order: the status, since when, why. {c} is the table, {on} the day it is asked.
    ("{c}.cancelled_on IS NOT NULL", "cancelled", "cancelled_on", "''"),
    ("{c}.ends_on <= {on}", "ended", "ends_on", "{c}.why_ended"),
    ("NOT {c}.billable", "waiting for acceptance", "signed_on", f"'{NOT_ACCEPTED}'"),
    ("{c}.suspended_on IS NOT NULL", "suspended", "suspended_on", "{c}.suspended_by"),
    ("{c}.aside_held", "set aside", "aside_on", "{c}.aside_clause || ': ' || {c}.aside_reason"),
    ("{c}.starts_on > {on}", "to start", "starts_on", "''"),
    ("1 = 1", "running", "starts_on", "{c}.why_running"),
)


def standing_on(row: Mapping[str, Any], on: date) -> Standing:
    """How a contract stands on a day, by its row; what `status_sql` and its like say in SQL."""
    if row["cancelled_on"] is not None:
        return Standing("cancelled", row["cancelled_on"])
    if row["ends_on"] is not None and row["ends_on"] <= on:
        return Standing("ended", row["ends_on"], row["why_ended"])
    if not row["billable"]:
        return Standing("waiting for acceptance", row["signed_on"], NOT_ACCEPTED)
    if row["suspended_on"] is not None:
        return Standing("suspended", row["suspended_on"], row["suspended_by"])
    if row["aside_held"]:
        return Standing(
            "set aside", row["aside_on"], f"{row['aside_clause']}: {row['aside_reason']}"
        )
    if row["starts_on"] > on:
        return Standing("to start", row["starts_on"])
    return Standing("running", row["starts_on"], row["why_running"])


def status_on(row: Mapping[str, Any], on: date) -> str:
    """The status of a contract on a day."""
    return standing_on(row, on).status


def status_sql(on: str, table: str = "contract") -> str:
    """SQL for the status; `on` is SQL for the day: a parameter's mark, CURRENT_DATE …"""
    return _case(on, table, [f"'{status}'" for _, status, _, _ in _STANDINGS])


def since_sql(on: str, table: str = "contract") -> str:
    """SQL for the day since when it stands so."""
    return _case(on, table, [f"{{c}}.{since}" for _, _, since, _ in _STANDINGS])


def why_sql(on: str, table: str = "contract") -> str:
    """SQL for why it stands so."""
    return _case(on, table, [why for _, _, _, why in _STANDINGS])


def yearly_sql(on: str, table: str = "contract") -> str:
    """SQL for the yearly fee on a day, in cents."""
    before = f"SELECT yearly_cents FROM yearly_fee WHERE yearly_fee.stream = {table}.stream"
    return (
        f"CASE WHEN {table}.ends_on <= {on} OR {table}.cancelled_on IS NOT NULL"
        f" THEN {table}.yearly_cents * 0"
        f" WHEN {table}.yearly_from <= {on} THEN {table}.yearly_cents"
        f" ELSE COALESCE(({before} AND from_on <= {on} ORDER BY from_on DESC LIMIT 1),"
        f" ({before} ORDER BY from_on LIMIT 1), {table}.yearly_cents) END"
    )


def _case(on: str, table: str, then: Sequence[str]) -> str:
    cases = " ".join(
        f"WHEN {when} THEN {value}" for (when, *_), value in zip(_STANDINGS, then, strict=True)
    )
    return f"CASE {cases} END".format(c=table, on=on)
