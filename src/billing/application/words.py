"""An event in a sentence, for people: one line of a contract's history (chronologie)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from billing.bank.reasons import sentence
from billing.clauses.fees import Item
from billing.dates import Period
from billing.events import Event
from billing.events import contract as ev
from billing.events import einvoicing as ei
from billing.events import invoice as iv
from billing.events import party as pt
from billing.events import payment as py
from billing.money import ZERO, rounded
from indices import Comparison

PER = {0: "once", 1: "a month", 3: "a quarter", 6: "a half-year", 12: "a year"}


def told(event: Event) -> str:
    """What happened, in one line."""
    return words_of(type(event))(event)


def words_of(kind: type[Event]) -> Callable[[Any], str]:
    """What tells events of a kind."""
    return _WORDS.get(kind) or (lambda event: kind.TOPIC)


def happened_on(event: Event) -> date:
    """The day it is about: when it takes effect, not when it was recorded."""
    return day_among(days_of(type(event)), event)


def day_among(names: Iterable[str], event: Any) -> date:
    """The first day there is in these fields; without any, the one it was recorded on."""
    for name in names:
        day = getattr(event, name)
        if isinstance(day, date):
            return day
        if isinstance(day, Period):
            return day.start
    recorded_at: datetime = event.recorded_at
    return recorded_at.date()


_DAYS = (
    "effective_on", "since", "signed_on", "accepted_on", "checked_on", "shipped_on", "returned_on",
    "done_on", "purchased_on", "decided_on", "offered_on", "sent_on", "cured_on", "suspended_on",
    "resumed_on", "cancelled_on", "removed_on", "received_on", "billed_on", "due_on", "issued_on",
    "notified_on", "released_on", "value_on", "rejected_on", "refunded_on", "written_off_on",
    "disputed_on", "settled_on",
    "term", "period",
)  # fmt: skip


@cache
def days_of(kind: type[Event]) -> tuple[str, ...]:
    """The fields of a kind of event that may say the day it is about, in that order."""
    if kind in (iv.InvoiceIssued, iv.DebitNoteIssued):  # Not the day they are due.
        return ("issued_on",)
    return tuple(name for name in _DAYS if name in kind.__struct_fields__)


def per(months: int) -> str:
    """What a price is for: a month, a year, once."""
    return PER.get(months, f"for {months} months")


@lru_cache(maxsize=1024)
def times(applied: str) -> str:
    """A coefficient as people read it: ×1.0377."""
    return f"×{rounded(Fraction(applied), 4):f}"


def moved(comparisons: Iterable[Comparison]) -> str:
    """Each index before and after: SYNTEC_REVISED 302.7 (2023-05) → 313.3 (2024-05)."""
    return ", ".join(
        f"{c.current.series} {c.base.value} ({c.base.period}) → {c.current.value} "
        f"({c.current.period})" + "".join(f" × {link.coefficient}" for link in c.links)
        for c in comparisons
    )


def revised(event: ev.PriceRevised) -> str:
    """A revision: its coefficient, its day, its indices."""
    corrected = f", correcting {event.corrects}" if event.corrects else ""
    return (
        f"revised {times(event.coefficient.applied)} on {event.effective_on}{corrected} "
        f"({moved(event.comparisons)})"
    )


def _signed(e: ev.ContractSigned) -> str:
    term = f", {e.term}" if e.term else ""
    follows = f", follows {e.parent}" if e.parent else ""
    return f"signed with {e.client} on the form {e.form}, from {e.starts_on}{term}{follows}"


def _item(item: Item) -> str:
    quantity = "" if item.quantity == 1 else f"{item.quantity:f} × "
    return f"{item.code} {quantity}{item.unit_price!s} € {per(item.per_months)}"


def _charges(e: ev.ContractEvent) -> str:
    if not e.charges:
        return ""
    net = sum((charge.net for charge in e.charges), ZERO)
    return f", {net!s} € to bill" if net > 0 else f", {-net} € to credit" if net else ""


def _fees(fees: Iterable[ev.FeeChange]) -> str:
    changed = ", ".join(f"{f.code} {f.before} → {f.after} €" for f in fees if f.before != f.after)
    return f" ({changed})" if changed else ""


def _added(e: ev.EquipmentAdded) -> str:
    how = {"in_time": "", "late": ", told late", "undeclared": ", found undeclared"}[e.declared]
    return f"{_item(e.item)} enters the cover{how}{_charges(e)}"


def _removed(e: ev.EquipmentRemoved) -> str:
    why = "out of warranty, leaves" if e.because == "out_of_warranty" else "leaves"
    return f"{e.code} {why} the cover, its fee ends on {e.fee_until}{_charges(e)}"


def _offered(e: ev.RenewalOffered) -> str:
    reference = f" {e.reference}" if e.reference else ""
    return f"renewal quote or offer{reference} for {e.term}{_fees(e.fees)}"


def _noticed(e: ev.NonRenewalNoticed) -> str:
    when = "in time" if e.in_time else f"late, the last day was {e.last_day}"
    return f"the {e.by} will not renew ({e.sending.replace('_', ' ')}): {when}, ends {e.ends_on}"


def _notice(e: ev.FormalNoticeSent) -> str:
    allows = " or ".join(e.allows)
    then = f"from {e.allowed_from} it may {allows}" if e.allowed_from else "not yet received"
    about = f", {e.about}" if e.about else ""
    return f"formal notice by the {e.by} ({e.clock}{about}): {then}"


def _suspended(e: ev.ServiceSuspended) -> str:
    what = {"block": "growth blocked", "recover": "equipment recovered"}
    return f"{what.get(e.measure, 'service suspended')} ({e.clock})"


def _terminated(e: ev.ContractTerminated) -> str:
    evidence = f": {e.evidence}" if e.evidence else ""
    return f"ended by the {e.by} ({e.cause.replace('_', ' ')}){evidence}{_charges(e)}"


def _assessed(e: ev.IndemnityAssessed) -> str:
    left = sum((part.net for part in e.remaining), ZERO)
    return (
        f"indemnity of {e.amount} €: {e.clause.share} × {left} € "
        f"({len(e.remaining)} {e.clause.of.replace('_', ' ')} left)"
    )


def _billed(e: ev.InstalmentBilled) -> str:
    # The event there are most of; `!s`, as formatting a Decimal takes three times as long.
    period = f" for {e.period!s}" if e.period else ""
    told = (
        f"invoice {e.invoice}{period}: {e.net!s} € net" if e.invoice else f"nothing to pay{period}"
    )
    if e.deducted:
        told += f", less deposits of {sum((d.net for d in e.deducted), ZERO)} € net"
    for number in e.credit_notes:
        told += f", credit note {number}"
    return told


def _aside(e: ev.ContractSetAside) -> str:
    what = "billing waits" if e.held else "billed without it"
    return f"set aside, {what}: {e.clause}: {e.reason}"


def _measured(e: ev.UsageMeasured) -> str:
    return (
        f"{e.meter} for {e.period.start.isoformat()[:7]}: {e.used:f} used, {e.included:f} included"
        f"{_charges(e)}"
    )


def _work(e: ev.SupplementaryWorkDone) -> str:
    quote = f", quote {e.quote}" if e.quote else ""
    return f"work {e.code}{quote}{', free of charge' if e.free else _charges(e)}"


def _substituted(e: ev.IndexSubstituted) -> str:
    return f"{e.series} replaced by {e.by_series}, decided by {e.decided_by}: {e.evidence}"


def _accepted(e: ev.InstallationAccepted) -> str:
    if e.blocking_defects:
        return f"installation refused: {e.blocking_defects}"
    return f"installation accepted{', with reserves: ' + e.reserves if e.reserves else ''}"


def _checked(e: ev.EquipmentChecked) -> str:
    state = "works" if e.working else "does not work"
    return f"{e.code} checked before its cover: it {state}{_charges(e)}"


def _allocated(e: iv.PaymentAllocated) -> str:
    if e.credit:
        if e.amount < 0:
            return f"{-e.amount} € of its credit set off against {e.credit}"
        return f"{e.amount} € paid by the credit of {e.credit}"
    source = f"payment {e.payment}" if e.payment else f"collection {e.collection}"
    return f"{e.amount} € paid by {e.means.replace('_', ' ')}, {source}"


def _reversed(e: iv.PaymentReversed) -> str:
    why = "".join(f", {part}" for part in (e.code, e.reason) if part)
    if not e.payment and not e.collection:
        return f"{e.amount} € refunded to the client{why}"
    source = f"payment {e.payment}" if e.payment else f"collection {e.collection}"
    return f"{e.amount} € owed again: {source} taken back{why}"


def _rejected(e: py.PaymentRejected) -> str:
    why = "".join(f", {part}" for part in (e.code, e.reason) if part)
    return f"the payment was rejected{why}{f', {e.fee} € of bank fees' if e.fee else ''}"


def _contract_assigned(e: ev.ContractAssigned) -> str:
    told = f"the {e.side} is now {e.to}"
    if e.mandate is None:
        return told
    return f"{told}, {f'collected under mandate {e.mandate}' if e.mandate else 'without a mandate'}"


_WORDS: dict[type[Event], Callable[[Any], str]] = {
    ev.ContractSigned: _signed,
    ev.TermsAmended: lambda e: (
        f"clauses amended by {e.how}{': ' + e.reason if e.reason else ''}{_fees(e.fees)}"
    ),
    ev.ContractAssigned: _contract_assigned,
    ev.MandateAttached: lambda e: (
        f"collected under mandate {e.mandate}" if e.mandate else "no mandate any more"
    ),
    ev.InstallationAccepted: _accepted,
    ev.DepositReceived: lambda e: (
        f"deposit of {e.amount} € received{f' for invoice {e.invoice}' if e.invoice else ''}"
    ),
    ev.DepositInvoiced: lambda e: (
        f"deposit invoice {e.invoice}: {e.net} € net, {e.tax} € of VAT at {e.vat_rate} %"
    ),
    ev.DepositReversed: lambda e: (
        f"deposit of {e.amount} € taken back, invoice {e.invoice}{f': {e.reason}' * bool(e.reason)}"
    ),
    ev.DepositCredited: lambda e: (
        f"deposit invoice {e.invoice} credited {e.net} € net by {e.credit_note}"
    ),
    ev.OrderCancelled: lambda e: (
        f"order cancelled, {e.deposit_kept} € of the deposit kept{_charges(e)}"
    ),
    ev.EquipmentAdded: _added,
    ev.EquipmentRemoved: _removed,
    ev.OptionSubscribed: lambda e: f"{_item(e.item)} opened{_charges(e)}",
    ev.OptionCancelled: lambda e: f"{e.code} closed, its fee ends on {e.fee_until}{_charges(e)}",
    ev.EquipmentChecked: _checked,
    ev.ReplacementShipped: lambda e: (
        f"replacement of {e.code} shipped, the faulty one is due back by {e.return_by}"
    ),
    ev.FaultyItemReturned: lambda e: f"faulty {e.code} is back",
    ev.UsageMeasured: _measured,
    ev.SupplementaryWorkDone: _work,
    ev.ChargeAdded: lambda e: f"{e.because}{_charges(e)}",
    ev.RentalPurchased: lambda e: f"the client buys what it rents, {e.price} €{_charges(e)}",
    ev.PriceRevised: lambda e: revised(e) + _charges(e),
    ev.IndexSubstituted: _substituted,
    ev.RenewalOffered: _offered,
    ev.RenewalAccepted: lambda e: f"the client accepts the term {e.term}",
    ev.NonRenewalNoticed: _noticed,
    ev.ContractRenewed: lambda e: f"renewed ({e.how}): {e.term}{_fees(e.fees)}",
    ev.FormalNoticeSent: _notice,
    ev.BreachCured: lambda e: f"what the letter asked for was done ({e.clock})",
    ev.ServiceSuspended: _suspended,
    ev.ServiceResumed: lambda e: "service resumed",
    ev.ContractTerminated: _terminated,
    ev.IndemnityAssessed: _assessed,
    ev.IndemnitySettled: lambda e: (
        f"indemnity of {e.assessed} € brought to {e.amount} €: {e.reason}"
    ),
    ev.TaskDone: lambda e: f"{e.code} done, proof: {e.proof}",
    ev.InstalmentBilled: _billed,
    ev.ContractSetAside: _aside,
    iv.InvoiceIssued: lambda e: (
        f"{f'deposit invoice {e.number} ' * (e.kind == 'deposit')}issued, {e.gross} € due on "
        f"{e.due_on}"
    ),
    iv.InvoiceNumbersTaken: lambda e: (
        f"{e.supplier}: {'numbers' if e.first < e.last else 'number'} "
        f"{f'{e.first} to ' * (e.first < e.last)}{e.last} of {e.year} taken"
    ),
    iv.CreditNoteIssued: lambda e: f"credit note of {e.gross} € on {e.credits}: {e.reason}",
    iv.InvoiceCredited: lambda e: f"credited {e.gross} € by {e.credit_note}",
    iv.InvoiceReceived: lambda e: f"received, due on {e.due_on}",
    iv.RetentionWithheld: lambda e: f"{e.amount} € withheld ({e.percent} %): {e.reason}",
    iv.ReminderSent: lambda e: (
        f"reminder {e.level}, {e.name} ({e.sending.replace('_', ' ')}): {e.owed} € asked for"
    ),
    iv.DebitNoteIssued: lambda e: f"debit note {e.number} of {e.gross} €, due on {e.due_on}",
    iv.LateInterestCharged: lambda e: (
        f"{e.amount} € of interest up to {e.until}, by {e.debit_note}"
        if e.amount > 0
        else f"{-e.amount} € of interest given back on {e.credits}, by {e.debit_note}"
    ),
    iv.RecoveryFeeCharged: lambda e: (
        f"{e.amount} € for recovery, by {e.debit_note}"
        if e.amount > 0
        else f"{-e.amount} € for recovery given back on {e.credits}, by {e.debit_note}"
    ),
    iv.InvoiceDisputed: lambda e: f"disputed: {e.reason}",
    iv.DisputeSettled: lambda e: f"dispute settled: {e.how}",
    iv.RetentionReleased: lambda e: f"{e.amount} € released",
    iv.PaymentAllocated: _allocated,
    iv.PaymentReversed: _reversed,
    iv.InvoiceWrittenOff: lambda e: (
        f"{abs(e.amount)} € {'' if e.amount > 0 else 'no longer '}written off: {e.reason}"
    ),
    ei.AddressRecorded: lambda e: f"{e.siren} receives invoices at {e.address} from {e.valid_from}",
    ei.DocumentQueued: lambda e: f"{e.number} queued for {e.platform}, to {e.address}",
    ei.FileAttached: lambda e: f"{e.file} attached, SHA-256 {e.digest[:12]}…",
    ei.DocumentSent: lambda e: f"handed to the platform{f', flow {e.flow}' * bool(e.flow)}",
    ei.CollectionDeclared: lambda e: (
        f"{sum(one.amount for one in e.amounts)} € collected on {e.value_on}, by {e.message}"
    ),
    ei.StatusReceived: lambda e: f"{e.code} {e.name}, message {e.message}",
    ei.MessageRead: lambda e: f"message {e.message} read, on {', '.join(e.documents)}",
    ei.ReportPrepared: lambda e: (
        f"{e.kind} of {e.start} to {e.end} reported ({e.type_code}): {e.documents} told"
    ),
    py.PaymentReceived: lambda e: (
        f"payment {e.reference} of {e.amount} € from {e.client or 'an unknown payer'} by "
        f"{e.means.replace('_', ' ')}"
    ),
    py.PaymentIdentified: lambda e: f"the payment is of {e.client}",
    py.PaymentRejected: _rejected,
    py.PaymentRefunded: lambda e: (
        f"{e.amount} € of the payment refunded{f': {e.reason}' if e.reason else ''}"
    ),
    pt.CollectionSettled: lambda e: f"debit {e.end_to_end} credited, {e.amount} €",
    pt.CollectionReturned: lambda e: (
        f"debit {e.end_to_end} of {e.amount} € came back ({e.kind}): {sentence(e.code)}"
        f"{f', {e.fee} € of bank fees' if e.fee else ''}"
    ),
    py.BankFileImported: lambda e: (
        f"bank file {e.schema} {e.identification} of {e.supplier}: {e.matched} of {e.entries} "
        "lines explained"
    ),
    py.EntryUnmatched: lambda e: f"{e.amount} € on {e.value_on} waits ({e.entry}): {e.why}",
    py.EntrySettled: lambda e: f"line of the bank settled: {e.how}",
}


def of_lines(lines: Iterable[iv.Line]) -> Decimal:
    """The net of some lines, in euros."""
    return sum((line.net for line in lines), ZERO)
