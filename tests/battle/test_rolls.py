"""What is looked up is what the formula says."""

import numpy as np
import pytest

from api_pokemon.battle.rolls import RollTable
from api_pokemon.battle.stats import ROLLS, damage_rolls
from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex


@pytest.fixture(scope="module")
def rolls(tables: DuelTables) -> RollTable:
    return RollTable(tables)


def test_any_move_of_any_form_does_what_the_formula_says(tables: DuelTables, rolls: RollTable) -> None:
    moves, forms = tables.moves, len(tables.form_ids)
    random = np.random.default_rng(1)
    move = np.repeat(np.flatnonzero(~moves.is_fixed), 200)
    attacker, target = random.integers(0, forms, (2, len(move)))
    rows = rolls.find(move * forms + attacker, move * forms + target)
    physical = moves.physical[move]
    striker = np.where(moves.target_attack[move], target, attacker)
    expected = damage_rolls(
        np.where(moves.weight_power[move], tables.weight_power[target], moves.power[move]),
        np.where(physical, tables.attack[striker], tables.special_attack[striker]),
        np.where(physical, tables.defense[target], tables.special_defense[target]),
        tables.has_type[attacker, moves.type[move]],
        tables.effectiveness[moves.type[move], target],
    )
    np.testing.assert_array_equal(rolls.damage[rows], expected)
    np.testing.assert_array_equal(rolls.mean[rows], expected.mean(-1))
    np.testing.assert_allclose(rolls.variance[rows], expected.var(-1), atol=1e-9)
    assert (expected > 1).mean() > 0.9


@pytest.mark.parametrize(
    ("name", "target", "lowest", "highest"),
    [
        ("Seismic Toss", "Mewtwo", 50, 50),
        ("Seismic Toss", "Gengar", 0, 0),
        ("Dragon Rage", "Mewtwo", 40, 40),
        ("Psywave", "Starmie", 25, 75),
        ("Guillotine", "Snorlax", 235, 235),
        ("Guillotine", "Gengar", 0, 0),
    ],
)
def test_damage_that_stats_do_not_change(
    dex: Dex, tables: DuelTables, rolls: RollTable, name: str, target: str, lowest: int, highest: int
) -> None:
    forms = len(tables.form_ids)
    first = tables.move_row[dex.find_move(name).id] * forms
    of_target = np.full(forms, first + tables.form_row[dex.find_form(target).id])
    of_everyone = rolls.damage[rolls.find(first + np.arange(forms), of_target)]
    assert of_everyone.shape == (2, forms, ROLLS)
    assert (of_everyone == of_everyone[0, 0]).all()
    assert (of_everyone[0, 0, 0], of_everyone[0, 0, -1]) == (lowest, highest)
