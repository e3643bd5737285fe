"""Drift as people and programs read it."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.drift_jobs import check_drift, keep_profiles
from api_pokemon.errors import ApiPokemonError
from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring.database import writing
from api_pokemon.monitoring.drift_tables import profiles
from api_pokemon.stores import log_of, outboxes_of
from api_pokemon.worker import create_worker
from benchmarks.events import duel_predictions, renewed
from tests.monitoring.logged_events import START_SECONDS, id_at
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
    assert result == {"caught_up": ["old"], "to_be_continued": [], "removed": 0, "joined": 0}
    assert "old: asked for its baseline" in told
    assert document("verify")["differences"] == []


def test_a_version_that_cannot_answer_stops_no_upkeep(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data_dir / "models" / "broken").mkdir(parents=True)
    settings = settings_for(data_dir)
    for version in ("broken", "../models", "gone"):
        accept_all(settings, list(renewed(duel_predictions(5), 10)), model_version=version)
    with Running(create_worker(settings)):
        wait_for(lambda: all(state.pending == 0 for state in outboxes_of(settings).states()))
    nothing = {"caught_up": [], "to_be_continued": [], "removed": 0, "joined": 0}
    assert keep_profiles({}, lambda share, text: None) == nothing
    assert "broken has no baseline, and cannot make one" in caplog.text


def test_what_cannot_be_is_told(data_dir: Path) -> None:
    result = CliRunner().invoke(app, ["drift", "verify", "--from", "yesterday"])
    assert result.exit_code == 2
    assert "'yesterday' is no time" in result.output
    result = CliRunner().invoke(app, ["drift", "verify"])
    assert "there is no log yet" in str(result.exception)


def checked(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions of the last minutes, which only shipped duels with four moves against an unknown moveset make."""
    monkeypatch.setenv("API_POKEMON_DRIFT_WINDOW_SECONDS", "600")
    settings = settings_for(data_dir, drift_window_seconds=600)
    made = duel_predictions(500)
    ids = [id_at(time.time() - START_SECONDS - 100 - 800 * number / 1200, number) for number in range(1200)]
    accept_all(settings, [replace(made[n % 500], prediction_id=each) for n, each in enumerate(ids)])
    with Running(create_worker(settings)):
        wait_for(lambda: all(state.pending == 0 for state in outboxes_of(settings).states()))


def test_the_statistics_are_as_set(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked(data_dir, monkeypatch)

    def checks() -> list[dict[str, Any]]:
        found = []
        for number, category in (
            ("wasserstein", "jensen_shannon"),
            ("kolmogorov_smirnov", "jensen_shannon"),
            ("kolmogorov_smirnov", "population_stability"),
        ):
            monkeypatch.setenv("API_POKEMON_DRIFT_NUMBER_STATISTIC", number)
            monkeypatch.setenv("API_POKEMON_DRIFT_CATEGORY_STATISTIC", category)
            found.append(document("check", status=1))
        return found

    found = checks()
    if len({check["to_seconds"] for check in found}) > 1:  # a minute ended meanwhile, and the window moved on
        found = checks()
    usual, numbers, both = ({field["name"]: field for field in check["fields"]} for check in found)

    def others(fields: dict[str, Any]) -> set[str]:
        return {field["kind"] for name, field in fields.items() if field["statistic"] != usual[name]["statistic"]}

    assert (others(numbers), others(both)) == ({"number"}, {"number", "category"})


def test_a_check_tells_what_drifts_and_keeps_nothing(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked(data_dir, monkeypatch)
    printed = run("check", status=1)
    assert "against the provisional reference (made-up traffic) of 10,000 rows." in printed
    assert "request: drift, in this window and in the one before." in printed
    assert re.search(r"^candidate_moves +request +\S+ +\S+ +drift +4 .*% to 100%", printed, re.MULTILINE)
    found = document("check", status=1)
    assert (found["model_version"], found["verdict"]) == (shipped_version(), "drift")
    assert [group["group"] for group in found["groups"]] == ["request", "choice"]

    assert check_drift({}, lambda share, text: None) == {shipped_version(): "drift"}
    (kept,) = document("status")
    assert kept["numbers"] == {"drift": 1}
    assert "request: drift, in this window and in the one before." in run("status")


def test_what_is_normal_is_declared_and_taken_back(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked(data_dir, monkeypatch)
    assert "uniform (provisional)" in run("reference", "show")
    since, until = (str(time.time() - ago) for ago in (3600, -86_400))
    (said,) = document("reference", "use-window", "--from", since, "--to", until, "--reason", "as it should be")
    assert (said["kind"], said["rows"], said["reason"]) == ("window", 1200, "as it should be")
    assert said["from_seconds"] <= float(since)
    assert said["to_seconds"] <= time.time()  # what comes later is not in it
    assert document("check")["verdict"] == "no_drift"
    assert document("reference", "show") == [said]

    assert check_drift({}, lambda share, text: None) == {shipped_version(): "no_drift"}
    (uniform,) = document("reference", "use-uniform", "--reason", "it was not")
    assert document("check", status=1)["verdict"] == "drift"
    assert "Another reference counts since then" in run("status")
    undone, counts = document("reference", "undo")
    assert (undone["reference_id"], counts) == (uniform["reference_id"], said)
    document("reference", "undo")
    assert [(item["kind"], item["undone_by"] is not None) for item in document("reference", "history")] == [
        ("uniform", True),
        ("window", True),
        ("uniform", False),
    ]
    assert run("reference", "history").count(shipped_version()) == 3
    failed("There is nothing to undo", "reference", "undo")
    failed("that of uniform traffic already", "reference", "use-uniform", "--reason", "again")


def test_what_shows_too_little_cannot_be_normal(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed("there is no log yet", "reference", "show")
    checked(data_dir, monkeypatch)
    few = ("reference", "use-window", "--from", "2026-01-01", "--to", "2026-01-02", "--reason", "a quiet day")
    failed(f"{shipped_version()} has made 0 predictions from 2026-01-01 00:00:00", *few)
    failed(f"Nothing is known of a model version 'v7'. Known: {shipped_version()}.", *few, "--model", "v7")
    for told, *options in (
        ("is not after", "--from", "2026-01-02", "--to", "2026-01-01", "--reason", "a quiet day"),
        ("Missing option '--reason'", "--from", "2026-01-01", "--to", "2026-01-02"),
        ("it is empty; say why", "--from", "2026-01-01", "--to", "2026-01-02", "--reason", " "),
    ):
        assert told in CliRunner().invoke(app, ["drift", *few[:2], *options]).output
    assert "There was no check yet" in run("status")


def failed(told: str, *arguments: str) -> None:
    result = CliRunner().invoke(app, ["drift", *arguments])
    assert isinstance(result.exception, ApiPokemonError), result.output
    assert told in str(result.exception)
