"""Intégral Micro, maintenance of computers: from signature to the last invoice."""

from datetime import date

import pytest

from billing.clauses.fees import Item
from billing.contract import change, cover, end, renew
from billing.events.contract import (
    ContractRenewed,
    ContractSetAside,
    NonRenewalNoticed,
    PriceRevised,
)
from billing.events.invoice import CreditNoteIssued
from billing.refusal import Refused
from tests.scenario import BOOK, D, House, day, lines_of, nets, published

CONTRACT = """
form = "integral-micro"
number = "IM-1"
signed_on = {signed_on}
starts_on = {starts_on}
billing = "{billing}"

[client]
code = "MOREAU"
name = "Cabinet Moreau"
iban = "FR76 9999 9000 0110 0077 7777 784"
bic = "DEMOFRPPXXX"

[supplier]
creditor_identifier = "FR21ZZZ990002"

[mandate]
reference = "RUM-1"

[[items]]
code = "SERVEUR"
unit_price = "95.00"

[[items]]
code = "POSTE"
quantity = 4
unit_price = "32.50"

[[terms.meters]]
code = "SAUVEGARDE"
included = 100

[[terms.rates]]
code = "DEPLACEMENT"
unit_price = "90.00"
"""


def signed(billing="monthly", starts_on="2023-07-01", signed_on="2023-06-20", book=BOOK, more=""):
    house = House(book)
    text = CONTRACT.format(billing=billing, starts_on=starts_on, signed_on=signed_on)
    house.signs(text + more)
    return house


@pytest.mark.parametrize(
    ("billing", "starts", "amounts"),
    [
        # 95.00 + 4 × 32.50 = 225.00 a month
        ("monthly", ["2023-07-01", "2023-08-01", "2023-09-01"], ["225.00"] * 3),
        ("quarterly", ["2023-07-01", "2023-10-01", "2024-01-01"], ["675.00"] * 3),
        ("half-yearly", ["2023-07-01", "2024-01-01"], ["1350.00"] * 2),
        ("yearly", ["2023-07-01"], ["2700.00"]),
    ],
)
def test_the_client_chooses_how_often_it_is_billed(billing, starts, amounts):
    invoices = signed(billing).months("2023-07-01", "2024-07-01")[: len(amounts)]
    assert [i.issued_on for i in invoices] == [day(start) for start in starts]
    assert nets(invoices) == [D(amount) for amount in amounts]


def test_it_is_due_15_days_after_issue_and_collected_on_the_next_first():
    [july, august] = signed().months("2023-07-01", "2023-09-01")
    # 1 July + 15 = 16 July; the next 1st is Tuesday 1 August.
    assert (july.due_on, july.collected_on) == (date(2023, 7, 16), date(2023, 8, 1))
    assert july.mandate == "RUM-1"
    # 1 August + 15 = 16 August; 1 September 2023 is a Friday.
    assert august.collected_on == date(2023, 9, 1)


# Term, notice


@pytest.mark.parametrize(
    ("sent_on", "in_time", "ends_on"),
    [
        ("2026-09-30", True, "2027-01-01"),
        ("2026-10-01", False, "2028-01-01"),
        ("2026-12-31", False, "2028-01-01"),
    ],
)
def test_a_registered_letter_at_the_latest_three_months_before_the_last_day(
    sent_on, in_time, ends_on
):
    house = signed("yearly", "2026-01-01", "2025-12-15", book=REVISED)
    house.run("2026-02-01")
    [notice] = house.do("IM-1", renew.notice, "client", day(sent_on))
    assert isinstance(notice, NonRenewalNoticed)
    assert (notice.last_day, notice.in_time) == (date(2026, 9, 30), in_time)
    assert notice.ends_on == day(ends_on)


def test_a_late_letter_is_recorded_and_the_contract_renewed_once_more():
    house = signed("quarterly", "2026-01-01", "2025-12-15", book=REVISED)
    house.run("2026-11-01", earliest="2026-01-01")
    house.do("IM-1", renew.notice, "client", date(2026, 10, 1))
    house.months("2026-11-01", "2029-01-01")
    renewed = [e for e in house.events["IM-1"] if isinstance(e, ContractRenewed)]
    assert [e.term.last_day for e in renewed] == [date(2027, 12, 31)]
    assert house["IM-1"].billed_until == date(2028, 1, 1)
    assert house["IM-1"].next_due() is None


def test_an_e_mail_is_no_registered_letter():
    with pytest.raises(Refused, match="registered_letter"):
        signed().do("IM-1", renew.notice, "client", date(2023, 12, 1), sending="email")


