"""From what is on record of a prediction to what the caller reads."""

from datetime import UTC, datetime

from api_pokemon.dex import Dex, Language
from api_pokemon.errors import DexError, PayloadError
from api_pokemon.model.asked import AskedDuel, read_payload, told_win
from api_pokemon.monitoring.prediction_log import LoggedPrediction
from api_pokemon.routes import schemas
from api_pokemon.routes.lookups import KnownOutcome


class LoggedAnswers:
    """Writes logged predictions in a language.

    Parameters
    ----------
    dex
        Knows the names of forms and moves.
    """

    def __init__(self, dex: Dex) -> None:
        self._dex = dex

    def prediction(
        self, logged: LoggedPrediction, outcome: KnownOutcome | None, language: Language
    ) -> schemas.LoggedPrediction:
        made = logged.prediction
        return schemas.LoggedPrediction(
            prediction_id=made.prediction_id,
            status="logged",
            made_at=_time(made.made_at_seconds),
            model_version=made.model_version,
            win_probability=made.probability,
            confidence=told_win(made.confidence),
            duel=self._duel(made.payload, language),
            request=dict(made.request),
            choice=dict(made.choice),
            outcome=None if outcome is None else write_outcome(outcome),
        )

    def _duel(self, payload: bytes, language: Language) -> schemas.LoggedDuel | None:
        try:
            return self._written(read_payload(payload), language)
        except (PayloadError, DexError):
            return None

    def _written(self, asked: AskedDuel, language: Language) -> schemas.LoggedDuel:
        form_a, form_b = self._dex.form(asked.form_a), self._dex.form(asked.form_b)
        ranked = tuple((self._dex.move(move_id), chance) for move_id, chance in asked.ranked)
        moves = tuple(
            schemas.MoveChance(name=move.local_name(language), slug=move.slug, win_probability=chance)
            for move, chance in ranked
        )
        return schemas.LoggedDuel(
            pokemon_a_id=form_a.id,
            pokemon_a_name=form_a.local_name(language),
            pokemon_b_id=form_b.id,
            pokemon_b_name=form_b.local_name(language),
            available_moves=self._names(asked.moves, language),
            available_moves_b=None if asked.moves_b is None else self._names(asked.moves_b, language),
            recommended_move=moves[0].name,
            all_moves=moves,
        )

    def _names(self, move_ids: tuple[int, ...], language: Language) -> tuple[str, ...]:
        return tuple(self._dex.move(move_id).local_name(language) for move_id in move_ids)


def write_outcome(outcome: KnownOutcome) -> schemas.RecordedOutcome:
    """The predicted probability is that of A's victory, so that is what happened or did not."""
    return schemas.RecordedOutcome(
        winner="A" if outcome.happened else "B", reported_at=_time(outcome.reported_at_seconds)
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
