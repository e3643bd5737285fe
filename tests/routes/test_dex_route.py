import pytest

from tests.routes.conformance import Client


async def test_all_pokemon_are_listed_page_by_page(client: Client) -> None:
    pages = [
        (await client.get("/pokemon", params={"limit": 60, "offset": offset})).json() for offset in (0, 60, 120, 180)
    ]
    ids = [item["id"] for page in pages for item in page["items"]]
    assert ids == sorted(set(ids))
    assert len(ids) == 188
    assert {(page["total"], page["limit"]) for page in pages} == {(188, 60)}
    assert [len(page["items"]) for page in pages] == [60, 60, 60, 8]


async def test_a_page_beyond_the_end_is_empty(client: Client) -> None:
    page = (await client.get("/moves?offset=2147483647")).json()
    assert page["items"] == []
    assert page["total"] > 200


async def test_pokemon_are_found_by_a_part_of_a_name_in_any_language(client: Client) -> None:
    for search in ("dracaufeu", "DRACAU FEU", "charizard"):
        page = (await client.get("/pokemon", params={"search": search})).json()
        assert [item["id"] for item in page["items"]] == [6, 10034, 10035]


async def test_a_search_for_nothing_that_exists_finds_nothing(client: Client) -> None:
    assert (await client.get("/moves?search=xyzzy")).json() == {"total": 0, "limit": 50, "offset": 0, "items": []}


async def test_those_without_damaging_moves_cannot_duel(client: Client) -> None:
    page = (await client.get("/pokemon?limit=250")).json()
    assert [item["name"] for item in page["items"] if not item["can_duel"]] == ["Metapod", "Kakuna", "Ditto"]


async def test_a_pokemon_with_all_about_it(client: Client) -> None:
    response = await client.get("/pokemon/6", headers={"Accept-Language": "fr"})
    assert response.headers["content-language"] == "fr"
    pokemon = response.json()
    moves = pokemon.pop("moves")
    assert pokemon == {
        "id": 6,
        "name": "Dracaufeu",
        "slug": "charizard",
        "types": [{"slug": "fire", "name": "Feu"}, {"slug": "flying", "name": "Vol"}],
        "can_duel": True,
        "names": {"en": "Charizard", "fr": "Dracaufeu"},
        "national_id": 6,
        "base_form_id": 6,
        "base_stats": {
            "hp": 78,
            "attack": 84,
            "defense": 78,
            "special_attack": 109,
            "special_defense": 85,
            "speed": 100,
        },
        "weight_kg": 90.5,
        "weaknesses": [
            {"type": {"slug": "rock", "name": "Roche"}, "multiplier": 4.0},
            {"type": {"slug": "water", "name": "Eau"}, "multiplier": 2.0},
            {"type": {"slug": "electric", "name": "Électrik"}, "multiplier": 2.0},
        ],
        "resistances": [
            {"type": {"slug": "ground", "name": "Sol"}, "multiplier": 0.0},
            {"type": {"slug": "bug", "name": "Insecte"}, "multiplier": 0.25},
            {"type": {"slug": "grass", "name": "Plante"}, "multiplier": 0.25},
            {"type": {"slug": "fighting", "name": "Combat"}, "multiplier": 0.5},
            {"type": {"slug": "steel", "name": "Acier"}, "multiplier": 0.5},
            {"type": {"slug": "fire", "name": "Feu"}, "multiplier": 0.5},
            {"type": {"slug": "fairy", "name": "Fée"}, "multiplier": 0.5},
        ],
    }
    assert {
        "id": 53,
        "name": "Lance-Flammes",
        "slug": "flamethrower",
        "type": {"slug": "fire", "name": "Feu"},
        "category": "Special",
        "power": 90,
        "accuracy": 100,
        "priority": 0,
    } in moves


