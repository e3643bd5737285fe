"""Clients that ask at a steady rate, whatever is answered: ``python -m benchmarks.chaos.clients SPEC``.

Each has one connection, and opens another one when it was cut or has been used for a while. It asks in turn what is
due; what comes due while it waits for an answer is asked late, and its time counts from when it was due. What became of
each request is a line of JSON on standard output. They stop when standard input closes, once what they asked is
answered.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from random import Random
from time import monotonic
from typing import NamedTuple

import msgspec

from tests.integration.load import BATCH, BATCH_SHARE, duel, read_answer, request

_ANSWER_SECONDS = 60.0
_CONNECT_AGAIN_SECONDS = 0.05
_ASKED_OVER_ONE = 20
CUT, REFUSED, NOTHING = "cut", "refused", "no answer"


class Spec(NamedTuple):
    """What is asked of whom; requests per second in all."""

    ports: tuple[int, ...]
    clients: int
    rate: float
    seed: int


class Outcome(NamedTuple):
    """What became of a request; times are of the monotonic clock.

    Parameters
    ----------
    answers
        A status, with the problem where there is one, for each prediction that it asked for; or what came instead.
    ids
        Of the predictions that were made.
    """

    due_seconds: float
    done_seconds: float
    answers: tuple[str, ...]
    ids: tuple[str, ...]


class _Client:
    """One of them."""

    def __init__(self, spec: Spec, number: int, begin_seconds: float, stopping: asyncio.Event) -> None:
        self._ports = spec.ports
        self._port = number
        self._random = Random(f"{spec.seed}-{number}")
        self._step_seconds = spec.clients / spec.rate
        self._due_seconds = begin_seconds + number / spec.rate
        self._stopping = stopping

    async def ask_on(self) -> None:
        while not self._stopping.is_set():
            port = self._ports[self._port % len(self._ports)]
            self._port += 1  # the next time another process may be there
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                _tell(Outcome(self._due_seconds, monotonic(), (REFUSED,), ()))
                await asyncio.sleep(_CONNECT_AGAIN_SECONDS)
                continue
            with contextlib.closing(writer):
                await self._ask_over(reader, writer)

    async def _ask_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(_ASKED_OVER_ONE):
            await self._wait_until_due()
            if self._stopping.is_set() or reader.at_eof():
                return
            duels = [duel(self._random) for _ in range(BATCH if self._random.random() < BATCH_SHARE else 1)]
            due_seconds = self._due_seconds
            self._due_seconds += self._step_seconds
            try:
                writer.write(request(duels))
                async with asyncio.timeout(_ANSWER_SECONDS):
                    answer = await read_answer(reader)
            except (OSError, EOFError) as error:
                came = NOTHING if isinstance(error, TimeoutError) else CUT
                _tell(Outcome(due_seconds, monotonic(), (came,) * len(duels), ()))
                return
            answers, ids = zip(*_read(answer.status, answer.body, len(duels)), strict=True)
            _tell(Outcome(due_seconds, monotonic(), answers, tuple(filter(None, ids))))
            if not answer.stays_open:
                return

    async def _wait_until_due(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(0.0, self._due_seconds - monotonic()))


def _read(status: int, body: bytes, duels: int) -> Iterator[tuple[str, str]]:
    """Of each prediction what was answered, and its id, if it has one."""
    told = json.loads(body)
    if status != 200:
        yield from [(_named(status, told), "")] * duels
        return
    for item in told["results"] if duels > 1 else [{"status": 200, "prediction": told}]:
        if item["status"] == 200:
            yield "200", item["prediction"]["prediction_id"]
        else:
            yield _named(item["status"], item.get("problem", {})), ""


def _named(status: int, problem: dict[str, str]) -> str:
    return f"{status} {problem.get('type', '').rpartition('#')[2]}".strip()


def _tell(outcome: Outcome) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    sys.stdout.buffer.flush()


async def _main(spec: Spec) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopping.set)
    begin_seconds = monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(spec.clients):
            group.create_task(_Client(spec, number, begin_seconds, stopping).ask_on())


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(sys.argv[1], type=Spec)))
