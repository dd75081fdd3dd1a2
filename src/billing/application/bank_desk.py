"""What a line of the bank means here: which collection, return or payment it is (rapprochement).

In this order: the end-to-end id of a collection; its mandate and amount; the numbers of documents
in the remittance text; who the payer is. What several could explain, or nothing, waits for a
person.

What was told once is not told twice. A collection is credited once and comes back once, whatever
file says so; a payment is known by the bank's line it came from; a line that waits, or waited, is
known by its own id.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from billing import bank_entry
from billing import mandate as mandates
from billing import receivable as receivables
from billing.application import payments
from billing.application.core import Billing
from billing.application.payments import Journal
from billing.application.receivables import Book, payment_id, payment_row, receivable_row
from billing.application.states import KINDS, row_of
from billing.bank import Entry, Transaction, reasons
from billing.bank_entry import Waiting
from billing.contract import change
from billing.contract.state import Contract
from billing.events import Event, stamped
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.events.party import CollectionReturned, CollectionSettled, Identity
from billing.events.payment import EntryUnmatched, PaymentReceived, PaymentRejected
from billing.identity import invoice_id, stream
from billing.mandate import Mandate
from billing.money import ZERO
from billing.payment import Payment
from billing.receivable import Debited, Receivable
from billing.refusal import Refused
from billing.store import StateRow
from billing.store.store import Reading

Outcome = Literal["settled", "returned", "received", "known", "waiting", "pending", "other"]
"""What became of a line: a collection credited, or come back; a payment received; told before; in
the list of those that wait; not booked yet; a debit that is no return, none of our business."""

STATUS = "status/"
"""How the line begins that stands for a status report: money never moved."""

NEAR = timedelta(days=5)
ATTEMPT = re.compile(r"(.+)/\d{1,3}")
NUMBER = re.compile(r"(?<!\d)(\d{4})\W{0,3}(\d{6})(?!\d)")
WORD = re.compile(r"[^\s,;()]+")

_DEBITS = ("IDDT", "PMNT-IDDT", "RDDT")
_ON_THE_BOOK = frozenset((CollectionSettled, CollectionReturned, PaymentAllocated, PaymentReversed))
_MEANS: dict[str, payments.Means] = {
    "RCHQ": "cheque",
    "ICHQ": "cheque",
    "CCRD": "card",
    "MCRD": "card",
}


def _of_end_to_end(line: Line) -> Iterator[str]:
    """The document that its end-to-end id names: its number, and the rank of a later attempt."""
    yield line.end_to_end
    if found := ATTEMPT.fullmatch(line.end_to_end):
        yield found[1]


class Line(NamedTuple):
    """A payment of a statement, as the bank tells it: a transaction, or an entry without any."""

    supplier: str
    account: str
    entry: Entry
    transaction: Transaction | None

    @property
    def id(self) -> str:
        """Its name, the same in whatever file it is told."""
        return self.transaction.id if self.transaction else self.entry.id

    @property
    def amount(self) -> Decimal:
        """In euros, positive."""
        return self.transaction.amount if self.transaction else self.entry.amount

    @property
    def credit(self) -> bool:
        """Whether the account was credited."""
        return self.transaction.credit if self.transaction else self.entry.credit

    @property
    def charges(self) -> Decimal:
        """What the bank says it charged with it."""
        own = self.transaction.charges if self.transaction else ZERO
        alone = len(self.entry.transactions) <= 1 and self.entry.part == 0
        return own or (self.entry.charges if alone else ZERO)

    @property
    def end_to_end(self) -> str:
        """The id the collection or the payer gave."""
        return self.transaction.end_to_end if self.transaction else ""

    @property
    def mandate(self) -> str:
        """The mandate it names."""
        return self.transaction.mandate if self.transaction else ""

    @property
    def text(self) -> str:
        """All that was written with it."""
        if self.transaction is None:
            return self.entry.information
        return " ".join((self.transaction.remittance, self.transaction.information)).strip()

    @property
    def code(self) -> str:
        """The bank's code of what kind of operation it is."""
        return (self.transaction.code if self.transaction else "") or self.entry.code

    @property
    def batch(self) -> tuple[str, str] | None:
        """The message and payment information, where it stands for several collections at once."""
        one = self.transaction
        if one is None:
            if len(self.entry.batches) != 1:
                return None
            batch = self.entry.batches[0]
            return (batch.message, batch.payment_information)
        if one.end_to_end or one.mandate or not (one.payment_information or one.message):
            return None
        return (one.message, one.payment_information)

    @property
    def is_return(self) -> bool:
        """Whether the bank says why something came back."""
        return self.entry.reversal or (self.transaction is not None and self.transaction.returned)


