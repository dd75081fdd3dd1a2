"""Commands on everything at once: the month's run, its replay, the checks of the record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.output import euros, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.application.preview import Planned
    from billing.application.replay import Verification
    from billing.application.runs import Progress, Report


class Month(click.ParamType[date]):
    """A month written YYYY-MM, as its first day."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The first day of the month, or a refusal that shows how it is written."""
        if isinstance(value, date):
            return value
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value, re.ASCII):
            self.fail(f"{value!r}; a month written YYYY-MM was expected", param, ctx)
        return date.fromisoformat(f"{value}-01")


MONTH = Month()
PREVIEWED = 1_000
"""Contracts a dry run holds at once; nobody else waits for it, so a page is small."""


@click.command()
@click.argument("month", type=MONTH, required=False)
@click.option("--until", type=DAY, help="Bill what is due up to that day, included.")
@click.option("--dry-run", is_flag=True, help="Show what would be billed; write nothing.")
@click.option("--changed-only", is_flag=True, help="With --dry-run: only what differs from before.")
@click.option("--limit", type=click.IntRange(min=0), help="With --dry-run: show so many documents.")
@click.option("--strict", is_flag=True, help="Exit 8 when a contract was set aside.")
@pass_session
def run(
    session: Session,
    month: date | None,
    until: date | None,
    dry_run: bool,
    changed_only: bool,
    limit: int | None,
    strict: bool,
) -> None:
    """Bill all that is due in a MONTH, or up to a day: number the invoices, once.

    Run it again at will: a run that was stopped goes on, one that is done bills only what has
    become due since. --dry-run shows every invoice, and why it differs from the one before.
    """
    from billing.dates import DAY as ONE_DAY
    from billing.month import month_days

    if (month is None) == (until is None):
        raise click.UsageError("give a MONTH (2026-07), or --until DATE")
    if (changed_only or limit is not None) and not dry_run:
        raise click.UsageError("--changed-only and --limit go with --dry-run")
    if month is not None:
        earliest, end = month_days(month)
        name = f"{month:%Y-%m}"
    else:
        assert until is not None
        earliest, end, name = until.replace(day=1), until + ONE_DAY, f"until {until}"
    if dry_run:
        report = _preview(session, earliest, end, name, changed_only, limit)
    else:
        report = _run(session, earliest, end, name)
    if strict and report.set_aside:
        raise exits.Failed(exits.SET_ASIDE, f"{len(report.set_aside)} contracts were set aside")


def _run(session: Session, earliest: date, until: date, name: str) -> Report:
    from billing.application import runs

    try:
        with progress_bar(session, name, "contracts/s") as progress:
            report = runs.run(session.app, earliest, until, name, progress)
    except KeyboardInterrupt:
        raise exits.Failed(
            exits.INTERRUPTED,
            f"the run {name} was stopped. What it billed is recorded with its numbers; give the "
            "same command again and it goes on from there.",
        ) from None
    session.out.say(report_data(report), lambda: summary(report))
    return report


def _preview(
    session: Session,
    earliest: date,
    until: date,
    name: str,
    changed_only: bool,
    limit: int | None,
) -> Report:
    """Tells each document as it is worked out; one line of JSON each, then the report."""
    from billing.application import runs
    from billing.application.preview import planned

    app, out = session.app, session.out
    drafts, report = runs.preview(app, earliest, until, name, PREVIEWED)
    shown = same = hidden = 0
    for plan in planned(app, drafts, until):
        if changed_only and not plan.changes:
            same += 1
        elif limit is not None and shown >= limit:
            hidden += 1
        else:
            shown += 1
            out.say({"document": plan}, lambda plan=plan: _plan(plan))  # type: ignore[misc]
    if not out.as_json and (same or hidden):
        left_out = [
            f"{same} are the same as before" if same else "",
            f"{hidden} more" if hidden else "",
        ]
        out.say(None, f"\n({', '.join(filter(None, left_out))}: not shown)")
    done = report()
    out.say({**report_data(done), "dry_run": True}, lambda: summary(done, dry_run=True))
    return done


def _plan(plan: Planned) -> str:
    period = str(plan.period) if plan.period else ""
    lines = [
        f"{plan.contract:<16} {plan.client:<20} {plan.on}  {period:<24} "
        f"{euros(plan.net):>14} {euros(plan.gross):>14}"
        + ("" if plan.kind == "invoice" else f"  {plan.kind}")
    ]
    for change in plan.changes:
        by = "" if change.net is None else f"{change.net:+.2f} €"
        lines.append(f"    {by:>12}  {change.told}")
    return "\n".join(lines)


def report_data(report: Report) -> dict[str, Any]:
    """A run's report as data."""
    totals = report.totals
    return {
        "run": report.name,
        "resumed": report.resumed,
        "nothing_due": report.nothing_due,
        "contracts": report.contracts,
        "invoices": totals.invoices,
        "credit_notes": totals.credit_notes,
        "net": totals.net,
        "tax": totals.tax,
        "gross": totals.gross,
        "vat": totals.vat,
        "renewed": totals.renewed,
        "revised": totals.revised,
        "set_aside": [
            {
                "contract": number,
                "on": aside.due_on,
                "clause": aside.clause,
                "reason": aside.reason,
                "billing_waits": aside.held,
            }
            for number, aside in zip(report.aside_numbers, report.set_aside, strict=True)
        ],
        "digest": report.digest,
    }


