"""The real battle simulator, Pokémon Showdown's, on any number of Node processes."""

from api_pokemon.battle.simulator.pool import (
    A_WINS,
    B_WINS,
    DRAW,
    RULES_VERSION,
    Duel,
    Duels,
    Result,
    SimulatorPool,
    Tally,
    battle_seeds,
    worker_command,
)

__all__ = [
    "A_WINS",
    "B_WINS",
    "DRAW",
    "RULES_VERSION",
    "Duel",
    "Duels",
    "Result",
    "SimulatorPool",
    "Tally",
    "battle_seeds",
    "worker_command",
]
