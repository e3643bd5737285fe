"""Where a simulation keeps what it has done: a folder of finished parts, and one parquet file at the end."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api_pokemon.battle.simulator.pool import Duels, Tally
from api_pokemon.errors import SimulatorError

METADATA_KEY = b"api_pokemon.simulation"


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that decides what a simulation's file holds; it stands in the file's metadata, as JSON under `METADATA_KEY`.

    Parameters
    ----------
    simulator, rules
        Versions of the simulator and of the duel rules.
    seed
        Of the run.
    duels, battles
        How many duels, and how often each is played.
    matchups
        ``training``, ``held-out``, or ``given`` in a file.
    unlearnable
        Share of duels with any damaging moves.
    tuples
        SHA-256 of the duels, in the order in which they are played.
    """

    simulator: str
    rules: str
    seed: int
    duels: int
    battles: int
    matchups: str
    unlearnable: float
    tuples: str


class PartStore:
    """The finished parts of one simulation, in the folder ``<output>.parts``.

    Parameters
    ----------
    output
        The file that they become.
    parameters
        Of the simulation; a folder of another one is refused.
    """

    def __init__(self, output: Path, parameters: Parameters) -> None:
        self.folder = output.with_name(f"{output.name}.parts")
        self._output = output
        self._parameters = parameters

    def open(self) -> None:
        """Makes the folder; `SimulatorError` if there is one of another simulation."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SimulatorError(
                f"{self.folder} cannot be made ({error.strerror}): choose another --output."
            ) from error
        path = self.folder / "parameters.json"
        mine = asdict(self._parameters)
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(mine))
            unfinished.replace(path)
            return
        theirs = json.loads(path.read_text())
        differing = [f"{name} {theirs.get(name)}, not {mine[name]}" for name in mine if mine[name] != theirs.get(name)]
        if differing:
            raise SimulatorError(
                f"{self.folder} holds parts of another simulation ({'; '.join(differing)}). "
                "Finish that one with its own parameters, or delete the folder."
            )

    def read(self, part: int, duels: int) -> Tally | None:
        """A finished part of that many duels; None if it is not there, or is damaged."""
        try:
            wins_a, draws = np.load(self._path(part))
        except (OSError, EOFError, ValueError):
            return None
        return Tally(self._parameters.battles, wins_a, draws) if len(wins_a) == duels else None

    def write(self, part: int, tally: Tally) -> None:
        """Keeps a part; whole or not at all."""
        unfinished = self._path(part).with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            np.save(file, np.stack([tally.wins_a, tally.draws]))
        unfinished.replace(self._path(part))

    def finish(self, duels: Duels, tally: Tally) -> None:
        """Writes the parquet file, in one step, and deletes the parts."""
        unfinished = self._output.with_name(f"{self._output.name}.unfinished")
        write_battles(unfinished, duels, tally, self._parameters)
        unfinished.replace(self._output)
        shutil.rmtree(self.folder)

    def _path(self, part: int) -> Path:
        return self.folder / f"{part:06d}.npy"


def write_battles(path: Path, duels: Duels, tally: Tally, parameters: Parameters) -> None:
    """One row per duel; sorted, so that equal values meet and the file is small; ``draws`` only where there are any."""
    order = np.lexsort((tally.draws, tally.wins_a, *duels.T[::-1]))
    columns = dict(zip(("form_a", "move_a", "form_b", "move_b"), duels[order].T, strict=True))
    columns["battles"] = np.full(len(duels), tally.battles, dtype=np.uint16)
    columns["wins_a"] = tally.wins_a[order]
    if tally.draws.any():
        columns["draws"] = tally.draws[order]
    table = pa.table({name: np.ascontiguousarray(column) for name, column in columns.items()})
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(asdict(parameters))})
    pq.write_table(table, path, compression="zstd", compression_level=19, row_group_size=len(duels))
