"""What alerts and dashboards compute together has the right value, and none where there was no traffic."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from api_pokemon.monitoring import catalogue
from tests.stack.promtool import Look, Series, counter, gauge, histogram, run_rules

ONE = 'job="api",instance="api:8000"'
TWO = 'job="api",instance="api:8001"'
PREDICT = 'method="POST",endpoint="/predict/best-move"'
SCRAPE = 'method="GET",endpoint="/metrics"'
HEALTH = 'method="GET",endpoint="/health/ready"'

MINUTES = 10


def requests(labels: str, growth: float, status: int = 200) -> dict[str, str]:
    return {f'api_requests_total{{{labels},status="{status}"}}': counter((growth, MINUTES))}


def errors(labels: str, growth: float) -> dict[str, str]:
    return {f'api_errors_total{{{labels},error_type="internal"}}': counter((growth, MINUTES))}


def durations(labels: str, seen: Mapping[float, float]) -> dict[str, str]:
    return histogram(catalogue.API_REQUEST_DURATION, labels, (seen, MINUTES))


VALUES: list[tuple[str, Series, Mapping[str, float]]] = [
    (
        "job:api_errors_per_request:ratio_rate5m",
        {
            **requests(f"{ONE},{PREDICT}", 25),
            **requests(f"{ONE},{PREDICT}", 5, 503),
            **requests(f"{TWO},{PREDICT}", 30),
            **requests(f"{TWO},{SCRAPE}", 1000),
            **requests(f"{TWO},{HEALTH}", 1000),
            **requests(f"{TWO},{HEALTH}", 20, 500),
            **errors(f"{ONE},{PREDICT}", 5),
            **errors(f"{TWO},{HEALTH}", 20),
        },
        {'{job="api"}': 25 / 80},
    ),
    (
        "job:api_errors_per_request:ratio_rate5m",
        {**requests(f"{ONE},{PREDICT}", 10), **errors(f"{ONE},{PREDICT}", 0)},
        {'{job="api"}': 0},
    ),
    (
        "job:api_errors_per_request:ratio_rate5m",
        {**requests(f"{ONE},{PREDICT}", 0), **errors(f"{ONE},{PREDICT}", 0), **requests(f"{ONE},{SCRAPE}", 1)},
        {},
    ),
    (
        "job:api_request_duration_seconds:p95_5m",
        {
            **durations(f"{ONE},{PREDICT}", {0.003: 90}),
            **durations(f"{TWO},{PREDICT}", {0.7: 10}),
            **durations(f"{ONE},{SCRAPE}", {0.0001: 1000}),
        },
        {'{job="api"}': 0.75},
    ),
    ("job:api_request_duration_seconds:p95_5m", durations(f"{ONE},{PREDICT}", {}), {}),
    (
        "job_model_version:model_prediction_duration_seconds:p95_5m",
        {
            **histogram(catalogue.MODEL_PREDICTION_DURATION, f'{ONE},model_version="v1"', ({0.07: 10}, MINUTES)),
            **histogram(catalogue.MODEL_PREDICTION_DURATION, f'{ONE},model_version="v2"', ({}, MINUTES)),
        },
        {'{job="api",model_version="v1"}': 0.0975},
    ),
    (
        "job_model_version:model_confidence:mean5m",
        {
            f'model_confidence_sum{{{ONE},model_version="v1"}}': counter((75, MINUTES)),
            f'model_confidence_count{{{ONE},model_version="v1"}}': counter((100, MINUTES)),
            f'model_confidence_sum{{{TWO},model_version="v1"}}': counter((225, MINUTES)),
            f'model_confidence_count{{{TWO},model_version="v1"}}': counter((300, MINUTES)),
            f'model_confidence_sum{{{TWO},model_version="v2"}}': counter((0, MINUTES)),
            f'model_confidence_count{{{TWO},model_version="v2"}}': counter((0, MINUTES)),
        },
        {'{job="api",model_version="v1"}': 0.75},
    ),
    (
        "instance:system_memory_usage:ratio",
        {
            f"system_memory_usage_bytes{{{ONE}}}": gauge((300, MINUTES)),
            f"system_memory_available_bytes{{{ONE}}}": gauge((100, MINUTES)),
        },
        {f"{{{ONE}}}": 0.75},
    ),
]


def test_it_is_the_right_value(tmp_path: Path) -> None:
    """In whole billionths, since sums of rates differ in the last digits."""
    tests = [
        (series, [Look(f"{name} {number}", f"round(1e9 * {name})", 9, in_billionths(values))])
        for number, (name, series, values) in enumerate(VALUES)
    ]
    run_rules(tmp_path, ("recording_rules.yml",), *tests)


def in_billionths(values: Mapping[str, float]) -> dict[str, float]:
    return {labels: round(1e9 * value) for labels, value in values.items()}


@pytest.mark.parametrize("name", sorted({name for name, _, _ in VALUES}))
def test_nothing_is_recorded_of_nothing(name: str, tmp_path: Path) -> None:
    run_rules(tmp_path, ("recording_rules.yml",), ({}, [Look(name, name, 9, {})]))
