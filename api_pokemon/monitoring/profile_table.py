"""Reads and writes layouts and profiles on an open connection, beside others who do the same."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, case, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from api_pokemon.monitoring.drift_baseline import Baseline
from api_pokemon.monitoring.drift_tables import drift_references, layouts, profiles
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.log_insert import insert_or_ignore
from api_pokemon.monitoring.profile_codec import decode_profile, encode_profile
from api_pokemon.monitoring.profile_layout import Layout
from api_pokemon.monitoring.profiles import Profile, merge

UNIFORM = "uniform"
"""The kind of the reference that comes with a model version: made-up traffic, which no real client resembles."""

NOBODY = "the service"
"""Who declared what nobody has."""

_LOCK_NUMBER = 7_274_653_512  # of PostgreSQL's advisory locks; means nothing, and must never change


class Bucket(NamedTuple):
    """A stretch of event time.

    Parameters
    ----------
    start
        Unix time in whole seconds, a multiple of the length.
    seconds
        How long it is.
    """

    start: int
    seconds: int


def bucket_at(seconds: float, length: int) -> Bucket:
    """The bucket of that length that a Unix time lies in.

    Examples
    --------
    >>> bucket_at(1722109295.63, 60)
    Bucket(start=1722109260, seconds=60)
    """
    return Bucket(int(seconds // length) * length, length)


def write_beside_others(connection: Connection) -> None:
    """Add to profiles until the transaction ends, as many as like at once, and none while :func:`write_alone` holds."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK_NUMBER)))


def write_alone(connection: Connection) -> None:
    """Let nobody add to profiles until the transaction ends: rows that are logged have a profile then, and conversely.

    On SQLite, who writes is alone.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_NUMBER)))


def find_layout(connection: Connection, model_version: str) -> Layout | None:
    """The layout of a model version, None while there is none.

    Raises
    ------
    ProfileError
        If a newer version of this service has written it.
    """
    body = connection.scalar(select(layouts.c.body).where(layouts.c.model_version == model_version))
    return None if body is None else Layout.decode(body)


def register(connection: Connection, model_version: str, baseline: Baseline) -> None:
    """Take up the baseline of a model version, unless another was faster."""
    statement = insert_or_ignore(connection, layouts, "model_version").returning(layouts.c.model_version)
    values = {"model_version": model_version, "body": baseline.layout.encode()}
    if connection.scalar(statement, values) is None:
        return
    reference = {
        "id": new_id(),
        "model_version": model_version,
        "kind": UNIFORM,
        "declared_by": NOBODY,
        "reason": "It comes with the model version.",
        "rows": baseline.profile.rows,
        "body": encode_profile(baseline.profile),
    }
    connection.execute(insert(drift_references), reference)


def add_profiles(
    connection: Connection, model_version: str, layout: Layout, part: str, added: Mapping[Bucket, Profile]
) -> None:
    """Merge profiles into what is there of the same part.

    Raises
    ------
    ProfileError
        If what is there cannot be read.
    """
    whole: defaultdict[Bucket, list[Profile]] = defaultdict(list)
    for bucket, profile in added.items():
        whole[bucket].append(profile)
    columns = (profiles.c.bucket_start, profiles.c.bucket_seconds, profiles.c.body)
    of_part = (profiles.c.model_version == model_version) & (profiles.c.part == part)
    starts = profiles.c.bucket_start.in_([bucket.start for bucket in added])
    for start, seconds, body in connection.execute(select(*columns).where(of_part, starts).with_for_update()):
        if (bucket := Bucket(start, seconds)) in whole:
            whole[bucket].append(decode_profile(layout, body))
    merged = {bucket: merge(parts) for bucket, parts in sorted(whole.items())}
    write_profiles(connection, model_version, part, merged)


def write_profiles(connection: Connection, model_version: str, part: str, written: Mapping[Bucket, Profile]) -> None:
    """Put profiles in the place of those of the same part, if there are any."""
    rows = [
        {
            "model_version": model_version,
            "bucket_start": bucket.start,
            "bucket_seconds": bucket.seconds,
            "part": part,
            "rows": profile.rows,
            "body": encode_profile(profile),
        }
        for bucket, profile in written.items()
    ]
    if rows:
        connection.execute(replacing(connection, profiles), rows)


def replacing(connection: Connection, table: Table, least: Collection[str] = ()) -> Any:
    """An insert that replaces what is there already under the same key; of some columns the lesser value stays."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    new = statement.excluded
    others = {column.name: new[column.name] for column in table.columns if not column.primary_key}
    for name in least:
        others[name] = case((table.c[name] < new[name], table.c[name]), else_=new[name])
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=others)


def merge_all(layout: Layout, bodies: Iterable[bytes]) -> Profile:
    """Merge at least one profile as it is written down."""
    return merge([decode_profile(layout, body) for body in bodies])
