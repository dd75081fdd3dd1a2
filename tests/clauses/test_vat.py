"""VAT: the rate of the day of the supply, on the sum of the lines of one rate."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.vat import standard_rate, tax_on
from indices import shipped

D = Decimal
day = date.fromisoformat


@pytest.mark.parametrize(
    ("supplied_on", "rate"),
    [
        ("1999-12-31", "20.6"),
        ("2000-03-31", "20.6"),
        ("2000-04-01", "19.6"),
        ("2013-12-31", "19.6"),
        ("2014-01-01", "20"),
        ("2016-12-30", "20"),
        ("2026-11-22", "20"),
    ],
)
def test_the_standard_rate_is_that_of_the_day_of_the_supply(supplied_on, rate):
    assert standard_rate(shipped(), day(supplied_on)) == D(rate)


@pytest.mark.parametrize(
    ("base", "rate", "tax"),
    [
        ("900.00", "20", "180.00"),  # the first invoice of Call Master
        ("180.00", "20", "36.00"),
        ("100.10", "19.6", "19.62"),  # 19.6196
        ("10.00", "5.5", "0.55"),
        ("10.00", "2.1", "0.21"),
        ("10.00", "8.5", "0.85"),
        ("0.10", "5.5", "0.01"),  # 0.0055
        ("0.02", "20", "0.00"),  # 0.004
        ("0.03", "20", "0.01"),  # 0.006
        ("2.50", "2.1", "0.05"),  # 0.0525
        ("5.00", "2.1", "0.11"),  # 0.105 is a tie
        ("-5.00", "2.1", "-0.11"),  # and its credit note takes it back whole
        ("-900.00", "20", "-180.00"),
        ("-0.02", "20", "0.00"),
        ("0.00", "20", "0.00"),
        ("900.00", "0", "0.00"),  # exempt, reverse charge, outside
        ("-900.00", "0", "0.00"),
    ],
)
def test_the_tax_of_a_base_is_rounded_half_up(base, rate, tax):
    assert str(tax_on(D(base), D(rate))) == tax


def test_tax_is_on_the_sum_of_the_lines_and_not_the_sum_of_their_taxes():
    lines = [D("0.12")] * 3
    # 0.36 × 20 % = 0.072; line by line it would be 3 × 0.02
    assert tax_on(sum(lines), D(20)) == D("0.07")


@given(st.decimals(-1_000_000, 1_000_000, places=2), st.sampled_from(["20", "19.6", "5.5", "0"]))
def test_a_credit_note_gives_back_the_tax_of_its_invoice(base, rate):
    assert tax_on(-base, D(rate)) == -tax_on(base, D(rate))
