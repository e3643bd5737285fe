"""A move of Pokémon Showdown as a record of ``dex.json``.

Every property of Showdown's is either read here or named as one that says nothing about a Let's Go duel; any other
stops the generator, so that no mechanic of a newer simulator is silently lost.
"""

from collections.abc import Callable
from typing import Any

from api_pokemon.dex.generate.corrections import MOVES_FR
from api_pokemon.dex.generate.spelling import slug, straight

Raw = dict[str, Any]

_STATS = {
    "atk": "attack",
    "def": "defense",
    "spa": "special_attack",
    "spd": "special_defense",
    "spe": "speed",
    "accuracy": "accuracy",
    "evasion": "evasion",
}

_SAYS_NOTHING = {
    *("fullname", "effectType", "exists", "gen", "desc", "shortDesc", "isNonstandard", "contestType", "nonGhostTarget"),
    *(
        "baseMoveType",
        "spreadHit",
        "secondary",
        "condition",
        "hasSheerForceBoost",
    ),  # the same said twice, or by callbacks
    *("isZ", "isMax", "zMove", "maxMove"),  # not in this game
    *(
        "duration",
        "noCopy",
        "affectsFainted",
        "sourceEffect",
        "weather",
        "ignoreAbility",
    ),  # never set, or no abilities here
    *("ignoreNegativeOffensive", "ignorePositiveDefensive", "ignoreOffensive", "forceSTAB", "overrideDefensivePokemon"),
    "overrideOffensiveStat",
}
_NEVER_SET = {
    *("isZ", "isMax", "duration", "noCopy", "affectsFainted", "sourceEffect", "weather", "spreadHit", "nonGhostTarget"),
    *("ignoreNegativeOffensive", "ignorePositiveDefensive", "ignoreOffensive", "forceSTAB", "overrideDefensivePokemon"),
    "overrideOffensiveStat",
}


def move_record(raw: Raw, oakdex: Raw) -> Raw:
    """The record of a move; what is as in `Move` by default is left out.

    Parameters
    ----------
    raw
        Showdown's move, with ``callbacks``.
    oakdex
        Oakdex' names of it, by language.
    """
    rest = dict(raw)
    for name in _NEVER_SET:
        if rest.get(name):
            raise ValueError(
                f"{raw['name']} has {name}={rest[name]!r}, which was never set before: read it in {__name__}."
            )
    record = _head(rest, oakdex)
    for source, (name, read) in _MECHANICS.items():
        value = rest.pop(source, None)
        if value:
            record[name] = read(value)
    record |= _self(rest.pop("self", {}))
    if unknown := rest.keys() - _SAYS_NOTHING:
        raise ValueError(f"{raw['name']} has properties that {__name__} does not know: {sorted(unknown)}")
    if record.get("crit_ratio") == 1:
        del record["crit_ratio"]
    return record


def _head(rest: Raw, oakdex: Raw) -> Raw:
    name = straight(rest.pop("name"))
    accuracy, pp, no_boosts = rest.pop("accuracy"), rest.pop("pp"), rest.pop("noPPBoosts")
    record = {
        "id": rest.pop("num"),
        "slug": slug(name),
        "showdown_id": rest.pop("id"),
        "name": name,
        "name_fr": MOVES_FR.get(name) or straight(oakdex["fr"]),
        "type": rest.pop("type"),
        "category": rest.pop("category"),
        "power": rest.pop("basePower"),
        "accuracy": None if accuracy is True else accuracy,
        "pp": pp if no_boosts else pp * 8 // 5,
    }
    if oakdex["en"].replace(" ", "").lower() != name.replace(" ", "").lower():
        record["aliases"] = [oakdex["en"]]  # "Vice Grip", as this game itself still spelled it
    return record


def _self(raw: Raw) -> Raw:
    known = {"boosts", "volatileStatus", "sideCondition"}
    if unknown := raw.keys() - known:
        raise ValueError(f"A move does to its user what {__name__} does not know: {sorted(unknown)}")
    record: Raw = {}
    if "boosts" in raw:
        record["self_boosts"] = _boosts(raw["boosts"])
    if "volatileStatus" in raw:
        record["self_volatile_status"] = raw["volatileStatus"]
    if "sideCondition" in raw:
        record["self_side_condition"] = raw["sideCondition"]
    return record


def _secondary(raw: Raw) -> Raw:
    rest = dict(raw)
    record: Raw = {"chance": rest.pop("chance")}
    for source, (name, read) in _SECONDARY.items():
        if source in rest:
            record[name] = read(rest.pop(source))
    record |= _self(rest.pop("self", {}))
    if rest:
        raise ValueError(f"A secondary effect has properties that {__name__} does not know: {sorted(rest)}")
    return record


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


_SECONDARY: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "status": ("status", _as_it_is),
    "volatileStatus": ("volatile_status", _as_it_is),
    "boosts": ("boosts", _boosts),
}
_MECHANICS: dict[str, tuple[str, Callable[[Any], Any]]] = {
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
