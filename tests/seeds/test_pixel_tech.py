"""Pixel Tech, support and updates of Caldera: from signature to the last invoice."""

from datetime import date

import pytest

from billing.clauses.fees import Item
from billing.clauses.renewal import prompt_on
from billing.contract import change, cover, end, renew
from billing.events.contract import ContractRenewed, ContractTerminated, FormalNoticeSent
from billing.refusal import Refused
from tests.scenario import D, House, day, lines_of, nets

CONTRACT = """
form = "pixel-tech"
number = "PT-1"
signed_on = 2025-12-11
starts_on = 2026-01-01
last_day = 2026-12-31

[client]
code = "ENSEIGNES"
name = "Atelier des Enseignes"

[[items]]
code = "CALDERA"
unit_price = "890.00"

[[terms.rates]]
code = "HEURE"
unit_price = "75.00"
"""


@pytest.fixture
def house():
    house = House()
    house.signs(CONTRACT)
    return house


def test_a_year_is_billed_whole_on_its_first_day(house):
    [invoice] = house.months("2026-01-01", "2027-01-01")
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 1, 1), date(2026, 1, 31))
    # 890.00 × 20 % = 178.00
    assert (invoice.net, invoice.tax, invoice.gross) == (D("890.00"), D("178.00"), D("1068.00"))


def test_the_quote_is_due_60_days_before_the_last_day(house):
    contract = house["PT-1"]
    assert prompt_on(contract.terms.renewal, contract.term) == date(2026, 11, 1)


def test_the_price_of_the_quote_is_the_price_of_the_renewal(house):
    house.run("2026-11-01", earliest="2026-01-01")
    house.do("PT-1", renew.offer, date(2026, 11, 1), prices={"CALDERA": D("934.50")})
    assert nets(house.run("2027-02-01")) == [D("934.50")]
    assert house["PT-1"].term.last_day == date(2027, 12, 31)
    assert nets(house.run("2028-02-01", earliest="2028-01-01")) == [D("934.50")]


