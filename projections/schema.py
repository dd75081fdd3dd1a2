"""The tables of the read side in the database: made, and brought up to date, by Alembic."""

from __future__ import annotations

from sqlalchemy import Connection

from billing.store import Store, StoreOutdated
from projections import analyst, catalog, desk
from projections.migrations import HEAD, VERSION_TABLE
from projections.tables import metadata

__all__ = ["at_head", "catalog", "desk", "ensure", "metadata"]  # All tables are in the metadata.


def ensure(store: Store) -> None:
    """Brings the tables to what this version of the program knows.

    Raises StoreOutdated for a database that a newer version of the program has changed.
    """
    with store.reading() as connection:
        if _revision(connection) == HEAD and analyst.current(connection):
            return
    with store.transaction() as tx:
        tx.lock()
        with tx.writing() as connection:
            _upgrade(connection)
            analyst.ensure(connection)


def at_head(store: Store) -> str:
    """ "" when the tables are those this program knows; else a sentence that says what is wrong."""
    with store.reading() as connection:
        found = _revision(connection)
    if not found:
        return "the tables of the read side are not made yet: run `billing project`"
    if found != HEAD:
        return f"the tables of the read side are at revision {found}, this program's at {HEAD}"
    return ""


def _revision(connection: Connection) -> str:
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return ""
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return str(found or "")


def _upgrade(connection: Connection) -> None:
    from alembic import command  # Slow to import, and seldom asked.

    from projections.migrations import config

    found = _revision(connection)
    if found > HEAD:
        raise StoreOutdated(
            f"The tables of the read side were changed by a newer version of this program "
            f"(revision {found}, this one knows {HEAD}): upgrade this program."
        )
    if not connection.in_transaction():
        connection.begin()  # So that Alembic leaves the transaction to its owner.
    command.upgrade(config(connection), "head")
