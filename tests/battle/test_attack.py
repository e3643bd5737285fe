"""The chances of a knock-out against the real simulator."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from api_pokemon.battle.attack import MAX_USES, TURNS, Attacks, AttackTables, uses_by_turn
from api_pokemon.battle.simulator import A_WINS, SimulatorPool, battle_seeds
from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from tests.battle.simulator_needs import needs_simulator

BATTLES = 400


class Attack(NamedTuple):
    """Who attacks, with what, whom."""

    attacker: str
    move: str
    target: str


# Told exactly: one use of a move that hits once.
ONE_USE = {
    "the type's own": Attack("Vaporeon", "Surf", "Sandshrew-Alola"),
    "twice as effective": Attack("Psyduck", "Ice Beam", "Sandshrew"),
    "twice, and the type's own": Attack("Seadra", "Surf", "Marowak-Alola"),
    "four times as effective": Attack("Gyarados-Mega", "Flamethrower", "Parasect"),
    "four times, often critical": Attack("Victreebel", "Razor Leaf", "Rhyhorn"),
    "resisted": Attack("Golduck", "Hydro Pump", "Magikarp"),
    "immune": Attack("Snorlax", "Body Slam", "Gastly"),
    "misses": Attack("Hitmonlee", "Mega Kick", "Magikarp"),
    "misses and is often critical": Attack("Kingler", "Crabhammer", "Farfetch'd"),
    "often critical": Attack("Scyther", "Slash", "Diglett"),
    "by weight": Attack("Mankey", "Low Kick", "Sandslash-Alola"),
    "by the target's Attack": Attack("Persian-Alola", "Foul Play", "Diglett-Alola"),
    "by friendship, hopeless": Attack("Pikachu-Starter", "Pika Papow", "Gyarados"),
    "in one hit": Attack("Kingler", "Guillotine", "Snorlax"),
    "in one hit, immune": Attack("Kingler", "Guillotine", "Gengar"),
    "needs a sleeping target": Attack("Mewtwo", "Dream Eater", "Machop"),
}
# Sums of hits are taken as normal; none of these misses, or does more than damage.
SEVERAL_USES = {
    "resisted": Attack("Slowbro-Mega", "Surf", "Paras"),
    "often critical": Attack("Meowth", "Slash", "Tentacool"),
    "by the target's Attack": Attack("Gengar", "Foul Play", "Beedrill"),
    "by friendship": Attack("Pikachu-Starter", "Pika Papow", "Raticate"),
    "by level": Attack("Chansey", "Seismic Toss", "Mewtwo"),
    "at random": Attack("Mewtwo-Mega-X", "Psywave", "Starmie"),
    "hits twice": Attack("Jolteon", "Double Kick", "Pidgey"),
}
SUM_ERROR = 0.01
# Few different totals, so that a smooth distribution is coarse: the worst of all attacks is off by 0.12.
LUMPY = {
    "four times as effective": Attack("Poliwhirl", "Low Kick", "Rattata-Alola"),
    "twice, of little power": Attack("Pikachu-Starter", "Pika Papow", "Squirtle"),
}
LUMPY_ERROR = 0.12


def count(dex: Dex, tables: DuelTables, asked: Sequence[Attack]) -> Attacks:
    attacker, target = (
        np.array([tables.form_row[dex.find_form(name).id] for name in names])
        for names in ([a.attacker for a in asked], [a.target for a in asked])
    )
    moves = np.array([tables.move_row[dex.find_move(a.move).id] for a in asked])
    return AttackTables(tables).attacks(attacker, moves, target)


def knocked_out_by_turn(dex: Dex, asked: Sequence[Attack], turns: int) -> NDArray[np.float64]:
    """Share of battles that the attacker has won by each turn, shape (attacks, turns + 1).

    The target uses Dream Eater, which does nothing to who is awake.
    """
    needs_simulator()
    dream_eater = dex.find_move("Dream Eater").id
    duels = np.array(
        [
            (dex.find_form(a.attacker).id, dex.find_move(a.move).id, dex.find_form(a.target).id, dream_eater)
            for a in asked
        ],
        dtype=np.uint16,
    )
    numbers = np.repeat(np.arange(len(asked)), BATTLES)
    seeds = battle_seeds(17, numbers, np.tile(np.arange(BATTLES), len(asked)))
    with SimulatorPool(dex, 1) as pool:
        results = pool.play_battles(duels[numbers], seeds).reshape(len(asked), BATTLES, 4)
    won, turn = results[:, :, 0] == A_WINS, results[:, :, 1]
    return np.stack([(won & (turn <= last)).mean(1) for last in range(turns + 1)], axis=1)


def within_four_deviations(shares: NDArray[np.float64], chances: NDArray[np.float64], error: float) -> bool:
    deviation = np.sqrt(chances * (1 - chances) / BATTLES)
    return bool((np.abs(shares - chances) <= 4 * deviation + error).all())


def test_knock_outs_by_one_use(dex: Dex, tables: DuelTables) -> None:
    asked = list(ONE_USE.values())
    numbers = count(dex, tables, asked)
    chances = numbers.accuracy * numbers.knock_out_in_uses[:, 1]
    shares = knocked_out_by_turn(dex, asked, 1)[:, 1]
    assert within_four_deviations(shares, chances, error=1e-9)
    # What makes this a test: few of the chances are 0, and none is 1.
    assert ((chances == 0).sum(), (chances < 0.8).sum()) == (4, 16)


def test_knock_outs_by_several_uses(dex: Dex, tables: DuelTables) -> None:
    asked = list(SEVERAL_USES.values())
    numbers = count(dex, tables, asked)
    assert numbers.accuracy.tolist() == [1.0] * len(asked)
    shares = knocked_out_by_turn(dex, asked, MAX_USES)
    assert within_four_deviations(shares, numbers.knock_out_in_uses, SUM_ERROR)
    assert (shares[:, -1] == 1).all()
    assert (1 + (1 - shares[:, 1:]).sum(1)).tolist() == pytest.approx(numbers.uses_to_knock_out.tolist(), abs=0.1)


def test_knock_outs_by_several_uses_of_few_different_totals(dex: Dex, tables: DuelTables) -> None:
    asked = list(LUMPY.values())
    shares = knocked_out_by_turn(dex, asked, MAX_USES)
    chances = count(dex, tables, asked).knock_out_in_uses
    assert within_four_deviations(shares, chances, LUMPY_ERROR)


def test_super_fang(dex: Dex, tables: DuelTables) -> None:
    numbers = count(dex, tables, [Attack("Raticate", "Super Fang", "Weedle")])
    hit_points, uses = 115, 0
    while hit_points:
        hit_points -= max(hit_points // 2, 1)
        uses += 1
    assert numbers.knock_out_in_uses[0].tolist() == [float(use >= uses) for use in range(MAX_USES + 1)]


@pytest.mark.parametrize(
    ("asked", "lowest", "mean", "highest"),
    [
        (Attack("Chansey", "Seismic Toss", "Mewtwo"), 50 / 181, 50 / 181, 50 / 181),
        (Attack("Snorlax", "Body Slam", "Gastly"), 0.0, 0.0, 0.0),
        (Attack("Kingler", "Guillotine", "Snorlax"), 1.0, 1.0, 1.0),
    ],
)
def test_damage_shares(dex: Dex, tables: DuelTables, asked: Attack, lowest: float, mean: float, highest: float) -> None:
    numbers = count(dex, tables, [asked])
    told = (numbers.lowest_share[0], numbers.damage_share[0], numbers.highest_share[0])
    assert told == pytest.approx((lowest, mean, highest))


def test_mean_damage_holds_critical_hits_and_all_hits_of_a_use(dex: Dex, tables: DuelTables) -> None:
    asked = [Attack("Scyther", "Slash", "Snorlax"), Attack("Jolteon", "Double Kick", "Snorlax")]
    # Slash: 45 HP, or 67.0625 once in eight; each Double Kick: 26.75 HP, or 39.75 once in 24. Snorlax has 235.
    expected = [(7 * 45 + 67.0625) / 8 / 235, 2 * (23 * 26.75 + 39.75) / 24 / 235]
    assert count(dex, tables, asked).damage_share.tolist() == pytest.approx(expected, rel=1e-12)


def test_any_move_of_any_form_has_sane_numbers(tables: DuelTables) -> None:
    random = np.random.default_rng(0)
    move = np.repeat(np.arange(len(tables.moves.ids)), 200)
    attacker, target = random.integers(0, len(tables.form_ids), (2, len(move)))
    numbers = AttackTables(tables).attacks(attacker, move, target)
    chances = numbers.knock_out_in_uses
    assert (chances[:, 0] == 0).all()
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances, axis=1) > -1e-9).all()
    assert (numbers.lowest_share <= numbers.highest_share).all()
    assert ((numbers.damage_share > 0) == (tables.effectiveness[tables.moves.type[move], target] > 0)).all()
    assert np.isfinite(numbers.uses_to_knock_out).all()
    assert numbers.uses_to_knock_out.min() >= 1


def test_uses_by_turn() -> None:
    expected: Mapping[str, list[int]] = {
        "every turn": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10],
        "charge": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6],
        "recharge": [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
        "bide": [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4],
        "once": [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    }
    assert uses_by_turn().tolist() == list(expected.values())
    assert uses_by_turn().shape == (len(expected), TURNS + 1)
