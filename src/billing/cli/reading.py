"""Commands that look: contracts, what comes, invoices, direct debits, and why an amount is so."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.batch import MONTH

if TYPE_CHECKING:
    from billing.application.outlook import Standing
    from billing.contract.state import Contract

LAST = 50
STATUSES = (
    "running", "to start", "waiting for acceptance", "suspended", "set aside", "ended", "cancelled"
)  # fmt: skip


@click.command("list")
@click.option("--form", "of_form", metavar="NAME", help="Only contracts of that form.")
@click.option("--client", metavar="CODE", help="Only that client's.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those that stand so.")
@click.option("--set-aside", is_flag=True, help="Only those set aside, with what waits and why.")
@pass_session
def list_(
    session: Session, of_form: str | None, client: str | None, status: str | None, set_aside: bool
) -> None:
    """List contracts: how they stand today, when they end, what is billed next."""
    from billing.application.outlook import needs_someone, standing, waiting
    from billing.cli import pages

    app = session.app
    today, rows = app.today, []
    for contract in app.contracts():
        stands = standing(contract, today)
        if (
            (of_form and contract.form != of_form)
            or (client and contract.client != client)
            or (status and stands.status != status)
            or (set_aside and not needs_someone(contract))
        ):
            continue
        row = _listed(contract, stands)
        if set_aside and contract.aside is not None and contract.aside.held:
            row["waiting"] = waiting(app, contract)
        rows.append(row)
    session.out.say(rows, lambda: pages.asides(rows) if set_aside else pages.listing(rows))


def _listed(contract: Contract, stands: Standing) -> dict[str, Any]:
    return {
        "contract": contract.number,
        "form": contract.form,
        "supplier": contract.supplier,
        "client": contract.client,
        "status": stands.status,
        "since": stands.since,
        "why": stands.why,
        "starts_on": contract.starts_on,
        "ends_on": contract.ends_on,
        "term": contract.term,
        "next_due": contract.next_due(),
        "set_aside": contract.aside,
    }


@click.command()
@click.argument("number", metavar="CONTRACT")
@click.option("--clauses", is_flag=True, help="With each clause, the contract's own words.")
@click.option("--as-of-version", type=click.IntRange(min=1), metavar="N", help="As it was then.")
@pass_session
def show(session: Session, number: str, clauses: bool, as_of_version: int | None) -> None:
    """Show a CONTRACT: parties, items and prices, terms, what happened, what comes."""
    from billing.application import contract_page

    seen = contract_page.seen(session.app, number, as_of_version, clauses)

    def page() -> Any:
        from billing.cli import pages

        return pages.contract(seen)

    session.out.say(seen, page)


@click.command()
@click.option("--until", type=DAY, required=True, metavar="DATE", help="The last day shown.")
@click.option("--client", metavar="CODE", help="Only that client's contracts.")
@pass_session
def calendar(session: Session, until: date, client: str | None) -> None:
    """Show what comes for all contracts, day by day, and what is late.

    Quotes and offers to send, last days for notice, invoices, revisions, renewals, ends, duties
    after the end, warranties, exchanges, clocks.
    """
    from billing.application import outlook
    from billing.cli import pages

    found = [
        one for one in outlook.calendar(session.app, until) if not client or one.client == client
    ]
    session.out.say(found, lambda: pages.calendar(found, until))


@click.command()
@click.option("--contract", metavar="NUMBER", help="Only that contract's.")
@click.option("--month", type=MONTH, metavar="YYYY-MM", help="Only those issued in that month.")
@click.option("--client", metavar="CODE", help="Only that client's.")
@click.option("--last", type=click.IntRange(min=0), help=f"So many at most; {LAST} if nothing "
              "else is asked, 0 for all.")  # fmt: skip
@pass_session
def invoices(
    session: Session, contract: str | None, month: date | None, client: str | None,
    last: int | None,
) -> None:  # fmt: skip
    """List invoices, debit and credit notes, and what is owed on each; the last at the end."""
    from billing.application import issued
    from billing.cli import pages
    from billing.dates import month_of

    days = None if month is None else month_of(month)
    found = issued.documents(session.app, contract or "", client or "", days)
    if last is None:
        last = 0 if contract or month or client else LAST
    shown = issued.with_owed(session.app, found[-last:] if last else found)
    session.out.say(shown, lambda: pages.documents(shown, len(found)))


@click.command()
@click.argument("number", metavar="NUMBER")
@click.option("--supplier", default="", metavar="CODE", help="When several issued that number.")
@pass_session
def invoice(session: Session, number: str, supplier: str) -> None:
    """Show an invoice or a credit note as its client reads it, and what happened to it."""
    app = session.app
    events = app.invoice_events(number, supplier)

    def page() -> Any:
        from billing.cli import pages

        return pages.document(events, app.party)

    session.out.say(events, page)


@click.command()
@click.option("--month", type=MONTH, metavar="YYYY-MM", help="Collected in that month.")
@click.option("--contract", metavar="NUMBER", help="Only that contract's.")
@click.option("--forecast", type=click.IntRange(1, 120), metavar="N",
              help="With --contract: its next N invoices at current prices.")  # fmt: skip
@pass_session
def debits(
    session: Session, month: date | None, contract: str | None, forecast: int | None
) -> None:
    """List direct debits as the invoices ask for them: those to come, or those of a month.

    The day is one the banks settle on. Those handed over to the bank are no more to come; of a
    month they are marked so. --forecast looks past the invoices issued so far.
    """
    from billing.application import issued, outlook
    from billing.cli import pages
    from billing.dates import month_of

    app = session.app
    if forecast is not None:
        if contract is None or month is not None:
            raise click.UsageError("--forecast goes with --contract, and without --month")
        ahead = outlook.forecast(
            app.contract(contract), app.book(), app.today, forecast,
            parents=outlook.parents_of(app),
        )  # fmt: skip
        session.out.say(ahead, lambda: pages.forecast(contract, ahead))
        return
    of = issued.debits_to_come(app) if month is None else issued.debits(app, month_of(month))
    found = [one for one in of if not contract or one.contract == contract]
    session.out.say(found, lambda: pages.debits(found))


@click.command()
@click.argument("number", metavar="INVOICE")
@click.option("--line", type=click.IntRange(min=1), metavar="N", help="Only that line, from 1.")
@click.option("--supplier", default="", metavar="CODE", help="When several issued that number.")
@pass_session
def explain(session: Session, number: str, line: int | None, supplier: str) -> None:
    """Explain an INVOICE: every amount, back to the clauses, the indices and the events.

    Each sum is worked out again; exit 9 when one is not what is recorded.
    """
    from billing.application.explain import explain as explained

    found = explained(session.app, number, supplier, line)

    def page() -> Any:
        from billing.cli import pages

        return pages.explanation(found)

    session.out.say(found, page)
    if not found.agrees:
        raise exits.Failed(exits.DIFFERENT, f"{number}: a sum is not the one recorded")
