"""Statements and advices of an account (camt.053 relevé, camt.054 avis), versions .02 to .14.

What the versions write differently: a status as a code or as Sts/Cd; BIC or BICFI; the amount of
a transaction in AmtDtls or of its own; parties named directly or under Pty; charges listed or
recorded; net totals with the sign inside or beside.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from hashlib import sha1
from typing import Any

from lxml import etree

from billing.bank.facts import (
    NOT_PROVIDED,
    PART,
    Balance,
    Batch,
    Entry,
    Statement,
    Transaction,
)
from billing.bank.xml import (
    TEXT,
    Document,
    Fields,
    Mould,
    Node,
    Plan,
    Wrong,
    bad,
    child,
    children,
    credited,
    day,
    decimal,
    euros,
    money,
    needed,
    text,
    whole,
)
from billing.refusal import BadFile

ZERO = Decimal("0.00")
STATEMENTS = {"camt.053": "Stmt", "camt.054": "Ntfctn"}
STATUSES = ("BOOK", "PDNG", "INFO", "FUTR")
ELEMENTS = frozenset(("GrpHdr", "Stmt", "Ntfctn", "Ntry"))
SHAPES = 200  # Of entries, remembered.
FEW = 64  # Transactions of one entry held as XML at most.
_AFTER = ("AddtlNtryInf", "AddtlStmtInf", "AddtlNtfctnInf", "SplmtryData")
NO_REFERENCE = frozenset(("", NOT_PROVIDED, "NONREF", "NOREF", "NONE", "0"))
"""What banks write where they give no reference."""


_CODE = {
    "BkTxCd/Domn/Cd": "domain",
    "BkTxCd/Domn/Fmly/Cd": "family",
    "BkTxCd/Domn/Fmly/SubFmlyCd": "sub_family",
    "BkTxCd/Prtry/Cd": "own_code",
    "Chrgs": "charges{}",
}
ENTRY = Plan(
    {
        "Amt": "amount€",
        "CdtDbtInd": "way",
        "RvslInd": "reversal",
        "Sts": "status",
        "Sts/Cd": "status",
        "Sts/Prtry": "status",
        "BookgDt/Dt": "booked_on",
        "BookgDt/DtTm": "booked_on",
        "ValDt/Dt": "value_on",
        "ValDt/DtTm": "value_on",
        "AcctSvcrRef": "reference",
        "AddtlNtryInf": "information",
        **_CODE,
    },
    until="NtryDtls",
)
TRANSACTION = Plan(
    {
        "Refs/AcctSvcrRef": "reference",
        "Refs/MsgId": "message",
        "Refs/PmtInfId": "payment_information",
        "Refs/InstrId": "instruction",
        "Refs/EndToEndId": "end_to_end",
        "Refs/MndtId": "mandate",
        "Amt": "amount€",
        "CdtDbtInd": "way",
        "AmtDtls/TxAmt/Amt": "amount€",
        "AmtDtls/InstdAmt/Amt": "instructed€",
        "RltdPties/Dbtr/Nm": "debtor",
        "RltdPties/Dbtr/Pty/Nm": "debtor",
        "RltdPties/UltmtDbtr/Nm": "ultimate_debtor",
        "RltdPties/UltmtDbtr/Pty/Nm": "ultimate_debtor",
        "RltdPties/DbtrAcct/Id/IBAN": "debtor_iban",
        "RltdPties/Cdtr/Id/PrvtId/Othr/Id": "creditor_identifier",
        "RltdPties/Cdtr/Pty/Id/PrvtId/Othr/Id": "creditor_identifier",
        "RmtInf/Ustrd": "unstructured*",
        "RmtInf/Strd/CdtrRefInf/Ref": "structured*",
        "RmtInf/Strd/RfrdDocInf/Nb": "documents*",
        "RtrInf/Rsn/Cd": "reason",
        "RtrInf/Rsn/Prtry": "reason",
        "RtrInf/AddtlInf": "returned*",
        "AddtlTxInf": "information",
        **_CODE,
    }
)


class Reader:
    """Takes the elements of a camt file as they end; entries go to `told` when complete."""

    elements = ELEMENTS

    def __init__(self, document: Document, told: Callable[[Entry], None]) -> None:
        self._document = document
        self._told = told
        self._element = STATEMENTS[document.schema[:8]]
        self._tag = f"{{{document.namespace}}}NtryDtls"
        self._within = tuple(f"{{{document.namespace}}}{name}" for name in ("Btch", "TxDtls"))
        self._takes = {
            "GrpHdr": self._header_ends,
            "Ntry": self._entry_ends,
            self._element: self._statement_ends,
        }
        self.message = ""
        self.created = ""
        self.statements: list[Statement] = []
        self.entries = 0
        self.latest: tuple[date, int, int] | None = None
        self._paged = False
        self._known: set[tuple[str, str, str]] = set()
        self._seen: dict[int, int] = {}  # Of each identity, who bears it or how many times.
        self._header: Node = {}
        self._sums = _Sums()
        self._rank = self._paused = 0
        self._statement: etree._Element | None = None
        self._opened: _Opened | None = None
        self._moulds: dict[str, tuple[Mould, Mould | None] | None] = {}

    def take(self, name: str, element: etree._Element) -> None:
        """One more element has ended."""
        take = self._takes.get(name)
        if take is None:
            told = f"a {self._element} was expected in a {self._document.schema}"
            raise self._document.refusal(element, "", told)
        take(element)

    def end(self) -> None:
        """The file is read whole."""
        if not self.statements:
            told = f"no {self._element} in this {self._document.schema}; one at least was expected"
            raise bad(self._document.path, told)

    # The message and its statements

    def _header_ends(self, element: etree._Element) -> None:
        header = self._document.node(element)
        self.message, self.created = text(header, "MsgId"), text(header, "CreDtTm")
        self._paged = _is_paged(child(header, "MsgPgntn"))

    def _open(self, element: etree._Element) -> None:
        """Reads what stands of a statement before its first entry, once."""
        if self._header:
            return
        parent = element.getparent()
        if self._document.name(element) != self._element or parent is None:
            raise self._document.refusal(element, "", f"{self._element} was expected here")
        self._document.place = f"{self._element}[{len(self.statements) + 1}]"
        self._header = self._document.node(element, until="Ntry")
        try:
            statement = _statement(self._header, element.sourceline or 0)
        except Wrong as error:
            raise self._document.wrong(element, error) from None
        key = (statement.id, statement.account, statement.page)
        if key in self._known:
            told = "this statement is in the file twice"
            raise self._document.wrong(element, Wrong(("Id",), statement.id, told))
        self._known.add(key)
        self.statements.append(statement)
        self._sums, self._rank = _Sums(), 0

    def _statement_ends(self, element: etree._Element) -> None:
        self._open(element)
        self._document.place = f"{self._element}[{len(self.statements)}]"
        if self._rank:
            self._after(element, "Ntry")
        try:
            self._check_totals()
            self._check_balances()
        except Wrong as error:
            raise self._document.wrong(element, error) from None
        self._header, self._statement = {}, None
        self._document.let_go(element)

    def _after(self, element: etree._Element, name: str) -> str:
        """What is added after the last child of that name; nothing else may stand there."""
        added = ""
        for below in element.iterchildren(reversed=True):
            found = self._document.name(below)
            if found == name:
                break
            if found not in _AFTER:
                told = f"{found} stands after {name}; it was expected before"
                raise self._document.wrong(element, Wrong((found,), "", told))
            if found == "AddtlNtryInf":
                added = (below.text or "")[:TEXT].strip()
        return added

    def _check_totals(self) -> None:
        header, sums = self._header, self._sums
        summary = child(header, "TxsSummry")
        paged = self._paged or any(
            _is_paged(child(header, name)) for name in ("StmtPgntn", "NtfctnPgntn", "RptPgntn")
        )
        if not summary or paged:  # The totals of several pages are not those of one.
            return
        for name, count, total in (
            ("TtlNtries", sums.count, sums.credit + sums.debit),
            ("TtlCdtNtries", sums.credits, sums.credit),
            ("TtlDbtNtries", sums.count - sums.credits, sums.debit),
        ):
            told, place = child(summary, name), ("TxsSummry", name)
            if written := text(told, "NbOfNtries"):
                _same(whole(written, (*place, "NbOfNtries")), count, (*place, "NbOfNtries"), "are")
            if written := text(told, "Sum"):
                _same(decimal(written, (*place, "Sum")), total, (*place, "Sum"), "sum to")
        told = child(summary, "TtlNtries")
        net = child(told, "TtlNetNtry")
        written = (
            text(net, "Amt") or _amount_text(net, "Amt") or _amount_text(told, "TtlNetNtryAmt")
        )
        sign = text(net, "CdtDbtInd") or text(told, "CdtDbtInd")
        if written and sign:
            place = ("TxsSummry", "TtlNtries")
            amount = decimal(written, place) * (1 if sign == "CRDT" else -1)
            _same(amount, sums.credit - sums.debit, place, "come, net, to")

    def _check_balances(self) -> None:
        balances = self.statements[-1].balances
        opening = [b for b in balances if b.code == "OPBD"] or [
            b for b in balances if b.code == "PRCD"
        ]
        closing = [b for b in balances if b.code == "CLBD"]
        if len(opening) != 1 or len(closing) != 1:
            return
        reached = opening[0].amount + self._sums.booked
        if reached != closing[0].amount:
            raise Wrong(
                ("Bal",),
                str(closing[0].amount),
                f"the opening balance {opening[0].amount} and the entries booked "
                f"({self._sums.booked:+}) make {reached}, not this closing balance",
            )

    # Entries

    def _entry(self, element: etree._Element, whole: bool = True) -> _Opened:
        """What stands of an entry before its details, read once."""
        statement = element.getparent()
        if statement is None or statement is not self._statement:
            if statement is None:
                raise self._document.refusal(element, "", "an entry stands in the wrong place")
            self._open(statement)
            self._statement = statement
        self._rank += 1
        self._document.place = f"{self._element}[{len(self.statements)}]/Ntry[{self._rank}]"
        moulded = self._moulded(element) if whole else None
        found, one = moulded or (self._document.fields(element, ENTRY), None)
        try:
            self._opened = _Opened(found, one, element.sourceline or 0)
        except Wrong as error:
            raise self._document.wrong(element, error) from None
        return self._opened

    def _moulded(self, element: etree._Element) -> tuple[Fields, Fields | None] | None:
        """The entry and its one transaction, or none, when its shape is known to have no more."""
        document = self._document
        shaped = document.shape(element)
        if shaped is None:
            return None
        shape = shaped.shape
        if shape not in self._moulds:
            if len(self._moulds) >= SHAPES:
                return None
            try:
                self._moulds[shape] = self._mould(document.labelled(shape))
            except BadFile:  # Told again with its own line when the entry itself is read.
                self._moulds[shape] = None
        moulds = self._moulds[shape]
        if moulds is None:
            return None
        entry, one = moulds
        return entry.fields(shaped), {} if one is None else one.fields(shaped)

    def _mould(self, element: etree._Element) -> tuple[Mould, Mould | None] | None:
        entry = self._document.fields(element, ENTRY)
        details = list(element.iterchildren(self._tag))
        one = None
        if details:
            if len(details) > 1 or len(details[0]) != 1 or details[0][0].tag != self._within[1]:
                return None
            one = self._document.fields(details[0][0], TRANSACTION)
            self._after(element, "NtryDtls")
            written = element.findtext(f"{{{self._document.namespace}}}AddtlNtryInf")
            entry |= {} if written is None else {"information": written}
        if "charges" in entry or (one is not None and (not one or "charges" in one)):
            return None
        return Mould(entry), None if one is None else Mould(one)

    def pause(self, root: etree._Element) -> None:
        """Of an entry that goes on and on, lets go of the transactions that have ended."""
        if self.entries != self._paused:
            self._paused = self.entries
            return
        entry = self._last(self._last(self._last(root)))
        if entry is None or self._document.name(entry) != "Ntry":
            return
        details = self._last(entry)
        if details is None or details.tag != self._tag or len(details) < FEW:
            return
        opened = self._opened or self._entry(entry, whole=False)
        until = details[-2]  # The last one may not have ended.
        self._details(entry, opened, until)
        self._document.let_go(until)
        opened.read = until
        while details.getprevious() is not None:
            del entry[0]

    @staticmethod
    def _last(element: etree._Element | None) -> etree._Element | None:
        return element[-1] if element is not None and len(element) else None

    def _details(
        self, entry: etree._Element, opened: _Opened, until: etree._Element | None = None
    ) -> None:
        """The details of an entry that were not read yet, up to one transaction."""
        last = None
        for details in entry.iterchildren(self._tag):
            if details is not opened.details:
                self._end_details(opened)
                opened.details = details
            for node in details.iterchildren(*self._within):
                if node is opened.read:
                    continue
                if node.tag == self._within[0]:
                    self._batch(details, node, opened)
                else:
                    if last is not None:
                        self._transaction(last, opened, False)
                    last = node
                if node is until:
                    if last is not None:
                        self._transaction(last, opened, False)
                    return
        if last is not None:
            self._transaction(last, opened, alone=opened.count == 0)

    def _transaction(self, element: etree._Element, opened: _Opened, alone: bool) -> None:
        if len(opened.transactions) == PART:
            self._tell(opened, last=False)
        found = self._document.fields(element, TRANSACTION)
        try:
            made = self._made(found, opened, alone)
        except Wrong as error:
            below = f"NtryDtls/TxDtls[{opened.count + 1}]"
            raise self._document.wrong(element, error, below) from None
        opened.add(made)

    def _only(self, element: etree._Element, opened: _Opened, told: Fields) -> None:
        try:
            opened.add(self._made(told, opened, True))
        except Wrong as error:
            one = next(next(element.iterchildren(self._tag)).iterchildren())
            raise self._document.wrong(one, error, "NtryDtls/TxDtls[1]") from None

    def _batch(self, details: etree._Element, element: etree._Element, opened: _Opened) -> None:
        try:
            opened.batch = _batch(self._document.node(element))
        except Wrong as error:
            raise self._document.wrong(details, error, "NtryDtls") from None
        opened.batches.append(opened.batch)

    def _end_details(self, opened: _Opened) -> None:
        """The batch was told as it is listed."""
        if opened.details is not None and opened.batch is not None and opened.batch_count:
            try:
                opened.check_batch(opened.batch)
            except Wrong as error:
                raise self._document.wrong(opened.details, error, "NtryDtls") from None
        opened.batch, opened.batch_total, opened.batch_count = None, ZERO, 0

    def _entry_ends(self, element: etree._Element) -> None:
        opened = self._opened or self._entry(element)
        if opened.one is None:
            self._details(element, opened)
            if opened.details is not None:
                self._end_details(opened)
                opened.information = self._after(element, "NtryDtls")
        elif opened.one:
            self._only(element, opened, opened.one)
        try:
            opened.close()
        except Wrong as error:
            raise self._document.wrong(element, error) from None
        self._sums.add(opened)
        on = opened.booked_on or opened.value_on
        if opened.status == "BOOK" and on and (self.latest is None or on > self.latest[0]):
            self.latest = (on, self._rank, opened.line)
        self._tell(opened, last=True)
        self.entries += 1
        self._opened = None
        if not self.entries % FEW:
            self._document.let_go(element)

    def _tell(self, opened: _Opened, last: bool) -> None:
        if opened.status == "BOOK" and not opened.id:
            opened.id = self._identity(opened, {}, opened.amount, opened.credit, True)
        self._told(
            Entry(
                id=opened.id,
                statement=len(self.statements) - 1,
                rank=self._rank,
                line=opened.line,
                amount=opened.amount,
                credit=opened.credit,
                reversal=opened.reversal,
                status=opened.status,
                booked_on=opened.booked_on,
                value_on=opened.value_on,
                code=opened.code,
                reference=opened.reference,
                charges=opened.charges,
                information=opened.information,
                batches=tuple(opened.batches),
                transactions=tuple(opened.transactions),
                part=opened.part,
                last=last,
            )
        )
        opened.part += 1
        opened.transactions = []

    def _made(self, told: Fields, entry: _Opened, alone: bool) -> Transaction:
        """A transaction of an entry, which is the only one when `alone`."""
        get = told.get
        amount = get("amount")
        if amount is None:
            entry.told = False
            amount = entry.amount
        else:
            amount = euros(amount, TRANSACTION.path("amount"))
        way, asked = get("way"), get("instructed")
        credit = entry.credit if way is None else credited(way, ("CdtDbtInd",))
        if asked is not None:  # A payer may ask in dollars: what counts is what was booked.
            asked = (
                euros(asked, TRANSACTION.path("instructed")) if asked.currency == "EUR" else None
            )
        id = ""
        if entry.status == "BOOK":
            id = self._identity(entry, told, amount, credit, alone)
            if alone:
                entry.id = id
        return Transaction(
            id=id,
            amount=amount,
            credit=credit,
            reference=_reference(get("reference", "")),
            end_to_end=_reference(get("end_to_end", "")),
            instruction=_reference(get("instruction", "")),
            mandate=_reference(get("mandate", "")),
            creditor_identifier=get("creditor_identifier", ""),
            message=_reference(get("message", "")),
            payment_information=_reference(get("payment_information", "")),
            # The client owes, whether it is collected or pays by transfer.
            counterparty=get("debtor", "") or get("ultimate_debtor", ""),
            counterparty_iban=get("debtor_iban", ""),
            structured=tuple(get("structured", ())),
            unstructured=tuple(get("unstructured", ())),
            documents=tuple(get("documents", ())),
            instructed=asked,
            charges=_charges(get("charges")),
            returned="reason" in told or "returned" in told,
            reason=get("reason", ""),
            information=" ".join(get("returned", ())) or get("information", ""),
            code=_code(told),
        )

    def _identity(
        self, entry: _Opened, told: Fields, amount: Decimal, credit: bool, alone: bool
    ) -> str:
        """A name that stays the same in whatever file the line is told again.

        By the bank's reference with the amount, the way and the day (banks begin their numbers
        again); without one by what is told of the payment, and its rank among those told alike
        in this file. Within an entry of several, the payment is part of the name.
        """
        get = told.get
        own = _reference(get("reference", ""))
        reference = (entry.reference or own) if alone else (own or entry.reference)
        account = self.statements[-1].account
        what = f"{account}|{amount}|{credit}|{entry.reversal}|{entry.booked_on or entry.value_on}"
        who = _reference(get("end_to_end", ""))
        if told and not who:
            payer = get("debtor_iban") or get("debtor") or get("ultimate_debtor") or ""
            written = (*get("structured", ()), *get("unstructured", ()))
            who = "|".join((payer, *written))
        if reference and alone:
            key, bearer = _digest(f"r|{what}|{reference}"), hash(who) & 0xFFFFFFFF
            if self._seen.setdefault(int(key, 16), bearer) == bearer:
                return f"r{key}"
            return f"r{_digest(f'r|{what}|{reference}|{who}')}"
        kind = "r" if reference else "c"
        key = _digest(f"{kind}|{what}|{reference}|{who}")
        number = int(key, 16)
        again = self._seen[number] = self._seen.get(number, 0) + 1
        return f"{kind}{key}" if again == 1 else f"{kind}{key}-{again}"


class _Sums:
    """What the entries of a statement come to."""

    def __init__(self) -> None:
        self.count = self.credits = 0
        self.credit = self.debit = self.booked = ZERO

    def add(self, entry: _Opened) -> None:
        self.count += 1
        if entry.credit:
            self.credits += 1
            self.credit += entry.amount
        else:
            self.debit += entry.amount
        if entry.status == "BOOK":
            self.booked += entry.amount if entry.credit else -entry.amount


class _Opened:
    """An entry while its transactions come."""

    def __init__(self, told: Fields, one: Fields | None, line: int) -> None:
        get = told.get
        self.one = one  # Its only transaction; empty where there is none, or not read yet.
        self.amount = euros(get("amount"), ("Amt",))
        self.line = line
        self.credit = credited(get("way", ""), ("CdtDbtInd",))
        self.reversal = get("reversal") in ("true", "1")
        self.status: str = get("status", "")
        if self.status not in STATUSES:
            raise Wrong(("Sts",), self.status, f"one of {', '.join(STATUSES)} was expected")
        booked, value = get("booked_on"), get("value_on")
        self.booked_on = None if booked is None else day(booked, ("BookgDt",))
        self.value_on = None if value is None else day(value, ("ValDt",))
        if self.status == "BOOK" and booked is None and value is None:
            raise Wrong((), "", "a booked entry has a BookgDt or a ValDt; this one has neither")
        self.code = _code(told)
        self.reference = _reference(get("reference", ""))
        self.charges = _charges(get("charges"))
        self.information: str = get("information", "")
        self.batches: list[Batch] = []
        self.transactions: list[Transaction] = []
        self.id = ""
        self.part = 0
        self.batch: Batch | None = None
        self.details: etree._Element | None = None
        self.read: etree._Element | None = None  # The last transaction read, emptied.
        self.count = self.batch_count = 0
        self.total = self.batch_total = self.fees = ZERO
        self.told = True  # Whether every transaction says its own amount.

    def add(self, one: Transaction) -> None:
        """One more transaction."""
        signed = one.amount if one.credit == self.credit else -one.amount
        self.count += 1
        self.batch_count += 1
        self.total += signed
        self.batch_total += signed
        self.fees += one.charges
        self.transactions.append(one)

    def check_batch(self, batch: Batch) -> None:
        """The batch says how many transactions follow it and what they sum to."""
        if batch.count is not None:
            _same(batch.count, self.batch_count, ("Btch", "NbOfTxs"), "of it are", "transactions")
        if batch.total is not None and self.told:
            total = abs(self.batch_total)
            _same(batch.total, total, ("Btch", "TtlAmt"), "of it sum to", "transactions")

    def close(self) -> None:
        """The transactions make the entry, the bank's charges added or kept."""
        if self.count == 1 and self.told and self.total == self.amount:
            return
        charges = self.fees + self.charges
        near = (self.amount, self.amount - charges, self.amount + charges)
        if self.count and self.told and self.total not in near:
            raise Wrong(
                ("Amt",),
                str(self.amount),
                f"its {self.count} transactions sum to {self.total}"
                + (f", and the charges to {charges}" if charges else ""),
            )
        if self.count > 1 and not self.told:
            raise Wrong(("NtryDtls",), "", "a transaction among several does not say its amount")


