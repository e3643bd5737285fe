"""The rows that a version is watched by."""

from itertools import islice
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from api_pokemon.dex import Dex
from api_pokemon.model import ModelPredictor, MoveRanker
from api_pokemon.model.monitored_rows import choice_fields, request_fields
from api_pokemon.model.sample import save_sample
from api_pokemon.traffic.scenarios import uniform

REQUEST = [
    "attacker", "defender", "attacker_type", "attacker_second_type", "defender_type", "defender_second_type",
    "candidate_moves", "opponent_assumption", "language", "hp_difference", "attack_difference", "defense_difference",
    "special_attack_difference", "special_defense_difference", "speed_difference",
]  # fmt: skip
CHOICE = [
    "move_type", "move_category", "move_power", "type_multiplier", "stab", "learnable", "expected_damage",
    "hits_to_knock_out", "opponent_hits_to_knock_out", "moves_first", "win_probability", "confidence",
]  # fmt: skip


@pytest.fixture(scope="module")
def ranker(dex: Dex, live: ModelPredictor) -> MoveRanker:
    return MoveRanker(dex, live)


def test_what_is_told_of_a_request(ranker: MoveRanker) -> None:
    ranking = ranker.rank(25, 6, ["Thunderbolt", "Growl", "Quick Attack"], ["Ember"])
    fields = request_fields(ranking, "fr")
    assert (fields["attacker"], fields["defender"]) == ("pikachu", "charizard")
    assert (fields["attacker_type"], fields["attacker_second_type"]) == ("Electric", "none")
    assert (fields["defender_type"], fields["defender_second_type"]) == ("Fire", "Flying")
    assert (fields["candidate_moves"], fields["opponent_assumption"], fields["language"]) == (3, "given_moves", "fr")
    # Pikachu: 35 55 40 50 50 90; Charizard: 78 84 78 109 85 100
    differences = (
        fields["hp_difference"], fields["attack_difference"], fields["defense_difference"],
        fields["special_attack_difference"], fields["special_defense_difference"], fields["speed_difference"],
    )  # fmt: skip
    assert differences == (-43, -29, -38, -59, -35, -10)


def test_what_is_told_of_a_choice(ranker: MoveRanker) -> None:
    ranking = ranker.rank(25, 6, ["Thunderbolt", "Growl"], ["Ember"])
    fields, best = choice_fields(ranking), ranking.moves[0]
    assert (fields["move_type"], fields["move_category"], fields["move_power"]) == ("Electric", "Special", 90)
    assert (fields["type_multiplier"], fields["stab"], fields["learnable"], fields["moves_first"]) == (
        2.0,
        True,
        True,
        "opponent",
    )
    assert (fields["expected_damage"], fields["win_probability"]) == (best.expected_damage, best.win_probability)
    assert fields["hits_to_knock_out"] == best.hits_to_knock_out < 99


def test_hits_that_knock_nobody_out_are_missing(ranker: MoveRanker) -> None:
    nidoran, gastly = 29, 92
    fields = choice_fields(ranker.rank(nidoran, gastly, ["Tackle"], ["Lick"]))
    assert (fields["type_multiplier"], fields["hits_to_knock_out"]) == (0.0, None)
    assert 1 < fields["opponent_hits_to_knock_out"] < 99
    assert choice_fields(ranker.rank(gastly, nidoran, ["Lick"], ["Tackle"]))["opponent_hits_to_knock_out"] is None


@pytest.mark.parametrize(("form_a", "form_b"), [(150, 10), (10, 150)])
def test_confidence_is_that_of_the_likelier_side(ranker: MoveRanker, form_a: int, form_b: int) -> None:
    fields = choice_fields(ranker.rank(form_a, form_b, ["Tackle"], ["Tackle"]))
    assert fields["confidence"] == max(fields["win_probability"], 1 - fields["win_probability"]) > 0.9
    assert (fields["win_probability"] > 0.5) == (form_a == 150)


def test_the_sample_is_what_uniform_traffic_is_answered(
    dex: Dex, live: ModelPredictor, ranker: MoveRanker, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    save_sample(dex, live, 5, tmp_path, lambda done, total: told.append((done, total)), size=200)
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert told == [(done, 200) for done in range(1, 201)]
    assert len(rows) == 200
    for row, call in list(zip(rows, islice(uniform(dex, Random(5)), 200), strict=True))[::25]:
        ranking = ranker.rank(call.pokemon_a_id, call.pokemon_b_id, call.available_moves, call.available_moves_b)
        request, choice = request_fields(ranking, call.language), choice_fields(ranking)
        assert {name: row[name] for name in REQUEST} == request
        assert {name: row[name] for name in CHOICE} == choice
    assert list(rows[0]) == REQUEST + CHOICE
