"""What is on record, listed page by page."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from api_pokemon.main import create_app
from api_pokemon.monitoring import (
    Outcome,
    new_id,
)
from api_pokemon.settings import Settings
from api_pokemon.stores import log_of
from tests.routes.conformance import Client, Conformance
from tests.routes.logged import NOON, a_service, admin, entry, logged_at, made


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[str]]:
    """Twenty predictions, one a minute from noon, in the order of time."""
    settings = a_service(tmp_path_factory.mktemp("data"))
    log_of(settings).migrate()
    pairs = [("bulbasaur", "pikachu"), ("raichu-alola", "eevee"), ("eevee", "mewtwo"), ("mewtwo", "mewtwo")]
    ids = []
    for minute in range(20):
        attacker, defender = pairs[minute % 4]
        version = "v1" if minute < 15 else "v2"
        ids.append(
            logged_at(
                settings, NOON.timestamp() + 60 * minute, model_version=version, attacker=attacker, defender=defender
            )
        )
    log_of(settings).write([entry(next(made), Outcome(new_id(), ids[7], happened=False))])
    return settings, ids


@pytest.fixture(scope="module")
def app_with_history(history: tuple[Settings, list[str]]) -> FastAPI:
    return create_app(history[0])


@pytest.fixture
async def admins_client(
    app_with_history: FastAPI, history: tuple[Settings, list[str]], conformance: Conformance
) -> AsyncIterator[Client]:
    async with Client(app_with_history, conformance) as client:
        client.headers.update(admin(history[0]))
        yield client


def ids_of(page: dict[str, Any]) -> list[str]:
    return [item["prediction_id"] for item in page["items"]]


async def test_the_newest_come_first(admins_client: Client, history: tuple[Settings, list[str]]) -> None:
    page = (await admins_client.get("/predictions")).json()
    assert ids_of(page) == history[1][::-1]
    assert (page["next"], page["next_cursor"]) == (None, None)
    assert [item["prediction_id"] for item in page["items"] if item["outcome"]] == [history[1][7]]
    assert page["items"][-8]["outcome"]["winner"] == "B"


@pytest.mark.parametrize("limit", [1, 7, 10, 19, 20])
async def test_pages_follow_each_other(admins_client: Client, history: tuple[Settings, list[str]], limit: int) -> None:
    seen: list[str] = []
    path: str | None = f"/predictions?limit={limit}&until=2026-08-01T12:20:00Z&model_version=v1"
    while path:
        page = (await admins_client.get(path)).json()
        assert len(page["items"]) == limit or page["next"] is None
        assert page["next_cursor"] is None or page["next_cursor"] == page["items"][-1]["prediction_id"]
        seen += ids_of(page)
        path = page["next"]
    assert seen == history[1][14::-1]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ({"since": "2026-08-01T12:17:00Z"}, [19, 18, 17]),
        ({"since": "2026-08-01T14:17:00+02:00"}, [19, 18, 17]),
        ({"since": f"{NOON.timestamp() + 17 * 60:.0f}"}, [19, 18, 17]),
        ({"until": "2026-08-01T12:02"}, [1, 0]),
        ({"since": "2026-08-01T12:05:00", "until": "2026-08-01T12:07:00"}, [6, 5]),
        ({"since": "2026-08-02"}, []),
        ({"until": "2026-08-01"}, []),
        ({"model_version": "v2"}, [19, 18, 17, 16, 15]),
        ({"model_version": "v3"}, []),
        ({"pokemon": "26", "limit": "2"}, []),
        ({"pokemon": "Raichu d'Alola", "limit": "2"}, [17, 13]),
        ({"pokemon": "10100", "limit": "2"}, [17, 13]),
        ({"pokemon": "évoli", "limit": "3"}, [18, 17, 14]),
        ({"pokemon": "MEWTWO", "model_version": "v2"}, [19, 18, 15]),
    ],
)
async def test_filters(
    admins_client: Client, history: tuple[Settings, list[str]], query: dict[str, str], minutes: list[int]
) -> None:
    response = await admins_client.get("/predictions", params=query)
    assert response.status_code == 200
    assert ids_of(response.json()) == [history[1][minute] for minute in minutes]


async def test_the_next_page_keeps_the_filters(admins_client: Client, history: tuple[Settings, list[str]]) -> None:
    page = (await admins_client.get("/predictions", params={"pokemon": "Évoli", "limit": "1"})).json()
    assert page["next"] == f"/predictions?pokemon=%C3%89voli&limit=1&cursor={history[1][18]}"
    assert ids_of((await admins_client.get(page["next"])).json()) == [history[1][17]]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit is 0; it must be at least 1."),
        ("limit=201", "limit is 201; it must be at most 200."),
        ("limit=1.0", "limit is 1.0; it must be a whole number."),
        (
            "cursor=3",
            "cursor is 3; it must be the `prediction_id` of an answer, a UUID of version 7.",
        ),
        ("cursor=", "cursor is ; it must be the `prediction_id` of an answer, a UUID of version 7."),
        (
            "since=yesterday",
            "since is yesterday; it must be a time such as 2026-08-01, 2026-08-01T10:30:00Z or 1785580200 "
            "(Unix seconds).",
        ),
        ("pokemon=", "pokemon is ; it must have at least 1 character."),
        ("model_version=%00", "model_version is \\x00; it must hold no control characters."),
    ],
)
async def test_a_bad_value_is_422(admins_client: Client, query: str, detail: str) -> None:
    response = await admins_client.get(f"/predictions?{query}")
    assert (response.status_code, response.json()["detail"]) == (422, detail)


@pytest.mark.parametrize(
    "time", ["", "20260801", "2026-13-01", "2026-08-01T25:00", "1785580200000", "nan", "-1", "1e9"]
)
async def test_a_bad_time_is_422(admins_client: Client, time: str) -> None:
    response = await admins_client.get("/predictions", params={"until": time})
    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == ["until"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "99999999999"])
async def test_any_time_can_be_asked_for(admins_client: Client, time: str) -> None:
    for parameter in ("since", "until"):
        assert (await admins_client.get("/predictions", params={parameter: time})).status_code == 200


async def test_an_unknown_pokemon_is_told_with_the_nearest(admins_client: Client) -> None:
    response = await admins_client.get("/predictions", params={"pokemon": "Pikachuu"})
    problem = response.json()
    assert (response.status_code, problem["type"]) == (422, "/problems#unknown-name")
    assert "Pikachu" in problem["suggestions"]
    nothing = (await admins_client.get("/predictions", params={"pokemon": "?"})).json()
    assert nothing["detail"] == "There is no Pokémon named '?'. GET /pokemon lists all names."
    response = await admins_client.get("/predictions", params={"pokemon": "9" * 60})
    assert (response.status_code, response.json()["type"]) == (404, "/problems#unknown-id")
