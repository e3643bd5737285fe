"""Who may do what: a table of every endpoint of each program, held against its routes, its document, its answers."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from api_pokemon.main import create_app
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.key_file import KeyFile
from api_pokemon.routes.keys import Role
from api_pokemon.settings import Settings
from api_pokemon.startup import ADMIN_KEY_FILE, KEY_FILE
from api_pokemon.worker import create_worker
from tests.servers import wait_until

ANYONE = None
NO_ID = "0190f5b6-7c0e-7abc-8def-0123456789ab"


class Row(NamedTuple):
    """An endpoint, and whose key it needs beside an admin's."""

    method: str
    template: str
    needed: Role | None

    @property
    def path(self) -> str:
        ids = {"prediction_id": NO_ID, "report_id": NO_ID, "pokemon_id": 25, "move_id": 57}
        return self.template.format(**ids, fault="slow-handler", file="start.js")


METRICS = Row("GET", "/metrics", Role.METRICS)
WORKER = (
    Row("GET", "/health/live", ANYONE),
    Row("GET", "/health/ready", ANYONE),
    METRICS,
    Row("GET", "/faults", Role.ADMIN),
    Row("PUT", "/faults/{fault}", Role.ADMIN),
    Row("DELETE", "/faults/{fault}", Role.ADMIN),
)
API = (
    Row("POST", "/predict/best-move", Role.PREDICT),
    Row("POST", "/predict/best-move/batch", Role.PREDICT),
    Row("GET", "/predictions", Role.ADMIN),
    Row("GET", "/predictions/{prediction_id}", Role.PREDICT),
    Row("POST", "/predictions/{prediction_id}/outcome", Role.PREDICT),
    Row("GET", "/drift/status", Role.ADMIN),
    Row("GET", "/drift/history", Role.ADMIN),
    Row("GET", "/drift/reports", Role.ADMIN),
    Row("POST", "/drift/reports", Role.ADMIN),
    Row("GET", "/drift/reports/{report_id}", Role.ADMIN),
    Row("GET", "/predict/model-info", ANYONE),
    Row("GET", "/pokemon", ANYONE),
    Row("GET", "/pokemon/{pokemon_id}", ANYONE),
    Row("GET", "/moves", ANYONE),
    Row("GET", "/moves/{move_id}", ANYONE),
    Row("GET", "/types", ANYONE),
    Row("GET", "/health", ANYONE),
    *WORKER,
)
PAGES = tuple(
    Row("GET", template, ANYONE)
    for template in ("/", "/docs", "/docs/{file}", "/openapi.json", "/problems", "/style.css")
)
KEYS = ("none", "wrong", "metrics", "predict", "admin", "the admin key of the folder")


def settings_for(folder: Path, **changes: object) -> Settings:
    hashes = {f"{name}_keys": hashlib.sha256(name.encode()).hexdigest() for name in ("predict", "admin")}
    known: dict[str, Any] = {"data_dir": folder, "tablebase": False, "_env_file": None, **hashes}
    return Settings(**known | {"faults": True, "metrics_protected": True} | changes)


class Program(NamedTuple):
    app: Starlette
    sent: dict[str, str | None]
    port: int = 80

    async def ask(self, row: Row, key: str) -> int:
        transport = ASGITransport(self.app, raise_app_exceptions=False)
        headers = {} if self.sent[key] is None else {"X-API-Key": str(self.sent[key])}
        async with AsyncClient(transport=transport, base_url=f"http://service:{self.port}") as client:
            return (await client.request(row.method, row.path, headers=headers)).status_code


