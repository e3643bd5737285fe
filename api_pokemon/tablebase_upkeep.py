"""Gets the answering model its tablebase: opens it, or has it compiled meanwhile by a process of its own."""

import asyncio
import contextlib
import logging
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from typing import cast

from api_pokemon.errors import ModelDamagedError, ModelMissingError

logger = logging.getLogger(__name__)

_NICENESS = 10
"""Behind the service, but not last of all: at 19 it took nine minutes on a machine that was busy otherwise."""

_GRACE_SECONDS = 1.0


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
    """

    def __init__(self, load: Callable[[], None], command: Sequence[str], on_loaded: Callable[[], None]) -> None:
        self._load = load
        self._command = command
        self._on_loaded = on_loaded

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
        """Compile it while the context lasts, then open it; what is not done at the end of the context is given up."""
        task = asyncio.create_task(self._compile())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _compile(self) -> None:
        logger.info("compiling the tablebase in the background; until then the model answers itself")
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE)
        except OSError as error:
            logger.warning("the tablebase could not be compiled: %s", error)
            return
        try:
            with contextlib.suppress(ProcessLookupError):  # it may have failed already
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
            # Standard input stays open meanwhile, so that the child sees it when this process ends.
            complaint = await cast(asyncio.StreamReader, process.stderr).read()
            status = await process.wait()
        finally:
            await _stop(process)
        if status != 0:
            reason = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            logger.warning("the tablebase could not be compiled (exit status %d): %s", status, reason)
        elif await asyncio.to_thread(self.open):
            logger.info("the tablebase is compiled, and answers")


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
