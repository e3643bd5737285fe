"""A move of Pokémon Showdown as a record of ``dex.json``.

Every property of Showdown's is either read here or named as one that says nothing about a Let's Go duel; any other
stops the generator, so that no mechanic of a newer simulator is silently lost.
"""

from collections.abc import Callable
from typing import Any

from api_pokemon.dex.generate.corrections import MOVE_ALIASES, MOVES_FR
from api_pokemon.dex.generate.spelling import slug, straight

Raw = dict[str, Any]
Table = dict[str, tuple[str, Callable[[Any], Any]]]  # Showdown's property, our field, how its value is read

_STATS = {
    "atk": "attack",
    "def": "defense",
    "spa": "special_attack",
    "spd": "special_defense",
    "spe": "speed",
    "accuracy": "accuracy",
    "evasion": "evasion",
}

_TOLD_ELSEWHERE = {
    *("fullname", "effectType", "exists", "gen", "desc", "shortDesc", "contestType", "isNonstandard"),
    *("zMove", "maxMove"),  # of other games
    *("baseMoveType", "secondary", "hasSheerForceBoost"),  # follow from type and secondaries
    "condition",  # is in what its callbacks do, and those are named
}


def move_record(raw: Raw, oakdex: Raw) -> Raw:
    """The record of a move; what Showdown does not set is left out.

    Parameters
    ----------
    raw
        Showdown's move, with ``callbacks``.
    oakdex
        Oakdex' names of it, by language.

    Raises
    ------
    ValueError
        It has a property, or a value of one, that is not known here.
    """
    rest = {name: value for name, value in raw.items() if name not in _TOLD_ELSEWHERE}
    own_effects = rest.pop("self", {})
    return _head(rest, oakdex) | _read(rest, _MECHANICS) | _read(own_effects, _SELF)


def _head(rest: Raw, oakdex: Raw) -> Raw:
    name = straight(rest.pop("name"))
    accuracy, pp, no_boosts = rest.pop("accuracy"), rest.pop("pp"), rest.pop("noPPBoosts")
    return {
        "id": rest.pop("num"),
        "slug": slug(name),
        "showdown_id": rest.pop("id"),
        "name": name,
        "name_fr": MOVES_FR.get(name) or straight(oakdex["fr"]),
        **({"aliases": MOVE_ALIASES[name]} if name in MOVE_ALIASES else {}),
        "type": rest.pop("type"),
        "category": rest.pop("category"),
        "power": rest.pop("basePower"),
        "accuracy": None if accuracy is True else accuracy,
        "pp": pp if no_boosts else pp * 8 // 5,
    }


def _read(raw: Raw, table: Table) -> Raw:
    rest = {name: value for name, value in raw.items() if value}  # Showdown writes false, 0 or "" for what is not so
    record = {name: read(rest.pop(source)) for source, (name, read) in table.items() if source in rest}
    if rest:
        raise ValueError(f"A move has properties that {__name__} does not know: {rest}")
    return record


def _secondary(raw: Raw) -> Raw:
    rest = dict(raw)
    own_effects = rest.pop("self", {})
    return _read(rest, _SECONDARY) | _read(own_effects, _SELF)


def _boosts(raw: dict[str, int]) -> dict[str, int]:
    return {_STATS[stat]: stages for stat, stages in raw.items()}


def _as_it_is(value: Any) -> Any:
    return value


def _fraction(value: list[int]) -> float:
    return value[0] / value[1]


def _only(expected: object) -> Callable[[object], bool]:
    def read(value: object) -> bool:
        if value != expected:
            raise ValueError(f"{value!r} stands where only {expected!r} was known.")
        return True

    return read


_SELF: Table = {
    "boosts": ("self_boosts", _boosts),
    "volatileStatus": ("self_volatile_status", _as_it_is),
    "sideCondition": ("self_side_condition", _as_it_is),
}
_SECONDARY: Table = {
    "chance": ("chance", _as_it_is),
    "status": ("status", _as_it_is),
    "volatileStatus": ("volatile_status", _as_it_is),
    "boosts": ("boosts", _boosts),
}
_MECHANICS: Table = {
    "priority": ("priority", _as_it_is),
    "target": ("target", _as_it_is),
    "flags": ("flags", sorted),
    "multihit": ("multihit", lambda hits: hits if isinstance(hits, list) else [hits, hits]),
    "recoil": ("recoil", _fraction),
    "struggleRecoil": ("struggle_recoil", _only(True)),
    "drain": ("drain", _fraction),
    "hasCrashDamage": ("crash_damage", _only(True)),
    "heal": ("heal", _fraction),
    "critRatio": ("crit_ratio", _as_it_is),
    "willCrit": ("will_crit", _only(True)),
    "selfdestruct": ("self_destruct", _only("always")),
    "ohko": ("ohko", _only(True)),
    "damage": ("fixed_damage", _as_it_is),
    "secondaries": ("secondaries", lambda raw: [_secondary(one) for one in raw]),
    "status": ("status", _as_it_is),
    "volatileStatus": ("volatile_status", _as_it_is),
    "boosts": ("boosts", _boosts),
    "selfBoost": ("self_boosts", lambda raw: _boosts(raw["boosts"])),
    "sideCondition": ("side_condition", _as_it_is),
    "overrideOffensivePokemon": ("offensive_pokemon", _as_it_is),
    "overrideDefensiveStat": ("defensive_stat", lambda stat: _STATS[stat]),
    "ignoreDefensive": ("ignore_defensive", _only(True)),
    "ignoreImmunity": ("ignore_immunity", _only(True)),
    "breaksProtect": ("breaks_protect", _only(True)),
    "selfSwitch": ("self_switch", _only(True)),
    "forceSwitch": ("force_switch", _only(True)),
    "stallingMove": ("stalling", _only(True)),
    "callsMove": ("calls_move", _only(True)),
    "thawsTarget": ("thaws_target", _only(True)),
    "callbacks": ("callbacks", lambda names: sorted(name for name in names if not name.startswith("secondary."))),
}
