"""What watching costs: requests per second with all metrics on, over those with metrics off.

    python -m benchmarks.metrics_cost                # the hardest case: an endpoint that does nothing else
    python -m benchmarks.metrics_cost --parts        # microseconds of each part, in this process
    python -m benchmarks.metrics_cost --service      # our own service, as the API_POKEMON_ settings have it
    python -m benchmarks.metrics_cost --off my.app:without_metrics --on my.app:with_metrics --path /predict --body '{}'

Let the service have compiled its tablebase before: ONNX costs more, and hides what watching costs.
Both servers run on one core and are loaded in turns from another; the figure is the median of the rounds' ratios.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from time import perf_counter
from timeit import repeat
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, Summary
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

from api_pokemon.monitoring import (
    HttpMetrics,
    HttpMiddleware,
    ModelMetrics,
    Prediction,
    Unwatched,
    catalogue,
    new_id,
    note_prediction,
    watch,
)
from benchmarks.alternation import Cores, alternate, uvicorn
from benchmarks.load import Call

BOUND = 0.90
DURATIONS = catalogue.MODEL_PREDICTION_DURATION.buckets
PROBABILITIES = catalogue.MODEL_WIN_PROBABILITY.buckets
_HERE = "benchmarks.metrics_cost"
DUEL = Call(
    "/predict/best-move",
    "POST",
    ('{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Tackle","Vine Whip","Razor Leaf","Sludge Bomb"]}',),
)
_ANSWER = b'{"recommended":"this one","win_probability":0.93,"confidence":0.93}'


def watched() -> FastAPI:
    """Make an application that answers a constant, the hardest to add anything to, with everything on."""
    return _constant(metrics=True)


def unwatched() -> FastAPI:
    """Make the same application with its metrics off; it still tells its recorder of every prediction."""
    return _constant(metrics=False)


def _constant(metrics: bool) -> FastAPI:
    app = FastAPI()
    watching = watch(app, application="benchmark", version="1", model_versions=["v1"], metrics=metrics)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        began = perf_counter()
        await request.body()
        prediction = Prediction(new_id(), "v1", probability=0.93, duration_seconds=perf_counter() - began)
        await watching.record(request.scope, prediction)
        return Response(_ANSWER, media_type="application/json")

    return app


def service() -> FastAPI:
    """Make our own service."""
    from api_pokemon.main import create_app
    from api_pokemon.startup import read_settings

    return create_app(read_settings())


def service_unwatched() -> FastAPI:
    """Make our own service without its metrics, which it has no setting for: nobody should run it so."""
    from api_pokemon import main

    with patch.object(main, "Watch", Unwatched):
        app = service()
    app.user_middleware = [middleware for middleware in app.user_middleware if not _watches(middleware)]
    return app


def _watches(middleware: Middleware) -> bool:
    added: object = middleware.cls
    return added is HttpMiddleware


def parts() -> dict[str, float]:
    """Return the microseconds that each part of watching adds to a request, one after the other in warm caches."""
    model = ModelMetrics(CollectorRegistry(), ["v1"])
    prediction = Prediction(new_id(), "v1", probability=0.93, duration_seconds=0.0003)
    return {
        "model metrics": _microseconds(lambda: model.observe(prediction)),
        "note the prediction for the exemplar": _microseconds(lambda: note_prediction({}, prediction.prediction_id)),
        "middleware with HTTP metrics": _middleware_microseconds(),
    }


def client_objects_microseconds() -> float:
    """Time the model metrics of one prediction as ``prometheus_client``'s own objects, without window and exemplar."""
    registry = CollectorRegistry()
    predictions = Counter("predictions", "Made.", ["version"], registry=registry).labels("v1")
    duration = Histogram("seconds", "Taken.", ["version"], registry=registry, buckets=DURATIONS).labels("v1")
    probability = Histogram("probability", "Of it.", ["version"], registry=registry, buckets=PROBABILITIES).labels("v1")
    confidence = Summary("confidence", "In it.", ["version"], registry=registry).labels("v1")

    def observe() -> None:
        predictions.inc()
        duration.observe(0.0003)
        probability.observe(0.93)
        confidence.observe(0.93)

    return _microseconds(observe)


def _microseconds(act: Callable[[], Any], times: int = 50_000) -> float:
    return min(repeat(act, number=times, repeat=5)) / times * 1e6


def _middleware_microseconds(times: int = 50_000) -> float:
    """Time a request through the middleware, less the same request without it."""
    app = unwatched()
    route = next(route for route in app.routes if getattr(route, "path", "") == "/predict")
    start: Message = {"type": "http.response.start", "status": 200, "headers": []}
    body: Message = {"type": "http.response.body", "body": _ANSWER}
    exemplar = {"prediction_id": new_id()}

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        await send(start)
        await send(body)

    async def send(message: Message) -> None:
        return None

    async def receive() -> Message:
        return {"type": "http.request"}

    async def run(act: Callable[[Scope, Receive, Send], Any]) -> float:
        began = perf_counter()
        for _ in range(times):
            scope = {"type": "http", "method": "POST", "path": "/predict", "state": {"exemplar": exemplar}}
            await act(scope, receive, send)
        return (perf_counter() - began) / times * 1e6

    wrapped = HttpMiddleware(inner, HttpMetrics(CollectorRegistry()), app.routes)
    return min(asyncio.run(run(wrapped)) for _ in range(5)) - min(asyncio.run(run(inner)) for _ in range(5))


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare a service with its metrics on and off.")
    parser.add_argument("--off", default=f"{_HERE}:unwatched", help="module:function of the app without")
    parser.add_argument("--on", default=f"{_HERE}:watched", help="module:function of the app with them")
    parser.add_argument("--path", default="/predict")
    parser.add_argument("--method", default="POST")
    parser.add_argument("--body", default='{"question":[1,2,3]}')
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--service", action="store_true", help="compare our own service instead")
    parser.add_argument("--parts", action="store_true", help="print the microseconds of each part instead")
    options = parser.parse_args()
    if options.parts:
        costs = parts()
        for name, cost in {**costs, "together": sum(costs.values())}.items():
            print(f"{cost:6.2f} us  {name}")
        print(f"{client_objects_microseconds():6.2f} us  model metrics, if they were prometheus_client's own objects")
        return 0
    off, on = uvicorn("off", options.off), uvicorn("on", options.on)
    call = Call(options.path, options.method, (options.body,))
    if options.service:
        off, on = uvicorn("off", f"{_HERE}:service_unwatched"), uvicorn("on", f"{_HERE}:service")
        call = DUEL
    comparison = alternate(
        off,
        on,
        call,
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
        cores=Cores(options.server_core, options.client_core),
    )
    for without, watching in comparison.pairs:
        print(f"requests/s off {without.per_second:7,.0f} on {watching.per_second:7,.0f}", end="   ")
        print(f"CPU us off {without.cpu_us:5.1f} on {watching.cpu_us:5.1f}", end="   ")
        print(f"p99 ms off {without.p99_ms:5.2f} on {watching.p99_ms:5.2f}")
    failed = sum(without.failed + watching.failed for without, watching in comparison.pairs)
    print(f"metrics on / metrics off: {comparison.ratio:.3f} of the requests per second (bound {BOUND:.2f}),", end=" ")
    print(f"{comparison.cpu_ratio:.3f} by CPU time; {failed} answers were not 2xx")
    return 0 if comparison.ratio >= BOUND and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
