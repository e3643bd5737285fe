"""From what the model found to what the caller reads."""

from typing import Final

from api_pokemon.dex import Dex, Language
from api_pokemon.model import RankedMove, Ranking, UnrankedMove
from api_pokemon.model.asked import WIN_DECIMALS
from api_pokemon.routes import schemas
from api_pokemon.routes.languages import LANGUAGES

_DECIMALS_OF_DAMAGE = 4
_NEVER = 99.0  # what the model tells of a move without effect, or of one whose damage depends on the opponent's
_SIDES: Final[dict[str, schemas.Side]] = {"attacker": "pokemon_a", "opponent": "pokemon_b", "either": "either"}
_REASONS: Final[dict[str, dict[Language, str]]] = {
    "status": {
        "en": "A status move does no damage, so it cannot win a duel by itself.",
        "fr": "Une capacité de statut n'inflige pas de dégâts : elle ne peut pas gagner un duel à elle seule.",
    },
    "last_resort": {
        "en": "Nobody can choose it: a Pokémon uses it only when no other move is left.",
        "fr": "On ne peut pas la choisir : un Pokémon ne l'utilise que lorsqu'il ne lui reste rien d'autre.",
    },
}


class Answers:
    """Writes rankings in a language.

    Parameters
    ----------
    dex
        Knows the names of types.
    """

    def __init__(self, dex: Dex) -> None:
        self._type_names: dict[Language, dict[str, str]] = {
            language: {type_: dex.type_name(type_, language) for type_ in dex.types} for language in LANGUAGES
        }

    def best_move(
        self, ranking: Ranking, language: Language, *, prediction_id: str, model_version: str
    ) -> schemas.BestMove:
        moves = tuple(self._ranked(move, language) for move in ranking.moves)
        best = moves[0]
        return schemas.BestMove(
            prediction_id=prediction_id,
            model_version=model_version,
            pokemon_a_id=ranking.form_a.id,
            pokemon_a_name=ranking.form_a.local_name(language),
            pokemon_b_id=ranking.form_b.id,
            pokemon_b_name=ranking.form_b.local_name(language),
            recommended_move=best.name,
            win_probability=best.win_probability,
            confidence=round(max(best.win_probability, 1.0 - best.win_probability), WIN_DECIMALS),
            opponent_assumption=ranking.opponent_assumption,
            all_moves=moves,
            unranked_moves=tuple(_unranked(move, language) for move in ranking.unranked),
        )

    def _ranked(self, ranked: RankedMove, language: Language) -> schemas.RankedMove:
        move = ranked.move
        because = ranked.because
        win_probability = round(ranked.win_probability, WIN_DECIMALS)
        return schemas.RankedMove(
            name=move.local_name(language),
            slug=move.slug,
            type=self._type_names[language][move.type],
            category=move.category,
            power=move.power or None,
            accuracy=move.accuracy,
            priority=move.priority,
            stab=ranked.stab,
            type_multiplier=ranked.type_multiplier,
            expected_damage=round(ranked.expected_damage, _DECIMALS_OF_DAMAGE),
            learnable=ranked.learnable,
            opponent_move=ranked.opponent_move.local_name(language),
            win_probability=win_probability,
            predicted_winner=_winner(win_probability),
            because=schemas.Because(
                hits_to_knock_out=_hits(because.hits_to_knock_out),
                opponent_hits_to_knock_out=_hits(because.opponent_hits_to_knock_out),
                moves_first=_SIDES[because.moves_first],
            ),
        )


def _winner(win_probability: float) -> schemas.Side:
    if win_probability == 0.5:
        return "either"
    return "pokemon_a" if win_probability > 0.5 else "pokemon_b"


def _hits(hits: float) -> float | None:
    return round(hits, _DECIMALS_OF_DAMAGE) if hits < _NEVER else None


def _unranked(unranked: UnrankedMove, language: Language) -> schemas.UnrankedMove:
    move = unranked.move
    return schemas.UnrankedMove(
        name=move.local_name(language), slug=move.slug, reason=_REASONS[unranked.reason][language]
    )
