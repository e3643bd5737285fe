"""A log with profiles, on every database: import `url` and `log` where they are wanted."""

from collections.abc import Iterator, Sequence

import pytest

from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_writing import ProfileWriter
from tests.monitoring.logged_events import entries


@pytest.fixture
def log(url: str) -> Iterator[PredictionLog]:
    log = PredictionLog(connect(url))
    log.migrate()
    yield log
    log.engine.dispose()


def write(log: PredictionLog, made: Sequence[Prediction], writer: ProfileWriter, *, first: int = 1) -> None:
    for begin in range(0, len(made), 100):
        log.write(entries(made[begin : begin + 100], first + begin), also=writer)