def test_it_is_not_notified_twice():
    house = signed()
    house.do("IM-1", renew.notice, "client", date(2023, 12, 1))
    with pytest.raises(Refused, match="already given"):
        house.do("IM-1", renew.notice, "supplier", date(2023, 12, 2))


# Moving abroad


def test_a_move_abroad_needs_a_proof_and_a_move_in_france_is_no_reason():
    house = signed("yearly")
    with pytest.raises(Refused, match="needs a proof"):
        house.do("IM-1", end.terminate, date(2023, 10, 1), "moved_abroad", "client")
    with pytest.raises(Refused, match="may not end it"):
        house.do("IM-1", end.terminate, date(2023, 10, 1), "convenience", "client", "lease")
    with pytest.raises(Refused, match="may not end it"):
        house.do("IM-1", end.terminate, date(2023, 10, 1), "moved_abroad", "supplier", "lease")


def test_a_move_abroad_gives_back_the_part_not_used():
    house = signed("yearly")
    house.run("2023-08-01")
    house.do(
        "IM-1",
        end.terminate,
        date(2023, 10, 1),
        "moved_abroad",
        "client",
        "bail à Genève",
        house.history("IM-1"),
    )
    [note] = house.months("2023-08-01", "2025-01-01")
    assert isinstance(note, CreditNoteIssued)
    # 1 October to 30 June: 366 − 92 = 274 days; 2700.00 × 274 / 366 = 2021.311… → 2021.31
    assert (note.credits, note.net, note.tax) == ("2023-000001", D("2021.31"), D("404.26"))
    assert note.supplier == "INTEGRALMICRO"
    assert house["IM-1"].next_due() is None


def test_what_a_move_gives_back_is_the_same_when_the_run_comes_after():
    house = signed("yearly")
    house.do("IM-1", end.terminate, date(2023, 10, 1), "moved_abroad", "client", "bail à Genève")
    # 92 days of the 366: 95.00 × 12 × 92 / 366 = 286.557…, 130.00 × 12 × 92 / 366 = 392.131…;
    # 286.56 + 392.13 = 678.69 = 2700.00 − 2021.31
    assert nets(house.months("2023-07-01", "2025-01-01")) == [D("678.69")]


def test_what_was_caught_up_of_an_earlier_year_is_not_given_back():
    house = signed("yearly", book=REVISED)
    house.run("2023-08-01")
    house.do("IM-1", cover.add_equipment, LAPTOP, date(2024, 1, 1))
    house.months("2023-08-01", "2024-08-01")
    billed = house.documents[-1]
    # The catch-up of 2024-01-01 to 2024-06-30, 182 days of 366: 30 × 12 × 182 / 366 = 179.016…
    [caught_up] = [line.net for line in billed.lines if line.kind == "catch_up"]
    assert caught_up == D("179.02")
    house.do(
        "IM-1",
        end.terminate,
        date(2025, 1, 1),
        "moved_abroad",
        "client",
        "lease",
        house.history("IM-1"),
    )
    [note] = house.run("2025-02-01")
    # July 2024 to June 2025 is 365 days, 1 January to 30 June 181 of them.
    fees = billed.net - caught_up
    # 313.3 / 301.9: 98.59 × 12 + 4 × 33.73 × 12 + 31.13 × 12 = 1183.08 + 1619.04 + 373.56
    assert fees == D("3175.68")
    # 3175.68 × 181 / 365 = 1574.789… → 1574.79
    assert note.net == D("1574.79")


# Revision


def test_so_is_the_last_index_known_at_signature():
    [base] = signed().contracts["IM-1"].bases
    assert (base.series, base.period, base.value) == ("SYNTEC_REVISED", "2023-04", D("301.9"))


def test_the_fees_move_on_the_first_july_twelve_months_after_the_start():
    house = signed()
    house.months("2023-07-01", "2024-08-01")
    [revised] = [e for e in house.events["IM-1"] if isinstance(e, PriceRevised)]
    assert revised.effective_on == date(2024, 7, 1)
    # On 1 July 2024 May is the last known: 313.3. 95.00 × 313.3/301.9 = 98.587… → 98.59;
    # 32.50 × 313.3/301.9 = 33.727… → 33.73
    assert [(f.code, f.before, f.after) for f in revised.fees] == [
        ("SERVEUR", D("95.00"), D("98.59")),
        ("POSTE", D("32.50"), D("33.73")),
    ]
    assert revised.coefficient.exact == "3133/3019"
    # 98.59 + 4 × 33.73 = 233.51
    assert nets(house.documents)[-2:] == [D("225.00"), D("233.51")]


