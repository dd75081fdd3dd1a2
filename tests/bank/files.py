"""Bank files in every version, built from a few words: what a bank would send, or a hostile hand.

`camt("camt.054.001.08", [Statement(entries=[credit("120.00", "F-1")])])` gives the text of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

ACCOUNT = "FR7630006000011234567890189"
CAMT053 = tuple(f"camt.053.001.{n:02}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13))
CAMT054 = tuple(name.replace("053", "054") for name in CAMT053)
PAIN002 = tuple(f"pain.002.001.{n:02}" for n in range(3, 15))
URN = "urn:iso:std:iso:20022:tech:xsd:"
ROOTS = {
    "camt.053": ("BkToCstmrStmt", "Stmt"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


@dataclass
class Tx:
    """A transaction of an entry."""

    amount: str | None = None
    e2e: str = ""
    reference: str = ""
    mandate: str = ""
    debtor: str = ""
    iban: str = ""
    remittance: Sequence[str] = ()
    scor: str = ""
    document: str = ""
    reason: str = ""
    information: str = ""
    charges: str = ""
    instructed: str = ""
    instructed_currency: str = "EUR"
    credit: bool | None = None
    batch: str = ""


@dataclass
class Ntry:
    """An entry of an account."""

    amount: str
    credit: bool = True
    txs: Sequence[Tx] = ()
    reference: str = ""
    booked: str = "2026-07-03"
    value: str = "2026-07-03"
    status: str = "BOOK"
    reversal: bool = False
    code: str = "PMNT-IDDT-ESDD"
    currency: str = "EUR"
    batch: tuple[str, str, str, str] | None = None  # MsgId, PmtInfId, NbOfTxs, TtlAmt
    charges: str = ""
    moment: bool = False
    information: str = ""


@dataclass
class Stmt:
    """A statement of an account."""

    entries: Sequence[Ntry] = ()
    id: str = "REL-2026-07-03"
    account: str = ACCOUNT
    currency: str = "EUR"
    balances: Sequence[tuple[str, str, str]] = ()  # code, signed amount, day
    totals: bool = True
    summary: str = ""
    extra: str = ""
    page: tuple[str, str] | None = None


def credit(amount: str, e2e: str, **told: object) -> Ntry:
    """One collection credited, told as an entry of its own."""
    return _one(amount, True, e2e, **told)


def debit(amount: str, e2e: str, reason: str = "AM04", **told: object) -> Ntry:
    """One collection that came back."""
    return _one(amount, False, e2e, reason=reason, code="PMNT-IDDT-UPDD", **told)


def transfer(amount: str, **told: object) -> Ntry:
    """Money a client transferred."""
    return _one(amount, True, str(told.pop("e2e", "NOTPROVIDED")), code="PMNT-RCDT-ESCT", **told)


def _one(amount: str, way: bool, e2e: str, **told: object) -> Ntry:
    names = Ntry.__dataclass_fields__
    ours = {k: v for k, v in told.items() if k in names and k not in ("charges", "information")}
    theirs = {k: v for k, v in told.items() if k not in ours and k != "tx_reference"}
    tx = Tx(
        amount=amount,
        e2e=e2e,
        reference=str(told.get("tx_reference", "")),
        **{k: v for k, v in theirs.items() if k != "tx_amount"},
    )  # type: ignore[arg-type]
    if "tx_amount" in told:
        tx.amount = told["tx_amount"]  # type: ignore[assignment]
    return Ntry(amount=amount, credit=way, txs=[tx], **ours)  # type: ignore[arg-type]


def camt(schema: str, statements: Sequence[Stmt], newline: str = "\n") -> str:
    """The file of that version."""
    family, version = schema[:8], int(schema[-2:])
    root, name = ROOTS[family]
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<Document xmlns="{URN}{schema}">',
        f"<{root}>",
        "<GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-07-04T06:00:00+02:00</CreDtTm></GrpHdr>",
    ]
    for one in statements:
        parts += _statement(one, name, version)
    return newline.join([*parts, f"</{root}>", "</Document>", ""])


def _statement(one: Stmt, name: str, version: int) -> list[str]:
    page = ""
    if one.page:
        tag = "StmtPgntn" if name == "Stmt" else "NtfctnPgntn"
        page = f"<{tag}><PgNb>{one.page[0]}</PgNb><LastPgInd>{one.page[1]}</LastPgInd></{tag}>"
    currency = f"<Ccy>{one.currency}</Ccy>" if one.currency else ""
    parts = [
        f"<{name}><Id>{one.id}</Id>{page}<CreDtTm>2026-07-04T06:00:00</CreDtTm>",
        f"<Acct><Id><IBAN>{one.account}</IBAN></Id>{currency}</Acct>",
    ]
    for code, amount, day in one.balances:
        value = Decimal(amount)
        parts.append(
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
            f'<Amt Ccy="EUR">{abs(value)}</Amt><CdtDbtInd>{_way(value >= 0)}</CdtDbtInd>'
            f"<Dt><Dt>{day}</Dt></Dt></Bal>"
        )
    parts.append(one.summary or (_summary(one, version) if one.totals and one.entries else ""))
    for entry in one.entries:
        parts += _entry(entry, version)
    parts.append(f"{one.extra}</{name}>")
    return [part for part in parts if part]


def _summary(one: Stmt, version: int) -> str:
    def total(ways: Sequence[bool]) -> tuple[int, Decimal]:
        kept = [Decimal(e.amount) for e in one.entries if e.credit in ways]
        return len(kept), sum(kept, Decimal(0))

    (n, s), (nc, c), (nd, d) = total([True, False]), total([True]), total([False])
    net = abs(c - d)
    if version == 2:
        told = f"<TtlNetNtryAmt>{net}</TtlNetNtryAmt><CdtDbtInd>{_way(c >= d)}</CdtDbtInd>"
    else:
        told = f"<TtlNetNtry><Amt>{net}</Amt><CdtDbtInd>{_way(c >= d)}</CdtDbtInd></TtlNetNtry>"
    return (
        f"<TxsSummry><TtlNtries><NbOfNtries>{n}</NbOfNtries><Sum>{s}</Sum>{told}</TtlNtries>"
        f"<TtlCdtNtries><NbOfNtries>{nc}</NbOfNtries><Sum>{c}</Sum></TtlCdtNtries>"
        f"<TtlDbtNtries><NbOfNtries>{nd}</NbOfNtries><Sum>{d}</Sum></TtlDbtNtries></TxsSummry>"
    )


def _entry(e: Ntry, version: int) -> list[str]:
    status = f"<Cd>{e.status}</Cd>" if version >= 8 else e.status
    parts = [
        "<Ntry>",
        f'<Amt Ccy="{e.currency}">{e.amount}</Amt><CdtDbtInd>{_way(e.credit)}</CdtDbtInd>',
        "<RvslInd>true</RvslInd>" if e.reversal else "",
        f"<Sts>{status}</Sts>",
        _day("BookgDt", e.booked, e.moment),
        _day("ValDt", e.value, e.moment),
        f"<AcctSvcrRef>{e.reference}</AcctSvcrRef>" if e.reference else "",
        _code(e.code),
        _charges(e.charges, version),
    ]
    if e.txs or e.batch:
        parts.append("<NtryDtls>")
        if e.batch:
            message, payment, count, total = e.batch
            parts.append(
                "<Btch>"
                + (f"<MsgId>{message}</MsgId>" if message else "")
                + (f"<PmtInfId>{payment}</PmtInfId>" if payment else "")
                + (f"<NbOfTxs>{count}</NbOfTxs>" if count else "")
                + (f'<TtlAmt Ccy="EUR">{total}</TtlAmt>' if total else "")
                + "</Btch>"
            )
        parts += [_transaction(tx, e, version) for tx in e.txs]
        parts.append("</NtryDtls>")
    if e.information:
        parts.append(f"<AddtlNtryInf>{escape(e.information)}</AddtlNtryInf>")
    return [part for part in (*parts, "</Ntry>") if part]


def _transaction(tx: Tx, e: Ntry, version: int) -> str:
    references = "".join(
        f"<{tag}>{escape(value)}</{tag}>"
        for tag, value in (
            ("AcctSvcrRef", tx.reference),
            ("PmtInfId", tx.batch),
            ("EndToEndId", tx.e2e),
            ("MndtId", tx.mandate),
        )
        if value
    )
    amount = details = ""
    if tx.amount is not None:
        if version == 2:
            details = f'<TxAmt><Amt Ccy="EUR">{tx.amount}</Amt></TxAmt>'
        else:
            way = e.credit if tx.credit is None else tx.credit
            amount = f'<Amt Ccy="EUR">{tx.amount}</Amt><CdtDbtInd>{_way(way)}</CdtDbtInd>'
    if tx.instructed:
        instructed = f'<Amt Ccy="{tx.instructed_currency}">{tx.instructed}</Amt>'
        details = f"<InstdAmt>{instructed}</InstdAmt>{details}"
    details = f"<AmtDtls>{details}</AmtDtls>" if details else ""
    party = ""
    if tx.debtor:
        named = f"<Nm>{escape(tx.debtor)}</Nm>"
        party = f"<Dbtr><Pty>{named}</Pty></Dbtr>" if version >= 8 else f"<Dbtr>{named}</Dbtr>"
    if tx.iban:
        party += f"<DbtrAcct><Id><IBAN>{tx.iban}</IBAN></Id></DbtrAcct>"
    agent = "BICFI" if version >= 3 else "BIC"
    bank = f"<FinInstnId><{agent}>AGRIFRPP</{agent}></FinInstnId>"
    agents = f"<RltdAgts><DbtrAgt>{bank}</DbtrAgt></RltdAgts>"
    remittance = "".join(f"<Ustrd>{escape(line)}</Ustrd>" for line in tx.remittance)
    if tx.document:
        remittance += f"<Strd><RfrdDocInf><Nb>{tx.document}</Nb></RfrdDocInf></Strd>"
    if tx.scor:
        remittance += (
            "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
            f"<Ref>{tx.scor}</Ref></CdtrRefInf></Strd>"
        )
    returned = ""
    if tx.reason:
        told = f"<AddtlInf>{escape(tx.information)}</AddtlInf>" if tx.information else ""
        returned = f"<RtrInf><Rsn><Cd>{tx.reason}</Cd></Rsn>{told}</RtrInf>"
    return (
        f"<TxDtls><Refs>{references}</Refs>{amount}{details}{_charges(tx.charges, version)}"
        + (f"<RltdPties>{party}</RltdPties>{agents}" if party else "")
        + (f"<RmtInf>{remittance}</RmtInf>" if remittance else "")
        + f"{returned}</TxDtls>"
    )


def _charges(amount: str, version: int) -> str:
    if not amount:
        return ""
    if version < 4:
        return f'<Chrgs><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd></Chrgs>'
    return f'<Chrgs><Rcrd><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd></Rcrd></Chrgs>'


def _code(code: str) -> str:
    domain, family, sub = code.split("-")
    return (
        f"<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd>"
        f"<SubFmlyCd>{sub}</SubFmlyCd></Fmly></Domn></BkTxCd>"
    )


def _day(tag: str, day: str, moment: bool) -> str:
    if not day:
        return ""
    return (
        f"<{tag}><DtTm>{day}T09:30:00+02:00</DtTm></{tag}>"
        if moment
        else (f"<{tag}><Dt>{day}</Dt></{tag}>")
    )


def _way(positive: bool) -> str:
    return "CRDT" if positive else "DBIT"


# Status reports


@dataclass
class TxStatus:
    """What became of one collection."""

    e2e: str
    status: str = "RJCT"
    reason: str = ""
    information: str = ""
    mandate: str = ""
    amount: str = ""
    currency: str = "EUR"
    charges: str = ""


@dataclass
class Payment:
    """What became of a payment information."""

    id: str
    status: str = ""
    reason: str = ""
    txs: Sequence[TxStatus] = ()
    rejected: str = ""


@dataclass
class Report:
    """A status report on one message."""

    message: str
    status: str = ""
    reason: str = ""
    payments: Sequence[Payment] = field(default_factory=list)
    rejected: str = ""


def pain002(schema: str, report: Report) -> str:
    """The status report of that version."""
    version = int(schema[-2:])
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<Document xmlns="{URN}{schema}"><CstmrPmtStsRpt>',
        "<GrpHdr><MsgId>PSR-1</MsgId><CreDtTm>2026-07-01T06:00:00</CreDtTm></GrpHdr>",
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{report.message}</OrgnlMsgId>"
        "<OrgnlMsgNmId>pain.008.001.08</OrgnlMsgNmId>"
        + _status("GrpSts", report.status, report.reason)
        + _rejected(report.rejected)
        + "</OrgnlGrpInfAndSts>",
    ]
    for one in report.payments:
        parts.append(
            f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{one.id}</OrgnlPmtInfId>"
            + _status("PmtInfSts", one.status, one.reason)
            + _rejected(one.rejected)
        )
        parts += [_tx_status(tx, version) for tx in one.txs]
        parts.append("</OrgnlPmtInfAndSts>")
    return "\n".join([*parts, "</CstmrPmtStsRpt></Document>", ""])


def _tx_status(tx: TxStatus, version: int) -> str:
    original = ""
    if tx.amount:
        original = f'<Amt><InstdAmt Ccy="{tx.currency}">{tx.amount}</InstdAmt></Amt>'
    if tx.mandate:
        mandate = f"<MndtId>{tx.mandate}</MndtId>"
        if version >= 10:
            mandate = f"<DrctDbtMndt>{mandate}</DrctDbtMndt>"
        original += f"<MndtRltdInf>{mandate}</MndtRltdInf>"
    charges = f'<ChrgsInf><Amt Ccy="EUR">{tx.charges}</Amt></ChrgsInf>' if tx.charges else ""
    return (
        f"<TxInfAndSts><OrgnlEndToEndId>{tx.e2e}</OrgnlEndToEndId>"
        + _status("TxSts", tx.status, tx.reason, tx.information)
        + charges
        + (f"<OrgnlTxRef>{original}</OrgnlTxRef>" if original else "")
        + "</TxInfAndSts>"
    )


def _status(tag: str, status: str, reason: str, information: str = "") -> str:
    told = f"<{tag}>{status}</{tag}>" if status else ""
    if reason:
        words = f"<AddtlInf>{information}</AddtlInf>" if information else ""
        told += f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn>{words}</StsRsnInf>"
    return told


def _rejected(count: str) -> str:
    if not count:
        return ""
    return (
        f"<NbOfTxsPerSts><DtldNbOfTxs>{count}</DtldNbOfTxs><DtldSts>RJCT</DtldSts></NbOfTxsPerSts>"
    )


def written(folder: Path, text: str | bytes, name: str = "file.xml") -> Path:
    """The text as a file in that folder."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
