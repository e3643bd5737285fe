"""Drift: layouts, profiles, references, checks. What was logged before has no profile yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0003"
down_revision = "0002"

_ID = sa.String(36).with_variant(UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _make_profiles()
    _make_references()
    _make_checks()
    op.execute("INSERT INTO unprofiled SELECT DISTINCT model_version, '', '' FROM predictions")


def _make_profiles() -> None:
    op.create_table(
        "layouts",
        sa.Column("model_version", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "profiles",
        sa.Column("model_version", sa.Text, primary_key=True),
        sa.Column("bucket_start", sa.BigInteger, primary_key=True),
        sa.Column("bucket_seconds", sa.Integer, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("profiles_by_start", "profiles", ["bucket_start", "model_version", "rows"])
    op.create_table(
        "unprofiled",
        sa.Column("model_version", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("noted", sa.Text, nullable=False),
    )
    op.create_table(
        "profile_horizon",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("removed_until", sa.Double, nullable=False),
    )


def _make_references() -> None:
    op.create_table(
        "drift_references",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("declared_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("from_seconds", sa.Double),
        sa.Column("to_seconds", sa.Double),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("limits", sa.Text, nullable=False, server_default="{}"),
        sa.Column("undone_by", sa.Text),
        sa.Column("undone_seconds", sa.Double),
    )
    op.create_index("drift_references_by_version", "drift_references", ["model_version", "id"])


def _make_checks() -> None:
    op.create_table(
        "drift_checks",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("until_seconds", sa.Double, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("drift_checks_by_version", "drift_checks", ["model_version", "id"])
    op.create_index("drift_checks_by_time", "drift_checks", ["until_seconds"])
    op.create_index("drift_checks_by_verdict", "drift_checks", ["model_version", "verdict"])
