"""Every alert of Prometheus fires when it should, not one step before, not on nothing, and it ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from api_pokemon.monitoring import catalogue
from api_pokemon.stack import alert_rules
from tests.stack.promtool import Look, Series, Told, counter, gauge, histogram, run_rules

API = 'job="api",instance="api:8000"'
MODEL = f'{API},model_version="v1"'
PREDICT = f'{API},method="POST",endpoint="/predict/best-move"'
BATCH = f'{API},method="POST",endpoint="/predict/best-move/batch"'
SCRAPE = f'{API},method="GET",endpoint="/metrics"'
HEALTH = f'{API},method="GET",endpoint="/health/ready"'
NAN = "NaN"
GIB = 1 << 30


class Case(NamedTuple):
    """What Prometheus sees, and how many alerts of a name fire at some minutes.

    Parameters
    ----------
    kind
        ``fires``; ``below``, one step before it would; or ``nothing``, where there is nothing to judge.
    """

    alert: str
    kind: str
    what: str
    series: Series
    firing: Mapping[float, int]

    def __str__(self) -> str:
        return f"{self.alert}-{self.kind}: {self.what}"


NEVER = dict.fromkeys((1, 3, 6, 8, 11, 14, 20), 0)
AFTER_FIVE = {5: 0, 6: 1, 15: 1, 21: 0}
"""Of a condition that holds for 15 minutes, looks back 5 and must hold for 5."""


def latency(labels: str, slow: int, of: int = 100) -> dict[str, str]:
    """So many slow answers for a quarter of an hour, then none."""
    seen = {0.01: of - slow, 0.6: slow}
    return histogram(catalogue.API_REQUEST_DURATION, labels, (seen, 15), ({0.01: of}, 15))


def model_latency(slow: int) -> dict[str, str]:
    seen = {0.001: 100 - slow, 0.2: slow}
    return histogram(catalogue.MODEL_PREDICTION_DURATION, MODEL, (seen, 15), ({0.001: 100}, 15))


def requests(labels: str, *stretches: tuple[float, float], status: int = 200) -> dict[str, str]:
    return {f'api_requests_total{{{labels},status="{status}"}}': counter(*stretches)}


def errors(labels: str, *stretches: tuple[float, float], error_type: str = "internal") -> dict[str, str]:
    """Failed requests, counted as the service does: as an error and as a request."""
    return {
        f'api_errors_total{{{labels},error_type="{error_type}"}}': counter(*stretches),
        **requests(labels, *stretches, status=503),
    }


def failing(failed: float, of: float) -> dict[str, str]:
    return {
        **requests(PREDICT, (of - failed, 15), (of, 15)),
        **errors(PREDICT, (failed, 15), (0, 15), error_type="not-recorded"),
    }


def confidence(mean: float | str, predictions: int = 1000) -> dict[str, str]:
    """So sure for a quarter of an hour, then surer."""
    total = mean if isinstance(mean, str) else counter((mean * predictions, 15), (0.9 * predictions, 15))
    return {
        f"model_confidence_sum{{{MODEL}}}": total,
        f"model_confidence_count{{{MODEL}}}": counter((predictions, 30)),
    }


def memory(used: float | str, available: float | str) -> dict[str, str]:
    return {
        f"system_memory_usage_bytes{{{API}}}": gauge((used, 15), (GIB, 15)),
        f"system_memory_available_bytes{{{API}}}": gauge((available, 15), (9 * GIB, 15)),
    }


def up(job: str, *instances: str) -> dict[str, str]:
    return {f'up{{job="{job}",instance="{job}-{number}"}}': values for number, values in enumerate(instances)}


ALWAYS_UP = gauge((1, 30))
DOWN = gauge((1, 2), (0, 8), (1, 20))
GONE = gauge((1, 2), ("stale", 0.2), ("_", 8), (1, 20))
"""Of a container that is stopped: its name leaves DNS, and its series end."""


def down_cases(alert: str, job: str, minutes: int) -> list[Case]:
    """For alerts of processes that must be down for so many minutes; all are down from minute 2 to 10."""
    while_down = {2 + minutes - 0.5: 0, 2 + minutes + 0.5: 1, 9: 1, 11: 0}
    short = gauge((1, 2), (0, minutes - 1 / 6), (1, 28))
    return [
        Case(alert, "fires", "the only one is down", up(job, DOWN), while_down),
        Case(alert, "fires", "one of three is down", up(job, ALWAYS_UP, DOWN, ALWAYS_UP), while_down),
        Case(alert, "fires", "all three are down: each, and the whole", up(job, *[DOWN] * 3), {9: 4, 11: 0}),
        Case(alert, "fires", "it has left DNS", up(job, GONE), while_down),
        Case(
            alert, "fires", "it fails, then leaves DNS", up(job, gauge((0, 1), ("stale", 0.2), ("_", 9))), {4: 1, 9: 1}
        ),
        Case(alert, "fires", "none was ever found", {}, {minutes - 0.5: 0, minutes + 0.5: 1}),
        Case(alert, "below", "it was down for a moment less", up(job, short), NEVER),
        Case(alert, "below", "all are up", up(job, ALWAYS_UP, ALWAYS_UP), NEVER),
        Case(alert, "nothing", "another job is down", {**up(job, ALWAYS_UP), **up("other", DOWN)}, NEVER),
    ]


LATENCY = [
    Case("HighAPILatency", "fires", "6 of 100 are slow", latency(PREDICT, 6), AFTER_FIVE),
    Case("HighAPILatency", "below", "5 of 100 are slow", latency(PREDICT, 5), NEVER),
    Case(
        "HighAPILatency",
        "below",
        "all take up to the threshold",
        histogram(catalogue.API_REQUEST_DURATION, PREDICT, ({0.5: 100}, 30)),
        NEVER,
    ),
    Case(
        "HighAPILatency",
        "fires",
        "a tenth of few requests, among many scrapes",
        {**latency(PREDICT, 1, of=10), **histogram(catalogue.API_REQUEST_DURATION, SCRAPE, ({0.002: 100}, 30))},
        AFTER_FIVE,
    ),
    Case(
        "HighAPILatency",
        "fires",
        "longer than the last bucket",
        histogram(catalogue.API_REQUEST_DURATION, PREDICT, ({60: 10}, 15), ({0.01: 10}, 15)),
        AFTER_FIVE,
    ),
    Case(
        "HighAPILatency",
        "fires",
        "one of two instances answers all slowly",
        {
            **latency(PREDICT, 100),
            **histogram(catalogue.API_REQUEST_DURATION, PREDICT.replace("api:8000", "api:8001"), ({0.01: 100}, 30)),
        },
        AFTER_FIVE,
    ),
    Case(
        "HighAPILatency",
        "below",
        "one single slow request",
        histogram(catalogue.API_REQUEST_DURATION, PREDICT, ({}, 3), ({0.6: 1}, 1 / 6), ({}, 20)),
        NEVER,
    ),
    Case(
        "HighAPILatency",
        "nothing",
        "no request",
        histogram(catalogue.API_REQUEST_DURATION, PREDICT, ({}, 30)),
        NEVER,
    ),
    Case("HighAPILatency", "nothing", "no series", {}, NEVER),
    Case("HighModelLatency", "fires", "6 of 100 are slow", model_latency(6), AFTER_FIVE),
    Case("HighModelLatency", "below", "5 of 100 are slow", model_latency(5), NEVER),
    Case(
        "HighModelLatency",
        "below",
        "all take up to the threshold",
        histogram(catalogue.MODEL_PREDICTION_DURATION, MODEL, ({0.1: 100}, 30)),
        NEVER,
    ),
    Case(
        "HighModelLatency",
        "nothing",
        "no prediction",
        histogram(catalogue.MODEL_PREDICTION_DURATION, MODEL, ({}, 30)),
        NEVER,
    ),
    Case("HighModelLatency", "nothing", "no series", {}, NEVER),
]

ERRORS = [
    Case("HighErrorRate", "fires", "51 of 1,000 fail", failing(51, 1000), AFTER_FIVE),
    Case("HighErrorRate", "below", "49 of 1,000 fail", failing(49, 1000), NEVER),
    Case("HighErrorRate", "fires", "all fail", failing(10, 10), AFTER_FIVE),
    Case(
        "HighErrorRate",
        "fires",
        "a tenth of few requests, among many scrapes",
        {**failing(1, 10), **requests(SCRAPE, (1000, 30))},
        AFTER_FIVE,
    ),
    Case(
        "HighErrorRate",
        "fires",
        "only health checks, and they fail",
        {**requests(SCRAPE, (1, 30)), **errors(HEALTH, (1, 15), (0, 15)), **requests(HEALTH, (0, 15), (1, 15))},
        AFTER_FIVE,
    ),
    Case(
        "HighErrorRate",
        "fires",
        "all of one instance of two",
        {**failing(10, 10), **requests(PREDICT.replace("api:8000", "api:8001"), (10, 30))},
        AFTER_FIVE,
    ),
    Case(
        "HighErrorRate",
        "below",
        "one single request, which fails",
        {**requests(PREDICT, (0, 30)), **errors(PREDICT, (0, 3), (1, 1 / 6), (0, 20))},
        NEVER,
    ),
    Case("HighErrorRate", "nothing", "no request", failing(0, 0), NEVER),
    Case("HighErrorRate", "nothing", "requests, and no series of errors", requests(PREDICT, (10, 30)), NEVER),
    Case("HighErrorRate", "nothing", "no series", {}, NEVER),
]

CONFIDENCE = [
    Case("LowModelConfidence", "fires", "0.599 on average", confidence(0.599), AFTER_FIVE),
    Case("LowModelConfidence", "below", "0.601 on average", confidence(0.601), NEVER),
    Case(
        "LowModelConfidence",
        "below",
        "one instance of two is unsure, and predicts little",
        {
            **confidence(0.5, 100),
            f"model_confidence_sum{{{MODEL.replace('api:8000', 'api:8001')}}}": counter((900, 30)),
            f"model_confidence_count{{{MODEL.replace('api:8000', 'api:8001')}}}": counter((1000, 30)),
        },
        NEVER,
    ),
    Case("LowModelConfidence", "nothing", "no prediction", confidence(0.5, 0), NEVER),
    Case("LowModelConfidence", "nothing", "no number", confidence(gauge((NAN, 30))), NEVER),
    Case("LowModelConfidence", "nothing", "no series", {}, NEVER),
]

CPU = f"system_cpu_usage_percent{{{API}}}"
SYSTEM = [
    Case("HighCPUUsage", "fires", "81 percent", {CPU: gauge((81, 15), (10, 15))}, {4: 0, 6: 1, 14.5: 1, 21: 0}),
    Case("HighCPUUsage", "fires", "a dip does not hide it", {CPU: gauge((100, 4), (10, 0.5), (100, 8))}, {6: 1, 12: 1}),
    Case("HighCPUUsage", "below", "80 percent", {CPU: gauge((80, 30))}, NEVER),
    Case("HighCPUUsage", "below", "for four minutes", {CPU: gauge((10, 5), (100, 4), (10, 20))}, NEVER),
    Case("HighCPUUsage", "nothing", "no number", {CPU: gauge((NAN, 30))}, NEVER),
    Case("HighCPUUsage", "nothing", "no series", {}, NEVER),
    Case("HighMemoryUsage", "fires", "86 percent", memory(86 * GIB, 14 * GIB), {4: 0, 6: 1, 14.5: 1, 16: 0}),
    Case("HighMemoryUsage", "below", "85 percent", memory(85 * GIB, 15 * GIB), NEVER),
    Case("HighMemoryUsage", "nothing", "no number", memory(NAN, NAN), NEVER),
    Case("HighMemoryUsage", "nothing", "nothing used of nothing", memory(0, 0), NEVER),
    Case("HighMemoryUsage", "nothing", "no series", {}, NEVER),
    Case("LowMemoryAvailable", "fires", "a byte below", memory(GIB, GIB // 2 - 1), {4: 0, 6: 1, 14.5: 1, 16: 0}),
    Case("LowMemoryAvailable", "below", "just as much", memory(GIB, GIB // 2), NEVER),
    Case("LowMemoryAvailable", "nothing", "no number", memory(NAN, NAN), NEVER),
    Case("LowMemoryAvailable", "nothing", "no series", {}, NEVER),
]


def lag(api: str, worker: str) -> dict[str, str]:
    return {
        f"log_lag_seconds{{{API}}}": api,
        'log_lag_seconds{job="worker",instance="worker:8001"}': worker,
    }


def unaccounted(*values: str) -> dict[str, str]:
    return {
        f'events_unaccounted{{job="worker",instance="worker-{number}",writer="w"}}': value
        for number, value in enumerate(values)
    }


def outbox(share: float | str, most: float = GIB) -> dict[str, str]:
    used = share if isinstance(share, str) else gauge((share * most, 15), (0, 15))
    return {
        f'outbox_bytes{{{API},writer="a"}}': used,
        f'outbox_bytes{{{API.replace("8000", "8001")},writer="b"}}': gauge((0, 30)),
        f"outbox_max_bytes{{{API}}}": gauge((most, 30)),
        f"outbox_max_bytes{{{API.replace('8000', '8001')}}}": gauge((most, 30)),
    }


def stream(*values: str) -> dict[str, str]:
    return {f'stream_up{{job="api",instance="api-{number}"}}': value for number, value in enumerate(values)}


def predictions(*stretches: tuple[float, float]) -> dict[str, str]:
    return {f"model_predictions_total{{{MODEL}}}": counter(*stretches)}


DURATION = f"scrape_duration_seconds{{{API}}}"
UP = f"up{{{API}}}"
MLOPS = [
    Case(
        "PredictionLogLagging", "fires", "both say so", lag(*[gauge((61, 15), (0, 15))] * 2), {4: 0, 6: 1, 14: 1, 16: 0}
    ),
    Case("PredictionLogLagging", "fires", "the worker is gone", lag(gauge((61, 15)), gauge(("_", 15))), {6: 1}),
    Case("PredictionLogLagging", "below", "a minute", lag(*[gauge((60, 15))] * 2), NEVER),
    Case(
        "PredictionLogLagging", "below", "for four minutes", lag(gauge((0, 2), (99, 4), (0, 9)), gauge((0, 15))), NEVER
    ),
    Case("PredictionLogLagging", "nothing", "no number", lag(*[gauge((NAN, 15))] * 2), NEVER),
    Case("PredictionLogLagging", "nothing", "no series", {}, NEVER),
    Case(
        "PredictionsUnaccounted",
        "fires",
        "one is lost",
        unaccounted(gauge((1, 15), (0, 9))),
        {4: 0, 6: 1, 14: 1, 16: 0},
    ),
    Case(
        "PredictionsUnaccounted", "fires", "one is counted twice", unaccounted(gauge((-1, 15), (0, 9))), {6: 1, 16: 0}
    ),
    Case("PredictionsUnaccounted", "fires", "two workers: one alert", unaccounted(*[gauge((1, 15))] * 2), {6: 1}),
    Case("PredictionsUnaccounted", "below", "none", unaccounted(gauge((0, 15))), NEVER),
    Case("PredictionsUnaccounted", "below", "while it is counted", unaccounted(gauge((0, 2), (7, 4.5), (0, 9))), NEVER),
    Case("PredictionsUnaccounted", "nothing", "no number", unaccounted(gauge((NAN, 15))), NEVER),
    Case("PredictionsUnaccounted", "nothing", "no series", {}, NEVER),
    Case("OutboxNearlyFull", "fires", "81 percent", outbox(0.81), {0.5: 0, 2: 1, 14: 1, 16: 0}),
    Case("OutboxNearlyFull", "below", "80 percent", outbox(0.8), NEVER),
    Case("OutboxNearlyFull", "nothing", "no number", outbox(gauge((NAN, 15))), NEVER),
    Case("OutboxNearlyFull", "nothing", "no series", {}, NEVER),
    Case(
        "StreamUnreachable",
        "fires",
        "for one of two",
        stream(gauge((0, 5), (1, 9)), gauge((1, 14))),
        {1.5: 0, 3: 1, 6: 0},
    ),
    Case("StreamUnreachable", "below", "not for two minutes", stream(gauge((1, 2), (0, 1.8), (1, 9))), NEVER),
    Case("StreamUnreachable", "nothing", "no number", stream(gauge((NAN, 15))), NEVER),
    Case("StreamUnreachable", "nothing", "no stream", {}, NEVER),
    Case(
        "NoPredictions",
        "fires",
        "single calls",
        {**requests(PREDICT, (10, 30)), **predictions((0, 15), (10, 15))},
        {5: 0, 6: 1, 14: 1, 16: 0},
    ),
    Case(
        "NoPredictions", "fires", "batches", {**requests(BATCH, (1, 15)), **predictions((0, 15))}, {5: 0, 6: 1, 14: 1}
    ),
    Case("NoPredictions", "fires", "without the counter", requests(PREDICT, (10, 15), (0, 15)), {6: 1, 15: 1, 21: 0}),
    Case("NoPredictions", "below", "one is counted", {**requests(PREDICT, (10, 30)), **predictions((1, 30))}, NEVER),
    Case("NoPredictions", "nothing", "no call", {**requests(PREDICT, (0, 30)), **predictions((0, 30))}, NEVER),
    Case(
        "NoPredictions",
        "nothing",
        "refused calls",
        {**requests(PREDICT, (10, 30), status=422), **requests(SCRAPE, (9, 30)), **predictions((0, 30))},
        NEVER,
    ),
    Case("NoPredictions", "nothing", "no series", {}, NEVER),
    Case(
        "ScrapeSlow",
        "fires",
        "over a second",
        {DURATION: gauge((1.1, 15), (0.01, 15)), UP: ALWAYS_UP},
        {4: 0, 6: 1, 15: 1, 21: 0},
    ),
    Case("ScrapeSlow", "below", "a second", {DURATION: gauge((1, 15)), UP: ALWAYS_UP}, NEVER),
    Case("ScrapeSlow", "nothing", "scrapes fail", {DURATION: gauge((5, 15)), UP: gauge((0, 15))}, NEVER),
    Case("ScrapeSlow", "nothing", "no series", {}, NEVER),
]


def drift_of(group: str, *values: str, reference: str = "window") -> dict[str, str]:
    """What so many workers tell of a group of fields."""
    labels = f'job="worker",model_version="v1",group="{group}",reference="{reference}"'
    return {f'drift_detected{{{labels},instance="worker-{number}"}}': value for number, value in enumerate(values)}


def last_check(*values: str) -> dict[str, str]:
    name = "drift_last_check_timestamp_seconds"
    return {f'{name}{{job="worker",instance="worker-{n}",model_version="v1"}}': each for n, each in enumerate(values)}


INTERVAL = 'drift_check_interval_seconds{job="worker",instance="worker-0"}'


def every(seconds: float) -> dict[str, str]:
    return {INTERVAL: gauge((seconds, 120))}


def unchecked_since(seconds: float) -> dict[str, str]:
    """Predictions, and no check, for so long a stretch."""
    name = 'drift_unchecked_since_timestamp_seconds{job="worker",instance="worker-0"}'
    return {name: gauge((seconds, 120))}


def drift_cases(alert: str, group: str, other: str) -> list[Case]:
    found, none = gauge((0, 2), (1, 10), (0, 9)), gauge((0, 30))
    while_found = {2.5: 0, 3.5: 1, 11.5: 1, 13: 0}
    return [
        Case(alert, "fires", "found", drift_of(group, found), while_found),
        Case(alert, "fires", "two workers tell the same", drift_of(group, found, found), while_found),
        Case(alert, "fires", "provisionally", drift_of(group, found, reference="uniform"), while_found),
        Case(alert, "below", "not found", drift_of(group, none), NEVER),
        Case(alert, "below", "the other fields", {**drift_of(group, none), **drift_of(other, found)}, NEVER),
        Case(alert, "nothing", "no number", drift_of(group, gauge((NAN, 30))), NEVER),
        Case(alert, "nothing", "no series", {}, NEVER),
    ]


def stale(kind: str, what: str, interval: Series, checks: Series, firing: Mapping[float, int]) -> Case:
    return Case("DriftCheckStale", kind, what, {**interval, **checks}, firing)


DRIFT = [
    *drift_cases("DataDriftDetected", "request", "choice"),
    *drift_cases("PredictionDriftDetected", "choice", "request"),
    stale("fires", "for long", every(300), last_check(gauge((0, 60))), {30: 0, 30.5: 0, 32: 1, 45: 1}),
    stale("fires", "then again", every(300), last_check(gauge((0, 40), (2400, 20))), {35: 1, 41: 0}),
    stale("fires", "of rare checks", every(1200), last_check(gauge((0, 130))), {32: 0, 119: 0, 120.5: 0, 122: 1}),
    stale("fires", "of frequent checks", every(5), last_check(gauge((0, 60))), {9: 0, 10.5: 0, 12: 1}),
    stale("fires", "never once", every(300), unchecked_since(300), {35: 0, 35.5: 0, 37: 1, 60: 1}),
    stale("below", "one worker knows better", every(300), last_check(gauge((0, 60)), gauge((900, 60))), {44: 0}),
    stale("below", "up to six checks", every(300), last_check(gauge((0, 30))), {29: 0, 30: 0}),
    stale("below", "up to ten minutes", every(5), last_check(gauge((0, 10))), {9: 0, 10.5: 0}),
    stale("below", "a first one may come", every(300), unchecked_since(300), {30: 0, 35: 0}),
    stale(
        "below",
        "a worker has not seen yet that there was one",
        {**every(300), **unchecked_since(0)},
        last_check(gauge((0, 10), (600, 10), (1200, 40))),
        {32: 0, 45: 0},
    ),
    stale("nothing", "no number", every(300), last_check(gauge((NAN, 60))), {45: 0}),
    stale("nothing", "no check, and nothing to check", every(300), {}, {45: 0}),
    stale("nothing", "no series", {}, {}, {45: 0}),
]

CASES = [
    *down_cases("APIDown", "api", 1),
    *down_cases("WorkerDown", "worker", 2),
    *(LATENCY + ERRORS + CONFIDENCE + SYSTEM + MLOPS + DRIFT),
]


RULES = {rule.name: rule for rule in alert_rules()}
RECORDING = "recording_rules.yml"


@pytest.mark.parametrize("alert", RULES)
def test_it_fires_when_it_should(alert: str, tmp_path: Path) -> None:
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    run_rules(
        tmp_path,
        (RECORDING, RULES[alert].file),
        *(
            (case.series, [Look(str(case), expression, *look) for look in looks_of(case)])
            for case in CASES
            if case.alert == alert
        ),
    )


def looks_of(case: Case) -> list[tuple[float, dict[str, float]]]:
    return [(minute, {"{}": number}) for minute, number in case.firing.items()]


def test_every_alert_is_tried_in_every_way() -> None:
    tried = {(case.alert, case.kind) for case in CASES}
    assert tried == {(alert, kind) for alert in RULES for kind in ("fires", "below", "nothing")}


TOLD = {
    "HighAPILatency": "One request in twenty takes 583.3ms or longer "
    "(95th percentile over 5 minutes; threshold 500ms).",
    "HighErrorRate": "5.1% of the requests of the last 5 minutes were answered with a 5xx status (threshold 5%).",
    "APIDown": "None of its instances answers Prometheus (threshold: for 1 minute).",
    "HighModelLatency": "One prediction in twenty of model v1 takes 125ms or longer "
    "(95th percentile over 5 minutes; threshold 100ms).",
    "LowModelConfidence": "Model v1 was 0.599 confident on average over the last 5 minutes, where a guess is 0.5 "
    "(threshold 0.6).",
    "HighCPUUsage": "api:8000 used 81.0% of its CPU over the last 5 minutes (threshold 80%).",
    "HighMemoryUsage": "api:8000 uses 86% of its memory (threshold 85%).",
    "LowMemoryAvailable": "api:8000 can still have 512MiB of memory (threshold 512MiB).",
    "WorkerDown": "None answers Prometheus (threshold: for 2 minutes). Predictions are answered, and wait in the "
    "outbox for the log.",
    "PredictionLogLagging": "The oldest prediction that is not in the log is 1m 1s old (threshold 1m).",
    "PredictionsUnaccounted": "1 events of outbox w are lost (threshold: any, for 5 minutes).",
    "OutboxNearlyFull": "Outbox a is 81% full (threshold 80%). When it is full, predictions are refused with 503.",
    "StreamUnreachable": "api-0 (api) has not reached the stream (threshold: for 2 minutes). Predictions are answered, "
    "and wait in the outbox.",
    "NoPredictions": "1.00 calls a second are answered well, and no prediction is counted (threshold: none over 5 "
    "minutes). Only batches in which no duel can be predicted explain this.",
    "DataDriftDetected": "Requests to model v1 do not look like its reference (window), in two windows one after the "
    "other (threshold: a field beyond chance and beyond 0.1).",
    "PredictionDriftDetected": "The choices of model v1 do not look like its reference (window), in two windows one "
    "after the other (threshold: a field beyond chance and beyond 0.1).",
    "DriftCheckStale": "The latest check for drift was 32m 0s ago, or none has come for so long (threshold: six times "
    "API_POKEMON_DRIFT_CHECK_SECONDS).",
    "ScrapeSlow": "api:8000 (api) took 1.1s on average to show its metrics over the last 5 minutes (threshold 1s).",
}


@pytest.mark.parametrize("alert", RULES)
def test_it_says_what_is_so_and_where_to_look(alert: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.alert == alert)
    minute = next(minute for minute, number in case.firing.items() if number)
    annotations = {**RULES[alert].annotations, "description": TOLD[alert]}
    if "{{" in annotations["summary"]:
        annotations["summary"] = {"APIDown": "The API is down", "WorkerDown": "No worker is up"}[alert]
    told = Told(alert, minute, {**RULES[alert].labels, **LABELS.get(alert, {})}, annotations)
    run_rules(tmp_path, (RECORDING, RULES[alert].file), (case.series, [told]))


@pytest.mark.parametrize(
    ("reference", "severity"), [("uniform", "info"), ("window", "warning"), ("carried", "warning")]
)
@pytest.mark.parametrize(("alert", "group"), [("DataDriftDetected", "request"), ("PredictionDriftDetected", "choice")])
def test_drift_from_what_nobody_declared_wakes_nobody(
    alert: str, group: str, reference: str, severity: str, tmp_path: Path
) -> None:
    annotations = {**RULES[alert].annotations, "description": TOLD[alert].replace("(window)", f"({reference})")}
    labels = {**RULES[alert].labels, **LABELS[alert], "reference": reference, "severity": severity}
    series = drift_of(group, gauge((1, 10)), reference=reference)
    run_rules(tmp_path, (RECORDING, RULES[alert].file), (series, [Told(alert, 2, labels, annotations)]))


INSTANCE = {"job": "api", "instance": "api:8000"}
LABELS = {
    "HighAPILatency": {"job": "api"},
    "HighErrorRate": {"job": "api"},
    "APIDown": {"job": "api"},
    "HighModelLatency": {"job": "api", "model_version": "v1"},
    "LowModelConfidence": {"job": "api", "model_version": "v1"},
    "HighCPUUsage": INSTANCE,
    "HighMemoryUsage": INSTANCE,
    "LowMemoryAvailable": INSTANCE,
    "WorkerDown": {"job": "worker"},
    "PredictionsUnaccounted": {"writer": "w"},
    "OutboxNearlyFull": {"job": "api", "writer": "a"},
    "StreamUnreachable": {"job": "api", "instance": "api-0"},
    "NoPredictions": {"job": "api"},
    "DataDriftDetected": {"model_version": "v1", "reference": "window", "severity": "warning"},
    "PredictionDriftDetected": {"model_version": "v1", "reference": "window", "severity": "warning"},
    "ScrapeSlow": INSTANCE,
}
"""What an alert is about, beside the labels that its rule gives it."""
