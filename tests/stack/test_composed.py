"""What is taken for the stack of `docker compose up` is what Compose makes of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api_pokemon.errors import StartError
from api_pokemon.stack.composed import COMPOSE_FILE, ComposeVariables
from api_pokemon.stack.validate_site import Urls
from api_pokemon.startup import read_variables

VARIABLES = [name.upper() for name in ComposeVariables.model_fields]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the variables is set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def composed(env_file: Path | None = None) -> ComposeVariables:
    return ComposeVariables(_env_file=env_file)  # type: ignore[call-arg]


def test_the_defaults_are_those_of_the_compose_file() -> None:
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]+)\}", COMPOSE_FILE.read_text()))
    assert {name.upper(): str(value) for name, value in composed().model_dump().items()} == {
        name: defaults[name] for name in VARIABLES
    }


def test_env_beside_the_compose_file_is_read_wherever_one_is() -> None:
    assert ComposeVariables.model_config["env_file"] == Path(__file__).parents[2] / ".env"


def test_ports_and_the_password_come_from_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(
        "API_POKEMON_PORT=8080\nPROMETHEUS_PORT=9190\nALERTMANAGER_PORT=\nGRAFANA_ADMIN_PASSWORD='a b $#\"'\n"
        "POSTGRES_PASSWORD=x\n"
    )
    monkeypatch.setenv("PROMETHEUS_PORT", "9290")
    monkeypatch.setenv("GRAFANA_PORT", "")
    found = composed(tmp_path / ".env")
    assert found.urls == Urls(
        api="http://127.0.0.1:8080",
        prometheus="http://127.0.0.1:9290",
        alertmanager="http://127.0.0.1:9093",
        grafana="http://127.0.0.1:3000",
    )
    assert repr(found.grafana_admin_password) == """'a b $#"'"""


def test_a_port_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_PORT", "x")
    with pytest.raises(StartError, match="PROMETHEUS_PORT is 'x': "):
        read_variables(ComposeVariables)


def test_validate_looks_there(tmp_path: Path) -> None:
    ports = {name: "1" for name in VARIABLES if name.endswith("_PORT")}
    ran = subprocess.run(
        [sys.executable, "-m", "api_pokemon", "validate", "--json", "--wait", "0", "--grafana", "http://127.0.0.1:2/"],
        env={**os.environ, **ports, "API_POKEMON_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    here = "http://127.0.0.1:1"
    there = Urls(here, here, here, worker=None, grafana="http://127.0.0.1:2")
    assert json.loads(ran.stdout)["stack"] == there._asdict()
