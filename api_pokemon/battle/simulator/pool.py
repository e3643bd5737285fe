"""Battles by the real Pokémon Showdown simulator, on any number of Node processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.simulator.hashing import hashes
from api_pokemon.battle.simulator.setup import SHOWDOWN, node_path, simulator_version
from api_pokemon.battle.simulator.worker import Chunk, Worker, WorkerFault
from api_pokemon.dex import Dex
from api_pokemon.errors import SimulatorError

RULES_VERSION = "letsgo-duel-1"
B_WINS, A_WINS, DRAW = 0, 1, 2

Duels = NDArray[np.uint16]
Progress = Callable[[int], None]


class Duel(NamedTuple):
    """A row of an array of duels: two forms, and the move that each is committed to, by id."""

    form_a: int
    move_a: int
    form_b: int
    move_b: int


class Result(NamedTuple):
    """A row of an array of results: how one battle ended.

    Parameters
    ----------
    winner
        `A_WINS`, `B_WINS` or `DRAW`. Who faints last has won, even in the same turn: that is the simulator's rule.
    turns
        At least 1.
    hp_a, hp_b
        What they have left; 0 if fainted.
    """

    winner: int
    turns: int
    hp_a: int
    hp_b: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How often A won each of some duels, and how often nobody did, out of `battles` each; B won the others."""

    battles: int
    wins_a: NDArray[np.uint16]
    draws: NDArray[np.uint16]


class SimulatorPool:
    """Node processes that play battles; a context manager, to be entered once.

    A process that crashes, hangs or answers nonsense is replaced and its battles are played again, so that what comes
    out is what the simulator says, or `SimulatorError`. Every battle's random seed depends on the run's seed and the
    battle's number alone: results are the same for any number of workers and any chunks.

    Parameters
    ----------
    dex
        To translate ids.
    workers
        Number of processes; each needs a core and about 200 MB.
    chunk_size
        Battles that are sent to a process at a time.
    timeout_seconds
        For one chunk, with the start of a process. A chunk takes well below a second.
    attempts
        How often a chunk is tried before `SimulatorError`.
    command
        What to start instead of `worker_command`; for tests and comparisons.
    """

    def __init__(
        self,
        dex: Dex,
        workers: int,
        *,
        chunk_size: int = 128,
        timeout_seconds: float = 30.0,
        attempts: int = 3,
        command: Sequence[str] | None = None,
    ) -> None:
        self._species = {form.id: f"{form.showdown_id} {form.gender}" for form in dex.forms}
        self._moves = {move.id: move.showdown_id for move in dex.moves}
        self._chunk_size = chunk_size
        self._attempts = attempts
        command = worker_command() if command is None else command
        self._workers = tuple(Worker(command, timeout_seconds) for _ in range(workers))
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(workers)
        self._is_closing = Event()

    def __enter__(self) -> Self:
        for worker in self._workers:
            self._idle.put(worker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closing.set()
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that run now."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    def play(
        self, duels: Duels, seed: int, battles: int = 1, *, first: int = 0, on_progress: Progress | None = None
    ) -> Tally:
        """Plays each duel a number of times.

        Parameters
        ----------
        duels
            Shape (n, 4): `Duel` rows.
        seed
            Of the run.
        battles
            Per duel.
        first
            The first duel's number in the run.
        on_progress
            Called with the number of battles played since the last call.

        Raises
        ------
        SimulatorError
            If some battles cannot be played; then there are no results of the others either.
        """
        numbers = np.repeat(np.arange(first, first + len(duels)), battles)
        seeds = battle_seeds(seed, numbers, np.tile(np.arange(battles), len(duels)))
        results = self.play_battles(np.repeat(duels, battles, axis=0), seeds, on_progress=on_progress)
        winners = results[:, 0].reshape(len(duels), battles)
        wins_a, draws = ((winners == outcome).sum(axis=1, dtype=np.uint16) for outcome in (A_WINS, DRAW))
        return Tally(battles, wins_a, draws)

    def play_battles(
        self, duels: Duels, seeds: NDArray[np.uint16], *, on_progress: Progress | None = None
    ) -> NDArray[np.int16]:
        """Plays each duel once, with the seed of its row, shape (n, 4); returns `Result` rows."""
        results = np.empty((len(duels), 4), dtype=np.int16)
        chunks: dict[Future[NDArray[np.int16]], slice] = {
            self._threads.submit(self._play_chunk, duels[rows], seeds[rows], rows.start): rows
            for rows in self._rows(len(duels))
        }
        try:
            for future in as_completed(chunks):
                rows = chunks[future]
                results[rows] = future.result()
                if on_progress is not None:
                    on_progress(rows.stop - rows.start)
        finally:
            for future in chunks:
                future.cancel()
        return results

    def _rows(self, count: int) -> Iterator[slice]:
        for start in range(0, count, self._chunk_size):
            yield slice(start, min(start + self._chunk_size, count))

    def _play_chunk(self, duels: Duels, seeds: NDArray[np.uint16], first: int) -> NDArray[np.int16]:
        fighters = [
            f"{self._species[form_a]} {self._moves[move_a]} {self._species[form_b]} {self._moves[move_b]}"
            for form_a, move_a, form_b, move_b in duels.tolist()
        ]
        chunk = Chunk(first, fighters, seeds)
        faults: list[WorkerFault] = []
        while len(faults) < self._attempts and not self._is_closing.is_set():
            worker = self._idle.get()
            try:
                return worker.play(chunk)
            except WorkerFault as fault:
                faults.append(fault)
            finally:
                self._idle.put(worker)
        raise SimulatorError(
            f"Battles {first} to {first + len(duels) - 1} could not be played in {len(faults)} attempts. "
            f"The simulator's process failed: {faults[-1] if faults else 'it was stopped'}."
        )


def battle_seeds(seed: int, duels: NDArray[np.integer[Any]], battles: NDArray[np.integer[Any]]) -> NDArray[np.uint16]:
    """The simulator's seeds, shape (n, 4), of battles given by their duels' numbers and their own within the duel."""
    words = hashes(seed, duels, battles)
    return np.stack([(words >> np.uint64(shift)).astype(np.uint16) for shift in (48, 32, 16, 0)], axis=-1)


def worker_command(*options: str) -> tuple[str, ...]:
    """How a worker is started, with ``--plain`` without any shortcut; `SimulatorError` if something is missing."""
    simulator_version()
    return (os.fspath(node_path()), os.fspath(SHOWDOWN / "worker.js"), *options)
