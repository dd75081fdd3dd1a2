"""What was issued, read from the record: invoices, credit notes, direct debits to come.

A contract's own documents are found from its stream; all others in one pass over the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from billing.application.core import Billing
from billing.application.receivables import book
from billing.dates import Period
from billing.events import Event
from billing.events.contract import (
    ContractAssigned,
    ContractSigned,
    DepositInvoiced,
    InstalmentBilled,
)
from billing.events.invoice import (
    CreditNoteIssued,
    DebitNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceReceived,
    LateInterestCharged,
    RecoveryFeeCharged,
    RetentionReleased,
    RetentionWithheld,
)
from billing.identity import invoice_id
from billing.money import ZERO
from billing.record import from_stored

TOPICS = tuple(
    kind.TOPIC
    for kind in (
        InvoiceIssued, CreditNoteIssued, DebitNoteIssued, InvoiceCredited, InvoiceReceived,
        RetentionWithheld, RetentionReleased,
    )
)  # fmt: skip


_KINDS = {"invoice": "invoice", "deposit": "deposit invoice"}


class Document(Struct, frozen=True):
    """A document as it stands; a credit note's amounts are negative, a debit note has no tax.

    `open_gross` is what the client has to pay in the end: gross, less what was credited.
    `withheld` is a guarantee retention not released yet. `owed` is what is left to pay when money
    was asked after (`with_owed`); a credit note owes nothing.
    """

    number: str
    kind: str
    supplier: str
    client: str
    contract: str
    issued_on: date
    due_on: date | None
    period: Period | None
    net: Decimal
    tax: Decimal
    gross: Decimal
    means: str = ""
    collected_on: date | None = None
    mandate: str = ""
    run: str = ""
    credits: str = ""
    credited: Decimal = ZERO
    withheld: Decimal = ZERO
    owed: Decimal | None = None

    @property
    def open_gross(self) -> Decimal:
        """What is left to pay, before any payment is known."""
        return self.gross - self.credited


class Debit(Struct, frozen=True):
    """A direct debit to ask for: day, amount, who debits whom under which mandate.

    `trouble` says why the bank would refuse it.
    """

    collected_on: date
    amount: Decimal
    invoice: str
    contract: str
    creditor: str
    creditor_identifier: str
    debtor: str
    iban: str
    mandate: str
    scheme: str
    issued_on: date
    due_on: date
    trouble: str = ""


def documents(
    app: Billing, contract: str = "", client: str = "", month: Period | None = None
) -> list[Document]:
    """Invoices and credit notes, in the order they were issued."""
    events = _of_contract(app, contract) if contract else _of_log(app)
    return [
        one
        for one in _folded(events).values()
        if (not contract or one.contract == contract)
        and (not client or one.client == client)
        and (month is None or one.issued_on in month)
    ]


def with_owed(app: Billing, found: Iterable[Document]) -> list[Document]:
    """The documents with what is owed on each, from the receivables book."""
    found = list(found)
    ids = {invoice_id(one.supplier, one.number): one for one in found}
    owed = {id: r.owed for id, r in book(app).many(ids).items() if r.kind != "credit_note"}
    return [replace(one, owed=owed.get(id)) for id, one in ids.items()]


def debits(app: Billing, days: Period) -> list[Debit]:
    """The direct debits of some days, as the invoices ask for them, by day and creditor."""
    found = _folded(_of_log(app, not_before=days.start))
    return sorted(
        (
            _debit(app, one)
            for one in found.values()
            if one.collected_on is not None
            and one.collected_on in days
            and one.open_gross > one.withheld
        ),
        key=lambda debit: (debit.collected_on, debit.creditor, debit.invoice),
    )


def _debit(app: Billing, one: Document) -> Debit:
    assert one.collected_on is not None
    assert one.due_on is not None
    mandate = app.mandate(one.mandate) if one.mandate else None
    trouble = ""
    if mandate is None:
        trouble = "no mandate is known"
    elif mandate.revoked_on is not None:
        trouble = f"the mandate was revoked on {mandate.revoked_on}"
    return Debit(
        one.collected_on, one.open_gross - one.withheld, one.number, one.contract, one.supplier,
        mandate.creditor_identifier if mandate else "", one.client, mandate.iban if mandate else "",
        one.mandate, mandate.scheme if mandate else "", one.issued_on, one.due_on, trouble,
    )  # fmt: skip


def _of_log(app: Billing, not_before: date | None = None) -> Iterator[Event]:
    """The events of all documents; those collected before that day, and long so, left out."""
    for _, event in app.recorded(topics=TOPICS):
        if (
            not_before is not None
            and isinstance(event, InvoiceIssued)
            and (event.collected_on is None or (not_before - event.collected_on).days > 366)
        ):
            continue
        yield event


def _of_contract(app: Billing, number: str) -> Iterator[Event]:
    """The events of one contract's documents, found from its own stream."""
    supplier, ids = "", []
    for event in app.history(number):
        if isinstance(event, ContractSigned):
            supplier = event.supplier
        elif isinstance(event, ContractAssigned) and event.side == "supplier":
            supplier = event.to
        elif isinstance(event, InstalmentBilled):
            ids += [
                invoice_id(supplier, bears)
                for bears in (event.invoice, *event.credit_notes)
                if bears
            ]
        elif isinstance(event, DepositInvoiced):
            ids.append(invoice_id(event.issuer, event.invoice))
    streams = _streams(app, ids)
    notes = [
        invoice_id(event.supplier, note)
        for event, *later in streams.values()
        if isinstance(event, InvoiceIssued)
        for told in later
        if (note := _note_of(told))
    ]
    streams |= _streams(app, [id for id in notes if id not in streams])
    for events in sorted(streams.values(), key=_rank):
        yield from events


