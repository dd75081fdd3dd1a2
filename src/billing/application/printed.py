"""What a document is printed from, read from the record as it stood when it was issued.

A party that moved since, a mandate amended since: the document is made again as it was. Documents
are read some at a time, each stream once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from billing import mandate as mandates
from billing.application.core import Billing
from billing.application.explanation import event_name
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.dates import Period
from billing.documents.facturx import (
    Debited,
    Document,
    Facts,
    Kind,
    Late,
    Named,
    Revised,
    kind_of,
)
from billing.documents.facturx.words import Both
from billing.events import Event
from billing.events.contract import (
    ContractEvent,
    ContractSigned,
    DepositInvoiced,
    DepositReceived,
    EquipmentAdded,
    IndexSubstituted,
    InstalmentBilled,
    OptionSubscribed,
    PriceRevised,
    TermsAmended,
)
from billing.events.invoice import CreditNoteIssued, DebitNoteIssued, InvoiceIssued
from billing.events.party import Identity, PartyAmended, PartyRegistered
from billing.events.run import FormRecorded
from billing.forms import BadFile, form_from_text, load_form
from billing.identity import contract_id, invoice_id, stream
from billing.money import ZERO
from billing.record import from_stored
from billing.refusal import Refused
from indices import Series

ISSUED = (InvoiceIssued, CreditNoteIssued, DebitNoteIssued)
CHUNK = 100
"""Documents read at once."""


class Name(NamedTuple):
    """Which document: its supplier's code, its number."""

    supplier: str
    number: str


class Issue(NamedTuple):
    """A document that was issued, and what it is called."""

    name: Name
    kind: Kind


def facts(app: Billing, number: str, supplier: str = "") -> Facts:
    """What one document is printed from; Refused when there is none of that number."""
    document = app.invoice_events(number, supplier)[0]
    if not isinstance(document, ISSUED):
        raise Refused(f"{number}: its first event is {event_name(document)}, not its issue")
    (found,) = read(app, [Name(document.supplier, document.number)])
    if isinstance(found, Refused):
        raise found
    return found


def issues(app: Billing, month: Period) -> list[Issue]:
    """The documents issued in a month, by supplier and number."""
    topics = [kind.TOPIC for kind in ISSUED]
    issued: Iterable[Any] = (event for _, event in app.recorded(topics=topics))
    return sorted(
        Issue(Name(event.supplier, event.number), kind_of(event))
        for event in issued
        if event.issued_on in month
    )


def read(app: Billing, wanted: Sequence[Name]) -> Iterator[Facts | Refused]:
    """What these documents are printed from, in their order, or why one cannot be told.

    Read some at a time: memory is that of a few of them.
    """
    for start in range(0, len(wanted), CHUNK):
        some = wanted[start : start + CHUNK]
        record = Record(app, [invoice_id(*name) for name in some])
        documents: list[Any] = [record[invoice_id(*name)][0] for name in some]
        record.add(contract_id(one.contract) for one in documents if one.contract)
        record.add(
            stream("party", code) for one in documents for code in (one.supplier, one.client)
        )
        record.add(
            stream("mandate", one.mandate) for one in documents if getattr(one, "mandate", "")
        )
        record.add(invoice_id(one.supplier, n) for one in documents for n in _named(one, record))
        for document in documents:
            try:
                yield _Behind(app, record, document).facts()
            except Refused as refused:
                yield refused


class Record(dict[UUID, list[Any]]):
    """Streams read together; one that holds nothing is empty."""

    def __init__(self, app: Billing, ids: Iterable[UUID]) -> None:
        super().__init__()
        self._store = app.store
        self.series: Mapping[str, Series] = app.book().series()
        self.add(ids)

    def __missing__(self, id: UUID) -> list[Any]:
        return []

    def add(self, ids: Iterable[UUID]) -> None:
        """Reads those not read yet."""
        new = {id for id in ids if id not in self}
        self |= {id: [] for id in new}
        for stored in self._store.read_events(new):
            id: Any = stored.originator_id
            self[id].append(from_stored(stored))


