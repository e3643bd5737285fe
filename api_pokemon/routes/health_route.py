"""For those who run the service: is it up, what is it, what does it count."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from api_pokemon.model import Engine
from api_pokemon.monitoring import Exposition
from api_pokemon.readiness import Readiness
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.keys import KeyGuard
from api_pokemon.routes.problems import Kind, ProblemError


@dataclass(frozen=True, slots=True)
class Health:
    """What runs here, and since when."""

    status: Literal["ok"]
    version: str
    commit: Annotated[str, Field(description="The source that it was built from, where that is known.")]
    model_version: str
    engine: Annotated[
        Engine, Field(description="`tablebase` looks answers up, `onnx` infers them; they agree within 0.0005.")
    ]
    uptime_seconds: float


@dataclass(frozen=True, slots=True)
class Live:
    """The process answers."""

    status: Literal["live"] = "live"


@dataclass(frozen=True, slots=True)
class Ready:
    """The process predicts."""

    status: Literal["ready"] = "ready"


def health_routes(health: Callable[[], Health], probe: Callable[[], object], readiness: Readiness) -> APIRouter:
    """The routes that tell whether all is well; none of them needs a key.

    Parameters
    ----------
    health
        Tells what runs.
    probe
        Makes a prediction that nobody asked for; an error of it makes the service unready.
    readiness
        Knows whether the process is about to stop.
    """
    router = APIRouter(generate_unique_id_function=operation_id, tags=["operation"])

    @router.get("/health/live", summary="Does the process answer?")
    async def get_live() -> Live:
        """Answers as soon as the process can. Restart a process that fails this."""
        return Live()

    @router.get("/health/ready", summary="Does it predict?", responses=problems(Kind.STOPPING))
    async def get_ready() -> Ready:
        """Predicts a duel, off the record, before it answers. Send no requests to a process that fails this.

        The model is loaded before the port is open, so a process that can be reached is ready, unless it is broken, or
        about to stop: then it goes on answering for a moment, until who asks here has noticed.
        """
        if not readiness.ask():
            raise ProblemError(Kind.STOPPING, f"This process stops. {Kind.STOPPING.remedy}")
        probe()
        return Ready()

    @router.get("/health", summary="What runs here?")
    async def get_health() -> Health:
        """Tells the versions of the service and of its model, and the engine that answers."""
        return health()

    return router


def metrics_routes(exposition: Exposition, guard: KeyGuard | None = None) -> APIRouter:
    """The route that Prometheus scrapes.

    Parameters
    ----------
    exposition
        Shows the metrics.
    guard
        Who may see them; without one, everyone.
    """
    router = APIRouter(
        generate_unique_id_function=operation_id, tags=["operation"], dependencies=[Depends(guard)] if guard else []
    )
    keys = (Kind.KEY_NEEDED, Kind.KEY_NOT_ENOUGH) if guard else ()
    content = {
        "text/plain": {"schema": {"type": "string"}},
        "application/openmetrics-text": {"schema": {"type": "string"}},
    }

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={200: {"content": content}, **problems(*keys)},
    )
    async def get_metrics(request: Request) -> Response:
        """Shows every metric, in OpenMetrics with exemplars where `Accept` asks for it, gzipped where it may be."""
        return await exposition.respond(request)

    return router
