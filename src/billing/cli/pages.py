"""What people read: contracts, invoices, dates and debits as pages and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from textwrap import fill
from typing import Any

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from billing.application.contract_page import ClauseSeen, Seen
from billing.application.explanation import Explanation
from billing.application.issued import Debit, Document
from billing.application.outlook import Coming, Outlook
from billing.application.words import per, told
from billing.clauses.vat import VatTotal
from billing.cli.batch import counted
from billing.cli.output import euros, table
from billing.contract.state import Aside
from billing.dates import Period
from billing.events import Event
from billing.events.invoice import CreditNoteIssued, DebitNoteIssued, InvoiceIssued, Line
from billing.events.party import Identity
from billing.money import ZERO
from billing.party import Party

MONEY = ("Net", "Tax", "Gross", "Owed", "Amount", "Price")
MANY = 500
"""Rows from which a table is written in plain columns: rich takes a millisecond a row."""


def rows_of(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[str] = ()
) -> RenderableType:
    """A table of as many rows as there may be contracts."""
    from billing.cli.output import cell_of

    cells = [[cell_of(cell) for cell in row] for row in rows]
    if len(cells) < MANY:
        return table(title, columns, cells, right)
    cells.insert(0, list(columns))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numbers = [column in set(right) for column in columns]
    lines = (
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in cells
    )
    return "\n".join([title, "", *lines])


def listing(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Contracts, one a line."""
    if not rows:
        return "No contract."
    return rows_of(
        counted(len(rows), "contract"),
        ("Contract", "Form", "Client", "Status", "Since", "Term", "Next"),
        (
            (
                row["contract"],
                row["form"],
                row["client"],
                row["status"] + (" (set aside)" if _besides(row) else ""),
                row["since"],
                row["term"] or "no term",
                row["next_due"],
            )
            for row in rows
        ),
    )


def _besides(row: Mapping[str, Any]) -> bool:
    """Set aside as well as suspended, say; what has ended needs nothing any more."""
    return row["set_aside"] is not None and row["status"] in ("suspended", "to start")


