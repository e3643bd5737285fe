"""How long the game's facts take: to load in a new process, and to look up.

python -m benchmarks.dex_load
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from timeit import repeat

from api_pokemon.dex import load_dex
from api_pokemon.errors import UnknownNameError
from benchmarks.figure import Figure

BOUND_MS = 50.0
PROCESSES = 21
_LOAD = """
from time import perf_counter
from api_pokemon.dex import load_dex
began = perf_counter()
load_dex()
print(1000 * (perf_counter() - began))
"""


def load_ms() -> float:
    """Milliseconds of the first load in a process that has just started."""
    return float(subprocess.run([sys.executable, "-c", _LOAD], check=True, stdout=subprocess.PIPE, text=True).stdout)


def look_ups() -> dict[str, Callable[[], object]]:
    dex = load_dex()

    def unknown() -> None:
        with suppress(UnknownNameError):
            dex.find_move("Thunder Pnch")

    return {
        "form by id": lambda: dex.form(25),
        "move by its English name": lambda: dex.find_move("Thunder Punch"),
        "move by its French name, without accents": lambda: dex.find_move("poing eclair"),
        "unknown move, with the nearest names": unknown,
    }


def microseconds(act: Callable[[], object], times: int = 2_000) -> float:
    return min(repeat(act, number=times, repeat=5)) / times * 1e6


def main() -> int:
    load = statistics.median(load_ms() for _ in range(PROCESSES))
    kept = Figure(f"load in a new process, median of {PROCESSES}", load, BOUND_MS, "ms").print()
    for name, act in look_ups().items():
        print(f"{microseconds(act):7.2f} us  {name}")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
