"""The table of jobs, what its columns take, and the clock that all who share it go by."""

import json
import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Double, Index, Integer, Table, Text, UniqueConstraint
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from api_pokemon.monitoring.log_schema import metadata


class DatabaseNow(FunctionElement[float]):
    """The time of the database at this very moment, in Unix seconds: the clocks of the workers do not matter."""

    type = Double()
    inherit_cache = True


@compiles(DatabaseNow, "sqlite")
def _now_of_sqlite(element: DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseNow, "postgresql")
def _now_of_postgresql(element: DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


# Parameters and results are JSON in a text, so that what one database would take and another refuse stays out of here.
jobs_table = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before_seconds", Double, nullable=False),
    Column("owner", Text),
    Column("lease_until_seconds", Double),
    Column("heartbeat_seconds", Double),
    Column("progress", Double, nullable=False),
    Column("progress_text", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Column("created_seconds", Double, nullable=False),
    Column("started_seconds", Double),
    Column("finished_seconds", Double),
    UniqueConstraint("kind", "period"),
    Index("jobs_by_state", "state", "not_before_seconds"),
)


def to_json(value: Mapping[str, Any], most_bytes: int | None = None) -> str:
    """Write a mapping down as JSON.

    Raises
    ------
    ValueError
        If JSON cannot hold it, or it takes more than `most_bytes`.

    Examples
    --------
    >>> to_json({"rows": 3})
    '{"rows": 3}'
    >>> to_json({"rows": "x" * 100}, 64)
    Traceback (most recent call last):
    ValueError: It takes 112 bytes as JSON; 64 are allowed.
    """
    try:
        text = json.dumps(dict(value), allow_nan=False)
    except TypeError as error:
        raise ValueError(f"JSON cannot hold it: {error}.") from error
    if most_bytes is not None and len(text) > most_bytes:
        raise ValueError(f"It takes {len(text)} bytes as JSON; {most_bytes} are allowed.")
    return text


def share_of(progress: float) -> float:
    """
    >>> share_of(0.25), share_of(-1), share_of(7), share_of(math.nan)
    (0.25, 0.0, 1.0, 0.0)
    """
    return 0.0 if math.isnan(progress) else min(1.0, max(0.0, progress))


def storable(text: str) -> str:
    """What every database takes as text: PostgreSQL refuses the character 0 and halves of pairs.

    >>> storable("a\\x00b\\ud800")
    'a?b?'
    """
    return text.replace("\0", "?").encode("utf-8", "replace").decode()
