"""A duel answered: ranked, timed, and put both for the record and for the caller."""

from time import perf_counter

from api_pokemon.dex import Language
from api_pokemon.model import MoveRanker
from api_pokemon.model.asked import asked_duel
from api_pokemon.model.monitored_rows import choice_fields, request_fields
from api_pokemon.monitoring import Prediction, new_id
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.schemas import BestMove, Duel


class BestMoves:
    """Answers duels from one model version.

    Parameters
    ----------
    ranker
        Ranks moves by that version.
    model_version
        Its name.
    answers
        Writes what the ranker found.
    """

    def __init__(self, ranker: MoveRanker, model_version: str, answers: Answers) -> None:
        self._ranker = ranker
        self._model_version = model_version
        self._answers = answers

    def predict(self, duel: Duel, language: Language) -> tuple[Prediction, BestMove]:
        """The prediction for a duel: as it goes on record, and as the caller reads it."""
        began = perf_counter()
        ranking = self._ranker.rank(duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves, duel.available_moves_b)
        duration_seconds = perf_counter() - began
        prediction_id = new_id()
        answer = self._answers.best_move(
            ranking, language, prediction_id=prediction_id, model_version=self._model_version
        )
        prediction = Prediction(
            prediction_id,
            self._model_version,
            answer.win_probability,
            duration_seconds,
            request=request_fields(ranking, language),
            choice=choice_fields(ranking),
            payload=asked_duel(ranking).payload(),
        )
        return prediction, answer
