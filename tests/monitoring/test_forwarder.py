"""Forwarders and workers around a real Redis that refuses, hangs, forgets, is full or read-only.

Each test ends with the same balance: every event that was appended is in the log, outboxes and stream are empty.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread, active_count
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis

from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.errors import NotRecordedError, StreamUnavailableError
from api_pokemon.monitoring.forwarder import Forwarder, Pace
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_folder import OutboxFolder
from api_pokemon.monitoring.outbox_sender import SendLimits
from api_pokemon.monitoring.redis_stream import RedisStream
from api_pokemon.monitoring.stream_metrics import StreamMetrics
from tests.servers import RedisServer, wait_until

PACE = Pace(poll_seconds=0.01, report_seconds=0.05, claim_seconds=0.1, timeout_seconds=30.0)
LIMITS = SendLimits(window=1000, batch=50, check_seconds=0.2, longest_check_seconds=1.0)
BACK_OFF = BackOff(first_seconds=0.02, longest_seconds=0.2)


class Log:
    """Counts how often each event came; the real one keeps the first."""

    def __init__(self) -> None:
        self.came: Counter[bytes] = Counter()
        self.is_up = Event()
        self.is_up.set()


class Worker:
    """Reads, logs and confirms in a thread; ``dies_before`` names what it no longer comes to do."""

    def __init__(self, url: str, log: Log, dies_before: str | None = None, timeout_seconds: float = 30.0) -> None:
        self._stream = RedisStream(url, min_idle_seconds=0.5, timeout_seconds=timeout_seconds)
        self._log = log
        self._dies_before = dies_before
        self.batches = 0
        self._stopping = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                entries = self._stream.read(50, 0.05, {})
                if not entries:
                    continue
                if self._dies_before == "log":
                    return
                if not self._log.is_up.is_set():
                    self._stopping.wait(0.02)
                    continue
                self._log.came.update(entry.body for entry in entries)
                if self._dies_before == "confirm":
                    return
                self._stream.confirm(entries)
                self.batches += 1
            except StreamUnavailableError:
                self._stopping.wait(0.02)

    def wait(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self._stopping.set()
        self.wait()
        if self._dies_before is None:
            self._stream.close()


class Process:
    """What an API process has: an outbox of its own, and a forwarder."""

    def __init__(self, folder: OutboxFolder, url: str, **options: object) -> None:
        self.claim = folder.claim()
        self.outbox = folder.open(self.claim.path)
        options = {"limits": LIMITS, "pace": PACE, "back_off": BACK_OFF} | options
        self.forwarder = Forwarder(folder, self.claim.path, url, **options)  # type: ignore[arg-type]
        self.forwarder.start()

    def wait_up(self) -> None:
        """Until its first round is done; before it, it does not count as up either."""
        wait_until(lambda: self.forwarder.status().up, "the forwarder sees that Redis takes events")

    def wait_down(self) -> None:
        """Call :meth:`wait_up` before the trouble begins."""
        wait_until(lambda: not self.forwarder.status().up, "the forwarder sees that Redis takes none")

    def stop(self) -> None:
        self.forwarder.stop()
        self.outbox.close()
        self.claim.release()


class Deployment:
    """A folder of outboxes, a Redis, and a log, with as many processes and workers as a test wants."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.server = server
        self.folder = OutboxFolder(folder)
        self.redis = Redis.from_url(server.url)
        self.log = Log()
        self.appended: list[bytes] = []
        self._ends = ExitStack()

    def process(self, **options: object) -> Process:
        process = Process(self.folder, self.server.url, **options)
        self._ends.callback(process.stop)
        return process

    def worker(self, dies_before: str | None = None, **options: float) -> Worker:
        worker = Worker(self.server.url, self.log, dies_before, **options)
        self._ends.callback(worker.stop)
        return worker

    def append(self, outbox: Outbox, number: int) -> None:
        for _ in range(number):
            body = uuid4().bytes
            outbox.append([(str(uuid4()), body)])
            self.appended.append(body)

    def logged(self, number: int) -> None:
        wait_until(lambda: len(self.log.came) >= number, f"{number} events are logged")

    def sent(self, number: int) -> None:
        wait_until(lambda: self.redis.xlen("events") >= number, f"{number} entries are in the stream")

    def balance(self) -> None:
        """Every event is in the log, and nowhere else."""
        wait_until(lambda: len(self.log.came) == len(self.appended), "everything is logged")
        assert self.log.came.keys() == set(self.appended)
        wait_until(lambda: all(not state.pending for state in self.folder.states()), "the outboxes are empty")
        wait_until(lambda: self.redis.xlen("events") == 0, "the stream is empty")
        assert self.redis.xpending("events", "log")["pending"] == 0

    def close(self) -> None:
        self._ends.close()
        self.redis.close()


