"""All predictions and their outcomes, each once: the single source of truth."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine, select

from api_pokemon.monitoring import log_queries, log_writing
from api_pokemon.monitoring.database import reading
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.ids import parse_id
from api_pokemon.monitoring.log_queries import LoggedPrediction, WriterCounts
from api_pokemon.monitoring.log_revision import is_current
from api_pokemon.monitoring.log_schema import writers
from api_pokemon.monitoring.log_writing import Also, Written
from api_pokemon.monitoring.patience import patience
from api_pokemon.monitoring.retention import Retention
from api_pokemon.monitoring.stream import Entry

__all__ = ["Also", "LogMissingError", "LoggedPrediction", "PredictionLog", "WriterCounts", "Written"]

_COUNTING_SECONDS = 120.0


class PredictionLog:
    """The log in a database that others may use at the same time.

    Every method raises `LogUnavailableError` where the database does not answer, and its subclass `LogMissingError`
    where nobody has made the log yet. Any thread may call any method.

    Parameters
    ----------
    engine
        From :func:`~api_pokemon.monitoring.database.connect`.
    looked_up
        Request fields with texts that :meth:`page` may look for; each gets an index.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from api_pokemon.monitoring import Prediction
    >>> from api_pokemon.monitoring.database import connect
    >>> from api_pokemon.monitoring.events import encode
    >>> made = Prediction("0190f5b6-7c0e-7abc-8def-0123456789ab", "v1", probability=0.25, duration_seconds=0.001)
    >>> with TemporaryDirectory() as folder:
    ...     log = PredictionLog(connect(f"sqlite:///{folder}/log.sqlite"))
    ...     log.migrate()
    ...     entry = Entry("8a4f4d0e-6f5a-4c3c-9d53-2f2a0c6c7b10", 1, encode(made))
    ...     written = [log.write([entry]).duplicates, log.write([entry]).duplicates]
    ...     found = log.find(made.prediction_id)
    ...     log.engine.dispose()
    >>> written
    [0, 1]
    >>> found.prediction == made, found.happened
    (True, None)
    """

    def __init__(self, engine: Engine, *, looked_up: Sequence[str] = ()) -> None:
        self.engine = engine
        self._looked_up = tuple(looked_up)
        self._retention = Retention(engine)

    def migrate(self) -> None:
        """Make the log, or bring it to this version; as many as like may do so at once.

        Raises
        ------
        LogTooNewError
            If a newer version has done so.
        """
        if is_current(self.engine, self._looked_up):
            return
        from api_pokemon.monitoring.log_migration import LogMigration  # with Alembic

        LogMigration(self.engine, self._looked_up).run()

    def write(self, entries: Sequence[Entry], *, keep_offsets: bool = False, also: Also | None = None) -> Written:
        """Log a batch in one transaction: each event once, however often it comes, and whoever else logs it.

        What is no event, and what the database refuses to hold, is kept aside with the reason, and counts as logged.

        Parameters
        ----------
        keep_offsets
            Whether everything of each writer up to its last entry here is logged with it; see :meth:`offsets`.
        also
            Called in the transaction with what is new. What it raises undoes everything.
        """
        return log_writing.write(self.engine, entries, keep_offsets=keep_offsets, also=also)

    def retry_rejected(self, *, also: Also | None = None, batch: int = 1000) -> int:
        """Log what was kept aside by a version that did not know it, and is an event to this one.

        Parameters
        ----------
        also
            As of :meth:`write`.
        batch
            How many to try at once.

        Returns
        -------
        int
            How many are not kept aside any more.
        """
        return log_writing.retry_rejected(self.engine, also=also, batch=batch)

    def offsets(self) -> dict[str, int]:
        """By writer, up to where everything is logged; only of those whose entries were written with `keep_offsets`."""
        query = select(writers.c.writer, writers.c.logged_through).where(writers.c.logged_through > 0)
        with reading(self.engine) as connection:
            return dict(connection.execute(query).all())

    def find(self, prediction_id: str) -> LoggedPrediction | None:
        """Return what is logged of a prediction, None if nothing is.

        Raises
        ------
        InvalidIdError
            If this is no id.
        """
        wanted = log_queries.Wanted(prediction_id=parse_id(prediction_id))
        with reading(self.engine) as connection:
            return next(iter(log_queries.page(connection, 1, wanted)), None)

    def page(
        self,
        most: int,
        *,
        before: str | None = None,
        since_seconds: float | None = None,
        until_seconds: float | None = None,
        model_version: str | None = None,
        any_field: Mapping[str, str] = {},
    ) -> list[LoggedPrediction]:
        """Return the newest predictions that fit, the newest first.

        Parameters
        ----------
        most
            How many at most.
        before
            Only older ones than this id: the last one of the page before.
        since_seconds, until_seconds
            Unix times of the first that fits, and of the first that does not any more, to the millisecond.
        any_field
            At least one of these request fields, each of them `looked_up`, has this text.

        Raises
        ------
        InvalidIdError
            If `before` is no id.
        ValueError
            If a field is not looked up.
        """
        for field in any_field:
            if field not in self._looked_up:
                raise ValueError(
                    f"{field!r} is not looked up: one of {', '.join(self._looked_up) or 'none'} is wanted."
                )
        wanted = log_queries.Wanted(
            before=None if before is None else parse_id(before),
            since_seconds=since_seconds,
            until_seconds=until_seconds,
            model_version=model_version,
            any_field=any_field,
        )
        with reading(self.engine) as connection:
            return log_queries.page(connection, most, wanted)

    def scan(
        self, *, since_seconds: float | None = None, until_seconds: float | None = None, batch: int = 1000
    ) -> Iterator[LoggedPrediction]:
        """Go through the predictions of a time, the oldest first, in memory that does not depend on how many there are.

        Parameters
        ----------
        since_seconds, until_seconds
            As of :meth:`page`.
        batch
            How many are fetched at once. Nothing stays open between two batches: what is logged meanwhile comes too,
            unless it is older than what came last.
        """
        after: str | None = None
        while True:
            wanted = log_queries.Wanted(after=after, since_seconds=since_seconds, until_seconds=until_seconds)
            with reading(self.engine) as connection:
                found = log_queries.page(connection, batch, wanted, oldest_first=True)
            yield from found
            if len(found) < batch:
                return
            after = found[-1].prediction.prediction_id

    def counts(self) -> dict[str, WriterCounts]:
        """Count the rows of each writer: predictions, outcomes, and what is kept aside."""
        with reading(self.engine) as connection, patience(connection, _COUNTING_SECONDS):
            return log_queries.counts(connection)

    def count_through(self, writer: str, sequence: int) -> int:
        """Count the rows of a writer up to a sequence, and those that retention has removed."""
        with reading(self.engine) as connection, patience(connection, _COUNTING_SECONDS):
            return log_queries.count_through(connection, writer, sequence)

    def remove_old(self, *, older_than_seconds: float | None, keep_at_most: int | None, batch: int = 1000) -> int:
        """Remove a small batch of what is too old or too much, as the class `Retention` does.

        Returns
        -------
        int
            How many rows went; 0 when there is nothing more to do.
        """
        return self._retention.remove(older_than_seconds, keep_at_most, batch)
