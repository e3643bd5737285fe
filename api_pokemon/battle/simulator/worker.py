"""One Node process that plays battles, and the distrust that its answers meet."""

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

TURN_CAP = 200
MAX_HP = 330  # of a base stat of 255
_READ_BYTES = 1 << 16


class Chunk(NamedTuple):
    """Some battles that are sent to a worker together.

    Parameters
    ----------
    first
        Number of the first battle; the others follow on.
    fighters
        Per battle, ``species gender move species gender move``, in Showdown's ids.
    seeds
        Shape (battles, 4), uint16.
    """

    first: int
    fighters: Sequence[str]
    seeds: NDArray[np.uint16]

    def request(self) -> bytes:
        lines = [f"{self.first} {len(self.fighters)}"]
        for index, (fighters, (a, b, c, d)) in enumerate(
            zip(self.fighters, self.seeds.tolist(), strict=True), self.first
        ):
            lines.append(f"{index} {fighters} {a},{b},{c},{d}")
        return ("\n".join(lines) + "\n").encode()

    def read(self, answer: bytes) -> NDArray[np.int16]:
        """Winner, turns, HP of A and HP of B per battle; `WorkerFault` if one byte is not as it should be."""
        body, _, end = answer[:-1].rpartition(b"\n")
        body += b"\n"
        if end != f"end {self.first} {len(self.fighters)} {crc32(body)}".encode():
            raise WorkerFault(f"its answer ended with {end[:80]!r}")
        try:
            table = np.array([[int(word) for word in line.split(b" ")] for line in body.splitlines()], dtype=np.int64)
        except ValueError as error:
            raise WorkerFault(f"its answer is not a table of integers ({error})") from error
        if table.shape != (len(self.fighters), 5) or (table[:, 0] != self.first + np.arange(len(table))).any():
            raise WorkerFault("it answered other battles than it was asked")
        _, winner, turns, hp_a, hp_b = table.T
        loser_is_down = np.choose(winner, (hp_a == 0, hp_b == 0, True), mode="clip")
        plausible = (winner >= 0) & (winner <= 2) & (turns >= 1) & (turns <= TURN_CAP) & loser_is_down
        plausible &= (hp_a >= 0) & (hp_a <= MAX_HP) & (hp_b >= 0) & (hp_b <= MAX_HP)
        if not plausible.all():
            raise WorkerFault(f"its answer holds the impossible battle {table[~plausible][0].tolist()}")
        return table[:, 1:].astype(np.int16)


class WorkerFault(Exception):  # noqa: N818 -- a fault of a process, not of the caller; it never leaves this folder
    """A worker crashed, hung or answered nonsense; its process is of no more use, its chunk unplayed."""


class Worker:
    """A process of ``worker.js``, started when it is first asked and again after every fault.

    Parameters
    ----------
    command
        What to start.
    timeout_seconds
        How long a chunk may take, with the start of the process.
    """

    def __init__(self, command: Sequence[str], timeout_seconds: float) -> None:
        self._command = tuple(command)
        self._timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._process.pid if self._process else None

    def play(self, chunk: Chunk) -> NDArray[np.int16]:
        """The chunk's results, or `WorkerFault` and no process any more."""
        try:
            process = self._process or self._start()
            return chunk.read(self._exchange(process, chunk.request(), len(chunk.fighters)))
        except WorkerFault as fault:
            complaint = self._last_complaint()
            self.stop()
            raise WorkerFault(f"{fault}; {complaint}" if complaint else str(fault)) from fault

    def kill(self) -> None:
        """Ends the process; safe to call while another thread plays, which then sees a fault."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ends the process and forgets it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the process
        # A session of its own: Ctrl-C is for this program to handle, not for Node.
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise WorkerFault(f"it cannot be started ({error})") from error
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes, count: int) -> bytes:
        assert process.stdin is not None  # noqa: S101 -- a pipe, for the type checker
        assert process.stdout is not None  # noqa: S101 -- the same
        deadline = time.monotonic() + self._timeout_seconds
        enough_bytes = 64 * (count + 2)
        unsent, answer = memoryview(request), b""
        with selectors.DefaultSelector() as selector:
            for pipe, event in ((process.stdin, selectors.EVENT_WRITE), (process.stdout, selectors.EVENT_READ)):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, event)
            while not _is_complete(answer):
                ready = selector.select(deadline - time.monotonic())
                if not ready:
                    raise WorkerFault(f"it took longer than {self._timeout_seconds:g} s")
                for key, _ in ready:
                    if key.fileobj is process.stdin:
                        unsent = unsent[_write(process, process.stdin.fileno(), unsent) :]
                        if not unsent:
                            selector.unregister(process.stdin)
                    else:
                        received = os.read(process.stdout.fileno(), _READ_BYTES)
                        answer += received
                        if not received:
                            raise WorkerFault(_ending(process, "output"))
                        if len(answer) > enough_bytes:
                            raise WorkerFault("its answer has no end")
        return answer

    def _last_complaint(self) -> str:
        if self._complaints is None:
            return ""
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip()[-1000:]


def _is_complete(answer: bytes) -> bool:
    return answer.endswith(b"\n") and answer[answer.rfind(b"\n", 0, -1) + 1 :].startswith(b"end ")


def _ending(process: subprocess.Popen[bytes], pipe: str) -> str:
    """Why a pipe was closed: mostly since the process has ended, which is seen a moment later."""
    try:
        return f"it ended (exit code {process.wait(timeout=1)})"
    except subprocess.TimeoutExpired:
        return f"it closed its {pipe}"


def _write(process: subprocess.Popen[bytes], pipe: int, data: memoryview) -> int:
    try:
        return os.write(pipe, data)
    except BrokenPipeError as error:
        raise WorkerFault(_ending(process, "input")) from error
