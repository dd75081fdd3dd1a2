"""How the tables of the read side came to be what they are: Alembic, a file a revision.

`python -m projections.migrations "what changes"` writes the next one, from what the tables in code
are and what the revisions so far make of an empty database; read it before it is kept.

A projection whose rows change raises its `version` besides, and is then rebuilt: a revision of its
tables may drop and make them. Those of the desk are changed with their rows kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Connection, Table

from billing.store.schema import StreamId
from billing.store.schema import metadata as record
from projections.database import BESIDE

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0002"
"""The last revision; a test compares it with the files."""

VERSION_TABLE: Final = "projections_version"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for a connection whose transaction is the caller's."""
    from alembic.config import Config  # Slow to import, and seldom asked.

    made = Config()
    made.set_main_option("script_location", "projections:migrations")
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def ours(thing: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """Whether a table or an index is of the read side: the record's own are made by the store."""
    table = thing if isinstance(thing, Table) else getattr(thing, "table", None)
    if table is None:
        return True
    known = table.name in record.tables or table.name.endswith(BESIDE)
    return not known and table.name != VERSION_TABLE


def rendered(kind: str, thing: Any, context: Any) -> str | Literal[False]:
    """How a type is written in a revision: ours by its name, others as Alembic does."""
    if kind == "type" and isinstance(thing, StreamId):
        context.imports.add("from billing.store.schema import StreamId")
        return "StreamId()"
    return False


__all__ = ["HEAD", "VERSION_TABLE", "config", "ours", "rendered"]
