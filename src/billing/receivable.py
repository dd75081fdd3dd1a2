"""What a client owes on one document, as its events leave it (créance).

A fold over the document's own stream. What it is owed is never stored: it follows from the
movements, at any day.

    owed = gross − credited − paid + reversed − written off

What is withheld is owed but not due until it is released.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from billing.dates import NEVER, Period
from billing.events import invoice as ev
from billing.events.base import Event
from billing.events.party import CollectionOrdered, CollectionReturned, CollectionSettled
from billing.money import ZERO

Kind = Literal["invoice", "deposit", "debit_note", "credit_note"]
Moved = Literal["payment", "reversal", "credit", "write_off"]
Of = Literal["payment", "collection", "credit_note", "set_off", ""]


class Movement(Struct, frozen=True, array_like=True, gc=False):
    """What changes the amount owed: positive makes less owed. `source` names the payment,
    the collection or the credit note; `of` tells which, "set_off" for another document."""

    on: date
    amount: Decimal
    kind: Moved
    source: str = ""
    of: Of = ""


class Sent(Struct, frozen=True, array_like=True, gc=False):
    """A reminder that was sent."""

    level: int
    sent_on: date


class Charged(Struct, frozen=True, array_like=True, gc=False):
    """What a debit note claims for the lateness of a document, less what it gave back."""

    kind: Literal["late_interest", "recovery_fee"]
    debit_note: str
    amount: Decimal


class Debited(Struct, frozen=True, array_like=True, gc=False):
    """A direct debit of a document, handed to the bank in a file and batch under a mandate.

    `settled_by` and `returned_by` are the bank's lines that told of it; `mandate` is its stream.
    """

    end_to_end: str
    mandate: UUID
    amount: Decimal
    collected_on: date
    file: str
    batch: str
    settled_on: date | None = None
    settled_by: str = ""
    returned_on: date | None = None
    returned_by: str = ""
    iban: str = ""

    @property
    def under_way(self) -> bool:
        """Whether the bank has not answered yet."""
        return self.settled_on is None and self.returned_on is None


class Receivable(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A document and what happened to what it claims; amounts in euros, tax included."""

    number: str
    version: int
    supplier: str
    client: str
    contract: str
    kind: Kind
    issued_on: date
    due_on: date
    gross: Decimal
    means: str
    mandate: str = ""
    collected_on: date | None = None
    movements: tuple[Movement, ...] = ()
    withheld: Decimal = ZERO
    withheld_on: date | None = None
    released_on: date | None = None
    reminders: tuple[Sent, ...] = ()
    interest: Decimal = ZERO
    interest_until: date | None = None
    fee: Decimal = ZERO
    # Of its direct debits, which live in the mandate's stream: `observe` below.
    collecting: str = ""
    collecting_on: date | None = None
    attempts: int = 0
    returns: int = 0
    period: Period | None = None
    charged: tuple[Charged, ...] = ()
    disputed_on: date | None = None
    debits: tuple[Debited, ...] = ()

    def owed_on(self, day: date) -> Decimal:
        """What is owed at the end of a day; negative when the client has paid too much."""
        owed = self.gross
        for movement in self.movements:
            if movement.on <= day:
                owed -= movement.amount
        return owed if self.issued_on <= day else ZERO

    @property
    def owed(self) -> Decimal:
        """What is owed when all that is known has happened."""
        return self.owed_on(NEVER)

    @property
    def due(self) -> Decimal:
        """What of it the client may not keep: owed less what is still withheld."""
        kept = self.withheld if self.released_on is None else ZERO
        return max(self.owed - kept, ZERO)

    @property
    def payable_on(self) -> date:
        """The last day the client has to pay: the due day, or the agreed one of its debit."""
        if self.means != "direct_debit" or self.collected_on is None:
            return self.due_on
        return max(self.due_on, self.collected_on)

    def total(self, kind: Moved, until: date = NEVER) -> Decimal:
        """The sum of the movements of one kind up to a day, inclusive."""
        return sum((m.amount for m in self.movements if m.kind == kind and m.on <= until), ZERO)

    def balances(self) -> list[tuple[date, Decimal]]:
        """(day, what is late-able from the end of that day on), as `late_interest` takes them.

        The first is the whole amount at the due day; what is withheld does not bear interest
        from the day it was told to the day it is released.
        """
        steps = [(m.on, m.amount) for m in self.movements]
        if self.withheld and self.withheld_on is not None:
            steps.append((self.withheld_on, self.withheld))
            if self.released_on is not None:
                steps.append((self.released_on, -self.withheld))
        left = self.gross
        found: dict[date, Decimal] = {self.due_on: left}
        for on, amount in sorted(steps):
            left -= amount
            found[max(on, self.due_on)] = left
        return list(found.items())


def _moved(r: Receivable, event: Event, movement: Movement, **changes: Any) -> Receivable:
    return replace(
        r, version=event.originator_version, movements=(*r.movements, movement), **changes
    )


def _head(
    e: ev.InvoiceIssued | ev.CreditNoteIssued | ev.DebitNoteIssued, due_on: date, **more: Any
) -> Receivable:
    return Receivable(
        number=e.number,
        version=e.originator_version,
        supplier=e.supplier,
        client=e.client,
        contract=e.contract,
        issued_on=e.issued_on,
        due_on=due_on,
        **more,
    )


def _issued(_: Receivable | None, e: ev.InvoiceIssued) -> Receivable:
    return _head(
        e,
        e.due_on,
        kind=e.kind,
        gross=e.gross,
        means=e.means,
        mandate=e.mandate,
        collected_on=e.collected_on,
        period=e.period,
    )


