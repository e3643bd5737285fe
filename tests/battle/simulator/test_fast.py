"""Our shortcuts through the simulator against the simulator as it comes, battle by battle."""

import numpy as np

from api_pokemon.battle.simulator import Duels, SimulatorPool, battle_seeds, worker_command
from api_pokemon.battle.simulator.duels import any_fighters, random_duels
from api_pokemon.dex import Dex, load_dex
from tests.battle.simulator_needs import needs_simulator

SEEDS = 2_000
HARD_MOVES = (
    *(
        "Bide",
        "Counter",
        "Mirror Coat",
        "Rage",
        "Dream Eater",
        "Facade",
        "Fake Out",
        "Feint",
        "Sucker Punch",
        "Struggle",
    ),
    *("Dig", "Fly", "Solar Beam", "Sky Attack", "Skull Bash", "Razor Wind"),  # charge
    *("Hyper Beam", "Outrage", "Petal Dance", "Thrash"),  # recharge, lock in
    *("Fury Swipes", "Pin Missile", "Double Kick", "Twineedle", "Double Iron Bash"),  # hit more than once
    *("Explosion", "Self-Destruct", "Take Down", "Double-Edge", "Submission", "Flare Blitz", "High Jump Kick"),
    *("Wrap", "Fire Spin", "Constrict", "Bouncy Bubble", "Leech Life", "Sappy Seed"),  # trap, drain
    *(
        "Guillotine",
        "Horn Drill",
        "Fissure",
        "Super Fang",
        "Seismic Toss",
        "Psywave",
        "Sonic Boom",
        "Foul Play",
        "Low Kick",
    ),
    *("Baddy Bad", "Glitzy Glow", "Freezy Frost", "Sparkly Swirl", "Brick Break"),  # screens, and what breaks them
    *("Sizzly Slide", "Buzzy Buzz", "Tri Attack", "Smog", "Clear Smog", "Scald", "Psybeam"),  # statuses
    *("U-turn", "Dragon Tail"),  # have nobody to switch to
)


def hard_duels(dex: Dex, count: int) -> Duels:
    """Hard moves on both sides, learnable or not; every tenth of a form against itself, so that speeds tie."""
    rng = np.random.default_rng(7)
    moves = [dex.find_move(name).id for name in HARD_MOVES]
    forms = [form.id for form in dex.forms]
    columns = [rng.choice(ids, count) for ids in (forms, moves, forms, moves)]
    duels = np.stack(columns, axis=1).astype(np.uint16)
    duels[::10, 2] = duels[::10, 0]
    return duels


def pointless_duels(dex: Dex) -> Duels:
    """Fighters that are immune to each other's moves, until nothing but Struggle is left."""
    gastly, rattata = dex.find_form("Gastly").id, dex.find_form("Rattata").id
    moves = [
        (dex.find_move(a).id, dex.find_move(b).id) for a in ("Lick", "Shadow Ball") for b in ("Hyper Beam", "Bind")
    ]
    return np.array([(gastly, a, rattata, b) for a, b in moves for _ in range(10)], dtype=np.uint16)


def test_winner_turns_and_hp_are_those_of_the_unpatched_engine() -> None:
    needs_simulator()
    dex = load_dex()
    pointless = pointless_duels(dex)
    learnable, unlearnable = (random_duels(dex, 400, 3, "training", share) for share in (0.0, 1.0))
    hard = hard_duels(dex, SEEDS - 800 - len(pointless))
    duels = np.concatenate([pointless, hard, learnable, unlearnable])
    seeds = battle_seeds(11, np.arange(SEEDS), np.zeros(SEEDS, dtype=int))
    with SimulatorPool(dex, 1, command=worker_command("--plain")) as plain, SimulatorPool(dex, 1) as fast:
        expected, actual = plain.play_battles(duels, seeds), fast.play_battles(duels, seeds)

    np.testing.assert_array_equal(actual, expected)
    # What makes this a test: every damaging move was used, Struggle was reached, both fainted at once, speeds tied.
    assert set(any_fighters(dex)[:, 1].tolist()) <= set(duels[:, [1, 3]].ravel().tolist())
    assert expected[: len(pointless), 1].min() > 10
    assert (expected[:, 2:] == 0).all(axis=1).sum() > 20
    assert (duels[:, 0] == duels[:, 2]).sum() > 100
