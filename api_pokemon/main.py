"""The one place where the API is put together."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from time import monotonic
from typing import NamedTuple, get_args

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Lifespan

from api_pokemon import __version__
from api_pokemon.dex import load_dex
from api_pokemon.entrance import entrance_of
from api_pokemon.errors import StartError
from api_pokemon.faults import Faults, FaultyPredictor, FaultyRecord, SlowExposition, api_faults
from api_pokemon.known_keys import keys_of
from api_pokemon.model import Engine, ModelPredictor, MoveRanker, Predictor, install_version, open_model
from api_pokemon.model_files import ModelFiles
from api_pokemon.monitoring import (
    BuildInfo,
    Exposition,
    HttpMetrics,
    HttpMiddleware,
    ModelMetrics,
    NotRecordedError,
    OutboxFolder,
    Recorder,
    SystemMetrics,
    Watch,
)
from api_pokemon.monitoring.recording import Recording
from api_pokemon.monitoring.refusals import RefusalMetrics
from api_pokemon.readiness import Readiness
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.application import NO_TELEMETRY
from api_pokemon.routes.asgi import HeadAsGet, OwnPort, StoppedAsProblem
from api_pokemon.routes.best_moves import BestMoves
from api_pokemon.routes.dex_route import dex_routes
from api_pokemon.routes.documentation import DESCRIPTION, SUMMARY, TAGS, DocumentedApi, operation_id
from api_pokemon.routes.door import GuardedDoor, put_door
from api_pokemon.routes.drift_lookups import DriftLookups, Periods
from api_pokemon.routes.drift_route import drift_routes
from api_pokemon.routes.faults_route import faults_routes
from api_pokemon.routes.health_route import Health, health_routes, metrics_routes
from api_pokemon.routes.keys import KeyGuard, Role
from api_pokemon.routes.lookups import Lookups
from api_pokemon.routes.model_route import model_routes
from api_pokemon.routes.origins import cors_options
from api_pokemon.routes.pages import page_routes
from api_pokemon.routes.prediction_route import Record, prediction_routes
from api_pokemon.routes.predictions_route import predictions_routes
from api_pokemon.routes.problems import SERVER_PROBLEMS, install_problems
from api_pokemon.routes.schemas import Duel
from api_pokemon.routes.shortcuts import Shortcuts
from api_pokemon.settings import Settings
from api_pokemon.stores import log_of, outboxes_of, reports_of
from api_pokemon.tablebase_upkeep import TablebaseUpkeep

_FOLLOWING_CLI = "from api_pokemon import cli, lifeline; lifeline.follow_parent(); cli.main()"
"""The command line, for a child that must not outlive this process even if it is killed."""

_PROBE = Duel(pokemon_a_id=1, pokemon_b_id=25, available_moves=["Tackle"])


def create_app(
    settings: Settings, *, registry: CollectorRegistry | None = None, recorder: Recorder | None = None
) -> FastAPI:
    """Open the model and put the API around it.

    Parameters
    ----------
    settings
        Their data folder must exist.
    registry
        Where the metrics are; by default a new one.
    recorder
        Where predictions are kept before they are answered; by default an outbox in the data folder.

    Raises
    ------
    StartError
        The settings would open the service to everyone, a key or an address is not one, or no outbox can be had.
    ModelMissingError, ModelDamagedError
        There is no such model, or it cannot be trusted.
    """
    keys = keys_of(settings)
    entrance = entrance_of(settings, keys)
    dex = load_dex()
    predictor = open_model(dex, install_version(settings.data_dir / "models", settings.model_version))
    registry = registry or CollectorRegistry()
    outboxes = outboxes_of(settings)
    keeping: AbstractContextManager[None] = nullcontext()
    if recorder is None:
        recording = _recording(registry, outboxes, settings.stream_url)
        recorder, keeping = recording.recorder, recording.forwarding()
    watch = _watch(registry, recorder, predictor.version, settings.commit)
    upkeep = _upkeep(predictor, watch.model)
    parts = _parts(settings, predictor, watch)
    best_moves = BestMoves(MoveRanker(dex, parts.predictor), predictor.version, Answers(dex))
    lookups = Lookups(log_of(settings), outboxes, watch.recorder.record)
    predict, admin = KeyGuard(keys, Role.PREDICT), KeyGuard(keys, Role.ADMIN)
    compiling = not upkeep.open() and settings.tablebase
    files = ModelFiles(predictor.check_files, partial(watch.model.files, predictor.version))
    app = _application(
        _lifespan(
            (watch.system, files),
            keeping,
            upkeep.compiling() if compiling else nullcontext(),
            parts.faults.lifted_at_the_end() if parts.faults else nullcontext(),
            keys.following(),
            entrance.sharing,
        ),
        lambda: keys.predictions_open,
    )
    app.state.readiness = readiness = Readiness()
    metrics = metrics_routes(parts.exposition, KeyGuard(keys, Role.METRICS) if settings.metrics_protected else None)
    for router in (
        prediction_routes(best_moves, parts.record, predict),
        predictions_routes(lookups, dex, predict, admin),
        drift_routes(_drift(settings), admin),
        model_routes(predictor.metadata, lambda: predictor.engine),
        dex_routes(dex),
        health_routes(_health(settings.commit, predictor), lambda: best_moves.predict(_PROBE, "en"), readiness),
        APIRouter() if settings.metrics_port else metrics,
        faults_routes(parts.faults, admin),
        page_routes(app.openapi),
    ):
        app.router.routes.extend(router.routes)  # include_router would match each request twice, which costs 8 µs
    app.add_middleware(HeadAsGet)
    app.add_middleware(Shortcuts, routes=app.routes, handlers=app.exception_handlers)
    app.add_middleware(StoppedAsProblem)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, **cors_options(settings.cors_origins))
    app.add_middleware(HttpMiddleware, metrics=watch.http, routes=app.routes)
    if settings.metrics_port:
        app.add_middleware(OwnPort, port=settings.metrics_port, inner=_alone(metrics))
    refusals = RefusalMetrics(watch.http, app.routes)
    put_door(app, GuardedDoor(entrance.lanes, entrance.limiter, refusals, app.routes, settings.cors_origins))
    return app


def _alone(router: APIRouter) -> FastAPI:
    """An application of these routes and nothing else."""
    app = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY)
    app.router.routes.extend(router.routes)
    install_problems(app)
    app.add_middleware(HeadAsGet)
    return app


class _Parts(NamedTuple):
    """What can be broken on purpose: the true parts, where the settings do not allow it."""

    faults: Faults | None
    predictor: Predictor
    record: Record
    exposition: Exposition


def _parts(settings: Settings, predictor: ModelPredictor, watch: Watch) -> _Parts:
    if not settings.faults:
        return _Parts(None, predictor, watch.record, Exposition(watch.registry))
    faults = api_faults(settings.stream_url)
    return _Parts(
        faults,
        FaultyPredictor(faults, predictor),
        FaultyRecord(faults, watch.record, watch.recorder.record),
        SlowExposition(faults, watch.registry),
    )


def _application(lifespan: Lifespan[FastAPI], predictions_open: Callable[[], bool]) -> FastAPI:
    return DocumentedApi(
        predictions_open,
        title="api-pokemon",
        version=__version__,
        summary=SUMMARY,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
        lifespan=lifespan,
    )


def _lifespan(
    watching: Sequence[SystemMetrics | ModelFiles],
    keeping: AbstractContextManager[None],
    compiling: AbstractAsyncContextManager[None],
    lifting: AbstractContextManager[None],
    following: AbstractContextManager[None],
    sharing: AbstractAsyncContextManager[None],
) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for each in watching:
            each.start()
        try:
            with keeping, lifting, following:
                async with compiling, sharing:
                    yield
        finally:
            for each in watching:
                each.stop()

    return lifespan


def _recording(registry: CollectorRegistry, outboxes: OutboxFolder, stream_url: str) -> Recording:
    try:
        return Recording(registry, outboxes, stream_url)
    except NotRecordedError as error:
        raise StartError(f"There is no outbox to keep predictions in: {error}") from error
    except ValueError as error:
        raise StartError(f"API_POKEMON_STREAM_URL is not the address of a Redis: {error}") from error


def _drift(settings: Settings) -> DriftLookups:
    periods = Periods(settings.drift_check_seconds, settings.drift_report_seconds or None)
    return DriftLookups(log_of(settings).engine, reports_of(settings), periods)


def _watch(registry: CollectorRegistry, recorder: Recorder, model_version: str, commit: str) -> Watch:
    return Watch(
        registry,
        BuildInfo(registry, "api_pokemon", version=__version__, commit=commit, model_version=model_version),
        HttpMetrics(registry, SERVER_PROBLEMS),
        ModelMetrics(registry, (model_version,), get_args(Engine)),
        SystemMetrics(registry),
        recorder,
    )


def _upkeep(predictor: ModelPredictor, metrics: ModelMetrics) -> TablebaseUpkeep:
    def tell_engine() -> None:
        metrics.answering(predictor.version, predictor.engine)

    tell_engine()
    command = (sys.executable, "-c", _FOLLOWING_CLI, "tablebase", "--model-dir", str(predictor.folder))
    return TablebaseUpkeep(predictor.load_tablebase, command, on_loaded=tell_engine)


def _health(commit: str, predictor: ModelPredictor) -> Callable[[], Health]:
    began_seconds = monotonic()
    return lambda: Health(
        status="ok",
        version=__version__,
        commit=commit,
        model_version=predictor.version,
        engine=predictor.engine,
        uptime_seconds=round(monotonic() - began_seconds, 3),
    )
