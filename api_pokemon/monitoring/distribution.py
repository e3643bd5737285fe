"""Values counted between fixed edges, with a request to look at for each bucket."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from time import time

from prometheus_client.core import Exemplar, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

EXEMPLAR_INTERVAL_SECONDS = 1.0


class Distribution:
    """The content of one histogram series.

    Each bucket keeps at most one exemplar per second. A scrape only sees the last one of each anyway, and sampling by
    bucket rather than by request means that the first slow request in a while always has its exemplar, however many
    fast ones surround it.

    Not safe in threads by itself: whoever owns it holds a lock around every call.

    Parameters
    ----------
    edges
        Upper edges of the buckets, ascending; a value on an edge belongs below it. What lies above the last one falls
        into a bucket without an upper edge.
    """

    __slots__ = ("_counts", "_due", "_edges", "_exemplars", "_sum")

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self._sum = 0.0
        self._counts = [0] * (len(edges) + 1)
        self._exemplars: list[Exemplar | None] = [None] * (len(edges) + 1)
        self._due = [float("-inf")] * (len(edges) + 1)

    @property
    def count(self) -> int:
        return sum(self._counts)

    def add(self, value: float, exemplar: dict[str, str] | None = None, now: float = 0.0) -> None:
        """Count a value; ``exemplar`` are the labels that find its request, ``now`` a time that does not go back."""
        bucket = bisect_left(self._edges, value)
        self._counts[bucket] += 1
        self._sum += value
        if exemplar is not None and now >= self._due[bucket]:
            self._due[bucket] = now + EXEMPLAR_INTERVAL_SECONDS
            self._exemplars[bucket] = Exemplar(exemplar, value, time())

    def write(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add this series to its family, under these label values."""
        names = [*map(floatToGoString, self._edges), "+Inf"]
        buckets = [
            (name, count, exemplar) if exemplar else (name, count)
            for name, count, exemplar in zip(names, accumulate(self._counts), self._exemplars, strict=True)
        ]
        family.add_metric(labels, buckets, self._sum)
