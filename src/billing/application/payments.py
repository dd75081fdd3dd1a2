"""Payments: received, allocated, set off, refunded, rejected, written off (règlements).

Each command is one transaction under the append lock, on a book that has followed the log to
its end: two people who pay the same document at once are heard one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from billing import payment as payments
from billing import receivable as receivables
from billing.allocation import Allocation, SetOff, allocate, payable, set_off, whole_cents
from billing.application.core import Billing
from billing.application.receivables import Book, payment_id
from billing.application.receivables import record as on_the_book
from billing.contract import change
from billing.contract.state import Contract
from billing.contract.state import apply as apply_contract
from billing.events import Event
from billing.events.contract import ContractEvent
from billing.events.invoice import InvoiceWrittenOff, PaymentAllocated, PaymentReversed
from billing.events.payment import (
    PaymentIdentified,
    PaymentReceived,
    PaymentRefunded,
    PaymentRejected,
)
from billing.identity import contract_id, invoice_id
from billing.money import ZERO
from billing.payment import Payment
from billing.receivable import Receivable
from billing.refusal import Refused

Means = Literal["transfer", "cheque", "card", "cash"]
Said = Mapping[str, Decimal | None]


class Done(NamedTuple):
    """What was recorded, and what it comes to, in sentences."""

    events: list[Event]
    told: tuple[str, ...] = ()


class Journal:
    """Decisions taken one after another on one book, each seeing what those before it leave.

    Nothing is written here: `events` are the decisions as they will be recorded.
    """

    def __init__(self, app: Billing, book: Book, by: str = "") -> None:
        self.app = app
        self.book = book
        self.events: list[Event] = []
        self._by = by
        self._documents: dict[UUID, Receivable] = {}
        self._payments: dict[UUID, Payment | None] = {}
        self._contracts: dict[str, Contract] = {}
        self._moved: dict[str, dict[UUID, None]] = {}  # By client, the documents decided on.

    def preload(self, ids: Iterable[UUID]) -> None:
        """Reads many documents at once."""
        self._documents |= self.book.many(set(ids) - self._documents.keys())

    def preload_payments(self, supplier: str, references: Iterable[str]) -> None:
        """Reads many payments at once; those that are not there are known not to be."""
        wanted = {payment_id(supplier, one): one for one in references}
        self._payments |= dict.fromkeys(wanted.keys() - self._payments.keys())
        for payment in self.book.payments_of(supplier, wanted.values()):
            id = payment_id(supplier, payment.reference)
            self._payments[id] = self._payments[id] or payment

    def document(self, supplier: str, number: str) -> Receivable:
        """A document as it is after the decisions so far."""
        id = invoice_id(supplier, number)
        if id not in self._documents:
            self._documents[id] = self.book.one(supplier, number)
        return self._documents[id]

    def open(self, client: str, supplier: str) -> list[Receivable]:
        """The documents of a client, issued by today, of which something is owed."""
        found = self._current(self.book.open(client, supplier=supplier), client, supplier)
        return [d for d in found if d.owed > 0 and d.issued_on <= self.app.today]

    def credits(self, client: str, supplier: str) -> list[Receivable]:
        """The documents on which a client has paid, or was credited, too much."""
        found = self._current(self.book.credits(client, supplier=supplier), client, supplier)
        return [d for d in found if d.owed < 0]

    def _current(
        self, found: Iterable[Receivable], client: str, supplier: str
    ) -> Iterator[Receivable]:
        """Those the book holds, and those decided on, as the decisions so far leave them."""
        ids = dict(self._moved.get(client, {}))
        for document in found:
            id = invoice_id(document.supplier, document.number)
            self._documents.setdefault(id, document)
            ids[id] = None
        ours = (self._documents[id] for id in ids)
        return (document for document in ours if supplier in ("", document.supplier))

    def payment(self, supplier: str, reference: str) -> Payment | None:
        """A payment as it is after the decisions so far."""
        id = payment_id(supplier, reference)
        if id not in self._payments:
            self._payments[id] = self.book.payment(supplier, reference)
        return self._payments[id]

    def contract(self, number: str) -> Contract:
        """A contract as it is after the decisions so far."""
        if number not in self._contracts:
            self._contracts[number] = self.app.contract(number)
        return self._contracts[number]

    def on_document(self, document: Receivable, *decisions: Event) -> Receivable:
        """Takes decisions on a document."""
        id = invoice_id(document.supplier, document.number)
        for event in self.app.stamp(decisions, id, document.version, self._by):
            document = receivables.apply(document, event)
            if isinstance(event, PaymentAllocated | PaymentReversed) and event.payment:
                payment = self.payment(document.supplier, event.payment)
                assert payment is not None, event
                self._payments[payment_id(payment.supplier, payment.reference)] = payments.observe(
                    payment, event, document.number
                )
            self.events.append(event)
        self._documents[id] = document
        self._moved.setdefault(document.client, {})[id] = None
        return document

    def on_payment(self, supplier: str, reference: str, *decisions: Event) -> Payment:
        """Takes decisions on a payment, or receives it."""
        payment = self.payment(supplier, reference)
        id = payment_id(supplier, reference)
        version = payment.version if payment else 0
        for event in self.app.stamp(decisions, id, version, self._by):
            payment = payments.apply(payment, event)
            self.events.append(event)
        assert payment is not None
        self._payments[id] = payment
        return payment

    def on_contract(self, number: str, decisions: Iterable[ContractEvent]) -> None:
        """Takes decisions on a contract."""
        contract = self.contract(number)
        for event in self.app.stamp(decisions, contract_id(number), contract.version, self._by):
            contract = apply_contract(contract, event)
            self.events.append(event)
        self._contracts[number] = contract

    def interest_first(self, documents: Iterable[Receivable]) -> set[str]:
        """The contracts whose debit notes are paid before their invoices (C. civ. 1343-1)."""
        contracts = {d.contract for d in documents if d.kind == "debit_note" and d.contract}
        return {
            number
            for number in contracts
            if self.contract(number).terms.payment.imputed == "interest_first"
        }


def record(app: Billing, decide: Callable[[Journal], Iterable[str]], by: str = "") -> Done:
    """Takes decisions in a journal and records them all, or none when one is refused."""
    told: tuple[str, ...] = ()

    def decided(_: object, book: Book) -> list[Event]:
        nonlocal told
        journal = Journal(app, book, by)
        told = tuple(decide(journal))
        return journal.events

    return Done(on_the_book(app, decided), told)


# Received and allocated


def take(journal: Journal, received: PaymentReceived, said: Said | None = None) -> Allocation:
    """Records money received and what it pays; `said` are the documents the payer names."""
    reference, on = received.reference, received.value_on
    if on > journal.app.today:
        raise Refused(
            f"payment {reference}: {on} is in the future; today is {journal.app.today}: record it "
            "once the money is there"
        )
    whole_cents(received.amount, f"payment {reference}")
    if known := journal.payment(received.supplier, reference):
        raise Refused(
            f"payment {reference} of {known.amount} € was received already, on {known.value_on}; "
            "another one needs another reference"
        )
    for number in said or ():
        document = journal.document(received.supplier, number)
        if document.issued_on > on:
            raise Refused(
                f"{number} was issued on {document.issued_on}, after {on}: record the payment "
                "without it; it is the client's credit, and `billing allocate` uses it from the "
                "day of the issue"
            )
    payment = journal.on_payment(received.supplier, reference, received)
    return apply_payment(journal, payment, said or {})


def apply_payment(journal: Journal, payment: Payment, said: Said) -> Allocation:
    """Allocates what is left of a payment: as told, else by the rules of `billing.allocation`."""
    left = payment.left
    supplier, reference = payment.supplier, payment.reference
    if payment.rejected_on is not None:
        raise Refused(f"payment {reference} was rejected on {payment.rejected_on}")
    if left <= 0:
        raise Refused(f"payment {reference}: nothing of its {payment.amount} € is left")
    if said:
        documents = [journal.document(supplier, number) for number in said]
        for document in documents:
            if document.client != payment.client:
                raise Refused(
                    f"{document.number} is of {document.client}, payment {reference} of "
                    f"{payment.client or 'an unknown payer'}"
                )
            if document.issued_on > journal.app.today:
                raise Refused(
                    f"{document.number} was issued on {document.issued_on}, after today; the "
                    "payment is the client's credit until then"
                )
    elif payment.client:
        documents = journal.open(payment.client, supplier)
    else:
        documents = []
    first = journal.interest_first(documents)
    asked = [_asked_for(document, said) for document in documents]
    found = allocate(left, asked, said, payment.remittance, first)
    for document, amount in found.parts:
        document = journal.document(supplier, document.number)
        if amount > document.owed:
            document = journal.on_document(document, _paid_after_all(document, amount, payment))
        journal.on_document(
            document,
            PaymentAllocated(
                amount=amount,
                value_on=max(payment.value_on, document.issued_on),
                means=payment.means,
                payment=reference,
            ),
        )
    return found


def _asked_for(document: Receivable, said: Said) -> Receivable:
    """The document a payer names; what was given up of it may still be paid, if it says so."""
    if document.number not in said or (said[document.number] is None and document.owed > 0):
        return document
    kept = tuple(m for m in document.movements if m.kind != "write_off")
    return replace(document, movements=kept)


def _paid_after_all(document: Receivable, amount: Decimal, payment: Payment) -> InvoiceWrittenOff:
    """As much less is written off as is paid of it (rentrée sur créance amortie)."""
    last = max(m.on for m in document.movements if m.kind == "write_off" and m.amount > 0)
    return InvoiceWrittenOff(
        amount=document.owed - amount,
        written_off_on=max(last, payment.value_on),
        reason=f"paid after all, payment {payment.reference}",
    )


def pay(
    app: Billing,
    amount: Decimal,
    on: date,
    means: Means = "transfer",
    *,
    client: str = "",
    said: Said | None = None,
    reference: str = "",
    remittance: str = "",
    payer: str = "",
    payer_iban: str = "",
    supplier: str = "",
    by: str = "",
) -> Done:
    """Money came from a client; who it is follows from the documents it names, or is told."""

    def decide(journal: Journal) -> Iterator[str]:
        company = supplier or _supplier(app, said or ())
        whose = client
        for number in said or ():
            whose = whose or journal.document(company, number).client
        if not whose:
            raise Refused("say which client paid, or which invoice")
        for role, code in (("supplier", company), ("client", whose)):
            if app.party(code) is None:
                raise Refused(f"no party {code} that could be the {role}")
        received = PaymentReceived(
            reference=reference or _reference(journal, company, whose, on),
            supplier=company,
            client=whose,
            amount=whole_cents(amount, "paid"),
            value_on=on,
            means=means,
            payer=payer,
            payer_iban=payer_iban,
            remittance=remittance,
        )
        yield from _allocated(take(journal, received, said), received.reference)

    return record(app, decide, by)


def allocate_left(
    app: Billing,
    reference: str = "",
    client: str = "",
    *,
    said: Said | None = None,
    supplier: str = "",
    by: str = "",
) -> Done:
    """Uses what is left of a payment, or of all those of a client, for what is owed now.

    A payment whose payer was not known is the named client's from then on.
    """

    def decide(journal: Journal) -> Iterator[str]:
        if reference:
            payment = _payment(app, journal, reference, supplier)
            whose = client or payment.client
            for number in said or ():
                whose = whose or journal.document(payment.supplier, number).client
            if not whose:
                raise Refused(f"payment {reference}: say whose it is, or which invoice it pays")
            if payment.client and payment.client != whose:
                raise Refused(f"payment {reference} is of {payment.client}, not of {whose}")
            if not payment.client:
                if app.party(whose) is None:
                    raise Refused(f"no party {whose}")
                identified = PaymentIdentified(client=whose)
                payment = journal.on_payment(payment.supplier, reference, identified)
            found = apply_payment(journal, payment, said or {})
            if not found.parts and not journal.events:
                raise Refused(f"payment {reference}: {whose} owes nothing it could pay")
            yield from _allocated(found, reference)
            return
        if not client:
            raise Refused("say which payment, or whose payments, to allocate")
        if said:
            raise Refused("say which payment pays the documents named")
        for payment in list(journal.book.payments(client, supplier=supplier)):
            if payment.left > 0:
                found = apply_payment(journal, payment, {})
                yield from _allocated(found, payment.reference)
        if not journal.events:
            raise Refused(f"{client}: no payment is left that could pay what it owes")

    return record(app, decide, by)


def _allocated(found: Allocation, reference: str) -> Iterator[str]:
    by_rule = {
        "as told": "as the payer says",
        "remittance": "by the numbers in its remittance text",
        "amount": "by its exact amount",
        "oldest due": "to the oldest due",
        "not allocated": "",
    }[found.how]
    if found.parts:
        parts = ", ".join(f"{part.document.number} {part.amount} €" for part in found.parts)
        yield f"payment {reference} allocated {by_rule}: {parts}"
    if found.left:
        yield f"{found.left} € of payment {reference} is left, the client's credit"


# Set off, refunded, written off, rejected


def compensate(
    app: Billing,
    client: str = "",
    credit: str = "",
    *,
    invoice: str = "",
    amount: Decimal | None = None,
    supplier: str = "",
    by: str = "",
) -> Done:
    """What a client paid or was credited too much pays the rest it owes (compensation).

    All of it, or what is on one document (`credit`), to one (`invoice`) or to the oldest due.
    """

    def decide(journal: Journal) -> Iterator[str]:
        if credit:
            company = supplier or _supplier(app, [credit])
            source = journal.document(company, credit)
            if client and source.client != client:
                raise Refused(f"{credit} is of {source.client}, not of {client}")
            if source.owed >= 0:
                raise Refused(f"{credit}: nothing on it is the client's; {source.owed} € is owed")
            sources, whose = [source], source.client
        elif client:
            company, whose = supplier or _supplier(app, [invoice] if invoice else ()), client
            sources = journal.credits(client, company)
            if not sources:
                raise Refused(f"{client}: nothing was paid or credited too much on any document")
        else:
            raise Refused("say whose credit it is, or the document it is on")
        available = -sum((s.owed for s in sources), ZERO)
        most = None if amount is None else whole_cents(amount, "to set off")
        if most is not None and most > available:
            raise Refused(f"{most} € to set off, of {available} € that are left")
        if invoice:
            target = journal.document(company, invoice)
            if target.client != whose:
                raise Refused(f"{invoice} is of {target.client}, the credit of {whose}")
            payable(target)
            documents = [target]
        else:
            documents = [d for d in journal.open(whose, company) if not d.collecting]
            if not documents:
                raise Refused(f"{whose} owes nothing that {available} € could pay")
        first = journal.interest_first(documents)
        for one in list(set_off(sources, documents, first, most)):
            _set_off(journal, one)
            yield f"{one.amount} € of {one.credit.number} pays {one.document.number}"

    return record(app, decide, by)


def _set_off(journal: Journal, one: SetOff) -> None:
    """Both sides of a set-off: as much less on one document as on the other."""
    for mine, other, amount in (
        (one.credit, one.document, -one.amount),
        (one.document, one.credit, one.amount),
    ):
        journal.on_document(
            journal.document(mine.supplier, mine.number),
            PaymentAllocated(amount=amount, value_on=one.on, means="set_off", credit=other.number),
        )


def refund(
    app: Billing,
    on: date,
    reason: str,
    *,
    reference: str = "",
    invoice: str = "",
    amount: Decimal | None = None,
    supplier: str = "",
    by: str = "",
) -> Done:
    """What is left of a payment, or was paid too much on a document, goes back to the client."""

    def decide(journal: Journal) -> Iterator[str]:
        _past(app, on, "refunded")
        if bool(reference) == bool(invoice):
            raise Refused("say which payment is refunded, or which document was paid too much")
        if not reason:
            raise Refused(f"{reference or invoice}: say why it is refunded")
        if reference:
            payment = _payment(app, journal, reference, supplier)
            left, what = min(payment.left, payment.left_on(on)), f"payment {reference}"
            if payment.rejected_on is not None:
                raise Refused(f"payment {reference} was rejected on {payment.rejected_on}")
        else:
            document = journal.document(supplier or _supplier(app, [invoice]), invoice)
            left, what = -max(document.owed, document.owed_on(on)), invoice
        if left <= 0:
            raise Refused(f"{what}: nothing of it is left to refund on {on}")
        back = whole_cents(left if amount is None else amount, f"{what}: refund")
        if back > left:
            raise Refused(f"{what}: {back} € to refund, of {left} € that are left on {on}")
        if reference:
            told = PaymentRefunded(amount=back, refunded_on=on, reason=reason)
            journal.on_payment(payment.supplier, reference, told)
        else:
            journal.on_document(
                document,
                PaymentReversed(amount=back, value_on=on, reason=reason),
            )
        yield f"{back} € of {what} goes back to the client; {left - back} € of it is left"

    return record(app, decide, by)


def write_off(
    app: Billing,
    invoice: str,
    on: date,
    reason: str,
    amount: Decimal | None = None,
    supplier: str = "",
    by: str = "",
) -> Done:
    """What is owed on a document, or part of it, will not be paid (irrécouvrable)."""

    def decide(journal: Journal) -> Iterator[str]:
        document = journal.document(supplier or _supplier(app, [invoice]), invoice)
        _past(app, on, f"{invoice}: written off")
        payable(document)
        if document.collecting:
            raise Refused(
                f"{invoice}: a direct debit of it is under way for {document.collecting_on}; wait "
                "for the bank's answer"
            )
        if not reason:
            raise Refused(f"{invoice}: say why it will not be paid")
        if on < document.issued_on:
            raise Refused(f"{invoice} was issued on {document.issued_on}, after {on}")
        owed = min(document.owed, document.owed_on(on))
        lost = whole_cents(owed if amount is None else amount, f"{invoice}: written off")
        if lost > owed:
            raise Refused(f"{invoice}: {lost} € to write off, of {owed} € owed on {on}")
        event = InvoiceWrittenOff(amount=lost, written_off_on=on, reason=reason)
        document = journal.on_document(document, event)
        yield f"{lost} € of {invoice} written off, {document.owed} € still owed"

    return record(app, decide, by)


def reject(
    app: Billing,
    reference: str,
    on: date,
    reason: str = "",
    *,
    code: str = "",
    fee: Decimal = ZERO,
    supplier: str = "",
    by: str = "",
) -> Done:
    """A cheque or a card payment failed after all: what it paid is owed again from that day.

    The bank's fee is billed on where the contract of the oldest document it paid says so.
    """

    def decide(journal: Journal) -> Iterator[str]:
        payment = _payment(app, journal, reference, supplier)
        what = f"payment {reference}"
        _past(app, on, f"{what}: rejected")
        if payment.rejected_on is not None:
            raise Refused(f"{what} was already rejected on {payment.rejected_on}")
        if payment.means == "cash":
            raise Refused(f"{what} was made in cash; only what a bank carries out can be rejected")
        if on < payment.value_on:
            raise Refused(f"{what}: rejected on {on}, before it was received on {payment.value_on}")
        charged = whole_cents(fee, f"{what}: fee") if fee else ZERO
        event = PaymentRejected(rejected_on=on, code=code, reason=reason, fee=charged)
        journal.on_payment(payment.supplier, reference, event)
        contracts: dict[str, None] = {}
        for number, amount in payment.paid():
            document = journal.document(payment.supplier, number)
            journal.on_document(
                document,
                PaymentReversed(
                    amount=amount,
                    value_on=max(on, document.issued_on),  # As it was allocated.
                    payment=reference,
                    code=code,
                    reason=reason,
                ),
            )
            contracts[document.contract] = None
            yield f"{number}: {amount} € is owed again"
        if charged:
            yield _bank_fee(journal, list(contracts), charged, on, payment)

    return record(app, decide, by)


def _bank_fee(
    journal: Journal, contracts: list[str], fee: Decimal, on: date, payment: Payment
) -> str:
    """The bank's fee, billed on where the contract says so; in a sentence."""
    number = contracts[0] if contracts else ""
    if not number or journal.contract(number).terms_on(on).payment.return_fees != "client":
        return f"the bank's fee of {fee} € is the supplier's"
    kind = "chèque impayé" if payment.means == "cheque" else "paiement rejeté"
    because = f"payment {payment.reference} rejected on {on}"
    charged = change.add_charge(
        journal.contract(number), "bank_fee", f"Frais bancaires, {kind}", fee, on, because
    )
    journal.on_contract(number, charged)
    return f"the bank's fee of {fee} € is billed on with {number}"