def _named(document: Document, record: Record) -> Iterator[str]:
    """The numbers of the documents that one names: credited, deducted, or paid late."""
    if isinstance(document, CreditNoteIssued):
        yield document.credits
    elif isinstance(document, DebitNoteIssued):
        yield from dict.fromkeys(line.invoice for line in document.lines)
    else:
        billed = _billed(document, record[contract_id(document.contract)])
        if billed is not None:
            yield from dict.fromkeys(one.invoice for one in billed.deducted)


def _billed(document: Document, history: Sequence[ContractEvent]) -> InstalmentBilled | None:
    version = getattr(document, "contract_version", 0)
    event = history[version - 1] if 0 < version <= len(history) else None
    return event if isinstance(event, InstalmentBilled) else None


class _Behind:
    """One document, and the record up to its issue."""

    def __init__(self, app: Billing, record: Record, document: Document) -> None:
        self.app = app
        self.record = record
        self.document = document
        history = record[contract_id(document.contract)]
        self.history: list[Any] = self._until_issued(history)
        self.signed = next((e for e in history if isinstance(e, ContractSigned)), None)
        self.billed = _billed(document, history)

    def _until_issued(self, events: Sequence[Event]) -> list[Any]:
        """What was recorded with the document or before it."""
        return [event for event in events if event.recorded_at <= self.document.recorded_at]

    def facts(self) -> Facts:
        """All of it."""
        document, signed = self.document, self.signed
        items = list(self._items())
        prepaid, prepaid_on = self._prepaid()
        terms = self._terms()
        return Facts(
            document=document,
            supplier=self._party(document.supplier, "supplier"),
            client=self._party(document.client, "client"),
            late=self._late(terms),
            mandate=self._mandate(),
            contract_label=form_title(self.app, signed) if signed else "",
            site=signed.site if signed else "",
            sites={item.code: item.site for item in items if item.site},
            units=_units(terms),
            named=tuple(self._named()),
            deductions=self.billed.deducted if self.billed else (),
            prepaid=prepaid,
            prepaid_on=prepaid_on,
            revisions=tuple(self._revisions({item.code: item.label for item in items})),
        )

    def _items(self) -> Iterator[Item]:
        for event in self.history:
            if isinstance(event, ContractSigned):
                yield from event.items
            elif isinstance(event, EquipmentAdded | OptionSubscribed):
                yield event.item

    def _terms(self) -> Terms:
        """The clauses in force on the day of issue."""
        terms = self.signed.terms if self.signed else Terms()
        for event in self.history:
            if isinstance(event, TermsAmended) and event.effective_on <= self.document.issued_on:
                terms = event.terms
        return terms

    def _late(self, terms: Terms) -> Late:
        clause = terms.late_interest
        series = clause.series or ""
        for event in self.history:
            if isinstance(event, IndexSubstituted) and event.series == series:
                series = event.by_series
        category: Any = self.signed.category if self.signed else "professional"
        return Late(
            clause=clause,
            category=category,
            series=series,
            series_name=_name(self.record.series, series),
        )

    def _party(self, code: str, side: str) -> Identity:
        events = self.record[stream("party", code)]
        known = self._until_issued(events) or events[:1]  # Taken over with its invoices.
        told = next(
            (e for e in reversed(known) if isinstance(e, PartyRegistered | PartyAmended)), None
        )
        if told is None:
            raise Refused(
                f"{self.document.number}: {side} {code} is not registered; its name and address "
                "were expected (`billing party`)"
            )
        return told.party

    def _mandate(self) -> Debited | None:
        reference = getattr(self.document, "mandate", "")
        events = self.record[stream("mandate", reference)] if reference else []
        state = None
        for event in self._until_issued(events) or events[:1]:
            state = mandates.apply(state, event)
        if state is None:
            return None
        day: date = getattr(self.document, "collected_on", None) or self.document.issued_on
        told = state.told_on(day)
        return Debited(
            reference=state.reference,
            creditor_identifier=told.creditor_identifier,
            iban=told.iban,
            bic=told.bic,
            scheme=state.scheme,
        )

    def _named(self) -> Iterator[Named]:
        for number in _named(self.document, self.record):
            issued = next(iter(self.record[invoice_id(self.document.supplier, number)]), None)
            if isinstance(issued, ISSUED):
                yield Named(number, issued.issued_on, isinstance(issued, DebitNoteIssued))

    def _prepaid(self) -> tuple[Any, date | None]:
        """What of a deposit invoice was cashed before it left: it was issued for that money."""
        for event in self.history:
            if isinstance(event, DepositInvoiced) and event.invoice == self.document.number:
                paid = next(
                    (e for e in self.history if e.originator_version == event.received), None
                )
                if isinstance(paid, DepositReceived):
                    return min(paid.amount, self.document.gross), paid.received_on
        return ZERO, None

    # Revisions

    def _revisions(self, labels: dict[str, str]) -> Iterator[Revised]:
        """Those that set a price of its lines, or that it regularises, by version."""
        if isinstance(self.document, DebitNoteIssued):
            return
        versions = {line.because[-1] for line in self.document.lines if line.because}
        if isinstance(self.document, CreditNoteIssued) and not self.document.contract_version:
            return
        for event in self.history:
            if isinstance(event, PriceRevised) and event.originator_version in versions:
                series = [
                    reading.series for one in event.comparisons
                    for reading in (one.base, one.current)
                ]  # fmt: skip
                series += [
                    one for comparison in event.comparisons for link in comparison.links
                    for one in (link.new_series, link.old_series)
                ]  # fmt: skip
                substitutions = tuple(self._substitutions(event))
                series += [one.by_series for one in substitutions]
                yield Revised(
                    event=event,
                    names={one: _name(self.record.series, one) for one in series},
                    publishers={
                        one: self.record.series[one].publisher
                        for one in series
                        if one in self.record.series
                    },
                    labels=labels,
                    substitutions=substitutions,
                    explained_in=self._explained_in(event),
                )

    def _substitutions(self, event: PriceRevised) -> Iterator[IndexSubstituted]:
        wanted = {weight.series for weight in event.formula.indices}
        for before in self.history:
            if before.originator_version >= event.originator_version:
                return
            if isinstance(before, IndexSubstituted) and before.series in wanted:
                yield before

    def _explained_in(self, event: PriceRevised) -> str:
        """The first invoice of a period that the revised prices are for, when it is an earlier."""
        for later in self.history:
            if later.originator_version <= event.originator_version:
                continue
            if not isinstance(later, InstalmentBilled) or not later.invoice:
                continue
            if later.invoice == self.document.number:
                return ""
            if later.period is not None and later.period.end > event.effective_on:
                return later.invoice
        return ""


