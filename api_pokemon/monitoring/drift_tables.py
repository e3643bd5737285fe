"""The tables that drift is told from, beside those of the log."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, Text

from api_pokemon.monitoring.log_schema import Id, metadata

# What each model version is measured on. Written once, by whoever sees the version first.
layouts = Table(
    "layouts",
    metadata,
    Column("model_version", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# A bucket is a stretch of event time, from `bucket_start` on, in Unix seconds. Each process that writes has a `part` of
# its own there, so that none waits for another; together they are the bucket.
profiles = Table(
    "profiles",
    metadata,
    Column("model_version", Text, primary_key=True),
    Column("bucket_start", BigInteger, primary_key=True),
    Column("bucket_seconds", Integer, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("profiles_by_start", "bucket_start", "model_version", "rows"),
)

# Model versions of which rows were logged without a profile; to be made up for. Each process that did so has a row of
# its own, and changes `noted` each time. None of the rows is earlier than `from_seconds`, which moves on as they get
# their profiles.
unprofiled = Table(
    "unprofiled",
    metadata,
    Column("model_version", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("noted", Text, nullable=False),
    Column("from_seconds", Double, nullable=False, server_default="0"),
)

# One row, once retention has removed predictions: the Unix time before which the log has holes.
profile_horizon = Table(
    "profile_horizon",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("removed_until", Double, nullable=False),
)

# The latest by id that was not undone is the one that counts. Times are Unix seconds; `from_seconds` and `to_seconds`
# are those of the rows that it shows, absent where these are made up.
drift_references = Table(
    "drift_references",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model_version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("declared_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("from_seconds", Double),
    Column("to_seconds", Double),
    Column("rows", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("limits", Text, nullable=False, server_default="{}"),
    Column("undone_by", Text),
    Column("undone_seconds", Double),
    Index("drift_references_by_version", "model_version", "id"),
)

# What was found, as JSON in `body`; `until_seconds` is the end of the window.
drift_checks = Table(
    "drift_checks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model_version", Text, nullable=False),
    Column("until_seconds", Double, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("drift_checks_by_version", "model_version", "id"),
    Index("drift_checks_by_time", "until_seconds"),
    Index("drift_checks_by_verdict", "model_version", "verdict"),
)
