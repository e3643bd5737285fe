"""Whether a verdict on drift can be trusted: false alarms, what is detected, and after how many rows.

    python -m benchmarks.drift_trust                   # 1,000 windows of each kind; 20 of them beside Evidently
    python -m benchmarks.drift_trust --evidently 0     # without Evidently, whose preset takes seconds for a window

Windows are drawn by fixed seeds, against ten references of 10,000 rows, each with limits of its own. A false alarm is
an unchanged window in which any of 22 fields drifts; a detection, a changed window in which the changed field does.
The delay is the number of changed rows in a window of the last 1,000 at the first alarm of this field, looked at every
50 rows. Ends with status 1 where a bound is missed.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from api_pokemon.monitoring.drift_detection import Drift, DriftDetector
from api_pokemon.monitoring.profiles import Profile, merge, profile_rows
from benchmarks.drift_cases import CASES, CHANGES, Case, Change, Rows, reference

SIZES = (200, 1_000, 10_000)
MOST_ALARMS = 0.017
LEAST_DETECTED = 0.95
BOUND_AT = 1_000

_REFERENCES = 10
_REFERENCE_ROWS = 10_000
_STEP = 50


class Side(NamedTuple):
    """A reference and its detector."""

    rows: Rows
    detector: DriftDetector

    def profile(self, rows: Rows) -> Profile:
        return profile_rows(self.detector.reference.layout, rows.batch())

    def drifted(self, rows: Rows) -> set[str]:
        return drifted(self.detector.judge(self.profile(rows)))


def sides(case: Case) -> list[Side]:
    """The references of a case."""
    found = (reference(case, seed, _REFERENCE_ROWS) for seed in range(_REFERENCES))
    return [Side(rows, DriftDetector(profile)) for rows, _, profile in found]


def windows(case: Case, sides: list[Side], size: int, count: int, change: Change | None) -> Iterator[tuple[Side, Rows]]:
    """So many windows, spread over the references."""
    for index in range(count):
        rng = np.random.default_rng([size, index, CHANGES.index(change) if change else len(CHANGES)])
        yield sides[index % len(sides)], case.rows(rng, size, change)


def drifted(drift: Drift) -> set[str]:
    return {field.name for field in drift.fields if field.verdict == "drift"}


def false_alarms(case: Case, found: list[Side], count: int) -> bool:
    """Print those of each size; returns whether they are few enough."""
    few = True
    for size in SIZES:
        number = sum(bool(side.drifted(rows)) for side, rows in windows(case, found, size, count, None))
        few &= number <= MOST_ALARMS * count
        print(f"{case.name}, {size:>6,} rows: {number} alarms in {count:,} unchanged windows", end=" ")
        print(f"(bound {MOST_ALARMS * count:.0f})", flush=True)
    return few


def detection(case: Case, found: list[Side], count: int) -> bool:
    """Print what is detected of each change; returns whether it is enough at the size that has a bound."""
    enough = True
    for change in CHANGES:
        for size in SIZES[:2]:
            changed = windows(case, found, size, count, change)
            share = float(np.mean([change.field in side.drifted(rows) for side, rows in changed]))
            bound = f"(bound {LEAST_DETECTED:.0%})" if size == BOUND_AT else "(no bound)"
            enough &= size != BOUND_AT or share >= LEAST_DETECTED
            print(f"{case.name}, {size:>6,} rows: {change.name}: {share:.1%} detected {bound}", flush=True)
        delays = [delay(case, found[seed % len(found)], change, seed) for seed in range(max(count // 10, 1))]
        median, most = np.quantile(delays, [0.5, 0.95])
        print(f"{case.name}: {change.name}: seen after {median:.0f} rows", end="")
        print(f", 95 in 100 times within {most:.0f}", flush=True)
    return enough


def delay(case: Case, side: Side, change: Change, seed: int) -> int:
    """Changed rows until the first alarm."""
    rng = np.random.default_rng([1, seed])
    parts = [side.profile(case.rows(rng, _STEP)) for _ in range(BOUND_AT // _STEP)]
    for step in range(1, 20 * BOUND_AT // _STEP):
        parts = [*parts[1:], side.profile(case.rows(rng, _STEP, change))]
        if change.field in drifted(side.detector.judge(merge(parts))):
            return step * _STEP
    return 20 * BOUND_AT


def beside_evidently(case: Case, found: list[Side], count: int) -> None:
    """Print what Evidently's preset says of the first windows, and what is said here."""
    from benchmarks.evidently_preset import frame, preset

    for change in (None, *CHANGES):
        for size in SIZES if change is None else SIZES[:2]:
            columns = ours = whole = 0
            for side, rows in windows(case, found, size, count, change):
                its, all_of_it = preset(frame(side.rows), frame(rows))
                flagged = {name for name, column in its.items() if column.drifted}
                mine = side.drifted(rows)
                columns += change.field in flagged if change else bool(flagged)
                ours += change.field in mine if change else bool(mine)
                whole += all_of_it
            what = f"{change.name} detected" if change else "unchanged, some column flagged"
            print(f"{case.name}, {size:>6,} rows: {what}: Evidently {columns} of {count}, here {ours}", end="")
            print("" if change else f"; the data set by Evidently {whole}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=1_000)
    parser.add_argument("--evidently", type=int, default=20, help="windows of each kind that Evidently judges, too")
    options = parser.parse_args()
    kept = []
    for case in CASES:
        found = sides(case)
        kept += [false_alarms(case, found, options.windows), detection(case, found, options.windows)]
        if options.evidently and case is CASES[0]:
            beside_evidently(case, found, options.evidently)
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
