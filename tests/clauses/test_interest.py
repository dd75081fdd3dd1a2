"""Late payment: interest by half-year, the legal floor, the recovery fee.

The oracle of the rates is tests/indices/late-interest-floor.csv, worked out apart from the engine.
"""

import csv
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.interest import (
    LateInterest,
    late_interest,
    rate_between,
    recovery_fee,
    stretch_interest,
)
from billing.dates import DAY, Period, half_year_of
from billing.money import rounded
from indices import NotYetPublished, SeriesEnded, shipped

D = Decimal
day = date.fromisoformat
BOOK = shipped()
KNOWN_THROUGH = date(2026, 11, 22)  # the day the rates shipped were gathered

STATUTORY = LateInterest()
# "une fois et demi le taux d'intérêt légal majoré de cinq points" — Alliance Telecom
ALLIANCE = LateInterest(series="LEGAL_INTEREST_PROFESSIONAL", times=D("1.5"), points=D(5))
# "taux d'escompte de la Banque de France majoré de 2 points" — Alliance Telecom, maintenance
DISCOUNT = LateInterest(series="BDF_DISCOUNT", points=D(2))
BY_THE_ECB = {"BDF_DISCOUNT": "ECB_MRO"}

ORACLE = list(
    csv.DictReader(
        (Path(__file__).parents[1] / "indices" / "late-interest-floor.csv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
)

due_days = st.dates(date(2015, 1, 1), date(2026, 6, 30))
lateness = st.integers(1, 140)
grosses = st.decimals("0.01", 100_000, places=2)


def owed(clause, gross, due, until, **others):
    return late_interest(clause, [(day(due), D(gross))], day(due), day(until), BOOK, **others)


def ids(row):
    return row["semester_start"]


@pytest.mark.parametrize("row", ORACLE, ids=ids)
def test_each_half_year_has_its_statutory_rate_its_agreed_rate_and_its_floor(row):
    start = day(row["semester_start"])
    for when in (start, min(half_year_of(start).last_day, KNOWN_THROUGH)):
        found = rate_between(ALLIANCE, when, BOOK)
        assert found.agreed == D(row["seed004_1.5xTIL+5"])
        assert found.floor == D(row["floor_3x_til"])
        assert found.statutory == D(row["default_ecb_plus_10"])
        assert found.rate == max(found.agreed, found.floor)
        assert (found.rate > found.agreed) == (row["seed004_1.5xTIL+5_vs_floor"] == "BELOW_FLOOR")
        assert rate_between(STATUTORY, when, BOOK).rate == D(row["default_ecb_plus_10"])


@pytest.mark.parametrize("row", ORACLE, ids=ids)
def test_the_discount_rate_replaced_by_the_ecb_rate_is_under_the_floor_when_the_oracle_says(row):
    found = rate_between(DISCOUNT, day(row["semester_start"]), BOOK, substitutes=BY_THE_ECB)
    assert found.agreed == D(row["seed004_BdF+2_using_ECB_MRO"])
    assert (found.rate > found.agreed) == (row["vs_floor"] == "BELOW_FLOOR")


def test_one_and_a_half_legal_plus_five_is_under_the_floor_in_these_half_years_only():
    # 1.5 l + 5 < 3 l when l > 10/3
    below = [
        row["semester_start"]
        for row in ORACLE
        if rate_between(ALLIANCE, day(row["semester_start"]), BOOK).rate
        == rate_between(ALLIANCE, day(row["semester_start"]), BOOK).floor
    ]
    assert below == [
        "2009-01-01", "2009-07-01", "2023-07-01", "2024-01-01", "2024-07-01", "2025-01-01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "agreed", "floor", "statutory"),
    [
        # legal 3.79: 5.685 + 5, and 3 × 3.79
        ("2009-03-01", "10.685", "11.37", "12.50"),
        # legal 4.22: 6.33 + 5, and 12.66
        ("2023-08-15", "11.33", "12.66", "14.00"),
        # legal 5.07: 7.605 + 5, and 15.21, above the statutory rate itself
        ("2024-01-01", "12.605", "15.21", "14.50"),
        # legal 4.92: 7.38 + 5, and 14.76
        ("2024-12-31", "12.38", "14.76", "14.25"),
        # legal 3.71: 5.565 + 5, and 11.13
        ("2025-06-30", "10.565", "11.13", "13.15"),
    ],
)
def test_a_rate_under_the_floor_follows_the_policy_of_the_contract(when, agreed, floor, statutory):
    policies = {"raise": floor, "statutory": statutory, "as_written": agreed}
    for policy, rate in policies.items():
        clause = LateInterest(
            series=ALLIANCE.series, times=D("1.5"), points=D(5), below_floor=policy
        )
        found = rate_between(clause, day(when), BOOK)
        assert (found.rate, found.agreed, found.floor) == (D(rate), D(agreed), D(floor))
        assert bool(found.warning) == (policy == "as_written")


def test_a_rate_kept_under_the_floor_says_so_with_both_rates():
    clause = LateInterest(
        series=ALLIANCE.series, times=D("1.5"), points=D(5), below_floor="as_written"
    )
    warning = rate_between(clause, day("2024-01-01"), BOOK).warning
    for said in ("12.605", "15.21", "L441-10"):
        assert said in warning


def test_a_rate_at_the_floor_is_not_under_it():
    # three times the legal rate, plus nothing
    clause = LateInterest(series=ALLIANCE.series, times=D(3), below_floor="as_written")
    found = rate_between(clause, day("2024-01-01"), BOOK)
    assert found.rate == found.agreed == found.floor == D("15.21")
    assert not found.warning


@pytest.mark.parametrize(
    ("clause", "category", "rate"),
    [
        (STATUTORY, "professional", "12.40"),  # 2.40 on 2026-07-01, + 10
        (STATUTORY, "public", "10.40"),  # + 8
        (ALLIANCE, "public", "10.40"),  # whatever was agreed
        (ALLIANCE, "professional", "9.125"),  # 1.5 × 2.75 + 5
        (ALLIANCE, "consumer", "2.75"),  # the legal rate
        (STATUTORY, "non_professional", "2.75"),
    ],
)
@pytest.mark.parametrize("when", ["2026-07-01", "2026-09-15", "2026-09-16", "2026-11-22"])
def test_who_owes_decides_the_rate_and_the_rise_of_september_2026_waits(
    clause, category, rate, when
):
    assert rate_between(clause, day(when), BOOK, category).rate == D(rate)


@pytest.mark.parametrize(
    ("gross", "due", "paid", "amount"),
    [
        # 12.15 % until 2026-06-30, 12.40 % from 2026-07-01
        ("1000.00", "2026-03-31", "2026-04-30", "9.99"),  # 121.5 × 30 / 365 = 9.986
        ("10000.00", "2026-08-31", "2026-10-15", "152.88"),  # 1240 × 45 / 365 = 152.877
        ("1080.00", "2026-08-31", "2026-09-30", "11.01"),  # 133.92 × 30 / 365 = 11.007
        ("1080.00", "2026-08-31", "2026-09-01", "0.37"),  # one day: 133.92 / 365 = 0.3669
        ("1080.00", "2026-08-31", "2026-08-31", "0.00"),  # paid on the last day
        ("1080.00", "2026-08-31", "2026-08-15", "0.00"),  # paid before
        # 15 days of June: 607.50 × 15 / 365 = 24.966; 20 of July: 620 × 20 / 365 = 33.973
        ("5000.00", "2026-06-15", "2026-07-20", "58.94"),
        # one day at each rate: 0.1215 + 0.1240 = 0.2455, and not 0.12 + 0.12
        ("365.00", "2026-06-29", "2026-07-01", "0.25"),
        ("0.00", "2026-01-01", "2026-06-30", "0.00"),
    ],
)
def test_statutory_interest_runs_from_the_day_after_the_due_day(gross, due, paid, amount):
    assert str(owed(STATUTORY, gross, due, paid).amount) == amount


@pytest.mark.parametrize(
    ("clause", "due", "paid", "amount"),
    [
        # 1000.00 over 2024: 182 days at 14.50 and 184 at 14.25: 52610 / 365 = 144.137
        (STATUTORY, "2023-12-31", "2024-12-31", "144.14"),
        # 52610 / 366 = 143.743
        (LateInterest(days_in_year=0), "2023-12-31", "2024-12-31", "143.74"),
        # 15 days of 2023 at 14.00, 15 of 2024 at 14.50: 2100 / 365 + 2175 / 365 = 11.712
        (STATUTORY, "2023-12-16", "2024-01-15", "11.71"),
        # 2100 / 365 + 2175 / 366 = 5.7534 + 5.9426 = 11.696
        (LateInterest(days_in_year=0), "2023-12-16", "2024-01-15", "11.70"),
        # a common year is the same: 30 × 121.5 / 365
        (LateInterest(days_in_year=0), "2026-03-31", "2026-04-30", "9.99"),
    ],
)
def test_a_year_has_365_days_even_a_leap_one_unless_agreed(clause, due, paid, amount):
    assert owed(clause, "1000.00", due, paid).amount == D(amount)


def test_the_agreed_rate_of_alliance_is_raised_for_the_half_years_under_the_floor():
    found = owed(ALLIANCE, "1080.00", "2025-06-20", "2025-07-10")
    # 10 days at 11.13 (raised from 10.565), 10 at 9.14 (floor 8.28):
    # 1080 × (111.3 + 91.4) / 100 / 365 = 2189.16 / 365 = 5.9977
    assert [(s.rate, s.period.days) for s in found.stretches] == [
        (D("11.13"), 10), (D("9.14"), 10),
    ]  # fmt: skip
    assert found.amount == D("6.00")


def test_a_partial_payment_cuts_the_stretch_and_interest_survives_the_principal():
    balances = [
        (day("2026-08-31"), D("1080.00")),
        (day("2026-09-10"), D("580.00")),
        (day("2026-09-30"), D("0.00")),
    ]
    for until in ("2026-09-30", "2026-11-20"):
        found = late_interest(STATUTORY, balances, day("2026-08-31"), day(until), BOOK)
        assert [(s.principal, s.period) for s in found.stretches] == [
            (D("1080.00"), Period(day("2026-09-01"), day("2026-09-11"))),
            (D("580.00"), Period(day("2026-09-11"), day("2026-10-01"))),
        ]
        # (1080 × 10 + 580 × 20) × 0.124 / 365 = 22400 × 0.124 / 365 = 7.6099
        assert found.amount == D("7.61")


@pytest.mark.parametrize(
    ("balances", "stretches"),
    [
        # paid in part before the due day: only the rest is late
        ([("2026-08-01", "1080.00"), ("2026-08-20", "80.00")], [("80.00", 30)]),
        # paid on the due day
        ([("2026-08-01", "1080.00"), ("2026-08-31", "80.00")], [("80.00", 30)]),
        # all of it
        ([("2026-08-01", "1080.00"), ("2026-08-31", "0.00")], []),
        # two payments on one day
        (
            [("2026-08-01", "1080.00"), ("2026-09-10", "580.00"), ("2026-09-10", "80.00")],
            [("1080.00", 10), ("80.00", 20)],
        ),
        # a debit returned: owed again from the day after
        (
            [("2026-08-01", "1080.00"), ("2026-09-05", "0.00"), ("2026-09-20", "1080.00")],
            [("1080.00", 5), ("1080.00", 10)],
        ),
        # overpaid: no interest on what the supplier owes
        ([("2026-08-01", "1080.00"), ("2026-09-05", "-20.00")], [("1080.00", 5)]),
        # a payment after the day asked
        ([("2026-08-01", "1080.00"), ("2026-10-15", "0.00")], [("1080.00", 30)]),
    ],
)
def test_what_is_owed_day_by_day_bears_interest(balances, stretches):
    found = late_interest(
        STATUTORY,
        [(day(since), D(left)) for since, left in balances],
        day("2026-08-31"),
        day("2026-09-30"),
        BOOK,
    )
    assert [(str(s.principal), s.period.days) for s in found.stretches] == stretches


@pytest.mark.parametrize("category", ["consumer", "non_professional"])
@pytest.mark.parametrize(
    ("notice", "amount"),
    [
        (None, "0.00"),
        ("2026-09-01", "2.26"),  # 30 days: 1000 × 0.0275 × 30 / 365 = 2.2603
        ("2026-07-01", "4.67"),  # before the due day: 62 days from it, 4.6712
        ("2026-10-01", "0.00"),
    ],
)
def test_a_consumer_owes_the_legal_rate_from_the_formal_notice_only(category, notice, amount):
    found = owed(
        STATUTORY,
        "1000.00",
        "2026-07-31",
        "2026-10-01",
        category=category,
        formal_notice_on=notice and day(notice),
    )
    assert found.amount == D(amount)


@pytest.mark.parametrize(
    ("category", "fee"),
    [
        ("professional", "40.00"),
        ("public", "40.00"),
        ("consumer", "0.00"),
        ("non_professional", "0.00"),
    ],
)
def test_the_recovery_fee_is_for_professionals(category, fee):
    assert recovery_fee(STATUTORY, category) == D(fee)


def test_the_discount_rate_that_ended_in_1990_is_refused_without_a_substitution():
    with pytest.raises(SeriesEnded, match=r"1990-02-15.*substitution must be recorded"):
        owed(DISCOUNT, "1080.00", "2026-08-31", "2026-09-30")


def test_the_discount_rate_replaced_by_decision_bears_the_floor_and_no_tax():
    found = owed(DISCOUNT, "1080.00", "2026-08-31", "2026-09-30", substitutes=BY_THE_ECB)
    # 2.40 + 2 = 4.40 is under 3 × 2.75 = 8.25; 1080 × 0.0825 × 30 / 365 = 7.3233
    assert [(s.agreed, s.floor, s.rate) for s in found.stretches] == [
        (D("4.40"), D("8.25"), D("8.25")),
    ]
    assert found.amount == D("7.32")
    assert "ECB_MRO" in {reading.series for reading in found.stretches[0].readings}


def test_a_rate_not_yet_known_is_refused():
    with pytest.raises(NotYetPublished):
        rate_between(STATUTORY, day("2099-01-01"), BOOK)


ECB_PLUS_7 = LateInterest(series="ECB_MRO", points=D(7), read_each="month")


def test_a_rate_read_each_month_is_that_of_the_first_of_the_month():
    found = owed(ECB_PLUS_7, "1000.00", "2026-09-20", "2026-10-10")
    # 2.40 on 1 September, 2.65 on 1 October: the rise of the 16th waits for the month
    assert [(s.rate, s.period.days) for s in found.stretches] == [
        (D("9.40"), 10), (D("9.65"), 10),
    ]  # fmt: skip
    # 1000 × (94 + 96.5) / 100 / 365 = 1905 / 365 = 5.219
    assert found.amount == D("5.22")


def test_a_payment_in_mid_month_does_not_change_the_rate_of_the_month():
    balances = [(day("2026-09-10"), D("1000.00")), (day("2026-09-20"), D("500.00"))]
    found = late_interest(ECB_PLUS_7, balances, day("2026-09-10"), day("2026-09-30"), BOOK)
    assert [s.rate for s in found.stretches] == [D("9.40"), D("9.40")]


def test_a_stretch_holds_all_it_takes_to_redo_the_sum():
    (stretch,) = owed(ALLIANCE, "1080.00", "2026-08-31", "2026-09-30").stretches
    assert {reading.series for reading in stretch.readings} == {
        "LEGAL_INTEREST_PROFESSIONAL", "ECB_MRO",
    }  # fmt: skip
    assert (stretch.agreed, stretch.floor, stretch.statutory) == (
        D("9.125"), D("8.25"), D("12.40"),
    )  # fmt: skip
    # 1080 × 9.125 / 100 × 30 / 365 = 98.55 × 30 / 365 = 8.10
    assert stretch_interest(ALLIANCE, stretch) == Fraction("8.10")


@pytest.mark.parametrize("clause", [STATUTORY, ALLIANCE, LateInterest(days_in_year=0), ECB_PLUS_7])
@given(grosses, due_days, st.integers(0, 1500))
def test_stretches_follow_each_other_and_never_cross_1_january_or_1_july(clause, gross, due, late):
    until = min(due + timedelta(days=late), KNOWN_THROUGH)
    found = late_interest(clause, [(due, gross)], due, until, BOOK)
    assert sum(s.period.days for s in found.stretches) == (until - due).days
    reached = due + DAY
    for stretch in found.stretches:
        assert stretch.period.start == reached
        assert half_year_of(stretch.period.start) == half_year_of(stretch.period.last_day)
        reached = stretch.period.end


@pytest.mark.parametrize("clause", [STATUTORY, ALLIANCE, LateInterest(days_in_year=0)])
@given(grosses, due_days, st.integers(0, 800))
def test_interest_is_exact_and_rounded_half_up_once(clause, gross, due, late):
    until = min(due + timedelta(days=late), KNOWN_THROUGH)
    found = late_interest(clause, [(due, gross)], due, until, BOOK)
    exact = sum((stretch_interest(clause, s) for s in found.stretches), Fraction(0))
    assert Fraction(found.exact) == exact
    assert found.amount == rounded(exact, 2) >= 0


@pytest.mark.parametrize("clause", [STATUTORY, ALLIANCE, LateInterest(days_in_year=0), ECB_PLUS_7])
@given(grosses, due_days, lateness, lateness)
def test_interest_of_the_days_cut_in_two_is_the_interest_of_the_days(
    clause, gross, due, first, second
):
    middle = min(due + timedelta(days=first), KNOWN_THROUGH)
    until = min(middle + timedelta(days=second), KNOWN_THROUGH)

    def exact(start, end):
        return Fraction(late_interest(clause, [(start, gross)], start, end, BOOK).exact)

    assert exact(due, middle) + exact(middle, until) == exact(due, until)


@given(grosses, grosses, due_days, lateness)
def test_interest_on_two_sums_is_the_interest_on_their_total(one, other, due, late):
    until = due + timedelta(days=late)

    def exact(gross):
        return Fraction(late_interest(ALLIANCE, [(due, gross)], due, until, BOOK).exact)

    assert exact(one) + exact(other) == exact(one + other)


@given(grosses, due_days, lateness, lateness, st.integers(0, 100))
def test_interest_accrued_is_kept_after_the_principal_is_paid(gross, due, paid, later, percent):
    settled = due + timedelta(days=paid)
    part = rounded(Fraction(gross) * percent / 100, 2)
    halfway = due + timedelta(days=paid // 2)
    balances = [(due, gross), (halfway, gross - part), (settled, D("0.00"))]
    on_the_day = late_interest(STATUTORY, balances, due, settled, BOOK)
    afterwards = late_interest(STATUTORY, balances, due, settled + timedelta(days=later), BOOK)
    assert on_the_day == afterwards
