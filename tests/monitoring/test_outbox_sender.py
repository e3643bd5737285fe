"""One outbox on its way into a real Redis, step by step, in one thread."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from redis.exceptions import RedisError

from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_sender import OutboxSender, SendLimits
from api_pokemon.monitoring.redis_layout import Keys
from api_pokemon.monitoring.redis_stream import RedisStream
from tests.servers import RedisServer, wait_until

KEYS = Keys.of("events")
AT_ONCE = SendLimits(window=20, batch=10, check_seconds=0.0, longest_check_seconds=0.0)
LATER = AT_ONCE._replace(check_seconds=60.0, longest_check_seconds=60.0)


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
def worker(server: RedisServer) -> Iterator[RedisStream]:
    stream = RedisStream(server.url)
    yield stream
    stream.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox-0.sqlite")
    yield outbox
    outbox.close()


def append(outbox: Outbox, number: int) -> list[bytes]:
    bodies = [uuid4().bytes for _ in range(number)]
    outbox.append([(str(uuid4()), body) for body in bodies])
    return bodies


def sent(redis: Redis) -> list[bytes]:
    return [fields[b"body"] for _, fields in redis.xrange("events")]


def log_all(worker: RedisStream) -> list[bytes]:
    entries = worker.read(1000, 0, {})
    worker.confirm(entries)
    return [entry.body for entry in entries]


def test_in_order_and_in_batches(redis: Redis, outbox: Outbox) -> None:
    bodies = append(outbox, 15)
    sender = OutboxSender(outbox, KEYS, LATER)
    assert sender.send(redis)
    assert sent(redis) == bodies[:10]
    assert not sender.send(redis)
    assert not sender.send(redis)
    assert sent(redis) == bodies


def test_an_entry_leaves_the_outbox_when_it_is_confirmed(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    bodies = append(outbox, 3)
    sender = OutboxSender(outbox, KEYS, LATER)
    sender.send(redis)
    sender.settle(redis)
    entries = worker.read(1000, 0, {})
    sender.settle(redis)
    assert outbox.state().pending == 3
    worker.confirm([entries[1]])
    sender.settle(redis)
    assert [entry.body for entry in outbox.read(0, 9)] == [bodies[0], bodies[2]]
    worker.confirm([entries[0], entries[2]])
    sender.settle(redis)
    assert outbox.state().pending == 0


def test_confirmations_do_not_pile_up(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    append(outbox, 250)
    sender = OutboxSender(outbox, KEYS, LATER._replace(window=250, batch=250))
    sender.send(redis)
    for _ in range(250):
        worker.confirm(worker.read(1, 0, {}))
    sender.settle(redis)
    assert outbox.state().pending == 0
    sender.settle(redis)  # drops what has arrived
    assert redis.keys("events:confirmed:*") == []


def test_no_more_than_the_window_is_under_way(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    bodies = append(outbox, 50)
    sender = OutboxSender(outbox, KEYS, LATER)
    while sender.send(redis):
        assert redis.xlen("events") <= 20
    assert sent(redis) == bodies[:20]
    worker.confirm(worker.read(3, 0, {}))
    sender.settle(redis)
    assert not sender.send(redis)
    assert sent(redis) == bodies[3:23]


def test_what_the_stream_holds_is_not_sent_again(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    """However long the log is away."""
    bodies = append(outbox, 20)
    sender = OutboxSender(outbox, KEYS, AT_ONCE)
    for _ in range(5):
        sender.send(redis)
        sender.settle(redis)
        sender.check(redis)
        worker.read(5, 0, {})
    assert sent(redis) == bodies


def test_what_the_stream_lost_is_sent_again_and_nothing_else(
    redis: Redis, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = append(outbox, 20)
    sender = OutboxSender(outbox, KEYS, AT_ONCE)
    while sender.send(redis):
        pass
    ids = [entry_id for entry_id, _ in redis.xrange("events")]
    lost = [0, 7, 8, 19]
    redis.xdel("events", *(ids[place] for place in lost))
    sender.check(redis)
    while sender.send(redis):
        pass
    sender.check(redis)
    assert sent(redis) == [body for place, body in enumerate(bodies) if place not in lost] + [bodies[p] for p in lost]
    assert "lost 4 entries" in caplog.text


def test_a_confirmation_that_comes_during_the_check_counts(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    bodies = append(outbox, 5)
    sender = OutboxSender(outbox, KEYS, AT_ONCE)
    sender.send(redis)
    sender.settle(redis)
    assert log_all(worker) == bodies
    sender.check(redis)
    assert outbox.state().pending == 0
    assert not sender.send(redis)
    assert sent(redis) == []


def test_a_lost_confirmation_makes_the_entry_come_again(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    bodies = append(outbox, 5)
    sender = OutboxSender(outbox, KEYS, AT_ONCE)
    sender.send(redis)
    assert log_all(worker) == bodies
    redis.delete(*redis.keys("events:confirmed:*"))
    sender.check(redis)
    assert outbox.state().pending == 5
    sender.send(redis)
    assert log_all(worker) == bodies
    sender.settle(redis)
    assert outbox.state().pending == 0


def test_a_check_waits_for_its_time(redis: Redis, outbox: Outbox) -> None:
    bodies = append(outbox, 5)
    sender = OutboxSender(outbox, KEYS, LATER)

    def check() -> list[bytes]:
        sender.check(redis)
        sender.send(redis)
        return sent(redis)

    sender.send(redis)
    redis.delete("events")
    assert check() == []
    sender.doubt()
    assert check() == bodies
    sender.doubt()
    assert check() == bodies
    redis.delete("events")  # found there a moment ago, so not looked for
    assert check() == []


@pytest.mark.parametrize("other", [{"session": "another"}, {"sequence": "99"}])
def test_a_redis_that_forgot_is_noticed_by_the_report(redis: Redis, outbox: Outbox, other: dict[str, str]) -> None:
    """Even where another entry has the place of a lost one by then."""
    bodies = append(outbox, 5)
    sender = OutboxSender(outbox, KEYS, LATER)
    sender.send(redis)
    sender.report(redis)
    (first, fields), *_ = redis.xrange("events")
    redis.flushall()
    fields |= {name.encode(): value.encode() for name, value in other.items()} | {b"body": b"another"}
    redis.xadd("events", fields, id=first)
    sender.report(redis)
    sender.check(redis)
    sender.send(redis)
    assert sent(redis) == [b"another", *bodies]


def test_what_redis_refused_is_sent_once_it_takes_it(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    bodies = append(outbox, 25)
    sender = OutboxSender(outbox, KEYS, LATER._replace(window=100))
    sender.send(redis)
    redis.config_set("maxmemory", 1)
    for _ in range(3):
        with pytest.raises(RedisError):
            sender.send(redis)
    redis.config_set("maxmemory", 0)
    while sender.send(redis):
        pass
    assert sent(redis) == bodies
    assert log_all(worker) == bodies
    sender.settle(redis)
    assert outbox.state().pending == 0


def test_an_answer_that_got_lost_costs_a_duplicate_and_no_entry(
    redis: Redis, server: RedisServer, outbox: Outbox, worker: RedisStream
) -> None:
    """Redis took the entries, and nobody knows."""
    bodies = append(outbox, 5)
    sender = OutboxSender(outbox, KEYS, LATER)
    with Redis.from_url(server.url, socket_timeout=0.1, retry=None) as impatient:
        impatient.ping()
        server.pause()
        try:
            with pytest.raises(RedisError):
                sender.send(impatient)
        finally:
            server.resume()
    sender.send(redis)
    assert sent(redis) == bodies * 2
    assert log_all(worker) == bodies
    sender.settle(redis)
    assert outbox.state().pending == 0
    assert sent(redis) == []


def test_another_run_sends_everything_anew(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    bodies = append(outbox, 5)
    OutboxSender(outbox, KEYS, LATER).send(redis)
    sender = OutboxSender(outbox, KEYS, LATER)
    sender.send(redis)
    assert sent(redis) == bodies * 2
    assert log_all(worker) == bodies
    sender.settle(redis)
    assert outbox.state().pending == 0


def test_a_confirmation_is_for_who_sent_the_entry(redis: Redis, tmp_path: Path, worker: RedisStream) -> None:
    """An outbox that lost its end to a power cut gives the same sequences to other events."""
    path = tmp_path / "outbox-0.sqlite"
    before = Outbox(path)
    before.close()
    copy = path.read_bytes()
    lost = append(before, 3)
    OutboxSender(before, KEYS, LATER).send(redis)
    before.close()
    path.write_bytes(copy)

    after = Outbox(path)
    assert after.state().last_sequence == 0
    new = append(after, 3)
    sender = OutboxSender(after, KEYS, LATER)
    assert log_all(worker) == lost
    sender.send(redis)
    sender.settle(redis)
    assert [entry.body for entry in after.read(0, 9)] == new
    assert log_all(worker) == new
    sender.settle(redis)
    assert after.state().pending == 0
    after.close()


def test_a_confirmation_is_not_for_the_file_that_took_the_place(
    redis: Redis, outbox: Outbox, worker: RedisStream, tmp_path: Path
) -> None:
    lost = append(outbox, 3)
    sender = OutboxSender(outbox, KEYS, LATER)
    sender.send(redis)
    assert log_all(worker) == lost
    for part in tmp_path.glob("outbox-0.sqlite*"):
        part.rename(part.with_name("moved-" + part.name))
    successor = Outbox(tmp_path / "outbox-0.sqlite")
    new = append(successor, 3)
    wait_until(lambda: outbox.state().writer == successor.writer, "the new file is noticed")
    sender.settle(redis)
    sender.settle(redis)
    assert [entry.body for entry in successor.read(0, 9)] == new
    sender.send(redis)
    assert sent(redis) == new
    assert log_all(worker) == new
    sender.settle(redis)
    assert successor.state().pending == 0
    successor.close()


def test_the_report(redis: Redis, outbox: Outbox, worker: RedisStream) -> None:
    def report() -> tuple[int, int, int]:
        sender.report(redis)
        (state,) = worker.outboxes()
        return state.last_sequence, state.pending, state.settled

    sender = OutboxSender(outbox, KEYS, LATER)
    assert report() == (0, 0, 0)
    append(outbox, 3)
    assert report() == (3, 3, 0)
    sender.send(redis)
    entries = worker.read(1000, 0, {})
    worker.confirm(entries[1:])
    sender.settle(redis)
    assert report() == (3, 1, 0)
    append(outbox, 1)
    worker.confirm(entries[:1])
    sender.settle(redis)
    assert report() == (4, 1, 3)
    sender.send(redis)
    log_all(worker)
    sender.settle(redis)
    assert sender.report(redis)
    assert report() == (4, 0, 4)
