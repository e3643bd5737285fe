"""Events as the service makes them, for benchmarks that keep or log them.

Predictions are what :class:`~api_pokemon.routes.best_moves.BestMoves` makes of random duels with the shipped model;
made once, and told again with new ids, since keeping them is measured, not ranking moves.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import msgspec

from api_pokemon.dex import load_dex
from api_pokemon.model import MoveRanker, install_version, open_model
from api_pokemon.monitoring import Prediction, new_id
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.best_moves import BestMoves
from api_pokemon.routes.schemas import Duel
from benchmarks.service_time import bodies


def duel_predictions(count: int = 500) -> Sequence[Prediction]:
    """Predictions of random duels, four moves against an unknown moveset, in a fixed order."""
    dex = load_dex()
    with tempfile.TemporaryDirectory() as folder:
        predictor = open_model(dex, install_version(Path(folder), ""))
        best_moves = BestMoves(MoveRanker(dex, predictor), predictor.version, Answers(dex))
        duels = (Duel.model_validate_json(body) for body in bodies(dex, count))
        return [best_moves.predict(duel, "en")[0] for duel in duels]


def renewed(predictions: Sequence[Prediction], count: int) -> Iterator[Prediction]:
    """So many predictions, each with an id of its own."""
    for prediction in islice(cycle(predictions), count):
        yield msgspec.structs.replace(prediction, prediction_id=new_id())
