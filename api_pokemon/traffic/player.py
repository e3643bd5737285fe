"""Sends prepared requests at a rate, and notes what came of each."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter  # uvloop's own clock counts whole milliseconds
from typing import Protocol

_TIMEOUT_SECONDS = 30.0
_TIMER_SECONDS = 0.002
"""How exact the event loop's timers are: later than this, a request is late by the client's or the service's fault."""


class Sender(Protocol):
    """Sends a request and returns its answer's status; raises OSError where no answer comes."""

    async def send(self, request: bytes) -> int: ...


@dataclass(slots=True)
class Tally:
    """What came of the requests so far."""

    answers: Counter[int] = field(default_factory=Counter)
    """By status."""
    failures: Counter[str] = field(default_factory=Counter)
    """Requests without an answer, by reason."""
    latencies_seconds: list[float] = field(default_factory=list)
    """Of the answered ones, in the order of the answers."""
    elapsed_seconds: float = 0.0


class Player:
    """Plays requests against a service.

    With a rate, requests are sent when they are due whether or not earlier ones were answered, and a latency runs from
    the moment that the request was due: a service that stalls is charged for all whom it kept waiting
    (no "coordinated omission"). Without one, `connections` clients send one after another, each as fast as it is
    answered.

    Parameters
    ----------
    tally
        Where it is noted what came of each request.
    rate_per_second
        0: as fast as possible.
    connections
        How many send at a time without a rate.
    on_answer
        Called after each request, for a progress bar.
    """

    def __init__(
        self, tally: Tally, *, rate_per_second: float, connections: int, on_answer: Callable[[], None]
    ) -> None:
        self._tally = tally
        self._rate_per_second = rate_per_second
        self._connections = connections
        self._on_answer = on_answer

    async def play(self, sender: Sender, requests: Iterable[bytes]) -> None:
        """Send all requests and wait for their answers; cancelled, it leaves the tally as it stands."""
        self._sender = sender
        started_seconds = perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                if self._rate_per_second:
                    await self._send_when_due(requests, group)
                else:
                    shared = iter(requests)
                    for _ in range(self._connections):
                        group.create_task(self._send_one_after_another(shared))
        finally:
            self._tally.elapsed_seconds = perf_counter() - started_seconds

    async def _send_when_due(self, requests: Iterable[bytes], group: asyncio.TaskGroup) -> None:
        first_seconds = perf_counter()
        for number, request in enumerate(requests):
            due_seconds = first_seconds + number / self._rate_per_second
            wait_seconds = due_seconds - perf_counter()
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            now_seconds = perf_counter()
            in_time = now_seconds - due_seconds < _TIMER_SECONDS
            group.create_task(self._send(request, since_seconds=now_seconds if in_time else due_seconds))

    async def _send_one_after_another(self, requests: Iterator[bytes]) -> None:
        for request in requests:
            await self._send(request, since_seconds=perf_counter())

    async def _send(self, request: bytes, *, since_seconds: float) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                status = await self._sender.send(request)
        except TimeoutError:
            self._tally.failures[f"no answer within {_TIMEOUT_SECONDS:g} s"] += 1
        except OSError as error:
            self._tally.failures[str(error.strerror or error)] += 1
        else:
            self._tally.answers[status] += 1
            self._tally.latencies_seconds.append(perf_counter() - since_seconds)
        self._on_answer()
