"""Shows what the latest check for drift has found, whichever worker has made it."""

import logging
from collections.abc import Iterable, Sequence
from threading import Event as Flag
from threading import Thread
from time import monotonic, time
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.drift_checking import DriftCheck
from api_pokemon.monitoring.errors import LogUnavailableError

logger = logging.getLogger(__name__)


class LatestChecks(Protocol):
    """Tells what was found last, as :class:`~api_pokemon.monitoring.drift_checking.DriftChecks` does."""

    def latest(self) -> Sequence[DriftCheck]: ...

    def something_to_check_since(self) -> float | None: ...


class DriftMetrics:
    """Reads the latest check in a thread of its own, again and again, so that all workers show the same.

    Before the first check it shows since when there has been something to check, from its own start on. Where the
    database has been away for a minute, only how long ago the last check was: another worker may know by now that what
    it found is over.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    checks
        What was found.
    interval_seconds
        Between two checks, as they should be.
    pause_seconds
        Between two readings.
    forget_seconds
        What was read is shown for that long.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        checks: LatestChecks,
        interval_seconds: float,
        pause_seconds: float = 5.0,
        forget_seconds: float = 60.0,
    ) -> None:
        self._checks = checks
        self._interval_seconds = interval_seconds
        self._pause_seconds = pause_seconds
        self._forget_seconds = forget_seconds
        self._latest: Sequence[DriftCheck] = ()
        self._started_seconds = time()
        self._unchecked_since: float | None = None
        self._read_seconds = monotonic()
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="drift metrics", daemon=True)
        registry.register(self)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End soon, without waiting for it."""
        self._stopping.set()

    def describe(self) -> Iterable[Metric]:
        return [self._interval(), *_families((), None)]

    def collect(self) -> Iterable[Metric]:
        is_old = monotonic() - self._read_seconds > self._forget_seconds
        return [self._interval(), *_families(self._latest, self._unchecked_since, is_old=is_old)]

    def _interval(self) -> Metric:
        interval = catalogue.DRIFT_CHECK_INTERVAL.gauges()
        interval.add_metric([], self._interval_seconds)
        return interval

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except LogUnavailableError as error:
                logger.debug("drift is not known: %s", error)  # the consumer tells those who read the log
            except Exception:  # the outermost loop of this thread
                logger.exception("drift is not known; trying again")
            self._stopping.wait(self._pause_seconds)

    def _read(self) -> None:
        latest = self._checks.latest()
        since = None if latest else self._checks.something_to_check_since()
        self._unchecked_since = None if since is None else max(since, self._started_seconds)
        self._latest, self._read_seconds = latest, monotonic()


def _families(checks: Sequence[DriftCheck], unchecked_since: float | None, *, is_old: bool = False) -> Iterable[Metric]:
    share, score = catalogue.DRIFT_SHARE.gauges(), catalogue.DRIFT_SCORE.gauges()
    detected, rows = catalogue.DRIFT_DETECTED.gauges(), catalogue.DRIFT_WINDOW_ROWS.gauges()
    unchecked = catalogue.DRIFT_UNCHECKED_SINCE.gauges()
    if unchecked_since is not None:
        unchecked.add_metric([], unchecked_since)
    last, number = catalogue.DRIFT_LAST_CHECK.gauges(), catalogue.DRIFT_CHECKS.counters()
    for check in checks:
        version = check.model_version
        last.add_metric([version], check.checked_seconds)
        for verdict, times in check.numbers.items():
            number.add_metric([version, verdict], times)
        if is_old:
            continue
        for group in check.groups:
            share.add_metric([version, group.group], group.share)
            detected.add_metric([version, group.group, check.reference_kind], group.is_detected)
        for field in check.fields:
            score.add_metric([version, field.group, field.name], field.statistic)
        rows.add_metric([version], check.rows)
    return share, score, detected, rows, last, unchecked, number
