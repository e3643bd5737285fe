"""One outbox on its way into the stream: what was sent, what is confirmed, what must be sent again."""

import logging
from collections.abc import Sequence
from secrets import token_hex
from time import monotonic
from typing import Any, NamedTuple

import msgspec
from redis import Redis

from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.redis_layout import FIND_ABSENT, SEND, Keys, read_ranges
from api_pokemon.monitoring.stream import Entry

logger = logging.getLogger(__name__)

_CONFIRMATIONS = 100
_CHECKED_AT_ONCE = 1000


class SendLimits(NamedTuple):
    """How much is under way, and how long before one asks what became of it.

    Parameters
    ----------
    window
        Entries of one outbox that may be sent and unconfirmed; bounds the memory of this process and of Redis.
    batch
        Entries sent at once.
    check_seconds, longest_check_seconds
        The time after which an unconfirmed entry is looked for in the stream; doubles each time it is found there.
    """

    window: int = 20_000
    batch: int = 500
    check_seconds: float = 5.0
    longest_check_seconds: float = 60.0


class _Sent:
    """An entry in the stream, as far as known."""

    __slots__ = ("check_at", "id", "wait_seconds")

    def __init__(self, entry_id: bytes, check_at: float, wait_seconds: float) -> None:
        self.id = entry_id
        self.check_at = check_at
        self.wait_seconds = wait_seconds


