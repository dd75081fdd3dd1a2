"""What lateness costs: sums by hand, then what always holds."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing import arrears
from billing.clauses import Terms
from billing.clauses.interest import LateInterest, stretch_interest
from billing.events import invoice as iv
from billing.money import rounded
from indices import IndexBook, shipped
from tests.arrears.late import (
    ALLIANCE,
    POLICY,
    SILENT,
    STATUTORY,
    D,
    Desk,
    amounts,
    contract,
    credited,
    day,
    debit_note,
    invoice,
    paid,
    released,
    taken_back,
    total,
    withheld,
)

INTEREST, FEE = ("F-1", "late_interest"), ("F-1", "recovery_fee")
SHIPPED = shipped()


def alliance(policy):
    return replace(ALLIANCE, below_floor=policy)


def owed(one, clause=STATUTORY, on="2026-11-22", policy=SILENT, **more):
    """What the lateness of an invoice comes to, to that day."""
    terms = Terms(late_interest=clause)
    more = {"category": "professional", "book": SHIPPED} | more
    return arrears.claim(one, terms, day=day(on), policy=policy, **more)


@pytest.mark.parametrize(
    ("policy", "rate", "amount"),
    [
        # 1080 × 31 days of July + 540 × 14 of August = 41040 euro-days; legal 4.92 in 2024-S2
        ("raise", "14.76", "16.60"),  # 3 × 4.92: 41040 × 14.76 / 36500 = 16.5959
        ("statutory", "14.25", "16.02"),  # 4.25 + 10: 41040 × 14.25 / 36500 = 16.0225
        ("as_written", "12.38", "13.92"),  # 1.5 × 4.92 + 5: 41040 × 12.38 / 36500 = 13.9199
    ],
)
def test_an_invoice_paid_half_then_half_bears_two_stretches_at_the_rate_of_the_policy(
    policy, rate, amount
):
    one = invoice(
        "F-1", "1080.00", "2024-06-30", paid("540.00", "2024-07-31"), paid("540.00", "2024-08-14")
    )
    for on in ("2024-08-14", "2024-12-31", "2026-11-22"):
        found = owed(one, alliance(policy), on)
        assert [(s.principal, s.period.days, s.rate) for s in found.interest.stretches] == [
            (D("1080.00"), 31, D(rate)),
            (D("540.00"), 14, D(rate)),
        ]
        assert (str(found.interest.amount), found.fee) == (amount, D("40.00"))


@pytest.mark.parametrize(
    ("due", "paid_on", "policy", "rates", "amount"),
    [
        # 10 days of 2023-S2 (legal 4.22), 10 of 2024-S1 (5.07), on 1000.00
        ("2023-12-21", "2024-01-10", "raise", "12.66 15.21", "7.64"),  # 10000 × 27.87 / 36500
        ("2023-12-21", "2024-01-10", "statutory", "14.00 14.50", "7.81"),  # × 28.5
        ("2023-12-21", "2024-01-10", "as_written", "11.33 12.605", "6.56"),  # × 23.935
        # 10 of 2024-S1, 10 of 2024-S2 (4.92)
        ("2024-06-20", "2024-07-10", "raise", "15.21 14.76", "8.21"),  # × 29.97
        ("2024-06-20", "2024-07-10", "statutory", "14.50 14.25", "7.88"),  # × 28.75
        ("2024-06-20", "2024-07-10", "as_written", "12.605 12.38", "6.85"),  # × 24.985
        # 10 of 2024-S2, 10 of 2025-S1 (3.71)
        ("2024-12-21", "2025-01-10", "raise", "14.76 11.13", "7.09"),  # × 25.89
        ("2024-12-21", "2025-01-10", "statutory", "14.25 13.15", "7.51"),  # × 27.4
        ("2024-12-21", "2025-01-10", "as_written", "12.38 10.565", "6.29"),  # × 22.945
        # 10 of 2025-S1; 10 of 2025-S2 (2.76), where 9.14 is above the floor of 8.28
        ("2025-06-20", "2025-07-10", "raise", "11.13 9.14", "5.55"),  # × 20.27
        ("2025-06-20", "2025-07-10", "statutory", "13.15 9.14", "6.11"),  # × 22.29
        ("2025-06-20", "2025-07-10", "as_written", "10.565 9.14", "5.40"),  # × 19.705
    ],
)
def test_one_and_a_half_legal_plus_five_is_under_the_floor_and_follows_the_policy(
    due, paid_on, policy, rates, amount
):
    found = owed(invoice("F-1", "1000.00", due, paid("1000.00", paid_on)), alliance(policy))
    assert [s.rate for s in found.interest.stretches] == [D(rate) for rate in rates.split()]
    assert str(found.interest.amount) == amount
    for stretch in found.interest.stretches:
        assert bool(stretch.warning) == (policy == "as_written" and stretch.rate < stretch.floor)


@pytest.mark.parametrize(
    ("category", "notice", "amount", "fee"),
    [
        # 1000.00 due on 2026-08-31, seen on 2026-09-30: 30 days of 2026-S2
        ("professional", None, "10.19", "40.00"),  # 2.40 + 10: 1000 × 12.40 × 30 / 36500 = 10.1918
        ("public", None, "8.55", "40.00"),  # 2.40 + 8: 1000 × 10.40 × 30 / 36500 = 8.5479
        ("consumer", None, "0.00", "0.00"),
        ("non_professional", None, "0.00", "0.00"),
        ("consumer", "2026-09-10", "1.51", "0.00"),  # legal 2.75, 20 days: 1.5068
        ("non_professional", "2026-09-10", "1.51", "0.00"),
    ],
)
def test_who_owes_decides_the_rate_the_first_day_and_the_fee(category, notice, amount, fee):
    one = invoice("F-1", "1000.00", "2026-08-31")
    if notice:
        sent = iv.ReminderSent(level=3, name="", sent_on=day(notice), owed=D("1000.00"))
        one = arrears.reminded(one, sent)
    found = owed(one, on="2026-09-30", category=category, policy=POLICY)
    assert (str(found.interest.amount), str(found.fee)) == (amount, fee)


@pytest.mark.parametrize(
    ("happened", "amount", "fee"),
    [
        ((), "15.29", "40.00"),  # 1500 × 12.40 × 30 / 36500 = 15.2877
        ((paid("1500.00", "2026-08-31"),), "0.00", "0.00"),  # on the last day
        ((paid("1500.00", "2026-08-01"),), "0.00", "0.00"),
        ((paid("1500.00", "2026-09-01"),), "0.51", "40.00"),  # one day: 0.5096
        # all but a cent in time: the cent is late, and the fee is due even if partly paid
        ((paid("1499.99", "2026-08-20"),), "0.00", "40.00"),
        # a credit note of 600.00 on day 10: 1500 × 10 + 900 × 20 = 33000 × 12.4 / 36500 = 11.2110
        ((credited("600.00", "2026-09-10"),), "11.21", "40.00"),
        # credited whole, even late: it was never owed
        ((credited("1500.00", "2026-09-20"),), "0.00", "0.00"),
        ((credited("600.00", "2026-09-10"), credited("900.00", "2026-09-25")), "0.00", "0.00"),
        # paid on day 10, back on day 20: 1500 × 20 × 12.4 / 36500 = 10.1918
        (
            (paid("1500.00", "2026-09-10"), taken_back("1500.00", "2026-09-20")),
            "10.19", "40.00",
        ),
        # in time, and back on day 20: late for 10 days, 5.0959
        ((paid("1500.00", "2026-08-15"), taken_back("1500.00", "2026-09-20")), "5.10", "40.00"),
        # paid too much, then the surplus refunded
        ((paid("1600.00", "2026-08-30"), taken_back("100.00", "2026-09-15")), "0.00", "0.00"),
        # 75.00 withheld and the rest paid in time: nothing is late until it is released
        ((withheld("75.00", "2026-08-05"), paid("1425.00", "2026-08-31")), "0.00", "0.00"),
        # released on day 10, unpaid: 75 × 20 × 12.4 / 36500 = 0.5096
        (
            (
                withheld("75.00", "2026-08-05"), paid("1425.00", "2026-08-31"),
                released("75.00", "2026-09-10"),
            ),
            "0.51", "40.00",
        ),
        # and the retention bears none while the rest does: 1425 × 30 × 12.4 / 36500 = 14.5233
        ((withheld("75.00", "2026-08-05"),), "14.52", "40.00"),
    ],
)  # fmt: skip
def test_what_was_owed_each_day_bears_interest_and_the_fee_is_due_once_anything_was_late(
    happened, amount, fee
):
    one = invoice("F-1", "1500.00", "2026-08-31", *happened)
    found = owed(one, on="2026-09-30")
    assert (str(found.interest.amount), str(found.fee)) == (amount, fee)


def test_a_credit_note_counts_from_the_due_day_where_the_house_says_so():
    one = invoice("F-1", "1500.00", "2026-08-31", credited("600.00", "2026-09-10"))
    # 900 × 30 × 12.4 / 36500 = 9.1726, and not 11.21
    policy = replace(SILENT, credit_note="due_day")
    assert str(owed(one, on="2026-09-30", policy=policy).interest.amount) == "9.17"


@pytest.mark.parametrize(
    ("attempts", "returns", "amount"),
    [
        # due on 2026-09-01, debited on 2026-10-01 as agreed, never: 20 days at 12.40
        (0, 0, "6.79"),  # 1000 × 12.4 × 20 / 36500 = 6.7945
        (1, 1, "6.79"),
        (1, 0, "0.00"),  # Asked for and not back: the client waits for its bank.
    ],
)
def test_a_client_to_be_debited_is_not_late_before_the_agreed_day(attempts, returns, amount):
    one = invoice(
        "F-1", "1000.00", "2026-09-01", means="direct_debit", collected_on=day("2026-10-01")
    )
    one = replace(one, attempts=attempts, returns=returns)
    assert str(owed(one, on="2026-10-21").interest.amount) == amount
    assert str(owed(one, on="2026-10-01").interest.amount) == "0.00"


def test_debit_notes_and_deposits_bear_nothing():
    assert owed(debit_note("ND-1", "55.00", "2026-09-01")).fee == 0
    deposit = invoice("F-1", "500.00", "2026-09-01", kind="deposit")
    assert owed(deposit).interest.amount == owed(deposit).fee == 0


def test_each_charge_is_what_is_owed_to_date_less_what_was_charged():
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-08-31"), policy=SILENT)
    # 1000 × 12.40 / 36500 = 0.339726 a day: 3 days 1.0192, 10 days 3.3973, 30 days 10.1918
    assert amounts(desk.chase("2026-09-03")) == {INTEREST: D("1.02"), FEE: D("40.00")}
    assert amounts(desk.chase("2026-09-03")) == {}
    assert amounts(desk.chase("2026-09-10")) == {INTEREST: D("2.38")}
    assert amounts(desk.chase("2026-09-05")) == {}  # A day gone by brings nothing back.
    assert amounts(desk.chase("2026-09-30")) == {INTEREST: D("6.79")}
    assert desk["F-1"].interest == D("10.19")
    (line,) = desk.notes[-1].lines
    assert (line.charged_before, line.until) == (D("3.40"), day("2026-09-30"))
    assert line.interest.amount == D("10.19")


def test_an_invoice_paid_late_is_charged_at_the_next_chase_with_its_fee_and_no_reminder():
    late = invoice("F-1", "1000.00", "2026-08-31", paid("1000.00", "2026-09-05"))
    desk = Desk(contract(), late)
    chased = desk.chase("2026-11-02")
    assert chased.reminders == ()
    # 5 days: 1.6986
    assert amounts(chased) == {INTEREST: D("1.70"), FEE: D("40.00")}
    assert desk.notes[0].lines[0].until == day("2026-09-05")
    assert desk.chase("2026-11-20").debits == ()


def test_a_payment_found_later_gives_back_the_interest_on_the_debit_notes_the_last_first():
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-08-31"), policy=SILENT)
    desk.chase("2026-09-10")  # 3.40 and the fee
    desk.chase("2026-09-30")  # 6.79
    desk.happens("F-1", paid("1000.00", "2026-09-05"))
    # 5 days: 1.6986, of 10.19 charged: 8.49 given back, 6.79 on ND-2 and 1.70 on ND-1
    chased = desk.chase("2026-10-31")
    assert amounts(chased) == {INTEREST: D("-8.49")}
    assert [(c.note.number, c.gross) for c in chased.credits] == [
        ("ND-2", D("6.79")), ("ND-1", D("1.70")),
    ]  # fmt: skip
    assert (desk["ND-1"].owed, desk["ND-2"].owed) == (D("41.70"), D("0.00"))
    assert (desk["F-1"].interest, desk["F-1"].fee) == (D("1.70"), D("40.00"))
    again = desk.chase("2026-11-20")
    assert (again.debits, again.credits) == ((), ())


def test_a_payment_found_to_be_in_time_gives_back_all_with_the_fee():
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-08-31"), policy=SILENT)
    desk.chase("2026-09-10")
    desk.happens("F-1", paid("1000.00", "2026-08-31"))
    assert amounts(desk.chase("2026-09-11")) == {INTEREST: D("-3.40"), FEE: D("-40.00")}
    assert desk["ND-1"].owed == 0
    # The payment comes back after all: both are due again. 16 days from 2026-09-15 to 30: 5.4356
    desk.happens("F-1", taken_back("1000.00", "2026-09-14"))
    assert amounts(desk.chase("2026-09-30")) == {INTEREST: D("5.44"), FEE: D("40.00")}


def test_what_was_written_off_of_a_debit_note_is_not_given_back_twice():
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-08-31"), policy=SILENT)
    desk.chase("2026-09-30")  # 10.19 + 40.00
    off = iv.InvoiceWrittenOff(amount=D("45.00"), written_off_on=day("2026-10-01"), reason="geste")
    desk.happens("ND-1", off)
    desk.happens("F-1", paid("1000.00", "2026-08-31"))
    (credit,) = desk.chase("2026-10-02").credits
    assert (credit.gross, desk["ND-1"].owed) == (D("5.19"), D("0.00"))
    assert (desk["F-1"].interest, desk["F-1"].fee, desk["F-1"].charged) == (0, 0, ())


def test_what_was_given_up_for_lost_is_charged_no_further():
    off = iv.InvoiceWrittenOff(amount=D("900.00"), written_off_on=day("2026-09-20"), reason="")
    late = invoice("F-1", "1000.00", "2026-08-31", paid("100.00", "2026-09-10"), off)
    assert Desk(contract(), late).chase("2026-11-02").debits == ()


def test_the_house_may_charge_from_a_level_on():
    desk = Desk(
        contract(),
        invoice("F-1", "1000.00", "2026-08-31"),
        invoice("F-2", "500.00", "2026-08-31", paid("500.00", "2026-09-03")),
        policy=replace(POLICY, charge_from=2),
    )
    assert desk.chase("2026-09-08").debits == ()  # The first reminder.
    # 20 days: 6.7945; F-2 was paid before the level
    assert amounts(desk.chase("2026-09-20")) == {INTEREST: D("6.79"), FEE: D("40.00")}


def test_a_debit_note_too_small_waits_for_the_next():
    desk = Desk(
        contract(replace(STATUTORY, recovery_fee=D("0.00"))),
        invoice("F-1", "1000.00", "2026-08-31"),
        policy=replace(SILENT, minimum_charge=D("1.00")),
    )
    small = desk.chase("2026-09-02")  # 0.68
    assert (small.debits, small.waits) == ((), True)
    assert amounts(desk.chase("2026-09-03")) == {INTEREST: D("1.02")}


def test_what_is_unpaid_is_charged_no_more_often_than_the_house_says_and_what_is_paid_at_once():
    desk = Desk(
        contract(),
        invoice("F-1", "1000.00", "2026-08-31"),
        policy=replace(SILENT, days_between_debit_notes=28),
    )
    assert amounts(desk.chase("2026-09-02")) == {INTEREST: D("0.68"), FEE: D("40.00")}
    assert desk.chase("2026-09-29").debits == ()
    # 30 days, 10.1918, less 0.68
    assert amounts(desk.chase("2026-09-30")) == {INTEREST: D("9.51")}
    desk.happens("F-1", paid("1000.00", "2026-10-03"))
    assert amounts(desk.chase("2026-10-04")) == {INTEREST: D("1.02")}  # 33 days: 11.2110


def test_one_debit_note_for_the_contract_and_another_for_those_of_another_supplier():
    ours = invoice("F-1", "1000.00", "2026-08-31")
    desk = Desk(
        contract(),
        ours,
        invoice("F-2", "2000.00", "2026-08-31"),
        replace(invoice("F-3", "500.00", "2026-08-31"), supplier="S2"),
        policy=SILENT,
    )
    one, other = desk.chase("2026-09-30").debits
    # 10.19 + 40 + 20.38 + 40; then 5.10 + 40
    assert (one.supplier, len(one.lines), one.gross) == ("S", 4, D("110.57"))
    assert (other.supplier, len(other.lines), other.gross) == ("S2", 2, D("45.10"))


def test_a_rate_that_is_not_published_sets_the_charge_aside_and_reminders_go_on():
    bare = IndexBook(SHIPPED.series().values(), ())
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-08-31"), book=bare)
    chased = desk.chase("2026-09-30")
    assert "ECB_MRO" in chased.aside
    assert (chased.debits, len(chased.reminders)) == ((), 1)


DISCOUNT = LateInterest(series="BDF_DISCOUNT", points=D(2), read_each="month")


def test_an_ended_index_sets_the_charge_aside_until_its_substitution_is_recorded():
    from billing.contract.state import Substitute

    of = contract(DISCOUNT)
    late = invoice("F-1", "1000.00", "2026-08-31")
    aside = Desk(of, late).chase("2026-09-30").aside
    assert "BDF_DISCOUNT" in aside
    assert "substitution" in aside
    decided = replace(of, substitutes=(Substitute("BDF_DISCOUNT", "ECB_MRO", None),))
    # 2.40 + 2 is under the floor: 3 × 2.75 = 8.25; 1000 × 8.25 × 30 / 36500 = 6.7808
    assert amounts(Desk(decided, late).chase("2026-09-30"))[INTEREST] == D("6.78")


# What always holds

AMOUNTS = st.decimals("1.00", 5_000, places=2)
BY_THE_ECB = LateInterest(series="ECB_MRO", points=D(2), read_each="month")
CLAUSES = st.sampled_from([STATUTORY, ALLIANCE, alliance("as_written"), BY_THE_ECB])
FIRST = day("2022-06-30")


@st.composite
def invoices(draw):
    """An invoice of 2022 to 2025, its payments, what came back of them, its credit notes."""
    due = FIRST + timedelta(days=draw(st.integers(0, 1_000)))
    gross = draw(AMOUNTS)
    events = []
    for place in range(draw(st.integers(0, 4))):
        part = rounded(Fraction(gross) * draw(st.integers(1, 40)) / 100, 2)
        on = due + timedelta(days=draw(st.integers(-20, 300)))
        kind = draw(st.sampled_from(["paid", "paid", "credited", "returned"]))
        if kind == "credited":
            events.append(credited(f"{part}", on.isoformat()))
            continue
        events.append(paid(f"{part}", on.isoformat(), f"P-{place}"))
        if kind == "returned":
            back = on + timedelta(days=draw(st.integers(1, 60)))
            events.append(taken_back(f"{part}", back.isoformat(), f"P-{place}"))
    return f"{gross}", due, events


@given(invoices(), CLAUSES, st.lists(st.integers(0, 500), min_size=1, max_size=6))
def test_charging_at_many_dates_in_steps_comes_to_charging_once_at_the_end(made, clause, lateness):
    gross, due, events = made
    whole = invoice("F-1", gross, due.isoformat(), *events)
    last = due + timedelta(days=500)
    steps = sorted({due + timedelta(days=days) for days in lateness} | {last})
    stepped = Desk(contract(clause), whole, policy=SILENT)
    for on in steps:
        stepped.chase(on.isoformat())
    once = Desk(contract(clause), whole, policy=SILENT)
    once.chase(last.isoformat())
    assert stepped["F-1"].interest == once["F-1"].interest >= 0
    assert stepped["F-1"].fee == once["F-1"].fee
    claimed = [n.owed for n in stepped.documents.values() if n.kind == "debit_note"]
    assert total(claimed) == stepped["F-1"].interest + stepped["F-1"].fee


@given(invoices(), CLAUSES, st.lists(st.integers(0, 400), max_size=5), st.randoms())
def test_what_is_learnt_late_and_in_any_order_comes_to_what_would_have_been_charged(
    made, clause, lateness, random
):
    gross, due, events = made
    desk = Desk(contract(clause), invoice("F-1", gross, due.isoformat()), policy=SILENT)
    late = list(events)
    random.shuffle(late)
    for days in sorted(lateness):
        desk.chase((due + timedelta(days=days)).isoformat())
        if late:
            desk.happens("F-1", late.pop())
    for event in late:
        desk.happens("F-1", event)
    last = (due + timedelta(days=500)).isoformat()
    desk.chase(last)
    once = Desk(contract(clause), invoice("F-1", gross, due.isoformat(), *events), policy=SILENT)
    once.chase(last)
    assert desk["F-1"].interest == once["F-1"].interest
    assert desk["F-1"].fee == once["F-1"].fee
    notes = [one for one in desk.documents.values() if one.kind == "debit_note"]
    assert total(n.owed for n in notes) == once["F-1"].interest + once["F-1"].fee
    assert all(n.owed >= 0 for n in notes)


@given(invoices(), CLAUSES, st.integers(1, 600))
def test_a_line_is_never_negative_and_holds_its_exact_stretches(made, clause, lateness):
    gross, due, events = made
    desk = Desk(contract(clause), invoice("F-1", gross, due.isoformat(), *events), policy=SILENT)
    chased = desk.chase((due + timedelta(days=lateness)).isoformat())
    for charge in (c for debit in chased.debits for c in debit.charges):
        line = charge.line
        assert line.amount > 0
        if line.kind == "late_interest":
            exact = sum(stretch_interest(clause, s) for s in line.interest.stretches)
            assert Fraction(line.interest.exact) == exact
            assert line.interest.amount == rounded(exact, 2) == line.amount
            assert all(s.principal > 0 and s.period.start > due for s in line.interest.stretches)
