"""From what is known of drift to what the caller reads."""

from datetime import UTC, datetime
from typing import Any

from api_pokemon.monitoring import drift_checking
from api_pokemon.monitoring.drift_detection import FieldDrift
from api_pokemon.monitoring.jobs import Job
from api_pokemon.monitoring.report_summary import FieldSummary, ReportSummary
from api_pokemon.routes import drift_schemas as schemas
from api_pokemon.routes.drift_lookups import Known, Periods


def write_status(known: Known, periods: Periods) -> schemas.DriftStatus:
    next_report = known.next_report_seconds
    return schemas.DriftStatus(
        tuple(map(_version, known.checks)),
        schemas.Schedule(
            check_seconds=periods.check_seconds,
            next_check_at=_time(known.next_check_seconds),
            report_seconds=periods.report_seconds,
            next_report_at=None if next_report is None else _time(next_report),
            last_report_job=None if known.last_job is None else _job(known.last_job),
        ),
    )


def write_check(check: drift_checking.DriftCheck) -> schemas.DriftCheck:
    return schemas.DriftCheck(**_common(check))


def write_report_in_short(summary: ReportSummary) -> schemas.ReportInShort:
    return schemas.ReportInShort(**_in_short(summary))


def write_report(summary: ReportSummary, evidently: dict[str, Any]) -> schemas.Report:
    return schemas.Report(
        **_in_short(summary),
        sampled_rows=summary.sampled_rows,
        sampled_reference_rows=summary.sampled_reference_rows,
        duration_seconds=summary.duration_seconds,
        fields=tuple(map(_field, summary.fields)),
        evidently=evidently,
    )


def _version(check: drift_checking.DriftCheck) -> schemas.VersionDrift:
    return schemas.VersionDrift(**_common(check), features=tuple(map(_feature, check.fields)))


def _common(check: drift_checking.DriftCheck) -> dict[str, Any]:
    return {
        "model_version": check.model_version,
        "checked_at": _time(check.checked_seconds),
        "verdict": check.verdict,
        "window": schemas.Window(_time(check.from_seconds), _time(check.to_seconds), check.rows),
        "reference": schemas.DriftReference(check.reference_id, check.reference_kind, check.reference_rows),
        "groups": tuple(map(_group, check.groups)),
    }


def _group(group: drift_checking.GroupCheck) -> schemas.GroupDrift:
    return schemas.GroupDrift(
        group.group, group.verdict, group.verdict_before, group.is_detected, group.share, group.drifted
    )


def _feature(field: FieldDrift) -> schemas.FeatureDrift:
    return schemas.FeatureDrift(
        name=field.name,
        group=field.group,
        kind=field.kind,
        score=field.statistic,
        chance=field.noise,
        threshold=field.threshold,
        verdict=field.verdict,
        changes=tuple(
            schemas.ValueChange(change.value, change.reference_share, change.window_share) for change in field.changes
        ),
    )


def _job(job: Job) -> schemas.ReportJob:
    error = None if job.error is None else job.error.partition("\n")[0]
    return schemas.ReportJob(job.job_id, job.state, error)


def _in_short(summary: ReportSummary) -> dict[str, Any]:
    fields = summary.fields
    return {
        "report_id": summary.report_id,
        "made_at": _time(summary.made_seconds),
        "model_version": summary.model_version,
        "verdict": summary.verdict,
        "window": schemas.Window(_time(summary.from_seconds), _time(summary.to_seconds), summary.rows),
        "reference": schemas.DriftReference(summary.reference_id, summary.reference_kind, summary.reference_rows),
        "drifted": tuple(field.name for field in fields if field.verdict == "drift"),
        "evidently_drifted": tuple(field.name for field in fields if field.evidently_drift),
        "html": f"/drift/reports/{summary.report_id}.html",
    }


def _field(field: FieldSummary) -> schemas.FieldInReport:
    return schemas.FieldInReport(
        name=field.name,
        group=field.group,
        kind=field.kind,
        score=field.statistic,
        chance=field.noise,
        threshold=field.threshold,
        verdict=field.verdict,
        evidently_score=field.evidently_score,
        evidently_method=field.evidently_method,
        evidently_threshold=field.evidently_threshold,
        evidently_drift=field.evidently_drift,
        left_out=field.left_out,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
