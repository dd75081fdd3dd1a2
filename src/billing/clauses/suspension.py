"""Suspension: clocks that run from a registered letter (mise en demeure, suspension).

"15 jours après une première mise en demeure par lettre recommandée avec accusé de réception
de suspendre les prestations de maintenance et de demander la résiliation de la convention aux
torts exclusifs du Client." — Si Contact, art. 7

"après 10 jours calendaires de l'envoi d'un courrier A/R demeuré infructueux, Alliance Telecom
se réserve le droit de suspendre le service et/ou de récupérer l'intégralité du matériel
fourni." — Alliance Telecom, CGV art. 9
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from msgspec import Struct

from billing.clauses.renewal import Sending

Allowed = Literal["suspend", "terminate", "recover", "block", "subscribe"]


class Clock(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """So many days after a letter, some measures are allowed; none is ever automatic.

    name: what the letter is about (unpaid, breach, overrun …). counted_on: dispatch or receipt
    of the letter. notice_by: who may send it. clear_days: the last day is still the other's to
    put things right, and the measures come the day after (jours francs).
    """

    name: str
    days: int
    allows: tuple[Allowed, ...]
    by: Sending = "registered_letter"
    counted_on: Literal["dispatch", "receipt"] = "dispatch"
    notice_by: Literal["supplier", "client", "either"] = "supplier"
    clear_days: bool = False


def allowed_from(clock: Clock, sent_on: date, received_on: date | None) -> date | None:
    """The first day on which the measures are allowed; none while the letter is not received."""
    start = sent_on if clock.counted_on == "dispatch" else received_on
    return None if start is None else start + timedelta(days=clock.days + clock.clear_days)
