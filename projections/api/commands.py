"""`billing serve` and `billing key`: the server, and who may ask it."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

import click

from billing.cli import DAY, Session, pass_session
from billing.cli.output import table

if TYPE_CHECKING:
    from billing.application import Billing
    from projections.api.settings import Settings


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where it listens; 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="8000 by default; 0: any that is free.")
@click.option(
    "--open",
    "open_on_loopback",
    is_flag=True,
    help="Take whoever reaches it from this machine for you: no key is asked. Loopback only.",
)
@click.option(
    "--log", "level", type=click.Choice(["debug", "info", "warning", "error"]), default="info"
)
@pass_session
def serve(
    session: Session, host: str | None, port: int | None, open_on_loopback: bool, level: str
) -> None:
    """Answer questions and take commands over HTTP, until interrupted.

    Whoever asks needs a key (`billing key add`) or a token of the OpenID Connect issuer; only
    --open asks for none. Everything else is set by the environment: BILLING_API_POOL,
    BILLING_API_RATE, BILLING_API_OIDC_ISSUER … (projections/api/README.md has them all).
    """
    from projections.api import logs, server
    from projections.api.app import application, create_app
    from projections.api.settings import BadSetting, Settings

    try:
        settings = Settings.read(
            os.environ,
            url=session.database,
            host=host,
            port=port,
            open_on_loopback=open_on_loopback or None,
            forms=tuple(map(str, session.folders)),
        )
    except BadSetting as error:
        raise click.UsageError(str(error)) from None
    if session.database_missing:
        _ = session.app  # Says so.
    billing = application(settings, clock=session.clock, user=session.user)
    try:
        app = create_app(settings, billing)
        logs.configure(level)
        server.run(app, settings, lambda address: _ready(session, settings, billing, address))
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise click.UsageError(f"{where}: {error.strerror or error}") from None
    finally:
        billing.close()


def _ready(session: Session, settings: Settings, billing: Billing, address: str) -> None:
    import structlog

    from projections.api import keys

    structlog.get_logger("billing.api").info(
        "listening", address=address, open=settings.open_on_loopback
    )
    if not session.out.as_json:
        click.echo(
            f"Listening on {address}, described at {address}/docs; Ctrl-C ends it.", err=True
        )
    if settings.open_on_loopback:
        session.out.warn(
            f"the server is OPEN: whoever reaches {address} from this machine reads everything and "
            f"decides as {billing.user}, without a key. Other machines cannot reach it."
        )
        return
    now = billing.clock()
    valid = [key for key in keys.listed(billing.store) if key.state(now) == "valid"]
    if not valid and settings.oidc is None:
        session.out.warn(
            "nobody may ask anything yet: `billing key add NAME --role reader` makes a key "
            "(or, on this machine alone, --open asks for none)"
        )


@click.group()
def key() -> None:
    """Make, list and revoke keys of the API."""


@key.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(["reader", "operator", "approver", "auditor", "admin"]),
    help="What it may do; may be repeated.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["personal"]),
    help="What it may see besides: personal data.",
)
@click.option("--until", type=DAY, metavar="DATE", help="Its last day; none: until revoked.")
@pass_session
def add(
    session: Session,
    name: str,
    roles: tuple[str, ...],
    scopes: tuple[str, ...],
    until: date | None,
) -> None:
    """Make a key for NAME, and show it this once: commands are recorded under that name."""
    from projections.api import keys

    billing = _prepared(session)
    made = keys.add(
        billing.store,
        name,
        roles,
        scopes,
        by=billing.user,
        at=billing.clock(),
        expires_at=None if until is None else _after(until),
    )
    session.out.say(
        {"key": made, "id": keys.id_of(made), "name": name},
        f"{made}\n\nKeep it now: it is shown once. It goes in the header Authorization: Bearer.",
    )


@key.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the keys there have been."""
    from projections.api import keys
    from projections.api.keys_http import shown

    billing = _prepared(session)
    now = billing.clock()
    found = keys.listed(billing.store)
    session.out.say(
        [shown(one, now) for one in found],
        lambda: table(
            "Keys",
            ["id", "name", "roles", "scopes", "state", "until", "last used"],
            [
                (
                    one.id,
                    one.name,
                    " ".join(sorted(one.roles)),
                    " ".join(sorted(one.scopes)),
                    one.state(now),
                    f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "",
                    f"{one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never",
                )
                for one in found
            ],
        ),
    )


@key.command()
@click.argument("named", metavar="KEY")
@pass_session
def revoke(session: Session, named: str) -> None:
    """Take back KEY: its id, or the name it was made for (then all its keys)."""
    from projections.api import keys

    billing = _prepared(session)
    gone = keys.revoke(billing.store, named, by=billing.user, at=billing.clock())
    ids = [one.id for one in gone]
    session.out.say(
        {"revoked": ids},
        f"Revoked: {', '.join(ids)}. A running server refuses it within a few seconds.",
    )


def _prepared(session: Session) -> Billing:
    from projections import schema

    schema.ensure(session.app.store)
    return session.app


def _after(day: date) -> datetime:
    """The moment a day is over in Paris."""
    from datetime import timedelta

    from billing.application.core import PARIS

    return datetime.combine(day + timedelta(days=1), time(), PARIS).astimezone(UTC)
