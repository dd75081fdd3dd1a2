"""What could not be printed is set aside or refused by name, before its number is taken."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from billing.application import Billing, commands, deposits, runs
from billing.application.chase import chase
from billing.application.issuable import Issuable
from billing.application.printed import facts, issues
from billing.application.replay import audit_numbers, verify
from billing.clauses import Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.vat import Vat
from billing.contract.sign import Signing, sign
from billing.dates import month_of
from billing.documents.facturx import data_of
from billing.events.contract import ContractSetAside
from billing.events.invoice import InvoiceIssued
from billing.events.party import PartyRegistered
from billing.identity import contract_id, stream
from billing.month import month_days
from billing.refusal import Refused
from tests.documents import paper
from tests.known import party, register, siren_of

SHOP = party("SHOP")


class House:
    """Company S and three clients under a contract each, of which B is the one that is odd."""

    def __init__(self, month="2026-01", client=None, supplier=None, **odd):
        self.on(f"{month}-01")
        self.app = Billing({"DATABASE_URL": "sqlite://"}, clock=lambda: self.now, user="tests")
        self.app.publish_shipped()
        self.tell(supplier or party("S"))
        register(self.app, "A", "C")
        if client != "nobody":
            self.tell(client or party("B"))
        for code in "ABC":
            self.sign(code, f"{month}-01", **(odd if code == "B" else {}))

    def on(self, day):
        self.now = datetime.fromisoformat(f"{day}T09:00").replace(tzinfo=UTC)

    def tell(self, known):
        event = PartyRegistered(party=known)
        self.app.write(self.app.stamp([event], stream("party", known.code), 0))

    def sign(self, code, starts_on, number="", label="Poste", **more):
        said = {
            "number": number or f"K-{code}", "form": "plain", "form_digest": "", "supplier": "S",
            "client": code, "signed_on": date.fromisoformat(starts_on),
            "starts_on": date.fromisoformat(starts_on), "terms": Terms(),
            "items": (Item(code="P", label=label, unit_price=D("100.00")),),
        } | more  # fmt: skip
        event = sign(Signing(**said), self.app.book())
        self.app.save(*self.app.stamp([event], contract_id(said["number"]), 0))

    def run(self, month):
        first, until = month_days(date.fromisoformat(f"{month}-01"))
        if self.now.date() < first:
            self.on(f"{month}-01")
        report = runs.run(self.app, first, until, month)
        assert verify(self.app, report.name).differences == ()
        assert audit_numbers(self.app) == []
        return report

    def issued(self):
        topics = ["invoice.issued"]
        return [(one.contract, one.number) for _, one in self.app.recorded(topics=topics)]


EXEMPT = {
    "terms": Terms(vat=(Vat(code="none", category="E"),)),
    "items": (Item(code="P", label="Poste", unit_price=D("100.00"), vat="none"),),
}
REVERSED = {
    "terms": Terms(vat=(Vat(code="ae", category="AE", reason="Autoliquidation"),)),
    "items": (Item(code="P", label="Poste", unit_price=D("100.00"), vat="ae"),),
}
NOWHERE = replace(SHOP.address, city=" ")

ODD = {
    "no address": ({"client": party("B", address=None)}, "client B has no address"),
    "no city": ({"client": party("B", address=NOWHERE)}, "client B: address without its city"),
    "no name": ({"client": party("B", name=" ")}, "client B has no name"),
    "a wrong SIREN": (
        {"client": party("B", siren="999001077", vat_number="")}, "client B: siren '999001077'",
    ),
    "a VAT number of another": (
        {"client": party("B", vat_number=SHOP.vat_number)}, "is not of SIREN",
    ),
    "a name nobody can print": ({"client": party("B", name="花店")}, "client B, name: '花'"),
    "nobody": ({"client": "nobody"}, "client B is not registered"),
    "a label nobody can print": ({"label": "Poste \x07"}, "line 1: '\\x07' (U+0007)"),
    "a site nobody can print": ({"site": "Rue 🥐"}, "site: '🥐'"),
    "an order nobody can print": ({"purchase_order": "№ ✈"}, "purchase order: '✈'"),
    "reverse charge, no VAT number": (
        {"client": party("B", vat_number=""), **REVERSED},
        "client B has no VAT number; VAT category AE",
    ),
    "a rate of 0 without reason": (EXEMPT, "VAT category E at 0 % has no reason"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_the_contract_is_set_aside_by_name_and_no_other_waits(case):
    odd, told = ODD[case]
    house = House(**odd)
    report = house.run("2026-01")
    assert report.aside_numbers == ("K-B",)
    (aside,) = report.set_aside
    assert (aside.clause, aside.held, aside.due_on) == ("document", True, date(2026, 1, 1))
    assert told in aside.reason
    assert house.issued() == [("K-A", "2026-000001"), ("K-C", "2026-000002")]
    assert house.app.contract("K-B").billed_until == date(2026, 1, 1)


def test_a_dry_run_says_the_same():
    house = House(client=party("B", address=None))
    drafts, report = runs.preview(house.app, date(2026, 1, 1), date(2026, 2, 1), "2026-01")
    numbers = [document.number for draft in drafts for document in draft.issued.invoices]
    assert numbers == ["2026-000001", "2026-000002"]
    assert report().aside_numbers == ("K-B",)
    assert report().set_aside == house.run("2026-01").set_aside


def test_told_once_then_billed_of_all_it_missed_once_the_party_is_amended():
    house = House(client=party("B", address=None))
    house.run("2026-01")
    assert house.run("2026-02").aside_numbers == ("K-B",)
    told = [e for e in house.app.history("K-B") if isinstance(e, ContractSetAside)]
    assert len(told) == 1  # The same reason on the same day is not said again.
    commands.amend_party(house.app, party("B"))
    assert house.run("2026-03").set_aside == ()
    assert [number for contract, number in house.issued() if contract == "K-B"] == [
        "2026-000005", "2026-000006", "2026-000008",
    ]  # fmt: skip
    for month in ("2026-01", "2026-02", "2026-03"):
        assert verify(house.app, month).differences == ()
    for issue in issues(house.app, month_of(date(2026, 3, 1))):
        data_of(facts(house.app, issue.name.number))


SUPPLIER = {
    "no SIREN": (party("S", siren="", vat_number=""), "supplier S has no SIREN"),
    "no VAT number": (party("S", vat_number=""), "supplier S has no VAT number"),
    "no address": (party("S", address=None), "supplier S has no address"),
    "a prefix no platform takes": (party("S", invoice_prefix="É "), "invoice_prefix 'É '"),
}


@pytest.mark.parametrize("case", SUPPLIER)
def test_a_supplier_that_lacks_something_issues_nothing_and_takes_no_number(case):
    supplier, told = SUPPLIER[case]
    house = House(supplier=supplier)
    report = house.run("2026-01")
    assert report.aside_numbers == ("K-A", "K-B", "K-C")
    assert all(told in aside.reason for aside in report.set_aside)
    assert list(house.app.store.states("numbers")) == []
    commands.amend_party(house.app, party("S"))
    assert len(house.issued()) == 0
    house.run("2026-02")
    assert len(house.issued()) == 6


NO_SIREN = party("B", siren="", vat_number="")


@pytest.mark.parametrize(
    ("month", "client", "billed"),
    [
        ("2026-08", NO_SIREN, True),
        ("2026-09", NO_SIREN, False),
        ("2026-09", replace(NO_SIREN, address=replace(SHOP.address, country="BE")), True),
        ("2026-09", replace(party("B", name="Société Ελλάς Компания SARL")), True),
    ],
    ids=["before the reform", "since the reform", "abroad", "scripts that the fonts have"],
)
def test_what_a_document_bears_of_the_client_follows_its_day_and_country(month, client, billed):
    house = House(month, client=client)
    assert (house.run(month).set_aside == ()) is billed


def test_a_person_is_asked_for_no_siren():
    house = House("2026-09", client=NO_SIREN, category="consumer")
    assert house.run("2026-09").set_aside == ()


def test_the_day_that_counts_is_the_one_the_number_gives():
    """August is billed after September: its documents are dated after those of September."""
    house = House("2026-09")
    house.run("2026-09")
    house.tell(replace(NO_SIREN, code="D"))
    house.sign("D", "2026-08-01")
    report = house.run("2026-08")
    assert report.aside_numbers == ("K-D",)
    assert "no SIREN" in report.set_aside[0].reason


def test_a_party_is_as_it_was_when_the_run_opened():
    house = House(client=party("B", address=None))
    position = house.app.store.log_position()
    house.tell(party("NEW"))
    commands.amend_party(house.app, party("B"))
    commands.amend_party(house.app, party("B", name="B & fils"))
    commands.amend_party(house.app, party("NEW", name="New & fils"))
    contract, invoice = house.app.contract("K-B"), _invoice("B")
    assert Issuable(house.app)(contract, invoice) == ""
    assert "client B has no address" in Issuable(house.app, position)(contract, invoice)
    # One that was not known yet is as it was first told.
    assert Issuable(house.app, position)(contract, _invoice("NEW")) == ""


def _invoice(client):
    return replace(paper.invoice(), supplier="S", client=client)


# Commands


def refused(app, told, command):
    """It is refused in these words, and the log is as it was."""
    before = app.store.log_position()
    with pytest.raises(Refused) as refusal:
        command()
    assert told in str(refusal.value)
    assert app.store.log_position() == before


def test_a_credit_note_is_refused():
    house = House()
    house.run("2026-01")
    commands.amend_party(house.app, party("B", address=None))
    number = dict(house.issued())["K-B"]
    refused(
        house.app,
        f"{number}: no credit note: client B has no address",
        lambda: commands.issue_credit_note(house.app, number, "Erreur"),
    )
    commands.amend_party(house.app, party("B"))
    assert commands.issue_credit_note(house.app, number, "Erreur").number == "2026-000004"


def test_a_deposit_invoice_is_refused_with_the_money_that_asks_for_it():
    cover = Cover(needs_acceptance=True, one_off_apart=True)
    house = House(client=party("B", name="花店"), terms=Terms(cover=cover))
    for command in (
        lambda: deposits.invoice(house.app, "K-B", amount=D("120.00")),
        lambda: deposits.record(house.app, "K-B", D("120.00"), date(2026, 1, 1)),
    ):
        refused(house.app, "K-B: no deposit invoice: client B, name: '花'", command)
    commands.amend_party(house.app, party("B"))
    events = deposits.record(house.app, "K-B", D("120.00"), date(2026, 1, 1))
    assert [e.number for e in events if isinstance(e, InvoiceIssued)] == ["2026-000001"]


def test_a_debit_note_waits_and_those_of_others_leave_numbered_without_a_gap():
    house = House()
    house.run("2026-01")
    commands.amend_party(house.app, party("B", address=None))
    house.on("2026-04-01")
    report = chase(house.app, date(2026, 4, 1))
    assert [(one.contract, one.number) for one in report.debit_notes] == [
        ("K-A", "2026-000004"), ("K-C", "2026-000005"),
    ]  # fmt: skip
    (aside,) = report.set_aside
    assert (aside.contract, aside.clause) == ("K-B", "document")
    assert "client B has no address" in aside.reason
    assert audit_numbers(house.app) == []
    commands.amend_party(house.app, party("B"))
    later = chase(house.app, date(2026, 4, 1))
    assert [(one.contract, one.number) for one in later.debit_notes] == [("K-B", "2026-000006")]


def test_the_sirens_of_these_tests_have_a_right_key():
    from billing.forms import identifiers

    for code in ("A", "B", "SHOP"):
        assert identifiers.siren(siren_of(code)) == siren_of(code)
        assert identifiers.vat_number(party(code).vat_number) == party(code).vat_number
