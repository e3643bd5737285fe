"""Carries what outboxes hold into the stream, beside the service and out of its way."""

import logging
from pathlib import Path
from sqlite3 import Error as SqliteError
from threading import Event, Thread
from time import monotonic
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import RedisError

from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.errors import MonitoringError
from api_pokemon.monitoring.outbox_folder import Claim, OutboxFolder
from api_pokemon.monitoring.outbox_sender import OutboxSender, SendLimits
from api_pokemon.monitoring.redis_connection import connect, describe
from api_pokemon.monitoring.redis_layout import Keys
from api_pokemon.monitoring.stream_metrics import StreamStatus

logger = logging.getLogger(__name__)

_OUTBOX_TROUBLE = (SqliteError, OSError, MonitoringError)
_STOP_SECONDS = 0.8
_CUT_SECONDS = 0.2


class Pace(NamedTuple):
    """How often the forwarder does what, in seconds.

    Parameters
    ----------
    poll_seconds
        Looks for new entries and confirmations.
    report_seconds
        Reports each outbox, and looks for entries that have been unconfirmed for long.
    claim_seconds
        Looks for outboxes that dead processes left behind.
    timeout_seconds
        Waits for an answer of Redis at most.
    """

    poll_seconds: float = 0.05
    report_seconds: float = 1.0
    claim_seconds: float = 3.0
    timeout_seconds: float = 2.0


