"""Why an invoice or a credit note is what it is: every amount back to its events (explication).

Nothing is trusted: each sum is worked out again from the events it rests on, and a sum that is
not the one recorded is shown as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing.application import explain_arrears, explain_lines, words
from billing.application.core import Billing
from billing.application.explain_prices import substitutions
from billing.application.explanation import (
    Case,
    Explanation,
    mismatches,
    moment,
    node,
    recorded,
    render,
)
from billing.clauses.interest import rate_between, recovery_fee
from billing.clauses.payment import Payment, collected_on, due_on, retention
from billing.clauses.vat import tax_on
from billing.dates import DAY, is_target_day
from billing.events.contract import DepositInvoiced
from billing.events.invoice import (
    CreditNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceNumbersTaken,
    InvoiceReceived,
    Line,
    RetentionReleased,
    RetentionWithheld,
)
from billing.events.run import BillingRunClosed, BillingRunOpened
from billing.identity import invoice_id, stream
from billing.money import ZERO
from billing.numbering import name
from billing.numbering import number as printed
from billing.refusal import Refused
from indices import IndexUnavailable


def explain(app: Billing, number: str, supplier: str = "", line: int | None = None) -> Explanation:
    """How each amount of a document came to be, or of one line of it, from 1."""
    events = app.invoice_events(number, supplier)
    if explain_arrears.is_one(app, events[0]):
        return explain_arrears.explain(app, events, line, _number(app, events[0]))
    case = Case(app, number, supplier)
    if line is not None:
        return explain_lines.line(case, line, case.line_of(line))
    document = case.document
    invoice = isinstance(document, InvoiceIssued)
    kind = "Invoice" if invoice else "Credit note"
    if isinstance(document, InvoiceIssued) and document.kind == "deposit":
        kind = "Deposit invoice"
    lines = [explain_lines.line(case, place, one) for place, one in enumerate(document.lines, 1)]
    return node(
        "document",
        f"{kind} {document.number} of {document.supplier} to {document.client}",
        f"contract {document.contract}, issued on {document.issued_on}, {document.gross} € with "
        "tax",
        [
            _totals(document),
            *_vat(document),
            node("lines", f"{len(lines)} line{'s' if len(lines) != 1 else ''}", "", lines),
            *_credited(case),
            *_due(case),
            *_late(case),
            _asked_for(case),
            _number(app, document),
            *_run(case),
            *_since(case),
        ],
    )


# Amounts


def _totals(document: InvoiceIssued | CreditNoteIssued) -> Explanation:
    nets = [line.net for line in document.lines]
    taxes = [total.tax for total in document.vat]
    net, tax = sum(nets, ZERO), sum(taxes, ZERO)
    return node(
        "totals",
        f"Total {document.gross} €",
        "",
        [
            node(
                "total",
                f"Net {document.net} €",
                f"{_sum(nets)} = {net} €",
                check=(document.net, net),
            ),
            node(
                "total",
                f"VAT {document.tax} €",
                f"{_sum(taxes)} = {tax} €",
                check=(document.tax, tax),
            ),
            node(
                "total",
                f"Gross {document.gross} €",
                f"{document.net} + {document.tax} = {document.net + document.tax} €",
                check=(document.gross, document.net + document.tax),
            ),
        ],
    )


def _sum(amounts: list[Decimal]) -> str:
    if len(amounts) > 12:
        return f"the sum of {len(amounts)} amounts"
    told = " + ".join(map(str, amounts)) or "nothing"
    return told.replace("+ -", "− ")


def _vat(document: InvoiceIssued | CreditNoteIssued) -> Iterator[Explanation]:
    """The tax of each rate, on the sum of its lines' nets."""
    groups: dict[tuple[Decimal, str], list[Line]] = {}
    for line in document.lines:
        groups.setdefault((line.vat_rate, line.vat_category), []).append(line)
    for total in document.vat:
        rate, category = total.rate, total.category
        lines = groups.get((rate, category), [])
        alike = [line for line in lines if line.vat_reason == total.reason]
        nets = [line.net for line in (alike if category != "S" or total.reason else lines)]
        base = sum(nets, ZERO)
        reason = f" ({total.reason})" if total.reason else ""
        yield node(
            "vat",
            f"VAT {rate} %, category {category}{reason}: {total.tax} €",
            f"{total.base} € × {rate} / 100 = {total.base * rate / 100} €, rounded HALF_UP to the "
            "cent, once on the sum of the lines of that rate"
            + (f"; {total.rounding} € {_rounding(document)}" if total.rounding else ""),
            [
                node(
                    "total",
                    f"Base {total.base} €",
                    f"{_sum(nets)} = {base} €",
                    check=(total.base, base),
                )
            ],
            check=(total.tax, tax_on(total.base, rate) + total.rounding),
        )
    told = {(total.rate, total.category) for total in document.vat}
    for rate, category in groups.keys() - told:
        yield node(
            "vat",
            f"VAT {rate} %, category {category}",
            "its lines are in no total",
            check=("nothing", sum((one.net for one in groups[rate, category]), ZERO)),
        )


