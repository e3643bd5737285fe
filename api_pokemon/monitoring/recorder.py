"""Where events are kept before they are answered."""

import logging
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from time import monotonic
from typing import Protocol

from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.events import Event, encode
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_file import REASONS

logger = logging.getLogger(__name__)

_GATHERING_SECONDS = 0.002
"""Longest time for which events wait for those of other callers before they are committed."""

_CARRIED_EVERY_SECONDS = 0.1
"""So that little is left of the outbox's journal when a commit has to carry it over, for which its callers wait."""

_LOOKS = 4
"""So often it is looked, in the time that a commit may take, whether it is done."""


class Recorder(Protocol):
    """Makes events durable.

    A route awaits :meth:`record` before it answers, so what the caller was told is what was kept. Implementations may
    gather many callers into one commit: each call returns once the commit that holds its event is done.
    """

    async def record(self, *events: Event) -> None:
        """Return once the events survive the death of this process; all of them, or none.

        Raises
        ------
        NotRecordedError
            If they cannot be kept; a prediction must then not be served.
        """
        ...


class NullRecorder:
    """Keeps nothing: recording is off."""

    async def record(self, *events: Event) -> None:
        """Return at once."""


class OutboxRecorder:
    """Keeps events in an outbox: one thread commits whatever has gathered, each time with one write.

    Events are handed to the thread when a turn of the event loop brought no more of them, at the latest after 2 ms. So
    a single caller does not wait, and with many the thread works while the loop does not: each would otherwise take the
    interpreter from the other with every event, which costs several times what the commit does.

    The thread starts with the first event, so that an application without a lifespan can use it too.

    Parameters
    ----------
    open_outbox
        Opens the outbox; called in the thread, and again as long as it fails.
    limit_seconds
        How long a commit may take. Whoever waits for a longer one is refused as ``busy``; the event may be kept all
        the same, like one whose answer was lost on its way.

    Examples
    --------
    >>> import asyncio
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from api_pokemon.monitoring import Prediction, new_id
    >>> with TemporaryDirectory() as folder:
    ...     recorder = OutboxRecorder(lambda: Outbox(Path(folder, "outbox-0.sqlite")))
    ...     asyncio.run(recorder.record(Prediction(new_id(), "v1", probability=0.8, duration_seconds=0.001)))
    ...     recorder.close()
    ...     Outbox(Path(folder, "outbox-0.sqlite")).state().pending
    1
    """

    def __init__(self, open_outbox: Callable[[], Outbox], *, limit_seconds: float = 5.0) -> None:
        self._open_outbox = open_outbox
        self._limit_seconds = limit_seconds
        self._lock = Lock()
        self._filled: SimpleQueue[None] = SimpleQueue()
        self._waiting = _Batch()
        self._committing = _Batch()
        self._is_closed = False
        self._ended = Flag()
        self._threads: tuple[Thread, ...] = ()
        self._outbox: Outbox | None = None
        self._refused = dict.fromkeys(REASONS, 0)
        self._failing: str | None = None

    @property
    def refused(self) -> Mapping[str, int]:
        """How many events were refused, by reason; every reason is there from the start."""
        return self._refused

    async def record(self, *events: Event) -> None:
        """Return once the events are committed, which they are together.

        Raises
        ------
        NotRecordedError
            If they are not; a prediction must then not be served.
        ValueError
            If one could not be read again.
        """
        items = [(event.prediction_id, encode(event)) for event in events]
        loop = get_running_loop()
        future: Future[None] = loop.create_future()
        with self._lock:
            if self._is_closed:
                self._refused["closed"] += len(items)
                raise NotRecordedError("The recorder is closed; the process is about to end.", "closed")
            batch = self._waiting
            if not batch.futures:
                self._begin(batch, loop)
            elif batch.loop is not loop:  # which may have ended, and would then hand nothing over
                self._filled.put(None)
            batch.items += items
            batch.futures.append(future)
        await future

    def close(self) -> None:
        """Commit what waits, then stop; what comes later is refused. A second call changes nothing."""
        with self._lock:
            self._is_closed = True
        self._filled.put(None)
        self._ended.set()
        deadline = monotonic() + self._limit_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
            if thread.is_alive():
                logger.error("%s does not end; what was not answered may not be kept", thread.name)

    def _begin(self, batch: "_Batch", loop: AbstractEventLoop) -> None:
        """Let a batch gather on the loop of its first event; start the threads if it is the first of all."""
        batch.loop = loop
        batch.began_at = monotonic()
        loop.call_soon(self._hand_over, batch, 0)
        if not self._threads:
            self._threads = (
                Thread(target=self._commit_all, name="outbox-recorder", daemon=True),
                Thread(target=self._watch, name="outbox-recorder-limit", daemon=True),
                Thread(target=self._carry_over, name="outbox-recorder-journal", daemon=True),
            )
            for thread in self._threads:
                thread.start()

    def _hand_over(self, batch: "_Batch", seen: int) -> None:
        """Let the thread know of a batch once a turn of the loop brought nothing to it."""
        gathered = len(batch.items)
        if batch.loop and gathered > seen and monotonic() - batch.began_at < _GATHERING_SECONDS:
            batch.loop.call_soon(self._hand_over, batch, gathered)
        elif batch is self._waiting:
            self._filled.put(None)

    def _commit_all(self) -> None:
        while True:
            self._filled.get()
            with self._lock:
                batch, self._waiting = self._waiting, _Batch()
                self._committing = batch
                is_last = self._is_closed
            if batch.futures:
                self._answer(batch, self._commit(batch))
            if is_last:
                break
        if self._outbox:
            self._outbox.close()

    def _commit(self, batch: "_Batch") -> NotRecordedError | None:
        try:
            if self._outbox is None:
                self._outbox = self._open_outbox()
            self._outbox.append(batch.items)
        except NotRecordedError as error:
            return error
        except Exception as error:  # the outermost loop of the thread, for which callers wait
            logger.exception("the outbox failed in an unknown way")
            return NotRecordedError(f"The outbox failed: {error!r}.")
        return None

    def _carry_over(self) -> None:
        while not self._ended.wait(_CARRIED_EVERY_SECONDS):
            if self._outbox:
                self._outbox.carry_over()

    def _watch(self) -> None:
        """Refuse whoever waits for a commit that hangs.

        Seen to hang, that is, several times: time alone also goes by while the whole process is suspended.
        """
        while not self._ended.wait(self._limit_seconds / _LOOKS):
            for batch in (self._committing, self._waiting):
                batch.looks += bool(batch.futures)
                if batch.looks > _LOOKS:
                    self._answer(batch, NotRecordedError(f"No commit in {self._limit_seconds:g} s.", "busy"))

    def _answer(self, batch: "_Batch", refusal: NotRecordedError | None) -> None:
        """Tell everyone in the batch, once; every event loop that is concerned is woken once."""
        with self._lock:
            if batch is self._waiting:
                self._waiting = _Batch()
            futures, batch.futures = batch.futures, []
            if refusal:
                self._refused[refusal.reason] += len(batch.items)
            self._tell(refusal)
        loops: dict[AbstractEventLoop, list[Future[None]]] = {}
        for future in futures:
            loops.setdefault(future.get_loop(), []).append(future)
        for loop, own in loops.items():
            with suppress(RuntimeError):  # a loop that is closed has nobody waiting
                loop.call_soon_threadsafe(_settle, own, refusal)

    def _tell(self, refusal: NotRecordedError | None) -> None:
        """Log a change once, not each refusal."""
        before, self._failing = self._failing, refusal.reason if refusal else None
        if refusal and refusal.reason != before:
            logger.error("predictions are refused, since they cannot be recorded: %s", refusal)
        elif before and not refusal:
            logger.info("predictions are recorded again")


class _Batch:
    """Events that are committed together, and who waits for them."""

    __slots__ = ("began_at", "futures", "items", "looks", "loop")

    def __init__(self) -> None:
        self.items: list[tuple[str, bytes]] = []
        self.futures: list[Future[None]] = []
        self.began_at = 0.0
        self.looks = 0
        self.loop: AbstractEventLoop | None = None


def _settle(futures: list[Future[None]], refusal: NotRecordedError | None) -> None:
    """An error of its own for each, since raising one writes into it."""
    for future in futures:
        if future.done():  # by a caller that went away
            continue
        if refusal is None:
            future.set_result(None)
        else:
            future.set_exception(NotRecordedError(str(refusal), refusal.reason))
