"""A desk that sends invoices by a platform: the bookkeeper's company, its client, a directory."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.application import outbox
from billing.application.outbox import Item
from billing.einvoicing.directory import Address
from billing.einvoicing.house import Company, House, Platform
from billing.events.party import Address as Place
from billing.events.party import Identity, PartyRegistered
from billing.identity import stream
from tests.documents.bookkeeper import SIREN, Bookkeeper, line
from tests.money.office import day

CLIENT = "552100554"
PARIS = ZoneInfo("Europe/Paris")
HOUSE = House(
    platforms={"EXEMPLE": Platform("Plateforme Exemple", "0123")},
    suppliers={"S": Company(size="large", platform="EXEMPLE")},
)
AT_HOME = Place(lines=("1 rue Haute",), postcode="75001", city="Paris")


def abroad(country: str) -> Place:
    """An address there."""
    return Place(lines=("High street",), postcode="1", city="Town", country=country)


class Desk(Bookkeeper):
    """What is sold since September 2026."""

    def __init__(self, url: str = "sqlite://", **supplier: Any) -> None:
        said = {"vat_number": "FR44732829320", "address": AT_HOME} | supplier
        super().__init__(url, "2026-11-20", **said)
        self.amends("C", siren=CLIENT, address=AT_HOME, name="Cliente & Cie")
        self.lists(CLIENT, f"{CLIENT}_ACHATS")

    def lists(self, siren: str, address: str, since: str = "2026-09-01", client: str = "") -> None:
        """An address is in the directory."""
        told = Address(siren=siren, address=address, valid_from=day(since), client=client)
        outbox.learn(self.app, [told], "tests")

    def knows(self, code: str, **said: Any) -> None:
        """Another client."""
        known = PartyRegistered(party=Identity(code=code, name=code, **said))
        self.app.write(self.app.stamp([known], stream("party", code), 0))

    def queues(self, house: House = HOUSE) -> list[str]:
        """The numbers that are queued now."""
        queued, self.aside = outbox.queue(self.app, house)
        return [one.number for one in queued]

    def sends(self, number: str, folder: Path, on: str = "2026-09-16") -> None:
        """A document is queued, its file made, and handed over."""
        self.queues()
        (folder / f"{number}.pdf").write_bytes(f"%PDF of {number}".encode())
        outbox.attach(self.app, folder)
        outbox.send(self.app, number, day(on))

    def item(self, number: str) -> Item:
        """A document of the outbox."""
        return outbox.one(self.app, number)

    def declares(self, folder: Path) -> list[Any]:
        """The messages 212 that are written now."""
        told, self.aside = outbox.declare(self.app, HOUSE, folder)
        return told


def message(
    number: str = "F-1",
    code: str = "210",
    id: str = "M-1",
    at: str = "20260920101500",
    seller: str = SIREN,
    status: str = "",
) -> bytes:
    """A life-cycle message as a platform sends it."""
    detail = (
        f"<ram:SpecifiedDocumentStatus>{status}</ram:SpecifiedDocumentStatus>" if status else ""
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossDomainAcknowledgementAndResponse
  xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossDomainAcknowledgementAndResponse:100"
  xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
  xmlns:qdt="urn:un:unece:uncefact:data:standard:QualifiedDataType:100"
  xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
  <rsm:ExchangedDocumentContext>
    <ram:GuidelineSpecifiedDocumentContextParameter>
      <ram:ID>urn.cpro.gouv.fr:1p0:CDV:invoice</ram:ID>
    </ram:GuidelineSpecifiedDocumentContextParameter>
  </rsm:ExchangedDocumentContext>
  <rsm:ExchangedDocument>
    <ram:ID>{id}</ram:ID>
    <ram:IssueDateTime>
      <udt:DateTimeString format="204">{at}</udt:DateTimeString>
    </ram:IssueDateTime>
    <ram:SenderTradeParty>
      <ram:GlobalID schemeID="0238">0456</ram:GlobalID><ram:RoleCode>WK</ram:RoleCode>
    </ram:SenderTradeParty>
    <ram:RecipientTradeParty><ram:RoleCode>SE</ram:RoleCode></ram:RecipientTradeParty>
  </rsm:ExchangedDocument>
  <rsm:AcknowledgementDocument>
    <ram:MultipleReferencesIndicator>
      <udt:Indicator>false</udt:Indicator>
    </ram:MultipleReferencesIndicator>
    <ram:TypeCode>23</ram:TypeCode>
    <ram:ReferenceReferencedDocument>
      <ram:IssuerAssignedID>{number}</ram:IssuerAssignedID>
      <ram:TypeCode>380</ram:TypeCode>
      <ram:ProcessConditionCode>{code}</ram:ProcessConditionCode>
      <ram:IssuerTradeParty>
        <ram:GlobalID schemeID="0002">{seller}</ram:GlobalID>
      </ram:IssuerTradeParty>
      {detail}
    </ram:ReferenceReferencedDocument>
  </rsm:AcknowledgementDocument>
</rsm:CrossDomainAcknowledgementAndResponse>
""".encode()


def reason(code: str, text: str = "") -> str:
    """Why, as a message says it."""
    words = f"<ram:Reason>{text}</ram:Reason>" if text else ""
    sequence = "<ram:SequenceNumeric>1</ram:SequenceNumeric>"
    return f"<ram:ReasonCode>{code}</ram:ReasonCode>{words}{sequence}"


def paris(*moment: int) -> datetime:
    """A moment there."""
    return datetime(*moment, tzinfo=PARIS)  # type: ignore[arg-type,misc]


__all__ = ["CLIENT", "HOUSE", "SIREN", "Desk", "abroad", "line", "message", "paris", "reason"]