def _statement(node: Node, line: int) -> Statement:
    account = child(node, "Acct")
    iban = text(account, "Id", "IBAN") or text(account, "Id", "Othr", "Id")
    if not iban:
        raise Wrong(("Acct", "Id"), "", "the account of the statement was expected")
    currency = text(account, "Ccy")
    if currency not in ("", "EUR"):
        told = "an account in EUR was expected: other accounts are not read"
        raise Wrong(("Acct", "Ccy"), currency, told)
    pages = child(node, "StmtPgntn") or child(node, "NtfctnPgntn")
    return Statement(
        id=needed(node, "Id"),
        account=iban.replace(" ", "").upper(),
        currency="EUR",
        created=text(node, "CreDtTm"),
        start=text(node, "FrToDt", "FrDtTm"),
        end=text(node, "FrToDt", "ToDtTm"),
        page=text(pages, "PgNb"),
        balances=tuple(
            _balance(one, f"Bal[{rank}]") for rank, one in enumerate(children(node, "Bal"), 1)
        ),
        line=line,
    )


def _balance(node: Node, place: str) -> Balance:
    try:
        amount = money(node, "Amt")
        if amount is None:
            raise Wrong(("Amt",), "", "an amount was expected")
        written = text(node, "Dt", "Dt") or text(node, "Dt", "DtTm")
        on = day(written, ("Dt",))
        positive = credited(text(node, "CdtDbtInd"), ("CdtDbtInd",))
    except Wrong as error:
        error.path = (place, *error.path)
        raise
    code = text(node, "Tp", "CdOrPrtry", "Cd") or text(node, "Tp", "CdOrPrtry", "Prtry")
    return Balance(code, on, amount if positive else -amount)


