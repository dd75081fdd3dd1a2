"""What was issued, read from the record: invoices, credit notes, direct debits to come.

A contract's own documents are found from its stream; all others in one pass over the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from billing.application.core import Billing
from billing.application.receivables import book
from billing.application.states import KINDS
from billing.clauses.interest import Category
from billing.collection import mandate_of
from billing.contract.state import Contract
from billing.dates import NEVER, Period
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
from billing.identity import contract_id, invoice_id
from billing.mandate import Mandate, stranger, usable
from billing.money import ZERO
from billing.receivable import Receivable
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

    `trouble` says why it cannot be asked for as things stand, `status` what became of it: handed
    over to the bank, or paid; "" while it is to be asked for.
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
    status: str = ""


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


def debits_to_come(app: Billing) -> list[Debit]:
    """The direct debits from today on that are still to be asked for."""
    return [one for one in debits(app, Period(app.today, NEVER)) if not one.status]


def debits(app: Billing, days: Period) -> list[Debit]:
    """The direct debits of some days, as the invoices ask for them, by day and creditor."""
    found = book(app)
    every = found.open() if days.start >= app.today else found.documents()
    asked = [
        r
        for r in every
        if r.means == "direct_debit"
        and r.collected_on is not None
        and (r.collecting_on or r.collected_on) in days
        and r.gross > r.total("credit")
        and (r.due > 0 or r.owed <= 0)
    ]
    rows = app.store.states("contract", ids={contract_id(r.contract) for r in asked})
    contracts = {row.name: app.contract_of(row) for row in rows}
    names = {r.mandate for r in asked} | {one.mandate for one in contracts.values()}
    decode = KINDS["mandate"].decode
    mandates = {row.name: decode(row.body) for row in app.store.states("mandate", names=names)}
    listed = (_debit(r, contracts[r.contract], mandates, app.today) for r in asked)
    return sorted(listed, key=lambda debit: (debit.collected_on, debit.creditor, debit.invoice))


def _debit(
    r: Receivable, contract: Contract, mandates: Mapping[str, Mandate], today: date
) -> Debit:
    on = r.collecting_on or r.collected_on
    assert on is not None
    name = mandate_of(r, contract.mandate, mandates, today)
    mandate = mandates.get(name)
    amount, status, trouble = r.due, "", ""
    if r.owed <= 0:
        amount, status = r.gross - r.total("credit"), "paid"
    elif r.collecting:
        amount, status = r.debits[-1].amount, f"handed over in {r.debits[-1].file}"
    else:
        trouble = _trouble(r, mandate, on, contract)
    return Debit(
        on, amount, r.number, r.contract, r.supplier,
        mandate.creditor_on(on)[1] if mandate else "", r.client, mandate.iban if mandate else "",
        name, mandate.scheme if mandate else "", r.issued_on, r.due_on, trouble, status,
    )  # fmt: skip


def _trouble(r: Receivable, mandate: Mandate | None, on: date, contract: Contract) -> str:
    from billing.bank.reasons import STOPS  # Slow to import: its package reads XML.

    if r.disputed_on is not None:
        return f"disputed since {r.disputed_on}"
    if mandate is None:
        return "no mandate is known"
    category: Category = contract.category  # type: ignore[assignment]
    return stranger(mandate, r.supplier, r.client, on) or usable(mandate, on, category, STOPS)


def _of_log(app: Billing) -> Iterator[Event]:
    """The events of all documents."""
    return (event for _, event in app.recorded(topics=TOPICS))


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
