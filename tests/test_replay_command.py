"""``api-pokemon replay``, from the outbox through the log to the table."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import Result
from msgspec import structs
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.dex import load_dex
from api_pokemon.errors import ModelMissingError, UnreachableError
from api_pokemon.model import MoveRanker, open_model
from api_pokemon.model.asked import read_payload
from api_pokemon.model.registry import SHIPPED, shipped_version
from api_pokemon.monitoring import Prediction, encode, new_id
from api_pokemon.monitoring.outbox_stream import OutboxStream
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.best_moves import BestMoves
from api_pokemon.routes.schemas import Duel
from api_pokemon.settings import Settings
from api_pokemon.stores import log_of, outboxes_of
from api_pokemon.traffic.scenarios import uniform

SIZE = 200
OLDER = 40
UNREADABLE = 3


@dataclass(frozen=True, slots=True)
class Logged:
    """A data folder, and what is in its log: by the shipped version, and by an older one that recommended worse."""

    settings: Settings
    shipped: tuple[Prediction, ...]
    older: tuple[Prediction, ...]


def predictions_of_the_shipped_version() -> Iterator[Prediction]:
    dex = load_dex()
    predictor = open_model(dex, SHIPPED / shipped_version())
    best_moves = BestMoves(MoveRanker(dex, predictor), predictor.version, Answers(dex))
    for call in islice(uniform(dex, Random(9)), SIZE):
        prediction, _ = best_moves.predict(Duel.model_validate_json(json.dumps(call.body())), call.language)
        yield prediction


def recommended_the_worst(prediction: Prediction) -> Prediction:
    asked = read_payload(prediction.payload)
    worst = structs.replace(asked, ranked=asked.ranked[::-1])
    return structs.replace(
        prediction,
        prediction_id=new_id(),
        model_version="older",
        probability=worst.ranked[0][1],
        payload=worst.payload(),
    )


def carry(settings: Settings, predictions: Iterable[Prediction]) -> None:
    """Into an outbox, as the API does, and from there into the log, as the worker does."""
    outboxes, log = outboxes_of(settings), log_of(settings)
    log.migrate()
    with outboxes.claim() as claim:
        outbox = outboxes.open(claim.path)
        outbox.append([(prediction.prediction_id, encode(prediction)) for prediction in predictions])
        outbox.close()
    stream = OutboxStream(outboxes)
    while entries := stream.read(1000, 0.0, log.offsets()):
        log.write(entries, keep_offsets=True)
        stream.confirm(entries)
    stream.close()


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), _env_file=None)
    shipped = tuple(predictions_of_the_shipped_version())
    older = tuple(map(recommended_the_worst, shipped[:OLDER]))
    unreadable = [structs.replace(older[0], prediction_id=new_id(), payload=b"?") for _ in range(UNREADABLE)]
    carry(settings, (*shipped, *older, *unreadable))
    return Logged(settings, shipped, older)


@pytest.fixture(autouse=True)
def own_data_dir(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(logged.settings.data_dir))
    monkeypatch.delenv("API_POKEMON_LOG_URL", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["replay", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    result = run("--json", *arguments)
    assert result.exception is None, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_the_same_version_changes_nothing(logged: Logged) -> None:
    told = document("--model", shipped_version())
    assert (told["model_version"], told["engine"]) == (shipped_version(), "onnx")
    assert told["by_version"][shipped_version()] == {
        "replayed": SIZE,
        "unreadable": 0,
        "other_move": 0,
        "near_ties": 0,
        "mean": 0.0,
        "mean_absolute": 0.0,
        "median_absolute": 0.0,
        "p95_absolute": 0.0,
        "largest_absolute": 0.0,
        "share_of_other_moves": 0.0,
    }


def test_what_changes_is_told_by_version_and_with_examples(logged: Logged) -> None:
    told = document("--model", shipped_version())
    gains = [now.probability - before.probability for now, before in zip(logged.shipped, logged.older, strict=False)]
    moves = [read_payload(prediction.payload).moves for prediction in logged.older]
    assert min(gains) >= 0
    older, total = told["by_version"]["older"], told["total"]
    assert (older["replayed"], older["unreadable"]) == (OLDER, UNREADABLE)
    assert 0 < older["other_move"] < OLDER == len(moves)
    assert older["share_of_other_moves"] == older["other_move"] / OLDER
    assert older["mean"] == older["mean_absolute"] == pytest.approx(sum(gains) / OLDER, abs=1e-9)
    assert older["largest_absolute"] == pytest.approx(max(gains), abs=1e-9)
    assert (total["replayed"], total["unreadable"]) == (SIZE + OLDER, UNREADABLE)
    assert (total["other_move"], total["median_absolute"]) == (older["other_move"], 0.0)
    by_id = {prediction.prediction_id: gain for prediction, gain in zip(logged.older, gains, strict=True)}
    examples = [by_id[example["prediction_id"]] for example in told["examples"]]
    assert examples == sorted(gains, reverse=True)[:5]


def test_the_table_is_the_same_each_time(logged: Logged) -> None:
    first, second = run("--model", shipped_version()), run("--model", shipped_version())
    assert first.exit_code == 0
    assert all(" predictions replayed, " in line for line in first.stderr.splitlines())  # progress, where it takes long
    assert first.stdout == second.stdout
    assert f"Replayed with {shipped_version()}, by its ONNX model" in first.stdout
    shipped = re.escape(shipped_version())
    for row in (
        rf"{shipped} +│ +200 │ +0 │ +0 │ +0\.00%",
        r"older +│ +40 │ +3 │ +\d+ │ [ \d.]+%",
        r"all +│ +240 │ +3 │",
    ):
        assert re.search(rf"│ {row} │?", first.stdout)
    assert re.search(rf"│ {shipped} │ \+0\.0000( │ 0\.0000){{4}} │", first.stdout)
    assert "The largest changes" in first.stdout
    assert max(map(len, first.stdout.splitlines())) <= 100


def test_a_stretch_of_time(logged: Logged) -> None:
    seconds = [prediction.made_at_seconds for prediction in (*logged.shipped, *logged.older)]
    first, last = min(seconds), max(seconds)
    since = sorted(set(seconds))[len(set(seconds)) // 2]
    version = shipped_version()
    later = document("--model", version, "--from", f"{since}")["total"]["replayed"]
    earlier = document("--model", version, "--to", f"{since}")["total"]["replayed"]
    assert (earlier, later) == (sum(at < since for at in seconds), sum(at >= since for at in seconds))
    assert document("--model", version, "--to", f"{first}")["total"]["replayed"] == 0
    assert document("--model", version, "--from", f"{last + 60}")["by_version"] == {}


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_bad_time_is_told_with_examples(option: str) -> None:
    result = run("--model", shipped_version(), option, "yesterday")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': 'yesterday' is no time; write 2026-08-01, 2026-08-01T10:30:00Z" in re.sub(
        r"[│\s]+", " ", result.output
    )


def test_an_end_before_the_beginning_is_told() -> None:
    result = run("--model", shipped_version(), "--from", "2026-08-02", "--to", "2026-08-02")
    assert result.exit_code == 2
    assert "Invalid value for '--to': '2026-08-02' is not after '2026-08-02'" in re.sub(r"[│\s]+", " ", result.output)


@pytest.mark.parametrize("version", ["1999", "../models", "", ".", "/"])
def test_an_unknown_version_is_told_with_those_that_are_there(version: str) -> None:
    result = run("--model", version)
    assert isinstance(result.exception, ModelMissingError)
    assert str(result.exception).startswith(f"There is no model version {version!r} in ")
    assert shipped_version() in str(result.exception)


def test_a_log_that_does_not_exist_yet_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    told = document("--model", shipped_version())
    assert (told["total"]["replayed"], told["by_version"], told["examples"]) == (0, {}, [])
    assert re.search(r"│ all +│ +0 │ +0 │ +0 │ +– │", run("--model", shipped_version()).stdout)
    assert not (tmp_path / "log.sqlite").exists()


def test_a_log_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # closed again, so that it refuses
    monkeypatch.setenv("API_POKEMON_LOG_URL", f"postgresql://127.0.0.1:{port}/log")
    result = run("--model", shipped_version())
    assert isinstance(result.exception, UnreachableError)
    assert str(result.exception).startswith("The prediction log cannot be replayed: ")


def test_the_services_own_copy_of_a_version_is_taken(logged: Logged, tmp_path: Path) -> None:
    models = logged.settings.data_dir / "models"
    shutil.copytree(SHIPPED / shipped_version(), models / "copy")
    (models / "copy" / "tablebase").mkdir()
    (models / "copy" / "tablebase" / "metadata.json").write_text("damaged")
    try:
        result = run("--model", "copy", "--json")
    finally:
        shutil.rmtree(models)
    assert json.loads(result.stdout)["engine"] == "onnx"


def test_ctrl_c_ends_it_cleanly_and_progress_is_told_meanwhile(logged: Logged, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, _env_file=None)
    again = (structs.replace(each, prediction_id=new_id()) for _ in range(50) for each in logged.shipped)
    carry(settings, again)
    command = [sys.executable, "-m", "api_pokemon", "replay", "--model", shipped_version()]
    process = subprocess.Popen(
        command,
        env={**os.environ, "API_POKEMON_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert re.fullmatch(r"[\d,]+ predictions replayed, [\d,]+/s\n", line)
    assert process.returncode == 130
    assert (stdout, stderr) == ("", "")
