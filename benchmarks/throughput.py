"""Requests per second of the service with everything on, beside those of a bare endpoint.

    python -m benchmarks.throughput
    python -m benchmarks.throughput --rounds 1 --seconds 0.5    # a look

*Bare* is the idiomatic FastAPI endpoint with the same models and a constant for an answer (`bare_idiomatic.py`), and
the same as the fastest raw route (`bare_raw.py`). The service is a process of `api-pokemon serve`: validation, metrics
with exemplars, the outbox awaited, admission and the rate limit, while a worker logs. All servers run on one core and
are loaded in turns, 32 connections at a time, from the other one, where the workers, Redis and PostgreSQL are too. The
workers give way to the load, which one core could not carry beside them, and catch up while others are loaded. A figure
is the median over the rounds. Four moves against four named replies, and against an unknown moveset.

Then one caller with 256 duels, on one connection: asked one by one, and as one batch. Ends with status 1 where a
bound is missed.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from api_pokemon.dex import load_dex
from api_pokemon.routes.schemas import MOST_DUELS
from benchmarks.alternation import Comparison, Cores, Variant, taken_in_turns, uvicorn
from benchmarks.load import Call, Measurement
from benchmarks.recording import data_folder, working
from benchmarks.service_time import Engines, bodies, both_engines
from benchmarks.serving import Server, running
from tests.servers import PostgresServer, RedisServer, free_port, postgres_folder

EMBEDDED, STACK, LIVE = "service, embedded", "service, with Redis", "service, live ONNX"
BOUNDS = {EMBEDDED: 0.90, STACK: 0.80}
"""Least share of idiomatic bare's requests per second."""

LEAST_OF_A_BATCH = 20.0
"""Predictions per second of one caller's batches, over those of its single calls."""

_MUCH = {"API_POKEMON_RATE_LIMIT": "100000000/minute"}
"""A limit to the rate that is counted, and never reached."""

_DUELS = 500
_PATH = "/predict/best-move"


@contextmanager
def service(data_dir: Path, settings: Mapping[str, str], worker_core: int | None, core: int | None) -> Iterator[Server]:
    """A process that answers, with its worker beside it."""
    port = free_port()
    with data_folder(data_dir) as folder:
        environment = {**folder, **_MUCH, **settings, "API_POKEMON_PORT": str(port), "API_POKEMON_LOG_LEVEL": "warning"}
        command = (sys.executable, "-m", "api_pokemon", "serve")
        with (
            working(environment, worker_core, gives_way=True),
            running(command, port, core=core, environment=environment) as server,
        ):
            yield server


@contextmanager
def stack() -> Iterator[Mapping[str, str]]:
    """The settings that put Redis and PostgreSQL to use, new and empty ones."""
    with (
        TemporaryDirectory(prefix="throughput-") as folder,
        postgres_folder() as data,
        RedisServer(Path(folder)) as redis,
        PostgresServer(data) as postgres,
    ):
        yield {"API_POKEMON_STREAM_URL": redis.url, "API_POKEMON_LOG_URL": postgres.url}


def variants(engines: Engines, stack_settings: Mapping[str, str], client_core: int) -> Sequence[Variant]:
    """Idiomatic bare first, by which the others are measured."""
    return (
        uvicorn("bare, idiomatic", "benchmarks.bare_idiomatic:create_app"),
        uvicorn("bare, raw route", "benchmarks.bare_raw:create_app"),
        Variant(EMBEDDED, partial(service, engines.tablebase_dir, {}, client_core)),
        Variant(STACK, partial(service, engines.tablebase_dir, stack_settings, client_core)),
        Variant(LIVE, partial(service, engines.onnx_dir, {}, client_core)),
    )


def calls() -> Mapping[str, Call]:
    """What is asked, by what the table calls it."""
    dex = load_dex()
    asked = {
        "four moves against four named replies": bodies(dex, _DUELS, replies=True),
        "four moves against an unknown moveset": bodies(dex, _DUELS),
    }
    return {name: Call(_PATH, "POST", [body.decode() for body in found]) for name, found in asked.items()}


def batch_call(single: Call) -> Call:
    """The first duels of single calls, as one body."""
    return Call(f"{_PATH}/batch", "POST", [f'{{"duels":[{",".join(single.bodies[:MOST_DUELS])}]}}'])


