"""The child process in which a job runs, as its worker sees it."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from threading import Lock, Thread
from typing import IO, Any, NamedTuple

from api_pokemon.monitoring import job_child
from api_pokemon.monitoring.job_child import DEADLINE, MOST_RESULT_BYTES, Task
from api_pokemon.monitoring.jobs import Job, JobKind

_LAST_LINES = 20
_MOST_LINE_BYTES = 2000
_MOST_ERROR_CHARACTERS = 8000
_DRAIN_SECONDS = 5.0


class Progress(NamedTuple):
    """How far a job is, in [0, 1], and what it says to that."""

    share: float = 0.0
    text: str = ""


class JobProcess:
    """Starts the child and hears what it has to say; what it prints goes to the log under the job's name.

    The thread that starts it must live as long as the child does: the kernel ends the child with that thread.

    Parameters
    ----------
    job, kind
        What to run, and within which bounds.
    """

    def __init__(self, job: Job, kind: JobKind) -> None:
        self._job = job
        self._kind = kind
        self._logger = logging.getLogger(f"{__name__}.{kind.name}")
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._lock = Lock()
        self._readers: tuple[Thread, ...] = ()
        self.progress = Progress()
        self.result: dict[str, Any] | None = None
        self._error: str | None = None

    def start(self, deadline_seconds: float) -> None:
        """Start it, to end by itself at that time of the monotonic clock unless it is told of a later one.

        Raises
        ------
        OSError
            If the machine has no process or memory left.
        """
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", job_child.__file__, str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                process_group=0,  # so that all it starts can be ended with it, and Ctrl-C reaches the worker alone
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._listen(os.fdopen(reading, "rb"), self._process.stdout)
        kind = self._kind
        task = Task(kind.function, self._job.parameters, sys.path, kind.memory_bytes, os.getpid(), deadline_seconds)
        with contextlib.suppress(BrokenPipeError):  # it has ended already, and the exit status will say how
            os.write(self._lifeline, json.dumps(task._asdict()).encode() + b"\n")
        os.set_blocking(self._lifeline, False)

    def extend(self, deadline_seconds: float) -> None:
        """Let it live until that time of the monotonic clock."""
        # It may have ended, or not even read. Once it is closed, the descriptor may be another's.
        with self._lock, contextlib.suppress(BrokenPipeError, BlockingIOError):
            if not self._process.stdin.closed:  # type: ignore[union-attr]
                os.write(self._lifeline, DEADLINE.pack(deadline_seconds))

    def ended_within(self, seconds: float) -> bool:
        """Wait that long at most; returns whether it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, grace_seconds: float) -> None:
        """End it and all it has started: SIGTERM first, and SIGKILL once the grace is over. Leaves nothing behind."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            self.ended_within(grace_seconds)
        self._signal(signal.SIGKILL)
        self._process.wait()
        for reader in self._readers:
            reader.join(_DRAIN_SECONDS)
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]

    @property
    def error(self) -> str:
        """What went wrong, with the last that it printed."""
        return self.explain(self._error or _cause_of_death(self._process.returncode))

    def explain(self, reason: str) -> str:
        """Add the last that it printed to a reason."""
        printed = "\n".join(self._last_lines)[-_MOST_ERROR_CHARACTERS // 2 :]
        reason = reason.strip()[: _MOST_ERROR_CHARACTERS // 2]
        return f"{reason}\n\nThe last that it printed:\n{printed}" if printed else reason

    @property
    def _lifeline(self) -> int:
        return self._process.stdin.fileno()  # type: ignore[union-attr]

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left of the group
            os.killpg(self._process.pid, number)

    def _listen(self, reports: IO[bytes], output: IO[bytes] | None) -> None:
        self._readers = (
            Thread(target=self._read_reports, args=(reports,), name="job-reports", daemon=True),
            Thread(target=self._read_output, args=(output,), name="job-output", daemon=True),
        )
        for reader in self._readers:
            reader.start()

    def _read_reports(self, reports: IO[bytes]) -> None:
        with reports:
            while line := reports.readline(2 * MOST_RESULT_BYTES):
                with contextlib.suppress(json.JSONDecodeError):  # it was killed in the middle of a line
                    self._take(json.loads(line))

    def _take(self, report: dict[str, Any]) -> None:
        if "progress" in report:
            self.progress = Progress(report["progress"], report["text"])
        self.result = report.get("result", self.result)
        self._error = report.get("error", self._error)

    def _read_output(self, output: IO[bytes]) -> None:
        with output:
            while line := output.readline(_MOST_LINE_BYTES):
                text = line.decode("utf-8", "replace").rstrip()
                self._last_lines.append(text)
                self._logger.info("%s", text)


def _cause_of_death(status: int) -> str:
    """
    >>> _cause_of_death(-11)
    'It was killed by signal 11 (Segmentation fault).'
    """
    if status < 0:
        return f"It was killed by signal {-status} ({signal.strsignal(-status)})."
    return f"It ended with exit status {status} and without a result."
