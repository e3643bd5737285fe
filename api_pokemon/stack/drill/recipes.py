"""How each alert is caused, and which of them can be drilled at the same time."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

Process: TypeAlias = Literal["api", "worker"]


@dataclass(frozen=True, slots=True)
class FaultOn:
    """A fault of a process, caused over HTTP."""

    process: Process
    fault: str
    level: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryFilled:
    """The API's memory, filled up to what both of its alerts need."""


@dataclass(frozen=True, slots=True)
class ProcessStopped:
    """A process of this machine, stopped by SIGSTOP."""

    process: Process


@dataclass(frozen=True, slots=True)
class OutboxFilled:
    """The API's outbox, filled with predictions that nobody logs."""


@dataclass(frozen=True, slots=True)
class ThresholdLowered:
    """The threshold of an alert, moved so far that anything passes it."""

    alert: str


Cause: TypeAlias = FaultOn | MemoryFilled | ProcessStopped | OutboxFilled | ThresholdLowered


class Way(NamedTuple):
    """A way to cause an alert: what people read of it, and what is done, all at once.

    Parameters
    ----------
    delivery_only
        The condition is not reached, so only the way from the rule to the receiver is proven.
    """

    text: str
    causes: tuple[Cause, ...]
    delivery_only: bool = False


class Recipe(NamedTuple):
    """How an alert is caused.

    Parameters
    ----------
    ways
        The first that is possible is taken.
    claims
        What must be how meanwhile. Two alerts whose claims contradict each other are drilled one after the other.
    """

    alert: str
    ways: tuple[Way, ...]
    claims: Mapping[str, str]

    def can_run_beside(self, other: "Recipe") -> bool:
        """Whether both can be drilled at the same time."""
        return all(other.claims.get(what, how) == how for what, how in self.claims.items())


_NOBODY_LOGS = FaultOn("worker", "stalled-consumer")
_SLOW_SCRAPE_SECONDS = 1.25
"""Above the threshold of 1 s, and below the scrape timeout of a stack that was sped up."""


def _lowered(alert: str) -> Way:
    return Way("threshold lowered", (ThresholdLowered(alert),), delivery_only=True)


def _recipe(alert: str, *ways: Way, **claims: str) -> Recipe:
    return Recipe(alert, ways, MappingProxyType(claims))


def _faulty(alert: str, text: str, *faults: FaultOn, **claims: str) -> Recipe:
    return _recipe(alert, Way(text, faults), **claims)


RECIPES = (
    _recipe(
        "HighMemoryUsage",
        Way("memory filled to its limit", (MemoryFilled(),)),
        _lowered("HighMemoryUsage"),
        api="runs",
    ),
    _recipe(
        "LowMemoryAvailable",
        Way("memory filled to its limit", (MemoryFilled(),)),
        _lowered("LowMemoryAvailable"),
        api="runs",
    ),
    _faulty("PredictionLogLagging", "the worker logs nothing", _NOBODY_LOGS, worker="runs"),
    _recipe(
        "StreamUnreachable",
        Way("Redis takes no writes", (FaultOn("api", "paused-stream"),)),
        Way("the worker cannot reach the stream", (FaultOn("worker", "unreachable-stream"),)),
        api="runs",
        worker="runs",
    ),
    _faulty(
        "PredictionsUnaccounted",
        "the worker counts one row too few",
        FaultOn("worker", "miscounted-log"),
        worker="runs",
    ),
    _faulty(
        "DataDriftDetected",
        "the worker tells that requests drift",
        FaultOn("worker", "drifted-requests"),
        worker="runs",
    ),
    _faulty(
        "PredictionDriftDetected",
        "the worker tells that choices drift",
        FaultOn("worker", "drifted-choices"),
        worker="runs",
    ),
    _faulty(
        "DriftCheckStale",
        "the worker tells of a check long ago",
        FaultOn("worker", "stale-drift-check"),
        worker="runs",
    ),
    _faulty(
        "ScrapeSlow",
        "the worker's metrics are slow",
        FaultOn("worker", "slow-metrics", _SLOW_SCRAPE_SECONDS),
        worker="runs",
    ),
    _faulty("HighAPILatency", "slow handler", FaultOn("api", "slow-handler"), api="runs", predictions="disturbed"),
    _faulty("HighErrorRate", "failing handler", FaultOn("api", "failing-handler"), api="runs", predictions="disturbed"),
    _faulty("HighModelLatency", "slow model", FaultOn("api", "slow-model", 0.15), api="runs", predictions="disturbed"),
    _faulty("LowModelConfidence", "unsure model", FaultOn("api", "unsure-model"), api="runs", predictions="disturbed"),
    _faulty("HighCPUUsage", "all CPUs busy", FaultOn("api", "cpu-burn"), api="runs"),
    _faulty(
        "NoPredictions",
        "predictions are not counted",
        FaultOn("api", "uncounted-predictions"),
        api="runs",
        predictions="quick",
    ),
    _recipe(
        "OutboxNearlyFull",
        Way("filled with predictions that nobody logs", (_NOBODY_LOGS, OutboxFilled())),
        _lowered("OutboxNearlyFull"),
        api="runs",
        worker="runs",
        predictions="quick",
    ),
    _recipe("APIDown", Way("the API stopped (SIGSTOP)", (ProcessStopped("api"),)), api="stopped"),
    _recipe("WorkerDown", Way("the worker stopped (SIGSTOP)", (ProcessStopped("worker"),)), worker="stopped"),
)
"""In the order in which they begin: first what takes a while to begin, then what takes longest."""
