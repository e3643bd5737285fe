"""What is counted under one set of labels: an endpoint's requests, a model version's predictions.

``prometheus_client`` gives every number a lock and objects of its own. One object with one lock counts a prediction in
a third of the time, window and exemplar included (``python -m benchmarks.metrics_cost --parts``: 0.9 us against
2.6 us), and touches less memory, which matters more between two requests than in a loop. So the numbers are kept here,
and its families, registry and formats show them.
"""

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.confidence import ConfidenceWindow
from api_pokemon.monitoring.distribution import Distribution
from api_pokemon.monitoring.events import Prediction


class HttpFamilies(NamedTuple):
    """One scrape's worth of the HTTP metrics."""

    requests: CounterMetricFamily
    durations: HistogramMetricFamily
    errors: CounterMetricFamily

    @classmethod
    def empty(cls) -> "HttpFamilies":
        return cls(
            catalogue.API_REQUESTS.counters(),
            catalogue.API_REQUEST_DURATION.histograms(),
            catalogue.API_ERRORS.counters(),
        )


class EndpointSeries:
    """The requests to one endpoint with one method.

    Parameters
    ----------
    statuses, error_types
        What to show at 0 from the start. A counter that appears at 1 never shows that first increase: ``rate`` needs a
        value before it.
    """

    __slots__ = ("_durations", "_errors", "_lock", "_statuses")

    def __init__(self, statuses: Iterable[int] = (), error_types: Iterable[str] = ()) -> None:
        self._lock = Lock()
        self._statuses = dict.fromkeys(statuses, 0)
        self._errors = dict.fromkeys(error_types, 0)
        self._durations = Distribution(catalogue.API_REQUEST_DURATION.buckets)

    def count(
        self,
        status: int,
        seconds: float,
        now: float = 0.0,
        exemplar: dict[str, str] | None = None,
        error_type: str | None = None,
    ) -> None:
        """Count one answer; ``now`` is a time that does not go back, for the sampling of exemplars."""
        with self._lock:
            self._statuses[status] = self._statuses.get(status, 0) + 1
            self._durations.add(seconds, exemplar, now)
            if error_type is not None:
                self._errors[error_type] = self._errors.get(error_type, 0) + 1

    def write(self, families: HttpFamilies, method: str, endpoint: str) -> None:
        with self._lock:
            for status, number in self._statuses.items():
                families.requests.add_metric([method, endpoint, str(status)], number)
            for error_type, number in self._errors.items():
                families.errors.add_metric([method, endpoint, error_type], number)
            self._durations.write(families.durations, [method, endpoint])


class ModelFamilies(NamedTuple):
    """One scrape's worth of the model metrics."""

    predictions: CounterMetricFamily
    durations: HistogramMetricFamily
    score: GaugeMetricFamily
    confidence: SummaryMetricFamily
    win_probability: HistogramMetricFamily

    @classmethod
    def empty(cls) -> "ModelFamilies":
        return cls(
            catalogue.MODEL_PREDICTIONS.counters(),
            catalogue.MODEL_PREDICTION_DURATION.histograms(),
            catalogue.MODEL_CONFIDENCE_SCORE.gauges(),
            catalogue.MODEL_CONFIDENCE.summaries(),
            catalogue.MODEL_WIN_PROBABILITY.histograms(),
        )


class VersionSeries:
    """The predictions of one model version."""

    __slots__ = ("_confidence_sum", "_durations", "_lock", "_win_probability", "_window")

    def __init__(self) -> None:
        self._lock = Lock()
        self._durations = Distribution(catalogue.MODEL_PREDICTION_DURATION.buckets)
        self._win_probability = Distribution(catalogue.MODEL_WIN_PROBABILITY.buckets)
        self._confidence_sum = 0.0
        self._window = ConfidenceWindow()

    def count(self, prediction: Prediction, now: float) -> None:
        """Count one prediction at a time that does not go back, in seconds."""
        exemplar = {"prediction_id": prediction.prediction_id}
        confidence = prediction.confidence
        with self._lock:
            self._durations.add(prediction.duration_seconds, exemplar, now)
            self._win_probability.add(prediction.probability)
            self._confidence_sum += confidence
            self._window.add(confidence, now)

    def write(self, families: ModelFamilies, model_version: str, now: float) -> None:
        labels = [model_version]
        with self._lock:
            number = self._durations.count
            families.predictions.add_metric(labels, number)
            self._durations.write(families.durations, labels)
            self._win_probability.write(families.win_probability, labels)
            families.confidence.add_metric(labels, number, self._confidence_sum)
            mean = self._window.mean(now)
        if mean is not None:
            families.score.add_metric(labels, mean)
