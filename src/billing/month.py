"""The pass: contracts × a day × the index book → events. Pure: nothing is read or written.

A month is its days in order. On its day a contract is renewed, then its cover is looked over,
then it is revised, then billed; what cannot be done sets it aside, and the batch goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from billing.clauses.payment import Payment, collected_on, due_on
from billing.clauses.vat import VatTotal, tax_on
from billing.contract import bill, cover, deposit, renew, revise
from billing.contract.bill import Bill, CannotBill, Credit
from billing.contract.state import Contract, apply
from billing.dates import add_months
from billing.events.base import Event, stamped
from billing.events.contract import (
    ContractEvent,
    ContractSetAside,
    InstalmentBilled,
    PriceRevised,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, InvoiceNumbersTaken, Line
from billing.identity import invoice_id, stream
from billing.invoice import vat_totals
from billing.money import ZERO
from billing.numbering import Numbers, name, number
from indices import IndexBook, IndexUnavailable

FAILED = "engine"
UNPRINTABLE = "document"


class Stamp(NamedTuple):
    """What every event of a run bears: its clock, its author, the run's name."""

    at: datetime
    by: str
    run: str = ""


Document = InvoiceIssued | CreditNoteIssued
Fault = Callable[[Contract, Document], str]
"""Why a document could not be printed; "" for nothing. Asked while its number is not taken yet."""


class Outcome(NamedTuple):
    """What a day brings to one contract: events, then invoices still without a number."""

    id: UUID
    before: Contract
    after: Contract
    day: date
    events: tuple[ContractEvent, ...]
    bills: tuple[Bill, ...]
    aside: ContractSetAside | None


def decide(
    id: UUID,
    contract: Contract,
    day: date,
    book: IndexBook,
    parent: Contract | None,
    stamp: Stamp,
    stopped: Mapping[str, str] | None = None,
) -> Outcome:
    """What that day brings to the contract. Never raises for what is wrong with one contract.

    `stopped` are the mandates the banks debit no more, each with its sentence.
    """
    events: list[ContractEvent] = []
    after = contract
    aside: ContractSetAside | None = None
    try:
        for step in _STEPS:
            late = True
            while late:  # Several revisions may have waited for the same index.
                late = False
                for decision in step(after, day, parent, book):
                    if type(decision) is ContractSetAside:
                        aside = decision
                        continue
                    event = stamped(decision, id, after.version + 1, stamp.at, stamp.by)
                    events.append(event)
                    after = apply(after, event)
                    late = type(event) is PriceRevised and event.corrects is None
            if aside is not None and aside.held:
                break
        held = aside is not None and aside.held
        bills = () if held else tuple(bill.due(after, day, book, stopped))
        if bills and after.deposits and after.cancelled_on is None:
            bills = tuple(deposit.deducted(after, bills, day, book))
    except CannotBill as cannot:
        aside = ContractSetAside(due_on=day, clause=cannot.clause, reason=cannot.reason, held=True)
        bills = ()
    except IndexUnavailable as unavailable:
        aside = ContractSetAside(due_on=day, clause="vat", reason=str(unavailable), held=True)
        bills = ()
    except Exception as error:  # One poison contract must not stop the others.
        events, after, bills = [], contract, ()
        reason = f"{type(error).__name__}: {error}"
        aside = ContractSetAside(due_on=day, clause=FAILED, reason=reason, held=True)
    if aside is not None and not _known(after, aside):
        event = stamped(aside, id, after.version + 1, stamp.at, stamp.by)
        events.append(event)
        after = apply(after, event)
    return Outcome(id, contract, after, day, tuple(events), bills, aside)


_Step = Callable[[Contract, date, Contract | None, IndexBook], Iterable[ContractEvent]]
_STEPS: tuple[_Step, ...] = (
    lambda contract, day, parent, book: renew.due(contract, day, parent),
    lambda contract, day, parent, book: cover.due(contract, day),
    lambda contract, day, parent, book: revise.due(contract, day, book),
)


def set_aside(outcome: Outcome, clause: str, reason: str, stamp: Stamp) -> Outcome:
    """The outcome without its invoices, the contract set aside until the reason is gone."""
    aside = ContractSetAside(due_on=outcome.day, clause=clause, reason=reason, held=True)
    events, after = outcome.events, outcome.after
    if not _known(after, aside):
        event = stamped(aside, outcome.id, after.version + 1, stamp.at, stamp.by)
        events, after = (*events, event), apply(after, event)
    return outcome._replace(events=events, after=after, bills=(), aside=aside)


def _known(contract: Contract, aside: ContractSetAside) -> bool:
    last = contract.aside
    return last is not None and (last.due_on, last.clause, last.reason, last.held) == (
        aside.due_on,
        aside.clause,
        aside.reason,
        aside.held,
    )


