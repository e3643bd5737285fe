"""A species of Pokémon Showdown, or a forme of it, as a record of ``dex.json``."""

from collections.abc import Mapping
from typing import Any

from api_pokemon.dex.generate.corrections import FORMES, SPECIES_EN, SPECIES_FR
from api_pokemon.dex.generate.spelling import slug, straight

Raw = dict[str, Any]

_FORME_ALIASES = {
    "Alola": "Alolan {}",
    "Mega": "Mega {}",
    "Mega-X": "Mega {} X",
    "Mega-Y": "Mega {} Y",
    "Starter": "Partner {}",
}


def form_records(raws: list[Raw], oakdex: Mapping[int, Raw], move_ids: Mapping[str, int]) -> list[Raw]:
    """The records of all forms, ascending by id.

    Parameters
    ----------
    raws
        Showdown's species, with ``learnset`` and ``ownLearnset``.
    oakdex
        Oakdex' names of the species, by national number and language.
    move_ids
        By Showdown's id.
    """
    by_name = {raw["name"]: raw for raw in raws}
    records = [_record(raw, by_name, oakdex[raw["num"]], move_ids) for raw in raws]
    return sorted(records, key=lambda record: int(record["id"]))


def _record(raw: Raw, by_name: Mapping[str, Raw], oakdex: Raw, move_ids: Mapping[str, int]) -> Raw:
    name, name_fr, aliases = _names(raw, oakdex)
    stats = raw["baseStats"]
    record = {
        "id": _id(raw),
        "slug": slug(straight(raw["name"])),
        "showdown_id": raw["id"],
        "name": name,
        "name_fr": name_fr,
        "national_id": raw["num"],
        "types": raw["types"],
        "base_stats": {
            "hp": stats["hp"],
            "attack": stats["atk"],
            "defense": stats["def"],
            "special_attack": stats["spa"],
            "special_defense": stats["spd"],
            "speed": stats["spe"],
        },
        "weight_kg": float(raw["weightkg"]),
        "gender": _gender(raw["genderRatio"]),
        "forme": raw["forme"],
        "base_form_id": _id(by_name[raw["baseSpecies"]]),
        "evolves_from_id": _id(by_name[raw["prevo"]]) if raw["prevo"] in by_name else None,
        "learnset": sorted(move_ids[move] for move in raw["learnset"]),
        "inherited": sorted(move_ids[move] for move in set(raw["learnset"]) - set(raw["ownLearnset"])),
        "aliases": aliases,
    }
    return {key: value for key, value in record.items() if value not in ([], None)}


def _names(raw: Raw, oakdex: Raw) -> tuple[str, str, list[str]]:
    name = straight(raw["name"])
    if raw["forme"]:
        return name, FORMES[name].name_fr, [_FORME_ALIASES[raw["forme"]].format(straight(raw["baseSpecies"]))]
    return SPECIES_EN.get(name, name), SPECIES_FR.get(name) or straight(oakdex["fr"]), []


def _id(raw: Raw) -> int:
    form_id: int = FORMES[raw["name"]].id if raw["forme"] else raw["num"]
    return form_id


def _gender(ratio: Mapping[str, float]) -> str:
    if ratio["M"] == ratio["F"] == 0:
        return "N"
    return "M" if ratio["M"] >= ratio["F"] else "F"
