"""Electronic invoicing: the outbox of each platform, what comes back, what is reported."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.output import counted, euros, table

if TYPE_CHECKING:
    from billing.application.outbox import Aside, Item
    from billing.dates import Period
    from billing.einvoicing.house import House

HOUSE = click.option(
    "--house",
    "house_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("einvoicing.toml"),
    envvar="BILLING_EINVOICING",
    show_default=True,
    metavar="FILE",
    help="Our companies' sizes and platforms, as TOML. Else BILLING_EINVOICING.",
)
SUPPLIER = click.option("--supplier", default="", metavar="CODE", help="Only of that company.")
OUT = click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where the files go (here).",
)


@click.group(invoke_without_command=True)
@SUPPLIER
@click.option("--platform", default="", metavar="NAME", help="Only for that platform.")
@click.option("--state", default="", help="waiting, ready, sent, or a status: 210.")
@click.pass_context
def outbox(ctx: click.Context, supplier: str, platform: str, state: str) -> None:
    """What goes to approved platforms, and what came back of it (facturation électronique).

    queue → attach → (hand over) → sent; then read what comes back, and tell what was collected.
    """
    if ctx.invoked_subcommand is not None:
        return
    from billing.application import outbox as boxes

    session: Session = ctx.obj
    found = boxes.outbox(session.app, supplier, platform, state)
    session.out.say(
        [_shown(item) for item in found],
        lambda: table(
            "Outbox",
            ("document", "issued", "client", "platform", "address", "state", "told", "to do"),
            (
                (
                    item.queued.number,
                    item.queued.issued_on,
                    item.queued.client,
                    item.queued.platform,
                    item.queued.address,
                    item.state if not item.status else f"{item.code} {item.status}",
                    item.why,
                    item.to_do,
                )
                for item in found
            ),
        ),
    )


def _shown(item: Item) -> dict[str, Any]:
    from billing.cli.output import as_data

    told: dict[str, Any] = as_data(item)
    return {**told.pop("queued"), **told, "state": item.state, "to_do": item.to_do}


@outbox.command("directory")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@pass_session
def directory(session: Session, file: Path | None) -> None:
    """Import where companies receive their invoices from a TOML or CSV FILE; else show it."""
    from billing.application import outbox as boxes
    from billing.einvoicing.directory import read_directory
    from billing.events.einvoicing import AddressRecorded

    if file is not None:
        told = boxes.learn(session.app, read_directory(file), file.name)
        session.out.say({"recorded": told}, f"{file}: {len(told)} new or changed")
        return
    found = [event for _, event in session.app.recorded(topics=[AddressRecorded.TOPIC])]
    session.out.say(
        found,
        lambda: table(
            "Directory",
            ("SIREN", "client", "address", "platform", "from", "told by"),
            (
                (e.siren, e.client, e.address, e.platform, e.valid_from, e.source)
                for e in found
                if isinstance(e, AddressRecorded)
            ),
        ),
    )


@outbox.command()
@HOUSE
@pass_session
def queue(session: Session, house_file: Path) -> None:
    """Queue the documents that must go by a platform, or go by choice, and did not yet."""
    from billing.application import outbox as boxes

    queued, aside = boxes.queue(session.app, _house(house_file))
    session.out.say(
        {"queued": queued, "aside": aside}, f"{counted(len(queued), 'document')} queued"
    )
    _left(session, aside)


@outbox.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@SUPPLIER
@pass_session
def attach(session: Session, folder: Path, supplier: str) -> None:
    """Find the files to send in FOLDER (NUMBER.pdf), and keep their digests."""
    from billing.application import outbox as boxes

    changed, aside = boxes.attach(session.app, folder, supplier)
    session.out.say(
        {"attached": [_shown(item) for item in changed], "aside": aside},
        f"{counted(len(changed), 'file')} attached",
    )
    _left(session, aside)


@outbox.command()
@click.argument("number")
@click.option("--on", "sent_on", type=DAY, metavar="DATE", help="The day it was (today).")
@click.option("--flow", default="", metavar="ID", help="The platform's own id for it.")
@SUPPLIER
@pass_session
def sent(session: Session, number: str, sent_on: date | None, flow: str, supplier: str) -> None:
    """Record that document NUMBER was handed to its platform."""
    from billing.application import outbox as boxes

    told = boxes.send(session.app, number, sent_on or session.today, flow, supplier)
    session.out.say(told, f"{number} was sent on {told.sent_on}")


@outbox.command()
@HOUSE
@OUT
@pass_session
def collected(session: Session, house_file: Path, folder: Path) -> None:
    """Write a message 212 (Encaissée) for each payment that is not told of yet."""
    from billing.application import outbox as boxes

    told, aside = boxes.declare(session.app, _house(house_file), folder)
    total = sum(part.amount for event in told for part in event.amounts)
    session.out.say(
        {"declared": told, "aside": aside},
        f"{counted(len(told), 'message')} written, {total:.2f} € collected",
    )
    _left(session, aside)


@outbox.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@pass_session
def read(session: Session, path: Path) -> None:
    """Read the life-cycle messages (CDAR) of an inbox folder, or of one file; each once."""
    from billing.application import outbox as boxes
    from billing.einvoicing.statuses import STATUSES

    found, faults = boxes.read(session.app, path)
    fresh = [one for one in found if not one.known]
    lines = [
        f"{number}: {status.code} {status.name}"
        + "".join(f"; {_why(reason.code, reason.text)}" for reason in status.reasons)
        + (f" → {STATUSES[status.code].to_do}" if _to_do(status.code) else "")
        for one in fresh
        for number, status in one.statuses
    ]
    lines.append(f"{counted(len(fresh), 'message')} read, {len(found) - len(fresh)} known already")
    session.out.say({"read": found, "faults": faults}, "\n".join(lines))
    for one in fresh:
        for number, status in one.statuses:
            if status.code not in STATUSES:
                session.out.warn(f"{number}: {status.code} is no status that is known here")
    if faults:
        raise exits.Failed(exits.BAD_FILE, "\n".join(map(str, faults)), faults=faults)


def _to_do(code: str) -> str:
    from billing.einvoicing.statuses import STATUSES

    known = STATUSES.get(code)
    return known.to_do if known else ""


def _why(code: str, text: str) -> str:
    from billing.einvoicing.statuses import reason_text

    return f"{code} ({text or reason_text(code)})" if code else text


@outbox.command()
@click.argument("which", type=click.Choice(["transactions", "payments"]))
@click.argument("month", required=False, metavar="[YYYY-MM]")
@click.option("--part", type=click.IntRange(1, 3), help="Ten days of it: 1, 2 or 3 (décade).")
@click.option("--from", "start", type=DAY, metavar="DATE", help="Or the first day.")
@click.option("--to", "end", type=DAY, metavar="DATE", help="And the last one.")
@click.option("--supplier", default="", metavar="CODE", help="Whose; may be left out if one.")
@HOUSE
@OUT
@pass_session
def report(
    session: Session,
    which: Any,
    month: str | None,
    part: int | None,
    start: date | None,
    end: date | None,
    supplier: str,
    house_file: Path,
    folder: Path,
) -> None:
    """Write the sales or the payments to tell the administration of (e-reporting, flux 10).

    Sales abroad and to consumers. A period told of again is a correction (RE) of the whole of it.
    """
    from billing.application.ereporting import report as write
    from billing.application.ledger import company

    days = _days(month, part, start, end)
    code = company(session.app, supplier)
    told = write(session.app, _house(house_file), code, which, days, folder)
    done = told.prepared
    session.out.say(
        told,
        f"{told.path}: {done.type_code} of {days}, {counted(done.documents, 'document')}, "
        f"{euros(done.net)}"
        + (f" and {euros(done.tax)} of tax" if which == "transactions" else " collected")
        if done
        else f"{days}: nothing to tell of",
    )
    _left(session, told.aside)


def _days(month: str | None, part: int | None, start: date | None, end: date | None) -> Period:
    import re

    from billing.dates import DAY as ONE
    from billing.dates import Period, add_months

    if month is None:
        if start is None or end is None or end < start or part is not None:
            raise click.UsageError("say a month, or --from and --to, the first day first")
        return Period(start, end + ONE)
    alone = start is None and end is None
    if not alone or not re.fullmatch("20[0-9]{2}-(0[1-9]|1[0-2])", month):
        raise click.UsageError(f"{month!r}: a month written YYYY-MM was expected, alone")
    first = date.fromisoformat(f"{month}-01")
    following = add_months(first, 1)
    if part is None:
        return Period(first, following)
    begins = first.replace(day=10 * part - 9)
    return Period(begins, following if part == 3 else begins.replace(day=10 * part + 1))


@outbox.command()
@pass_session
def law(session: Session) -> None:
    """Show since when which companies must receive, issue and report."""
    from billing.einvoicing.house import obligations

    found = obligations()
    session.out.say(
        found,
        lambda: table(
            "What the law asks",
            ("what", "sizes", "since", "source"),
            ((one.what, ", ".join(one.sizes), one.since, one.source) for one in found),
        ),
    )


def _house(path: Path) -> House:
    from billing.einvoicing.house import load_house

    return load_house(path)


def _left(session: Session, aside: Iterable[Aside]) -> None:
    """What could not be done, on stderr, each with its reason."""
    for one in aside:
        session.out.warn(one.why if one.why.startswith(one.what) else f"{one.what}: {one.why}")
