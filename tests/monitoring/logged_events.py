"""Events for the log's tests: the same at each run, with times that the test names; and what the log then holds."""

from collections.abc import Sequence
from typing import Any

from api_pokemon.monitoring.events import Event, Outcome, Prediction, encode
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.stream import Entry

WRITER = "8a4f4d0e-6f5a-4c3c-9d53-2f2a0c6c7b10"
OTHER_WRITER = "1c0ffee0-6f5a-4c3c-9d53-2f2a0c6c7b10"
LOOKED_UP = ("attacker", "defender")
START_SECONDS = 1_722_109_295.0


def id_at(seconds: float, number: int = 0) -> str:
    """An id of that time after the start, to the millisecond."""
    time = f"{round((START_SECONDS + seconds) * 1000):012x}"
    return f"{time[:8]}-{time[8:]}-7000-8000-{number:012x}"


def prediction_at(seconds: float, number: int = 0, **changes: Any) -> Prediction:
    values = {"model_version": "v1", "probability": 0.7, "duration_seconds": 0.001}
    return Prediction(id_at(seconds, number), **(values | changes))


def outcome_at(seconds: float, prediction: Prediction, *, happened: bool, number: int = 0) -> Outcome:
    return Outcome(id_at(seconds, 0xABC000 + number), prediction.prediction_id, happened)


def entries(events: Sequence[Event], first: int = 1, writer: str = WRITER) -> list[Entry]:
    return [Entry(writer, sequence, encode(event)) for sequence, event in enumerate(events, first)]


def logged_ids(log: PredictionLog) -> list[str]:
    return [found.prediction.prediction_id for found in log.scan()]


def rows_of(log: PredictionLog, statement: Any) -> list[tuple[Any, ...]]:
    with log.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(statement)]
