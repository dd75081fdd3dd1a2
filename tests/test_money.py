"""Money: exact until the line, then rounded once, HALF_UP, to the cent."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import (
    instalment,
    plain,
    rounded,
    share_of,
    shared_out,
    split,
    to_cents,
)

D = Decimal

exact_amounts = st.decimals(-10_000_000, 10_000_000, places=4)
amounts = st.decimals(-10_000_000, 10_000_000, places=2)
fractions = st.fractions(-100_000, 100_000, max_denominator=100_000)


@pytest.mark.parametrize(
    ("exact", "cents"),
    [
        (D("0.004"), "0.00"),
        (D("0.005"), "0.01"),  # a tie goes away from zero
        (D("-0.005"), "-0.01"),  # on both sides
        (D("0.015"), "0.02"),  # 1.5 cents: half-even would say 2 as well
        (D("0.025"), "0.03"),  # 2.5 cents: half-even would say 2
        (D("2.675"), "2.68"),  # as a binary float it is 2.67499…
        (D("1.0049999999999999999"), "1.00"),
        (Fraction(1, 3), "0.33"),
        (Fraction(2, 3), "0.67"),
        (Fraction(-2, 3), "-0.67"),
        (Fraction(1, 200), "0.01"),
        (Fraction(-1, 200), "-0.01"),
        (7, "7.00"),
        (D("1E+3"), "1000.00"),
    ],
)
def test_an_amount_is_rounded_half_up_to_the_cent(exact, cents):
    assert str(to_cents(exact)) == cents


@pytest.mark.parametrize("nothing", [D("-0.004"), D("-0.00"), D("-300.00") * 0, Fraction(-1, 999)])
def test_no_amount_is_ever_minus_zero(nothing):
    assert str(to_cents(nothing)) == "0.00"
    assert str(rounded(nothing, 2)) == "0.00"


@pytest.mark.parametrize(
    ("exact", "decimals", "half_up", "ceiling", "down"),
    [
        ("1.0842803", 4, "1.0843", "1.0843", "1.0842"),
        ("1.0842803", 3, "1.084", "1.085", "1.084"),
        ("1.0842803", 6, "1.084280", "1.084281", "1.084280"),
        ("8.425", 2, "8.43", "8.43", "8.42"),
        ("-0.125", 2, "-0.13", "-0.12", "-0.12"),  # ceiling is towards +∞, down towards zero
        ("-1.239", 2, "-1.24", "-1.23", "-1.23"),
        ("2.5", 0, "3", "3", "2"),
        ("3", 2, "3.00", "3.00", "3.00"),
    ],
)
def test_a_rounding_mode_means_the_same_for_decimals_and_for_fractions(
    exact, decimals, half_up, ceiling, down
):
    for value in (D(exact), Fraction(exact)):
        assert str(rounded(value, decimals)) == half_up
        assert str(rounded(value, decimals, "ceiling")) == ceiling
        assert str(rounded(value, decimals, "down")) == down


@pytest.mark.parametrize("value", [D("1.5"), Fraction(3, 2), 1])
def test_an_unknown_rounding_mode_is_refused(value):
    with pytest.raises(ValueError, match="half_even"):
        rounded(value, 2, "half_even")


@given(fractions, st.integers(0, 6))
def test_half_up_is_symmetric_around_zero(value, decimals):
    assert rounded(-value, decimals) == -rounded(value, decimals)


@given(fractions, st.integers(0, 6))
def test_half_up_is_never_further_than_half_a_unit(value, decimals):
    assert abs(Fraction(rounded(value, decimals)) - value) * 10**decimals <= Fraction(1, 2)


@given(exact_amounts, st.sampled_from(["half_up", "ceiling", "down"]))
def test_a_decimal_and_the_same_fraction_round_alike(value, mode):
    assert str(rounded(value, 2, mode)) == str(rounded(Fraction(value), 2, mode))


@given(amounts)
def test_rounding_an_amount_of_cents_changes_nothing(amount):
    assert to_cents(amount) == to_cents(to_cents(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "over", "under", "part"),
    [
        ("1200.00", 275, 365, "904.11"),  # 330000 / 365 = 904.1095…
        ("180.00", 16, 30, "96.00"),
        ("0.01", 1, 2, "0.01"),  # half a cent
        ("-0.01", 1, 2, "-0.01"),
        ("99.995", 3, 3, "100.00"),  # the whole, rounded
        ("1080.00", 0, 30, "0.00"),
    ],
)
def test_a_share_of_an_amount_is_rounded_once(amount, over, under, part):
    assert str(share_of(D(amount), over, under)) == part


@pytest.mark.parametrize(
    ("amount", "parts", "each"),
    [
        # 33.333 → 33.33; 66.667 → 66.67, less 33.33; 100.00, less 66.67
        ("100.00", 3, ["33.33", "33.34", "33.33"]),
        ("-100.00", 3, ["-33.33", "-33.34", "-33.33"]),
        # 0.0033 → 0.00; 0.0067 → 0.01; 0.01
        ("0.01", 3, ["0.00", "0.01", "0.00"]),
        ("0.00", 2, ["0.00", "0.00"]),
        ("50.01", 2, ["25.01", "25.00"]),  # 25.005 is a tie
        ("1200.00", 4, ["300.00"] * 4),
        ("2400.00", 1, ["2400.00"]),
        # 83.333, 166.667, 250.00: the same three every quarter
        ("1000.00", 12, ["83.33", "83.34", "83.33"] * 4),
        # 4 decimals: 0.03335 → 0.03; 0.0667 → 0.07
        ("0.0667", 2, ["0.03", "0.04"]),
    ],
)
def test_an_amount_is_cut_by_cumulative_rounding(amount, parts, each):
    assert [str(part) for part in split(D(amount), parts)] == each


@given(exact_amounts, st.integers(1, 400))
def test_instalments_sum_to_the_whole(amount, parts):
    assert sum(split(amount, parts)) == to_cents(amount)


@given(fractions, st.integers(1, 60))
def test_instalments_of_a_fraction_sum_to_the_whole_rounded(amount, parts):
    assert sum(split(amount, parts)) == to_cents(amount)


@given(exact_amounts, st.integers(1, 400), st.data())
def test_an_instalment_is_within_a_cent_of_its_exact_part(amount, parts, data):
    part = data.draw(st.integers(1, parts))
    assert abs(Fraction(instalment(amount, part, parts)) - Fraction(amount) / parts) <= D("0.01")


@pytest.mark.parametrize(("part", "parts"), [(0, 12), (13, 12), (-1, 12), (1, 0)])
def test_an_instalment_out_of_its_plan_is_refused(part, parts):
    with pytest.raises(ValueError, match=f"part {part} of {parts}"):
        instalment(D("100.00"), part, parts)


@pytest.mark.parametrize("parts", [0, -1])
def test_an_amount_is_not_cut_in_no_part_and_so_lost(parts):
    with pytest.raises(ValueError, match="at least one part"):
        split(D("100.00"), parts)


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        ("100.00", [1, 1, 1], ["33.33", "33.34", "33.33"]),
        ("10.00", [60, 30, 10], ["6.00", "3.00", "1.00"]),
        ("54.00", ["900.00", "180.00"], ["45.00", "9.00"]),  # 5 % of 1080.00
        ("10.00", [0, 1, 0], ["0.00", "10.00", "0.00"]),
        ("-0.05", [1, 1], ["-0.03", "-0.02"]),  # −0.025 is a tie
        # a discount line takes its part with its sign: 1200 and −300 of 900
        ("90.00", ["1200.00", "-300.00"], ["120.00", "-30.00"]),
        ("0.00", [0, 0], ["0.00", "0.00"]),
        ("0.00", [], []),
    ],
)
def test_an_amount_is_shared_out_by_weight(amount, weights, parts):
    assert [str(part) for part in shared_out(D(amount), map(D, weights))] == parts


@given(amounts, st.lists(st.decimals(0, 100_000, places=4), min_size=1, max_size=40))
def test_what_is_shared_out_sums_to_the_amount(amount, weights):
    if sum(weights):
        assert sum(shared_out(amount, weights)) == amount


@pytest.mark.parametrize("weights", [[], [0, 0], [100, -100]])
def test_an_amount_is_not_shared_out_on_nothing_and_so_lost(weights):
    with pytest.raises(ValueError, match="sum to nothing"):
        shared_out(D("10.00"), map(D, weights))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (D("1E+3"), "1000"),
        (D("0.97975"), "0.97975"),
        (D("1.50"), "1.50"),
        (Fraction(599607, 553000), "599607/553000"),
        (Fraction(4, 2), "2"),
        (Fraction(-1, 3), "-1/3"),
        (12, "12"),
    ],
)
def test_an_exact_number_is_written_as_a_person_writes_it(value, written):
    assert plain(value) == written


@given(fractions)
def test_an_exact_number_is_read_back_as_it_was_written(value):
    assert Fraction(plain(value)) == value
