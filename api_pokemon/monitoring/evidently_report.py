"""Evidently's report on two sets of rows. It takes seconds to load and much memory: only where no request is answered.

Evidently is an optional dependency, of whoever writes reports.
"""

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from api_pokemon.monitoring.errors import EvidentlyMissingError, InsufficientDataError
from api_pokemon.monitoring.profile_rows import FieldSpec, as_numbers, as_text
from api_pokemon.monitoring.report_rows import ReportRows

if TYPE_CHECKING:
    from pandas import DataFrame

_NO_TELEMETRY = "DO_NOT_TRACK"
_OF_A_FIELD = "evidently:metric_v2:ValueDrift"


class EvidentlyScore(NamedTuple):
    """What Evidently says of a field.

    Parameters
    ----------
    score
        A distance or a p-value, as `method` says; None where Evidently finds none.
    threshold
        Of the method, by Evidently.
    is_drift
        Its verdict.
    """

    score: float | None
    method: str
    threshold: float
    is_drift: bool


class EvidentlyReport(NamedTuple):
    """What Evidently has made of the rows.

    Parameters
    ----------
    html
        A page that needs nothing but itself.
    json
        The numbers of it.
    scores
        By field.
    left_out
        By field, why Evidently was not asked about it.
    """

    html: str
    json: str
    scores: Mapping[str, EvidentlyScore]
    left_out: Mapping[str, str]


def evidently_is_installed() -> bool:
    """Whether reports can be written here, found out without loading anything."""
    return find_spec("evidently") is not None


def run_evidently(specs: Sequence[FieldSpec], current: ReportRows, reference: ReportRows) -> EvidentlyReport:
    """Let Evidently's preset for data drift compare the rows.

    Fields that are constant, or missing on one side, are left out: Evidently divides by zero there, or refuses the
    whole report (https://github.com/evidentlyai/evidently/issues/1480, 1900 and 1929).

    Parameters
    ----------
    specs
        The fields.
    current, reference
        Not empty.

    Raises
    ------
    EvidentlyMissingError
        If it is not installed.
    InsufficientDataError
        If all fields are left out.
    """
    if not evidently_is_installed():
        raise EvidentlyMissingError
    # Before it is loaded. It tells nobody as long as this is set, to whatever value.
    os.environ[_NO_TELEMETRY] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries to each other
        frames = _frame(specs, current), _frame(specs, reference)
        left_out = {spec.name: reason for spec in specs if (reason := _why_left_out(spec.name, *frames))}
        if len(left_out) == len(specs):
            raise InsufficientDataError("All fields are constant or missing, so there is nothing to compare.")
        snapshot = _run([spec for spec in specs if spec.name not in left_out], *frames)
        html = snapshot.get_html_str(as_iframe=False)
    document = json.loads(snapshot.json(), parse_constant=lambda _: None)  # JSON knows neither NaN nor infinity
    return EvidentlyReport(html, json.dumps(document), _scores(document), left_out)


def _frame(specs: Sequence[FieldSpec], rows: ReportRows) -> "DataFrame":
    import pandas

    columns = {}
    for spec in specs:
        values = [row.get(spec.name) for row in (rows.requests if spec.group == "request" else rows.choices)]
        if spec.kind == "number":
            columns[spec.name] = pandas.Series(as_numbers(values))
        else:
            columns[spec.name] = pandas.Series([as_text(value) for value in values], dtype=object)
    return pandas.DataFrame(columns)


def _why_left_out(name: str, current: "DataFrame", reference: "DataFrame") -> str:
    values, normal = current[name].dropna(), reference[name].dropna()
    if values.empty or normal.empty:
        return f"missing in all rows of the {'window' if values.empty else 'reference'}"
    if set(values) == set(normal) == {values.iloc[0]}:
        return f"always {values.iloc[0]}"
    return ""


def _run(specs: Sequence[FieldSpec], current: "DataFrame", reference: "DataFrame") -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = [spec.name for spec in specs]
    definition = DataDefinition(
        numerical_columns=[spec.name for spec in specs if spec.kind == "number"],
        categorical_columns=[spec.name for spec in specs if spec.kind == "category"],
    )
    datasets = [Dataset.from_pandas(frame[names], data_definition=definition) for frame in (current, reference)]
    return Report([DataDriftPreset(columns=names)], include_tests=True).run(*datasets)


def _scores(document: Mapping[str, Any]) -> dict[str, EvidentlyScore]:
    parameters = [(test["metric_config"]["params"], test["status"]) for test in document["tests"]]
    failed = {params["column"]: status == "FAIL" for params, status in parameters if params["type"] == _OF_A_FIELD}
    configs = [(metric["config"], metric["value"]) for metric in document["metrics"]]
    return {
        config["column"]: EvidentlyScore(value, config["method"], config["threshold"], failed[config["column"]])
        for config, value in configs
        if config["type"] == _OF_A_FIELD
    }
