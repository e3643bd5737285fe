"""Random duels are what the parameters say, whatever the order in which they are drawn."""

import numpy as np
import pytest

from api_pokemon.battle.simulator.duels import any_fighters, learnable_fighters, random_duels
from api_pokemon.battle.simulator.hashing import below, hashes
from api_pokemon.battle.split import HELD_OUT_SHARE, held_out
from api_pokemon.dex import Dex, load_dex


@pytest.fixture(scope="module")
def dex() -> Dex:
    return load_dex()


def test_the_first_duels_of_seed_1(dex: Dex) -> None:
    assert random_duels(dex, 3, 1, "training", 0.04).tolist() == [
        [150, 59, 88, 247],
        [38, 399, 40, 7],
        [10041, 242, 57, 87],
    ]


def test_a_longer_run_begins_with_the_shorter_one(dex: Dex) -> None:
    np.testing.assert_array_equal(
        random_duels(dex, 500, 1, "training", 0.3)[:100], random_duels(dex, 100, 1, "training", 0.3)
    )


def test_fighters_are_uniform_among_learnable_pairs(dex: Dex) -> None:
    fighters = learnable_fighters(dex)
    duels = random_duels(dex, 200_000, 1, "training", 0.0)
    for side in (duels[:, :2], duels[:, 2:]):
        drawn, counts = np.unique(side, axis=0, return_counts=True)
        np.testing.assert_array_equal(drawn, np.unique(fighters, axis=0))
        expected = len(duels) / len(fighters)
        assert (np.abs(counts - expected) < 6 * expected**0.5).all()


def test_fighters_know_their_moves_but_for_the_unlearnable_share(dex: Dex) -> None:
    duels = random_duels(dex, 20_000, 1, "training", 0.25)
    known = np.array([dex.form(a).learns(x) and dex.form(b).learns(y) for a, x, b, y in duels.tolist()])
    learnable = len(learnable_fighters(dex)) / len(any_fighters(dex))
    assert known.mean() == pytest.approx(0.75 + 0.25 * learnable**2, abs=0.01)


def test_every_move_deals_damage_and_none_is_struggle(dex: Dex) -> None:
    moves = {dex.move(move).name for move in any_fighters(dex)[:, 1].tolist()}
    assert "Struggle" not in moves
    assert "Growl" not in moves
    assert len(moves) == 157


@pytest.mark.parametrize("unlearnable", [0.0, 1.0])
def test_training_and_held_out_never_meet(dex: Dex, unlearnable: float) -> None:
    training, kept = (random_duels(dex, 3_000, 1, matchups, unlearnable) for matchups in ("training", "held-out"))
    assert not held_out(training[:, 0], training[:, 2]).any()
    assert held_out(kept[:, 0], kept[:, 2]).all()


def test_the_split_is_symmetric_and_fixed(dex: Dex) -> None:
    forms = np.array([form.id for form in dex.forms])
    table = held_out(forms[:, None], forms)
    np.testing.assert_array_equal(table, table.T)
    pairs = table[np.triu_indices(len(forms))]
    assert (len(pairs), pairs.sum()) == (17_766, 573)
    assert pairs.mean() == pytest.approx(HELD_OUT_SHARE, abs=0.004)


def test_hashes_broadcast_and_differ_by_every_counter() -> None:
    words = hashes(1, np.arange(50)[:, None], np.arange(40))
    assert words.shape == (50, 40)
    assert len(np.unique(words)) == 2_000
    assert np.unpackbits(words.view(np.uint8)).mean() == pytest.approx(0.5, abs=0.01)


def test_below_reaches_both_ends() -> None:
    assert below(np.array([0, 2**64 - 1], dtype=np.uint64), 157).tolist() == [0, 156]
