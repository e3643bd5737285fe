"""What an operator sees of the jobs, and can do about them."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import api_pokemon.worker
from api_pokemon.cli import app
from api_pokemon.errors import ApiPokemonError, StartError, UnreachableError
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.job_runner import JobRunner
from api_pokemon.monitoring.jobs import Job, JobKind, Jobs
from api_pokemon.monitoring.log_migration import LogMigration
from tests.servers import wait_until

ROOT = Path(__file__).parents[1]
FUNCTIONS = "tests.monitoring.job_functions"
KINDS = tuple(
    JobKind(name, f"{FUNCTIONS}:{name}", None, timeout_seconds=60, memory_bytes=1 << 28, attempts=1)
    for name in ("note", "refuse")
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(api_pokemon.worker, "JOB_KINDS", KINDS)
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    engine = connect(f"sqlite:///{tmp_path}/log.sqlite")
    LogMigration(engine).run()
    yield Jobs(engine)
    engine.dispose()


@pytest.fixture
def worker(jobs: Jobs) -> Iterator[None]:
    runner = JobRunner(jobs, KINDS, poll_seconds=0.05, grace_seconds=0.2)
    runner.start()
    yield
    runner.stop(60)


def command(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["jobs", *words])


def only_job(jobs: Jobs) -> Job:
    (job,) = jobs.page(9)
    return job


def test_jobs_are_listed_newest_first(jobs: Jobs) -> None:
    queued = jobs.find(jobs.enqueue("note"))
    done = jobs.find(jobs.enqueue("refuse"))
    assert queued
    assert done
    job = jobs.claim(["refuse"], "a", 60)
    assert job
    jobs.succeed(job, {"rows": 3, "name": "[b]July"})
    hourly = JobKind("report", "", every_seconds=3600, timeout_seconds=1, memory_bytes=1)
    jobs.enqueue_period(hourly, 1_722_081_600.0)
    running = jobs.claim(["report"], "a", 60)
    assert running
    jobs.beat(running, 0.25, "page 1", 60)
    lines = command("list").output.splitlines()
    assert lines[0].split() == ["id", "kind", "period", "state", "progress", "attempts", "started", "took", "outcome"]
    assert [line.split()[:2] for line in lines[1:]] == [
        [running.short_id, "report"],
        [done.short_id, "refuse"],
        [queued.short_id, "note"],
    ]
    assert lines[1].split()[2:7] == ["2024-07-27T12:00:00Z", "running", "25%", "page", "1"]
    assert lines[2].split()[2:6] == ["on", "demand", "succeeded", "100%"]
    assert lines[2].rstrip().endswith("rows 3, name [b]July")


def test_the_list_can_be_narrowed(jobs: Jobs) -> None:
    for kind in ("note", "refuse", "note"):
        jobs.enqueue(kind)
    assert len(command("list", "--kind", "note").output.splitlines()) == 3
    assert len(command("list", "--limit", "1").output.splitlines()) == 2
    assert command("list", "--state", "failed").output == "No such jobs.\n"


@pytest.mark.parametrize("words", [("run", "bake"), ("list", "--kind", "bake")])
def test_of_an_unknown_kind_the_known_ones_are_told(jobs: Jobs, words: tuple[str, ...]) -> None:
    result = command(*words)
    assert result.exit_code == 2
    assert "there is no kind 'bake'; there is note, refuse" in result.output


def test_an_unknown_state_is_told(jobs: Jobs) -> None:
    result = command("list", "--state", "done")
    assert result.exit_code == 2
    assert "there is queued, running, succeeded, failed, cancelled" in result.output


def test_a_job_is_asked_for(jobs: Jobs) -> None:
    result = command("run", "note", "--parameters", '{"name": "a"}')
    job = only_job(jobs)
    assert result.output == f"{job.job_id}\n"
    assert (job.kind, job.state, job.parameters) == ("note", "queued", {"name": "a"})


@pytest.mark.parametrize("parameters", ["a", "[1]", json.dumps({"rows": "x" * 40_000})])
def test_parameters_that_cannot_be_are_told(jobs: Jobs, parameters: str) -> None:
    result = command("run", "note", "--parameters", parameters)
    assert result.exit_code == 2
    assert "'--parameters'" in result.output
    assert jobs.page(1) == []


@pytest.mark.usefixtures("worker")
def test_waiting_for_a_job_that_succeeds(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    parameters = json.dumps({"name": "a", "folder": str(tmp_path)})
    result = command("run", "note", "--wait", "--parameters", parameters)
    assert result.exit_code == 0
    assert result.stderr == "note succeeded: name a\n"
    assert (tmp_path / "done").read_text() == "a\n"


@pytest.mark.usefixtures("worker")
def test_waiting_for_a_job_that_fails(jobs: Jobs) -> None:
    result = command("run", "refuse", "--wait", "--parameters", '{"name": "July"}')
    assert result.exit_code == 1
    assert result.stderr == "refuse failed: LookupError: no rows in July?\n"


def test_to_stop_waiting_does_not_stop_the_job(jobs: Jobs) -> None:
    script = "from tests.test_jobs_command import main; main()"
    words = [sys.executable, "-c", script, "jobs", "run", "note", "--wait"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        job_id = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert (process.returncode, told) == (130, "It goes on: api-pokemon jobs list\n")
    job = jobs.find(job_id)
    assert job
    assert job.state == "queued"


def main() -> None:
    """The command with the kinds of these tests, for a process of its own."""
    api_pokemon.worker.JOB_KINDS = KINDS  # type: ignore[assignment]
    app()


@pytest.mark.usefixtures("worker")
def test_a_running_job_is_cancelled(jobs: Jobs, tmp_path: Path) -> None:
    job_id = jobs.enqueue("note", {"name": "a", "folder": str(tmp_path)})
    wait_until(lambda: (tmp_path / "begun").exists(), "it has begun")
    job = only_job(jobs)
    assert command("cancel", job.short_id).output == "note cancelled\n"
    assert only_job(jobs).state == "cancelled"
    again = command("cancel", job_id)
    assert again.exit_code == 2
    assert "is cancelled already" in again.output


def test_an_unknown_job_is_told(jobs: Jobs) -> None:
    for name in ("cancel", "show"):
        result = command(name, "0190f5b6")
        assert result.exit_code == 2
        assert "there is no job '0190f5b6'" in result.output


def test_a_job_is_shown_whole(jobs: Jobs) -> None:
    job_id = jobs.enqueue("note", {"name": "a"})
    shown = json.loads(command("show", job_id).output)
    assert (shown["job_id"], shown["parameters"], shown["state"]) == (job_id, {"name": "a"}, "queued")


@pytest.mark.parametrize("words", [("list",), ("run", "note"), ("cancel", "a"), ("show", "a")])
def test_without_a_log_it_is_told_what_to_do_and_nothing_is_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    error = command(*words).exception
    assert isinstance(error, UnreachableError)
    assert str(error).startswith("There is no log yet, and so are no jobs: start a worker once.")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_LOG_URL", "postgresql://nobody:secret@127.0.0.1:1/log")
    error = command("list").exception
    assert isinstance(error, UnreachableError)
    assert "secret" not in str(error)


def test_a_wrong_url_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_LOG_URL", "mysql://localhost/log")
    error: BaseException | None = command("list").exception
    assert isinstance(error, StartError)
    assert isinstance(error, ApiPokemonError)
    assert str(error).startswith("API_POKEMON_LOG_URL is wrong: ")


def test_help_teaches() -> None:
    helped = command("run", "--help").output
    assert "api-pokemon jobs run retention --wait" in helped
