"""The metrics of a watched service, built on a registry."""

from collections.abc import Callable, Iterable
from time import monotonic

from prometheus_client import CollectorRegistry, Info
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.events import Prediction
from api_pokemon.monitoring.series import EndpointSeries, HttpFamilies, ModelFamilies, VersionSeries

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
        self._error_types = dict.fromkeys((INTERNAL, *error_types))
        self._series: dict[tuple[str, str], EndpointSeries] = {}
        registry.register(self)

    def expect(self, method: str, endpoint: str, statuses: Iterable[int]) -> None:
        """Show the series of a known endpoint, and of the statuses it can answer, at 0 before its first request."""
        self._series.setdefault((method, endpoint), EndpointSeries(statuses, self._error_types))

    def endpoint(self, method: str, endpoint: str) -> EndpointSeries:
        """Return the series of these labels, which the caller takes from a bounded set."""
        key = (method, endpoint)
        return self._series.get(key) or self._series.setdefault(key, EndpointSeries())

    def error_type(self, status: int, name: str | None) -> str:
        """Return what a failure counts as: the name that the service gave it, or else what its status tells.

        Examples
        --------
        >>> metrics = HttpMetrics(CollectorRegistry(), ["overloaded"])
        >>> metrics.error_type(503, "overloaded"), metrics.error_type(503, "queue 17 is full")
        ('overloaded', 'other')
        >>> metrics.error_type(500, None), metrics.error_type(502, None)
        ('internal', 'http-502')
        """
        if name is not None:
            return name if name in self._error_types else OTHER
        return f"http-{status}" if 501 <= status <= 599 else INTERNAL

    def describe(self) -> Iterable[Metric]:
        return HttpFamilies.empty()

    def collect(self) -> Iterable[Metric]:
        families = HttpFamilies.empty()
        for (method, endpoint), series in list(self._series.items()):
            series.write(families, method, endpoint)
        return families


class ModelMetrics:
    """Predictions by model version: how many, how fast, how likely, how sure, by which engine, of which files.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    model_versions
        The versions to show at 0 before the first prediction. Others appear with their first prediction.
    engines
        What can answer for a version, such as a table and a network.
    clock
        A clock that does not go back, in seconds.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        model_versions: Iterable[str] = (),
        engines: Iterable[str] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._engines = tuple(engines)
        self._answering: dict[str, str] = {}
        self._files_are_sound: dict[str, bool] = {}
        self._series = {model_version: VersionSeries() for model_version in model_versions}
        registry.register(self)

    def observe(self, prediction: Prediction) -> None:
        """Count one prediction.

        Raises
        ------
        ValueError
            If the probability is not in [0, 1]. One NaN would make every sum of the process NaN for good.
        """
        if not 0.0 <= prediction.probability <= 1.0:
            raise ValueError(f"A probability must lie in [0, 1], not {prediction.probability}.")
        self._version(prediction.model_version).count(prediction, self._clock())

    def answering(self, model_version: str, engine: str) -> None:
        """Tell which of the engines answers for a version from now on.

        Raises
        ------
        ValueError
            If the engine was not named at the start.
        """
        if engine not in self._engines:
            raise ValueError(f"There is no engine {engine!r}; there are {', '.join(self._engines) or 'none'}.")
        self._version(model_version)
        self._answering[model_version] = engine

    def files(self, model_version: str, are_sound: bool) -> None:
        """Tell whether the files of a version are as they were when it was loaded."""
        self._files_are_sound[model_version] = are_sound

    def describe(self) -> Iterable[Metric]:
        return (*ModelFamilies.empty(), catalogue.MODEL_ENGINE.gauges(), catalogue.MODEL_FILES_SOUND.gauges())

    def collect(self) -> Iterable[Metric]:
        families = ModelFamilies.empty()
        engines, files = catalogue.MODEL_ENGINE.gauges(), catalogue.MODEL_FILES_SOUND.gauges()
        now = self._clock()
        for model_version, series in list(self._series.items()):
            series.write(families, model_version, now)
            for engine in self._engines:
                engines.add_metric([model_version, engine], self._answering.get(model_version) == engine)
        for model_version, are_sound in self._files_are_sound.copy().items():
            files.add_metric([model_version], are_sound)
        return (*families, engines, files)

    def _version(self, model_version: str) -> VersionSeries:
        return self._series.get(model_version) or self._series.setdefault(model_version, VersionSeries())


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
