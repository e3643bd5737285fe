import asyncio

import pytest

from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring import parse_id
from tests.routes.conformance import PROBLEM, Client
from tests.routes.duels import CHARIZARD, DITTO, DUEL, METAPOD, duel, without_id


async def test_the_example_of_the_readme(client: Client) -> None:
    learned_by_pikachu = {move["name"] for move in (await client.get("/pokemon/25")).json()["moves"]}
    answer = (await client.predict(DUEL)).json()
    assert parse_id(answer.pop("prediction_id"))
    (surf,) = answer.pop("all_moves")
    probability = surf.pop("win_probability")
    assert 0 < probability < 0.5
    assert surf.pop("opponent_move") in learned_by_pikachu
    assert surf["because"].pop("opponent_hits_to_knock_out") > 1
    assert answer == {
        "model_version": shipped_version(),
        "pokemon_a_id": 1,
        "pokemon_a_name": "Bulbasaur",
        "pokemon_b_id": 25,
        "pokemon_b_name": "Pikachu",
        "recommended_move": "Surf",
        "win_probability": probability,
        "confidence": round(max(probability, 1 - probability), 6),
        "opponent_assumption": "worst_of_learnset",
        "unranked_moves": [],
    }
    assert surf == {
        "name": "Surf",
        "slug": "surf",
        "type": "Water",
        "category": "Special",
        "power": 90,
        "accuracy": 100,
        "priority": 0,
        "stab": False,
        "type_multiplier": 1.0,
        "expected_damage": 0.4174,
        "learnable": False,
        "predicted_winner": "pokemon_b",
        "because": {"hits_to_knock_out": 2.9399, "moves_first": "pokemon_b"},
    }


async def test_moves_are_ranked_and_the_first_is_recommended(client: Client) -> None:
    names = ["Tackle", "Vine Whip", "Solar Beam", "Sleep Powder", "Razor Leaf"]
    answer = (await client.predict(duel(available_moves=names))).json()
    chances = [move["win_probability"] for move in answer["all_moves"]]
    assert chances == sorted(chances, reverse=True)
    assert {move["name"] for move in answer["all_moves"]} == set(names) - {"Sleep Powder"}
    assert answer["recommended_move"] == answer["all_moves"][0]["name"]
    assert answer["win_probability"] == chances[0]
    assert all(move["learnable"] for move in answer["all_moves"])
    assert answer["unranked_moves"] == [
        {
            "name": "Sleep Powder",
            "slug": "sleep-powder",
            "reason": "A status move does no damage, so it cannot win a duel by itself.",
        }
    ]


async def test_names_come_back_in_the_callers_language(client: Client) -> None:
    body = duel(available_moves=["Surf", "Sleep Powder"], available_moves_b=["Seismic Toss"])
    response = await client.predict(body, **{"Accept-Language": "fr-CH"})
    answer = response.json()
    assert (response.headers["content-language"], response.headers["vary"]) == ("fr", "Accept-Language")
    assert (answer["pokemon_a_name"], answer["recommended_move"]) == ("Bulbizarre", "Surf")
    assert (answer["all_moves"][0]["type"], answer["all_moves"][0]["opponent_move"]) == ("Eau", "Frappe Atlas")
    assert answer["unranked_moves"] == [
        {
            "name": "Poudre Dodo",
            "slug": "sleep-powder",
            "reason": "Une capacité de statut n'inflige pas de dégâts : elle ne peut pas gagner un duel à elle seule.",
        }
    ]


@pytest.mark.parametrize("name", ["Fouet Lianes", "fouet-lianes", "VINE WHIP", "vinewhip", "vine-whip", "Vine  Whip"])
async def test_a_move_is_found_by_any_spelling(client: Client, name: str) -> None:
    answer = (await client.predict(duel(available_moves=[name]))).json()
    assert answer["recommended_move"] == "Vine Whip"


