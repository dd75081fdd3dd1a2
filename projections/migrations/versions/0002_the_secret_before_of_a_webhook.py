"""The secret before of a webhook."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "webhook",
        sa.Column(
            "signed_so_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until when the secret before signs too",
        ),
    )
    op.add_column(
        "webhook",
        sa.Column(
            "secret_before",
            sa.Text(),
            nullable=True,
            comment="The secret before, while it signs too",
        ),
    )
