"""Jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before_seconds", sa.Double, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until_seconds", sa.Double),
        sa.Column("heartbeat_seconds", sa.Double),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("progress_text", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created_seconds", sa.Double, nullable=False),
        sa.Column("started_seconds", sa.Double),
        sa.Column("finished_seconds", sa.Double),
        sa.UniqueConstraint("kind", "period"),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "not_before_seconds"])