class Series:
    """The number sequences a batch of invoices takes from; what it took becomes events."""

    def __init__(
        self, known: Callable[[str, int], Numbers | None], prefixes: Callable[[str], str]
    ) -> None:
        self._known = known
        self._prefix = prefixes
        self._at: dict[tuple[str, int], list[int]] = {}
        self._days: dict[tuple[str, int], date] = {}
        self._before: dict[tuple[str, int], Numbers | None] = {}
        self._prefixes: dict[str, str] = {}
        self._since: list[tuple[tuple[str, int], date]] = []

    def mark(self) -> None:
        """From here on what is taken can be given back."""
        self._since.clear()

    def give_back(self) -> None:
        """Gives back all that was taken since the mark, as if it had not been asked for."""
        for key, day in reversed(self._since):
            self._at[key][1] -= 1
            self._days[key] = day
        self._since.clear()

    def take(self, supplier: str, day: date) -> tuple[str, date]:
        """The next number of the company, and the day it is issued.

        An invoice is never dated before the one that bears the number before it.
        """
        key = (supplier, day.year)
        ranks = self._at.get(key)
        if ranks is None:
            before = self._before[key] = self._known(supplier, day.year)
            first = before.last + 1 if before else 1
            ranks = self._at[key] = [first, first]
            self._days[key] = before.last_issued_on if before else day
            self._prefixes.setdefault(supplier, self._prefix(supplier))
        rank = ranks[1]
        ranks[1] = rank + 1
        self._since.append((key, self._days[key]))
        if day > self._days[key]:
            self._days[key] = day
        return number(self._prefixes[supplier], day.year, rank), self._days[key]

    def moved(self, known: Callable[[str, int], Numbers | None]) -> bool:
        """Whether others have taken numbers of these sequences since they were read."""
        return any(known(*key) != before for key, before in self._before.items())

    def taken(self, stamp: Stamp) -> Iterator[InvoiceNumbersTaken]:
        """The blocks taken, one event a company and year."""
        for (supplier, year), (first, following) in self._at.items():
            if first == following:
                continue
            before = self._before[supplier, year]
            yield stamped(
                InvoiceNumbersTaken(
                    supplier=supplier,
                    year=year,
                    first=first,
                    last=following - 1,
                    last_issued_on=self._days[supplier, year],
                    run=stamp.run,
                ),
                stream("numbers", name(supplier, year)),
                before.version + 1 if before else 1,
                stamp.at,
                stamp.by,
            )


class Issued(NamedTuple):
    """What one contract's day recorded: its events, its invoices, its state; or why not."""

    contract_events: tuple[ContractEvent, ...]
    invoices: tuple[Document, ...]
    after: Contract
    aside: ContractSetAside | None


def issue(
    outcome: Outcome, series: Series, earliest: date, stamp: Stamp, fault: Fault | None = None
) -> Issued:
    """The outcome with its numbers: nothing of it is dated before `earliest`.

    When one of its documents could not be printed it has none, and the contract is set aside.
    """
    events = list(outcome.events)
    invoices: list[Document] = []
    after = outcome.after
    series.mark()
    for due in outcome.bills:
        day = due.billed_on if due.billed_on > earliest else earliest
        version = after.version + 1
        invoice = ""
        if due.lines:
            issued = _invoice(after, due, series, day, version, stamp)
            invoice = issued.number
            invoices.append(issued)
        notes = [_credit_note(after, credit, series, day, version, stamp) for credit in due.credits]
        invoices += notes
        given = tuple([note.number for note in notes]) if notes else ()
        event = InstalmentBilled(
            originator_id=outcome.id,
            originator_version=version,
            recorded_at=stamp.at,
            recorded_by=stamp.by,
            billed_on=due.billed_on,
            period=due.period,
            until=due.until,
            net=due.net,
            nets=due.nets,
            invoice=invoice,
            settled=due.settled,
            credit_notes=given,
            run=stamp.run,
            deducted=due.deducted,
        )
        events.append(event)
        after = apply(after, event)
    if fault is not None:
        for document in invoices:
            if reason := fault(outcome.after, document):
                series.give_back()
                aside = set_aside(outcome, UNPRINTABLE, reason, stamp)
                return Issued(aside.events, (), aside.after, aside.aside)
    return Issued(tuple(events), tuple(invoices), after, outcome.aside)


