"""Bank files imported: statements and advices applied, status reports too (relevés bancaires).

A file is read to its end and checked before anything of it is applied: a bad one is refused
whole. It is then applied in chunks, each one transaction; a file that was stopped in between is
given again, and what was applied is known. Its digest is recorded last: a second time, nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby, islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from billing.application import receivables
from billing.application.bank_chunks import Chunks
from billing.application.bank_desk import STATUS, Desk, Line, Outcome, Payers, lines
from billing.application.core import Billing
from billing.application.payments import companies
from billing.application.receivables import Book
from billing.application.states import KINDS, fewer_collections
from billing.bank import BankFile, Status, read
from billing.bank.xml import civil_day
from billing.bank_entry import Waiting
from billing.bank_file import Imported
from billing.events import Event, stamped
from billing.events.party import CollectionOrdered, Identity
from billing.events.payment import BankFileImported, CollectionFileSubmitted, EntrySettled
from billing.identity import invoice_id, stream
from billing.money import ZERO
from billing.receivable import Debited
from billing.refusal import Refused
from billing.store import Conflict, Tx

CHUNK = 2_500
EXPLAINED = ("settled", "returned", "received", "known")
SUGGESTED = 3
REJECTED = ("RJCT", "CANC")


class Report(NamedTuple):
    """What an import did: lines by what became of them, in number and in euros."""

    path: str
    digest: str
    schema: str
    identification: str
    suppliers: tuple[str, ...]
    entries: int
    already: date | None = None
    dry: bool = False
    lines: int = 0
    counts: Mapping[str, int] = MappingProxyType({})
    amounts: Mapping[str, Decimal] = MappingProxyType({})
    told: tuple[str, ...] = ()

    @property
    def waiting(self) -> int:
        """Lines that nothing explains."""
        return self.counts.get("waiting", 0)


class _Tally:
    """What became of the lines so far."""

    def __init__(self) -> None:
        self.lines = 0
        self.counts = Counter[str]()
        self.amounts: dict[str, Decimal] = {}
        self.told: list[str] = []

    def note(self, outcome: str, amount: Decimal, times: int = 1) -> None:
        counts, amounts = self.counts, self.amounts
        if outcome in amounts:
            counts[outcome] += times
            amounts[outcome] += amount
        else:
            counts[outcome], amounts[outcome] = times, amount


def import_file(app: Billing, path: str | Path, supplier: str = "", dry: bool = False) -> Report:
    """Applies a file of the bank; raises BadFile or Refused with nothing applied."""
    with fewer_collections(), read(path) as file:
        if known := _known(app, file):
            return Report(
                str(path), file.digest, file.schema, file.message, (known.supplier,), file.count,
                already=known.imported_on, dry=dry,
            )  # fmt: skip
        receivables.book(app)
        tally = _Tally()
        if file.family == "pain.002":
            suppliers = _import_report(app, file, supplier, dry, tally)
        else:
            suppliers = _import_statements(app, file, supplier, dry, tally)
    return Report(
        str(path), file.digest, file.schema, file.message, suppliers, file.count, None, dry,
        tally.lines, dict(tally.counts), tally.amounts, tuple(tally.told),
    )  # fmt: skip


def _known(app: Billing, file: BankFile) -> Imported | None:
    rows = app.store.states("bank_file", ids=[stream("bank_file", file.digest)])
    return KINDS["bank_file"].decode(rows[0].body) if rows else None


# Statements and advices


def _import_statements(
    app: Billing, file: BankFile, supplier: str, dry: bool, tally: _Tally
) -> tuple[str, ...]:
    owners = _owners(app, file, supplier)
    _must_be_past(app, file)
    prefixes = {owner.code: owner.invoice_prefix for owner in owners.values()}
    payers = Payers(app)
    of = {account: _Tally() for account in owners}

    def note(line: Line, outcome: Outcome) -> None:
        of[line.account].note(outcome, line.amount)

    def told() -> Iterator[Line]:
        for entry in file.entries():
            account = file.statements[entry.statement].account
            yield from lines(entry, owners[account].code, account)

    with Chunks(app, payers, prefixes, dry, note).open() as chunks:
        batches = _Batches(app, chunks)
        for alone, some in groupby(told(), key=batches.is_one):
            if alone:
                for line in some:
                    note(line, batches.decide(line))
                continue
            while chunk := list(islice(some, CHUNK)):
                chunks.decide(chunk)
    for account in owners:
        for name, count in of[account].counts.items():
            tally.note(name, of[account].amounts[name], count)
            tally.lines += count
    tally.told = chunks.told
    if not dry:
        _close(app, file, [(one.code, name, of[name].counts) for name, one in owners.items()])
    return tuple(dict.fromkeys(one.code for one in owners.values()))


def _companies(app: Billing) -> dict[str, Identity]:
    """The parties that sell, by code."""
    rows = app.store.states("party", names=companies(app))
    return {row.name: KINDS["party"].decode(row.body).identity for row in rows}


def _holder(app: Billing, account: str) -> dict[str, Identity]:
    """A company that has sold nothing yet, and collects on that account."""
    wanted = account.encode()
    rows = (row for row in app.store.all_states("party") if wanted in row.body.replace(b" ", b""))
    found = (KINDS["party"].decode(row.body).identity for row in rows)
    return {one.code: one for one in found if one.creditor_identifier}


def _owners(app: Billing, file: BankFile, supplier: str) -> dict[str, Identity]:
    """Whose each account of the file is; one that is no supplier's refuses the file."""
    known = _companies(app)
    if supplier and supplier not in known and app.party(supplier) is None:
        raise Refused(f"no supplier {supplier}; known: {', '.join(sorted(known)) or 'none yet'}")
    owners: dict[str, Identity] = {}
    for rank, statement in enumerate(file.statements, 1):
        account = statement.account
        if account in owners:
            continue
        found = [one for one in known.values() if bare(one.iban) == account]
        found = found or list(_holder(app, account).values())
        if supplier:
            found = [one for one in found if one.code == supplier]
        where = f"{file.path}:{statement.line}: statement {rank}, {statement.id}"
        if not found:
            whose = f"an account of {supplier}" if supplier else "an account of a supplier"
            accounts = ", ".join(f"{c} {o.iban}" for c, o in known.items() if o.iban) or "none"
            raise Refused(
                f"{where}: account {account}; expected {whose} (known: {accounts}). Nothing of the "
                "file was applied; `billing party amend CODE --iban` records an account"
            )
        if len(found) > 1:
            codes = ", ".join(one.code for one in found)
            raise Refused(f"{where}: account {account} is of {codes}; say which with --supplier")
        owners[account] = found[0]
    return owners


