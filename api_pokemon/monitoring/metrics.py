"""The metrics of a watched service, built on a registry."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, Summary

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.confidence import ConfidenceScores, ConfidenceWindow
from api_pokemon.monitoring.exemplars import LatencySeries
from api_pokemon.monitoring.predictions import Prediction

INTERNAL = "internal"
OTHER = "other"


class HttpMetrics:
    """Requests, their durations and their errors.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    error_types
        The names that the service gives to its 5xx answers. They are a label, so an undeclared name is counted as
        ``other``: whatever a service writes into its errors, the number of series stays bounded.
    """

    def __init__(self, registry: CollectorRegistry, error_types: Iterable[str] = ()) -> None:
        self._requests = catalogue.API_REQUESTS.counter(registry)
        self._durations = catalogue.API_REQUEST_DURATION.histogram(registry)
        self._errors = catalogue.API_ERRORS.counter(registry)
        self._latencies: dict[tuple[str, str], LatencySeries] = {}
        self.error_types = (INTERNAL, *(name for name in error_types if name != INTERNAL))

    def requests(self, method: str, endpoint: str, status: str) -> Counter:
        """Return the counter of these labels, to be kept by the caller: looking it up costs more than counting."""
        return self._requests.labels(method, endpoint, status)

    def latency(self, method: str, endpoint: str) -> LatencySeries:
        """Return the histogram of these labels, one and the same for all who ask."""
        key = (method, endpoint)
        if key not in self._latencies:
            edges = catalogue.API_REQUEST_DURATION.buckets
            self._latencies.setdefault(key, LatencySeries(self._durations.labels(method, endpoint), edges))
        return self._latencies[key]

    def count_error(self, method: str, endpoint: str, status: int, name: str | None = None) -> None:
        """Count a failed answer.

        Its type is the name that the service gave it, ``other`` if that name was not declared; without a name it is
        ``internal``, or ``http-502`` and the like where the status tells more.
        """
        if name is not None:
            error_type = name if name in self.error_types else OTHER
        elif 501 <= status <= 599:
            error_type = f"http-{status}"
        else:
            error_type = INTERNAL
        self._errors.labels(method, endpoint, error_type).inc()

    def expect(self, method: str, endpoint: str, statuses: Iterable[str] = ("200", "422", "500")) -> None:
        """Show these series at 0 before the first request.

        A counter that appears at 1 never shows that first increase: ``rate`` needs a value before it.
        """
        for status in statuses:
            self.requests(method, endpoint, status)
        self.latency(method, endpoint)
        for error_type in self.error_types:
            self._errors.labels(method, endpoint, error_type)


class ModelMetrics:
    """Predictions by model version: how many, how fast, how likely, how sure, by which engine.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    model_versions
        The versions to show at 0 before the first prediction. Others appear with their first prediction.
    engines
        What can answer for a version, such as a table and a network.
    clock
        The monotonic clock, in seconds, of the confidence window.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        model_versions: Iterable[str] = (),
        engines: Iterable[str] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._predictions = catalogue.MODEL_PREDICTIONS.counter(registry)
        self._durations = catalogue.MODEL_PREDICTION_DURATION.histogram(registry)
        self._confidence = catalogue.MODEL_CONFIDENCE.summary(registry)
        self._win_probability = catalogue.MODEL_WIN_PROBABILITY.histogram(registry)
        self._engine = catalogue.MODEL_ENGINE.gauge(registry)
        self._scores = ConfidenceScores(clock)
        registry.register(self._scores)
        self._engines = tuple(engines)
        self._versions: dict[str, _VersionSeries] = {}
        for model_version in model_versions:
            self._series(model_version)

    def observe(self, prediction: Prediction) -> None:
        """Count one prediction.

        Raises
        ------
        ValueError
            If the probability is not in [0, 1]. One NaN would make every sum of the process NaN for good.
        """
        probability = prediction.probability
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"A probability must lie in [0, 1], not {probability}.")
        series = self._versions.get(prediction.model_version) or self._series(prediction.model_version)
        confidence = max(probability, 1.0 - probability)
        series.predictions.inc()
        series.latency.observe(prediction.duration_seconds, {"prediction_id": prediction.prediction_id})
        series.win_probability.observe(probability)
        series.confidence.observe(confidence)
        series.window.add(confidence)

    def answering(self, model_version: str, engine: str) -> None:
        """Tell which of the engines answers for a version from now on.

        Raises
        ------
        ValueError
            If the engine was not named at the start.
        """
        if engine not in self._engines:
            raise ValueError(f"There is no engine {engine!r}; there are {', '.join(self._engines) or 'none'}.")
        for name in self._engines:
            self._engine.labels(model_version, name).set(name == engine)

    def _series(self, model_version: str) -> "_VersionSeries":
        for engine in self._engines:
            self._engine.labels(model_version, engine)
        series = _VersionSeries(
            self._predictions.labels(model_version),
            LatencySeries(self._durations.labels(model_version), catalogue.MODEL_PREDICTION_DURATION.buckets),
            self._win_probability.labels(model_version),
            self._confidence.labels(model_version),
            self._scores.window(model_version),
        )
        return self._versions.setdefault(model_version, series)


class _VersionSeries(NamedTuple):
    predictions: Counter
    latency: LatencySeries
    win_probability: Histogram
    confidence: Summary
    window: ConfidenceWindow


class BuildInfo:
    """What runs: the versions of the application and of its model.

    Parameters
    ----------
    application
        Names the metric: ``<application>_build_info``.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        application: str,
        *,
        version: str,
        commit: str = "unknown",
        model_version: str = "unknown",
    ) -> None:
        spec = catalogue.build_info(application)
        self._info = Info(spec.name.removesuffix("_info"), spec.help, registry=registry)
        self._version = version
        self._commit = commit
        self.set_model(model_version)

    def set_model(self, model_version: str) -> None:
        """Tell which model version answers by default from now on."""
        self._info.info({"version": self._version, "commit": self._commit, "model_version": model_version})
