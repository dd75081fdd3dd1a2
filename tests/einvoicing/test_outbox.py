"""The outbox: what must go is queued once, sent once, told of once; what comes back is kept."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

import pytest

from billing.application import outbox
from billing.einvoicing.house import Company, House
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.refusal import Refused
from tests.einvoicing.desk import (
    AT_HOME,
    CLIENT,
    HOUSE,
    SIREN,
    Desk,
    abroad,
    line,
    message,
    reason,
)
from tests.money.office import day

D = Decimal


# What goes in


def test_documents_issued_since_the_law_are_queued_once(desk):
    desk.sells("F-0", line("10.00"), issued="2026-08-31")
    desk.sells("F-1", line("10.00"), issued="2026-09-01")
    desk.sells("D-1", line("10.00", kind="deposit"), kind="deposit", issued="2026-09-02")
    desk.gives_back("A-1", "F-1", line("1.00"), issued="2026-09-03")
    assert desk.queues() == ["F-1", "D-1", "A-1"]
    assert desk.queues() == []
    assert [desk.item(n).queued.type_code for n in ("F-1", "D-1", "A-1")] == ["380", "386", "381"]
    queued = desk.item("F-1").queued
    assert (queued.siren, queued.address) == (CLIENT, f"{CLIENT}_ACHATS")
    assert (queued.platform, queued.file) == ("EXEMPLE", "F-1.pdf")
    assert "grandes entreprises" in queued.because


def test_a_small_company_waits_a_year_unless_it_chooses_not_to(desk):
    desk.sells("F-1", line("10.00"), issued="2026-10-05")
    small = House(
        platforms=HOUSE.platforms, suppliers={"S": Company(size="sme", platform="EXEMPLE")}
    )
    assert desk.queues(small) == []
    early = Company(size="sme", platform="EXEMPLE", issues_from=day("2026-10-01"))
    assert desk.queues(House(platforms=HOUSE.platforms, suppliers={"S": early})) == ["F-1"]
    assert desk.item("F-1").queued.because == "par choix"


def test_what_is_outside_vat_or_not_for_a_business_in_france_goes_by_no_platform(desk):
    desk.charges("N-1", "2026-09-05", late_interest="12.00")
    desk.knows("DE", address=abroad("DE"), vat_number="DE136695976")
    desk.knows("JEAN", category="consumer", address=AT_HOME)
    for number, client in (("F-1", "DE"), ("F-2", "JEAN")):
        desk.sells(number, line("10.00"), issued="2026-09-05", client=client)
    assert desk.queues() == []
    assert desk.aside == []


def test_a_client_without_address_in_the_directory_is_named_and_the_others_go(desk):
    desk.knows("B", siren="732829320", address=AT_HOME)
    desk.sells("F-1", line("10.00"), issued="2026-09-05", client="B")
    desk.sells("F-2", line("10.00"), issued="2026-09-05")
    assert desk.queues() == ["F-2"]
    ((what, why),) = desk.aside
    assert what == "F-1"
    assert "is not in the directory on 2026-09-05" in why
    desk.lists("732829320", "732829320")
    assert desk.queues() == ["F-1"]


def test_without_a_siren_of_ours_nothing_is_queued():
    with Desk(siren="") as desk:
        desk.sells("F-1", line("10.00"), issued="2026-09-05")
        with pytest.raises(Refused, match="S: SIREN ''"):
            desk.queues()


def test_a_directory_told_again_brings_nothing(desk):
    before = desk.app.store.log_position()
    desk.lists(CLIENT, f"{CLIENT}_ACHATS")
    assert desk.app.store.log_position() == before


def test_a_file_is_attached_by_its_digest_then_sent_once(desk, tmp_path):
    desk.sells("F-1", line("10.00"), issued="2026-09-15")
    desk.queues()
    assert (desk.item("F-1").state, desk.item("F-1").to_do) == ("waiting", "attach its file")
    with pytest.raises(Refused, match=r"F-1\.pdf is not attached"):
        outbox.send(desk.app, "F-1", day("2026-09-16"))
    (tmp_path / "F-1.pdf").write_bytes(b"%PDF")
    changed, _ = outbox.attach(desk.app, tmp_path)
    assert [item.digest for item in changed] == [hashlib.sha256(b"%PDF").hexdigest()]
    assert desk.item("F-1").state == "ready"
    assert outbox.attach(desk.app, tmp_path) == ([], [])
    with pytest.raises(Refused, match="a day from its issue, 2026-09-15"):
        outbox.send(desk.app, "F-1", day("2026-09-14"))
    outbox.send(desk.app, "F-1", day("2026-09-16"), flow="FLOW-9")
    assert (desk.item("F-1").state, desk.item("F-1").flow) == ("sent", "FLOW-9")
    with pytest.raises(Refused, match="was sent on 2026-09-16 already"):
        outbox.send(desk.app, "F-1", day("2026-09-17"))
    (tmp_path / "F-1.pdf").write_bytes(b"%PDF other")
    changed, aside = outbox.attach(desk.app, tmp_path)
    assert changed == []
    assert "is not the file that was sent" in aside[0].why


def test_what_is_in_no_outbox_is_refused(desk):
    with pytest.raises(Refused, match="X-1 is not in the outbox"):
        desk.item("X-1")


# What was collected


def test_a_payment_is_told_of_once_with_its_rates(desk, tmp_path, cdar_rules):
    desk.sells("F-1", line("1000.00"), line("200.00", rate="5.5"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    assert desk.declares(tmp_path) == []
    desk.pays("705.50", "2026-09-29", invoices=["F-1"])  # One half of 1200.00 + 211.00.
    (told,) = desk.declares(tmp_path)
    assert [(one.rate, one.amount) for one in told.amounts] == [
        (D(20), D("600.00")),
        (D("5.5"), D("105.50")),
    ]
    data = (tmp_path / f"CDAR_{SIREN}-F-1-212-2.xml").read_bytes()
    assert cdar_rules.faults(data) == []
    assert hashlib.sha256(data).hexdigest() == told.digest
    assert desk.declares(tmp_path) == []
    # The same message is made again from what is recorded.
    assert outbox.message_of(desk.app, desk.item("F-1").queued, told) == data
    desk.pays("705.50", "2026-10-10", invoices=["F-1"])
    assert [one.amounts[0].amount for one in desk.declares(tmp_path)] == [D("600.00")]
    assert len(desk.item("F-1").messages) == 2


def test_a_returned_debit_is_told_as_a_negative_amount(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    amount, e2e = D("1200.00"), "E-1"
    paid = PaymentAllocated(
        amount=amount, value_on=day("2026-10-01"), means="direct_debit", collection=e2e
    )
    back = PaymentReversed(amount=amount, value_on=day("2026-10-08"), collection=e2e, code="AM04")
    desk.tells("F-1", paid, back)
    told = [(one.value_on, one.amounts[0].amount) for one in desk.declares(tmp_path)]
    assert told == [(day("2026-10-01"), amount), (day("2026-10-08"), -amount)]


def test_tax_on_debits_and_what_waits_to_be_sent_are_not_told_of(tmp_path):
    with Desk(vat_on_debits=True) as desk:
        desk.sells("F-1", line("1000.00"), issued="2026-09-15")
        desk.sends("F-1", tmp_path)
        desk.pays("1200.00", "2026-09-29", invoices=["F-1"])
        assert desk.declares(tmp_path) == []
    with Desk() as desk:
        desk.sells("F-2", line("1000.00"), issued="2026-09-15")
        desk.queues()
        desk.pays("1200.00", "2026-09-29", invoices=["F-2"])
        assert desk.declares(tmp_path) == []


def test_what_is_paid_too_much_is_not_told_and_a_refund_of_it_neither(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    desk.pays("1200.00", "2026-09-29", invoices=["F-1"])
    desk.gives_back("A-1", "F-1", line("500.00"), issued="2026-10-01")
    assert [one.amounts[0].amount for one in desk.declares(tmp_path)] == [D("1200.00")]
    desk.does("refund", invoice="F-1", reason="avoir", refunded_on="10-05")
    # 600.00 is left of it and 600.00 was kept: the client had 600.00 back.
    assert [one.amounts[0].amount for one in desk.declares(tmp_path)] == [D("-600.00")]


def test_the_parts_of_all_payments_sum_to_the_document(desk, tmp_path):
    desk.sells("F-1", line("33.33"), line("66.67", rate="5.5"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)  # 40.00 and 70.34.
    for rank in range(1, 12):
        desk.pays("10.00", f"2026-10-{rank:02}", invoices=["F-1"])
    desk.pays("0.34", "2026-10-20", invoices=["F-1"])
    sums = {D(20): D(0), D("5.5"): D(0)}
    for told in desk.declares(tmp_path):
        for one in told.amounts:
            sums[one.rate] += one.amount
    assert sums == {D(20): D("40.00"), D("5.5"): D("70.34")}


# What comes back


def reads(desk: Desk, folder: Path, *messages: bytes) -> list[str]:
    """Puts messages in the inbox and reads it; the faults."""
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    for rank, data in enumerate(messages, len(list(inbox.iterdir()))):
        (inbox / f"{rank:03}.xml").write_bytes(data)
    desk.found, faults = outbox.read(desk.app, inbox)
    return [str(fault) for fault in faults]


def test_a_refused_invoice_keeps_its_number_and_says_what_to_do(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    refused = message(status=reason("CMD_ERR", "Commande inconnue"))
    assert reads(desk, tmp_path, message(code="200", id="M-0", at="20260916090000"), refused) == []
    item = desk.item("F-1")
    assert (item.state, item.status, item.why) == ("210", "Refusée", "Commande inconnue")
    assert "keeps its number" in item.to_do
    assert desk.queues() == []
    assert desk.document("F-1").gross == D("1200.00")
    desk.pays("1200.00", "2026-09-29", invoices=["F-1"])
    assert desk.declares(tmp_path) == []
    assert "is not told of: Refusée" in desk.aside[0].why


def test_a_message_read_twice_brings_nothing(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    assert reads(desk, tmp_path, message(code="204")) == []
    before = desk.app.store.log_position()
    assert reads(desk, tmp_path, message(code="204")) == []  # Under another name.
    assert [one.known for one in desk.found] == [True, True]
    assert desk.app.store.log_position() == before


def test_the_same_id_with_other_words_is_refused(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    (fault,) = reads(desk, tmp_path, message(code="204"), message(code="210"))
    assert "001.xml: ID = M-1: message M-1 was read on 2026-11-20 already" in fault


def test_the_last_status_is_that_of_the_last_moment_not_of_the_last_file(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    late = message(code="205", id="M-2", at="20260925120000")
    early = message(code="204", id="M-3", at="20260924120000")
    assert reads(desk, tmp_path, late, early) == []
    assert desk.item("F-1").state == "205"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (message(number="F-9"), "IssuerAssignedID = F-9: S issued no document of that number"),
        (message(seller=CLIENT), "F-1 is of a seller that is none of our companies"),
        (b"<!DOCTYPE x><x/>", "declares a document type"),
    ],
)
def test_a_bad_message_is_named_and_the_others_are_read(desk, tmp_path, data, told):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.queues()
    (fault,) = reads(desk, tmp_path, data, message(code="204", id="M-7"))
    assert told in fault
    assert desk.item("F-1").state == "204"


def test_a_rejected_document_may_be_handed_over_again(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-09-15")
    desk.sends("F-1", tmp_path)
    reads(desk, tmp_path, message(code="213", status=reason("REJ_ADR")))
    assert desk.item("F-1").why == "rejet : adresse électronique"
    outbox.send(desk.app, "F-1", day("2026-09-22"))
    assert desk.item("F-1").state == "sent"


def test_a_status_of_a_document_sent_by_other_means_is_kept(desk, tmp_path):
    desk.sells("F-1", line("1000.00"), issued="2026-08-15")
    assert reads(desk, tmp_path, message(code="205")) == []
    assert [status.code for _, status in desk.found[0].statuses] == ["205"]