def bare(iban: str) -> str:
    """The account, without spaces."""
    return iban.replace(" ", "").upper()


def _must_be_past(app: Billing, file: BankFile) -> None:
    if file.latest is None:
        return
    on, rank, line = file.latest
    if on > app.today:
        raise Refused(
            f"{file.path}:{line}: Ntry[{rank}] was booked on {on}, in the future; today is "
            f"{app.today}. Nothing of the file was applied"
        )


def _close(app: Billing, file: BankFile, accounts: Iterable[tuple[str, str, Counter[str]]]) -> None:
    """Records that the file is applied; another that did so meanwhile has said the same."""
    id, at = stream("bank_file", file.digest), app.clock()
    events = []
    for version, (owner, account, counts) in enumerate(accounts, 1):
        event = BankFileImported(
            digest=file.digest,
            schema=file.schema,
            identification=file.message,
            supplier=owner,
            account=account,
            entries=counts.total(),
            matched=sum(counts[outcome] for outcome in EXPLAINED),
            name=Path(file.path).name,
        )
        events.append(stamped(event, id, version, at, app.user))
    try:
        app.write(events)
    except Conflict:
        if _known(app, file) is None:
            raise


# Batches booked as one


class _Batches:
    """Credits that stand for all the collections of a file, or of a part of it (remise)."""

    def __init__(self, app: Billing, chunks: Chunks) -> None:
        self._app = app
        self._chunks = chunks
        self._files: dict[tuple[str, str], bool] = {}

    def is_one(self, line: Line) -> bool:
        """Whether the line is a credit of a file of collections that was submitted here."""
        if line.end_to_end or not line.credit or line.entry.status != "BOOK":
            return False
        return self._message(line) is not None

    def _message(self, line: Line) -> str | None:
        batch = line.batch
        if batch is None or line.entry.reversal:
            return None
        message, payment_information = batch
        # A part of a file bears the file's name and its rank.
        for name in (message, payment_information, payment_information.rpartition("-")[0]):
            if name and self._is_ours(line.supplier, name):
                return name
        return None

    def _is_ours(self, supplier: str, message: str) -> bool:
        key = supplier, message
        if key not in self._files:
            id = stream("collection_file", f"{supplier}/{message}")
            self._files[key] = bool(self._app.store.states("collection_file", ids=[id]))
        return self._files[key]

    def decide(self, line: Line) -> Outcome:
        """Settles what of the file is under way, when the credit agrees with it."""
        message, batch = self._message(line), line.batch
        assert message is not None
        assert batch is not None
        orders = list(ordered(self._app, line.supplier, message))
        orders = [order for order in orders if order.batch == batch[1]] or orders
        ids = list(dict.fromkeys(invoice_id(line.supplier, order.invoice) for order in orders))
        wanted = {order.end_to_end for order in orders}
        sums = self._sums(ids, wanted, line.id)
        # The bank credits all of it, what came back too; or what it did not reject; or what is
        # not credited one by one.
        if not {line.amount, line.amount + line.charges} & {sums.all, sums.kept, sums.open}:
            why = (
                f"{len(wanted)} collections of {message} sum to {sums.all} €, {sums.open} € of "
                f"them under way; the bank credits {line.amount} €"
            )
            return self._wait(line, why)
        if not sums.under_way:
            return "known"
        for first in range(0, len(ids), CHUNK):
            self._settle(ids[first : first + CHUNK], wanted, line)
        return "settled"

    def _sums(self, ids: Sequence[UUID], wanted: set[str], entry: str) -> _Sums:
        sums = _Sums()
        for first in range(0, len(ids), CHUNK):
            for document in self._chunks.documents(ids[first : first + CHUNK]).values():
                for debit in document.debits:
                    if debit.end_to_end in wanted:
                        sums.add(debit, entry)
        return sums

    def _settle(self, ids: Sequence[UUID], wanted: set[str], line: Line) -> None:
        def settled(desk: Desk) -> None:
            desk.preload(ids)
            open_ = [
                (document, debit)
                for document in map(desk.known, ids)
                for debit in document.debits
                if debit.end_to_end in wanted and debit.under_way
            ]
            desk.preload_mandates({debit.mandate for _, debit in open_})
            for document, debit in open_:
                desk.settle(document, debit, desk.day(line), line.id)

        self._chunks.run(settled)

    def _wait(self, line: Line, why: str) -> Outcome:
        def waited(desk: Desk) -> Outcome:
            desk.prepare([line])
            return desk.wait(line, "batch", why)

        return self._chunks.run(waited)


