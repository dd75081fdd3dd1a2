"""Fees: quantity × unit price, less the discount, cut by billing period."""

from decimal import Decimal
from fractions import Fraction
from math import lcm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.fees import Item, exact_period_fee, gross_fee, period_fee
from billing.money import to_cents

D = Decimal

prices = st.decimals(0, 100_000, places=4)
quantities = st.decimals(0, 10_000, places=3)
discounts = st.decimals(0, 100, places=2)
lengths = st.sampled_from([1, 2, 3, 4, 6, 12, 18, 24, 36, 60])


@pytest.mark.parametrize(
    ("quantity", "unit_price", "discount", "fee"),
    [
        ("1", "180.00", "0", "180.00"),  # Call Master, a month
        ("2", "40.00", "0", "80.00"),  # two more agents
        ("0", "40.00", "0", "0.00"),  # none this season
        ("1", "40.00", "100", "0.00"),  # « offert »
        ("1", "-300.00", "0", "-300.00"),  # a one-off discount is a line of its own
        ("2", "-150.00", "0", "-300.00"),
        ("1", "-300.00", "100", "0.00"),
        ("3.5", "85.00", "0", "297.50"),  # hours
        ("1", "99.99", "12.5", "87.49125"),  # 99.99 × 0.875, not yet rounded
        ("333", "0.0125", "0", "4.1625"),
        ("1000", "0.0085", "0", "8.5"),
        ("0.001", "0.0001", "0", "0.0000001"),
    ],
)
def test_a_fee_is_quantity_times_price_less_the_discount_and_exact(
    quantity, unit_price, discount, fee
):
    assert gross_fee(D(quantity), D(unit_price), D(discount)) == D(fee)


def test_the_first_invoice_of_call_master_is_1200_less_300():
    # 1200.00 installation − 300.00 discount, options offered: 900.00 net
    lines = [("1", "1200.00", "0"), ("1", "-300.00", "0"), ("1", "40.00", "100")]
    assert sum(gross_fee(*map(D, line)) for line in lines) == D("900.00")


@pytest.mark.parametrize(
    ("fee", "per_months", "months", "first_instalments"),
    [
        ("180.00", 1, 1, ["180.00", "180.00"]),
        ("180.00", 1, 3, ["540.00", "540.00"]),
        ("2400.00", 12, 12, ["2400.00", "2400.00"]),
        ("2400.00", 12, 36, ["7200.00"]),  # the whole of a three-year term
        ("1200.00", 12, 1, ["100.00"] * 13),
        # 83.333, 166.667, 250.00 …
        ("1000.00", 12, 1, ["83.33", "83.34", "83.33"] * 4),
        ("100.01", 12, 6, ["50.01", "50.00", "50.01"]),  # 50.005 is a tie; the next year alike
        ("100.00", 3, 1, ["33.33", "33.34", "33.33", "33.33"]),
        ("100.00", 12, 3, ["25.00"] * 5),
        # a half-yearly fee every four months, 200.00 a year: 66.667, 133.333, 200.00
        ("100.00", 6, 4, ["66.67", "66.66", "66.67", "66.67"]),
        ("0.00", 12, 1, ["0.00", "0.00"]),
        ("-300.00", 12, 1, ["-25.00", "-25.00"]),
        ("4.1625", 1, 1, ["4.16", "4.16"]),  # each line is rounded once, and alone
        ("4.1625", 1, 3, ["12.49"]),  # 12.4875, and not 3 × 4.16
    ],
)
def test_the_fee_of_a_billing_period(fee, per_months, months, first_instalments):
    billed = [period_fee(D(fee), per_months, months, n) for n in range(len(first_instalments))]
    assert [str(net) for net in billed] == first_instalments


@given(prices, lengths, lengths, st.integers(0, 50))
def test_instalments_sum_to_the_fee_over_the_months_both_lengths_divide(
    fee, per_months, months, cycle
):
    both = lcm(per_months, months)
    parts = both // months
    billed = [period_fee(fee, per_months, months, cycle * parts + n) for n in range(parts)]
    assert sum(billed) == to_cents(fee * (both // per_months))


@given(prices, st.sampled_from([1, 3, 6, 12]), st.integers(0, 1000))
def test_the_instalments_of_any_twelve_months_in_a_row_sum_to_the_year(fee, months, first):
    count = 12 // months
    year = sum(period_fee(fee, 12, months, first + n) for n in range(count))
    assert year == to_cents(fee)


@given(quantities, prices, discounts, lengths, lengths, st.integers(0, 100))
def test_no_fee_is_negative(quantity, price, discount, per_months, months, index):
    fee = gross_fee(quantity, price, discount)
    assert fee >= 0
    assert period_fee(fee, per_months, months, index) >= 0
    assert exact_period_fee(fee, per_months, months) >= 0


@given(quantities, prices, discounts)
def test_a_fee_is_exact(quantity, price, discount):
    exact = Fraction(quantity) * Fraction(price) * (100 - Fraction(discount)) / 100
    assert Fraction(gross_fee(quantity, price, discount)) == exact


@given(prices, lengths, lengths, st.integers(0, 100))
def test_an_instalment_is_within_a_cent_of_the_exact_fee(fee, per_months, months, index):
    exact = exact_period_fee(fee, per_months, months)
    assert abs(Fraction(period_fee(fee, per_months, months, index)) - exact) <= Fraction(1, 100)


def test_what_is_due_once_has_no_billing_period():
    with pytest.raises(AssertionError, match="once"):
        period_fee(D("1200.00"), 0, 1, 0)


def test_an_item_is_one_a_month_from_the_start_at_full_price_unless_said_otherwise():
    item = Item(code="CM", label="Call Master", unit_price=D("180.00"))
    assert (item.quantity, item.per_months, item.discount, item.entry_fee) == (1, 1, 0, 0)
    assert item.since is item.until is None
    assert item.indexed
    assert item.vat == "standard"
