"""The arrays say what the dex says."""

import numpy as np
import pytest

from api_pokemon.battle.stats import other_stat
from api_pokemon.battle.tables import RHYTHMS, STAT_NAMES, STATUS_IMMUNE, DuelTables
from api_pokemon.dex import Dex

CANNOT_DUEL = ("Metapod", "Kakuna", "Ditto")


def test_size_of_the_domain(tables: DuelTables) -> None:
    assert (len(tables.form_ids), len(tables.moves.ids), len(tables.pair_form)) == (188, 157, 3382)


def test_pairs_are_the_damaging_moves_of_every_learnset(dex: Dex, tables: DuelTables) -> None:
    for row, form in enumerate(dex.forms):
        pairs = slice(tables.first_pair[row], tables.first_pair[row + 1])
        damaging = [move_id for move_id in form.learnset if dex.move(move_id).damaging]
        assert (tables.pair_form[pairs] == row).all()
        assert [tables.moves.ids[move] for move in tables.pair_move[pairs]] == (
            [] if form.name in CANNOT_DUEL else damaging
        )


@pytest.mark.parametrize("name", CANNOT_DUEL)
def test_who_learns_no_damaging_move_itself_has_no_pair(dex: Dex, tables: DuelTables, name: str) -> None:
    assert tables.form_row[dex.find_form(name).id] not in tables.pair_form


def test_pair_rows_are_the_inverse_of_the_pairs(tables: DuelTables) -> None:
    assert tables.pair_row[tables.pair_form, tables.pair_move].tolist() == list(range(len(tables.pair_form)))
    assert (tables.pair_row >= 0).sum() == len(tables.pair_form)


def test_rows_and_ids_are_inverse(dex: Dex, tables: DuelTables) -> None:
    assert [tables.form_ids[row] for row in tables.form_row.values()] == [form.id for form in dex.forms]
    chosen = [move for move in dex.moves if move.damaging and move.name != "Struggle"]
    assert [tables.moves.ids[tables.move_row[move.id]] for move in chosen] == list(tables.moves.ids)
    assert not any(move.id in tables.move_row for move in dex.moves if not move.damaging)


@pytest.mark.parametrize("stat", STAT_NAMES)
def test_stats_are_those_of_the_dex(dex: Dex, tables: DuelTables, stat: str) -> None:
    base = np.array([getattr(form.base_stats, stat) for form in dex.forms])
    assert getattr(tables, stat).tolist() == other_stat(base).tolist()


def test_effectiveness_and_types_are_those_of_the_dex(dex: Dex, tables: DuelTables) -> None:
    for column, form in enumerate(dex.forms):
        assert tables.effectiveness[:, column].tolist() == [matchup.multiplier for matchup in dex.weaknesses(form)]
        assert {dex.types[row] for row in np.flatnonzero(tables.has_type[column])} == set(form.types)


def test_immunities_to_statuses_are_those_of_the_dex(dex: Dex, tables: DuelTables) -> None:
    for row, form in enumerate(dex.forms):
        assert tables.status_immune[row].tolist() == [dex.is_immune(form.types, status) for status in STATUS_IMMUNE]