class _Sums:
    """What the collections of a batch come to, in euros."""

    def __init__(self) -> None:
        self.all = self.kept = self.open = ZERO
        self.under_way = 0

    def add(self, debit: Debited, entry: str) -> None:
        self.all += debit.amount
        if debit.under_way or debit.settled_on is not None:
            self.kept += debit.amount
        if debit.under_way or debit.settled_by == entry:
            self.open += debit.amount
        self.under_way += debit.under_way


def ordered(app: Billing, supplier: str, message: str) -> Iterator[CollectionOrdered]:
    """The collections of a file that was handed over: they are recorded just before it."""
    for position, event in app.recorded(topics=[CollectionFileSubmitted.TOPIC]):
        assert isinstance(event, CollectionFileSubmitted)
        if (event.supplier, event.message) != (supplier, message):
            continue
        first = max(position - event.count, 1)
        for _, order in app.recorded(first, position - 1, [CollectionOrdered.TOPIC]):
            assert isinstance(order, CollectionOrdered)
            if order.file == message:
                yield order
        return


# Status reports


class _Order(NamedTuple):
    """A collection that a report may speak of."""

    invoice: str
    amount: Decimal
    batch: str


class _Rejected(NamedTuple):
    """A collection the report rejects, and why."""

    end_to_end: str
    reason: str
    information: str
    charges: Decimal


