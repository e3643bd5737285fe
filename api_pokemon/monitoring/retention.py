"""Removes what is too old or too much from the prediction log, a little at a time, and keeps count of it."""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Table, case, delete, select, update

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.drift_tables import profile_horizon
from api_pokemon.monitoring.ids import made_at_seconds
from api_pokemon.monitoring.log_insert import insert_or_ignore
from api_pokemon.monitoring.log_queries import first_id_at
from api_pokemon.monitoring.log_schema import outcomes, predictions, rejected, writers
from api_pokemon.monitoring.patience import patience

_COUNTING_SECONDS = 120.0
_TICK_SECONDS = 0.001  # to which ids tell the time


class _Removed(NamedTuple):
    """Rows that went: the writer and the sequence of each, and the greatest key."""

    rows: list[tuple[int, int]]
    last: Any


class Retention:
    """Removes predictions up to a *horizon*, with their outcomes, the oldest first.

    All that is removed is counted by writer in the same transaction, so that what was ever logged stays known.

    Parameters
    ----------
    engine
        The database of the log.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: tuple[int, str] | None = None

    def remove(self, older_than_seconds: float | None, keep_at_most: int | None, batch: int) -> int:
        """Remove one batch, in a transaction so short that whoever writes need hardly wait.

        Parameters
        ----------
        older_than_seconds
            Unix time: predictions made before it go, and entries that were set aside before it; None for no such bound.
        keep_at_most
            Of predictions only the newest so many stay; None for no such bound.
        batch
            How many rows of each table to remove at most.

        Returns
        -------
        int
            How many rows went; 0 when there is nothing more to do.
        """
        horizon = self._horizon(older_than_seconds, keep_at_most)
        with writing(self._engine) as connection:
            rows = _remove_predictions(connection, horizon, batch) if horizon else []
            if older_than_seconds is not None:
                rows += _remove(connection, rejected, rejected.c.rejected_at, older_than_seconds, batch).rows
            _note(connection, rows)
        if not rows:
            self._kept = None
        return len(rows)

    def _horizon(self, older_than_seconds: float | None, keep_at_most: int | None) -> str | None:
        """The id below which predictions go."""
        horizons = []
        if older_than_seconds is not None:
            horizons.append(first_id_at(older_than_seconds))
        if keep_at_most is not None and (oldest_kept := self._oldest_kept(keep_at_most)) is not None:
            horizons.append(oldest_kept)
        return max(horizons, default=None)

    def _oldest_kept(self, keep_at_most: int) -> str | None:
        """The least id to keep. Finding it means to count, so it holds until everything below it is gone."""
        if self._kept is None or self._kept[0] != keep_at_most:
            query = select(predictions.c.id).order_by(predictions.c.id.desc()).offset(keep_at_most - 1).limit(1)
            with reading(self._engine) as connection, patience(connection, _COUNTING_SECONDS):
                oldest = connection.scalar(query)
            self._kept = None if oldest is None else (keep_at_most, str(oldest))
        return None if self._kept is None else self._kept[1]


def _remove_predictions(connection: Connection, horizon: str, batch: int) -> list[tuple[int, int]]:
    removed = _remove(connection, predictions, predictions.c.id, horizon, batch)
    rows = removed.rows
    if rows:
        _note_horizon(connection, made_at_seconds(str(removed.last)) + _TICK_SECONDS)
    # No outcome goes before its prediction: were the rest never removed, it would stay without it.
    bound = removed.last if len(rows) == batch else horizon
    return rows + _remove(connection, outcomes, outcomes.c.prediction_id, bound, batch).rows


def _remove(connection: Connection, table: Table, key: ColumnElement[Any], bound: Any, batch: int) -> _Removed:
    """Remove rows whose key is below the bound, the least first."""
    oldest = select(table.c.id).where(key < bound).order_by(key, table.c.id).limit(batch)
    statement = delete(table).where(table.c.id.in_(oldest)).returning(table.c.writer_id, table.c.sequence, key)
    found = connection.execute(statement).all()
    return _Removed(
        [(writer_id, sequence) for writer_id, sequence, _ in found], max((row[2] for row in found), default=None)
    )


def _note_horizon(connection: Connection, seconds: float) -> None:
    """From this time on, nothing was removed so far."""
    statement = insert_or_ignore(connection, profile_horizon, "id")
    connection.execute(statement, {"id": 1, "removed_until": seconds})
    is_earlier = profile_horizon.c.removed_until < seconds
    connection.execute(update(profile_horizon).where(is_earlier).values(removed_until=seconds))


def _note(connection: Connection, rows: list[tuple[int, int]]) -> None:
    """Count what was removed; writers in order, so that two who do so never wait for each other."""
    numbers = Counter(writer_id for writer_id, _ in rows)
    last: dict[int, int] = {}
    for writer_id, sequence in rows:
        last[writer_id] = max(sequence, last.get(writer_id, 0))
    for writer_id in sorted(numbers):
        greater = case((writers.c.last_removed < last[writer_id], last[writer_id]), else_=writers.c.last_removed)
        values = {"removed": writers.c.removed + numbers[writer_id], "last_removed": greater}
        connection.execute(update(writers).where(writers.c.id == writer_id).values(values))
