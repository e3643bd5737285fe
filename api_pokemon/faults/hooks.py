"""Parts of the service with faults in them, each put around the true one, and only where faults are allowed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from time import sleep
from typing import Any

import msgspec
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from api_pokemon.errors import InjectedFaultError
from api_pokemon.faults import catalogue
from api_pokemon.faults.board import Faults
from api_pokemon.model import Answer, Predictor
from api_pokemon.model.gathering import Begun
from api_pokemon.monitoring import Entry, Exposition, OutboxState, Prediction, Stream, StreamUnavailableError
from api_pokemon.monitoring.accounting import CountedLog
from api_pokemon.monitoring.drift_checking import DriftCheck
from api_pokemon.monitoring.drift_metrics import LatestChecks
from api_pokemon.monitoring.prediction_log import WriterCounts


class FaultyRecord:
    """The last step before predictions are answered, slowed down, failing, or without the counting.

    Parameters
    ----------
    faults
        Which are on.
    record
        Keeps predictions and counts them.
    keep
        Keeps them, and does not count them.
    """

    def __init__(
        self, faults: Faults, record: Callable[..., Awaitable[None]], keep: Callable[..., Awaitable[None]]
    ) -> None:
        self._faults = faults
        self._record = record
        self._keep = keep
        self._owed = 0.0

    async def __call__(self, scope: MutableMapping[str, Any], *predictions: Prediction) -> None:
        level = self._faults.level
        if seconds := level(catalogue.SLOW_HANDLER):
            await asyncio.sleep(seconds)
        if (share := level(catalogue.FAILING_HANDLER)) and self._is_one_of(share):
            raise InjectedFaultError(catalogue.FAILING_HANDLER.name)
        if level(catalogue.UNCOUNTED_PREDICTIONS):
            await self._keep(*predictions)
        else:
            await self._record(scope, *predictions)

    def _is_one_of(self, share: float) -> bool:
        """Exactly that share of all, evenly spread."""
        self._owed += share
        if self._owed < 1:
            return False
        self._owed -= 1
        return True


class FaultyPredictor:
    """A predictor that may be slow, or unsure of everything."""

    def __init__(self, faults: Faults, predictor: Predictor) -> None:
        self._faults = faults
        self._predictor = predictor
        self.version = predictor.version
        self.tables = predictor.tables

    def answer(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None
    ) -> Sequence[Answer]:
        if seconds := self._faults.level(catalogue.SLOW_MODEL):
            sleep(seconds)  # inference holds the event loop, too
        answers = self._predictor.answer(form_a, moves_a, form_b, moves_b)
        if self._faults.level(catalogue.UNSURE_MODEL):
            return [replace(answer, win_probability=0.5) for answer in answers]
        return answers

    def begin(self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None) -> Begun:
        if self._faults.level(catalogue.SLOW_MODEL) or self._faults.level(catalogue.UNSURE_MODEL):
            return Begun(list(self.answer(form_a, moves_a, form_b, moves_b)))
        return self._predictor.begin(form_a, moves_a, form_b, moves_b)


class SlowExposition(Exposition):
    """Metrics that may be slow to come."""

    def __init__(self, faults: Faults, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._faults = faults

    async def respond(self, request: Request) -> Response:
        if seconds := self._faults.level(catalogue.SLOW_METRICS):
            await asyncio.sleep(seconds)
        return await super().respond(request)


class FaultyStream:
    """A stream that may seem empty, or not to be there."""

    def __init__(self, faults: Faults, stream: Stream) -> None:
        self._faults = faults
        self._stream = stream
        self.keeps_offset = stream.keeps_offset

    def read(self, most: int, wait_seconds: float, offsets: Mapping[str, int]) -> Sequence[Entry]:
        if self._faults.level(catalogue.UNREACHABLE_STREAM):
            raise StreamUnavailableError(f"the fault {catalogue.UNREACHABLE_STREAM.name} is on")
        if self._faults.level(catalogue.STALLED_CONSUMER):
            sleep(wait_seconds)
            return ()
        return self._stream.read(most, wait_seconds, offsets)

    def confirm(self, entries: Sequence[Entry]) -> None:
        self._stream.confirm(entries)

    def outboxes(self) -> Sequence[OutboxState]:
        return self._stream.outboxes()

    def close(self) -> None:
        self._stream.close()


class FaultyLog:
    """The rows of a log, of which some may seem to be missing."""

    def __init__(self, faults: Faults, log: CountedLog) -> None:
        self._faults = faults
        self._log = log

    def counts(self) -> dict[str, WriterCounts]:
        return self._log.counts()

    def count_through(self, writer: str, sequence: int) -> int:
        missing = int(self._faults.level(catalogue.MISCOUNTED_LOG) or 0)
        return self._log.count_through(writer, sequence) - missing


class FaultyDriftChecks:
    """What was found about drift, told otherwise."""

    def __init__(self, faults: Faults, checks: LatestChecks) -> None:
        self._faults = faults
        self._checks = checks

    def latest(self) -> Sequence[DriftCheck]:
        return [self._told(check) for check in self._checks.latest()]

    def something_to_check_since(self) -> float | None:
        return self._checks.something_to_check_since()

    def _told(self, check: DriftCheck) -> DriftCheck:
        drifted = {"request": catalogue.DRIFTED_REQUESTS, "choice": catalogue.DRIFTED_CHOICES}
        earlier = self._faults.level(catalogue.STALE_DRIFT_CHECK) or 0.0
        groups = tuple(
            msgspec.structs.replace(group, verdict="drift", verdict_before="drift")
            if self._faults.level(drifted[group.group])
            else group
            for group in check.groups
        )
        return msgspec.structs.replace(check, groups=groups, checked_seconds=check.checked_seconds - earlier)