def _import_report(
    app: Billing, file: BankFile, supplier: str, dry: bool, tally: _Tally
) -> tuple[str, ...]:
    owner = _answered(app, file, supplier)
    orders = {
        order.end_to_end: _Order(order.invoice, order.amount, order.batch)
        for order in ordered(app, owner, file.original)
    }
    batches = {order.batch for order in orders.values()}
    for status in file.statuses():
        _must_agree(file, status, orders, batches)
        if status.level == "transaction" and status.status not in REJECTED:
            tally.note("pending", orders[status.end_to_end].amount)
    on = min(civil_day(file.created) or app.today, app.today)
    chunks = Chunks(app, Payers(app), {}, dry, _unheard)
    rejected = _rejected(file, orders)
    entry = f"{STATUS}{file.message}"
    while chunk := list(islice(rejected, CHUNK)):

        def reject(desk: Desk, chunk: Sequence[_Rejected] = chunk) -> list[Outcome]:
            ids = [invoice_id(owner, orders[one.end_to_end].invoice) for one in chunk]
            desk.preload(ids)
            found = [
                next(d for d in desk.known(id).debits if d.end_to_end == one.end_to_end)
                for id, one in zip(ids, chunk, strict=True)
            ]
            desk.preload_mandates({debit.mandate for debit in found})
            return [
                desk.reject(desk.known(id), one.end_to_end, on, entry, one)
                for id, one in zip(ids, chunk, strict=True)
            ]

        for one, outcome in zip(chunk, chunks.run(reject), strict=True):
            tally.note(outcome, orders[one.end_to_end].amount)
    tally.lines = sum(tally.counts.values())
    tally.told = chunks.told
    if not dry:
        _close(app, file, [(owner, "", tally.counts)])
    return (owner,)


def _unheard(line: Line, outcome: Outcome) -> None:
    """A status report has no lines."""


def _answered(app: Billing, file: BankFile, supplier: str) -> str:
    """The supplier whose file the report answers."""
    message = file.original
    names = {f"{code}/{message}": code for code in _companies(app)}
    found = [
        names[row.name]
        for row in app.store.states("collection_file", names=names)
        if supplier in ("", names[row.name])
    ]
    if not found:
        raise Refused(
            f"{file.path}: it answers message {message}, and no such file of collections was "
            f"submitted{f' for {supplier}' if supplier else ''}. Nothing of it was applied; "
            "`billing collections` shows the files there are"
        )
    if len(found) > 1:
        raise Refused(
            f"{file.path}: message {message} is of {', '.join(found)}; say which with --supplier"
        )
    return found[0]


