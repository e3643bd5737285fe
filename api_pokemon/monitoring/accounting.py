"""Whether every event that was accepted is in the log, from sources that could contradict each other.

An outbox counts what it has accepted: its last sequence number, which it never uses again. What it still holds is
pending. The log is asked how many rows it has of that outbox. Nothing of this is derived from the rest, so

    accepted = logged + pending

can be false. While events flow, the three are read one after the other, and differ by what moved meanwhile. So a loss
is looked for where nothing moves: an outbox lets go of an entry only when it is logged, hence the log must hold just
as many rows as there are sequence numbers up to the last one below all that is pending (*settled*).
"""

import logging
from collections.abc import Callable, Collection, Iterable
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.errors import LogMissingError, LogUnavailableError, StreamUnavailableError
from api_pokemon.monitoring.outbox_metrics import lag_seconds
from api_pokemon.monitoring.prediction_log import WriterCounts
from api_pokemon.monitoring.stream import OutboxState

logger = logging.getLogger(__name__)

_SHARE = 0.02
"""Of its time that an accountant may spend counting: a count of many millions of rows takes a while."""

_LONGEST_PAUSE_SECONDS = 60.0
"""Between two counts all the same, or an alert would come too late."""


class Balance(NamedTuple):
    """The account of one outbox.

    Parameters
    ----------
    writer
        Identity of the outbox.
    accepted
        Events that it has ever taken.
    logged
        Rows that the log has of it, and those that retention has removed.
    pending
        Events that it still holds.
    unaccounted
        Of those that it let go as logged, how many the log lacks; below 0, how many it has too many.
    """

    writer: str
    accepted: int
    logged: int
    pending: int
    unaccounted: int


class CountedLog(Protocol):
    """Tells how many rows it has, as :class:`~api_pokemon.monitoring.prediction_log.PredictionLog` does."""

    def counts(self) -> dict[str, WriterCounts]: ...

    def count_through(self, writer: str, sequence: int) -> int: ...


def draw_up(log: CountedLog, outboxes: Iterable[OutboxState]) -> list[Balance]:
    """Return the balance of each outbox, read before the log is: what is settled stays so.

    Raises
    ------
    LogUnavailableError
        If the log cannot be asked.
    """
    states = _by_writer(outboxes)
    if not states:
        return []
    try:
        counts = log.counts()
        settled = [log.count_through(state.writer, state.settled) for state in states]
    except LogMissingError:  # nothing was ever logged, or the log is gone
        counts, settled = {}, [0] * len(states)
    return [_balance(state, counts.get(state.writer), logged) for state, logged in zip(states, settled, strict=True)]


def draw_up_without_outbox(log: CountedLog, known: Collection[str]) -> list[Balance]:
    """Return the balance of each outbox that the log knows and nobody else does: its file is gone, or elsewhere.

    All that can be told is that it has accepted its last logged sequence, and what the log lacks up to there.

    Parameters
    ----------
    known
        Writers whose outbox is there.

    Raises
    ------
    LogUnavailableError
        If the log cannot be asked.
    """
    try:
        counts = log.counts()
    except LogMissingError:
        return []
    return [
        Balance(
            writer,
            count.last_sequence,
            count.logged + count.removed,
            0,
            count.last_sequence - count.logged - count.removed,
        )
        for writer, count in counts.items()
        if writer not in known
    ]


def _by_writer(outboxes: Iterable[OutboxState]) -> list[OutboxState]:
    """Put together what two files hold of one outbox, as there are where a damaged one was saved in two pieces."""
    found: dict[str, OutboxState] = {}
    for state in outboxes:
        other = found.get(state.writer, state)
        found[state.writer] = state._replace(
            last_sequence=max(state.last_sequence, other.last_sequence),
            pending=state.pending + (other.pending if other is not state else 0),
            settled=min(state.settled, other.settled),
        )
    return list(found.values())


def _balance(state: OutboxState, counts: WriterCounts | None, settled: int) -> Balance:
    return Balance(
        state.writer,
        accepted=state.last_sequence,
        logged=counts.logged + counts.removed if counts else 0,
        pending=state.pending,
        unaccounted=state.settled - settled,
    )


class Accountant:
    """Draws up the balances in a thread of its own, again and again, and shows what it saw last.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    log
        The prediction log.
    outboxes
        Tells the state of each outbox whose events this log takes; may raise `StreamUnavailableError`.
    pause_seconds
        Between two looks at the outboxes. Rows are counted as often, unless that takes long.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        log: CountedLog,
        outboxes: Callable[[], Iterable[OutboxState]],
        pause_seconds: float = 1.0,
    ) -> None:
        self._log = log
        self._outboxes = outboxes
        self._pause_seconds = pause_seconds
        self._balances: tuple[Balance, ...] = ()
        self._states: tuple[OutboxState, ...] = ()
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="accountant", daemon=True)
        registry.register(self)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End soon, without waiting for it."""
        self._stopping.set()

    def describe(self) -> Iterable[Metric]:
        return _families()

    def collect(self) -> Iterable[Metric]:
        logged, unaccounted, lag = _families()
        for balance in self._balances:
            logged.add_metric([balance.writer], balance.logged)
            unaccounted.add_metric([balance.writer], balance.unaccounted)
        lag.add_metric([], lag_seconds(self._states))
        return logged, unaccounted, lag

    def _run(self) -> None:
        count_at = 0.0
        while not self._stopping.is_set():
            try:
                self._states = tuple(self._outboxes())
                began = monotonic()
                if began >= count_at:
                    self._balances = tuple(draw_up(self._log, self._states))
                    ended = monotonic()
                    count_at = ended + min((ended - began) / _SHARE, _LONGEST_PAUSE_SECONDS)
            except (LogUnavailableError, StreamUnavailableError) as error:
                logger.debug("no balance: %s", error)  # the consumer tells those who read the log
            except Exception:  # the outermost loop of this thread
                logger.exception("no balance; trying again")
            self._stopping.wait(self._pause_seconds)


def _families() -> tuple[CounterMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return catalogue.EVENTS_LOGGED.counters(), catalogue.EVENTS_UNACCOUNTED.gauges(), catalogue.LOG_LAG.gauges()
