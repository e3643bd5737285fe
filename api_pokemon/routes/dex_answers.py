"""From the game's facts to what the caller reads."""

from api_pokemon.dex import Dex, Form, Language
from api_pokemon.dex import Matchup as GameMatchup
from api_pokemon.dex import Move as GameMove
from api_pokemon.routes.languages import LANGUAGES
from api_pokemon.routes.schemas import (
    AttackingType,
    Matchup,
    Move,
    MoveSummary,
    Pokemon,
    PokemonName,
    PokemonSummary,
    TypeChart,
    TypeName,
)


class DexAnswers:
    """Writes forms, moves and types in one language.

    Parameters
    ----------
    dex
        The game's facts.
    language
        Of names.
    """

    def __init__(self, dex: Dex, language: Language) -> None:
        self._dex = dex
        self._language = language

    def pokemon_summary(self, form: Form) -> PokemonSummary:
        return PokemonSummary(
            id=form.id,
            name=form.local_name(self._language),
            slug=form.slug,
            types=tuple(map(self._type, form.types)),
            can_duel=self._dex.can_duel(form),
        )

    def pokemon(self, form: Form) -> Pokemon:
        summary = self.pokemon_summary(form)
        matchups = self._dex.weaknesses(form)
        weaknesses = [matchup for matchup in matchups if matchup.multiplier > 1.0]
        resistances = [matchup for matchup in matchups if matchup.multiplier < 1.0]
        return Pokemon(
            id=summary.id,
            name=summary.name,
            slug=summary.slug,
            types=summary.types,
            can_duel=summary.can_duel,
            names={language: form.local_name(language) for language in LANGUAGES},
            national_id=form.national_id,
            base_form_id=form.base_form_id,
            base_stats=form.base_stats,
            weight_kg=form.weight_kg,
            moves=tuple(self.move_summary(self._dex.move(move_id)) for move_id in form.learnset),
            weaknesses=tuple(map(self._matchup, sorted(weaknesses, key=_multiplier, reverse=True))),
            resistances=tuple(map(self._matchup, sorted(resistances, key=_multiplier))),
        )

    def move_summary(self, move: GameMove) -> MoveSummary:
        return MoveSummary(
            id=move.id,
            name=move.local_name(self._language),
            slug=move.slug,
            type=self._type(move.type),
            category=move.category,
            power=move.power or None,
            accuracy=move.accuracy,
            priority=move.priority,
        )

    def move(self, move: GameMove) -> Move:
        summary = self.move_summary(move)
        return Move(
            id=summary.id,
            name=summary.name,
            slug=summary.slug,
            type=summary.type,
            category=summary.category,
            power=summary.power,
            accuracy=summary.accuracy,
            priority=summary.priority,
            names={language: move.local_name(language) for language in LANGUAGES},
            learned_by=tuple(
                PokemonName(id=form.id, name=form.local_name(self._language), slug=form.slug)
                for form in self._dex.forms
                if form.learns(move.id)
            ),
        )

    def type_chart(self) -> TypeChart:
        types = self._dex.types
        return TypeChart(
            tuple(
                AttackingType(
                    self._type(attacking),
                    {_slug(defending): self._dex.effectiveness(attacking, [defending]) for defending in types},
                )
                for attacking in types
            )
        )

    def _matchup(self, matchup: GameMatchup) -> Matchup:
        return Matchup(self._type(matchup.type), matchup.multiplier)

    def _type(self, type_: str) -> TypeName:
        return TypeName(_slug(type_), self._dex.type_name(type_, self._language))


def _multiplier(matchup: GameMatchup) -> float:
    return matchup.multiplier


def _slug(type_: str) -> str:
    return type_.lower()
