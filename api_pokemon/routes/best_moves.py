"""A duel answered: ranked, timed, and put both for the record and for the caller."""

from time import perf_counter

import msgspec

from api_pokemon.dex import Language
from api_pokemon.model import MoveRanker, Ranking
from api_pokemon.model.asked import asked_duel
from api_pokemon.model.gathering import Begun
from api_pokemon.model.monitored_rows import choice_fields, request_fields
from api_pokemon.model.ranking import Asked
from api_pokemon.monitoring import Prediction, new_id
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.schemas import BestMove, Duel


class Started(msgspec.Struct, frozen=True, gc=False):
    """A duel that is being answered; since when, and until when if its answer is known, by `perf_counter`."""

    asked: Asked
    begun: Begun
    began_seconds: float
    known_seconds: float | None


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
        return self._told(ranking, perf_counter() - began, language)

    def begin(self, duel: Duel) -> Started:
        """Begin to predict among other callers, on a running event loop; :meth:`finish` tells what came of it."""
        began = perf_counter()
        asked, begun = self._ranker.begin(
            duel.pokemon_a_id, duel.pokemon_b_id, duel.available_moves, duel.available_moves_b
        )
        return Started(asked, begun, began, perf_counter() if begun.rest is None else None)

    async def finish(self, started: Started, language: Language) -> tuple[Prediction, BestMove]:
        """What :meth:`predict` returns."""
        answers = started.begun.known or await started.begun.answers()
        took_seconds = (started.known_seconds or perf_counter()) - started.began_seconds
        return self._told(self._ranker.ranking(started.asked, answers), took_seconds, language)

    def _told(self, ranking: Ranking, duration_seconds: float, language: Language) -> tuple[Prediction, BestMove]:
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