def _credit_note(_: Receivable | None, e: ev.CreditNoteIssued) -> Receivable:
    # Its amount is taken off the invoice it names; in itself it is owed nothing.
    return _head(e, e.issued_on, kind="credit_note", gross=ZERO, means="transfer")


def _debit_note(_: Receivable | None, e: ev.DebitNoteIssued) -> Receivable:
    return _head(e, e.due_on, kind="debit_note", gross=e.gross, means=e.means)


def _received(r: Receivable, e: ev.InvoiceReceived) -> Receivable:
    return replace(r, version=e.originator_version, due_on=e.due_on, collected_on=e.collected_on)


def _credited(r: Receivable, e: ev.InvoiceCredited) -> Receivable:
    on = e.credited_on or e.recorded_at.date()
    return _moved(r, e, Movement(on, e.gross, "credit", e.credit_note, "credit_note"))


def _allocated(r: Receivable, e: ev.PaymentAllocated) -> Receivable:
    source = e.payment or e.collection or e.credit
    of: Of = "payment" if e.payment else "collection" if e.collection else "set_off"
    return _moved(r, e, Movement(e.value_on, e.amount, "payment", source, of))


def _reversed(r: Receivable, e: ev.PaymentReversed) -> Receivable:
    source = e.payment or e.collection
    of: Of = "payment" if e.payment else "collection" if e.collection else ""
    return _moved(r, e, Movement(e.value_on, -e.amount, "reversal", source, of))


def _written_off(r: Receivable, e: ev.InvoiceWrittenOff) -> Receivable:
    return _moved(r, e, Movement(e.written_off_on, e.amount, "write_off"))


def _withheld(r: Receivable, e: ev.RetentionWithheld) -> Receivable:
    return replace(r, version=e.originator_version, withheld=e.amount, withheld_on=e.notified_on)


def _claimed(
    r: Receivable,
    kind: Literal["late_interest", "recovery_fee"],
    e: ev.LateInterestCharged | ev.RecoveryFeeCharged,
) -> tuple[Charged, ...]:
    """What each debit note claims of it, with this amount more, or less where it gives back."""
    note = e.credits or e.debit_note
    before = next((c.amount for c in r.charged if (c.kind, c.debit_note) == (kind, note)), ZERO)
    others = tuple(c for c in r.charged if (c.kind, c.debit_note) != (kind, note))
    left = before + e.amount
    return (*others, Charged(kind, note, left)) if left else others


_APPLY: dict[type[Event], Callable[[Any, Any], Receivable]] = {
    ev.InvoiceIssued: _issued,
    ev.CreditNoteIssued: _credit_note,
    ev.DebitNoteIssued: _debit_note,
    ev.InvoiceReceived: _received,
    ev.InvoiceCredited: _credited,
    ev.PaymentAllocated: _allocated,
    ev.PaymentReversed: _reversed,
    ev.InvoiceWrittenOff: _written_off,
    ev.RetentionWithheld: _withheld,
    ev.RetentionReleased: lambda r, e: replace(
        r, version=e.originator_version, released_on=e.released_on
    ),
    ev.ReminderSent: lambda r, e: replace(
        r, version=e.originator_version, reminders=(*r.reminders, Sent(e.level, e.sent_on))
    ),
    ev.LateInterestCharged: lambda r, e: replace(
        r,
        version=e.originator_version,
        interest=r.interest + e.amount,
        interest_until=e.until,
        charged=_claimed(r, "late_interest", e),
    ),
    ev.RecoveryFeeCharged: lambda r, e: replace(
        r,
        version=e.originator_version,
        fee=r.fee + e.amount,
        charged=_claimed(r, "recovery_fee", e),
    ),
    ev.InvoiceDisputed: lambda r, e: replace(
        r, version=e.originator_version, disputed_on=e.disputed_on
    ),
    ev.DisputeSettled: lambda r, e: replace(r, version=e.originator_version, disputed_on=None),
}

EVENTS = tuple(_APPLY)
"""What happens in a document's own stream."""

OBSERVED = (CollectionOrdered, CollectionSettled, CollectionReturned)
"""What happens to it in the stream of its mandate."""


def apply(receivable: Receivable | None, event: Event) -> Receivable:
    """The receivable after one more event of the document's own stream."""
    return _APPLY[type(event)](receivable, event)


def observe(receivable: Receivable, event: Event) -> Receivable:
    """The receivable after an event of its mandate: a direct debit of it is on its way, or not."""
    if isinstance(event, CollectionOrdered):
        debit = Debited(
            event.end_to_end,
            event.originator_id,
            event.amount,
            event.collected_on,
            event.file,
            event.batch,
            iban=event.iban,
        )
        return replace(
            receivable,
            collecting=event.end_to_end,
            collecting_on=event.collected_on,
            attempts=receivable.attempts + 1,
            debits=(*receivable.debits, debit),
        )
    assert isinstance(event, CollectionSettled | CollectionReturned), event
    debits = tuple(_answered(debit, event) for debit in receivable.debits)
    returns = receivable.returns + isinstance(event, CollectionReturned)
    if receivable.collecting != event.end_to_end:
        return replace(receivable, debits=debits, returns=returns)
    return replace(receivable, debits=debits, returns=returns, collecting="", collecting_on=None)


def _answered(debit: Debited, event: CollectionSettled | CollectionReturned) -> Debited:
    """The debit as the bank's answer leaves it."""
    if debit.end_to_end != event.end_to_end:
        return debit
    if isinstance(event, CollectionSettled):
        return replace(debit, settled_on=event.settled_on, settled_by=event.entry)
    return replace(debit, returned_on=event.returned_on, returned_by=event.entry)
