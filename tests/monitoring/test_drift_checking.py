"""Windows are judged, and what was found is kept and shown, on every database."""

from collections.abc import Callable
from time import monotonic, sleep, time

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import drift_noise
from api_pokemon.monitoring.drift_checking import DriftCheck, DriftChecker, DriftChecks
from api_pokemon.monitoring.drift_detection import DriftOptions
from api_pokemon.monitoring.drift_metrics import DriftMetrics
from api_pokemon.monitoring.drift_references import DriftReferences
from api_pokemon.monitoring.errors import LogUnavailableError
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profile_writing import ProfileWriter
from tests.monitoring.drift_log import log, write
from tests.monitoring.drifting import BASELINE, baseline_of, predictions
from tests.monitoring.logged_events import START_SECONDS

__all__ = ["log"]

START = START_SECONDS // 60 * 60 + 60 - START_SECONDS  # the first whole minute after it
WINDOW = 300.0


@pytest.fixture
def checker(log: PredictionLog) -> DriftChecker:
    return DriftChecker(log.engine, WINDOW)


@pytest.fixture
def writer() -> ProfileWriter:
    return ProfileWriter(baseline_of)


def window(number: int, seed: int, *, rows: int = 500, shift: float = 0.0) -> list:  # type: ignore[type-arg]
    """The predictions of the window of that number."""
    return predictions(rows, seed, first=START + WINDOW * number, over_seconds=WINDOW, shift=shift)


def end_of(number: int) -> float:
    return START_SECONDS + START + WINDOW * (number + 1)


def in_short(check: DriftCheck) -> DriftCheck:
    return msgspec.structs.replace(check, fields=())


def groups(check: DriftCheck) -> dict[str, tuple[str, str, bool]]:
    return {group.group: (group.verdict, group.verdict_before, group.is_detected) for group in check.groups}


def test_drift_is_detected_in_the_second_window_and_over_when_one_is_normal(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter
) -> None:
    shifts = [0.0, 0.0, 1.0, 1.0, 0.0]
    for number, shift in enumerate(shifts):
        write(log, window(number, number + 1, shift=shift), writer, first=number * 500 + 1)
    found = [checker.run(end_of(number)) for number in range(1, 5)]
    assert [len(checks) for checks in found] == [1] * 4
    request = [groups(check)["request"] for (check,) in found]
    assert request == [
        ("no_drift", "no_drift", False),
        ("drift", "no_drift", False),
        ("drift", "drift", True),
        ("no_drift", "drift", False),
    ]
    assert {groups(check)["choice"] for (check,) in found} == {("no_drift", "no_drift", False)}
    (third,) = found[2]
    assert (third.verdict, third.rows, third.reference_rows, third.reference_kind) == ("drift", 500, 2000, "uniform")
    assert (third.from_seconds, third.to_seconds) == (end_of(2), end_of(3))
    assert [group.drifted for group in third.groups] == [("size",), ()]
    assert [dict(check.numbers) for (check,) in found] == [
        {"no_drift": 1},
        {"no_drift": 1, "drift": 1},
        {"no_drift": 1, "drift": 2},
        {"no_drift": 2, "drift": 2},
    ]
    checks = DriftChecks(log.engine)
    assert [in_short(check) for check in checks.latest()] == [in_short(check) for check in found[3]]
    assert [in_short(check) for check in checks.history("v1")] == [in_short(check) for (check,) in reversed(found)]


def test_a_reference_from_production_makes_it_normal(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter
) -> None:
    for number in range(4):
        write(log, window(number, number + 1, shift=1.0), writer, first=number * 500 + 1)
    (before,) = checker.run(end_of(3))
    assert groups(before)["request"] == ("drift", "drift", True)
    store = ProfileStore(log.engine)
    normal = store.whole_buckets("v1", BASELINE.layout, end_of(-1), end_of(1))
    assert normal.profile.rows == 1000
    DriftReferences(log.engine).declare("v1", "window", normal.profile, declared_by="ash")
    (after,) = checker.run(end_of(3))
    assert groups(after)["request"] == ("no_drift", "no_drift", False)
    assert (after.reference_kind, after.reference_rows) == ("window", 1000)


def test_without_rows_there_is_no_verdict_and_a_check_all_the_same(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter
) -> None:
    assert checker.run(end_of(0)) == []
    write(log, window(0, 1, rows=20), writer)
    (few,) = checker.run(end_of(0))
    assert (few.verdict, few.rows) == ("insufficient_data", 20)
    (none,) = checker.run(end_of(0) + 10 * 86_400)
    assert (none.verdict, none.rows, none.checked_seconds) == ("insufficient_data", 0, end_of(0) + 10 * 86_400)


