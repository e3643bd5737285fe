"""A believable client: what it asks, how it sends it, what came of it."""

from api_pokemon.traffic.client import Client
from api_pokemon.traffic.player import Player, Tally
from api_pokemon.traffic.report import quantile, table_of
from api_pokemon.traffic.scenarios import SCENARIOS, Call, Scenario, uniform

__all__ = ["SCENARIOS", "Call", "Client", "Player", "Scenario", "Tally", "quantile", "table_of", "uniform"]
