"""Forwarders and workers around a real Redis that refuses, hangs, forgets, is full or read-only.

Each test ends with the same balance: every event that was appended is in the log, outboxes and stream are empty.
"""

import logging
from pathlib import Path
from threading import active_count
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_folder import OutboxFolder
from api_pokemon.monitoring.redis_stream import RedisStream
from api_pokemon.monitoring.stream_metrics import StreamMetrics
from tests.monitoring.forwarding import LIMITS, PACE, Deployment, Process
from tests.servers import RedisServer, wait_until


def test_three_processes_and_two_workers(deployment: Deployment) -> None:
    processes = [deployment.process() for _ in range(3)]
    workers = [deployment.worker() for _ in range(2)]
    for _ in range(20):
        for process in processes:
            deployment.append(process.outbox, 10)
    deployment.balance()
    assert set(deployment.log.came.values()) == {1}  # where nothing fails, nothing comes twice
    assert sum(worker.batches for worker in workers) >= 12
    writers = {process.outbox.writer for process in processes}
    stream = RedisStream(deployment.server.url)
    wait_until(
        lambda: (
            {state.writer: (state.last_sequence, state.pending, state.settled) for state in stream.outboxes()}
            == dict.fromkeys(writers, (200, 0, 200))
        ),
        "each forwarder reports that all is settled",
    )
    stream.close()


@pytest.mark.parametrize("append_only", [True, False])
def test_redis_is_killed(tmp_path: Path, append_only: bool) -> None:
    """Whether it comes back with what it had, or empty."""
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis", append_only=append_only) as server:
        deployment = Deployment(tmp_path / "outbox", server)
        processes = [deployment.process() for _ in range(2)]
        deployment.worker()
        for kill in range(3):
            deployment.log.is_up.clear()
            for process in processes:
                deployment.append(process.outbox, 60)
            deployment.sent(60)
            server.kill()
            for process in processes:
                deployment.append(process.outbox, 10)
            deployment.log.is_up.set()
            server.start()
            deployment.logged(100 * kill)
        deployment.balance()
        deployment.close()


def test_redis_hangs(deployment: Deployment) -> None:
    process = deployment.process(pace=PACE._replace(timeout_seconds=0.3))
    deployment.worker(timeout_seconds=0.3)
    process.wait_up()
    for _ in range(3):
        deployment.append(process.outbox, 50)
        deployment.server.pause()
        deployment.append(process.outbox, 50)
        process.wait_down()
        deployment.append(process.outbox, 50)
        deployment.server.resume()
        process.wait_up()
    deployment.balance()
    assert max(deployment.log.came.values()) <= 3  # what was under way when it stopped, at most once for each stop


def test_redis_is_flushed(deployment: Deployment) -> None:
    process = deployment.process()
    deployment.worker()
    deployment.log.is_up.clear()
    for _ in range(3):
        deployment.append(process.outbox, 100)
        deployment.sent(100)
        deployment.redis.flushall()
    deployment.log.is_up.set()
    deployment.balance()


def test_redis_evicts(deployment: Deployment) -> None:
    process = deployment.process()
    deployment.append(process.outbox, 100)
    deployment.sent(100)
    deployment.redis.xtrim("events", maxlen=30, approximate=False)
    deployment.sent(100)
    assert sorted(fields[b"body"] for _, fields in deployment.redis.xrange("events")) == sorted(deployment.appended)
    deployment.worker()
    deployment.balance()
    assert set(deployment.log.came.values()) == {1}


def test_redis_is_full(deployment: Deployment) -> None:
    process = deployment.process()
    deployment.worker()
    deployment.append(process.outbox, 100)
    deployment.logged(100)
    process.wait_up()
    deployment.redis.config_set("maxmemory", 1)
    try:
        deployment.append(process.outbox, 100)
        process.wait_down()
    finally:
        deployment.redis.config_set("maxmemory", 0)
    deployment.balance()


def test_what_redis_lost_while_it_was_away_is_noticed_at_once(deployment: Deployment) -> None:
    """As at a fail-over that loses the last entries, and nothing else."""
    process = deployment.process(limits=LIMITS._replace(check_seconds=3600.0))
    deployment.append(process.outbox, 50)
    deployment.sent(50)
    process.wait_up()
    deployment.redis.config_set("maxmemory", 1)
    try:
        process.wait_down()
        deployment.redis.delete("events")
    finally:
        deployment.redis.config_set("maxmemory", 0)
    deployment.sent(50)
    deployment.worker()
    deployment.balance()


def test_a_redis_that_fills_up_is_emptied_by_the_workers(deployment: Deployment) -> None:
    """Nobody raises its limit: what is logged makes room for the rest."""
    used = deployment.redis.info("memory")["used_memory"]
    process = deployment.process(limits=LIMITS._replace(window=10_000))
    process.wait_up()
    deployment.log.is_up.clear()
    deployment.worker()
    big = [(str(uuid4()), uuid4().bytes * 500) for _ in range(1500)]
    try:
        deployment.redis.config_set("maxmemory", used + 6_000_000)
        for first in range(0, len(big), 100):
            process.outbox.append(big[first : first + 100])
        deployment.appended += [body for _, body in big]
        process.wait_down()
        deployment.log.is_up.set()
        deployment.balance()
    finally:
        deployment.redis.config_set("maxmemory", 0)


