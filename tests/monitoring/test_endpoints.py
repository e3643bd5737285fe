from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from api_pokemon.monitoring.endpoints import EndpointNames


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    (tmp_path / "logo.svg").write_text("<svg/>")
    app = FastAPI()
    users = APIRouter()
    users.add_api_route("/users/{user_id}", answer)
    users.mount("/files", StaticFiles(directory=tmp_path))
    app.include_router(users, prefix="/v1")
    app.include_router(users, prefix="/v2")
    app.add_api_route("/health", answer)
    app.add_route("/plain/{name}", answer, include_in_schema=False)
    inner = FastAPI()
    inner.add_api_route("/things/{thing_id}", answer)
    app.mount("/inner/{tenant}", inner)
    app.mount("/star", Starlette(routes=[Mount("/deep", routes=[Route("/x/{n}", answer)])]))
    app.mount("/static", StaticFiles(directory=tmp_path))
    return app


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/health", "/health"),
        ("/v1/users/42", "/v1/users/{user_id}"),
        ("/v2/users/43", "/v2/users/{user_id}"),
        ("/v1/files/logo.svg", "/v1/files/{path}"),
        ("/plain/anything", "/plain/{name}"),
        ("/docs", "/docs"),
        ("/openapi.json", "/openapi.json"),
        ("/inner/acme/things/7", "/inner/{tenant}/things/{thing_id}"),
        ("/inner/acme/nothing", "/inner/{tenant}/{path}"),
        ("/star/deep/x/1", "/star/deep/x/{n}"),
        ("/star/deep/y", "/star/deep/{path}"),
        ("/static/logo.svg", "/static/{path}"),
        ("/static/missing.svg", "/static/{path}"),
        ("/health/", "unmatched"),
        ("/wp-login.php", "unmatched"),
        ("/", "unmatched"),
        ("", "unmatched"),
        ("//v1/users/1", "unmatched"),
    ],
)
async def test_a_request_has_the_name_of_the_route_that_answered(app: FastAPI, ask, path: str, name: str) -> None:
    assert await name_after_answer(app, ask, path) == name


async def test_a_method_that_the_route_does_not_take_has_its_name_too(app: FastAPI, ask) -> None:
    assert await name_after_answer(app, ask, "/v2/users/1", method="DELETE") == "/v2/users/{user_id}"


async def test_a_request_answered_before_routing_has_its_routes_name() -> None:
    names = EndpointNames([Route("/users/{user_id}", answer)])
    assert names.name({"type": "http", "path": "/users/1"}) == "/users/{user_id}"


async def test_a_route_added_later_is_found(app: FastAPI, ask) -> None:
    names = EndpointNames(app.routes)
    assert await name_after_answer(app, ask, "/health", names) == "/health"
    app.add_api_route("/late/{number}", answer)
    assert await name_after_answer(app, ask, "/late/5", names) == "/late/{number}"


async def test_a_route_that_is_not_in_the_list_has_no_name(ask) -> None:
    app = FastAPI()
    app.add_api_route("/health", answer)
    assert await name_after_answer(app, ask, "/health", EndpointNames([])) == "unmatched"


async def test_behind_a_proxy_the_prefix_is_not_part_of_the_name(app: FastAPI, ask) -> None:
    name = await name_after_answer(app, ask, "/api/static/logo.svg", root_path="/api")
    assert name == "/static/{path}"


def test_the_expected_endpoints_are_those_of_the_schema(app: FastAPI) -> None:
    assert sorted(EndpointNames(app.routes).expected()) == [
        ("GET", "/health", [200, 500]),
        ("GET", "/v1/users/{user_id}", [200, 500]),
        ("GET", "/v2/users/{user_id}", [200, 500]),
        ("GET", "unmatched", [404]),
    ]


def test_the_expected_statuses_are_those_that_a_route_documents() -> None:
    app = FastAPI()
    orders = APIRouter(responses={401: {}})

    @orders.post("/orders", status_code=201, responses={"413": {}, "5XX": {}, "default": {}})
    async def order(things: list[int]) -> None: ...

    app.include_router(orders)
    assert list(EndpointNames(app.routes).expected()) == [
        ("POST", "/orders", [201, 401, 413, 422, 500]),
        ("GET", "unmatched", [404]),
    ]


async def name_after_answer(
    app: FastAPI, ask, path: str, names: EndpointNames | None = None, method: str = "GET", root_path: str = ""
) -> str:
    seen: list[dict] = []

    async def watched(scope, receive, send) -> None:
        seen.append(scope)
        await app(scope, receive, send)

    await ask(watched, path, method, root_path=root_path)
    return (names or EndpointNames(app.routes)).name(seen[0])
