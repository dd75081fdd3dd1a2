"""A line of the bank that nothing explained when it was read (écriture en attente)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from billing.events.base import Event
from billing.events.payment import EntrySettled, EntryUnmatched


class Waiting(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The line, and how it was settled if it was; `amount` in euros, negative when debited."""

    entry: str
    version: int
    supplier: str
    account: str
    amount: Decimal
    value_on: date
    kind: str
    why: str
    end_to_end: str = ""
    mandate: str = ""
    remittance: str = ""
    counterparty: str = ""
    counterparty_iban: str = ""
    code: str = ""
    settled_on: date | None = None
    how: str = ""
    payment: str = ""

    @property
    def next_due(self) -> date | None:
        """Since when it waits, or none once it is settled."""
        return self.value_on if self.settled_on is None else None


def apply(line: Waiting | None, event: Event) -> Waiting:
    """The line after one more event."""
    if isinstance(event, EntryUnmatched):
        return Waiting(
            entry=event.entry,
            version=event.originator_version,
            supplier=event.supplier,
            account=event.account,
            amount=event.amount,
            value_on=event.value_on,
            kind=event.kind,
            why=event.why,
            end_to_end=event.end_to_end,
            mandate=event.mandate,
            remittance=event.remittance,
            counterparty=event.counterparty,
            counterparty_iban=event.counterparty_iban,
            code=event.code,
        )
    assert line is not None
    assert isinstance(event, EntrySettled), event
    return replace(
        line,
        version=event.originator_version,
        settled_on=event.settled_on,
        how=event.how,
        payment=event.payment,
    )
