"""What `api-pokemon drill` says before it breaks anything."""

import subprocess
import sys
from pathlib import Path

from api_pokemon.stack import DeliveryReceiver
from api_pokemon.stack.drill.recipes import RECIPES
from tests.servers import free_port


def drill(data_dir: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "api_pokemon", "drill", *words],
        env={"PATH": "", "API_POKEMON_DATA_DIR": str(data_dir), "COLUMNS": "160", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_an_alert_it_lists_all(tmp_path: Path) -> None:
    ran = drill(tmp_path)
    assert ran.returncode == 0
    for recipe in RECIPES:
        assert recipe.alert in ran.stdout
        assert recipe.ways[0].text in ran.stdout


def test_an_unknown_alert_is_told_with_the_nearest(tmp_path: Path) -> None:
    ran = drill(tmp_path, "HighErorRate")
    assert ran.returncode == 1
    assert "There is no alert 'HighErorRate' to drill. Did you mean HighErrorRate" in ran.stderr


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    ran = drill(tmp_path, "--all")
    assert ran.returncode == 1
    assert f"No stack runs on the data folder {tmp_path}" in ran.stderr
    assert "make stack" in ran.stderr


def test_without_a_key_it_says_where_it_looked(tmp_path: Path) -> None:
    ran = drill(tmp_path, "--all", *urls("http://127.0.0.1:1"))
    assert ran.returncode == 1
    assert "admin.key" in ran.stderr
    assert "API_POKEMON_KEY" in ran.stderr


def test_an_api_that_is_not_there_is_told(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ran = drill(tmp_path, "HighErrorRate", *urls(url), API_POKEMON_KEY="a")
    assert ran.returncode == 1
    assert f"The api does not answer at {url}" in ran.stderr


def test_a_service_that_lets_nobody_break_it_is_told(tmp_path: Path) -> None:
    with DeliveryReceiver(0) as other:  # which knows no faults either
        ran = drill(tmp_path, "HighErrorRate", *urls(other.url), API_POKEMON_KEY="a")
    assert ran.returncode == 1
    assert "API_POKEMON_FAULTS=true" in ran.stderr


def urls(url: str) -> list[str]:
    return [word for name in ("api", "worker", "prometheus", "deliveries") for word in (f"--{name}", url)]
