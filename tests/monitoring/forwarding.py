"""Forwarders and workers around a Redis, and a log that counts what comes."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from redis import Redis

from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.errors import StreamUnavailableError
from api_pokemon.monitoring.forwarder import Forwarder, Pace
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_folder import OutboxFolder
from api_pokemon.monitoring.outbox_sender import SendLimits
from api_pokemon.monitoring.redis_stream import RedisStream
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
