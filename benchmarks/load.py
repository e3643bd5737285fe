"""HTTP load from a process of its own.

The client speaks just enough HTTP/1.1 over raw sockets to keep a server busy: keep-alive, one request at a time on each
connection, answers with a Content-Length. It costs less than the server does, so that the server is what is measured.

    python -m benchmarks.load --port 8000 --path /health/live --seconds 5

Other benchmarks use :func:`measure`; :mod:`benchmarks.alternation` compares servers.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import NamedTuple, cast

import uvloop

HOST = "127.0.0.1"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """The request that is sent again and again, with these bodies in turn where there are some."""

    path: str
    method: str = "GET"
    bodies: Sequence[str] = ()

    def encode(self) -> Sequence[bytes]:
        return [self._encode(body.encode()) for body in self.bodies or ("",)]

    def _encode(self, body: bytes) -> bytes:
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {HOST}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


class Measurement(NamedTuple):
    """What one round of load saw. ``failed`` counts the answers that were not 2xx.

    ``cpu_seconds`` is what the server spent, where :mod:`benchmarks.alternation` could see it.
    """

    requests: int
    failed: int
    seconds: float
    median_ms: float
    p99_ms: float
    cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of the server per request, in microseconds."""
        return self.cpu_seconds / self.requests * 1e6


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next one."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], failures: list[bytes]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._failures = failures
        self._received = b""
        self._sent_at = 0.0
        self._stopping = False
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0 or len(received) < end + 4 + _content_length(received, end):
            return
        self._latencies.append(perf_counter() - self._sent_at)
        if not received.startswith(b"HTTP/1.1 2"):
            self._failures.append(received)
        self._received = b""
        if self._stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(exc or (None if self._stopping else ConnectionError("The server hung up.")))

    def stop(self) -> None:
        """Let the answer under way come in, and close then."""
        self._stopping = True

    def _send(self) -> None:
        self._sent_at = perf_counter()
        self._transport.write(next(self._requests))


def _content_length(received: bytes, end: int) -> int:
    length = _LENGTH.search(received, 0, end)
    if length is None:
        raise ValueError("The load client only reads answers with a Content-Length.")
    return int(length[1])


async def _load(port: int, call: Call, connections: int, seconds: float) -> Measurement:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failures: list[bytes] = []
    connect = partial(_Connection, cycle(call.encode()), latencies, failures)
    began = perf_counter()
    clients = [(await loop.create_connection(connect, HOST, port))[1] for _ in range(connections)]
    await asyncio.wait([client.closed for client in clients], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for client in clients:
        client.stop()
    for outcome in await asyncio.gather(*(client.closed for client in clients)):
        if outcome is not None:
            raise outcome
    elapsed = perf_counter() - began
    latencies.sort()
    median, p99 = (1000 * latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return Measurement(len(latencies), len(failures), elapsed, median, p99)


def measure(
    port: int, call: Call, *, connections: int = 32, seconds: float = 2.0, core: int | None = None
) -> Measurement:
    """Load the server on ``port`` from a new process, pinned to ``core`` if one is given."""
    command = [sys.executable, "-m", "benchmarks.load", "--port", str(port), "--json", "--bodies-follow"]
    command += ["--path", call.path, "--method", call.method]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    bodies = json.dumps(call.bodies).encode()
    done = subprocess.run(command, check=True, input=bodies, stdout=subprocess.PIPE, preexec_fn=pinned(core))
    return Measurement(**json.loads(done.stdout))


def pinned(core: int | None) -> partial[None] | None:
    """What a child process does first, so that it runs on that core alone."""
    return None if core is None else partial(os.sched_setaffinity, 0, {core})


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep one HTTP server busy and print what it answered.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--body", default="")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--bodies-follow", action="store_true", help="read a JSON array of bodies from standard input")
    options = parser.parse_args()
    bodies = json.load(sys.stdin) if options.bodies_follow else [options.body]
    call = Call(options.path, options.method, bodies)
    result = uvloop.run(_load(options.port, call, options.connections, options.seconds))
    if options.json:
        print(json.dumps(result._asdict()))
    else:
        print(f"{result.per_second:,.0f} requests/s, {result.failed} of {result.requests:,} not 2xx,", end=" ")
        print(f"median {result.median_ms:.2f} ms, p99 {result.p99_ms:.2f} ms")


if __name__ == "__main__":
    main()
