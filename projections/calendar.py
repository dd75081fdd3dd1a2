"""The calendar (agenda): what comes for every contract, and what waits for someone to act.

Quotes and offers to send, last days for notice, revisions, renewals, ends, tasks, warranties,
discounts, returns, clocks of formal notices; the next invoice; the day a mandate lapses; lines of
the bank that nothing explains.

No row depends on the day it is read. On a day, what is shown are the rows with `lapses_on` after
it; a row whose `on_day` is before it is late. The days of a contract are those of
`outlook.comings`, but for the next invoice: whether it will have anything to pay only the month's
pass can say, so its row has no amount.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from billing.dates import DAY, NEVER
from billing.events import TOPICS
from billing.money import to_cents
from projections.bodies import in_cents
from projections.tables import cents, day, key, metadata, stream, text, whole
from projections.view import Contract, Mandate, StateView, Told, Waiting, ahead, next_billed

calendar = Table(
    "calendar",
    metadata,
    stream(),
    whole("rank", "Its place among the days of its stream"),
    day("on_day", "The day that comes, or that passed with something left to do"),
    day("lapses_on", "From that day on it is not shown; 9999-12-31 while nobody has acted"),
    key("supplier", "Whose contract, mandate or account it is"),
    key("client", "The client; '' for a line of the bank"),
    key("contract", "The contract's number; '' for a mandate or a line of the bank"),
    key(
        "what",
        "quote, offer, notice, revision, end, renewal, task, warranty, fee end, discount,"
        " return, clock, invoice, mandate, bank line",
    ),
    text("told", "What comes, in a sentence"),
    cents("net_cents", "What will be billed, where that is known", optional=True),
    PrimaryKeyConstraint("stream", "rank"),
    comment="Days to come, and days that passed with something left to do (agenda)",
)
Index("calendar_on_day", calendar.c.on_day, calendar.c.contract, calendar.c.what)
Index("calendar_contract", calendar.c.contract)

KINDS: Final = ("contract", "mandate", "bank_entry")


class Calendar(StateView):
    """The days to come of contracts and mandates, and the lines of the bank that wait."""

    name = "calendar"
    kinds = KINDS
    tables = (calendar,)
    topics: ClassVar = frozenset(topic for topic in TOPICS if topic.partition(".")[0] in KINDS)

    def show(self, id: UUID, state: Any) -> Iterator[Told]:
        """The days of one of them."""
        if isinstance(state, Contract):
            return _of_contract(id, state)
        return _of_mandate(id, state) if isinstance(state, Mandate) else _of_line(id, state)


def _of_contract(id: UUID, contract: Contract) -> Iterator[Told]:
    number, supplier, client = contract.number, contract.supplier, contract.client
    rank = 0
    for rank, (on, what, told, net, lapses_on) in enumerate(ahead(contract), 1):
        row = (
            id,
            rank,
            on,
            lapses_on,
            supplier,
            client,
            number,
            what,
            told,
            net and in_cents(to_cents(net)),
        )
        yield calendar, row
    if (billed := next_billed(contract)) is not None:
        on, period = billed
        told = f"next invoice for {period}" if period else "next invoice"
        if contract.aside is not None and contract.aside.held:
            told += f", set aside: {contract.aside.clause}: {contract.aside.reason}"
        row = (id, rank + 1, on, NEVER, supplier, client, number, "invoice", told, None)
        yield calendar, row


def _of_mandate(id: UUID, mandate: Mandate) -> Iterator[Told]:
    if mandate.next_due is not None:
        told = f"last day of the mandate {mandate.reference}, unless it is collected under before"
        on, creditor, debtor = mandate.next_due - DAY, mandate.creditor, mandate.debtor
        yield calendar, (id, 1, on, NEVER, creditor, debtor, "", "mandate", told, None)


def _of_line(id: UUID, line: Waiting) -> Iterator[Told]:
    if line.next_due is not None:
        told = f"{line.amount} € on the bank wait ({line.entry}): {line.why}"
        on = line.next_due
        yield calendar, (id, 1, on, NEVER, line.supplier, "", "", "bank line", told, None)
