"""The model as files and as numbers: sizes, the tablebase's compilation, and how far its ways to answer differ.

    python -m benchmarks.model                   # the shipped version
    python -m benchmarks.model --model-dir FOLDER

Compiling is timed on one core. Differences are the largest ones seen: over random duels, half of them with any damaging
moves, learnable or not; for the tablebase over random requests against unknown movesets.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
import xgboost
from numpy.typing import NDArray

from api_pokemon.battle.simulator.duels import random_duels
from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex, load_dex
from api_pokemon.model import ModelPredictor, install_version, open_model
from api_pokemon.model.commands import BATTLES
from api_pokemon.model.onnx_score import OnnxScore
from api_pokemon.model.registry import MODEL_FILE, TABLEBASE_DIR
from api_pokemon.model.tablebase import SCALE, compile_tablebase, oriented
from api_pokemon.model.training import Battles, feature_rows, fit, read_battles, to_onnx
from benchmarks.figure import Figure, print_all

SEED = 1
DUELS = 1_000_000
REQUESTS = 20_000
BATTLES_TO_FIT = 500_000
CHUNK = 50_000
MEGABYTE = 1e6


@contextmanager
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def sizes(folder: Path) -> Iterator[Figure]:
    model = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    yield Figure("size of the version without its tablebase", model / MEGABYTE, 4, "MB")
    yield Figure("size of the committed battles", BATTLES.stat().st_size / MEGABYTE, 6, "MB")


def compile_seconds(predictor: ModelPredictor) -> float:
    """Compile the version's tablebase, replacing the one that is there."""
    target = predictor.folder / TABLEBASE_DIR
    with one_core():
        began = perf_counter()
        compile_tablebase(predictor.features, predictor.score, predictor.metadata.model_sha256, target)
        return perf_counter() - began


def duels(dex: Dex, tables: DuelTables) -> NDArray[np.intp]:
    """Random duels as rows of the tables (form A, move A, form B, move B), half of them of any damaging moves."""
    ids = random_duels(dex, DUELS, SEED, "training", 0.5)
    rows = np.empty(ids.shape, dtype=np.intp)
    for column in range(4):
        row_of = tables.move_row if column % 2 else tables.form_row
        known, places = np.unique(ids[:, column], return_inverse=True)
        rows[:, column] = np.array([row_of[value] for value in known])[places]
    return rows


def antisymmetry(predictor: ModelPredictor, rows: NDArray[np.intp]) -> float:
    """Largest difference of P(A wins) + P(B wins) from 1."""
    largest = 0.0
    for start in range(0, len(rows), CHUNK):
        form_a, move_a, form_b, move_b = rows[start : start + CHUNK].T
        total = _wins(predictor, form_a, move_a, form_b, move_b) + _wins(predictor, form_b, move_b, form_a, move_a)
        same = (form_a == form_b) & (move_a == move_b)  # one and the same row; answered with 1/2, not asked
        largest = max(largest, float(np.abs(total - 1)[~same].max()))
    return largest


def _wins(predictor: ModelPredictor, *duel: NDArray[np.intp]) -> NDArray[np.float64]:
    rows, a_first = predictor.features.duels(*duel)
    return oriented(predictor.score(rows), a_first)


def tablebase_antisymmetry(predictor: ModelPredictor) -> float:
    win = np.load(predictor.folder / TABLEBASE_DIR / "win.npy", mmap_mode="r").astype(np.int64)
    return float(np.abs(win + win.T - SCALE).max()) / SCALE


def tablebase_difference(compiled: ModelPredictor, live: ModelPredictor) -> float:
    """Largest difference of a win probability, over requests against unknown movesets."""
    tables = compiled.tables
    random = np.random.default_rng(SEED)
    able = np.unique(tables.pair_form)
    largest = 0.0
    for form_a, form_b in random.choice(able, (REQUESTS, 2)).tolist():
        moves = tables.pair_move[tables.first_pair[form_a] : tables.first_pair[form_a + 1]][:20]
        both = zip(compiled.answer(form_a, moves, form_b), live.answer(form_a, moves, form_b), strict=True)
        largest = max(largest, *(abs(one.win_probability - other.win_probability) for one, other in both))
    return largest


def onnx_difference(predictor: ModelPredictor) -> float:
    """Largest difference between XGBoost and ONNX, for a model of the shipped hyper-parameters on fewer battles.

    The shipped version's own trees are no longer there as XGBoost's; ``train`` held them to the same bound.
    """
    battles = read_battles(BATTLES, predictor.tables)
    rows, wins = feature_rows(predictor.features, _first(battles, DUELS))
    part = slice(0, BATTLES_TO_FIT)
    booster = fit(rows[part], wins[part], battles.battles[part], SEED, os.cpu_count() or 1)
    score = OnnxScore(to_onnx(booster, rows[:CHUNK]))
    return float(np.abs(score(rows) - booster.predict(xgboost.DMatrix(rows))).max())


def _first(battles: Battles, count: int) -> Battles:
    return Battles(**{name: getattr(battles, name)[:count] for name in Battles.__slots__})


def measure(live: ModelPredictor, compiled: ModelPredictor, rows: NDArray[np.intp]) -> Iterator[Figure]:
    """Everything about a version that was opened twice; the second one gets the tablebase."""
    yield from sizes(live.folder)
    yield Figure("compiling the tablebase on one core", compile_seconds(compiled), 180, "s")
    compiled.load_tablebase()
    yield Figure("P(A wins) + P(B wins) - 1, ONNX", antisymmetry(live, rows), 1e-6)
    yield Figure("P(A wins) + P(B wins) - 1, tablebase", tablebase_antisymmetry(compiled), 1e-6)
    yield Figure("tablebase against ONNX", tablebase_difference(compiled, live), 0.0005)
    yield Figure("ONNX against XGBoost", onnx_difference(live), 1e-5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", type=Path, help="a version's folder; default: the shipped version, copied")
    options = parser.parse_args()
    dex = load_dex()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.model_dir or install_version(Path(temporary))
        live, compiled = open_model(dex, folder), open_model(dex, folder)
        print(f"model {live.version}, {(folder / MODEL_FILE).stat().st_size:,} bytes of ONNX")
        kept = print_all(measure(live, compiled, duels(dex, live.tables)))
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
