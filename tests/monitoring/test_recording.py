"""What keeps the events of a process: it takes them at once, forwards them, shows them, and leaves nothing behind."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import NotRecordedError, OutboxFolder, Prediction, catalogue, decode, new_id
from api_pokemon.monitoring.recording import Recording
from api_pokemon.monitoring.redis_stream import RedisStream
from tests.servers import RedisServer, wait_until


def prediction() -> Prediction:
    return Prediction(new_id(), "v1", 0.7, 0.001)


def exposed(registry: CollectorRegistry) -> set[str]:
    samples = {sample.name for family in registry.collect() for sample in family.samples}
    return {name for name in samples if not name.endswith("_created")}


async def test_events_are_in_the_outbox_when_they_are_recorded(tmp_path: Path, registry: CollectorRegistry) -> None:
    folder = OutboxFolder(tmp_path)
    recording = Recording(registry, folder)
    first, second = prediction(), prediction()
    await recording.recorder.record(first)  # before the application has started, too
    with recording.forwarding():
        await recording.recorder.record(second)
        held = [decode(body) for event in (first, second) for body in folder.find(event.prediction_id)]
        assert held == [first, second]


async def test_the_next_process_takes_the_outbox_over(tmp_path: Path) -> None:
    folder = OutboxFolder(tmp_path)
    for _ in range(2):
        recording = Recording(CollectorRegistry(), folder)
        with recording.forwarding():
            await recording.recorder.record(prediction())
    assert [state.last_sequence for state in folder.states()] == [2]


async def test_two_at_once_have_an_outbox_each(tmp_path: Path) -> None:
    folder = OutboxFolder(tmp_path)
    one, other = (Recording(CollectorRegistry(), folder) for _ in range(2))
    with one.forwarding(), other.forwarding():
        await one.recorder.record(prediction())
        await other.recorder.record(prediction())
        assert [state.last_sequence for state in folder.states()] == [1, 1]


async def test_it_shows_what_the_catalogue_says(
    tmp_path: Path, registry: CollectorRegistry, redis_server: RedisServer
) -> None:
    recording = Recording(registry, OutboxFolder(tmp_path), redis_server.url)
    with recording.forwarding():
        await recording.recorder.record(prediction())
        wait_until(lambda: registry.get_sample_value("stream_entries") == 1, "it is in the stream")
        assert exposed(registry) == {name for spec in catalogue.RECORDED for name in spec.series}
        assert registry.get_sample_value("events_refused_total", {"reason": "disk-full"}) == 0
        wait_until(lambda: (registry.get_sample_value("log_lag_seconds") or 0) > 0, "nobody logs it")


async def test_without_a_stream_there_are_no_metrics_of_one(tmp_path: Path, registry: CollectorRegistry) -> None:
    recording = Recording(registry, OutboxFolder(tmp_path))
    with recording.forwarding():
        await recording.recorder.record(prediction())
        assert not [name for name in exposed(registry) if name.startswith("stream_")]


async def test_what_waits_for_redis_is_forwarded_when_it_is_back(tmp_path: Path, redis_server: RedisServer) -> None:
    folder = OutboxFolder(tmp_path)
    redis_server.kill()
    recording = Recording(CollectorRegistry(), folder, redis_server.url)
    event = prediction()
    with recording.forwarding():
        await recording.recorder.record(event)
        redis_server.start()
        worker = RedisStream(redis_server.url)
        entries = []
        wait_until(lambda: entries.extend(worker.read(10, 0.1, {})) or bool(entries), "it arrives")
        assert [decode(entry.body) for entry in entries] == [event]
        worker.confirm(entries)
        worker.close()
        wait_until(lambda: folder.states()[0].pending == 0, "the outbox lets it go")


async def test_a_refusal_is_counted(tmp_path: Path, registry: CollectorRegistry) -> None:
    recording = Recording(registry, OutboxFolder(tmp_path))
    with recording.forwarding():
        pass
    with pytest.raises(NotRecordedError):
        await recording.recorder.record(prediction())
    assert registry.get_sample_value("events_refused_total", {"reason": "closed"}) == 1
