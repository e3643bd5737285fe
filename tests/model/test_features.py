"""One implementation: what a request's rows are, training's rows are, whichever side asks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api_pokemon.battle.simulator import A_WINS, SimulatorPool, battle_seeds
from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.model import ModelPredictor
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.tablebase import every_attack
from tests.battle.simulator_needs import needs_simulator

BATTLES = 400


def random_duels(tables: DuelTables, count: int, seed: int) -> tuple[NDArray[np.intp], ...]:
    """Any form with any damaging move, learnable or not; every tenth a form against itself."""
    random = np.random.default_rng(seed)
    form_a, form_b = random.integers(0, len(tables.form_ids), (2, count))
    move_a, move_b = random.integers(0, len(tables.moves.ids), (2, count))
    form_b[::10] = form_a[::10]
    return form_a, move_a, form_b, move_b


def test_every_pair_against_every_form_is_finite(features: FeatureTables, tables: DuelTables) -> None:
    every = every_attack(features)
    assert len(every.columns) == len(tables.pair_form) * len(tables.form_ids)
    for numbers in (every.columns, every.curve, every.by_turn):
        assert np.isfinite(numbers).all()


def test_every_move_is_finite_for_every_form(features: FeatureTables, tables: DuelTables) -> None:
    duels = random_duels(tables, 60_000, seed=2)
    rows, _ = features.duels(*duels)
    assert rows.shape == (60_000, len(FEATURES))
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert set(duels[1]) == set(duels[3]) == set(range(len(tables.moves.ids)))


def test_both_sides_tell_the_same_row(features: FeatureTables, tables: DuelTables) -> None:
    form_a, move_a, form_b, move_b = random_duels(tables, 20_000, seed=3)
    rows, a_first = features.duels(form_a, move_a, form_b, move_b)
    swapped, b_first = features.duels(form_b, move_b, form_a, move_a)
    np.testing.assert_array_equal(rows, swapped)
    mirror = (form_a == form_b) & (move_a == move_b)
    np.testing.assert_array_equal(a_first[~mirror], ~b_first[~mirror])
    ties = rows[:, FEATURES.index("speed_tie")] == 1
    assert (int(ties.sum()), int(mirror.sum())) == (2309, 11)


def test_priority_decides_who_is_told_first_then_speed(dex: Dex, features: FeatureTables, tables: DuelTables) -> None:
    def a_first(form_a: str, move_a: str, form_b: str, move_b: str) -> bool:
        forms, moves = tables.form_row, tables.move_row
        _, first = features.duels(
            np.array([forms[dex.find_form(form_a).id]]),
            np.array([moves[dex.find_move(move_a).id]]),
            np.array([forms[dex.find_form(form_b).id]]),
            np.array([moves[dex.find_move(move_b).id]]),
        )
        return bool(first[0])

    assert a_first("Electrode", "Tackle", "Slowpoke", "Tackle")
    assert not a_first("Slowpoke", "Tackle", "Electrode", "Tackle")
    assert not a_first("Electrode", "Tackle", "Slowpoke", "Quick Attack")
    assert a_first("Slowpoke", "Quick Attack", "Electrode", "Counter")


@pytest.mark.parametrize("replies", ["learnset", "given"])
def test_a_request_asks_about_the_rows_of_training(
    live: ModelPredictor, features: FeatureTables, tables: DuelTables, replies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """k moves against n replies, counted in one go, are k x n duels counted one by one."""
    asked: list[NDArray[np.float32]] = []

    def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        asked.append(rows.copy())
        return np.full(len(rows), 0.5, dtype=np.float32)

    monkeypatch.setattr(live, "score", score)
    random = np.random.default_rng(4)
    for form_a, form_b in random.choice(np.unique(tables.pair_form), (20, 2)).tolist():
        moves_a = random.choice(len(tables.moves.ids), 4, replace=False)
        if replies == "given":
            moves_b = given = random.choice(len(tables.moves.ids), 5, replace=False)
        else:
            moves_b, given = tables.pair_move[tables.pair_form == form_b], None
        live.answer(form_a, moves_a, form_b, given)
        k, n = len(moves_a), len(moves_b)
        grid = np.full(k * n, form_a), np.repeat(moves_a, n), np.full(k * n, form_b), np.tile(moves_b, k)
        expected, _ = features.duels(*grid)
        np.testing.assert_array_equal(asked.pop(), expected)


def test_a_row_depends_on_no_other(dex: Dex, features: FeatureTables, tables: DuelTables) -> None:
    """In any company, to the bit. Tri Attack brings most statuses: there is something to add up."""
    duels = random_duels(tables, 1_000, seed=5)
    duels[1][::2] = tables.move_row[dex.find_move("Tri Attack").id]
    together, _ = features.duels(*duels)
    for size in (1, 2, 3, 7, 64):
        parts = [features.duels(*(side[start : start + size] for side in duels))[0] for start in range(0, 1_000, size)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


CURVES = {
    "misses": ("Hitmonlee", "Mega Kick", "Parasect", 0.0),
    # The sum of two to five hits is not normal.
    "misses, hits several times": ("Beedrill", "Pin Missile", "Tangela", 0.06),
    "in one hit": ("Kingler", "Guillotine", "Snorlax", 0.0),
    "charges": ("Ivysaur", "Solar Beam", "Pidgey", 0.0),
    "charges and misses": ("Pidgeot", "Sky Attack", "Snorlax", 0.0),
    # A miss needs no recharge, which the curve does not know.
    "recharges": ("Moltres", "Hyper Beam", "Tauros", 0.15),
}


def test_curves_by_turn_are_those_of_the_simulator(dex: Dex, features: FeatureTables, tables: DuelTables) -> None:
    """Against Dream Eater, which does nothing to who is awake."""
    needs_simulator()
    dream_eater = dex.find_move("Dream Eater").id
    attacks = [
        (dex.find_form(a).id, dex.find_move(move).id, dex.find_form(b).id, dream_eater)
        for a, move, b, _ in CURVES.values()
    ]
    numbers = np.repeat(np.arange(len(attacks)), BATTLES)
    seeds = battle_seeds(19, numbers, np.tile(np.arange(BATTLES), len(attacks)))
    with SimulatorPool(dex, 1) as pool:
        results = pool.play_battles(np.array(attacks, dtype=np.uint16)[numbers], seeds)
    results = results.reshape(len(attacks), BATTLES, 4)
    won, turn = results[:, :, 0] == A_WINS, results[:, :, 1]
    moves = np.array([tables.move_row[move] for _, move, *_ in attacks])
    told = features.attacks(
        np.array([tables.form_row[form_a] for form_a, *_ in attacks]),
        moves,
        np.array([tables.form_row[form_b] for *_, form_b, _ in attacks]),
    )
    for row, (name, (*_, error)) in enumerate(CURVES.items()):
        shares = np.array([(won[row] & (turn[row] <= last)).mean() for last in range(11)])
        chances = told.by_turn[row, :11]
        assert (np.abs(shares - chances) <= 4 * np.sqrt(chances * (1 - chances) / BATTLES) + error + 0.01).all(), name
        assert 0.05 < chances[5] < 0.98 or 0.05 < chances[2] < 0.98, name
