import pytest

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex, load_dex


@pytest.fixture(scope="session")
def dex() -> Dex:
    return load_dex()


@pytest.fixture(scope="session")
def tables(dex: Dex) -> DuelTables:
    return DuelTables(dex)
