"""Drift as people and programs read it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.drift_jobs import keep_profiles
from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring.database import writing
from api_pokemon.monitoring.drift_tables import profiles
from api_pokemon.stores import log_of, outboxes_of
from api_pokemon.worker import create_worker
from benchmarks.events import duel_predictions, renewed
from tests.running import Running
from tests.test_worker import accept_all, settings_for, wait_for


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logged(data_dir: Path, number: int) -> None:
    """Let so many predictions of duels be logged by a worker."""
    settings = settings_for(data_dir)
    accept_all(settings, list(renewed(duel_predictions(20), number)))
    with Running(create_worker(settings)):
        wait_for(lambda: all(state.pending == 0 for state in outboxes_of(settings).states()))


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["drift", *arguments])
    assert result.exit_code == status, result.output
    return result.stdout


def document(*arguments: str, status: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", status=status))


def test_profiles_are_what_the_log_says(data_dir: Path) -> None:
    logged(data_dir, 250)
    assert "All profiles are what the log says" in run("verify")
    assert document("verify")["differences"] == []


def test_what_differs_is_told_and_repaired(data_dir: Path) -> None:
    logged(data_dir, 120)
    with writing(log_of(settings_for(data_dir)).engine) as connection:
        connection.execute(delete(profiles))
    differences = document("verify", status=1)["differences"]
    assert sum(found["logged"] for found in differences) == 120
    assert {(found["model_version"], found["profiled"]) for found in differences} == {(shipped_version(), 0)}
    printed = run("verify", status=1)
    assert "other rows were counted" in printed
    assert "yes" in run("verify", "--repair")
    assert document("verify")["differences"] == []
    assert "0 hours or days compared" in run("verify", "--to", "2026-01-01")


def test_a_version_that_is_not_here_cannot_be_repaired(data_dir: Path) -> None:
    settings = settings_for(data_dir)
    accept_all(settings, list(renewed(duel_predictions(2), 1)), model_version="gone")
    with Running(create_worker(settings)):
        wait_for(lambda: outboxes_of(settings).states()[0].pending == 0)
    (found,) = document("verify", "--repair", status=1)["differences"]
    assert (found["model_version"], found["reason"], found["repaired"]) == ("gone", "there is no layout", False)


def test_a_version_without_a_baseline_is_asked_for_it(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from api_pokemon.model import baseline
    from api_pokemon.model.registry import BASELINE_FILE, METADATA_FILE, SHIPPED

    old = data_dir / "models" / "old"
    shutil.copytree(SHIPPED / shipped_version(), old)
    (old / BASELINE_FILE).unlink()
    metadata = json.loads((old / METADATA_FILE).read_text())
    (old / METADATA_FILE).write_text(json.dumps(metadata | {"version": "old"}))
    monkeypatch.setattr(baseline, "SIZE", 300)
    settings = settings_for(data_dir)
    accept_all(settings, list(renewed(duel_predictions(5), 40)), model_version="old")
    with Running(create_worker(settings)):
        wait_for(lambda: outboxes_of(settings).states()[0].pending == 0)
    assert document("verify", status=1)["differences"][0]["reason"] == "there is no layout"
    told: list[str] = []
    result = keep_profiles({}, lambda share, text: told.append(text))
    assert result == {"caught_up": ["old"], "removed": 0, "joined": 0}
    assert "old: asked for its baseline" in told
    assert document("verify")["differences"] == []


def test_what_cannot_be_is_told(data_dir: Path) -> None:
    result = CliRunner().invoke(app, ["drift", "verify", "--from", "yesterday"])
    assert result.exit_code == 2
    assert "'yesterday' is no time" in result.output
    result = CliRunner().invoke(app, ["drift", "verify"])
    assert "there is no log yet" in str(result.exception)