class Forwarder:
    """A thread that sends the entries of this process's outbox to a Redis Stream, and those of abandoned outboxes.

    An entry leaves its outbox only when a worker has confirmed that it is logged. Whatever happens to Redis meanwhile
    (it refuses, hangs, is full or read-only, restarts empty), the entry is still here, and is sent again where it is
    lost: :class:`~api_pokemon.monitoring.outbox_sender.OutboxSender`. While Redis cannot be used, one try is made after
    each back-off, and one line is logged when that begins and when it ends.

    Parameters
    ----------
    folder
        Where the outboxes are.
    own
        The outbox that this process has claimed and writes to.
    url
        See :func:`~api_pokemon.monitoring.redis_connection.connect`.
    name
        Of the stream.
    limits, pace, back_off
        See there.
    most_in_stream
        Nothing is sent while the stream holds more, however many send to it: what bounds the memory of Redis.

    Raises
    ------
    ValueError
        If the address cannot be read.
    """

    def __init__(
        self,
        folder: OutboxFolder,
        own: Path,
        url: str,
        *,
        name: str = "events",
        limits: SendLimits | None = None,
        pace: Pace | None = None,
        back_off: BackOff | None = None,
        most_in_stream: int = 200_000,
    ) -> None:
        self._folder = folder
        self._own = own
        self._where = describe(url)
        self._pace = pace or Pace()
        self._redis = connect(url, timeout_seconds=self._pace.timeout_seconds, role=f"{name}-forwarder")
        self._keys = Keys.of(name)
        self._limits = limits or SendLimits()
        self._back_off = back_off or BackOff()
        self._most_in_stream = most_in_stream
        self._outboxes: dict[Path, _Held] = {}
        self._up: bool | None = None
        self._entries: int | None = None
        self._look_at = 0.0
        self._report_at = 0.0
        self._failed_to_open: set[Path] = set()
        self._stopping = Event()
        self._cut = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="forwarder", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Send what is left where Redis answers, and end. Returns within about a second even where Redis hangs."""
        self._stopping.set()
        if self._thread is None:
            return
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            self._cut.set()
            self._redis.connection_pool.disconnect()  # wakes a thread that waits for an answer
            self._thread.join(_CUT_SECONDS)

    def status(self) -> StreamStatus:
        """Return what was last heard of the stream; may be called from any thread."""
        return StreamStatus(bool(self._up), self._entries)

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                pause_seconds, failures = self._try(failures)
                self._stopping.wait(pause_seconds)
            while self._up and not self._cut.is_set() and not failures:
                pause_seconds, failures = self._try(failures)
                if pause_seconds:
                    break
        finally:
            for held in tuple(self._outboxes.values()):
                self._let_go(held)
            self._redis.close()

    def _try(self, failures: int) -> tuple[float, int]:
        """Do one round; return how long to wait before the next one, and the failures in a row."""
        try:
            more = self._round()
        except RedisError as error:
            if not self._cut.is_set():
                self._tell(up=False, error=error)
            self._redis.connection_pool.disconnect()  # a name may lead to another server by the next try
        except Exception:  # the outermost loop of this thread
            if not self._cut.is_set():
                logger.exception("the forwarder met what it did not expect; it goes on")
        else:
            return 0.0 if more else self._pace.poll_seconds, 0
        return self._back_off.delay_seconds(failures + 1), failures + 1

    def _round(self) -> bool:
        """Serve each outbox once; return whether one of them has more to send at once."""
        now = monotonic()
        if now >= self._look_at:
            self._look_for_outboxes()
            self._look_at = now + self._pace.claim_seconds
        thorough = not self._up or now >= self._report_at or self._stopping.is_set()
        more = False
        for held in tuple(self._outboxes.values()):
            if not self._up:
                held.sender.doubt()
            more |= self._serve(held, thorough)
        if thorough:
            self._entries = int(self._redis.xlen(self._keys.stream))
            self._report_at = now + self._pace.report_seconds
            self._tell(up=True)
        return more

    def _serve(self, held: "_Held", thorough: bool) -> bool:
        """Serve one outbox; its troubles are its own, and do not keep others waiting."""
        if monotonic() < held.rest_until:
            return False
        try:
            more = self._carry(held, thorough)
        except _OUTBOX_TROUBLE as error:
            held.failures += 1
            held.rest_until = monotonic() + self._back_off.delay_seconds(held.failures)
            if held.failures == 1:
                logger.error("outbox %s cannot be used: %s; trying again", held.path, error)
            return False
        held.failures = 0
        return more

    def _carry(self, held: "_Held", thorough: bool) -> bool:
        held.sender.settle(self._redis)
        if thorough:
            is_empty = held.sender.report(self._redis)  # a write: where Redis takes none, the round ends here
            if is_empty and held.claim is not None:
                logger.info("the abandoned outbox %s is empty now", held.path)
                self._let_go(held)
                return False
            held.sender.check(self._redis)
        return (self._entries or 0) < self._most_in_stream and held.sender.send(self._redis)

    def _look_for_outboxes(self) -> None:
        """Open what is to be served: also what is empty and nobody's, where Redis does not know that it is."""
        if self._own not in self._outboxes:
            self._open(self._own, None)
        reports: Any = self._redis.hgetall(self._keys.outboxes)
        told = {writer.decode(): msgspec.json.decode(report)["settled"] for writer, report in reports.items()}
        try:
            claims = self._folder.claim_abandoned(told=told)
        except _OUTBOX_TROUBLE as error:
            logger.warning("cannot look for abandoned outboxes: %s", error)
            return
        for claim in claims:
            logger.info("draining the abandoned outbox %s", claim.path)
            self._open(claim.path, claim)

    def _open(self, path: Path, claim: Claim | None) -> None:
        try:
            outbox = self._folder.open(path)
        except _OUTBOX_TROUBLE as error:
            if path not in self._failed_to_open:
                logger.error("outbox %s cannot be opened: %s; trying again", path, error)
            self._failed_to_open.add(path)
            if claim is not None:
                claim.release()
            return
        self._failed_to_open.discard(path)
        self._outboxes[path] = _Held(path, OutboxSender(outbox, self._keys, self._limits), claim)

    def _let_go(self, held: "_Held") -> None:
        del self._outboxes[held.path]
        self._look_at = 0.0
        held.sender.close()
        if held.claim is not None:
            held.claim.release()

    def _tell(self, *, up: bool, error: Exception | None = None) -> None:
        """Log a change once, not each try."""
        if up and self._up is not True:
            logger.info("the stream at %s takes events", self._where)
        elif not up and self._up is not False:
            logger.error(
                "the stream at %s cannot be used: %s; outboxes keep what comes, nothing is lost", self._where, error
            )
        self._up = up
        if not up:
            self._entries = None


class _Held:
    """An outbox in our hands; with a claim if it is not this process's own."""

    def __init__(self, path: Path, sender: OutboxSender, claim: Claim | None) -> None:
        self.path = path
        self.sender = sender
        self.claim = claim
        self.failures = 0
        self.rest_until = 0.0
