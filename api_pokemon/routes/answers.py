"""From what the model found to what the caller reads."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from api_pokemon.dex import Category, Dex, Language, Move
from api_pokemon.model import RankedMove, Ranking, UnrankedMove
from api_pokemon.model.asked import told_win
from api_pokemon.routes import schemas
from api_pokemon.routes.languages import LANGUAGES

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
        self._facts = {language: {move.id: _facts(dex, move, language) for move in dex.moves} for language in LANGUAGES}

    def best_move(
        self, ranking: Ranking, language: Language, *, prediction_id: str, model_version: str
    ) -> schemas.BestMove:
        facts = self._facts[language]
        moves = tuple([_ranked(move, facts) for move in ranking.moves])
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
            confidence=told_win(max(best.win_probability, 1.0 - best.win_probability)),
            opponent_assumption=ranking.opponent_assumption,
            all_moves=moves,
            unranked_moves=tuple([_unranked(move, language) for move in ranking.unranked]),
        )


class _Facts(NamedTuple):
    """What is always told of a move in a language."""

    name: str
    slug: str
    type: str
    category: Category
    power: int | None
    accuracy: int | None
    priority: int


def _facts(dex: Dex, move: Move, language: Language) -> _Facts:
    return _Facts(
        move.local_name(language),
        move.slug,
        dex.type_name(move.type, language),
        move.category,
        move.power or None,
        move.accuracy,
        move.priority,
    )


def _ranked(ranked: RankedMove, facts: Mapping[int, _Facts]) -> schemas.RankedMove:
    move, learnable, stab, type_multiplier, damage, opponent_move, chance, (uses, opponent_uses, first) = ranked
    win_probability = told_win(chance)
    return schemas.RankedMove(  # in the order of its fields: by name, it would take longer
        *facts[move.id],
        stab,
        type_multiplier,
        _four_decimals(damage),
        learnable,
        facts[opponent_move.id].name,
        win_probability,
        _winner(win_probability),
        schemas.Because(_hits(uses), _hits(opponent_uses), _SIDES[first]),
    )


def _winner(win_probability: float) -> schemas.Side:
    if win_probability == 0.5:
        return "either"
    return "pokemon_a" if win_probability > 0.5 else "pokemon_b"


def _hits(hits: float) -> float | None:
    return _four_decimals(hits) if hits < _NEVER else None


def _four_decimals(value: float) -> float:
    """A value that is not negative; `round` takes eight times as long, and is called often."""
    return int(value * 1e4 + 0.5) / 1e4


def _unranked(unranked: UnrankedMove, language: Language) -> schemas.UnrankedMove:
    move = unranked.move
    return schemas.UnrankedMove(
        name=move.local_name(language), slug=move.slug, reason=_REASONS[unranked.reason][language]
    )
