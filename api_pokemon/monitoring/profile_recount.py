"""Profiles against the log that they were made from: are they the same, and if not, making them so."""

import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.drift_tables import profile_horizon, profiles
from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.events import Prediction
from api_pokemon.monitoring.ids import made_at_seconds, new_id
from api_pokemon.monitoring.log_queries import first_id_at
from api_pokemon.monitoring.log_schema import predictions
from api_pokemon.monitoring.profile_layout import Layout
from api_pokemon.monitoring.profile_table import (
    Bucket,
    bucket_at,
    find_layout,
    merge_all,
    register,
    write_alone,
    write_profiles,
)
from api_pokemon.monitoring.profile_writing import BUCKET_SECONDS, BaselineOf, profile_by_bucket
from api_pokemon.monitoring.profiles import Profile, empty_profile, merge

logger = logging.getLogger(__name__)

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400

_BATCH = 2000
_TRIES = 3


class Difference(NamedTuple):
    """Where the log and the profiles tell of different rows.

    Parameters
    ----------
    logged, profiled
        How many rows each of them has; they may be as many, and yet differ.
    reason
        In words.
    """

    model_version: str
    bucket: Bucket
    logged: int
    profiled: int
    reason: str


class Recount:
    """Counts the log again, stretch by stretch, while others go on writing.

    Every method raises `LogUnavailableError` where the database does not answer.

    Parameters
    ----------
    engine
        The log's database.
    baseline_of
        Asked for a model version that has no layout yet.
    bucket_seconds
        Length of the buckets that profiles are made anew in.
    """

    def __init__(self, engine: Engine, baseline_of: BaselineOf, *, bucket_seconds: int = BUCKET_SECONDS) -> None:
        self._engine = engine
        self._baseline_of = baseline_of
        self._bucket_seconds = bucket_seconds

    def stretches(self, since_seconds: float | None = None, until_seconds: float | None = None) -> Iterator[Bucket]:
        """The hours of which something is logged or profiled, or days where profiles are that long; oldest first.

        What retention has taken part of is left out.
        """
        with reading(self._engine) as connection:
            keys = set(connection.execute(select(profiles.c.bucket_start, profiles.c.bucket_seconds)).all())
            begun = horizon(connection)
        starts = sorted(start for start, _ in keys)
        days = {start for start, seconds in keys if seconds > HOUR_SECONDS}
        begin = -1.0 if since_seconds is None else since_seconds
        while (seconds := self._next(begin, starts)) is not None and (until_seconds is None or seconds < until_seconds):
            day = bucket_at(seconds, DAY_SECONDS)
            found = day if day.start in days else bucket_at(seconds, HOUR_SECONDS)
            if found.start >= begun:
                yield found
            begin = found.start + found.seconds

    def compare(self, stretch: Bucket) -> list[Difference]:
        """Tell where the profiles of a stretch are not what the log has, at one and the same moment."""
        with self._at_one_moment() as connection:
            counted = self._versions(connection, stretch)
            found = [self._compare(connection, version, stretch) for version in counted]
        return [difference for difference in found if difference is not None]

    def compare_version(self, model_version: str, stretch: Bucket) -> Difference | None:
        """The same of one model version."""
        with self._at_one_moment() as connection:
            return self._compare(connection, model_version, stretch)

    def repair(self, model_version: str, stretch: Bucket) -> bool:
        """Make the profiles of a stretch anew; False where the version has no layout, and no baseline is here.

        Those who log wait for no longer than it takes to replace a few profiles, unless these are of rows that come so
        fast that there is no moment in which they are the same as a moment before. What retention has taken part of
        meanwhile stays as it is.
        """
        layout = self.layout(model_version)
        if layout is None:
            return False
        for bucket in self._pieces(model_version, stretch):
            self._renew(model_version, layout, bucket)
        return True

    def layout(self, version: str) -> Layout | None:
        """That of a model version, made up where its baseline is here; None where it is not, or cannot be read."""
        try:
            with reading(self._engine) as connection:
                layout = find_layout(connection, version)
            if layout is None and (baseline := self._baseline_of(version)) is not None:
                with writing(self._engine) as connection:
                    write_alone(connection)
                    register(connection, version, baseline)
                    layout = find_layout(connection, version)
        except ProfileError as error:
            logger.warning("the layout of %s cannot be read: %s", version, error)
            return None
        return layout

    def _next(self, seconds: float, starts: list[int]) -> float | None:
        """The first moment from this one on of which something is logged or profiled."""
        with reading(self._engine) as connection:
            later = select(predictions.c.id).where(predictions.c.id >= first_id_at(seconds))
            first = connection.scalar(later.order_by(predictions.c.id).limit(1))
        index = bisect_left(starts, seconds)
        found = [float(start) for start in starts[index : index + 1]]
        return min([*found, *([made_at_seconds(str(first))] if first is not None else [])], default=None)

    def _compare(self, connection: Connection, version: str, stretch: Bucket) -> Difference | None:
        if stretch.start < horizon(connection):
            return None
        stored = connection.execute(select(profiles.c.rows, profiles.c.body).where(*inside(version, stretch))).all()
        profiled = sum(rows for rows, _ in stored)
        try:
            layout = find_layout(connection, version)
            if layout is None:
                logged = count_logged(connection, version, stretch)
                return Difference(version, stretch, logged, profiled, "there is no layout") if logged else None
            whole = merge_all(layout, [body for _, body in stored]) if stored else empty_profile(layout)
        except ProfileError as error:
            return Difference(version, stretch, count_logged(connection, version, stretch), profiled, str(error))
        counted = _counted(connection, version, layout, stretch, stretch.seconds).get(stretch, empty_profile(layout))
        if counted == whole:
            return None
        why = "other values were counted" if counted.rows == whole.rows else "other rows were counted"
        return Difference(version, stretch, counted.rows, whole.rows, why)

    def _versions(self, connection: Connection, stretch: Bucket) -> list[str]:
        logged = select(predictions.c.model_version).where(*_made_in(stretch)).distinct()
        started = profiles.c.bucket_start.between(stretch.start, stretch.start + stretch.seconds - 1)
        profiled = select(profiles.c.model_version).where(started).distinct()
        return sorted(connection.scalars(logged.union(profiled)))

    def _pieces(self, version: str, stretch: Bucket) -> list[Bucket]:
        """A stretch in buckets as they are written, unless it has longer ones."""
        query = select(func.max(profiles.c.bucket_seconds)).where(*inside(version, stretch))
        with reading(self._engine) as connection:
            longest = connection.scalar(query) or 0
        length = self._bucket_seconds
        if longest > length or stretch.seconds % length:
            return [stretch]
        return [Bucket(start, length) for start in range(stretch.start, stretch.start + stretch.seconds, length)]

    def _renew(self, version: str, layout: Layout, piece: Bucket) -> None:
        for _ in range(_TRIES):
            with self._at_one_moment() as connection:
                counted = _counted(connection, version, layout, piece, self._bucket_seconds)
            rows = sum(profile.rows for profile in counted.values())
            with writing(self._engine) as connection:
                write_alone(connection)
                if count_logged(connection, version, piece) == rows:
                    _replace(connection, version, piece, counted)
                    return
        with writing(self._engine) as connection:
            write_alone(connection)
            counted = _counted(connection, version, layout, piece, self._bucket_seconds)
            _replace(connection, version, piece, counted)

    @contextmanager
    def _at_one_moment(self) -> Iterator[Connection]:
        """A connection whose statements all see the same."""
        with reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection


