"""Servers compared under load, in turns: whatever else the machine does falls on all of them.

A comparison also takes the CPU time that each server spent per request: on a machine that does other things meanwhile,
it stays steady where requests per second do not.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks.load import Call, Measurement, measure
from benchmarks.serving import Server, serving

_WARM_SECONDS = 1.0


@dataclass(frozen=True)
class Cores:
    """Where the servers run, and the load; None for anywhere."""

    server: int | None = None
    client: int | None = None


@dataclass(frozen=True)
class Variant:
    """One of the servers to compare: a name, and what starts it on a core."""

    name: str
    start: Callable[[int | None], AbstractContextManager[Server]]


def uvicorn(name: str, factory: str, environment: Mapping[str, str] | None = None) -> Variant:
    """An application that ``module:function`` makes, in an environment that says so much more."""
    return Variant(name, lambda core: serving(factory, core=core, environment=environment))


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


def load(server: Server, call: Call, *, connections: int, seconds: float, core: int | None) -> Measurement:
    """One round, with the CPU time that the server spent."""
    before = server.cpu_seconds()
    seen = measure(server.port, call, connections=connections, seconds=seconds, core=core)
    return seen._replace(cpu_seconds=server.cpu_seconds() - before)


def taken_in_turns(
    tasks: Sequence[tuple[Variant, Call]],
    *,
    rounds: int = 10,
    seconds: float = 2.0,
    connections: int = 32,
    cores: Cores = Cores(),
) -> Iterator[Sequence[Measurement]]:
    """Load servers in turns, one round after the other, each with a measurement of every task.

    All servers run all the time on the same core; those that are not asked sleep. Every other round goes backwards.
    A variant that has several tasks is started once.
    """
    with ExitStack() as stack:
        servers = {}
        for variant in dict.fromkeys(variant for variant, _ in tasks):
            servers[variant] = stack.enter_context(variant.start(cores.server))
        act = partial(load, connections=connections, core=cores.client)
        for variant, call in tasks:
            act(servers[variant], call, seconds=min(seconds, _WARM_SECONDS))
        for turn in range(rounds):
            order = range(len(tasks)) if turn % 2 == 0 else range(len(tasks) - 1, -1, -1)
            seen = {task: act(servers[tasks[task][0]], tasks[task][1], seconds=seconds) for task in order}
            yield [seen[task] for task in range(len(tasks))]


def alternate(
    baseline: Variant,
    variant: Variant,
    call: Call,
    *,
    rounds: int = 10,
    seconds: float = 2.0,
    connections: int = 32,
    cores: Cores = Cores(),
) -> Comparison:
    """Load two servers in turns with the same requests."""
    tasks = ((baseline, call), (variant, call))
    seen = taken_in_turns(tasks, rounds=rounds, seconds=seconds, connections=connections, cores=cores)
    return Comparison(*zip(*seen, strict=True))
