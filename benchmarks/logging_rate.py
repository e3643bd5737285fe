"""How fast a worker logs: events per second and core, from the outbox to SQLite and from Redis to PostgreSQL.

    python -m benchmarks.logging_rate                         # both
    python -m benchmarks.logging_rate --only outbox-sqlite    # or one of them

Events of the service's own size wait in the outbox, or in a real Redis; then a worker's loop begins, with the profiles
that it keeps, in a process of its own on one core, and ends with the last of them; servers and what starts them are on
another core. What counts is the worker's CPU time; wall time and the servers' CPU time stand beside it. Ends with
status 1 where a bound is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Connection

from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.monitored_rows import LOOKED_UP
from api_pokemon.monitoring import OutboxFolder, OutboxStream, Stream, encode
from api_pokemon.monitoring.consumer import Consumer
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.forwarder import Forwarder
from api_pokemon.monitoring.outbox_sender import SendLimits
from api_pokemon.monitoring.prediction_log import PredictionLog, Written
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.redis_stream import RedisStream
from benchmarks.events import duel_predictions, renewed
from benchmarks.load import pinned
from tests.servers import PostgresServer, RedisServer, Server, postgres_folder, wait_until

BOUND = 5_000.0
"""Events for each second of CPU time that the worker takes."""

_AT_ONCE = 500


class Logged(NamedTuple):
    """What a worker took for its events."""

    events: int
    cpu_seconds: float
    wall_seconds: float


def fill(folder: OutboxFolder, count: int) -> Path:
    """Append so many predictions, as the service makes them, to an outbox, and return its path."""
    with folder.claim() as claim:
        outbox = folder.open(claim.path)
        events = renewed(duel_predictions(), count)
        while batch := [(event.prediction_id, encode(event)) for event in islice(events, _AT_ONCE)]:
            outbox.append(batch)
        outbox.close()
    return claim.path


def forward(folder: OutboxFolder, path: Path, url: str, count: int) -> None:
    """Let all of it be in Redis."""
    forwarder = Forwarder(folder, path, url, limits=SendLimits(window=count), most_in_stream=count)
    forwarder.start()
    wait_until(lambda: forwarder.status().entries == count, "all is sent")
    forwarder.stop()


def log_all(stream: Stream, log_url: str, count: int) -> Logged:
    """Be the worker's loop until so many predictions are logged."""
    log = PredictionLog(connect(log_url), looked_up=LOOKED_UP)
    log.migrate()
    logged = 0
    profiles = ProfileWriter(partial(find_baseline, Path()))

    def count_logged(connection: Connection, written: Written) -> None:
        nonlocal logged
        profiles(connection, written)
        logged += len(written.predictions)
        if logged >= count:
            consumer.stop()

    consumer = Consumer(stream, log, also=count_logged)
    began, cpu_began = perf_counter(), process_time()
    consumer.run()
    took = Logged(logged, process_time() - cpu_began, perf_counter() - began)
    stream.close()
    return took


def in_a_process(source: str, log_url: str, count: int, core: int) -> Logged:
    """Start :func:`log_all` on a core of its own."""
    command = [sys.executable, "-m", "benchmarks.logging_rate", "--log", source, log_url, "--events", str(count)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, preexec_fn=pinned(core)).stdout
    return Logged(*json.loads(output))


def outbox_to_sqlite(count: int, core: int) -> float:
    """Log what is in an outbox to SQLite, without a server; returns events per second and core."""
    with tempfile.TemporaryDirectory(prefix="logging-") as folder:
        fill(OutboxFolder(Path(folder)), count)
        logged = in_a_process(folder, f"sqlite:///{folder}/log.sqlite", count, core)
    return report("outbox to SQLite", logged)


def redis_to_postgres(count: int, core: int) -> float:
    """Log what is in Redis to PostgreSQL; returns events per second and core."""
    with (
        tempfile.TemporaryDirectory(prefix="logging-") as folder,
        postgres_folder() as data,
        RedisServer(Path(folder)) as redis,
        PostgresServer(data) as postgres,
    ):
        outboxes = OutboxFolder(Path(folder, "outbox"))
        forward(outboxes, fill(outboxes, count), redis.url, count)
        before = cpu_seconds(redis), cpu_seconds(postgres)
        logged = in_a_process(redis.url, postgres.url, count, core)
        servers = {"Redis": cpu_seconds(redis) - before[0], "PostgreSQL": cpu_seconds(postgres) - before[1]}
    return report("Redis to PostgreSQL", logged, servers)


def cpu_seconds(server: Server) -> float:
    """CPU time of a server and of all its processes, those that ended too."""
    own, *children = [process.cpu_times() for process in server._processes()]
    living = sum(times.user + times.system for times in (own, *children))
    return float(living + own.children_user + own.children_system)


def report(name: str, logged: Logged, servers: Mapping[str, float] = MappingProxyType({})) -> float:
    """Print the figures of one way, and return events for each second of CPU time."""
    rate = logged.events / logged.cpu_seconds
    print(f"{name}: {rate:,.0f} events/s and core (bound {BOUND:,.0f}),", end=" ")
    print(f"{logged.cpu_seconds / logged.events * 1e6:.0f} us of CPU time each;", end=" ")
    print(f"{logged.events / logged.wall_seconds:,.0f} events/s by the clock", end="")
    for server, seconds in servers.items():
        print(f"; {server} {seconds / logged.events * 1e6:.0f} us each", end="")
    print(flush=True)
    return rate


_WAYS = {"outbox-sqlite": outbox_to_sqlite, "redis-postgres": redis_to_postgres}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--only", choices=_WAYS, help="measure one way")
    parser.add_argument("--worker-core", type=int, default=0)
    parser.add_argument("--server-core", type=int, default=1)
    parser.add_argument("--log", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.log:
        source, log_url = options.log
        stream = RedisStream(source) if source.startswith("redis:") else OutboxStream(OutboxFolder(Path(source)))
        print(json.dumps(log_all(stream, log_url, options.events)))
        return 0
    os.sched_setaffinity(0, {options.server_core})
    rates = [_WAYS[way](options.events, options.worker_core) for way in ([options.only] if options.only else _WAYS)]
    return 0 if min(rates) >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