def _must_agree(
    file: BankFile, status: Status, orders: dict[str, _Order], batches: set[str]
) -> None:
    """Refuses a report that speaks of what was not ordered, or of another amount."""
    where = f"{file.path}:{status.line}"
    part = status.payment_information
    if status.level != "group" and part not in batches:
        raise Refused(
            f"{where}: OrgnlPmtInfId {part}: {status.message} has no such part; it has "
            f"{', '.join(sorted(batches)[:5])}. Nothing of the file was applied"
        )
    if status.level != "transaction":
        return
    order = orders.get(status.end_to_end)
    if order is None or order.batch != part:
        raise Refused(
            f"{where}: OrgnlEndToEndId {status.end_to_end or 'missing'}: no such collection is in "
            f"{part}. Nothing of the file was applied"
        )
    if status.amount is not None and status.amount != order.amount:
        raise Refused(
            f"{where}: {status.end_to_end}: InstdAmt {status.amount}; {order.amount} € were "
            "ordered. Nothing of the file was applied"
        )


def _rejected(file: BankFile, orders: dict[str, _Order]) -> Iterator[_Rejected]:
    """The collections rejected: told one by one, or with all of their part, or of the file."""
    seen: set[str] = set()
    for status in file.statuses():
        if status.status not in REJECTED:
            continue
        if status.level == "transaction":
            names: Iterable[str] = [status.end_to_end]
        else:
            part = status.payment_information
            names = [name for name, order in orders.items() if part in ("", order.batch)]
        for name in names:
            if name not in seen:
                seen.add(name)
                yield _Rejected(name, status.reason, status.information, status.charges)


# What waits


class Unmatched(NamedTuple):
    """A line that waits, and the documents of exactly its amount."""

    line: Waiting
    suggested: tuple[str, ...]


def unmatched(app: Billing, supplier: str = "") -> list[Unmatched]:
    """The lines of the bank that wait to be explained, the oldest first."""
    decode = KINDS["bank_entry"].decode
    rows = app.store.states("bank_entry", due_before=date.max)
    found: list[Waiting] = [decode(row.body) for row in rows]
    found = [line for line in found if supplier in ("", line.supplier)]
    wanted = {(line.supplier, line.amount) for line in found if line.amount > 0}
    exact: dict[tuple[str, Decimal], list[str]] = {}
    for document in receivables.book(app).open(supplier=supplier) if wanted else ():
        if (key := (document.supplier, document.due)) in wanted:
            exact.setdefault(key, []).append(document.number)
    return [
        Unmatched(line, tuple(exact.get((line.supplier, line.amount), ())[:SUGGESTED]))
        for line in found
    ]


def match_entry(
    app: Billing,
    entry: str,
    invoices: Sequence[str] = (),
    client: str = "",
    ignore: str = "",
    supplier: str = "",
) -> list[Event]:
    """Explains a line that waits: what it pays, who paid, or that it is not our business."""
    if bool(ignore) == bool(invoices or client):
        raise Refused(f"{entry}: say which invoice or which client it is of, or why to ignore it")
    found = _line(app, entry, supplier)
    id = stream("bank_entry", f"{found.supplier}/{found.entry}")
    payers = Payers(app)

    def decide(tx: Tx, book: Book) -> Iterable[Event]:
        line: Waiting = KINDS["bank_entry"].decode(tx.states("bank_entry", ids=[id])[0].body)
        if line.settled_on is not None:
            raise Refused(f"{entry} was settled on {line.settled_on}: {line.how}")
        desk = Desk(app, book, tx, payers)
        how, payment = (
            (f"ignored: {ignore}", "") if ignore else desk.explain(line, invoices, client)
        )
        settled = EntrySettled(settled_on=app.today, how=how, payment=payment)
        return [*desk.events, *app.stamp([settled], id, line.version)]

    return receivables.record(app, decide)


def _line(app: Billing, entry: str, supplier: str) -> Waiting:
    names = [f"{code}/{entry}" for code in ([supplier] if supplier else _companies(app))]
    rows = app.store.states("bank_entry", names=names)
    if not rows:
        raise Refused(f"no line {entry} waits; `billing unmatched` shows those that do")
    if len(rows) > 1:
        raise Refused(f"{entry} waits with several companies; say which with --supplier")
    line: Waiting = KINDS["bank_entry"].decode(rows[0].body)
    return line
