"""Given these events, when this is asked, then these events; and a house that bills its months.

`given` folds events, `when` asks a decision, `then` compares what it yields, event by event.
`House` keeps contracts, invoices and numbers in memory and goes through the days as a run does:
the pass itself is `billing.month`, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing import month, numbering
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.contract.sign import Signing, sign
from billing.contract.state import Contract, apply, fold
from billing.dates import add_months
from billing.events import Event, stamped
from billing.events.contract import ContractEvent, ContractSetAside, InstalmentBilled
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line
from billing.forms import contract_from_text
from billing.identity import contract_id
from billing.numbering import Numbers
from billing.refusal import Refused
from indices import IndexBook, Observation, shipped

D = Decimal
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
STAMP = month.Stamp(AT, "the tests", "test")
BOOK = shipped()
SILENT = Terms()


def day(text: str) -> date:
    """A day as it is written: 2026-11-01."""
    return date.fromisoformat(text)


def published(series: str, *values: tuple[str, str, str], book: IndexBook = BOOK) -> IndexBook:
    """The shipped book with values made up for a test: period, value, day of publication."""
    return book.with_observations(
        Observation(series, period, D(value), day(published_on), "made up for a test")
        for period, value, published_on in values
    )


def signed(
    *items: Item,
    terms: Terms = SILENT,
    starts_on: str = "2026-01-01",
    signed_on: str = "",
    book: IndexBook = BOOK,
    parent: Contract | None = None,
    **more: Any,
) -> ContractEvent:
    """A signature with as little as a test has to say."""
    signing = Signing(
        **{"number": "C-1", "form": "test", "form_digest": "0", "supplier": "S", "client": "C"}
        | more,
        signed_on=day(signed_on or starts_on),
        starts_on=day(starts_on),
        terms=terms,
        items=items or (Item(code="A", label="Poste A", unit_price=D("100.00")),),
    )
    return sign(signing, book, parent)


def recorded(events: Iterable[Event], number: str = "C-1", version: int = 0) -> list[Any]:
    """The decisions as they would be in the log."""
    return [
        stamped(event, contract_id(number), version + rank, AT, "the tests")
        for rank, event in enumerate(events, 1)
    ]


class When:
    """A decision that was asked: what it yields, or why it refuses."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask

    @property
    def events(self) -> list[Any]:
        """What the decision yields."""
        found = self._ask()
        return [found] if isinstance(found, Event) else list(found)

    def then(self, *expected: Event) -> None:
        """These events exactly, in this order."""
        assert self.events == list(expected)

    def refused(self, *words: str) -> None:
        """It is refused, in a sentence that holds these words."""
        with pytest.raises(Refused) as refusal:
            _ = self.events
        for word in words:
            assert word in str(refusal.value)


