"""What is known of drift, looked up without ever holding up the event loop."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine

from api_pokemon.monitoring.drift_checking import DriftCheck, DriftChecks
from api_pokemon.monitoring.errors import LogMissingError
from api_pokemon.monitoring.jobs import Job, Jobs
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_summary import ReportSummary
from api_pokemon.routes.log_threads import LogThreads

T = TypeVar("T")

REPORT_JOB = "drift-report"
"""The kind of the worker's job that writes reports."""


class Periods(NamedTuple):
    """How often there is a check and a report; None where there are reports on demand alone."""

    check_seconds: int
    report_seconds: int | None


class Known(NamedTuple):
    """What is known of drift now. Times are Unix seconds."""

    checks: list[DriftCheck]
    next_check_seconds: float
    next_report_seconds: float | None
    last_job: Job | None


class DriftLookups:
    """Looks into the log's database and into the folder of reports. A log that does not exist yet knows of nothing.

    Every method raises `LogUnavailableError` where what it looks into does not answer.

    Parameters
    ----------
    engine
        The log's database.
    folder
        Where reports are kept.
    periods
        As the worker has them.
    """

    def __init__(self, engine: Engine, folder: ReportFolder, periods: Periods) -> None:
        self._checks = DriftChecks(engine)
        self._jobs = Jobs(engine)
        self._folder = folder
        self.periods = periods
        self._threads = LogThreads()

    async def known(self) -> Known:
        """What the latest check has found, and what comes next."""
        return await self._threads.run(self._known)

    async def history(self, most: int, model_version: str | None) -> list[DriftCheck]:
        """The last checks, the latest first: of one model version, or of those of the latest check."""
        return await self._threads.run(partial(_or_none, partial(self._history, most, model_version)))

    async def reports(self, most: int) -> list[ReportSummary]:
        """The last reports, the latest first."""
        return await self._threads.run(partial(self._folder.summaries, most))

    async def page(self, report_id: str) -> bytes | None:
        """The page of a report; None where there is none."""
        return await self._threads.run(partial(self._read, report_id, "html"))

    async def report(self, report_id: str) -> tuple[ReportSummary, dict[str, Any]] | None:
        """A report as numbers: in short, and as Evidently has it; None where there is none."""
        return await self._threads.run(partial(self._report, report_id))

    async def ask_for_report(self) -> str:
        """Ask a worker for reports, unless somebody has and none has begun; returns the id of the job."""
        return await self._threads.run(self._ask)

    def _known(self) -> Known:
        now_seconds = time.time()
        jobs = _or_none(partial(self._jobs.page, 1, kind=REPORT_JOB))
        check_seconds, report_seconds = self.periods
        return Known(
            _or_none(self._checks.latest),
            _next(now_seconds, check_seconds),
            None if report_seconds is None else _next(now_seconds, report_seconds),
            jobs[0] if jobs else None,
        )

    def _history(self, most: int, model_version: str | None) -> list[DriftCheck]:
        latest = [check.model_version for check in self._checks.latest()]
        versions = latest if model_version is None else [model_version]
        found = [check for version in versions for check in self._checks.history(version, most)]
        return sorted(found, key=lambda check: check.checked_seconds, reverse=True)[:most]

    def _read(self, report_id: str, format_: Any) -> bytes | None:
        path = self._folder.file(report_id, format_)
        try:
            return None if path is None else path.read_bytes()
        except FileNotFoundError:  # removed in this moment
            return None

    def _report(self, report_id: str) -> tuple[ReportSummary, dict[str, Any]] | None:
        summary, body = self._folder.find(report_id), self._read(report_id, "json")
        return None if summary is None or body is None else (summary, json.loads(body))

    def _ask(self) -> str:
        waiting = (job for job in self._jobs.page(20, kind=REPORT_JOB, state="queued") if job.is_on_demand)
        found = next(waiting, None)
        return self._jobs.enqueue(REPORT_JOB) if found is None else found.job_id


def _next(now_seconds: float, every_seconds: float) -> float:
    return (now_seconds // every_seconds + 1) * every_seconds


def _or_none(look: Callable[[], list[T]]) -> list[T]:
    try:
        return look()
    except LogMissingError:
        return []