def lines(entry: Entry, supplier: str, account: str) -> Iterator[Line]:
    """The payments of an entry."""
    if not entry.transactions and entry.part == 0:
        yield Line(supplier, account, entry, None)
    for one in entry.transactions:
        yield Line(supplier, account, entry, one)


class Written(NamedTuple):
    """States to write, and the versions they must have had."""

    rows: list[StateRow]
    expected: list[int]

    def add(self, row: StateRow, expected: int) -> None:
        """One more."""
        self.rows.append(row)
        self.expected.append(expected)

    @property
    def ids(self) -> Iterator[UUID]:
        """The streams they are of."""
        return (row.id for row in self.rows)


class Wait(Protocol):
    """Waits until what was decided before of some streams, or of all, is written."""

    def __call__(self, ids: Iterable[UUID] | None = None) -> None: ...


class Why(Protocol):
    """Why a collection came back: the code, the bank's words and its charges."""

    @property
    def reason(self) -> str: ...
    @property
    def information(self) -> str: ...
    @property
    def charges(self) -> Decimal: ...


class Payers:
    """Who pays from which account, under which name; looked up when first asked."""

    def __init__(self, app: Billing) -> None:
        self._app = app

    def of(self, iban: str, name: str, own: str) -> str:
        """The client of that account, else of exactly that name; "" when it is not one client."""
        iban = iban.replace(" ", "").upper()
        for known in (self._parties[0], self._mandates, self._settled) if iban else ():
            if found := known.get(iban, set()) - {own}:
                return next(iter(found)) if len(found) == 1 else ""
        found = self._parties[1].get(plain(name), set()) - {own} if name else set()
        return next(iter(found)) if len(found) == 1 else ""

    @cached_property
    def _parties(self) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        ibans: dict[str, set[str]] = {}
        names: dict[str, set[str]] = {}
        for row in self._app.store.states("party"):
            identity: Identity = KINDS["party"].decode(row.body).identity
            if identity.iban:
                ibans.setdefault(identity.iban, set()).add(identity.code)
            names.setdefault(plain(identity.name), set()).add(identity.code)
        return ibans, names

    @cached_property
    def _mandates(self) -> dict[str, set[str]]:
        ibans: dict[str, set[str]] = {}
        for row in self._app.store.all_states("mandate"):
            mandate: Mandate = KINDS["mandate"].decode(row.body)
            ibans.setdefault(mandate.iban, set()).add(mandate.debtor)
        return ibans

    @cached_property
    def _settled(self) -> dict[str, set[str]]:
        """What people said of earlier lines from the same account."""
        ibans: dict[str, set[str]] = {}
        book = Book(self._app.store)
        for row in self._app.store.all_states("bank_entry"):
            line: Waiting = KINDS["bank_entry"].decode(row.body)
            if line.payment and line.counterparty_iban:
                payment = book.payment(line.supplier, line.payment)
                if payment and payment.client:
                    ibans.setdefault(line.counterparty_iban, set()).add(payment.client)
        return ibans


