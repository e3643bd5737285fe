"""A child process that ends when its parent does, however the parent ended.

The parent gives the child a pipe as standard input and never writes to it. The kernel closes the pipe when the parent
is gone, even by ``kill -9``; the child reads that as the end of the file.
"""

import os
import signal
import sys
import threading
import time

_GRACE_SECONDS = 5.0


def follow_parent(grace_seconds: float = _GRACE_SECONDS) -> None:
    """From now on, end this process as SIGTERM would when standard input closes.

    A process that has not ended after ``grace_seconds`` is ended at once.
    """
    threading.Thread(
        target=_wait_and_end, args=(sys.stdin.fileno(), grace_seconds), name="lifeline", daemon=True
    ).start()


def _wait_and_end(descriptor: int, grace_seconds: float) -> None:
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os._exit(1)
