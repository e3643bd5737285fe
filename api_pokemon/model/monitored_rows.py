"""What is watched of a prediction: one readable row, in two groups that are judged separately.

*Request* fields are what was asked, *choice* fields what the model chose and how sure it was.
"""

from collections.abc import Iterator
from typing import TypedDict, cast, get_type_hints

from api_pokemon.battle.attack import MOST_TELLING_USES
from api_pokemon.dex import Form, Language
from api_pokemon.model.ranking import MovesFirst, OpponentAssumption, Ranking
from api_pokemon.monitoring.events import Fields
from api_pokemon.monitoring.profile_rows import FieldSpec, Group

NO_TYPE = "none"

LOOKED_UP = ("attacker", "defender")
"""The request's fields by which logged predictions are looked up."""


class RequestFields(TypedDict):
    """What was asked. Differences are the attacker's base stat less the defender's."""

    attacker: str
    defender: str
    attacker_type: str
    attacker_second_type: str
    defender_type: str
    defender_second_type: str
    candidate_moves: int
    opponent_assumption: OpponentAssumption
    language: Language
    hp_difference: int
    attack_difference: int
    defense_difference: int
    special_attack_difference: int
    special_defense_difference: int
    speed_difference: int


class ChoiceFields(TypedDict):
    """What the model chose, and how sure it was. Hits are None where they knock nobody out, as callers are told."""

    move_type: str
    move_category: str
    move_power: int
    type_multiplier: float
    stab: bool
    learnable: bool
    expected_damage: float
    hits_to_knock_out: float | None
    opponent_hits_to_knock_out: float | None
    moves_first: MovesFirst
    win_probability: float
    confidence: float


_NUMBERS = (int, float, float | None)


def _specs(group: Group, rows: type) -> Iterator[FieldSpec]:
    """Numbers are measured, all else is counted: texts, and what is true or false."""
    for name, kind in get_type_hints(rows).items():
        yield FieldSpec(name, "number" if kind in _NUMBERS else "category", group)


MONITORED_FIELDS = (*_specs("request", RequestFields), *_specs("choice", ChoiceFields))
"""What drift is told from."""


def request_fields(ranking: Ranking, language: Language) -> Fields:
    """The `RequestFields` of an answered request."""
    a, b = ranking.form_a, ranking.form_b
    stats, others = a.base_stats, b.base_stats
    fields: RequestFields = {
        "attacker": a.slug,
        "defender": b.slug,
        "attacker_type": a.types[0],
        "attacker_second_type": _second_type(a),
        "defender_type": b.types[0],
        "defender_second_type": _second_type(b),
        "candidate_moves": len(ranking.candidates),
        "opponent_assumption": ranking.opponent_assumption,
        "language": language,
        "hp_difference": stats.hp - others.hp,
        "attack_difference": stats.attack - others.attack,
        "defense_difference": stats.defense - others.defense,
        "special_attack_difference": stats.special_attack - others.special_attack,
        "special_defense_difference": stats.special_defense - others.special_defense,
        "speed_difference": stats.speed - others.speed,
    }
    return cast("Fields", fields)


def choice_fields(ranking: Ranking) -> Fields:
    """The `ChoiceFields` of the recommended move."""
    best = ranking.moves[0]
    move, win_probability = best.move, best.win_probability
    hits, hits_back = best.hits_to_knock_out, best.opponent_hits_to_knock_out
    fields: ChoiceFields = {
        "move_type": move.type,
        "move_category": move.category,
        "move_power": move.power,
        "type_multiplier": best.type_multiplier,
        "stab": best.stab,
        "learnable": best.learnable,
        "expected_damage": best.expected_damage,
        "hits_to_knock_out": hits if hits < MOST_TELLING_USES else None,
        "opponent_hits_to_knock_out": hits_back if hits_back < MOST_TELLING_USES else None,
        "moves_first": best.moves_first,
        "win_probability": win_probability,
        "confidence": max(win_probability, 1 - win_probability),
    }
    return cast("Fields", fields)


def _second_type(form: Form) -> str:
    return form.types[1] if len(form.types) > 1 else NO_TYPE
