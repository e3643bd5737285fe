import asyncio
import random
import string

import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from starlette.requests import ClientDisconnect

from api_pokemon.monitoring import HttpMetrics, HttpMiddleware, note_error, note_prediction

PREDICTION = "0190f5b6-7c0e-7abc-8def-0123456789ab"


@pytest.fixture
def app(registry: CollectorRegistry, clock) -> FastAPI:
    app = FastAPI()
    metrics = HttpMetrics(registry, ["overloaded", "not-recorded"])
    app.add_middleware(HttpMiddleware, metrics=metrics, routes=app.routes, clock=clock)
    return app


@pytest.fixture
def requests(registry: CollectorRegistry):
    """Return {(method, endpoint, status): count} of what was asked so far."""

    def counted() -> dict[tuple[str, str, str], float]:
        return nonzero(registry, "api_requests_total", "status")

    return counted


@pytest.fixture
def errors(registry: CollectorRegistry):
    def counted() -> dict[tuple[str, str, str], float]:
        return nonzero(registry, "api_errors_total", "error_type")

    return counted


def nonzero(registry: CollectorRegistry, name: str, label: str) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["method"], sample.labels["endpoint"], sample.labels[label]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and sample.value
    }


def seconds(registry: CollectorRegistry, endpoint: str = "/", method: str = "GET") -> float | None:
    return registry.get_sample_value("api_request_duration_seconds_sum", {"method": method, "endpoint": endpoint})


async def test_the_status_that_was_sent_is_counted(app: FastAPI, ask, requests, errors) -> None:
    @app.get("/{status}")
    async def status(status: int) -> JSONResponse:
        return JSONResponse(None, status)

    for status_code in (200, 201, 304, 404, 422, 422):
        await ask(app, f"/{status_code}")
    await ask(app, "/x")
    assert requests() == {
        ("GET", "/{status}", "200"): 1,
        ("GET", "/{status}", "201"): 1,
        ("GET", "/{status}", "304"): 1,
        ("GET", "/{status}", "404"): 1,
        ("GET", "/{status}", "422"): 3,
    }
    assert errors() == {}


async def test_an_exception_that_escapes_is_a_500_and_goes_on(app: FastAPI, ask, requests, errors) -> None:
    failure = RuntimeError("boom")

    @app.get("/")
    async def fail() -> None:
        raise failure

    with pytest.raises(RuntimeError) as raised:
        await ask(app)
    assert raised.value is failure
    assert requests() == {("GET", "/", "500"): 1}
    assert errors() == {("GET", "/", "internal"): 1}


@pytest.mark.parametrize(
    ("status", "noted", "error_type"),
    [
        (500, None, "internal"),
        (502, None, "http-502"),
        (503, None, "http-503"),
        (503, "overloaded", "overloaded"),
        (503, "not-recorded", "not-recorded"),
        (500, "KeyError: 'user 17'", "other"),
    ],
)
async def test_every_5xx_is_an_error_though_nothing_escapes(
    app: FastAPI, ask, requests, errors, status: int, noted: str | None, error_type: str
) -> None:
    @app.get("/")
    async def answer(request: Request) -> JSONResponse:
        if noted:
            note_error(request.scope, noted)
        return JSONResponse({"detail": "sorry"}, status)

    await ask(app)
    assert requests() == {("GET", "/", str(status)): 1}
    assert errors() == {("GET", "/", error_type): 1}


async def test_an_error_turned_into_an_answer_by_a_handler_is_an_error(app: FastAPI, ask, requests, errors) -> None:
    @app.exception_handler(LookupError)
    async def handle(request: Request, error: LookupError) -> JSONResponse:
        note_error(request.scope, "overloaded")
        return JSONResponse({"detail": "full"}, 503)

    @app.get("/handled")
    async def handled() -> None:
        raise LookupError

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(504)

    await ask(app, "/handled")
    await ask(app, "/http")
    assert requests() == {("GET", "/handled", "503"): 1, ("GET", "/http", "504"): 1}
    assert errors() == {("GET", "/handled", "overloaded"): 1, ("GET", "/http", "http-504"): 1}


