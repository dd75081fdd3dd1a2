"""Payment: when an invoice is due, and when and how it is collected (règlement).

"Toutes les factures émises par INTEGRAL MICRO seront payables en quinze (15) jours à compter
de leur réception par le CLIENT. […] Le prélèvement aura lieu le premier jour de chaque mois"
— Intégral Micro, conditions financières, 4 et 5

"payables à 30 jours calendaires date de facture […] obligatoirement réglés par prélèvement"
— Alliance Telecom, CGV art. 8
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from billing.dates import add_months, end_of_month, next_target_day
from billing.money import rounded


class Payment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How long the client has, and how the money comes.

    counted: from the issue, from the receipt (its day excluded), to the end of the month of
    (issue + days), or days after the end of the month of issue (the two readings of "45 days
    end of month"). `then_on_day` waits for that day of the month ("fin de mois le 10").
    presumed_receipt_days: without a recorded receipt, days from issue to receipt.
    debit_day: day of the month of collection; none: the due day. prenotification_days:
    calendar days the client is warned before a debit (14 unless agreed shorter).
    return_fees: who bears the bank's fee for a rejected debit or cheque.
    imputed: a payment that does not say what it pays goes to interest and fees first (C. civ.
    1343-1), or to the oldest due, whatever it is.
    retention_percent, retention_notice_days: guarantee retention (retenue de garantie).
    deposit_kept: a deposit stays with the supplier when the client cancels the order. It is
    taxable as the price of what was not supplied (CJEU C-295/17 and C-43/19; BOI-TVA-BASE-10-10-50)
    unless `deposit_untaxed_because` says why it only makes good a loss (arrhes, CJEU C-277/05).
    deposit_deducted_from: the first invoices, or those of what is sold once only.
    """

    days: int = 30
    counted: Literal["issue", "receipt", "end_of_month_after", "end_of_month_plus"] = "issue"
    then_on_day: int | None = None
    presumed_receipt_days: int = 0
    means: Literal["transfer", "direct_debit", "cheque", "card"] = "transfer"
    debit_required: bool = False
    debit_day: int | None = None
    prenotification_days: int = 14
    return_fees: Literal["supplier", "client"] = "supplier"
    imputed: Literal["interest_first", "oldest_first"] = "interest_first"
    retention_percent: Decimal = Decimal(0)
    retention_notice_days: int = 3
    deposit_kept: bool = False
    service_while_paid: bool = False
    deposit_untaxed_because: str = ""
    deposit_deducted_from: Literal["invoices", "sale"] = "invoices"


@lru_cache(maxsize=4096)  # A run asks it of a few clauses and days, again and again.
def due_on(clause: Payment, issued_on: date, received_on: date | None = None) -> date:
    """The last day to pay (échéance)."""
    days = timedelta(days=clause.days)
    if clause.counted == "receipt":
        presumed = issued_on + timedelta(days=clause.presumed_receipt_days)
        day = (received_on or presumed) + days
    elif clause.counted == "end_of_month_after":
        day = end_of_month(issued_on + days)
    elif clause.counted == "end_of_month_plus":
        day = end_of_month(issued_on) + days
    else:
        day = issued_on + days
    return day if clause.then_on_day is None else _on_or_after(day, clause.then_on_day)


@lru_cache(maxsize=4096)
def collected_on(clause: Payment, due: date, issued_on: date) -> date:
    """The day a direct debit is asked for (date de prélèvement): a TARGET day.

    The first agreed day of the month on or after the due day and after the notice the client
    is owed, moved to the next day the banks settle.
    """
    day = max(due, issued_on + timedelta(days=clause.prenotification_days))
    if clause.debit_day is not None:
        day = _on_or_after(day, clause.debit_day)
    return next_target_day(day)


def retention(clause: Payment, gross: Decimal, percent: Decimal) -> Decimal:
    """The guarantee retention on an invoice, in euros; never above what the contract allows."""
    if percent > clause.retention_percent:
        raise ValueError(
            f"retention of {percent} %: the contract allows at most {clause.retention_percent} %"
        )
    return rounded(Fraction(gross) * Fraction(percent) / 100, 2)


def _on_or_after(day: date, day_of_month: int) -> date:
    for months in (0, 1):
        month = add_months(day.replace(day=1), months)
        found = month.replace(day=min(day_of_month, end_of_month(month).day))
        if found >= day:
            return found
    raise AssertionError("one of two months in a row holds the day")
