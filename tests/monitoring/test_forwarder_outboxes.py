"""Outboxes that a forwarder finds: of the time before it started, of dead processes, empty ones, damaged ones.

Each test ends with the same balance: every event that was appended is in the log, outboxes and stream are empty.
"""

import json
from threading import Event

import pytest

from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.redis_stream import RedisStream
from tests.monitoring.forwarding import PACE, Deployment
from tests.servers import wait_until


def test_a_forwarder_starts_again(deployment: Deployment) -> None:
    deployment.log.is_up.clear()
    deployment.worker()
    for _ in range(3):
        process = deployment.process()
        deployment.append(process.outbox, 50)
        deployment.sent(50)
        process.stop()
    deployment.process()
    deployment.log.is_up.set()
    deployment.balance()
    assert len(deployment.folder.paths()) == 1


def test_what_is_left_is_sent_at_the_end(deployment: Deployment) -> None:
    process = deployment.process(pace=PACE._replace(poll_seconds=30.0))
    process.wait_up()
    deployment.append(process.outbox, 175)
    process.stop()
    assert deployment.redis.xlen("events") == 175
    deployment.process()
    deployment.worker()
    deployment.balance()


def test_abandoned_outboxes_are_drained(deployment: Deployment) -> None:
    writers = []
    claims = [deployment.folder.claim() for _ in range(3)]
    for claim in claims:
        outbox = deployment.folder.open(claim.path)
        writers.append(outbox.writer)
        deployment.append(outbox, 120)
        outbox.close()
    process = deployment.process()
    for claim in claims:
        claim.release()
    deployment.worker()
    deployment.balance()
    stream = RedisStream(deployment.server.url)
    wait_until(
        lambda: [s.settled for s in stream.outboxes() if s.writer in writers] == [120] * len(writers),
        "the end is reported",
    )
    stream.close()
    assert process.claim.path.name == "outbox-3.sqlite"
    with deployment.folder.claim() as free:
        assert free.path.name == "outbox-0.sqlite"


def test_an_empty_outbox_of_nobody_stays_in_the_account(deployment: Deployment) -> None:
    gone, _ = deployment.process(), deployment.process()
    deployment.worker()
    deployment.append(gone.outbox, 10)
    deployment.balance()
    gone.stop()
    deployment.redis.flushall()
    stream = RedisStream(deployment.server.url)
    wait_until(lambda: sorted(state.last_sequence for state in stream.outboxes()) == [0, 10], "both are told of")
    (last,) = (state for state in stream.outboxes() if state.last_sequence == 10)
    stale = last._replace(pending=4, settled=6)  # as one leaves it that dies between emptying and telling
    deployment.redis.hset("events:outboxes", last.writer, json.dumps(stale._asdict()))
    wait_until(lambda: last in stream.outboxes(), "it is told again that all is settled")
    stream.close()


def test_a_damaged_outbox_does_not_keep_the_others_waiting(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with deployment.folder.claim() as claim:
        damaged = deployment.folder.open(claim.path)
        deployment.append(damaged, 10)
        damaged.close()
        process = deployment.process()
        read = Outbox.read
        mended = Event()

        def read_unless_damaged(self: Outbox, after: int, most: int) -> object:
            if self.path == claim.path and not mended.is_set():
                raise NotRecordedError("a bad block", "io")
            return read(self, after, most)

        monkeypatch.setattr(Outbox, "read", read_unless_damaged)
    deployment.worker()
    wait_until(lambda: "a bad block" in caplog.text, "the damage is noticed")
    for number in range(5):
        deployment.append(process.outbox, 20)
        deployment.logged(20 * number + 20)
    assert caplog.text.count("a bad block") == 1
    mended.set()
    deployment.balance()