def _made_in(stretch: Bucket) -> tuple[ColumnElement[bool], ...]:
    end = first_id_at(stretch.start + stretch.seconds)
    return predictions.c.id >= first_id_at(stretch.start), predictions.c.id < end


def inside(version: str, stretch: Bucket) -> tuple[ColumnElement[bool], ...]:
    """What picks profiles that begin in a stretch: none reaches beyond, since all lengths divide each other."""
    started = profiles.c.bucket_start.between(stretch.start, stretch.start + stretch.seconds - 1)
    return profiles.c.model_version == version, started


def count_logged(connection: Connection, version: str, stretch: Bucket) -> int:
    """How many rows of a model version the log has of a stretch."""
    of_version = predictions.c.model_version == version
    return connection.scalar(select(func.count()).select_from(predictions).where(of_version, *_made_in(stretch))) or 0


def _counted(
    connection: Connection, version: str, layout: Layout, stretch: Bucket, bucket_seconds: int
) -> Mapping[Bucket, Profile]:
    """Count what is logged of a stretch, in buckets of a length."""
    columns = (predictions.c.id, predictions.c.request, predictions.c.choice)
    query = (
        select(*columns).where(predictions.c.model_version == version, *_made_in(stretch)).order_by(predictions.c.id)
    )
    found: dict[Bucket, Profile] = {}
    after = ""
    while rows := connection.execute(
        query.where(predictions.c.id > after).limit(_BATCH) if after else query.limit(_BATCH)
    ).all():
        made = [Prediction(row_id, version, 0.0, 0.0, request, choice) for row_id, request, choice in rows]
        for bucket, profile in profile_by_bucket(layout, made, bucket_seconds).items():
            found[bucket] = merge([found[bucket], profile]) if bucket in found else profile
        after = rows[-1][0]
    return found


def _replace(connection: Connection, version: str, piece: Bucket, counted: Mapping[Bucket, Profile]) -> None:
    """Put what was counted in the place of what is there, unless retention has taken some of it.

    A logged row never changes, and none goes but by retention, which tells so in the same transaction. So where it took
    nothing, as many rows as before are the same rows. To ask after counting tells also of what went while it lasted.
    """
    if piece.start < horizon(connection):
        return
    connection.execute(delete(profiles).where(*inside(version, piece)))
    write_profiles(connection, version, new_id(), counted)


def horizon(connection: Connection) -> float:
    """From when on retention has taken nothing."""
    removed_until = connection.scalar(select(profile_horizon.c.removed_until))
    return -inf if removed_until is None else float(removed_until)
