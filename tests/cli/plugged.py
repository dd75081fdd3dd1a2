"""Commands of another package, and commands that go wrong."""

from __future__ import annotations

import click

from billing.store import Conflict


@click.command()
def receivables() -> None:
    """Show what is owed."""
    click.echo("nothing is owed")


@click.command()
def broken() -> None:
    """Do what no one foresaw."""
    raise RuntimeError("postgresql://billing:secret@db/billing broke")


@click.command()
def stopped() -> None:
    """Be stopped by the keyboard."""
    raise KeyboardInterrupt


@click.command()
def second() -> None:
    """Come second."""
    raise Conflict("Another writer was first")
