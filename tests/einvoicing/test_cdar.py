"""Life-cycle messages: 212 as the norm wants it, and what platforms send, or an enemy."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.einvoicing.cdar import CollectionMessage, Party, collection_message, read_message
from billing.einvoicing.statuses import REASONS, STATUSES, reason_text, status_name
from billing.events.einvoicing import Collected, Reason
from billing.forms import BadFile
from tests.einvoicing.desk import CLIENT, SIREN, message, paris, reason
from tests.money.office import day

D = Decimal
TOLD = CollectionMessage(
    id="732829320-F-1-212-2",
    at=paris(2026, 9, 30, 9, 15),
    seller=Party(SIREN, "Société Vendeuse"),
    buyer=Party(CLIENT, "Cliente & Cie", f"{CLIENT}_ACHATS"),
    number="F-1",
    type_code="380",
    issued_on=day("2026-09-15"),
    value_on=day("2026-09-29"),
    amounts=(Collected(D("20"), D("1200.00")), Collected(D("5.5"), D("211.00"))),
)


def test_what_was_collected_is_told_by_rate_and_day_as_the_official_rules_want(cdar_rules):
    data = collection_message(TOLD)
    assert cdar_rules.faults(data) == []
    for part in (
        b"<ram:ProcessConditionCode>212</ram:ProcessConditionCode>",
        b'<ram:ValueAmount currencyID="EUR">1200.00</ram:ValueAmount>',
        b"<ram:ValuePercent>20</ram:ValuePercent>",
        b"<ram:ValuePercent>5.5</ram:ValuePercent>",
        b'<udt:DateTimeString format="102">20260929</udt:DateTimeString>',
        b'<udt:DateTimeString format="204">20260930091500</udt:DateTimeString>',
        b'<ram:URIID schemeID="0225">552100554_ACHATS</ram:URIID>',
        b"Cliente &amp; Cie",
    ):
        assert part in data
    assert collection_message(TOLD) == data


@pytest.mark.parametrize(
    ("taken", "rule"),
    [
        (b"<ram:ValuePercent>20</ram:ValuePercent>", "BR-FR-CDV-14"),
        (b"<ram:SequenceNumeric>1</ram:SequenceNumeric>", "MDT-124-2"),
        (b'<ram:URIID schemeID="0225">552100554_ACHATS</ram:URIID>', "BR-FR-CDV-08"),
        (b"<ram:TypeCode>MEN</ram:TypeCode>", "BR-FR-CDV-14"),
    ],
)
def test_the_official_rules_do_look_at_it(cdar_rules, taken, rule):
    data = collection_message(TOLD)
    assert taken in data
    assert any(rule in fault for fault in cdar_rules.faults(data.replace(taken, b"")))


def test_money_taken_back_is_a_negative_amount(cdar_rules):
    back = collection_message(
        CollectionMessage(
            **{f: getattr(TOLD, f) for f in TOLD.__struct_fields__}
            | {"amounts": (Collected(D("20"), D("-1200.00")),)}
        )
    )
    assert b'currencyID="EUR">-1200.00<' in back
    assert cdar_rules.faults(back) == []


def test_what_we_write_is_read_back():
    found = read_message(collection_message(TOLD), "a.xml")
    (told,) = found.told
    assert (found.id, found.at, found.sender) == (TOLD.id, TOLD.at, SIREN)
    assert (told.number, told.seller, told.code, told.name) == ("F-1", SIREN, "212", "Encaissée")
    assert told.amount == D("1411.00")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("200", "Déposée"), ("201", "Émise par la plateforme"), ("202", "Reçue par la plateforme"),
        ("203", "Mise à disposition"), ("204", "Prise en charge"), ("205", "Approuvée"),
        ("206", "Approuvée partiellement"), ("207", "En litige"), ("208", "Suspendue"),
        ("209", "Complétée"), ("210", "Refusée"), ("211", "Paiement transmis"),
        ("213", "Rejetée"), ("299", "statut inconnu 299"),
    ],
)  # fmt: skip
def test_each_status_has_its_name(code, name):
    (told,) = read_message(message(code=code), "a.xml").told
    assert told.name == name


def test_a_refusal_says_why():
    data = message(status=reason("CMD_ERR", "Commande inconnue"))
    (told,) = read_message(data, "a.xml").told
    assert told.reasons == (Reason("CMD_ERR", "Commande inconnue"),)
    assert reason_text("CMD_ERR") == "commande erronée ou absente"
    assert reason_text("NEW_ERR") == "motif inconnu NEW_ERR"
    assert status_name("777") == "statut inconnu 777"


def test_all_reasons_of_the_official_list_are_known():
    from importlib.resources import files

    text = files("pyfrctc").joinpath("cdar-schematron/BR-FR-CDV-Schematron-CDAR.xslt").read_text()
    listed = text.partition('name="custom:status-reason-codes"')[2].partition("select=\"'")[2]
    assert set(listed.partition("'")[0].split()) == set(REASONS)
    listed = text.partition('name="custom:invoice-status-codes"')[2].partition("select=\"'")[2]
    ours = {code for code in listed.partition("'")[0].split() if "200" <= code < "229"}
    assert ours <= set(STATUSES)


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE bomb [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><bomb>&b;</bomb>"""
OUTSIDE = b'<?xml version="1.0"?>\n<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short or is not XML"),
        (b"no XML at all", "cut short or is not XML"),
        (message()[:900], "cut short or is not XML"),
        (BOMB, "a.xml:2: the file declares a document type"),
        (OUTSIDE, "a.xml:2: the file declares a document type"),
        (OUTSIDE.decode().encode("utf-16"), "declares a document type"),
        (b"<!doctype html><html></html>", "declares a document type"),
        (b"<Invoice/>", "a CrossDomainAcknowledgementAndResponse was expected"),
        (b"<a>" * 100_000, "cut short or is not XML"),
        (b"<a>" + b" " * (1 << 22), "a message of at most"),
        (message(code="21O"), "ProcessConditionCode = 21O: a status of three digits"),
        (message(code=""), "ProcessConditionCode: it is missing"),
        (message(number=""), "IssuerAssignedID: it is missing"),
        (message(id=""), "ID: it is missing"),
        (message(at="yesterday"), "IssueDateTime = yesterday: a moment written"),
        (message(at="20261340000000"), "IssueDateTime"),
        (message().replace(b'"0002"', b'"0009"'), "the seller's SIREN"),
        (message().replace(b"<ram:TypeCode>380", b"<ram:Type>380"), "is not XML"),
        (message().replace(b"ram:MultipleReferences", b"ram:Many"), "the schema says"),
        (
            message(
                code="212",
                status="<ram:SpecifiedDocumentCharacteristic><ram:TypeCode>MEN</ram:TypeCode>"
                '<ram:ValueAmount currencyID="USD">1</ram:ValueAmount>'
                "</ram:SpecifiedDocumentCharacteristic>",
            ),
            "an amount in euros",
        ),
    ],
    ids=range(20),
)
def test_what_is_no_message_is_refused_with_its_place(data, told):
    with pytest.raises(BadFile) as refusal:
        read_message(data, "a.xml")
    assert told in str(refusal.value)


def test_several_documents_in_one_message_are_all_told():
    data = message()
    start, end = data.index(b"  <rsm:AcknowledgementDocument>"), data.index(b"</rsm:CrossDomain")
    twice = data[:end] + data[start:end].replace(b"F-1", b"F-2") + data[end:]
    assert [told.number for told in read_message(twice, "a.xml").told] == ["F-1", "F-2"]
