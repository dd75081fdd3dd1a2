"""Mandates found lapsed (caducité), or stopped by a bank: what a run looks at first.

A mandate lapses of itself, and nobody is there to see it: whoever bills or collects looks first.
Only a house that hands its debits over from here is told so: of the others' debits nothing is
known.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from billing.application.states import CAME_BACK, KINDS
from billing.contract import change
from billing.dates import DAY
from billing.events import Event
from billing.events.party import MandateLapsed
from billing.identity import contract_id, stream
from billing.mandate import Mandate, halted

if TYPE_CHECKING:
    from billing.application.core import Billing
    from billing.store import Tx


def lapsed(app: Billing, on: date, reader: Tx | None = None) -> list[Mandate]:
    """The mandates that have lapsed by that day and are not known to have."""
    reads = reader or app.store
    if not reads.count_states("collection_file"):
        return []
    rows = reads.states("mandate", due_before=on + DAY)
    return [KINDS["mandate"].decode(row.body) for row in rows]


def stopped(app: Billing) -> dict[str, str]:
    """The mandates a bank stopped, not amended since, each with the sentence that says so."""
    from billing.bank.reasons import STOPS  # Slow to import: its package reads XML.

    rows = app.store.states("mandate", parents=[CAME_BACK])
    found = {row.name: halted(KINDS["mandate"].decode(row.body), STOPS) for row in rows}
    return {name: why for name, why in found.items() if why}


def lapse(app: Billing, by: str = "") -> list[Event]:
    """Records the mandates that have lapsed by today; their contracts have none any more."""
    if not lapsed(app, app.today):
        return []
    with app.store.transaction() as tx:
        tx.lock()
        found = lapsed(app, app.today, tx)
        names = {mandate.reference for mandate in found}
        events: list[Any] = []
        for mandate in found:
            told = MandateLapsed(lapsed_on=mandate.lapses_on)
            events += app.stamp([told], stream("mandate", mandate.reference), mandate.version, by)
        for row in tx.states("contract"):
            contract = app.contract_of(row)
            if contract.mandate in names:
                taken = change.attach_mandate(contract, "", app.today)
                events += app.stamp(taken, contract_id(contract.number), contract.version, by)
        app.write_in(tx, events)
    return events
