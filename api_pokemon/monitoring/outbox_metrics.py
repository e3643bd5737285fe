"""What the outboxes of a service hold, and what they refused, as metrics."""

from collections.abc import Callable, Iterable, Mapping
from time import time

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.stream import OutboxState


class OutboxMetrics:
    """Shows each outbox by its writer, and refusals by reason.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    states
        Reads what the outboxes hold, at every scrape; leaves out what cannot be read, and waits for nobody, as
        :meth:`~api_pokemon.monitoring.outbox_folder.OutboxFolder.states` does.
    refused
        How many events were refused, by reason; the reasons that exist are there from the start.
    max_bytes
        Size at which an outbox refuses.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        states: Callable[[], Iterable[OutboxState]],
        refused: Mapping[str, int],
        max_bytes: int,
    ) -> None:
        self._states = states
        self._refused = refused
        self._max_bytes = max_bytes
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return (
            catalogue.EVENTS_ACCEPTED.counters(),
            catalogue.EVENTS_PENDING.gauges(),
            catalogue.EVENTS_REFUSED.counters(),
            catalogue.OUTBOX_BYTES.gauges(),
            catalogue.OUTBOX_MAX_BYTES.gauges(),
            catalogue.LOG_LAG.gauges(),
        )

    def collect(self) -> Iterable[Metric]:
        accepted, pending, size, lag = (
            catalogue.EVENTS_ACCEPTED.counters(),
            catalogue.EVENTS_PENDING.gauges(),
            catalogue.OUTBOX_BYTES.gauges(),
            catalogue.LOG_LAG.gauges(),
        )
        states = list(self._states())
        lag.add_metric([], lag_seconds(states))
        for state in states:
            accepted.add_metric([state.writer], state.last_sequence)
            pending.add_metric([state.writer], state.pending)
            size.add_metric([state.writer], state.bytes)
        refused = catalogue.EVENTS_REFUSED.counters()
        for reason, number in list(self._refused.items()):
            refused.add_metric([reason], number)
        most = catalogue.OUTBOX_MAX_BYTES.gauges()
        most.add_metric([], self._max_bytes)
        return accepted, pending, refused, size, most, lag


def lag_seconds(states: Iterable[OutboxState]) -> float:
    """Age of the oldest event that an outbox holds; 0 where none holds any."""
    oldest = min((state.oldest_seconds for state in states if state.oldest_seconds is not None), default=None)
    return 0.0 if oldest is None else max(0.0, time() - oldest)
