"""The clients as the run sees them: what was asked, and what became of it."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from threading import Thread
from time import monotonic
from typing import IO, cast

import msgspec

from benchmarks.chaos.clients import Outcome, Spec
from benchmarks.load import HOST

_SHARE = 0.95
_STRETCH_SECONDS = 1.0
_STRETCHES = 2
_LEAST_LIMIT_SECONDS = 0.1


class Load:
    """Clients in a process of their own; leaving the context waits until what they asked is answered.

    Parameters
    ----------
    spec
        See there.
    environment
        Of their process.
    """

    def __init__(self, spec: Spec, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self.outcomes: list[Outcome] = []
        self.limit_seconds = 0.0
        """Time within which an answer counts as quick, once `learn` was called."""
        command = [sys.executable, "-m", "benchmarks.chaos.clients", msgspec.json.encode(spec).decode()]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0
        )
        self._reader = Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let no more come due, and wait for the answers."""
        stdin = cast(IO[bytes], self._process.stdin)
        if not stdin.closed:
            stdin.close()
        self._process.wait()
        self._reader.join()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        decoder = msgspec.json.Decoder(Outcome)
        for line in cast(IO[bytes], self._process.stdout):
            self.outcomes.append(decoder.decode(line))

    def learn(self, since_seconds: float) -> None:
        """Take what was answered since then as what is usual: three times as long is still quick."""
        times = sorted(each.done_seconds - each.due_seconds for each in self._since(since_seconds))
        self.limit_seconds = max(_LEAST_LIMIT_SECONDS, 3 * times[int(_SHARE * len(times))])

    def recovered_at(self, ended_seconds: float) -> float | None:
        """The time from which on requests are answered as usual, if that has come.

        That is so from a second on in which 95 in 100 of those that are due get a prediction quickly, as they do in the
        one after it.
        """
        recent = [
            each.due_seconds
            for each in self._since(ended_seconds)
            if each.done_seconds - each.due_seconds <= self.limit_seconds and set(each.answers) == {"200"}
        ]
        begin = ended_seconds
        known_until = monotonic() - self.limit_seconds
        while begin + _STRETCHES * _STRETCH_SECONDS <= known_until:
            stretches = [begin + number * _STRETCH_SECONDS for number in range(_STRETCHES)]
            if all(_share(recent, stretch, self.spec.rate) >= _SHARE for stretch in stretches):
                return begin
            begin += _STRETCH_SECONDS / 4
        return None

    def is_let_in(self) -> bool:
        """Whether each port takes in connections; where there are several, few clients notice that one is shut."""
        try:
            for port in self.spec.ports:
                socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            return False
        return True

    def done_between(self, begin_seconds: float, end_seconds: float) -> list[Outcome]:
        """What became of requests in a stretch of time."""
        return [each for each in self._since(begin_seconds) if begin_seconds <= each.done_seconds < end_seconds]

    def _since(self, seconds: float) -> Iterator[Outcome]:
        """The outcomes since then; they come in the order in which they were done, nearly."""
        for each in reversed(self.outcomes[:]):
            if each.done_seconds < seconds - 1:
                return
            if each.done_seconds >= seconds:
                yield each


def _share(due: list[float], begin_seconds: float, rate: float) -> float:
    """Of the requests that came due in a stretch, those that are in the list."""
    in_it = sum(begin_seconds <= each < begin_seconds + _STRETCH_SECONDS for each in due)
    return in_it / (rate * _STRETCH_SECONDS)
