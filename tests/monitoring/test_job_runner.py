"""Jobs run once, within their bounds, whatever dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.job_metrics import JobMetrics
from api_pokemon.monitoring.job_runner import JobRunner
from api_pokemon.monitoring.jobs import Job, JobKind, Jobs
from api_pokemon.monitoring.log_migration import LogMigration
from tests.servers import PostgresServer, wait_until

ROOT = Path(__file__).parents[2]
FUNCTIONS = "tests.monitoring.job_functions"
KIND = JobKind(
    "note",
    f"{FUNCTIONS}:note",
    every_seconds=None,
    timeout_seconds=120,
    memory_bytes=512 << 20,
    attempts=2,
    first_retry_seconds=0.01,
)
YEARLY = replace(KIND, every_seconds=365 * 86_400)
QUICKLY = {"poll_seconds": 0.05, "grace_seconds": 0.2}

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True)
def children_find_the_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("NOTES", str(tmp_path))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/log.sqlite"


@contextmanager
def opened(url: str) -> Iterator[Jobs]:
    engine = connect(url)
    LogMigration(engine).run()
    yield Jobs(engine)
    engine.dispose()


@pytest.fixture
def jobs(sqlite_url: str) -> Iterator[Jobs]:
    with opened(sqlite_url) as jobs:
        yield jobs


@contextmanager
def running(jobs: Jobs, *kinds: JobKind, metrics: JobMetrics | None = None, **options: Any) -> Iterator[JobRunner]:
    runner = JobRunner(jobs, kinds, metrics, **(QUICKLY | options))
    runner.start()
    try:
        yield runner
    finally:
        runner.stop(60)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers, and ends them all."""
    with ExitStack() as stack:

        def start_worker(url: str, *kinds: JobKind, **options: Any) -> "subprocess.Popen[bytes]":
            words = (url, json.dumps([asdict(kind) for kind in kinds]), json.dumps(QUICKLY | options))
            command = [sys.executable, "-m", "tests.monitoring.job_worker", *words]
            process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT))
            stack.callback(process.kill)
            return process

        yield start_worker


def found(jobs: Jobs, job_id: str) -> Job:
    job = jobs.find(job_id)
    assert job
    return job


def ended(jobs: Jobs, job_id: str) -> Job:
    wait_until(lambda: found(jobs, job_id).is_finished, "the job has ended")
    return found(jobs, job_id)


