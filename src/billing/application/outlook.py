"""What is to come: how a contract stands, its next dates, its next invoices (échéancier).

Nothing is written here. Dates come from the contract as its events leave it, amounts from the
month's own pass, played ahead on a copy that nobody keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from billing.application.core import Billing
from billing.clauses.renewal import last_day_for_notice, prompt_on
from billing.contract import renew
from billing.contract.state import Contract, apply
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


class Ahead(NamedTuple):
    """A day to come, told in the same words whatever day it is; from `lapses_on` on, no more."""

    on: date
    what: str
    told: str
    net: Decimal | None = None
    lapses_on: date = NEVER


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
        return Standing("ended", end, why_it_ends(contract))
    if not contract.billable:
        return Standing("waiting for acceptance", contract.signed_on, "no acceptance is signed yet")
    if contract.suspended_on is not None:
        return Standing("suspended", contract.suspended_on, contract.suspended_by)
    aside = contract.aside
    if aside is not None and aside.held:
        return Standing("set aside", aside.due_on, f"{aside.clause}: {aside.reason}")
    if on < contract.starts_on:
        return Standing("to start", contract.starts_on)
    return Standing("running", contract.starts_on, why_it_runs(contract))


def needs_someone(contract: Contract) -> bool:
    """Whether the contract is set aside and still has something to bill: someone has to act."""
    return contract.aside is not None and contract.next_due() is not None


def why_it_ends(contract: Contract) -> str:
    """Why the contract has an end, for one that has."""
    if contract.cause:
        return contract.cause.replace("_", " ")
    if contract.noticed_end is not None:
        return "notice was given"
    if contract.terms.renewal.kind == "offer":
        return "its renewal was not accepted"
    return "its term is over"


def why_it_runs(contract: Contract) -> str:
    """What is to be known of a contract while it runs, if anything is."""
    aside = contract.aside
    if aside is not None:
        return f"billed without its {aside.clause}: {aside.reason}"
    return "its growth is blocked (overrun)" if contract.blocked else ""


def comings(contract: Contract, today: date, first: Forecast | None = None) -> Iterator[Coming]:
    """The next day of each kind for the contract: what to send, to do, to expect, in any order."""
    if contract.cancelled_on is not None:
        return
    number, client = contract.number, contract.client
    for on, what, told, net, lapses_on in ahead(contract):
        if today < lapses_on:
            yield Coming(on, number, client, what, told, net, on < today)
    if first is not None:
        period = f" for {first.period}" if first.period else ""
        told = f"next invoice{period}"
        yield Coming(first.on, number, client, "invoice", told, first.net, first.on < today)


def ahead(contract: Contract) -> Iterator[Ahead]:
    """The same but for the next invoice, whatever day it is: each until it lapses."""
    if contract.cancelled_on is not None:
        return
    end = contract.ends_on
    yield from _before_the_end(contract, end)
    revision = contract.next_revision_on
    if revision is not None and revision < (end or NEVER) and contract.billable:
        aside = contract.aside
        if contract.next_instalment() is not None:
            waits = aside is not None and aside.clause == "revision"
            told = f"revision waits: {aside.reason}" if aside and waits else "revision"
            yield Ahead(revision, "revision", told)
    if end is not None:
        told = f"last day of the contract ({why_it_ends(contract)})"
        yield Ahead(end - DAY, "end", told, lapses_on=end)
        for task in contract.terms.tasks:
            if task.code not in contract.tasks_done:
                days = timedelta(days=task.days_after_end)
                yield Ahead(end + days, "task", f"{task.code}: {task.label}, at the latest")
    yield from _of_the_cover(contract, end or NEVER)
    for clock in contract.clocks:
        if clock.allowed_from is not None and (end is None or clock.allowed_from < end):
            allows = " or ".join(clock.allows)
            told = f"the letter of {clock.sent_on} ({clock.clock}) allows to {allows}"
            yield Ahead(clock.allowed_from, "clock", told)


def _before_the_end(contract: Contract, end: date | None) -> Iterator[Ahead]:
    term, renewal = contract.term, contract.terms.renewal
    if term is None:
        return
    # Where no other term follows, there is nothing left to send or to say once this one is over.
    lapses = NEVER if end is None else term.end
    goes_on = (end or NEVER) > term.end
    offers = renewal.kind == "offer" and contract.terminated_on is None
    if (goes_on or offers) and contract.offered is None:
        day = prompt_on(renewal, term)
        if day is not None:
            what = "offer" if offers else "quote"
            told = f"renewal {what} to send, the term ends on {term.last_day}"
            yield Ahead(day, what, told, lapses_on=lapses)
    if offers and contract.offered is not None and not contract.offer_accepted:
        told = "last day to accept the renewal offered"
        yield Ahead(term.last_day, "offer", told, lapses_on=lapses)
    if not goes_on:
        return
    if renewal.kind == "tacit":
        day = last_day_for_notice(renewal, term)
        counted = "sent" if renewal.notice.counted_on == "dispatch" else "received"
        told = f"last day for a notice, {counted}, against renewal"
        yield Ahead(day, "notice", told, lapses_on=min(lapses, day + DAY))
    yield Ahead(term.end, "renewal", f"renewal ({renewal.kind})", lapses_on=lapses)


def _of_the_cover(contract: Contract, end: date) -> Iterator[Ahead]:
    warranted = contract.terms.cover.warranty_kinds
    for covered in contract.items:
        item, until = covered.item, covered.until
        if until is not None:
            if until < end:
                told = f"the fee of {item.code} ends"
                yield Ahead(until, "fee end", told, lapses_on=until + DAY)
            continue
        day = item.warranty_until
        if day is not None and item.kind in warranted and day < end:
            yield Ahead(day, "warranty", f"last day of warranty of {item.code}, then it leaves")
        if item.discount and (day := item.discount_until):
            told = f"last day of the discount on {item.code}"
            yield Ahead(day, "discount", told, lapses_on=day + DAY)
    for exchange in contract.exchanges:
        told = f"{exchange.code} is due back, else {exchange.list_price} € are billed"
        yield Ahead(exchange.return_by, "return", told, exchange.list_price)


def next_billed(contract: Contract) -> tuple[date, Period | None] | None:
    """The next day fees or charges are due to be billed, and the period of the fees, whatever day
    it is and whether or not there will be anything to pay.

    Once a term is billed whole, the first period of the term that follows; of a contract that
    follows another, only once that one is renewed.
    """
    days: list[tuple[date, Period | None]] = []
    if contract.billable or contract.cancelled_on is not None:
        days += [(pending.charge.due_on, None) for pending in contract.pending]
    if contract.billable:
        instalment, earliest = contract.next_instalment(), date.min
        if instalment is None and (term := contract.term) is not None:
            for event in renew.due(contract, term.end, None):
                instalment, earliest = apply(contract, event).next_instalment(), term.end
        if instalment is not None:
            days.append((max(earliest, instalment.day), instalment.days))
    if not days:
        return None
    on = min(days, key=itemgetter(0))[0]
    return on, next((period for day, period in days if day == on and period), None)


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