def plain(name: str) -> str:
    """A name as two people would write it alike: capitals, no accents, no punctuation."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
    return " ".join(re.findall(r"[A-Z0-9]+", bare))


class Desk(Journal):
    """Decisions on lines of the bank, one after another, on one book."""

    def __init__(
        self,
        app: Billing,
        book: Book,
        reads: Reading,
        payers: Payers,
        prefixes: Mapping[str, str] = MappingProxyType({}),
        wait: Wait = lambda ids=None: None,
    ) -> None:
        super().__init__(app, book)
        self._reads = reads
        self._payers = payers
        self._prefixes = prefixes
        self._wait = wait  # Until what was decided before of some streams, or of all, is written.
        self._where: dict[tuple[str, str], UUID] = {}  # The document of an end-to-end id.
        self._mandates: dict[UUID, Mandate] = {}
        self._listed: dict[UUID, bool] = {}  # Lines that waited; whether they do still.
        self._before: dict[UUID, int] = {}  # Documents and mandates decided on: their versions.
        self.told: list[str] = []
        self.at, self.by, self.today = app.clock(), app.user, app.today

    # What is read before

    def prepare(self, told: Sequence[Line]) -> None:
        """Reads at once all that some lines may be about."""
        self._read_named((line, _of_end_to_end(line)) for line in told if line.end_to_end)
        where, documents = self._where, self._documents
        others: list[Line] = []
        found: set[UUID] = set()  # Documents whose collections are told of.
        for line in told:
            id = where.get((line.supplier, line.end_to_end))
            if id is None or not documents[id].debits:
                others.append(line)
            else:
                found.add(id)
        mandates_ = {debit.mandate for id in found for debit in documents[id].debits}
        if others:
            self._read_named((line, self._written(line)) for line in others)
            mandates_ |= {stream("mandate", line.mandate) for line in others if line.mandate}
            entries = [stream("bank_entry", f"{line.supplier}/{line.id}") for line in others]
            self._wait(entries)
            for row in self._reads.states("bank_entry", ids=entries):
                self._listed[row.id] = row.next_due is not None
            for supplier in {line.supplier for line in others}:
                references = [x.id for x in others if x.credit and x.supplier == supplier]
                self._wait(payment_id(supplier, one) for one in references)
                self.preload_payments(supplier, references)
        self.preload_mandates(mandates_)

    def _read_named(self, told: Iterable[tuple[Line, Iterable[str]]]) -> None:
        """Reads the documents that lines may be about, by their numbers."""
        wanted = {(line.supplier, number) for line, numbers in told for number in numbers}
        ids = {key: invoice_id(*key) for key in wanted}
        self._wait(ids.values())
        self.preload(ids.values())
        for (supplier, number), id in ids.items():
            document = self._documents.get(id)
            if document is not None:
                self._where[supplier, number] = id
                for debit in document.debits:
                    self._where[supplier, debit.end_to_end] = id

    def preload_mandates(self, ids: set[UUID]) -> None:
        """Reads mandates by their streams."""
        missing = {id for id in ids if id not in self._mandates}
        if missing:
            self._wait(missing)
            decode = KINDS["mandate"].decode
            for row in self._reads.states("mandate", ids=missing):
                self._mandates[row.id] = decode(row.body)

    def _mandate_of(self, debit: Debited) -> Mandate:
        if debit.mandate not in self._mandates:
            self.preload_mandates({debit.mandate})
        return self._mandates[debit.mandate]

    def _written(self, line: Line) -> Iterator[str]:
        """The numbers of documents in what the payer wrote."""
        if text := line.text:
            prefix = self._prefixes.get(line.supplier, "")
            for year, rank in NUMBER.findall(text):
                yield f"{prefix}{year}-{rank}"
            yield from WORD.findall(text)[:50]

    def known(self, id: UUID) -> Receivable:
        """A document read before, as the decisions so far leave it."""
        return self._documents[id]

    def debit_of(self, line: Line) -> tuple[Receivable, Debited] | None:
        """The collection of that end-to-end id."""
        end_to_end = line.end_to_end
        id = self._where.get((line.supplier, end_to_end)) if end_to_end else None
        if id is not None:
            document = self._documents[id]
            for debit in document.debits:
                if debit.end_to_end == end_to_end:
                    return document, debit
        return None

    # What others may be writing: all that was decided before is waited for.

    def open(self, client: str, supplier: str) -> list[Receivable]:
        self._wait()
        return super().open(client, supplier)

    def contract(self, number: str) -> Contract:
        self._wait()
        return super().contract(number)

    def payment(self, supplier: str, reference: str) -> Payment | None:
        self._wait([payment_id(supplier, reference)])
        return super().payment(supplier, reference)

    def document(self, supplier: str, number: str) -> Receivable:
        self._wait([invoice_id(supplier, number)])
        return super().document(supplier, number)

    def _payments_of(self, client: str, supplier: str) -> list[Payment]:
        self._wait()
        found = {}
        for payment in self.book.payments(client, left_only=False, supplier=supplier):
            id = payment_id(payment.supplier, payment.reference)
            found[id] = self._payments.get(id) or payment
        for id, ours in self._payments.items():  # Those received in this chunk.
            if ours is not None and (ours.client, ours.supplier) == (client, supplier):
                found[id] = ours
        return list(found.values())

    # What is written

    def on_document(self, document: Receivable, *decisions: Event) -> Receivable:
        id = self._id(document)
        self._before.setdefault(id, document.version)
        return super().on_document(document, *decisions)

    def _id(self, document: Receivable) -> UUID:
        key = document.supplier, document.number
        found = self._where.get(key)
        if found is None:
            found = self._where[key] = invoice_id(*key)
        return found

    def written(self) -> Written | None:
        """The states that the decisions lead to; none where others must hear of them too."""
        written = Written([], [])
        for id, version in self._before.items():
            mandate = self._mandates.get(id)
            if mandate is not None:
                written.add(row_of(KINDS["mandate"], id, mandate), version)
                continue
            document = self._documents[id]
            if document.kind == "deposit":
                return None
            written.add(receivable_row(id, document), version)
        for event in self.events:
            kind, id = type(event), event.originator_id
            if kind in _ON_THE_BOOK:
                continue
            if kind is PaymentReceived:
                payment = self._payments[id]
                assert payment is not None
                written.add(payment_row(id, payment), 0)
            elif kind is EntryUnmatched:
                written.add(row_of(KINDS["bank_entry"], id, bank_entry.apply(None, event)), 0)
            else:
                return None
        return written

    # Deciding

    def decide(self, line: Line) -> Outcome:
        """What the line means; the events are in the journal."""
        if line.entry.status != "BOOK":
            return "pending"
        found = self.debit_of(line) or self._by_mandate(line) or self._by_number(line)
        if found is not None:
            document, debit = found
            if line.credit:
                return self._credited(line, document, debit)
            return self._came_back(line, document, debit)
        listed = self._listed.get(stream("bank_entry", f"{line.supplier}/{line.id}"))
        if listed is not None:
            return "waiting" if listed else "known"
        if line.credit:
            return self._money_in(line)
        if line.is_return or (line.end_to_end and line.code.startswith(_DEBITS)):
            return self._payment_back(line)
        return "other"

    def _by_mandate(self, line: Line) -> tuple[Receivable, Debited] | None:
        """The one collection under the mandate it names that it could be."""
        if not line.mandate:
            return None
        id = stream("mandate", line.mandate)
        mandate = self._mandates.get(id)
        if mandate is None:
            return None
        return self._only(line, self._documents_of(mandate.debtor, line.supplier), id)

    def _by_number(self, line: Line) -> tuple[Receivable, Debited] | None:
        """The one collection of the documents it names; a transfer is no collection."""
        if line.credit and not line.code.startswith(_DEBITS):
            return None
        return self._only(line, self.named(line))

    def _only(
        self, line: Line, documents: Iterable[Receivable], mandate: UUID | None = None
    ) -> tuple[Receivable, Debited] | None:
        found = [
            (document, debit)
            for document in documents
            for debit in document.debits
            if mandate in (None, debit.mandate)
            and debit.amount in self._amounts(line)
            and (debit.under_way if line.credit else debit.returned_on is None)
        ]
        return found[0] if len(found) == 1 else None

    def named(self, line: Line) -> list[Receivable]:
        """The documents named in what was written, or by the payer's own id, each once."""
        found: dict[str, Receivable] = {}
        for number in (line.end_to_end, *self._written(line)):
            id = self._where.get((line.supplier, number))
            if id is not None and self._documents[id].number == number:
                found.setdefault(number, self._documents[id])
        return list(found.values())

    def _documents_of(self, client: str, supplier: str) -> list[Receivable]:
        documents = []
        self._wait()
        for document in self.book.documents(client, supplier=supplier):
            id = invoice_id(document.supplier, document.number)
            documents.append(self._documents.setdefault(id, document))
        return documents

    def _amounts(self, line: Line) -> set[Decimal]:
        """The amounts the collection may have had: the bank's charges added, or kept."""
        told = {line.amount, line.amount - line.charges, line.amount + line.charges}
        if line.transaction is not None and line.transaction.instructed is not None:
            told.add(line.transaction.instructed)
        return told

    # Collections

    def _credited(self, line: Line, document: Receivable, debit: Debited) -> Outcome:
        name = debit.end_to_end
        if debit.settled_on is not None:
            if debit.returned_on is None or line.entry.on <= debit.returned_on:
                return "known"
            return self.wait(
                line,
                "collection",
                f"{name} was credited on {debit.settled_on} and came back on {debit.returned_on}; "
                f"the bank credits it again on {line.entry.on}",
            )
        if debit.returned_on is not None:
            if not debit.returned_by.startswith(STATUS):
                return "known"  # The files came the other way round: in and out, nothing is left.
            told = f"{name} was rejected on {debit.returned_on}, and the bank credits it"
            return self.wait(line, "collection", told)
        if debit.amount != line.amount and debit.amount not in self._amounts(line):
            told = f"{name} was collected for {debit.amount} €; the bank credits {line.amount} €"
            return self.wait(line, "collection", told)
        self.settle(document, debit, self.day(line), line.id)
        return "settled"

    def settle(self, document: Receivable, debit: Debited, on: date, entry: str) -> None:
        """The collection is credited; it pays the document."""
        mandate = self._mandate_of(debit)
        settled = CollectionSettled(
            originator_id=debit.mandate,
            originator_version=mandate.version + 1,
            recorded_at=self.at,
            recorded_by=self.by,
            end_to_end=debit.end_to_end,
            supplier=document.supplier,
            invoice=document.number,
            amount=debit.amount,
            settled_on=on,
            entry=entry,
        )
        document = self._on_mandate(mandate, document, settled)
        id = self._id(document)
        allocated = PaymentAllocated(
            originator_id=id,
            originator_version=document.version + 1,
            recorded_at=self.at,
            recorded_by=self.by,
            amount=debit.amount,
            value_on=max(on, document.issued_on),
            means="direct_debit",
            collection=debit.end_to_end,
        )
        self.events.append(allocated)
        self._documents[id] = receivables.apply(document, allocated)
        self._moved.setdefault(document.client, {})[id] = None

    def _came_back(self, line: Line, document: Receivable, debit: Debited) -> Outcome:
        if debit.returned_on is not None:
            return "known"
        if debit.amount not in self._amounts(line):
            told = (
                f"{debit.end_to_end} was collected for {debit.amount} €; {line.amount} € came back"
            )
            return self.wait(line, "return", told)
        fee = max(line.charges, line.amount - debit.amount, ZERO)
        one = line.transaction
        self.give_back(
            document,
            debit,
            self.day(line),
            line.id,
            one.reason if one else "",
            one.information if one else line.entry.information,
            fee,
            line.code.endswith(("PRDD", "RCDD")),
        )
        return "returned"

    def give_back(
        self,
        document: Receivable,
        debit: Debited,
        on: date,
        entry: str,
        code: str,
        information: str = "",
        fee: Decimal = ZERO,
        reversal: bool = False,
    ) -> None:
        """The collection came back: if it had been credited, the document is owed again."""
        mandate = self._mandate_of(debit)
        settled = debit.settled_on is not None
        moved = settled or not entry.startswith(STATUS)
        kind = reasons.kind_of(code, moved, mandate.scheme, debit.collected_on, on, reversal)
        why = reasons.sentence(code, information)
        returned = CollectionReturned(
            end_to_end=debit.end_to_end,
            supplier=document.supplier,
            invoice=document.number,
            amount=debit.amount,
            returned_on=on,
            kind=kind,
            code=code,
            settled=settled,
            fee=fee,
            entry=entry,
            iban=debit.iban,
        )
        returned = stamped(returned, debit.mandate, mandate.version + 1, self.at, self.by)
        document = self._on_mandate(mandate, document, returned)
        if settled:
            taken_back = PaymentReversed(
                amount=debit.amount,
                value_on=max(on, document.issued_on),
                collection=debit.end_to_end,
                code=code,
                reason=why,
            )
            document = self.on_document(document, taken_back)
        name = debit.end_to_end
        self.told.append(f"{name}: {debit.amount} € came back ({kind}): {why}")
        stops = any(one == code for one, _ in self._mandates[debit.mandate].stopped)
        if stops and (stopped := reasons.stops(code)):
            self.told.append(f"mandate {mandate.reference}: {stopped}")
        if unusual := reasons.warning(code, kind, mandate.scheme, debit.collected_on, on):
            self.told.append(f"{name}: {unusual}")
        if fee:
            self.told.append(f"{name}: {self._bill_on(document, fee, on, name, why)}")

    def reject(
        self, document: Receivable, end_to_end: str, on: date, entry: str, why: Why
    ) -> Outcome:
        """A status report rejects the collection; told twice, it is rejected once."""
        debit = next(one for one in document.debits if one.end_to_end == end_to_end)
        if debit.returned_on is not None:
            return "known"
        self.give_back(document, debit, on, entry, why.reason, why.information, why.charges)
        return "returned"

    def _bill_on(self, document: Receivable, fee: Decimal, on: date, name: str, why: str) -> str:
        """The bank's fee, billed on where the contract says so; in a sentence."""
        number = document.contract
        if not number or self.contract(number).terms_on(on).payment.return_fees != "client":
            return f"the bank's fee of {fee} € is the supplier's"
        because = f"{name}, {on}: {why}"
        label = f"Frais bancaires, prélèvement {name} impayé"
        try:
            charged = change.add_charge(self.contract(number), "bank_fee", label, fee, on, because)
            self.on_contract(number, list(charged))
        except Refused as refused:
            return f"the bank's fee of {fee} € cannot be billed on: {refused}"
        return f"the bank's fee of {fee} € is billed on with {number}"

    def _on_mandate(self, mandate: Mandate, document: Receivable, event: Event) -> Receivable:
        """Takes a decision on a mandate; the document as it leaves it."""
        id, before = event.originator_id, self._before
        before.setdefault(id, mandate.version)
        self._mandates[id] = mandates.apply(mandate, event)
        self.events.append(event)
        of = self._id(document)
        before.setdefault(of, document.version)
        document = self._documents[of] = receivables.observe(document, event)
        return document

    # Transfers

    def _money_in(self, line: Line) -> Outcome:
        if self._payments.get(payment_id(line.supplier, line.id)) is not None:
            return "known"
        if line.is_return:
            told = "the bank gives back what had been taken: say what it is"
            return self.wait(line, "reversal", told)
        if line.batch is not None:
            return self.wait(line, "batch", "no file of collections is known under these names")
        if line.code.startswith(_DEBITS):
            return self.wait(line, "collection", "no collection under way is of this id and amount")
        named = self.named(line)
        clients = {document.client for document in named}
        one = line.transaction
        if len(clients) == 1:
            client = clients.pop()
        else:
            client = self._payers.of(
                one.counterparty_iban if one else "", one.counterparty if one else "", line.supplier
            )
        if not client:
            return self.wait(line, "transfer", self._unknown(clients))
        if known := self._told_otherwise(line, client):
            return self.wait(line, "transfer", known)
        try:
            self.receive(line_received(line, client, self.day(line)), named)
        except Refused as refused:
            if self.payment(line.supplier, line.id) is None:
                return self.wait(line, "transfer", str(refused))
        return "received"

    def _unknown(self, clients: set[str]) -> str:
        if clients:
            return (
                f"what is written names documents of several clients: {', '.join(sorted(clients))}"
            )
        return "the payer is not known"

    def _told_otherwise(self, line: Line, client: str) -> str:
        """A payment that may be this one: recorded by hand, or told without a reference."""
        on = self.day(line)
        for payment in self._payments_of(client, line.supplier):
            if payment.amount != line.amount or payment.rejected_on is not None:
                continue
            by_hand = payment.entry == "" and abs(payment.value_on - on) <= NEAR
            # Without the bank's reference in both, a line may be told in two ways.
            apart = payment.entry.partition("-")[0] != line.id.partition("-")[0]
            vague = "c" in (payment.entry[:1], line.id[:1])
            otherwise = apart and vague and payment.value_on == on
            if by_hand or otherwise:
                how = "recorded by hand" if by_hand else "told by the bank"
                return (
                    f"{client} may have paid it already: payment {payment.reference} of the same "
                    f"amount was {how} for {payment.value_on}"
                )
        return ""

    def receive(self, received: PaymentReceived, named: Sequence[Receivable] = ()) -> None:
        """Records money a client transferred, and what it pays."""
        said: dict[str, Decimal | None] = {}
        left = received.amount
        for document in named:
            ours = document.client == received.client and document.owed > 0
            if ours and document.issued_on <= received.value_on and not document.collecting:
                if left > 0:
                    said[document.number] = None
                left -= document.owed
        payments.take(self, received, said)

    def _payment_back(self, line: Line) -> Outcome:
        """A transfer or a cheque that was received and is taken back."""
        if (found := self._received(line)) is None:
            kind: str = "reversal" if line.entry.reversal else "return"
            return self.wait(line, kind, "nothing received or collected is of this id and amount")
        if found.rejected_on is not None:
            return "known"
        on, one = self.day(line), line.transaction
        code = one.reason if one else ""
        why = reasons.sentence(code, one.information if one else line.entry.information)
        rejected = PaymentRejected(rejected_on=on, code=code, reason=why, fee=line.charges)
        self.on_payment(found.supplier, found.reference, rejected)
        for number, amount in found.paid():
            document = self.document(found.supplier, number)
            taken_back = PaymentReversed(
                amount=amount,
                value_on=max(on, document.issued_on),
                payment=found.reference,
                code=code,
                reason=why,
            )
            self.on_document(document, taken_back)
        self.told.append(f"payment {found.reference}: {found.amount} € came back: {why}")
        return "returned"

    def _received(self, line: Line) -> Payment | None:
        """The one payment that could be taken back by this line."""
        one = line.transaction
        client = self._payers.of(
            one.counterparty_iban if one else "", one.counterparty if one else "", line.supplier
        )
        if not client:
            return None
        found = [
            payment
            for payment in self._payments_of(client, line.supplier)
            if payment.amount in self._amounts(line)
            and payment.entry
            and payment.value_on <= line.entry.on
        ]
        if len(found) != 1:
            return None
        return self.payment(found[0].supplier, found[0].reference)

    # What waits

    def explain(self, line: Waiting, invoices: Sequence[str], client: str) -> tuple[str, str]:
        """What a person says a line is; how, and the payment it made."""
        named = [self.document(line.supplier, number) for number in invoices]
        owners = {document.client for document in named} | ({client} if client else set())
        if len(owners) > 1:
            raise Refused(f"{line.entry}: {', '.join(invoices)} are not all of one client")
        amount, on = abs(line.amount), min(line.value_on, self.app.today)
        for document in named if len(named) == 1 else ():
            for debit in document.debits:
                if debit.amount != amount or debit.returned_on is not None:
                    continue
                name = debit.end_to_end
                if line.amount > 0 and debit.under_way:
                    self.settle(document, debit, on, line.entry)
                    return f"collection {name} credited", ""
                if line.amount < 0 and debit.settled_on is not None:
                    self.give_back(document, debit, on, line.entry, line.code, line.remittance)
                    return f"collection {name} came back", ""
        if line.amount < 0:
            raise Refused(
                f"{line.entry}: no collection of {amount} € that could come back is named; say the "
                "invoice it was of, or why to ignore it"
            )
        (owner,) = owners
        if self.app.party(owner) is None:
            raise Refused(f"no party {owner}")
        received = PaymentReceived(
            reference=line.entry,
            supplier=line.supplier,
            client=owner,
            amount=amount,
            value_on=on,
            payer=line.counterparty,
            payer_iban=line.counterparty_iban,
            remittance=line.remittance,
            entry=line.entry,
        )
        self.receive(received, named)
        return f"payment of {owner}", line.entry

    def wait(self, line: Line, kind: str, why: str) -> Outcome:
        """The line waits to be explained by hand; one that does already, does not again."""
        id = stream("bank_entry", f"{line.supplier}/{line.id}")
        if id in self._listed:
            return "waiting" if self._listed[id] else "known"
        self._listed[id] = True
        one = line.transaction
        event = EntryUnmatched(
            entry=line.id,
            supplier=line.supplier,
            account=line.account,
            amount=line.amount if line.credit else -line.amount,
            value_on=line.entry.on,
            kind=kind,
            why=why,
            end_to_end=line.end_to_end,
            mandate=line.mandate,
            remittance=line.text,
            counterparty=one.counterparty if one else "",
            counterparty_iban=one.counterparty_iban if one else "",
            code=(one.reason if one else "") or line.code,
        )
        self.events.append(stamped(event, id, 1, self.at, self.by))
        return "waiting"

    def day(self, line: Line) -> date:
        """The day the money moved: its value day, or the day booked while that is to come."""
        on = line.entry.on
        if on > self.today and line.entry.booked_on is not None:
            return min(line.entry.booked_on, on)
        return on


def line_received(line: Line, client: str, on: date) -> PaymentReceived:
    """The payment a line tells of."""
    one = line.transaction
    family = line.code.split("-")[1] if line.code.count("-") >= 1 else ""
    return PaymentReceived(
        reference=line.id,
        supplier=line.supplier,
        client=client,
        amount=line.amount,
        value_on=on,
        means=_MEANS.get(family, "transfer"),
        payer=one.counterparty if one else "",
        payer_iban=one.counterparty_iban if one else "",
        remittance=line.text,
        entry=line.id,
    )
