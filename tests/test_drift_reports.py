"""Reports as the worker and a person write them. Evidently is loaded once here, and once in a child process."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.errors import DriftError
from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring import evidently_report, new_id
from api_pokemon.monitoring.drift_references import DriftReferences, Reference
from api_pokemon.monitoring.events import Prediction, encode
from api_pokemon.monitoring.job_metrics import JobMetrics
from api_pokemon.monitoring.job_runner import JobRunner
from api_pokemon.monitoring.jobs import Job, JobKind, Jobs
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.stream import Entry
from api_pokemon.report_jobs import OtherRows, write_drift_reports
from api_pokemon.settings import Settings
from api_pokemon.stores import baselines_of, bucket_seconds_of, log_of, reports_of
from api_pokemon.worker import create_worker, job_kinds
from benchmarks.events import duel_predictions
from tests.monitoring.disks import small_disk
from tests.monitoring.logged_events import START_SECONDS, id_at
from tests.servers import wait_until

ROWS = 400
WINDOW_SECONDS = 1200


def settings_for(data_dir: Path, **changes: object) -> Settings:
    return Settings(data_dir=data_dir, _env_file=None, drift_window_seconds=WINDOW_SECONDS, **changes)  # type: ignore


def fill(settings: Settings, number: int) -> list[Prediction]:
    """Log so many predictions of the last minutes, with their profiles."""
    made = duel_predictions(50)
    began = time.time() - START_SECONDS - 500
    ids = [id_at(began + 400 * index / number, index) for index in range(number)]
    events = [structs.replace(made[index % 50], prediction_id=each) for index, each in enumerate(ids)]
    log = log_of(settings)
    log.migrate()
    writer = ProfileWriter(baselines_of(settings), bucket_seconds=bucket_seconds_of(settings))
    log.write([Entry(new_id(), index, encode(event)) for index, event in enumerate(events, 1)], also=writer)
    return events


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_for(tmp_path_factory.mktemp("data"))
    fill(settings, ROWS)
    return settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_POKEMON_DRIFT_WINDOW_SECONDS", str(WINDOW_SECONDS))


@contextmanager
def running(settings: Settings, registry: CollectorRegistry, **changes: Any) -> Iterator[Jobs]:
    """A worker's jobs, of which there are only reports, on demand."""
    jobs = Jobs(log_of(settings).engine)
    kind = replace(report_kind(settings), every_seconds=None, first_retry_seconds=0.01, **changes)
    runner = JobRunner(jobs, [kind], JobMetrics(registry, [kind.name]), poll_seconds=0.05)
    runner.start()
    yield jobs
    runner.stop()


def report_kind(settings: Settings) -> JobKind:
    return next(kind for kind in job_kinds(settings) if kind.name == "drift-report")


def finished(jobs: Jobs, job_id: str) -> Job:
    found: list[Job] = []

    def is_finished() -> bool:
        job = jobs.find(job_id)
        found[:] = [job] if job is not None and job.is_finished else []
        return bool(found)

    wait_until(is_finished, "the job has ended", 120)
    return found[0]


def runs(registry: CollectorRegistry) -> dict[str, float]:
    """How often the job has ended how."""
    endings = ("succeeded", "retried", "failed")
    labels = [{"kind": "drift-report", "state": ending} for ending in endings]
    return {each["state"]: registry.get_sample_value("job_runs_total", each) or 0.0 for each in labels}


def kill_child() -> bool:
    children = psutil.Process().children()
    found = [child for child in children if any("job_child" in word for word in child.cmdline())]
    for child in found:
        os.kill(child.pid, signal.SIGKILL)
    return bool(found)


def test_the_job_writes_a_report_also_where_its_process_was_killed(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(filled.data_dir))
    registry = CollectorRegistry()
    with running(filled, registry) as jobs:
        job_id = jobs.enqueue("drift-report")
        wait_until(kill_child, "the job has a process")
        job = finished(jobs, job_id)
    assert (job.state, job.attempts) == ("succeeded", 2), job.error
    assert runs(registry) == {"succeeded": 1, "retried": 1, "failed": 0}
    (report,) = reports_of(filled).summaries()
    assert job.result == {"reports": {shipped_version(): report.report_id}, "insufficient_data": {}, "removed": 0}
    assert (report.rows, report.sampled_rows, report.sampled_reference_rows) == (ROWS, ROWS, 10_000)
    assert (report.reference_kind, report.verdict) == ("uniform", "drift")
    fields = {field.name: field for field in report.fields}
    assert (fields["candidate_moves"].verdict, fields["candidate_moves"].evidently_drift) == ("drift", True)
    assert report.to_seconds - report.from_seconds == WINDOW_SECONDS
    # Begun again after it was written, for instance: the same report.
    period = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(report.to_seconds))
    again = write_drift_reports({"period": period}, lambda share, text: None)
    assert again["reports"] == {shipped_version(): report.report_id}


