"""What is behind a model server: the service's own features and its ONNX model, as the server's process loads them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_pokemon.dex import load_dex
from api_pokemon.model import MoveRanker, Ranking, open_model

FOLDER = "BENCHMARK_MODEL_DIR"
"""The environment variable that tells the folder of the version."""


TOGETHER = 16
"""Duels that a server may join into one run, which is about what the service itself does."""


class Model:
    """The version in the folder that the environment tells, without a tablebase."""

    def __init__(self) -> None:
        dex = load_dex()
        self._predictor = open_model(dex, Path(os.environ[FOLDER]))
        self._ranker = MoveRanker(dex, self._predictor)
        self._score = self._predictor.score

    def rank_many(self, duels: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
        """Each duel's moves, the best first, by features and inference of all of them at once."""
        asked = [self._ranker.ask(duel["pokemon_a_id"], duel["pokemon_b_id"], *_moves(duel)) for duel in duels]
        answers = self._predictor.answer_many([self._predictor.question(*each.rows) for each in asked])
        return [_told(self._ranker.ranking(*each)) for each in zip(asked, answers, strict=True)]

    def rank(self, duel: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A's moves, the best first: features and inference."""
        return _told(self._ranker.rank(duel["pokemon_a_id"], duel["pokemon_b_id"], *_moves(duel)))

    def score(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Inference alone, of rows that the caller has made."""
        return self._score(np.ascontiguousarray(rows, dtype=np.float32))


def _moves(duel: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[str] | None]:
    return duel["available_moves"], duel.get("available_moves_b")


def _told(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"name": move.move.name, "win_probability": move.win_probability} for move in ranking.moves]
