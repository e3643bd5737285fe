"""All benchmarks, one after the other: what `make bench` runs.

Each is a module of its own with a ``main`` that prints figures beside their bounds and ends with exit status 1 where a
bound is missed. They run in processes of their own, the way that `benchmarks/README.md` writes their commands.
"""

import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]
COMMANDS = (
    ("-m", "benchmarks.dex_load"),
    ("-m", "benchmarks.service_time"),
    ("-m", "benchmarks.metrics_cost"),
    ("-m", "benchmarks.simulator"),
    ("-m", "benchmarks.accuracy"),
    ("-m", "benchmarks.model"),
    ("-m", "benchmarks.training"),
    ("scripts/time_start.py",),
)


def main() -> int:
    missed = []
    for command in COMMANDS:
        print(f"\n$ python {' '.join(command)}", flush=True)
        began = perf_counter()
        done = subprocess.run([sys.executable, *command], cwd=ROOT, check=False)
        print(f"({perf_counter() - began:.0f} s)", flush=True)
        if done.returncode:
            missed.append(command[-1])
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall bounds kept")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
