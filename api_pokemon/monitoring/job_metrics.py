"""How jobs end, how long they take, and when they last were a success."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary

from api_pokemon.monitoring import catalogue

Ending: TypeAlias = Literal["succeeded", "failed", "retried", "cancelled", "interrupted", "lost"]
"""What became of a run: *failed* is for good, *retried* will be begun again; *interrupted* was given back since its
worker stopped or could not renew its lease; *lost* is what another worker has taken over meanwhile."""

ENDINGS: tuple[Ending, ...] = ("succeeded", "failed", "retried", "cancelled", "interrupted", "lost")


class JobMetrics:
    """Counts the runs of this worker's jobs, and shows when each kind last succeeded on any worker.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    kinds
        Names of the kinds, shown at 0 before their first run. A kind that never succeeded has no time of that.
    """

    def __init__(self, registry: CollectorRegistry, kinds: Iterable[str]) -> None:
        runs, duration, success = catalogue.JOB_RUNS, catalogue.JOB_DURATION, catalogue.JOB_LAST_SUCCESS
        self._runs = Counter(runs.name, runs.help, runs.labels, registry=registry)
        self._duration = Summary(duration.name, duration.help, duration.labels, registry=registry)
        self._last_success = Gauge(success.name, success.help, success.labels, registry=registry)
        for kind in kinds:
            self._duration.labels(kind)
            for ending in ENDINGS:
                self._runs.labels(kind, ending)

    def count(self, kind: str, ending: Ending, duration_seconds: float) -> None:
        """Count one run; its time counts where it succeeded."""
        self._runs.labels(kind, ending).inc()
        if ending == "succeeded":
            self._duration.labels(kind).observe(duration_seconds)

    def show_last_successes(self, finished_seconds: Mapping[str, float]) -> None:
        """Show by kind the Unix time at which a job of it last succeeded."""
        for kind, seconds in finished_seconds.items():
            self._last_success.labels(kind).set(seconds)
