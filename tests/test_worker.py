"""The worker as a whole: it carries what the API accepts, shows how that goes, and waits for what is away."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.errors import StartError
from api_pokemon.monitoring import Prediction, catalogue, new_id
from api_pokemon.monitoring.events import encode
from api_pokemon.settings import Settings
from api_pokemon.startup import log_url_of
from api_pokemon.stores import log_of, outboxes_of
from api_pokemon.worker import JOB_KINDS, create_worker
from tests.running import Running
from tests.servers import RedisServer


def settings_for(data_dir: Path, **changes: object) -> Settings:
    return Settings(**{"data_dir": data_dir, "_env_file": None, **changes})  # type: ignore[arg-type]


def accept(settings: Settings, number: int) -> list[str]:
    """Put predictions into an outbox as an API would, and leave it behind."""
    return accept_all(settings, [Prediction(new_id(), "v1", 0.7, 0.001) for _ in range(number)])


def accept_all(settings: Settings, predictions: Sequence[Prediction], **changes: str) -> list[str]:
    """Put these predictions into an outbox, with changes to their fields."""
    folder = outboxes_of(settings)
    predictions = [msgspec.structs.replace(prediction, **changes) for prediction in predictions]
    with folder.claim() as claim:
        outbox = folder.open(claim.path)
        outbox.append([(prediction.prediction_id, encode(prediction)) for prediction in predictions])
        outbox.close()
    return [prediction.prediction_id for prediction in predictions]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline, "it never came true"
        sleep(0.01)


def test_it_logs_what_was_accepted_and_says_so(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    ids = accept(settings, 30)
    (state,) = outboxes_of(settings).states()
    registry = CollectorRegistry()
    with Running(create_worker(settings, registry=registry)) as client:
        wait_for(lambda: registry.get_sample_value("events_logged_total", {"writer": state.writer}) == 30)
        assert client.get("/health/live").json() == {"status": "live"}
        assert client.get("/health/ready").json() == {"status": "ready", "stream": "up", "log": "up"}
        assert f'events_unaccounted{{writer="{state.writer}"}} 0.0' in client.get("/metrics").text
    assert [found.prediction.prediction_id for found in log_of(settings).scan()] == ids


def test_it_exposes_what_the_catalogue_says(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    accept(settings, 1)
    registry = CollectorRegistry()
    with Running(create_worker(settings, registry=registry)):
        succeeded = {"kind": "retention", "state": "succeeded"}
        wait_for(lambda: registry.get_sample_value("job_runs_total", succeeded) == 1)
        wait_for(lambda: registry.get_sample_value("log_lag_seconds") == 0)
        samples = [sample for family in registry.collect() for sample in family.samples]
    exposed = {sample.name for sample in samples if not sample.name.endswith("_created")}
    assert exposed == {name for spec in catalogue.WORKED for name in spec.series}
    labels = {spec.name: set(spec.labels) for spec in catalogue.WORKED}
    assert all(set(sample.labels) == labels[sample.name] for sample in samples if sample.name in labels)


def test_without_its_log_it_waits_and_is_not_ready(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, log_url="postgresql://nobody@127.0.0.1:1/nothing")
    with Running(create_worker(settings)) as client:
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["log"]) == (503, "down")
        assert client.get("/health/live").status_code == 200
        assert "log_up 0.0" in client.get("/metrics").text


def test_a_log_that_is_damaged_keeps_nothing_from_being_safe(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    log_file = tmp_path / "log.sqlite"
    log_file.write_bytes(b"this is no database" * 1000)
    accept(settings, 3)
    with Running(create_worker(settings)) as client:
        assert client.get("/health/ready").status_code == 503
    (state,) = outboxes_of(settings).states()
    assert state.pending == 3
    assert log_file.read_bytes() == b"this is no database" * 1000


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"log_url": "mysql://somewhere/log"}, "API_POKEMON_LOG_URL"),
        ({"log_url": "nonsense"}, "API_POKEMON_LOG_URL"),
        ({"stream_url": "amqp://somewhere"}, "API_POKEMON_STREAM_URL"),
    ],
)
def test_addresses_that_are_none_are_told(tmp_path: Path, changes: dict[str, str], variable: str) -> None:
    with pytest.raises(StartError, match=variable):
        create_worker(settings_for(tmp_path, **changes))


def test_with_a_stream_it_reads_that_and_waits_where_it_is_away(tmp_path: Path, redis_server: RedisServer) -> None:
    settings = settings_for(tmp_path, stream_url=redis_server.url)
    accept(settings, 3)  # which nobody forwards
    with Running(create_worker(settings)) as client:
        wait_for(lambda: client.get("/health/ready").status_code == 200)
        redis_server.kill()
        wait_for(lambda: client.get("/health/ready").json()["stream"] == "down")
        redis_server.start()
        wait_for(lambda: client.get("/health/ready").status_code == 200)
    assert list(log_of(settings).scan()) == []


def test_every_job_can_be_found(tmp_path: Path) -> None:
    import importlib

    for kind in JOB_KINDS:
        module, _, name = kind.function.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_log_is_in_the_data_folder_unless_said_otherwise(tmp_path: Path) -> None:
    assert log_url_of(settings_for(tmp_path)) == f"sqlite:///{tmp_path}/log.sqlite"
    assert log_url_of(settings_for(tmp_path, log_url="postgresql://db/log")) == "postgresql://db/log"


def test_it_can_be_broken_on_purpose_by_admins_where_the_settings_say_so(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, faults=True)
    accept(settings, 5)
    (state,) = outboxes_of(settings).states()
    registry = CollectorRegistry()

    def unaccounted() -> float | None:
        return registry.get_sample_value("events_unaccounted", {"writer": state.writer})

    with Running(create_worker(settings, registry=registry)) as client:
        wait_for(lambda: unaccounted() == 0 and outboxes_of(settings).states()[0].settled == 5)
        assert client.get("/faults").status_code == 401
        admin = {"X-API-Key": (tmp_path / "admin.key").read_text().strip()}
        assert client.request("PUT", "/faults/miscounted-log?level=3", admin).json()["level"] == 3
        wait_for(lambda: unaccounted() == 3)
        client.request("DELETE", "/faults/miscounted-log", admin)
        wait_for(lambda: unaccounted() == 0)
        client.request("PUT", "/faults/unreachable-stream", admin)
        wait_for(lambda: registry.get_sample_value("stream_up") == 0)
        client.request("DELETE", "/faults/unreachable-stream", admin)
        wait_for(lambda: registry.get_sample_value("stream_up") == 1)
        client.request("PUT", "/faults/stalled-consumer", admin)
        sleep(0.6)  # for a reading that had begun before
        accept(settings, 5)
        wait_for(lambda: (registry.get_sample_value("log_lag_seconds") or 0) > 1)
        client.request("DELETE", "/faults/stalled-consumer", admin)
        wait_for(lambda: registry.get_sample_value("log_lag_seconds") == 0)
        assert client.request("PUT", "/faults/slow-handler", admin).status_code == 404
    assert len(list(log_of(settings).scan())) == 10


def test_otherwise_nobody_can_break_it(tmp_path: Path) -> None:
    with Running(create_worker(settings_for(tmp_path))) as client:
        assert client.request("PUT", "/faults/stalled-consumer").status_code == 404
    assert not (tmp_path / "admin.key").exists()
