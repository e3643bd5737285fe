"""Whether the stream can be reached, and how much is in it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue


class StreamStatus(NamedTuple):
    """What was last heard of the stream.

    Parameters
    ----------
    up
        Whether it took what was sent when it was last tried.
    entries
        How many it holds; None where that is not known.
    """

    up: bool
    entries: int | None


class StreamMetrics:
    """Shows the status of the stream; a scrape never waits for it.

    Parameters
    ----------
    registry
        Where to show it.
    status
        Answers at once, such as :meth:`~api_pokemon.monitoring.forwarder.Forwarder.status`.

    Examples
    --------
    >>> registry = CollectorRegistry()
    >>> _ = StreamMetrics(registry, lambda: StreamStatus(up=True, entries=3))
    >>> registry.get_sample_value("stream_up"), registry.get_sample_value("stream_entries")
    (1, 3)
    """

    def __init__(self, registry: CollectorRegistry, status: Callable[[], StreamStatus]) -> None:
        self._status = status
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return [catalogue.STREAM_UP.gauges(), catalogue.STREAM_ENTRIES.gauges()]

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        up = catalogue.STREAM_UP.gauges()
        up.add_metric([], int(status.up))
        yield up
        if status.entries is not None:
            entries = catalogue.STREAM_ENTRIES.gauges()
            entries.add_metric([], status.entries)
            yield entries
