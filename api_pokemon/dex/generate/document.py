"""The text of ``dex.json``."""

import json
from collections.abc import Mapping
from typing import Any

from api_pokemon.dex.generate.corrections import TYPES, TYPES_FR
from api_pokemon.dex.generate.forms import form_records
from api_pokemon.dex.generate.moves import move_record

Raw = dict[str, Any]

_MULTIPLIERS = {1: 2.0, 2: 0.5, 3: 0.0}  # Showdown's codes of the damage that a type takes; 0 is 1
_IMMUNE = 3


def document(exported: Raw) -> str:
    """The whole file, from what `sources.export` says: sorted, one record a line, so that differences can be read."""
    oakdex = {kind: {names["id"]: names for names in exported["oakdex"][kind]} for kind in ("species", "moves")}
    moves = sorted(
        (move_record(raw, oakdex["moves"][raw["num"]]) for raw in exported["moves"]), key=lambda move: int(move["id"])
    )
    forms = form_records(exported["forms"], oakdex["species"], {move["showdown_id"]: move["id"] for move in moves})
    sections = {"types": type_records(exported), "forms": forms, "moves": moves}
    lines = [f'"source": {_line(exported["source"])}', *(_section(name, records) for name, records in sections.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def type_records(exported: Raw) -> list[Raw]:
    """The records of the 18 types, in the order of the game.

    ``attacking`` is what an attack of the type does, where that is not 1; ``immune_to`` what the type protects from.
    """
    taken = {type_["name"]: type_["damageTaken"] for type_ in exported["types"]}
    if taken.keys() != set(TYPES):
        raise ValueError(f"The simulator's types are not those of this game: {sorted(taken)}")
    french = {names["en"]: names.get("fr") for names in exported["oakdex"]["types"]} | TYPES_FR
    return [
        {
            "name": attack,
            "name_fr": french[attack],
            "attacking": {defend: _MULTIPLIERS[taken[defend][attack]] for defend in TYPES if taken[defend][attack]},
            "immune_to": _immunities(taken[attack]),
        }
        for attack in TYPES
    ]


def _immunities(taken: Mapping[str, int]) -> list[str]:
    return sorted(effect for effect, code in taken.items() if code == _IMMUNE and effect not in TYPES)


def _section(name: str, records: list[Raw]) -> str:
    return f'"{name}": [\n' + ",\n".join(_line(record) for record in records) + "\n]"


def _line(record: Raw) -> str:
    return json.dumps(record, ensure_ascii=False)
