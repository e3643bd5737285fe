"""Predictions with rows to be profiled: the same from the same seed."""

from random import Random
from typing import Any

from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.drift_baseline import Baseline, make_baseline
from api_pokemon.monitoring.profile_rows import FieldSpec, prediction_batch
from tests.monitoring.logged_events import id_at

SPECS = (
    FieldSpec("size", "number", "request"),
    FieldSpec("colour", "category", "request"),
    FieldSpec("sure", "number", "choice"),
)


def predictions(
    number: int, seed: int, *, first: float = 0.0, over_seconds: float = 300.0, shift: float = 0.0, **changes: Any
) -> list[Prediction]:
    """So many predictions, spread evenly over a time; `shift` is what their sizes have moved by, in deviations."""
    random = Random(seed)
    values = {"model_version": "v1", "probability": 0.7, "duration_seconds": 0.001} | changes
    return [
        Prediction(
            id_at(first + over_seconds * index / number, seed * 1_000_000 + index),
            **values,
            request={"size": random.gauss(shift, 1.0), "colour": random.choice(["red", "blue", "green"])},
            choice={"sure": random.random() if index % 10 else None},
        )
        for index in range(number)
    ]


def baseline(seed: int = 99, number: int = 2000) -> Baseline:
    """The baseline that unshifted predictions give."""
    return make_baseline(SPECS, prediction_batch(SPECS, predictions(number, seed)))


BASELINE = baseline()


def baseline_of(version: str) -> Baseline | None:
    return BASELINE if version.startswith("v") else None
