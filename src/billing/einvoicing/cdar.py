"""Life-cycle messages (CDAR, UN/CEFACT D22B, as XP Z12-012 reads it): 212 written, all read.

Bytes made from plain facts: the same facts give the same bytes. `MDT-n` in the comments are the
names the norm gives its terms.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from lxml import etree
from lxml.builder import ElementMaker
from msgspec import Struct

from billing.einvoicing.statuses import COLLECTED, status_name
from billing.einvoicing.xml import CDAR, held_to, parsed, written
from billing.events.einvoicing import Collected, Reason
from billing.money import ZERO, plain
from billing.refusal import BadFile, FieldError

PARIS: Final = ZoneInfo("Europe/Paris")
PROFILE: Final = "urn.cpro.gouv.fr:1p0:CDV:invoice"
SIREN: Final = "0002"

_NS: Final = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossDomainAcknowledgementAndResponse:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
_RSM = ElementMaker(namespace=_NS["rsm"], nsmap=_NS)
_RAM = ElementMaker(namespace=_NS["ram"])
_UDT = ElementMaker(namespace=_NS["udt"])
_QDT = ElementMaker(namespace=_NS["qdt"])

_SELLER, _BUYER = "SE", "BY"  # UNTDID 3035.
_TREATMENT = "23"  # The phase of the life between companies (MDT-77), not between platforms (305).
_PAID = "47"  # UNTDID 1373.
_AMOUNT_COLLECTED = "MEN"
_MONEY = frozenset((_AMOUNT_COLLECTED, "MPA"))  # Collected, paid.
_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,6})?")
_DAY, _MOMENT = "102", "204"  # UNTDID 2379: AAAAMMJJ, AAAAMMJJHHMMSS.


class Party(Struct, frozen=True):
    """A company: its SIREN, its name, its electronic address when it is written to."""

    siren: str
    name: str
    address: str = ""
    scheme: str = "0225"


class CollectionMessage(Struct, frozen=True, kw_only=True):
    """What a message 212 tells: of which document, what was collected that day, by rate."""

    id: str
    at: datetime
    seller: Party
    buyer: Party
    number: str
    type_code: str
    issued_on: date
    value_on: date
    amounts: tuple[Collected, ...]


def collection_message(told: CollectionMessage) -> bytes:
    """The message 212 Encaissée, in euros, tax included, held to the schema."""
    root = _RSM.CrossDomainAcknowledgementAndResponse(
        _RSM.ExchangedDocumentContext(
            _RAM.BusinessProcessSpecifiedDocumentContextParameter(_RAM.ID("REGULATED")),  # MDT-2
            _RAM.GuidelineSpecifiedDocumentContextParameter(_RAM.ID(PROFILE)),  # MDT-3
        ),
        _RSM.ExchangedDocument(
            _RAM.ID(told.id),  # MDT-4
            _RAM.Name("Cycle de vie"),  # MDT-5
            _RAM.IssueDateTime(_moment(told.at)),  # MDT-8
            _RAM.SenderTradeParty(_siren(told.seller), _RAM.RoleCode(_SELLER)),  # MDT-21
            _RAM.IssuerTradeParty(
                _siren(told.seller), _RAM.Name(told.seller.name), _RAM.RoleCode(_SELLER)
            ),  # MDT-38 to 40
            _RAM.RecipientTradeParty(
                _siren(told.buyer),
                _RAM.Name(told.buyer.name),
                _RAM.RoleCode(_BUYER),
                _RAM.URIUniversalCommunication(
                    _RAM.URIID(told.buyer.address, schemeID=told.buyer.scheme)  # MDT-73
                ),
            ),
        ),
        _RSM.AcknowledgementDocument(
            _RAM.MultipleReferencesIndicator(_UDT.Indicator("false")),  # MDT-74
            _RAM.TypeCode(_TREATMENT),  # MDT-77
            _RAM.IssueDateTime(_moment(told.at)),  # MDT-78
            _RAM.ReferenceReferencedDocument(
                _RAM.IssuerAssignedID(told.number),  # MDT-87
                _RAM.StatusCode(_PAID),  # MDT-88
                _RAM.TypeCode(told.type_code),  # MDT-91
                _RAM.FormattedIssueDateTime(
                    _QDT.DateTimeString(f"{told.issued_on:%Y%m%d}", format=_DAY)  # MDT-100
                ),
                _RAM.ProcessConditionCode(COLLECTED),  # MDT-105
                _RAM.ProcessCondition(status_name(COLLECTED)),  # MDT-106
                _RAM.IssuerTradeParty(_siren(told.seller), _RAM.RoleCode(_SELLER)),  # MDT-129
                _RAM.SpecifiedDocumentStatus(
                    _RAM.SequenceNumeric("1"),  # MDT-124-2
                    *(_collected(one, told.value_on) for one in told.amounts),
                ),
            ),
        ),
    )
    data = written(root)
    held_to(CDAR, etree.fromstring(data), f"message {told.id}")
    return data


def _siren(party: Party) -> etree._Element:
    return _RAM.GlobalID(party.siren, schemeID=SIREN)


def _moment(at: datetime) -> etree._Element:
    return _UDT.DateTimeString(f"{at.astimezone(PARIS):%Y%m%d%H%M%S}", format=_MOMENT)


def _collected(one: Collected, value_on: date) -> etree._Element:
    """An amount collected (MDG-43): the rate is what the norm requires and others forget."""
    return _RAM.SpecifiedDocumentCharacteristic(
        _RAM.TypeCode(_AMOUNT_COLLECTED),  # MDT-207
        _RAM.ValueAmount(f"{one.amount:.2f}", currencyID="EUR"),  # MDT-215
        _RAM.ValueDateTime(_UDT.DateTimeString(f"{value_on:%Y%m%d}", format=_DAY)),  # MDT-219
        _RAM.ValuePercent(plain(one.rate.normalize())),  # MDT-224
    )


# Reading


_DOCUMENTS = "rsm:AcknowledgementDocument/ram:ReferenceReferencedDocument"


class Told(Struct, frozen=True, kw_only=True):
    """What a message tells of one document; `amount` is what was paid or collected, in euros."""

    number: str
    seller: str
    code: str
    name: str
    reasons: tuple[Reason, ...] = ()
    note: str = ""
    amount: Decimal | None = None


class Message(Struct, frozen=True, kw_only=True):
    """A life-cycle message: its id, when it was made, by whom, of which documents."""

    id: str
    at: datetime
    sender: str
    told: tuple[Told, ...]


def read_message(data: bytes, path: str) -> Message:
    """What a message says. Raises BadFile with every fault, each with its line."""
    root = parsed(data, path)
    if root.tag != f"{{{_NS['rsm']}}}CrossDomainAcknowledgementAndResponse":
        told = f"a CrossDomainAcknowledgementAndResponse was expected, this is {root.tag!s}"
        raise BadFile([FieldError(path=path, line=root.sourceline or 1, expected=told)])
    held_to(CDAR, root, path)
    return _Reader(path).message(root)


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.faults: list[FieldError] = []

    def message(self, root: etree._Element) -> Message:
        head = root.find("rsm:ExchangedDocument", _NS)
        assert head is not None, "the schema requires it"
        id = self._needed(head, "ram:ID")
        at = self._at(head)
        told = tuple(
            self._told(one)
            for one in root.iterfind(
                "rsm:AcknowledgementDocument/ram:ReferenceReferencedDocument", _NS
            )
        )
        if self.faults:
            raise BadFile(self.faults)
        assert at is not None
        sender = _text(head, "ram:SenderTradeParty/ram:GlobalID") or _text(
            head, "ram:IssuerTradeParty/ram:GlobalID"
        )
        return Message(id=id, at=at, sender=sender, told=told)

    def _told(self, one: etree._Element) -> Told:
        code = self._needed(one, "ram:ProcessConditionCode")
        if code and not (len(code) == 3 and code.isdigit()):
            self._fault(one, "ProcessConditionCode", code, "a status of three digits was expected")
        reasons, amount = [], None
        for status in one.iterfind("ram:SpecifiedDocumentStatus", _NS):
            why = _text(status, "ram:ReasonCode"), _text(status, "ram:Reason")
            if any(why):
                reasons.append(Reason(*why))
            for value in status.iterfind("ram:SpecifiedDocumentCharacteristic", _NS):
                if _text(value, "ram:TypeCode") in _MONEY:
                    amount = self._amount(value, amount)
        notes = one.iterfind("ram:SpecifiedDocumentStatus/ram:IncludedNote/ram:Content", _NS)
        return Told(
            number=self._needed(one, "ram:IssuerAssignedID"),
            seller=self._seller(one),
            code=code,
            name=status_name(code),
            reasons=tuple(reasons),
            note=" ".join(filter(None, (note.text for note in notes)))[:1000],
            amount=amount,
        )

    def _seller(self, one: etree._Element) -> str:
        for id in one.iterfind("ram:IssuerTradeParty/ram:GlobalID", _NS):
            if id.get("schemeID") == SIREN:
                return (id.text or "").strip()
        self._fault(one, "IssuerTradeParty/GlobalID", "", "the seller's SIREN (0002) was expected")
        return ""

    def _amount(self, one: etree._Element, before: Decimal | None) -> Decimal | None:
        text = _text(one, "ram:ValueAmount")
        value = one.find("ram:ValueAmount", _NS)
        currency = "EUR" if value is None else value.get("currencyID", "EUR")
        if not _AMOUNT.fullmatch(text) or currency != "EUR":
            told = "an amount in euros was expected"
            self._fault(one, "ValueAmount", f"{text} {currency}", told)
            return before
        return Decimal(text) + (before or ZERO)

    def _at(self, head: etree._Element) -> datetime | None:
        found = head.find("ram:IssueDateTime/udt:DateTimeString", _NS)
        text = (found.text or "").strip() if found is not None else ""
        form = {_MOMENT: "%Y%m%d%H%M%S", _DAY: "%Y%m%d"}.get(
            found.get("format", _MOMENT) if found is not None else "", ""
        )
        try:
            return datetime.strptime(text, form).replace(tzinfo=PARIS)
        except ValueError:
            told = "a moment written AAAAMMJJHHMMSS (204), or a day (102), was expected"
            self._fault(head, "IssueDateTime", text, told)
            return None

    def _needed(self, above: etree._Element, path: str) -> str:
        found = _text(above, path)
        if not found:
            self._fault(above, path.replace("ram:", ""), "", "it is missing")
        return found

    def _fault(self, at: etree._Element, key: str, value: str, expected: str) -> None:
        line, value = at.sourceline or 0, value[:60]
        self.faults.append(
            FieldError(path=self.path, line=line, key=key, value=value, expected=expected)
        )


def _text(above: etree._Element, path: str) -> str:
    return (above.findtext(path, "", _NS) or "").strip()