def summary(report: Report, dry_run: bool = False) -> RenderableType:
    """A run's report for people: totals by VAT rate, then what was set aside and why."""
    from rich.console import Group

    if report.nothing_due:
        base, again, _ = report.name.partition("#")
        return f"{base}: nothing {'more ' if again else ''}was due."
    totals = report.totals
    verb = "would bill" if dry_run else "went on and billed" if report.resumed else "billed"
    told = [counted(totals.invoices, "invoice")]
    told += [counted(totals.credit_notes, "credit note")] if totals.credit_notes else []
    told += [f"{totals.renewed} renewed"] if totals.renewed else []
    told += [f"{totals.revised} revised"] if totals.revised else []
    told += [f"{len(report.set_aside)} set aside"] if report.set_aside else []
    parts: list[RenderableType] = [f"{report.name} {verb} {', '.join(told)}."]
    if totals.vat:
        rows: list[tuple[str, ...]] = [
            (f"{v.rate:f} %" if v.category == "S" else v.reason or v.category, *map(
                euros, (v.base, v.tax, v.base + v.tax)
            ))
            for v in totals.vat
        ]  # fmt: skip
        if len(rows) > 1:
            rows.append(("", *map(euros, (totals.net, totals.tax, totals.gross))))
        parts.append(table("", ("VAT", "Net", "Tax", "Gross"), rows, ("Net", "Tax", "Gross")))
    if report.set_aside:
        parts.append(asides(zip(report.aside_numbers, report.set_aside, strict=True)))
    if dry_run:
        parts.append("Nothing was written.")
    return Group(*parts)


def counted(number: int, what: str) -> str:
    """1 invoice, 2 invoices."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def asides(found: Iterable[tuple[str, Any]]) -> RenderableType:
    """What was set aside: the contract, the day, the clause, what waits, why."""
    return table(
        "Set aside",
        ("Contract", "Since", "Clause", "Billing", "Why"),
        (
            (number, one.due_on, one.clause, "waits" if one.held else "goes on", one.reason)
            for number, one in found
        ),
    )


@contextmanager
def progress_bar(session: Session, what: str, unit: str) -> Iterator[Progress | None]:
    """How far it is, at which rate, and the time left; on a terminal only."""
    if not session.out.watched:
        yield None
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[rate]}"),
        rich.TimeRemainingColumn(),
    )
    from rich.console import Console

    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def progress(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield progress


@click.command()
@click.argument("run_name", metavar="MONTH|RUN")
@pass_session
def verify(session: Session, run_name: str) -> None:
    """Do a MONTH again from the log as it was, and compare event by event.

    A run has the name of its month (2026-07), a second one 2026-07#2, one up to a day
    "until 2026-07-15". Exit 9 when what is recorded is not what the run would record today.
    """
    from billing.application import replay

    found = replay.verify(session.app, run_name)
    session.out.say(found, lambda: _verified(found))
    if not found.matches:
        raise exits.Failed(exits.DIFFERENT, f"{run_name}: the record and its replay differ")


def _verified(found: Verification) -> RenderableType:
    from rich.console import Group

    engine = ""
    if found.engine != found.engine_recorded:
        engine = f", by version {found.engine_recorded}; done again by {found.engine}"
    told = [
        f"{found.run}: opened {found.opened_at:%Y-%m-%d %H:%M} UTC by {found.opened_by}{engine}"
        + ("." if found.closed else "; it is not finished: give `billing run` again."),
        f"{counted(found.events, 'event')} of {counted(found.contracts, 'contract')} and "
        f"{counted(found.invoices, 'invoice')} done again: {euros(found.net)} net, "
        f"{euros(found.gross)} gross, {found.set_aside} set aside.",
    ]
    if found.digest_recorded:
        told.append(f"Digest of the invoices: {found.digest_found}")
    if found.matches:
        return "\n".join([*told, "All of it is what is recorded."])
    rows = [(d.contract, d.version, d.field, d.recorded, d.found) for d in found.differences]
    return Group(
        "\n".join(told),
        table(
            f"{found.differences_in_all} differences",
            ("Where", "#", "What", "Recorded", "Done again"),
            rows,
        ),
    )


@click.command()
@pass_session
def rebuild(session: Session) -> None:
    """Fold all events again and replace every current state by what they lead to.

    States are a cache of the log: nothing is lost and no amount changes.
    """
    count = session.app.rebuild_states()
    session.out.say({"rebuilt": count}, f"{count} states rebuilt from the log.")


@click.command()
@pass_session
def audit(session: Session) -> None:
    """Check the record against itself: invoice numbers unbroken, states as their events say.

    Exit 9 when something is wrong.
    """
    from billing.application import replay

    app = session.app
    wrong = {"numbers": replay.audit_numbers(app), "states": app.drifted_states()}
    session.out.say(wrong, lambda: _audited(wrong))
    if any(wrong.values()):
        raise exits.Failed(exits.DIFFERENT, "the record does not agree with itself")


def _audited(wrong: dict[str, list[str]]) -> str:
    told = ["Invoice numbers are unbroken." if not wrong["numbers"] else "Invoice numbers:"]
    told += [f"  {one}" for one in wrong["numbers"]]
    if wrong["states"]:
        told.append("States that are not what their events say (`billing rebuild` repairs them):")
    else:
        told.append("Current states are what their events say.")
    told += [f"  {one}" for one in wrong["states"]]
    return "\n".join(told)
