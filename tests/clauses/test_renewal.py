"""Renewal: one term after another, the last day to say no, the day to make an offer."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.renewal import (
    Notice,
    Renewal,
    first_term,
    last_day_for_notice,
    next_term,
    prompt_on,
)
from billing.dates import Period, add_months

day = date.fromisoformat


def term(start, end):
    return Period(day(start), day(end))


YEAR_2026 = term("2026-01-01", "2027-01-01")
SI_CONTACT = term("2024-03-15", "2027-03-15")  # its last day is 2027-03-14


@pytest.mark.parametrize(
    ("clause", "starts_on", "expected"),
    [
        (Renewal(), "2026-01-01", ("2026-01-01", "2027-01-01")),
        (Renewal(), "2024-02-29", ("2024-02-29", "2025-02-28")),
        (Renewal(), "2023-03-01", ("2023-03-01", "2024-03-01")),  # 366 days
        (Renewal(term_months=60), "2024-03-15", ("2024-03-15", "2029-03-15")),
        (Renewal(kind="offer", term_months=36), "2024-03-15", ("2024-03-15", "2027-03-15")),
        (Renewal(kind="none", term_months=1), "2026-01-31", ("2026-01-31", "2026-02-28")),
    ],
)
def test_a_first_term_lasts_its_months(clause, starts_on, expected):
    assert first_term(clause, day(starts_on)) == term(*expected)


@pytest.mark.parametrize(
    "clause", [Renewal(kind="open"), Renewal(kind="linked"), Renewal(term_months=None)]
)
def test_a_contract_without_end_or_that_follows_another_has_no_term(clause):
    assert first_term(clause, day("2026-01-01")) is None


@pytest.mark.parametrize(
    ("clause", "starts_on", "last", "so_far", "expected"),
    [
        (Renewal(), "2026-01-01", ("2026-01-01", "2027-01-01"), 12, ("2027-01-01", "2028-01-01")),
        # five years, then one by one
        (
            Renewal(term_months=60, months=12),
            "2024-03-15",
            ("2024-03-15", "2029-03-15"),
            60,
            ("2029-03-15", "2030-03-15"),
        ),
        # 29 February comes back in 2028
        (Renewal(), "2024-02-29", ("2026-02-28", "2027-02-28"), 36, ("2027-02-28", "2028-02-29")),
        (Renewal(), "2024-02-29", ("2027-02-28", "2028-02-29"), 48, ("2028-02-29", "2029-02-28")),
        (
            Renewal(term_months=1),
            "2026-01-31",
            ("2026-01-31", "2026-02-28"),
            1,
            ("2026-02-28", "2026-03-31"),
        ),
    ],
)
def test_a_term_follows_the_last_one(clause, starts_on, last, so_far, expected):
    assert next_term(clause, day(starts_on), term(*last), so_far) == term(*expected)


@given(
    st.dates(date(2000, 1, 1), date(2050, 12, 31)),
    st.sampled_from([1, 3, 12, 36, 60]),
    st.sampled_from([None, 1, 3, 12]),
    st.integers(1, 12),
)
def test_terms_follow_each_other_without_gap_and_never_drift(starts_on, first, months, renewals):
    clause = Renewal(term_months=first, months=months)
    running, so_far = first_term(clause, starts_on), first
    for _ in range(renewals):
        following = next_term(clause, starts_on, running, so_far)
        assert following.start == running.end
        running, so_far = following, so_far + (months or first)
    assert running.end == add_months(starts_on, so_far)


@pytest.mark.parametrize(
    ("notice", "running", "last_day"),
    [
        # "trois mois avant le terme": 31 December − 3 months
        (Notice(months=3), YEAR_2026, "2026-09-30"),
        (Notice(months=3), SI_CONTACT, "2026-12-14"),
        (Notice(months=1), YEAR_2026, "2026-11-30"),
        (Notice(months=3), term("2026-06-01", "2027-06-01"), "2027-02-28"),  # 31 May − 3
        (Notice(months=3), term("2027-06-01", "2028-06-01"), "2028-02-29"),
        (Notice(days=60), YEAR_2026, "2026-11-01"),
        (Notice(months=1, days=5), YEAR_2026, "2026-11-25"),
        (Notice(), YEAR_2026, "2026-12-31"),  # an objection, up to the last day
    ],
)
def test_notice_stops_the_renewal_up_to_a_last_day(notice, running, last_day):
    assert last_day_for_notice(Renewal(notice=notice), running) == day(last_day)


@pytest.mark.parametrize(
    ("clause", "running", "on"),
    [
        # a quote "environ 60 jours avant l'expiration": 31 days of December, 29 of November
        (Renewal(prompt_days=60), YEAR_2026, "2026-11-01"),
        # an offer two months before the end
        (Renewal(kind="offer", prompt_months=2), SI_CONTACT, "2027-01-14"),
        (Renewal(kind="offer", prompt_months=2), YEAR_2026, "2026-10-31"),
        (Renewal(prompt_months=2), term("2026-05-01", "2027-05-01"), "2027-02-28"),  # 30 April
        (Renewal(prompt_months=1, prompt_days=15), YEAR_2026, "2026-11-15"),
    ],
)
def test_a_quote_or_an_offer_is_due_before_the_last_day(clause, running, on):
    assert prompt_on(clause, running) == day(on)


def test_a_contract_that_promises_no_offer_has_none_due():
    assert prompt_on(Renewal(), YEAR_2026) is None


@given(
    st.dates(date(2000, 1, 1), date(2050, 12, 31)),
    st.sampled_from([12, 36, 60]),
    st.integers(0, 11),
    st.integers(0, 30),
)
def test_notice_is_possible_within_the_term_and_never_after_it(starts_on, length, months, days):
    running = Period(starts_on, add_months(starts_on, length))
    last_day = last_day_for_notice(Renewal(notice=Notice(months=months, days=days)), running)
    assert last_day <= running.last_day
    assert last_day_for_notice(Renewal(notice=Notice(months=months + 1, days=days)), running) < (
        last_day
    )
