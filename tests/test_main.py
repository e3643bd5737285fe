"""The application as a whole: what it refuses to start with, what it counts, whom it lets in."""

import hashlib
import json
import shutil
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry

from api_pokemon import __version__
from api_pokemon.errors import ModelDamagedError, ModelMissingError, StartError
from api_pokemon.main import create_app
from api_pokemon.model.registry import SHIPPED, shipped_version
from api_pokemon.monitoring import Event, Prediction
from api_pokemon.settings import Settings

VERSION = shipped_version()
DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf", "Tackle", "Growl"]}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def settings_for(data_dir: Path, **changes: object) -> Settings:
    return Settings(
        **{"data_dir": data_dir, "tablebase": False, "_env_file": None, **changes}  # type: ignore[arg-type]
    )


def client_of(app: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app), base_url="http://service")


class Memory:
    """Keeps predictions."""

    def __init__(self) -> None:
        self.predictions: list[Prediction] = []

    async def record(self, *events: Event) -> None:
        self.predictions += (event for event in events if isinstance(event, Prediction))


class TestStart:
    def test_listening_to_the_network_without_keys_is_refused(self, data_dir: Path) -> None:
        with pytest.raises(StartError, match=r"Listening on 0\.0\.0\.0 would let anyone on the network predict"):
            create_app(settings_for(data_dir, host="0.0.0.0"))

    def test_a_key_in_place_of_its_hash_is_refused(self, data_dir: Path) -> None:
        with pytest.raises(StartError, match="API_POKEMON_PREDICT_KEYS"):
            create_app(settings_for(data_dir, predict_keys="secret"))

    def test_an_unknown_model_version_is_refused(self, data_dir: Path) -> None:
        with pytest.raises(ModelMissingError, match="nothing-like-it"):
            create_app(settings_for(data_dir, model_version="nothing-like-it"))

    def test_a_damaged_model_is_refused(self, data_dir: Path, tmp_path: Path) -> None:
        folder = tmp_path / "models" / VERSION
        shutil.copytree(SHIPPED / VERSION, folder)
        with (folder / "model.onnx").open("ab") as file:
            file.write(b"\0")
        with pytest.raises(ModelDamagedError, match=r"model\.onnx is not the model"):
            create_app(settings_for(tmp_path))

    def test_the_first_start_leaves_a_key_for_the_admin(self, data_dir: Path) -> None:
        create_app(settings_for(data_dir))
        assert stat.S_IMODE((data_dir / "admin.key").stat().st_mode) == 0o600

    async def test_applications_in_one_process_share_nothing(self, data_dir: Path) -> None:
        one, other = CollectorRegistry(), CollectorRegistry()
        app = create_app(settings_for(data_dir), registry=one)
        create_app(settings_for(data_dir), registry=other)
        async with client_of(app) as client:
            await client.post("/predict/best-move", json=DUEL)
        counts = [
            registry.get_sample_value("model_predictions_total", {"model_version": VERSION})
            for registry in (one, other)
        ]
        assert counts == [1, 0]


class TestMetrics:
    async def test_a_prediction_is_counted_timed_and_found_again(self, data_dir: Path) -> None:
        registry = CollectorRegistry()
        app = create_app(settings_for(data_dir), registry=registry)
        async with client_of(app) as client:
            answer = (await client.post("/predict/best-move", json=DUEL)).json()
            text = (await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})).text

        def value(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(name, labels)

        version = {"model_version": VERSION}
        assert value("model_predictions_total", **version) == 1
        assert value("model_prediction_duration_seconds_count", **version) == 1
        assert value("model_confidence_sum", **version) == pytest.approx(answer["confidence"])
        assert value("model_confidence_score", **version) == pytest.approx(answer["confidence"])
        assert value("model_win_probability_sum", **version) == answer["win_probability"]
        assert value("model_engine", **version, engine="onnx") == 1
        assert value("model_engine", **version, engine="tablebase") == 0
        endpoint = {"method": "POST", "endpoint": "/predict/best-move"}
        assert value("api_requests_total", **endpoint, status="200") == 1
        assert value("api_request_duration_seconds_count", **endpoint) == 1
        build = {"version": __version__, "commit": "unknown", "model_version": VERSION}
        assert value("api_pokemon_build_info", **build) == 1
        exemplar = f'# {{prediction_id="{answer["prediction_id"]}"}}'
        marked = {line.partition("{")[0] for line in text.splitlines() if exemplar in line}
        assert marked == {"api_request_duration_seconds_bucket", "model_prediction_duration_seconds_bucket"}

    async def test_every_operation_is_shown_at_zero_from_the_first_scrape(self, data_dir: Path) -> None:
        registry = CollectorRegistry()
        app = create_app(settings_for(data_dir), registry=registry)
        async with client_of(app) as client:
            await client.get("/metrics")
        shown = {
            tuple(sample.labels[label] for label in ("method", "endpoint", "status"))
            for metric in registry.collect()
            for sample in metric.samples
            if sample.name == "api_requests_total"
        }
        documented = {("GET", "unmatched", "404")}
        for path, operations in app.openapi()["paths"].items():
            for method, operation in operations.items():
                statuses = {"500", *operation["responses"]} - {"default"}
                documented |= {(method.upper(), path, status) for status in statuses}
                labels = {"method": method.upper(), "endpoint": path}
                for error_type in ("internal", "not-recorded"):
                    assert registry.get_sample_value("api_errors_total", {**labels, "error_type": error_type}) == 0
        assert shown == documented

    async def test_ids_in_paths_make_no_series_of_their_own(self, data_dir: Path) -> None:
        registry = CollectorRegistry()
        app = create_app(settings_for(data_dir), registry=registry)
        async with client_of(app) as client:
            for path in ("/pokemon/1", "/pokemon/999", "/pokemon/x", "/nowhere/1", "/nowhere/2", "/docs/start.js"):
                await client.get(path)
            await client.delete("/pokemon/1")
            await client.head("/pokemon/1")
        endpoints = {
            sample.labels["endpoint"]
            for metric in registry.collect()
            if metric.name == "api_requests"
            for sample in metric.samples
        }
        routes = set(app.openapi()["paths"])
        assert endpoints - routes == {"unmatched", "/docs/{file}"}

    async def test_the_machine_is_sampled_while_the_application_runs(self, data_dir: Path) -> None:
        app = create_app(settings_for(data_dir))
        async with app.router.lifespan_context(app):
            assert "system-metrics" in {thread.name for thread in threading.enumerate()}
        assert "system-metrics" not in {thread.name for thread in threading.enumerate()}

    async def test_readiness_probes_are_not_predictions(self, data_dir: Path) -> None:
        registry, memory = CollectorRegistry(), Memory()
        async with client_of(create_app(settings_for(data_dir), registry=registry, recorder=memory)) as client:
            assert (await client.get("/health/ready")).json() == {"status": "ready"}
        assert registry.get_sample_value("model_predictions_total", {"model_version": VERSION}) == 0
        assert memory.predictions == []

    async def test_one_that_is_to_stop_says_so_to_balancers_and_predicts_on(self, data_dir: Path) -> None:
        app = create_app(settings_for(data_dir))
        app.state.readiness.stop()
        async with client_of(app) as client:
            answer = await client.get("/health/ready")
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems#stopping")
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.post("/predict/best-move", json=DUEL)).status_code == 200


