"""The file of an outbox: how it is opened, what is in it, and what its failures are called."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from uuid import uuid4

from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.outbox_damage import BUSY_SECONDS, set_aside
from api_pokemon.monitoring.outbox_journal import Journal, read_journal
from api_pokemon.monitoring.outbox_paths import index_of, journal_of, size_bytes

Synchronous: TypeAlias = Literal["normal", "full"]

SCHEMA_VERSION = 1

PAGE_BYTES = 4096

REASONS = ("busy", "closed", "damaged", "disk-full", "io", "other", "outbox-full", "read-only")
"""Why an event may be refused: the labels of the counter."""

_JOURNAL_PAGES = 4000
"""After so many, whoever commits carries over what is left of the journal, and waits for the disk."""

_FEWEST_PAGES = 32

_SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX events_by_subject ON events (subject)",
    "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', 0)",
)


class OpenFile(NamedTuple):
    """An open outbox."""

    connection: sqlite3.Connection
    writer: str


def carry_over(connection: sqlite3.Connection) -> int:
    """Write the journal back to the file, as far as no reader needs it and beside whoever commits; return its pages."""
    (_, pages, _) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def open_file(path: Path, max_bytes: int, synchronous: Synchronous) -> OpenFile:
    """Open an outbox, making it where there is none, under :func:`~api_pokemon.monitoring.outbox_damage.alone_with`.

    One that is damaged is set aside, so that the next try makes a new one.

    Raises
    ------
    NotRecordedError
        If it cannot be opened.
    OSError
        If it is damaged and cannot be set aside.
    """
    with ExitStack() as on_failure:
        try:
            _refuse_journal_alone(path)
            journal = read_journal(journal_of(path))
            connection = _connect(path)
            on_failure.callback(connection.close)
            _set_up(connection, max_bytes, synchronous)
            _refuse_broken_journal(connection, path, journal)
            opened = OpenFile(connection, _writer(connection, path))
        except sqlite3.Error as error:
            raise _given_up(refusal_of(error, path, None), path) from error
        except NotRecordedError as refusal:
            raise _given_up(refusal, path) from None
        on_failure.pop_all()
    return opened


def open_carrier(path: Path) -> sqlite3.Connection:
    """A connection to the open outbox with which another thread carries its journal over; to be closed before it."""
    with ExitStack() as on_failure:
        carrier = _connect(path)
        on_failure.callback(carrier.close)
        carry_over(carrier)  # which opens the journal too, while it is sure to be this file's
        on_failure.pop_all()
    return carrier


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )


@contextmanager
def not_waiting(connection: sqlite3.Connection) -> Iterator[None]:
    """Fail at once where another process holds the file, instead of waiting for it."""
    (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")


def _given_up(refusal: NotRecordedError, path: Path) -> NotRecordedError:
    if refusal.reason == "damaged":
        set_aside(path, refusal)
    return refusal


def refusal_of(error: sqlite3.Error | OSError, path: Path, connection: sqlite3.Connection | None) -> NotRecordedError:
    """Tell in one word why the file could not be used, and in a sentence what to do.

    Call it before the connection is closed, which still knows how large it may become.
    """
    if isinstance(error, sqlite3.Error):
        reason = _reason(error, path, connection)
    else:
        reason = _REASONS_BY_ERRNO.get(error.errno or 0, "io")
    return NotRecordedError(f"{path}: {error}. {_REMEDIES.get(reason, '')}".rstrip(), reason)


def _reason(error: sqlite3.Error, path: Path, connection: sqlite3.Connection | None) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "disk-full" if connection is None or not _is_at_its_bound(connection, path) else "outbox-full"
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return _what_the_disk_says(path)
    return _REASONS_BY_CODE.get(code, "other")


_REASONS_BY_CODE = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
}
_REASONS_BY_ERRNO = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
}
_REMEDIES = {
    "outbox-full": "It is as large as it may become; let the worker catch up, or raise its size.",
    "disk-full": "Free space on its disk.",
    "read-only": "Let this process write it and its folder.",
    "busy": "Another process holds it; look for one that is stopped.",
    "io": "Look into the system's log for its disk.",
}


def _is_at_its_bound(connection: sqlite3.Connection, path: Path) -> bool:
    """SQLite has one code for both, and has undone what did not fit: the bound with less room left is to blame."""
    pages, free, most = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "max_page_count")
    )
    disk = os.statvfs(path.parent)
    return bool((most - pages + free) * PAGE_BYTES < disk.f_bavail * disk.f_frsize)


def _what_the_disk_says(path: Path) -> str:
    """Input, output and opening fail for reasons that only the file system knows."""
    try:
        free = os.statvfs(path.parent)
    except OSError:
        return "io"
    if free.f_bavail == 0 or (free.f_files and free.f_favail == 0):
        return "disk-full"
    files = [path.parent, *(file for file in (path, journal_of(path), index_of(path)) if file.exists())]
    return "io" if all(os.access(file, os.W_OK) for file in files) else "read-only"


def _refuse_journal_alone(path: Path) -> None:
    """SQLite would take the file for a new one, and remove the journal, which may hold every event there is."""
    if size_bytes(path) == 0 and size_bytes(journal_of(path)) > 0:
        raise NotRecordedError(f"{path} is empty, yet its journal is not.", "damaged")


def _refuse_broken_journal(connection: sqlite3.Connection, path: Path, before: Journal) -> None:
    """What SQLite understood of the journal must be all that it held before it was opened."""
    is_cut = 0 <= carry_over(connection) < before.surely_committed
    if is_cut:
        connection.execute("BEGIN IMMEDIATE")  # whoever was about to begin it anew has written its head by then
        connection.execute("ROLLBACK")
        is_cut = read_journal(journal_of(path)).salts == before.salts
    if is_cut or not before.is_readable:
        raise NotRecordedError(f"The journal of {path} is damaged before its end.", "damaged")


def _set_up(connection: sqlite3.Connection, max_bytes: int, synchronous: Synchronous) -> None:
    """The journal takes part of the size, and what it may take is written back before it takes more."""
    pages = max(max_bytes // PAGE_BYTES, _FEWEST_PAGES)
    journal_pages = min(_JOURNAL_PAGES, pages // 4)
    for pragma in (
        f"page_size = {PAGE_BYTES}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        f"wal_autocheckpoint = {journal_pages}",
        f"journal_size_limit = {journal_pages * PAGE_BYTES}",
        f"max_page_count = {pages - journal_pages}",
        "cell_size_check = ON",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _writer(connection: sqlite3.Connection, path: Path) -> str:
    """Return whose file this is, making the tables of a new one."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        _create(connection)
    elif "meta" not in tables:
        raise NotRecordedError(f"{path} is a database of something else.", "damaged")
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    version, writer = meta.get("schema_version"), meta.get("writer")
    if not isinstance(version, int) or not writer:
        raise NotRecordedError(f"{path} does not tell whose it is.", "damaged")
    if version > SCHEMA_VERSION:
        raise NotRecordedError(
            f"{path} has schema version {version}, and this program knows {SCHEMA_VERSION}: run the version that wrote "
            "it until it is drained, or move it away."
        )
    return str(writer)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    meta = (("schema_version", SCHEMA_VERSION), ("writer", str(uuid4())), ("highest_removed", 0))
    connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta)
    connection.execute("COMMIT")
    carry_over(connection)  # whose it is must not be in the journal alone
