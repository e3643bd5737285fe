import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from api_pokemon.main import create_app
from api_pokemon.monitoring import Event
from api_pokemon.routes.asgi import StoppedAsProblem
from api_pokemon.settings import Settings
from api_pokemon.worker import create_worker
from tests.routes.conformance import Client


@pytest.mark.parametrize(
    "path", ["/", "/problems", "/docs", "/style.css", "/openapi.json", "/pokemon", "/pokemon/25", "/health", "/metrics"]
)
async def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    if path not in ("/health", "/metrics"):  # these change from call to call
        assert without_id(head.headers) == without_id(get.headers)


@pytest.mark.parametrize("create", [create_app, create_worker])
async def test_so_it_is_where_only_metrics_are_shown(settings: Settings, create: Callable[[Settings], ASGIApp]) -> None:
    app = create(settings.model_copy(update={"metrics_port": 9464}))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service:9464") as client:
        head = await client.head("/metrics")
        wrong = await client.post("/metrics")
    assert (head.status_code, head.content, wrong.headers["allow"]) == (200, b"", "GET, HEAD")


def without_id(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "x-request-id"}


@pytest.mark.parametrize("path", ["/", "/docs", "/pokemon", "/nowhere", "/metrics", "/predict/best-move"])
async def test_a_browser_is_told_not_to_be_clever(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "strict-transport-security" not in headers  # whether there is TLS, only the proxy before us knows
    assert "access-control-allow-origin" not in headers
    assert len(headers.get_list("content-security-policy")) == 1
    assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")


@pytest.mark.parametrize("given", ["a", "order-7.of:shop_1", "x" * 64])
async def test_a_request_keeps_the_id_that_it_came_with(client: Client, given: str) -> None:
    assert (await client.get("/health/live", headers={"X-Request-ID": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "é", "a\x1b[1m", "{}", "'"])
async def test_otherwise_it_gets_a_new_one(client: Client, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given.encode()}
    ids = {(await client.get("/nowhere", headers=headers)).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", request_id) for request_id in ids)


class TestOtherOrigins:
    PREFLIGHT: Mapping[str, str] = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key,content-type",
    }

    async def test_by_default_no_page_of_another_origin_may_call(self, client: Client) -> None:
        preflight = await client.options("/predict/best-move", headers=self.PREFLIGHT)
        assert preflight.status_code == 405
        answers = (preflight, await client.get("/pokemon", headers={"Origin": "https://page.example"}))
        assert not [name for answer in answers for name in answer.headers if name.startswith("access-control-")]

    @pytest.mark.parametrize(("origin", "status"), [("https://page.example", 200), ("https://other.example", 400)])
    async def test_those_of_the_settings_may(self, settings: Settings, origin: str, status: int) -> None:
        app = create_app(settings.model_copy(update={"cors_origins": ("https://page.example",)}))
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            preflight = await client.options("/predict/best-move", headers={**self.PREFLIGHT, "Origin": origin})
            plain = await client.get("/pokemon", headers={"Origin": origin})
        assert (preflight.status_code, plain.status_code) == (status, 200)
        allowed = [answer.headers.get("access-control-allow-origin") for answer in (preflight, plain)]
        assert allowed == ([origin] * 2 if status == 200 else [None] * 2)
        assert "access-control-allow-credentials" not in preflight.headers


class Broken:
    async def record(self, *events: Event) -> None:
        raise RuntimeError("no answer tells this")


@pytest.mark.parametrize(("method", "path"), [("POST", "/predict/best-move"), ("GET", "/broken")])
async def test_a_failure_is_answered_told_and_counted_like_everything_else(
    settings: Settings, method: str, path: str
) -> None:
    """Found by a shortcut, or by FastAPI's router, whose own answer to failures lies further within."""
    registry = CollectorRegistry()
    changed = settings.model_copy(update={"cors_origins": ("https://page.example",)})
    app = create_app(changed, registry=registry, recorder=Broken())

    @app.get("/broken")
    async def get_broken() -> None:
        raise RuntimeError("no answer tells this")

    async with AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://s") as client:
        duel = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}
        headers = {"Origin": "https://page.example", "X-Request-ID": "order-7"}
        answer = await client.request(method, path, json=duel, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems#internal")
    assert "no answer tells this" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert answer.headers["x-request-id"] == "order-7"
    assert answer.headers["x-content-type-options"] == "nosniff"
    labels = {"method": method, "endpoint": path}
    assert registry.get_sample_value("api_requests_total", {**labels, "status": "500"}) == 1
    assert registry.get_sample_value("api_errors_total", {**labels, "error_type": "internal"}) == 1


class TestStopped:
    """A request that is cancelled, as the server does when it stops."""

    @staticmethod
    async def cancelled(*, in_the_answer: bool) -> tuple[list[Any], bool]:
        """What was sent, and whether the cancellation went on to the server."""
        reached, sent = asyncio.Event(), []

        async def never_done(scope: Scope, receive: Receive, send: Send) -> None:
            if in_the_answer:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            reached.set()
            await asyncio.Event().wait()

        async def receive() -> Any:
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        task = asyncio.create_task(StoppedAsProblem(never_done)({"type": "http"}, receive, send))
        await reached.wait()
        task.cancel()
        await asyncio.wait([task])
        return sent, task.cancelled()

    async def test_before_the_answer_it_is_a_problem(self) -> None:
        (start, body), went_on = await self.cancelled(in_the_answer=False)
        assert (start["status"], went_on) == (503, False)
        headers = dict(start["headers"])
        assert headers[b"content-type"] == b"application/problem+json"
        assert int(headers[b"content-length"]) == len(body["body"])
        assert json.loads(body["body"])["title"] == "Service Unavailable"

    async def test_in_the_answer_nothing_is_added(self) -> None:
        sent, went_on = await self.cancelled(in_the_answer=True)
        assert ([message["type"] for message in sent], went_on) == (["http.response.start"], True)
