"""A real model version, trained in a second on the damage formulas alone."""

from pathlib import Path

import numpy as np
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBClassifier

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import load_dex
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.registry import DUEL_RULES, MODEL_FILE, ModelMetadata, file_sha256

VERSION = "toy"
_DUELS = 4_000


def toy_model(models_dir: Path) -> Path:
    """Make the version ``toy`` in that folder."""
    folder = models_dir / VERSION
    folder.mkdir(parents=True)
    tables = DuelTables(load_dex())
    random = np.random.default_rng(0)
    a, b = random.integers(0, len(tables.pair_form), (2, _DUELS))
    rows, _ = FeatureTables(tables).duels(
        tables.pair_form[a], tables.pair_move[a], tables.pair_form[b], tables.pair_move[b]
    )
    won = random.random(_DUELS) < rows[:, FEATURES.index("race")]
    booster = XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1).fit(rows, won).get_booster()
    booster.feature_names = None
    onnx = convert_xgboost(booster, initial_types=[("rows", FloatTensorType([None, rows.shape[1]]))])
    (folder / MODEL_FILE).write_bytes(onnx.SerializeToString())
    ModelMetadata(
        version=VERSION,
        created="2026-01-01T00:00:00+00:00",
        commit="",
        data_sha256="0" * 64,
        battles=_DUELS,
        model_sha256=file_sha256(folder / MODEL_FILE),
        duel_rules=DUEL_RULES,
        features=FEATURES,
        hyper_parameters={"n_estimators": 20, "max_depth": 4},
        metrics={"brier": 0.05, "brier_noise_floor": 0.04},
    ).save(folder)
    return folder
