"""Training: what is read, what is made, and that it is made the same way again."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost

from api_pokemon.battle.split import held_out
from api_pokemon.battle.tables import DuelTables
from api_pokemon.errors import ModelError
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.registry import DUEL_RULES, load_metadata
from api_pokemon.model.training import (
    HYPER_PARAMETERS,
    Battles,
    describe_version,
    feature_rows,
    fit,
    read_battles,
    staged_version,
    to_onnx,
)
from tests.model.conftest import BATTLES, SEED, TREES, Trained


def write(path: Path, **columns: list[int]) -> Path:
    pq.write_table(pa.table({name: np.array(values, dtype=np.uint16) for name, values in columns.items()}), path)
    return path


def test_ids_become_rows(tables: DuelTables, tmp_path: Path) -> None:
    path = write(
        tmp_path / "battles.parquet",
        form_a=[1, 10100], move_a=[33, 85], form_b=[25, 809], move_b=[98, 200], battles=[1, 5], wins_a=[0, 4],
    )  # fmt: skip
    battles = read_battles(path, tables)
    assert [tables.form_ids[row] for row in (*battles.form_a, *battles.form_b)] == [1, 10100, 25, 809]
    assert [tables.moves.ids[row] for row in (*battles.move_a, *battles.move_b)] == [33, 85, 98, 200]
    assert (battles.battles.tolist(), battles.wins_a.tolist()) == ([1, 5], [0, 4])


@pytest.mark.parametrize(
    ("column", "value"),
    [("form_a", 0), ("form_b", 152), ("form_a", 65535), ("move_a", 45), ("move_b", 0), ("move_b", 165)],
)
def test_ids_that_cannot_duel_are_named(tables: DuelTables, tmp_path: Path, column: str, value: int) -> None:
    columns = {"form_a": [1, 1], "move_a": [33, 33], "form_b": [4, 4], "move_b": [10, 10], "battles": [1, 1]}
    columns[column] = [columns[column][0], value]
    path = write(tmp_path / "battles.parquet", **columns, wins_a=[1, 0])
    with pytest.raises(ModelError, match=rf"battles\.parquet holds the id {value}, which is no form, or no move"):
        read_battles(path, tables)


def test_what_holds_no_battles_is_named_with_the_remedy(tables: DuelTables, tmp_path: Path) -> None:
    other = write(tmp_path / "other.parquet", form_a=[1])
    (tmp_path / "text.parquet").write_text("no parquet")
    for path in (other, tmp_path / "text.parquet", tmp_path / "absent.parquet"):
        with pytest.raises(ModelError, match=rf"{path} cannot be read: .*`api-pokemon simulate`"):
            read_battles(path, tables)


def test_draws_are_no_label(tables: DuelTables, tmp_path: Path) -> None:
    columns = {"form_a": [1], "move_a": [33], "form_b": [4], "move_b": [10], "battles": [2], "wins_a": [1]}
    path = write(tmp_path / "battles.parquet", **columns, draws=[1])
    with pytest.raises(ModelError, match="tells of draws"):
        read_battles(path, tables)


def test_every_battle_is_told_from_the_side_that_moves_first(features: FeatureTables, trained: Trained) -> None:
    battles = trained.battles
    mirrored = Battles(
        battles.form_b, battles.move_b, battles.form_a, battles.move_a, battles.battles,
        battles.battles - battles.wins_a,
    )  # fmt: skip
    rows, wins = feature_rows(features, mirrored)
    np.testing.assert_array_equal(rows, trained.rows)
    same = (battles.form_a == battles.form_b) & (battles.move_a == battles.move_b)
    np.testing.assert_array_equal(wins[~same], trained.wins[~same])
    assert set(np.unique(wins)) == {0, 1}
    assert 0.55 < wins.mean() < 0.7  # to move first is worth something


def test_progress_of_the_features(features: FeatureTables, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_pokemon.model.training.CHUNK", 4_000)
    told: list[tuple[int, int]] = []
    rows, wins = feature_rows(features, trained.battles, lambda done, total: told.append((done, total)))
    assert told == [(4_000, 10_000), (8_000, 10_000), (10_000, 10_000)]
    np.testing.assert_array_equal(rows, trained.rows)
    np.testing.assert_array_equal(wins, trained.wins)


def test_training_again_gives_the_same_model_byte_for_byte(trained: Trained) -> None:
    def train(seed: int) -> bytes:
        booster = fit(trained.rows, trained.wins, trained.battles.battles, seed, threads=1, trees=TREES)
        return to_onnx(booster, trained.rows)

    assert train(SEED) == trained.onnx
    assert train(SEED + 1) != trained.onnx


def test_progress_of_the_trees(trained: Trained) -> None:
    told: list[tuple[int, int]] = []
    weights = trained.battles.battles
    fit(trained.rows, trained.wins, weights, SEED, 1, 3, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_weights_count(trained: Trained) -> None:
    """A duel played twice is worth two."""
    half = len(trained.wins) // 2
    twice = np.repeat(np.arange(half), 2)
    options = {"seed": SEED, "threads": 1, "trees": 3}
    repeated = fit(trained.rows[twice], trained.wins[twice], np.ones(2 * half, dtype=np.int64), **options)
    weighted = fit(trained.rows[:half], trained.wins[:half], np.full(half, 2), **options)
    matrix = xgboost.DMatrix(trained.rows[half:])
    np.testing.assert_allclose(repeated.predict(matrix), weighted.predict(matrix), atol=1e-5)


def test_a_conversion_that_changes_answers_is_not_kept(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_pokemon.model.training.MAX_DIFFERENCE", -1.0)
    with pytest.raises(ModelError, match=r"ONNX and XGBoost differ by .*; the model is not kept"):
        to_onnx(trained.booster, trained.rows[:100])


def test_a_version_says_what_it_was_made_from(trained: Trained, battles_file: Path) -> None:
    assert {path.name for path in trained.folder.iterdir()} == {"model.onnx", "metadata.json"}
    assert (trained.folder / "model.onnx").read_bytes() == trained.onnx
    metadata = load_metadata(trained.folder)
    assert metadata.version == trained.folder.name
    assert metadata.version == f"{metadata.created[:10].replace('-', '')}-{metadata.model_sha256[:8]}"
    assert metadata.model_sha256 == hashlib.sha256(trained.onnx).hexdigest()
    assert metadata.data_sha256 == hashlib.sha256(battles_file.read_bytes()).hexdigest()
    assert (metadata.battles, metadata.duel_rules, metadata.features) == (10_000, DUEL_RULES, FEATURES)
    assert metadata.hyper_parameters.items() >= HYPER_PARAMETERS.items()
    assert (metadata.hyper_parameters["seed"], metadata.hyper_parameters["threads"]) == (SEED, 1)
    assert metadata.metrics == {}


def test_a_version_appears_whole_or_not_at_all(trained: Trained, battles_file: Path, tmp_path: Path) -> None:
    metadata = describe_version(trained.onnx, battles_file, 10_000, SEED, threads=1)
    with pytest.raises(KeyboardInterrupt), staged_version(trained.onnx, metadata, tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    for text in ("first", "second"):  # a second training of the same replaces the first
        with staged_version(trained.onnx, metadata, tmp_path) as folder:
            (folder / "more").write_text(text)
        assert [path.name for path in tmp_path.iterdir()] == [metadata.version]
        assert (tmp_path / metadata.version / "more").read_text() == text
    assert load_metadata(tmp_path / metadata.version) == metadata


def test_no_committed_battle_is_between_held_out_forms() -> None:
    table = pq.read_table(BATTLES, columns=["form_a", "form_b"])
    assert table.num_rows == 4_600_000
    assert not held_out(table["form_a"].to_numpy(), table["form_b"].to_numpy()).any()