class OutboxSender:
    """Sends the entries of an outbox in order, and removes those that are confirmed.

    An entry is in one of four states: not yet read; *in flight*, when Redis has told its id; *to be sent again*, when
    Redis has refused it, has not answered, or neither holds it nor tells of its confirmation; confirmed, and about to
    be removed. Since an entry leaves the stream in the same step that puts down its confirmation, one that is found
    absent, and for which no confirmation is found afterwards, was lost.

    Every method raises ``RedisError`` where Redis is in trouble, and whatever the outbox raises; the state is right
    then, and any method may be called again.

    Parameters
    ----------
    outbox
        Owned from now on.
    keys
        Of the stream.
    limits
        See there.
    """

    def __init__(self, outbox: Outbox, keys: Keys, limits: SendLimits) -> None:
        self._outbox = outbox
        self._keys = keys
        self._limits = limits
        self._begin()

    def _begin(self) -> None:
        """Know nothing of what was sent before: at the start, and where another file has taken the outbox's place."""
        self._openings = self._outbox.openings
        self._writer = self._outbox.writer
        self._session = token_hex(8)
        self._confirmations = self._keys.confirmed(self._writer, self._session)
        self._taken = 0
        self._read_through = 0
        self._in_flight: dict[int, _Sent] = {}
        self._again: set[int] = set()
        self._confirmed: list[int] = []
        self._known_to_redis = False

    def settle(self, redis: Redis) -> None:
        """Take the confirmations that have come, and remove from the outbox what they tell of."""
        while self._in_flight or self._again or self._taken:
            ranges = self._next_confirmations(redis)
            for sequence in (sequence for part in ranges for sequence in read_ranges(part)):
                if self._in_flight.pop(sequence, None) or sequence in self._again:
                    self._again.discard(sequence)
                    self._confirmed.append(sequence)
            if len(ranges) < _CONFIRMATIONS:
                break
        if self._confirmed:
            self._outbox.state()  # notices another file
            if self._is_same_file():
                self._outbox.remove(self._confirmed)
                self._confirmed.clear()

    def send(self, redis: Redis) -> bool:
        """Send one batch; return whether there may be more to send at once."""
        most = min(self._limits.batch, self._limits.window - len(self._in_flight))
        entries = self._unsent(most) if most > 0 else []
        if self._is_same_file() and entries:
            self._add(redis, entries)
        return len(entries) == self._limits.batch or bool(self._again)

    def check(self, redis: Redis) -> None:
        """Look for what has been unconfirmed for long, and let it be sent again where it is lost."""
        now = monotonic()
        due = [(sequence, sent) for sequence, sent in self._in_flight.items() if sent.check_at <= now]
        lost = 0
        for first in range(0, len(due), _CHECKED_AT_ONCE):
            lost += self._check(redis, due[first : first + _CHECKED_AT_ONCE], now)
        if lost:
            logger.warning("the stream lost %d entries; they are sent again", lost)

    def doubt(self) -> None:
        """Redis may have forgotten: look for everything at the next check."""
        for sent in self._in_flight.values():
            sent.check_at = 0.0

    def report(self, redis: Redis) -> bool:
        """Tell Redis the state of the outbox; return whether nothing is left in it.

        Call it every second or so: a Redis that does not know the last report has forgotten the entries too.
        """
        state = self._outbox.state()
        if not self._is_same_file():
            return False
        is_new = redis.hset(self._keys.outboxes, state.writer, msgspec.json.encode(state._asdict()))
        if is_new and self._known_to_redis:  # it was told before, and does not know
            self.doubt()
        self._known_to_redis = True
        return state.pending == 0

    def close(self) -> None:
        """Close the outbox."""
        self._outbox.close()

    def _is_same_file(self) -> bool:
        """Whether it is still the file that we know; another one uses the same sequences for other events."""
        if self._outbox.openings == self._openings:
            return True
        self._begin()
        return False

    def _next_confirmations(self, redis: Redis) -> list[bytes]:
        """Read what has come; it is dropped from Redis at the next call, when it surely arrived here."""
        key, taken, self._taken = self._confirmations, self._taken, 0
        if taken:
            pipeline = redis.pipeline(transaction=False)
            pipeline.ltrim(key, taken, -1)
            pipeline.lrange(key, 0, _CONFIRMATIONS - 1)
            ranges: Any = pipeline.execute()[1]
        else:
            ranges = redis.lrange(key, 0, _CONFIRMATIONS - 1)
        self._taken = len(ranges)
        return list(ranges)

    def _unsent(self, most: int) -> list[Entry]:
        """The next entries, those to be sent again first."""
        while self._again:
            entries = self._outbox.read(min(self._again) - 1, self._limits.batch)  # they had room before
            if entries:
                chosen = [entry for entry in entries if entry.sequence in self._again]
                passed = {sequence for sequence in self._again if sequence <= entries[-1].sequence}
                self._again -= passed.difference(entry.sequence for entry in chosen)  # no longer in the outbox
                if chosen:
                    return chosen
            else:
                self._again.clear()
        return list(self._outbox.read(self._read_through, most))

    def _add(self, redis: Redis, entries: Sequence[Entry]) -> None:
        sequences = [entry.sequence for entry in entries]
        self._read_through = max(self._read_through, sequences[-1])
        self._again.update(sequences)  # until Redis says that it has them
        arguments = [argument for entry in entries for argument in (entry.sequence, entry.body)]
        ids: Any = redis.eval(SEND, 1, self._keys.stream, self._writer, self._session, *arguments)
        wait = self._limits.check_seconds
        check_at = monotonic() + wait
        for sequence, entry_id in zip(sequences, ids, strict=True):
            self._in_flight[sequence] = _Sent(entry_id, check_at, wait)
        self._again.difference_update(sequences)

    def _check(self, redis: Redis, due: Sequence[tuple[int, _Sent]], now: float) -> int:
        arguments = [argument for sequence, sent in due for argument in (sent.id, sequence)]
        places: Any = redis.eval(FIND_ABSENT, 1, self._keys.stream, self._session, *arguments)
        absent = {due[place][0] for place in places}
        for sequence, sent in due:
            if sequence not in absent:
                sent.wait_seconds = min(2 * sent.wait_seconds, self._limits.longest_check_seconds)
                sent.check_at = now + sent.wait_seconds
        if absent:
            self.settle(redis)
        lost = absent.intersection(self._in_flight)
        for sequence in lost:
            del self._in_flight[sequence]
        self._again |= lost
        return len(lost)
