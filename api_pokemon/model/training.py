"""From battles to a model version."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xgboost
from numpy.typing import NDArray
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from api_pokemon.battle.tables import DuelTables
from api_pokemon.errors import ModelError
from api_pokemon.model.duel_file import read_duels
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.onnx_score import OnnxScore
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
TREES = 120

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
        return Battles(**read_duels(path, tables, ("battles", "wins_a")))
    except ModelError as error:
        raise ModelError(f"{error} Make battles with `api-pokemon simulate`.") from error


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


def describe_version(model: bytes, battles_path: Path, battles: int, seed: int, threads: int) -> ModelMetadata:
    """Metadata of a new version, ``<date>-<hash of the model>``, without its metrics yet."""
    now = datetime.now(UTC)
    model_sha256 = hashlib.sha256(model).hexdigest()
    return ModelMetadata(
        version=f"{now:%Y%m%d}-{model_sha256[:8]}",
        created=now.isoformat(timespec="seconds"),
        commit=_commit(),
        data_sha256=file_sha256(battles_path),
        battles=battles,
        model_sha256=model_sha256,
        duel_rules=DUEL_RULES,
        features=FEATURES,
        hyper_parameters={**HYPER_PARAMETERS, "trees": TREES, "seed": seed, "threads": threads},
    )


@contextmanager
def staged_version(model: bytes, metadata: ModelMetadata, models_dir: Path) -> Iterator[Path]:
    """A folder to complete the version in; it gets the version's name when the block ends well, else it goes.

    A folder of the same version, which can only be of the same training, is replaced.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".train-", dir=models_dir) as staged:
        folder = Path(staged) / metadata.version
        folder.mkdir()
        (folder / MODEL_FILE).write_bytes(model)
        metadata.save(folder)
        yield folder
        shutil.rmtree(models_dir / metadata.version, ignore_errors=True)
        folder.rename(models_dir / metadata.version)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
