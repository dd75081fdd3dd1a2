"""Direct debits: handed over to the bank, announced, looked at; the mandates they need."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, pass_session
from billing.cli.lifecycle import record
from billing.cli.output import counted, euros, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.application.actions import Collect
    from billing.application.collections import Collected, MandateSeen, Notice, Schedule, Seen
    from billing.collection import Debit, Left

SHOWN = 200
"""Debits of a plan shown to people; --json has them all."""

COMPANY = click.option("--supplier", default="", metavar="CODE", help="Only what it collects.")
PROFILE = click.option(
    "--profile", default="default", metavar="NAME|FILE", help="The bank's: a name, or a TOML file."
)
RETRIES = click.option(
    "--retries", type=click.IntRange(min=0), default=1, show_default=True,
    help="How often a debit that came back for want of money is presented again.",
)  # fmt: skip
RETRY_AFTER = click.option(
    "--retry-after", "retry_days", type=click.IntRange(min=1), default=8, show_default=True,
    metavar="DAYS", help="Not before so many calendar days.",
)  # fmt: skip


@click.command()
@click.argument("until", type=DAY, metavar="[DATE]", required=False)
@click.option("--until", "also_until", type=DAY, metavar="DATE", help="The same.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where the files go.")
@COMPANY
@PROFILE
@RETRIES
@RETRY_AFTER
@click.option("--dry-run", is_flag=True, help="Show what would be debited; write nothing.")
@pass_session
def collect(
    session: Session,
    /,
    until: date | None,
    also_until: date | None,
    out: Path | None,
    supplier: str,
    dry_run: bool,
    **said: Any,
) -> None:
    """Hand over the direct debits due up to DATE: a pain.008 file a company, in DIR.

    Two weeks ahead unless said, as banks take them. What is left out is told with its reason;
    what was handed over is not asked for twice: give the command again at will, and it also
    finishes what was stopped.
    """
    from billing.application.actions import Collect

    if until is not None and also_until is not None:
        raise click.UsageError("give DATE once")
    if out is None and not dry_run:
        raise click.UsageError("say with --out DIR where the files go; or --dry-run")
    action = Collect(path=str(out or ""), until=until or also_until, supplier_code=supplier, **said)
    done = _asked(session, action, dry_run)
    data = {
        "files": done.files,
        "finished": done.finished,
        "debits": len(done.plan.debits),
        "later": done.plan.later,
        "left": [_left(one) for one in done.plan.left],
    }
    if dry_run:
        data |= {"dry_run": True, "plan": [_debit(one) for one in done.plan.debits]}
    session.out.say(data, lambda: _collected(done, dry_run))


def _asked(session: Session, action: Collect, dry: bool) -> Collected:
    return action.collect(session.app, dry)


def _debit(debit: Debit) -> dict[str, Any]:
    return {
        "end_to_end": debit.end_to_end,
        "supplier": debit.receivable.supplier,
        "client": debit.receivable.client,
        "contract": debit.receivable.contract,
        "mandate": debit.mandate.reference,
        "scheme": debit.mandate.scheme,
        "sequence": debit.sequence,
        "amount": debit.amount,
        "collected_on": debit.collected_on,
        "announced_on": debit.announced_on,
        "amended_from": debit.original,
    }


def _left(left: Left) -> dict[str, Any]:
    return {
        "invoice": left.receivable.number,
        "supplier": left.receivable.supplier,
        "client": left.receivable.client,
        "contract": left.receivable.contract,
        "mandate": left.mandate,
        "amount": left.amount,
        "under_way": bool(left.receivable.collecting),
        "why": left.why,
        "to_announce_for": left.to_announce_for,
    }


def _collected(done: Collected, dry: bool) -> RenderableType:
    from rich.console import Group

    from billing.cli.pages import rows_of
    from billing.collection import total

    found = done.plan
    parts: list[RenderableType] = [
        f"{path} was recorded by a collection that was stopped: it has its name now."
        for path in done.finished
    ]
    for file in done.files:
        parts.append(
            f"{file.path}: {counted(file.debits, 'debit')}, {euros(file.total)}, SHA-256 "
            f"{file.digest}"
        )
    told = f"{counted(len(found.debits), 'debit')}, {euros(total(found.debits))}"
    if dry:
        parts.append(f"Would hand over {told}. Nothing was written.")
    elif not done.files:
        parts.append("Nothing is to be handed over.")
    if dry and found.debits:
        columns = ("Debit", "Client", "Mandate", "Scheme", "Sequence", "On", "Announced", "Amount")
        rows = (
            (d.end_to_end, d.receivable.client, d.mandate.reference, d.mandate.scheme, d.sequence,
             d.collected_on, d.announced_on, euros(d.amount))
            for d in found.debits[:SHOWN]
        )  # fmt: skip
        parts.append(rows_of("", columns, rows, ("Amount",)))
        if len(found.debits) > SHOWN:
            parts.append(f"and {len(found.debits) - SHOWN} more")
    if found.later:
        parts.append(f"{counted(found.later, 'debit')} later.")
    if under_way := sum(1 for one in found.left if one.receivable.collecting):
        parts.append(f"{counted(under_way, 'debit')} under way.")
    left = [one for one in found.left if not one.receivable.collecting]
    if left:
        rows_left = (
            (one.receivable.number, one.receivable.client, euros(one.amount), one.why,
             one.to_announce_for)
            for one in left
        )  # fmt: skip
        told_of = ("Invoice", "Client", "Amount", "Why", "Next day")
        parts.append(rows_of("Not debited", told_of, rows_left, ("Amount",)))
    if any(one.to_announce_for is not None for one in left):
        parts.append("`billing announce` tells the clients of the next days.")
    return Group(*parts)


@click.command()
@click.option("--supplier", default="", metavar="CODE", help="Only those of that company.")
@click.option(
    "--status", type=click.Choice(["under way", "settled", "returned"]), help="Only those so."
)
@click.option("--month", metavar="YYYY-MM", help="Only those collected in that month.")
@click.option("--files", "files_only", is_flag=True, help="The files handed over instead.")
@click.option("--file", default="", metavar="MESSAGE", help="Only those of that file.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
              help="With --file: write it again there, byte for byte.")  # fmt: skip
@pass_session
def collections(
    session: Session,
    supplier: str,
    status: str | None,
    month: str | None,
    files_only: bool,
    file: str,
    out: Path | None,
) -> None:
    """List the direct debits handed over: under way, settled, returned and why."""
    from billing.application import collections as application
    from billing.cli.batch import MONTH
    from billing.dates import month_of

    app = session.app
    if out is not None:
        if not file:
            raise click.UsageError("--out goes with --file: say which file is written again")
        handed = application.write_again(app, file, out, supplier)
        session.out.say(handed, f"{handed.path}: as it was recorded, SHA-256 {handed.digest}")
        return
    if files_only:
        files = application.files(app, supplier)
        session.out.say(files, lambda: _files(files))
        return
    days = month_of(MONTH.convert(month, None, None)) if month else None
    found = application.seen(app, supplier, file, status or "", days)
    session.out.say(found, lambda: seen_page(found))


def _files(files: Any) -> RenderableType:
    if not files:
        return "No file was handed over."
    return table(
        "Files handed over",
        ("File", "Company", "Schema", "On", "Debits", "Total", "SHA-256"),
        (
            (f.message, f.supplier, f.schema, f.created_on, f.count, euros(f.total), f.digest)
            for f in files
        ),
        ("Debits", "Total"),
    )


def seen_page(found: list[Seen]) -> RenderableType:
    """Direct debits handed over, and what became of them."""
    from billing.cli.pages import rows_of

    if not found:
        return "No debit."
    return rows_of(
        counted(len(found), "debit"),
        ("Debit", "Invoice", "On", "Amount", "Sequence", "File", "Status", "Since", "Why"),
        (
            (one.end_to_end, one.invoice, one.collected_on, euros(one.amount), one.sequence,
             one.file, one.status, one.on, one.why)
            for one in found
        ),
        ("Amount",),
    )  # fmt: skip


@click.command()
@click.option("--client", default="", metavar="CODE", help="Only that client's.")
@click.option("--unusable", is_flag=True, help="Only those under which nothing is collected.")
@pass_session
def mandates(session: Session, client: str, unusable: bool) -> None:
    """List mandates: of use today or not and why, their last debit, the day they lapse."""
    from billing.application.collections import mandates_seen

    found = mandates_seen(session.app, client, unusable)
    data = [
        {
            "mandate": one.mandate,
            "usable": not one.trouble,
            "trouble": one.trouble,
            "lapses_on": one.mandate.lapses_on,
            "contracts": one.contracts,
        }
        for one in found
    ]
    session.out.say(data, lambda: _mandates(found))


def _mandates(found: list[MandateSeen]) -> RenderableType:
    from billing.cli.pages import rows_of

    if not found:
        return "No mandate."
    columns = (
        "Mandate",
        "Debtor",
        "Scheme",
        "Signed",
        "Last debit",
        "Lapses",
        "Contracts",
        "State",
    )
    return rows_of(
        counted(len(found), "mandate"),
        columns,
        (
            (one.mandate.reference, one.mandate.debtor, one.mandate.scheme, one.mandate.signed_on,
             one.mandate.collected_on, one.mandate.lapses_on, ", ".join(one.contracts),
             one.trouble or "usable")
            for one in found
        ),
    )  # fmt: skip


@click.command()
@click.option("--until", type=DAY, metavar="DATE", help="Of invoices to be debited up to that day.")
@click.option("--contract", default="", metavar="NUMBER", help="Only that contract's.")
@COMPANY
@PROFILE
@RETRIES
@RETRY_AFTER
@click.option("--dry-run", is_flag=True, help="Show the notices; record nothing.")
@pass_session
def announce(
    session: Session,
    /,
    until: date | None,
    contract: str,
    supplier: str,
    dry_run: bool,
    **said: Any,
) -> None:
    """Tell clients of debits that no invoice announces any more (pré-notification).

    Those that missed their day, or came back and may be presented again: the day and the amount
    told here are those of the next `billing collect`. Send the notices the day you record them.
    """
    from billing.application import collections as application
    from billing.application.actions import Announce

    action = Announce(until=until, contract=contract, supplier_code=supplier, **said)
    told = application.announce(session.app, action.asked(), contract, dry_run)
    session.out.say(
        {"notices": told.notices, "dry_run": dry_run}, lambda: _notices(told.notices, dry_run)
    )


def _notices(notices: tuple[Notice, ...], dry: bool) -> RenderableType:
    from billing.cli.pages import rows_of

    if not notices:
        return "Nothing is to be announced."
    return rows_of(
        f"{counted(len(notices), 'notice')} to send" + (" (not recorded)" if dry else ""),
        ("Client", "E-mail", "Invoice", "Amount", "On", "Mandate", "ICS", "Because"),
        (
            (n.client, n.email, n.invoice, euros(n.amount), n.collected_on, n.mandate,
             n.creditor_identifier, n.why)
            for n in notices
        ),
        ("Amount",),
    )  # fmt: skip


@click.command()
@click.argument("contract")
@click.option("--year", type=click.IntRange(2000, 2100), help="This year unless said.")
@click.option("--announce", "told", is_flag=True, help="Record that the client was told of it.")
@pass_session
def schedule(session: Session, contract: str, year: int | None, told: bool) -> None:
    """Show a CONTRACT's debits of a year, day and amount (échéancier).

    At today's prices. Once announced, its debits need no notice of their own; a price that moves
    makes an invoice of another amount, which announces itself.
    """
    from billing.application import collections as application

    year = year or session.today.year
    found = application.schedule(session.app, contract, year)
    session.out.say({"schedule": found, "total": found.total}, lambda: _schedule(found))
    if told:
        record(session, "announce", contract=contract, year=year)


def _schedule(found: Schedule) -> RenderableType:
    from rich.console import Group

    if not found.lines:
        return f"{found.contract}: no debit in {found.year}. {found.stopped}".rstrip()
    shown = table(
        f"Debits of {found.year}, contract {found.contract}: {euros(found.total)}",
        ("On", "Amount", "Due", "Invoice", "Period", ""),
        (
            (line.collected_on, euros(line.amount), line.due_on, line.invoice, line.period,
             line.status)
            for line in found.lines
        ),
        ("Amount",),
    )  # fmt: skip
    under = (
        f"{found.client}, account {found.iban}, mandate {found.mandate} for {found.creditor} "
        f"({found.creditor_identifier})"
    )
    stopped = [f"Then nothing more: {found.stopped}"] if found.stopped else []
    return Group(shown, under, *stopped)


__all__ = ["announce", "collect", "collections", "mandates", "schedule"]
