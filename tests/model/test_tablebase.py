"""The whole domain, and what becomes of a tablebase that is not what it says."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.errors import ModelDamagedError, ModelMissingError
from api_pokemon.model import ModelPredictor, open_model
from api_pokemon.model.features import FeatureTables
from api_pokemon.model.registry import TABLEBASE_DIR
from api_pokemon.model.tablebase import (
    ARRAYS,
    SCALE,
    TOLERANCE,
    Tablebase,
    compile_tablebase,
    load_tablebase,
    oriented,
)


@pytest.fixture(scope="module")
def tablebase(compiled_folder: Path, live: ModelPredictor) -> Tablebase:
    return load_tablebase(compiled_folder / TABLEBASE_DIR, live.metadata.model_sha256, live.features, live.score)


@pytest.fixture
def copy(compiled_folder: Path, tmp_path: Path) -> Path:
    """A version of its own to damage."""
    return shutil.copytree(compiled_folder, tmp_path / "version")


def test_chances_of_both_sides_add_up_to_one_for_every_pair(tablebase: Tablebase) -> None:
    pairs = len(tablebase.win)
    assert tablebase.win.shape == (3382, 3382)
    for pair in range(pairs):
        sums = tablebase.win[pair].astype(np.int64) + tablebase.win[:, pair]
        assert (sums == SCALE).all()
    assert (tablebase.win.diagonal() == SCALE // 2).all()


def test_it_answers_as_the_model_does(tablebase: Tablebase, live: ModelPredictor, tables: DuelTables) -> None:
    a, b = np.random.default_rng(7).integers(0, len(tables.pair_form), (2, 50_000))
    a, b = a[a != b], b[a != b]
    rows, a_first = live.features.duels(
        tables.pair_form[a], tables.pair_move[a], tables.pair_form[b], tables.pair_move[b]
    )
    error = np.abs(tablebase.win[a, b] / SCALE - oriented(live.score(rows), a_first))
    assert error.max() <= 0.5 / SCALE + 1e-6 < TOLERANCE


def test_worst_replies_are_the_worst_of_all(tablebase: Tablebase, tables: DuelTables) -> None:
    for form in range(len(tables.form_ids)):
        replies = np.flatnonzero(tables.pair_form == form)
        if len(replies) == 0:
            assert (tablebase.worst_win[:, form] == SCALE + 1).all()
            continue
        np.testing.assert_array_equal(tablebase.worst_win[:, form], tablebase.win[:, replies].min(1))
        assert np.isin(tablebase.worst_reply[:, form], replies).all()
        chosen = tablebase.win[np.arange(len(tablebase.win)), tablebase.worst_reply[:, form]]
        np.testing.assert_array_equal(chosen, tablebase.worst_win[:, form])


def test_it_is_mapped_not_read(tablebase: Tablebase) -> None:
    assert all(isinstance(getattr(tablebase, name), np.memmap) for name in ARRAYS)
    assert not tablebase.win.flags.writeable


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def rewrite(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    **{f"a bit of {name}": (lambda f, name=name: flip(f / f"{name}.npy", 5_000), "is damaged") for name in ARRAYS},
    "the last byte": (lambda f: flip(f / "win.npy", -1), "is damaged"),
    "the header": (lambda f: flip(f / "win.npy", 0), "is damaged"),
    "cut short": (lambda f: cut(f / "win.npy"), "is damaged"),
    "empty": (lambda f: (f / "uses.npy").write_bytes(b""), "is damaged"),
    "a file missing": (lambda f: (f / "worst_reply.npy").unlink(), "cannot be read"),
    "no JSON": (lambda f: (f / "manifest.json").write_text("{"), "cannot be read"),
    "no object": (lambda f: (f / "manifest.json").write_text("[]"), "cannot be read"),
    "no hashes": (lambda f: rewrite(f, lambda m: m.pop("sha256")), "cannot be read"),
    "another model's": (lambda f: rewrite(f, lambda m: m.update(model_sha256="0" * 64)), "is another model's"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_one_is_refused_and_onnx_goes_on(dex: Dex, copy: Path, damage: str) -> None:
    act, message = DAMAGE[damage]
    act(copy / TABLEBASE_DIR)
    predictor = open_model(dex, copy)
    with pytest.raises(ModelDamagedError, match=rf"{TABLEBASE_DIR} {message}.*; it must be compiled anew"):
        predictor.load_tablebase()
    assert predictor.engine == "onnx"
    assert len(predictor.answer(0, [0], 24)) == 1


def test_one_that_answers_otherwise_than_its_model_is_refused(compiled_folder: Path, live: ModelPredictor) -> None:
    def other(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(live.score(rows) + np.float32(2 * TOLERANCE), 0, 1)

    with pytest.raises(ModelDamagedError, match="does not answer as its model does"):
        load_tablebase(compiled_folder / TABLEBASE_DIR, live.metadata.model_sha256, live.features, other)


def test_a_folder_without_one_is_told_with_the_remedy(tmp_path: Path, live: ModelPredictor) -> None:
    with pytest.raises(ModelMissingError, match="make it with `api-pokemon tablebase`"):
        load_tablebase(tmp_path / "none", "", live.features, live.score)


class SmallDomain(DuelTables):
    """The pairs of a few forms only, so that compiling takes a moment."""

    def __init__(self, dex: Dex) -> None:
        super().__init__(dex)
        few = self.pair_form < 12
        self.pair_form, self.pair_move = self.pair_form[few], self.pair_move[few]
        self.first_pair = np.searchsorted(self.pair_form, np.arange(len(self.form_ids) + 1))


@pytest.fixture
def small(dex: Dex) -> FeatureTables:
    return FeatureTables(SmallDomain(dex))


def test_progress_counts_every_matchup_once(small: FeatureTables, live: ModelPredictor, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    compile_tablebase(small, live.score, "x", tmp_path / "tablebase", lambda done, total: told.append((done, total)))
    pairs = len(small.tables.pair_form)
    assert told[0] == (pairs, pairs * (pairs + 1) // 2)
    assert told[-1] == (pairs * (pairs + 1) // 2,) * 2
    assert len(told) == pairs == 194


def test_a_failure_in_the_middle_leaves_what_was_there(
    small: FeatureTables, live: ModelPredictor, tmp_path: Path
) -> None:
    target = tmp_path / "tablebase"
    compile_tablebase(small, live.score, "x", target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}

    def fail(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_tablebase(small, live.score, "y", target, fail)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert list(tmp_path.iterdir()) == [target]


def die_while_writing(folder: Path, model: bytes, files: int) -> None:
    """Compile in this process, and be killed after so many files."""
    from api_pokemon.dex import load_dex
    from api_pokemon.model.onnx_score import OnnxScore

    written = 0
    save = np.save

    def save_or_die(path: Path, array: NDArray[np.generic]) -> None:
        nonlocal written
        if written == files:
            path.write_bytes(b"half of")
            os.kill(os.getpid(), signal.SIGKILL)
        written += 1
        save(path, array)

    np.save = save_or_die  # type: ignore[assignment]
    compile_tablebase(FeatureTables(SmallDomain(load_dex())), OnnxScore(model), "x", folder / "tablebase")


@pytest.mark.parametrize("files", [0, 3])
def test_a_killed_compilation_leaves_no_half_of_one(
    small: FeatureTables, live: ModelPredictor, compiled_folder: Path, tmp_path: Path, files: int
) -> None:
    model = (compiled_folder / "model.onnx").read_bytes()
    process = multiprocessing.get_context("spawn").Process(target=die_while_writing, args=(tmp_path, model, files))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    target = tmp_path / "tablebase"
    assert not target.exists()
    # The next one is not in the way of what was left.
    compile_tablebase(small, live.score, "x", target)
    assert load_tablebase(target, "x", small, live.score).win.shape == (194, 194)
