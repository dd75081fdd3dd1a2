"""Deposits on a database: numbered, paid, heard of, deducted, given back (acomptes)."""

from decimal import Decimal as D

import pytest

from billing.application import replay
from billing.application.explain import explain, mismatches
from billing.application.receivables import payment_id
from billing.clauses import Purchase, Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.payment import Payment
from billing.clauses.vat import Vat
from billing.contract import change
from billing.contract.sign import Signing, sign
from billing.events.contract import ContractSetAside, DepositReceived, DepositReversed
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.events.payment import PaymentReceived
from billing.identity import contract_id
from tests.known import register
from tests.money.office import Office, day

OUTSIDE = Vat(code="outside", category="O", reason="Hors champ")


@pytest.fixture
def office(url):
    """An order of 900.00 and 100.00 a month, signed on 1 December, accepted when told."""
    with Office(url, "2025-12-01") as opened:
        opened.app.publish_shipped()
        register(opened.app, "S", "C")
        orders(opened, "K-1")
        yield opened


def orders(office, number, deposit="0", on="2025-12-01", **terms):
    agreed = {"payment": Payment(deposit_kept=True), "vat": (OUTSIDE,)} | terms
    cover = Cover(needs_acceptance=True, one_off_apart=True)
    signing = Signing(
        number=number,
        form="plain",
        form_digest="",
        supplier="S",
        client="C",
        signed_on=day(on),
        starts_on=day(on),
        deposit=D(deposit),
        terms=Terms(cover=cover, purchase=Purchase(rents_refunded=1), **agreed),
        items=(
            Item(code="A", label="Poste", unit_price=D("100.00")),
            Item(code="I", label="Pose", unit_price=D("900.00"), per_months=0, kind="one_off"),
        ),
    )
    event = sign(signing, office.app.book())
    office.app.write(office.app.stamp([event], contract_id(number), 0))


def served(office, *months, number="K-1"):
    """Accepted on 1 January, and these months are run."""
    office.today = day("01-01")
    office.does("accept", contract=number, accepted_on="01-01")
    runs(office, *months)


def runs(office, *months):
    for month in months:
        office.today = day(f"2026-{month}-28")
        office.does("run", month=f"2026-{month}")


def documents(office):
    found = [e for _, e in office.app.recorded(topics=["invoice.issued"])]
    assert all(isinstance(e, InvoiceIssued) for e in found)
    return [(e.number, e.kind, f"{e.net} {e.tax} {e.gross}") for e in found]


def notes(office):
    found = [e for _, e in office.app.recorded(topics=["invoice.credit_note_issued"])]
    assert all(isinstance(e, CreditNoteIssued) for e in found)
    return [(e.number, e.credits, f"{e.net} {e.tax} {e.gross}") for e in found]


def is_sound(office):
    """Numbers unbroken, states right, runs done again alike, every amount explained."""
    app = office.app
    assert replay.audit_numbers(app) == []
    assert app.drifted_states() == []
    for row in app.store.states("run"):
        assert replay.verify(app, row.name).differences == ()
    for topic in ("invoice.issued", "invoice.credit_note_issued"):
        for _, event in app.recorded(topics=[topic]):
            assert mismatches(explain(app, event.number)) == []


# Money that comes


def test_a_deposit_cashed_has_its_number_and_is_paid(office):
    office.does("deposit", contract="K-1", amount=D("540.00"), reference="VIR 77")
    assert documents(office) == [("2025-000001", "deposit", "450.00 90.00 540.00")]
    assert office.owed("2025-000001") == "0.00"
    assert office.left("VIR 77") == "0.00"
    served(office, "01", "02")
    assert documents(office)[1:] == [
        ("2026-000001", "invoice", "450.00 90.00 540.00"),
        ("2026-000002", "invoice", "100.00 20.00 120.00"),
        ("2026-000003", "invoice", "100.00 20.00 120.00"),
    ]
    is_sound(office)


def test_the_rate_is_of_the_day_it_came_and_the_number_of_the_day_it_is_recorded(office):
    office.today = day("01-05")
    office.does("deposit", contract="K-1", amount=D("540.00"), received_on="2025-12-20")
    [(number, _, _)] = documents(office)
    assert number == "2026-000001"
    [issued] = [e for _, e in office.app.recorded(topics=["invoice.issued"])]
    assert (issued.issued_on, issued.due_on) == (day("01-05"), day("01-05"))
    assert office.owed(number) == "0.00"