class Given:
    """A contract as these events leave it."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = recorded(events)
        contract = fold(None, self.events)
        assert contract is not None
        self.contract: Contract = contract

    def when(self, decision: Callable[..., Any], *values: Any, **named: Any) -> When:
        """Asks a decision of the contract."""
        return When(lambda: decision(self.contract, *values, **named))


def given(*events: Event | Iterable[Event]) -> Given:
    """The contract after these events, not stamped yet; lists of them are laid flat."""
    flat: list[Event] = []
    for event in events:
        flat += [event] if isinstance(event, Event) else list(event)
    return Given(flat)


def a_day(
    contract: Contract, on: date, book: IndexBook = BOOK, parent: Contract | None = None
) -> tuple[month.Outcome, month.Issued]:
    """What that day brings to one contract, and what it issues under the first numbers."""
    outcome = month.decide(contract_id(contract.number), contract, on, book, parent, STAMP)
    series = month.Series(lambda supplier, year: None, lambda supplier: "")
    return outcome, month.issue(outcome, series, on, STAMP)


Document = InvoiceIssued | CreditNoteIssued


class House:
    """Contracts billed month after month, in memory: what a run does, without its store."""

    def __init__(self, book: IndexBook = BOOK, prefixes: Mapping[str, str] | None = None) -> None:
        self.book = book
        self.prefixes = prefixes or {}
        self.contracts: dict[str, Contract] = {}
        self.events: dict[str, list[Any]] = {}
        self.documents: list[Document] = []
        self.asides: list[ContractSetAside] = []
        self._numbers: dict[tuple[str, int], Numbers] = {}

    def sign(self, event: ContractEvent) -> str:
        """A contract begins; its number."""
        number: str = event.number  # type: ignore[attr-defined]
        self.events[number] = []
        self._record(number, recorded([event], number))
        return number

    def signs(self, text: str) -> str:
        """A contract file is signed."""
        file = contract_from_text(text)
        parent = self.contracts[file.parent] if file.parent else None
        signing = file.signing(parent.terms if parent else None)
        return self.sign(sign(signing, self.book, parent))

    def __getitem__(self, number: str) -> Contract:
        return self.contracts[number]

    def do(
        self, number: str, decision: Callable[..., Iterable[ContractEvent]], *args: Any, **kw: Any
    ) -> list[Any]:
        """A decision is taken and recorded."""
        contract = self.contracts[number]
        events = recorded(decision(contract, *args, **kw), number, contract.version)
        self._record(number, events)
        return events

    def history(self, number: str) -> list[InstalmentBilled]:
        """The instalments billed so far."""
        return [e for e in self.events[number] if isinstance(e, InstalmentBilled)]

    def run(self, until: str, earliest: str = "") -> list[Document]:
        """Bills all that is due before a day, nothing being dated before `earliest`."""
        end = day(until)
        first = day(earliest) if earliest else add_months(end.replace(day=1), -1)
        before = len(self.documents)
        stuck: set[str] = set()
        while due := sorted(
            (on, bool(c.parent), name)
            for name, c in self.contracts.items()
            if name not in stuck and (on := c.next_due()) is not None and on < end
        ):
            on, _, name = due[0]
            contract = self.contracts[name]
            parent = self.contracts.get(contract.parent)
            outcome = month.decide(contract_id(name), contract, on, self.book, parent, STAMP)
            if outcome.aside is not None:
                self.asides.append(outcome.aside)
            series = month.Series(
                lambda supplier, year: self._numbers.get((supplier, year)),
                lambda supplier: self.prefixes.get(supplier, ""),
            )
            issued = month.issue(outcome, series, first, STAMP)
            for taken in series.taken(STAMP):
                key = (taken.supplier, taken.year)
                self._numbers[key] = numbering.apply(self._numbers.get(key), taken)
            self._record(name, issued.contract_events)
            assert self.contracts[name] == issued.after
            self.documents += issued.invoices
            if self.contracts[name].version == contract.version or (
                outcome.aside is not None and outcome.aside.held
            ):
                stuck.add(name)
        return self.documents[before:]

    def months(self, first: str, until: str) -> list[Document]:
        """One run after another, from the month of the first day to the last."""
        before, start, end = len(self.documents), day(first), day(until)
        while start < end:
            start = add_months(start, 1)
            self.run(f"{start:%Y-%m-%d}")
        return self.documents[before:]

    def _record(self, number: str, events: Iterable[Any]) -> None:
        for event in events:
            self.contracts[number] = apply(self.contracts.get(number), event)
            self.events[number].append(event)


def lines_of(documents: Iterable[Document]) -> list[Line]:
    """The lines of all these documents."""
    return [line for document in documents for line in document.lines]


def nets(documents: Iterable[Document]) -> list[Decimal]:
    """The nets of these documents; a credit note's is negative."""
    return [d.net if isinstance(d, InvoiceIssued) else -d.net for d in documents]


def rendered(documents: Iterable[Document]) -> str:
    """Documents as a reader checks them: every line with the sum that makes it."""
    return "\n".join(_rendered(document) for document in documents)


def _rendered(document: Document) -> str:
    if isinstance(document, InvoiceIssued):
        head = f"FACTURE {document.number}  du {document.issued_on}  échéance {document.due_on}"
        if document.collected_on:
            head += f"  prélevée le {document.collected_on} ({document.mandate})"
    else:
        head = f"AVOIR {document.number}  du {document.issued_on}  sur {document.credits}"
        head += f"  ({document.reason})"
    parties = f"  {document.supplier} → {document.client}, contrat {document.contract}"
    rows = [head, parties]
    for line in document.lines:
        sum_ = f"{line.quantity} × {line.unit_price}"
        if line.discount:
            sum_ += f" − {line.discount} %"
        if line.per_months and line.per_months != line.months:
            sum_ += f" × {line.months}/{line.per_months} mois"
        if line.share:
            sum_ += f" × {line.share.over}/{line.share.under} ({line.share.method})"
        if line.parts:
            sum_ += f" [{line.part}/{line.parts}]"
        about = f"  {line.kind:<14} {line.code:<14} {line.label}"
        if line.period:
            about += f" | {line.period}"
        rows.append(about)
        if line.note:
            rows.append(f"    {line.note}")
        rows.append(f"    {sum_} = {line.net}  TVA {line.vat_rate} % {line.vat_category}")
    for total in document.vat:
        rows.append(f"  TVA {total.rate} % sur {total.base} = {total.tax}")
    rows.append(f"  HT {document.net}  TVA {document.tax}  TTC {document.gross}")
    return "\n".join(rows) + "\n"
