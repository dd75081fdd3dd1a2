"""Payment: when an invoice is due, the day it is collected, what may be withheld."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.payment import Payment, collected_on, due_on, retention
from billing.dates import end_of_month, is_target_day

D = Decimal
day = date.fromisoformat

FROM_RECEIPT = Payment(days=15, counted="receipt")
MONTH_AFTER_45 = Payment(days=45, counted="end_of_month_after")
MONTH_PLUS_45 = Payment(days=45, counted="end_of_month_plus")

days = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("clause", "issued_on", "received_on", "due"),
    [
        # "30 jours calendaires date de facture": no business-day roll
        (Payment(), "2026-09-01", None, "2026-10-01"),
        (Payment(), "2026-12-02", None, "2027-01-01"),
        (Payment(), "2026-01-30", None, "2026-03-01"),  # one day of January, 28, one of March
        (Payment(), "2024-01-30", None, "2024-02-29"),
        (Payment(), "2026-09-01", "2026-09-20", "2026-10-01"),  # receipt changes nothing
        (Payment(days=0), "2026-09-01", None, "2026-09-01"),
        (Payment(days=60), "2026-09-01", None, "2026-10-31"),
        # "quinze jours à compter de leur réception", its day excluded
        (FROM_RECEIPT, "2026-09-01", "2026-09-04", "2026-09-19"),
        (FROM_RECEIPT, "2026-09-01", None, "2026-09-16"),  # presumed on the day of issue
        (Payment(days=15, counted="receipt", presumed_receipt_days=3), "2026-09-01", None,
         "2026-09-19"),
        (Payment(days=15, counted="receipt", presumed_receipt_days=3), "2026-09-01", "2026-09-02",
         "2026-09-17"),
        # 45 days end of month: 31 January + 45 is 17 March, then the end of March
        (MONTH_AFTER_45, "2026-01-31", None, "2026-03-31"),
        # or the end of January, then 45 days: 28 of February and 17
        (MONTH_PLUS_45, "2026-01-31", None, "2026-03-17"),
        # 15 February + 45 is 1 April, then the end of April
        (MONTH_AFTER_45, "2026-02-15", None, "2026-04-30"),
        # or 28 February, then 45 days: 31 of March and 14
        (MONTH_PLUS_45, "2026-02-15", None, "2026-04-14"),
        (MONTH_AFTER_45, "2024-02-15", None, "2024-03-31"),  # 31 March 2024 is 45 days after
        (MONTH_PLUS_45, "2024-02-15", None, "2024-04-14"),
        # "fin de mois le 10"
        (Payment(days=30, counted="end_of_month_after", then_on_day=10), "2026-09-15", None,
         "2026-11-10"),
        (Payment(days=0, counted="end_of_month_after", then_on_day=31), "2026-09-15", None,
         "2026-09-30"),
        (Payment(days=30, then_on_day=10), "2026-09-10", None, "2026-10-10"),  # the very day
        (Payment(days=30, then_on_day=10), "2026-09-11", None, "2026-11-10"),  # a day late
        (Payment(days=30, then_on_day=30), "2026-12-31", None, "2027-01-30"),
        (Payment(days=30, then_on_day=31), "2027-01-02", None, "2027-02-28"),
    ],
)  # fmt: skip
def test_an_invoice_is_due(clause, issued_on, received_on, due):
    received = None if received_on is None else day(received_on)
    assert due_on(clause, day(issued_on), received) == day(due)


@given(days)
def test_both_readings_of_45_days_end_of_month_are_within_75_days(issued_on):
    after, plus = due_on(MONTH_AFTER_45, issued_on), due_on(MONTH_PLUS_45, issued_on)
    assert after == end_of_month(after)
    assert plus - end_of_month(issued_on) == timedelta(days=45)
    for due in (after, plus):
        assert timedelta(days=45) <= due - issued_on <= timedelta(days=75)


@given(days, st.integers(0, 60), st.integers(1, 31))
def test_waiting_for_a_day_of_the_month_takes_less_than_a_month(issued_on, count, on_day):
    plain = due_on(Payment(days=count), issued_on)
    waited = due_on(Payment(days=count, then_on_day=on_day), issued_on)
    assert timedelta(0) <= waited - plain <= timedelta(days=30)
    assert waited.day == min(on_day, end_of_month(waited).day)


ON_THE_FIRST = Payment(days=15, counted="receipt", means="direct_debit", debit_day=1)


@pytest.mark.parametrize(
    ("clause", "issued_on", "due", "collected"),
    [
        # the first 1st on or after the due day
        (ON_THE_FIRST, "2026-09-01", "2026-09-16", "2026-10-01"),
        (ON_THE_FIRST, "2026-08-17", "2026-09-01", "2026-09-01"),  # due on the 1st itself
        (ON_THE_FIRST, "2026-08-18", "2026-09-02", "2026-10-01"),
        (ON_THE_FIRST, "2026-12-10", "2026-12-25", "2027-01-04"),  # 1 January, a Friday
        (ON_THE_FIRST, "2027-04-10", "2027-04-25", "2027-05-03"),  # 1 May, a Saturday
        (ON_THE_FIRST, "2026-04-10", "2026-04-25", "2026-05-04"),  # 1 May, a Friday
        (ON_THE_FIRST, "2024-03-10", "2024-03-25", "2024-04-02"),  # Easter Monday
        # warned fourteen days before: 20 August + 14 is 3 September
        (Payment(days=5, debit_day=1), "2026-08-20", "2026-08-25", "2026-10-01"),
        # unless agreed shorter
        (Payment(days=5, debit_day=1, prenotification_days=5), "2026-08-20", "2026-08-25",
         "2026-09-01"),
        # no agreed day: the due day, or fourteen days after the issue
        (Payment(), "2026-09-01", "2026-10-01", "2026-10-01"),
        (Payment(days=0), "2026-06-10", "2026-06-10", "2026-06-24"),
        (Payment(), "2026-12-02", "2027-01-01", "2027-01-04"),
        # the 31st of a month of 30 days, then of February, a Saturday
        (Payment(debit_day=31), "2026-08-11", "2026-09-10", "2026-09-30"),
        (Payment(debit_day=31), "2026-01-11", "2026-02-10", "2026-03-02"),
    ],
)  # fmt: skip
def test_a_direct_debit_is_collected(clause, issued_on, due, collected):
    assert collected_on(clause, day(due), day(issued_on)) == day(collected)


@given(days, st.integers(0, 60), st.sampled_from([None, 1, 5, 15, 28, 31]), st.integers(1, 14))
def test_nothing_is_collected_early_unannounced_or_on_a_closed_day(
    issued_on, count, debit_day, warned
):
    clause = Payment(days=count, debit_day=debit_day, prenotification_days=warned)
    due = due_on(clause, issued_on)
    collected = collected_on(clause, due, issued_on)
    assert collected >= due
    assert collected >= issued_on + timedelta(days=warned)
    assert is_target_day(collected)


FIVE_PERCENT = Payment(retention_percent=D(5))


@pytest.mark.parametrize(
    ("gross", "percent", "withheld"),
    [
        ("1080.00", "5", "54.00"),
        ("1080.00", "3", "32.40"),
        ("1080.00", "0", "0.00"),
        ("99.99", "5", "5.00"),  # 4.9995
        ("0.00", "5", "0.00"),
    ],
)
def test_a_guarantee_retention_is_a_share_of_the_gross(gross, percent, withheld):
    assert retention(FIVE_PERCENT, D(gross), D(percent)) == D(withheld)


@pytest.mark.parametrize(
    ("clause", "percent"), [(FIVE_PERCENT, "5.01"), (FIVE_PERCENT, "6"), (Payment(), "1")]
)
def test_no_more_is_withheld_than_the_contract_allows(clause, percent):
    with pytest.raises(ValueError, match="allows at most"):
        retention(clause, D("1080.00"), D(percent))
