"""What is not about the body of a prediction: wrong pages, wrong methods, failures of the service."""

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry

from api_pokemon.main import create_app
from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring import Event, NotRecordedError
from api_pokemon.routes.problems import Kind
from api_pokemon.settings import Settings
from tests.routes.conformance import PROBLEM, Client, Conformance

DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}


class FullDisk:
    async def record(self, *events: Event) -> None:
        raise NotRecordedError("no space left on device")


@pytest.mark.parametrize("path", ["/nowhere", "/pokemon/", "/pokemon/25/moves", "/predict", "/health/", "/docs/x.js"])
async def test_an_unknown_page_is_404(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["instance"] == path


async def test_what_is_repeated_of_a_path_is_short_and_printable(client: Client) -> None:
    problem = (await client.get("/%00%1b[31m%e2%80%ae" + "x" * 5000)).json()
    assert problem["detail"] == f"There is no page /\\x00\\x1b[31m\\u202e{'x' * 60}…; GET / links every page."
    assert len(problem["instance"]) == 80


@pytest.mark.parametrize("host", ["[", "a/b?c#d", "", "\xff", "x" * 1000])
async def test_a_made_up_host_changes_nothing(client: Client, host: str) -> None:
    response = await client.get("/pokemon/999", headers=[(b"Host", host.encode("latin-1"))])
    assert (response.status_code, response.json()["instance"]) == (404, "/pokemon/999")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict/best-move", "POST"),
        ("HEAD", "/predict/best-move", "POST"),
        ("PUT", "/predict/best-move", "POST"),
        ("OPTIONS", "/predict/best-move", "POST"),
        ("GET", "/predict/best-move/batch", "POST"),
        ("POST", "/predict/model-info", "GET, HEAD"),
        ("DELETE", "/predictions", "GET, HEAD"),
        ("PUT", "/predictions/1", "GET, HEAD"),
        ("GET", "/predictions/1/outcome", "POST"),
        ("DELETE", "/pokemon/25", "GET, HEAD"),
        ("PATCH", "/types", "GET, HEAD"),
        ("TRACE", "/health", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("BREW", "/moves", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_405_with_the_right_ones(client: Client, method: str, path: str, allowed: str) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert response.headers["content-type"] == PROBLEM
    if method not in ("HEAD", "GET"):
        assert response.json()["detail"] == f"{path} does not answer to {method}, but to {allowed}."


async def test_what_cannot_be_recorded_is_not_answered(settings: Settings, conformance: Conformance) -> None:
    registry = CollectorRegistry()
    app = create_app(settings, registry=registry, recorder=FullDisk())
    async with Client(app, conformance) as client:
        alone = await client.predict(DUEL)
        batch = await client.post("/predict/best-move/batch", json={"duels": [DUEL, DUEL]})
    for response, path in ((alone, "/predict/best-move"), (batch, "/predict/best-move/batch")):
        assert response.status_code == 503
        assert response.json()["type"] == "/problems#not-recorded"
        labels = {"method": "POST", "endpoint": path, "error_type": "not-recorded"}
        assert registry.get_sample_value("api_errors_total", labels) == 1
    assert registry.get_sample_value("model_predictions_total", {"model_version": shipped_version()}) == 0


async def test_a_bug_is_500_without_its_secrets(settings: Settings) -> None:
    registry = CollectorRegistry()
    app = create_app(settings, registry=registry)

    def broken() -> None:
        raise RuntimeError("the password is xyzzy")

    app.add_api_route("/broken", broken)
    async with AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://service"
    ) as client:
        response = await client.get("/broken")
    assert (response.status_code, response.headers["content-type"]) == (500, PROBLEM)
    assert response.json()["type"] == "/problems#internal"
    assert "xyzzy" not in response.text
    labels = {"method": "GET", "endpoint": "/broken", "error_type": "internal"}
    assert registry.get_sample_value("api_errors_total", labels) == 1


async def test_every_type_leads_to_its_explanation(client: Client) -> None:
    page = (await client.get("/problems")).text
    for kind in Kind:
        assert f'id="{kind.uri.removeprefix("/problems#")}"' in page


def test_only_what_must_be_is_a_5xx() -> None:
    assert {kind.slug for kind in Kind if kind.status >= 500} == {
        *("internal", "log-unavailable", "not-recorded", "overloaded", "stopping")
    }


def test_each_problem_is_documented_somewhere(shared_app: FastAPI) -> None:
    document = str(shared_app.openapi()["paths"])
    undocumented = {Kind.NOT_FOUND, Kind.WRONG_METHOD, Kind.INTERNAL}
    assert {kind for kind in Kind if kind.uri not in document} == undocumented