def program(folder: Path, app: Starlette) -> Program:
    metrics = KeyFile(folder / KEY_FILE).entries() and (folder / "metrics").read_text()
    first = AdminKeyFile(folder / ADMIN_KEY_FILE).read_or_make()
    return Program(app, dict(zip(KEYS, (None, "wrong", str(metrics), "predict", "admin", first), strict=True)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    (folder / "metrics").write_text(KeyFile(folder / KEY_FILE).add("prometheus", Role.METRICS))
    return folder


@pytest.fixture(scope="module")
def api(folder: Path) -> Program:
    return program(folder, create_app(settings_for(folder)))


@pytest.fixture(scope="module")
def metrics(folder: Path) -> Program:
    """What the API answers on the port of metrics."""
    return program(folder, create_app(settings_for(folder, metrics_port=9464)))._replace(port=9464)


@pytest.fixture(scope="module")
def worker(folder: Path) -> Program:
    return program(folder, create_worker(settings_for(folder)))


def endpoints(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        assert isinstance(route, Route), route  # a mount would hide what is below it
        yield from ((method, route.path) for method in (route.methods or ()) if method != "HEAD")


@pytest.mark.parametrize(("name", "table"), [("api", API + PAGES), ("worker", WORKER)])
def test_every_endpoint_has_its_row(name: str, table: tuple[Row, ...], request: pytest.FixtureRequest) -> None:
    app = request.getfixturevalue(name).app
    assert sorted(endpoints(app.routes)) == sorted((row.method, row.template) for row in table)


def expected(needed: Role | None, key: str) -> set[int]:
    """The statuses that refuse; an empty set where the answer must be another one."""
    role = {"metrics": Role.METRICS, "predict": Role.PREDICT}.get(key, Role.ADMIN)
    if needed is ANYONE:
        return set()
    if key in ("none", "wrong"):
        return {401}
    return set() if role.allows(needed) else {403}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("name", "row"),
    [("api", row) for row in API + PAGES] + [("worker", row) for row in WORKER] + [("metrics", METRICS)],
    ids=lambda value: f"{value.method} {value.template}" if isinstance(value, Row) else value,
)
async def test_who_is_let_in(name: str, row: Row, key: str, request: pytest.FixtureRequest) -> None:
    status = await request.getfixturevalue(name).ask(row, key)
    if row.method == "GET":
        assert await request.getfixturevalue(name).ask(row._replace(method="HEAD"), key) == status
    refused = expected(row.needed, key)
    assert status in refused if refused else status not in (401, 403)


@pytest.mark.parametrize("row", API + PAGES, ids=lambda row: f"{row.method} {row.template}")
async def test_on_the_port_of_metrics_there_is_nothing_else(metrics: Program, row: Row) -> None:
    assert (await metrics.ask(row, "admin") == 404) == (row != METRICS)


async def test_where_metrics_have_a_port_they_are_nowhere_else(metrics: Program) -> None:
    assert await metrics._replace(port=80).ask(METRICS, "admin") == 404


def test_the_document_states_the_need_of_every_operation(api: Program) -> None:
    assert isinstance(api.app, FastAPI)
    document = api.app.openapi()
    stated = {
        Row(method.upper(), path, ANYONE): operation["security"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    admin: dict[str, list[str]] = {"admin key": []}
    needs: dict[Role | None, list[dict[str, list[str]]]] = {
        ANYONE: [],
        Role.PREDICT: [{"predict key": []}, admin],
        Role.METRICS: [{"metrics key": []}, admin, {"metrics key as a bearer token": []}],
        Role.ADMIN: [admin],
    }
    assert stated == {row._replace(needed=ANYONE): needs[row.needed] for row in API}
    schemes = document["components"]["securitySchemes"]
    assert {name for need in stated.values() for scheme in need for name in scheme} == set(schemes)


async def test_where_predictions_are_open_the_document_says_so_until_there_is_a_key(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path, predict_keys="", admin_keys=""))

    def needs() -> Any:
        return app.openapi()["paths"]["/predict/best-move"]["post"]["security"]

    assert needs() == [{"predict key": []}, {"admin key": []}, {}]
    KeyFile(tmp_path / KEY_FILE).add("someone", Role.PREDICT)
    async with app.router.lifespan_context(app):
        await asyncio.to_thread(wait_until, lambda: {} not in needs(), "the document asks for keys")


@pytest.mark.parametrize("header", ["Bearer {}", "bearer  {}"])
async def test_prometheus_may_send_its_key_as_it_does(folder: Path, api: Program, worker: Program, header: str) -> None:
    for app in (api.app, worker.app):
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            for key, status in ((api.sent["metrics"], 200), ("wrong", 401), ("predict", 403)):
                sent = {"Authorization": header.format(key)}
                found = (await client.get("/metrics", headers=sent)).status_code
                assert found == (status if app is api.app or key != "predict" else 403)


async def test_by_default_metrics_are_for_everyone(tmp_path: Path) -> None:
    for app in (
        create_app(settings_for(tmp_path, metrics_protected=False)),
        create_worker(settings_for(tmp_path, metrics_protected=False)),
    ):
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            assert (await client.get("/metrics")).status_code == 200
            assert (await client.get("/metrics", headers={"X-API-Key": "wrong"})).status_code == 200
