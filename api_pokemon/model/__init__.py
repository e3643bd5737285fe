"""The model: features, a version's files, its answers, and the ranking of moves.

Making and measuring a version (``training``, ``truth``, ``evaluation``) needs more than the service installs, and is
imported from where it lives.
"""

from api_pokemon.model.lookup import Answer
from api_pokemon.model.predictor import Engine, ModelPredictor, open_model
from api_pokemon.model.ranking import (
    MoveRanker,
    MovesFirst,
    OpponentAssumption,
    Predictor,
    RankedMove,
    Ranking,
    UnrankedMove,
)
from api_pokemon.model.registry import ModelMetadata, install_version

__all__ = [
    "Answer",
    "Engine",
    "ModelMetadata",
    "ModelPredictor",
    "MoveRanker",
    "MovesFirst",
    "OpponentAssumption",
    "Predictor",
    "RankedMove",
    "Ranking",
    "UnrankedMove",
    "install_version",
    "open_model",
]
