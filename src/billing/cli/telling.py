"""What was recorded, told back: each event in words, what it makes due, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from billing.application import words
from billing.application.actions import Action, Told
from billing.application.outlook import Coming, Forecast, forecast, next_dates, parents_of, standing
from billing.cli.output import Output, counted, euros
from billing.contract.state import Contract
from billing.events import Event
from billing.events import contract as ev
from billing.events import index as ix
from billing.events import invoice as iv
from billing.events import party as pt
from billing.events import payment as py
from billing.events import run as rn
from billing.identity import contract_id

if TYPE_CHECKING:
    from billing.application import Billing


class Next(NamedTuple):
    """What comes next for a contract: its invoice, what stops it, its next other date."""

    contract: str
    invoice: Forecast | None
    stopped: str
    date: Coming | None
    status: str


def tell(app: Billing, out: Output, action: Action, told: Told, title: str = "") -> None:
    """Tells what an action recorded, then what comes next for the contracts it touched."""
    contracts = contracts_of(app, told.events)
    nexts = [next_of(app, contract) for contract in contracts]
    others = {contract_id(c.number): c.number for c in contracts if c.number != action.about}
    data = {
        "do": action.__struct_config__.tag,
        "about": action.about,
        "events": told.events,
        "findings": told.findings,
        "changes": told.changes,
        "next": nexts,
    }

    def human() -> str:
        said = lines(told, nexts, others if action.about else {})
        said = said or ["nothing new: it was known already"]
        return "\n".join([title, *(f"  {line}" for line in said), ""] if title else said)

    out.say(data, human)


def lines(
    told: Told, nexts: Sequence[Next] = (), others: Mapping[UUID, str] | None = None
) -> list[str]:
    """The same for people, a line each; events of `others` say of which contract they are."""
    found = [line for event in told.events for line in of_event(event, others or {})]
    found += [f"            {change}" for change in told.changes]
    found += [f"warning: {finding}" for finding in told.findings if finding.severity == "warn"]
    return found + [line for one in nexts for line in of_next(one)]


def of_event(event: Event, others: Mapping[UUID, str]) -> Iterator[str]:
    """An event: its day and its words, then each charge it makes due."""
    sentence = _WORDS.get(type(event), words.told)(event)
    whose = others.get(event.originator_id)
    yield f"{words.happened_on(event)}  {f'{whose}: ' if whose else ''}{sentence}"
    if isinstance(event, ev.ContractEvent):
        for charge in event.charges:
            what = f"to credit on {charge.credits}" if charge.credits else "to bill"
            amount = -charge.net if charge.credits else charge.net
            note = f" ({charge.note})" if charge.note else ""
            yield f"            {euros(amount)} {what}, due {charge.due_on}: {charge.label}{note}"


def next_of(app: Billing, contract: Contract) -> Next:
    """The next invoice of a contract, and its next date of another kind."""
    ahead = forecast(contract, app.book(), app.today, 1, None, parents_of(app))
    invoice = ahead.invoices[0] if ahead.invoices else None
    others = (c for c in next_dates(app, contract) if c.what != "invoice" and c.on >= app.today)
    status = standing(contract, app.today).status
    return Next(contract.number, invoice, ahead.stopped, next(others, None), status)


def of_next(one: Next) -> Iterator[str]:
    """What comes next, for people."""
    if one.invoice is not None:
        bill = one.invoice
        period = f" for {bill.period}" if bill.period else ""
        debit = f", collected on {bill.collected_on}" if bill.collected_on else ""
        yield (
            f"next: {one.contract} is billed on {bill.on}{period}: {euros(bill.net)} before tax, "
            f"{euros(bill.gross)} with it, due on {bill.due_on}{debit}"
        )
    elif one.stopped:
        yield f"next: {one.contract} cannot be billed yet: {one.stopped}"
    elif one.status == "waiting for acceptance":
        yield f"next: {one.contract} is billed once its installation is accepted (`billing accept`)"
    else:
        yield f"next: {one.contract} has nothing more to bill ({one.status})"
    if one.date is not None:
        yield f"then: {one.date.on}  {one.date.told}"


def contracts_of(app: Billing, events: Iterable[Event]) -> list[Contract]:
    """The contracts the events belong to, as they are now."""
    ids = dict.fromkeys(e.originator_id for e in events if isinstance(e, ev.ContractEvent))
    if not ids:
        return []
    return [app.contract_of(row) for row in app.store.states("contract", ids=list(ids))]


def _published(e: ix.IndexPublished) -> str:
    last = max(e.observations, key=lambda o: o.period)
    how_many = "" if len(e.observations) == 1 else f"{len(e.observations)} values, the last "
    return f"{e.series}: {how_many}{last.period} = {last.value}, published on {last.published_on}"


def _corrected(e: ix.IndexCorrected) -> str:
    told = ", ".join(
        f"{o.period} = {o.value}, published on {o.published_on}" for o in e.observations
    )
    return f"{e.series} corrected: {told}{': ' + e.reason if e.reason else ''}"


def _mandate_amended(e: pt.MandateAmended) -> str:
    told = [f"account {e.iban}"] if e.iban else []
    told += [f"creditor {e.creditor}, {e.creditor_identifier}"] if e.creditor else []
    told += [f"last debited on {e.last_collected_on}"] if e.last_collected_on else []
    return f"mandate amended on {e.amended_on}: {', '.join(told)}"


def _closed(e: rn.BillingRunClosed) -> str:
    aside = f", {counted(e.set_aside, 'contract')} set aside" if e.set_aside else ""
    notes = f", {counted(e.credit_notes, 'credit note')}" if e.credit_notes else ""
    total = f"{euros(e.net)} before tax, {euros(e.gross)} with it"
    return f"{counted(e.invoices, 'invoice')}{notes}: {total}{aside}"


_WORDS: dict[type[Event], Callable[[Any], str]] = {
    pt.PartyRegistered: lambda e: f"{e.party.code} is known: {e.party.name}",
    pt.PartyAmended: lambda e: f"{e.party.code} is from now on: {e.party.name}",
    pt.MandateSigned: lambda e: (
        f"mandate {e.reference} of {e.debtor} for {e.creditor} ({e.scheme}), account {e.iban}"
    ),
    pt.MandateAmended: _mandate_amended,
    pt.MandateRevoked: lambda e: f"mandate revoked on {e.revoked_on}",
    pt.MandateLapsed: lambda e: f"mandate lapsed on {e.lapsed_on}: 36 months without a debit",
    pt.CollectionsAnnounced: lambda e: (
        f"{counted(len(e.debits), 'debit')} announced on {e.announced_on}: "
        + ", ".join(f"{euros(d.amount)} on {d.collected_on}" for d in e.debits)
    ),
    pt.CollectionOrdered: lambda e: (
        f"debit {e.end_to_end} of {euros(e.amount)} asked for {e.collected_on} ({e.sequence})"
    ),
    py.CollectionFileSubmitted: lambda e: (
        f"file {e.message} of {counted(e.count, 'debit')}, {euros(e.total)}, digest {e.digest[:12]}"
    ),
    iv.CreditNoteIssued: lambda e: (
        f"credit note {e.number} of {euros(e.gross)} on {e.credits}: {e.reason}"
    ),
    ix.SeriesDeclared: lambda e: (
        f"series {e.series.id}"
        + (f" ended on {e.series.ended}, {e.series.successor} follows it" if e.series.ended else "")
    ),
    ix.IndexPublished: _published,
    ix.IndexCorrected: _corrected,
    ix.SeriesReplaced: lambda e: (
        f"{e.link.old_series} = {e.link.new_series} × {e.link.coefficient} ({e.link.source})"
    ),
    rn.FormRecorded: lambda e: f"form {e.form} kept as it is, digest {e.digest[:12]}",
    rn.BillingRunOpened: lambda e: f"run {e.run} opened",
    rn.BillingRunClosed: _closed,
}
