"""All benchmarks, one after the other: what `make bench` runs.

Each prints its figures beside their bounds and ends with exit status 1 where a bound is missed. They run in processes
of their own, as `benchmarks/README.md` writes their commands, with a data folder of their own.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]


def commands(data_dir: str) -> tuple[tuple[str, ...], ...]:
    """What Python is given, one entry a benchmark. The second one compiles the tablebase, which those after it need."""
    return (
        ("-m", "benchmarks.dex_load"),
        ("-m", "benchmarks.service_time", "--data-dir", data_dir),
        ("-m", "benchmarks.request_parts", "--data-dir", data_dir),
        ("-m", "benchmarks.throughput", "--data-dir", data_dir),
        ("-m", "benchmarks.model_servers"),
        ("-m", "benchmarks.metrics_cost", "--service"),
        ("-m", "benchmarks.metrics_cost"),
        ("-m", "benchmarks.recording", "--service"),
        ("-m", "benchmarks.recording", "--service", "--worker"),
        ("-m", "benchmarks.recording"),
        ("-m", "benchmarks.overload", "--seconds", "60"),
        ("-m", "benchmarks.logging_rate"),
        ("-m", "benchmarks.drift_check"),
        ("-m", "benchmarks.memory"),
        ("-m", "benchmarks.memory", "--stack"),
        ("-m", "benchmarks.drift_trust"),
        ("-m", "benchmarks.drift_agreement"),
        ("-m", "benchmarks.drift_speed"),
        ("-m", "benchmarks.simulator"),
        ("-m", "benchmarks.accuracy"),
        ("-m", "benchmarks.model"),
        ("-m", "benchmarks.training"),
        ("scripts/time_start.py",),
    )


def run(command: Sequence[str], data_dir: str) -> bool:
    """Run one of them; returns whether it kept its bounds."""
    print(f"\n$ python {' '.join(command)}", flush=True)
    began = perf_counter()
    environment = os.environ | {"API_POKEMON_DATA_DIR": data_dir, "API_POKEMON_TABLEBASE": "false"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=False)
    print(f"({perf_counter() - began:.0f} s)", flush=True)
    return done.returncode == 0


def main() -> int:
    with tempfile.TemporaryDirectory() as data_dir:
        missed = [" ".join(command) for command in commands(data_dir) if not run(command, data_dir)]
    print("\nall bounds kept" if not missed else f"\nmissed: {'; '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
