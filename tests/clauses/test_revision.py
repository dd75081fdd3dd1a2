"""Revision: P = Po × (a + Σ b·I/Io), on readings and links anyone can look up."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.revision import (
    Revision,
    Rounding,
    Weight,
    coefficient,
    first_revision,
    next_revision,
    revised_price,
)
from billing.dates import add_months
from indices import Comparison, Link, MissingLink, NotYetPublished, Reading, SeriesEnded, shipped

D = Decimal
day = date.fromisoformat
BOOK = shipped()

SYNTEC = Weight(weight=D(1), series="SYNTEC")
SIMPLE = Revision(indices=(SYNTEC,))
# P = Po (0.20·PsdT/PsdTo + 0.80·S/So), both replaced by decision
ALLIANCE = Revision(
    indices=(
        Weight(weight=D("0.20"), series="FSD2", name="PsdT"),
        Weight(weight=D("0.80"), series="ICHTREV_TS_IME", name="S"),
    )
)
LINK = Link("SYNTEC_OLD", "SYNTEC_REVISED", "2022-08", D("0.97975"), "280.6 / 286.4")


def reading(value, series="SYNTEC_REVISED", period="2023-09"):
    return Reading(series, period, D(value), date(2023, 10, 31), "a test")


def moved(base, current):
    """An index that went from one value to another, on one scale."""
    return Comparison(reading(base, period="2022-09"), reading(current))


# 306.0 × 0.97975 = 299.8035; ÷ 276.5 = 1.0842803…
ACROSS_THE_LINK = Comparison(reading("276.5", "SYNTEC_OLD", "2021-08"), reading("306.0"), (LINK,))


def revised(clause, comparisons, price="1000.00"):
    return revised_price(D(price), coefficient(clause, comparisons).value, clause.price_rounding)


def test_a_price_of_1000_from_august_2021_to_september_2023_follows_the_link():
    # 1000.00 × 306.0 × 0.97975 / 276.5 = 1000.00 × 1.08428 = 1084.28
    assert revised(SIMPLE, [ACROSS_THE_LINK]) == D("1084.28")


def test_forgetting_the_link_would_give_22_euros_too_many():
    without = Comparison(ACROSS_THE_LINK.base, ACROSS_THE_LINK.current)
    # 1000.00 × 306.0 / 276.5 = 1000.00 × 1.10669
    assert revised(SIMPLE, [without]) == D("1106.69")


def test_the_book_finds_both_values_and_the_link_by_itself():
    base = BOOK.at("SYNTEC", "2021-08", day("2021-10-01"))
    current = BOOK.last_known("SYNTEC", day("2023-11-01"))
    assert (base.series, base.value) == ("SYNTEC_OLD", D("276.5"))
    assert (current.series, current.period, current.value) == (
        "SYNTEC_REVISED", "2023-09", D("306.0"),
    )  # fmt: skip
    assert revised(SIMPLE, [BOOK.compare(base, current)]) == D("1084.28")


@pytest.mark.parametrize(
    ("on", "period", "value"),
    [
        ("2023-06-29", "2023-04", "301.9"),
        ("2023-06-30", "2023-05", "302.7"),  # its day of publication
        ("2023-07-01", "2023-05", "302.7"),
        ("2023-07-31", "2023-06", "304.0"),
    ],
)
def test_the_last_known_index_depends_on_the_day_of_publication(on, period, value):
    last = BOOK.last_known("SYNTEC", day(on))
    assert (last.period, last.value) == (period, D(value))


def test_the_evidence_of_a_revision_redoes_the_sum():
    found = coefficient(SIMPLE, [ACROSS_THE_LINK])
    # 299.8035 / 276.5 = 2998035 / 2765000, divided by 5
    assert found.ratios == ("599607/553000",)
    assert found.exact == found.applied == "599607/553000"
    assert found.value == Fraction(2998035, 2765000)


@pytest.mark.parametrize(
    ("clause", "coefficient_applied", "price"),
    [
        # 1.0842803…, of 1000.00
        ({}, None, "1084.28"),
        ({"percentage_rounding": Rounding(2)}, "1.0843", "1084.30"),  # 8.43 %
        ({"percentage_rounding": Rounding(1)}, "1.084", "1084.00"),  # 8.4 %
        ({"percentage_rounding": Rounding(0)}, "1.08", "1080.00"),
        ({"coefficient_rounding": Rounding(3, "ceiling")}, "1.085", "1085.00"),
        ({"coefficient_rounding": Rounding(3)}, "1.084", "1084.00"),
        ({"coefficient_rounding": Rounding(4)}, "1.0843", "1084.30"),
        ({"coefficient_rounding": Rounding(4, "down")}, "1.0842", "1084.20"),
        ({"coefficient_rounding": Rounding(6)}, "1.084280", "1084.28"),
        ({"ratio_rounding": Rounding(3)}, "1.084", "1084.00"),
        ({"cap_percent": D("3")}, "1.03", "1030.00"),
        ({"cap_percent": D("8.43")}, None, "1084.28"),  # not reached
        ({"cap_percent": D("5"), "coefficient_rounding": Rounding(3)}, "1.05", "1050.00"),
        # a fixed part: 0.15 + 0.85 × 1.0842803 = 1.0716383
        ({"fixed": D("0.15"), "weight": D("0.85")}, None, "1071.64"),
    ],
)
def test_rounding_and_limits_are_data_of_the_contract(clause, coefficient_applied, price):
    weight = clause.get("weight", D(1))
    terms = {key: value for key, value in clause.items() if key != "weight"}
    made = Revision(indices=(Weight(weight=weight, series="SYNTEC"),), **terms)
    found = coefficient(made, [ACROSS_THE_LINK])
    if coefficient_applied is not None:
        assert found.value == Fraction(coefficient_applied)
    assert revised(made, [ACROSS_THE_LINK]) == D(price)


@pytest.mark.parametrize(
    ("base", "current", "clause", "applied"),
    [
        ("100", "95", {}, "0.95"),  # both ways by default
        ("100", "95", {"direction": "up_only"}, "1"),
        ("100", "105", {"direction": "up_only"}, "1.05"),
        ("100", "95", {"floor_percent": D("-2")}, "0.98"),
        ("100", "99", {"floor_percent": D("-2")}, "0.99"),
        ("100", "100.5", {"floor_percent": D("1")}, "1.01"),
        ("100", "110", {"cap_percent": D("3"), "floor_percent": D("1")}, "1.03"),
        # −0.125 %: half_up goes away from zero, ceiling up, down towards zero
        ("1000", "998.75", {"percentage_rounding": Rounding(2)}, "0.9987"),
        ("1000", "998.75", {"percentage_rounding": Rounding(2, "ceiling")}, "0.9988"),
        ("1000", "998.75", {"percentage_rounding": Rounding(2, "down")}, "0.9988"),
    ],
)
def test_an_index_may_go_down(base, current, clause, applied):
    made = Revision(indices=(SYNTEC,), **clause)
    assert coefficient(made, [moved(base, current)]).value == Fraction(applied)


@pytest.mark.parametrize(
    ("psdt", "s", "price", "expected"),
    [
        # 0.20 × 144/128 + 0.80 × 130/125 = 0.225 + 0.832 = 1.057
        (("128", "144"), ("125", "130"), "2400.00", "2536.80"),
        (("128", "144"), ("125", "130"), "180.00", "190.26"),
        # 0.20 × 0.9 + 0.80 × 1.1 = 0.18 + 0.88 = 1.06
        (("100", "90"), ("100", "110"), "1000.00", "1060.00"),
        # 0.20 × 1.5 + 0.80 × 0.9 = 0.30 + 0.72 = 1.02
        (("100", "150"), ("100", "90"), "99.99", "101.99"),  # 101.9898
        (("100", "100"), ("100", "100"), "2400.00", "2400.00"),
    ],
)
def test_alliance_weighs_two_indices_20_and_80(psdt, s, price, expected):
    assert revised(ALLIANCE, [moved(*psdt), moved(*s)], price) == D(expected)


def test_with_two_indices_the_rolling_base_and_the_original_one_differ():
    halves = Revision(
        indices=(Weight(weight=D("0.5"), series="A"), Weight(weight=D("0.5"), series="B"))
    )
    # A: 100, 110, 110; B: 100, 100, 110
    first = coefficient(halves, [moved("100", "110"), moved("100", "100")]).value
    second = coefficient(halves, [moved("110", "110"), moved("100", "110")]).value
    original = coefficient(halves, [moved("100", "110"), moved("100", "110")]).value
    assert first * second == Fraction("1.1025")  # 1.05 × 1.05
    assert original == Fraction("1.10")


@given(
    st.lists(st.integers(0, 25), max_size=4),
    st.lists(st.decimals("0.1", 1000, places=1), min_size=4, max_size=4),
    st.sampled_from([None, Rounding(2), Rounding(4, "ceiling"), Rounding(6, "down")]),
)
def test_the_coefficient_of_unchanged_indices_is_1(percents, values, rounding):
    weights = [D(percent) / 100 for percent in percents]
    clause = Revision(
        fixed=1 - sum(weights, D(0)),
        indices=tuple(Weight(weight=weight, series="X") for weight in weights),
        ratio_rounding=rounding,
        coefficient_rounding=rounding,
        percentage_rounding=rounding,
    )
    same = [moved(value, value) for value, _ in zip(values, weights, strict=False)]
    assert coefficient(clause, same).value == 1


positive = st.decimals("0.1", 1000, places=1)


@given(positive, positive, positive)
def test_revisions_that_roll_make_the_revision_from_the_first_to_the_last(one, two, three):
    rolled = (
        coefficient(SIMPLE, [moved(one, two)]).value
        * coefficient(SIMPLE, [moved(two, three)]).value
    )
    assert rolled == coefficient(SIMPLE, [moved(one, three)]).value


@given(positive, positive, positive, positive)
def test_the_coefficient_is_between_the_ratios_of_its_indices(one, two, three, four):
    low, high = sorted((Fraction(two) / Fraction(one), Fraction(four) / Fraction(three)))
    found = coefficient(ALLIANCE, [moved(one, two), moved(three, four)]).value
    assert low <= found <= high


@given(positive, positive, st.decimals(-20, 0, places=1), st.decimals(0, 20, places=1))
def test_a_coefficient_stays_within_its_floor_and_its_cap(base, current, floor, cap):
    clause = Revision(indices=(SYNTEC,), floor_percent=floor, cap_percent=cap)
    found = coefficient(clause, [moved(base, current)]).value
    assert 1 + Fraction(floor) / 100 <= found <= 1 + Fraction(cap) / 100


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_formula_is_not_worked_out_with_an_index_missing_or_one_too_many(count):
    with pytest.raises(ValueError, match="2 indices in the formula"):
        coefficient(ALLIANCE, [moved("100", "100")] * count)


@pytest.mark.parametrize("name", ["PSDT", "S_SME"])
def test_an_index_that_no_longer_exists_is_refused_without_a_decision(name):
    with pytest.raises(SeriesEnded, match="substitution must be recorded"):
        BOOK.last_known(name, day("2026-11-22"))


def test_a_missing_link_fails_and_never_counts_as_1():
    with pytest.raises(MissingLink):
        BOOK.compare(reading("100", "ICHTTS1_IME"), reading("100", "ICHTREV_TS_IME"))


def test_a_missing_month_is_refused_and_never_carried_forward():
    # December 2023 is a hole: on 2024-02-15 it must be public, November is not read for it
    with pytest.raises(NotYetPublished, match="2023-12"):
        BOOK.last_known("SYNTEC", day("2024-02-15"))


@pytest.mark.parametrize(
    ("price", "factor", "rounding", "expected"),
    [
        ("1000.00", "1.0842803", "unit", "1084.28"),
        ("180.00", "1.057", "unit", "190.26"),
        ("0.00", "1.057", "unit", "0.00"),
        ("-300.00", "1.05", "unit", "-315.00"),  # a discount is revised with the rest
        ("100", "1.0843", "unit", "108.43"),  # written without cents, revised with them
        ("0.10", "1.05", "unit", "0.11"),  # 0.105 is a tie
        ("-0.10", "1.05", "unit", "-0.11"),
        # a price by the minute keeps its four decimals: 0.00921655
        ("0.0085", "1.0843", "unit", "0.0092"),
        ("0.012", "1.04", "unit", "0.012"),  # 0.01248, of three decimals
        ("10.00", "1.0842803", "line", "10.8428030000"),
        ("10.00", "1.0842803", "contract", "10.8428030000"),
    ],
)
def test_a_unit_price_is_rounded_as_it_is_written(price, factor, rounding, expected):
    assert str(revised_price(D(price), Fraction(factor), rounding)) == expected


JULY = Revision(indices=(SYNTEC,), month=7)


@pytest.mark.parametrize(
    ("clause", "starts_on", "first"),
    [
        # the first July at least twelve months after the start
        (JULY, "2025-01-01", "2026-07-01"),
        (JULY, "2025-06-30", "2026-07-01"),
        (JULY, "2025-07-01", "2026-07-01"),  # twelve months to the day
        (JULY, "2025-07-02", "2027-07-01"),
        (JULY, "2025-12-31", "2027-07-01"),
        (JULY, "2024-02-29", "2025-07-01"),
        # the anniversary
        (SIMPLE, "2025-09-15", "2026-09-15"),
        (SIMPLE, "2024-02-29", "2025-02-28"),
        # the third one
        (Revision(indices=(SYNTEC,), first_after_months=36), "2025-09-15", "2028-09-15"),
        # 18 months are over: the anniversary after
        (Revision(indices=(SYNTEC,), first_after_months=18), "2025-09-15", "2027-09-15"),
        (Revision(indices=(SYNTEC,), first_after_months=6), "2025-09-15", "2026-09-15"),
        (Revision(indices=(SYNTEC,), every_months=36), "2025-09-15", "2028-09-15"),
        (Revision(indices=(SYNTEC,), month=1, first_after_months=6), "2025-07-01", "2026-01-01"),
        (Revision(indices=(SYNTEC,), month=1, first_after_months=6), "2025-07-02", "2027-01-01"),
    ],
)
def test_the_first_revision_waits_for_its_months(clause, starts_on, first):
    assert first_revision(clause, day(starts_on)) == day(first)


@pytest.mark.parametrize(
    ("clause", "starts_on", "revised_on", "following"),
    [
        (JULY, "2025-09-15", "2027-07-01", "2028-07-01"),
        (JULY, "2025-09-15", "2027-09-10", "2028-07-01"),  # done late, the next is on its day
        (JULY, "2025-09-15", "2028-06-30", "2028-07-01"),
        (SIMPLE, "2025-09-15", "2026-09-15", "2027-09-15"),
        # 29 February comes back in 2028
        (SIMPLE, "2024-02-29", "2025-02-28", "2026-02-28"),
        (SIMPLE, "2024-02-29", "2027-02-28", "2028-02-29"),
        (SIMPLE, "2024-02-29", "2028-02-29", "2029-02-28"),
        (Revision(indices=(SYNTEC,), every_months=36), "2025-09-15", "2028-09-15", "2031-09-15"),
        (Revision(indices=(SYNTEC,), every_months=3), "2025-11-30", "2026-11-30", "2027-02-28"),
        (Revision(indices=(SYNTEC,), every_months=3), "2025-11-30", "2027-02-28", "2027-05-30"),
    ],
)
def test_the_next_revision_is_counted_from_the_anchor(clause, starts_on, revised_on, following):
    assert next_revision(clause, day(starts_on), day(revised_on)) == day(following)


@pytest.mark.parametrize("month", [None, 1, 7, 12])
@given(starts_on=st.dates(date(2000, 1, 1), date(2050, 12, 31)), years=st.integers(1, 20))
def test_revisions_come_once_a_year_and_never_drift(month, starts_on, years):
    clause = Revision(indices=(SYNTEC,), month=month)
    first = on = first_revision(clause, starts_on)
    assert add_months(starts_on, 12) <= first < add_months(starts_on, 25)
    for _ in range(years):
        on = next_revision(clause, starts_on, on)
    anchor = starts_on if month is None else first
    assert on == add_months(anchor, 12 * (years + (month is None)))
