"""HTTP load that comes when it comes: requests at random times of a given rate, whether or not others are answered yet.

    python -m benchmarks.open_load --port 8000 --rate 5000 --seconds 10 < bodies

Takes one body a line from standard input, and sends them in turns to ``POST /predict/best-move``. The clock of a
request runs from the moment when it was due, also where it could not be sent then, so a server that stalls is charged
for all who would have come meanwhile. Not so a machine on which the client itself stands still. A rate of 0 keeps every
connection busy instead, one request at a time on each: how much the server can do.

Prints one JSON object, see :class:`Seen`.
"""

import argparse
import json
import math
import random
import re
import select
import socket
import sys
from array import array
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import cycle
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.load import HOST, Call

PATH = "/predict/best-move"
_PAUSE_SECONDS = 0.05
"""If the client itself did not get to run for longer, what was due meanwhile is not sent: no server is to blame."""

_LENGTH = re.compile(rb"content-length: (\d+)")


class Seen(NamedTuple):
    """What one stretch of load saw. ``other`` counts answers that are neither 2xx nor `overloaded`; times are ms."""

    seconds: float
    sent: int
    accepted: int
    refused: int
    other: int
    accepted_p50_ms: float
    accepted_p99_ms: float
    refused_p50_ms: float
    refused_p99_ms: float
    late_p99_ms: float
    """By how much requests were sent later than they were due: what the client itself, or lack of connections, adds."""
    longest_pause_ms: float
    """For which the client itself did not get to run; what it says of that time is its own."""
    recovery_seconds: float
    """When the last second began that was not yet calm, see :func:`recovery`."""


class _Load:
    """Sends what is due, and notes when it was answered.

    One loop that never sleeps, on a core of its own: with an event loop, which calls back for each answer, the lateness
    of the client itself would be much of what is seen.
    """

    def __init__(self, requests: Sequence[bytes], rate: float, seed: int) -> None:
        self._requests = cycle(requests)
        self._rate = rate
        self._random = random.Random(seed)
        self._idle: deque[_Connection] = deque()
        self._next_due = math.inf
        self.longest_pause = 0.0
        self.sent = 0
        self.late = array("d")
        self.accepted, self.refused, self.other = array("d"), array("d"), array("d")
        self.accepted_due, self.failed_due = array("d"), array("d")

    def run(self, port: int, connections: int, seconds: float) -> float:
        """Load the server for so long, wait for what is not answered yet, and return how long it took."""
        with closing(select.epoll()) as poll, ExitStack() as sockets:
            known: dict[int, _Connection] = {}
            for _ in range(connections):
                connection = _Connection(sockets.enter_context(socket.create_connection((HOST, port))))
                poll.register(connection.socket, select.EPOLLIN)
                known[connection.socket.fileno()] = connection
            self._idle.extend(known.values())
            self.began = self._next_due = perf_counter()
            end, took, before = self.began + seconds, math.nan, self.began
            while len(self._idle) < connections or math.isnan(took):
                now = perf_counter()
                paused, before = now - before, now
                self.longest_pause = max(self.longest_pause, paused)
                if paused > _PAUSE_SECONDS and self._next_due < now:
                    self._next_due = min(self._next_due + paused, now)
                if now < end:
                    self._send_due(now)
                elif math.isnan(took):
                    took = now - self.began
                for descriptor, _ in poll.poll(0):
                    self._receive(known[descriptor])
            return took

    def _send_due(self, now: float) -> None:
        while self._idle and (not self._rate or self._next_due <= now):
            due = self._next_due if self._rate else now
            self._idle.popleft().send(next(self._requests), due)
            self.sent += 1
            self.late.append(perf_counter() - due)
            if self._rate:
                self._next_due += self._random.expovariate(self._rate)

    def _receive(self, connection: "_Connection") -> None:
        answer = connection.receive()
        if not answer:
            return
        took, due = perf_counter() - connection.due, connection.due - self.began
        if answer.startswith(b"HTTP/1.1 2"):
            self.accepted.append(took)
            self.accepted_due.append(due)
        else:
            (self.refused if b"/problems#overloaded" in answer else self.other).append(took)
            self.failed_due.append(due)
        self._idle.append(connection)


class _Connection:
    """With one request at a time."""

    __slots__ = ("_received", "due", "socket")

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self.due = 0.0
        self._received = b""

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.sendall(request)

    def receive(self) -> bytes:
        """The answer, if all of it is here; else nothing."""
        data = self.socket.recv(1 << 16)
        if not data:
            sys.exit("The server hung up.")
        received = self._received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n") + 4
        if head < 4:
            return b""
        length = _LENGTH.search(received, 0, head)
        if length is None:
            raise ValueError("The load client only reads answers with a content-length.")
        if len(received) < head + int(length[1]):
            return b""
        self._received = b""
        return received


def recovery(load: _Load, calm_ms: float) -> float:
    """Seconds until the first whole second in which nothing failed and 99 in 100 answers came within ``calm_ms``."""
    due, took, failed = (np.asarray(values) for values in (load.accepted_due, load.accepted, load.failed_due))
    last = float(due.max()) if len(due) else 0.0
    for begin in np.arange(0.0, max(last - 1.0, 0.0), 0.1):
        inside = (due >= begin) & (due < begin + 1)
        calm = inside.any() and not ((failed >= begin) & (failed < begin + 1)).any()
        if calm and np.quantile(took[inside], 0.99) * 1000 <= calm_ms:
            return float(begin)
    return math.inf


def _quantile(seconds: Sequence[float], share: float) -> float:
    return float(np.quantile(np.asarray(seconds), share)) * 1000 if len(seconds) else 0.0


def _run(options: argparse.Namespace, requests: Sequence[bytes]) -> Seen:
    load = _Load(requests, options.rate, options.seed)
    took = load.run(options.port, options.connections, options.seconds)
    return Seen(
        took,
        load.sent,
        len(load.accepted),
        len(load.refused),
        len(load.other),
        _quantile(load.accepted, 0.5),
        _quantile(load.accepted, 0.99),
        _quantile(load.refused, 0.5),
        _quantile(load.refused, 0.99),
        _quantile(load.late, 0.99),
        load.longest_pause * 1000,
        recovery(load, options.calm_ms) if options.calm_ms else 0.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests per second; 0: as many as are answered")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=512)
    parser.add_argument("--calm-ms", type=float, default=0.0, help="also tell when answers came within this time again")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    requests = Call(PATH, "POST", [line.rstrip("\n") for line in sys.stdin]).encode()
    print(json.dumps(_run(options, requests)._asdict()))


if __name__ == "__main__":
    main()