def _rounding(document: InvoiceIssued | CreditNoteIssued) -> str:
    if isinstance(document, CreditNoteIssued):
        return "ends the tax of the invoice"
    if document.kind == "deposit":
        return "brings it to the tax that the gross holds"
    return "brings it to the tax of the whole, less that of the deposits deducted"


def _credited(case: Case) -> Iterator[Explanation]:
    """The invoice a credit note gives back, and what is left of it."""
    note = case.document
    if not isinstance(note, CreditNoteIssued):
        return
    events = list(case.app.events.get(invoice_id(note.supplier, note.credits)))
    issued = next((e for e in events if isinstance(e, InvoiceIssued)), None)
    if issued is None:
        yield node(
            "credited",
            f"Credits {note.credits}",
            "there is no such invoice",
            check=(note.credits, "none"),
        )
        return
    marks = [e for e in events if isinstance(e, InvoiceCredited)]
    mark = next((e for e in marks if e.credit_note == note.number), None)
    left = issued.gross - sum((e.gross for e in marks), ZERO)
    reason = f", because: {note.reason}" if note.reason else ""
    yield node(
        "credited",
        f"Credits {note.credits} of {issued.issued_on}",
        f"{note.gross} € of its {issued.gross} €{reason}; {left} € of it is left",
        check=(note.gross, mark.gross if mark else None),
    )


# Days


def _due(case: Case) -> Iterator[Explanation]:
    """The due day and the day of the debit, by the payment clause."""
    invoice = case.document
    if not isinstance(invoice, InvoiceIssued):
        return
    clause = case.terms.payment
    if invoice.kind == "deposit":
        how = "a deposit: due when it is invoiced if it was received, else as asked"
        yield node("due", f"Due on {invoice.due_on}", how, case.clause("payment"))
        return
    due = due_on(clause, invoice.issued_on)
    steps = [*case.clause("payment")]
    if invoice.means == "direct_debit":
        steps.append(_debit(case, invoice, clause))
    received = case.contract.terms_on(invoice.issued_on).payment
    for event in case.later:
        if isinstance(event, InvoiceReceived):
            steps.append(
                node(
                    "due",
                    f"Received on {event.received_on}: due on {event.due_on}",
                    f"{_rule(received, event.received_on)}; {recorded(event)}",
                    check=(event.due_on, due_on(received, invoice.issued_on, event.received_on)),
                )
            )
    yield node(
        "due",
        f"Due on {invoice.due_on}",
        f"issued on {invoice.issued_on}; {_rule(clause, None)}; paid by "
        f"{invoice.means.replace('_', ' ')}",
        steps,
        check=(invoice.due_on, due),
    )


def _rule(clause: Payment, received_on: date | None) -> str:
    days = f"{clause.days} days"
    if clause.counted == "receipt":
        told = f"{days} from the receipt, its day excluded"
        if received_on is None:
            told += (
                f"; no receipt was recorded, it is presumed {clause.presumed_receipt_days} days "
                "after the issue"
            )
        else:
            told += f", {received_on}"
    elif clause.counted == "end_of_month_after":
        told = f"the end of the month of the issue + {days}"
    elif clause.counted == "end_of_month_plus":
        told = f"the end of the month of the issue, + {days}"
    else:
        told = f"{days} from the issue"
    if clause.then_on_day is not None:
        told += f", then the next {clause.then_on_day} of a month"
    return told


