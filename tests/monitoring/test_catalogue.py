"""The names that dashboards, rules and people rely on."""

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api_pokemon.monitoring import Prediction, SystemMetrics, catalogue, metric_specs, new_id, watch
from api_pokemon.monitoring.system import SystemSample

PROMISED = {
    "api_requests_total": ("counter", {"method", "endpoint", "status"}),
    "api_request_duration_seconds": ("histogram", {"method", "endpoint"}),
    "api_errors_total": ("counter", {"method", "endpoint", "error_type"}),
    "model_predictions_total": ("counter", {"model_version"}),
    "model_prediction_duration_seconds": ("histogram", {"model_version"}),
    "model_confidence_score": ("gauge", {"model_version"}),
    "model_confidence": ("summary", {"model_version"}),
    "model_win_probability": ("histogram", {"model_version"}),
    "model_engine": ("gauge", {"model_version", "engine"}),
    "model_files_sound": ("gauge", {"model_version"}),
    "system_cpu_usage_percent": ("gauge", set()),
    "system_memory_usage_bytes": ("gauge", set()),
    "system_memory_available_bytes": ("gauge", set()),
    "events_accepted_total": ("counter", {"writer"}),
    "events_pending": ("gauge", {"writer"}),
    "events_refused_total": ("counter", {"reason"}),
    "outbox_bytes": ("gauge", {"writer"}),
    "outbox_max_bytes": ("gauge", set()),
    "events_logged_total": ("counter", {"writer"}),
    "events_unaccounted": ("gauge", {"writer"}),
    "log_lag_seconds": ("gauge", set()),
    "log_up": ("gauge", set()),
    "stream_up": ("gauge", set()),
    "stream_entries": ("gauge", set()),
    "job_runs_total": ("counter", {"kind", "state"}),
    "job_duration_seconds": ("summary", {"kind"}),
    "job_last_success_timestamp_seconds": ("gauge", {"kind"}),
    "drift_share": ("gauge", {"model_version", "group"}),
    "drift_score": ("gauge", {"model_version", "group", "feature"}),
    "drift_detected": ("gauge", {"model_version", "group", "reference"}),
    "drift_window_rows": ("gauge", {"model_version"}),
    "drift_last_check_timestamp_seconds": ("gauge", {"model_version"}),
    "drift_check_interval_seconds": ("gauge", set()),
    "drift_unchecked_since_timestamp_seconds": ("gauge", set()),
    "drift_checks_total": ("counter", {"model_version", "verdict"}),
    "drift_report_duration_seconds": ("gauge", {"model_version"}),
    "shop_build_info": ("info", {"version", "commit", "model_version"}),
}


def test_the_catalogue_is_what_was_promised() -> None:
    assert {spec.name: (spec.kind, set(spec.labels)) for spec in metric_specs("shop")} == PROMISED


def test_buckets_have_edges_where_the_alerts_look() -> None:
    api = catalogue.API_REQUEST_DURATION.buckets
    model = catalogue.MODEL_PREDICTION_DURATION.buckets
    assert (api[0], api[-1]) == (0.0005, 10)
    assert (model[0], model[-1]) == (0.00001, 1)
    assert {0.1, 0.5} <= set(api)
    assert {0.1, 0.5} <= set(model)


def test_win_probability_has_steps_of_five_percent() -> None:
    assert [f"{edge:.2f}" for edge in catalogue.MODEL_WIN_PROBABILITY.buckets] == [
        f"{step * 0.05:.2f}" for step in range(1, 21)
    ]


@pytest.mark.parametrize("spec", metric_specs("shop"), ids=lambda spec: spec.name)
def test_every_metric_explains_itself(spec: catalogue.MetricSpec) -> None:
    assert spec.help.endswith(".")
    assert list(spec.buckets) == sorted(set(spec.buckets))
    assert bool(spec.buckets) == (spec.kind == "histogram")


async def test_a_watched_application_exposes_the_catalogue_and_nothing_else(registry: CollectorRegistry) -> None:
    app = FastAPI()
    watching = watch(app, application="shop", version="1", model_versions=["v1"], engines=["net"], registry=registry)

    @app.post("/predict")
    async def predict(request: Request) -> None:
        await watching.record(request.scope, Prediction(new_id(), "v1", probability=0.7, duration_seconds=0.001))

    watching.model.files("v1", are_sound=True)
    watching.system._sample = SystemSample(12.5, 1024.0, 2048.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        await client.post("/predict")
        scraped = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})

    exposed = {family.name: family for family in text_string_to_metric_families(scraped.text)}
    suffixes = {"counter": "_total", "info": "_info"}
    for spec in (*catalogue.WATCHED, catalogue.build_info("shop")):
        family = exposed.pop(spec.name.removesuffix(suffixes.get(spec.kind, "")))
        assert family.type == spec.kind
        assert {sample.name for sample in family.samples} == set(spec.series)
        assert {name for sample in family.samples for name in sample.labels} - {"le"} == set(spec.labels)
        if spec.kind == "histogram":
            edges = {sample.labels["le"] for sample in family.samples if "le" in sample.labels}
            assert {float(edge) for edge in edges} == {*spec.buckets, float("inf")}
    assert not exposed


def test_a_second_build_on_one_registry_is_refused(registry: CollectorRegistry) -> None:
    SystemMetrics(registry)
    with pytest.raises(ValueError, match="system_cpu_usage_percent"):
        SystemMetrics(registry)
