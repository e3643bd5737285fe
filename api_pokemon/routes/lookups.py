"""What is on record of predictions and their outcomes, without ever holding up the event loop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

from api_pokemon.monitoring import (
    Event,
    EventError,
    LogUnavailableError,
    NotRecordedError,
    OutboxFolder,
    Outcome,
    Prediction,
    decode,
    new_id,
)
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.prediction_log import LoggedPrediction, PredictionLog
from api_pokemon.routes.log_threads import LogThreads, in_time

logger = logging.getLogger(__name__)


class KnownOutcome(NamedTuple):
    """What really happened to a prediction, and when that was reported."""

    happened: bool
    reported_at_seconds: float


class Found(NamedTuple):
    """A prediction that is on record.

    Parameters
    ----------
    logged
        As the log has it; None while it is only accepted.
    outcome
        As the log has it, or else as it was accepted.
    """

    logged: LoggedPrediction | None
    outcome: KnownOutcome | None


class Wanted(NamedTuple):
    """Which logged predictions, in the words of `PredictionLog.page`."""

    before: str | None
    since_seconds: float | None
    until_seconds: float | None
    model_version: str | None
    any_field: Mapping[str, str]


class Lookups:
    """Looks into the outboxes and the log, and takes outcomes in.

    Parameters
    ----------
    log
        Holds whatever a worker has carried there; one that does not exist yet holds nothing.
    outboxes
        Hold what was accepted, until it is logged.
    record
        Keeps an outcome, or raises `NotRecordedError`.
    """

    def __init__(self, log: PredictionLog, outboxes: OutboxFolder, record: Callable[[Event], Awaitable[None]]) -> None:
        self._log = log
        self._outboxes = outboxes
        self._record = record
        self._threads = LogThreads()
        self._reporting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, prediction_id: str) -> Found | None:
        """What is on record of that id; None if nothing is.

        Raises
        ------
        LogUnavailableError
            If the log does not answer, and the prediction is not waiting for it either.
        """
        return await self._threads.run(partial(self._find, prediction_id, surely=False))

    async def page(self, most: int, wanted: Wanted) -> list[LoggedPrediction]:
        """Logged predictions, the newest first.

        Raises
        ------
        LogUnavailableError
            If the log does not answer.
        """
        return await self._threads.run(partial(self._page, most, wanted))

    async def report(self, prediction_id: str, *, happened: bool) -> KnownOutcome | None:
        """Keep what happened, unless an outcome is known already; returns the one that stands.

        Reports of one prediction wait for each other, so that one of them is kept. Those that reach two processes in
        the same moment may both be; the log then keeps the first.

        Returns
        -------
        KnownOutcome or None
            None if there is no such prediction.

        Raises
        ------
        LogUnavailableError
            If the log does not answer, so that it is unknown what it holds.
        NotRecordedError
            If the outcome cannot be kept.
        """
        lock = self._reporting.setdefault(prediction_id, asyncio.Lock())
        async with in_time():  # or each would wait as long for the log as all before it together
            await lock.acquire()
        try:
            return await self._report(prediction_id, happened)
        finally:
            lock.release()

    async def _report(self, prediction_id: str, happened: bool) -> KnownOutcome | None:
        found = await self._threads.run(partial(self._find, prediction_id, surely=True))
        if found is None or found.outcome is not None:
            return None if found is None else found.outcome
        outcome = Outcome(new_id(), prediction_id, happened)
        await self._record(outcome)
        return KnownOutcome(happened, outcome.made_at_seconds)

    def _find(self, prediction_id: str, *, surely: bool) -> Found | None:
        """Look an id up; `surely` refuses to tell what one of the two places that cannot be read may contradict."""
        # An entry leaves its outbox only once it is logged: in this order none is missed on its way.
        held, unread = self._held(prediction_id)
        accepted = any(isinstance(event, Prediction) for event in held)
        logged = None
        try:
            logged = self._log.find(prediction_id)
        except LogMissingError:
            pass
        except LogUnavailableError:
            if surely or not accepted:
                raise
        if unread and (surely or not (logged or accepted)):
            raise LogUnavailableError("An outbox cannot be read, and it may hold what is looked for.") from unread
        if logged is None:
            return Found(None, _reported(held)) if accepted else None
        return Found(logged, outcome_of(logged) or _reported(held))

    def _held(self, prediction_id: str) -> tuple[list[Event], NotRecordedError | None]:
        try:
            return _events(self._outboxes.find(prediction_id)), None
        except NotRecordedError as error:
            return [], error

    def _page(self, most: int, wanted: Wanted) -> list[LoggedPrediction]:
        try:
            return self._log.page(most, **wanted._asdict())
        except LogMissingError:
            return []


def _events(bodies: list[bytes]) -> list[Event]:
    events = []
    for body in bodies:
        try:
            events.append(decode(body))
        except EventError as error:  # by a newer version of the service; the worker deals with it
            logger.warning("an event in the outbox cannot be read: %s", error)
    return events


def outcome_of(logged: LoggedPrediction) -> KnownOutcome | None:
    """The outcome that the log has."""
    if logged.happened is None or logged.outcome_at_seconds is None:
        return None
    return KnownOutcome(logged.happened, logged.outcome_at_seconds)


def _reported(held: list[Event]) -> KnownOutcome | None:
    """The first outcome that waits for the log."""
    outcomes = (event for event in held if isinstance(event, Outcome))
    return next((KnownOutcome(event.happened, event.made_at_seconds) for event in outcomes), None)
