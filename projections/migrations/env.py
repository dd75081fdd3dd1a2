"""What Alembic runs: the revisions, on the connection it was given, in the caller's transaction."""

from __future__ import annotations

from alembic import context

from projections.migrations import VERSION_TABLE, ours, rendered
from projections.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_object=ours,
    render_item=rendered,
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
