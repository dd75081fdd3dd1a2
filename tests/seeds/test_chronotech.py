"""Chronotech, security copy off site: it follows the backup contract from its start to its end."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.payment import Payment
from billing.clauses.renewal import Notice, Renewal
from billing.clauses.termination import Ground, Termination
from billing.contract import change, cover, end, renew
from billing.events.contract import (
    BreachCured,
    ContractRenewed,
    ContractTerminated,
    OptionSubscribed,
    ServiceSuspended,
)
from billing.refusal import Refused
from tests.scenario import BOOK, D, House, day, lines_of, nets, signed

# The backup contract: 12 months, two months' notice, and a client who may leave at any time.
PARENT = Terms(
    renewal=Renewal(term_months=12, notice=Notice(months=2, by="registered_letter")),
    payment=Payment(days=45, means="transfer"),
    termination=Termination(grounds=(Ground(cause="convenience", by="client"),)),
)

CONTRACT = """
form = "chronotech"
number = "COPY"
parent = "BACKUP"
signed_on = 2024-02-19
starts_on = {starts_on}

[client]
code = "LAFON"
name = "Menuiserie Lafon"

[[items]]
code = "VOLUME"
quantity = 200
unit_price = "0.12"

[[items]]
code = "ACCES"
quantity = 2
unit_price = "6.00"
entry_fee = "15.00"
"""
OVERRUN = '\n[terms.overrun]\nthen = "subscribe"\nstep = 100\nstep_price = "0.12"\n'


def linked(starts_on="2024-03-01", more=""):
    house = House()
    backup = Item(code="LOGICIEL", label="Sauvegarde", unit_price=D("39.00"))
    house.sign(
        signed(
            backup,
            terms=PARENT,
            number="BACKUP",
            supplier="CHRONOTECH",
            client="LAFON",
            starts_on="2024-03-01",
            signed_on="2024-02-19",
        )
    )
    house.signs(CONTRACT.format(starts_on=starts_on) + more)
    return house


def of(documents, number="COPY"):
    return [d for d in documents if d.contract == number]


def test_it_is_billed_by_the_month_with_the_entry_fees_once():
    house = linked()
    march, april = of(house.months("2024-03-01", "2024-05-01"))
    # 200 × 0.12 + 2 × 6.00 = 36.00, and 2 × 15.00 of entry fees
    assert (march.net, april.net) == (D("66.00"), D("36.00"))
    assert [x.net for x in march.lines if x.kind == "entry_fee"] == [D("30.00")]


def test_it_pays_by_the_terms_of_the_backup_contract():
    [march] = of(linked().run("2024-04-01"))
    assert march.due_on == date(2024, 4, 15)  # 1 March + 45 days


def test_its_term_is_what_is_left_of_the_parents():
    assert linked(starts_on="2024-06-10")["COPY"].term.start == date(2024, 6, 10)
    assert linked(starts_on="2024-06-10")["COPY"].term.end == date(2025, 3, 1)


def test_it_is_renewed_with_its_parent():
    house = linked()
    house.months("2024-03-01", "2026-04-01")
    assert house["COPY"].term == house["BACKUP"].term
    assert [e.how for e in house.events["COPY"] if isinstance(e, ContractRenewed)] == [
        "linked",
        "linked",
    ]


def test_it_ends_when_its_parent_is_not_renewed():
    house = linked()
    house.months("2024-03-01", "2024-12-01")
    house.do("BACKUP", renew.notice, "client", date(2024, 12, 20))
    house.months("2024-12-01", "2025-12-01")
    assert house["COPY"].ends_on == house["BACKUP"].ends_on == date(2025, 3, 1)
    assert house["COPY"].billed_until == date(2025, 3, 1)


def test_it_goes_on_for_the_term_that_a_late_letter_adds():
    house = linked()
    house.months("2024-03-01", "2025-02-01")
    house.do("BACKUP", renew.notice, "client", date(2025, 1, 2))
    house.months("2025-02-01", "2026-12-01")
    assert house["COPY"].ends_on == house["BACKUP"].ends_on == date(2026, 3, 1)


def test_it_ends_on_the_day_its_parent_ends_early_and_the_running_month_stays_due():
    house = linked()
    house.months("2024-03-01", "2024-08-01")
    house.do("BACKUP", end.terminate, date(2024, 8, 20), "convenience", "client")
    [ended] = house.do("COPY", end.follow_parent, house["BACKUP"], date(2024, 8, 20))
    assert (ended.cause, ended.effective_on) == ("linked", date(2024, 8, 20))
    assert nets(of(house.months("2024-08-01", "2025-06-01"))) == [D("36.00")]
    assert house["COPY"].next_due() is None


def test_a_run_ends_it_when_nobody_told_it_of_its_parents_end():
    house = linked()
    house.months("2024-03-01", "2024-08-01")
    house.do("BACKUP", end.terminate, date(2024, 8, 20), "convenience", "client")
    house.months("2024-08-01", "2025-06-01")
    assert house["COPY"].terminated_on == date(2024, 8, 20)


def test_a_parent_that_could_not_be_renewed_does_not_end_it():
    house = linked()
    house.months("2024-03-01", "2025-02-01")
    parent = house.contracts["BACKUP"]
    child = house.contracts["COPY"]
    # The parent's pass failed: its state is as it was, and its term is over.
    [aside] = renew.due(child, date(2025, 3, 1), parent)
    assert (aside.clause, aside.held) == ("renewal", True)
    assert "BACKUP" in aside.reason


def test_it_is_not_ended_by_itself():
    with pytest.raises(Refused, match="end that one"):
        linked().do("COPY", renew.notice, "client", date(2024, 12, 1))


def test_a_copy_signed_for_the_parents_next_term_waits_for_it():
    house = linked(starts_on="2025-03-01")
    assert house["COPY"].term.start == date(2025, 3, 1)
    assert house["COPY"].term.end == date(2026, 3, 1)


def test_a_copy_cannot_follow_a_backup_that_has_ended():
    house = linked()
    house.do("BACKUP", end.terminate, date(2024, 8, 20), "convenience", "client")
    with pytest.raises(Refused, match="ended on 2024-08-20"):
        house.signs(CONTRACT.format(starts_on="2024-09-01").replace('"COPY"', '"COPY-2"'))


# Volume and accesses

MORE = Item(code="VOLUME", label="Volume", quantity=D(100), unit_price=D("0.12"), kind="volume")
ACCESS = Item(
    code="ACCES", label="Accès", unit_price=D("6.00"), entry_fee=D("15.00"), kind="access"
)


def test_an_added_volume_is_billed_for_the_whole_month():
    house = linked()
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", cover.subscribe, MORE, date(2024, 4, 29))
    [may] = of(house.run("2024-06-01"))
    # 100 × 0.12 = 12.00 for April, though opened on the 29th, and again for May.
    added = [(x.kind, x.net) for x in may.lines if x.code == "VOLUME-2"]
    assert added == [("catch_up", D("12.00")), ("fee", D("12.00"))]
    assert may.net == D("60.00")


def test_an_access_costs_its_entry_fee_and_its_whole_first_month():
    house = linked()
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", cover.subscribe, ACCESS, date(2024, 4, 17))
    found = lines_of(of(house.run("2024-06-01")))
    assert [(x.kind, x.net) for x in found if x.code == "ACCES-2"] == [
        ("entry_fee", D("15.00")),
        ("catch_up", D("6.00")),
        ("fee", D("6.00")),
    ]
    entry = [x for x in lines_of(of(house.documents)) if x.kind == "entry_fee"]
    assert [x.net for x in entry] == [D("30.00"), D("15.00")]


def test_an_access_left_unused_stays_due_to_the_end_of_its_month():
    house = linked()
    house.months("2024-03-01", "2024-05-01")
    [ended] = house.do(
        "COPY", cover.cancel_option, "ACCES", date(2024, 4, 10), BOOK, house.history("COPY")
    )
    assert (ended.fee_until, ended.charges) == (date(2024, 5, 1), ())
    assert nets(of(house.run("2024-06-01"))) == [D("24.00")]


def test_an_access_opened_and_closed_within_a_month_is_due_for_the_month():
    house = linked()
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", cover.subscribe, ACCESS, date(2024, 4, 17))
    house.do("COPY", cover.cancel_option, "ACCES-2", date(2024, 4, 20), BOOK, [])
    found = lines_of(of(house.months("2024-05-01", "2024-08-01")))
    assert [(x.kind, x.net) for x in found if x.code == "ACCES-2" and x.kind != "entry_fee"] == [
        ("catch_up", D("6.00"))
    ]


# Overrun


def overrun(more="", until="2024-06-01"):
    house = linked(more=more)
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", end.formal_notice, "overrun", "supplier", date(2024, 4, 10), sending="email")
    house.months("2024-05-01", until)
    return house


def test_an_overrun_is_blocked_on_the_30th_day():
    house = overrun()
    [blocked] = [e for e in house.events["COPY"] if isinstance(e, ServiceSuspended)]
    # 10 April + 30 days
    assert (blocked.measure, blocked.suspended_on) == ("block", date(2024, 5, 10))
    assert house["COPY"].blocked
    assert house["COPY"].suspended_on is None  # Blocked, not suspended: the copy itself goes on.


def test_or_the_next_volume_is_subscribed_where_the_contract_says_so():
    house = overrun(OVERRUN)
    [more] = [e for e in house.events["COPY"] if isinstance(e, OptionSubscribed)]
    assert (more.since, more.item.quantity) == (date(2024, 5, 10), D(100))
    [june] = of(house.run("2024-07-01"))
    # May whole and June: 2 × 100 × 0.12
    assert [x.net for x in june.lines if x.code == more.item.code] == [D("12.00")] * 2
    assert not house["COPY"].blocked


def test_an_overrun_put_right_within_30_days_leads_to_nothing():
    house = linked()
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", end.formal_notice, "overrun", "supplier", date(2024, 4, 10), sending="email")
    house.do("COPY", end.cure, "overrun", date(2024, 5, 2))
    house.months("2024-05-01", "2024-08-01")
    assert not [e for e in house.events["COPY"] if isinstance(e, ServiceSuspended)]


def test_what_is_opened_again_is_not_blocked_the_next_day():
    house = overrun()
    told = house.do("COPY", end.resume, date(2024, 6, 3))
    assert isinstance(told[-1], BreachCured)
    house.months("2024-06-01", "2024-09-01")
    assert not house["COPY"].blocked


def test_an_overrun_that_runs_out_after_the_end_stops_no_run():
    house = linked()
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", end.formal_notice, "overrun", "supplier", date(2024, 4, 10), sending="email")
    house.do("COPY", end.terminate, date(2024, 5, 1), "mutual", "client")
    assert house.months("2024-05-01", "2024-08-01") != []
    assert house.asides == []
    assert not house["COPY"].blocked


# The end, and conditions


def test_data_are_destroyed_within_30_days_with_a_proof():
    house = linked()
    [task] = house["COPY"].terms.tasks
    assert (task.code, task.days_after_end) == ("DESTRUCTION", 30)
    with pytest.raises(Refused, match="comes after the end"):
        house.do("COPY", end.finish_task, "DESTRUCTION", date(2024, 9, 1), "PV")
    house.do("COPY", end.terminate, date(2024, 9, 1), "mutual", "client")
    with pytest.raises(Refused, match="needs a proof"):
        house.do("COPY", end.finish_task, "DESTRUCTION", date(2024, 9, 15), "")
    house.do("COPY", end.finish_task, "DESTRUCTION", date(2024, 9, 15), "PV du 15/09")
    with pytest.raises(Refused, match="already done"):
        house.do("COPY", end.finish_task, "DESTRUCTION", date(2024, 9, 16), "PV")


@pytest.mark.parametrize(
    ("effective_on", "allowed"),
    [("2024-06-09", False), ("2024-06-10", True), ("2024-07-01", True)],
)
def test_published_conditions_look_only_forward(effective_on, allowed):
    house = linked()
    house.months("2024-03-01", "2024-07-01")
    terms = house["COPY"].terms
    shorter = msgspec.structs.replace(terms, payment=Payment(days=30))
    told = (shorter, day(effective_on), "publication", BOOK)
    if not allowed:
        with pytest.raises(Refused, match="2024-06-10"):
            house.do("COPY", change.amend, *told, today=date(2024, 6, 10))
        return
    house.do("COPY", change.amend, *told, today=date(2024, 6, 10))
    assert house["COPY"].terms_on(date(2024, 6, 9)).payment.days == 45
    [july] = of(house.run("2024-08-01"))
    assert july.due_on == date(2024, 7, 31)


def test_a_client_who_refuses_new_conditions_may_leave_and_the_month_stays_due():
    house = linked()
    house.months("2024-03-01", "2024-07-01")
    [ended] = house.do("COPY", end.terminate, date(2024, 6, 15), "conditions_refused", "client")
    assert isinstance(ended, ContractTerminated)
    assert of(house.months("2024-07-01", "2024-12-01")) == []


def test_amounts_are_exact_to_the_cent():
    assert all(
        line.net == line.net.quantize(Decimal("0.01"))
        for line in lines_of(linked().months("2024-03-01", "2024-12-01"))
    )