def _invoice(
    contract: Contract, due: Bill, series: Series, day: date, version: int, stamp: Stamp
) -> InvoiceIssued:
    supplier = contract.party_on("supplier", due.billed_on)
    printed, issued_on = series.take(supplier, day)
    payment = contract.terms_on(due.billed_on).payment
    last_day = due_on(payment, issued_on)
    lines = due.lines
    rate = lines[0].vat_rate
    net = due.net
    vat: tuple[VatTotal, ...]
    for line in lines:
        if line.vat_rate != rate or line.vat_category != "S":
            vat = vat_totals(lines)
            tax = sum((total.tax for total in vat), ZERO)
            break
    else:
        tax = tax_on(net, rate)
        vat = (VatTotal(rate, net, tax, "S", lines[0].vat_reason),)
    if due.deducted:
        vat = deposit.vat_after(lines, due.deducted)
        tax = sum((total.tax for total in vat), ZERO)
    debited = due.means == "direct_debit"
    return InvoiceIssued(
        originator_id=invoice_id(supplier, printed),
        originator_version=1,
        recorded_at=stamp.at,
        recorded_by=stamp.by,
        number=printed,
        supplier=supplier,
        client=contract.party_on("client", due.billed_on),
        contract=contract.number,
        contract_version=version,
        issued_on=issued_on,
        due_on=last_day,
        lines=lines,
        vat=vat,
        net=net,
        tax=tax,
        gross=net + tax,
        period=due.period,
        means=due.means,
        collected_on=collected_on(payment, last_day, issued_on) if debited else None,
        mandate=contract.mandate_on(due.billed_on) if debited else "",
        purchase_order=contract.purchase_order,
        run=stamp.run,
    )


def _credit_note(
    contract: Contract, credit: Credit, series: Series, day: date, version: int, stamp: Stamp
) -> CreditNoteIssued:
    return credit_note(
        credit.issuer or contract.party_on("supplier", day),
        contract.party_on("client", day),
        contract.number,
        version,
        credit.invoice,
        tuple(_positive(line) for line in credit.lines),
        credit.reason,
        contract.purchase_order,
        series,
        day,
        stamp,
    )


def _positive(line: Line) -> Line:
    return replace(line, net=-line.net)


def credit_note(
    supplier: str,
    client: str,
    contract: str,
    contract_version: int,
    credited: str,
    lines: tuple[Line, ...],
    reason: str,
    purchase_order: str,
    series: Series,
    day: date,
    stamp: Stamp,
) -> CreditNoteIssued:
    """A credit note on an invoice: amounts positive, at the VAT rate of the supply."""
    printed, issued_on = series.take(supplier, day)
    vat = vat_totals(lines)
    net = sum((line.net for line in lines), ZERO)
    tax = sum((total.tax for total in vat), ZERO)
    return CreditNoteIssued(
        originator_id=invoice_id(supplier, printed),
        originator_version=1,
        recorded_at=stamp.at,
        recorded_by=stamp.by,
        number=printed,
        supplier=supplier,
        client=client,
        contract=contract,
        contract_version=contract_version,
        credits=credited,
        issued_on=issued_on,
        lines=lines,
        vat=vat,
        net=net,
        tax=tax,
        gross=net + tax,
        reason=reason,
        purchase_order=purchase_order,
        run=stamp.run,
    )


class Totals:
    """What a run billed, added up as it goes; amounts in euros."""

    def __init__(self) -> None:
        self.invoices = 0
        self.credit_notes = 0
        self.renewed = 0
        self.revised = 0
        self.net = self.tax = self.gross = ZERO
        self._vat: dict[tuple[Decimal, str, str], list[Decimal]] = {}

    def add(self, event: Event) -> None:
        """Counts one recorded event."""
        if type(event) is InvoiceIssued:
            self.invoices += 1
            self._add(event, 1)
        elif type(event) is CreditNoteIssued:
            self.credit_notes += 1
            self._add(event, -1)
        elif event.TOPIC == "contract.renewed":
            self.renewed += 1
        elif event.TOPIC == "contract.price_revised":
            self.revised += 1

    def _add(self, document: InvoiceIssued | CreditNoteIssued, sign: int) -> None:
        self.net += sign * document.net
        self.tax += sign * document.tax
        self.gross += sign * document.gross
        for total in document.vat:
            sums = self._vat.setdefault((total.rate, total.category, total.reason), [ZERO, ZERO])
            sums[0] += sign * total.base
            sums[1] += sign * total.tax

    def include(self, others: Totals) -> None:
        """Adds what others counted."""
        self.invoices += others.invoices
        self.credit_notes += others.credit_notes
        self.renewed += others.renewed
        self.revised += others.revised
        self.net += others.net
        self.tax += others.tax
        self.gross += others.gross
        for key, (base, tax) in others._vat.items():
            sums = self._vat.setdefault(key, [ZERO, ZERO])
            sums[0] += base
            sums[1] += tax

    @property
    def vat(self) -> tuple[VatTotal, ...]:
        """The totals by rate, highest rate first."""
        return tuple(
            VatTotal(rate, base, tax, category, reason)
            for (rate, category, reason), (base, tax) in sorted(self._vat.items(), reverse=True)
        )


def month_days(month: date) -> tuple[date, date]:
    """The first day of a month and of the one after it: what a run of that month bills."""
    first = month.replace(day=1)
    return first, add_months(first, 1)


__all__ = [
    "Document",
    "Fault",
    "Issued",
    "Outcome",
    "Payment",
    "Series",
    "Stamp",
    "Totals",
    "credit_note",
    "decide",
    "issue",
    "month_days",
    "set_aside",
]
