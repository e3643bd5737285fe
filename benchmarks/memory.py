"""Whether memory stays flat: that of a process which appends events, and of one which logs them, over 2,000,000.

    python -m benchmarks.memory            # through the outbox alone, to SQLite
    python -m benchmarks.memory --stack    # through Redis, to PostgreSQL, with the forwarder beside what appends

One process awaits its recorder for 32 callers at a time, as the API does; another one is a worker's loop. Both tell
their resident memory after so many events; from the first mark on it may grow by 10 % or 20 MiB, whichever is more.
The one that appends waits where the worker is behind, and tells how large the outbox became. Ends with status 1 where a
bound is missed. Takes some minutes, and 4 GB of disk for the log.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import uvloop
from sqlalchemy import Connection

from api_pokemon.model.monitored_rows import LOOKED_UP
from api_pokemon.monitoring import OutboxFolder, OutboxRecorder, OutboxStream, Prediction
from api_pokemon.monitoring.consumer import Consumer
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.forwarder import Forwarder
from api_pokemon.monitoring.prediction_log import PredictionLog, Written
from api_pokemon.monitoring.redis_stream import RedisStream
from benchmarks.events import duel_predictions, renewed
from tests.servers import PostgresServer, RedisServer, postgres_folder

MARKS = (100_000, 500_000, 1_000_000, 2_000_000)
GROWTH_RATIO = 1.10
GROWTH_BYTES = 20 << 20
OUTBOX_BYTES = 128 << 20
"""Bound of the outbox while the worker keeps up: its journal of at most 16 MB, and what is under way."""

_CALLERS = 32
_LOOK_EVERY = 2_000
_MOST_PENDING = 20_000


class Place(NamedTuple):
    """Where events go through: a folder of outboxes, perhaps a Redis, and the database of the log."""

    folder: str
    stream_url: str
    log_url: str


class Told(NamedTuple):
    """Resident memory at each mark, in bytes, and the largest outbox seen."""

    resident: Sequence[int]
    outbox_bytes: int = 0


class Marks:
    """Notes the resident memory of this process whenever another mark is reached."""

    def __init__(self, marks: Sequence[int]) -> None:
        self._left = list(marks)
        self.resident: list[int] = []

    def reached(self, events: int) -> None:
        while self._left and events >= self._left[0]:
            self._left.pop(0)
            self.resident.append(psutil.Process().memory_info().rss)


async def append_all(folder: OutboxFolder, path: Path, marks: Sequence[int]) -> Told:
    """Record as many events as the last mark says, for some callers at a time."""
    recorder = OutboxRecorder(lambda: folder.open(path))
    noted, largest = Marks(marks), 0
    templates = duel_predictions()
    for done in range(0, marks[-1], _LOOK_EVERY):
        events = renewed(templates, _LOOK_EVERY)
        await asyncio.gather(*(_call(recorder, events) for _ in range(_CALLERS)))
        noted.reached(done + _LOOK_EVERY)
        while (state := folder.states([path])[0]).pending > _MOST_PENDING:  # noqa: ASYNC110 - another process drains it
            await asyncio.sleep(0.01)
        largest = max(largest, state.bytes)
    recorder.close()
    return Told(noted.resident, largest)


async def _call(recorder: OutboxRecorder, events: Iterator[Prediction]) -> None:
    for event in events:
        await recorder.record(event)


def append(place: Place, marks: Sequence[int]) -> Told:
    """Be a process that answers, without its HTTP."""
    folder = OutboxFolder(Path(place.folder))
    with folder.claim() as claim:
        forwarder = Forwarder(folder, claim.path, place.stream_url) if place.stream_url else None
        if forwarder:
            forwarder.start()
        told = uvloop.run(append_all(folder, claim.path, marks))
        if forwarder:
            forwarder.stop()
    return told


def log(place: Place, marks: Sequence[int]) -> Told:
    """Be the worker's loop until the last mark."""
    stream = RedisStream(place.stream_url) if place.stream_url else OutboxStream(OutboxFolder(Path(place.folder)))
    noted, logged = Marks(marks), 0

    def count(connection: Connection, written: Written) -> None:
        nonlocal logged
        logged += len(written.predictions)
        noted.reached(logged)
        if logged >= marks[-1]:
            consumer.stop()

    consumer = Consumer(stream, PredictionLog(connect(place.log_url), looked_up=LOOKED_UP), also=count)
    consumer.run()
    stream.close()
    return Told(noted.resident)


@contextmanager
def place(stack: bool) -> Iterator[Place]:
    """New, empty stores, which go afterwards."""
    with tempfile.TemporaryDirectory(prefix="memory-") as folder, ExitStack() as servers:
        outboxes = str(Path(folder, "outbox"))
        if not stack:
            yield Place(outboxes, "", f"sqlite:///{folder}/log.sqlite")
            return
        redis = servers.enter_context(RedisServer(Path(folder)))
        postgres = servers.enter_context(PostgresServer(servers.enter_context(postgres_folder())))
        yield Place(outboxes, redis.url, postgres.url)


def told_by(role: str, place: Place, marks: Sequence[int]) -> "subprocess.Popen[bytes]":
    options = ["--role", role, "--place", *place, "--marks", *map(str, marks)]
    return subprocess.Popen([sys.executable, "-m", "benchmarks.memory", *options], stdout=subprocess.PIPE)


def is_flat(name: str, resident: Sequence[int], marks: Sequence[int]) -> bool:
    """Print one line; returns whether the memory stayed within its bounds."""
    sizes = (f"{size / 2**20:.1f} MiB at {mark:,}" for size, mark in zip(resident, marks, strict=True))
    print(f"{name}: {', '.join(sizes)}")
    return max(resident) <= max(resident[0] * GROWTH_RATIO, resident[0] + GROWTH_BYTES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", action="store_true", help="through Redis, to PostgreSQL")
    parser.add_argument("--marks", nargs="+", type=int, default=MARKS)
    parser.add_argument("--role", choices=("append", "log"), help=argparse.SUPPRESS)
    parser.add_argument("--place", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        act = append if options.role == "append" else log
        print(json.dumps(act(Place(*options.place), options.marks)))
        return 0
    with place(options.stack) as where:
        processes = [told_by(role, where, options.marks) for role in ("append", "log")]
        appended, logged = (Told(*json.loads(process.communicate()[0])) for process in processes)
    flat = [is_flat("appends", appended.resident, options.marks), is_flat("logs", logged.resident, options.marks)]
    print(f"the largest outbox: {appended.outbox_bytes / 2**20:.1f} MiB (bound {OUTBOX_BYTES / 2**20:.0f})")
    return 0 if all(flat) and appended.outbox_bytes <= OUTBOX_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