def test_without_a_quote_the_price_does_not_change(house):
    assert nets(house.months("2026-01-01", "2028-12-31")) == [D("890.00")] * 3
    renewals = [e for e in house.events["PT-1"] if isinstance(e, ContractRenewed)]
    assert [(e.how, e.term.start) for e in renewals] == [
        ("tacit", date(2027, 1, 1)),
        ("tacit", date(2028, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("sent_on", "received_on", "last_day"),
    [
        ("2026-12-20", "2026-12-23", "2026-12-31"),
        ("2026-12-28", "2026-12-31", "2026-12-31"),
        ("2026-12-28", "2027-01-02", "2027-12-31"),  # a term too late
    ],
)
def test_an_objection_counts_if_it_is_received_up_to_the_last_day(
    house, sent_on, received_on, last_day
):
    house.run("2026-12-01", earliest="2026-01-01")
    house.do("PT-1", renew.notice, "client", day(sent_on), day(received_on), sending="email")
    house.months("2026-12-01", "2029-01-01")
    assert house["PT-1"].billed_until == house["PT-1"].ends_on
    assert house["PT-1"].term.last_day == day(last_day)


def test_an_objection_counts_from_its_receipt(house):
    with pytest.raises(Refused, match="received"):
        house.do("PT-1", renew.notice, "client", date(2026, 12, 20))


@pytest.mark.parametrize(
    ("by", "cause"), [("supplier", "breach_by_client"), ("client", "breach_by_supplier")]
)
def test_either_party_may_end_it_from_the_31st_day_after_its_notice(house, by, cause):
    house.run("2026-02-01")
    # Sent on 1 March: the 30 days run to the 31st, and the 31st day is 1 April.
    [sent] = house.do("PT-1", end.formal_notice, "breach", by, date(2026, 3, 1), sending="email")
    assert isinstance(sent, FormalNoticeSent)
    assert sent.allowed_from == date(2026, 4, 1)
    with pytest.raises(Refused, match="allowed from 2026-04-01"):
        house.do("PT-1", end.terminate, date(2026, 3, 31), cause, by)
    [ended] = house.do("PT-1", end.terminate, date(2026, 4, 1), cause, by)
    assert isinstance(ended, ContractTerminated)  # and no indemnity


def test_a_breach_that_was_cured_ends_nothing(house):
    house.do("PT-1", end.formal_notice, "breach", "client", date(2026, 3, 1), sending="letter")
    house.do("PT-1", end.cure, "breach", date(2026, 3, 20))
    with pytest.raises(Refused, match="no clock 'breach' runs"):
        house.do("PT-1", end.terminate, date(2026, 4, 1), "breach_by_supplier", "client")


def breached(house, by, cause):
    house.run("2026-02-01")
    house.do("PT-1", end.formal_notice, "breach", by, date(2026, 3, 1), sending="letter")
    house.do("PT-1", end.terminate, date(2026, 4, 1), cause, by, history=house.history("PT-1"))
    return house.months("2026-02-01", "2028-01-01")


def test_the_part_prepaid_comes_back_when_the_supplier_is_at_fault(house):
    [note] = breached(house, "client", "breach_by_supplier")
    # 1 April to 31 December: 365 − 90 = 275 days; 890.00 × 275 / 365 = 670.547… → 670.55
    assert (note.credits, note.net, note.tax) == ("2026-000001", D("670.55"), D("134.11"))
    assert note.issued_on == date(2026, 4, 1)


def test_nothing_comes_back_when_the_client_is_at_fault(house):
    assert breached(house, "supplier", "breach_by_client") == []


def test_the_contract_is_personal(house):
    for side in ("supplier", "client"):
        with pytest.raises(Refused, match="may not be assigned"):
            house.do("PT-1", change.assign, side, "OTHER", date(2026, 6, 1))


def test_work_without_remote_access_is_billed_at_the_rate_card(house):
    house.run("2026-02-01")
    house.do("PT-1", cover.do_work, "HEURE", date(2026, 3, 17), quantity=D("2.5"))
    [invoice] = house.run("2026-04-01")
    # 2.5 × 75.00 = 187.50
    assert (invoice.issued_on, invoice.net) == (date(2026, 3, 17), D("187.50"))


def test_training_is_billed_on_an_accepted_quote_and_not_without(house):
    house.run("2026-02-01")
    training = {"label": "Formation", "unit_price": D("640.00"), "quote": "D-77"}
    with pytest.raises(Refused, match="not accepted"):
        house.do("PT-1", cover.do_work, "FORMATION", date(2026, 3, 17), **training)
    with pytest.raises(Refused, match="not on its rate card"):
        house.do("PT-1", cover.do_work, "FORMATION", date(2026, 3, 17))
    house.do(
        "PT-1",
        cover.do_work,
        "FORMATION",
        date(2026, 3, 17),
        accepted_on=date(2026, 3, 10),
        **training,
    )
    [line] = lines_of(house.run("2026-04-01"))
    assert (line.label, line.net) == ("Formation – devis D-77", D("640.00"))


STATION = Item(code="POSTE-2", label="Second poste", unit_price=D("120.00"), per_months=12)


def test_an_addition_is_caught_up_on_the_first_day_of_the_next_term(house):
    house.run("2026-02-01")
    house.do("PT-1", cover.add_equipment, STATION, date(2026, 7, 1))
    assert house.months("2026-02-01", "2027-01-01") == []
    # 1 July to 31 December: 184 days; 120.00 × 184 / 365 = 60.493… → 60.49
    assert [(line.kind, line.net) for line in lines_of(house.run("2027-02-01"))] == [
        ("fee", D("890.00")),
        ("catch_up", D("60.49")),
        ("fee", D("120.00")),
    ]


def test_an_addition_is_billed_at_the_end_when_no_term_follows(house):
    house.run("2026-02-01")
    house.do("PT-1", cover.add_equipment, STATION, date(2026, 7, 1))
    house.do("PT-1", renew.notice, "client", date(2026, 12, 1), date(2026, 12, 2), sending="email")
    [invoice] = house.months("2026-02-01", "2028-01-01")
    assert (invoice.issued_on, invoice.net) == (date(2027, 1, 1), D("60.49"))
    assert house["PT-1"].next_due() is None