def _debit(case: Case, invoice: InvoiceIssued, clause: Payment) -> Explanation:
    notice = invoice.issued_on + timedelta(days=clause.prenotification_days)
    earliest = max(invoice.due_on, notice)
    found = collected_on(clause, invoice.due_on, invoice.issued_on)
    agreed = f", then the first {clause.debit_day} of a month" if clause.debit_day else ""
    told = (
        f"mandate {invoice.mandate}; not before the due day {invoice.due_on} nor "
        f"{clause.prenotification_days} days of notice, {notice}: {earliest}{agreed}"
    )
    before = _agreed_day(clause, earliest, found)
    if before != found:
        told += f", {before}; TARGET is closed that day, so the next open one"
    mandate = case.app.mandate(invoice.mandate)
    steps = (
        []
        if mandate is None
        else [
            node(
                "mandate",
                f"Mandate {mandate.reference}",
                f"{mandate.scheme}, signed on {mandate.signed_on} by {mandate.debtor} for "
                f"{mandate.creditor}",
            )
        ]
    )
    return node(
        "debit",
        f"Debited on {invoice.collected_on}",
        told,
        steps,
        check=(invoice.collected_on, found),
    )


def _agreed_day(clause: Payment, earliest: date, found: date) -> date:
    """The agreed day of the debit, before it moved to a day the banks settle."""
    if clause.debit_day is None:
        return earliest
    day = found - DAY
    while day >= earliest and not is_target_day(day):
        if day.day == clause.debit_day:
            return day
        day -= DAY
    return found


def _late(case: Case) -> Iterator[Explanation]:
    """The rate that would apply if the invoice were paid late, both rates shown, and the 40 €."""
    invoice = case.document
    if not isinstance(invoice, InvoiceIssued):
        return
    clause, contract = case.terms.late_interest, case.contract
    replaced = {one.series: one.by_series for one in contract.substitutes}
    fee = recovery_fee(clause, contract.category)  # type: ignore[arg-type]
    steps = [
        *case.clause("late_interest"),
        *(substitutions(case, clause.series, contract.version + 1) if clause.series else ()),
        node(
            "late",
            f"Recovery fee {fee} €",
            "once a late invoice, even partly paid (C. com. D441-5); professionals only",
        ),
    ]
    try:
        rate = rate_between(
            clause,
            invoice.due_on,
            case.book,
            contract.category,  # type: ignore[arg-type]
            replaced,
            tested_on=invoice.due_on,
        )
    except IndexUnavailable as unavailable:
        yield node("late", "Late payment", f"no rate can be told: {unavailable}", steps)
        return
    yield node(
        "late",
        f"Late payment, {rate.rate} % a year",
        f"as of the due day {invoice.due_on}; {explain_arrears.chosen(clause, rate)}",
        [*explain_arrears.rates(clause, rate), *steps],
    )


# Where it comes from


def _asked_for(case: Case) -> Explanation:
    """The contract's event that asked for the document."""
    document, event = case.document, case.billed
    deposit = case.event(document.contract_version)
    if isinstance(deposit, DepositInvoiced):
        same = (document.number, deposit.invoice)
        step = node("event", "It names the document", "", check=same)
        return node("event", "A deposit", recorded(deposit), [step])
    if event is None or case.by_hand:
        reason = getattr(document, "reason", "")
        return node(
            "event", "Issued by hand", f"{reason or 'no reason recorded'}; {recorded(document)}"
        )
    told = f"the period {event.period}" if event.period else "charges only"
    numbers = (event.invoice, *event.credit_notes)
    named = document.number if document.number in numbers else ", ".join(numbers)
    steps = [node("event", "It names the document", "", check=(document.number, named))]
    if isinstance(document, InvoiceIssued):
        steps.append(node("event", "Net of the instalment", "", check=(event.net, document.net)))
    return node(
        "event",
        f"Billing day {event.billed_on}, {told}",
        f"instalment billed on {event.billed_on}; {recorded(event)}",
        steps,
    )


