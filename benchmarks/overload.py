"""The service at twice its capacity: what it accepts and how fast, how fast it refuses, memory, and how it recovers.

    python -m benchmarks.overload                 # ten minutes of overload
    python -m benchmarks.overload --seconds 60

One process of the service on one core, the load from another process on another core, in four stretches: capacity (32
connections that are always busy), unloaded (a quarter of that), overload (twice), and unloaded again, which tells how
long recovery takes. Requests are due at random times, and their clocks run from then on. Four moves against an unknown
moveset. Where others use the machine, let it run with priority (``nice -n -10``), and take only ratios for true.

Let the service have compiled its tablebase before. Ends with status 1 where a bound is missed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil

from api_pokemon.dex import load_dex
from benchmarks.figure import Figure, print_all
from benchmarks.load import HOST, pinned
from benchmarks.open_load import Seen
from benchmarks.recording import data_folder
from benchmarks.service_time import bodies
from tests.servers import free_port, wait_until

UNLOADED = 0.25
"""Of the capacity: so little that hardly any request meets another one."""

OVERLOAD = 2.0
_MIB = 1 << 20


@contextmanager
def served(core: int, outbox_max_bytes: int) -> Iterator[tuple[int, psutil.Process]]:
    """One process that answers, as `api-pokemon serve` is started where something else supervises."""
    port = free_port()
    with data_folder() as environment:
        settings = {"API_POKEMON_PORT": str(port), "API_POKEMON_OUTBOX_MAX_BYTES": str(outbox_max_bytes)}
        process = subprocess.Popen(
            [sys.executable, "-m", "api_pokemon", "serve"],
            env={**os.environ, **environment, **settings},
            stderr=subprocess.DEVNULL,
            preexec_fn=pinned(core),
        )
        try:
            watched = psutil.Process(process.pid)
            wait_until(
                lambda: any(c.status == psutil.CONN_LISTEN for c in watched.net_connections("tcp")), "it listens"
            )
            yield port, watched
        finally:
            process.terminate()
            process.wait()


class Client:
    """Loads the service from a core of its own."""

    def __init__(self, port: int, service: psutil.Process, core: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._service = service
        self._core = core
        self._requests = b"\n".join(requests)

    def show(self, name: str, rate: float, seconds: float, **options: float) -> Seen:
        """Load the service, print what was seen, and the share of its core that the service had."""
        before = sum(self._service.cpu_times()[:2])
        seen = self.load(rate, seconds, **options)
        core = (sum(self._service.cpu_times()[:2]) - before) / seen.seconds
        print(
            f"{name:<10} {seen.sent / seen.seconds:8,.0f} {seen.accepted / seen.seconds:8,.0f}"
            f" {seen.accepted_p50_ms:8.2f} {seen.accepted_p99_ms:8.2f} {seen.refused / seen.seconds:8,.0f}"
            f" {seen.refused_p50_ms:8.2f} {seen.refused_p99_ms:8.2f} {seen.late_p99_ms:8.2f}"
            f" {seen.longest_pause_ms:8.0f} {seen.other:8,} {core:8.0%}",
            flush=True,
        )
        return seen

    def load(self, rate: float, seconds: float, *, connections: float = 512, calm_ms: float = 0.0) -> Seen:
        command = [sys.executable, "-m", "benchmarks.open_load", "--port", str(self._port), "--rate", str(rate)]
        command += ["--seconds", str(seconds), "--connections", str(int(connections)), "--calm-ms", str(calm_ms)]
        done = subprocess.run(
            command, input=self._requests, stdout=subprocess.PIPE, check=True, preexec_fn=pinned(self._core)
        )
        return Seen(**json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of overload")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    options = parser.parse_args()
    requests = bodies(load_dex(), 1000)
    with served(options.server_core, 1 << 36) as (port, service):
        client = Client(port, service, options.client_core, requests)
        client.load(0, 3, connections=32)
        print(f"load average {os.getloadavg()[0]:.1f} on {psutil.cpu_count()} CPUs, {HOST}:{port}")
        columns = (
            "sent/s",
            "answ/s",
            "p50 ms",
            "p99 ms",
            "503/s",
            "p50 ms",
            "p99 ms",
            "late p99",
            "pause ms",
            "other",
            "core",
        )
        print(f"{'':<10} " + " ".join(f"{column:>8}" for column in columns))
        capacity = client.show("capacity", 0, min(options.seconds, 10), connections=32)
        rate = capacity.accepted / capacity.seconds
        unloaded = client.show("unloaded", rate * UNLOADED, min(options.seconds, 30))
        before_mib = service.memory_info().rss / _MIB
        overload = client.show("overload", rate * OVERLOAD, options.seconds)
        after_mib = service.memory_info().rss / _MIB
        after = client.show("after", rate * UNLOADED, 10, calm_ms=2 * unloaded.accepted_p99_ms)
        print(f"memory {before_mib:.1f} MiB before the overload, {after_mib:.1f} MiB after it")
        print(f"answered meanwhile: {overload.accepted / overload.seconds / rate:.0%} of the capacity\n")
    kept = print_all(
        (
            Figure(
                "p99 of accepted requests, overload / unloaded", overload.accepted_p99_ms / unloaded.accepted_p99_ms, 2
            ),
            Figure("p99 of refused requests", overload.refused_p99_ms, 50, "ms"),
            Figure("growth of memory", after_mib / before_mib - 1, 0.05),
            Figure("recovery", after.recovery_seconds, 5, "s"),
            Figure("answers that were neither 2xx nor `overloaded`", overload.other, 0),
            Figure(
                "overload: sent, short of twice the capacity", 1 - overload.sent / overload.seconds / rate / 2, 0.02
            ),
        )
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