# What several commands need


def _past(app: Billing, on: date, what: str) -> None:
    if on > app.today:
        raise Refused(f"{what} on {on}, in the future; today is {app.today}")


def _payment(app: Billing, journal: Journal, reference: str, supplier: str) -> Payment:
    """The payment of that reference, of the one supplier that has it."""
    suppliers = [supplier] if supplier else companies(app)
    found = [p for code in suppliers if (p := journal.payment(code, reference))]
    if not found:
        raise Refused(f"no payment {reference}; `billing statement CLIENT` shows those there are")
    if len(found) > 1:
        raise Refused(f"several companies have a payment {reference}; say which with --supplier")
    return found[0]


def _supplier(app: Billing, numbers: Iterable[str]) -> str:
    """The company that issued the document named first, or the only one there is."""
    for number in numbers:
        issued: str = app.invoice_events(number)[0].supplier  # type: ignore[attr-defined]
        return issued
    found = companies(app)
    if len(found) == 1:
        return found[0]
    raise Refused(
        f"say which company was paid with --supplier: {', '.join(found)}"
        if found
        else "no contract was signed yet: no company could be paid"
    )


def companies(app: Billing) -> list[str]:
    """The codes of the companies that sell: those of contracts, even before the first invoice."""
    issued = app.suppliers()
    return issued or list(dict.fromkeys(c.supplier for c in app.contracts()))


def _reference(journal: Journal, supplier: str, client: str, on: date) -> str:
    """A reference no payment of that day has yet."""
    base = f"{client}-{on:%Y%m%d}"
    rank, reference = 1, base
    while journal.payment(supplier, reference) is not None:
        rank += 1
        reference = f"{base}-{rank}"
    return reference
