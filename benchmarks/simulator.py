"""Duels per second and core: our driver of the simulator against plain use of it.

    python -m benchmarks.simulator

Plain use is one ``new Battle`` per duel in the simulator's own format, with a seed, choices by its public interface.
Both play the same duels, in turns, each in one process that is warm. Seconds are of the process's CPU time, so that a
busy machine does not tell; they count Node's helper threads too. Results must be the same, battle by battle.
"""

import argparse
import statistics
import sys

import numpy as np
import psutil
from numpy.typing import NDArray

from api_pokemon.battle.simulator import Duels, SimulatorPool, battle_seeds, worker_command
from api_pokemon.battle.simulator.duels import random_duels
from api_pokemon.battle.simulator.setup import simulator_version
from api_pokemon.dex import load_dex

BOUND = 2.7
WARM_UP = 5_000


class Player:
    """A pool of one process, and how fast it was in the last round."""

    def __init__(self, pool: SimulatorPool) -> None:
        self._pool = pool
        self.per_second = 0.0

    def play(self, duels: Duels, seeds: NDArray[np.uint16]) -> NDArray[np.int16]:
        before = self._cpu_seconds()
        results = self._pool.play_battles(duels, seeds)
        self.per_second = len(duels) / (self._cpu_seconds() - before)
        return results

    def _cpu_seconds(self) -> float:
        times = [psutil.Process(pid).cpu_times() for pid in self._pool.pids]
        return sum(time.user + time.system for time in times)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare our driver of the simulator with plain use of it.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duels", type=int, default=3_000, help="of a round")
    options = parser.parse_args()
    dex = load_dex()
    count = WARM_UP + options.rounds * options.duels
    duels = random_duels(dex, count, 1, "training", 0.04)
    seeds = battle_seeds(1, np.arange(count), np.zeros(count, dtype=int))
    ratios = []
    with SimulatorPool(dex, 1, command=worker_command("--plain")) as slow, SimulatorPool(dex, 1) as fast:
        plain, ours = Player(slow), Player(fast)
        for start in (0, *range(WARM_UP, count, options.duels)):
            rows = slice(start, start + (options.duels if start else WARM_UP))
            if not np.array_equal(plain.play(duels[rows], seeds[rows]), ours.play(duels[rows], seeds[rows])):
                print("the results differ")
                return 1
            if start:
                ratios.append(ours.per_second / plain.per_second)
                print(f"duels/s/core  plain {plain.per_second:6,.0f}  ours {ours.per_second:6,.0f}", end="  ")
                print(f"ratio {ratios[-1]:.2f}")
    ratio = statistics.median(ratios)
    print(f"ours / plain: {ratio:.2f} (bound {BOUND:.1f}), {simulator_version()}")
    return 0 if ratio >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