@pytest.mark.parametrize(
    ("name", "kilograms", "power"),
    [("Gastly", 0.1, 20), ("Meowth", 4.2, 20), ("Machop", 19.5, 40), ("Scyther", 56.0, 80), ("Snorlax", 460.0, 120)],
)
def test_low_kick_hits_the_heavy_harder(dex: Dex, tables: DuelTables, name: str, kilograms: float, power: int) -> None:
    form = dex.find_form(name)
    assert (form.weight_kg, tables.weight_power[tables.form_row[form.id]]) == (kilograms, power)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Pika Papow", {"power": 28, "accuracy": 1.0}),
        ("Veevee Volley", {"power": 28, "accuracy": 1.0}),
        ("Dream Eater", {"power": 100, "accuracy": 0.0}),
        ("Swift", {"accuracy": 1.0}),
        ("Thunder", {"accuracy": 0.7, "physical": False}),
        ("Psywave", {"is_fixed": True, "fixed_low": 25, "fixed_high": 75}),
        ("Seismic Toss", {"is_fixed": True, "fixed_low": 50, "fixed_high": 50}),
        ("Sonic Boom", {"is_fixed": True, "fixed_low": 20, "fixed_high": 20}),
        ("Guillotine", {"is_fixed": True, "one_hit": True, "accuracy": 0.3}),
        ("Foul Play", {"target_attack": True}),
        ("Low Kick", {"weight_power": True}),
        ("Super Fang", {"halves": True, "is_fixed": False}),
        ("Slash", {"critical_chance": 0.125}),
        ("Tackle", {"critical_chance": 1 / 24, "hits": 1.0, "hits_variance": 0.0}),
        ("Double Kick", {"hits": 2.0, "hits_variance": 0.0, "fewest_hits": 2, "most_hits": 2}),
        ("Fury Attack", {"hits": 19 / 6, "hits_variance": 41 / 36, "fewest_hits": 2, "most_hits": 5}),
        ("Quick Attack", {"priority": 1}),
        ("Counter", {"priority": -5}),
        ("Solar Beam", {"rhythm": RHYTHMS.index("charge")}),
        ("Hyper Beam", {"rhythm": RHYTHMS.index("recharge")}),
        ("Bide", {"rhythm": RHYTHMS.index("bide")}),
        ("Fake Out", {"rhythm": RHYTHMS.index("once"), "priority": 3, "flinch": 1.0}),
        ("Double-Edge", {"recoil": 0.33, "crash": 0.0}),
        ("High Jump Kick", {"recoil": 0.0, "crash": 1.0}),
        ("Mega Drain", {"drain": 0.5}),
        ("Explosion", {"self_destruct": 1.0}),
        ("Outrage", {"lock": 1.0}),
        ("Fire Spin", {"trap": 1.0}),
        ("Psybeam", {"confusion": 0.1}),
        ("Double Iron Bash", {"flinch": 1 - 0.7**2}),  # either of two hits may
    ],
)
def test_rows_of_unusual_moves(dex: Dex, tables: DuelTables, name: str, expected: dict[str, float]) -> None:
    row = tables.move_row[dex.find_move(name).id]
    assert {column: getattr(tables.moves, column)[row] for column in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tri Attack", {"par": 0.2 / 3, "brn": 0.2 / 3, "frz": 0.2 / 3}),
        ("Twineedle", {"psn": 1 - 0.8**2}),
        ("Buzzy Buzz", {"par": 1.0}),
        ("Surf", {}),
    ],
)
def test_chances_of_a_status(dex: Dex, tables: DuelTables, name: str, expected: dict[str, float]) -> None:
    chances = dict(zip(STATUS_IMMUNE, tables.moves.status[tables.move_row[dex.find_move(name).id]], strict=True))
    assert chances == pytest.approx({status: expected.get(status, 0.0) for status in STATUS_IMMUNE})


@pytest.mark.parametrize(
    ("name", "target", "own"),
    [
        ("Superpower", {}, {"attack": -1, "defense": -1}),
        ("Bubble", {"speed": -0.1}, {}),
        ("Crunch", {"defense": -0.2}, {}),
        ("Psychic", {"special_defense": -0.1}, {}),
        ("Skull Bash", {}, {"defense": 1}),
        ("Tackle", {}, {}),
    ],
)
def test_stages_per_use(
    dex: Dex, tables: DuelTables, name: str, target: dict[str, float], own: dict[str, float]
) -> None:
    row = tables.move_row[dex.find_move(name).id]
    for stages, expected in ((tables.moves.target_stages, target), (tables.moves.own_stages, own)):
        assert stages[row].tolist() == pytest.approx([expected.get(stat, 0.0) for stat in STAT_NAMES])
