"""Writes batches of entries into the prediction log: all of a batch or nothing, and each event once."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection, Engine, delete, exc, select, update

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.database_failures import refuses_values
from api_pokemon.monitoring.events import Outcome, Prediction
from api_pokemon.monitoring.log_insert import insert_new, insert_or_ignore
from api_pokemon.monitoring.log_rows import (
    Read,
    last_sequences,
    outcome_rows,
    prediction_rows,
    read_entry,
    reject,
    rejected_rows,
)
from api_pokemon.monitoring.log_schema import outcomes, predictions, rejected, writers
from api_pokemon.monitoring.stream import Entry

_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


class Written(NamedTuple):
    """What became of a batch of entries.

    Parameters
    ----------
    predictions, outcomes
        Those that were not in the log before, in the order in which they were given.
    duplicates
        How many entries were there already, or twice in the batch.
    rejected
        How many are no event that this version knows; they are kept aside.
    """

    predictions: tuple[Prediction, ...]
    outcomes: tuple[Outcome, ...]
    duplicates: int
    rejected: int


Also: TypeAlias = Callable[[Connection, Written], None]
"""What else belongs into the transaction; what it raises undoes all of it."""


def write(engine: Engine, entries: Sequence[Entry], *, keep_offsets: bool, also: Also | None) -> Written:
    """See :meth:`~api_pokemon.monitoring.prediction_log.PredictionLog.write`."""
    if not entries:
        return Written((), (), 0, 0)
    found = [read_entry(entry) for entry in entries]
    through = last_sequences(entries) if keep_offsets else {}
    try:
        return _write(engine, found, also, through=through)
    except exc.DBAPIError as error:
        if not refuses_values(error):
            raise
        return _write(engine, _without_refused(engine, found), also, through=through)


def retry_rejected(engine: Engine, *, also: Also | None, batch: int) -> int:
    """See :meth:`~api_pokemon.monitoring.prediction_log.PredictionLog.retry_rejected`."""
    number = 0
    after = _BEFORE_ALL
    while kept_aside := _kept_aside(engine, after, batch):
        found = [read for read in map(read_entry, kept_aside.values()) if read.event]
        found = [read for read in _without_refused(engine, found) if read.event]
        if found:
            # An id of what was rejected is made from the entry.
            _write(engine, found, also, no_more_rejected=[reject(read.entry, "").id for read in found])
        number += len(found)
        after = max(kept_aside)
    return number


def _write(
    engine: Engine,
    found: Sequence[Read],
    also: Also | None,
    *,
    through: Mapping[str, int] | None = None,
    no_more_rejected: Sequence[str] = (),
) -> Written:
    with writing(engine) as connection:
        writer_ids = _writer_ids(connection, found)
        new = insert_new(connection, predictions, prediction_rows(found, writer_ids))
        new |= insert_new(connection, outcomes, outcome_rows(found, writer_ids))
        new |= insert_new(connection, rejected, rejected_rows(found, writer_ids))
        if no_more_rejected:
            connection.execute(delete(rejected).where(rejected.c.id.in_(no_more_rejected)))
        written = _written(found, new)
        if also:
            also(connection, written)
        # Last, so that workers who log the same writer's events wait for each other as little as can be.
        _move_offsets(connection, {writer_ids[writer]: sequence for writer, sequence in (through or {}).items()})
    return written


def _move_offsets(connection: Connection, through: Mapping[int, int]) -> None:
    """Never back, and in order, so that two who do so never wait for each other."""
    for writer_id, sequence in sorted(through.items()):
        is_behind = (writers.c.id == writer_id) & (writers.c.logged_through < sequence)
        connection.execute(update(writers).where(is_behind).values(logged_through=sequence))


def _written(found: Sequence[Read], new: set[str]) -> Written:
    """Tell what is new: each id once, in the order of the entries."""
    events = []
    for read in found:
        if read.id in new:
            new.remove(read.id)
            events.append(read.event)
    made = tuple(event for event in events if isinstance(event, Prediction))
    reported = tuple(event for event in events if isinstance(event, Outcome))
    return Written(made, reported, len(found) - len(events), len(events) - len(made) - len(reported))


def _writer_ids(connection: Connection, found: Sequence[Read]) -> dict[str, int]:
    names = sorted({read.entry.writer for read in found})
    query = select(writers.c.writer, writers.c.id).where(writers.c.writer.in_(names))
    known = dict(connection.execute(query).all())
    if len(known) == len(names):
        return known
    for name in names:
        if name not in known:
            connection.execute(insert_or_ignore(connection, writers, "writer"), {"writer": name})
    return dict(connection.execute(query).all())


def _without_refused(engine: Engine, found: Sequence[Read]) -> list[Read]:
    """Find out which events the database refuses to hold, by trying each; they are no events then."""
    if not found:
        return []
    with writing(engine) as connection:
        writer_ids = _writer_ids(connection, found)
        kept = [_tried(connection, read, writer_ids) for read in found]
        connection.rollback()
    return kept


def _tried(connection: Connection, read: Read, writer_ids: Mapping[str, int]) -> Read:
    attempt = connection.begin_nested()
    try:
        insert_new(connection, predictions, prediction_rows([read], writer_ids))
        insert_new(connection, outcomes, outcome_rows([read], writer_ids))
    except exc.DBAPIError as error:
        if not refuses_values(error):
            raise
        return reject(read.entry, str(error.orig).encode("ascii", "backslashreplace").decode())
    else:
        return read
    finally:
        attempt.rollback()


def _kept_aside(engine: Engine, after: str, most: int) -> dict[str, Entry]:
    """The next rejected entries, by their id."""
    columns = (rejected.c.id, writers.c.writer, rejected.c.sequence, rejected.c.body)
    query = select(*columns).join(writers, writers.c.id == rejected.c.writer_id).where(rejected.c.id > after)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(rejected.c.id).limit(most))
        return {row_id: Entry(writer, sequence, body) for row_id, writer, sequence, body in rows}
