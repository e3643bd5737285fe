import math
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from api_pokemon.monitoring import BuildInfo, HttpMetrics, ModelMetrics, Prediction, new_id


def prediction(probability: float, version: str = "v1", seconds: float = 0.0002) -> Prediction:
    return Prediction(new_id(), version, probability, seconds)


def test_known_model_versions_begin_at_zero(registry: CollectorRegistry) -> None:
    ModelMetrics(registry, ["v1"])
    for name in (
        "model_predictions_total",
        "model_prediction_duration_seconds_count",
        "model_confidence_count",
        "model_confidence_sum",
        "model_win_probability_count",
    ):
        assert registry.get_sample_value(name, {"model_version": "v1"}) == 0
    assert registry.get_sample_value("model_confidence_score", {"model_version": "v1"}) is None


def test_a_prediction_is_seen_by_every_model_metric(registry: CollectorRegistry) -> None:
    metrics = ModelMetrics(registry)
    metrics.observe(prediction(0.25, "v2", seconds=0.05))
    v2 = {"model_version": "v2"}
    assert registry.get_sample_value("model_predictions_total", v2) == 1
    assert registry.get_sample_value("model_prediction_duration_seconds_sum", v2) == 0.05
    assert registry.get_sample_value("model_prediction_duration_seconds_bucket", v2 | {"le": "0.025"}) == 0
    assert registry.get_sample_value("model_prediction_duration_seconds_bucket", v2 | {"le": "0.05"}) == 1
    assert registry.get_sample_value("model_win_probability_bucket", v2 | {"le": "0.2"}) == 0
    assert registry.get_sample_value("model_win_probability_bucket", v2 | {"le": "0.25"}) == 1
    assert registry.get_sample_value("model_confidence_sum", v2) == 0.75
    assert registry.get_sample_value("model_confidence_count", v2) == 1
    assert registry.get_sample_value("model_confidence_score", v2) == 0.75


def test_the_confidence_score_goes_when_predictions_stop(registry: CollectorRegistry, clock) -> None:
    metrics = ModelMetrics(registry, ["v1", "v2"], clock=clock)
    metrics.observe(prediction(0.9))
    clock.now += 30
    metrics.observe(prediction(0.4, "v2"))
    clock.now += 30
    assert registry.get_sample_value("model_confidence_score", {"model_version": "v1"}) is None
    assert registry.get_sample_value("model_confidence_score", {"model_version": "v2"}) == 0.6
    clock.now += 30
    assert b"model_confidence_score{" not in generate_latest(registry)
    assert registry.get_sample_value("model_confidence_count", {"model_version": "v1"}) == 1


@pytest.mark.parametrize("probability", [math.nan, -0.001, 1.001, math.inf])
def test_what_is_no_probability_is_refused_and_spoils_nothing(registry: CollectorRegistry, probability: float) -> None:
    metrics = ModelMetrics(registry, ["v1"])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        metrics.observe(prediction(probability))
    assert registry.get_sample_value("model_predictions_total", {"model_version": "v1"}) == 0
    assert registry.get_sample_value("model_confidence_sum", {"model_version": "v1"}) == 0


def test_files_are_told_of_once_somebody_looks_after_them(registry: CollectorRegistry) -> None:
    def sound() -> float | None:
        return registry.get_sample_value("model_files_sound", {"model_version": "v1"})

    metrics = ModelMetrics(registry, ["v1"])
    assert sound() is None
    metrics.files("v1", are_sound=True)
    assert sound() == 1
    metrics.files("v1", are_sound=False)
    assert sound() == 0


def test_one_engine_answers_for_each_version(registry: CollectorRegistry) -> None:
    def engines(version: str) -> list[float | None]:
        return [
            registry.get_sample_value("model_engine", {"model_version": version, "engine": engine})
            for engine in ("table", "net")
        ]

    metrics = ModelMetrics(registry, ["v1"], engines=["table", "net"])
    assert engines("v1") == [0, 0]
    metrics.answering("v1", "net")
    metrics.answering("v2", "net")
    assert engines("v1") == [0, 1]
    metrics.answering("v1", "table")
    assert engines("v1") == [1, 0]
    assert engines("v2") == [0, 1]
    with pytest.raises(ValueError, match="no engine 'abacus'; there are table, net"):
        metrics.answering("v1", "abacus")


def test_build_info_follows_the_model(registry: CollectorRegistry) -> None:
    build = BuildInfo(registry, "shop", version="1.2", commit="abc", model_version="v1")
    labels = {"version": "1.2", "commit": "abc", "model_version": "v1"}
    assert registry.get_sample_value("shop_build_info", labels) == 1
    build.set_model("v2")
    assert registry.get_sample_value("shop_build_info", labels) is None
    assert registry.get_sample_value("shop_build_info", labels | {"model_version": "v2"}) == 1


def test_expected_endpoints_begin_at_zero(registry: CollectorRegistry) -> None:
    HttpMetrics(registry, ["overloaded"]).expect("GET", "/users/{id}", [200, 404, 500])
    where = {"method": "GET", "endpoint": "/users/{id}"}
    for status, count in (("200", 0), ("404", 0), ("500", 0), ("422", None)):
        assert registry.get_sample_value("api_requests_total", where | {"status": status}) == count
    for error_type in ("internal", "overloaded"):
        assert registry.get_sample_value("api_errors_total", where | {"error_type": error_type}) == 0
    assert registry.get_sample_value("api_request_duration_seconds_count", where) == 0


def test_expecting_an_endpoint_again_keeps_its_counts(registry: CollectorRegistry) -> None:
    metrics = HttpMetrics(registry)
    metrics.expect("GET", "/", [200])
    metrics.endpoint("GET", "/").count(200, 0.1)
    metrics.expect("GET", "/", [200])
    assert registry.get_sample_value("api_requests_total", {"method": "GET", "endpoint": "/", "status": "200"}) == 1


def test_threads_lose_nothing_while_scrapes_go_on(registry: CollectorRegistry) -> None:
    http, model = HttpMetrics(registry), ModelMetrics(registry)
    each = 2000

    def work(number: int) -> None:
        version = f"v{number % 2}"
        for _ in range(each):
            model.observe(prediction(0.75, version, seconds=0.001))
            http.endpoint("GET", "/").count(200, 0.001, error_type="internal")

    threads = [Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        generate_latest(registry)
    for version in ("v0", "v1"):
        labels = {"model_version": version}
        assert registry.get_sample_value("model_predictions_total", labels) == 4 * each
        assert registry.get_sample_value("model_win_probability_bucket", labels | {"le": "0.75"}) == 4 * each
        assert registry.get_sample_value("model_confidence_sum", labels) == 4 * each * 0.75
    where = {"method": "GET", "endpoint": "/"}
    assert registry.get_sample_value("api_requests_total", where | {"status": "200"}) == 8 * each
    assert registry.get_sample_value("api_request_duration_seconds_count", where) == 8 * each
    assert registry.get_sample_value("api_errors_total", where | {"error_type": "internal"}) == 8 * each


def test_two_services_in_one_process_share_nothing() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    ModelMetrics(first, ["v1"]).observe(prediction(0.9))
    ModelMetrics(second, ["v1"])
    assert first.get_sample_value("model_predictions_total", {"model_version": "v1"}) == 1
    assert second.get_sample_value("model_predictions_total", {"model_version": "v1"}) == 0
