"""What the tests that play real battles need."""

from api_pokemon.battle.simulator.setup import node_path, simulator_version
from api_pokemon.errors import SimulatorError
from tests.needs import needs


def needs_simulator() -> None:
    """Skip the test where there is no simulator."""
    try:
        node_path()
        simulator_version()
    except SimulatorError as error:
        needs(None, f"the battle simulator ({error})")
