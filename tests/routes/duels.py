"""Duels that tests ask about."""

from typing import Any

DUEL: dict[str, Any] = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}
BULBASAUR, METAPOD, PIKACHU, CHARIZARD, DITTO = 1, 11, 25, 6, 132


def duel(**changes: object) -> dict[str, Any]:
    return DUEL | changes


def without_id(prediction: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in prediction.items() if name != "prediction_id"}
