"""The books: entries for the law and for accountants (FEC), and the check of such a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.output import counted, euros

if TYPE_CHECKING:
    from billing.dates import Period
    from billing.documents.fec import Encoding, Separator


@click.command()
@click.argument("year", type=int, required=False)
@click.option("--from", "start", type=DAY, metavar="DATE", help="The first day of another year.")
@click.option("--to", "end", type=DAY, metavar="DATE", help="Its last day, the closing.")
@click.option("--supplier", default="", metavar="CODE", help="Whose books; may be left out if one.")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where the file goes (here).",
)
@click.option(
    "--chart",
    envvar="BILLING_CHART",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The house's accounts and journals, as TOML. Else BILLING_CHART, else French defaults.",
)
@click.option(
    "--encoding",
    type=click.Choice(["iso8859-15", "utf-8"]),
    default="iso8859-15",
    show_default=True,
)
@click.option("--separator", type=click.Choice(["tab", "pipe"]), default="tab", show_default=True)
@pass_session
def fec(
    session: Session,
    year: int | None,
    start: date | None,
    end: date | None,
    supplier: str,
    folder: Path,
    chart: Path | None,
    encoding: Encoding,
    separator: Separator,
) -> None:
    """Write the accounting entries of YEAR (fichier des écritures comptables).

    Sales, bank and miscellaneous journals, named SirenFECAAAAMMJJ.txt; income of later days is
    deferred once the year is over (487).
    """
    from billing.application.ledger import company, write
    from billing.documents.chart import load_chart

    days = _days(year, start, end)
    accounts = load_chart(chart)
    told = write(
        session.app, company(session.app, supplier), days, folder, accounts, encoding, separator
    )
    session.out.say(
        told,
        f"{told.path}: {told.entries} {'entry' if told.entries == 1 else 'entries'}, "
        f"{counted(told.lines, 'line')}, {euros(told.total)} on each side; SHA-256 "
        f"{told.digest[:16]}…"
        + ("" if told.closed else "; the year goes on: nothing is deferred yet"),
    )
    if not told.entries:
        session.out.warn(f"nothing of {told.supplier} is booked from {told.start} to {told.end}")


def _days(year: int | None, start: date | None, end: date | None) -> Period:
    from billing.dates import DAY as ONE
    from billing.dates import Period, add_months

    if (year is None) == (start is None and end is None):
        raise click.UsageError("say a YEAR, or --from and --to")
    if year is not None:
        if not 2000 <= year <= 2199:
            raise click.UsageError(f"{year} is no year that could have books")
        return Period(date(year, 1, 1), date(year + 1, 1, 1))
    if start is None or end is None or end < start:
        raise click.UsageError("--from and --to go together, the first day first")
    if end >= add_months(start, 24):
        raise click.UsageError(f"{start} to {end}: a financial year has at most 24 months")
    return Period(start, end + ONE)


@click.command("fec-check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "start", type=DAY, metavar="DATE", help="The first day, if no 12 months.")
@pass_session
def fec_check(session: Session, file: Path, start: date | None) -> None:
    """Read a FEC FILE again, from anyone, and name what the law would refuse in it."""
    from billing.documents.fec_check import check

    found = check(file, start)
    if found.faults:
        told = "\n".join(map(str, found.faults))
        if found.more:
            told += f"\n{file}: and {counted(found.more, 'fault')} more"
        raise exits.Failed(exits.BAD_FILE, told, faults=found.faults, more=found.more)
    session.out.say(
        found,
        f"{file}: nothing is wrong; {found.siren}, {found.start} to {found.end}, "
        f"{found.entries} {'entry' if found.entries == 1 else 'entries'}, "
        f"{counted(found.rows, 'line')}, "
        f"{found.debit // 100},{found.debit % 100:02} € on each side, {found.encoding}",
    )
