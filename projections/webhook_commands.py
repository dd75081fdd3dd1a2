"""`billing webhook`: where other services are told of events, and what they did not take."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from billing.cli import Session, pass_session
from billing.cli.output import table

if TYPE_CHECKING:
    from projections.webhooks import Hook, Letter, Webhooks

NETWORKS = "BILLING_API_WEBHOOK_NETWORKS"


def _webhooks(session: Session) -> Webhooks:
    from projections import schema
    from projections.api.settings import BadSetting, Settings
    from projections.webhooks import Policy, Webhooks

    try:
        settings = Settings.read(os.environ)
    except BadSetting as error:
        raise click.UsageError(str(error)) from None
    app = session.app
    schema.ensure(app.store)
    return Webhooks(app.store, session.clock, Policy(settings.webhook_networks))


@click.group()
def webhook() -> None:
    """Tell other services of events: where, how far, what they did not take.

    Private networks, this machine among them, are posted to only if BILLING_API_WEBHOOK_NETWORKS
    names them (10.1.0.0/16,127.0.0.0/8).
    """


@webhook.command()
@click.argument("url")
@click.option(
    "--topic", "topics", multiple=True, metavar="NAME", help="invoice.issued, invoice.* …"
)
@click.option("--personal", is_flag=True, help="Personal data too.")
@click.option("--after", type=int, metavar="POSITION", help="From there on; else what is to come.")
@pass_session
def add(
    session: Session, url: str, topics: tuple[str, ...], personal: bool, after: int | None
) -> None:
    """Register an address in https; the secret messages are signed with is shown this once."""
    made = _webhooks(session).add(url, session.app.user, topics, personal, after)
    session.out.say(
        _told(made) | {"secret": made.secret},
        f"{made.id} is told of what comes after position {made.position}.\n"
        f"Its secret, shown this once: {made.secret}",
    )


@webhook.command("list")
@pass_session
def list_(session: Session) -> None:
    """List webhooks, and how far each is."""
    found = _webhooks(session).all()
    headings = ["webhook", "state", "position", "delivered", "topics", "url", "why"]
    session.out.say(
        {"webhooks": [_told(hook) for hook in found]},
        lambda: table("", headings, map(_row, found)),
    )


@webhook.command()
@click.argument("id")
@pass_session
def pause(session: Session, id: str) -> None:
    """Tell it nothing until it is resumed."""
    _say(session, _webhooks(session).pause(id, f"paused by {session.app.user}"))


@webhook.command()
@click.argument("id")
@pass_session
def resume(session: Session, id: str) -> None:
    """Go on where it stopped; what was waiting is tried at once."""
    _say(session, _webhooks(session).resume(id))


@webhook.command()
@click.argument("id")
@click.option(
    "--overlap",
    type=click.IntRange(0, 168),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="How long the secret before signs too; 0: it signs no more.",
)
@pass_session
def rotate(session: Session, id: str, overlap: int) -> None:
    """Give it another secret, shown this once."""
    made = _webhooks(session).rotate(id, timedelta(hours=overlap))
    until = f" until {made.signed_so_until:%Y-%m-%d %H:%M} UTC" if made.signed_so_until else ""
    session.out.say(
        _told(made) | {"secret": made.secret},
        f"{made.id} has another secret, shown this once: {made.secret}\n"
        f"The one before signs {f'too{until}' if until else 'no more'}.",
    )


@webhook.command()
@click.argument("id")
@pass_session
def remove(session: Session, id: str) -> None:
    """Forget it, with its dead letters."""
    _webhooks(session).remove(id)
    session.out.say({"removed": id}, f"{id} is removed.")


@webhook.command()
@click.argument("id", default="")
@click.option("--waiting", is_flag=True, help="Those that are still to be tried again.")
@pass_session
def dead(session: Session, id: str, waiting: bool) -> None:
    """List events that were given up, of one webhook (ID) or of all."""
    states = ["waiting"] if waiting else ["dead", "again"]
    found = _webhooks(session).letters(id, states)
    headings = ["webhook", "position", "topic", "state", "attempts", "last", "next", "error"]
    session.out.say(
        {"letters": [_letter(one) for one in found]},
        lambda: table("", headings, [_letter_row(one) for one in found]),
    )


@webhook.command()
@click.argument("id")
@click.option("--after", type=int, metavar="POSITION", help="All that comes after, in order.")
@click.option("--dead", is_flag=True, help="Its dead letters, once more.")
@click.option("--position", type=int, help="With --dead: of that position only.")
@pass_session
def replay(session: Session, id: str, after: int | None, dead: bool, position: int | None) -> None:
    """Tell it again what comes after a position, or try its dead letters once more."""
    if (after is None) == (not dead) or (position is not None and not dead):
        raise click.UsageError("Say --after POSITION, or --dead (with --position, of that one).")
    webhooks = _webhooks(session)
    if after is not None:
        _say(session, webhooks.replay(id, after))
        return
    count = webhooks.replay_dead(id, position)
    session.out.say({"again": count}, f"{count} dead letters are tried once more.")


@webhook.command()
@click.option("--once", is_flag=True, help="Deliver what can be delivered now, then stop.")
@pass_session
def deliver(session: Session, once: bool) -> None:
    """Deliver events as they come, until interrupted. `billing serve` does so by itself."""
    from projections.webhooks import Courier

    courier = Courier(_webhooks(session))
    if once:
        courier.once()
        return
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: courier.stop())
    click.echo("Delivering; Ctrl-C ends it.", err=True)
    courier.run()


def _say(session: Session, hook: Hook) -> None:
    why = f" ({hook.why})" if hook.why else ""
    session.out.say(_told(hook), f"{hook.id} is {hook.state}{why}, at position {hook.position}.")


def _told(hook: Hook) -> dict[str, Any]:
    return {name: one for name, one in hook._asdict().items() if not name.startswith("secret")}


def _row(hook: Hook) -> list[Any]:
    delivered = f"{hook.delivered_at:%Y-%m-%d %H:%M}" if hook.delivered_at else ""
    topics = ", ".join(hook.topics) or "all"
    return [hook.id, hook.state, hook.position, delivered, topics, hook.url, hook.why]


def _letter(letter: Letter) -> dict[str, Any]:
    return letter._asdict()


def _letter_row(one: Letter) -> list[Any]:
    next_at = f"{one.next_at:%Y-%m-%d %H:%M:%S}" if one.next_at and one.state == "waiting" else ""
    last_at = f"{one.last_at:%Y-%m-%d %H:%M:%S}"
    return [one.webhook, one.position, one.topic, one.state, one.attempts, last_at, next_at,
            one.error]  # fmt: skip


__all__ = ["webhook"]
