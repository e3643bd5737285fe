"""Evidently's drift preset, beside which ours is measured. Importing this takes seconds; it calls nobody."""

import os
import warnings
from typing import NamedTuple

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from benchmarks.drift_cases import Rows


class Found(NamedTuple):
    """What the preset says of a column."""

    method: str
    score: float
    drifted: bool


def frame(rows: Rows) -> pd.DataFrame:
    """Rows as Evidently takes them."""
    categories = {
        name: pd.Categorical.from_codes(codes, values).astype(object)
        for name, (codes, values) in rows.categories.items()
    }
    return pd.DataFrame({**rows.numbers, **categories})


def preset(reference: pd.DataFrame, window: pd.DataFrame) -> tuple[dict[str, Found], bool]:
    """Each column, and whether the data set as a whole drifts: where half of its columns do."""
    numbers = list(reference.select_dtypes("number"))
    others = [name for name in reference if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    sides = (Dataset.from_pandas(side, data_definition=definition) for side in (window, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
    columns = {}
    for metric in metrics[1:]:
        config, score = metric["config"], float(metric["value"])
        is_distance = "distance" in config["method"].lower()
        drifted = score >= config["threshold"] if is_distance else score < config["threshold"]
        columns[config["column"]] = Found(config["method"], score, drifted)
    return columns, metrics[0]["value"]["share"] >= metrics[0]["config"]["drift_share"]
