"""Reads what can still be read of a damaged outbox, and makes an outbox of it.

First in order, as a database, around what is damaged. Then whatever else looks like a row of it, anywhere in its
files: a page that nothing leads to any more, or that the journal has behind its damage. So rows come up, too, that were
removed long ago: they are in the prediction log, which knows them. Writer and sequences stay, so that the balance of
events tells what could not be read. The formats: https://www.sqlite.org/fileformat2.html
"""

import logging
import mmap
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import msgspec

from api_pokemon.monitoring.outbox_file import PAGE_BYTES, open_file
from api_pokemon.monitoring.outbox_paths import index_of, journal_of, size_bytes

logger = logging.getLogger(__name__)

_MOST_FAILURES = 100_000
_ROWS_AT_ONCE = 1000

_SUBJECT_BYTES = 16
_LONGEST_ROW_BYTES = PAGE_BYTES - 35  # a longer one goes on in other pages
_ROW_HEADER = re.compile(rb"([\x04-\x06])\x00\x2c([\x80-\xff]{0,2}[\x00-\x7f])", re.DOTALL)
_WRITER = re.compile(rb"writer([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Row(NamedTuple):
    """One event of an outbox."""

    sequence: int
    subject: bytes
    body: bytes


def salvage(path: Path) -> Iterator[Row]:
    """Return every row that can be read of a damaged outbox, each once, the ones in order first."""
    seen: set[int] = set()
    reading = _InOrder(path)
    for row in filter(_is_event, reading.rows()):
        seen.add(row.sequence)
        yield row
    floor = min(seen, default=reading.last_sequence) if reading.is_whole else 0
    for file in (path, journal_of(path)):
        for row in _carve(file):
            if row.sequence > floor and row.sequence not in seen:
                seen.add(row.sequence)
                yield row


def salvage_into(path: Path, target: Path) -> int:
    """Make an outbox of what can be read, unless that is nothing, and return how many events it holds.

    The damaged one is kept under another name, so that it is not salvaged again. Dying in the middle leaves all as it
    was, but for what the next try begins anew.

    Raises
    ------
    NotRecordedError, sqlite3.Error, OSError
        If the target cannot be made.
    """
    part = target.with_suffix(".salvage")
    for leftover in _parts(part):
        leftover.unlink(missing_ok=True)
    number = 0
    with closing(open_file(part, 1 << 46, "normal").connection) as connection:
        rows = salvage(path)
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events (sequence, subject, body) VALUES (?, ?, ?)", batch)
            connection.execute("COMMIT")
            number += len(batch)
        _set_identity(connection, path)
    if number:
        part.rename(target)
    else:
        part.unlink()
    salvaged = path.with_name(path.name.replace(".damaged-", ".salvaged-", 1))
    for old, new in zip(_parts(path), _parts(salvaged), strict=True):
        if old.exists():
            old.rename(new)
    logger.warning(
        "%d events of %s are salvaged, and on their way again; it is kept as %s", number, path, salvaged.name
    )
    return number


def _parts(path: Path) -> tuple[Path, Path, Path]:
    """The database last: as long as it has its old name, there is something to do."""
    return journal_of(path), index_of(path), path


def _set_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Go on as the outbox that was damaged; what is missing of its sequences is counted as what is not there."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE meta SET value = ? WHERE name = 'writer'", (_writer_of(path),))
    connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?)", (_InOrder(path).last_sequence,))
    connection.execute("UPDATE meta SET value = (SELECT seq FROM sqlite_sequence) WHERE name = 'highest_removed'")
    connection.execute("COMMIT")


class _InOrder:
    """Reads a damaged outbox as the database that it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_whole = True
        try:
            with closing(self._connect()) as connection:
                self.last_sequence = int(connection.execute("SELECT total(seq) FROM sqlite_sequence").fetchone()[0])
        except sqlite3.Error:
            self.last_sequence, self.is_whole = 0, False

    def rows(self) -> Iterator[Row]:
        """Return rows in order, going on behind each place that cannot be read."""
        after = failures = 0
        try:
            with closing(self._connect()) as connection:
                while failures < _MOST_FAILURES:
                    try:
                        for row in connection.execute(_ROWS, (after,)):
                            after, failures = row[0], 0
                            yield Row(*row)
                        return
                    except sqlite3.DatabaseError:
                        self.is_whole = False
                        after, failures = after + 1, failures + 1
        except sqlite3.Error:
            self.is_whole = False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)
        connection.execute("PRAGMA cell_size_check = ON")
        return connection


_ROWS = """
SELECT sequence, subject, body FROM events
WHERE sequence > ? AND typeof(subject) = 'blob' AND typeof(body) = 'blob' ORDER BY sequence
"""


def _writer_of(path: Path) -> str:
    """Whose outbox it was, or else a new identity that is the same at the next try."""
    for file in (path, journal_of(path)):
        with _bytes_of(file) as data:
            if found := _WRITER.search(data):
                return found[1].decode()
    return str(uuid5(NAMESPACE_URL, path.name))


def _carve(file: Path) -> Iterator[Row]:
    """Return what looks like a row and is a whole one, in whatever order and as often as it is there."""
    with _bytes_of(file) as data:
        for header in _ROW_HEADER.finditer(data):
            if row := _row_at(data, header):
                yield row


def _row_at(data: mmap.mmap | bytes, header: re.Match[bytes]) -> Row | None:
    """Check a row by the lengths it tells of itself; removing one overwrites the first of them."""
    header_bytes, kind = header[1][0], _number(header[2])
    body_bytes = (kind - 12) // 2
    row_bytes = header_bytes + _SUBJECT_BYTES + body_bytes
    if header_bytes != 3 + len(header[2]) or kind < 12 or kind % 2 or row_bytes > _LONGEST_ROW_BYTES:
        return None
    start = end = header.start()
    while start > 0 and end - start < 9 and (start == end or data[start - 1] >= 0x80):
        start -= 1
    length = _varint(row_bytes)
    if data[start - len(length) : start] != length:
        return None
    subject_at = end + header_bytes
    body_at = subject_at + _SUBJECT_BYTES
    row = Row(_number(data[start:end]), data[subject_at:body_at], data[body_at : body_at + body_bytes])
    return row if 0 < row.sequence < 1 << 62 and _is_event(row) else None


def _is_event(row: Row) -> bool:
    """Whether its body is whole, of whatever kind it is: one that is not counts as lost, which it is."""
    try:
        return isinstance(msgspec.json.decode(row.body), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _number(varint: bytes) -> int:
    value = 0
    for byte in varint:
        value = value << 7 | byte & 0x7F
    return value


def _varint(value: int) -> bytes:
    """Write a number as SQLite does: seven bits in a byte, the greatest first.

    Examples
    --------
    >>> _varint(5), _varint(300), _number(_varint(300))
    (b'\\x05', b'\\x82,', 300)
    """
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


@contextmanager
def _bytes_of(path: Path) -> Iterator[mmap.mmap | bytes]:
    """The content of a file, of which only what is looked at is read; nothing where there is none."""
    if not size_bytes(path):
        yield b""
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data
