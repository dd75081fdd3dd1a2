"""Files people write: forms, contracts, lives; what they may say, and carrying them out."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, pass_session
from billing.cli.output import counted, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.forms import Form


@click.command()
@click.argument("file", type=click.Choice(["contract", "form", "actions", "life"]))
@pass_session
def schema(session: Session, file: str) -> None:
    """Print the JSON Schema of a file: an editor then completes and checks it.

    contract: what `sign` reads. form: what --forms holds. actions: one action, as a program says
    it. life: the dated actions that `play` carries out.
    """
    import json

    if file == "contract":
        from billing.forms import contract_schema as of
    elif file == "form":
        from billing.forms import form_schema as of
    elif file == "actions":
        from billing.application.actions import actions_schema as of
    else:
        from billing.application.lives import life_schema as of
    found = of()
    session.out.say(found, lambda: json.dumps(found, indent=2, ensure_ascii=False))


@click.group(invoke_without_command=True)
@click.pass_context
def forms(ctx: click.Context) -> None:
    """List the contract forms, shipped and the house's own; show their clauses."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@forms.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the forms."""
    from billing.forms import forms as every

    found = every(session.folders)
    session.out.say(
        [
            {
                "name": form.name,
                "title": form.title,
                "variants": form.variants,
                "digest": form.digest,
                "catalogue": list(form.catalogue),
            }
            for form in found
        ],
        lambda: table(
            "Forms",
            ("form", "title", "variants", "catalogue", "digest"),
            (
                (
                    form.name,
                    form.title,
                    ", ".join(form.variants),
                    len(form.catalogue),
                    form.digest[:12],
                )
                for form in found
            ),
            right=("catalogue",),
        ),
    )


@forms.command()
@click.argument("name")
@click.option("--variant", default="", help="One way of signing it.")
@click.option("--clause", default="", help="One clause only.")
@pass_session
def show(session: Session, name: str, variant: str, clause: str) -> None:
    """Show a form: its clauses with the contract's words, their reading, the parameters."""
    from billing.forms import load_form
    from billing.forms.fields import suggestion
    from billing.refusal import Refused

    form = load_form(name, session.folders)
    spoken = form.clauses(variant)
    if clause and clause not in spoken:
        raise Refused(f"the form {name} has no clause {clause}; {suggestion(clause, spoken)}")
    chosen = (clause,) if clause else spoken
    parameters = form.parameters({}, variant)
    told = [
        {"clause": one, "said": form.words(one, variant), "terms": parameters.get(one)}
        for one in chosen
    ]
    session.out.say(
        {
            "form": form.name,
            "title": form.title,
            "digest": form.digest,
            "variants": form.variants,
            "clauses": told,
            "catalogue": [] if clause else list(form.catalogue.values()),
        },
        lambda: _page(form, variant, told, catalogue=not clause),
    )


def _page(
    form: Form, variant: str, clauses: list[dict[str, Any]], *, catalogue: bool
) -> RenderableType:
    import textwrap

    from rich.console import Group

    from billing.cli.output import as_data

    said = [f"{form.title} ({form.name}, digest {form.digest[:12]})"]
    if form.about:
        said.append(form.about)
    if form.variants:
        signed_as = variant or form.default_variant
        others = "; ".join(f"{name}: {title}" for name, title in form.variants.items())
        said.append(f"variant {signed_as}, of {others}")
    for one in clauses:
        words = one["said"]
        said += ["", f"{one['clause']}" + (f" — {words.source}" if words.source else "")]
        if words.words:
            said.append(
                textwrap.fill(f"« {words.words} »", 96, initial_indent="  ", subsequent_indent="  ")
            )
        if words.reading:
            said.append(
                textwrap.fill(
                    f"→ {words.reading}", 96, initial_indent="  ", subsequent_indent="    "
                )
            )
        terms = as_data(one["terms"])
        said += [f"  {line}" for line in _parameters(terms, _listed(one["clause"], terms))]
    parts: list[RenderableType] = ["\n".join(said)]
    if catalogue and form.catalogue:
        parts.append(
            table(
                "Catalogue",
                ("code", "label", "price", "per", "kind", "until"),
                (
                    (
                        e["code"],
                        e.get("label"),
                        e.get("unit_price"),
                        e.get("per", "month"),
                        e.get("kind", "service"),
                        e.get("offered_until"),
                    )
                    for e in form.catalogue.values()
                ),
                right=("price",),
            )
        )
    return Group(*parts)


def _listed(clause: str, terms: Any) -> str:
    return clause if isinstance(terms, list) else ""


def _parameters(value: Any, name: str = "") -> list[str]:
    """Parameters a line each: notice.months = 3."""
    if isinstance(value, dict):
        return [
            line
            for key, one in value.items()
            for line in _parameters(one, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return [
            line
            for place, one in enumerate(value, 1)
            for line in _parameters(one, f"{name}[{place}]")
        ]
    if value in (None, [], ""):
        return []
    shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    return [f"{name} = {shown}"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--until", type=DAY, metavar="DATE", help="Stop after that day (today).")
@click.option("--check", is_flag=True, help="Read the file only; carry nothing out.")
@pass_session
def play(session: Session, file: Path, until: date | None, check: bool) -> None:
    """Carry out a FILE of dated actions, in the order of their days, each on its day.

    It stops at the first that is refused and says which; what came before it stays. Actions
    after today wait. `billing schema life` describes the file.
    """
    from billing.application.lives import due, read_life
    from billing.application.lives import play as carry_out
    from billing.cli.telling import lines

    life = read_life(file, session.folders)
    last = min(until or session.today, session.today)
    wanted = due(life, last)
    later = len(life.actions) - len(wanted)
    if check:
        session.out.say(
            {"file": str(file), "actions": len(life.actions), "later": later},
            f"{file}: {counted(len(life.actions), 'action')}, from {life.actions[0].on} to "
            f"{life.actions[-1].on}; nothing is wrong in them as far as the file goes",
        )
        return
    app = session.new_app
    events = 0
    for dated, told in carry_out(app, life, last):
        action = dated.action
        do = str(action.__struct_config__.tag)
        events += len(told.events)
        session.out.say(
            {
                "on": dated.on,
                "line": dated.line,
                "do": do,
                "about": action.about,
                "events": told.events,
                "findings": told.findings,
            },
            lambda dated=dated, told=told, do=do, action=action: "\n".join(
                (  # type: ignore[misc]
                    f"{dated.on}  {do} {action.about}",
                    *(f"    {line}" for line in lines(told)),
                )
            ),
        )
    waiting = f"; {later} after {last} wait" if later else ""
    session.out.say(
        {"file": str(file), "played": len(wanted), "events": events, "later": later},
        f"{counted(len(wanted), 'action')} played, {counted(events, 'event')} recorded{waiting}",
    )
