"""Gets the answering model its tablebase: opens it, or has it compiled meanwhile by a process of its own."""

import asyncio
import contextlib
import logging
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from typing import cast

from api_pokemon.errors import ModelDamagedError, ModelMissingError
from api_pokemon.monitoring.back_off import BackOff

logger = logging.getLogger(__name__)

_NICENESS = 10
"""Behind the service, but not last of all: at 19 it took nine minutes on a machine that was busy otherwise."""

_GRACE_SECONDS = 1.0

_BACK_OFF = BackOff(first_seconds=10.0, longest_seconds=3600.0, jitter=0.0)
"""It costs half a minute of a core each time, and may have failed for want of memory or of disk."""


class TablebaseUpkeep:
    """Opens a model version's tablebase once it is there.

    Parameters
    ----------
    load
        Opens it, or raises `ModelError`.
    command
        Compiles it, as a program with its arguments.
    on_loaded
        Called each time that it was opened.
    back_off
        How long to wait after a compilation that failed.
    """

    def __init__(
        self,
        load: Callable[[], None],
        command: Sequence[str],
        on_loaded: Callable[[], None],
        back_off: BackOff = _BACK_OFF,
    ) -> None:
        self._load = load
        self._command = command
        self._on_loaded = on_loaded
        self._back_off = back_off

    def open(self) -> bool:
        """Open the tablebase if it is there and sound; returns whether it answers now."""
        try:
            self._load()
        except ModelMissingError:
            return False
        except ModelDamagedError as error:
            logger.warning("%s", error)
            return False
        self._on_loaded()
        return True

    @contextlib.asynccontextmanager
    async def compiling(self) -> AsyncIterator[None]:
        """Compile it while the context lasts, then open it; what is not done at the end of the context is given up.

        A compilation that fails or is killed is tried again.
        """
        task = asyncio.create_task(self._compile_until_done())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _compile_until_done(self) -> None:
        logger.info("compiling the tablebase in the background; until then the model answers itself")
        failures = 0
        while failure := await self._compile():
            failures += 1
            seconds = self._back_off.delay_seconds(failures)
            logger.warning("the tablebase could not be compiled, which is tried again in %g s: %s", seconds, failure)
            await asyncio.sleep(seconds)
        if await asyncio.to_thread(self.open):
            logger.info("the tablebase is compiled, and answers")

    async def _compile(self) -> str:
        """Compile it once; returns why that failed, or nothing."""
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE)
        except OSError as error:
            return str(error)
        try:
            with contextlib.suppress(ProcessLookupError):  # it may have failed already
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
            # Standard input stays open meanwhile, so that the child sees it when this process ends.
            complaint = await cast(asyncio.StreamReader, process.stderr).read()
            status = await process.wait()
        finally:
            await _stop(process)
        reason = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        return f"exit status {status}, {reason or 'without a word'}" if status else ""


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):  # it may end by itself in this very moment
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