@pytest.mark.parametrize(
    ("starts_on", "first"),
    [
        ("2023-06-30", "2024-07-01"),
        ("2023-07-01", "2024-07-01"),
        ("2023-07-02", "2025-07-01"),
        ("2023-12-01", "2025-07-01"),
    ],
)
def test_no_revision_before_twelve_months(starts_on, first):
    house = signed(starts_on=starts_on, signed_on="2023-06-20")
    assert house["IM-1"].next_revision_on == day(first)


# Made up: what shipped data lack, so that July 2025 and July 2026 can be revised.
REVISED = published(
    "SYNTEC_REVISED",
    ("2025-05", "318.0", "2025-06-30"),
    ("2025-11", "322.5", "2025-12-31"),
    ("2026-05", "325.0", "2026-06-30"),
    ("2027-05", "330.0", "2027-06-30"),
)


def test_the_base_rolls_from_july_to_july():
    house = signed(book=REVISED)
    house.months("2023-07-01", "2025-08-01")
    revised = [e for e in house.events["IM-1"] if isinstance(e, PriceRevised)]
    assert [(e.comparisons[0].base.value, e.comparisons[0].current.value) for e in revised] == [
        (D("301.9"), D("313.3")),
        (D("313.3"), D("318.0")),
    ]
    # 98.59 × 318.0/313.3 = 100.069… → 100.07; 33.73 × 318.0/313.3 = 34.236… → 34.24
    assert [f.after for f in revised[1].fees] == [D("100.07"), D("34.24")]


def test_fees_go_down_when_the_index_does():
    book = published("SYNTEC_REVISED", ("2025-05", "300.0", "2025-06-30"))
    house = signed(book=book)
    house.months("2023-07-01", "2025-08-01")
    # 98.59 × 300.0/313.3 = 94.404… → 94.40
    assert house["IM-1"].items[0].price_on(date(2025, 7, 1)).unit_price == D("94.40")


def test_a_quarter_begun_in_june_is_not_reopened():
    house = signed("quarterly", starts_on="2023-06-01", signed_on="2023-05-25")
    # So: April's index is published on 31 May; on 25 May the last known is March, 300.7.
    assert house["IM-1"].bases[0].period == "2023-03"
    house.months("2023-06-01", "2024-10-01")
    june, september = house.documents[-2:]
    assert (june.period.start, june.net) == (date(2024, 6, 1), D("675.00"))
    # 95.00 × 313.3/300.7 = 98.980… → 98.98; 32.50 × 313.3/300.7 = 33.861… → 33.86;
    # 3 × 98.98 + 3 × 4 × 33.86 = 296.94 + 406.32 = 703.26
    assert (september.period.start, september.net) == (date(2024, 9, 1), D("703.26"))


def test_a_missing_index_holds_the_contract_and_the_month_catches_up_once_it_is_there():
    house = signed()  # The shipped book has no May 2025.
    house.months("2023-07-01", "2025-06-01")
    before = len(house.documents)
    house.run("2025-07-01")
    assert house.months("2025-07-01", "2025-10-01") == []
    [aside] = [e for e in house.events["IM-1"] if isinstance(e, ContractSetAside)]
    assert (aside.clause, aside.due_on, aside.held) == ("revision", date(2025, 7, 1), True)
    assert "2025-05" in aside.reason
    assert len(house.documents) == before + 1  # June
    house.book = REVISED
    late = house.run("2025-10-01")
    # 100.07 + 4 × 34.24 = 237.03 for July, August and September, each its own invoice.
    assert nets(late) == [D("237.03")] * 3
    assert [i.period.start.month for i in late] == [7, 8, 9]
    assert {i.issued_on for i in late} == {date(2025, 9, 1)}


# Usage, equipment, work


def test_a_started_go_above_the_volume_is_billed_on_the_first_of_the_next_month():
    house = signed("yearly")
    house.run("2023-08-01")
    house.do("IM-1", cover.measure, "SAUVEGARDE", date(2023, 8, 31), D("112.2"))
    [invoice] = house.run("2023-10-01")
    # 112.2 − 100 = 12.2 → 13 started Go × 3.00 = 39.00
    assert (invoice.issued_on, invoice.net) == (date(2023, 9, 1), D("39.00"))
    assert invoice.lines[0].period.last_day == date(2023, 8, 31)


def test_a_volume_within_the_fee_costs_nothing_and_a_month_is_measured_once():
    house = signed("yearly")
    house.run("2023-08-01")
    house.do("IM-1", cover.measure, "SAUVEGARDE", date(2023, 8, 31), D(100))
    assert house.run("2023-10-01") == []
    with pytest.raises(Refused, match="already measured"):
        house.do("IM-1", cover.measure, "SAUVEGARDE", date(2023, 8, 1), D(120))


LAPTOP = Item(code="PORTABLE", label="Portable", unit_price=D("30.00"), kind="equipment")


