"""Whether predictions still look as they did: share and scores over time, what drifts most, when it was checked."""

from grafana_foundation_sdk.builders.dashboard import DashboardLink, Row
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import GraphDrawStyle

from api_pokemon.monitoring import catalogue
from dashboards.frame import frame, instance, job, model_version
from dashboards.panels import GREEN, RED, YELLOW, stat, time_series, words
from dashboards.queries import MODEL, SERVICE, Query, count
from dashboards.thresholds import DRIFT_CHECK_SECONDS, DRIFT_SCORE

_TOP = 10
_REPORTS = "http://localhost:8000/drift/reports"


def drift() -> models.Dashboard:
    return frame(
        "drift",
        "Do predictions still look like those that are normal? What was asked, and what the model chose, each against "
        "a reference.",
        variables=[job(".*"), instance(), model_version(catalogue.DRIFT_WINDOW_ROWS)],
        components=["drift"],
        parts=[
            _detected().span(6).height(4),
            _rows().span(6).height(4),
            _age().span(6).height(4),
            _report().span(6).height(4),
            _share().span(12).height(8),
            _top().span(12).height(8),
            Row("Scores of the fields"),
            _scores("request", "What was asked").span(12).height(9),
            _scores("choice", "What the model chose").span(12).height(9),
            Row("Checks"),
            _window().span(12).height(7),
            _checks().span(12).height(7),
        ],
    )


def _detected() -> Stat:
    return stat(
        "Drift",
        "Whether a group of fields drifts in the latest window and in the one before. Against `uniform`, which is "
        "made-up traffic, it is provisional: `api-pokemon drift reference use-window` says what is normal.",
        Query(
            f"max by (group, reference) ({catalogue.DRIFT_DETECTED.name}{{{MODEL}}})",
            "{{group}} against {{reference}}",
            instant=True,
        ),
        unit="none",
        no_value="No check yet",
        steps=[(1, RED)],
    ).mappings([words(_0=("No drift", GREEN), _1=("Drift", RED))])


def _rows() -> Stat:
    return stat(
        "Predictions in the window",
        "How many were compared by the latest check. With fewer than 100 there is no verdict.",
        Query(_same(catalogue.DRIFT_WINDOW_ROWS.name, "model_version"), "{{model_version}}", instant=True),
        unit="short",
        no_value="No check yet",
    )


def _age() -> Stat:
    last = _same(catalogue.DRIFT_LAST_CHECK.name, "model_version")
    return stat(
        "Last check",
        "How long ago the latest check was. There is one every `API_POKEMON_DRIFT_CHECK_SECONDS`; the colours are for "
        "its default, 300.",
        Query(f"time() - {last}", "{{model_version}}", instant=True),
        unit="s",
        no_value="No check yet",
        steps=[(DRIFT_CHECK_SECONDS / 2, YELLOW), (DRIFT_CHECK_SECONDS, RED)],
    ).decimals(0)


def _report() -> Stat:
    last = f'max by (kind) ({catalogue.JOB_LAST_SUCCESS.name}{{{SERVICE}, kind="drift-report"}})'
    return (
        stat(
            "Last report",
            "How long ago the job that writes reports last succeeded, on any worker. The link lists the reports; it "
            "wants the admin key, in the header X-API-Key.",
            Query(f"time() - {last}", "{{kind}}", instant=True),
            unit="s",
            no_value="No report yet",
            steps=[(2 * 3600, YELLOW), (6 * 3600, RED)],
        )
        .decimals(0)
        .links([DashboardLink("Reports").type(models.DashboardLinkType.LINK).url(_REPORTS).target_blank(True)])
    )


def _share() -> TimeSeries:
    return time_series(
        "Share of fields that drift",
        "Of the fields of a group, those that drift in the latest window.",
        Query(_same(catalogue.DRIFT_SHARE.name, "model_version", "group"), "{{model_version}} {{group}}"),
        unit="percentunit",
        axis="of the fields",
        no_value="No check yet",
    ).max(1)


def _top() -> Stat:
    scores = _same(catalogue.DRIFT_SCORE.name, "model_version", "group", "feature")
    return stat(
        "Furthest from the reference",
        f"The {_TOP} fields with the highest score in the latest window. What changed in each is told by "
        "`api-pokemon drift status`.",
        Query(f"topk({_TOP}, {scores})", "{{feature}} ({{model_version}})", instant=True),
        unit="none",
        no_value="No check yet",
        steps=[(DRIFT_SCORE, YELLOW)],
    ).decimals(2)


def _scores(group: str, title: str) -> TimeSeries:
    series = f'max by (model_version, feature) ({catalogue.DRIFT_SCORE.name}{{{MODEL}, group="{group}"}})'
    return time_series(
        title,
        "How far each field is from the reference: normalised Wasserstein distance of numbers, Jensen-Shannon distance "
        "of categories. Up to the dashed line nothing drifts; above, what exceeds what chance alone does.",
        Query(series, "{{feature}} ({{model_version}})"),
        unit="none",
        axis="score",
        legend="right",
        no_value="No check yet",
        threshold=(DRIFT_SCORE, YELLOW),
    )


def _window() -> TimeSeries:
    return time_series(
        "Size of the window",
        "How many predictions each check has compared with the reference.",
        Query(_same(catalogue.DRIFT_WINDOW_ROWS.name, "model_version"), "{{model_version}}"),
        unit="short",
        axis="predictions",
        no_value="No check yet",
    )


def _checks() -> TimeSeries:
    checks = count(catalogue.DRIFT_CHECKS.name, MODEL, "model_version", "verdict", "instance")
    return (
        time_series(
            "Checks by verdict",
            "How many checks were made in the time of each bar, and what they found. Every worker tells of all checks.",
            Query(f"max by (model_version, verdict) ({checks})", "{{verdict}} ({{model_version}})"),
            unit="short",
            axis="checks",
            no_value="No check yet",
        )
        .interval("1m")
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
    )


def _same(series: str, *labels: str) -> str:
    """All workers tell the same, but for how soon."""
    return f"max by ({', '.join(labels)}) ({series}{{{MODEL}}})"
