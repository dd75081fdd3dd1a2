"""Proration: what a part of a billing period costs."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.proration import WHOLE, Share, share, whole_months_around
from billing.dates import Period, add_months
from billing.money import share_of

day = date.fromisoformat

METHODS = ["days", "actual_365", "thirty_360", "whole_months"]


def period(start, end):
    return Period(day(start), day(end))


@st.composite
def billing_periods(draw, last_anchor_day=31):
    """A billing period and its length in months, counted from an anchor."""
    anchor = draw(
        st.dates(date(2000, 1, 1), date(2060, 1, 1)).filter(lambda d: d.day <= last_anchor_day)
    )
    months = draw(st.sampled_from([1, 3, 6, 12, 36]))
    index = draw(st.integers(0, 12))
    return (
        Period(add_months(anchor, index * months), add_months(anchor, (index + 1) * months)),
        months,
    )


def parts_of(whole, data):
    """The period cut in consecutive parts, on days drawn."""
    cuts = data.draw(st.lists(st.integers(1, whole.days), max_size=6, unique=True))
    bounds = sorted({whole.start, whole.end, *(whole.start + timedelta(days=n) for n in cuts)})
    return [Period(start, end) for start, end in pairwise(bounds)]


@pytest.mark.parametrize(
    ("method", "covered", "whole", "months", "expected"),
    [
        # from 15 September: 16 of its 30 days
        ("days", ("2026-09-15", "2026-10-01"), ("2026-09-01", "2026-10-01"), 1, (16, 30)),
        ("days", ("2028-02-29", "2028-03-01"), ("2028-02-01", "2028-03-01"), 1, (1, 29)),
        # a quarter of 90 days, from 1 March
        ("days", ("2026-03-01", "2026-04-01"), ("2026-01-01", "2026-04-01"), 3, (31, 90)),
        # a year, from 1 April: 365 − 31 − 28 − 31
        ("days", ("2026-04-01", "2027-01-01"), ("2026-01-01", "2027-01-01"), 12, (275, 365)),
        # a leap year, from 1 March: 366 − 31 − 29
        ("days", ("2024-03-01", "2025-01-01"), ("2024-01-01", "2025-01-01"), 12, (306, 366)),
        # only what falls in the period counts
        ("days", ("2025-01-01", "2026-01-11"), ("2026-01-01", "2026-02-01"), 1, (10, 31)),
        # the anchor of 31 January: February's period has 31 days, to 30 March
        ("days", ("2026-03-01", "2026-03-31"), ("2026-02-28", "2026-03-31"), 1, (30, 31)),
        # ÷ 365 of the year: a month's fee is 1/12 of it, so 16 × 12 / 365
        ("actual_365", ("2026-09-15", "2026-10-01"), ("2026-09-01", "2026-10-01"), 1, (192, 365)),
        ("actual_365", ("2026-04-01", "2027-01-01"), ("2026-01-01", "2027-01-01"), 12, (275, 365)),
        ("actual_365", ("2024-03-01", "2025-01-01"), ("2024-01-01", "2025-01-01"), 12, (306, 365)),
        # 183 of 184 days would be 183 × 2 / 365 = 366/365 of the half-year: no more than 1
        ("actual_365", ("2026-07-02", "2027-01-01"), ("2026-07-01", "2027-01-01"), 6, (1, 1)),
        ("actual_365", ("2024-01-02", "2025-01-01"), ("2024-01-01", "2025-01-01"), 12, (1, 1)),
        # nine months of 30 days
        ("thirty_360", ("2026-04-01", "2027-01-01"), ("2026-01-01", "2027-01-01"), 12, (270, 360)),
        ("thirty_360", ("2026-02-15", "2026-03-01"), ("2026-02-01", "2026-03-01"), 1, (16, 30)),
        ("thirty_360", ("2026-01-31", "2026-02-01"), ("2026-01-01", "2026-02-01"), 1, (1, 30)),
        ("thirty_360", ("2026-01-30", "2026-01-31"), ("2026-01-01", "2026-02-01"), 1, (0, 30)),
        # 28 February to 30 March would be 32 days of 30
        ("thirty_360", ("2026-02-28", "2026-03-30"), ("2026-02-28", "2026-03-31"), 1, (1, 1)),
        # every month touched counts whole
        ("whole_months", ("2026-09-30", "2026-10-01"), ("2026-07-01", "2026-10-01"), 3, (1, 3)),
        ("whole_months", ("2026-08-31", "2026-10-01"), ("2026-07-01", "2026-10-01"), 3, (2, 3)),
        ("whole_months", ("2026-07-31", "2026-10-01"), ("2026-07-01", "2026-10-01"), 3, (1, 1)),
        ("whole_months", ("2026-09-15", "2026-10-01"), ("2026-09-01", "2026-10-01"), 1, (1, 1)),
        # from the 15th: 14 February is in the first month, the 15th in the second
        ("whole_months", ("2026-02-14", "2026-04-15"), ("2026-01-15", "2026-04-15"), 3, (1, 1)),
        ("whole_months", ("2026-02-15", "2026-04-15"), ("2026-01-15", "2026-04-15"), 3, (2, 3)),
        # from the 30th, clipped on 28 February: its months start on 28/2, 30/3 and 30/4
        ("whole_months", ("2026-03-01", "2026-05-30"), ("2026-02-28", "2026-05-30"), 3, (1, 1)),
        ("whole_months", ("2026-03-29", "2026-05-30"), ("2026-02-28", "2026-05-30"), 3, (1, 1)),
        ("whole_months", ("2026-03-30", "2026-05-30"), ("2026-02-28", "2026-05-30"), 3, (2, 3)),
        # the other end clipped: 30/11, 30/12, 30/1
        ("whole_months", ("2026-12-30", "2027-02-28"), ("2026-11-30", "2027-02-28"), 3, (2, 3)),
        # a term of 45 days, taken for one month
        ("whole_months", ("2026-01-02", "2026-02-15"), ("2026-01-01", "2026-02-15"), 1, (1, 1)),
    ],
)
def test_a_part_of_a_period_has_a_share_of_its_fee(method, covered, whole, months, expected):
    found = share(method, period(*covered), period(*whole), months)
    assert found.exact == Fraction(*expected)
    assert found.method == method


def test_a_share_tells_the_days_it_was_counted_on():
    found = share("days", period("2026-09-15", "2026-10-01"), period("2026-09-01", "2026-10-01"), 1)
    assert found == Share(16, 30, "days")  # and not 8/15


def test_equipment_added_on_1_april_costs_275_days_of_the_year():
    year = period("2026-01-01", "2027-01-01")
    found = share("days", period("2026-04-01", "2027-01-01"), year, 12)
    # 1200.00 × 275 / 365 = 330000 / 365 = 904.109…
    assert share_of(Decimal("1200.00"), found.over, found.under) == Decimal("904.11")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "covered",
    [
        ("2026-09-10", "2026-09-10"),  # no day
        ("2026-09-20", "2026-09-10"),  # it ends before it starts
        ("2026-08-01", "2026-09-01"),  # before
        ("2026-10-01", "2027-01-01"),  # after
    ],
)
def test_what_does_not_touch_the_period_costs_nothing(method, covered):
    whole = period("2026-09-01", "2026-10-01")
    assert share(method, period(*covered), whole, 1).exact == 0


@pytest.mark.parametrize("method", METHODS)
@given(billing_periods(), st.integers(0, 40), st.integers(0, 40))
def test_a_whole_period_is_1_by_every_method(method, billed, before, after):
    whole, months = billed
    wider = Period(whole.start - timedelta(days=before), whole.end + timedelta(days=after))
    assert share(method, wider, whole, months) == WHOLE


@given(billing_periods(), st.data())
def test_the_shares_of_the_parts_sum_to_1_by_days(billed, data):
    whole, months = billed
    parts = parts_of(whole, data)
    assert sum(share("days", part, whole, months).exact for part in parts) == 1


@given(billing_periods(last_anchor_day=28), st.data())
def test_the_shares_of_the_parts_sum_to_1_by_months_of_thirty_days(billed, data):
    whole, months = billed
    parts = parts_of(whole, data)
    assert sum(share("thirty_360", part, whole, months).exact for part in parts) == 1


@pytest.mark.parametrize("method", METHODS)
@given(billing_periods(), st.data())
def test_a_part_never_costs_less_than_nothing_or_more_than_the_whole(method, billed, data):
    whole, months = billed
    for part in parts_of(whole, data):
        assert 0 <= share(method, part, whole, months).exact <= 1


@pytest.mark.parametrize("method", METHODS)
@given(billing_periods(), st.data())
def test_more_days_never_cost_less(method, billed, data):
    whole, months = billed
    ends = sorted(
        whole.start + timedelta(days=n)
        for n in data.draw(st.lists(st.integers(0, whole.days), min_size=2, max_size=5))
    )
    shares = [share(method, Period(whole.start, end), whole, months).exact for end in ends]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("covered", "anchor", "whole"),
    [
        (("2026-02-17", "2026-02-18"), "2026-01-01", ("2026-02-01", "2026-03-01")),
        (("2026-02-17", "2026-03-02"), "2026-01-01", ("2026-02-01", "2026-04-01")),
        (("2026-02-17", "2026-03-01"), "2026-01-01", ("2026-02-01", "2026-03-01")),
        (("2026-02-14", "2026-02-15"), "2026-01-15", ("2026-01-15", "2026-02-15")),
        (("2026-02-15", "2026-02-16"), "2026-01-15", ("2026-02-15", "2026-03-15")),
        (("2026-03-30", "2026-03-31"), "2026-01-31", ("2026-02-28", "2026-03-31")),
        (("2025-12-31", "2026-01-02"), "2026-01-01", ("2025-12-01", "2026-02-01")),
    ],
)
def test_an_access_opened_any_day_is_billed_for_the_whole_month(covered, anchor, whole):
    assert whole_months_around(period(*covered), day(anchor)) == period(*whole)


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(0, 900), st.integers(1, 400))
def test_the_whole_months_around_some_days_hold_them_and_no_month_more(anchor, since, count):
    start = anchor + timedelta(days=since)
    covered = Period(start, start + timedelta(days=count))
    whole = whole_months_around(covered, anchor)
    assert whole & covered == covered
    assert (covered.start - whole.start).days < 31
    assert (whole.end - covered.end).days < 31
