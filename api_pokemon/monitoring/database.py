"""The database of the prediction log: SQLite or PostgreSQL behind one engine, and failures in one shape."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from api_pokemon.monitoring.database_failures import failure_of

if TYPE_CHECKING:
    from api_pokemon.monitoring.patient_connection import PatientConnection

Synchronous: TypeAlias = Literal["normal", "full"]

BUSY_SECONDS = 5.0
"""How long another process may hold the write lock of a SQLite file."""

_CONNECT_SECONDS = 3
_POOL_SECONDS = 5.0
_POSTGRES_DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
_SQLITE_DRIVERS = ("sqlite", "sqlite+pysqlite")
_WRITES = "writes"

# The server gives up before the client does (see patient_connection), which then need not throw the connection away.
_POSTGRES_SETUP = """
SET statement_timeout = '10s';
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '30s'
"""


def connect(url: str, *, synchronous: Synchronous = "normal") -> Engine:
    """Return an engine on that database; nothing is opened, nor made, before it is used.

    Parameters
    ----------
    url
        ``sqlite:///relative/path``, ``sqlite:////absolute/path`` or ``postgresql://user:password@host/database``.
    synchronous
        Of SQLite: ``normal`` survives the death of any process; ``full`` survives the loss of power too.

    Raises
    ------
    ValueError
        If it is no such URL. The message does not repeat it, since it may hold a password.

    Examples
    --------
    >>> connect("postgresql://shop@database/log").dialect.driver
    'psycopg'
    """
    parsed = _parse(url)
    if parsed.drivername in _POSTGRES_DRIVERS:
        return _connect_postgres(parsed.set(drivername="postgresql+psycopg"))
    return _connect_sqlite(parsed, synchronous)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read with.

    Raises
    ------
    LogUnavailableError
        If the database does not answer.
    """
    with available(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction to write in, committed at the end unless something was raised.

    On SQLite it takes the write lock at once: one that has read first could lose it to another, and fail.

    Raises
    ------
    LogUnavailableError
        If the database does not answer, or cannot be written.
    """
    with available(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def available(engine: Engine) -> Iterator[None]:
    """Let what means that the database cannot be used just now be a `LogUnavailableError`."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        failure = failure_of(error, engine.url)
        if failure is None:
            raise
        raise failure from error


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # the latter for a port that is no number
        raise ValueError(
            "The URL of the log's database cannot be read: sqlite:///… or postgresql://… is wanted."
        ) from None
    if parsed.drivername not in (*_SQLITE_DRIVERS, *_POSTGRES_DRIVERS):
        raise ValueError(f"A log cannot be in {parsed.drivername!r}: sqlite:///… or postgresql://… is wanted.")
    return parsed


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


_ENGINE: Mapping[str, Any] = {
    "hide_parameters": True,  # messages are for logs, and what was asked is not
    "json_serializer": _encode,
    "json_deserializer": msgspec.json.decode,
    "pool_timeout": _POOL_SECONDS,
    "pool_use_lifo": True,  # in turns, each connection would come to have read the same: 8 MB of pages each in SQLite
}


def _connect_postgres(url: URL) -> Engine:
    from api_pokemon.monitoring.patient_connection import PatientConnection  # psycopg: 10 MB, for PostgreSQL alone

    engine = create_engine(url, pool_pre_ping=True, **_ENGINE)

    @event.listens_for(engine, "do_connect")
    def open_connection(
        dialect: object, record: object, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> "PatientConnection":
        options.setdefault("connect_timeout", _CONNECT_SECONDS)
        options["client_encoding"] = "utf8"  # so that the server tells what it cannot hold, and not the driver
        return PatientConnection.connect(*arguments, **options)

    @event.listens_for(engine, "connect")
    def set_up(connection: "PatientConnection", record: object) -> None:
        connection.execute(_POSTGRES_SETUP)
        connection.commit()

    return engine


def _connect_sqlite(url: URL, synchronous: Synchronous) -> Engine:
    if not url.database or url.database == ":memory:" or url.query:
        raise ValueError("A log in SQLite needs a file, and no options: sqlite:////var/lib/shop/log.sqlite.")
    path = Path(url.database).absolute()
    engine = create_engine(url.set(database=str(path)), **_ENGINE)

    @event.listens_for(engine, "do_connect")
    def open_file(dialect: object, record: Any, arguments: object, options: object) -> sqlite3.Connection:
        # Whoever only reads must not make the file.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        record.info["file"] = _identity(path)
        return connection

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, record: object) -> None:
        for pragma in (
            f"synchronous = {synchronous}",
            "wal_autocheckpoint = 4000",
            "cache_size = -8000",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkout")
    def see_that_it_is_the_file(connection: object, record: Any, proxy: object) -> None:
        # What is written to a file that was removed or replaced while it was open is lost.
        if record.info["file"] != _identity(path):
            raise exc.DisconnectionError(f"{path} was replaced.")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
