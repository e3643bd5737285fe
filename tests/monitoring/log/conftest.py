"""A prediction log on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.prediction_log import PredictionLog
from tests.monitoring.logged_events import LOOKED_UP


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.sqlite"
    return str(request.getfixturevalue("postgres_url"))


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