def _units(terms: Terms) -> dict[str, str]:
    """What a unit of a meter or of a rate is called."""
    units = {meter.code: meter.unit for meter in terms.meters}
    return units | {rate.code: rate.unit for rate in terms.rates if rate.unit != "unit"}


def series_name(app: Billing, series: str) -> Both:
    """What a published series is called, in French and in English."""
    return _name(app.book().series(), series)


def _name(known: Mapping[str, Series], series: str) -> Both:
    one = known.get(series)
    return Both(one.french_name, one.name) if one else Both(series, series)


def form_title(app: Billing, signed: ContractSigned) -> str:
    """What the contract is called on its form, as recorded at signature."""
    return _titles(app)(signed.form_digest, signed.form, signed.variant)


@lru_cache(maxsize=8)
def _titles(app: Billing) -> Callable[[str, str, str], str]:
    @lru_cache(maxsize=1024)
    def title(digest: str, name: str, variant: str) -> str:
        try:
            events: list[Any] = list(app.events.get(stream("form", digest)))
            texts = [event.text for event in events if isinstance(event, FormRecorded)]
            form = form_from_text(texts[0]) if texts else load_form(name)
        except BadFile:
            return ""
        return form.variants.get(variant) or form.title

    return title


__all__ = ["Issue", "Name", "facts", "issues", "read"]