def test_equipment_is_added_by_day_and_caught_up_on_the_next_billing_date():
    house = signed()
    house.months("2023-07-01", "2023-09-15")
    house.do("IM-1", cover.add_equipment, LAPTOP, date(2023, 9, 17))
    [october] = house.run("2023-11-01")
    # 17 to 30 September: 14 days of 30; 30.00 × 14/30 = 14.00
    assert [(x.kind, x.code, x.net) for x in october.lines if x.code == "PORTABLE"] == [
        ("catch_up", "PORTABLE", D("14.00")),
        ("fee", "PORTABLE", D("30.00")),
    ]
    assert october.net == D("225.00") + D("44.00")


def test_equipment_found_undeclared_is_caught_up_from_its_use():
    house = signed()
    house.months("2023-07-01", "2023-11-01")
    house.do("IM-1", cover.add_equipment, LAPTOP, date(2023, 8, 11), "undeclared", "inventaire")
    [november] = house.run("2023-12-01")
    # 11 to 31 August: 21 days of 31 → 30.00 × 21/31 = 20.322…; then September and October whole.
    assert [x.net for x in november.lines if x.kind == "catch_up"] == [
        D("20.32"),
        D("30.00"),
        D("30.00"),
    ]


def test_equipment_removed_gives_nothing_back_for_the_period_already_billed():
    house = signed("quarterly")
    house.run("2023-08-01")
    house.do(
        "IM-1", cover.remove_equipment, "SERVEUR", date(2023, 8, 10), BOOK, house.history("IM-1")
    )
    # 3 × 130.00 from October on, and no credit for August and September.
    assert nets(house.months("2023-08-01", "2023-11-01")) == [D("390.00")]


def test_a_missed_appointment_is_one_journey_at_the_rate_card():
    house = signed()
    house.run("2023-08-01")
    house.do("IM-1", cover.do_work, "DEPLACEMENT", date(2023, 8, 9), label="Rendez-vous manqué")
    house.run("2023-09-01")
    assert [(x.label, x.net) for x in house.documents[-1].lines] == [
        ("Rendez-vous manqué", D("90.00"))
    ]


ON_SITE = '\n[[items]]\ncode = "SITE"\nunit_price = "40.00"\n'


@pytest.mark.parametrize(
    ("more", "at_fault", "amount"),
    [("", False, "90.00"), (ON_SITE, False, None), (ON_SITE, True, "90.00")],
)
def test_on_site_is_included_only_where_the_option_is_subscribed(more, at_fault, amount):
    house = signed(more=more)
    house.run("2023-08-01")
    house.do("IM-1", cover.do_work, "DEPLACEMENT", date(2023, 8, 9), at_fault=at_fault)
    found = [line.net for line in lines_of(house.run("2023-10-01")) if line.kind == "work"]
    assert found == ([D(amount)] if amount else [])


def test_bank_fees_of_a_return_are_the_suppliers():
    with pytest.raises(Refused, match="borne by the supplier"):
        signed().do(
            "IM-1", change.add_charge, "bank_fee", "Rejet", D("12.00"), date(2023, 9, 1), "rejet"
        )


# Assignment


def test_the_supplier_may_assign_it_and_the_client_may_not():
    house = signed()
    with pytest.raises(Refused, match="may not be assigned by the client"):
        house.do("IM-1", change.assign, "client", "OTHER", date(2023, 9, 1))
    house.do("IM-1", change.assign, "supplier", "REPRENEUR", date(2023, 9, 1), date(2023, 7, 10))
    invoices = house.months("2023-07-01", "2023-11-01")
    # Told in July, it counts from its day: July and August are still the first supplier's.
    assert [(i.supplier, i.number) for i in invoices] == [
        ("INTEGRALMICRO", "2023-000001"),
        ("INTEGRALMICRO", "2023-000002"),
        ("REPRENEUR", "2023-000001"),
        ("REPRENEUR", "2023-000002"),
    ]
    assert {i.mandate for i in invoices} == {"RUM-1"}


def test_a_credit_note_is_of_who_issued_the_invoice_even_after_an_assignment():
    house = signed("yearly")
    house.run("2023-08-01")
    house.do("IM-1", change.assign, "supplier", "REPRENEUR", date(2023, 9, 1))
    house.do(
        "IM-1",
        end.terminate,
        date(2023, 10, 1),
        "moved_abroad",
        "client",
        "lease",
        house.history("IM-1"),
    )
    [note] = house.months("2023-08-01", "2023-12-01")
    assert (note.supplier, note.credits, note.number) == (
        "INTEGRALMICRO",
        "2023-000001",
        "2023-000002",
    )
