"""Whether statistics from profiles agree with Evidently's, which come from the rows themselves.

    python -m benchmarks.drift_agreement

Every field of every case, unchanged and changed, in windows of more than 1,000 rows beside a reference of 10,000: from
there on the preset takes the same statistics. Lists each verdict that differs, with the reason, and sums them up. Ends
with status 1 where a statistic differs by more than 0.01, or a verdict for no such reason: the threshold is near, or
chance does as much.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from api_pokemon.monitoring.drift_detection import DriftDetector, FieldDrift
from api_pokemon.monitoring.profiles import profile_rows
from benchmarks.drift_cases import CASES, CHANGES, Case, Change, reference
from benchmarks.evidently_preset import frame, preset
from benchmarks.figure import Figure

BOUND = 0.01
SIZES = (1_100, 10_000)
NEAR, CHANCE = "near the threshold", "chance does as much"
FAR = Change("a number shifted by 1.5 standard deviations", "number 0", shift=1.5)


class Compared(NamedTuple):
    """A field of a window, by both.

    Parameters
    ----------
    apart
        How far the statistics are from each other.
    reason
        Why the verdicts differ; None where they do not, empty where nothing explains it.
    """

    rows: int
    field: str
    apart: float
    reason: str | None


def compare(case: Case) -> Iterator[Compared]:
    """Compare each field of each window of a case, and print those with another verdict."""
    usual, layout, profile = reference(case, 100, 10_000)
    detector, usual_frame = DriftDetector(profile), frame(usual)
    for index, change in enumerate((None, *CHANGES, FAR)):
        for size in SIZES:
            rows = case.rows(np.random.default_rng([2, size, index]), size, change)
            its, _ = preset(usual_frame, frame(rows))
            for field in detector.judge(profile_rows(layout, rows.batch())).fields:
                score = its[field.name].score
                differ = (field.verdict == "drift") != its[field.name].drifted
                found = Compared(size, field.name, abs(field.statistic - score), why(field, score) if differ else None)
                if differ:
                    what = f"{case.name}, {size:,} rows, {change.name if change else 'unchanged'}, {field.name}"
                    ours = f"here {field.statistic:.3f}, noise {field.noise:.3f}"
                    print(f"{what}: Evidently {score:.3f}, {ours}: {found.reason}")
                yield found


def why(field: FieldDrift, score: float) -> str:
    """The reason for a verdict that is not Evidently's, if there is a good one."""
    if abs(score - field.threshold) <= BOUND:
        return NEAR
    return CHANCE if field.threshold < field.statistic <= field.noise else ""


def print_sums(compared: Sequence[Compared]) -> None:
    """How many verdicts differ: why, in windows of which size, and of which fields."""
    differing = [each for each in compared if each.reason is not None]
    print(f"{len(differing)} of {len(compared)} verdicts differ")
    for name, counts in (
        ("why", Counter(each.reason or "nothing explains it" for each in differing)),
        ("in windows of", Counter(f"{each.rows:,} rows" for each in differing)),
        ("of", Counter(each.field for each in differing)),
    ):
        print(f"  {name}: {', '.join(f'{what} {number}' for what, number in counts.most_common())}")


def main() -> int:
    kept, all_compared = [], []
    for case in CASES:
        compared = list(compare(case))
        all_compared += compared
        name = f"{case.name}: largest difference of {len(compared)} statistics"
        kept.append(Figure(name, max(each.apart for each in compared), BOUND).print())
    print_sums(all_compared)
    return 0 if all(kept) and all(each.reason != "" for each in all_compared) else 1


if __name__ == "__main__":
    sys.exit(main())
