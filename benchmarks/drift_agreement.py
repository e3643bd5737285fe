"""Whether statistics from profiles agree with Evidently's, which come from the rows themselves.

    python -m benchmarks.drift_agreement

Every field of every case, unchanged and changed, in windows of more than 1,000 rows beside a reference of 10,000: from
there on the preset takes the same statistics. Lists each verdict that differs, with the reason. Ends with status 1
where a statistic differs by more than 0.01, or a verdict for another reason than the threshold's nearness or the noise.
"""

import sys

import numpy as np

from api_pokemon.monitoring.drift_detection import DriftDetector, FieldDrift
from api_pokemon.monitoring.profiles import profile_rows
from benchmarks.drift_cases import CASES, CHANGES, Case, Change, reference
from benchmarks.evidently_preset import frame, preset
from benchmarks.figure import Figure

BOUND = 0.01
SIZES = (1_100, 10_000)
FAR = Change("a number shifted by 1.5 standard deviations", "number 0", shift=1.5)


def differences(case: Case) -> tuple[list[float], bool]:
    """How far the statistics of a case are apart, and whether each verdict that differs has its reason."""
    usual, layout, profile = reference(case, 100, 10_000)
    detector, usual_frame = DriftDetector(profile), frame(usual)
    apart, explained = [], True
    for index, change in enumerate((None, *CHANGES, FAR)):
        for size in SIZES:
            rows = case.rows(np.random.default_rng([2, size, index]), size, change)
            its, _ = preset(usual_frame, frame(rows))
            for field in detector.judge(profile_rows(layout, rows.batch())).fields:
                score = its[field.name].score
                apart.append(abs(field.statistic - score))
                if (field.verdict == "drift") != its[field.name].drifted:
                    reason = why(field, score)
                    explained &= bool(reason)
                    what = f"{case.name}, {size:,} rows, {change.name if change else 'unchanged'}, {field.name}"
                    print(
                        f"{what}: Evidently {score:.3f}, here {field.statistic:.3f}, noise {field.noise:.3f}: {reason}"
                    )
    return apart, explained


def why(field: FieldDrift, score: float) -> str:
    """The reason for a verdict that is not Evidently's, if there is a good one."""
    if abs(score - field.threshold) <= BOUND:
        return "near the threshold"
    return "chance does as much" if field.threshold < field.statistic <= field.noise else ""


def main() -> int:
    kept = []
    for case in CASES:
        apart, explained = differences(case)
        figure = Figure(f"{case.name}: largest difference of {len(apart)} statistics", max(apart), BOUND)
        kept += [figure.print(), explained]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
