"""``api-pokemon replay``: what would another model version have answered?"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from api_pokemon.dex import Dex, load_dex
from api_pokemon.errors import ModelDamagedError, ModelMissingError, UnreachableError
from api_pokemon.model import Engine, ModelPredictor, MoveRanker, open_model
from api_pokemon.model.registry import SHIPPED
from api_pokemon.model.replay import Change, Changes, Replay
from api_pokemon.model.tablebase import TOLERANCE
from api_pokemon.monitoring import LogUnavailableError, Prediction
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.progress import LINE_EVERY_SECONDS
from api_pokemon.routes.times import parse_time
from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of

T = TypeVar("T")

_QUIET_SECONDS = 2.0
_WIDTH = 100
"""Where there is no terminal, so that the output does not depend on where it goes."""


def replay(
    model: Annotated[str, typer.Option(metavar="VERSION", help="The version to answer with: a folder of models.")],
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Made at this time or later: ISO 8601, UTC without an offset."),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Made before this time.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False,
) -> None:
    """Answer logged predictions again with any model version, and print what changes.

    The same log and version print the same. A version with a tablebase answers several times as fast; it holds win
    probabilities rounded by up to 0.0005, so that much may differ from predictions that were made before it was there.

    Example: api-pokemon replay --model 2026-08-01 --from 2026-08-01 --to 2026-08-02T12:00:00+02:00
    """
    since_seconds, until_seconds = _seconds(since, "--from"), _seconds(until, "--to")
    if since_seconds is not None and until_seconds is not None and since_seconds >= until_seconds:
        raise typer.BadParameter(f"{until!r} is not after {since!r}", param_hint="'--to'")
    settings = read_settings()
    stderr = Console(stderr=True)
    dex = load_dex()
    predictor = _open(dex, settings.data_dir / "models", model, stderr)
    replay = Replay(MoveRanker(dex, predictor))
    with _shown(_logged(log_of(settings), since_seconds, until_seconds), stderr) as predictions:
        replay.run(predictions)
    if as_json:
        print(json.dumps(_document(replay, predictor), indent=2))
    else:
        _print(replay, predictor, dex)


def _seconds(text: str | None, option: str) -> float | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


def _open(dex: Dex, models_dir: Path, version: str, stderr: Console) -> ModelPredictor:
    predictor = open_model(dex, _folder(models_dir, version))
    try:
        predictor.load_tablebase()
    except ModelMissingError:
        pass
    except ModelDamagedError as error:
        stderr.print(f"{error} Until then the model answers itself.", highlight=False)
    return predictor


def _folder(models_dir: Path, version: str) -> Path:
    installed = {
        path.name: path
        for parent in (SHIPPED, models_dir)  # the service's own copy has the tablebase
        if parent.is_dir()
        for path in parent.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    }
    if version not in installed:
        raise ModelMissingError(
            f"There is no model version {version!r} in {models_dir}. There is: {', '.join(sorted(installed))}."
        )
    return installed[version]


def _logged(log: PredictionLog, since_seconds: float | None, until_seconds: float | None) -> Iterator[Prediction]:
    try:
        for logged in log.scan(since_seconds=since_seconds, until_seconds=until_seconds):
            yield logged.prediction
    except LogMissingError:
        return
    except LogUnavailableError as error:
        raise UnreachableError(f"The prediction log cannot be replayed: {error}") from error


@contextmanager
def _shown(items: Iterable[T], console: Console) -> Iterator[Iterator[T]]:
    """Hand the items on, and tell on the console how far that is, if it takes long."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", visible=False)
        began = monotonic()
        done = 0

        def told() -> str:
            return f"{done:,} predictions replayed, {done / (monotonic() - began):,.0f}/s"

        def hand_on() -> Iterator[T]:
            nonlocal done
            tell_at = began + _QUIET_SECONDS
            for item in items:
                yield item
                done += 1
                if monotonic() >= tell_at:
                    progress.update(task, description=told(), visible=True)
                    if not console.is_terminal:
                        console.print(told(), highlight=False)
                    tell_at = monotonic() + (0.1 if console.is_terminal else LINE_EVERY_SECONDS)

        yield hand_on()
    if monotonic() >= began + _QUIET_SECONDS:
        console.print(told(), highlight=False)


def _document(replay: Replay, predictor: ModelPredictor) -> dict[str, Any]:
    return {
        "model_version": predictor.version,
        "engine": predictor.engine,
        "total": _fields(replay.total()),
        "by_version": {version: _fields(changes) for version, changes in replay.by_version().items()},
        "examples": [change._asdict() for change in replay.examples()],
    }


def _fields(changes: Changes) -> dict[str, Any]:
    return {**asdict(changes), "share_of_other_moves": changes.share_of_other_moves}


def _print(replay: Replay, predictor: ModelPredictor, dex: Dex) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    by_version = {**replay.by_version(), "all": replay.total()}
    console.print(_moves(by_version, predictor.version, predictor.engine))
    console.print(_sizes(by_version, predictor.engine))
    if examples := replay.examples():
        console.print(_examples(examples, dex))


def _moves(by_version: Mapping[str, Changes], version: str, engine: Engine) -> Table:
    how = "tablebase" if engine == "tablebase" else "ONNX model"
    table = _table(
        f"Replayed with {version}, by its {how}", "replayed", "unreadable", "other move", "share", "near ties"
    )
    table.caption = f"Near ties: of the other moves, those that win no more often, within {TOLERANCE}."
    for name, changes in by_version.items():
        share = changes.share_of_other_moves
        counts = (changes.replayed, changes.unreadable, changes.other_move)
        shown = "–" if share is None else f"{share:.2%}"
        table.add_row(name, *(f"{count:,}" for count in counts), shown, f"{changes.near_ties:,}")
    return table


def _sizes(by_version: Mapping[str, Changes], engine: Engine) -> Table:
    table = _table("Change of P(A wins) with the recommended move", "mean", "mean ±", "p50 ±", "p95 ±", "max ±")
    table.caption = f"The tablebase rounds by up to {TOLERANCE}." if engine == "tablebase" else None
    for name, changes in by_version.items():
        sizes = (changes.mean_absolute, changes.median_absolute, changes.p95_absolute, changes.largest_absolute)
        mean = "–" if changes.mean is None else f"{changes.mean:+.4f}"
        table.add_row(name, mean, *("–" if size is None else f"{size:.4f}" for size in sizes))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    table.add_column("made by", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _examples(changes: Iterable[Change], dex: Dex) -> Table:
    table = Table(title="The largest changes")
    for heading in ("prediction", "duel", "before", "after"):
        table.add_column(heading, no_wrap=heading == "prediction")
    for change in changes:
        table.add_row(
            change.prediction_id,
            f"{dex.form(change.form_a).name} – {dex.form(change.form_b).name}",
            f"{dex.move(change.move_before).name} {change.win_probability_before:.4f}",
            f"{dex.move(change.move_after).name} {change.win_probability_after:.4f}",
        )
    return table
