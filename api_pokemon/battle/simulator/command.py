"""The command ``api-pokemon simulate``."""

import hashlib
import os
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.parquet as pq
import typer
from rich.console import Console

from api_pokemon.battle.simulator.duels import Matchups, random_duels
from api_pokemon.battle.simulator.pool import RULES_VERSION, Duels, SimulatorPool, Tally
from api_pokemon.battle.simulator.progress import show_progress
from api_pokemon.battle.simulator.setup import simulator_version
from api_pokemon.battle.simulator.store import Parameters, PartStore
from api_pokemon.dex import Dex, load_dex
from api_pokemon.errors import SimulatorError

PART_BATTLES = 65_536  # what Ctrl-C loses at most: some ten seconds on two cores
_COLUMNS = ("form_a", "move_a", "form_b", "move_b")


def simulate(
    duels: Annotated[int, typer.Option(min=1, help="Number of random duels; does not count with --tuples.")] = 100_000,
    battles: Annotated[int, typer.Option(min=1, max=65_535, help="How often each duel is played.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same file, to the byte.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes.", show_default="all cores")] = None,
    output: Annotated[Path, typer.Option(dir_okay=False, help="The parquet file to write.")] = Path("battles.parquet"),
    held_out: Annotated[
        bool,
        typer.Option("--held-out/--training", help="Play the match-ups that are kept from training, or all others."),
    ] = False,
    unlearnable: Annotated[
        float, typer.Option(min=0, max=1, help="Share of duels with any damaging moves, learnable or not.")
    ] = 0.04,
    tuples: Annotated[
        Path | None,
        typer.Option(
            help="Play the duels of this parquet file (form_a, move_a, form_b, move_b) instead of random ones."
        ),
    ] = None,
) -> None:
    """Play duels in the real simulator and write how they ended to a parquet file.

    Ctrl-C keeps what is finished; the same command goes on from there.
    """
    console = Console(stderr=True)
    try:
        dex = load_dex()
        matchups: Matchups = "held-out" if held_out else "training"
        rows = read_duels(tuples, dex) if tuples else random_duels(dex, duels, seed, matchups, unlearnable)
        parameters = Parameters(
            simulator=simulator_version(),
            rules=RULES_VERSION,
            seed=seed,
            duels=len(rows),
            battles=battles,
            matchups="given" if tuples else matchups,
            unlearnable=0.0 if tuples else unlearnable,
            tuples=hashlib.sha256(rows.astype("<u2").tobytes()).hexdigest(),
        )
        run(dex, rows, parameters, output, workers or os.cpu_count() or 1, console)
    except KeyboardInterrupt:
        console.print(f"Stopped. What is finished is kept in {output}.parts; the same command goes on from there.")
        raise typer.Exit(130) from None


def run(dex: Dex, duels: Duels, parameters: Parameters, output: Path, workers: int, console: Console) -> None:
    """Plays what is not yet played, part by part, and writes the file."""
    store = PartStore(output, parameters)
    store.open()
    size = max(1, PART_BATTLES // parameters.battles)
    starts = range(0, len(duels), size)
    tallies: list[Tally] = []
    with (
        show_progress(console, len(duels) * parameters.battles) as progress,
        SimulatorPool(dex, workers) as pool,
    ):
        for part, start in enumerate(starts):
            rows = duels[start : start + size]
            tally = store.read(part, len(rows))
            if tally is None:
                tally = pool.play(rows, parameters.seed, parameters.battles, first=start, on_progress=progress.advance)
                store.write(part, tally)
            else:
                progress.skip(len(rows) * parameters.battles)
            tallies.append(tally)
    wins, draws = (np.concatenate([getattr(tally, name) for tally in tallies]) for name in ("wins_a", "draws"))
    store.finish(duels, Tally(parameters.battles, wins, draws))
    console.print(f"Wrote {len(duels):,} duels to {output} ({output.stat().st_size / len(duels):.2f} bytes each).")


def read_duels(path: Path, dex: Dex) -> Duels:
    """The duels of a parquet file; `SimulatorError` if it has other columns unknown ids or no rows."""
    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
    except (OSError, ValueError) as error:
        raise SimulatorError(f"{path} cannot be read as a parquet file with {', '.join(_COLUMNS)}: {error}") from error
    duels = np.stack([table[name].to_numpy() for name in _COLUMNS], axis=-1)
    if not len(duels):
        raise SimulatorError(f"{path} holds no duels.")
    known = ([form.id for form in dex.forms], [move.id for move in dex.moves])
    for column, name in enumerate(_COLUMNS):
        strangers = np.setdiff1d(duels[:, column], known[column % 2])
        if len(strangers):
            raise SimulatorError(f"{path} has an unknown {name}, {strangers[0]}.")
    return duels.astype(np.uint16)
