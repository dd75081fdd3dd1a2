"""Writes the next revision: `python -m projections.migrations "what changes"`."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from projections import schema
from projections.migrations import config


def main(message: str) -> None:
    """Compares the tables in code with what the revisions so far make of an empty database."""
    with create_engine("sqlite://", isolation_level="AUTOCOMMIT").connect() as connection:
        made = config(connection)
        there = len(list(ScriptDirectory.from_config(made).walk_revisions()))
        if there:
            command.upgrade(made, "head")
        assert schema.metadata.tables
        written = command.revision(made, message, autogenerate=True, rev_id=f"{there + 1:04}")
    print(Path(written.path).name, file=sys.stdout)  # type: ignore[union-attr]


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "The tables of the read side")