def run(jobs: Jobs, function: str, parameters: dict[str, Any] | None = None, **bounds: Any) -> Job:
    """Run one job to its end."""
    kind = replace(KIND, name=function, function=f"{FUNCTIONS}:{function}", **bounds)
    job_id = jobs.enqueue(function, parameters)
    with running(jobs, kind):
        return ended(jobs, job_id)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def lives(process_id: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    return False


def worker_of(jobs: Jobs, job_id: str) -> int:
    owner = found(jobs, job_id).owner
    assert owner
    return int(owner.split("/")[1])


def only_job(jobs: Jobs) -> str:
    """The one row of the table, once it is there."""
    wait_until(lambda: jobs.page(9), "a job is there")
    (job,) = jobs.page(9)
    return job.job_id


def test_a_periodic_job_is_done_once_though_the_worker_that_runs_it_is_killed(
    url: str, tmp_path: Path, start: Start
) -> None:
    with opened(url) as jobs:
        workers = {process.pid: process for process in (start(url, YEARLY, lease_seconds=1.5) for _ in range(3))}
        job_id = only_job(jobs)
        wait_until(lambda: lines(tmp_path / "begun"), "it has begun")
        victim = workers[worker_of(jobs, job_id)]
        child = int(lines(tmp_path / "begun")[0].split()[1])
        victim.kill()
        wait_until(lambda: not lives(child), "the child ends with its worker")
        wait_until(lambda: len(lines(tmp_path / "begun")) == 2, "another worker has begun it")
        (tmp_path / "go").touch()
        job = ended(jobs, job_id)
        assert (job.state, job.attempts) == ("succeeded", 2)
        assert worker_of(jobs, job_id) in workers.keys() - {victim.pid}
        assert [job.period] == lines(tmp_path / "done")
        assert len(jobs.page(9)) == 1


def test_three_workers_do_what_comes_by_the_clock_once_in_each_period(url: str, tmp_path: Path, start: Start) -> None:
    (tmp_path / "go").touch()
    with opened(url) as jobs:
        for _ in range(3):
            start(url, replace(KIND, every_seconds=2))
        wait_until(lambda: len(jobs.page(99, state="succeeded")) >= 3, "three periods are done")
        done = lines(tmp_path / "done")
        assert len(done) == len(set(done)) >= 3
        assert {job.attempts for job in jobs.page(99, state="succeeded")} == {1}
        assert {job.period for job in jobs.page(99, state="succeeded")} <= set(lines(tmp_path / "done"))


def test_six_workers_run_fifty_jobs_once_each(url: str, tmp_path: Path, start: Start) -> None:
    (tmp_path / "go").touch()
    with opened(url) as jobs:
        for number in range(50):
            jobs.enqueue("note", {"folder": str(tmp_path), "name": f"{number}"})
        for _ in range(6):
            start(url, KIND)
        wait_until(lambda: len(jobs.page(99, state="succeeded")) == 50, "all are done", 240)
        assert sorted(lines(tmp_path / "done"), key=int) == [str(number) for number in range(50)]
        assert {job.attempts for job in jobs.page(99)} == {1}
        assert len({job.owner.split("/")[1] for job in jobs.page(99) if job.owner}) > 1


def test_a_worker_that_was_stopped_for_long_loses_its_job(url: str, tmp_path: Path, start: Start) -> None:
    with opened(url) as jobs:
        stopped = start(url, YEARLY, lease_seconds=1.5)
        job_id = only_job(jobs)
        wait_until(lambda: lines(tmp_path / "begun"), "it has begun")
        child = int(lines(tmp_path / "begun")[0].split()[1])
        stopped.send_signal(signal.SIGSTOP)
        wait_until(lambda: not lives(child), "the child ends with the lease")
        other = start(url, YEARLY, lease_seconds=1.5)
        wait_until(lambda: len(lines(tmp_path / "begun")) == 2, "another worker has begun it")
        stopped.send_signal(signal.SIGCONT)
        (tmp_path / "go").touch()
        job = ended(jobs, job_id)
        assert (job.state, job.attempts, worker_of(jobs, job_id)) == ("succeeded", 2, other.pid)
        assert lines(tmp_path / "done") == [job.period]


def test_the_result_and_the_progress_are_there_to_see(jobs: Jobs, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    job_id = jobs.enqueue("note", {"folder": str(tmp_path), "name": "a"})
    with running(jobs, KIND, metrics=JobMetrics(registry, ["note"])):
        wait_until(lambda: found(jobs, job_id).progress == 0.5, "progress is shown")
        assert found(jobs, job_id).progress_text == "half"
        (tmp_path / "go").touch()
        job = ended(jobs, job_id)
    assert (job.state, job.result, job.progress, job.error) == ("succeeded", {"name": "a"}, 1.0, None)
    assert registry.get_sample_value("job_runs_total", {"kind": "note", "state": "succeeded"}) == 1
    assert registry.get_sample_value("job_runs_total", {"kind": "note", "state": "failed"}) == 0
    assert registry.get_sample_value("job_duration_seconds_count", {"kind": "note"}) == 1
    assert registry.get_sample_value("job_last_success_timestamp_seconds", {"kind": "note"}) == job.finished_seconds


def test_a_success_on_another_worker_is_shown(jobs: Jobs) -> None:
    jobs.enqueue("note")
    job = jobs.claim(["note"], "another", 60)
    assert job
    done = jobs.succeed(job, {})
    assert done
    registry = CollectorRegistry()
    with running(jobs, KIND, metrics=JobMetrics(registry, ["note"])):
        wait_until(
            lambda: (
                registry.get_sample_value("job_last_success_timestamp_seconds", {"kind": "note"})
                == done.finished_seconds
            ),
            "it is shown",
        )


def test_an_exception_is_tried_again_and_then_kept(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        job = run(jobs, "refuse", {"name": "July"})
    assert (job.state, job.attempts) == ("failed", 2)
    assert job.error
    assert job.error.startswith("LookupError: no rows in July?\n")
    assert 'job_functions.py", line ' in job.error
    assert job.error.endswith("The last that it printed:\nlooking for the rows")
    printed = [record for record in caplog.records if record.message == "looking for the rows"]
    assert [record.name.rpartition(".")[2] for record in printed] == ["refuse", "refuse"]


def test_a_second_attempt_may_succeed(jobs: Jobs, tmp_path: Path) -> None:
    job = run(jobs, "refuse_once", {"folder": str(tmp_path)})
    assert (job.state, job.attempts, job.error, job.result) == ("succeeded", 2, None, {})


def test_what_takes_too_long_is_ended_with_all_it_has_started(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has told what it has started, however long that takes, an hour goes by with each look at the clock."""
    hours = 0

    def clock() -> float:
        nonlocal hours
        hours += any(job.progress_text for job in jobs.page(1))
        return monotonic() + 3600.0 * hours

    monkeypatch.setattr("api_pokemon.monitoring.job_runner.monotonic", clock)
    job = run(jobs, "hang", timeout_seconds=600, attempts=1)
    assert (job.state, job.error) == ("failed", "It took longer than 600 s.")
    processes = [int(word) for word in job.progress_text.split()]
    assert len(processes) == 2
    assert not any(map(lives, processes))


def test_memory_is_bounded(jobs: Jobs) -> None:
    job = run(jobs, "grow", {"mebibytes": 600}, attempts=1)
    assert (job.state, job.error) == ("failed", "It needs more than the 512 MiB that it may have.")
    assert run(jobs, "grow", {"mebibytes": 100}).result == {"sum": float(100 << 17)}


def test_a_child_that_is_killed_has_failed(jobs: Jobs) -> None:
    job = run(jobs, "kill_itself", attempts=1)
    assert job.error == "It was killed by signal 9 (Killed).\n\nThe last that it printed:\ngoodbye"


@pytest.mark.parametrize(
    ("function", "parameters", "error"),
    [
        ("is_missing", {}, "AttributeError: module 'tests.monitoring.job_functions' has no attribute 'is_missing'"),
        ("return_much", {"length": 300_000}, "ValueError: The result takes 300012 bytes as JSON; 262144 are allowed."),
        ("return_nothing", {}, "ValueError: The function returned NoneType; a mapping is wanted."),
        ("exit_at_once", {}, "It ended with exit status 3 and without a result."),
    ],
)
def test_what_goes_wrong_is_told(jobs: Jobs, function: str, parameters: dict[str, Any], error: str) -> None:
    job = run(jobs, function, parameters, attempts=1)
    assert job.state == "failed"
    assert job.error
    assert job.error.startswith(error)


def test_a_function_finds_standard_input_empty_and_may_say_anything(jobs: Jobs, tmp_path: Path) -> None:
    job_id = jobs.enqueue("read_input")
    with running(jobs, replace(KIND, name="read_input", function=f"{FUNCTIONS}:read_input")):
        wait_until(lambda: found(jobs, job_id).progress_text == "half a pair: ?", "it has said it")
        assert found(jobs, job_id).progress == 0.0
        (tmp_path / "go").touch()
        assert ended(jobs, job_id).result == {"input": ""}


def test_a_cancelled_job_is_not_begun(jobs: Jobs, tmp_path: Path) -> None:
    job_id = jobs.enqueue("note", {"folder": str(tmp_path), "name": "a"})
    jobs.cancel(job_id)
    later = jobs.enqueue("note", {"folder": str(tmp_path), "name": "b"})
    (tmp_path / "go").touch()
    with running(jobs, KIND):
        ended(jobs, later)
    assert lines(tmp_path / "done") == ["b"]


def test_cancelling_a_running_job_ends_its_child(jobs: Jobs, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    job_id = jobs.enqueue("note", {"folder": str(tmp_path), "name": "a"})
    with running(jobs, KIND, metrics=JobMetrics(registry, ["note"])):
        wait_until(lambda: lines(tmp_path / "begun"), "it has begun")
        child = int(lines(tmp_path / "begun")[0].split()[1])
        jobs.cancel(job_id)
        wait_until(lambda: not lives(child), "the child has ended")
        later = jobs.enqueue("note", {"folder": str(tmp_path), "name": "b"})
        (tmp_path / "go").touch()
        ended(jobs, later)
    assert (found(jobs, job_id).state, found(jobs, job_id).error) == ("cancelled", "Cancelled.")
    assert registry.get_sample_value("job_runs_total", {"kind": "note", "state": "cancelled"}) == 1
    assert lines(tmp_path / "done") == ["b"]


def test_a_stopped_worker_gives_its_job_back(jobs: Jobs, tmp_path: Path) -> None:
    job_id = jobs.enqueue("note", {"folder": str(tmp_path), "name": "a"})
    with running(jobs, KIND):
        wait_until(lambda: lines(tmp_path / "begun"), "it has begun")
        child = int(lines(tmp_path / "begun")[0].split()[1])
    assert not lives(child)
    assert (found(jobs, job_id).state, found(jobs, job_id).attempts) == ("queued", 0)
    (tmp_path / "go").touch()
    with running(jobs, KIND):
        assert ended(jobs, job_id).attempts == 1


def test_a_job_that_kills_its_worker_each_time_is_given_up(jobs: Jobs) -> None:
    job_id = jobs.enqueue("note")
    for _ in range(KIND.attempts):
        assert jobs.claim(["note"], "dead", -1)
    with running(jobs, KIND):
        job = ended(jobs, job_id)
    assert (job.state, job.error) == ("failed", "The worker died each time it was begun.")


def test_a_result_waits_for_the_database(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with opened(postgres_server.url) as jobs:
        job_id = jobs.enqueue("note", {"folder": str(tmp_path), "name": "a"})
        back_off = BackOff(first_seconds=0.01, longest_seconds=0.1)
        with running(jobs, KIND, back_off=back_off, lease_seconds=600):
            wait_until(lambda: lines(tmp_path / "begun"), "it has begun")
            postgres_server.kill()
            (tmp_path / "go").touch()
            wait_until(lambda: lines(tmp_path / "done"), "it is done")
            child = int(lines(tmp_path / "begun")[0].split()[1])
            wait_until(lambda: not lives(child), "the child has ended")
            postgres_server.start()
            job = ended(jobs, job_id)
            later = ended(jobs, jobs.enqueue("note", {"folder": str(tmp_path), "name": "b"}))
    assert (job.state, job.attempts, job.result) == ("succeeded", 1, {"name": "a"})
    assert later.state == "succeeded"


def test_a_database_that_is_away_for_longer_than_the_lease_has_the_job_begun_anew(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with opened(postgres_server.url) as jobs:
        job_id = jobs.enqueue("note", {"folder": str(tmp_path), "name": "a"})
        back_off = BackOff(first_seconds=0.01, longest_seconds=0.1)
        with running(jobs, KIND, back_off=back_off, lease_seconds=1.5):
            wait_until(lambda: lines(tmp_path / "begun"), "it has begun")
            child = int(lines(tmp_path / "begun")[0].split()[1])
            postgres_server.kill()
            wait_until(lambda: not lives(child), "the child ends with the lease")
            postgres_server.start()
            wait_until(lambda: len(lines(tmp_path / "begun")) == 2, "it is begun anew")
            (tmp_path / "go").touch()
            job = ended(jobs, job_id)
    assert (job.state, job.attempts) == ("succeeded", 1)
    assert lines(tmp_path / "done") == ["a"]


def test_the_table_may_come_later(sqlite_url: str, tmp_path: Path) -> None:
    engine: Engine = connect(sqlite_url)
    (tmp_path / "go").touch()
    with running(Jobs(engine), YEARLY, back_off=BackOff(first_seconds=0.01, longest_seconds=0.05)):
        LogMigration(engine).run()
        assert ended(Jobs(engine), only_job(Jobs(engine))).state == "succeeded"
    engine.dispose()


def test_old_rows_are_removed(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    monkeypatch.setattr(jobs, "remove_finished", lambda kind, now_seconds: removed.append(kind.name))
    with running(jobs, KIND):
        wait_until(lambda: removed, "the table is tidied")
    assert removed == ["note"]


def test_the_environment_is_the_workers(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    job_id = jobs.enqueue("note", {"name": os.environ["NOTES"]})
    with running(jobs, KIND):
        assert ended(jobs, job_id).result == {"name": str(tmp_path)}
