"""Status reports on orders (compte rendu, pain.002), versions .03 to .14.

Three levels: the message, its payment informations, their transactions; a status given above
holds for what below says nothing else. What the versions write differently: where the mandate
stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from lxml import etree
from msgspec.structs import replace

from billing.bank.facts import NOT_PROVIDED, Status
from billing.bank.xml import (
    Document,
    Node,
    Wrong,
    bad,
    child,
    children,
    money,
    needed,
    text,
    texts,
    whole,
)

ZERO = Decimal("0.00")
ELEMENTS = frozenset(("GrpHdr", "OrgnlGrpInfAndSts", "OrgnlPmtInfAndSts", "TxInfAndSts"))

GROUP = ("ACCP", "ACSP", "ACTC", "ACWC", "PART", "PDNG", "RCVD", "RJCT")
PAYMENT = (*GROUP, "ACSC")
TRANSACTION = ("ACCP", "ACSC", "ACSP", "ACTC", "ACWC", "PDNG", "RJCT", "RCVD", "CANC", "ACCC",
    "ACFC", "ACWP", "BLCK", "PATC", "PRES")  # fmt: skip


class Reader:
    """Takes the elements of a pain.002 as they end; each status goes to `told`."""

    elements = ELEMENTS

    def __init__(self, document: Document, told: Callable[[Status], None]) -> None:
        self._document = document
        self._told = told
        self.message = ""
        self.created = ""
        self.original = ""
        self.statuses = 0
        self._group: Status | None = None
        self._group_told: dict[str, int] = {}
        self._payment: _Payment | None = None
        self._payments = 0
        self._rejected = Counter[str]()
        self._whole = False  # A payment information is rejected without its transactions.

    def take(self, name: str, element: etree._Element) -> None:
        """One more element has ended."""
        document = self._document
        try:
            if name == "GrpHdr":
                header = document.node(element)
                self.message, self.created = text(header, "MsgId"), text(header, "CreDtTm")
            elif name == "OrgnlGrpInfAndSts":
                self._take_group(element)
            elif name == "TxInfAndSts":
                self._take_transaction(element)
            else:
                self._end_payment(element)
        except Wrong as error:
            raise document.wrong(element, error) from None

    def pause(self, root: etree._Element) -> None:
        """Its transactions are read as they end: nothing piles up."""

    def end(self) -> None:
        """The file is read whole: what it tells of the message agrees with what it lists."""
        group = self._group
        if group is None:
            raise bad(self._document.path, "no OrgnlGrpInfAndSts; the message answered is not told")
        told = self._group_told.get("RJCT", 0)
        listed = self._rejected.total()
        if (
            group.status != "RJCT"
            and not self._whole
            and told != listed
            and "RJCT" in self._group_told
        ):
            raise bad(
                self._document.path,
                f"{listed} rejected transactions are listed",
                group.line,
                "OrgnlGrpInfAndSts/NbOfTxsPerSts/DtldNbOfTxs",
                str(told),
            )
        self._say(replace(group, details=self._rejected.total()))

    def _take_group(self, element: etree._Element) -> None:
        if self._group is not None:
            raise self._document.refusal(element, "", "a report answers one message; here are two")
        node = self._document.node(element)
        self.original = needed(node, "OrgnlMsgId")
        status = _status(node, "GrpSts", GROUP)
        reason, information = _reason(node)
        self._group_told = _per_status(node)
        self._group = Status(
            level="group",
            rank=0,
            line=element.sourceline or 0,
            status=status,
            message=self.original,
            reason=reason,
            information=information,
        )
        self._document.let_go(element)

    def _head(self, element: etree._Element) -> _Payment:
        """What stands of a payment information before its transactions."""
        if self._payment is None:
            if self._group is None:
                raise self._document.refusal(element, "", "OrgnlGrpInfAndSts was expected before")
            self._payments += 1
            self._document.place = f"OrgnlPmtInfAndSts[{self._payments}]"
            node = self._document.node(element, until="TxInfAndSts")
            reason, information = _reason(node)
            self._payment = _Payment(
                Status(
                    level="payment",
                    rank=self._payments,
                    line=element.sourceline or 0,
                    status=_status(node, "PmtInfSts", PAYMENT),
                    message=self.original,
                    payment_information=needed(node, "OrgnlPmtInfId"),
                    reason=reason,
                    information=information,
                ),
                _per_status(node),
            )
        return self._payment

    def _take_transaction(self, element: etree._Element) -> None:
        parent = element.getparent()
        if parent is None or etree.QName(parent).localname != "OrgnlPmtInfAndSts":
            raise self._document.refusal(element, "", "a transaction stands in the wrong place")
        payment = self._head(parent)
        head = payment.status
        self._document.place = (
            f"OrgnlPmtInfAndSts[{self._payments}]/TxInfAndSts[{payment.count + 1}]"
        )
        node = self._document.node(element)
        try:
            status = _status(node, "TxSts", TRANSACTION)
            reason, information = _reason(node)
            charges = ZERO
            for one in children(node, "ChrgsInf"):
                charges += money(one, "Amt") or ZERO
            original = child(node, "OrgnlTxRef")
            amount = money(node, "OrgnlTxRef", "Amt", "InstdAmt")
        except Wrong as error:
            raise self._document.wrong(element, error) from None
        payment.count += 1
        payment.by_status[status or head.status] += 1
        self._say(
            Status(
                level="transaction",
                rank=payment.count,
                line=element.sourceline or 0,
                # Silent, it has the status given above it.
                status=status or head.status or (self._group.status if self._group else ""),
                message=self.original,
                payment_information=head.payment_information,
                instruction=_given(text(node, "OrgnlInstrId")),
                end_to_end=_given(text(node, "OrgnlEndToEndId")),
                mandate=_given(
                    text(original, "MndtRltdInf", "MndtId")
                    or text(original, "MndtRltdInf", "DrctDbtMndt", "MndtId")
                ),
                reason=reason or head.reason,
                information=information or head.information,
                amount=amount,
                charges=charges,
            )
        )
        self._document.place = f"OrgnlPmtInfAndSts[{self._payments}]"
        self._document.let_go(element)

    def _end_payment(self, element: etree._Element) -> None:
        payment = self._head(element)
        status = payment.status
        if payment.count:
            told, listed = payment.told.get("RJCT"), payment.by_status["RJCT"]
            if told is not None and told != listed:
                raise Wrong(
                    ("NbOfTxsPerSts", "DtldNbOfTxs"),
                    str(told),
                    f"{listed} rejected transactions are listed",
                )
        elif status.status == "RJCT":
            self._whole = True
        elif payment.told.get("RJCT"):
            told_here = payment.told["RJCT"]
            raise Wrong(("NbOfTxsPerSts", "DtldNbOfTxs"), str(told_here), "none of them is listed")
        self._rejected["RJCT"] += payment.by_status["RJCT"]
        self._say(replace(status, details=payment.count))
        self._payment = None
        self._document.place = ""
        self._document.let_go(element)

    def _say(self, status: Status) -> None:
        self.statuses += 1
        self._told(status)


class _Payment:
    """A payment information while its transactions come."""

    def __init__(self, status: Status, told: dict[str, int]) -> None:
        self.status = status
        self.told = told
        self.count = 0
        self.by_status = Counter[str]()


def _status(node: Node, name: str, known: tuple[str, ...]) -> str:
    found = text(node, name)
    if found and found not in known:
        raise Wrong((name,), found, f"one of {', '.join(known)} was expected")
    return found


def _reason(node: Node) -> tuple[str, str]:
    """The first reason told, as a code, and the bank's own words."""
    codes, words = list[str](), list[str]()
    for one in children(node, "StsRsnInf"):
        if code := text(one, "Rsn", "Cd") or text(one, "Rsn", "Prtry"):
            codes.append(code)
        words += texts(one, "AddtlInf")
    return (codes[0] if codes else ""), " ".join(words)


def _per_status(node: Node) -> dict[str, int]:
    return {
        text(one, "DtldSts"): whole(
            text(one, "DtldNbOfTxs"), (f"NbOfTxsPerSts[{rank}]", "DtldNbOfTxs")
        )
        for rank, one in enumerate(children(node, "NbOfTxsPerSts"), 1)
    }


def _given(written: str) -> str:
    return "" if written.upper() == NOT_PROVIDED else written
