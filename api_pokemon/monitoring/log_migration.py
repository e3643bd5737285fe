"""Brings the tables of the prediction log to what this version knows, whoever else does so at the same time."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from api_pokemon.monitoring.database import writing
from api_pokemon.monitoring.errors import LogTooNewError, LogUnavailableError
from api_pokemon.monitoring.file_lock import FileLock
from api_pokemon.monitoring.log_revision import SCRIPTS, indexes_of, is_current, missing_indexes
from api_pokemon.monitoring.patience import patience

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 5.0
_LONGEST_SECONDS = 3600.0
_LOCK_NUMBER = 7_274_653_511  # of PostgreSQL's advisory locks; means nothing, and must never change


class LogMigration:
    """Makes and changes tables and indexes.

    Parameters
    ----------
    engine
        The database. A SQLite file is made where it is missing, and its folder too.
    looked_up
        Request fields that get an index.
    """

    def __init__(self, engine: Engine, looked_up: Sequence[str] = ()) -> None:
        self._engine = engine
        self._looked_up = tuple(looked_up)
        indexes_of(looked_up)  # refuses what cannot be looked up

    def run(self) -> None:
        """Do what is missing, all or nothing; where nothing is, only look.

        Raises
        ------
        LogTooNewError
            If a newer version has changed the tables.
        LogUnavailableError
            If the database cannot be changed just now, or another process has been at it for long.
        """
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of itself each time
        if is_current(self._engine, self._looked_up):
            return
        scripts = ScriptDirectory(str(SCRIPTS))
        with self._alone(), writing(self._engine) as connection, patience(connection, _LONGEST_SECONDS):
            if self._engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
            self._upgrade(connection, scripts)
            for name, expression in missing_indexes(connection, self._looked_up).items():
                connection.execute(text(f"CREATE INDEX {name} ON predictions ({expression}, id)"))
                logger.info("made the index %s", name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Make the file, and let nobody else do so meanwhile; it then is in a mode in which readers never wait."""
        if self._engine.dialect.name != "sqlite":
            yield
            return
        path = Path(self._engine.url.database or "")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path.with_name(f"{path.name}.lock"))
            if not lock.acquire(_LOCK_SECONDS):
                raise LogUnavailableError(f"{path}: another process has been making its tables for long.")
        except OSError as error:
            raise LogUnavailableError(f"{path}: {error}. Let this process write its folder.") from error
        try:
            with closing(sqlite3.connect(path, timeout=_LOCK_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            yield
        except sqlite3.Error as error:
            raise LogUnavailableError(f"{path}: {error}.") from error
        finally:
            lock.release()

    def _upgrade(self, connection: Connection, scripts: ScriptDirectory) -> None:
        context = MigrationContext.configure(connection)
        revision = _revision(connection, scripts)
        steps = list(scripts.iterate_revisions("head", revision or "base"))
        with Operations.context(context):
            for step in reversed(steps):
                step.module.upgrade()
                context.stamp(scripts, step.revision)
                logger.info("the tables of the log are now those of revision %s", step.revision)


def _revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    """The revision of the tables, None where there are none."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None:
        try:
            scripts.get_revision(revision)
        except CommandError:
            raise LogTooNewError(
                f"The tables of the log are of revision {revision}, this version knows {scripts.get_current_head()}: "
                "update this service, or use another database."
            ) from None
    return revision
