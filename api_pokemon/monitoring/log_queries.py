"""What is asked of the prediction log, on an open connection."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal_column, select, union

from api_pokemon.monitoring.events import Prediction
from api_pokemon.monitoring.ids import made_at_seconds
from api_pokemon.monitoring.log_schema import field_expression, outcomes, predictions, rejected, writers

_LAST_MILLISECOND = (1 << 48) - 1


@dataclass(frozen=True, slots=True)
class LoggedPrediction:
    """A prediction, and what became of it.

    Parameters
    ----------
    happened
        Whether that came true whose probability was predicted; None while it is unknown.
    outcome_at_seconds
        Unix time at which that was reported.
    """

    prediction: Prediction
    happened: bool | None
    outcome_at_seconds: float | None


class WriterCounts(NamedTuple):
    """What the log has of one outbox.

    Parameters
    ----------
    logged
        Rows that there are, counted one by one.
    removed
        Rows that retention has taken.
    last_sequence
        The greatest sequence that was ever logged.
    """

    logged: int
    removed: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which predictions; all conditions hold, of `any_field` at least one. Ids are in canonical form."""

    prediction_id: str | None = None
    before: str | None = None
    after: str | None = None
    since_seconds: float | None = None
    until_seconds: float | None = None
    model_version: str | None = None
    any_field: Mapping[str, str] = field(default_factory=dict)


def first_id_at(seconds: float) -> str:
    """Return what no id of that Unix time or later is below, and every earlier one is.

    Examples
    --------
    >>> first_id_at(1722109295.63)
    '0190f5b6-7c0e-0000-0000-000000000000'
    """
    # Times are decimal fractions of a second: what floating point adds beyond the millisecond is cut off.
    milliseconds = min(max(math.ceil(round(min(max(seconds, 0.0), 1e12) * 1000, 3)), 0), _LAST_MILLISECOND)
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def page(connection: Connection, most: int, wanted: Wanted, *, oldest_first: bool = False) -> list[LoggedPrediction]:
    """Return at most so many predictions that fit, by id."""
    query = page_query(most, wanted, oldest_first=oldest_first)
    if wanted.any_field:
        # First which, then what: one statement for both, PostgreSQL at times answers by reading all that there is.
        query = query.where(predictions.c.id.in_(connection.scalars(ids_query(most, wanted)).all()))
    return [_logged(*row) for row in connection.execute(query)]


def page_query(most: int, wanted: Wanted, *, oldest_first: bool = False) -> Select[Any]:
    """The predictions that fit, but for their fields."""
    order = predictions.c.id.asc() if oldest_first else predictions.c.id.desc()
    return select(*_COLUMNS).where(*_conditions(wanted)).order_by(order).limit(most)


def ids_query(most: int, wanted: Wanted) -> Select[Any]:
    """The newest ids that fit, where a field counts.

    Every field has an index with the ids in order. So each is asked for on its own, and no more is read than is wanted.
    """
    newest = predictions.c.id.desc()
    conditions = _conditions(wanted)
    alternatives = [
        select(select(predictions.c.id).where(condition, *conditions).order_by(newest).limit(most).subquery().c.id)
        for condition in (literal_column(field_expression(name)) == value for name, value in wanted.any_field.items())
    ]
    found = union(*alternatives).subquery()
    return select(found.c.id).order_by(found.c.id.desc()).limit(most)


def counts(connection: Connection) -> dict[str, WriterCounts]:
    """Count the rows of each writer, all at one moment."""
    tables = (predictions, outcomes, rejected)
    logged = sum((_counted(table) for table in tables[1:]), start=_counted(tables[0]))
    last = [select(func.coalesce(func.max(t.c.sequence), 0)).where(_of_writer(t)).scalar_subquery() for t in tables]
    query = select(writers.c.writer, logged, writers.c.removed, writers.c.last_removed, *last)
    return {
        writer: WriterCounts(number, removed, max(sequences))
        for writer, number, removed, *sequences in connection.execute(query)
    }


def count_through(connection: Connection, writer: str, sequence: int) -> int:
    """Count the rows of a writer up to a sequence, and those that were removed, all at one moment."""
    logged = sum((_counted(table, sequence) for table in (outcomes, rejected)), start=_counted(predictions, sequence))
    return connection.scalar(select(logged + writers.c.removed).where(writers.c.writer == writer)) or 0


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    made = predictions.c.id
    conditions = []
    if wanted.prediction_id is not None:
        conditions.append(made == wanted.prediction_id)
    if wanted.before is not None:
        conditions.append(made < wanted.before)
    if wanted.after is not None:
        conditions.append(made > wanted.after)
    if wanted.since_seconds is not None:
        conditions.append(made >= first_id_at(wanted.since_seconds))
    if wanted.until_seconds is not None:
        conditions.append(made < first_id_at(wanted.until_seconds))
    if wanted.model_version is not None:
        conditions.append(predictions.c.model_version == wanted.model_version)
    return conditions


def _first_outcome(column: ColumnElement[Any]) -> ColumnElement[Any]:
    of_it = outcomes.c.prediction_id == predictions.c.id
    return select(column).where(of_it).order_by(outcomes.c.id).limit(1).scalar_subquery()


_COLUMNS = (
    predictions.c.id,
    predictions.c.model_version,
    predictions.c.probability,
    predictions.c.duration_seconds,
    predictions.c.request,
    predictions.c.choice,
    predictions.c.payload,
    _first_outcome(outcomes.c.id),
    _first_outcome(outcomes.c.happened),
)


def _logged(*row: Any) -> LoggedPrediction:
    *values, outcome_id, happened = row
    return LoggedPrediction(Prediction(*values), happened, None if outcome_id is None else made_at_seconds(outcome_id))


def _of_writer(table: Table) -> ColumnElement[bool]:
    return table.c.writer_id == writers.c.id


def _counted(table: Table, through: int | None = None) -> ColumnElement[int]:
    query = select(func.count()).select_from(table).where(_of_writer(table))
    if through is not None:
        query = query.where(table.c.sequence <= through)
    return query.correlate(writers).scalar_subquery()
