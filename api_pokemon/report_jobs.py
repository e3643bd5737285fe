"""The job that writes drift reports, and what it has in common with the command that does."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from api_pokemon.drift_carrying import asked_of_version, ranker_of
from api_pokemon.drift_jobs import drift_options_of, last_bucket
from api_pokemon.model.answering_again import answer_again
from api_pokemon.model.registry import ROWS_FILE, SHIPPED
from api_pokemon.monitoring.drift_references import DriftReferences, Reference
from api_pokemon.monitoring.errors import InsufficientDataError
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_rows import ReportRows, sample_predictions
from api_pokemon.monitoring.report_summary import ReportSummary
from api_pokemon.monitoring.reports import Reporter
from api_pokemon.settings import Settings
from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of, reports_of

Progress = Callable[[float, str], None]

_DAY_SECONDS = 86_400


def write_drift_reports(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Write a report on the latest window of each model version that has answered in it, and remove old ones.

    The window ends where the job's period begins, or with the last bucket that is over where it was asked for.
    """
    settings = read_settings()
    folder = reports_of(settings)
    progress(0.0, "removing old reports")  # first, as they may be what fills the disk
    removed = tidy_reports(settings, folder)
    to_seconds = last_bucket(settings, _begin_of(parameters))
    from_seconds = to_seconds - settings.drift_window_seconds
    written, too_few = [], {}
    for version in _versions(settings, from_seconds, to_seconds):
        try:
            written.append(_written(settings, folder, version, from_seconds, to_seconds, progress))
        except InsufficientDataError as error:
            too_few[version] = str(error)
    if too_few and not written:
        raise InsufficientDataError(" ".join(too_few.values()))
    return {
        "reports": {summary.model_version: summary.report_id for summary in written},
        "insufficient_data": too_few,
        "removed": removed,
    }


def reporter_of(settings: Settings) -> Reporter:
    """Writes reports on what is in the log's database."""
    engine, options = log_of(settings).engine, drift_options_of(settings)
    return Reporter(engine, reports_of(settings), OtherRows(settings), options=options)


def tidy_reports(settings: Settings, folder: ReportFolder) -> int:
    """Remove reports as the settings have it; returns how many."""
    keep, keep_days = settings.drift_report_keep, settings.drift_report_keep_days
    return folder.tidy(keep=keep or None, keep_seconds=keep_days * _DAY_SECONDS if keep_days else None)


def _begin_of(parameters: Mapping[str, Any]) -> float:
    period = parameters.get("period")
    return time.time() if period is None else datetime.fromisoformat(period).timestamp()


def _versions(settings: Settings, from_seconds: float, to_seconds: float) -> Sequence[str]:
    """Those that have answered in the window, or else those that did last: none before the first prediction."""
    store = ProfileStore(log_of(settings).engine)
    return list(store.rows_by_version(from_seconds, to_seconds)) or store.last_versions()


def _written(
    settings: Settings, folder: ReportFolder, version: str, from_seconds: float, to_seconds: float, progress: Progress
) -> ReportSummary:
    """The report on that window; where the job was killed after it, it is there already."""
    current = DriftReferences(log_of(settings).engine).current(version)
    wanted = (version, from_seconds, to_seconds, current and current.reference_id)
    for summary in folder.summaries():
        if wanted == (summary.model_version, summary.from_seconds, summary.to_seconds, summary.reference_id):
            return summary
    return reporter_of(settings).write(version, from_seconds, to_seconds, progress)


class OtherRows:
    """The rows of references that no version's log has as such."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, reference: Reference, most: int) -> ReportRows:
        if reference.from_seconds is None or reference.to_seconds is None:
            rows = self._made_up(reference.model_version)[:most]
            return ReportRows(len(rows), rows, rows)
        return self._answered_again(reference, reference.from_seconds, reference.to_seconds, most)

    def _made_up(self, version: str) -> list[dict[str, Any]]:
        """Those that lie beside the model: uniform traffic."""
        from api_pokemon.model.sample import load_sample

        folders = (self._settings.data_dir / "models" / version, SHIPPED / version)
        return next((load_sample(folder) for folder in folders if (folder / ROWS_FILE).is_file()), [])

    def _answered_again(self, reference: Reference, from_seconds: float, to_seconds: float, most: int) -> ReportRows:
        """What was asked in a stretch of time, with what the reference's version chooses for it."""
        engine = log_of(self._settings).engine
        total, made = sample_predictions(engine, asked_of_version(engine, reference), from_seconds, to_seconds, most)
        rows = list(answer_again(ranker_of(self._settings.data_dir / "models", reference.model_version), made))
        return ReportRows(total, [request for request, _ in rows], [choice for _, choice in rows])
