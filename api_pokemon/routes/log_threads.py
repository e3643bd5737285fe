"""Threads that wait for the log's database, so that the event loop does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from api_pokemon.monitoring import LogUnavailableError

T = TypeVar("T")

_THREADS = 4
"""For all look-ups together, so that a database that hangs cannot take the threads of anything else."""

_MOST_AT_ONCE = 256
"""Look-ups that run or wait for a thread; whoever comes then is turned away, as the log does not keep up."""

_ANSWER_WITHIN_SECONDS = 5.0


class LogThreads:
    """A few threads, each of which does one look-up at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="look-up")
        self._at_once = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do this in one of the threads.

        Raises
        ------
        LogUnavailableError
            If it takes too long, or too many wait.
        """
        if self._at_once >= _MOST_AT_ONCE:
            raise LogUnavailableError("Too many look-ups wait for the log.")
        self._at_once += 1
        try:
            async with in_time():
                # A thread that is given up is missing until it comes back: a log that hangs costs four, no more.
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._at_once -= 1


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Wait for the log in here, but not for long.

    Raises
    ------
    LogUnavailableError
        If it takes too long.
    """
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
            yield
    except TimeoutError:
        raise LogUnavailableError(f"The log did not answer within {_ANSWER_WITHIN_SECONDS:g} s.") from None