async def test_a_move_given_twice_counts_once(client: Client) -> None:
    names = ["Surf", "surf", "SURF", "Growl", "Rugissement"]
    answer = (await client.predict(duel(available_moves=names))).json()
    assert [move["name"] for move in answer["all_moves"]] == ["Surf"]
    assert [move["name"] for move in answer["unranked_moves"]] == ["Growl"]


async def test_given_replies_are_the_only_ones(client: Client) -> None:
    answer = (await client.predict(duel(available_moves_b=["Quick Attack"]))).json()
    assert answer["opponent_assumption"] == "given_moves"
    assert answer["all_moves"][0]["opponent_move"] == "Quick Attack"
    assert answer["all_moves"][0]["because"]["moves_first"] == "pokemon_b"


async def test_no_replies_and_null_replies_are_the_same(client: Client) -> None:
    answers = [(await client.predict(body)).json() for body in (DUEL, duel(available_moves_b=None))]
    for answer in answers:
        del answer["prediction_id"]
    assert answers[0] == answers[1]


async def test_a_mirror_is_a_coin_toss(client: Client) -> None:
    answer = (
        await client.predict(duel(pokemon_b_id=1, available_moves=["Tackle"], available_moves_b=["Tackle"]))
    ).json()
    assert (answer["win_probability"], answer["confidence"]) == (0.5, 0.5)
    assert answer["all_moves"][0]["predicted_winner"] == "either"
    assert answer["all_moves"][0]["because"]["moves_first"] == "either"


async def test_the_two_sides_share_one_chance(client: Client) -> None:
    one = await client.predict(duel(available_moves=["Razor Leaf"], available_moves_b=["Thunderbolt"]))
    other = await client.predict(
        duel(pokemon_a_id=25, pokemon_b_id=1, available_moves=["Thunderbolt"], available_moves_b=["Razor Leaf"])
    )
    assert one.json()["win_probability"] + other.json()["win_probability"] == pytest.approx(1.0, abs=1e-6)


async def test_an_immune_opponent_is_never_knocked_out(client: Client) -> None:
    answer = (await client.predict(duel(pokemon_b_id=CHARIZARD, available_moves=["Earthquake"]))).json()
    move = answer["all_moves"][0]
    assert (move["type_multiplier"], move["expected_damage"]) == (0.0, 0.0)
    assert move["because"]["hits_to_knock_out"] is None


async def test_twenty_moves_are_not_too_many(client: Client) -> None:
    answer = (await client.predict(duel(available_moves=["Surf"] * 20, available_moves_b=["Surf"] * 20))).json()
    assert len(answer["all_moves"]) == 1


