"""Deposits asked for by invoice; the money itself is `billing deposit`."""

from __future__ import annotations

from datetime import date

import click

from billing.cli import DAY, Session, pass_session
from billing.cli.lifecycle import NUMBER, record


@click.command("deposit-invoice")
@NUMBER
@click.option("--amount", metavar="AMOUNT", help="The deposit, tax included.")
@click.option("--percent", metavar="PERCENT", help="Or a percentage of the order, tax included.")
@click.option("--of", metavar="AMOUNT", help="What the percentage is taken of, tax included.")
@click.option("--vat", metavar="CODE", help="A VAT treatment of the contract; else the standard.")
@click.option(
    "--due", "due_on", type=DAY, metavar="DATE", help="The day it is due; else by the clause."
)
@pass_session
def deposit_invoice(
    session: Session,
    number: str,
    amount: str | None,
    percent: str | None,
    of: str | None,
    vat: str | None,
    due_on: date | None,
) -> None:
    """Ask for a deposit on contract NUMBER by invoice (facture d'acompte), before it is paid.

    Told neither an amount nor a percentage, invoice what was received without an invoice, else the
    deposit agreed at signature. What is paid of it is deducted from the invoices that follow.
    """
    record(
        session,
        "deposit-invoice",
        contract=number,
        amount=amount,
        percent=percent,
        of=of,
        vat=vat,
        due_on=due_on,
    )
