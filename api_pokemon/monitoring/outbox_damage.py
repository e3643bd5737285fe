"""What becomes of an outbox that is damaged, or taken away while it is open."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.file_lock import FileLock
from api_pokemon.monitoring.outbox_paths import Inode, aside_path, index_of, inode_of, journal_of

logger = logging.getLogger(__name__)

BUSY_SECONDS = 4.0
"""How long another process may hold a lock; it never needs more than milliseconds, unless it is stopped."""


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Let one process at a time make, mend or take away the outboxes of a folder.

    Raises
    ------
    NotRecordedError
        If another one does not come to an end with it.
    OSError
        If the lock cannot be made.
    """
    lock = FileLock(path.with_name("outboxes.lock"))
    if not lock.acquire(BUSY_SECONDS):
        raise NotRecordedError(f"Another process holds {lock.path}; look for one that is stopped.", "busy")
    try:
        yield
    finally:
        lock.release()


def set_aside(path: Path, because: object, *, database: bool = True) -> None:
    """Rename an outbox and what belongs to it, under :func:`alone_with`.

    Call it before the connection is closed: SQLite writes the journal back and removes it when the last user goes, but
    leaves all as it is where the database has another name by then. The journal is renamed first: what is left at any
    moment is then a database without its journal, never a journal that the next database of that name would take for
    its own.

    Parameters
    ----------
    because
        For the log.
    database
        Whether the database itself is meant too, or only the journal beside another one.
    """
    aside = aside_path(path)
    for part, part_aside in (
        (journal_of(path), journal_of(aside)),
        (index_of(path), index_of(aside)),
        *([(path, aside)] if database else []),
    ):
        if part.exists():
            part.rename(part_aside)
    tell_of_damage(path, aside, because)


def paths_aside(path: Path) -> list[Path]:
    """What was set aside of an outbox, oldest first."""
    return sorted(path.parent.glob(f"{path.stem}.damaged-*{path.suffix}"))


def is_aside(path: Path, inode: Inode) -> bool:
    """Whether another user has set this file aside."""
    return any(inode_of(aside) == inode for aside in paths_aside(path))


def tell_of_damage(path: Path, aside: Path, because: object) -> None:
    """Log what was done, and what is left to do."""
    logger.error(
        "%s was damaged (%s) and is kept as %s; a new one takes its place. What can be read is salvaged; look into the "
        "disk, and keep the file until you know the rest.",
        path,
        because,
        aside.name,
    )
