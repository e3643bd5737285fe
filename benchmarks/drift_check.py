"""What a check for drift costs, and that this does not grow with the history: CPU time from stored profiles to verdict.

    python -m benchmarks.drift_check

Fills a SQLite database with the profiles of an hour, a month and a year: minutes for two days, then hours, each of 500
predictions as the service makes them, and judges windows of an hour against the shipped version's baseline. Ends with
status 1 where the median of a whole check takes longer than the bound, which is that of one window.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

from sqlalchemy import Engine, func, select

from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring import new_id
from api_pokemon.monitoring.database import connect, reading, writing
from api_pokemon.monitoring.drift_checking import DriftChecker
from api_pokemon.monitoring.drift_tables import drift_checks
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_rows import prediction_batch
from api_pokemon.monitoring.profile_table import Bucket, register, write_profiles
from api_pokemon.monitoring.profiles import profile_rows
from benchmarks.events import duel_predictions

BOUND_MILLISECONDS = 50.0
HOURS = {"an hour": 1, "a month": 30 * 24, "a year": 365 * 24}
_NOW = 1_785_542_400
_HOUR = 3600
_ROUNDS = 15


def fill(engine: Engine, version: str, hours: int) -> None:
    """Keep the profiles of so many hours before now."""
    baseline = find_baseline(Path(), version)
    assert baseline is not None
    layout = baseline.layout
    profile = profile_rows(layout, prediction_batch(layout.specs, duel_predictions()))
    minutes = range(60 * min(hours, 48))
    buckets = [Bucket(_NOW - 60 * (number + 1), 60) for number in minutes]
    buckets += [Bucket(_NOW - _HOUR * (number + 1), _HOUR) for number in range(48, hours)]
    with writing(engine) as connection:
        register(connection, version, baseline)
        write_profiles(connection, version, new_id(), dict.fromkeys(buckets, profile))


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time, the median of some rounds; a first one has prepared what is kept."""
    work()
    took = []
    for _ in range(_ROUNDS):
        began = process_time()
        work()
        took.append((process_time() - began) * 1000)
    return median(took)


class Measured(NamedTuple):
    """CPU time of a window, and of a whole check, which judges two and looks at what was found before; and what is kept
    of the latest check and of the one before."""

    window_milliseconds: float
    check_milliseconds: float
    latest_bytes: int
    earlier_bytes: int


def measure(hours: int) -> Measured:
    version = shipped_version()
    with tempfile.TemporaryDirectory(prefix="drift-check-") as folder:
        log = PredictionLog(connect(f"sqlite:///{folder}/log.sqlite"))
        log.migrate()
        fill(log.engine, version, hours)
        checker = DriftChecker(log.engine, _HOUR)
        window = milliseconds(lambda: checker.judge(version, _NOW - _HOUR, _NOW))
        check = milliseconds(lambda: checker.check(version, _NOW))
        for number in range(2):
            checker.run(_NOW + number)
        with reading(log.engine) as connection:
            bodies = select(func.length(drift_checks.c.body)).order_by(drift_checks.c.id)
            earlier, latest = connection.scalars(bodies).all()
        log.engine.dispose()
    return Measured(window, check, latest, earlier)


def main() -> int:
    slowest = 0.0
    for name, hours in HOURS.items():
        window, check, latest, earlier = measure(hours)
        slowest = max(slowest, window, check)
        print(f"{name} of profiles: a window judged in {window:.1f} ms (bound {BOUND_MILLISECONDS:.0f} ms),", end=" ")
        print(f"a check, which judges two, in {check:.1f} ms", flush=True)
    ninety_days = earlier * 90 * 24 * 12 / 1e6
    print(f"kept of the latest check {latest:,} bytes, of each earlier one {earlier:,}: {ninety_days:.0f} MB", end=" ")
    print("a model version, of 90 days of checks every five minutes")
    return int(slowest > BOUND_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
