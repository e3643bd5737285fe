"""The tables of the prediction log."""

import re

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData()

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)

Id = String(36).with_variant(UUID(as_uuid=False), "postgresql")
"""A UUIDv7 in lower case and with its hyphens, which sorts by time: as the text that it is in SQLite, as the sixteen
bytes that PostgreSQL keeps."""

# In order of sequence, a row for each outbox that events came from. Everything up to `logged_through` is logged; only
# streams that come in order keep it. `removed` counts the rows that retention took, `last_removed` is the greatest
# sequence of them.
writers = Table(
    "writers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("writer", Text, nullable=False, unique=True),
    Column("logged_through", BigInteger, nullable=False, server_default="0"),
    Column("removed", BigInteger, nullable=False, server_default="0"),
    Column("last_removed", BigInteger, nullable=False, server_default="0"),
)

# `made_at` is in the id too; it is here, in Unix seconds, for those who write SQL by hand.
predictions = Table(
    "predictions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model_version", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("duration_seconds", Double, nullable=False),
    Column("request", JSON, nullable=False),
    Column("choice", JSON, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("writer_id", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("predictions_by_version", "model_version", "id"),
    Index("predictions_by_writer", "writer_id", "sequence"),
)

# Several may exist for one prediction, of which the first by id counts; and one may come before its prediction.
outcomes = Table(
    "outcomes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prediction_id", Id, nullable=False),
    Column("happened", Boolean, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("writer_id", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("outcomes_by_prediction", "prediction_id", "id"),
    Index("outcomes_by_writer", "writer_id", "sequence"),
)

# Entries that are no event that this version knows, until one does. The id is made from the rest, so that an entry
# that comes again is known. `rejected_at` is in Unix seconds.
rejected = Table(
    "rejected",
    metadata,
    Column("id", Id, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rejected_at", Double, nullable=False),
    Column("writer_id", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("rejected_by_time", "rejected_at"),
    Index("rejected_by_writer", "writer_id", "sequence"),
)


def field_expression(field: str) -> str:
    """The SQL of a request field's text, as the index of that field has it.

    Raises
    ------
    ValueError
        If the name could be more than a name.
    """
    if not _FIELD.fullmatch(field):
        raise ValueError(f"{field!r} cannot be looked up: a name of lower-case letters, digits and _ is wanted.")
    return f"(request ->> '{field}')"
