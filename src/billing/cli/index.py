"""Published indices: recorded, imported, replaced, read (indices et taux publiés)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.lifecycle import EVIDENCE, day, record
from billing.cli.output import counted, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from indices import Differences, IndexBook, Observation, Remark

CONFIDENCE = click.option(
    "--confidence",
    type=click.Choice(["found", "derived", "recalled"]),
    default="found",
    show_default=True,
    help="How sure the value is.",
)
SOURCE = click.option("--source", required=True, help="Where it was read.")


@click.group()
def index() -> None:
    """Publish, correct, import and read index values.

    A value counts from the day it is published. None is ever changed: a correction is another
    version, with its own day.
    """


@index.command()
@click.argument("series")
@click.argument("period")
@click.argument("value")
@SOURCE
@day("published_on", "The day it came out", "--published-on")
@CONFIDENCE
@pass_session
def publish(session: Session, /, **said: Any) -> None:
    """Record the VALUE of a SERIES for a PERIOD (YYYY-MM, or a first day)."""
    record(session, "index-publish", new=True, **said)


@index.command()
@click.argument("series")
@click.argument("period")
@click.argument("value")
@SOURCE
@click.option("--reason", required=True, help="Why the publisher corrects it.")
@day("published_on", "The day the correction came out", "--published-on")
@CONFIDENCE
@pass_session
def correct(session: Session, /, **said: Any) -> None:
    """Record the rectified VALUE of a SERIES for a PERIOD; revisions done stay as they were."""
    record(session, "index-correct", new=True, **said)


@index.command()
@click.argument("series")
@click.argument("successor")
@click.argument("period")
@click.argument("coefficient")
@SOURCE
@day("published_on", "The day it came out", "--published-on")
@click.option("--rule", default="", help="How the publisher says it is used.")
@pass_session
def replace(session: Session, /, **said: Any) -> None:
    """Record that SERIES stops and SUCCESSOR goes on from PERIOD, linked by COEFFICIENT.

    The old scale is the new value × the coefficient (coefficient de raccordement).
    """
    record(session, "index-replace", new=True, **said)


@index.command()
@click.argument("contract")
@click.argument("series")
@click.argument("by_series", metavar="NEW_SERIES")
@click.option("--by", "decided_by", required=True, metavar="WHO", help="Who decided it.")
@EVIDENCE
@day("decided_on", "The day of the decision")
@click.option("--base-value", metavar="VALUE", help="The new base, So, if it is agreed.")
@click.option("--base-period", metavar="PERIOD", help="The period the base is of.")
@click.option("--base-series", metavar="SERIES", help="Its series, if not the new one.")
@click.option("--base-published-on", type=DAY, metavar="DATE", help="When it was published.")
@click.option("--coefficient", metavar="NUMBER", help="Instead: keep the old base, link the new.")
@pass_session
def substitute(
    session: Session,
    /,
    base_value: str | None,
    base_period: str | None,
    base_series: str | None,
    base_published_on: date | None,
    **said: Any,
) -> None:
    """Record the decision that replaces SERIES by NEW_SERIES in one CONTRACT (C. civ. 1167).

    Without a base or a coefficient, the base is the value last known at signature.
    """
    base: dict[str, Any] | None = None
    if base_value is not None or base_period is not None:
        if base_value is None or base_period is None or base_published_on is None:
            raise click.UsageError(
                "a base needs --base-value, --base-period and --base-published-on",
                click.get_current_context(),
            )
        base = {
            "series": base_series or said["by_series"],
            "period": base_period,
            "value": base_value,
            "published_on": base_published_on,
            "source": said.get("evidence") or "agreed",
        }
    record(session, "index-substitute", base=base, **said)


@index.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--published-on",
    type=DAY,
    metavar="DATE",
    help="The day of the release; without it, estimated for old months.",
)
@click.option("--source", default="", help="Where the file comes from (its name by default).")
@click.option("--reason", default="", help="Why values are rectified, if some are.")
@click.option("--dry-run", is_flag=True, help="Show what would change; record nothing.")
@pass_session
def import_(
    session: Session,
    file: Path,
    published_on: date | None,
    source: str,
    reason: str,
    dry_run: bool,
) -> None:
    """Import the values of a publisher's FILE: INSEE BDM, ECB SDMX-CSV, or ours.

    Shows what is new, what rectifies a value and what is refused. Nothing is recorded when
    anything is refused.
    """
    from billing.application import commands
    from billing.application.actions import observations_of
    from indices import diff

    app = session.new_app
    app.publish_shipped()
    book = app.book()
    found = diff(book, observations_of(app, file, published_on, source))
    recorded = 0
    if not dry_run and not found.refused:
        fresh = (*found.new, *found.changed)
        recorded = len(fresh)
        if fresh:
            commands.publish(app, fresh, reason)
    session.out.say(
        {
            "file": str(file),
            "recorded": recorded,
            "new": found.new,
            "changed": found.changed,
            "unchanged": len(found.unchanged),
            "refused": found.refused,
            "warnings": found.warnings,
        },
        lambda: _told(found, book, recorded, dry_run),
    )
    if found.refused:
        raise exits.Failed(
            exits.BAD_FILE,
            f"{file}: {counted(len(found.refused), 'value')} refused; nothing was recorded",
        )


def _told(found: Differences, book: IndexBook, recorded: int, dry_run: bool) -> RenderableType:
    from rich.console import Group

    before = {
        (o.series, o.period): book.versions(o.series, o.period)[-1].value for o in found.changed
    }
    parts: list[RenderableType] = []
    if found.new:
        parts.append(_values("New", found.new))
    if found.changed:
        parts.append(
            table(
                "Rectified",
                ("series", "period", "was", "is", "published on"),
                (
                    (o.series, o.period, before[o.series, o.period], o.value, o.published_on)
                    for o in found.changed
                ),
                right=("was", "is"),
            )
        )
    if found.refused:
        parts.append(_remarks("Refused", found.refused))
    if found.warnings:
        parts.append(_remarks("To look at", found.warnings))
    if dry_run:
        last = f"{len(found.new)} new, {len(found.changed)} rectified: nothing recorded (--dry-run)"
    else:
        last = f"{counted(recorded, 'value')} recorded"
    return Group(*parts, f"{last}, {len(found.unchanged)} known already.")


def _values(title: str, observations: Iterable[Observation]) -> RenderableType:
    return table(
        title,
        ("series", "period", "value", "published on", "estimated", "source"),
        (
            (o.series, o.period, o.value, o.published_on, "yes" if o.estimated else "", o.source)
            for o in observations
        ),
        right=("value",),
    )


def _remarks(title: str, remarks: Iterable[Remark]) -> RenderableType:
    return table(
        title,
        ("series", "period", "value", "why"),
        (
            (r.observation.series, r.observation.period, r.observation.value, r.reason)
            for r in remarks
        ),
        right=("value",),
    )


@index.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the series: publisher, last value known, holes."""
    book = _book(session)
    rows = []
    for name, series in book.series().items():
        values = book.observations(name)
        last = values[-1] if values else None
        rows.append(
            {
                "series": name,
                "family": series.family or "",
                "french_name": series.french_name,
                "publisher": series.publisher,
                "frequency": series.frequency,
                "scope": series.scope,
                "values": len(values),
                "last_period": last.period if last else None,
                "last_value": last.value if last else None,
                "published_on": last.published_on if last else None,
                "ended": series.ended,
                "successor": series.successor or "",
            }
        )
    session.out.say(
        rows,
        lambda: table(
            "Series",
            (
                "series",
                "name",
                "publisher",
                "values",
                "last",
                "value",
                "published on",
                "ended",
                "then",
            ),
            (
                (
                    r["series"],
                    r["french_name"],
                    r["publisher"],
                    r["values"],
                    r["last_period"],
                    r["last_value"],
                    r["published_on"],
                    r["ended"],
                    r["successor"],
                )
                for r in rows
            ),
            right=("values", "value"),
        ),
    )


