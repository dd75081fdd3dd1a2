"""What is to come: how a contract stands, its next dates, its next invoices (échéancier).

Nothing is written here. Dates come from the contract as its events leave it, amounts from the
month's own pass, played ahead on a copy that nobody keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from billing.application.core import Billing
from billing.clauses.renewal import last_day_for_notice, prompt_on
from billing.contract.state import Contract
from billing.dates import DAY, NEVER, Period
from billing.events.invoice import InvoiceIssued
from billing.identity import contract_id
from billing.month import Outcome, Series, Stamp, decide, issue
from indices import IndexBook

Status = Literal[
    "running", "to start", "waiting for acceptance", "suspended", "set aside", "ended", "cancelled"
]
STATUSES: Final[tuple[Status, ...]] = (
    "running", "to start", "waiting for acceptance", "suspended", "set aside", "ended", "cancelled"
)  # fmt: skip
Parents = Callable[[str], Contract | None]


class Standing(Struct, frozen=True):
    """How a contract stands on a day, since when where that is known, and why."""

    status: Status
    since: date | None = None
    why: str = ""


class Coming(Struct, frozen=True):
    """A day to come for a contract, or one that passed with something left to do (`late`)."""

    on: date
    contract: str
    client: str
    what: str
    told: str
    net: Decimal | None = None
    late: bool = False


class Forecast(NamedTuple):
    """An invoice to come, at the prices and indices of today."""

    on: date
    period: Period | None
    net: Decimal
    tax: Decimal
    gross: Decimal
    due_on: date
    collected_on: date | None
    means: str


class Outlook(NamedTuple):
    """The invoices to come of one contract, and why there are no more, if something stops them."""

    invoices: tuple[Forecast, ...]
    stopped: str


def standing(contract: Contract, on: date) -> Standing:
    """How the contract stands on a day: its status is worked out, never recorded."""
    end = contract.ends_on
    if contract.cancelled_on is not None:
        return Standing("cancelled", contract.cancelled_on)
    if end is not None and on >= end:
        return Standing("ended", end, contract.cause.replace("_", " ") or _why_it_ends(contract))
    if not contract.billable:
        return Standing("waiting for acceptance", contract.signed_on, "no acceptance is signed yet")
    if contract.suspended_on is not None:
        return Standing("suspended", contract.suspended_on, contract.suspended_by)
    aside = contract.aside
    if aside is not None and aside.held:
        return Standing("set aside", aside.due_on, f"{aside.clause}: {aside.reason}")
    if on < contract.starts_on:
        return Standing("to start", contract.starts_on)
    why = "its growth is blocked (overrun)" if contract.blocked else ""
    if aside is not None:
        why = f"billed without its {aside.clause}: {aside.reason}"
    return Standing("running", contract.starts_on, why)


def needs_someone(contract: Contract) -> bool:
    """Whether the contract is set aside and still has something to bill: someone has to act."""
    return contract.aside is not None and contract.next_due() is not None


def _why_it_ends(contract: Contract) -> str:
    if contract.noticed_end is not None:
        return "notice was given"
    if contract.terms.renewal.kind == "offer":
        return "its renewal was not accepted"
    return "its term is over"


def comings(contract: Contract, today: date, first: Forecast | None = None) -> Iterator[Coming]:
    """The next day of each kind for the contract: what to send, to do, to expect, in any order."""

    def coming(on: date, what: str, told: str, net: Decimal | None = None) -> Coming:
        late = on < today
        return Coming(on, contract.number, contract.client, what, told, net, late)

    if contract.cancelled_on is not None:
        return
    end = contract.ends_on
    yield from _before_the_end(contract, today, coming)
    if first is not None:
        period = f" for {first.period}" if first.period else ""
        yield coming(first.on, "invoice", f"next invoice{period}", first.net)
    revision = contract.next_revision_on
    billing_goes_on = contract.billable and contract.next_instalment() is not None
    if revision is not None and revision < (end or NEVER) and billing_goes_on:
        aside = contract.aside
        waits = aside is not None and aside.clause == "revision"
        told = f"revision waits: {aside.reason}" if aside and waits else "revision"
        yield coming(revision, "revision", told)
    if end is not None and end > today:
        why = contract.cause.replace("_", " ") or _why_it_ends(contract)
        yield coming(end - DAY, "end", f"last day of the contract ({why})")
    if end is not None:
        for task in contract.terms.tasks:
            if task.code not in contract.tasks_done:
                days = timedelta(days=task.days_after_end)
                yield coming(end + days, "task", f"{task.code}: {task.label}, at the latest")
    yield from _of_the_cover(contract, today, coming)
    for clock in contract.clocks:
        if clock.allowed_from is not None and (end is None or clock.allowed_from < end):
            allows = " or ".join(clock.allows)
            told = f"the letter of {clock.sent_on} ({clock.clock}) allows to {allows}"
            yield coming(clock.allowed_from, "clock", told)


def _before_the_end(
    contract: Contract, today: date, coming: Callable[..., Coming]
) -> Iterator[Coming]:
    term, renewal = contract.term, contract.terms.renewal
    if term is None or (term.end <= today and contract.ends_on is not None):
        return
    offers = renewal.kind == "offer" and contract.terminated_on is None
    if (contract.goes_on or offers) and contract.offered is None:
        day = prompt_on(renewal, term)
        if day is not None:
            what = "offer" if offers else "quote"
            yield coming(day, what, f"renewal {what} to send, the term ends on {term.last_day}")
    if offers and contract.offered is not None and not contract.offer_accepted:
        yield coming(term.last_day, "offer", "last day to accept the renewal offered")
    if contract.goes_on and renewal.kind == "tacit":
        day = last_day_for_notice(renewal, term)
        if day >= today:
            counted = "sent" if renewal.notice.counted_on == "dispatch" else "received"
            yield coming(day, "notice", f"last day for a notice, {counted}, against renewal")
    if contract.goes_on:
        yield coming(term.end, "renewal", f"renewal ({renewal.kind})")


def _of_the_cover(
    contract: Contract, today: date, coming: Callable[..., Coming]
) -> Iterator[Coming]:
    end = contract.ends_on or NEVER
    for covered in contract.items:
        item = covered.item
        open_ended = covered.until is None
        if open_ended and item.kind in contract.terms.cover.warranty_kinds:
            until = item.warranty_until
            if until is not None and until < end:
                yield coming(
                    until, "warranty", f"last day of warranty of {item.code}, then it leaves"
                )
        if covered.until is not None and today <= covered.until < end:
            yield coming(covered.until, "fee end", f"the fee of {item.code} ends")
        if open_ended and item.discount and item.discount_until and item.discount_until >= today:
            yield coming(
                item.discount_until, "discount", f"last day of the discount on {item.code}"
            )
    for exchange in contract.exchanges:
        told = f"{exchange.code} is due back, else {exchange.list_price} € are billed"
        yield coming(exchange.return_by, "return", told, exchange.list_price)


def forecast(
    contract: Contract,
    book: IndexBook,
    today: date,
    count: int = 1,
    until: date | None = None,
    parents: Parents = lambda number: None,
) -> Outlook:
    """The next invoices of the contract at current prices: what the runs to come would bill.

    Revisions to come are left out, since their indices are not known; renewals are not. Nothing
    is dated before `today`.
    """
    stamp = Stamp(datetime.combine(today, time(), UTC), "forecast", "forecast")
    series = Series(lambda supplier, year: None, lambda supplier: "")
    found: list[Forecast] = []
    after = _at_current_prices(contract)
    parent = parents(contract.parent) if contract.parent else None
    while (day := after.next_due()) is not None and day < (until or NEVER) and len(found) < count:
        parent = parent and _renewed_by(parent, day, book, stamp)
        outcome = _ahead(after, day, book, parent, stamp)
        if outcome.aside is not None and outcome.aside.held:
            return Outlook(tuple(found), f"{outcome.aside.clause}: {outcome.aside.reason}")
        issued = issue(outcome, series, max(today, day), stamp)
        if issued.after.version == after.version:
            break
        after = _at_current_prices(issued.after)
        found += (
            Forecast(
                invoice.issued_on, invoice.period, invoice.net, invoice.tax, invoice.gross,
                invoice.due_on, invoice.collected_on, invoice.means,
            )
            for invoice in issued.invoices
            if isinstance(invoice, InvoiceIssued)
        )  # fmt: skip
    return Outlook(tuple(found[:count]), "")


def _ahead(
    contract: Contract, day: date, book: IndexBook, parent: Contract | None, stamp: Stamp
) -> Outcome:
    return decide(contract_id(contract.number), contract, day, book, parent, stamp)


def _at_current_prices(contract: Contract) -> Contract:
    return replace(contract, next_revision_on=None, revision_waiting=False, last_revision=None)


def _renewed_by(parent: Contract, day: date, book: IndexBook, stamp: Stamp) -> Contract:
    """The contract another one follows, as that day will find it."""
    while parent.term is not None and parent.goes_on and parent.term.end <= day:
        before = parent
        bare = replace(parent, pending=(), items=(), clocks=(), exchanges=())
        outcome = _ahead(_at_current_prices(bare), parent.term.end, book, None, stamp)
        parent = outcome.after
        if parent.term == before.term:
            break
    return parent


def parents_of(app: Billing) -> Parents:
    """Where the contracts that others follow are found."""

    def parent(number: str) -> Contract | None:
        row = app.store.state("contract", number)
        return None if row is None else app.contract_of(row)

    return parent


def next_dates(app: Billing, contract: Contract, until: date | None = None) -> list[Coming]:
    """The dates to come of one contract, and those that passed with something left to do."""
    found = _dates(contract, app.book(), app.today, until, parents_of(app))
    return sorted(found, key=_in_order)


def calendar(app: Billing, until: date) -> list[Coming]:
    """The dates to come of every contract up to a day, in order."""
    book, today, parents = app.book(), app.today, parents_of(app)
    found: list[Coming] = []
    for contract in app.contracts():
        found += _dates(contract, book, today, until, parents)
    return sorted(found, key=_in_order)


def _dates(
    contract: Contract, book: IndexBook, today: date, until: date | None, parents: Parents
) -> Iterator[Coming]:
    ahead = forecast(contract, book, today, 1, until and until + DAY, parents)
    first = ahead.invoices[0] if ahead.invoices else None
    for one in comings(contract, today, first):
        if until is None or one.on <= until:
            yield one


def _in_order(one: Coming) -> tuple[date, str, str]:
    return one.on, one.contract, one.what


def waiting(app: Billing, contract: Contract) -> Outlook:
    """What a contract set aside would bill today at current prices, were its trouble resolved."""
    book, today = app.book(), app.today
    return forecast(contract, book, today, 1_000, today + DAY, parents_of(app))
