"""What a failure of the database means to whoever uses the log."""

import sqlite3
from pathlib import Path

from sqlalchemy import URL, exc

from api_pokemon.monitoring.errors import LogMissingError, LogUnavailableError

_NOT_MADE_YET = "It holds no prediction log yet; a worker makes it."
_MADE_BY_AN_OLDER_VERSION = "Its tables are those of an older version; a worker of this version changes them."

_SQLITE_REMEDIES = {
    sqlite3.SQLITE_BUSY: "Another process holds it; look for one that is stopped.",
    sqlite3.SQLITE_LOCKED: "Another process holds it; look for one that is stopped.",
    sqlite3.SQLITE_FULL: "Free space on its disk.",
    sqlite3.SQLITE_IOERR: "Look for space on its disk, and into the system's log.",
    sqlite3.SQLITE_CANTOPEN: "Let this process write it and its folder.",
    sqlite3.SQLITE_READONLY: "Let this process write it and its folder.",
    sqlite3.SQLITE_PERM: "Let this process write it and its folder.",
    sqlite3.SQLITE_CORRUPT: "It is damaged: set it aside, and put a backup or nothing in its place.",
    sqlite3.SQLITE_NOTADB: "It is no database: set it aside.",
    sqlite3.SQLITE_PROTOCOL: "Too many processes want it at once.",
    sqlite3.SQLITE_NOMEM: "There is no memory left.",
    sqlite3.SQLITE_SCHEMA: "Its tables are being changed.",
}
_UNDEFINED_TABLE, _UNDEFINED_COLUMN, _INSUFFICIENT_PRIVILEGE = "42P01", "42703", "42501"
_PROGRAM_LIMIT_EXCEEDED = "54000"


def failure_of(error: exc.DBAPIError | exc.TimeoutError, url: URL) -> LogUnavailableError | None:
    """Tell why the database cannot be used just now; None where it is not the database that is to blame.

    Parameters
    ----------
    error
        As SQLAlchemy raised it.
    url
        Of the database; its password and options are left out of the message.
    """
    where = url.set(query={}).render_as_string(hide_password=True)
    if isinstance(error, exc.TimeoutError):
        return LogUnavailableError(f"{where}: all connections are in use.")
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _sqlite_failure(cause, where, Path(url.database or ""))
    if url.get_backend_name() == "postgresql" and not refuses_values(error):
        return _postgres_failure(cause, where)
    return None


def refuses_values(error: exc.DBAPIError) -> bool:
    """Whether the database works, and cannot hold what it was given: a text too long for an index, for instance."""
    return isinstance(error, exc.DataError) or _sqlstate(error.orig) == _PROGRAM_LIMIT_EXCEEDED


def _sqlstate(error: BaseException | None) -> str | None:
    return getattr(error, "sqlstate", None)


def _sqlite_failure(error: sqlite3.Error, where: str, path: Path) -> LogUnavailableError | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    message = str(error)
    if message.startswith("no such table") or (code == sqlite3.SQLITE_CANTOPEN and not path.exists()):
        return LogMissingError(f"{where}: {message}. {_NOT_MADE_YET}")
    if message.startswith("no such column") or "has no column named" in message:
        return LogUnavailableError(f"{where}: {message}. {_MADE_BY_AN_OLDER_VERSION}")
    remedy = _SQLITE_REMEDIES.get(code)
    return None if remedy is None else LogUnavailableError(f"{where}: {message}. {remedy}")


def _postgres_failure(error: BaseException | None, where: str) -> LogUnavailableError | None:
    import psycopg  # loaded already where a connection was tried, and nowhere else

    if not isinstance(error, psycopg.Error):
        return None
    message = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if error.sqlstate == _UNDEFINED_TABLE:
        return LogMissingError(f"{where}: {message}. {_NOT_MADE_YET}")
    if error.sqlstate == _UNDEFINED_COLUMN:
        return LogUnavailableError(f"{where}: {message}. {_MADE_BY_AN_OLDER_VERSION}")
    is_its_own = isinstance(error, psycopg.OperationalError | psycopg.InternalError | psycopg.InterfaceError)
    if is_its_own or error.sqlstate == _INSUFFICIENT_PRIVILEGE:
        return LogUnavailableError(f"{where}: {message}")
    return None
