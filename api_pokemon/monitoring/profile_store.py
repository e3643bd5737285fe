"""The profiles of stretches of time, however long ago, and what keeps them few."""

import math
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.drift_tables import profile_horizon, profiles, unprofiled
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.profile_layout import Layout
from api_pokemon.monitoring.profile_table import (
    Bucket,
    bucket_at,
    find_layout,
    merge_all,
    write_beside_others,
    write_profiles,
)
from api_pokemon.monitoring.profiles import Profile, empty_profile, merge

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400

_MINUTES_FOR_SECONDS = 2 * DAY_SECONDS
_HOURS_FOR_SECONDS = 60 * DAY_SECONDS
_AT_ONCE = 200
_AT_LEAST_FOR_SECONDS = 2 * DAY_SECONDS


class Window(NamedTuple):
    """The rows of a stretch of time.

    Parameters
    ----------
    from_seconds, to_seconds
        Unix times: whole buckets, so that the stretch may begin earlier and end later than was asked for.
    """

    profile: Profile
    from_seconds: float
    to_seconds: float


class ProfileStore:
    """Reads what :class:`~api_pokemon.monitoring.profile_writing.ProfileWriter` writes.

    Every method raises `LogUnavailableError` where the database does not answer, and `ProfileError` where a newer
    version of this service has written what is there.

    Parameters
    ----------
    engine
        The log's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows_by_version(self, from_seconds: float, to_seconds: float) -> dict[str, int]:
        """How many rows each model version has in the buckets that begin in a stretch of time."""
        begun = _begun(from_seconds, to_seconds)
        query = select(profiles.c.model_version, func.sum(profiles.c.rows)).where(begun)
        with reading(self._engine) as connection:
            found = connection.execute(query.group_by(profiles.c.model_version).order_by(profiles.c.model_version))
            return {version: int(rows) for version, rows in found}

    def last_versions(self) -> list[str]:
        """The model versions of the bucket that begins last; none where there is no bucket."""
        last = select(func.max(profiles.c.bucket_start)).scalar_subquery()
        query = select(profiles.c.model_version).where(profiles.c.bucket_start == last).distinct()
        with reading(self._engine) as connection:
            return sorted(connection.scalars(query))

    def layout(self, model_version: str) -> Layout | None:
        """The layout of a model version, None while there is none."""
        with reading(self._engine) as connection:
            return find_layout(connection, model_version)

    def window(self, model_version: str, layout: Layout, from_seconds: float, to_seconds: float) -> Profile:
        """All rows of the buckets that begin in a stretch of time."""
        with reading(self._engine) as connection:
            return _merged(connection, model_version, layout, from_seconds, to_seconds)

    def whole_buckets(self, model_version: str, layout: Layout, from_seconds: float, to_seconds: float) -> Window:
        """All rows of the buckets that a stretch of time touches."""
        keys = select(profiles.c.bucket_start, profiles.c.bucket_seconds).where(
            profiles.c.model_version == model_version,
            profiles.c.bucket_start < to_seconds,
            profiles.c.bucket_start + profiles.c.bucket_seconds > from_seconds,
        )
        with reading(self._engine) as connection:
            touched = [Bucket(*row) for row in connection.execute(keys)]
            begin = min([from_seconds, *(bucket.start for bucket in touched)])
            end = max([to_seconds, *(bucket.start + bucket.seconds for bucket in touched)])
            return Window(_merged(connection, model_version, layout, begin, end), begin, end)

    def compact(self, now_seconds: float) -> int:
        """Merge what is older than two days into hours, and what is older than 60 days into days.

        What is still to be made up for stays short, as it is made up for in short pieces.

        Returns
        -------
        int
            How many profiles became fewer.
        """
        fewer = self._compact(HOUR_SECONDS, now_seconds - _MINUTES_FOR_SECONDS)
        return fewer + self._compact(DAY_SECONDS, now_seconds - _HOURS_FOR_SECONDS)

    def remove_old(self, now_seconds: float, watched_seconds: float = 0.0) -> int:
        """Remove the profiles of what retention has removed from the log, once no window needs them; returns how many.

        Not those of the last two days, nor of the time that checks look back, so that a log that keeps little can be
        watched all the same.
        """
        with writing(self._engine) as connection:
            horizon = connection.scalar(select(profile_horizon.c.removed_until))
            if horizon is None:
                return 0
            end = min(horizon, now_seconds - max(_AT_LEAST_FOR_SECONDS, watched_seconds))
            return connection.execute(
                delete(profiles).where(profiles.c.bucket_start + profiles.c.bucket_seconds <= end)
            ).rowcount

    def _compact(self, seconds: int, before_seconds: float) -> int:
        """Each hour, or day, in a transaction of its own: whoever logs late rows waits for one at most."""
        end = bucket_at(before_seconds, seconds).start
        short = (profiles.c.bucket_start < end) & (profiles.c.bucket_seconds < seconds)
        with reading(self._engine) as connection:
            found = connection.execute(select(profiles.c.model_version, profiles.c.bucket_start).where(short)).all()
            whole_until = _whole_until(connection)
        buckets = {(version, bucket_at(start, seconds)) for version, start in found}
        return sum(
            self._join(version, bucket)
            for version, bucket in sorted(buckets)
            if bucket.start + bucket.seconds <= whole_until.get(version, math.inf)
        )

    def _join(self, model_version: str, bucket: Bucket) -> int:
        of_it = (
            profiles.c.model_version == model_version,
            profiles.c.bucket_start.between(bucket.start, bucket.start + bucket.seconds - 1),
            profiles.c.bucket_seconds <= bucket.seconds,
        )
        with writing(self._engine) as connection:
            write_beside_others(connection)  # a recount meanwhile would not see what the joined ones have become
            layout = find_layout(connection, model_version)
            if layout is None:
                return 0
            bodies = connection.scalars(delete(profiles).where(*of_it).returning(profiles.c.body)).all()
            if not bodies:
                return 0
            write_profiles(connection, model_version, new_id(), {bucket: merge_all(layout, bodies)})
            return len(bodies) - 1


def _merged(
    connection: Connection, model_version: str, layout: Layout, from_seconds: float, to_seconds: float
) -> Profile:
    query = select(profiles.c.body).where(profiles.c.model_version == model_version, _begun(from_seconds, to_seconds))
    whole = empty_profile(layout)
    for bodies in connection.scalars(query).partitions(_AT_ONCE):
        whole = merge([whole, merge_all(layout, bodies)])
    return whole


def _whole_until(connection: Connection) -> dict[str, float]:
    """By model version of which rows were logged without a profile, before when there are none of these."""
    begin = func.min(unprofiled.c.from_seconds)
    query = select(unprofiled.c.model_version, begin).group_by(unprofiled.c.model_version)
    return {version: float(seconds) for version, seconds in connection.execute(query)}


def _begun(from_seconds: float, to_seconds: float) -> ColumnElement[bool]:
    """Buckets that begin at a time or later, and before another."""
    return profiles.c.bucket_start.between(math.ceil(from_seconds), math.ceil(to_seconds) - 1)
