"""The local file that every event is in before its caller is answered."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TypeVar

from api_pokemon.monitoring import outbox_rows
from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.outbox_damage import alone_with, is_aside, set_aside, tell_of_damage
from api_pokemon.monitoring.outbox_file import Synchronous, carry_over, not_waiting, open_carrier, open_file, refusal_of
from api_pokemon.monitoring.outbox_paths import Inode, aside_path, inode_of, journal_of
from api_pokemon.monitoring.stream import Entry, OutboxState

__all__ = ["Outbox", "OutboxState"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_SECONDS = 0.1
_CARRIED_AFTER = 300
"""Events after which the journal is worth carrying over: the next commit begins it anew, and waits for the disk while
its head is written. A commit of one event takes some four pages of it."""

_KEEPS_OPEN = ("busy", "outbox-full", "disk-full")


class Outbox:
    """A SQLite file of events in the order in which they were accepted, which gives them up once they are logged.

    Several processes may have one file open; an object serves one thread at a time, but for :meth:`carry_over`. It
    outlives what befalls the file: every method raises as long as the cause lasts, and works again when it is gone. A
    file that is damaged is set aside, never removed, and so is what an open file held when its name was taken away; a
    new file takes its place, with another identity.

    Parameters
    ----------
    path
        The file, in a folder that exists; made where it is missing.
    max_bytes
        How large it may become, its journal included; a little over it while a reader holds the journal back.
    synchronous
        ``normal`` survives the death of any process; ``full`` survives the loss of power too.

    Raises
    ------
    NotRecordedError
        If it cannot be opened.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     outbox = Outbox(Path(folder, "outbox-0.sqlite"))
    ...     subject = "0190f5b6-7c0e-7abc-8def-0123456789ab"
    ...     outbox.append([(subject, b"a prediction"), (subject, b"its outcome")])
    ...     [entry.body for entry in outbox.read(after=1, most=10)]
    ...     outbox.remove_through(2)
    ...     outbox.state()[1:3]
    ...     outbox.close()
    2
    [b'its outcome']
    (2, 0)
    """

    def __init__(self, path: Path, *, max_bytes: int = 1 << 30, synchronous: Synchronous = "normal") -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._carrier: sqlite3.Connection | None = None
        self._carrying = Lock()
        self._appended = self._carried = 0
        self._writer = ""
        self._openings = 0
        self._identity: tuple[Inode, Inode] = (None, None)
        self._look_at = 0.0
        self._do(_nothing)

    @property
    def writer(self) -> str:
        """The identity of the file, a UUID that stays with it."""
        return self._writer

    @property
    def openings(self) -> int:
        """How many files were opened so far. After another one, what is known of the sequences may not hold."""
        return self._openings

    def append(self, items: Sequence[tuple[str, bytes]]) -> int:
        """Keep events, all or none, and return the sequence of the last one.

        Parameters
        ----------
        items
            Of each the id of the prediction that it is about, and its body.

        Raises
        ------
        NotRecordedError
            If they cannot be kept.
        ValueError
            If an id is none.
        """
        last = self._do(lambda connection: outbox_rows.insert(connection, items))
        self._appended += len(items)
        return last

    def read(self, after: int, most: int) -> list[Entry]:
        """Return at most so many entries of greater sequence, in order.

        Raises
        ------
        NotRecordedError
            If they cannot be read.
        """
        rows = self._do(lambda connection: outbox_rows.read(connection, after, most))
        return [Entry(self._writer, sequence, body) for sequence, body in rows]

    def remove(self, sequences: Iterable[int], *, opening: int | None = None, wait: bool = True) -> None:
        """Let go of entries that are logged for good.

        Parameters
        ----------
        opening
            As :attr:`openings` was when they were read: where another file is open by now, none of it is removed.
        wait
            Whether to wait for another process that is writing, or to raise at once.

        Raises
        ------
        NotRecordedError
            If that cannot be noted; some may then be gone, and the others still there.
        """
        for first, last in outbox_rows.runs(sequences):
            self._do(partial(self._remove_run, first=first, last=last, opening=opening, wait=wait))

    def remove_through(self, sequence: int) -> None:
        """Let go of every entry up to this one, as :meth:`remove` does."""
        while self._do(lambda connection: outbox_rows.delete_oldest(connection, sequence)):
            pass

    def find(self, subject: str) -> list[bytes]:
        """Return what is held about a prediction, oldest first.

        Raises
        ------
        NotRecordedError
            If it cannot be read.
        """
        return self._do(lambda connection: outbox_rows.find(connection, subject))

    def state(self) -> OutboxState:
        """Return what it holds, in a time that does not depend on how much that is.

        Raises
        ------
        NotRecordedError
            If it cannot be read.
        """
        return self._do(lambda connection: outbox_rows.read_state(connection, self.path))

    def carry_over(self) -> None:
        """Write the journal back to an open file once it is worth it, in any thread, so that no append has to.

        Where the disk does not take it, nothing is lost, and the appends are told once the journal is full.
        """
        appended = self._appended
        with self._carrying:
            if self._carrier is None or appended - self._carried < _CARRIED_AFTER:
                return
            try:
                carry_over(self._carrier)
            except sqlite3.Error as error:
                logger.warning("the journal of %s cannot be carried over; it grows until it can: %s", self.path, error)
            self._carried = appended

    def close(self) -> None:
        """Let go of the file; the next call of another method but :meth:`carry_over` opens it again."""
        with self._carrying:
            carrier, self._carrier = self._carrier, None
        connection, self._connection = self._connection, None
        for each in (carrier, connection):
            if each is not None:
                with suppress(sqlite3.Error):
                    each.close()

    def _remove_run(
        self, connection: sqlite3.Connection, first: int, last: int, opening: int | None, *, wait: bool
    ) -> None:
        if opening not in (None, self._openings):
            return
        with nullcontext() if wait else not_waiting(connection):
            outbox_rows.delete(connection, first, last)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._open())
        except (sqlite3.Error, OSError) as error:
            refusal = refusal_of(error, self.path, self._connection)
            self._recover(refusal)
            raise refusal from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            now = monotonic()
            if now < self._look_at:
                return self._connection
            self._look_at = now + _LOOK_SECONDS
            if self._names() == self._identity:
                return self._connection
            self._rescue(self._connection)
        return self._open_again()

    def _open_again(self) -> sqlite3.Connection:
        with alone_with(self.path):
            try:
                opened = open_file(self.path, self._max_bytes, self._synchronous)
            except NotRecordedError as refusal:
                if refusal.reason != "damaged":
                    raise
                opened = open_file(self.path, self._max_bytes, self._synchronous)
            self._connection, self._writer = opened
            self._openings += 1
            self._identity = self._names()
            with suppress(sqlite3.Error):  # without it, the appends carry over themselves
                self._carrier = open_carrier(self.path)
        return opened.connection

    def _names(self) -> tuple[Inode, Inode]:
        return inode_of(self.path), inode_of(journal_of(self.path))

    def _recover(self, refusal: NotRecordedError) -> None:
        """Leave things so that the next call has a chance."""
        if self._connection is None:
            return
        if refusal.reason in _KEEPS_OPEN:
            if self._connection.in_transaction:
                self._connection.rollback()
            return
        if refusal.reason == "damaged":
            self._set_aside(refusal)
        self.close()

    def _rescue(self, connection: sqlite3.Connection) -> None:
        """The files are still open and whole, and have lost their names: write them down before they are let go."""
        if not is_aside(self.path, self._identity[0]) and outbox_rows.first_sequence(connection) is not None:
            aside = aside_path(self.path)
            connection.execute("VACUUM INTO ?", (str(aside),))
            tell_of_damage(self.path, aside, "it was removed or replaced while it was open")
        self._set_aside("a part of it was removed or replaced while it was open")
        self.close()

    def _set_aside(self, because: object) -> None:
        """Set the files aside that were open here, unless another process has done so."""
        try:
            with alone_with(self.path):
                if any(now == ours for now, ours in zip(self._names(), self._identity, strict=True)):
                    set_aside(self.path, because, database=self._names()[0] == self._identity[0])
        except (OSError, NotRecordedError) as error:
            logger.error("%s is damaged (%s) and cannot be set aside: %s", self.path, because, error)


def _nothing(connection: sqlite3.Connection) -> None:
    """Opening was all that was wanted."""
