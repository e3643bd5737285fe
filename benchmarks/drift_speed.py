"""Time and memory from two parquet files to a verdict on drift, beside Evidently on the same files; and from profiles.

    python -m benchmarks.drift_speed                    # 10,000, 100,000 and 1,000,000 rows of 40 fields
    python -m benchmarks.drift_speed --rows 10000       # or one of them

Each side runs in a process of its own, from its start to its end, with what it imports. What counts is its CPU time,
which a busy machine changes least, with the clock beside it, and the most that was resident. Here the edges come from
the first row group of the reference, then both files are profiled in batches, and the limits of chance are drawn.
Then the worker's share: what a value costs in its batches of predictions, how large a profile is, and how long a
verdict takes from stored profiles. Ends with status 1 where a bound is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

from api_pokemon.monitoring.drift_detection import DriftDetector
from api_pokemon.monitoring.profile_codec import decode_profile, encode_profile
from api_pokemon.monitoring.profile_layout import Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch, row_batch
from api_pokemon.monitoring.profiles import Profile, empty_profile, merge, profile_rows
from benchmarks.figure import Figure, print_all

LEAST_FASTER = 20.0
MOST_MEMORY = 0.1
BOUND_AT = 1_000_000
MOST_MICROSECONDS = 0.25
MOST_BYTES = 100_000
MOST_VERDICT_MILLISECONDS = 50.0

_NUMBERS, _CATEGORIES = 28, 12
_SPECS = (
    *(FieldSpec(f"number_{index}", "number", "request") for index in range(_NUMBERS)),
    *(FieldSpec(f"category_{index}", "category", "choice") for index in range(_CATEGORIES)),
)
_ROW_GROUP = 65_536
_READ_BYTES = 65_536
_STORED = 24 + 60


class Took(NamedTuple):
    """What a process took, and how many fields drift."""

    wall_seconds: float
    cpu_seconds: float
    resident_bytes: int
    drifted: int

    def __str__(self) -> str:
        memory = f"{self.resident_bytes / 2**20:.0f} MiB"
        return f"{self.cpu_seconds:.1f} s of CPU, {self.wall_seconds:.1f} s, {memory}, {self.drifted} fields drift"


def write(path: Path, rows: int, seed: int) -> None:
    """Write rows of which two fields differ between the two files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for index in range(_NUMBERS):
        values = rng.normal(size=rows) if index % 2 else rng.lognormal(size=rows)
        columns[f"number_{index}"] = values + (0.3 * seed if index == 1 else 0)
    for index in range(_CATEGORIES):
        shares = 1 / (np.arange(1, 4 + 16 * index) + (5 * seed if index == 3 else 0))
        codes = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], rng.random(rows)).astype(np.int32)
        values = pa.array([f"value {value}" for value in range(len(shares))])
        columns[f"category_{index}"] = pa.DictionaryArray.from_arrays(codes, values).cast(pa.string())
    pq.write_table(pa.table(columns), path, row_group_size=_ROW_GROUP)


def batches(path: Path) -> Iterator[RowBatch]:
    """The rows of a file, a row group at a time."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    categories = [spec.name for spec in _SPECS if spec.kind == "category"]
    file = pq.ParquetFile(path, read_dictionary=categories, buffer_size=_READ_BYTES)
    for group in range(file.num_row_groups):
        found = file.read_row_group(group, use_threads=False)
        numbers = {spec.name: found[spec.name].to_numpy() for spec in _SPECS if spec.kind == "number"}
        counts = {}
        for name in categories:
            column = pc.value_counts(found[name])
            counts[name] = dict(zip(column.field(0).to_pylist(), column.field(1).to_pylist(), strict=True))
        yield RowBatch(found.num_rows, numbers, counts)


def profile_file(layout: Layout, path: Path) -> Profile:
    profile = empty_profile(layout)
    for batch in batches(path):
        profile = merge([profile, profile_rows(layout, batch)])
    return profile


def judge_here(reference: Path, window: Path) -> int:
    """How many fields drift, from profiles."""
    layout = make_layout(_SPECS, next(batches(reference)))
    drift = DriftDetector(profile_file(layout, reference)).judge(profile_file(layout, window))
    return sum(field.verdict == "drift" for field in drift.fields)


def judge_by_evidently(reference: Path, window: Path) -> int:
    """How many columns drift, by Evidently's preset."""
    import pandas as pd

    from benchmarks.evidently_preset import preset

    columns, _ = preset(pd.read_parquet(reference), pd.read_parquet(window))
    return sum(column.drifted for column in columns.values())


