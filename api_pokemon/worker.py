"""The one place where the worker is put together, and ``api-pokemon worker``."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from threading import Thread
from typing import Annotated, Any

import typer
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api_pokemon.faults import FaultyDriftChecks, FaultyLog, FaultyStream, SlowExposition, worker_faults
from api_pokemon.known_keys import admin_keys_of
from api_pokemon.monitoring import Exposition
from api_pokemon.monitoring.accounting import Accountant
from api_pokemon.monitoring.consumer import Consumer, ConsumerMetrics
from api_pokemon.monitoring.drift_checking import DriftChecks
from api_pokemon.monitoring.drift_metrics import DriftMetrics
from api_pokemon.monitoring.errors import EvidentlyMissingError
from api_pokemon.monitoring.evidently_report import evidently_is_installed
from api_pokemon.monitoring.job_metrics import JobMetrics
from api_pokemon.monitoring.job_runner import JobRunner
from api_pokemon.monitoring.jobs import JobKind, Jobs
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.report_metrics import ReportMetrics
from api_pokemon.routes.application import Application
from api_pokemon.routes.asgi import HeadAsGet
from api_pokemon.routes.faults_route import faults_routes
from api_pokemon.routes.health_route import metrics_routes
from api_pokemon.routes.keys import KeyGuard, Role
from api_pokemon.server import run
from api_pokemon.settings import Settings
from api_pokemon.stores import baselines_of, bucket_seconds_of, log_of, reports_of, stream_of

logger = logging.getLogger(__name__)

JOB_KINDS = (
    JobKind(
        "retention",
        "api_pokemon.retention:remove_old_predictions",
        every_seconds=3600,
        timeout_seconds=1800,
        memory_bytes=512 << 20,
    ),
    JobKind(
        "drift-check",
        "api_pokemon.drift_jobs:check_drift",
        every_seconds=300,
        timeout_seconds=120,
        memory_bytes=1 << 30,
    ),
    JobKind(
        "drift-carry-over",
        "api_pokemon.drift_carrying:carry_over",
        every_seconds=None,
        timeout_seconds=3600,
        memory_bytes=1 << 30,
    ),
    JobKind(
        "drift-report",
        "api_pokemon.report_jobs:write_drift_reports",
        every_seconds=3600,
        timeout_seconds=600,
        memory_bytes=1 << 30,
    ),
    JobKind(
        "profile-upkeep",
        "api_pokemon.drift_jobs:keep_profiles",
        every_seconds=600,
        timeout_seconds=599,
        memory_bytes=1 << 30,
    ),
)
"""All that the worker does beside carrying events, by the clock, which settings may change, or when it is asked to."""

_LOOK_SECONDS = 5.0
"""Between two looks at what was found about drift."""

_HANGS_SECONDS = 60.0
"""A consumer that has not turned for so long hangs: the longest wait of the log or of a stream is below it."""

_STOP_SECONDS = 1.8
"""For the job in hand, which is given back, then for the batch: one that takes longer is rolled back, and comes again.
Both together are less than what the supervisor allows."""


def worker(
    *,
    listener_fd: Annotated[
        int | None, typer.Option(hidden=True, help="Show metrics on this open socket instead of opening one.")
    ] = None,
    ready_fd: Annotated[int | None, typer.Option(hidden=True, help="Write a line here when the work begins.")] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Carry predictions into the prediction log, and do the periodic work.

    What `up` starts and keeps alive. Use it alone where something else supervises, and start as many as are wanted:
    each prediction is logged once, each periodic job done once. Where the log or the stream cannot be reached, it
    waits, and what is not logged yet is safe meanwhile.

    Shows its metrics on `API_POKEMON_WORKER_PORT`. Ends with exit status 78 where it cannot start as it is set up.
    """
    run(
        create_worker,
        "worker_port",
        listener_fd=listener_fd,
        ready_fd=ready_fd,
        until_stdin_closes=until_stdin_closes,
    )


def create_worker(settings: Settings, *, registry: CollectorRegistry | None = None) -> Starlette:
    """Put the worker together: an application that shows metrics, and works from its startup to its shutdown.

    Raises
    ------
    StartError
        A URL of the settings is not one.
    """
    registry = registry or CollectorRegistry()
    log = log_of(settings)
    stream = stream_of(settings)
    faults = worker_faults() if settings.faults else None
    profiles = ProfileWriter(baselines_of(settings), bucket_seconds=bucket_seconds_of(settings))
    consumer = Consumer(FaultyStream(faults, stream) if faults else stream, log, also=profiles)
    ConsumerMetrics(registry, consumer)
    accountant = Accountant(registry, FaultyLog(faults, log) if faults else log, stream.outboxes)
    checks = DriftChecks(log.engine)
    drift = DriftMetrics(
        registry,
        FaultyDriftChecks(faults, checks) if faults else checks,
        settings.drift_check_seconds,
        min(settings.drift_check_seconds / 5, _LOOK_SECONDS),
    )
    ReportMetrics(registry, reports_of(settings))
    if not evidently_is_installed():
        logger.warning("there will be no drift reports: %s", EvidentlyMissingError())
    kinds = job_kinds(settings)
    runner = JobRunner(Jobs(log.engine), kinds, JobMetrics(registry, [kind.name for kind in kinds]))

    keys = admin_keys_of(settings) if faults or settings.metrics_protected else None

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        carrying = Thread(target=consumer.run, name="consumer", daemon=True)
        carrying.start()
        accountant.start()
        drift.start()
        runner.start()
        with keys.following() if keys else nullcontext():
            yield
        consumer.stop()
        accountant.stop()
        drift.stop()
        runner.stop(_STOP_SECONDS)
        carrying.join(_STOP_SECONDS)

    guard = KeyGuard(keys, Role.METRICS) if keys and settings.metrics_protected else None
    exposition = SlowExposition(faults, registry) if faults else Exposition(registry)
    app = Application(lifespan=lifespan, openapi_url=None)
    app.add_middleware(HeadAsGet)
    app.router.routes.extend(_health_routes(consumer))
    app.router.routes.extend(metrics_routes(exposition, guard).routes)
    if faults and keys:
        app.router.routes.extend(faults_routes(faults, KeyGuard(keys, Role.ADMIN)).routes)
    return app


def job_kinds(settings: Settings) -> tuple[JobKind, ...]:
    """The kinds of jobs, as often as the settings have it."""
    periods = {"drift-check": settings.drift_check_seconds, "drift-report": settings.drift_report_seconds}
    return tuple(_every(kind, periods[kind.name]) if kind.name in periods else kind for kind in JOB_KINDS)


def _every(kind: JobKind, seconds: int) -> JobKind:
    if not seconds:
        return replace(kind, every_seconds=None)
    return replace(kind, every_seconds=seconds, timeout_seconds=max(min(kind.timeout_seconds, seconds - 1), 60))


def _health_routes(consumer: Consumer) -> list[Route]:
    async def get_live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def get_ready(request: Request) -> Response:
        stream, log = consumer.reachable
        works = stream and log and consumer.silent_seconds < _HANGS_SECONDS
        return JSONResponse(
            {"status": "ready" if works else "waiting", "stream": _word(stream), "log": _word(log)},
            status_code=200 if works else 503,
        )

    return [
        Route("/health/live", get_live),
        Route("/health/ready", get_ready),
    ]


def _word(is_up: bool) -> str:
    return "up" if is_up else "down"
