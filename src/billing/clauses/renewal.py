"""Renewal: how a term follows another, and how one says no (reconduction, dénonciation).

"Un devis vous sera adressé environ 60 jours avant l'expiration […] Sans désaccord de votre
part, ce contrat sera automatiquement reconduit." — Pixel Tech, art. 10

"à défaut de dénonciation par lettre recommandée avec accusé de réception trois mois avant le
terme du contrat, celui-ci sera renouvelable par tacite reconduction […] par période de un (1)
an." — Alliance Telecom, maintenance art. 3

"Deux mois avant la fin de cette période, il sera systématiquement proposé au Client un
renouvellement de son contrat." — Si Contact, art. 7
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from msgspec import Struct

from billing.dates import Period, add_months

Sending = Literal["registered_letter", "letter", "email", "any"]


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How and when a party says it will not renew (préavis).

    months and days count back from the last day of the term; 0 and 0 means up to the last day.
    counted_on: the day the letter is sent, or the day it arrives.
    """

    months: int = 0
    days: int = 0
    by: Sending = "any"
    counted_on: Literal["dispatch", "receipt"] = "dispatch"


class Renewal(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What happens at the end of a term.

    tacit: it starts again unless notice was given in time. offer: it ends unless the offer was
    accepted. linked: it follows the parent contract. open: there is no term, notice ends it at
    the end of a billing period. none: it ends.
    term_months: the first term; months: each renewal (none: as long as the first term).
    prompt_months, prompt_days: when the quote or the offer is due, before the last day.
    """

    kind: Literal["tacit", "offer", "linked", "open", "none"] = "tacit"
    term_months: int | None = 12
    terms_allowed: tuple[int, ...] = ()
    months: int | None = None
    notice: Notice = Notice()
    prompt_months: int = 0
    prompt_days: int = 0
    max_renewals: int | None = None


def first_term(clause: Renewal, starts_on: date) -> Period | None:
    """The first term; none when the contract has no end or follows another."""
    if clause.kind in ("open", "linked") or clause.term_months is None:
        return None
    return Period(starts_on, add_months(starts_on, clause.term_months))


def next_term(clause: Renewal, starts_on: date, term: Period, months_so_far: int) -> Period:
    """The term that follows, counted from the start of the contract so that it never drifts."""
    months = clause.months or clause.term_months
    assert months is not None, "a contract without a term is not renewed"
    return Period(term.end, add_months(starts_on, months_so_far + months))


def last_day_for_notice(clause: Renewal, term: Period) -> date:
    """The last day on which notice stops the renewal: last day − 3 months, for instance."""
    day = add_months(term.last_day, -clause.notice.months)
    return day - timedelta(days=clause.notice.days)


def prompt_on(clause: Renewal, term: Period) -> date | None:
    """The day the renewal quote or offer is due (devis, proposition de renouvellement)."""
    if not clause.prompt_months and not clause.prompt_days:
        return None
    day = add_months(term.last_day, -clause.prompt_months)
    return day - timedelta(days=clause.prompt_days)