def test_money_the_book_knows_already_is_not_recorded_twice(office):
    office.pays("540.00", "2025-12-01", reference="VIR 77")
    assert office.left("VIR 77") == "540.00"
    office.does("deposit", contract="K-1", amount=D("540.00"), reference="VIR 77")
    assert office.left("VIR 77") == "0.00"
    assert office.owed("2025-000001") == "0.00"
    assert len(list(office.app.recorded(topics=["payment.received"]))) == 1
    office.is_refused(
        "deposit", "VIR 77", "0.00 € left", contract="K-1", amount=D(1), reference="VIR 77"
    )


def test_money_of_an_unknown_payer_is_its_clients_once_it_is_a_deposit(office):
    came = PaymentReceived(
        reference="LIGNE 1",
        supplier="S",
        client="",
        amount=D("540.00"),
        value_on=day("2025-12-01"),
    )
    office.app.write(office.app.stamp([came], payment_id("S", "LIGNE 1"), 0))
    office.does("deposit", contract="K-1", amount=D("540.00"), reference="LIGNE 1")
    assert office.book.payment("S", "LIGNE 1").client == "C"
    assert office.owed("2025-000001") == "0.00"


def test_a_deposit_of_an_older_version_is_invoiced_when_asked(office):
    received = office.app.change("K-1", lambda c: change.deposit(c, D("540.00"), day("2025-12-01")))
    assert isinstance(received[0], DepositReceived)
    office.does("deposit-invoice", contract="K-1")
    assert documents(office) == [("2025-000001", "deposit", "450.00 90.00 540.00")]
    assert office.owed("2025-000001") == "0.00"
    office.is_refused("deposit-invoice", "no deposit waits", contract="K-1")
    assert office.app.contract("K-1").deposit == D("540.00")
    is_sound(office)


# Money that is asked for


@pytest.mark.parametrize(
    ("said", "gross"),
    [
        ({"amount": D("540.00")}, "540.00"),
        ({"percent": D("30")}, "324.00"),  # of 900.00 + 20 %
        ({"percent": D("30"), "of": D("1000.05")}, "300.02"),  # 300.015, up
    ],
)
def test_a_deposit_is_asked_for_and_owed_until_it_is_paid(office, said, gross):
    office.does("deposit-invoice", contract="K-1", **said)
    assert office.owed("2025-000001") == gross
    assert office.document("2025-000001").due_on == day("2025-12-31")
    office.pays(gross, "2025-12-01", invoices=("2025-000001",))
    assert office.owed("2025-000001") == "0.00"
    served(office, "01")
    assert documents(office)[1][2].split()[2] == f"{D('1080.00') - D(gross)}"
    is_sound(office)


def test_it_is_not_deducted_while_it_is_not_paid_nor_once_the_cheque_bounced(office):
    office.does("deposit-invoice", contract="K-1", amount=D("540.00"))
    office.pays("540.00", "2025-12-01", reference="CHQ 1", means="cheque")
    office.does("reject-payment", payment="CHQ 1", rejected_on="2025-12-01")
    heard = [type(e) for e in office.app.history("K-1")[-2:]]
    assert heard == [DepositReceived, DepositReversed]
    served(office, "01")
    assert documents(office)[1:] == [
        ("2026-000001", "invoice", "900.00 180.00 1080.00"),
        ("2026-000002", "invoice", "100.00 20.00 120.00"),
    ]
    assert office.owed("2025-000001") == "540.00"
    is_sound(office)


def test_the_deposit_agreed_at_signature_is_asked_for_without_saying_it_again(office):
    orders(office, "K-2", deposit="240.00")
    office.does("deposit-invoice", contract="K-2")
    assert documents(office) == [("2025-000001", "deposit", "200.00 40.00 240.00")]


