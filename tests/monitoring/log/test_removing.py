"""What goes from the prediction log is counted, and takes nothing along."""

import random
from typing import Any

from sqlalchemy import func, select

from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.log_schema import outcomes, rejected
from api_pokemon.monitoring.prediction_log import PredictionLog, WriterCounts
from api_pokemon.monitoring.stream import Entry
from tests.monitoring.logged_events import (
    OTHER_WRITER,
    START_SECONDS,
    WRITER,
    entries,
    id_at,
    logged_ids,
    outcome_at,
    prediction_at,
    rows_of,
)


def remove_all(log: PredictionLog, **bounds: Any) -> int:
    number = 0
    while removed := log.remove_old(**({"older_than_seconds": None, "keep_at_most": None} | bounds)):
        number += removed
    return number


def test_what_is_too_old_goes_with_its_outcomes_and_stays_counted(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(30)]
    log.write(entries([*made, *(outcome_at(90 + n, made[n // 2], happened=True) for n in range(40))]))
    log.write([Entry(OTHER_WRITER, 7, entries([prediction_at(5.5)])[0].body)])
    assert remove_all(log, older_than_seconds=START_SECONDS + 10, batch=3) == 10 + 20 + 1
    assert logged_ids(log) == [id_at(second) for second in range(10, 30)]
    assert all(logged.happened is (True if n < 10 else None) for n, logged in enumerate(log.scan()))
    assert log.counts() == {WRITER: WriterCounts(40, 30, 70), OTHER_WRITER: WriterCounts(0, 1, 7)}
    assert log.count_through(WRITER, 70) == 70
    assert log.count_through(OTHER_WRITER, 7) == 1


def test_the_oldest_go_where_there_are_too_many(log: PredictionLog) -> None:
    order = list(range(20))
    random.Random(2).shuffle(order)
    log.write(entries([prediction_at(second) for second in order]))
    assert log.remove_old(older_than_seconds=None, keep_at_most=20) == 0
    assert log.remove_old(older_than_seconds=None, keep_at_most=12, batch=5) == 5
    log.write(entries([prediction_at(30)], 30))
    assert remove_all(log, keep_at_most=12, batch=5) == 3
    assert remove_all(log, keep_at_most=12) == 1
    assert remove_all(log, keep_at_most=100) == 0
    assert logged_ids(log) == [id_at(second) for second in (*range(9, 20), 30)]
    assert remove_all(log, keep_at_most=10, older_than_seconds=START_SECONDS + 15) == 6
    assert log.counts()[WRITER] == WriterCounts(logged=6, removed=15, last_sequence=30)


def test_a_batch_of_removals_takes_no_outcome_from_what_stays(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(4)]
    log.write(entries([*made, *(outcome_at(10, made[n], happened=True, number=n) for n in (1, 2, 3))]))
    log.remove_old(older_than_seconds=START_SECONDS + 3, keep_at_most=None, batch=2)
    assert [(logged.prediction, logged.happened) for logged in log.scan()] == [(made[2], True), (made[3], True)]


def test_outcomes_without_a_prediction_and_what_was_set_aside_go_too(log: PredictionLog) -> None:
    log.write([*entries([outcome_at(50, prediction_at(1), happened=True)]), Entry(WRITER, 2, b"no event")])
    assert remove_all(log, older_than_seconds=START_SECONDS + 1) == 0
    assert remove_all(log, older_than_seconds=START_SECONDS + 2) == 1
    assert remove_all(log, older_than_seconds=4e9) == 1
    assert [rows_of(log, select(func.count()).select_from(table)) for table in (outcomes, rejected)] == [[(0,)]] * 2
    assert log.counts()[WRITER] == WriterCounts(logged=0, removed=2, last_sequence=2)


def test_two_who_remove_the_same_count_it_once(url: str, log: PredictionLog) -> None:
    log.write(entries([prediction_at(second) for second in range(20)]))
    other = PredictionLog(connect(url))
    removed = 0
    while batch := sum(one.remove_old(older_than_seconds=None, keep_at_most=8, batch=2) for one in (log, other)):
        removed += batch
    other.engine.dispose()
    assert removed == 12
    assert log.counts()[WRITER] == WriterCounts(logged=8, removed=12, last_sequence=20)