_SIDES = {"here": judge_here, "evidently": judge_by_evidently}


def in_a_process(side: str, reference: Path, window: Path) -> Took:
    """Start one side, and wait for it."""
    command = [sys.executable, "-m", "benchmarks.drift_speed", "--side", side, str(reference), str(window)]
    began = perf_counter()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    drifted, cpu_seconds, resident = json.loads(output.splitlines()[-1])
    return Took(perf_counter() - began, cpu_seconds, resident, drifted)


def most_resident_bytes() -> int:
    """Of this program; what `getrusage` tells may be that of the process which started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def compare(rows: int) -> bool:
    """Print both sides at one size; returns whether the bounds are kept, where there are some."""
    with tempfile.TemporaryDirectory(prefix="drift-") as folder:
        paths = [Path(folder, f"{name}.parquet") for name in ("reference", "window")]
        for seed, path in enumerate(paths):
            write(path, rows, seed)
        ours, its = (in_a_process(side, *paths) for side in _SIDES)
    faster, memory = its.cpu_seconds / ours.cpu_seconds, ours.resident_bytes / its.resident_bytes
    print(f"{rows:,} rows, here: {ours}\n{rows:,} rows, Evidently: {its}")
    print(
        f"{rows:,} rows: {faster:.1f} times as fast ({its.wall_seconds / ours.wall_seconds:.1f} by the clock)", end=""
    )
    print(f", {memory:.3f} of the memory", flush=True)
    return rows != BOUND_AT or (faster >= LEAST_FASTER and memory <= MOST_MEMORY)


def dict_rows(count: int, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows as predictions have them: the two halves of each."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[dict[str, Any]]] = {
        "request": [{} for _ in range(count)],
        "choice": [{} for _ in range(count)],
    }
    for spec in _SPECS:
        numbers, values = rng.lognormal(size=count).tolist(), rng.integers(0, 50, count).tolist()
        for row, number, value in zip(groups[spec.group], numbers, values, strict=True):
            row[spec.name] = number if spec.kind == "number" else f"value {value}"
    return groups["request"], groups["choice"]


def worker_figures() -> Iterator[Figure]:
    """What the worker does for each batch, and for each verdict."""
    layout = make_layout(_SPECS, row_batch(_SPECS, *dict_rows(10_000, 0)))
    for count in (200, 500, 1_000):
        rows = dict_rows(count, 1)
        seconds = _best(lambda rows=rows: profile_rows(layout, row_batch(_SPECS, *rows)))
        cost = seconds / count / len(_SPECS) * 1e6
        yield Figure(f"a value in a batch of {count:,} rows", cost, MOST_MICROSECONDS, "us")
    stored = [
        encode_profile(profile_rows(layout, row_batch(_SPECS, *dict_rows(1_000, seed)))) for seed in range(_STORED)
    ]
    day = merge(decode_profile(layout, body) for body in stored)
    for _ in range(24):
        day = merge([day, day])
    yield Figure(f"a profile of 40 fields and {day.rows:,} rows", len(encode_profile(day)), MOST_BYTES, "B")
    detector = DriftDetector(merge(decode_profile(layout, body) for body in stored))
    detector.noise.at(detector.reference.rows)
    seconds = _best(lambda: detector.judge(merge(decode_profile(layout, body) for body in stored)))
    name = f"a verdict from {_STORED} stored profiles (a day: hours, then minutes)"
    yield Figure(name, seconds * 1e3, MOST_VERDICT_MILLISECONDS, "ms")


def _best(act: Any) -> float:
    took = []
    for _ in range(20):
        began = process_time()
        act()
        took.append(process_time() - began)
    return float(min(took))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=(10_000, 100_000, 1_000_000))
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side, *paths = options.side
        drifted = _SIDES[side](*map(Path, paths))
        print(json.dumps([drifted, process_time(), most_resident_bytes()]))
        return 0
    kept = [compare(rows) for rows in options.rows]
    return 0 if all([print_all(worker_figures()), *kept]) else 1


if __name__ == "__main__":
    sys.exit(main())
