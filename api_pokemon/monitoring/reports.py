"""Drift reports for people: what the profiles have decided, beside what Evidently says of a sample of the rows."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TypeAlias

from sqlalchemy import Engine

from api_pokemon.monitoring.drift_checking import DriftChecker, Judged
from api_pokemon.monitoring.drift_detection import DriftOptions, FieldDrift, Verdict
from api_pokemon.monitoring.drift_references import Reference
from api_pokemon.monitoring.errors import InsufficientDataError
from api_pokemon.monitoring.evidently_report import EvidentlyReport, run_evidently
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.profile_rows import FieldSpec
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_page import with_heading
from api_pokemon.monitoring.report_rows import MOST_ROWS, ReportRows, rows_of, sample_predictions
from api_pokemon.monitoring.report_summary import FieldSummary, ReportSummary

LEAST_ROWS = DriftOptions().least_rows
"""Of each side: with fewer there is no verdict, and no report."""

OtherRows: TypeAlias = Callable[[Reference, int], ReportRows]
"""Given a reference that is no stretch of its version's log, and a number, returns at most so many rows of it."""

Progress: TypeAlias = Callable[[float, str], None]


class Reporter:
    """Writes reports.

    Parameters
    ----------
    engine
        The log's database.
    folder
        Where they are kept.
    other_rows
        The rows of references that the log does not have as such: made up, or answered again.
    most_rows
        How many rows of each side Evidently is given.
    options
        How drift is told by us; Evidently has its own ways.
    """

    def __init__(
        self,
        engine: Engine,
        folder: ReportFolder,
        other_rows: OtherRows,
        *,
        most_rows: int = MOST_ROWS,
        options: DriftOptions = DriftOptions(),
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._other_rows = other_rows
        self._most_rows = most_rows
        self._options = options

    def write(
        self, model_version: str, from_seconds: float, to_seconds: float, progress: Progress = lambda share, text: None
    ) -> ReportSummary:
        """Compare a stretch of time with the reference of its model version, and keep what comes of it.

        Raises
        ------
        InsufficientDataError
            If the window or the reference has fewer than :data:`LEAST_ROWS`, or the version has no reference yet.
        EvidentlyMissingError
            If Evidently is not installed.
        LogUnavailableError
            If the database does not answer.
        OSError
            If the report cannot be kept, since the disk is full for instance.
        """
        began_seconds = monotonic()
        progress(0.0, f"{model_version}: taking rows")
        current = self._window(model_version, from_seconds, to_seconds)
        checker = DriftChecker(self._engine, to_seconds - from_seconds, self._options)
        judged = checker.judge(model_version, from_seconds, to_seconds)
        if judged is None:
            raise InsufficientDataError(f"{model_version} has no reference yet; a worker gives it one within minutes.")
        reference = self._rows_of(judged.reference)
        progress(0.2, f"{model_version}: comparing {len(current.requests):,} rows with {len(reference.requests):,}")
        specs = [FieldSpec(field.name, field.kind, field.group) for field in judged.drift.fields]
        made = run_evidently(specs, current, reference)
        progress(0.9, f"{model_version}: keeping the report")
        summary = ReportSummary(
            report_id=new_id(),
            model_version=model_version,
            from_seconds=from_seconds,
            to_seconds=to_seconds,
            rows=current.total,
            sampled_rows=len(current.requests),
            reference_id=judged.reference.reference_id,
            reference_kind=judged.reference.kind,
            reference_rows=judged.reference.rows,
            sampled_reference_rows=len(reference.requests),
            verdict=_verdict(judged),
            duration_seconds=round(monotonic() - began_seconds, 3),
            fields=tuple(_beside(field, made) for field in judged.drift.fields),
        )
        self._folder.keep(summary, with_heading(made.html, summary), made.json)
        return summary

    def _window(self, model_version: str, from_seconds: float, to_seconds: float) -> ReportRows:
        found = sample_predictions(self._engine, model_version, from_seconds, to_seconds, self._most_rows)
        rows = rows_of(*found)
        if rows.total < LEAST_ROWS:
            raise InsufficientDataError(
                f"{model_version} has made {rows.total} predictions in the window; a report takes {LEAST_ROWS}."
            )
        return rows

    def _rows_of(self, reference: Reference) -> ReportRows:
        if reference.kind == "window" and reference.from_seconds is not None and reference.to_seconds is not None:
            stretch = (reference.model_version, reference.from_seconds, reference.to_seconds)
            rows = rows_of(*sample_predictions(self._engine, *stretch, self._most_rows))
        else:
            rows = self._other_rows(reference, self._most_rows)
        if rows.total < LEAST_ROWS:
            raise InsufficientDataError(
                f"Only {rows.total} of the {reference.rows:,} rows of the reference of {reference.model_version} are "
                "left, which reports need and verdicts do not: declare a stretch normal that is still logged."
            )
        return rows


def _beside(field: FieldDrift, made: EvidentlyReport) -> FieldSummary:
    ours = (field.name, field.kind, field.group, field.statistic, field.noise, field.threshold, field.verdict)
    score = made.scores.get(field.name)
    if score is None:
        return FieldSummary(*ours, left_out=made.left_out.get(field.name))
    return FieldSummary(*ours, *score)


def _verdict(judged: Judged) -> Verdict:
    verdicts: Iterable[Verdict] = [group.verdict for group in judged.drift.groups]
    return "drift" if "drift" in verdicts else next(iter(verdicts))
