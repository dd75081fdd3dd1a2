"""Payments and what clients owe: paid, allocated, set off, refunded, written off, rejected.

Those that record are actions of `billing.application.actions`; those that look read the
receivables book, at any day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, pass_session
from billing.cli.lifecycle import REFERENCE, SUPPLIER, day, record
from billing.cli.output import counted, euros, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.application.balances import Balance, Statement

MEANS = click.Choice(["transfer", "cheque", "card", "cash"])
AT = click.option("--at", type=DAY, metavar="DATE", help="At the end of that day (today).")
COMPANY = click.option("--supplier", default="", metavar="CODE", help="Only what is owed to it.")
NAMED = click.option(
    "--invoice",
    "named",
    multiple=True,
    metavar="NUMBER[=AMOUNT]",
    help="What the payer says it pays; may be repeated.",
)
REASON = click.option("--reason", required=True, help="Why.")
AMOUNT = click.option("--amount", metavar="EUROS", help="Only so much of it.")


def _named(said: Sequence[str]) -> dict[str, Any]:
    """The documents named, and the amounts of those that have one."""
    amounts, invoices = {}, []
    for one in said:
        number, equals, amount = one.partition("=")
        if not number or (equals and not amount):
            raise click.BadParameter(
                f"{one!r}; NUMBER or NUMBER=AMOUNT was expected", param_hint="--invoice"
            )
        if number in amounts or number in invoices:
            raise click.BadParameter(f"{number} is named twice", param_hint="--invoice")
        if equals:
            amounts[number] = amount
        else:
            invoices.append(number)
    return {"invoices": invoices, "amounts": amounts}


@click.command()
@click.argument("amount", metavar="EUROS")
@click.option("--client", default="", metavar="CODE", help="Who paid.")
@NAMED
@click.option("--contract", default="", metavar="NUMBER", help="It pays its last invoice.")
@day("value_on", "The day the money is there", "--on")
@click.option("--means", type=MEANS, default="transfer", show_default=True)
@REFERENCE
@click.option("--remittance", default="", help="What the payer wrote.")
@click.option("--payer", default="", help="Who the bank says paid.")
@click.option("--payer-iban", default="", help="From which account.")
@click.option("--currency", default="EUR", show_default=True)
@SUPPLIER
@pass_session
def pay(session: Session, /, named: Sequence[str], supplier: str, **said: Any) -> None:
    """Record EUROS received, and what they pay (règlement reçu).

    As the payer says (--invoice); else the numbers in the remittance text, the one document of
    exactly that amount, the oldest due. What is left is the client's credit.
    """
    record(session, "pay", supplier_code=supplier, **_named(named), **said)


@click.command()
@click.argument("payment", metavar="[PAYMENT]", required=False, default="")
@click.option("--client", default="", metavar="CODE", help="All that is left of its payments.")
@NAMED
@click.option("--contract", default="", metavar="NUMBER", help="It pays its last invoice.")
@SUPPLIER
@pass_session
def allocate(session: Session, /, named: Sequence[str], supplier: str, **said: Any) -> None:
    """Use what is left of PAYMENT, or of a client's payments, for what is owed (imputation)."""
    record(session, "allocate", supplier_code=supplier, **_named(named), **said)


@click.command("set-off")
@click.argument("client", metavar="[CLIENT]", required=False, default="")
@click.option("--credit", default="", metavar="NUMBER", help="Only what is on that document.")
@click.option("--invoice", default="", metavar="NUMBER", help="Only to pay that one.")
@AMOUNT
@SUPPLIER
@pass_session
def set_off(session: Session, /, supplier: str, **said: Any) -> None:
    """Let what CLIENT paid or was credited too much pay what it owes (compensation)."""
    record(session, "set-off", supplier_code=supplier, **said)


@click.command()
@click.option("--payment", default="", metavar="REFERENCE", help="What is left of that payment.")
@click.option("--invoice", default="", metavar="NUMBER", help="What that one has too much.")
@AMOUNT
@REASON
@day("refunded_on", "The day it went back")
@SUPPLIER
@pass_session
def refund(session: Session, /, supplier: str, **said: Any) -> None:
    """Record that what was paid too much went back to the client (remboursement)."""
    record(session, "refund", supplier_code=supplier, **said)


@click.command("write-off")
@click.argument("invoice")
@AMOUNT
@REASON
@day("written_off_on", "The day it is given up")
@SUPPLIER
@pass_session
def write_off(session: Session, /, supplier: str, **said: Any) -> None:
    """Record that what is owed on INVOICE will not be paid (perte irrécouvrable)."""
    record(session, "write-off", supplier_code=supplier, **said)


