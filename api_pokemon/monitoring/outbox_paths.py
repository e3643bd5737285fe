"""The files of an outbox, by name."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

Inode: TypeAlias = tuple[int, int] | None


def journal_of(path: Path) -> Path:
    """The write-ahead log of a database, which belongs to it as long as it exists."""
    return path.with_name(f"{path.name}-wal")


def index_of(path: Path) -> Path:
    """The shared memory of a database's users, which they can always make anew."""
    return path.with_name(f"{path.name}-shm")


def aside_path(path: Path) -> Path:
    """A new name beside an outbox that tells whose and when: ``outbox-0.damaged-20260722T081455Z-3f9a2c.sqlite``."""
    while True:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = path.with_name(f"{path.stem}.damaged-{now}-{secrets.token_hex(3)}{path.suffix}")
        if not aside.exists():
            return aside


def size_bytes(path: Path) -> int:
    """The size of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def inode_of(path: Path) -> Inode:
    """Which file the path leads to: it may be removed or replaced while it is open."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
