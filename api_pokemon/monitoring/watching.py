"""Watches an application in one call."""

from collections.abc import AsyncIterator, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from api_pokemon.monitoring.events import Prediction
from api_pokemon.monitoring.exposition import Exposition
from api_pokemon.monitoring.metrics import BuildInfo, HttpMetrics, ModelMetrics
from api_pokemon.monitoring.middleware import HttpMiddleware, note_prediction
from api_pokemon.monitoring.recorder import NullRecorder, Recorder
from api_pokemon.monitoring.system import SystemMetrics

if TYPE_CHECKING:
    from fastapi import FastAPI


class Watch:
    """All that watches one application.

    Parameters
    ----------
    registry
        What ``/metrics`` shows; further metrics of the application belong here too.
    build
        What runs.
    http
        Requests and errors.
    model
        Predictions.
    system
        CPU and memory; sampled while the application runs.
    recorder
        Where predictions are kept.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        build: BuildInfo,
        http: HttpMetrics,
        model: ModelMetrics,
        system: SystemMetrics,
        recorder: Recorder,
    ) -> None:
        self.registry = registry
        self.build = build
        self.http = http
        self.model = model
        self.system = system
        self.recorder = recorder

    async def record(self, scope: MutableMapping[str, Any], *predictions: Prediction) -> None:
        """Keep predictions, then count them; ``scope`` is the ASGI scope of the request that they answer.

        Raises
        ------
        NotRecordedError
            If they could not be kept. They are not counted then, and must not be served.
        """
        await self.recorder.record(*predictions)
        for prediction in predictions:
            self.model.observe(prediction)
            note_prediction(scope, prediction.prediction_id)

    def attach(self, app: "FastAPI", path: str = "/metrics") -> None:
        """Put the middleware around the application, the metrics at ``path``, and the sampler into its lifespan."""
        app.add_route(path, Exposition(self.registry).respond, methods=["GET"], include_in_schema=False)
        app.add_middleware(HttpMiddleware, metrics=self.http, routes=app.routes)
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def sampled(app: "FastAPI") -> AsyncIterator[Any]:
            self.system.start()
            try:
                async with inner(app) as state:
                    yield state
            finally:
                self.system.stop()

        app.router.lifespan_context = sampled


class Unwatched(Watch):
    """Metrics are off: predictions are recorded, and nothing is counted, timed or shown."""

    async def record(self, scope: MutableMapping[str, Any], *predictions: Prediction) -> None:
        await self.recorder.record(*predictions)

    def attach(self, app: "FastAPI", path: str = "/metrics") -> None:
        """Leave the application as it is."""


def watch(
    app: "FastAPI",
    *,
    application: str,
    version: str,
    commit: str = "unknown",
    model_versions: Iterable[str] = (),
    engines: Iterable[str] = (),
    error_types: Iterable[str] = ("overloaded", "not-recorded"),
    recorder: Recorder | None = None,
    registry: CollectorRegistry | None = None,
    metrics: bool = True,
) -> Watch:
    """Watch an application from its first request.

    Call it after every other ``add_middleware``, so that the middleware lies outside of them all and sees their
    answers too.

    Parameters
    ----------
    app
        The application.
    application
        A short name for it, which begins the name of its ``_build_info`` metric.
    version, commit
        What runs.
    model_versions
        The model versions that may answer, the default one first.
    engines
        What can answer for a version, if there is a choice.
    error_types
        The names that the application gives to its 5xx answers with
        :func:`~api_pokemon.monitoring.middleware.note_error`.
    recorder
        Where predictions are kept; nowhere by default.
    registry
        Where the metrics are; a new one by default, so that two applications in one process never mix.
    metrics
        Whether to measure at all; without, predictions are still recorded.
    """
    registry = registry or CollectorRegistry()
    versions = tuple(model_versions)
    watching = (Watch if metrics else Unwatched)(
        registry,
        BuildInfo(registry, application, version=version, commit=commit, model_version=next(iter(versions), "none")),
        HttpMetrics(registry, error_types),
        ModelMetrics(registry, versions, engines),
        SystemMetrics(registry),
        recorder or NullRecorder(),
    )
    watching.attach(app)
    return watching
