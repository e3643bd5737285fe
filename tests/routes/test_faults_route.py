"""Faults on purpose, over HTTP: who may, what they do to callers, and that they go."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api_pokemon import monitoring
from api_pokemon.dex import load_dex
from api_pokemon.main import _parts, create_app
from api_pokemon.model import install_version, open_model
from api_pokemon.routes.keys import digest_of
from api_pokemon.settings import Settings
from tests.routes.conformance import Client, Conformance

DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}
ADMIN = {"X-API-Key": "a"}


class Broken(Client):
    """A client of a service that may be broken, with its metrics at hand."""

    registry: CollectorRegistry

    async def _check(self, response: httpx.Response) -> None:
        """A true 500 is in no document."""
        if response.status_code != 500:
            await super()._check(response)

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def series(self, name: str) -> float:
        families = self.registry.collect()
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def service(data_dir: Path, conformance: Conformance, *, faults: bool) -> Broken:
    digests: Any = {"admin_keys": (digest_of("a").hex(),), "predict_keys": (digest_of("p").hex(),)}
    settings = Settings(
        data_dir=data_dir, tablebase=False, anonymous_predict=True, faults=faults, _env_file=None, **digests
    )
    registry = CollectorRegistry()
    client = Broken(create_app(settings, registry=registry), conformance)
    client.registry = registry
    return client


@pytest.fixture
async def broken(data_dir: Path, conformance: Conformance) -> AsyncIterator[Broken]:
    async with service(data_dir, conformance, faults=True) as client:
        yield client
        for fault in (await client.get("/faults", headers=ADMIN)).json()["faults"]:
            await client.delete(f"/faults/{fault['name']}", headers=ADMIN)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/faults"), ("PUT", "/faults/cpu-burn"), ("DELETE", "/faults/cpu-burn")]
)
class TestWhoMay:
    async def test_nobody_where_the_settings_do_not_say_so(
        self, client: Client, data_dir: Path, conformance: Conformance, method: str, path: str
    ) -> None:
        async with service(data_dir, conformance, faults=False) as whole:
            answer = await whole.request(method, path, headers=ADMIN)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems#faults-not-allowed")
        assert "API_POKEMON_FAULTS=true" in answer.json()["detail"]

    @pytest.mark.parametrize(("key", "status"), [(None, 401), ("x", 401), ("p", 403)])
    async def test_only_admins(self, broken: Broken, method: str, path: str, key: str | None, status: int) -> None:
        answer = await broken.request(method, path, headers={"X-API-Key": key} if key else {})
        assert answer.status_code == status
        assert answer.json()["type"] in ("/problems#key-needed", "/problems#key-not-enough")


def test_without_faults_the_parts_are_the_true_ones(data_dir: Path) -> None:
    """Off means absent: nothing is looked up on the way of a request."""
    predictor = open_model(load_dex(), install_version(data_dir / "models", ""))
    watch = monitoring.watch(FastAPI(), application="test", version="1")
    whole = _parts(Settings(data_dir=data_dir, _env_file=None), predictor, watch)
    assert whole.faults is None
    assert whole.predictor is predictor
    assert whole.record == watch.record
    assert type(whole.exposition) is monitoring.Exposition
    broken = _parts(Settings(data_dir=data_dir, faults=True, _env_file=None), predictor, watch)
    assert broken.faults is not None
    assert broken.predictor is not predictor


async def test_a_failing_handler_is_a_500_that_says_why(broken: Broken) -> None:
    caused = await broken.put("/faults/failing-handler?seconds=60&level=1", headers=ADMIN)
    assert caused.status_code == 200
    assert (caused.json()["level"], caused.json()["unit"]) == (1.0, "share")
    assert 59 < caused.json()["remaining_seconds"] <= 60
    answer = await broken.post("/predict/best-move", json=DUEL)
    assert (answer.status_code, answer.json()["detail"]) == (500, "The fault failing-handler is on.")
    labels = {"method": "POST", "endpoint": "/predict/best-move", "error_type": "internal"}
    assert broken.sample("api_errors_total", **labels) == 1
    assert (await broken.get("/health/ready")).status_code == 200
    assert (await broken.delete("/faults/failing-handler", headers=ADMIN)).json()["remaining_seconds"] is None
    assert (await broken.post("/predict/best-move", json=DUEL)).status_code == 200


async def test_an_unsure_model_shows_in_the_confidence(broken: Broken) -> None:
    await broken.put("/faults/unsure-model", headers=ADMIN)
    answer = (await broken.post("/predict/best-move", json=DUEL)).json()
    assert (answer["win_probability"], answer["confidence"]) == (0.5, 0.5)
    assert broken.series("model_confidence_score") == 0.5


async def test_a_slow_model_shows_in_its_duration(broken: Broken) -> None:
    await broken.put("/faults/slow-model?level=0.15", headers=ADMIN)
    await broken.post("/predict/best-move", json=DUEL)
    assert broken.series("model_prediction_duration_seconds_sum") > 0.15


async def test_uncounted_predictions_are_answered(broken: Broken) -> None:
    await broken.put("/faults/uncounted-predictions", headers=ADMIN)
    assert (await broken.post("/predict/best-move", json=DUEL)).status_code == 200
    assert broken.series("model_predictions_total") == 0
    assert broken.series("events_accepted_total") > 0


async def test_slow_metrics_come_in_the_end(broken: Broken) -> None:
    await broken.put("/faults/slow-metrics?level=0.05", headers=ADMIN)
    answer = await broken.get("/metrics")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.05


async def test_the_list_tells_what_is_on(broken: Broken) -> None:
    await broken.put("/faults/slow-handler?level=2", headers=ADMIN)
    listed = (await broken.get("/faults", headers=ADMIN)).json()["faults"]
    on = [fault for fault in listed if fault["remaining_seconds"] is not None]
    assert [(fault["name"], fault["level"]) for fault in on] == [("slow-handler", 2.0)]
    assert [fault["name"] for fault in listed] == [
        *("slow-handler", "failing-handler", "slow-model", "unsure-model", "uncounted-predictions", "slow-metrics"),
        *("cpu-burn", "memory-pressure"),
    ]


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("seconds=0", "seconds", "seconds is 0; it must be at least 1.0."),
        ("seconds=601", "seconds", "seconds is 601; it must be at most 600.0."),
        ("seconds=soon", "seconds", "seconds is soon; it must be a number."),
        ("level=11", "level", "The level of slow-handler is 11; it must be from 0.01 to 10 seconds."),
    ],
)
async def test_bad_values_are_told(broken: Broken, query: str, parameter: str, detail: str) -> None:
    answer = await broken.put(f"/faults/slow-handler?{query}", headers=ADMIN)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"detail": detail, "parameter": parameter}]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_unknown_fault_is_told(broken: Broken, method: str) -> None:
    answer = await broken.request(method, "/faults/slow-pikachu", headers=ADMIN)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems#unknown-fault")
    assert "There is no fault 'slow-pikachu'; there are slow-handler" in answer.json()["detail"]
