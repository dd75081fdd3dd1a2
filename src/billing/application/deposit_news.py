"""What contracts hear of the money of their deposit invoices, whoever allocates it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from billing.events import Event, stamped
from billing.events.contract import ContractEvent, DepositReceived, DepositReversed
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.identity import contract_id
from billing.receivable import Receivable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from billing.store import Tx

IS_ONE = b"deposit"


def heard(
    tx: Tx, events: Sequence[Event], decode: Callable[[bytes], Receivable]
) -> Iterator[ContractEvent]:
    """A word on its stream for each payment, and each reversal, on a contract's deposit invoice.

    Rows that do not hold the word "deposit" are passed over unread: a bank's statement has
    thousands.
    """
    moved = [e for e in events if isinstance(e, PaymentAllocated | PaymentReversed)]
    if not moved:
        return
    rows = tx.states("receivable", ids={event.originator_id for event in moved})
    found = {row.id: decode(row.body) for row in rows if IS_ONE in row.body}
    deposits = {id: one for id, one in found.items() if one.kind == "deposit"}
    if not deposits:
        return
    versions = _versions(tx, events, {contract_id(one.contract) for one in deposits.values()})
    for event in moved:
        one = deposits.get(event.originator_id)
        if one is None:
            continue
        id = contract_id(one.contract)
        versions[id] += 1
        yield stamped(
            _told(one.number, event), id, versions[id], event.recorded_at, event.recorded_by
        )


def _versions(tx: Tx, events: Iterable[Event], ids: set[UUID]) -> dict[UUID, int]:
    """The last version of these contracts, what is being recorded included."""
    versions = {row.id: row.version for row in tx.states("contract", ids=ids)}
    for event in events:
        if event.originator_id in versions:
            versions[event.originator_id] = event.originator_version
    return versions


def _told(number: str, event: PaymentAllocated | PaymentReversed) -> ContractEvent:
    if isinstance(event, PaymentAllocated):
        source = event.payment or event.collection or event.credit
        if event.amount > 0:
            return DepositReceived(
                amount=event.amount, received_on=event.value_on, reference=source, invoice=number
            )
        amount, reason = -event.amount, f"set off, {source}"
    else:
        amount, reason = event.amount, event.reason
    return DepositReversed(invoice=number, amount=amount, reversed_on=event.value_on, reason=reason)
