"""Carries events from the stream into the prediction log."""

import logging
from collections.abc import Callable, Iterable, Sequence
from threading import Event as Flag
from time import monotonic
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from sqlalchemy import Connection

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.errors import LogUnavailableError, StreamUnavailableError
from api_pokemon.monitoring.prediction_log import PredictionLog, Written
from api_pokemon.monitoring.stream import Entry, Stream

logger = logging.getLogger(__name__)

Also = Callable[[Connection, Written], None]
"""Takes part in the transaction that logs a batch: all of it happens, or nothing."""


class Reachable(NamedTuple):
    """Whether the two ends could be reached when they were last tried."""

    stream: bool
    log: bool


class Consumer:
    """Reads a batch, logs it, confirms it, until it is told to stop.

    At least once from the stream, exactly once in the log: a batch that was logged and not confirmed comes again, and
    the log knows its ids.

    Parameters
    ----------
    stream, log
        From where, to where. The log is migrated first.
    also
        What else belongs into the log's transaction.
    most
        Events in a batch, at most.
    wait_seconds
        How long one reading waits for events; also how quickly :meth:`stop` is noticed.
    back_off
        Waits after a failure, doubling.
    """

    def __init__(
        self,
        stream: Stream,
        log: PredictionLog,
        *,
        also: Also | None = None,
        most: int = 1000,
        wait_seconds: float = 0.5,
        back_off: BackOff | None = None,
    ) -> None:
        self._stream = stream
        self._log = log
        self._also = also
        self._most = most
        self._wait_seconds = wait_seconds
        self._back_off = back_off or BackOff()
        self._stopping = Flag()
        self._reachable = Reachable(stream=True, log=False)
        self._refused = False
        self._beat_seconds = monotonic()

    @property
    def reachable(self) -> Reachable:
        """Whether stream and log answered when they were last tried."""
        return self._reachable

    @property
    def silent_seconds(self) -> float:
        """Time since the last turn of the loop; long where something hangs."""
        return monotonic() - self._beat_seconds

    def stop(self) -> None:
        """Let :meth:`run` return after the batch in hand. May be called from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Carry events until :meth:`stop`; what cannot be reached is tried again, and nothing is lost meanwhile."""
        failures = 0
        offsets: dict[str, int] | None = None
        while not self._stopping.is_set():
            self._beat_seconds = monotonic()
            try:
                if offsets is None:
                    self._log.migrate()
                    self._retry_rejected()
                    offsets = self._log.offsets()
                    if not self._refused:
                        self._tell(Reachable(self._reachable.stream, log=True))
                self._carry(offsets)
                failures = 0
            except LogUnavailableError as error:
                offsets = None  # another worker may have moved them meanwhile
                self._tell(Reachable(self._reachable.stream, log=False), error)
            except StreamUnavailableError as error:
                self._tell(Reachable(stream=False, log=self._reachable.log), error)
            except Exception:  # the outermost loop of this thread
                offsets = None
                self._reachable = Reachable(self._reachable.stream, log=False)
                logger.exception("events are not logged; trying again, nothing is lost")
            else:
                continue
            failures += 1
            self._stopping.wait(self._back_off.delay_seconds(failures))

    def _retry_rejected(self) -> None:
        """What an older version had set aside may be an event to this one."""
        if accepted := self._log.retry_rejected(also=self._also):
            logger.info("%d entries that were set aside are events to this version, and are logged", accepted)

    def _carry(self, offsets: dict[str, int]) -> None:
        entries = self._stream.read(self._most, self._wait_seconds, offsets)
        self._tell(Reachable(stream=True, log=self._reachable.log))
        if entries:
            self._refused = True  # until it is written: a log may well be read while its disk is full
            written = self._log.write(entries, keep_offsets=self._stream.keeps_offset, also=self._also)
            if written.rejected:
                logger.error(
                    "%d entries are no events that this version knows; they are kept as rejected", written.rejected
                )
        self._refused = False
        self._tell(Reachable(stream=True, log=True))
        _move(offsets, entries)
        self._stream.confirm(entries)

    def _tell(self, reachable: Reachable, error: Exception | None = None) -> None:
        """Log a change once, not each try."""
        before, self._reachable = self._reachable, reachable
        for name, was, is_now in zip(Reachable._fields, before, reachable, strict=True):
            if was and not is_now:
                logger.error("the %s cannot be reached: %s; trying again, nothing is lost", name, error)
            elif is_now and not was:
                logger.info("the %s answers", name)


class ConsumerMetrics:
    """Shows whether the two ends of a consumer can be reached.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    consumer
        Whom to ask.
    """

    def __init__(self, registry: CollectorRegistry, consumer: Consumer) -> None:
        self._consumer = consumer
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        stream, log = self._consumer.reachable
        for spec, is_up in ((catalogue.STREAM_UP, stream), (catalogue.LOG_UP, log)):
            gauges = spec.gauges()
            gauges.add_metric([], is_up)
            yield gauges


def _move(offsets: dict[str, int], entries: Sequence[Entry]) -> None:
    for entry in entries:
        offsets[entry.writer] = max(entry.sequence, offsets.get(entry.writer, 0))
