"""Bank files: imported, and what of them nothing explains (relevés, écritures en attente)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from billing.cli import Session, pass_session
from billing.cli.lifecycle import record
from billing.cli.output import counted, euros, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.application.bank import Report, Unmatched

COMPANY = click.option(
    "--supplier", default="", metavar="CODE", help="Whose account, when several have it."
)
OUTCOMES = {
    "settled": "credited",
    "returned": "came back",
    "received": "received",
    "known": "known already",
    "waiting": "waiting",
    "pending": "not booked yet, or only accepted",
    "other": "debits that are no returns",
}


@click.group()
def bank() -> None:
    """Read what the bank says."""


@bank.command("import")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path())
@click.option("--dry-run", is_flag=True, help="Show what it means; write nothing.")
@COMPANY
@pass_session
def import_(session: Session, files: Sequence[str], dry_run: bool, supplier: str) -> None:
    """Apply statements (camt.053), advices (camt.054) and status reports (pain.002).

    Each file is checked whole before anything of it is applied. A second time it changes nothing,
    and neither does what another file told already.
    """
    from billing.application.bank import import_file

    for path in files:
        report = import_file(session.app, path, supplier, dry_run)
        session.out.say(report, lambda report=report: _told(report))  # type: ignore[misc]


def _told(report: Report) -> str:
    what = f"{report.path}: {report.schema} {report.identification}".rstrip()
    if report.already is not None:
        return f"{what} was imported already, on {report.already}; nothing changes."
    whose = ", ".join(report.suppliers)
    lines = [f"{what} of {whose}, {counted(report.lines, 'line')}:"]
    lines += [
        f"  {count} {OUTCOMES[outcome]}, {euros(report.amounts[outcome])}"
        for outcome, count in report.counts.items()
        if count
    ]
    lines += [f"  {sentence}" for sentence in report.told]
    if report.dry:
        lines.append("Nothing was written.")
    elif report.waiting:
        lines.append("`billing unmatched` shows what waits, `billing match` explains it.")
    return "\n".join(lines)


@click.command()
@click.option("--supplier", default="", metavar="CODE", help="Only on its accounts.")
@pass_session
def unmatched(session: Session, supplier: str) -> None:
    """List the lines of the bank that nothing explains (écritures en attente)."""
    from billing.application.bank import unmatched as waiting

    found = waiting(session.app, supplier)

    session.out.say(found, lambda: unmatched_page(found))


def unmatched_page(found: Sequence[Unmatched]) -> RenderableType:
    """The lines that wait, and why."""
    if not found:
        return "No line of the bank waits."
    columns = ("Line", "Day", "Amount", "What", "From", "Text", "Why")
    rows = [
        (
            one.line.entry,
            one.line.value_on,
            euros(one.line.amount),
            one.line.kind,
            one.line.counterparty or one.line.counterparty_iban,
            one.line.remittance or one.line.end_to_end,
            "; ".join((one.line.why, *_suggested(one.suggested))),
        )
        for one in found
    ]
    return table(counted(len(found), "line") + " waiting", columns, rows, right=("Amount",))


def _suggested(numbers: Sequence[str]) -> list[str]:
    return [f"of exactly that amount: {', '.join(numbers)}"] if numbers else []


@click.command()
@click.argument("entry", metavar="LINE")
@click.option("--invoice", "invoices", multiple=True, metavar="NUMBER", help="What it is of.")
@click.option("--client", default="", metavar="CODE", help="Who paid.")
@click.option("--ignore", default="", metavar="REASON", help="Why it is none of our business.")
@COMPANY
@pass_session
def match(session: Session, /, supplier: str, **said: Any) -> None:
    """Explain a LINE of the bank that waits: the invoice, the client, or why to ignore it."""
    record(session, "match-entry", supplier_code=supplier, **said)
