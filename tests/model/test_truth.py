"""What a model is measured against."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api_pokemon.battle.simulator import SimulatorPool
from api_pokemon.battle.split import held_out
from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.errors import ModelError
from api_pokemon.model.truth import (
    MOST_NEAR,
    MOVES,
    NEAR_WORST,
    SETS,
    Truth,
    TruthSet,
    TruthSize,
    load_truth,
    save_truth,
    simulate_truth,
    truth_battles,
)
from tests.battle.simulator_needs import needs_simulator
from tests.model.conftest import TRUTH

SMALL = TruthSize(duels=20, choices=8, replies=3, battles=5, again=7)


@pytest.fixture(scope="module")
def committed(tables: DuelTables) -> Truth:
    return load_truth(TRUTH, tables)


@pytest.fixture(scope="module")
def small(dex: Dex, tables: DuelTables) -> tuple[Truth, list[int]]:
    """A truth of a few hundred battles, and what was told of its progress."""
    needs_simulator()
    told: list[int] = []
    with SimulatorPool(dex, 1) as pool:
        return simulate_truth(pool, tables, 3, SMALL, told.append), told


def same(one: Truth, other: Truth) -> bool:
    return all(
        np.array_equal(getattr(getattr(one, name), field.name), getattr(getattr(other, name), field.name))
        for name in SETS
        for field in fields(TruthSet)
    )


@pytest.mark.parametrize("name", SETS)
def test_the_committed_truth_is_of_held_out_forms_only(committed: Truth, tables: DuelTables, name: str) -> None:
    duels: TruthSet = getattr(committed, name)
    ids = np.array(tables.form_ids)
    assert held_out(ids[duels.form_a], ids[duels.form_b]).all()
    assert (tables.pair_row[duels.form_a, duels.move_a] >= 0).all()
    assert (tables.pair_row[duels.form_b, duels.move_b] >= 0).all()


def test_the_committed_truth_is_large_enough(committed: Truth) -> None:
    assert len(committed.duels.wins_a) >= 3_000
    for name in SETS:
        duels: TruthSet = getattr(committed, name)
        assert (duels.battles == 60).all()
        assert (duels.wins_a <= duels.battles).all()
        assert (duels.wins_again <= duels.battles_again).all()
    assert (committed.choices.battles_again == 60).all()
    assert set(committed.replies.battles_again.tolist()) == {0, 200}
    assert len(np.unique(committed.replies.situation)) == 300


def test_truth_survives_its_files(committed: Truth, tables: DuelTables, tmp_path: Path) -> None:
    save_truth(committed, tmp_path / "truth", tables, 2)
    assert same(load_truth(tmp_path / "truth", tables), committed)


@pytest.mark.parametrize("harm", ["absent", "no parquet", "a column short"])
def test_a_file_that_is_no_truth_is_named_with_the_remedy(
    committed: Truth, tables: DuelTables, tmp_path: Path, harm: str
) -> None:
    save_truth(committed, tmp_path, tables, 2)
    path = tmp_path / "choices.parquet"
    if harm == "absent":
        path.unlink()
    elif harm == "no parquet":
        path.write_text("no parquet")
    else:
        pq.write_table(pa.table({"situation": [1]}), path)
    with pytest.raises(ModelError, match=rf"{path} cannot be read: .*`api-pokemon evaluate --simulate SEED`"):
        load_truth(tmp_path, tables)


def test_what_is_simulated(small: tuple[Truth, list[int]], tables: DuelTables) -> None:
    truth, told = small
    assert len(truth.duels.wins_a) == SMALL.duels
    assert truth.duels.battles_again.tolist() == [0] * SMALL.duels
    assert truth.choices.battles_again.tolist() == [SMALL.battles] * len(truth.choices.wins_a)
    for name in SETS:
        duels: TruthSet = getattr(truth, name)
        ids = np.array(tables.form_ids)
        assert held_out(ids[duels.form_a], ids[duels.form_b]).all()
        assert (duels.battles == SMALL.battles).all()
    played = sum(int((getattr(truth, name).battles + getattr(truth, name).battles_again).sum()) for name in SETS)
    assert sum(told) == played <= truth_battles(tables, 3, SMALL)


def test_the_same_seed_plays_the_same(small: tuple[Truth, list[int]], dex: Dex, tables: DuelTables) -> None:
    with SimulatorPool(dex, 2, chunk_size=17) as pool:
        again = simulate_truth(pool, tables, 3, SMALL, lambda battles: None)
        other = simulate_truth(pool, tables, 4, SMALL, lambda battles: None)
    assert same(again, small[0])
    assert not same(other, small[0])


def test_a_choice_is_between_moves_against_one_reply(committed: Truth) -> None:
    choices = committed.choices
    for situation in range(0, 2_000, 40):
        rows = choices.situation == situation
        assert 1 <= rows.sum() <= MOVES
        assert len(np.unique(choices.move_a[rows])) == rows.sum()
        for column in (choices.form_a, choices.form_b, choices.move_b):
            assert len(np.unique(column[rows])) == 1


def test_replies_are_the_whole_learnset(committed: Truth, tables: DuelTables) -> None:
    replies = committed.replies
    for situation in range(0, 300, 10):
        rows = np.flatnonzero(replies.situation == situation)
        (form_b,) = np.unique(replies.form_b[rows])
        learnset = tables.pair_move[tables.pair_form == form_b].tolist()
        for move in np.unique(replies.move_a[rows]):
            assert sorted(replies.move_b[rows][replies.move_a[rows] == move].tolist()) == learnset


def test_replies_near_the_worst_are_played_again(committed: Truth) -> None:
    replies = committed.replies
    share = replies.wins_a / replies.battles
    again = replies.battles_again > 0
    requests = replies.situation * 1000 + replies.move_a
    for request in np.unique(requests)[::20]:
        rows = requests == request
        worst = share[rows].min()
        assert 1 <= again[rows].sum() <= MOST_NEAR
        assert again[rows][share[rows].argmin()] or (share[rows] == worst).sum() > MOST_NEAR
        assert share[rows & again].max() <= worst + NEAR_WORST + 1e-12
        if again[rows].sum() < MOST_NEAR:
            assert (again[rows] == (share[rows] <= worst + NEAR_WORST)).all()