def test_what_chance_does_is_drawn_once(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, window(0, 1), writer)
    write(log, window(1, 2), writer, first=501)
    first = checker.check("v1", end_of(1))

    def never(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(drift_noise, "draw", never)
    assert checker.check("v1", end_of(1)) == first


def test_another_statistic_has_limits_of_its_own(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter
) -> None:
    write(log, window(0, 1), writer)
    write(log, window(1, 2, shift=1.0), writer, first=501)
    options = DriftOptions(number="population_stability", category="population_stability")
    alone = DriftChecker(log.engine, WINDOW, options).check("v1", end_of(1))
    usual = checker.check("v1", end_of(1))
    again = DriftChecker(log.engine, WINDOW, options).check("v1", end_of(1))
    assert usual is not None
    assert alone is not None
    assert alone == again
    assert [field.noise for field in usual.fields] != [field.noise for field in alone.fields]
    assert usual.verdict == alone.verdict == "drift"


def test_what_is_kept_of_checks_is_short(log: PredictionLog, checker: DriftChecker, writer: ProfileWriter) -> None:
    for number in range(2):
        write(log, window(number, number + 1, shift=number * 1.0), writer, first=number * 500 + 1)
    checks = DriftChecks(log.engine)
    (first,) = checker.run(end_of(0))
    (kept,) = checks.latest()
    assert all(field.changes for field in first.fields)
    assert [field.name for field in kept.fields] == [field.name for field in first.fields]
    assert all(not field.changes for field in kept.fields)

    (second,) = checker.run(end_of(1))
    (kept,) = checks.latest()
    drifted = {field.name for field in second.fields if field.verdict == "drift"}
    assert {field.name for field in kept.fields if field.changes} == drifted == {"size"}
    assert [check.fields for check in checks.history("v1")] == [kept.fields, ()]

    checker.run(end_of(1) + 60)
    (_, before, _) = checks.history("v1")
    assert (before.fields, before.groups) == ((), second.groups)


def test_each_version_is_checked_against_its_own(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter
) -> None:
    write(log, predictions(300, 1, first=START, over_seconds=WINDOW), writer)
    write(log, predictions(300, 2, first=START, over_seconds=WINDOW, model_version="v2", shift=2.0), writer, first=301)
    write(log, predictions(10, 3, first=START, model_version="elsewhere"), writer, first=601)
    assert {check.model_version: check.verdict for check in checker.run(end_of(0))} == {"v1": "no_drift", "v2": "drift"}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline, "it never came true"
        sleep(0.01)


def test_all_workers_show_the_same(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter, registry: CollectorRegistry
) -> None:
    shown = DriftMetrics(registry, DriftChecks(log.engine), 300.0, 0.05)
    shown.start()
    assert registry.get_sample_value("drift_window_rows", {"model_version": "v1"}) is None
    for number in range(2):
        write(log, window(number, number + 1, shift=1.0), writer, first=number * 500 + 1)
    (check,) = checker.run(end_of(1))

    def sample(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"model_version": "v1", **labels})

    wait_for(lambda: sample("drift_window_rows") == 500)
    shown.stop()
    assert sample("drift_share", group="request") == 0.5
    assert sample("drift_share", group="choice") == 0.0
    size = next(field.statistic for field in check.fields if field.name == "size")
    assert sample("drift_score", group="request", feature="size") == size > 0.9
    assert sample("drift_detected", group="request", reference="uniform") == 1
    assert sample("drift_detected", group="choice", reference="uniform") == 0
    assert sample("drift_last_check_timestamp_seconds") == end_of(1)
    assert sample("drift_checks_total", verdict="drift") == 1


def test_it_is_told_since_when_a_first_check_is_waited_for(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter, registry: CollectorRegistry
) -> None:
    began = time()
    shown = DriftMetrics(registry, DriftChecks(log.engine), 300.0, 0.05)
    shown.start()

    def since() -> float | None:
        return registry.get_sample_value("drift_unchecked_since_timestamp_seconds")

    assert registry.get_sample_value("drift_check_interval_seconds") == 300.0
    assert since() is None
    write(log, window(0, 1), writer)  # of long ago: what this worker could not see does not count
    wait_for(lambda: since() is not None)
    assert began <= (since() or 0.0) <= time()
    checker.run(end_of(0))
    wait_for(lambda: since() is None)
    shown.stop()


class AwayAfterOne:
    """A database that is asked once, and then is away."""

    def __init__(self, check: DriftCheck) -> None:
        self._left = [[check]]

    def latest(self) -> list[DriftCheck]:
        if not self._left:
            raise LogUnavailableError("It is away.")
        return self._left.pop()

    def something_to_check_since(self) -> float | None:
        return None


def test_a_worker_that_is_cut_off_tells_no_old_verdicts(
    log: PredictionLog, checker: DriftChecker, writer: ProfileWriter, registry: CollectorRegistry
) -> None:
    write(log, window(0, 1, shift=1.0), writer)
    (check,) = checker.run(end_of(0))
    shown = DriftMetrics(registry, AwayAfterOne(check), 300.0, 0.01, forget_seconds=0.5)
    shown.start()
    labels = {"model_version": "v1"}
    wait_for(lambda: registry.get_sample_value("drift_window_rows", labels) == 500)
    wait_for(lambda: registry.get_sample_value("drift_window_rows", labels) is None)
    shown.stop()
    assert registry.get_sample_value("drift_detected", {**labels, "group": "request", "reference": "uniform"}) is None
    assert registry.get_sample_value("drift_last_check_timestamp_seconds", labels) == end_of(0)