async def test_a_note_on_an_answer_that_went_well_is_no_error(app: FastAPI, ask, errors) -> None:
    @app.get("/")
    async def answer(request: Request) -> None:
        note_error(request.scope, "overloaded")

    await ask(app)
    assert errors() == {}


async def test_the_clock_stops_at_the_last_byte(app: FastAPI, ask, registry: CollectorRegistry, clock) -> None:
    def later(by: float) -> None:
        clock.now += by

    @app.get("/")
    async def stream(tasks: BackgroundTasks) -> StreamingResponse:
        async def chunks():
            for _ in range(3):
                later(0.25)
                yield b"part"

        tasks.add_task(later, 100.0)
        return StreamingResponse(chunks(), background=tasks)

    def sending(message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            later(0.125)  # the last byte takes its time as well

    answered = await ask(app, on_send=sending)
    assert b"".join(message.get("body", b"") for message in answered) == b"part" * 3
    assert clock.now == 1000 + 0.75 + 0.125 + 100
    assert seconds(registry) == 0.875


async def test_a_request_is_counted_before_its_background_task_ends(app: FastAPI, ask, requests) -> None:
    seen_by_task: list[dict] = []

    @app.get("/")
    async def answer(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: seen_by_task.append(requests()))

    await ask(app)
    assert seen_by_task == [{("GET", "/", "200"): 1}]


async def test_a_background_task_that_fails_is_not_an_error_of_the_answer(app: FastAPI, ask, requests, errors) -> None:
    async def fail() -> None:
        raise RuntimeError

    @app.get("/")
    async def answer(tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)

    with pytest.raises(RuntimeError):
        await ask(app)
    assert requests() == {("GET", "/", "200"): 1}
    assert errors() == {}


async def test_an_answer_broken_off_by_an_exception_is_an_error(app: FastAPI, ask, requests, errors) -> None:
    @app.get("/")
    async def stream() -> StreamingResponse:
        async def chunks():
            yield b"part"
            raise RuntimeError

        return StreamingResponse(chunks())

    with pytest.raises((RuntimeError, ExceptionGroup)):
        await ask(app)
    assert requests() == {("GET", "/", "200"): 1}
    assert errors() == {("GET", "/", "internal"): 1}


class TestClientLeaves:
    async def test_while_it_is_being_read(self, app: FastAPI, ask, requests, errors) -> None:
        @app.get("/")
        async def read(request: Request) -> None:
            raise ClientDisconnect

        with pytest.raises(ClientDisconnect):
            await ask(app)
        assert requests() == {("GET", "/", "499"): 1}
        assert errors() == {}

    async def test_in_the_middle_of_an_answer(self, app: FastAPI, ask, requests, errors) -> None:
        @app.get("/")
        async def stream() -> StreamingResponse:
            async def chunks():
                yield b"part"
                await asyncio.Event().wait()

            return StreamingResponse(chunks())

        async def receive():
            return {"type": "http.disconnect"}

        async def leaving(scope, _, send) -> None:
            await app(scope, receive, send)

        answered = await ask(leaving)
        assert all(message.get("more_body", True) for message in answered)
        assert errors() == {}
        assert set(requests()) <= {("GET", "/", "200"), ("GET", "/", "499")}
        assert sum(requests().values()) == 1

    async def test_and_the_server_says_so_when_it_sends(self, app: FastAPI, ask, requests, errors) -> None:
        @app.get("/")
        async def answer() -> None:
            return None

        def gone(message) -> None:
            raise OSError("connection lost")

        with pytest.raises(OSError, match="connection lost"):
            await ask(app, on_send=gone)
        assert requests() == {("GET", "/", "499"): 1}
        assert errors() == {}

    async def test_and_the_server_cancels_the_request(self, app: FastAPI, ask, requests, errors) -> None:
        begun = asyncio.Event()

        @app.get("/")
        async def wait() -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(ask(app))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert requests() == {("GET", "/", "499"): 1}
        assert errors() == {}


async def test_a_disk_error_of_the_application_is_its_own_fault(app: FastAPI, ask, requests, errors) -> None:
    @app.get("/")
    async def read() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await ask(app)
    assert requests() == {("GET", "/", "500"): 1}
    assert errors() == {("GET", "/", "internal"): 1}


async def test_an_application_that_does_not_answer_is_an_error(registry, ask, requests, errors) -> None:
    async def silent(scope, receive, send) -> None:
        return None

    await ask(HttpMiddleware(silent, HttpMetrics(registry)), "/x")
    assert requests() == {("GET", "unmatched", "500"): 1}
    assert errors() == {("GET", "unmatched", "internal"): 1}


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_other_scopes_pass_untouched(registry: CollectorRegistry, requests, kind: str) -> None:
    passed = []

    async def inner(*arguments) -> None:
        passed.append(arguments)

    given = ({"type": kind}, object(), object())
    await HttpMiddleware(inner, HttpMetrics(registry))(*given)
    assert passed[0] == given
    assert passed[0][1] is given[1]
    assert requests() == {}


async def test_a_prediction_leads_from_its_latency(app: FastAPI, ask, registry: CollectorRegistry, clock) -> None:
    @app.get("/")
    async def predict(request: Request) -> None:
        clock.now += 0.25
        note_prediction(request.scope, PREDICTION)

    await ask(app)
    line = next(line for line in generate_latest(registry).decode().splitlines() if PREDICTION in line)
    assert line.startswith('api_request_duration_seconds_bucket{endpoint="/",le="0.25",method="GET"} 1.0 # ')
    assert f'# {{prediction_id="{PREDICTION}"}} 0.25 ' in line


async def test_the_routes_of_the_schema_begin_at_zero(app: FastAPI, ask, registry: CollectorRegistry) -> None:
    @app.post("/predict")
    async def predict() -> None: ...

    await ask(app, "/elsewhere")
    where = {"method": "POST", "endpoint": "/predict"}
    assert registry.get_sample_value("api_requests_total", where | {"status": "200"}) == 0
    assert registry.get_sample_value("api_errors_total", where | {"error_type": "not-recorded"}) == 0
    assert (
        registry.get_sample_value("api_requests_total", {"method": "GET", "endpoint": "/docs", "status": "200"}) is None
    )


async def test_whatever_is_asked_the_number_of_series_is_bounded(
    app: FastAPI, ask, registry: CollectorRegistry
) -> None:
    @app.get("/users/{user_id}")
    async def user(user_id: str, request: Request) -> JSONResponse:
        note_error(request.scope, f"no user {user_id}")
        return JSONResponse(None, 500)

    def series() -> int:
        return sum(len(family.samples) for family in registry.collect())

    rng = random.Random(7)

    def word() -> str:
        return "".join(rng.choices(string.ascii_letters, k=8))

    methods = ["GET", "POST", "HEAD", "OPTIONS", "BREW"]
    for method in methods:
        await ask(app, f"/users/{word()}", method)
        await ask(app, f"/{word()}", method)
    before = series()
    for _ in range(1000):
        method = rng.choice([*methods, word()])
        await ask(app, rng.choice([f"/users/{word()}", f"/{word()}/{word()}", f"/{word()}?{word()}"]), method)
    assert series() == before
    text = generate_latest(registry).decode()
    assert 'method="OTHER"' in text
    assert "BREW" not in text


async def test_requests_at_the_same_time_do_not_mix(app: FastAPI, ask, requests, registry, clock) -> None:
    gates = {name: asyncio.Event() for name in "ab"}

    @app.get("/{name}")
    async def wait(name: str) -> JSONResponse:
        await gates[name].wait()
        return JSONResponse(None, 200 if name == "a" else 500)

    first, second = asyncio.create_task(ask(app, "/a")), asyncio.create_task(ask(app, "/b"))
    await asyncio.sleep(0)
    clock.now += 1
    gates["b"].set()
    await second
    clock.now += 2
    gates["a"].set()
    await first
    assert requests() == {("GET", "/{name}", "200"): 1, ("GET", "/{name}", "500"): 1}
    assert seconds(registry, "/{name}") == 1 + 3