def test_redis_is_read_only_for_a_while(deployment: Deployment) -> None:
    process = deployment.process()
    deployment.worker()
    deployment.append(process.outbox, 50)
    process.wait_up()
    deployment.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    deployment.append(process.outbox, 50)
    process.wait_down()
    deployment.redis.execute_command("REPLICAOF", "NO", "ONE")
    deployment.balance()


def test_the_log_is_away(deployment: Deployment) -> None:
    """No more than the window is under way, and nothing is sent twice, however long that is."""
    process = deployment.process(limits=LIMITS._replace(window=100, check_seconds=0.02, longest_check_seconds=0.05))
    deployment.log.is_up.clear()
    deployment.worker()
    deployment.append(process.outbox, 250)
    deployment.sent(100)
    checks = deployment.redis.info("commandstats")["cmdstat_eval"]["calls"]
    wait_until(
        lambda: deployment.redis.info("commandstats")["cmdstat_eval"]["calls"] > checks + 10, "much has been checked"
    )
    assert deployment.redis.xlen("events") == 100
    deployment.log.is_up.set()
    deployment.balance()
    assert set(deployment.log.came.values()) == {1}


def test_the_stream_has_a_bound_of_its_own(deployment: Deployment) -> None:
    process = deployment.process(most_in_stream=60)
    deployment.append(process.outbox, 60)
    wait_until(lambda: process.forwarder.status().entries == 60, "the forwarder knows")
    deployment.append(process.outbox, 100)
    stream = RedisStream(deployment.server.url)
    wait_until(lambda: stream.outboxes()[0].pending == 160, "it has looked at them")
    stream.close()
    assert deployment.redis.xlen("events") == 60
    deployment.worker()
    deployment.balance()


@pytest.mark.parametrize("before", ["log", "confirm"])
def test_a_worker_dies(deployment: Deployment, before: str) -> None:
    process = deployment.process()
    deployment.append(process.outbox, 50)
    deployment.worker(dies_before=before).wait()
    deployment.append(process.outbox, 50)
    deployment.worker()
    deployment.balance()
    if before == "log":
        assert set(deployment.log.came.values()) == {1}


def test_confirmations_are_lost(deployment: Deployment) -> None:
    process = deployment.process(pace=PACE._replace(poll_seconds=0.2))
    deployment.worker()
    for _ in range(5):
        deployment.append(process.outbox, 20)
        deployment.logged(len(deployment.appended))
        for key in deployment.redis.keys("events:confirmed:*"):
            deployment.redis.delete(key)
    deployment.balance()


def test_it_goes_on_after_what_nobody_expected(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    process = deployment.process()
    deployment.worker()
    deployment.append(process.outbox, 20)
    deployment.logged(20)
    read, errors = Outbox.read, iter([KeyError("surprise")])

    def read_with_a_surprise(self: Outbox, after: int, most: int) -> object:
        for error in errors:
            raise error
        return read(self, after, most)

    monkeypatch.setattr(Outbox, "read", read_with_a_surprise)
    deployment.append(process.outbox, 20)
    deployment.balance()
    assert "surprise" in caplog.text


def test_a_change_is_told_once(tmp_path: Path, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture) -> None:
    def gauges() -> tuple[float | None, float | None]:
        return registry.get_sample_value("stream_up"), registry.get_sample_value("stream_entries")

    caplog.set_level(logging.INFO, "api_pokemon.monitoring.forwarder")
    server = RedisServer(tmp_path)
    process = Process(OutboxFolder(tmp_path / "outbox"), server.url.replace("redis://", "redis://:secret@"))
    StreamMetrics(registry, process.forwarder.status)
    process.outbox.append([(str(uuid4()), b"1"), (str(uuid4()), b"2")])
    assert gauges() == (0, None)
    wait_until(lambda: caplog.records, "it is told that Redis does not answer")
    with server:
        wait_until(lambda: gauges() == (1, 2), "it is shown what is in the stream")
    wait_until(lambda: gauges() == (0, None), "it is shown that Redis is gone")
    process.stop()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO", "ERROR"]
    assert "secret" not in caplog.text


def test_it_stops_while_redis_hangs(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    """It would wait for the answer for an hour."""
    process = deployment.process(pace=PACE._replace(timeout_seconds=3600.0))
    process.wait_up()
    threads = active_count()
    deployment.server.pause()
    try:
        deployment.append(process.outbox, 10)
        process.forwarder.stop()
        wait_until(lambda: active_count() == threads - 1, "its thread has ended")
        assert caplog.text == ""
    finally:
        deployment.server.resume()
    process.stop()
    deployment.process()
    deployment.worker()
    deployment.balance()
