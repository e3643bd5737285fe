"""Reads the committed data file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api_pokemon.dex.dex import Dex
from api_pokemon.dex.facts import BaseStats, Boost, Form, Move, Secondary, Stat

Record = dict[str, Any]


def load_dex() -> Dex:
    """The game's facts, from ``dex.json`` of this package; about 10 ms, so load once and hand it on."""
    data = json.loads(Path(__file__).with_name("dex.json").read_bytes())
    return Dex(
        forms=tuple(Form(**_typed(record)) for record in data["forms"]),
        moves=tuple(Move(**_typed(record)) for record in data["moves"]),
        type_names={record["name"]: record["name_fr"] for record in data["types"]},
        chart={record["name"]: record["attacking"] for record in data["types"]},
        immunities={record["name"]: frozenset(record["immune_to"]) for record in data["types"]},
    )


def _typed(record: Record) -> Record:
    return {name: _READ[name](value) if name in _READ else value for name, value in record.items()}


def _boosts(stages_by_stat: dict[Stat, int]) -> tuple[Boost, ...]:
    return tuple(Boost(stat, stages) for stat, stages in stages_by_stat.items())


def _secondaries(records: list[Record]) -> tuple[Secondary, ...]:
    return tuple(Secondary(**_typed(record)) for record in records)


_READ: dict[str, Callable[[Any], object]] = {
    "types": tuple,
    "base_stats": lambda record: BaseStats(**record),
    "learnset": tuple,
    "inherited": tuple,
    "aliases": tuple,
    "flags": frozenset,
    "multihit": tuple,
    "callbacks": tuple,
    "boosts": _boosts,
    "self_boosts": _boosts,
    "secondaries": _secondaries,
}
