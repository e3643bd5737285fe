"""The outboxes of a service: one for each process that runs, and those that dead ones have left."""

import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from time import monotonic, time
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.file_lock import FileLock
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_file import Synchronous, refusal_of
from api_pokemon.monitoring.outbox_rows import find, read_state
from api_pokemon.monitoring.outbox_salvage import salvage_into
from api_pokemon.monitoring.stream import OutboxState

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NAME = re.compile(r"outbox-(\d+)\.sqlite", re.ASCII)
_ASIDE = re.compile(r"(outbox-\d+\.damaged-.*\.sqlite)(?:-wal)?", re.ASCII)
_GLANCE_SECONDS = 0.1
_NOTICED_SECONDS = 5.0
"""After which no process still appends to a file that was set aside."""

_SALVAGE_AGAIN_SECONDS = 60.0


class Claim:
    """The right to append to an outbox, held until it is released or this process dies; also a context manager.

    Parameters
    ----------
    path
        The outbox, which need not exist yet.
    """

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self._lock = lock

    def release(self) -> None:
        """Leave the outbox to others; a second call changes nothing."""
        self._lock.release()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class OutboxFolder:
    """A folder of files ``outbox-0.sqlite``, ``outbox-1.sqlite``, …, as many as there were processes at one time.

    Every process claims one of them, the first that no living process holds, so that an outbox left by a dead one is
    adopted by the next. A file tells who holds it by a lock on ``outbox-0.lock`` beside it.

    Parameters
    ----------
    folder
        Made where it is missing. It must be on a disk of this machine: locks and journal do not work over a network.
    max_bytes, synchronous
        Of each :class:`~api_pokemon.monitoring.outbox.Outbox`.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 1 << 30, synchronous: Synchronous = "normal") -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._synchronous = synchronous
        self._salvage_at = 0.0

    def claim(self) -> Claim:
        """Take the first outbox that no living process holds, or a new one.

        Raises
        ------
        NotRecordedError
            If the folder cannot be used.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return next(claim for number in count() if (claim := self._try(self._path(number))))
        except OSError as error:
            raise refusal_of(error, self.folder, None) from error

    def claim_abandoned(self, *, told: Mapping[str, int] | None = None) -> list[Claim]:
        """Take every outbox that holds entries and that no living process holds.

        Parameters
        ----------
        told
            By writer, up to where its outbox is on record as settled. One that has come further is taken even if it is
            empty: who emptied it died before putting that on record.

        Raises
        ------
        NotRecordedError
            If the folder cannot be used.
        """
        self.salvage()
        claims = []
        for path in self.paths():
            with suppress(NotRecordedError):  # what cannot be looked into is damaged, and left to who opens it
                state = _glance(path, read_state)
                if state.pending == 0 and (told is None or told.get(state.writer, -1) >= state.settled):
                    continue
            try:
                claim = self._try(path)
            except OSError as error:
                raise refusal_of(error, path, None) from error
            if claim:
                claims.append(claim)
        return claims

    def salvage(self) -> None:
        """Make an outbox, which nobody holds, of what can be read of each that was set aside as damaged.

        Cheap where there is none; what cannot be salvaged just now is tried again later. Readers call it now and then.
        """
        if monotonic() < self._salvage_at or not (aside := self._set_aside(_NOTICED_SECONDS)):
            return
        lock = FileLock(self.folder / "salvage.lock")
        try:
            if lock.try_acquire():
                for path in aside:
                    self._salvage(path)
        except (sqlite3.Error, OSError, NotRecordedError) as error:
            self._salvage_at = monotonic() + _SALVAGE_AGAIN_SECONDS
            logger.error("what can be read of %s cannot be salvaged now: %s", ", ".join(map(str, aside)), error)
        finally:
            lock.release()

    def paths(self) -> list[Path]:
        """The outboxes, in the order of their numbers."""
        numbers = (_NAME.fullmatch(path.name) for path in self._files())
        return [self._path(number) for number in sorted(int(match[1]) for match in numbers if match)]

    def open(self, path: Path) -> Outbox:
        """Open one of the outboxes, making it where it is missing.

        Raises
        ------
        NotRecordedError
            If it cannot be opened.
        """
        return Outbox(path, max_bytes=self.max_bytes, synchronous=self._synchronous)

    def find(self, subject: str) -> list[bytes]:
        """Return what any outbox holds about a prediction.

        Raises
        ------
        NotRecordedError
            If one of them cannot be read: what is asked for may be there.
        """
        found = [body for path in self.paths() for body in _find(path, subject)]
        for path in self._set_aside():
            with suppress(NotRecordedError):  # it is damaged; what can be read of it will be in an outbox soon
                found += _find(path, subject)
        return found

    def states(self, paths: Iterable[Path] | None = None) -> list[OutboxState]:
        """Tell what each outbox holds, or these do; one that is missing or cannot be read just now is left out."""
        states = []
        for path in self.paths() if paths is None else paths:
            with suppress(NotRecordedError):
                states.append(_glance(path, read_state))
        return states

    def unreadable(self) -> list[Path]:
        """Tell which files of outboxes hold what nobody can tell just now, those set aside as damaged among them."""
        return [path for path in self.paths() if not self.states([path])] + self._set_aside()

    def _set_aside(self, noticed_seconds: float = 0.0) -> list[Path]:
        """Those of which a database or a journal was set aside so long ago."""
        latest = time() - noticed_seconds
        aside = set()
        for file in self._files():
            with suppress(FileNotFoundError):  # another process has salvaged it
                if (match := _ASIDE.fullmatch(file.name)) and file.stat().st_ctime <= latest:
                    aside.add(self.folder / match[1])
        return sorted(aside)

    def _salvage(self, path: Path) -> None:
        for number in count():
            target = self._path(number)
            if target.exists():
                continue
            if claim := self._try(target):
                with claim:
                    salvage_into(path, target)
                return

    def _try(self, path: Path) -> Claim | None:
        lock = FileLock(path.with_suffix(".lock"))
        return Claim(path, lock) if lock.try_acquire() else None

    def _path(self, number: int) -> Path:
        return self.folder / f"outbox-{number}.sqlite"

    def _files(self) -> Iterator[Path]:
        try:
            yield from self.folder.iterdir()
        except FileNotFoundError:
            return


def _find(path: Path, subject: str) -> list[bytes]:
    return _glance(path, lambda connection, _: find(connection, subject))


def _glance(path: Path, look: Callable[[sqlite3.Connection, Path], T]) -> T:
    """Look into an outbox without a say in it: nothing is made, mended or set aside, and nobody is waited for."""
    connection: sqlite3.Connection | None = None
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path))}?mode=ro", timeout=_GLANCE_SECONDS, uri=True)
        ) as connection:
            return look(connection, path)
    except (sqlite3.Error, OSError) as error:
        raise refusal_of(error, path, None) from error
