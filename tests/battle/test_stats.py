"""Stats and damage against the real simulator, to the last point."""

from collections.abc import Iterator

import numpy as np
import pytest

from api_pokemon.battle.simulator import A_WINS, B_WINS, SimulatorPool, battle_seeds
from api_pokemon.battle.stats import damage_rolls
from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from tests.battle.simulator_needs import needs_simulator


@pytest.fixture(scope="module")
def pool(dex: Dex) -> Iterator[SimulatorPool]:
    needs_simulator()
    with SimulatorPool(dex, 1) as pool:
        yield pool


def play(pool: SimulatorPool, duels: list[tuple[int, int, int, int]], battles: int) -> np.ndarray:
    """Results of each duel's battles, shape (duels, battles, 4)."""
    numbers = np.repeat(np.arange(len(duels)), battles)
    seeds = battle_seeds(3, numbers, np.tile(np.arange(battles), len(duels)))
    results = pool.play_battles(np.array(duels, dtype=np.uint16)[numbers], seeds)
    return results.reshape(len(duels), battles, 4)


def test_hit_points_of_every_form(pool: SimulatorPool, dex: Dex, tables: DuelTables) -> None:
    """Dream Eater does nothing to who is awake: whoever wins against it has all its HP left."""
    swift, dream_eater = dex.find_move("Swift").id, dex.find_move("Dream Eater").id
    results = play(pool, [(form.id, swift, 10, dream_eater) for form in dex.forms], 1)[:, 0]
    assert (results[:, 0] == A_WINS).all()
    assert results[:, 2].tolist() == tables.hit_points.tolist()


def test_speed_of_every_form(pool: SimulatorPool, dex: Dex, tables: DuelTables) -> None:
    """Whoever uses Explosion first loses, so that two that use it tell who is faster; equal speeds are a coin."""
    explosion = dex.find_move("Explosion").id
    order = np.argsort(tables.speed, kind="stable")
    slower, faster = order[:-1], order[1:]
    ids = tables.form_ids
    duels = [(ids[a], explosion, ids[b], explosion) for a, b in zip(slower, faster, strict=True)]
    slower_wins = (play(pool, duels, 12)[:, :, 0] == A_WINS).mean(1)
    tie = tables.speed[slower] == tables.speed[faster]
    assert (slower_wins[~tie] == 1).all()
    assert ((slower_wins[tie] > 0) & (slower_wins[tie] < 1)).all()
    assert (int(tie.sum()), len(tie)) == (140, 187)


def test_damage_of_every_form(pool: SimulatorPool, dex: Dex, tables: DuelTables) -> None:
    """Explosion on Golem, who survives it, so that the HP it has left tell the damage: one of 32 possible ones."""
    golem, move = dex.find_form("Golem"), dex.find_move("Explosion")
    target, count = tables.form_row[golem.id], len(dex.forms)
    results = play(pool, [(form.id, move.id, golem.id, dex.find_move("Dream Eater").id) for form in dex.forms], 6)
    assert (results[:, :, 0] == B_WINS).all()
    damage = tables.hit_points[target] - results[:, :, 3]
    normal, critical = damage_rolls(
        np.full(count, move.power),
        tables.attack,
        np.full(count, tables.defense[target]),
        np.array(["Normal" in form.types for form in dex.forms]),
        np.full(count, 0.5),
    )
    possible = np.concatenate([normal, critical], axis=1)
    assert (damage[:, :, None] == possible[:, None, :]).any(2).all()
    # Rolls and critical hits come as often as they should: about 1 in 24 of 1,128, and each roll of the others alike.
    is_critical = damage > normal[:, -1:]
    assert is_critical.sum() == 41
    place = (damage[:, :, None] > normal[:, None, :]).sum(2)[~is_critical]
    assert place.mean() == pytest.approx(7.0, abs=0.5)


def test_an_immune_target_takes_nothing_and_any_other_at_least_one() -> None:
    one = np.array([1, 1])
    normal, _ = damage_rolls(one, 20 * one, 400 * one, one > 1, np.array([0.0, 0.25]))
    assert normal.tolist() == [[0] * 16, [1] * 16]


@pytest.mark.parametrize(
    ("stab", "multiplier", "critical", "lowest", "highest"),
    [  # base damage 22 x 90 x 70 // 85 // 50 + 2 = 34; a critical hit: 51
        (False, 1.0, False, 28, 34),
        (False, 1.0, True, 43, 51),
        (True, 1.0, False, 42, 51),  # 1.5 rounds half down: 28 -> 42
        (True, 0.5, False, 21, 25),
        (False, 0.25, False, 7, 8),
        (True, 4.0, True, 256, 304),
    ],
)
def test_factors_are_applied_and_rounded_in_the_games_order(
    stab: bool, multiplier: float, critical: bool, lowest: int, highest: int
) -> None:
    one = np.array([1])
    rolls = damage_rolls(90 * one, 70 * one, 85 * one, np.array([stab]), multiplier * one)[int(critical)]
    assert (rolls[0, 0], rolls[0, -1]) == (lowest, highest)
