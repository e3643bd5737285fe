"""What is done with the rows of an outbox, on an open connection and in one transaction each."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from api_pokemon.monitoring.outbox_paths import journal_of, size_bytes
from api_pokemon.monitoring.stream import OutboxState

_VALUES_IN_A_STATEMENT = 128
_REMOVED_AT_ONCE = 500

_INSERTS = [
    f"INSERT INTO events (subject, body) VALUES {', '.join(['(?, ?)'] * rows)}"  # noqa: S608 - nothing but marks
    for rows in range(_VALUES_IN_A_STATEMENT // 2 + 1)
]
_READ = "SELECT sequence, body FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
_FIND = "SELECT body FROM events WHERE subject = ? ORDER BY sequence"
_DELETE = "DELETE FROM events WHERE sequence BETWEEN ? AND ?"
_FIRST = "SELECT min(sequence) FROM events"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_NOTE_REMOVED = f"""
UPDATE meta SET value = max(value, min(?, ({_LAST}))) WHERE name = 'highest_removed'
"""  # noqa: S608 - constants
_STATE = f"""
SELECT (SELECT value FROM meta WHERE name = 'writer'), last,
       last - highest + (SELECT count(*) FROM events WHERE sequence <= highest),
       first, (SELECT body FROM events WHERE sequence = first),
       (SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size)
FROM (
    SELECT ({_LAST}) AS last, (SELECT value FROM meta WHERE name = 'highest_removed') AS highest, ({_FIRST}) AS first
)
"""  # noqa: S608 - constants


def key_of(subject: str) -> bytes:
    """The 16 bytes of a UUID, which take half the place of its text, and sort by time as it does.

    Raises
    ------
    ValueError
        If it is none.
    """
    return bytes.fromhex(subject.replace("-", ""))


def insert(connection: sqlite3.Connection, items: Sequence[tuple[str, bytes]]) -> int:
    """Insert events, all or none, and return the last sequence.

    One statement where that is enough: it is a transaction of its own, and the interpreter's lock, which the thread
    that answers requests would have to give back after each, is taken once.
    """
    values = [value for subject, body in items for value in (key_of(subject), body)]
    if 0 < len(values) <= _VALUES_IN_A_STATEMENT:
        return connection.execute(_INSERTS[len(items)], values).lastrowid or 0
    connection.execute("BEGIN IMMEDIATE")
    for start in range(0, len(values), _VALUES_IN_A_STATEMENT):
        part = values[start : start + _VALUES_IN_A_STATEMENT]
        connection.execute(_INSERTS[len(part) // 2], part)
    (last,) = connection.execute(_LAST).fetchone()
    connection.execute("COMMIT")
    return int(last)


def read(connection: sqlite3.Connection, after: int, most: int) -> list[tuple[int, bytes]]:
    """Return sequences and bodies, in order."""
    return connection.execute(_READ, (after, most)).fetchall()


def find(connection: sqlite3.Connection, subject: str) -> list[bytes]:
    """Return the bodies about a prediction, oldest first."""
    return [body for (body,) in connection.execute(_FIND, (key_of(subject),))]


def first_sequence(connection: sqlite3.Connection) -> int | None:
    """Return the oldest sequence, or None where there is no row."""
    (first,) = connection.execute(_FIRST).fetchone()
    return first if first is None else int(first)


def delete(connection: sqlite3.Connection, first: int, last: int) -> int:
    """Delete a run, and note how far deleting has ever come: above, nothing is missing, so nothing need be counted."""
    connection.execute("BEGIN IMMEDIATE")
    deleted = connection.execute(_DELETE, (first, last)).rowcount
    if deleted:
        connection.execute(_NOTE_REMOVED, (last,))
    connection.execute("COMMIT")
    return deleted


def delete_oldest(connection: sqlite3.Connection, through: int) -> int:
    """Delete the oldest rows up to a sequence, but so few that no append waits for long; return how many."""
    first = first_sequence(connection)
    if first is None or first > through:
        return 0
    return delete(connection, first, min(first + _REMOVED_AT_ONCE - 1, through))


def runs(sequences: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Put sequences together to runs without a gap, none so long that an append would wait for its deletion.

    Examples
    --------
    >>> list(runs([4, 2, 3, 7, 8]))
    [(2, 4), (7, 8)]
    """
    first = last = 0
    for sequence in sorted(sequences):
        if first and sequence <= last + 1 and sequence < first + _REMOVED_AT_ONCE:
            last = sequence
            continue
        if first:
            yield first, last
        first = last = sequence
    if first:
        yield first, last


def read_state(connection: sqlite3.Connection, path: Path) -> OutboxState:
    """Read what an outbox holds; in one statement, so that its numbers belong together."""
    writer, last, pending, first, body, free = connection.execute(_STATE).fetchone()
    size = size_bytes(path) - free + size_bytes(journal_of(path))
    return OutboxState(writer, last, pending, _time_seconds(body), size, last if first is None else first - 1)


class _Timed(msgspec.Struct):
    time: float


def _time_seconds(body: bytes | None) -> float | None:
    """The time of an event, which every version of the envelope tells in the same way."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=_Timed).time
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
