"""Workers of one consumer group on a real Redis."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from uuid import uuid4

import pytest
from redis import Redis

from api_pokemon.monitoring.errors import StreamUnavailableError
from api_pokemon.monitoring.redis_layout import SEND, TIDY
from api_pokemon.monitoring.redis_stream import RedisStream
from api_pokemon.monitoring.stream import Entry, OutboxState
from tests.servers import RedisServer, wait_until

WRITER = str(uuid4())
SESSION = "0123456789abcdef"
CONFIRMED = f"events:confirmed:{WRITER}:{SESSION}"
LONG = 60.0

Join = Callable[..., RedisStream]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def join(server: RedisServer) -> Iterator[Join]:
    """A worker of the group; it never waits for the dead unless the test says so."""
    streams = []

    def join_group(**options: object) -> RedisStream:
        stream = RedisStream(server.url, **{"min_idle_seconds": LONG, "timeout_seconds": LONG} | options)
        streams.append(stream)
        return stream

    yield join_group
    for stream in streams:
        stream.close()


def send(redis: Redis, *sequences: int, session: str = SESSION) -> list[Entry]:
    arguments = [argument for sequence in sequences for argument in (sequence, b"body %d" % sequence)]
    redis.eval(SEND, 1, "events", WRITER, session, *arguments)
    return [Entry(WRITER, sequence, b"body %d" % sequence) for sequence in sequences]


def pending(redis: Redis) -> int:
    return redis.xpending("events", "log")["pending"]


def test_entries_come_once_and_leave_when_they_are_confirmed(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2, 3, 4)
    stream = join()
    first = stream.read(3, 0, {})
    assert first == sent[:3]
    stream.confirm(first)
    assert stream.read(3, 0, {}) == sent[3:]
    stream.confirm(sent[3:])
    assert stream.read(3, 0, {}) == []
    assert stream.entries() == pending(redis) == 0
    assert redis.lrange(CONFIRMED, 0, -1) == [b"1-3", b"4"]


def test_two_workers_share(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2, 3, 4)
    one, other = join(), join()
    assert one.read(2, 0, {}) == sent[:2]
    assert other.read(9, 0, {}) == sent[2:]


def test_a_reader_waits_for_what_comes(redis: Redis, join: Join) -> None:
    stream = join()
    assert stream.read(1, 0, {}) == []
    sent = send(redis, 1)
    assert stream.read(1, LONG, {}) == sent


def test_what_is_not_confirmed_comes_again_and_nothing_else(redis: Redis, join: Join) -> None:
    """While the log is away a worker owns one batch, however often it tries."""
    sent = send(redis, 1, 2, 3, 4)
    stream = join()
    for _ in range(3):
        assert stream.read(2, 0, {}) == sent[:2]
    stream.confirm(sent[:1])
    assert stream.read(2, 0, {}) == sent[1:2]
    stream.confirm(sent[1:2])
    assert stream.read(2, 0, {}) == sent[2:]


def test_a_worker_that_tries_keeps_its_batch(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2)
    tries = join(consumer="tries")
    assert tries.read(2, 0, {}) == sent
    ids = [entry_id for entry_id, _ in redis.xrange("events")]
    for _ in range(3):
        redis.xclaim("events", "log", "tries", 0, ids, idle=int(2000 * LONG), justid=True)
        assert tries.read(2, 0, {}) == sent
        assert join().read(2, 0, {}) == []
    redis.xclaim("events", "log", "tries", 0, ids, idle=int(2000 * LONG), justid=True)
    assert join().read(2, 0, {}) == sent


def test_the_batch_of_a_dead_worker_goes_to_another(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2, 3)
    dead, living = join(), join(min_idle_seconds=0.1)
    assert dead.read(3, 0, {}) == sent
    claimed: list[Entry] = []
    wait_until(lambda: claimed.extend(living.read(3, 0.05, {})) or claimed == sent, "the batch is claimed")
    living.confirm(claimed)
    assert stream_is_empty(redis)


def test_more_than_a_batch_is_claimed_in_batches(redis: Redis, join: Join) -> None:
    sent = send(redis, *range(1, 31))
    dead, living = join(), join(min_idle_seconds=0.1)
    assert dead.read(30, 0, {}) == sent
    logged: list[Entry] = []

    def log_a_batch() -> bool:
        entries = living.read(4, 0.05, {})
        assert len(entries) <= 4
        logged.extend(entries)
        living.confirm(entries)
        return len(logged) == 30

    wait_until(log_a_batch, "all is logged")
    assert sorted(logged) == sorted(sent)
    assert stream_is_empty(redis)


def test_a_worker_of_the_same_name_takes_up_its_own_at_once(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2)
    assert join(consumer="first").read(2, 0, {}) == sent
    assert join(consumer="first").read(2, 0, {}) == sent


def test_both_confirm_what_both_have_logged(redis: Redis, join: Join) -> None:
    sent = send(redis, 1)
    slow, quick = join(), join(min_idle_seconds=0.01)
    assert slow.read(1, 0, {}) == sent
    wait_until(lambda: quick.read(1, 0.02, {}) == sent, "the entry is claimed")
    quick.confirm(sent)
    slow.confirm(sent)
    assert stream_is_empty(redis)
    assert slow.read(1, 0, {}) == quick.read(1, 0, {}) == []


def test_an_entry_that_was_sent_twice_is_given_once(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2) and send(redis, 1, 2, session="another")
    stream = join()
    assert stream.read(9, 0, {}) == sent
    stream.confirm(sent)
    assert stream_is_empty(redis)
    assert redis.lrange(CONFIRMED, 0, -1) == redis.lrange(f"events:confirmed:{WRITER}:another", 0, -1) == [b"1-2"]


def test_the_same_place_with_another_body_is_another_entry(redis: Redis, join: Join) -> None:
    redis.eval(SEND, 1, "events", WRITER, SESSION, 1, b"one", 1, b"other")
    assert join().read(9, 0, {}) == [Entry(WRITER, 1, b"one"), Entry(WRITER, 1, b"other")]


def test_bytes_are_passed_through(redis: Redis, join: Join) -> None:
    body = bytes(range(256))
    redis.eval(SEND, 1, "events", WRITER, SESSION, (1 << 63) - 1, body)
    assert join().read(1, 0, {}) == [Entry(WRITER, (1 << 63) - 1, body)]


def test_confirmations_do_not_stay_for_ever(redis: Redis, join: Join) -> None:
    send(redis, 1)
    stream = join()
    stream.confirm(stream.read(1, 0, {}))
    assert redis.ttl(CONFIRMED) > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"sequence": 1, "body": b"x"},
        {"writer": WRITER, "body": b"x"},
        {"writer": b"\xff\x00", "sequence": 1, "body": b"x"},
        {"writer": "somebody", "sequence": 1, "body": b"x"},
        {"writer": WRITER, "sequence": "first", "body": b"x"},
        {"writer": WRITER, "sequence": 0, "body": b"x"},
        {"writer": WRITER, "sequence": 1 << 63, "body": b"x"},
    ],
)
def test_an_entry_of_nobody_is_set_aside(
    redis: Redis, join: Join, fields: dict, caplog: pytest.LogCaptureFixture
) -> None:
    redis.xadd("events", fields)
    sent = send(redis, 7)
    stream = join()
    assert stream.read(9, 0, {}) == sent
    stream.confirm(sent)
    assert stream_is_empty(redis)
    (kept,) = redis.lrange("events:broken", 0, -1)
    assert b"body" in kept
    assert "it is kept in events:broken" in caplog.text


def test_nothing_but_entries_of_nobody_is_no_entry(redis: Redis, join: Join) -> None:
    for _ in range(3):
        redis.xadd("events", {"a": "b"})
    stream = join()
    while redis.xlen("events"):
        assert stream.read(1, 0, {}) == []
    assert redis.llen("events:broken") == 3


def test_what_a_body_is_the_log_decides(redis: Redis, join: Join) -> None:
    redis.xadd("events", {"writer": WRITER, "sequence": 1})
    stream = join()
    entries = stream.read(1, 0, {})
    assert entries == [Entry(WRITER, 1, b"")]
    stream.confirm(entries)
    assert stream_is_empty(redis)


def test_it_goes_on_where_redis_has_forgotten(redis: Redis, join: Join) -> None:
    before = send(redis, 1)
    stream = join()
    assert stream.read(1, 0, {}) == before
    redis.flushall()
    stream.confirm(before)
    after = send(redis, 2)
    wait_until(lambda: stream.read(1, 0.05, {}) == after, "new entries are read")


def test_what_is_deleted_while_it_is_owned_is_forgotten(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2)
    stream = join()
    assert stream.read(2, 0, {}) == sent
    redis.xtrim("events", maxlen=1, approximate=False)
    assert stream.read(2, 0, {}) == sent[1:]
    assert pending(redis) == 1


def test_dead_workers_leave_the_group(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2)
    owner, dead = join(consumer="owner"), join(consumer="dead")
    assert owner.read(1, 0, {}) == sent[:1]
    assert dead.read(1, 0, {}) == sent[1:]
    dead.confirm(sent[1:])
    living = join(consumer="living", min_idle_seconds=0.02)
    logged = []

    def the_dead_are_gone() -> bool:
        logged.extend(entries := living.read(1, 0.01, {}))
        living.confirm(entries)
        names = {consumer["name"] for consumer in redis.xinfo_consumers("events", "log")}
        return not names & {b"owner", b"dead"}

    wait_until(the_dead_are_gone, "dead workers are gone from the group")
    assert logged == sent[:1]  # what the dead one owned was taken over first


def test_who_owns_something_is_not_deleted(redis: Redis, join: Join) -> None:
    """Its entries would belong to nobody, and never be delivered again."""
    sent = send(redis, 1)
    assert join(consumer="owner").read(1, 0, {}) == sent
    assert join(consumer="idler").read(1, 0, {}) == []
    redis.eval(TIDY, 1, "events", "log", 0)
    assert [consumer["name"] for consumer in redis.xinfo_consumers("events", "log")] == [b"owner"]


def test_what_lost_its_owner_is_delivered_anew(redis: Redis, join: Join) -> None:
    sent = send(redis, 1, 2)
    assert join(consumer="gone").read(2, 0, {}) == sent
    redis.xgroup_delconsumer("events", "log", "gone")
    assert pending(redis) == 0
    living = join(min_idle_seconds=0.05)
    wait_until(lambda: living.read(2, 0.02, {}) == sent, "entries without an owner are read")


def test_a_worker_that_stops_leaves_the_group(redis: Redis, server: RedisServer) -> None:
    stream = RedisStream(server.url)
    send(redis, 1)
    stream.confirm(stream.read(1, 0, {}))
    stream.close()
    assert redis.xinfo_consumers("events", "log") == []


def test_a_full_redis_can_be_emptied(redis: Redis, join: Join) -> None:
    """Confirming frees memory, so it must work where nothing else does."""
    sent = send(redis, *range(1, 101))
    stream = join()
    assert stream.read(100, 0, {}) == sent
    redis.xadd("events", {"broken": "entry"})
    redis.config_set("maxmemory", 1)
    try:
        stream.confirm(sent)
        assert stream.read(1, 0, {}) == []
        assert stream_is_empty(redis)
        assert redis.lrange(CONFIRMED, 0, -1) == [b"1-100"]
        assert redis.llen("events:broken") == 1
    finally:
        redis.config_set("maxmemory", 0)


def test_it_tells_what_the_outboxes_reported(redis: Redis, join: Join) -> None:
    stream = join()
    assert stream.outboxes() == []
    state = OutboxState(WRITER, last_sequence=7, pending=2, oldest_seconds=1722109295.63, bytes=4096, settled=4)
    later = {**state._asdict(), "writer": "of a later version", "more": 6}
    redis.hset("events:outboxes", WRITER, json.dumps(state._asdict()))
    redis.hset("events:outboxes", "of a later version", json.dumps(later))
    assert set(stream.outboxes()) == {state, state._replace(writer="of a later version")}


def test_it_says_so_where_redis_refuses_hangs_or_takes_no_writes(server: RedisServer, redis: Redis) -> None:
    stream = RedisStream(server.url, timeout_seconds=0.5)
    sent = send(redis, 1, 2)
    assert stream.read(1, 0, {}) == sent[:1]

    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    assert_unavailable(stream, sent[:1])
    redis.execute_command("REPLICAOF", "NO", "ONE")
    assert stream.read(1, 0, {}) == sent[:1]

    server.pause()
    assert_unavailable(stream, sent[:1])
    server.resume()
    wait_until(redis.ping, "Redis answers")
    assert stream.read(1, 0, {}) == sent[1:]  # what it got while it was stopped, it did afterwards

    server.kill()
    assert_unavailable(stream, sent[1:])
    server.start()
    assert stream.read(1, 0, {}) == sent[1:]
    stream.close()


def test_what_was_given_in_an_answer_that_got_lost_comes_at_once(server: RedisServer, redis: Redis, join: Join) -> None:
    hasty = join(consumer="worker", timeout_seconds=0.2)
    assert hasty.read(1, 0, {}) == []
    sent = send(redis, 1)
    server.pause()
    with pytest.raises(StreamUnavailableError):
        hasty.read(1, 0, {})
    server.resume()
    wait_until(lambda: pending(redis) == 1, "Redis has given the entry to nobody who listens")
    assert redis.xpending("events", "log")["consumers"] == [{"name": b"worker", "pending": 1}]
    wait_until(lambda: read_somehow(hasty) == sent, "the entry comes again")


def read_somehow(stream: RedisStream) -> Sequence[Entry]:
    with suppress(StreamUnavailableError):
        return stream.read(1, 0, {})
    return []


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="The address of the stream cannot be read") as caught:
        RedisStream("redis://:sec/ret@queue:port")
    assert "ret@" not in str(caught.value)


def test_its_connections_have_a_name(redis: Redis, join: Join) -> None:
    join().read(1, 0, {})
    names = [client["name"] for client in redis.client_list()]
    assert any(name.startswith("events-worker-") and name.endswith(f"-{os.getpid()}") for name in names)


def assert_unavailable(stream: RedisStream, entries: list[Entry]) -> None:
    with pytest.raises(StreamUnavailableError):
        stream.confirm(entries)
    with pytest.raises(StreamUnavailableError):
        stream.read(1, 0, {})


def stream_is_empty(redis: Redis) -> bool:
    return redis.xlen("events") == pending(redis) == 0
