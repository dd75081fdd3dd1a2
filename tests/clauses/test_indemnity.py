"""Indemnity: the share of what remains that early termination costs."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.indemnity import Indemnity, Remaining, indemnity
from billing.dates import Period, add_months

D = Decimal

THREE_QUARTERS = Indemnity(share=D("0.75"))
HALF_THE_ANNUITIES = Indemnity(share=D("0.5"), of="annuities")


def instalments(count, net, months=1, first=date(2026, 1, 1)):
    """So many instalments of one net, in a row."""
    return [
        Remaining(
            Period(add_months(first, n * months), add_months(first, (n + 1) * months)), D(net)
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("clause", "remaining", "cost"),
    [
        (THREE_QUARTERS, instalments(31, "180.00"), "4185.00"),  # 5580.00 × 3/4
        (HALF_THE_ANNUITIES, instalments(2, "2400.00", 12), "2400.00"),  # 4800.00 / 2
        (HALF_THE_ANNUITIES, instalments(1, "2400.00", 12), "1200.00"),
        (THREE_QUARTERS, [], "0.00"),  # nothing was left
        (THREE_QUARTERS, instalments(1, "0.01"), "0.01"),  # 0.0075
        (HALF_THE_ANNUITIES, instalments(1, "0.01"), "0.01"),  # a tie
        # the sum is rounded, not each part: 3 × 0.01 × 0.5 = 0.015
        (HALF_THE_ANNUITIES, instalments(3, "0.01"), "0.02"),
        (Indemnity(share=D(1)), instalments(12, "99.99"), "1199.88"),
        (Indemnity(share=D(0)), instalments(12, "99.99"), "0.00"),
        # fees that differ, with a discount among them: (200 − 50) × 3/4
        (THREE_QUARTERS, [*instalments(1, "200.00"), *instalments(1, "-50.00")], "112.50"),
    ],
)
def test_leaving_early_costs_a_share_of_what_was_left(clause, remaining, cost):
    assert str(indemnity(clause, remaining)) == cost


def test_it_bears_vat_unless_the_contract_says_why_not():
    assert THREE_QUARTERS.taxable
    assert not Indemnity(share=D("0.75"), taxable=False, untaxed_because="damages").taxable


@given(
    st.decimals(0, 1, places=4),
    st.lists(st.decimals(0, 10_000, places=2), max_size=60),
)
def test_an_indemnity_is_never_negative_nor_more_than_what_was_left(share, nets):
    remaining = [Remaining(Period(date(2026, 1, 1), date(2026, 2, 1)), net) for net in nets]
    assert 0 <= indemnity(Indemnity(share=share), remaining) <= sum(nets)