async def test_a_move_with_those_who_learn_it(client: Client) -> None:
    move = (await client.get("/moves/147")).json()
    assert move == {
        "id": 147,
        "name": "Spore",
        "slug": "spore",
        "type": {"slug": "grass", "name": "Grass"},
        "category": "Status",
        "power": None,
        "accuracy": 100,
        "priority": 0,
        "names": {"en": "Spore", "fr": "Spore"},
        "learned_by": [
            {"id": 46, "name": "Paras", "slug": "paras"},
            {"id": 47, "name": "Parasect", "slug": "parasect"},
        ],
    }


async def test_the_type_chart(client: Client) -> None:
    types = (await client.get("/types", headers={"Accept-Language": "fr"})).json()["types"]
    chart = {row["type"]["slug"]: row["multipliers"] for row in types}
    assert len(types) == 18
    assert all(len(row) == 18 for row in chart.values())
    assert (chart["electric"]["ground"], chart["water"]["fire"], chart["fire"]["water"]) == (0.0, 2.0, 0.5)
    assert types[0]["type"] == {"slug": "normal", "name": "Normal"}
    assert types[12]["type"]["name"] == "Électrik"


@pytest.mark.parametrize("path", ["/pokemon", "/pokemon/25", "/moves", "/moves/57", "/types"])
async def test_facts_may_be_kept_for_an_hour_in_each_language(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["cache-control"] == "public, max-age=3600"
    assert headers["vary"] == "Accept-Language"


@pytest.mark.parametrize("path", ["/pokemon/999", "/pokemon/2147483647", "/moves/999", "/pokemon/152"])
async def test_an_absent_id_is_404(client: Client, path: str) -> None:
    response = await client.get(path)
    number = path.rpartition("/")[2]
    assert response.status_code == 404
    noun, where = ("move", "/moves") if "moves" in path else ("Pokémon", "/pokemon")
    assert response.json()["detail"] == f"There is no {noun} with id {number}. GET {where} lists all ids."


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("0", "{} is 0; it must be at least 1."),
        ("-25", "{} is -25; it must be at least 1."),
        ("-0", "{} is -0; it must be at least 1."),
        ("2147483648", "{} is 2147483648; it must be at most 2147483647."),
        ("9" * 5000, "{} is " + "9" * 79 + "…; it must be a whole number of fewer digits."),
        ("1.0", "{} is 1.0; it must be a whole number."),
        ("1e2", "{} is 1e2; it must be a whole number."),
        ("1_0", "{} is 1_0; it must be a whole number."),
        ("+1", "{} is +1; it must be a whole number."),
        ("%201", "{} is  1; it must be a whole number."),
        ("true", "{} is true; it must be a whole number."),
        ("pikachu", "{} is pikachu; it must be a whole number."),
        ("NaN", "{} is NaN; it must be a whole number."),
        ("٢٥", "{} is ٢٥; it must be a whole number."),
        ("--1", "{} is --1; it must be a whole number."),
        ("%00", "{} is \\x00; it must be a whole number."),
        ("%ff", "{} is �; it must be a whole number."),
        ("<script>", "{} is <script>; it must be a whole number."),
    ],
)
@pytest.mark.parametrize(("path", "name"), [("/pokemon/", "pokemon_id"), ("/moves/", "move_id")])
async def test_a_bad_id_is_422(client: Client, path: str, name: str, value: str, detail: str) -> None:
    response = await client.get(path + value)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"detail": detail.format(name), "parameter": name}]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit is 0; it must be at least 1."),
        ("limit=251", "limit is 251; it must be at most 250."),
        ("limit=", "limit is ; it must be a whole number."),
        ("limit=ten", "limit is ten; it must be a whole number."),
        ("offset=-1", "offset is -1; it must be at least 0."),
        ("offset=1.5", "offset is 1.5; it must be a whole number."),
        ("search=" + "x" * 65, f"search is {'x' * 65}; it must have at most 64 characters."),
        ("search=%00", "search is \\x00; it must hold no control characters."),
    ],
)
@pytest.mark.parametrize("path", ["/pokemon", "/moves"])
async def test_a_bad_query_is_422(client: Client, path: str, query: str, detail: str) -> None:
    response = await client.get(f"{path}?{query}")
    assert (response.status_code, response.json()["detail"]) == (422, detail)
