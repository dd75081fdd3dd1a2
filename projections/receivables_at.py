"""What was owed on a day, what was known at a moment, and late interest to date: at read time.

The aged balance (balance âgée) is SQL over the rows, for any day: what was owed at its end is what
is owed now, with the movements that count from later days undone. A document as it was on a day
(`as_of`, by the days things count from) or as it was known (`known_at`, by when they were
recorded) is the fold of those events alone. Interest and the recovery fee to date are the engine's
own sum (`billing.arrears.claim`): they change each day and are no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union,
)

from billing import receivable as fold
from billing.application import Billing
from billing.application.balances import Aged, Balance
from billing.application.chase import terms_on
from billing.application.receivables import book
from billing.arrears import NOTHING, claim
from billing.dunning import Dunning, standard
from billing.events import Event
from billing.events import invoice as ev
from billing.events.contract import FormalNoticeSent
from billing.events.party import CollectionReturned, CollectionSettled
from billing.money import ZERO
from billing.receivable import Receivable
from billing.record import from_stored
from indices import IndexUnavailable
from projections.bodies import in_euros
from projections.database import Row
from projections.invoices import Invoices
from projections.receivables import (
    BUCKETS,
    OVER,
    payment,
    payment_movement,
    receivable,
    receivable_movement,
)
from projections.view import contract_id, invoice_id

# The aged balance


def owed_on(day: date) -> Select[Any]:
    """What was owed on each document at the end of a day, in cents, of those something was.

    `kept_cents` of it is withheld, `released_cents` was and is due since `released_on`.
    """
    r, m = receivable.c, receivable_movement.c
    undone = (
        select(m.stream, func.sum(m.amount_cents).label("cents"))
        .where(m.moved_on > day)
        .group_by(m.stream)
        .subquery("undone")
    )
    # By their indexes: what is open, and what was moved since.
    some = union(
        select(r.stream).where(r.owed_cents != 0), select(m.stream).where(m.moved_on > day)
    ).subquery("some")
    owed = r.owed_cents + func.coalesce(undone.c.cents, 0)
    told = and_(r.withheld_on.is_not(None), r.withheld_on <= day, owed > 0)
    released = and_(r.released_on.is_not(None), r.released_on <= day)
    most = case((r.retention_cents < owed, r.retention_cents), else_=owed)
    return (
        select(
            *(r.stream, r.supplier, r.number, r.kind, r.client, r.contract, r.issued_on, r.due_on),
            *(r.payable_on, r.gross_cents, r.released_on),
            owed.label("owed_cents"),
            case((and_(told, ~released), most), else_=0).label("kept_cents"),
            case((and_(told, released), most), else_=0).label("released_cents"),
        )
        .select_from(some)
        .join(receivable, r.stream == some.c.stream)
        .outerjoin(undone, undone.c.stream == r.stream)
        .where(r.issued_on <= day, owed != 0)
    )


def left_on(day: date) -> Select[Any]:
    """What was left of each payment at the end of a day, in cents, of those something was."""
    p, m = payment.c, payment_movement.c
    undone = (
        select(m.stream, func.sum(m.amount_cents).label("cents"))
        .where(m.moved_on > day)
        .group_by(m.stream)
        .subquery("undone")
    )
    left = p.left_cents - func.coalesce(undone.c.cents, 0)
    return (
        select(p.stream, p.supplier, p.reference, p.client, left.label("left_cents"))
        .outerjoin(undone, undone.c.stream == p.stream)
        .where(or_(p.left_cents != 0, undone.c.stream.is_not(None)), left != 0)
    )


def aged(
    connection: Connection, day: date, client: str | None = None, supplier: str = ""
) -> Balance:
    """What is owed at the end of a day by client and age, as `billing owed` tells it."""
    columns: dict[str, dict[str, int]] = {}
    for query in (_by_age(owed_on(day).subquery("owed"), day), _credits(day)):
        only = query.selected_columns
        if client is not None:
            query = query.where(only["client"] == client)
        if supplier:
            query = query.where(only["supplier"] == supplier)
        # A client's amounts with each of several companies are one line.
        for whose, _, *amounts in connection.execute(query):
            line = columns.setdefault(whose, {})
            for name, cents in zip(list(only.keys())[2:], amounts, strict=True):
                line[name] = line.get(name, 0) + int(cents)
    lines = tuple(_line(whose, line) for whose, line in sorted(columns.items()))
    whole: dict[str, int] = {}
    for line in columns.values():
        for name, cents in line.items():
            whole[name] = whole.get(name, 0) + cents
    return Balance(day, lines, _line("", whole))


def _by_age(owed: Subquery, day: date) -> Select[Any]:
    c = owed.c
    rest = c.owed_cents - c.kept_cents - c.released_cents
    since = case((c.released_on > c.payable_on, c.released_on), else_=c.payable_on)
    sums: list[ColumnElement[Any]] = []
    before: int | None = None
    for most, name in (*BUCKETS, (None, OVER)):
        parts = [(c.payable_on, rest), (since, c.released_cents)]
        amounts: list[ColumnElement[Any]] = [
            case((_late(on, day, before, most), cents), else_=0) for on, cents in parts
        ]
        if name == "not_due":
            amounts.append(c.kept_cents)
        total = sum(amounts[1:], amounts[0])
        sums.append(func.sum(case((c.owed_cents > 0, total), else_=0)).label(name))
        before = most
    return select(
        c.client,
        c.supplier,
        *sums,
        func.sum(c.kept_cents).label("withheld"),
        func.sum(case((c.owed_cents < 0, c.owed_cents), else_=0)).label("credit"),
    ).group_by(c.client, c.supplier)


def _late(
    on: ColumnElement[date], day: date, more: int | None, most: int | None
) -> ColumnElement[bool]:
    """Due on a day so many days before: more than the one, no more than the other."""
    bounds = []
    if more is not None:
        bounds.append(on < day - timedelta(days=more))
    if most is not None:
        bounds.append(on >= day - timedelta(days=most))
    return and_(*bounds)


def _credits(day: date) -> Select[Any]:
    left = left_on(day).subquery("left_on")
    credit = literal(0) - func.sum(left.c.left_cents)
    return select(left.c.client, left.c.supplier, credit.label("credit")).group_by(
        left.c.client, left.c.supplier
    )


def _line(client: str, cents: dict[str, int]) -> Aged:
    amounts = {name: in_euros(amount) or ZERO for name, amount in cents.items()}
    total = in_euros(sum(amount for name, amount in cents.items() if name != "withheld"))
    return Aged(client=client, total=total or ZERO, **amounts)


# Documents as they were on a day, or as they were known at a moment

DAYS: Final[dict[type[Event], str]] = {
    ev.InvoiceIssued: "issued_on",
    ev.CreditNoteIssued: "issued_on",
    ev.DebitNoteIssued: "issued_on",
    ev.InvoiceReceived: "received_on",
    ev.InvoiceCredited: "credited_on",
    ev.PaymentAllocated: "value_on",
    ev.PaymentReversed: "value_on",
    ev.InvoiceWrittenOff: "written_off_on",
    ev.RetentionWithheld: "notified_on",
    ev.RetentionReleased: "released_on",
    ev.ReminderSent: "sent_on",
    ev.InvoiceDisputed: "disputed_on",
    ev.DisputeSettled: "settled_on",
    CollectionSettled: "settled_on",
    CollectionReturned: "returned_on",
}
"""The field that says from which day an event counts; of others, the day they were recorded."""


def counts_from(event: Event) -> date:
    """The day an event counts from."""
    named = DAYS.get(type(event), "")
    day: date | None = getattr(event, named) if named else None
    return day or event.recorded_at.date()


def happened(as_of: date | None, known_at: datetime | None) -> Callable[[Event], bool]:
    """Whether an event had happened by the end of a day and was recorded by a moment."""
    return lambda event: (
        (as_of is None or counts_from(event) <= as_of)
        and (known_at is None or event.recorded_at <= known_at)
    )


def documents_at(
    app: Billing,
    ids: Iterable[UUID],
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> dict[UUID, Receivable]:
    """What was owed on some documents, by stream; those not issued or not known then are not there.

    `receivables.document_rows` makes of each the row, and the body, that it had.
    """
    wanted = dict.fromkeys(ids)
    now = book(app).many(wanted)
    mandates = {debit.mandate for r in now.values() for debit in r.debits}
    keep = happened(as_of, known_at)
    found: dict[UUID, Receivable] = {}
    own = {one.TOPIC for one in fold.EVENTS}
    for event in map(from_stored, app.store.read_events(now, own)):
        id = event.originator_id
        # What was paid in advance counts from before the document was issued.
        if keep(event) and (id in found or event.originator_version == 1):
            found[id] = fold.apply(found.get(id), event)
    for id, event in _of_mandates(app, mandates):
        if id in found and keep(event):
            found[id] = fold.observe(found[id], event)
    return {id: found[id] for id in wanted if id in found}


def _of_mandates(app: Billing, mandates: Iterable[UUID]) -> Iterator[tuple[UUID, Event]]:
    """What the streams of mandates say of documents, in the order it was recorded."""
    topics = {one.TOPIC for one in fold.OBSERVED}
    events: list[Any] = [from_stored(one) for one in app.store.read_events(mandates, topics)]
    for event in sorted(events, key=lambda one: one.recorded_at):
        yield invoice_id(event.supplier, event.invoice), event


def registered_at(
    app: Billing,
    ids: Iterable[UUID],
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> dict[UUID, Row]:
    """The rows some documents had in the register, by stream."""
    view = Invoices()
    keep = happened(as_of, known_at)
    events: dict[UUID, list[Event]] = {id: [] for id in ids}
    for event in map(from_stored, app.store.read_events(events, view.topics)):
        some = events[event.originator_id]
        if keep(event) and (some or event.originator_version == 1):
            some.append(event)
    return {id: next(iter(view.fold(id, some)))[1] for id, some in events.items() if some}


# Interest to date


class Accrued(NamedTuple):
    """What the lateness of a document comes to, up to a day inclusive; amounts in euros.

    `interest` are all its stretches, whatever was charged; `to_charge` is what of the interest and
    the fee no debit note claims yet, negative when they claim too much. `unknown` says which rate
    is not published: then nothing is counted.
    """

    until: date
    interest: Any
    fee: Decimal
    to_charge: Decimal
    unknown: str = ""


def accrued(
    app: Billing, documents: Iterable[Receivable], day: date, policy: Dunning | None = None
) -> dict[tuple[str, str], Accrued]:
    """Late interest and the recovery fee of some documents to a day, by supplier and number.

    The documents are of `documents_at`, or of the book as it is now.
    """
    documents = list(documents)
    rows = app.store.states("contract", ids={contract_id(r.contract) for r in documents})
    contracts = {row.name: app.contract_of(row) for row in rows}
    found: dict[tuple[str, str], Accrued] = {}
    for r in documents:
        contract = contracts[r.contract]
        category: Any = contract.category
        letters: list[FormalNoticeSent] = []
        if category in ("consumer", "non_professional"):  # They owe from the formal notice only.
            letters = [e for e in app.history(contract.number) if isinstance(e, FormalNoticeSent)]
        try:
            told = claim(
                r,
                terms_on(app, contract, r.issued_on),
                category,
                app.book(),
                day,
                policy or standard(),
                letters,
                {one.series: one.by_series for one in contract.substitutes},
            )
        except IndexUnavailable as unavailable:
            one = Accrued(day, NOTHING, ZERO, ZERO, str(unavailable))
        else:
            more = told.interest.amount - r.interest + told.fee - r.fee
            one = Accrued(told.until, told.interest, told.fee, more)
        found[r.supplier, r.number] = one
    return found
