"""Each fault does what it says while it is on, and nothing when it is not."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from time import monotonic
from typing import Any

import numpy as np
import pytest

from api_pokemon.dex import load_dex
from api_pokemon.errors import InjectedFaultError
from api_pokemon.faults import (
    FaultyDriftChecks,
    FaultyLog,
    FaultyPredictor,
    FaultyRecord,
    FaultyStream,
    api_faults,
    worker_faults,
)
from api_pokemon.faults.board import Faults
from api_pokemon.model import MoveRanker, open_model
from api_pokemon.model.registry import SHIPPED, shipped_version
from api_pokemon.monitoring import Entry, OutboxState, Prediction, StreamUnavailableError, new_id
from api_pokemon.monitoring.drift_checking import DriftCheck, GroupCheck
from api_pokemon.monitoring.prediction_log import WriterCounts

ENTRY = Entry("w", 1, b"")


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = api_faults("")
    with faults.lifted_at_the_end():
        yield faults


@pytest.fixture
def workers() -> Iterator[Faults]:
    faults = worker_faults()
    with faults.lifted_at_the_end():
        yield faults


class Records:
    """Counts what is recorded and counted, and what is recorded alone."""

    def __init__(self, faults: Faults) -> None:
        self.counted = 0
        self.kept = 0
        self._record = FaultyRecord(faults, self._count, self._keep)

    async def _count(self, scope: MutableMapping[str, Any], *predictions: Prediction) -> None:
        self.counted += len(predictions)

    async def _keep(self, *predictions: Prediction) -> None:
        self.kept += len(predictions)

    async def predict(self) -> None:
        await self._record({}, Prediction(new_id(), "v1", 0.5, 0.001))


async def test_without_a_fault_predictions_are_recorded_and_counted(faults: Faults) -> None:
    records = Records(faults)
    await records.predict()
    assert (records.counted, records.kept) == (1, 0)


async def test_a_slow_handler_waits(faults: Faults) -> None:
    records = Records(faults)
    faults.cause("slow-handler", seconds=60, level=0.05)
    began = monotonic()
    await records.predict()
    assert monotonic() - began >= 0.05
    assert records.counted == 1


@pytest.mark.parametrize(("share", "failures"), [(1.0, 20), (0.5, 10), (0.25, 5)])
async def test_a_failing_handler_fails_that_share_exactly(faults: Faults, share: float, failures: int) -> None:
    records = Records(faults)
    faults.cause("failing-handler", seconds=60, level=share)
    failed = 0
    for _ in range(20):
        try:
            await records.predict()
        except InjectedFaultError:
            failed += 1
    assert (failed, records.counted) == (failures, 20 - failures)


async def test_uncounted_predictions_are_recorded_all_the_same(faults: Faults) -> None:
    records = Records(faults)
    faults.cause("uncounted-predictions", seconds=60)
    await records.predict()
    assert (records.counted, records.kept) == (0, 1)


def test_a_slow_or_unsure_model(faults: Faults) -> None:
    dex = load_dex()
    predictor = open_model(dex, SHIPPED / shipped_version())
    true, faulty = MoveRanker(dex, predictor), MoveRanker(dex, FaultyPredictor(faults, predictor))
    duel = (1, 25, ["Razor Leaf", "Tackle"])
    assert faulty.rank(*duel) == true.rank(*duel)
    faults.cause("slow-model", seconds=60, level=0.05)
    began = monotonic()
    assert faulty.rank(*duel) == true.rank(*duel)
    assert monotonic() - began >= 0.05
    faults.cause("unsure-model", seconds=60)
    assert {move.win_probability for move in faulty.rank(*duel).moves} == {0.5}
    assert isinstance(faulty.rank(*duel).moves[0].win_probability, float)
    assert not np.isnan(faulty.rank(*duel).moves[0].expected_damage)


class OneEntry:
    keeps_offset = True

    def read(self, most: int, wait_seconds: float, offsets: Mapping[str, int]) -> Sequence[Entry]:
        return [ENTRY]

    def confirm(self, entries: Sequence[Entry]) -> None: ...

    def outboxes(self) -> Sequence[OutboxState]:
        return []

    def close(self) -> None: ...


def test_a_stream_that_is_unreachable_or_seems_empty(workers: Faults) -> None:
    stream = FaultyStream(workers, OneEntry())
    assert stream.keeps_offset
    assert stream.read(1, 0.0, {}) == [ENTRY]
    workers.cause("stalled-consumer", seconds=60)
    assert not stream.read(1, 0.0, {})
    workers.cause("unreachable-stream", seconds=60)
    with pytest.raises(StreamUnavailableError, match="the fault unreachable-stream is on"):
        stream.read(1, 0.0, {})
    workers.lift_all()
    assert stream.read(1, 0.0, {}) == [ENTRY]


class Rows:
    def counts(self) -> dict[str, WriterCounts]:
        return {}

    def count_through(self, writer: str, sequence: int) -> int:
        return sequence


def test_a_log_that_seems_to_lack_rows(workers: Faults) -> None:
    log = FaultyLog(workers, Rows())
    assert log.count_through("w", 7) == 7
    workers.cause("miscounted-log", seconds=60, level=3)
    assert log.count_through("w", 7) == 4
    assert log.counts() == {}


CHECK = DriftCheck(
    *("v1", 5000.0, 1400.0, 5000.0, 900, 10_000, "id", "window", "no_drift"),
    groups=(
        GroupCheck("request", "no_drift", "no_drift", 0.0, ()),
        GroupCheck("choice", "no_drift", "drift", 0.0, ()),
    ),
    fields=(),
    numbers={"no_drift": 1},
)


class Checks:
    def latest(self) -> Sequence[DriftCheck]:
        return [CHECK]

    def something_to_check_since(self) -> float | None:
        return 1400.0


def test_drift_that_is_told_of_whatever_is_so(workers: Faults) -> None:
    checks = FaultyDriftChecks(workers, Checks())

    def told() -> tuple[list[bool], float]:
        (check,) = checks.latest()
        return [group.is_detected for group in check.groups], check.checked_seconds

    assert checks.latest() == [CHECK]
    assert checks.something_to_check_since() == 1400.0
    workers.cause("drifted-requests", seconds=60)
    assert told() == ([True, False], 5000.0)
    workers.cause("drifted-choices", seconds=60)
    workers.cause("stale-drift-check", seconds=60, level=2000)
    assert told() == ([True, True], 3000.0)


def test_each_process_has_its_own_faults() -> None:
    assert [status.name for status in api_faults("redis://localhost:1").statuses()] == [
        "slow-handler",
        "failing-handler",
        "slow-model",
        "unsure-model",
        "uncounted-predictions",
        "slow-metrics",
        "cpu-burn",
        "memory-pressure",
        "paused-stream",
    ]
    assert [status.name for status in worker_faults().statuses()] == [
        "stalled-consumer",
        "unreachable-stream",
        "miscounted-log",
        "slow-metrics",
        "drifted-requests",
        "drifted-choices",
        "stale-drift-check",
    ]
    assert "paused-stream" not in [status.name for status in api_faults("").statuses()]
