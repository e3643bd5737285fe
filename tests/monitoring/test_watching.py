import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from threading import active_count

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import (
    Event,
    NotRecordedError,
    NullRecorder,
    Prediction,
    Recorder,
    new_id,
    note_error,
    watch,
)


class GroupCommit:
    """Gathers predictions and keeps them all at once, as a durable recorder does; fails while ``full``."""

    def __init__(self) -> None:
        self.kept: list[Event] = []
        self.commits = 0
        self.full = False
        self._waiting: list[tuple[Sequence[Event], asyncio.Future[None]]] = []

    async def record(self, *events: Event) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((events, done))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._commit)
        await done

    def _commit(self) -> None:
        self.commits += 1
        for events, done in self._waiting:
            if self.full:
                done.set_exception(NotRecordedError("The disk is full."))
            else:
                self.kept += events
                done.set_result(None)
        self._waiting = []


@pytest.fixture
def recorder() -> GroupCommit:
    return GroupCommit()


@pytest.fixture
async def client(registry: CollectorRegistry, recorder: GroupCommit):
    app = predicting_app(registry, recorder)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        yield client


def predicting_app(registry: CollectorRegistry, recorder: Recorder | None = None, metrics: bool = True) -> FastAPI:
    app = FastAPI()
    watching = watch(
        app,
        application="shop",
        version="1",
        model_versions=["v1"],
        registry=registry,
        recorder=recorder,
        metrics=metrics,
    )

    @app.exception_handler(NotRecordedError)
    async def not_recorded(request: Request, error: NotRecordedError) -> Response:
        note_error(request.scope, "not-recorded")
        return Response(str(error), 503)

    @app.post("/predict")
    async def predict(request: Request) -> str:
        prediction = Prediction(new_id(), "v1", probability=0.8, duration_seconds=0.001)
        await watching.record(request.scope, prediction)
        return prediction.prediction_id

    return app


def predictions(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("model_predictions_total", {"model_version": "v1"})


async def test_what_is_answered_is_what_was_kept(client, registry, recorder: GroupCommit) -> None:
    answers = await asyncio.gather(*(client.post("/predict") for _ in range(20)))
    assert sorted(answer.json() for answer in answers) == sorted(kept.prediction_id for kept in recorder.kept)
    assert recorder.commits < 20
    assert predictions(registry) == 20


async def test_what_could_not_be_kept_is_neither_served_nor_counted(client, registry, recorder: GroupCommit) -> None:
    recorder.full = True
    answer = await client.post("/predict")
    assert (answer.status_code, answer.text) == (503, "The disk is full.")
    assert predictions(registry) == 0
    labels = {"method": "POST", "endpoint": "/predict", "error_type": "not-recorded"}
    assert registry.get_sample_value("api_errors_total", labels) == 1

    recorder.full = False
    assert (await client.post("/predict")).status_code == 200
    assert predictions(registry) == 1


async def test_nothing_is_kept_by_default(registry: CollectorRegistry) -> None:
    assert await NullRecorder().record(Prediction(new_id(), "v1", 0.8, 0.001)) is None


async def test_the_sampler_lives_as_long_as_the_application(registry: CollectorRegistry) -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        steps.append("up")
        yield {"pool": 1}
        steps.append("down")

    app = FastAPI(lifespan=lifespan)
    watch(app, application="shop", version="1", registry=registry)
    threads = active_count()
    async with app.router.lifespan_context(app) as state:
        assert state == {"pool": 1}
        assert active_count() == threads + 1
    assert active_count() == threads
    assert steps == ["up", "down"]


async def test_an_application_that_fails_to_start_leaves_no_thread(registry: CollectorRegistry) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI):
        raise RuntimeError("no database")
        yield

    app = FastAPI(lifespan=lifespan)
    watch(app, application="shop", version="1", registry=registry)
    threads = active_count()
    with pytest.raises(RuntimeError, match="no database"):
        async with app.router.lifespan_context(app):
            pass
    assert active_count() == threads


async def test_without_metrics_predictions_are_still_kept(registry: CollectorRegistry, recorder: GroupCommit) -> None:
    app = predicting_app(registry, recorder, metrics=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        assert (await client.post("/predict")).status_code == 200
        assert (await client.get("/metrics")).status_code == 404
    assert len(recorder.kept) == 1
    assert predictions(registry) == 0


def test_two_applications_never_mix() -> None:
    first = watch(FastAPI(), application="one", version="1", model_versions=["v1"])
    second = watch(FastAPI(), application="two", version="1", model_versions=["v1"])
    first.model.observe(Prediction(new_id(), "v1", 0.8, 0.001))
    assert (predictions(first.registry), predictions(second.registry)) == (1, 0)
