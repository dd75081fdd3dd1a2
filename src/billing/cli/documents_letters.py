"""Letters as files: one, or all that the events of a month ask for (courriers)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.cli import DAY, Session, pass_session
from billing.cli.batch import MONTH, progress_bar
from billing.cli.documents import BRANDS, OUT, brands_of, into, none_refused, written
from billing.cli.output import counted

if TYPE_CHECKING:
    from billing.application.letters import Report
    from billing.documents.letters import Kind
    from billing.dunning import Dunning

KINDS = (
    "renewal", "reminder", "formal-notice", "suspension", "pre-notification", "schedule",
    "index-substitution", "settlement", "amendment",
)  # fmt: skip
POLICY = click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The house's dunning policy, if it is not the standard one.",
)


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("about", metavar="CONTRACT|INVOICE")
@click.option("--supplier", default="", metavar="CODE", help="Whose, where several bear it.")
@click.option("--on", type=DAY, metavar="DATE", help="The letter of that day; else the last.")
@OUT
@POLICY
@BRANDS
@pass_session
def letter(
    session: Session,
    kind: Kind,
    about: str,
    supplier: str,
    on: date | None,
    out: str,
    policy: Path | None,
    brands: Path | None,
) -> None:
    """Write the letter of a KIND on a contract or an invoice, as its event was recorded.

    In the client's language, as PDF/A; the same events give the same bytes.
    """
    from hashlib import sha256

    from billing.application import letters
    from billing.refusal import Refused

    rules = _policy(policy)
    cause = letters.of(session.app, kind, about, on, rules, supplier)
    (facts,) = letters.read(session.app, [cause], rules)
    if isinstance(facts, Refused):
        raise facts
    content = letters.finished(facts, brands_of(brands))
    path = written(out, cause.file, content)
    told = {
        "kind": kind,
        "about": cause.subject,
        "day": cause.day,
        "file": str(path),
        "sha256": sha256(content).hexdigest(),
    }
    session.out.say(told, f"{path}: {kind} of {cause.day}, {len(content):,} bytes")


@click.command()
@click.argument("month", type=MONTH)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where the files go, with SHA256SUMS.",
)
@click.option(
    "--every-debit",
    is_flag=True,
    help="Also tell apart of debits that an invoice announces itself.",
)
@POLICY
@BRANDS
@pass_session
def letters(
    session: Session,
    month: date,
    folder: Path,
    every_debit: bool,
    policy: Path | None,
    brands: Path | None,
) -> None:
    """Write every letter that the events of a MONTH ask for, with a manifest of digests.

    Given again it writes only what lacks or differs. Exit 3 when a letter could not be made; the
    others are.
    """
    from billing.application import letters as application
    from billing.dates import month_of

    rules = _policy(policy)
    causes = application.of_month(session.app, month_of(month), rules, every_debit)
    with into(folder), progress_bar(session, f"{month:%Y-%m}", "letters/s") as progress:
        report = application.make(session.app, causes, folder, brands_of(brands), rules, progress)
    session.out.say(report, lambda: _told(report, month))
    none_refused(report.refused, "letter")


def _told(report: Report, month: date) -> str:
    kept = f", {report.kept} there already" if report.kept else ""
    told = [f"{report.folder}: {counted(report.made, 'letter')} of {month:%Y-%m} made{kept}."]
    told += [f"  {one.file}" for one in report.letters if one.digest and not one.kept]
    return "\n".join([*told, *(f"  {one.refused}" for one in report.refused)])


def _policy(path: Path | None) -> Dunning | None:
    from billing.dunning import read_policy

    return None if path is None else read_policy(path)
