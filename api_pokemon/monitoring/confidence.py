"""The mean confidence of the last minute, as a gauge that goes away when nothing was predicted."""

from collections import deque
from collections.abc import Callable, Iterable
from math import fsum
from threading import Lock
from time import monotonic

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring.catalogue import MODEL_CONFIDENCE_SCORE

WINDOW_SECONDS = 60.0
WINDOW_PREDICTIONS = 1000


class ConfidenceWindow:
    """The confidences of at most the last 1,000 predictions of the last 60 s.

    Adding is an append under a lock; forgetting and averaging are left to the reader, who comes once per scrape.

    Examples
    --------
    >>> now = 0.0
    >>> window = ConfidenceWindow(clock=lambda: now)
    >>> window.add(0.9); window.add(0.7)
    >>> window.mean()
    0.8
    >>> now = 61.0
    >>> window.mean() is None
    True
    """

    __slots__ = ("_clock", "_entries", "_lock")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._entries: deque[tuple[float, float]] = deque(maxlen=WINDOW_PREDICTIONS)
        self._lock = Lock()

    def add(self, confidence: float) -> None:
        with self._lock:
            self._entries.append((self._clock(), confidence))

    def mean(self) -> float | None:
        """Return the mean, or None when the last prediction is 60 s old or older."""
        with self._lock:
            oldest = self._clock() - WINDOW_SECONDS
            while self._entries and self._entries[0][0] <= oldest:
                self._entries.popleft()
            entries = list(self._entries)
        if not entries:
            return None
        return fsum(confidence for _, confidence in entries) / len(entries)


class ConfidenceScores:
    """A collector of one confidence window per model version."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, ConfidenceWindow] = {}

    def window(self, model_version: str) -> ConfidenceWindow:
        return self._windows.setdefault(model_version, ConfidenceWindow(self._clock))

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for model_version, window in list(self._windows.items()):
            mean = window.mean()
            if mean is not None:
                family.add_metric([model_version], mean)
        return [family]

    def _family(self) -> GaugeMetricFamily:
        spec = MODEL_CONFIDENCE_SCORE
        return GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
