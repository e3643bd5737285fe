"""The prediction log: writers, predictions, outcomes, rejected."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0001"
down_revision = None

_ID = sa.String(36).with_variant(UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _make_writers()
    _make_predictions()
    _make_outcomes()
    _make_rejected()


def _make_writers() -> None:
    op.create_table(
        "writers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("writer", sa.Text, nullable=False, unique=True),
        sa.Column("logged_through", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("removed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("last_removed", sa.BigInteger, nullable=False, server_default="0"),
    )


def _make_predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("duration_seconds", sa.Double, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("choice", sa.JSON, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("writer_id", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_index("predictions_by_version", "predictions", ["model_version", "id"])
    op.create_index("predictions_by_writer", "predictions", ["writer_id", "sequence"])


def _make_outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("prediction_id", _ID, nullable=False),
        sa.Column("happened", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("writer_id", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_index("outcomes_by_prediction", "outcomes", ["prediction_id", "id"])
    op.create_index("outcomes_by_writer", "outcomes", ["writer_id", "sequence"])


def _make_rejected() -> None:
    op.create_table(
        "rejected",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("rejected_at", sa.Double, nullable=False),
        sa.Column("writer_id", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_index("rejected_by_time", "rejected", ["rejected_at"])
    op.create_index("rejected_by_writer", "rejected", ["writer_id", "sequence"])
