"""Servers in processes of their own, to be loaded."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import psutil

from benchmarks.load import HOST, pinned

_START_SECONDS = 60.0


class Server(NamedTuple):
    """A server that answers."""

    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """What it and its processes spent so far."""
        processes = (self.process, *self.process.children(recursive=True))
        times = [process.cpu_times() for process in processes]
        return float(sum(each.user + each.system for each in times))


@contextmanager
def serving(factory: str, *, core: int | None = None, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve the application that ``module:function`` makes, with uvicorn.

    The socket listens before the server is up: the first request waits instead of being refused.
    """
    with socket.create_server((HOST, 0), backlog=1024) as listener:
        # Uvicorn takes an inherited socket for a Unix one and leaves Nagle's algorithm on: 40 ms for every answer.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = int(listener.getsockname()[1])
        command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--fd", str(listener.fileno())]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        process = subprocess.Popen(
            command,
            pass_fds=[listener.fileno()],
            env={**os.environ, **(environment or {})},
            preexec_fn=pinned(core),
        )
    with ended(process):
        yield Server(port, psutil.Process(process.pid))


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Server]:
    """Run a program that opens this port by itself, in a folder if it matters, and wait until it does.

    Raises
    ------
    RuntimeError
        If it ends before, or takes longer than a minute.
    """
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})}, preexec_fn=pinned(core))
    with ended(process):
        deadline = monotonic() + _START_SECONDS
        while not _listens(port):
            if process.poll() is not None or monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not answer on port {port}.")
            sleep(0.05)
        yield Server(port, psutil.Process(process.pid))


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """End it afterwards, and wait for that."""
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
        return True
    return False
