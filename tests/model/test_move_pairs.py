"""What moves make of each other."""

import numpy as np
import pytest

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.model.move_pairs import Effects, MovePairs


def effects(dex: Dex, tables: DuelTables, first: str, second: str) -> Effects:
    rows = [[tables.move_row[dex.find_move(name).id]] for name in (first, second)]
    return MovePairs(tables.moves).effects(np.array(rows))


@pytest.mark.parametrize(
    ("first", "second", "away"),
    [
        ("Surf", "Dig", [True, False]),
        ("Fly", "Surf", [False, True]),
        ("Earthquake", "Dig", None),
        ("Earthquake", "Fly", [True, False]),
        ("Thunder", "Fly", None),
        ("Dig", "Fly", None),  # both take turns that do not fit
        ("Hyper Beam", "Dig", None),
    ],
)
def test_who_is_away_while_it_charges_is_missed(
    dex: Dex, tables: DuelTables, first: str, second: str, away: list[bool] | None
) -> None:
    found = effects(dex, tables, first, second)
    assert (found.screens, found.returns) == (None, None)
    assert (None if found.away is None else found.away[:, 0].tolist()) == away


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ("Tackle", "Baddy Bad", [0.5, 1.0]),
        ("Surf", "Baddy Bad", None),
        ("Surf", "Glitzy Glow", [0.5, 1.0]),
        ("Glitzy Glow", "Tackle", None),
        ("Brick Break", "Baddy Bad", None),
    ],
)
def test_screens(dex: Dex, tables: DuelTables, first: str, second: str, left: list[float] | None) -> None:
    found = effects(dex, tables, first, second)
    assert (found.away, found.returns) == (None, None)
    assert (None if found.screens is None else found.screens[:, 0].tolist()) == left


@pytest.mark.parametrize(
    ("first", "second", "times"),
    [
        ("Counter", "Tackle", [2.0, 0.0]),
        ("Counter", "Surf", None),
        ("Surf", "Mirror Coat", [0.0, 2.0]),
        ("Mirror Coat", "Tackle", None),
        ("Bide", "Surf", [4.0, 0.0]),
        ("Bide", "Counter", [4.0, 2.0]),
    ],
)
def test_damage_that_is_given_back(
    dex: Dex, tables: DuelTables, first: str, second: str, times: list[float] | None
) -> None:
    found = effects(dex, tables, first, second)
    assert (found.away, found.screens) == (None, None)
    assert (None if found.returns is None else found.returns[:, 0].tolist()) == times


def test_pairs_do_not_mix(dex: Dex, tables: DuelTables) -> None:
    rows = {name: tables.move_row[dex.find_move(name).id] for name in ("Surf", "Dig", "Counter", "Tackle")}
    met = np.array([[rows["Surf"], rows["Surf"], rows["Tackle"]], [rows["Dig"], rows["Tackle"], rows["Counter"]]])
    found = MovePairs(tables.moves).effects(met)
    assert found.away is not None
    assert found.returns is not None
    assert found.away.tolist() == [[True, False, False], [False, False, False]]
    assert found.returns.tolist() == [[0, 0, 0], [0, 0, 2]]
    assert found.screens is None
