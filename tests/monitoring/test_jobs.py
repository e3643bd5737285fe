"""The table of jobs does the same on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread
from time import time

import pytest
from sqlalchemy import Engine, text, update

from api_pokemon.monitoring import LogUnavailableError
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.job_table import jobs_table
from api_pokemon.monitoring.jobs import MOST_PARAMETERS_BYTES, JobKind, Jobs
from api_pokemon.monitoring.log_migration import LogMigration
from tests.servers import wait_until

HOURLY = JobKind("report", "shop.reports:write", every_seconds=3600, timeout_seconds=60, memory_bytes=1 << 28)
KINDS = ("report", "train")
NOON = 1_722_081_600.0


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    LogMigration(engine).run()
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine)


def let_lease_run_out(engine: Engine, job_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            update(jobs_table).where(jobs_table.c.job_id == job_id).values(lease_until_seconds=time() - 1)
        )


def test_a_job_is_claimed_and_succeeds(jobs: Jobs) -> None:
    job_id = jobs.enqueue("train", {"seed": 1})
    assert jobs.look(KINDS).is_waiting
    job = jobs.claim(KINDS, "a", 60)
    assert job
    assert (job.job_id, job.kind, job.state, job.parameters) == (job_id, "train", "running", {"seed": 1})
    assert (job.period, job.owner, job.attempts) == (f"manual-{job_id}", "a", 1)
    assert not jobs.look(KINDS).is_waiting
    assert jobs.claim(KINDS, "b", 60) is None
    assert jobs.beat(job, 0.25, "epoch 1", 60)
    seen = jobs.find(job_id)
    assert seen
    assert (seen.progress, seen.progress_text) == (0.25, "epoch 1")
    done = jobs.succeed(job, {"accuracy": 0.5})
    assert done
    assert (done.state, done.result, done.error, done.progress) == ("succeeded", {"accuracy": 0.5}, None, 1.0)
    assert done.started_seconds is not None
    assert done.finished_seconds is not None
    assert done.created_seconds <= done.started_seconds <= done.finished_seconds
    assert jobs.last_successes() == {"train": done.finished_seconds}
    assert jobs.claim(KINDS, "b", 60) is None


def test_the_clock_is_that_of_the_database(jobs: Jobs) -> None:
    first = jobs.look(KINDS).now_seconds
    assert abs(first - time()) < 60
    wait_until(lambda: jobs.look(KINDS).now_seconds > first, "the clock goes on")  # SQLite's has milliseconds


def test_jobs_of_other_kinds_are_left_alone(jobs: Jobs) -> None:
    jobs.enqueue("bake")
    assert not jobs.look(KINDS).is_waiting
    assert jobs.claim(KINDS, "a", 60) is None


def test_who_waits_longest_is_first(jobs: Jobs) -> None:
    expected = [jobs.enqueue("train") for _ in range(5)]
    claimed = [jobs.claim(KINDS, "a", 60) for _ in range(5)]
    assert [job and job.job_id for job in claimed] == expected


def test_a_period_has_one_job(jobs: Jobs) -> None:
    assert jobs.enqueue_period(HOURLY, NOON)
    assert not jobs.enqueue_period(HOURLY, NOON + 3599.9)
    (job,) = jobs.page(10)
    assert (job.period, job.parameters) == ("2024-07-27T12:00:00Z", {"period": "2024-07-27T12:00:00Z"})
    assert not jobs.enqueue_period(replace(HOURLY, every_seconds=None), NOON)


def test_what_has_not_begun_is_given_up_when_the_next_period_begins(jobs: Jobs) -> None:
    jobs.enqueue_period(HOURLY, NOON - 3600)
    begun = jobs.claim(KINDS, "a", 60)
    assert begun
    jobs.retry(begun, "not yet", 0)
    asked_for = jobs.enqueue("report")
    jobs.enqueue_period(HOURLY, NOON)
    jobs.enqueue_period(replace(HOURLY, name="other"), NOON)
    jobs.enqueue_period(HOURLY, NOON + 3600)
    assert {(job.kind, job.period, job.state) for job in jobs.page(10)} == {
        ("report", "2024-07-27T11:00:00Z", "queued"),
        ("report", f"manual-{asked_for}", "queued"),
        ("report", "2024-07-27T12:00:00Z", "cancelled"),
        ("other", "2024-07-27T12:00:00Z", "queued"),
        ("report", "2024-07-27T13:00:00Z", "queued"),
    }


def test_a_lease_that_ran_out_is_taken_over_and_its_owner_can_change_nothing(engine: Engine, jobs: Jobs) -> None:
    jobs.enqueue("train")
    first = jobs.claim(KINDS, "a", 60)
    assert first
    let_lease_run_out(engine, first.job_id)
    second = jobs.claim(KINDS, "b", 60)
    assert second
    assert (second.job_id, second.attempts) == (first.job_id, 2)
    assert not jobs.beat(first, 0.9, "", 60)
    assert jobs.succeed(first, {"by": "a"}) is None
    assert jobs.fail(first, "by a") is None
    assert jobs.retry(first, "by a", 0) is None
    assert jobs.release(first) is None
    assert jobs.find(first.job_id) == second
    assert jobs.succeed(second, {"by": "b"})


def test_a_result_whose_lease_ran_out_counts_while_nobody_took_over(engine: Engine, jobs: Jobs) -> None:
    jobs.enqueue("train")
    job = jobs.claim(KINDS, "a", 60)
    assert job
    let_lease_run_out(engine, job.job_id)
    assert jobs.succeed(job, {})
    assert jobs.succeed(job, {}), "written again, where the answer to the first time was lost"
    assert not jobs.beat(job, 0.5, "", 60)


def test_a_retry_waits(jobs: Jobs) -> None:
    jobs.enqueue("train")
    job = jobs.claim(KINDS, "a", 60)
    assert job
    waiting = jobs.retry(job, "no rows", 3600)
    assert waiting
    assert (waiting.state, waiting.attempts, waiting.error, waiting.owner) == ("queued", 1, "no rows", None)
    assert waiting.not_before_seconds > jobs.look(KINDS).now_seconds + 3000
    assert not jobs.look(KINDS).is_waiting
    assert jobs.claim(KINDS, "a", 60) is None


def test_what_is_given_back_has_not_used_up_an_attempt(jobs: Jobs) -> None:
    jobs.enqueue("train")
    job = jobs.claim(KINDS, "a", 60)
    assert job
    back = jobs.release(job)
    assert back
    assert (back.state, back.attempts) == ("queued", 0)
    again = jobs.claim(KINDS, "b", 60)
    assert again
    assert again.attempts == 1


def test_an_error_is_kept_whatever_characters_it_has(jobs: Jobs) -> None:
    jobs.enqueue("train")
    job = jobs.claim(KINDS, "a", 60)
    assert job
    assert jobs.beat(job, float("nan"), "\0\ud800", 60)
    failed = jobs.fail(job, "0 is \0, half a pair is \ud800, é is é")
    assert failed
    assert failed.error == "0 is ?, half a pair is ?, é is é"


def test_cancelling(jobs: Jobs) -> None:
    queued, running, finished = jobs.enqueue("train"), jobs.enqueue("bake"), jobs.enqueue("report")
    job = jobs.claim(["bake"], "a", 60)
    assert job
    done = jobs.claim(["report"], "a", 60)
    assert done
    jobs.succeed(done, {})
    for job_id in (queued, running):
        cancelled = jobs.cancel(job_id)
        assert cancelled
        assert (cancelled.state, cancelled.finished_seconds is None) == ("cancelled", False)
    assert not jobs.beat(job, 0.5, "", 60)
    assert jobs.succeed(job, {}) is None
    assert jobs.cancel(finished) is None
    assert jobs.cancel("unknown") is None
    assert jobs.claim(["train", "bake"], "b", 60) is None


def test_a_page_is_the_newest_first_and_can_be_narrowed(jobs: Jobs) -> None:
    ids = [jobs.enqueue(kind) for kind in ("train", "report", "train", "report")]
    jobs.cancel(ids[2])
    assert [job.job_id for job in jobs.page(3)] == [ids[3], ids[2], ids[1]]
    assert [job.job_id for job in jobs.page(9, kind="train")] == [ids[2], ids[0]]
    assert [job.job_id for job in jobs.page(9, state="queued", kind="train")] == [ids[0]]


def test_a_job_is_found_by_its_id_or_the_end_of_it(jobs: Jobs) -> None:
    job_id, other = jobs.enqueue("train"), jobs.enqueue("train")
    job = jobs.find(job_id)
    assert job
    assert job.job_id == job_id
    assert jobs.find(job.short_id) == job
    assert jobs.find(other) != job
    assert jobs.find(job_id[:8]) is None


def test_old_rows_go_but_never_that_of_the_present_period(engine: Engine, jobs: Jobs) -> None:
    now_seconds = jobs.look(KINDS).now_seconds
    jobs.enqueue_period(HOURLY, now_seconds)
    for _ in range(5):
        jobs.enqueue("report")
    for _ in range(6):
        job = jobs.claim(["report"], "a", 60)
        assert job
        jobs.succeed(job, {})
    queued = jobs.enqueue("report")
    other = jobs.enqueue("train")
    jobs.cancel(other)
    present = HOURLY.period_at(now_seconds)
    assert jobs.remove_finished(HOURLY, now_seconds, keep=2) == 3
    assert [job.period == present for job in jobs.page(9, kind="report", state="succeeded")].count(True) == 1
    assert jobs.remove_finished(HOURLY, now_seconds + 100, keep_seconds=50) == 2
    left = {job.period for job in jobs.page(9)}
    assert left == {present, f"manual-{queued}", f"manual-{other}"}
    assert not jobs.enqueue_period(HOURLY, now_seconds)


def test_parameters_must_be_json_and_small(jobs: Jobs) -> None:
    with pytest.raises(ValueError, match=f"{MOST_PARAMETERS_BYTES} are allowed"):
        jobs.enqueue("train", {"rows": "x" * MOST_PARAMETERS_BYTES})
    with pytest.raises(ValueError, match="JSON cannot hold it"):
        jobs.enqueue("train", {"rows": {1, 2}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        jobs.enqueue("train", {"share": float("nan")})
    assert jobs.page(1) == []


def test_without_a_table_the_log_is_unavailable(url: str) -> None:
    engine = connect(url)
    jobs = Jobs(engine)
    with pytest.raises(LogUnavailableError):
        jobs.look(KINDS)
    with pytest.raises(LogUnavailableError):
        jobs.enqueue("train")
    engine.dispose()


def test_many_threads_claim_each_job_once(engine: Engine, jobs: Jobs) -> None:
    expected = {jobs.enqueue("train") for _ in range(40)}
    barrier = Barrier(6)
    claimed: list[str] = []

    def claim(owner: str) -> None:
        barrier.wait()
        while jobs.look(KINDS).is_waiting:
            if job := jobs.claim(KINDS, owner, 60):
                claimed.append(job.job_id)

    threads = [Thread(target=claim, args=(f"owner {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(expected)
    with engine.connect() as connection:
        assert connection.execute(text("select max(attempts) from jobs")).scalar() == 1