def _note_of(told: Event) -> str:
    """The credit note or the debit note that this is about; a debit note's own are among them."""
    if isinstance(told, LateInterestCharged | RecoveryFeeCharged):
        return told.debit_note
    return told.credit_note if isinstance(told, InvoiceCredited) else ""


def _rank(events: list[Event]) -> tuple[date, str]:
    first = events[0]
    assert isinstance(first, InvoiceIssued | CreditNoteIssued | DebitNoteIssued)
    return first.issued_on, first.number


def _streams(app: Billing, ids: Iterable[UUID]) -> dict[UUID, list[Event]]:
    found: dict[UUID, list[Event]] = {}
    for stored in app.store.read_events(ids):
        assert isinstance(stored.originator_id, UUID)
        found.setdefault(stored.originator_id, []).append(from_stored(stored))
    return found


def _folded(events: Iterable[Event]) -> dict[UUID, Document]:
    found: dict[UUID, Document] = {}
    for event in events:
        id = event.originator_id
        if isinstance(event, InvoiceIssued):
            found[id] = Document(
                event.number, _KINDS[event.kind], event.supplier, event.client, event.contract,
                event.issued_on, event.due_on, event.period, event.net, event.tax, event.gross,
                event.means, event.collected_on, event.mandate, event.run,
            )  # fmt: skip
        elif isinstance(event, DebitNoteIssued):
            found[id] = Document(
                event.number, "debit note", event.supplier, event.client, event.contract,
                event.issued_on, event.due_on, None, event.gross, ZERO, event.gross, event.means,
                run=event.run,
            )  # fmt: skip
        elif isinstance(event, CreditNoteIssued):
            found[id] = Document(
                event.number, "credit note", event.supplier, event.client, event.contract,
                event.issued_on, None, None, -event.net, -event.tax, -event.gross,
                run=event.run, credits=event.credits,
            )  # fmt: skip
        elif id not in found:
            continue
        elif isinstance(event, InvoiceCredited):
            found[id] = replace(found[id], credited=found[id].credited + event.gross)
        elif isinstance(event, InvoiceReceived):
            found[id] = replace(found[id], due_on=event.due_on, collected_on=event.collected_on)
        elif isinstance(event, RetentionWithheld):
            found[id] = replace(found[id], withheld=event.amount)
        elif isinstance(event, RetentionReleased):
            found[id] = replace(found[id], withheld=ZERO)
    return found
