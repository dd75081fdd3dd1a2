"""What a run would bill, contract by contract, and what differs from the invoice before (aperçu).

The previous invoices are read a batch of contracts at a time, and nothing is kept of those done:
a hundred thousand contracts need no more memory than one batch. The changes of an invoice add up
to the difference between its net and that of the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from billing.application.core import Billing
from billing.application.runs import Draft
from billing.application.words import of_lines, revised, told
from billing.clauses.proration import Share
from billing.contract.state import Contract
from billing.dates import Period
from billing.events import Event
from billing.events import contract as ev
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line
from billing.identity import invoice_id
from billing.money import ZERO
from billing.record import from_stored

BATCH = 500
BACK = 60  # Events of a contract looked through for the last invoice that billed fees.
FEE = "fee"


class Change(Struct, frozen=True):
    """One reason why an invoice differs from the one before, and by how much; none: by nothing."""

    kind: str
    told: str
    net: Decimal | None = None


class Planned(Struct, frozen=True):
    """A document the run would issue; a credit note's amounts are negative. Numbers come later."""

    contract: str
    client: str
    kind: str
    on: date
    period: Period | None
    net: Decimal
    tax: Decimal
    gross: Decimal
    due_on: date | None
    collected_on: date | None
    previous: str
    previous_net: Decimal | None
    changes: tuple[Change, ...]


def planned(
    app: Billing, drafts: Iterable[Draft], until: date, batch: int = BATCH
) -> Iterator[Planned]:
    """The documents of a dry run that ends before `until`, in its order, with what changed."""
    ahead: dict[UUID, _Ahead] = {}  # Of contracts that are due again in this run.
    drafts = iter(drafts)
    while chosen := list(islice(drafts, batch)):
        before = _previous(app, [draft for draft in chosen if draft.outcome.id not in ahead])
        since = _since(app, chosen, before)
        for draft in chosen:
            id = draft.outcome.id
            seen = ahead.pop(id, None) or _Ahead(before.get(id), since.get(id, []))
            seen.happened.extend(draft.issued.contract_events)
            for document in draft.issued.invoices:
                if isinstance(document, CreditNoteIssued):
                    yield _credit(document)
                    continue
                yield _compared(document, seen.previous, seen.happened, draft.issued.after)
                if document.period is not None:
                    seen = _Ahead(document, [])
            if (draft.issued.after.next_due() or until) < until:
                ahead[id] = seen


class _Ahead(NamedTuple):
    """The last invoice of a contract's fees, and what happened since."""

    previous: InvoiceIssued | None
    happened: list[Event]


def _previous(app: Billing, drafts: Sequence[Draft]) -> dict[UUID, InvoiceIssued]:
    """The last invoice that billed fees of each contract, read together."""
    wanted = {
        invoice_id(before.supplier, before.last_invoice): outcome.id
        for outcome, issued in drafts
        if (before := outcome.before).last_invoice and _bills_fees(issued.invoices)
    }
    found = _invoices(app, wanted)
    others: dict[UUID, UUID] = {}
    for outcome, issued in drafts:
        if outcome.before.last_invoice and _bills_fees(issued.invoices) and outcome.id not in found:
            for stored in app.store.read_stream(outcome.id, desc=True, limit=BACK):
                if stored.topic == ev.InstalmentBilled.TOPIC:
                    billed = from_stored(stored)
                    assert isinstance(billed, ev.InstalmentBilled)
                    if billed.invoice and billed.period is not None:
                        others[invoice_id(outcome.before.supplier, billed.invoice)] = outcome.id
                        break
    return found | _invoices(app, others) if others else found


def _bills_fees(documents: Iterable[InvoiceIssued | CreditNoteIssued]) -> bool:
    return any(isinstance(d, InvoiceIssued) and d.period is not None for d in documents)


def _invoices(app: Billing, wanted: dict[UUID, UUID]) -> dict[UUID, InvoiceIssued]:
    """The invoices asked for that bill fees, by the stream of their contract."""
    found = {}
    for stored in app.store.read_events(wanted):
        if stored.topic == InvoiceIssued.TOPIC:
            event = from_stored(stored)
            assert isinstance(event, InvoiceIssued)
            if event.period is not None:
                found[wanted[event.originator_id]] = event
    return found


def _since(
    app: Billing, drafts: Sequence[Draft], before: dict[UUID, InvoiceIssued]
) -> dict[UUID, list[Event]]:
    """What was recorded of each contract since its previous invoice."""
    first = {
        outcome.id: before[outcome.id].contract_version
        for outcome, _ in drafts
        if outcome.id in before and outcome.before.version > before[outcome.id].contract_version
    }
    found: dict[UUID, list[Event]] = {}
    for stored in app.store.read_events(first):
        id = stored.originator_id
        assert isinstance(id, UUID)
        if stored.originator_version > first[id]:
            found.setdefault(id, []).append(from_stored(stored))
    return found


def _credit(note: CreditNoteIssued) -> Planned:
    change = Change("credit", f"gives back on {note.credits}: {note.reason}", -note.net)
    return Planned(
        note.contract, note.client, "credit note", note.issued_on, None, -note.net, -note.tax,
        -note.gross, None, None, note.credits, None, (change,),
    )  # fmt: skip


