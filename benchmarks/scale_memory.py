"""Memory of a whole service under load, on the way to many predictions; a part of :mod:`benchmarks.scale`."""

import compileall
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from time import sleep
from typing import NamedTuple

import psutil

import api_pokemon
from api_pokemon.dex import load_dex
from api_pokemon.monitoring import OutboxFolder
from api_pokemon.progress import Report
from api_pokemon.routes.schemas import MOST_DUELS
from benchmarks.figure import Figure, print_all
from benchmarks.load import Call, measure
from benchmarks.memory import is_flat
from benchmarks.recording import data_folder, working
from benchmarks.service_time import bodies, both_engines
from benchmarks.serving import running
from tests.servers import free_port

MOST_API_BYTES = 150 << 20

_DUELS = 512
_MOST_PENDING = 100_000


class Cores(NamedTuple):
    """On which the API runs, and on which the worker and the load do."""

    server: int
    client: int


class Service(NamedTuple):
    """An API and its worker, in processes of their own."""

    processes: Mapping[str, psutil.Process]
    outboxes: OutboxFolder
    asks: Sequence[Callable[[], int]]
    """Ways to ask for a while; each returns how many predictions were answered."""

    def wait_for_log(self, most_pending: int = 0) -> None:
        while sum(state.pending for state in self.outboxes.states()) > most_pending:
            sleep(0.1)


@contextmanager
def serving(data_dir: Path | None, cores: Cores) -> Iterator[Service]:
    """An API with a compiled tablebase, and a worker."""
    # As every installation has it: in a process that compiles what it imports, what this leaves behind would count.
    compileall.compile_dir(Path(api_pokemon.__file__).parent, quiet=1)
    port, dex = free_port(), load_dex()
    with both_engines(dex, data_dir) as engines, data_folder(engines.tablebase_dir) as folder:
        environment = {**folder, "API_POKEMON_PORT": str(port), "API_POKEMON_LOG_LEVEL": "warning"}
        command = (sys.executable, "-m", "api_pokemon", "serve")
        with (
            working(environment, cores.client) as worker,
            running(command, port, core=cores.server, environment=environment) as api,
        ):
            yield Service(
                {"API": api.process, "worker": worker},
                OutboxFolder(Path(folder["API_POKEMON_DATA_DIR"], "outbox")),
                _asks(port, [body.decode() for body in bodies(dex, _DUELS)], cores.client),
            )


def _asks(port: int, duels: Sequence[str], core: int) -> Sequence[Callable[[], int]]:
    """Singly, on 32 connections for 2 s; in batches, on four, for 10 s."""
    batches = [f'{{"duels":[{",".join(duels[at : at + MOST_DUELS])}]}}' for at in range(0, len(duels), MOST_DUELS)]
    singly, in_batches = Call("/predict/best-move", "POST", duels), Call("/predict/best-move/batch", "POST", batches)

    def ask(call: Call, each: int, connections: int, seconds: float) -> int:
        round_ = measure(port, call, connections=connections, seconds=seconds, core=core)
        return each * (round_.requests - round_.failed)

    return partial(ask, singly, 1, 32, 2.0), partial(ask, in_batches, MOST_DUELS, 4, 10.0)


def marks(first: int, last: int) -> Sequence[int]:
    """Where memory is looked at: from the first to the last, each about twice the one before."""
    found = [first]
    while found[-1] * 2 < last:
        found.append(found[-1] * 2)
    return [*found, last] if last > first else found


def own_bytes(process: psutil.Process) -> int:
    """What the process has for itself alone."""
    return int(process.memory_full_info().uss)


def watch_memory(service: Service, marks: Sequence[int], report: Report) -> bool:
    """Ask until each mark, let the worker log it all, and look; returns whether all bounds are kept."""
    answered, seen, asks = 0, {name: list[int]() for name in service.processes}, cycle(service.asks)
    for mark in marks:
        while answered < mark:
            answered += next(asks)()
            report(answered, marks[-1])
            service.wait_for_log(_MOST_PENDING)
        service.wait_for_log()
        for name, process in service.processes.items():
            seen[name].append(own_bytes(process))
            print(f"  {answered:,} predictions: {name} {seen[name][-1] / 2**20:.1f} MiB", flush=True)
    flat = [is_flat(name, sizes, marks) for name, sizes in seen.items()]
    largest = Figure("memory of the API", max(seen["API"]) / 2**20, MOST_API_BYTES / 2**20, "MiB")
    return print_all([largest]) and all(flat)
