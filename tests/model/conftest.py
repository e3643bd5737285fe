"""A real small model version: trained once on a part of the committed battles, compiled once over all duels."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost
from typer.testing import CliRunner

from api_pokemon.battle.tables import DuelTables
from api_pokemon.cli import app
from api_pokemon.dex import Dex, load_dex
from api_pokemon.model import ModelPredictor, open_model
from api_pokemon.model.features import FeatureTables, Rows
from api_pokemon.model.training import (
    Battles,
    describe_version,
    feature_rows,
    fit,
    read_battles,
    staged_version,
    to_onnx,
)
from api_pokemon.monitoring.file_lock import FileLock

ROOT = Path(__file__).parents[2]
BATTLES = ROOT / "data" / "battles.parquet"
TRUTH = ROOT / "data" / "truth"
EVERY = 460
TREES = 30
SEED = 1
COMPILING_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training made, and of what."""

    battles: Battles
    rows: Rows
    wins: Rows
    booster: xgboost.Booster
    onnx: bytes
    folder: Path


@pytest.fixture(scope="session")
def dex() -> Dex:
    return load_dex()


@pytest.fixture(scope="session")
def features(dex: Dex) -> FeatureTables:
    return FeatureTables(DuelTables(dex))


@pytest.fixture(scope="session")
def tables(features: FeatureTables) -> DuelTables:
    return features.tables


@pytest.fixture(scope="session")
def battles_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 of the committed battles, spread over all of them."""
    path = tmp_path_factory.mktemp("battles") / "battles.parquet"
    table = pq.read_table(BATTLES)
    pq.write_table(table.take(np.arange(0, table.num_rows, EVERY)), path)
    return path


@pytest.fixture(scope="session")
def trained(battles_file: Path, features: FeatureTables, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    models_dir = tmp_path_factory.mktemp("models")
    battles = read_battles(battles_file, features.tables)
    rows, wins = feature_rows(features, battles)
    booster = fit(rows, wins, battles.battles, SEED, threads=1, trees=TREES)
    onnx = to_onnx(booster, rows)
    metadata = describe_version(onnx, battles_file, int(battles.battles.sum()), SEED, threads=1)
    with staged_version(onnx, metadata, models_dir):
        pass
    return Trained(battles, rows, wins, booster, onnx, models_dir / metadata.version)


@pytest.fixture(scope="session")
def live(dex: Dex, trained: Trained) -> ModelPredictor:
    """Answers from ONNX."""
    return open_model(dex, trained.folder)


@pytest.fixture(scope="session")
def compiled_folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the version with its tablebase, over the whole domain, made by the command; once in a run of tests."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent / "compiled" if "PYTEST_XDIST_WORKER" in os.environ else own / "compiled"
    shared.mkdir(exist_ok=True)
    folder = shared / trained.folder.name
    lock = FileLock(shared / "lock")
    assert lock.acquire(COMPILING_SECONDS)
    try:
        if not folder.exists():
            making = Path(shutil.copytree(trained.folder, shared / "making" / trained.folder.name))
            result = CliRunner().invoke(app, ["tablebase", "--model-dir", str(making)], catch_exceptions=False)
            assert result.exit_code == 0
            making.rename(folder)
    finally:
        lock.release()
    return folder


@pytest.fixture(scope="session")
def stored(dex: Dex, compiled_folder: Path) -> ModelPredictor:
    """Answers from the tablebase."""
    predictor = open_model(dex, compiled_folder)
    predictor.load_tablebase()
    return predictor