def _number(app: Billing, document: Any) -> Explanation:
    """The number, its sequence, and the block it was taken in."""
    head, _, digits = document.number.rpartition("-")
    sequence = name(document.supplier, document.issued_on.year)
    if not digits.isdigit():
        return node(
            "number",
            f"Number {document.number}",
            "it is of no sequence",
            check=(document.number, "none"),
        )
    rank = int(digits)
    blocks = [
        event
        for event in app.events.get(stream("numbers", sequence))
        if isinstance(event, InvoiceNumbersTaken) and event.first <= rank <= event.last
    ]
    year = f"{document.issued_on.year}"
    prefix = head.removesuffix(year)
    steps = []
    for block in blocks:
        steps.append(
            node(
                "number",
                f"Block {block.first} to {block.last} of {sequence}",
                f"taken with the invoices that bear it; {recorded(block)}",
            )
        )
    if rank > 1:
        previous = printed(prefix, document.issued_on.year, rank - 1)
        before = next(iter(app.events.get(invoice_id(document.supplier, previous))), None)
        on = getattr(before, "issued_on", None)
        steps.append(
            node(
                "number",
                f"After {previous}",
                f"issued on {on}; a number is never dated before the one it follows",
                check=None
                if on is not None and on <= document.issued_on
                else (f"not after {document.issued_on}", f"{on}"),
            )
        )
    return node(
        "number",
        f"Number {document.number}",
        f"rank {rank} of the sequence {sequence}; {recorded(document)}",
        steps,
        check=(1, len(blocks)) if len(blocks) != 1 else None,
    )


def _run(case: Case) -> Iterator[Explanation]:
    run = case.document.run
    if not run:
        return
    steps = []
    for event in case.app.events.get(stream("run", run)):
        if isinstance(event, BillingRunOpened):
            steps.append(
                node(
                    "run",
                    f"Opened {moment(event.recorded_at)} by {event.recorded_by}",
                    f"bills what is due before {event.until}, dates nothing before "
                    f"{event.earliest}, saw the log up to {event.log_position}, "
                    f"engine {event.engine}",
                )
            )
        elif isinstance(event, BillingRunClosed):
            steps.append(
                node(
                    "run",
                    f"Closed by {event.recorded_by}",
                    f"{event.invoices} invoices, {event.credit_notes} credit notes, "
                    f"{event.gross} € with tax; digest {event.digest}",
                )
            )
    yield node("run", f"Billing run {run}", "", steps, check=None if steps else (run, "none"))


def _since(case: Case) -> Iterator[Explanation]:
    """What happened to the invoice after its issue."""
    document = case.document
    steps = []
    for event in case.later:
        if isinstance(event, InvoiceCredited):
            steps.append(
                node(
                    "since",
                    f"Credited by {event.credit_note}",
                    f"{event.gross} €; {recorded(event)}",
                )
            )
        elif isinstance(event, RetentionWithheld):
            found: Decimal | None
            try:
                found = retention(case.terms.payment, document.gross, event.percent)
            except ValueError:
                found = None
            steps.append(
                node(
                    "since",
                    f"Retention withheld {event.amount} €",
                    f"{document.gross} € × {event.percent} %, told on {event.notified_on}: "
                    f"{event.reason}; {recorded(event)}",
                    check=(event.amount, found),
                )
            )
        elif isinstance(event, RetentionReleased):
            steps.append(
                node(
                    "since",
                    f"Retention released on {event.released_on}",
                    f"{event.amount} €; {recorded(event)}",
                )
            )
        elif isinstance(event, explain_arrears.SINCE):
            steps.append(node("since", words.told(event), recorded(event)))
    if steps:
        yield node("since", "Since its issue", "", steps)


__all__ = ["Explanation", "Refused", "explain", "mismatches", "render"]