BAD_DUELS: list[tuple[object, int, str, str]] = [
    (duel(pokemon_a_id=999), 404, "unknown-id", "There is no Pokémon with id 999. GET /pokemon lists all ids."),
    (duel(pokemon_b_id=2**31 - 1), 404, "unknown-id", "There is no Pokémon with id 2147483647."),
    (duel(pokemon_a_id=0), 422, "invalid", "pokemon_a_id is 0; it must be at least 1."),
    (duel(pokemon_a_id=-25), 422, "invalid", "pokemon_a_id is -25; it must be at least 1."),
    (duel(pokemon_a_id=2**31), 422, "invalid", "pokemon_a_id is 2147483648; it must be at most 2147483647."),
    (
        duel(pokemon_a_id=10**40),
        422,
        "invalid",
        "pokemon_a_id is an integer of 133 bits; it must be at most 2147483647.",
    ),
    *(
        (
            duel(pokemon_b_id=value),
            422,
            "invalid",
            f"pokemon_b_id is {shown}; it must be a whole number, written without quotes, point or exponent.",
        )
        for value, shown in (
            (1.0, "1.0"),
            (True, "true"),
            ("25", '"25"'),
            (None, "null"),
            ([25], "a list of 1"),
            ({"id": 25}, "an object of 1"),
        )
    ),
    (duel(available_moves=[]), 422, "invalid", "available_moves is a list of 0; it must have at least 1 item."),
    (
        duel(available_moves=["Surf"] * 21),
        422,
        "invalid",
        "available_moves is a list of 21; it must have at most 20 items.",
    ),
    (duel(available_moves="Surf"), 422, "invalid", 'available_moves is "Surf"; it must be a list.'),
    (duel(available_moves=None), 422, "invalid", "available_moves is null; it must be a list."),
    (duel(available_moves=[57]), 422, "invalid", "available_moves[0] is 57; it must be a text."),
    (
        duel(available_moves=["Surf", ""]),
        422,
        "invalid",
        'available_moves[1] is ""; it must have at least 1 character.',
    ),
    (
        duel(available_moves=["x" * 65]),
        422,
        "invalid",
        f'available_moves[0] is "{"x" * 65}"; it must have at most 64 characters.',
    ),
    (
        duel(available_moves=["Su\0rf"]),
        422,
        "invalid",
        'available_moves[0] is "Su\\x00rf"; it must hold no control characters.',
    ),
    (
        duel(available_moves=["Surf\x9b31m"]),
        422,
        "invalid",
        'available_moves[0] is "Surf\\x9b31m"; it must hold no control characters.',
    ),
    (duel(available_moves_b=[]), 422, "invalid", "available_moves_b is a list of 0; it must have at least 1 item."),
    (
        duel(available_moves_b=["Surf"] * 21),
        422,
        "invalid",
        "available_moves_b is a list of 21; it must have at most 20 items.",
    ),
    (duel(level=50), 422, "invalid", "level is not a field of this request; leave it out."),
    ({}, 422, "invalid", "pokemon_a_id is missing. And 2 more errors."),
    ([], 422, "invalid", "The body is a list of 0; it must be a JSON object."),
    ("Surf", 422, "invalid", 'The body is "Surf"; it must be a JSON object.'),
    (duel(available_moves=["Sruf"]), 422, "unknown-name", "There is no move named 'Sruf'. Did you mean Surf, "),
    (duel(available_moves_b=["Thunderbold"]), 422, "unknown-name", "There is no move named 'Thunderbold'."),
    (
        duel(available_moves=["\u202exyzzy"]),
        422,
        "unknown-name",
        "There is no move named '\\u202exyzzy'. Did you mean Buzzy Buzz, Dizzy Punch, Sizzly Slide?",
    ),
    (
        duel(available_moves=["\u202e???"]),
        422,
        "unknown-name",
        "There is no move named '\\u202e???'. GET /moves lists all names.",
    ),
    (
        duel(available_moves=["Growl", "Toxic"]),
        422,
        "no-damaging-move",
        "None of the given moves can win a duel (Growl, Toxic); give at least one damaging move.",
    ),
    (
        duel(pokemon_a_id=METAPOD),
        422,
        "no-damaging-move",
        "Metapod (id 11) learns no damaging move of its own, so it cannot duel.",
    ),
    (
        duel(pokemon_b_id=DITTO),
        422,
        "no-damaging-move",
        "Ditto (id 132) learns no damaging move of its own, so it cannot duel.",
    ),
    (
        duel(available_moves_b=["Growl"]),
        422,
        "no-damaging-move",
        "None of the opponent's moves can win a duel (Growl); give at least one damaging move.",
    ),
]