def asides(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Contracts set aside: since when, for which clause, what waits, why."""
    if not rows:
        return "No contract is set aside."
    return rows_of(
        f"{counted(len(rows), 'contract')} set aside",
        ("Contract", "Since", "Clause", "Billing", "Why"),
        (
            (
                row["contract"],
                row["set_aside"].due_on,
                row["set_aside"].clause,
                held(row["set_aside"], row.get("waiting")),
                row["set_aside"].reason,
            )
            for row in rows
        ),
    )


def held(aside: Aside, waits: Outlook | None) -> str:
    """What a contract set aside does not bill."""
    if not aside.held:
        return "goes on"
    if waits is None or not waits.invoices:
        return "waits"
    net = sum((one.net for one in waits.invoices), ZERO)
    return f"waits: {counted(len(waits.invoices), 'invoice')}, {euros(net)} net"


# A contract


def contract(seen: Seen) -> RenderableType:
    """A contract on one page."""
    parts: list[RenderableType] = [Text(f"Contract {seen.number}", style="bold"), _heading(seen)]
    parts.append(
        table(
            "Items",
            ("Code", "Label", "Qty", "Price", "", "Since", "Covered", "Warranty"),
            (
                (
                    item.code,
                    item.label,
                    f"{item.quantity:f}",
                    euros(item.unit_price) + (f" −{item.discount:f} %" if item.discount else ""),
                    per(item.per_months),
                    item.priced_since,
                    f"{item.since} →" + (f" {item.until}" if item.until else ""),
                    item.warranty_until,
                )
                for item in seen.items
            ),
            right=("Qty", "Price"),
        )
    )
    told = [one for one in map(_clause, seen.clauses) if " " in one.strip()]
    parts += [Text("Clauses", style="bold"), *told, ""]
    parts.append(
        table(
            "What happened",
            ("#", "Day", "", "Recorded"),
            (
                (one.version, one.on, one.told, f"{one.recorded_at:%Y-%m-%d} {one.recorded_by}")
                for one in seen.timeline
            ),
            right=("#",),
        )
    )
    if seen.coming:
        parts.append(_comings("What comes", seen.coming, with_contract=False))
    return Group(*parts)


def _heading(seen: Seen) -> str:
    stands = seen.standing
    since = f" since {stands.since}" if stands.since else ""
    why = f": {stands.why}" if stands.why else ""
    variant = f", {seen.variant}" if seen.variant else ""
    lines = [
        f"  {'status':<10} {stands.status}{since}{why}",
        f"  {'form':<10} {seen.form}{variant}; version {seen.version}, seen on {seen.as_of}",
        f"  {'supplier':<10} {_who(seen.supplier)}",
        f"  {'client':<10} {_who(seen.client)}",
        f"  {'signed':<10} {seen.signed_on}, from {seen.starts_on}"
        + (f", follows {seen.parent}" if seen.parent else "")
        + (f", order {seen.purchase_order}" if seen.purchase_order else ""),
        f"  {'term':<10} {seen.term or 'none'}"
        + (f", renewed {seen.renewals} times" if seen.renewals else "")
        + (f", ends on {seen.ends_on}" if seen.ends_on else ""),
        f"  {'billed':<10} until {seen.billed_until}, not included",
    ]
    if (gate := seen.gate) is not None:
        told = f"{gate.why or 'paid'}: open"
        if not gate.open:
            owed = f", {gate.invoice} is not paid, {euros(gate.owed)} owed" if gate.invoice else ""
            told = f"closed{f' since {gate.since}' if gate.since else ''}{owed}{gate.why and ', '}"
            told += gate.why
        lines.append(f"  {'service':<10} {told}")
    if seen.mandate is not None:
        lines.append(f"  {'mandate':<10} {seen.mandate.reference}, {seen.mandate.iban}")
    lines += [
        f"  {'deposit':<10} {one.invoice}, {one.net + one.tax} €: {one.cashed} € received, "
        f"{one.deducted_net} € net deducted"
        for one in seen.deposits
    ]
    lines += [
        f"  {'index':<10} {one.series} is replaced by {one.by_series}" for one in seen.substitutes
    ]
    if seen.set_aside is not None:
        aside = seen.set_aside
        lines.append(
            f"  {'set aside':<10} since {aside.due_on}, billing {held(aside, seen.waiting)}: "
            f"{aside.clause}: {aside.reason}"
        )
    return "\n".join(lines) + "\n"


def _who(party: Identity) -> str:
    siren = f", SIREN {party.siren}" if party.siren else ""
    place = f", {party.address.postcode} {party.address.city}" if party.address else ""
    return f"{party.name} ({party.code}){place}{siren}"


def _clause(clause: ClauseSeen) -> str:
    parameters = _parameters(clause.terms, LEADING.get(clause.name, ()))
    lines = [_filled(f"{clause.name:<14} {parameters}", 2, 17)]
    place = f" — {clause.source}" if clause.source else ""
    if clause.words:
        lines.append(_filled(f"«\N{NO-BREAK SPACE}{clause.words}\N{NO-BREAK SPACE}»{place}", 6, 6))
    elif clause.source:
        lines.append(_filled(clause.source, 6, 6))
    if clause.reading:
        lines.append(_filled(f"→ {clause.reading}", 6, 8))
    return "\n".join(lines)


def _filled(text: str, first: int, then: int) -> str:
    return fill(
        text.rstrip(), 98, initial_indent=" " * first, subsequent_indent=" " * then,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


LEADING = {
    "renewal": ("kind", "term_months"),
    "schedule": ("every_months", "in_advance"),
    "cover": ("proration",),
    "payment": ("days", "counted", "means"),
    "late_interest": ("recovery_fee",),
    "revision": ("base", "if_unpublished"),
    "assignment": ("by_supplier", "by_client"),
}
"""What is told of a clause even where it is the default."""


def _parameters(terms: Any, leading: Sequence[str] = ()) -> str:
    """The parameters of a clause that are not the default, and those that lead."""
    if isinstance(terms, Struct):
        default = dict(
            zip(terms.__struct_fields__[::-1], terms.__struct_defaults__[::-1], strict=False)
        )
        told = (
            f"{name} {_value(value)}"
            for name in terms.__struct_fields__
            if (value := getattr(terms, name)) != default.get(name, ...) or name in leading
        )
        return ", ".join(told)
    if isinstance(terms, tuple):
        return "; ".join(_parameters(one) for one in terms)
    return "" if terms is None else _value(terms)


def _value(value: Any) -> str:
    if isinstance(value, Struct):
        return f"({_parameters(value)})"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


# What comes


def calendar(found: Sequence[Coming], until: date) -> RenderableType:
    """The dates to come of all contracts."""
    if not found:
        return f"Nothing comes until {until}."
    return _comings(f"What comes until {until}", found)


def _comings(title: str, found: Iterable[Coming], with_contract: bool = True) -> RenderableType:
    columns = ("Day", "", *(("Contract", "Client") if with_contract else ()), "What", "Net")
    return rows_of(
        title,
        columns,
        (
            (
                one.on,
                "late" if one.late else "",
                *((one.contract, one.client) if with_contract else ()),
                one.told,
                euros(one.net),
            )
            for one in found
        ),
        right=("Net",),
    )


def forecast(number: str, ahead: Outlook) -> RenderableType:
    """The invoices to come of one contract."""
    stopped = f"Nothing more: it is set aside ({ahead.stopped})." if ahead.stopped else ""
    if not ahead.invoices:
        return stopped or f"{number}: nothing more is to be billed."
    shown = table(
        f"{number}: the next invoices, at current prices",
        ("Day", "Period", "Net", "Gross", "Due", "Debited", "By"),
        (
            (
                one.on,
                one.period,
                euros(one.net),
                euros(one.gross),
                one.due_on,
                one.collected_on,
                one.means.replace("_", " "),
            )
            for one in ahead.invoices
        ),
        right=MONEY,
    )
    return Group(shown, stopped) if stopped else shown


def debits(found: Sequence[Debit]) -> RenderableType:
    """The direct debits to ask for, and their sum."""
    if not found:
        return "No direct debit."
    rows: list[tuple[Any, ...]] = [
        (
            one.collected_on,
            euros(one.amount),
            one.debtor,
            one.iban,
            one.mandate,
            one.creditor_identifier,
            one.invoice,
            one.trouble or one.status,
        )
        for one in found
    ]
    total = sum((one.amount for one in found), ZERO)
    if len(rows) > 1:
        rows.append(("", euros(total), counted(len(found), "debit")))
    columns = ["Day", "Amount", "Debtor", "IBAN", "Mandate", "Creditor", "Invoice", "State"]
    if not any(one.trouble or one.status for one in found):
        columns.pop()
    return rows_of(
        "Direct debits", columns, (row[: len(columns)] for row in rows), right=("Amount",)
    )


# Invoices


def documents(shown: Sequence[Document], known: int) -> RenderableType:
    """Invoices and credit notes, one a line."""
    if not shown:
        return "No invoice."
    title = counted(len(shown), "document")
    if known > len(shown):
        title = f"The last {len(shown)} of {known} documents"
    return rows_of(
        title,
        (
            "Number",
            "Issued",
            "Contract",
            "Client",
            "Period",
            "Net",
            "Gross",
            "Owed",
            "Due",
            "Debited",
            "",
        ),
        (
            (
                one.number,
                one.issued_on,
                one.contract,
                one.client,
                one.period,
                euros(one.net),
                euros(one.gross),
                euros(one.owed),
                one.due_on,
                one.collected_on,
                f"credits {one.credits}"
                if one.credits
                else f"credited {euros(one.credited)}"
                if one.credited
                else "deposit"
                if one.kind == "deposit invoice"
                else "debit note"
                if one.kind == "debit note"
                else "",
            )
            for one in shown
        ),
        right=MONEY,
    )


def document(events: Sequence[Event], party: Callable[[str], Party | None]) -> RenderableType:
    """A document as its client reads it, then what happened to it."""
    issued = events[0]
    assert isinstance(issued, InvoiceIssued | CreditNoteIssued | DebitNoteIssued)
    invoice = isinstance(issued, InvoiceIssued)

    def who(code: str) -> str:
        known = party(code)
        return _who(known.identity) if known else code

    head = [
        f"  {'from':<10} {who(issued.supplier)}",
        f"  {'to':<10} {who(issued.client)}",
        f"  {'issued':<10} {issued.issued_on}, contract {issued.contract}"
        + (f", order {order}" if (order := getattr(issued, "purchase_order", "")) else ""),
    ]
    if isinstance(issued, DebitNoteIssued):
        head.append(f"  {'due':<10} {issued.due_on}, by {issued.means.replace('_', ' ')}")
    elif isinstance(issued, InvoiceIssued):
        if issued.period is not None:
            head.append(f"  {'period':<10} {issued.period}")
        head.append(f"  {'due':<10} {issued.due_on}{_debited(issued)}")
    else:
        head.append(f"  {'credits':<10} {issued.credits}: {issued.reason}")
    title = "Invoice" if invoice else "Credit note"
    if isinstance(issued, DebitNoteIssued):
        title = "Debit note"
    elif getattr(issued, "kind", "") == "deposit":
        title = "Deposit invoice"
    parts: list[RenderableType] = [
        Text(f"{title} {issued.number}", style="bold"),
        "\n".join(head) + "\n",
        *_body(issued),
    ]
    if len(events) > 1:
        parts.append("\n".join(f"  {e.recorded_at:%Y-%m-%d}  {told(e)}" for e in events[1:]))
    return Group(*parts)


def _body(issued: InvoiceIssued | CreditNoteIssued | DebitNoteIssued) -> list[RenderableType]:
    if isinstance(issued, DebitNoteIssued):
        rows: list[tuple[Any, ...]] = [
            (rank, line.invoice, line.label, euros(line.amount))
            for rank, line in enumerate(issued.lines, 1)
        ]
        rows.append(("", "", "total, outside VAT", euros(issued.gross)))
        return [table("", ("", "Invoice", "Label", "Amount"), rows, right=("", "Amount"))]
    return [
        table(
            "",
            ("", "Code", "Label", "Qty", "Unit price", "For", "Net", "VAT"),
            (_line(rank, line) for rank, line in enumerate(issued.lines, 1)),
            right=("", "Qty", "Unit price", "Net", "VAT"),
        ),
        _totals(issued.vat, issued.net, issued.tax, issued.gross),
    ]


def _debited(issued: InvoiceIssued) -> str:
    if issued.collected_on is None:
        return f", by {issued.means.replace('_', ' ')}"
    return f", debited on {issued.collected_on} under mandate {issued.mandate}"


def _line(rank: int, line: Line) -> tuple[Any, ...]:
    price = ""
    if line.unit_price is not None:
        price = f"{line.unit_price} €"
        if line.per_months:
            price += f" {per(line.per_months)}"
        if line.discount:
            price += f" −{line.discount:f} %"
    return (
        rank,
        line.code,
        line.label + (f" ({line.note})" if line.note else ""),
        f"{line.quantity:f}",
        price,
        _days(line.period) + (f", {line.share.over}/{line.share.under}" if line.share else ""),
        euros(line.net),
        f"{line.vat_rate:f} %",
    )


def _days(period: Period | None) -> str:
    return "" if period is None else str(period)


def _totals(vat: Sequence[VatTotal], net: Decimal, tax: Decimal, gross: Decimal) -> RenderableType:
    rows: list[tuple[Any, ...]] = [
        (
            f"{one.rate:f} %" + (f", {one.reason}" if one.reason else ""),
            euros(one.base),
            euros(one.tax),
            euros(one.base + one.tax),
        )
        for one in vat
    ]
    if len(rows) != 1:
        rows.append(("total", euros(net), euros(tax), euros(gross)))
    return table("", ("VAT", "Net", "Tax", "Gross"), rows, right=MONEY)


# Why


def explanation(found: Explanation) -> RenderableType:
    """An explanation as a tree."""
    tree = Tree(_step(found), highlight=False)
    _grow(tree, found)
    return tree


def _grow(tree: Tree, one: Explanation) -> None:
    for child in one.children:
        _grow(tree.add(_step(child)), child)


def _step(one: Explanation) -> Text:
    step = Text(one.title, style="" if one.agrees else "bold red")
    if one.detail:
        step.append(f": {one.detail}")
    if one.recorded != one.found:
        step.append(f" — DOES NOT AGREE: recorded {one.recorded}, found {one.found}", "bold red")
    return step
