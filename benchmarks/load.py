"""HTTP load from a process of its own, and two servers compared under it.

The client speaks just enough HTTP/1.1 over raw sockets to keep a server busy: keep-alive, one request at a time on each
connection, answers with a Content-Length. It costs less than the server does, so that the server is what is measured.

    python -m benchmarks.load --port 8000 --path /health/live --seconds 5

A comparison also takes the CPU time that each server spent per request: on a machine that does other things meanwhile,
it stays steady where requests per second do not.

Other benchmarks use :func:`serving`, :func:`measure`, :func:`alternate` and :func:`pinned`.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import NamedTuple, cast

import psutil
import uvloop

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Call:
    """The request that is sent again and again."""

    path: str
    method: str = "GET"
    body: str = ""

    def encode(self) -> bytes:
        body = self.body.encode()
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {HOST}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


class Measurement(NamedTuple):
    """What one round of load saw. ``failed`` counts the answers that were not 2xx.

    ``cpu_seconds`` is what the server spent, where :func:`alternate` could see it.
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
    """Sends the request, waits for the whole answer, sends it again."""

    def __init__(self, request: bytes, latencies: list[float], failures: list[bytes]) -> None:
        self._request = request
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
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._latencies.append(perf_counter() - self._sent_at)
        if not head.startswith(b"HTTP/1.1 2"):
            self._failures.append(head)
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
        self._transport.write(self._request)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise ValueError("The load client only reads answers with a Content-Length.")


async def _load(port: int, call: Call, connections: int, seconds: float) -> Measurement:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failures: list[bytes] = []
    connect = partial(_Connection, call.encode(), latencies, failures)
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
    command = [sys.executable, "-m", "benchmarks.load", "--port", str(port), "--json"]
    command += ["--path", call.path, "--method", call.method, "--body", call.body]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, preexec_fn=pinned(core)).stdout
    return Measurement(**json.loads(output))


class Server(NamedTuple):
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def serving(factory: str, *, core: int | None = None, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve the application that ``module:function`` makes, in a process of its own.

    The socket listens before the server is up: the first request waits instead of being refused.
    """
    with socket.create_server((HOST, 0), backlog=1024) as listener:
        # Uvicorn takes an inherited socket for a Unix one and leaves Nagle's algorithm on: 40 ms for every answer.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = int(listener.getsockname()[1])
        command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--fd", str(listener.fileno())]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        server = subprocess.Popen(
            command,
            pass_fds=[listener.fileno()],
            env={**os.environ, **(environment or {})},
            preexec_fn=pinned(core),
        )
    try:
        yield Server(port, psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait()


def pinned(core: int | None) -> partial[None] | None:
    """What a child process does first, so that it runs on that core alone."""
    return None if core is None else partial(os.sched_setaffinity, 0, {core})


@dataclass(frozen=True)
class Variant:
    """One of the servers to compare: a name, a factory, and what its environment must say."""

    name: str
    factory: str
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Comparison:
    """Rounds of the baseline and of the variant, taken in turns."""

    baseline: Sequence[Measurement]
    variant: Sequence[Measurement]

    @property
    def ratio(self) -> float:
        """Requests per second of the variant over those of the baseline: the median over the rounds."""
        return statistics.median(variant.per_second / baseline.per_second for baseline, variant in self.pairs)

    @property
    def cpu_ratio(self) -> float:
        """The same ratio by CPU time: that of the baseline's requests over that of the variant's."""
        return statistics.median(baseline.cpu_us / variant.cpu_us for baseline, variant in self.pairs)

    @property
    def pairs(self) -> Sequence[tuple[Measurement, Measurement]]:
        return list(zip(self.baseline, self.variant, strict=True))


def alternate(
    baseline: Variant,
    variant: Variant,
    call: Call,
    *,
    rounds: int = 10,
    seconds: float = 2.0,
    connections: int = 32,
    server_core: int | None = None,
    client_core: int | None = None,
) -> Comparison:
    """Load two servers in turns, so that whatever else the machine does falls on both.

    Both servers run all the time on the same core; the one that is not asked sleeps. Each begins every other round.
    """
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving(side.factory, core=server_core, environment=side.environment))
            for side in (baseline, variant)
        ]

        def load(server: Server, seconds: float) -> Measurement:
            before = server.cpu_seconds()
            seen = measure(server.port, call, connections=connections, seconds=seconds, core=client_core)
            return seen._replace(cpu_seconds=server.cpu_seconds() - before)

        for server in servers:
            load(server, seconds=min(seconds, 1.0))
        results: dict[int, list[Measurement]] = {server.port: [] for server in servers}
        for turn in range(rounds):
            for server in servers if turn % 2 == 0 else reversed(servers):
                results[server.port].append(load(server, seconds))
    return Comparison(*results.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep one HTTP server busy and print what it answered.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--body", default="")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    call = Call(options.path, options.method, options.body)
    result = uvloop.run(_load(options.port, call, options.connections, options.seconds))
    if options.json:
        print(json.dumps(result._asdict()))
    else:
        print(f"{result.per_second:,.0f} requests/s, {result.failed} of {result.requests:,} not 2xx,", end=" ")
        print(f"median {result.median_ms:.2f} ms, p99 {result.p99_ms:.2f} ms")


if __name__ == "__main__":
    main()
