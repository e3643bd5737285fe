"""What is behind a model server: the service's own features and its ONNX model, as the server's process loads them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_pokemon.dex import load_dex
from api_pokemon.model import MoveRanker, open_model

FOLDER = "BENCHMARK_MODEL_DIR"
"""The environment variable that tells the folder of the version."""


class Model:
    """The version in the folder that the environment tells, without a tablebase."""

    def __init__(self) -> None:
        dex = load_dex()
        predictor = open_model(dex, Path(os.environ[FOLDER]))
        self._ranker = MoveRanker(dex, predictor)
        self._score = predictor.score

    def rank(self, duel: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A's moves, the best first: features and inference."""
        names = duel["available_moves"], duel.get("available_moves_b")
        ranking = self._ranker.rank(duel["pokemon_a_id"], duel["pokemon_b_id"], *names)
        return [{"name": move.move.name, "win_probability": move.win_probability} for move in ranking.moves]

    def score(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Inference alone, of rows that the caller has made."""
        return self._score(np.ascontiguousarray(rows, dtype=np.float32))
