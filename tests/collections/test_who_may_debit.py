"""Who may debit whom once a side has changed, an account was closed; what is left is asked for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from billing.application import balances, commands, issued, receivables, replay, runs
from billing.application.actions import action_of
from billing.application.chase import chase
from billing.clauses import Assignment, Terms
from billing.clauses.payment import Payment
from billing.dates import Period
from billing.events.contract import ContractAssigned
from billing.events.invoice import InvoiceIssued
from billing.events.party import CollectionOrdered
from billing.identity import contract_id
from billing.refusal import Refused
from tests.bank.files import debit
from tests.bank.till import at_the_bank, statement, told
from tests.collections import house
from tests.collections.house import IBANS, ICS_2, day, opened, ready
from tests.collections.test_collect import collect, comes_back, recorded

TERMS = replace(house.DEBITED, assignment=Assignment(by_supplier=True, by_client=True))
REQUIRED = Terms(
    payment=Payment(means="direct_debit", debit_required=True, debit_day=1),
    assignment=Assignment(by_client=True),
)
TO_T = "mandate RUM is for T, the invoice is of S: to be paid by transfer"


def assigned(app, side, to, on, **more):
    said = {"do": "assign", "contract": "K", "side": side, "to": {"code": to}}
    return action_of({**said, "effective_on": day(on), **more}).perform(app)


def one_contract(*more, terms=TERMS):
    return [
        house.company("S"),
        house.client("C"),
        house.mandate("RUM", "C"),
        house.contract("K", "C", "RUM", terms),
        *more,
    ]


# The supplier leaves


@pytest.fixture
def taken_over(sqlite):
    """T takes K over from S on 15 February; S had issued F1, debited on the 2nd, and F2, in March.

    Nobody collected F1 in time.
    """
    ready(
        sqlite,
        one_contract(),
        house.company("T", ICS_2, IBANS[2]),
        house.invoice("F1", "C", "K", "RUM", "2026-02-02"),
        house.invoice("F2", "C", "K", "RUM", "2026-03-02"),
    )
    with opened(sqlite, "2026-02-01") as app:
        assigned(app, "supplier", "T", "2026-02-15")
    return sqlite


def test_until_its_mandate_is_amended_the_old_creditor_still_collects_its_invoice(
    taken_over, tmp_path
):
    with opened(taken_over, "2026-01-25") as app:
        done = collect(app, tmp_path)
        assert [(d.end_to_end, d.receivable.supplier) for d in done.plan.debits] == [("F1", "S")]
    with opened(taken_over, "2026-02-03") as app:
        # Due on 31 January, debited on the agreed 2 February: to be collected, and not late.
        assert [debit.trouble for debit in issued.debits_to_come(app)] == [TO_T]  # F2 alone.


def test_once_the_mandate_is_amended_the_old_invoice_is_to_be_paid_by_transfer(
    taken_over, tmp_path
):
    with opened(taken_over, "2026-02-20") as app:
        left = {one.receivable.number: one for one in collect(app, tmp_path).plan.left}
        assert {number: one.why for number, one in left.items()} == {"F1": TO_T, "F2": TO_T}
        assert left["F1"].to_announce_for is None
        (later,) = issued.debits_to_come(app)
        assert (later.invoice, later.trouble) == ("F2", TO_T)
        report = chase(app, day("2026-02-20"))
        assert report.to_collect == []
        assert [letter.invoice for letter in report.letters] == ["F1"]
        # The client waited for a debit: that letter asks for a transfer, and charges nothing.
        assert report.debit_notes == []
    with opened(taken_over, "2026-03-20") as app:
        left = collect(app, tmp_path).plan.left
        assert {one.receivable.number: one.why for one in left} == {"F1": TO_T, "F2": TO_T}
        report = chase(app, day("2026-03-20"))
        assert report.to_collect == []
        assert "F2" in {letter.invoice for letter in report.letters}
        (note,) = report.debit_notes
        assert {line.invoice for line in note.lines} == {"F1"}
        (interest,) = [line for line in note.lines if line.interest is not None]
        (stretch,) = interest.interest.stretches
        assert stretch.period == Period(day("2026-02-21"), day("2026-03-21"))  # From the letter.
        aged = balances.aged(app, app.today, detail=True)
        # From 2 February, then from 2 March, to 20 March.
        late = {one.number: one.late for one in aged.documents if one.kind == "invoice"}
        assert late == {"F1": 46, "F2": 18}


def test_before_the_mandate_is_amended_it_is_the_supplier_who_is_late(taken_over):
    with opened(taken_over, "2026-02-12") as app:
        report = chase(app, day("2026-02-12"))
        assert [one.invoice for one in report.to_collect] == ["F1"]
        assert report.letters == []


# The client leaves


@pytest.fixture
def ceded(sqlite):
    """D takes the place of C on 15 February; C still owes an invoice debited in March."""
    ready(
        sqlite,
        one_contract(house.invoice("F1", "C", "K", "RUM", "2026-03-02"), terms=REQUIRED),
        house.client("D"),
        house.mandate("RUM-D", "D", iban=IBANS[1]),
        house.mandate("RUM-T", "D", creditor="T"),
        house.company("T", ICS_2, IBANS[2]),
    )
    return sqlite


def billed(app, month):
    first = date(2026, month, 1)
    done = runs.run(app, first, date(2026, month + 1, 1), f"2026-{month:02}")
    assert replay.verify(app, f"2026-{month:02}").matches
    return done


def last_invoice(app):
    return recorded(app, InvoiceIssued)[-1]


def test_a_new_client_is_not_debited_on_the_account_of_the_former_one(ceded, tmp_path):
    with opened(ceded, "2026-01-31") as app:
        assigned(app, "client", "D", "2026-02-15")  # Told in advance.
        assert app.contract("K").mandate == ""
        billed(app, 1)
        before = last_invoice(app)
        assert (before.client, before.means, before.mandate) == ("C", "direct_debit", "RUM")
    with opened(ceded, "2026-02-01") as app:
        billed(app, 2)
        assert (last_invoice(app).client, last_invoice(app).mandate) == ("C", "RUM")
    with opened(ceded, "2026-03-01") as app:
        (aside,) = billed(app, 3).set_aside
        assert "has no mandate" in aside.reason
        said = {"do": "mandate-sign", "contract": "K", "iban": IBANS[1]}
        action_of({**said, "signed_on": day("2026-03-01")}).perform(app)
        again = runs.run(app, date(2026, 3, 1), date(2026, 4, 1), "2026-03")
        assert again.totals.invoices == 1
        after = last_invoice(app)
        assert (after.client, after.mandate) == ("D", "RUM-K")
        # What C owed is still debited on the account of C.
        assert {d.invoice: d.iban for d in issued.debits_to_come(app)}["F1"] == IBANS[0]
        assert app.drifted_states() == []
    with opened(ceded, "2026-02-25") as app:
        done = collect(app, tmp_path)
        former = next(d for d in done.plan.debits if d.receivable.number == "F1")
        assert (former.mandate.reference, former.mandate.debtor) == ("RUM", "C")


def test_without_a_mandate_a_new_client_that_may_pay_otherwise_is_asked_to(sqlite):
    ready(sqlite, one_contract(), house.client("D"))
    with opened(sqlite, "2026-01-01") as app:
        assigned(app, "client", "D", "2026-01-01")
        billed(app, 1)
        issued_to = last_invoice(app)
        assert (issued_to.client, issued_to.means, issued_to.mandate) == ("D", "transfer", "")


def test_an_assignment_may_name_the_mandate_of_the_new_client(ceded):
    with opened(ceded, "2026-02-15") as app:
        assigned(app, "client", "D", "2026-02-15", mandate="RUM-D")
        assert app.contract("K").mandate_on(day("2026-02-14")) == "RUM"
        assert app.contract("K").mandate_on(day("2026-02-15")) == "RUM-D"
    with opened(ceded, "2026-03-01") as app:
        assert billed(app, 3).set_aside == ()
        assert (last_invoice(app).client, last_invoice(app).mandate) == ("D", "RUM-D")


@pytest.mark.parametrize(
    ("side", "to", "named", "why"),
    [
        ("client", "D", "RUM", "is of C, for S; expected one of D, for S"),
        ("client", "D", "RUM-T", "is of D, for T; expected one of D, for S"),
        ("client", "D", "RUM-X", "no mandate RUM-X"),
        ("supplier", "T", "RUM-D", "name none"),
    ],
)
def test_a_mandate_that_is_not_the_new_clients_is_refused(ceded, side, to, named, why):
    with opened(ceded, "2026-02-15") as app, pytest.raises(Refused, match=why):
        assigned(app, side, to, "2026-02-15", mandate=named)


def test_after_an_assignment_recorded_before_the_new_client_is_not_debited_either(sqlite, tmp_path):
    ready(sqlite, one_contract(), house.client("D"))
    with opened(sqlite, "2026-01-01") as app:
        # As it was recorded by the version before: it says nothing of the mandate, which stays.
        told = ContractAssigned(side="client", to="D", effective_on=day("2026-01-01"))
        app.save(*app.stamp([told], contract_id("K"), 1))
        billed(app, 1)
        assert (last_invoice(app).client, last_invoice(app).mandate) == ("D", "RUM")
    with opened(sqlite, "2026-01-25") as app:
        (left,) = collect(app, tmp_path).plan.left
        assert left.why == "mandate RUM is of C, the invoice for D: to be paid by transfer"


# An account that was left


def test_a_reason_of_the_account_before_does_not_stop_the_new_one(url, tmp_path):
    ready(url, house.plain(1), house.invoice("G1", "C00000", "K00000", "RUM-00000", "2026-02-09"))
    with opened(url, "2026-01-25") as app:
        collect(app, tmp_path)
    with opened(url, "2026-02-01") as app:
        commands.amend_mandate(app, "RUM-00000", day("2026-02-01"), IBANS[1])
        collect(app, tmp_path)  # On the new account, before the bank tells of the old one.
        ordered = {e.invoice: e.iban for e in recorded(app, CollectionOrdered)}
        assert ordered == {"F00000": IBANS[0], "G1": IBANS[1]}
        comes_back(app, "F00000", "AC04")
        assert app.mandate("RUM-00000").stopped == ()
        comes_back(app, "G1", "AC04")
        assert [code for code, _ in app.mandate("RUM-00000").stopped] == ["AC04"]
        assert app.drifted_states() == []


def test_what_the_bank_tells_of_a_debit_bears_the_account_that_was_debited(url, tmp_path):
    at_the_bank(url, tmp_path)
    ready(url, house.invoice("G1", "C00001", "K00001", "RUM-00001", "2026-02-09"))
    with opened(url, "2026-02-01") as app:
        commands.amend_mandate(app, "RUM-00001", day("2026-02-01"), IBANS[0])
        collect(app, tmp_path)  # On the new account.
    report = told(
        url,
        tmp_path,
        statement(debit("121.00", "F00001", "AC04"), debit("122.00", "F00002", "AC04")),
    )
    with opened(url, "2026-02-20") as app:
        assert app.mandate("RUM-00001").stopped == ()
        assert len(app.mandate("RUM-00002").stopped) == 1
    assert any("mandate RUM-00002" in line for line in report.told)
    assert not any("mandate RUM-00001" in line for line in report.told)


# A mandate a bank stopped


def test_a_contract_whose_mandate_a_bank_stopped_is_set_aside_by_name_at_the_run(url, tmp_path):
    ready(
        url,
        one_contract(house.invoice("F1", "C", "K", "RUM", "2026-02-02"), terms=REQUIRED),
        house.client("D"),
        house.mandate("RUM-D", "D"),
        house.contract("KD", "D", "RUM-D"),  # Paid by direct debit, but not by nothing else.
        house.invoice("FD", "D", "KD", "RUM-D", "2026-02-02"),
    )
    with opened(url, "2026-01-25") as app:
        collect(app, tmp_path)
        comes_back(app, "F1", "AC04")
        comes_back(app, "FD", "AC04")
    with opened(url, "2026-02-20") as app:
        months = date(2026, 1, 1), date(2026, 2, 1), "2026-01"
        drafts, report = runs.preview(app, *months)
        list(drafts)
        assert report().aside_numbers == ("K",)
        done = runs.run(app, *months)
        assert (done.aside_numbers, done.totals.invoices) == (("K",), 1)
        assert "mandate RUM is stopped since 2026-02-04" in done.set_aside[0].reason
        assert "AC04" in done.set_aside[0].reason
        assert replay.verify(app, "2026-01").matches
        assert app.drifted_states() == []
        # Its account is changed: it is billed, and the run before is still what it was.
        commands.amend_mandate(app, "RUM", day("2026-02-20"), IBANS[1])
        again = runs.run(app, *months)
        assert (again.aside_numbers, again.totals.invoices) == ((), 1)
        assert replay.verify(app, "2026-01").matches
        assert replay.verify(app, "2026-01#2").matches


# What is to come, and what is late


def test_a_debit_handed_over_is_no_more_to_come(sqlite, tmp_path):
    ready(
        sqlite, house.plain(2), house.invoice("G1", "C00000", "K00000", "RUM-00000", "2026-03-02")
    )
    with opened(sqlite, "2026-01-25") as app:
        assert [d.invoice for d in issued.debits_to_come(app)] == ["F00000", "F00001", "G1"]
        collect(app, tmp_path)
        assert [d.invoice for d in issued.debits_to_come(app)] == ["G1"]
        of_month = issued.debits(app, Period(date(2026, 2, 1), date(2026, 3, 1)))
        assert {d.invoice: d.status for d in of_month} == dict.fromkeys(
            ("F00000", "F00001"), "handed over in S-20260125-1"
        )


def test_the_balance_and_the_chase_count_from_the_same_day(sqlite, tmp_path):
    due = {"due_on": day("2026-01-15")}
    ready(sqlite, house.plain(1), house.invoice("G", "C00000", "K00000", "", "2026-02-02", **due))
    with opened(sqlite, "2026-02-02") as app:
        # Due on 15 January, debited on 2 February as agreed: nothing is late until then.
        found = balances.aged(app, app.today, detail=True)
        assert {one.number: one.late for one in found.documents} == {"F00000": 0, "G": 0}
        assert found.total.not_due == D("240.00")
    with opened(sqlite, "2026-02-12") as app:
        found = balances.aged(app, app.today, detail=True)
        # 12 − 2 February
        assert {one.number: one.late for one in found.documents} == {"F00000": 10, "G": 10}
        assert {one.payable_on for one in found.documents} == {date(2026, 2, 2)}
        assert found.total.days_1_30 == D("240.00")


def test_a_debit_asked_for_late_ages_from_its_own_day_for_the_client_is_not_late(sqlite, tmp_path):
    ready(sqlite, house.plain(1, "2026-01-15"))
    with opened(sqlite, "2026-01-25") as app:
        action_of({"do": "announce"}).perform(app)
    with opened(sqlite, "2026-02-20") as app:
        done = collect(app, tmp_path)
        assert [d.collected_on for d in done.plan.debits] == [date(2026, 3, 2)]
        found = balances.aged(app, day("2026-03-12"), detail=True)
        # Agreed for 15 January, asked for on 2 March: ten days, not fifty-six.
        assert [one.late for one in found.documents] == [10]
        assert next(receivables.book(app).open()).collecting == "F00000"
