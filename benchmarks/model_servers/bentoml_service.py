"""The model behind BentoML, in one process that answers in its event loop: what is quickest there."""

from typing import Any

import bentoml
import numpy as np

from benchmarks.model_servers.duels import TOGETHER, Model


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Duels:
    def __init__(self) -> None:
        self._model = Model()

    @bentoml.api  # type: ignore[untyped-decorator]  # BentoML is not installed where types are checked
    async def rank(
        self,
        pokemon_a_id: int,
        pokemon_b_id: int,
        available_moves: list[str],
        available_moves_b: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        duel = {
            "pokemon_a_id": pokemon_a_id,
            "pokemon_b_id": pokemon_b_id,
            "available_moves": available_moves,
            "available_moves_b": available_moves_b,
        }
        return self._model.rank(duel)

    @bentoml.api(batchable=True, max_batch_size=TOGETHER, max_latency_ms=1000)  # type: ignore[untyped-decorator]
    async def rank_together(self, duels: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Takes the duels of several requests at once, as BentoML's adaptive batching joins them."""
        return self._model.rank_many(duels)

    @bentoml.api  # type: ignore[untyped-decorator]
    async def score(self, rows: np.ndarray) -> np.ndarray:
        return self._model.score(rows)
