"""POST /predict/best-move/batch."""

import json
from typing import Any

import pytest

from tests.routes.conformance import Client
from tests.routes.duels import DUEL, METAPOD, duel, without_id


async def post(client: Client, duels: object) -> Any:
    return await client.post("/predict/best-move/batch", json={"duels": duels})


async def test_each_duel_gets_what_it_would_get_alone(client: Client) -> None:
    duels = [DUEL, duel(pokemon_a_id=999), duel(available_moves=["Sruf"]), duel(pokemon_b_id=METAPOD)]
    batch = (await post(client, duels)).json()
    assert (batch["predicted"], batch["failed"]) == (1, 3)
    for body, result in zip(duels, batch["results"], strict=True):
        alone = await client.predict(body)
        assert result["status"] == alone.status_code
        if alone.is_success:
            assert result["problem"] is None
            assert without_id(result["prediction"]) == without_id(alone.json())
        else:
            assert result["prediction"] is None
            assert result["problem"]["detail"] == alone.json()["detail"]
            assert result["problem"]["instance"] == "/predict/best-move/batch"


async def test_many_duels_get_what_each_gets_alone(client: Client) -> None:
    """More than are inferred in one run, and problems among them."""
    duels = [duel(pokemon_a_id=a, pokemon_b_id=151 - a) for a in range(1, 41)]
    duels[7] = duels[30] = duel(pokemon_a_id=999)
    results = (await post(client, duels)).json()["results"]
    assert [place for place, result in enumerate(results) if result["problem"]] == [7, 10, 13, 18, 30]
    for body, result in zip(duels, results, strict=True):
        if result["prediction"]:
            assert without_id(result["prediction"]) == without_id((await client.predict(body)).json())


async def test_every_prediction_has_an_id_of_its_own(client: Client) -> None:
    batch = (await post(client, [DUEL] * 256)).json()
    ids = [result["prediction"]["prediction_id"] for result in batch["results"]]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("duels", "detail"),
    [
        ([], "duels is a list of 0; it must have at least 1 item."),
        ([DUEL] * 257, "duels is a list of 257; it must have at most 256 items."),
        (DUEL, "duels is an object of 3; it must be a list."),
        ([DUEL, 5], "duels[1] is 5; it must be a JSON object."),
        ([DUEL, duel(pokemon_a_id=0)], "duels[1].pokemon_a_id is 0; it must be at least 1."),
    ],
)
async def test_a_batch_of_the_wrong_shape_is_refused_as_a_whole(client: Client, duels: object, detail: str) -> None:
    response = await post(client, duels)
    assert (response.status_code, response.json()["detail"]) == (422, detail)


async def test_no_more_errors_are_listed_than_anyone_reads(client: Client) -> None:
    response = await post(client, [duel(pokemon_a_id=0)] * 200)
    assert len(response.json()["errors"]) == 20


async def test_a_full_batch_of_four_known_moves_each_fits(client: Client) -> None:
    moves = ["Thunder Punch", "Double-Edge", "Quick Attack", "Seismic Toss"]
    full = [duel(pokemon_a_id=10158, pokemon_b_id=10159, available_moves=moves)] * 256
    assert len(json.dumps({"duels": full})) < 64 * 1024
    assert (await post(client, full)).json()["predicted"] == 256
