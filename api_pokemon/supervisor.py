"""Keeps child processes running, and stops them together.

A child that dies is started again after a delay that doubles from one death to the next, unless it dies before it was
ready for the first time: then all is stopped, since the next start would hardly do better. Children run in process
groups of their own, so that Ctrl-C reaches the supervisor alone and it can stop them in good order; each gets a pipe as
standard input, which closes with the supervisor (see :mod:`api_pokemon.lifeline`).
"""

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api_pokemon.startup import EXIT_CANNOT_START

logger = logging.getLogger(__name__)

_LAST_LINES = 5


@dataclass(frozen=True, slots=True)
class Child:
    """A program to keep running.

    Parameters
    ----------
    name
        In the log.
    command
        The program and its arguments.
    descriptors
        The open files that it inherits.
    after
        The child that must have been ready before this one is started for the first time, if any: where that one
        cannot start, its explanation then stands alone.
    log
        The file that gets what it writes to standard output and error, after what is in it; without one, it
        writes where we do.
    """

    name: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()
    after: str | None = None
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait before a child is started again.

    Examples
    --------
    >>> back_off = BackOff(first_seconds=0.2, longest_seconds=10.0, stable_seconds=30.0)
    >>> [back_off.delay_seconds(deaths) for deaths in (1, 2, 3, 6, 7)]
    [0.2, 0.4, 0.8, 6.4, 10.0]
    """

    first_seconds: float = 0.2
    longest_seconds: float = 5.0
    """With the two or three seconds of a start, callers wait no more than ten for what dies again and again."""

    stable_seconds: float = 10.0
    """A child that ran this long had started well: its deaths are counted from one again."""

    def deaths_after(self, deaths: int, *, ran_seconds: float) -> int:
        """The count of deaths in a row, once a child that had died so often has died again."""
        return 1 if ran_seconds >= self.stable_seconds else deaths + 1

    def delay_seconds(self, deaths: int) -> float:
        return float(min(self.longest_seconds, self.first_seconds * 2 ** min(deaths - 1, 32)))


class Supervisor:
    """Runs children until :meth:`stop`.

    Parameters
    ----------
    children
        Started together, stopped together.
    back_off
        Delays between a death and the next start.
    grace_seconds
        Time between SIGTERM and SIGKILL for a child that is to stop.
    """

    def __init__(
        self, children: Sequence[Child], *, back_off: BackOff | None = None, grace_seconds: float = 4.5
    ) -> None:
        self._children = children
        self._back_off = back_off or BackOff()
        self._grace_seconds = grace_seconds
        self._stopping = asyncio.Event()
        self._ready = {child.name: asyncio.Event() for child in children}
        self._cannot_start = False

    def note_ready(self, name: str) -> None:
        """Take note that a child of that name does its work: from now on it is started again whenever it dies."""
        self._ready[name].set()

    def stop(self) -> None:
        """End all children, after which :meth:`run` returns. May be called again, and by a signal handler."""
        self._stopping.set()

    async def run(self) -> bool:
        """Keep the children running until they are to stop.

        Returns
        -------
        bool
            False where a child died before it had ever been ready, and so had everything stopped.
        """
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(self._keep(child))
        return not self._cannot_start

    async def _keep(self, child: Child) -> None:
        if child.after:
            await _first_of(self._ready[child.after], self._stopping)
        deaths = 0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started_seconds = loop.time()
            status = await self._run_once(child)
            if self._stopping.is_set():
                return
            if not self._ready[child.name].is_set():
                self._give_up(child, status)
                return
            deaths = self._back_off.deaths_after(deaths, ran_seconds=loop.time() - started_seconds)
            delay_seconds = self._back_off.delay_seconds(deaths)
            logger.warning("%s %s; starting it again in %g s", child.name, _cause_of_death(status), delay_seconds)
            await self._stopped_within(delay_seconds)

    def _give_up(self, child: Child, status: int) -> None:
        if child.log or status != EXIT_CANNOT_START:  # with that status it has said why itself
            logger.error("%s %s before it was ready; stopping", child.name, _cause_of_death(status))
            for line in _last_lines(child.log) if child.log else ():
                logger.error("%s: %s", child.name, line)
        self._cannot_start = True
        self.stop()

    async def _run_once(self, child: Child) -> int:
        """Run the child until it dies, or until all are to stop; returns its exit status, negative for a signal."""
        try:
            process = await _start(child)
        except OSError as error:  # no memory or no process left: it counts as a death, and may pass
            logger.error("%s cannot be started: %s", child.name, error)
            return os.EX_OSERR
        # The child tells those who read the log when it is up; before that this is no news.
        logger.debug("%s started (process %d)", child.name, process.pid)
        death = asyncio.create_task(process.wait())
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((death, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not death.done():
            await self._end(child, process)
        return await death

    async def _end(self, child: Child, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may end by itself in this very moment
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._grace_seconds)
        except TimeoutError:
            logger.warning("%s did not stop within %g s; killing it", child.name, self._grace_seconds)
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _stopped_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def _start(child: Child) -> Process:
    with child.log.open("ab") if child.log else contextlib.nullcontext() as log:
        return await asyncio.create_subprocess_exec(
            *child.command, stdin=PIPE, stdout=log, stderr=log, pass_fds=child.descriptors, process_group=0
        )


def _last_lines(log: Path) -> list[str]:
    """Which mostly say why."""
    try:
        return log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    except OSError as error:
        return [f"({log} cannot be read: {error.strerror})"]


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def _cause_of_death(status: int) -> str:
    """
    >>> _cause_of_death(-9), _cause_of_death(3)
    ('was killed by signal 9 (Killed)', 'ended with exit status 3')
    """
    if status < 0:
        return f"was killed by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with exit status {status}"
