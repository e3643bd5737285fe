"""Mistakes of watched services in use; each was measured in one of them, and none may be made here."""

import time

import psutil
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import ModelMetrics, Prediction, Watch, new_id, watch


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture
def watching(app: FastAPI, registry: CollectorRegistry) -> Watch:
    return watch(app, application="shop", version="1", model_versions=["v1"], registry=registry)


async def test_no_request_measures_the_machine(app: FastAPI, watching: Watch, ask, monkeypatch) -> None:
    """In use: ``cpu_percent(interval=0.1)`` in the middleware, which makes every request 100 ms slower."""

    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("measured within a request")

    for module, name in ((psutil, "cpu_percent"), (psutil, "cpu_times"), (psutil, "virtual_memory"), (time, "sleep")):
        monkeypatch.setattr(module, name, forbidden)
    monkeypatch.setattr(watching.system, "_probe", forbidden)
    answered = await ask(app, "/metrics")
    assert answered[0]["status"] == 200


async def test_ids_in_paths_make_no_series(app: FastAPI, watching: Watch, ask, registry: CollectorRegistry) -> None:
    """In use: the raw path as a label, one series for every id ever asked."""

    @app.get("/users/{user_id}")
    async def user(user_id: int) -> int:
        return user_id

    for user_id in range(50):
        await ask(app, f"/users/{user_id}")
    endpoints = {
        sample.labels["endpoint"]
        for family in registry.collect()
        for sample in family.samples
        if "endpoint" in sample.labels
    }
    assert endpoints == {"/users/{user_id}", "unmatched"}


async def test_a_handled_500_is_an_error(app: FastAPI, watching: Watch, ask, registry: CollectorRegistry) -> None:
    """In use: errors counted in an ``except``, so that a 500 which a handler answers is invisible."""

    @app.exception_handler(ValueError)
    async def handle(request: Request, error: ValueError) -> JSONResponse:
        return JSONResponse({"detail": "handled"}, 500)

    @app.get("/")
    async def fail() -> None:
        raise ValueError

    await ask(app)
    labels = {"method": "GET", "endpoint": "/", "error_type": "internal"}
    assert registry.get_sample_value("api_errors_total", labels) == 1


def test_a_sure_loss_is_a_confident_prediction(watching: Watch, registry: CollectorRegistry) -> None:
    """In use: the win probability shown as confidence, so that a model sure of a loss looks unsure."""
    watching.model.observe(Prediction(new_id(), "v1", probability=0.02, duration_seconds=0.001))
    v1 = {"model_version": "v1"}
    assert registry.get_sample_value("model_confidence_score", v1) == 0.98
    assert registry.get_sample_value("model_win_probability_sum", v1) == 0.02


def test_a_silent_service_shows_no_confidence(registry: CollectorRegistry, clock) -> None:
    """In use: a gauge that shows the last value for ever, long after the last prediction."""
    metrics = ModelMetrics(registry, ["v1"], clock=clock)
    metrics.observe(Prediction(new_id(), "v1", probability=0.9, duration_seconds=0.001))
    clock.now += 60
    assert registry.get_sample_value("model_confidence_score", {"model_version": "v1"}) is None