@click.command("reject-payment")
@click.argument("payment")
@click.option("--reason", default="", help="The bank's, in words.")
@click.option("--code", default="", help="The bank's, as a code.")
@click.option("--fee", metavar="EUROS", help="What the bank charges; billed on by contract.")
@day("rejected_on", "The day the money went away")
@SUPPLIER
@pass_session
def reject_payment(session: Session, /, supplier: str, **said: Any) -> None:
    """Record that the cheque or card PAYMENT failed: what it paid is owed again (impayé)."""
    record(session, "reject-payment", supplier_code=supplier, **said)


# What is owed


@click.command()
@AT
@click.option("--client", metavar="CODE", help="Only that client.")
@COMPANY
@click.option("--documents", is_flag=True, help="With each document, how late it is.")
@pass_session
def owed(
    session: Session, at: date | None, client: str | None, supplier: str, documents: bool
) -> None:
    """Show what each client owes and how late it is, in days (balance âgée).

    Counted, as reminders are, from the last day to pay: the agreed day of a direct debit.
    """
    from billing.application import balances

    app = session.app
    found = balances.aged(app, at or app.today, client, supplier, documents)

    session.out.say(found, lambda: balance_page(found))


def balance_page(found: Balance) -> RenderableType:
    """What is owed, by client and age; the documents too, if they were asked for."""
    from rich.console import Group

    if not found.clients:
        return f"Nothing is owed on {found.at}."
    columns = ("Not due", "1-30", "31-60", "61-90", "> 90", "Credit", "Total")
    rows = [
        (
            one.client or ("(unknown payer)" if one is not found.total else ""),
            *map(_blank, (one.not_due, one.days_1_30, one.days_31_60, one.days_61_90)),
            *map(_blank, (one.days_over_90, one.credit)),
            euros(one.total),
        )
        for one in (*found.clients, found.total)
    ]
    shown = table(f"Owed on {found.at}", ("Client", *columns), rows, right=columns)
    if not found.documents:
        return shown
    late = table(
        counted(len(found.documents), "document"),
        ("Number", "Kind", "Client", "Contract", "Issued", "Due", "Gross", "Owed", "Late"),
        (
            (
                d.number,
                d.kind.replace("_", " "),
                d.client,
                d.contract,
                d.issued_on,
                d.due_on,
                euros(d.gross),
                euros(d.owed),
                f"{d.late} d" if d.late else "",
            )
            for d in found.documents
        ),
        right=("Gross", "Owed", "Late"),
    )
    return Group(shown, late)


@click.command()
@click.argument("client")
@click.option("--from", "start", type=DAY, metavar="DATE", help="From that day.")
@click.option("--to", "end", type=DAY, metavar="DATE", help="To that day, inclusive (today).")
@COMPANY
@pass_session
def statement(
    session: Session, client: str, start: date | None, end: date | None, supplier: str
) -> None:
    """Show what happened on CLIENT's account, with its running balance (relevé de compte)."""
    from billing.application import balances

    app = session.app
    found = balances.statement(app, client, start, end or app.today, supplier)

    session.out.say(found, lambda: account_page(found, start is not None))


def account_page(found: Statement, opening_too: bool = True) -> RenderableType:
    """A client's account, line by line."""
    columns = ("Debit", "Credit", "Balance")
    opening = [(found.start, "balance before", "", "", "", euros(found.opening))]
    rows = [
        (one.on, one.what, one.reference, _blank(one.debit), _blank(one.credit),
         euros(one.balance))
        for one in found.entries
    ]  # fmt: skip
    closing = [(found.end, "balance", "", "", "", euros(found.closing))]
    title = f"Account of {found.client}, {found.start} to {found.end}"
    lines = [*(opening if opening_too else []), *rows, *closing]
    return table(title, ("Day", "What", "Reference", *columns), lines, right=columns)


@click.command()
@AT
@click.option("--days", type=click.IntRange(min=1), default=90, show_default=True,
              help="The days of sales the simple method counts.")  # fmt: skip
@COMPANY
@pass_session
def dso(session: Session, at: date | None, days: int, supplier: str) -> None:
    """Show how many days of sales are owed, by two methods (délai moyen de règlement).

    Of invoices, tax included. Debit notes (interest, 40 €, bank fees) are no sales, and left out
    of what is owed too.
    """
    from billing.application import balances

    app = session.app
    found = balances.dso(app, at or app.today, days, supplier)

    def page() -> str:
        def told(value: Any) -> str:
            return "no sales to count" if value is None else f"{value} days"

        beyond = "; more is owed than was sold since the first invoice" if found.exhausted else ""
        return "\n".join(
            (
                f"{euros(found.owed)} owed on {found.at}; {euros(found.sales)} sold in the last "
                f"{found.days} days.",
                f"  simple:     {told(found.simple)} = {found.simple_formula}",
                f"  count-back: {told(found.count_back)}{beyond} = {found.count_back_formula}",
            )
        )

    session.out.say(found, page)


def _blank(amount: Any) -> str:
    return euros(amount) if amount else ""
