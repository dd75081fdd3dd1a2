"""The demo's bank: an account's statement a month, from the record (relevés camt.053).

It credits every direct debit on its day. Clients that pay by transfer pay what is left by the due
day and write the number; `bank.toml` tells of those that do otherwise. A statement follows from
the record and that file alone: written again it is the same, to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from lxml import etree
from lxml.builder import ElementMaker
from msgspec import Struct

from billing.application import Billing, receivables
from billing.application.actions import BankImport
from billing.dates import DAY, is_target_day
from billing.events import Event
from billing.events.party import Identity
from billing.money import ZERO
from billing.receivable import Receivable

Parties = Callable[[str], Identity]

URN = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
SCRIPT = Path(__file__).with_name("bank.toml")
NO_MONEY = ("credit_note", "set_off")
CODES = {"debit": "IDDT-ESDD", "return": "IDDT-UPDD", "transfer": "RCDT-ESCT"}


class Transfer(Struct, frozen=True):
    """A payment of an invoice that is not the default one: its day, its amount if not the rest."""

    invoice: str
    on: date
    amount: Decimal | None = None


class Return(Struct, frozen=True):
    """A direct debit that comes back: when, the reason's ISO code, the bank's fee."""

    debit: str
    on: date
    code: str
    fee: Decimal


class Stranger(Struct, frozen=True):
    """Money from someone no one knows."""

    supplier: str
    on: date
    amount: Decimal
    payer: str
    text: str


class Script(Struct, frozen=True):
    """`bank.toml`."""

    transfers: tuple[Transfer, ...]
    returns: tuple[Return, ...]
    strangers: tuple[Stranger, ...]


class Moved(NamedTuple):
    """Money that moved on a company's account; less than nothing when it left."""

    supplier: str
    on: date
    batch: tuple[str, str]
    kind: str
    text: str
    amount: Decimal
    payer: str
    end_to_end: str = "NOTPROVIDED"
    mandate: str = ""
    code: str = ""
    fee: Decimal = ZERO

    @property
    def booked(self) -> Decimal:
        """What the account has more, or less, with the bank's fee."""
        return self.amount - self.fee


class Statement(NamedTuple):
    """A step of the story: the statement of some days (`since` not included), and its import."""

    since: date
    until: date
    folder: Path

    def perform(self, app: Billing) -> list[Event]:
        """Writes the file, and imports it; months in which nothing moved have none."""
        known = cache(partial(_party, app))
        moved = [one for one in movements(app, known) if one.on <= self.until]
        if not any(one.on > self.since for one in moved):
            return []
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"statement-{self.until:%Y-%m}.xml"
        path.write_bytes(written(moved, self.since, self.until, known))
        return BankImport(path=str(path)).perform(app)


@cache
def script() -> Script:
    """What `bank.toml` says."""
    return msgspec.toml.decode(SCRIPT.read_bytes(), type=Script, strict=False)


def _party(app: Billing, code: str) -> Identity:
    party = app.party(code)
    assert party is not None, code
    return party.identity


# What moves


def movements(app: Billing, party: Parties) -> list[Moved]:
    """All that ever moves on the accounts, by company and day."""
    found = [
        Moved(one.supplier, one.on, ("", ""), "transfer", one.text, one.amount, one.payer)
        for one in script().strangers
    ]
    for r in receivables.book(app).documents():
        name = party(r.client).name
        found += _debited(r, name) if r.means == "direct_debit" else _transferred(r, name)
    return sorted(found)


def _debited(r: Receivable, payer: str) -> Iterator[Moved]:
    returned = {one.debit: one for one in script().returns}
    for debit in r.debits:
        moved = Moved(
            r.supplier, debit.collected_on, (debit.file, debit.batch), "debit",
            f"Facture {r.number}", debit.amount, payer, debit.end_to_end, r.mandate,
        )  # fmt: skip
        yield moved
        if back := returned.get(debit.end_to_end):
            yield moved._replace(
                on=back.on, batch=("", ""), kind="return", amount=-debit.amount, code=back.code,
                fee=back.fee,
            )  # fmt: skip


def _transferred(r: Receivable, payer: str) -> Iterator[Moved]:
    if r.kind not in ("invoice", "debit_note"):  # A deposit was recorded as it came.
        return
    told = [one for one in script().transfers if one.invoice == r.number]
    paid = ZERO
    for one in told or [Transfer(r.number, _open_day(r.due_on))]:
        less = (m.amount for m in r.movements if m.on <= one.on and m.of in NO_MONEY)
        amount = one.amount or r.gross - sum(less, paid)
        paid += amount
        if amount > 0:
            text = f"FACTURE {r.number}"
            yield Moved(r.supplier, one.on, ("", ""), "transfer", text, amount, payer)


