"""Rows of the log for a report: a sample that is the same whenever it is taken."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Text, cast, func, select

from api_pokemon.monitoring.database import reading
from api_pokemon.monitoring.events import Fields, Prediction
from api_pokemon.monitoring.log_queries import first_id_at
from api_pokemon.monitoring.log_schema import predictions
from api_pokemon.monitoring.patience import patience

MOST_ROWS = 10_000
"""Of each side of a report."""

_AT_ONCE = 500
_RANDOM_FROM = 29  # the last eight digits of an id are left to chance, those before may count up
_PATIENCE_SECONDS = 120.0


class ReportRows(NamedTuple):
    """The rows of one side of a report.

    Parameters
    ----------
    total
        How many there are.
    requests, choices
        The two halves of those that were taken, in the same order.
    """

    total: int
    requests: Sequence[Fields]
    choices: Sequence[Fields]


def sample_predictions(
    engine: Engine, model_version: str | None, from_seconds: float, to_seconds: float, most: int = MOST_ROWS
) -> tuple[int, list[Prediction]]:
    """Take at most so many logged predictions of a stretch of time, by the random part of their ids.

    Parameters
    ----------
    model_version
        Which one answered; None for all.

    Returns
    -------
    tuple of int and list
        How many there are, and those that were taken, the oldest first. The same log gives the same ones.

    Raises
    ------
    LogUnavailableError
        If the database does not answer.
    """
    begin, end = first_id_at(from_seconds), first_id_at(to_seconds)
    wanted = [predictions.c.id >= begin, predictions.c.id < end]
    if model_version is not None:
        wanted.append(predictions.c.model_version == model_version)
    by_chance = func.substr(cast(predictions.c.id, Text), _RANDOM_FROM)
    with reading(engine) as connection, patience(connection, _PATIENCE_SECONDS):
        total = connection.scalar(select(func.count()).select_from(predictions).where(*wanted)) or 0
        ids = select(predictions.c.id).where(*wanted).order_by(by_chance, predictions.c.id).limit(most)
        return total, _fetch(connection, sorted(connection.scalars(ids)))


def rows_of(total: int, made: Sequence[Prediction]) -> ReportRows:
    """The rows of predictions, of which there are so many in all."""
    return ReportRows(total, [item.request for item in made], [item.choice for item in made])


def _fetch(connection: Connection, ids: list[str]) -> list[Prediction]:
    table = predictions.c
    columns = (
        *(table.id, table.model_version, table.probability, table.duration_seconds),
        *(table.request, table.choice, table.payload),
    )
    found: list[Prediction] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = select(*columns).where(table.id.in_(ids[start : start + _AT_ONCE])).order_by(table.id)
        found += [Prediction(*row) for row in connection.execute(some)]
    return found
