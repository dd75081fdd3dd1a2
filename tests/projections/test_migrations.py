"""The tables of the read side, as the revisions make them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from billing.application import Billing
from billing.store import StoreOutdated
from projections import schema
from projections.migrations import HEAD, VERSION_TABLE, config, ours
from projections.webhooks import Webhooks
from tests import databases

url = databases.url  # Nothing is made in it yet.


def test_the_last_revision_is_the_one_the_program_knows():
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_the_revisions_make_the_tables_of_the_code(app: Billing):
    schema.ensure(app.store)
    opts = {"version_table": VERSION_TABLE, "include_object": ours, "compare_type": False}
    with app.store.reading() as connection:
        context = MigrationContext.configure(connection, opts=opts)
        found = compare_metadata(context, schema.metadata)
    # SQLite keeps no comments.
    assert [one for one in found if "comment" not in str(one[0])] == []


def test_tables_made_already_are_left_alone(app: Billing):
    assert "not made yet" in schema.at_head(app.store)
    schema.ensure(app.store)
    assert schema.at_head(app.store) == ""
    schema.ensure(app.store)
    assert schema.at_head(app.store) == ""


def test_a_webhook_of_the_first_revision_is_kept(app: Billing):
    with app.store.transaction() as tx, tx.writing() as connection:
        if not connection.in_transaction():
            connection.begin()
        command.upgrade(config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO webhook (id, url, secret, topics, personal, state, why, position,"
                " dead_in_a_row, claimed_by, created_at, created_by) VALUES ('wh_1',"
                " 'https://example.com/', 'whsec_', '[]', false, 'active', '', 7, 0, '', :at, 'me')"
            ),
            {"at": datetime(2026, 11, 1, tzinfo=UTC)},
        )
    assert "revision 0001" in schema.at_head(app.store)
    schema.ensure(app.store)
    (hook,) = Webhooks(app.store, app.clock).all()
    assert (hook.id, hook.position, hook.secret_before) == ("wh_1", 7, None)


def test_a_database_of_a_newer_program_is_refused(app: Billing):
    schema.ensure(app.store)
    with app.store.transaction() as tx, tx.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    assert "9999" in schema.at_head(app.store)
    with pytest.raises(StoreOutdated, match="upgrade this program"):
        schema.ensure(app.store)
