"""A prediction log on each kind of database."""

from collections.abc import Iterator

import pytest

from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.prediction_log import PredictionLog
from tests.monitoring.logged_events import LOOKED_UP


@pytest.fixture
def empty(url: str) -> Iterator[PredictionLog]:
    """A log that nobody has made yet."""
    log = PredictionLog(connect(url), looked_up=LOOKED_UP)
    yield log
    log.engine.dispose()


@pytest.fixture
def log(empty: PredictionLog) -> PredictionLog:
    empty.migrate()
    return empty
