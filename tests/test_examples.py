"""The example runs for real, and watching it takes as few lines as promised."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "examples" / "tumours.py"
BENIGN = [9.5, 12.4, 60.3, 273.9, 0.1, 0.06, 0.03, 0.02, 0.18, 0.07]
MALIGNANT = [20.6, 29.3, 140.1, 1265.0, 0.12, 0.28, 0.35, 0.15, 0.24, 0.07]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # The socket listens already, so the first request waits for the server instead of being refused.
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "--factory", "examples.tumours:create_app"]
        command += ["--fd", str(listener.fileno()), "--log-level", "warning"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        server = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.terminate()
        assert server.wait(timeout=30) in (0, -15)


def scrape(client: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], tuple[float, str | None]]:
    """Return {(series, labels): (value, exemplar)}."""
    answer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return {
        (sample.name, frozenset(sample.labels.items())): (
            sample.value,
            sample.exemplar.labels["prediction_id"] if sample.exemplar else None,
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_watching_takes_fifteen_lines() -> None:
    lines = SOURCE.read_text().splitlines()
    begins, ends = (lines.index(f"    # watching {mark}") for mark in ("begins", "ends"))
    marked = [line for line in lines[begins + 1 : ends] if line.strip()]
    outside = [line for line in lines[:begins] + lines[ends:] if "api_pokemon" in line or "tell(" in line]
    assert len(outside) == 2  # the import and the call
    assert len(marked) + len(outside) <= 15


def test_the_example_is_watched(client: httpx.Client) -> None:
    at_rest = scrape(client)
    version = ("model_version", "forest-1")
    predict = {("method", "POST"), ("endpoint", "/predict")}
    assert at_rest["model_predictions_total", frozenset({version})] == (0, None)
    assert at_rest["api_requests_total", frozenset({*predict, ("status", "200")})] == (0, None)

    answers = [client.post("/predict", json={"measurements": cells}) for cells in (BENIGN, MALIGNANT)]
    assert [answer.json()["diagnosis"] for answer in answers] == ["benign", "malignant"]
    assert client.post("/predict", json={"measurements": [1]}).status_code == 422
    assert client.get("/nothing/here").status_code == 404

    series = scrape(client)

    def value(name: str, *labels: tuple[str, str]) -> float:
        return series[name, frozenset(labels)][0]

    probabilities = [answer.json()["probability"] for answer in answers]
    assert value("api_requests_total", *predict, ("status", "200")) == 2
    assert value("api_requests_total", *predict, ("status", "422")) == 1
    assert value("api_requests_total", ("method", "GET"), ("endpoint", "unmatched"), ("status", "404")) == 1
    assert value("api_request_duration_seconds_count", *predict) == 3
    assert value("api_errors_total", *predict, ("error_type", "internal")) == 0
    assert value("model_predictions_total", version) == 2
    assert value("model_prediction_duration_seconds_count", version) == 2
    assert value("model_confidence_score", version) == pytest.approx(sum(probabilities) / 2, rel=1e-12)
    assert value("model_confidence_sum", version) == pytest.approx(sum(probabilities), rel=1e-12)
    build = (("version", "1.0"), ("commit", "unknown"), version)
    assert value("tumours_build_info", *build) == 1

    exemplars = {exemplar for _, exemplar in series.values() if exemplar}
    assert exemplars <= {answer.json()["prediction_id"] for answer in answers}
    assert exemplars
