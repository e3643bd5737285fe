"""Events are carried into the log once, whatever cannot be reached meanwhile."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from api_pokemon.monitoring import (
    Event,
    EventError,
    LogUnavailableError,
    OutboxState,
    Prediction,
    StreamUnavailableError,
    new_id,
)
from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.consumer import Consumer
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.events import encode
from api_pokemon.monitoring.prediction_log import PredictionLog, Written
from api_pokemon.monitoring.stream import Entry

QUICKLY = BackOff(first_seconds=0.001, longest_seconds=0.01)
WRITER = "8a4f4d0e-6f5a-4c3c-9d53-2f2a0c6c7b10"


class ListStream:
    """Holds entries until they are confirmed; fails on demand."""

    def __init__(self, bodies: Sequence[bytes], *, keeps_offset: bool = False) -> None:
        self.keeps_offset = keeps_offset
        self.entries = [Entry(WRITER, number, body) for number, body in enumerate(bodies, 1)]
        self.failures_to_read = self.failures_to_confirm = 0
        self.given_offsets: list[Mapping[str, int]] = []

    def read(self, most: int, wait_seconds: float, offsets: Mapping[str, int]) -> Sequence[Entry]:
        if self.failures_to_read:
            self.failures_to_read -= 1
            raise StreamUnavailableError("it refuses")
        self.given_offsets.append(dict(offsets))
        found = self.entries[:most]
        if not found:
            sleep(wait_seconds)
        return found

    def confirm(self, entries: Sequence[Entry]) -> None:
        if self.failures_to_confirm:
            self.failures_to_confirm -= 1
            raise StreamUnavailableError("it hangs")
        self.entries = [entry for entry in self.entries if entry not in entries]

    def outboxes(self) -> Sequence[OutboxState]:
        return []

    def close(self) -> None: ...


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(connect(f"sqlite:///{tmp_path}/log.sqlite"))


def bodies(number: int) -> list[bytes]:
    return [encode(Prediction(new_id(), "v1", 0.7, 0.001)) for _ in range(number)]


def carry(consumer: Consumer, until: Callable[[], bool]) -> None:
    """Run the consumer until something holds; it then stops, and stops in time."""
    thread = Thread(target=consumer.run)
    thread.start()
    deadline = monotonic() + 20
    while not until() and monotonic() < deadline:
        sleep(0.002)
    consumer.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert until()


def logged(log: PredictionLog) -> Iterator[str]:
    return (found.prediction.prediction_id for found in log.scan())


def test_everything_is_logged_and_confirmed(log: PredictionLog) -> None:
    stream = ListStream(bodies(25))
    carry(Consumer(stream, log, most=10, wait_seconds=0.01), lambda: not stream.entries)
    assert log.counts()[WRITER].logged == len(set(logged(log))) == 25


def test_what_was_logged_and_not_confirmed_comes_again_and_is_logged_once(log: PredictionLog) -> None:
    stream = ListStream(bodies(5))
    stream.failures_to_confirm = 3
    carry(Consumer(stream, log, wait_seconds=0.01, back_off=QUICKLY), lambda: not stream.entries)
    assert stream.failures_to_confirm == 0
    assert log.counts()[WRITER].logged == 5


def test_a_stream_that_cannot_be_reached_is_told_once(log: PredictionLog, caplog: pytest.LogCaptureFixture) -> None:
    stream = ListStream(bodies(5))
    stream.failures_to_read = 4
    consumer = Consumer(stream, log, wait_seconds=0.01, back_off=QUICKLY)
    with caplog.at_level(logging.INFO, "api_pokemon.monitoring.consumer"):
        carry(consumer, lambda: not stream.entries)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "the stream cannot be reached: it refuses; trying again, nothing is lost"
    ]
    assert consumer.reachable == (True, True)


def test_a_log_that_cannot_be_reached_is_tried_again(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = ListStream(bodies(5))
    failures = iter([LogUnavailableError("it is away")] * 3)
    migrate = log.migrate

    def failing_at_first() -> None:
        for failure in failures:
            raise failure
        migrate()

    monkeypatch.setattr(log, "migrate", failing_at_first)
    carry(Consumer(stream, log, wait_seconds=0.01, back_off=QUICKLY), lambda: not stream.entries)
    assert log.counts()[WRITER].logged == 5


def test_a_log_that_can_be_read_and_not_written_is_told_once(
    log: PredictionLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = ListStream(bodies(5))
    failures = iter([LogUnavailableError("its disk is full")] * 4)
    write = log.write

    def failing_at_first(*batch: Any, **options: Any) -> Written:
        for failure in failures:
            raise failure
        return write(*batch, **options)

    monkeypatch.setattr(log, "write", failing_at_first)
    with caplog.at_level(logging.INFO, "api_pokemon.monitoring.consumer"):
        carry(Consumer(stream, log, wait_seconds=0.01, back_off=QUICKLY), lambda: not stream.entries)
    assert [record.message for record in caplog.records] == [
        "the log answers",
        "the log cannot be reached: its disk is full; trying again, nothing is lost",
        "the log answers",
    ]


def test_a_stream_that_keeps_an_offset_is_read_from_where_the_log_is(log: PredictionLog) -> None:
    stream = ListStream(bodies(7), keeps_offset=True)
    carry(Consumer(stream, log, most=5, wait_seconds=0.01), lambda: not stream.entries)
    assert stream.given_offsets[:3] == [{}, {WRITER: 5}, {WRITER: 7}]
    later = ListStream([], keeps_offset=True)
    carry(Consumer(later, log, wait_seconds=0.01), lambda: bool(later.given_offsets))
    assert later.given_offsets[0] == {WRITER: 7}


def test_what_is_no_event_does_not_stop_the_rest(log: PredictionLog, caplog: pytest.LogCaptureFixture) -> None:
    stream = ListStream([b"no event", *bodies(3)])
    carry(Consumer(stream, log, wait_seconds=0.01), lambda: not stream.entries)
    assert len(list(logged(log))) == 3
    assert log.counts()[WRITER].logged == 4
    assert "1 entries are no events" in caplog.text


def test_something_may_join_the_transaction_and_undo_it(log: PredictionLog) -> None:
    stream = ListStream(bodies(3))
    seen: list[int] = []

    def also(connection: object, written: object) -> None:
        seen.append(len(written.predictions))  # type: ignore[attr-defined]
        if len(seen) == 1:
            raise LogUnavailableError("not now")

    carry(Consumer(stream, log, also=also, wait_seconds=0.01, back_off=QUICKLY), lambda: not stream.entries)
    assert seen == [3, 3]
    assert log.counts()[WRITER].logged == 3


def test_what_nobody_foresaw_does_not_end_it(log: PredictionLog, caplog: pytest.LogCaptureFixture) -> None:
    stream = ListStream(bodies(3))
    told: list[bool] = []

    def also(connection: object, written: object) -> None:
        told.append(consumer.reachable.log)
        if len(told) == 1:
            raise ZeroDivisionError("a mistake")

    consumer = Consumer(stream, log, also=also, wait_seconds=0.01, back_off=QUICKLY)
    carry(consumer, lambda: not stream.entries)
    assert told == [True, False]
    assert consumer.reachable == (True, True)
    assert log.counts()[WRITER].logged == 3
    assert "ZeroDivisionError: a mistake" in caplog.text


def test_what_an_older_version_set_aside_is_tried_again_at_the_start(
    log: PredictionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    (body,) = bodies(1)
    with monkeypatch.context() as older:
        older.setattr("api_pokemon.monitoring.log_rows.decode", refusing)
        stream = ListStream([body])
        carry(Consumer(stream, log, wait_seconds=0.01), lambda: not stream.entries)
    assert list(logged(log)) == []
    carry(Consumer(ListStream([]), log, wait_seconds=0.01), lambda: len(list(logged(log))) == 1)
    assert log.counts()[WRITER].logged == 1


def refusing(body: bytes) -> Event:
    raise EventError("of a kind that is not known yet")
