"""The commands that make, measure and compile a version."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.dex import Dex
from api_pokemon.errors import ApiPokemonError, ModelDamagedError, ModelError, ModelMissingError
from api_pokemon.model import open_model
from api_pokemon.model.registry import file_sha256
from tests.model.conftest import BATTLES, TRUTH, Trained


def run(*arguments: str | Path) -> Result:
    """A wide terminal, so that no line is broken."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", ("--battles", "--truth", "--models-dir", "--seed", "--threads", "--tablebase", "--no-tablebase")),
        ("evaluate", ("--model-dir", "--truth", "--simulate", "--workers", "--picture")),
        ("tablebase", ("--model-dir",)),
    ],
)
def test_help_tells_every_option(command: str, options: tuple[str, ...]) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    named = set(re.findall(r"--[a-z-]+", result.output))
    assert named - {"--help"} >= set(options)


def test_train_makes_a_whole_version(dex: Dex, battles_file: Path, tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    result = run(
        "train", "--battles", battles_file, "--truth", TRUTH, "--models-dir", models_dir, "--seed", "3",
        "--threads", "1", "--no-tablebase",
    )  # fmt: skip
    assert result.exception is None, result.output
    (folder,) = models_dir.iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "baseline.msgpack",
        "metadata.json",
        "model.onnx",
        "rows.parquet",
    }
    predictor = open_model(dex, folder)
    metadata = predictor.metadata
    assert (metadata.battles, metadata.hyper_parameters["seed"]) == (10_000, 3)
    assert metadata.data_sha256 == file_sha256(battles_file)
    assert 0 < metadata.metrics["brier_floor"] < metadata.metrics["brier"] < 0.08
    assert f"Model {metadata.version}: 4,000 matchups never trained on" in result.output
    for step in ("features", "trees", "monitored rows"):
        assert re.search(rf"{step}: ([\d,]+) of \1,", result.output)
    assert f"Wrote {folder}" in result.output


def test_evaluate_prints_tables_and_draws_a_picture(trained: Trained, tmp_path: Path) -> None:
    picture = tmp_path / "calibration.png"
    result = run("evaluate", "--model-dir", trained.folder, "--truth", TRUTH, "--picture", picture)
    assert result.exception is None, result.output
    for word in (trained.folder.name, "above floor", "race of hits", "noise (an oracle's)", "bias, at most"):
        assert word in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_evaluate_takes_the_services_version(
    trained: Trained, own_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained.folder, own_data_dir / "models" / "mine")
    monkeypatch.setenv("API_POKEMON_MODEL_VERSION", "mine")
    result = run("evaluate", "--truth", TRUTH, "--picture", tmp_path / "picture.png")
    assert result.exception is None, result.output
    assert f"Model {trained.folder.name}" in result.output


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("train", "--battles", "nowhere.parquet", "--truth", TRUTH), ModelError, r"nowhere\.parquet cannot be read"),
        (("train", "--battles", BATTLES, "--truth", "nowhere"), ModelError, r"nowhere/duels\.parquet cannot be read"),
        (("evaluate", "--truth", "nowhere"), ModelError, r"nowhere/duels\.parquet .*`api-pokemon evaluate --simulate"),
        (
            ("evaluate", "--truth", TRUTH, "--model-dir", "nowhere"),
            ModelMissingError,
            r"nowhere/metadata\.json is missing; train or copy that version anew",
        ),
        (("tablebase", "--model-dir", "nowhere"), ModelMissingError, r"nowhere/metadata\.json is missing"),
    ],
)
def test_missing_files_are_named(arguments: tuple[str, ...], error: type[ApiPokemonError], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, error)
    assert re.search(message, str(result.exception))


def test_a_version_that_is_nowhere_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_MODEL_VERSION", "1999")
    result = run("tablebase")
    assert isinstance(result.exception, ModelMissingError)
    assert "unset API_POKEMON_MODEL_VERSION" in str(result.exception)


def test_no_tablebase_is_made_of_a_damaged_model(trained: Trained, tmp_path: Path) -> None:
    folder = shutil.copytree(trained.folder, tmp_path / "version")
    (folder / "model.onnx").write_bytes(trained.onnx[:-1])
    result = run("tablebase", "--model-dir", folder)
    assert isinstance(result.exception, ModelDamagedError)
    assert {path.name for path in folder.iterdir()} == {"metadata.json", "model.onnx"}


def test_a_missing_default_is_told_once_with_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(run("train").exception) == (
        "data/truth/duels.parquet cannot be read: there is no such file. The default paths are relative to the "
        "repository's root. Make the truth with `api-pokemon evaluate --simulate SEED`."
    )


@pytest.mark.parametrize(
    ("picture", "message"),
    [("nowhere/x.png", "The folder nowhere is missing, or cannot be written."), (".", "'.' is a directory.")],
)
def test_a_picture_that_cannot_be_written_is_told_first(picture: str, message: str) -> None:
    result = run("evaluate", "--truth", "not/looked/at", "--picture", picture)
    assert result.exit_code == 2
    assert "Invalid value for '--picture': " in result.output
    assert message in result.output


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--threads", "0"), ("--seed", "x")])
def test_options_out_of_range_are_refused(option: tuple[str, str]) -> None:
    result = run("train", *option)
    assert result.exit_code == 2
    assert f"Invalid value for '{option[0]}'" in result.output
