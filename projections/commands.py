"""`billing project`: the read side made, followed, rebuilt and compared with the record."""

from __future__ import annotations

import signal
from threading import Event as Flag
from typing import Any

import click

from billing.cli import Session, exits, pass_session
from billing.cli.output import table


@click.command()
@click.argument("names", nargs=-1)
@click.option("--once", is_flag=True, help="Follow the log to its present end, then stop.")
@click.option("--rebuild", is_flag=True, help="Make the rows again beside, then swap.")
@click.option("--check", is_flag=True, help="Compare what was followed with what is rebuilt.")
@click.option("--status", is_flag=True, help="Show how far each projection has followed the log.")
@click.option("--grant", metavar="ROLE", help="Let a role of PostgreSQL read the analysts' views.")
@pass_session
def project(
    session: Session,
    names: tuple[str, ...],
    once: bool,
    rebuild: bool,
    check: bool,
    status: bool,
    grant: str | None,
) -> None:
    """Keep the projections (all, or NAMES) up to date with the log; live until interrupted."""
    from projections.runner import Runner

    if sum((once, rebuild, check, status, grant is not None)) > 1:
        raise click.UsageError("Choose one of --once, --rebuild, --check, --status and --grant.")
    runner = Runner(session.app)
    if grant is not None:
        _granted(session, runner, grant)
        return
    chosen = [view.name for view in runner.chosen(names)]
    if rebuild:
        counts = {name: runner.rebuild(name) for name in chosen}
        session.out.say(counts, lambda: table("", ["projection", "rows"], counts.items()))
        return
    if check:
        _checked(session, runner, chosen)
        return
    if not (status or once):
        _follow(session, runner, names)
    if once:
        runner.catch_up(names, retry=True)
    _standings(session, runner, chosen, failing=not status)


def _follow(session: Session, runner: Any, names: tuple[str, ...]) -> None:
    stop = Flag()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stop.set())
    click.echo("Following the log; Ctrl-C ends it.", err=True)
    runner.follow(stop, names)


def _granted(session: Session, runner: Any, role: str) -> None:
    from projections import analyst

    runner.prepare()
    with runner.store.transaction() as tx, tx.writing() as connection:
        views = analyst.grant_to(connection, role)
    session.out.say({"role": role, "views": views}, f"{role} may read {', '.join(views)}")


def _checked(session: Session, runner: Any, chosen: list[str]) -> None:
    found = {name: runner.compare(name) for name in chosen}
    wrong = {name: len(rows) for name, rows in found.items() if rows}
    session.out.say(
        {
            "differences": {
                name: [[str(c) for c in row] for row in rows] for name, rows in found.items()
            }
        },
        lambda: "\n".join(
            f"{name}: {'followed and rebuilt are the same' if not rows else rows[:3]}"
            for name, rows in found.items()
        ),
    )
    if wrong:
        raise exits.Failed(
            exits.DIFFERENT,
            f"{', '.join(wrong)}: what was followed is not what is rebuilt; run"
            f" `billing project --rebuild {' '.join(wrong)}` and report it",
        )


def _standings(session: Session, runner: Any, chosen: list[str], failing: bool) -> None:
    rows = [one for one in runner.standings() if one.name in chosen]
    session.out.say(
        [one._asdict() for one in rows],
        lambda: table(
            "",
            ["projection", "position", "behind", "stopped at"],
            [
                (one.name, one.position, one.behind, one.error or ("to rebuild" * one.outdated))
                for one in rows
            ],
        ),
    )
    stopped = [one for one in rows if one.failed_at]
    if stopped and failing:
        raise exits.Failed(
            exits.INTERNAL, "; ".join(f"{one.name} stopped: {one.error}" for one in stopped)
        )