class TestRecord:
    async def test_what_is_answered_is_on_record(self, data_dir: Path) -> None:
        memory = Memory()
        async with client_of(create_app(settings_for(data_dir), recorder=memory)) as client:
            answer = (await client.post("/predict/best-move", json=DUEL, headers={"Accept-Language": "fr"})).json()
        (prediction,) = memory.predictions
        assert prediction.prediction_id == answer["prediction_id"]
        assert prediction.model_version == answer["model_version"]
        assert prediction.probability == answer["win_probability"]
        assert prediction.confidence == pytest.approx(answer["confidence"])
        assert prediction.duration_seconds > 0
        assert prediction.request["attacker"] == "bulbasaur"
        assert (prediction.request["candidate_moves"], prediction.request["language"]) == (3, "fr")
        assert prediction.choice["win_probability"] == pytest.approx(answer["win_probability"], abs=1e-6)
        assert prediction.choice["learnable"] is False

    async def test_every_duel_of_a_batch_is_on_record_but_not_the_bad_ones(self, data_dir: Path) -> None:
        memory = Memory()
        duels: list[dict[str, Any]] = [DUEL, {**DUEL, "pokemon_a_id": 999}, {**DUEL, "pokemon_b_id": 6}]
        async with client_of(create_app(settings_for(data_dir), recorder=memory)) as client:
            batch = (await client.post("/predict/best-move/batch", json={"duels": duels})).json()
        answered = [result["prediction"]["prediction_id"] for result in batch["results"] if result["prediction"]]
        assert [prediction.prediction_id for prediction in memory.predictions] == answered
        assert len(answered) == 2


class TestKeys:
    @pytest.mark.parametrize(("key", "status"), [(None, 401), ("wrong", 401), ("p", 200), ("a", 200), ("file", 200)])
    async def test_where_keys_are_set_predictions_need_one(self, data_dir: Path, key: str | None, status: int) -> None:
        hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("p", "a")}
        app = create_app(
            settings_for(data_dir, host="0.0.0.0", predict_keys=f" {hashes['p']} ,", admin_keys=hashes["a"])
        )
        sent = (data_dir / "admin.key").read_text().strip() if key == "file" else key
        headers = {} if sent is None else {"X-API-Key": sent}
        async with client_of(app) as client:
            assert (await client.post("/predict/best-move", json=DUEL, headers=headers)).status_code == status
            batch = await client.post("/predict/best-move/batch", json={"duels": [DUEL]}, headers=headers)
            assert batch.status_code == status
            for path in (
                "/",
                "/docs",
                "/openapi.json",
                "/pokemon",
                "/types",
                "/health",
                "/metrics",
                "/predict/model-info",
            ):
                assert (await client.get(path, headers=headers)).status_code == 200

    async def test_a_caller_without_a_key_learns_nothing_about_its_body(self, data_dir: Path) -> None:
        app = create_app(settings_for(data_dir, predict_keys=hashlib.sha256(b"p").hexdigest()))
        async with client_of(app) as client:
            assert (await client.post("/predict/best-move", content=b"{")).status_code == 401


class TestHealth:
    async def test_health_tells_what_runs(self, data_dir: Path) -> None:
        app = create_app(settings_for(data_dir, commit="0123abc"))
        async with client_of(app) as client:
            assert (await client.get("/health/live")).json() == {"status": "live"}
            health = (await client.get("/health")).json()
        assert health.pop("uptime_seconds") > 0
        assert health == {
            "status": "ok",
            "version": __version__,
            "commit": "0123abc",
            "model_version": VERSION,
            "engine": "onnx",
        }

    async def test_the_model_tells_what_it_was_made_from(self, data_dir: Path) -> None:
        async with client_of(create_app(settings_for(data_dir))) as client:
            info = (await client.get("/predict/model-info")).json()
        assert info.pop("engine") == "onnx"
        assert info == json.loads((SHIPPED / VERSION / "metadata.json").read_bytes())
