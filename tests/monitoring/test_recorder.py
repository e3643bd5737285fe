"""Group commit: who is told what, and when."""

import asyncio
import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event as Flag

import pytest

from api_pokemon.monitoring import NotRecordedError, Outbox, OutboxRecorder, Outcome, Prediction, decode, new_id

SUSPENDED = """
import asyncio, sys, time
from pathlib import Path
from api_pokemon.monitoring import Outbox, OutboxRecorder, Prediction, new_id

class Slow(Outbox):
    def append(self, items):
        print("in a commit", flush=True)
        sys.stdin.readline()
        time.sleep(0.1)
        return super().append(items)

recorder = OutboxRecorder(lambda: Slow(Path(sys.argv[1])), limit_seconds=1)
asyncio.run(recorder.record(Prediction(new_id(), "v1", 0.8, 0.001)))
print("recorded")
recorder.close()
"""


class Watched(Outbox):
    """An outbox that tells its batches, and can be made to wait or to fail before a commit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batches: list[int] = []
        self.entered = Flag()
        self.may_commit = Flag()
        self.may_commit.set()
        self.failure: Exception | None = None

    def append(self, items: Sequence[tuple[str, bytes]]) -> int:
        self.entered.set()
        assert self.may_commit.wait(20)
        if self.failure:
            raise self.failure
        self.batches.append(len(items))
        return super().append(items)


@pytest.fixture
def outbox(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "outbox-0.sqlite")


@pytest.fixture
def recorder(outbox: Watched) -> Iterator[OutboxRecorder]:
    recorder = OutboxRecorder(lambda: outbox)
    yield recorder
    outbox.may_commit.set()
    recorder.close()


def prediction() -> Prediction:
    return Prediction(new_id(), "v1", 0.8, 0.001, {"size": 3}, {"pick": "a"}, b"raw")


def kept(outbox: Outbox) -> list[str]:
    return [decode(entry.body).event_id for entry in outbox.read(0, 1_000_000)]


async def reached(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread brings it about
            await asyncio.sleep(0.001)


async def test_what_returned_is_committed(recorder: OutboxRecorder, outbox: Watched) -> None:
    event = prediction()
    await recorder.record(event)
    with sqlite3.connect(outbox.path) as other:
        ((subject, body),) = other.execute("SELECT hex(subject), body FROM events").fetchall()
    other.close()
    assert subject.lower() == event.prediction_id.replace("-", "")
    assert decode(body) == event


async def test_no_commit_is_needed_to_carry_the_journal_over(recorder: OutboxRecorder, outbox: Watched) -> None:
    event = prediction()
    await recorder.record(event, *(prediction() for _ in range(300)))
    await reached(lambda: event.prediction_id.encode() in outbox.path.read_bytes())


async def test_an_outcome_is_kept_beside_its_prediction(recorder: OutboxRecorder, outbox: Watched) -> None:
    event = prediction()
    outcome = Outcome(new_id(), event.prediction_id, happened=True)
    await recorder.record(event)
    await recorder.record(outcome)
    assert [decode(body) for body in outbox.find(event.prediction_id)] == [event, outcome]


async def test_what_comes_together_is_committed_together(recorder: OutboxRecorder, outbox: Watched) -> None:
    events = [prediction() for _ in range(300)]
    await recorder.record(*events)
    assert outbox.batches == [300]
    assert kept(outbox) == [event.event_id for event in events]


async def test_what_comes_together_is_refused_together(recorder: OutboxRecorder) -> None:
    recorder.close()
    with pytest.raises(NotRecordedError):
        await recorder.record(prediction(), prediction(), prediction())
    assert recorder.refused["closed"] == 3


async def test_what_gathers_while_a_commit_runs_is_committed_together(
    recorder: OutboxRecorder, outbox: Watched
) -> None:
    outbox.may_commit.clear()
    first = asyncio.ensure_future(recorder.record(prediction()))
    await asyncio.to_thread(outbox.entered.wait, 20)
    others = [asyncio.ensure_future(recorder.record(prediction())) for _ in range(100)]
    await reached(lambda: len(recorder._waiting.items) == 100)
    assert not any(task.done() for task in (first, *others))
    outbox.may_commit.set()
    await asyncio.gather(first, *others)
    assert outbox.batches == [1, 100]
    assert len(kept(outbox)) == 101


async def test_events_that_go_on_coming_gather_for_two_milliseconds(
    recorder: OutboxRecorder, outbox: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("api_pokemon.monitoring.recorder.monotonic", lambda: now)
    tasks = []

    async def turn() -> None:
        tasks.append(asyncio.ensure_future(recorder.record(prediction())))
        await asyncio.sleep(0)

    for _ in range(50):
        await turn()
    assert outbox.batches == []
    now = 0.0021
    async with asyncio.timeout(20):
        while not outbox.batches:
            await turn()
    await asyncio.gather(*tasks)


async def test_many_callers_are_all_kept_once(recorder: OutboxRecorder, outbox: Watched) -> None:
    events = [prediction() for _ in range(2000)]

    async def call(mine: list[Prediction]) -> None:
        for event in mine:
            await recorder.record(event)

    await asyncio.gather(*(call(events[start::32]) for start in range(32)))
    assert sorted(kept(outbox)) == [event.prediction_id for event in events]
    assert len(outbox.batches) < 1500


async def test_events_gather_while_each_turn_of_the_loop_brings_more(
    recorder: OutboxRecorder, outbox: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_pokemon.monitoring.recorder._GATHERING_SECONDS", 60.0)

    async def call(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await recorder.record(prediction())

    await asyncio.gather(*(call(turns) for turns in range(20)))
    assert outbox.batches == [20]


async def test_nobody_waits_for_ever_for_what_may_still_come(recorder: OutboxRecorder) -> None:
    first = asyncio.ensure_future(recorder.record(prediction()))
    others = []
    async with asyncio.timeout(20):
        while not first.done():
            others.append(asyncio.ensure_future(recorder.record(prediction())))
            await asyncio.sleep(0)
    await asyncio.gather(*others)


async def test_closing_on_the_loop_commits_what_it_has_not_handed_over(
    recorder: OutboxRecorder, outbox: Watched
) -> None:
    task = asyncio.ensure_future(recorder.record(prediction()))
    await asyncio.sleep(0)
    recorder.close()
    assert not any(thread.is_alive() for thread in recorder._threads)
    await task
    assert len(kept(outbox)) == 1


async def test_each_refused_caller_is_told_why_and_counted(
    recorder: OutboxRecorder, outbox: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    assert dict(recorder.refused) == dict.fromkeys(
        ("busy", "closed", "damaged", "disk-full", "io", "other", "outbox-full", "read-only"), 0
    )
    outbox.failure = NotRecordedError("There is no space.", "disk-full")
    with caplog.at_level(logging.INFO):
        answers = await asyncio.gather(*(recorder.record(prediction()) for _ in range(20)), return_exceptions=True)
        assert {(str(answer), answer.reason) for answer in answers} == {("There is no space.", "disk-full")}
        assert len({id(answer) for answer in answers}) == 20
        assert recorder.refused["disk-full"] == 20
        outbox.failure = None
        await recorder.record(prediction())
        await recorder.record(prediction())
    assert len(kept(outbox)) == 2
    assert [record.message for record in caplog.records] == [
        "predictions are refused, since they cannot be recorded: There is no space.",
        "predictions are recorded again",
    ]


async def test_a_failure_that_nobody_foresaw_is_told_to_the_callers_too(
    recorder: OutboxRecorder, outbox: Watched
) -> None:
    outbox.failure = RuntimeError("boom")
    with pytest.raises(NotRecordedError, match="boom") as refused:
        await recorder.record(prediction())
    assert refused.value.reason == "other"
    outbox.failure = None
    await recorder.record(prediction())


async def test_an_outbox_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    recorder = OutboxRecorder(lambda: Outbox(tmp_path / "later" / "outbox-0.sqlite"))
    with pytest.raises(NotRecordedError, match="later"):
        await recorder.record(prediction())
    (tmp_path / "later").mkdir()
    await recorder.record(prediction())
    recorder.close()


@pytest.mark.parametrize(
    "event",
    [
        Prediction(new_id(), "v1", 1.5, 0.001),
        Prediction(new_id(), "v1", 0.5, float("nan")),
        Prediction("42", "v1", 0.5, 0.001),
        Outcome(new_id(), "42", happened=True),
    ],
)
async def test_what_is_no_event_spoils_nobody_elses_commit(
    recorder: OutboxRecorder, outbox: Watched, event: Prediction | Outcome
) -> None:
    good = prediction()
    answers = await asyncio.gather(recorder.record(good), recorder.record(event), return_exceptions=True)
    assert answers[0] is None
    assert isinstance(answers[1], ValueError)
    assert kept(outbox) == [good.prediction_id]
    assert set(recorder.refused.values()) == {0}


async def test_callers_that_go_away_disturb_nobody(recorder: OutboxRecorder, outbox: Watched) -> None:
    outbox.may_commit.clear()
    tasks = [asyncio.ensure_future(recorder.record(prediction())) for _ in range(10)]
    await asyncio.to_thread(outbox.entered.wait, 20)
    for task in tasks[::2]:
        task.cancel()
    outbox.may_commit.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer is None for answer in answers] == [False, True] * 5
    assert len(kept(outbox)) == 10


async def test_a_commit_that_hangs_is_refused_as_busy_and_so_is_what_waits_behind_it(outbox: Watched) -> None:
    recorder = OutboxRecorder(lambda: outbox, limit_seconds=0.1)
    outbox.may_commit.clear()
    hanging = asyncio.ensure_future(recorder.record(prediction()))
    await asyncio.to_thread(outbox.entered.wait, 20)
    behind = prediction()
    answers = await asyncio.gather(hanging, recorder.record(behind), return_exceptions=True)
    assert [answer.reason for answer in answers] == ["busy", "busy"]
    assert recorder.refused["busy"] == 2
    outbox.may_commit.set()
    later = prediction()
    await recorder.record(later)
    assert behind.prediction_id not in kept(outbox)
    assert kept(outbox)[-1] == later.prediction_id
    assert recorder.refused["busy"] == 2
    recorder.close()


def test_a_suspended_process_refuses_nothing_when_it_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUSPENDED, tmp_path / "outbox-0.sqlite"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "in a commit\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)  # longer than a commit may take
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate("go on\n", timeout=20)
    assert output == "recorded\n"


async def test_closing_commits_what_waits_and_refuses_what_comes(recorder: OutboxRecorder, outbox: Watched) -> None:
    outbox.may_commit.clear()
    tasks = [asyncio.ensure_future(recorder.record(prediction())) for _ in range(10)]
    await asyncio.to_thread(outbox.entered.wait, 20)
    tasks += [asyncio.ensure_future(recorder.record(prediction())) for _ in range(10)]
    await reached(lambda: recorder._waiting.items)
    closing = asyncio.ensure_future(asyncio.to_thread(recorder.close))
    await reached(lambda: recorder._is_closed)
    with pytest.raises(NotRecordedError, match="closed") as refused:
        await recorder.record(prediction())
    assert refused.value.reason == "closed"
    outbox.may_commit.set()
    await closing
    recorder.close()
    assert await asyncio.gather(*tasks) == [None] * 20
    assert len(kept(outbox)) == 20
    assert recorder.refused["closed"] == 1


def test_one_that_was_never_used_has_no_thread_and_can_be_closed(tmp_path: Path) -> None:
    before = threading.active_count()
    recorder = OutboxRecorder(lambda: Outbox(tmp_path / "outbox-0.sqlite"))
    assert threading.active_count() == before
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_event_loops_may_come_and_go(recorder: OutboxRecorder, outbox: Watched) -> None:
    for _ in range(3):
        asyncio.run(recorder.record(prediction()))
    assert len(kept(outbox)) == 3


def test_a_loop_that_ends_before_its_commit_disturbs_nobody(recorder: OutboxRecorder, outbox: Watched) -> None:
    left: list[asyncio.Future[None]] = []

    async def leave() -> None:
        left.append(asyncio.ensure_future(recorder.record(prediction())))
        await asyncio.to_thread(outbox.entered.wait, 20)

    outbox.may_commit.clear()
    asyncio.run(leave())
    outbox.may_commit.set()
    asyncio.run(recorder.record(prediction()))
    assert len(kept(outbox)) == 2


CALLERS = """
import asyncio, sys
from pathlib import Path
from api_pokemon.monitoring import Outbox, OutboxRecorder, Prediction, new_id
recorder = OutboxRecorder(lambda: Outbox(Path(sys.argv[1])))
async def call():
    while True:
        event = Prediction(new_id(), "v1", 0.8, 0.001)
        await recorder.record(event)
        print(f"{event.prediction_id}\\n", end="", flush=True)
async def all():
    await asyncio.gather(*(call() for _ in range(16)))
asyncio.run(all())
"""


@pytest.mark.parametrize("answers", [1, 100, 2000])
def test_every_answer_that_left_is_kept_when_the_process_is_killed(tmp_path: Path, answers: int) -> None:
    path = tmp_path / "outbox-0.sqlite"
    process = subprocess.Popen([sys.executable, "-c", CALLERS, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    told = [process.stdout.readline() for _ in range(answers)]
    process.kill()
    told += [line for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    outbox = Outbox(path)
    found = kept(outbox)
    outbox.close()
    assert len(set(found)) == len(found)
    assert {line.strip() for line in told} <= set(found)
    assert len(found) - len(told) <= 16  # one for each caller
