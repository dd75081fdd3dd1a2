"""The pieces of a pain.008, as one reads them in the file, and what goes in each field.

A {field} is filled in; an element left without a value goes, with what is empty around it. The
text is that of pain.008.001.08; pain.008.001.02 has BIC for BICFI and free lines of address.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from billing.documents.orders import Batch, Direct, Message, is_amended
from billing.documents.profile import Profile, in_paris
from billing.documents.sepa_text import NAME, REMITTANCE, sepa
from billing.events.party import Address

HEADER: Final = """
    <GrpHdr>
      <MsgId>{id}</MsgId>
      <CreDtTm>{created_at}</CreDtTm>
      <NbOfTxs>{count}</NbOfTxs>
      <CtrlSum>{total}</CtrlSum>
      <InitgPty><Nm>{initiator}</Nm></InitgPty>
    </GrpHdr>"""

BATCH: Final = """
    <PmtInf>
      <PmtInfId>{id}</PmtInfId>
      <PmtMtd>DD</PmtMtd>
      <BtchBookg>{batch_booking}</BtchBookg>
      <NbOfTxs>{count}</NbOfTxs>
      <CtrlSum>{total}</CtrlSum>
      <PmtTpInf>
        <SvcLvl><Cd>SEPA</Cd></SvcLvl>
        <LclInstrm><Cd>{scheme}</Cd></LclInstrm>
        <SeqTp>{sequence}</SeqTp>
      </PmtTpInf>
      <ReqdColltnDt>{collected_on}</ReqdColltnDt>
      <Cdtr><Nm>{creditor}</Nm></Cdtr>
      <CdtrAcct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></CdtrAcct>
      <CdtrAgt><FinInstnId><BICFI>{bic}</BICFI><Othr><Id>{no_bic}</Id></Othr></FinInstnId></CdtrAgt>
      <ChrgBr>SLEV</ChrgBr>
      <CdtrSchmeId>
        <Id><PrvtId><Othr>
          <Id>{creditor_identifier}</Id><SchmeNm><Prtry>SEPA</Prtry></SchmeNm>
        </Othr></PrvtId></Id>
      </CdtrSchmeId>
    </PmtInf>"""

COLLECTION: Final = """
      <DrctDbtTxInf>
        <PmtId><EndToEndId>{end_to_end}</EndToEndId></PmtId><InstdAmt Ccy="EUR">{amount}</InstdAmt>
        <DrctDbtTx><MndtRltdInf>
          <MndtId>{mandate}</MndtId><DtOfSgntr>{signed_on}</DtOfSgntr>
          <AmdmntInd>{amended}</AmdmntInd>
          <AmdmntInfDtls>
            <OrgnlMndtId>{original_mandate}</OrgnlMndtId>
            <OrgnlCdtrSchmeId>
              <Nm>{original_creditor}</Nm>
              <Id><PrvtId><Othr>
                <Id>{original_creditor_identifier}</Id><SchmeNm><Prtry>{sepa}</Prtry></SchmeNm>
              </Othr></PrvtId></Id>
            </OrgnlCdtrSchmeId>
            <OrgnlDbtrAcct>
              <Id><IBAN>{original_iban}</IBAN><Othr><Id>{smnda}</Id></Othr></Id>
            </OrgnlDbtrAcct>
          </AmdmntInfDtls>
        </MndtRltdInf></DrctDbtTx>
        <DbtrAgt><FinInstnId><BICFI>{bic}</BICFI><Othr><Id>{no_bic}</Id></Othr></FinInstnId></DbtrAgt>
        <Dbtr><Nm>{debtor}</Nm>
          <PstlAdr>
            <StrtNm>{street}</StrtNm>
            <PstCd>{postcode}</PstCd>
            <TwnNm>{town}</TwnNm>
            <Ctry>{country}</Ctry>
            <AdrLine>{line}</AdrLine>
            <AdrLine>{second_line}</AdrLine>
          </PstlAdr></Dbtr>
        <DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct>
        <RmtInf><Ustrd>{remittance}</Ustrd></RmtInf>
      </DrctDbtTxInf>"""

Values = dict[str, str]
NOT_PROVIDED: Final = "NOTPROVIDED"
"""In the place of a BIC: the bank finds it by the IBAN."""


class Template:
    """A piece of the file as above, made once for each set of fields that have a value."""

    def __init__(self, text: str, schema: str) -> None:
        self._text = text if schema == "pain.008.001.08" else text.replace("BICFI", "BIC")
        self._shapes: dict[tuple[str, ...], tuple[etree._Element, list[etree._Element]]] = {}

    def filled(self, values: Values) -> etree._Element:
        """The piece with these values and no other field; the next call may change it."""
        fields = tuple(values)
        if (known := self._shapes.get(fields)) is None:
            known = self._shapes[fields] = _shaped(self._text, fields)
        element, slots = known
        for slot, value in zip(slots, values.values(), strict=True):
            slot.text = value
        return element


def _shaped(text: str, fields: tuple[str, ...]) -> tuple[etree._Element, list[etree._Element]]:
    """The piece with these fields, and where each of them goes."""
    root = etree.fromstring(text)
    slots = {}
    for leaf in [element for element in root.iter() if not len(element)]:
        if found := re.fullmatch(r"\{(\w+)\}", leaf.text or ""):
            slots[found[1]] = leaf
            if found[1] not in fields:
                _take_out(leaf)
    return root, [slots[field] for field in fields]


def _take_out(element: etree._Element) -> None:
    """Removes an element, its line, and what is above it and empty without it."""
    above, before = element.getparent(), element.getprevious()
    assert above is not None, "every piece has a field that is always filled in"
    if before is not None and element.getnext() is None:
        before.tail = element.tail
    above.remove(element)
    if not len(above):
        _take_out(above)


def euros(cents: int) -> str:
    """Whole cents as the file writes an amount."""
    return f"{cents // 100}.{cents % 100:02d}"


def header_values(message: Message, cents: int, profile: Profile) -> Values:
    """What the header of the file says (en-tête de groupe)."""
    return {
        "id": message.id,
        "created_at": f"{in_paris(message.created_at):%Y-%m-%dT%H:%M:%S}",
        "count": str(sum(len(batch.collections) for batch in message.batches)),
        "total": euros(cents),
        "initiator": _name(message.initiator, profile),
    }


def batch_values(batch: Batch, cents: int, profile: Profile) -> Values:
    """What a batch says before its collections (en-tête de remise)."""
    return {
        "id": batch.id,
        "batch_booking": "true" if profile.batch_booking else "false",
        "count": str(len(batch.collections)),
        "total": euros(cents),
        "scheme": batch.scheme,
        "sequence": batch.sequence,
        "collected_on": batch.collected_on.isoformat(),
        "creditor": _name(batch.creditor, profile),
        "iban": batch.iban,
        "bic" if batch.bic else "no_bic": batch.bic or NOT_PROVIDED,
        "creditor_identifier": batch.creditor_identifier,
    }


def collection_values(collection: Direct, cents: int, profile: Profile) -> Values:
    """What a collection says (opération de prélèvement)."""
    values = {
        "end_to_end": collection.end_to_end,
        "amount": euros(cents),
        "mandate": collection.mandate,
        "signed_on": collection.signed_on.isoformat(),
        "bic" if collection.bic else "no_bic": collection.bic or NOT_PROVIDED,
        "debtor": _name(collection.debtor, profile),
        "iban": collection.iban,
    }
    if remittance := _text(collection.remittance, REMITTANCE, profile):
        values["remittance"] = remittance
    if is_amended(collection):
        values |= _amendment_values(collection, profile)
    if collection.address is not None:
        values |= _address_values(collection.address, profile)
    return values


def _name(name: str, profile: Profile) -> str:
    return _text(name, profile.name_length, profile)


def _text(text: str, length: int, profile: Profile) -> str:
    return sepa(text, length, profile.ampersand, profile.capitals)


def _amendment_values(collection: Direct, profile: Profile) -> Values:
    """What was before the amendment; the account by its IBAN, or by SMNDA in a new bank."""
    iban = collection.original_iban if collection.original_iban != collection.iban else ""
    moved = iban or (collection.original_bic and not collection.original_iban)
    same_bank = iban and profile.smnda == "other_bank" and _same_bank(iban, collection.iban)
    values = {
        "original_mandate": collection.original_mandate,
        "original_creditor": _name(collection.original_creditor, profile),
        "original_creditor_identifier": collection.original_creditor_identifier,
        "sepa": "SEPA" if collection.original_creditor_identifier else "",
        "original_iban": iban if same_bank else "",
        "smnda": "SMNDA" if moved and not same_bank else "",
    }
    return _said(values | {"amended": "true" if any(values.values()) else ""})


def _same_bank(iban: str, other: str) -> bool:
    """Whether two accounts are kept by one bank, by the codes of their countries and banks."""
    from schwifty import IBAN

    one, two = IBAN(iban), IBAN(other)
    return (one.country_code, one.bank_code) == (two.country_code, two.bank_code)


def _address_values(where: Address, profile: Profile) -> Values:
    """Where the debtor is; in .08 a street in its field, more lines than one as two free ones."""
    first, *others = where.lines or ("",)
    values = {"country": where.country}
    if profile.schema == "pain.008.001.02":
        values["line"] = _text(", ".join(where.lines), NAME, profile)
        values["second_line"] = _text(f"{where.postcode} {where.city}", NAME, profile)
        return _said(values)
    values["postcode"] = _text(where.postcode, 16, profile)
    values["town"] = _text(where.city, 35, profile)
    values["line" if others else "street"] = _text(first, NAME, profile)
    values["second_line"] = _text(", ".join(others), NAME, profile)
    return _said(values)


def _said(values: Values) -> Values:
    return {field: value for field, value in values.items() if value}
