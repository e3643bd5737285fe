"""The commands ``train``, ``evaluate`` and ``tablebase``."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex, load_dex
from api_pokemon.model.features import FeatureTables
from api_pokemon.model.predictor import open_model
from api_pokemon.model.registry import TABLEBASE_DIR, install_version
from api_pokemon.model.tablebase import compile_tablebase
from api_pokemon.progress import show_steps
from api_pokemon.startup import read_settings

BATTLES = Path("data/battles.parquet")
TRUTH = Path("data/truth")
CHECKED = 20_000
"""At most so many rows, spread over all battles (which are in order of form A), compare ONNX with XGBoost."""


def _in_a_folder(path: Path) -> Path:
    """Told before the work whose result the file is to hold."""
    if not os.access(path.parent, os.W_OK):
        raise typer.BadParameter(f"The folder {path.parent} is missing, or cannot be written.")
    return path


def tablebase(
    model_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of a model version.", show_default="the version that the service uses"),
    ] = None,
) -> None:
    """Compile a model version over all duels that there are, so that answers are looked up.

    Takes a minute or two of one core. The service does it by itself at its first start.
    """
    settings = read_settings()
    folder = model_dir or install_version(settings.data_dir / "models", settings.model_version)
    console = Console(stderr=True)
    predictor = open_model(load_dex(), folder)
    with show_steps(console) as start:
        compile_tablebase(
            predictor.features,
            predictor.score,
            predictor.metadata.model_sha256,
            folder / TABLEBASE_DIR,
            start("tablebase"),
        )
    console.print(f"Wrote {folder / TABLEBASE_DIR}")


def train(
    battles: Annotated[Path, typer.Option(help="Battles to learn from, by `api-pokemon simulate`.")] = BATTLES,
    truth: Annotated[Path, typer.Option(help="What to measure the model against.")] = TRUTH,
    models_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the version's folder goes.", show_default="models in the data folder", file_okay=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, battles and threads give the same model.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use.", show_default="all")] = None,
    with_tablebase: Annotated[
        bool, typer.Option("--tablebase/--no-tablebase", help="Compile the version's tablebase too.")
    ] = True,
) -> None:
    """Make a model version from battles: train, convert to ONNX, measure, compile.

    Nothing uses the version until API_POKEMON_MODEL_VERSION names it.
    """
    from api_pokemon.model.evaluation import evaluate as measure
    from api_pokemon.model.evaluation_report import print_evaluation
    from api_pokemon.model.sample import save_sample
    from api_pokemon.model.training import describe_version, feature_rows, fit, read_battles, staged_version, to_onnx
    from api_pokemon.model.truth import load_truth

    console = Console(stderr=True)
    models_dir = models_dir or read_settings().data_dir / "models"
    dex = load_dex()
    features = _features(dex)
    known_truth = load_truth(truth, features.tables)  # before the long part, so that a missing file is told at once
    data = read_battles(battles, features.tables)
    with show_steps(console) as start:
        rows, wins = feature_rows(features, data, start("features"))
        cores = threads or os.cpu_count() or 1
        booster = fit(rows, wins, data.battles, seed, cores, progress=start("trees"))
        model = to_onnx(booster, rows[:: len(rows) // CHECKED + 1])
        metadata = describe_version(model, battles, int(data.battles.sum()), seed, cores)
        with staged_version(model, metadata, models_dir) as folder:
            predictor = open_model(dex, folder)
            result = measure(features, predictor.score, known_truth)
            replace(metadata, metrics=result.metrics()).save(folder)
            if with_tablebase:
                target = folder / TABLEBASE_DIR
                compile_tablebase(features, predictor.score, metadata.model_sha256, target, start("tablebase"))
                predictor.load_tablebase()
            save_sample(dex, predictor, seed, folder, start("monitored rows"))
    print_evaluation(Console(), metadata.version, result)
    console.print(f"Wrote {models_dir / metadata.version}")


def evaluate(
    model_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of a model version.", show_default="the version that the service uses"),
    ] = None,
    truth: Annotated[Path, typer.Option(help="Folder of simulated duels to measure against.", file_okay=False)] = TRUTH,
    simulate: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="SEED", help="Simulate new duels into the folder first; about 3.5 million battles."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Simulator processes.", show_default="all cores")] = None,
    picture: Annotated[
        Path,
        typer.Option(
            dir_okay=False, writable=True, callback=_in_a_folder, help="Where the calibration picture goes, a PNG."
        ),
    ] = Path("calibration.png"),
) -> None:
    """Measure a model on duels between forms that training never saw, beside their noise and simple guesses."""
    from api_pokemon.model.evaluation import evaluate as measure
    from api_pokemon.model.evaluation_report import draw_calibration, print_evaluation
    from api_pokemon.model.truth import load_truth

    settings = read_settings()
    console = Console(stderr=True)
    if simulate is not None:
        _simulate_truth(truth, simulate, workers or os.cpu_count() or 1, console)
    predictor = open_model(
        load_dex(), model_dir or install_version(settings.data_dir / "models", settings.model_version)
    )
    result = measure(predictor.features, predictor.score, load_truth(truth, predictor.tables))
    print_evaluation(Console(), predictor.version, result)
    draw_calibration(result, picture)
    console.print(f"Wrote {picture}")


def _simulate_truth(folder: Path, seed: int, workers: int, console: Console) -> None:
    from api_pokemon.battle.simulator import SimulatorPool
    from api_pokemon.battle.simulator.progress import show_progress
    from api_pokemon.model.truth import TruthSize, save_truth, simulate_truth, truth_battles

    dex = load_dex()
    tables = _features(dex).tables
    size = TruthSize()
    with show_progress(console, truth_battles(tables, seed, size)) as progress, SimulatorPool(dex, workers) as pool:
        save_truth(simulate_truth(pool, tables, seed, size, progress.advance), folder, tables, seed)
    console.print(f"Wrote {folder}")


def _features(dex: Dex) -> FeatureTables:
    return FeatureTables(DuelTables(dex))
