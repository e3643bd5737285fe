"""The stream of several machines: a Redis Stream, read by the workers of a consumer group."""

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from secrets import token_hex
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from redis.exceptions import RedisError, ResponseError

from api_pokemon.monitoring.errors import StreamUnavailableError
from api_pokemon.monitoring.redis_connection import connect
from api_pokemon.monitoring.redis_layout import LEAVE, SETTLE, TIDY, Keys, write_ranges
from api_pokemon.monitoring.stream import Entry, OutboxState

logger = logging.getLogger(__name__)

_LARGEST_SEQUENCE = (1 << 63) - 1
_CONFIRMATION_LIFE_SECONDS = 86_400
_BROKEN_LIFE_SECONDS = 30 * 86_400
_GROUP_IS_GONE = ("NOGROUP", "UNBLOCKED")


class _Delivery(NamedTuple):
    """Where an entry came from: its place in the stream, and who waits for its confirmation."""

    id: bytes
    session: str


class RedisStream:
    """Gives entries to the workers of a consumer group, each to one of them, until one says that it is logged.

    A worker that reads again without having confirmed gets the same entries again, so that while the log is away it
    owns one batch, and its ownership is renewed with each try. Entries of a worker that died go to another one once
    nobody has touched them for ``min_idle_seconds``. A batch that takes longer than that goes to another worker too,
    while the first one is still at it: then both log it, which the log notices, and both confirm it, which is harmless.

    An entry is acknowledged, deleted and its confirmation put down for the forwarder in one step, so the length of the
    stream is the number of entries sent and not yet logged. Where Redis forgets (restarts empty, is flushed) the group
    is made again, and the forwarders send again.

    For one thread, but for :meth:`entries` and :meth:`outboxes`, which any may call.

    Parameters
    ----------
    url
        See :func:`~api_pokemon.monitoring.redis_connection.connect`.
    name
        Of the stream; see :mod:`~api_pokemon.monitoring.redis_layout`.
    group
        All who share the work.
    consumer
        This worker's name in the group; its own by default. Two living ones must not share a name.
    min_idle_seconds
        When an entry counts as abandoned by its worker; longer than any batch takes.
    timeout_seconds
        How long to wait for an answer of Redis.

    Raises
    ------
    ValueError
        If the address cannot be read.
    """

    keeps_offset = False

    def __init__(
        self,
        url: str,
        *,
        name: str = "events",
        group: str = "log",
        consumer: str | None = None,
        min_idle_seconds: float = 15.0,
        timeout_seconds: float = 2.0,
    ) -> None:
        self._redis = connect(url, timeout_seconds=timeout_seconds, role=f"{name}-worker")
        self._keys = Keys.of(name)
        self._group = group
        self._consumer = consumer or f"{socket.gethostname()}-{os.getpid()}-{token_hex(4)}"
        self._min_idle_seconds = min_idle_seconds
        self._longest_block_seconds = timeout_seconds / 2
        self._given: dict[Entry, list[_Delivery]] = {}
        self._may_own = True
        self._claim_from: Any = "0-0"
        self._claim_at = 0.0

    def read(self, most: int, wait_seconds: float, offsets: Mapping[str, int]) -> Sequence[Entry]:
        """Return what this worker has not confirmed, else what dead ones left, else what is new."""
        deadline = monotonic() + wait_seconds
        self._may_own = self._may_own or bool(self._given)
        self._given.clear()
        while True:
            with _unavailable(self._redis):
                try:
                    entries = self._owned(most) or self._others(most, deadline - monotonic())
                except ResponseError as error:
                    if not str(error).startswith(_GROUP_IS_GONE):
                        raise
                    self._make_group()
                    continue
            if entries or monotonic() >= deadline:
                return entries

    def confirm(self, entries: Sequence[Entry]) -> None:
        """Take entries out of the stream, and tell their forwarders."""
        ids: list[bytes] = []
        logged: dict[str, list[int]] = {}
        for entry in entries:
            for delivery in self._given.get(entry, ()):
                ids.append(delivery.id)
                logged.setdefault(self._keys.confirmed(entry.writer, delivery.session), []).append(entry.sequence)
        if ids:
            notes = {key: write_ranges(sequences) for key, sequences in logged.items()}
            with _unavailable(self._redis):
                self._settle(ids, notes, _CONFIRMATION_LIFE_SECONDS)
        for entry in entries:
            self._given.pop(entry, None)

    def entries(self) -> int:
        """Return how many entries were sent and are not logged.

        Raises
        ------
        StreamUnavailableError
            If Redis does not answer.
        """
        with _unavailable(self._redis):
            return int(self._redis.xlen(self._keys.stream))

    def outboxes(self) -> list[OutboxState]:
        """Return what the forwarders last told of their outboxes, on whatever machine.

        Raises
        ------
        StreamUnavailableError
            If Redis does not answer.
        """
        with _unavailable(self._redis):
            reports: Any = self._redis.hvals(self._keys.outboxes)
        return [_state(report) for report in reports]

    def close(self) -> None:
        """Leave the group, if nothing is owed to it, and let go of the connections."""
        with suppress(RedisError):
            self._redis.eval(LEAVE, 1, self._keys.stream, self._group, self._consumer)
        self._redis.close()

    def _owned(self, most: int) -> list[Entry]:
        """What this worker got and did not confirm; reading it renews its ownership."""
        while self._may_own:
            replies = self._read_group("0", most, None)
            self._may_own = bool(replies)
            if entries := self._take(replies):
                return entries
        return []

    def _others(self, most: int, wait_seconds: float) -> list[Entry]:
        """What is not this worker's yet."""
        self._may_own = True  # if the answer gets lost on its way
        entries = self._abandoned(most) or self._new(most, wait_seconds)
        self._may_own = False
        return entries

    def _abandoned(self, most: int) -> list[Entry]:
        """What a dead worker got and did not confirm; looked for a few times within the idle time."""
        if monotonic() < self._claim_at:
            return []
        idle_milliseconds = int(self._min_idle_seconds * 1000)
        reply: Any = self._redis.xautoclaim(
            self._keys.stream, self._group, self._consumer, idle_milliseconds, self._claim_from, count=most
        )
        self._claim_from = reply[0]
        if self._claim_from == b"0-0":
            self._claim_at = monotonic() + self._min_idle_seconds / 3
            self._tidy()
        return self._take(reply[1])

    def _new(self, most: int, wait_seconds: float) -> list[Entry]:
        block = int(1000 * min(wait_seconds, self._longest_block_seconds))
        return self._take(self._read_group(">", most, block if block > 0 else None))  # 0 would mean for ever

    def _read_group(self, after: str, most: int, block: int | None) -> list[Any]:
        reply: Any = self._redis.xreadgroup(
            self._group, self._consumer, {self._keys.stream: after}, count=most, block=block
        )
        return [pair for _, pairs in _streams(reply) for pair in pairs]

    def _take(self, replies: Iterable[tuple[bytes | None, dict[bytes, bytes] | None]]) -> list[Entry]:
        """Note what is given out; set aside what cannot be."""
        gone: list[bytes] = []
        first = len(self._given)
        for entry_id, fields in replies:
            if entry_id is None:
                continue
            entry = _entry(fields) if fields else None
            if entry is not None and fields is not None:
                session = fields.get(b"session", b"").decode("ascii", "replace")
                self._given.setdefault(entry, []).append(_Delivery(entry_id, session))
            elif fields:
                self._set_aside(entry_id, fields)
            else:
                gone.append(entry_id)  # deleted by somebody while it was owned
        if gone:
            self._settle(gone, {}, 0)
        return list(self._given)[first:]

    def _set_aside(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        logger.error(
            "entry %s of the stream %s says neither whose it is nor which; it is kept in %s",
            entry_id.decode(),
            self._keys.stream,
            self._keys.broken,
        )
        self._settle([entry_id], {self._keys.broken: repr(fields)}, _BROKEN_LIFE_SECONDS)

    def _settle(self, ids: Sequence[bytes], notes: Mapping[str, str], life_seconds: int) -> None:
        keys = (self._keys.stream, *notes)
        self._redis.eval(SETTLE, len(keys), *keys, self._group, life_seconds, len(ids), *ids, *notes.values())

    def _make_group(self) -> None:
        try:
            self._redis.xgroup_create(self._keys.stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _tidy(self) -> None:
        idle_milliseconds = int(4 * self._min_idle_seconds * 1000)
        anew: Any = self._redis.eval(TIDY, 1, self._keys.stream, self._group, idle_milliseconds)
        if anew:
            logger.warning(
                "%d entries of the stream %s had lost their worker; they are delivered anew", anew, self._keys.stream
            )


@contextmanager
def _unavailable(redis: Any) -> Iterator[None]:
    """Whatever Redis objects to: the connections are opened anew, since a name may lead to another server by then."""
    try:
        yield
    except RedisError as error:
        redis.connection_pool.disconnect(inuse_connections=False)
        raise StreamUnavailableError(str(error)) from error


def _streams(reply: Any) -> Iterable[Any]:
    return reply.items() if isinstance(reply, dict) else reply


def _entry(fields: Mapping[bytes, bytes]) -> Entry | None:
    """The entry, if it says whose it is and which; what its body holds is the log's to judge."""
    try:
        writer, sequence = _writer(fields[b"writer"]), int(fields[b"sequence"])
    except (KeyError, ValueError):
        return None
    return Entry(writer, sequence, fields.get(b"body", b"")) if 0 < sequence <= _LARGEST_SEQUENCE else None


@lru_cache(maxsize=1024)
def _writer(raw: bytes) -> str:
    return str(UUID(raw.decode()))


def _state(report: bytes) -> OutboxState:
    """A later version may tell more."""
    told = msgspec.json.decode(report)
    return OutboxState(**{name: told[name] for name in OutboxState._fields})
