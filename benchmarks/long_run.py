"""What a measurement of hours owes to whoever started it: room before it begins, and nothing left, whatever ends it."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

GIGABYTE = 10**9


class NoRoomError(Exception):
    """The disk of temporary files is too small."""


def need_room(bytes_: int) -> None:
    """See that there is room for so much among temporary files.

    Raises
    ------
    NoRoomError
        There is less.
    """
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < bytes_:
        raise NoRoomError(
            f"This needs {bytes_ / GIGABYTE:.1f} GB in {folder}, where {free / GIGABYTE:.1f} GB are free: "
            "name a folder on a larger disk in TMPDIR, or measure fewer predictions."
        )


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the block as Ctrl-C does, so that what it opened is closed and removed.

    Also where SIGINT was ignored, as it is in what a shell starts in the background. The first one counts: another one
    would interrupt the removing.
    """
    numbers = (signal.SIGTERM, signal.SIGINT)

    def interrupt(number: int, frame: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