@index.command()
@click.argument("series")
@click.option("--on", type=DAY, metavar="DATE", help="What a clause reads on that day.")
@click.option(
    "--policy",
    type=click.Choice(["first", "definitive"]),
    default="first",
    show_default=True,
    help="With --on: the first published value, or the latest.",
)
@click.option(
    "--last", type=click.IntRange(min=1), default=24, show_default=True, help="How many values."
)
@pass_session
def show(session: Session, series: str, on: date | None, policy: str, last: int) -> None:
    """Show the values of a SERIES, or what a clause reads of it on a day."""
    from billing.forms.fields import suggestion
    from billing.refusal import Refused

    book = _book(session)
    families = book.families()
    if series not in book.series() and series not in families:
        told = suggestion(series, [*book.series(), *families])
        raise Refused(f"no series {series}; {told}")
    if on is not None:
        alive = book.resolve(series, on)
        ask = book.in_force if alive.scope in ("rate", "tax") else book.last_known
        reading = ask(series, on, policy)
        estimated = " (estimated)" if reading.estimated else ""
        session.out.say(
            reading,
            "\n".join(
                (
                    f"{reading.series} {reading.period} = {reading.value}",
                    f"published on {reading.published_on}{estimated}, {reading.confidence}",
                    f"source: {reading.source}",
                )
            ),
        )
        return
    names = families.get(series, (series,))
    values = [o for name in names for o in book.observations(name)][-last:]
    links = [link for link in book.links() if {link.old_series, link.new_series} & set(names)]
    session.out.say(
        {"series": [book.series()[name] for name in names], "values": values, "links": links},
        lambda: _page(series, names, book, values, links),
    )


def _page(
    name: str, names: tuple[str, ...], book: IndexBook, values: list[Observation], links: list[Any]
) -> RenderableType:
    from rich.console import Group

    said = []
    for one in names:
        series = book.series()[one]
        ended = f", ended on {series.ended}" if series.ended else ""
        base = f", base {series.base}" if series.base else ""
        said.append(f"{one}: {series.french_name} ({series.publisher}{base}{ended})")
        if series.note:
            said.append(f"  {series.note}")
    said += [f"{k.old_series} = {k.new_series} × {k.coefficient} ({k.source})" for k in links]
    return Group("\n".join(said), _values(name, values))


def _book(session: Session) -> IndexBook:
    """The series as the log knows them; before a first record, as shipped with the product."""
    from indices import shipped

    if session.database_missing:
        return shipped()
    book = session.app.book()
    return book if book.series() else shipped()
