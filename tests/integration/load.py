"""Clients that keep asking, whatever dies, and remember what they were promised."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random
from threading import Thread
from typing import NamedTuple

from tests.servers import wait_until

FORMS = (1, 4, 7, 16, 19, 21, 23, 25, 27, 37, 41, 43)
MOVES = ("Tackle", "Surf", "Thunderbolt", "Bite", "Dig", "Ice Beam", "Headbutt")
BATCH = 5
BATCH_SHARE = 0.1
ANSWER_SECONDS = 90
RECONNECT_SECONDS = 0.05


class Answer(NamedTuple):
    status: int
    body: bytes
    stays_open: bool


class Load:
    """Clients in a thread of their own, each with a connection that it opens again when it was cut.

    Parameters
    ----------
    ports
        Of the API processes; the clients are spread over them.
    clients
        How many there are.
    pause_seconds
        What each waits between an answer and the next request.
    seed
        Decides what is asked.
    """

    def __init__(self, ports: Sequence[int], *, clients: int = 8, pause_seconds: float = 0.02, seed: int = 0) -> None:
        self.clients = clients
        self.acknowledged: list[str] = []
        """Ids of all predictions that were answered, in order."""
        self.statuses: Counter[int] = Counter()
        """Of all answers, also of each duel of a batch."""
        self.cut = 0
        """Requests whose connection ended before the answer did."""
        self.cut_in_use = 0
        """Those of them on connections that had been answered before."""
        self.unanswered = 0
        """Predictions that these asked for: they may be on record or not."""
        self.not_connected = 0
        """Times that nobody listened."""
        self._ports = ports
        self._pause_seconds = pause_seconds
        self._seed = seed
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="load")

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask nothing more, wait for the answers to what was asked, and raise what went wrong with the clients."""
        self._stopping = True
        self._thread.join()
        if self._failure:
            raise self._failure

    def wait_for(self, answers: int) -> None:
        """Return once so many more predictions were answered; fail as soon as one is refused, or no more are."""
        target = len(self.acknowledged) + answers
        while (answered := len(self.acknowledged)) < target:
            wait_until(partial(self._has_more_than, answered), f"the next of {answers} more answers")

    def _has_more_than(self, answered: int) -> bool:
        if self._failure:
            raise self._failure
        assert set(self.statuses) <= {200}
        return len(self.acknowledged) > answered

    def _run(self) -> None:
        try:
            asyncio.run(self._ask_all())
        except BaseException as error:  # noqa: BLE001 — handed to the test
            self._failure = error

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self.clients):
                port = self._ports[number % len(self._ports)]
                group.create_task(self._keep_asking(port, Random(f"{self._seed}-{number}")))

    async def _keep_asking(self, port: int, random: Random) -> None:
        while not self._stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self.not_connected += 1
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            try:
                await self._ask_over(reader, writer, random)
            finally:
                writer.close()

    async def _ask_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, random: Random) -> None:
        """Ask over one connection until it is closed."""
        stays_open, answers = True, 0
        while stays_open and not self._stopping and not reader.at_eof():
            duels = BATCH if random.random() < BATCH_SHARE else 1
            writer.write(request([duel(random) for _ in range(duels)]))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await read_answer(reader)
            except (OSError, EOFError) as error:
                if isinstance(error, TimeoutError):
                    raise
                self.cut += 1
                self.cut_in_use += answers > 0
                self.unanswered += duels
                return
            self._note(answer, duels)
            answers += 1
            stays_open = answer.stays_open
            await asyncio.sleep(self._pause_seconds)

    def _note(self, answer: Answer, duels: int) -> None:
        if answer.status != 200:
            self.statuses[answer.status] += duels
            return
        told = json.loads(answer.body)
        for item in told["results"] if duels > 1 else [{"status": 200, "prediction": told}]:
            self.statuses[item["status"]] += 1
            self.acknowledged.append(item["prediction"]["prediction_id"])


def duel(random: Random) -> dict[str, object]:
    a, b = random.choices(FORMS, k=2)
    return {"pokemon_a_id": a, "pokemon_b_id": b, "available_moves": random.sample(MOVES, 3)}


def request(duels: list[dict[str, object]]) -> bytes:
    path, asked = (
        ("/predict/best-move", duels[0]) if len(duels) == 1 else ("/predict/best-move/batch", {"duels": duels})
    )
    body = json.dumps(asked).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one answer; EOFError or OSError where the connection ends before."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(fields["content-length"]))
    return Answer(int(head[0].split()[1]), body, fields.get("connection") != "close")
