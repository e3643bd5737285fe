"""Runs the function of one job in a process of its own: ``python -P …/job_child.py DESCRIPTOR``.

The worker that starts it writes a line to its standard input, a :class:`Task` as JSON, and then *deadlines* of eight
bytes each: the time of the monotonic clock up to which the job's lease surely holds. The child ends at once when the
last one is over, and when standard input closes, as it does when the worker is gone. So it never runs on beside the one
that claims the job next, be the worker killed or stopped or cut off from the database.

What there is to tell goes to DESCRIPTOR, a JSON object on each line: ``{"progress": 0.5, "text": "…"}`` any number of
times, and at the end ``{"result": {…}}`` or ``{"error": "…"}``. Standard output and standard error are the function's.

It is started by its path, and imports the standard library alone: what a function does not need is not loaded for it,
and a child is there in 50 ms.
"""

import ctypes
import importlib
import json
import logging
import os
import resource
import select
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from threading import Lock, Thread
from time import monotonic
from typing import Any, NamedTuple, NoReturn

DEADLINE = struct.Struct("d")
MOST_RESULT_BYTES = 256 << 10

_MOST_TEXT = 500
_MOST_TRACEBACK = 3000
_PR_SET_PDEATHSIG = 1

Function = Callable[[Mapping[str, Any], Callable[[float, str], None]], Mapping[str, Any]]


class Task(NamedTuple):
    """What the child is to do: where to find it, with what, in how much memory, for whom, and up to when at first."""

    function: str
    parameters: Mapping[str, Any]
    path: Sequence[str]
    memory_bytes: int
    parent: int
    deadline_seconds: float


def main() -> None:
    lifeline = _take_standard_input()
    task = Task(**json.loads(_line_of(lifeline)))
    _end_with(task.parent)
    Thread(target=_end_in_time, args=(lifeline, task.deadline_seconds), name="lifeline", daemon=True).start()
    _bound_memory(task.memory_bytes)
    sys.path[:] = task.path
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    channel = _Channel(int(sys.argv[1]))
    try:
        function = _load(task.function)
        # Afterwards: what libraries have to say to being loaded is no news.
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        result = function(task.parameters, channel.progress)
        channel.write(f'{{"result": {_result_text(result)}}}')
    except MemoryError:
        channel.write(json.dumps({"error": f"It needs more than the {task.memory_bytes >> 20} MiB that it may have."}))
    except Exception as error:  # noqa: BLE001 -- the outermost loop of this process
        channel.write(json.dumps({"error": _describe(error)}))


class _Channel:
    """The way to the worker; the function may use it from any thread."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._file = os.fdopen(descriptor, "w", encoding="ascii", buffering=1)
        self._lock = Lock()

    def progress(self, share: float, text: str) -> None:
        """Tell how far it is, in [0, 1], and what there is to say to that."""
        self.write(json.dumps({"progress": float(share), "text": str(text)[:_MOST_TEXT]}))

    def write(self, line: str) -> None:
        with self._lock:
            self._file.write(line + "\n")


def _load(path: str) -> Function:
    module, _, name = path.partition(":")
    function: Function = getattr(importlib.import_module(module), name)
    return function


def _result_text(result: Any) -> str:
    if not isinstance(result, Mapping):
        raise ValueError(f"The function returned {type(result).__name__}; a mapping is wanted.")
    text = json.dumps(dict(result), allow_nan=False)
    if len(text) > MOST_RESULT_BYTES:
        raise ValueError(f"The result takes {len(text)} bytes as JSON; {MOST_RESULT_BYTES} are allowed.")
    return text


def _describe(error: Exception) -> str:
    """The error itself first, for who reads but a line, then how it came to it."""
    if getattr(error, "explains_itself", False):
        return str(error)
    what, how = traceback.format_exception_only(error), traceback.format_exception(error)
    return f"{''.join(what)[:_MOST_TEXT].strip()}\n\n{''.join(how)[-_MOST_TRACEBACK:]}"


def _take_standard_input() -> int:
    """Keep it from the function and from what that starts, who find it empty."""
    lifeline = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return lifeline


def _line_of(descriptor: int) -> bytes:
    """Read a line, and not one byte of what follows."""
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return file.readline()


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it is gone, were it in the midst of C code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        _end()


def _end_in_time(lifeline: int, deadline_seconds: float) -> None:
    # A later deadline may have come while this process was still starting, or had no turn: it is looked for first.
    while select.select([lifeline], [], [], max(0.0, deadline_seconds - monotonic()))[0]:
        deadlines = os.read(lifeline, 512 * DEADLINE.size)
        if not deadlines:
            break
        (deadline_seconds,) = DEADLINE.unpack(deadlines[-DEADLINE.size :])
    _end()


def _end() -> NoReturn:
    """End at once, with all that the function has started."""
    os.killpg(0, signal.SIGKILL)
    raise SystemExit  # never gets here


def _bound_memory(bytes_: int) -> None:
    """Bound what the process can have for itself.

    RLIMIT_DATA, not RLIMIT_AS: it counts writable private memory alone, not the addresses that libraries, arenas and
    files take up. With numpy, ONNX Runtime and XGBoost loaded (190 MB resident), 320 MB count for the one, 640 MB for
    the other; and where it is too little, Python gets a `MemoryError`, while under RLIMIT_AS OpenBLAS hangs.
    """
    if sys.platform == "linux":
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        bound = bytes_ if hard == resource.RLIM_INFINITY else min(bytes_, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))


if __name__ == "__main__":
    main()
