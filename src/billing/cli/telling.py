"""What was recorded, told back: each event in words, what it makes due, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from billing.application import words
from billing.application.actions import Action, Told, action_of
from billing.application.outlook import Coming, Forecast, forecast, next_dates, parents_of
from billing.cli.output import Output, euros
from billing.contract.state import Contract
from billing.events import Event
from billing.events import contract as ev
from billing.events import index as ix
from billing.events import party as pt
from billing.events import run as rn

if TYPE_CHECKING:
    from billing.application import Billing


class Next(NamedTuple):
    """What comes next for a contract: its invoice, what stops it, its next other date."""

    contract: str
    invoice: Forecast | None
    stopped: str
    date: Coming | None


def record(app: Billing, out: Output, do: str, **said: Any) -> None:
    """Performs an action and tells what it recorded; what is None was not said.

    Raises BadFile when the values are not what the action takes.
    """
    tell(app, out, *performed(app, do, **said))


def performed(app: Billing, do: str, **said: Any) -> tuple[Action, Told]:
    """The action, and what it recorded."""
    given = {name: one for name, one in said.items() if one not in (None, "", (), [], {})}
    action = action_of({"do": do, **given})
    return action, action.told(app)


def tell(app: Billing, out: Output, action: Action, told: Told) -> None:
    """Tells what an action recorded, then what comes next for the contracts it touched."""
    nexts = [next_of(app, contract) for contract in contracts_of(app, told.events)]
    data = {
        "do": action.__struct_config__.tag,
        "events": told.events,
        "findings": told.findings,
        "next": nexts,
    }
    out.say(data, lambda: "\n".join(lines(told, nexts) or ["nothing new: it was known already"]))


def lines(told: Told, nexts: Sequence[Next] = ()) -> list[str]:
    """The same for people, a line each."""
    found = [line for event in told.events for line in of_event(event)]
    found += [f"warning: {finding}" for finding in told.findings if finding.severity == "warn"]
    return found + [line for one in nexts for line in of_next(one)]


def of_event(event: Event) -> Iterator[str]:
    """An event: its day and its words, then each charge it makes due."""
    sentence = _WORDS.get(type(event), words.told)(event)
    yield f"{words.happened_on(event)}  {sentence}"
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
    others = (
        c for c in next_dates(app, contract) if c.what != "invoice" and c.on >= app.today
    )
    return Next(contract.number, invoice, ahead.stopped, next(others, None))


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
    else:
        yield f"next: {one.contract} has nothing more to bill as it stands"
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
    return f"mandate amended on {e.amended_on}: {', '.join(told)}"


def _closed(e: rn.BillingRunClosed) -> str:
    aside = f", {e.set_aside} contracts set aside" if e.set_aside else ""
    notes = f", {e.credit_notes} credit notes" if e.credit_notes else ""
    total = f"{euros(e.net)} before tax, {euros(e.gross)} with it"
    return f"{e.invoices} invoices{notes}: {total}{aside}"


_WORDS: dict[type[Event], Callable[[Any], str]] = {
    pt.PartyRegistered: lambda e: f"{e.party.code} is known: {e.party.name}",
    pt.PartyAmended: lambda e: f"{e.party.code} is from now on: {e.party.name}",
    pt.MandateSigned: lambda e: (
        f"mandate {e.reference} of {e.debtor} for {e.creditor} ({e.scheme}), account {e.iban}"
    ),
    pt.MandateAmended: _mandate_amended,
    pt.MandateRevoked: lambda e: f"mandate revoked on {e.revoked_on}",
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
