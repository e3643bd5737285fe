"""From when on a model version's rows may lack a profile: to make up for them goes on where it was."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("unprofiled", sa.Column("from_seconds", sa.Double, nullable=False, server_default="0"))
