import pytest

from api_pokemon.dex import Dex, load_dex


@pytest.fixture(scope="session")
def dex() -> Dex:
    return load_dex()
