"""The sample of a report: the same each time, and of the whole window."""

import pytest

from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.report_rows import rows_of, sample_predictions
from tests.monitoring.drift_log import log
from tests.monitoring.drifting import predictions
from tests.monitoring.logged_events import START_SECONDS, entries, id_at

__all__ = ["log"]

END = START_SECONDS + 300


@pytest.fixture
def filled(log: PredictionLog) -> PredictionLog:
    log.write(entries(predictions(1200, seed=1)))
    log.write(entries(predictions(50, seed=2, model_version="v2"), first=1201))
    return log


def test_all_of_them_where_they_are_few_the_oldest_first(filled: PredictionLog) -> None:
    total, made = sample_predictions(filled.engine, "v1", START_SECONDS, END)
    assert total == 1200
    assert made == predictions(1200, seed=1)
    assert rows_of(total, made).requests[0] == made[0].request
    assert rows_of(total, made).choices[-1] == made[-1].choice


def test_at_most_so_many_and_always_the_same(filled: PredictionLog) -> None:
    total, made = sample_predictions(filled.engine, "v1", START_SECONDS, END, 100)
    assert (total, len(made)) == (1200, 100)
    assert sample_predictions(filled.engine, "v1", START_SECONDS, END, 100) == (total, made)
    _, fewer = sample_predictions(filled.engine, "v1", START_SECONDS, END, 60)
    assert {item.prediction_id for item in fewer} < {item.prediction_id for item in made}


def test_they_are_taken_by_what_is_random_in_their_ids(log: PredictionLog) -> None:
    made = predictions(4, seed=1)
    tails = ("00000000000a", "ffff00000001", "00000000000b", "eeee00000002")
    made = [
        type(item)(id_at(second)[:24] + tail, *(getattr(item, name) for name in item.__struct_fields__[1:]))
        for second, (item, tail) in enumerate(zip(made, tails, strict=True))
    ]
    log.write(entries(made))
    assert sample_predictions(log.engine, "v1", START_SECONDS, END, 2)[1] == [made[1], made[3]]


def test_only_of_the_stretch_and_of_the_version(filled: PredictionLog) -> None:
    total, made = sample_predictions(filled.engine, "v1", START_SECONDS + 75, START_SECONDS + 150)
    assert (total, len(made)) == (300, 300)
    assert made[0].made_at_seconds == START_SECONDS + 75
    assert made[-1].made_at_seconds < START_SECONDS + 150
    assert sample_predictions(filled.engine, "v2", START_SECONDS, END)[0] == 50
    assert sample_predictions(filled.engine, None, START_SECONDS, END)[0] == 1250
    assert sample_predictions(filled.engine, "v3", START_SECONDS, END) == (0, [])