class Row(NamedTuple):
    """The rounds of one server, beside those of idiomatic bare."""

    name: str
    comparison: Comparison

    def print(self) -> bool:
        """Print it; returns whether it keeps its bound, if it has one."""
        rounds = self.comparison.variant
        median, p99, cpu = (statistics.median(column) for column in zip(*map(_times, rounds), strict=True))
        ratio, bound = self.comparison.ratio, BOUNDS.get(self.name)
        print(f"{self.name:<22} {statistics.median(each.per_second for each in rounds):8,.0f} {ratio:7.3f}", end=" ")
        print(f"{self.comparison.cpu_ratio:9.3f} {median:8.2f} {p99:8.2f} {cpu:8.1f}", end="")
        print(f"   (at least {bound:.2f})" if bound else "")
        return ratio >= bound if bound else True


def _times(round_: Measurement) -> tuple[float, float, float]:
    return round_.median_ms, round_.p99_ms, round_.cpu_us


def print_table(title: str, names: Sequence[str], rounds: Sequence[Sequence[Measurement]]) -> bool:
    columns = list(zip(*rounds, strict=True))
    heads = ("req/s", "ratio", "CPU ratio", "p50 ms", "p99 ms", "CPU us")
    print(f"\n{title:<38}\n{'':<22} " + "{:>8} {:>7} {:>9} {:>8} {:>8} {:>8}".format(*heads))
    kept = [Row(name, Comparison(columns[0], column)).print() for name, column in zip(names, columns, strict=True)]
    return all(kept) and not _failures(rounds)


def _failures(rounds: Sequence[Sequence[Measurement]]) -> int:
    failed = sum(each.failed for round_ in rounds for each in round_)
    if failed:
        print(f"{failed:,} answers were not 2xx")
    return failed


def compare_all(servers: Sequence[Variant], asked: Mapping[str, Call], options: argparse.Namespace) -> bool:
    """Everyone with everything, 32 connections at a time."""
    tasks = [(server, call) for call in asked.values() for server in servers]
    cores = Cores(options.server_core, options.client_core)
    seen = list(taken_in_turns(tasks, rounds=options.rounds, seconds=options.seconds, cores=cores))
    names = [server.name for server in servers]
    kept = [
        print_table(title, names, [round_[start : start + len(servers)] for round_ in seen])
        for title, start in zip(asked, range(0, len(tasks), len(servers)), strict=True)
    ]
    return all(kept)


def compare_batch(server: Variant, single: Call, options: argparse.Namespace) -> bool:
    """One caller, who waits for each answer before the next question."""
    tasks = ((server, single), (server, batch_call(single)))
    cores = Cores(options.server_core, options.client_core)
    seen = list(taken_in_turns(tasks, rounds=options.rounds, seconds=options.seconds, connections=1, cores=cores))
    single_rate, batch_rate = (
        statistics.median(each.per_second for each in column) for column in zip(*seen, strict=True)
    )
    cpu = statistics.median(single.cpu_us / batch.cpu_us * MOST_DUELS for single, batch in seen)
    ratio = batch_rate * MOST_DUELS / single_rate
    print(f"\none caller, {server.name}: {single_rate:,.0f} predictions/s one by one,", end=" ")
    print(f"{batch_rate * MOST_DUELS:,.0f} in batches of {MOST_DUELS}: {ratio:.1f} times", end=" ")
    print(f"(at least {LEAST_OF_A_BATCH:g}), {cpu:.1f} times by CPU time")
    return ratio >= LEAST_OF_A_BATCH and not _failures(seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--data-dir", type=Path, help="keeps the compiled tablebase from run to run")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.client_core})
    asked = calls()
    with ExitStack() as context:
        engines = context.enter_context(both_engines(load_dex(), options.data_dir))
        servers = variants(engines, context.enter_context(stack()), options.client_core)
        load_average = os.getloadavg()[0]
        print(f"{date.today()}, {psutil.cpu_count()} CPUs, load average {load_average:.1f}, model {engines.model}")
        kept = [compare_all(servers, asked, options)]
        single = asked["four moves against an unknown moveset"]
        kept.append(compare_batch(servers[2], single, options))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