def test_money_pays_what_was_asked_for_first_and_the_rest_has_its_own_invoice(office):
    office.does("deposit-invoice", contract="K-1", amount=D("240.00"))
    office.does("deposit", contract="K-1", amount=D("540.00"), reference="VIR 77")
    assert documents(office) == [
        ("2025-000001", "deposit", "200.00 40.00 240.00"),
        ("2025-000002", "deposit", "250.00 50.00 300.00"),
    ]
    assert office.owed("2025-000001", "2025-000002") == "0.00 0.00"
    assert office.app.contract("K-1").deposit == D("540.00")
    served(office, "01")
    assert documents(office)[2] == ("2026-000001", "invoice", "450.00 90.00 540.00")
    is_sound(office)


@pytest.mark.parametrize(
    ("do", "said", "words"),
    [
        ("deposit-invoice", {}, ("no deposit waits", "--amount")),
        ("deposit-invoice", {"amount": D(0)}, ("whole cents, more than 0",)),
        ("deposit-invoice", {"amount": D("5.001")}, ("whole cents",)),
        ("deposit-invoice", {"amount": D(5), "percent": D(5)}, ("not both",)),
        ("deposit-invoice", {"of": D(5), "amount": D(5)}, ("no percentage",)),
        ("deposit-invoice", {"percent": D(101)}, ("at most 100",)),
        ("deposit-invoice", {"amount": D(5), "vat": "nope"}, ("no VAT treatment", "nope")),
        ("deposit-invoice", {"amount": D(5), "due_on": "2025-11-30"}, ("before it is issued",)),
        ("deposit", {"amount": D(0)}, ("whole cents, more than 0",)),
        ("deposit", {"amount": D(5), "received_on": "2025-11-30"}, ("before its signature",)),
        ("deposit", {"amount": D(5), "received_on": "2025-12-02"}, ("in the future",)),
        ("deposit", {"amount": D(5), "vat": "nope"}, ("no VAT treatment", "nope")),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_recorded(office, do, said, words):
    office.is_refused(do, *words, contract="K-1", **said)


def test_a_percentage_of_nothing_is_refused(office):
    served(office, "01")
    said = {"contract": "K-1", "percent": D(30)}
    office.is_refused("deposit-invoice", "nothing sold once", "--of", **said)


def test_an_older_rate_is_kept_explained_and_done_again_alike(url):
    with Office(url, "2013-12-15") as office:
        office.app.publish_shipped()
        register(office.app, "S", "C")
        orders(office, "K-1", on="2013-12-10")
        office.does("deposit", contract="K-1", amount=D("598.00"))
        office.today = day("2014-01-10")
        office.does("accept", contract="K-1")
        office.today = day("2014-01-31")
        office.does("run", month="2014-01")
        assert documents(office) == [
            ("2013-000001", "deposit", "500.00 98.00 598.00"),
            # 900.00: 500.00 of it at 19.6 %, paid; 400.00 at 20 %, 80.00.
            ("2014-000001", "invoice", "400.00 80.00 480.00"),
            ("2014-000002", "invoice", "100.00 20.00 120.00"),
        ]
        is_sound(office)


# What is given back


def test_an_order_given_up_by_agreement_is_credited_and_the_money_waits_to_go_back(office):
    office.does("deposit", contract="K-1", amount=D("540.00"), reference="VIR 77")
    office.does("cancel-order", contract="K-1", agreed=True)
    assert notes(office) == [("2025-000002", "2025-000001", "450.00 90.00 540.00")]
    assert office.owed("2025-000001") == "-540.00"
    office.does("refund", invoice="2025-000001", reason="commande annulée")
    assert office.owed("2025-000001") == "0.00"
    is_sound(office)


def test_given_up_without_agreement_the_deposit_is_kept_with_its_tax(office):
    office.does("deposit", contract="K-1", amount=D("540.00"))
    office.does("cancel-order", contract="K-1")
    assert notes(office) == []
    assert office.owed("2025-000001") == "0.00"
    assert office.app.contract("K-1").next_due() is None


def test_kept_outside_vat_where_the_terms_say_why(office):
    payment = Payment(deposit_kept=True, deposit_untaxed_because="arrhes (C. civ. 1590)")
    orders(office, "K-2", payment=payment)
    office.does("deposit", contract="K-2", amount=D("540.00"))
    office.does("cancel-order", contract="K-2")
    office.today = day("01-28")
    office.does("run", month="2026-01")
    assert notes(office) == [("2025-000002", "2025-000001", "450.00 90.00 540.00")]
    assert documents(office)[1] == ("2026-000001", "invoice", "540.00 0.00 540.00")
    # The credit of the first pays the second, when it is set off.
    assert office.owed("2025-000001", "2026-000001") == "-540.00 540.00"
    office.does("set-off", client="C")
    assert office.owed("2025-000001", "2026-000001") == "0.00 0.00"
    is_sound(office)


def test_an_odd_deposit_is_given_back_to_the_cent(office):
    office.does("deposit", contract="K-1", amount=D("100.05"))
    office.does("cancel-order", contract="K-1", agreed=True)
    assert notes(office) == [("2025-000002", "2025-000001", "83.37 16.68 100.05")]
    is_sound(office)


def test_only_what_was_not_deducted_of_a_deposit_invoice_is_credited(office):
    office.does("deposit", contract="K-1", amount=D("1200.00"))
    served(office, "01")  # 1000.00: 900.00 of the order and the rent of 100.00
    assert documents(office)[1:] == [
        ("2026-000001", "invoice", "0.00 0.00 0.00"),
        ("2026-000002", "invoice", "0.00 0.00 0.00"),
    ]
    said = {"invoice": "2025-000001", "reason": "geste"}
    office.is_refused("credit-note", "only 0.00 €", "not deducted", net=D(10), **said)


def test_what_is_credited_is_deducted_no_more(office):
    office.does("deposit", contract="K-1", amount=D("540.00"))
    said = {"invoice": "2025-000001", "reason": "erreur"}
    office.does("credit-note", net=D("150.00"), **said)
    assert deductible(office) == "300.00"
    served(office, "01")
    assert documents(office)[1] == ("2026-000001", "invoice", "600.00 120.00 720.00")
    is_sound(office)


def deductible(office):
    (advance,) = office.app.contract("K-1").deposits
    return f"{advance.net - advance.credited_net - advance.deducted_net}"


def test_a_credit_note_gives_back_what_was_supplied_the_deposit_is_part_of_its_price(office):
    office.does("deposit", contract="K-1", amount=D("540.00"))
    served(office, "01")
    said = {"invoice": "2026-000001", "reason": "pose annulée"}
    office.is_refused("credit-note", "line 2 deducts a deposit", lines=(2,), **said)
    office.does("credit-note", **said)
    assert notes(office)[0][2] == "900.00 180.00 1080.00"
    assert office.owed("2026-000001") == "-540.00"  # 540.00 − 1080.00: the deposit goes back.
    is_sound(office)


# The first rent


def test_a_rent_paid_by_a_deposit_is_refunded_on_purchase_all_the_same(office):
    office.does("deposit", contract="K-1", amount=D("1200.00"))
    served(office, "01", "02")
    office.does("purchase", contract="K-1", price=D("2000.00"), label="Achat")
    runs(office, "03")
    assert notes(office)[0][1:] == ("2026-000002", "100.00 20.00 120.00")
    assert not any(isinstance(e, ContractSetAside) for e in office.app.history("K-1"))
    is_sound(office)


def test_a_rent_credited_in_part_is_refunded_for_the_rest(office):
    served(office, "01", "02")
    office.does("credit-note", invoice="2026-000002", net=D("30.00"), reason="panne")
    office.does("purchase", contract="K-1", price=D("2000.00"), label="Achat")
    runs(office, "03")
    assert [note[1:] for note in notes(office)] == [
        ("2026-000002", "30.00 6.00 36.00"),
        ("2026-000002", "70.00 14.00 84.00"),
    ]
    assert not any(isinstance(e, ContractSetAside) for e in office.app.history("K-1"))
    is_sound(office)


def test_the_states_made_again_are_the_same(office):
    office.does("deposit-invoice", contract="K-1", amount=D("540.00"))
    office.pays("300.00", "2025-12-01", reference="VIR 1")
    served(office, "01")
    before = [*office.rows(), *office.app.store.states("contract")]
    office.app.rebuild_states()
    assert [*office.rows(), *office.app.store.states("contract")] == before