@pytest.fixture(scope="module")
def lasting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def deployment(tmp_path: Path, lasting_server: RedisServer) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path / "outbox", lasting_server)
    deployment.redis.flushall()
    yield deployment
    deployment.close()


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


def test_a_forwarder_starts_again(deployment: Deployment) -> None:
    deployment.log.is_up.clear()
    deployment.worker()
    for _ in range(3):
        process = deployment.process()
        deployment.append(process.outbox, 50)
        deployment.sent(50)
        process.stop()
    deployment.process()
    deployment.log.is_up.set()
    deployment.balance()
    assert len(deployment.folder.paths()) == 1


def test_what_is_left_is_sent_at_the_end(deployment: Deployment) -> None:
    process = deployment.process(pace=PACE._replace(poll_seconds=30.0))
    process.wait_up()
    deployment.append(process.outbox, 175)
    process.stop()
    assert deployment.redis.xlen("events") == 175
    deployment.process()
    deployment.worker()
    deployment.balance()


def test_abandoned_outboxes_are_drained(deployment: Deployment) -> None:
    writers = []
    claims = [deployment.folder.claim() for _ in range(3)]
    for claim in claims:
        outbox = deployment.folder.open(claim.path)
        writers.append(outbox.writer)
        deployment.append(outbox, 120)
        outbox.close()
    process = deployment.process()
    for claim in claims:
        claim.release()
    deployment.worker()
    deployment.balance()
    stream = RedisStream(deployment.server.url)
    wait_until(
        lambda: [s.settled for s in stream.outboxes() if s.writer in writers] == [120] * len(writers),
        "the end is reported",
    )
    stream.close()
    assert process.claim.path.name == "outbox-3.sqlite"
    with deployment.folder.claim() as free:
        assert free.path.name == "outbox-0.sqlite"


def test_an_empty_outbox_of_nobody_stays_in_the_account(deployment: Deployment) -> None:
    gone, _ = deployment.process(), deployment.process()
    deployment.worker()
    deployment.append(gone.outbox, 10)
    deployment.balance()
    gone.stop()
    deployment.redis.flushall()
    stream = RedisStream(deployment.server.url)
    wait_until(lambda: sorted(state.last_sequence for state in stream.outboxes()) == [0, 10], "both are told of")
    (last,) = (state for state in stream.outboxes() if state.last_sequence == 10)
    stale = last._replace(pending=4, settled=6)  # as one leaves it that dies between emptying and telling
    deployment.redis.hset("events:outboxes", last.writer, json.dumps(stale._asdict()))
    wait_until(lambda: last in stream.outboxes(), "it is told again that all is settled")
    stream.close()


def test_a_damaged_outbox_does_not_keep_the_others_waiting(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with deployment.folder.claim() as claim:
        damaged = deployment.folder.open(claim.path)
        deployment.append(damaged, 10)
        damaged.close()
        process = deployment.process()
        read = Outbox.read
        mended = Event()

        def read_unless_damaged(self: Outbox, after: int, most: int) -> object:
            if self.path == claim.path and not mended.is_set():
                raise NotRecordedError("a bad block", "io")
            return read(self, after, most)

        monkeypatch.setattr(Outbox, "read", read_unless_damaged)
    deployment.worker()
    wait_until(lambda: "a bad block" in caplog.text, "the damage is noticed")
    for number in range(5):
        deployment.append(process.outbox, 20)
        deployment.logged(20 * number + 20)
    assert caplog.text.count("a bad block") == 1
    mended.set()
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
