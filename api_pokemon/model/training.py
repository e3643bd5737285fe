"""From battles to a model version."""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import xgboost
from numpy.typing import NDArray
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from api_pokemon.battle.tables import DuelTables
from api_pokemon.errors import ModelError
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.predictor import OnnxScore
from api_pokemon.model.registry import DUEL_RULES, MODEL_FILE, ModelMetadata, file_sha256

CHUNK = 50_000
ONNX_INPUT = "rows"
ONNX_GRAPH = "first_wins"  # without a name it gets a random one, and no two trainings the same hash
ONNX_OPSET = 15  # what onnxmltools writes tree ensembles for; onnxruntime reads every older one
MAX_DIFFERENCE = 1e-5

HYPER_PARAMETERS: Mapping[str, float | int | str] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 256,
    "max_depth": 9,
    "eta": 0.2,
    "min_child_weight": 5,
    "colsample_bytree": 0.6,
    "lambda": 10,
}
TREES = 150

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Battles:
    """Duels and how they ended; every array has one row a duel.

    Attributes
    ----------
    form_a, move_a, form_b, move_b : (n,) rows of ``DuelTables``
    battles : (n,) times played
    wins_a : (n,) times that A won
    """

    form_a: NDArray[np.intp]
    move_a: NDArray[np.intp]
    form_b: NDArray[np.intp]
    move_b: NDArray[np.intp]
    battles: NDArray[np.int64]
    wins_a: NDArray[np.int64]


def read_battles(path: Path, tables: DuelTables) -> Battles:
    """Read what ``api-pokemon simulate`` wrote.

    Raises
    ------
    ModelError
        The file cannot be read, or names forms or moves that cannot duel.
    """
    try:
        table = pq.read_table(path)
        columns = {
            name: table[name].to_numpy() for name in ("form_a", "move_a", "form_b", "move_b", "battles", "wins_a")
        }
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read as battles ({error}); make it with `api-pokemon simulate`.") from error
    rows = {
        name: _rows_of(columns[name], tables.form_row if name.startswith("form") else tables.move_row, path)
        for name in ("form_a", "move_a", "form_b", "move_b")
    }
    return Battles(**rows, battles=columns["battles"].astype(np.int64), wins_a=columns["wins_a"].astype(np.int64))


def feature_rows(
    features: FeatureTables, battles: Battles, progress: Progress = lambda done, total: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Feature rows (n, features) and how often the first won (n,), in [0, 1]."""
    total = len(battles.wins_a)
    rows = np.empty((total, len(FEATURES)), dtype=np.float32)
    a_first = np.empty(total, dtype=np.bool_)
    for start in range(0, total, CHUNK):
        part = slice(start, start + CHUNK)
        rows[part], a_first[part] = features.duels(
            battles.form_a[part], battles.move_a[part], battles.form_b[part], battles.move_b[part]
        )
        progress(min(start + CHUNK, total), total)
    wins = battles.wins_a / battles.battles
    return rows, np.where(a_first, wins, 1 - wins).astype(np.float32)


def fit(
    rows: NDArray[np.float32],
    wins: NDArray[np.float32],
    weights: NDArray[np.int64],
    seed: int,
    threads: int,
    trees: int = TREES,
    progress: Progress = lambda done, total: None,
) -> xgboost.Booster:
    """Boost trees on rows; the same seed and number of threads give the same trees."""
    parameters = {**HYPER_PARAMETERS, "seed": seed, "nthread": threads}
    matrix = xgboost.QuantileDMatrix(
        rows, wins, weight=weights, max_bin=int(HYPER_PARAMETERS["max_bin"]), nthread=threads
    )
    booster = xgboost.Booster(parameters, [matrix])
    for tree in range(trees):
        booster.update(matrix, tree)
        progress(tree + 1, trees)
    return booster


def to_onnx(booster: xgboost.Booster, rows: NDArray[np.float32]) -> bytes:
    """Convert, and check on ``rows`` that onnxruntime answers as XGBoost does, to ``MAX_DIFFERENCE``."""
    model = convert_xgboost(
        booster,
        name=ONNX_GRAPH,
        initial_types=[(ONNX_INPUT, FloatTensorType([None, len(FEATURES)]))],
        target_opset=ONNX_OPSET,
    ).SerializeToString()
    difference = float(np.abs(OnnxScore(model)(rows) - booster.predict(xgboost.DMatrix(rows))).max())
    if difference > MAX_DIFFERENCE:
        raise ModelError(
            f"ONNX and XGBoost differ by {difference:.2g}, more than {MAX_DIFFERENCE}; the model is not kept."
        )
    return bytes(model)


def save_version(model: bytes, battles_path: Path, battles: int, seed: int, models_dir: Path) -> ModelMetadata:
    """Write a version's folder, ``<models_dir>/<date>-<hash of the model>``, without its metrics yet."""
    now = datetime.now(UTC)
    model_sha256 = hashlib.sha256(model).hexdigest()
    metadata = ModelMetadata(
        version=f"{now:%Y%m%d}-{model_sha256[:8]}",
        created=now.isoformat(timespec="seconds"),
        commit=_commit(),
        data_sha256=file_sha256(battles_path),
        battles=battles,
        model_sha256=model_sha256,
        duel_rules=DUEL_RULES,
        features=FEATURES,
        hyper_parameters={**HYPER_PARAMETERS, "trees": TREES, "seed": seed},
    )
    folder = models_dir / metadata.version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    metadata.save(folder)
    return metadata


def save_metrics(metadata: ModelMetadata, metrics: Mapping[str, float], folder: Path) -> None:
    """Write the version's metrics into its metadata."""
    replace(metadata, metrics=dict(metrics)).save(folder)


def _rows_of(ids: NDArray[np.integer], row: Mapping[int, int], path: Path) -> NDArray[np.intp]:
    table = np.full(max(max(row), int(ids.max(initial=0))) + 1, -1, dtype=np.intp)
    table[list(row)] = list(row.values())
    rows: NDArray[np.intp] = table[ids]
    if (rows < 0).any():
        raise ModelError(f"{path} holds the id {ids[rows < 0][0]}, which is no form, or no damaging move.")
    return rows


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