def _batch(node: Node) -> Batch:
    written = text(node, "NbOfTxs")
    count = whole(written, ("Btch", "NbOfTxs")) if written else None
    try:
        total = money(node, "TtlAmt")
    except Wrong as error:
        error.path = ("Btch", *error.path)
        raise
    return Batch(text(node, "MsgId"), text(node, "PmtInfId"), count, total)


def _charges(told: list[Node] | None) -> Decimal:
    """What the bank charged: the total it tells, else the sum of what it lists."""
    total = ZERO
    for rank, charges in enumerate(told or (), 1):
        try:
            amount = money(charges, "TtlChrgsAndTaxAmt")
            if amount is None:
                amount = money(charges, "Amt") or ZERO
                for record in children(charges, "Rcrd"):
                    sign = -1 if text(record, "CdtDbtInd") == "CRDT" else 1
                    amount += sign * (money(record, "Amt") or ZERO)
        except Wrong as error:
            error.path = (f"Chrgs[{rank}]", *error.path)
            raise
        total += amount
    return total


def _code(told: Fields) -> str:
    """The bank transaction code, or the bank's own."""
    if domain := told.get("domain"):
        return f"{domain}-{told.get('family', '')}-{told.get('sub_family', '')}".rstrip("-")
    own: str = told.get("own_code", "")
    return own


def _reference(written: str) -> str:
    return "" if written in NO_REFERENCE else written


def _is_paged(node: Node) -> bool:
    return bool(node) and (
        text(node, "PgNb") not in ("", "1") or text(node, "LastPgInd") in ("false", "0")
    )


def _amount_text(node: Node, name: str) -> str:
    found = node.get(name)
    return str(getattr(found[0], "text", "")) if found else ""


def _same(told: Any, found: Any, place: tuple[str, ...], verb: str, what: str = "entries") -> None:
    if told != found:
        raise Wrong(place, str(told), f"the {what} {verb} {found}")


def _digest(text: str) -> str:
    return sha1(text.encode()).hexdigest()[:20]