@pytest.mark.parametrize(("body", "status", "kind", "detail"), BAD_DUELS)
async def test_a_bad_duel_is_answered_with_what_is_wrong(
    client: Client, body: object, status: int, kind: str, detail: str
) -> None:
    response = await client.predict(body)
    problem = response.json()
    assert (response.status_code, problem["status"], problem["type"]) == (status, status, f"/problems#{kind}")
    assert problem["detail"].startswith(detail)
    assert problem["instance"] == "/predict/best-move"
    assert response.headers["content-type"] == PROBLEM


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"", "The body is empty; send a JSON object."),
    (b"{", "EOF while parsing an object at line 1 column 1."),
    (b"surf", "Expected value at line 1 column 1."),
    (b'{"pokemon_a_id":1,}', "Trailing comma at line 1 column 19."),
    (b'{"pokemon_a_id":1} {}', "Trailing characters at line 1 column 20."),
    (b"{'pokemon_a_id':1}", "Key must be a string at line 1 column 2."),
    (b'{"pokemon_a_id":01}', "Invalid number at line 1 column 18."),
    (b'{"pokemon_a_id":' + b"9" * 5000 + b"}", "Number out of range at line 1 column 4318."),
    (b'{"available_moves":["\xff"]}', "Invalid unicode code point at line 1 column 22."),
    (b'{"available_moves":["\\ud800"]}', "Unexpected end of hex escape at line 1 column 28."),
    (b'{"available_moves":["Su\nrf"]}', "Control character (\\u0000-\\u001F) found while parsing a string at line 2"),
    (b"[" * 10_000, "Recursion limit exceeded at line 1 column 202."),
    (b'{"available_moves":' + b"[" * 300 + b"]" * 300 + b"}", "Recursion limit exceeded at line 1 column"),
    (b"\xef\xbb\xbf{}", "Expected value at line 1 column 1."),
    ('{"pokemon_a_id":1}'.encode("utf-16"), "Expected value at line 1 column 1."),
]


@pytest.mark.parametrize(("body", "detail"), BAD_BODIES)
async def test_a_body_that_is_not_json_is_told_where(client: Client, body: bytes, detail: str) -> None:
    response = await client.post("/predict/best-move", content=body, headers={"Content-Type": "application/json"})
    problem = response.json()
    assert (response.status_code, problem["type"]) == (422, "/problems#malformed-json")
    assert problem["detail"].startswith(detail)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1e2", "-0.0"])
async def test_numbers_that_are_not_whole_are_refused(client: Client, number: str) -> None:
    body = f'{{"pokemon_a_id":{number},"pokemon_b_id":25,"available_moves":["Surf"]}}'
    response = await client.post("/predict/best-move", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/pokemon_a_id"


async def test_the_last_of_a_repeated_field_counts(client: Client) -> None:
    body = '{"pokemon_a_id":4,"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
    response = await client.post("/predict/best-move", content=body, headers={"Content-Type": "application/json"})
    assert response.json()["pokemon_a_id"] == 1


async def test_every_bad_value_is_listed(client: Client) -> None:
    response = await client.predict({"pokemon_a_id": True, "available_moves": ["Surf", 1], "le/vel~": 50})
    assert response.json()["errors"] == [
        {
            "detail": "pokemon_a_id is true; it must be a whole number, written without quotes, point or exponent.",
            "pointer": "#/pokemon_a_id",
        },
        {"detail": "pokemon_b_id is missing.", "pointer": "#/pokemon_b_id"},
        {"detail": "available_moves[1] is 1; it must be a text.", "pointer": "#/available_moves/1"},
        {"detail": "le/vel~ is not a field of this request; leave it out.", "pointer": "#/le~1vel~0"},
    ]


async def test_an_unknown_name_comes_with_the_nearest_ones(client: Client) -> None:
    problem = (await client.predict(duel(available_moves=["Thunder Pnch"]))).json()
    assert problem["suggestions"][0] == "Thunder Punch"


async def test_callers_at_the_same_time_get_what_each_gets_alone(client: Client) -> None:
    """Though they share a run of the model; those who ask for what cannot be are told so."""
    moves = ["Surf", "Tackle", "Razor Leaf", "Dig"]
    bodies = [duel(pokemon_a_id=a, available_moves=moves[a % 3 :]) for a in range(1, 30)]
    bodies[3:5] = [duel(pokemon_b_id=METAPOD), duel(available_moves=["Sruf"])]
    alone = [await client.predict(body) for body in bodies]
    together = await asyncio.gather(*(client.predict(body) for body in bodies))
    assert [answer.status_code for answer in together] == [answer.status_code for answer in alone]
    assert [answer.status_code for answer in together].count(200) == len(bodies) - 4
    for one, other in zip(together, alone, strict=True):
        if one.is_success:
            assert without_id(one.json()) == without_id(other.json())
