"""Latency series whose buckets each remember a request that fell into them."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from prometheus_client import Histogram


class LatencySeries:
    """One child of a histogram, which keeps at most one exemplar per bucket and interval.

    An exemplar costs more than the observation itself, and a scrape sees only the last one of each bucket. Sampling by
    bucket keeps nearly all of the value at a fraction of the price: the first slow request of a minute is always kept,
    however many fast ones surround it.

    Parameters
    ----------
    child
        The histogram's child for these labels.
    edges
        The histogram's upper bucket edges, in seconds.
    interval_seconds
        The least time between two exemplars of one bucket.
    clock
        Any clock that does not go back, in seconds.
    """

    __slots__ = ("_child", "_clock", "_due", "_edges", "_interval")

    def __init__(
        self,
        child: Histogram,
        edges: Sequence[float],
        interval_seconds: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._child = child
        self._edges = edges
        self._interval = interval_seconds
        self._clock = clock
        self._due = [float("-inf")] * (len(edges) + 1)

    def observe(self, seconds: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Count one observation; ``exemplar`` are the labels that find the request again."""
        if exemplar:
            bucket = bisect_left(self._edges, seconds)
            now = self._clock()
            if now >= self._due[bucket]:
                self._due[bucket] = now + self._interval
                self._child.observe(seconds, dict(exemplar))
                return
        self._child.observe(seconds)