def _open_day(day: date) -> date:
    """The last day up to that one on which banks settle."""
    while not is_target_day(day):
        day -= DAY
    return day


# The file

E: Any = ElementMaker(namespace=URN, nsmap={None: URN})


def written(moved: Sequence[Moved], since: date, until: date, party: Parties) -> bytes:
    """The statements of the accounts on which something moved, as camt.053.001.08."""
    created = f"{until}T20:00:00+01:00"
    statements = []
    for supplier, group in groupby(moved, key=lambda one: one.supplier):
        lines = list(group)
        opening = sum((one.booked for one in lines if one.on <= since), ZERO)
        if lines := [one for one in lines if one.on > since]:
            iban = party(supplier).iban.replace(" ", "")
            name = f"{supplier[:20]}-{until}"
            statements.append(_statement(name, created, iban, opening, lines, since, until))
    header = E.GrpHdr(E.MsgId(f"DEMO-{until}"), E.CreDtTm(created))
    document = E.Document(E.BkToCstmrStmt(header, *statements))
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _statement(
    name: str, created: str, iban: str, opening: Decimal, lines: list[Moved], since: date,
    until: date,
) -> Any:  # fmt: skip
    entries = [
        _entry(f"{until:%y%m}{rank:04}", list(group))
        for rank, (_, group) in enumerate(groupby(lines, key=_together), 1)
    ]
    closing = opening + sum((one.booked for one in lines), ZERO)
    return E.Stmt(
        E.Id(name),
        E.CreDtTm(created),
        E.Acct(E.Id(E.IBAN(iban)), E.Ccy("EUR")),
        _balance("OPBD", opening, since + DAY),
        _balance("CLBD", closing, until),
        *entries,
    )


def _together(one: Moved) -> tuple[Any, ...]:
    """The debits of a batch are credited as one entry, of several payments."""
    return (one.on, one.batch) if any(one.batch) else one


def _balance(code: str, amount: Decimal, on: date) -> Any:
    kind = E.Tp(E.CdOrPrtry(E.Cd(code)))
    return E.Bal(kind, *_amount(amount), E.Dt(E.Dt(f"{on}")))


def _amount(amount: Decimal) -> tuple[Any, Any]:
    way = "CRDT" if amount >= 0 else "DBIT"
    return E.Amt(f"{abs(amount):.2f}", Ccy="EUR"), E.CdtDbtInd(way)


def _entry(reference: str, lines: list[Moved]) -> Any:
    first = lines[0]
    family, detail = CODES[first.kind].split("-")
    details = [_transaction(one) for one in lines]
    if any(first.batch):
        message, batch = first.batch
        total = sum((one.amount for one in lines), ZERO)
        details.insert(0, E.Btch(
            E.MsgId(message), E.PmtInfId(batch), E.NbOfTxs(f"{len(lines)}"),
            E.TtlAmt(f"{total:.2f}", Ccy="EUR"), E.CdtDbtInd("CRDT"),
        ))  # fmt: skip
    return E.Ntry(
        *_amount(sum((one.booked for one in lines), ZERO)),
        E.Sts(E.Cd("BOOK")),
        E.BookgDt(E.Dt(f"{first.on}")),
        E.ValDt(E.Dt(f"{first.on}")),
        E.AcctSvcrRef(reference),
        E.BkTxCd(E.Domn(E.Cd("PMNT"), E.Fmly(E.Cd(family), E.SubFmlyCd(detail)))),
        E.NtryDtls(*details),
    )


def _transaction(one: Moved) -> Any:
    parts = [
        E.Refs(E.EndToEndId(one.end_to_end), *([E.MndtId(one.mandate)] if one.mandate else [])),
        *_amount(one.amount),
    ]
    if one.fee:
        parts.append(E.Chrgs(E.Rcrd(E.Amt(f"{one.fee:.2f}", Ccy="EUR"), E.CdtDbtInd("DBIT"))))
    parts += [E.RltdPties(E.Dbtr(E.Pty(E.Nm(one.payer)))), E.RmtInf(E.Ustrd(one.text))]
    if one.code:
        parts.append(E.RtrInf(E.Rsn(E.Cd(one.code))))
    return E.TxDtls(*parts)


__all__ = ["Moved", "Script", "Statement", "movements", "script", "written"]
