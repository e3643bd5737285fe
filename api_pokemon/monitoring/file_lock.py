"""A lock between processes that its holder's death releases."""

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep
from weakref import WeakSet

_RETRY_SECONDS = 0.01


class FileLock:
    """An exclusive lock on a file that exists for nothing else; the kernel takes it back when the process ends.

    The file stays: were it removed, one process could lock the old one and another the new one. Children do not
    inherit the lock, whether they are forked or started.

    Parameters
    ----------
    path
        The file, made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock, or return False where another holder has it, in this process or in any.

        Raises
        ------
        OSError
            If the file cannot be made or locked.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _keep_from_children(self)
        return True

    def acquire(self, wait_seconds: float) -> bool:
        """Take the lock as soon as it is free; return False where it was not free in time."""
        deadline = monotonic() + wait_seconds
        while not self.try_acquire():
            if monotonic() >= deadline:
                return False
            sleep(_RETRY_SECONDS)
        return True

    def release(self) -> None:
        """Let go; a second call changes nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_held: WeakSet[FileLock] = WeakSet()
_hooked: list[bool] = []


def _keep_from_children(lock: FileLock) -> None:
    """Close the descriptor in forked children, which would hold the lock on when this process has died.

    A hook of ``fork`` is for the whole process and for good, hence one for all locks, set with the first of them.
    """
    _held.add(lock)
    if not _hooked:
        _hooked.append(True)
        os.register_at_fork(after_in_child=_release_all)


def _release_all() -> None:
    for lock in tuple(_held):
        lock.release()