def _compared(
    document: InvoiceIssued,
    previous: InvoiceIssued | None,
    happened: Sequence[Event],
    after: Contract,
) -> Planned:
    if document.period is None:
        changes, previous = tuple(_once(document.lines)), None
    elif previous is None:
        fees = of_lines(line for line in document.lines if line.kind == FEE)
        first = Change("first", "first invoice of its fees", fees)
        changes = (first, *_once(line for line in document.lines if line.kind != FEE))
    else:
        changes = tuple(compared(previous, document, happened, after))
    return Planned(
        document.contract, document.client, "invoice", document.issued_on, document.period,
        document.net, document.tax, document.gross, document.due_on, document.collected_on,
        previous.number if previous else "", previous.net if previous else None, changes,
    )  # fmt: skip


def compared(
    previous: InvoiceIssued, now: InvoiceIssued, happened: Sequence[Event], after: Contract
) -> Iterator[Change]:
    """Why an invoice differs from the previous one: their fees by item, then what comes once."""
    for event in happened:
        if isinstance(event, ev.ContractRenewed | ev.IndexSubstituted | ev.TermsAmended):
            yield Change(event.TOPIC.rpartition(".")[2], told(event))
    revisions = {e.originator_version: e for e in happened if isinstance(e, ev.PriceRevised)}
    moved: dict[int, Decimal] = dict.fromkeys(revisions, ZERO)
    others: list[Change] = []
    earlier, later = _by_item(previous.lines), _by_item(now.lines)
    for code, lines in later.items():
        if code not in earlier:
            others.append(_new(code, lines, after))
            continue
        difference = of_lines(lines) - of_lines(earlier[code])
        if not difference:
            continue
        version = lines[-1].because[-1] if lines[-1].because else 0
        repriced = lines[-1].unit_price != earlier[code][-1].unit_price
        same_days = _days_of(lines) == _days_of(earlier[code])
        if repriced and same_days and version in revisions:
            moved[version] += difference
        else:
            others.append(_moved(code, earlier[code], lines, happened, difference))
    for version, event in revisions.items():
        yield Change("revised", revised(event), moved[version])
    yield from others
    for code, lines in earlier.items():
        if code not in later:
            yield Change("removed", _why_removed(code, happened), -of_lines(lines))
    yield from _once(line for line in now.lines if line.kind != FEE)
    past = [line for line in previous.lines if line.kind != FEE]
    if past:
        codes = ", ".join(dict.fromkeys(f"{_KINDS.get(x.kind, x.kind)} {x.code}" for x in past))
        yield Change("past", f"{previous.number} also billed {codes}", -of_lines(past))


_KINDS = {
    "usage": "usage",
    "work": "work",
    "one_off": "one-off",
    "entry_fee": "entry fee",
    "catch_up": "catch-up",
    "indemnity": "indemnity",
    "refund": "refund",
    "regularisation": "regularisation",
    "exchange": "unreturned",
    "bank_fee": "bank fee",
    "cancellation": "cancellation",
    "deposit": "deposit deducted",
    "deposit_rate": "rate of the deposit",
}


def _by_item(lines: Iterable[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.kind == FEE:
            found.setdefault(line.code, []).append(line)
    return found


def _days_of(lines: Sequence[Line]) -> list[tuple[Share | None, int]]:
    return [(line.share, line.months) for line in lines]


def _new(code: str, lines: Sequence[Line], after: Contract) -> Change:
    covered = after.covered(code)
    since = f" since {covered.since}" if covered else ""
    part = "".join(f", {_part(line)}" for line in lines if line.share is not None)
    return Change("new", f"new item {code}{since}{part}", of_lines(lines))


def _part(line: Line) -> str:
    share = line.share
    assert share is not None
    unit = {"whole_months": "months"}.get(share.method, "days")
    return f"{share.over} of {share.under} {unit}"


def _moved(
    code: str,
    earlier: Sequence[Line],
    later: Sequence[Line],
    happened: Sequence[Event],
    difference: Decimal,
) -> Change:
    before, now = earlier[-1], later[-1]
    reasons, kind = [], "proration"
    if before.unit_price != now.unit_price:
        kind = "price"
        by = next((e for e in happened if e.originator_version in now.because[1:]), None)
        how = f" ({told(by)})" if by is not None and not isinstance(by, ev.ContractRenewed) else ""
        reasons.append(f"{before.unit_price} → {now.unit_price} €{how}")
    if before.quantity != now.quantity:
        kind = "quantity"
        reasons.append(f"{before.quantity:f} → {now.quantity:f}")
    if before.discount != now.discount:
        kind = "discount"
        reasons.append(f"discount of {before.discount:f} % → {now.discount:f} %")
    if before.months != now.months:
        reasons.append(f"{before.months} → {now.months} months billed")
    if now.share is not None:
        reasons.append(_part(now))
    elif before.share is not None:
        reasons.append(f"a whole period, after {_part(before)}")
    if not reasons:
        kind = "rounding"
        reasons.append(f"part {now.part} of {now.parts}, by cumulative rounding")
    return Change(kind, f"{code}: {', '.join(reasons)}", difference)


def _why_removed(code: str, happened: Sequence[Event]) -> str:
    for event in happened:
        if isinstance(event, ev.EquipmentRemoved | ev.OptionCancelled) and event.code == code:
            return told(event)
    return f"{code} is billed no more"


def _once(lines: Iterable[Line]) -> Iterator[Change]:
    """What is billed once: catch-ups, usage, work, indemnities."""
    for line in lines:
        what = _KINDS.get(line.kind, line.kind)
        if line.kind == "catch_up" and line.period is not None:
            days = f"catch-up of {line.period.days} days of {line.code} ({line.period})"
            yield Change(line.kind, days, line.net)
        elif line.kind == FEE:
            yield Change("fee", line.label, line.net)
        else:
            note = f" ({line.note})" if line.note else ""
            yield Change(line.kind, f"{what} {line.code}: {line.label}{note}", line.net)