def test_a_person_writes_one_at_once_and_opens_it(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(filled.data_dir))
    before = len(reports_of(filled).summaries())
    result = CliRunner().invoke(app, ["drift", "report", "--open"])
    assert result.exit_code == 0, result.output
    assert f"{shipped_version()}: drift, of {ROWS} predictions from" in result.stdout
    assert re.search(r"^candidate_moves +request +\S+ +\S+ +drift +drift \(\S+\) +\S", result.stdout, re.MULTILINE)
    reports = reports_of(filled).summaries()
    assert len(reports) == before + 1
    page = Path(result.stdout.splitlines()[-1])
    assert page == filled.data_dir / "reports" / reports[0].report_id / "report.html"
    assert page.stat().st_size > 1 << 20
    assert opened.read_text() == page.as_uri()


def test_a_full_disk_is_told_and_leaves_nothing(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("API_POKEMON_LOG_URL", f"sqlite:///{filled.data_dir}/log.sqlite")
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        monkeypatch.setenv("API_POKEMON_DATA_DIR", str(disk.folder))
        result = CliRunner().invoke(app, ["drift", "report"])
        assert isinstance(result.exception, DriftError)
        assert "The report cannot be kept: [Errno 28] No space left on device" in str(result.exception)
        assert list((disk.folder / "reports").iterdir()) == []


def test_an_empty_window_is_counted_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path)
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    fill(settings, 20)
    registry = CollectorRegistry()
    with running(settings, registry, attempts=2) as jobs:
        job = finished(jobs, jobs.enqueue("drift-report"))
    assert (job.state, job.attempts) == ("failed", 2)
    assert job.error == f"{shipped_version()} has made 20 predictions in the window; a report takes 100."
    assert runs(registry) == {"succeeded": 0, "retried": 1, "failed": 1}
    assert not reports_of(settings).path.exists()


def test_before_the_first_prediction_there_is_nothing_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    log_of(settings_for(tmp_path)).migrate()
    nothing = {"reports": {}, "insufficient_data": {}, "removed": 0}
    assert write_drift_reports({"period": "2026-08-01T12:00:00Z"}, lambda share, text: None) == nothing


def test_without_evidently_the_worker_says_so_once_and_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create_worker(settings_for(tmp_path))
    assert "no drift reports" not in caplog.text
    monkeypatch.setattr(evidently_report, "find_spec", lambda name: None)
    create_worker(settings_for(tmp_path))
    assert "there will be no drift reports: Evidently, which writes drift reports, is not installed" in caplog.text


@pytest.mark.parametrize(
    ("seconds", "every_seconds", "timeout_seconds"),
    [(3600, 3600, 600), (0, None, 600), (300, 300, 299), (10, 10, 60)],
)
def test_it_comes_as_often_as_the_settings_say(
    tmp_path: Path, seconds: int, every_seconds: int | None, timeout_seconds: float
) -> None:
    kind = report_kind(settings_for(tmp_path, drift_report_seconds=seconds))
    assert (kind.every_seconds, kind.timeout_seconds) == (every_seconds, timeout_seconds)


def test_requests_that_are_answered_again_are_the_rows_of_a_carried_reference(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    made = fill(settings, 60)
    began, ended = made[0].made_at_seconds, made[-1].made_at_seconds + 0.001
    current = DriftReferences(log_of(settings).engine).current(shipped_version())
    assert current is not None
    carried: Reference = replace(current, kind="carried", from_seconds=began, to_seconds=ended)
    rows = OtherRows(settings)(carried, 10_000)
    assert rows.total == 60
    assert rows.requests == [item.request for item in made]
    assert json.dumps(rows.choices[0], sort_keys=True) == json.dumps(dict(made[0].choice), sort_keys=True)
    assert len(OtherRows(settings)(carried, 7).choices) == 7
