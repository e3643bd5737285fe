"""The rules as a whole: Prometheus takes them, they name what exists, and whoever is woken finds what to do."""

import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest

from api_pokemon.main import create_app
from api_pokemon.monitoring.endpoints import EndpointNames
from api_pokemon.settings import Settings
from api_pokemon.stack import AlertRule, alert_rules
from api_pokemon.stack.configuration import DOCKER, read_document
from tests.dashboards.exported import of_prometheus, of_the_service
from tests.dashboards.promql import LabelsOf, WrongLabelError
from tests.stack.promtool import PROMETHEUS, promtool

ROOT = DOCKER.parent
GUIDE = ROOT / "MONITORING_GUIDE.md"
RULES = alert_rules()

EIGHT = {
    "api": ["HighAPILatency", "HighErrorRate", "APIDown"],
    "model": ["HighModelLatency", "LowModelConfidence"],
    "system": ["HighCPUUsage", "HighMemoryUsage", "LowMemoryAvailable"],
}


def test_prometheus_takes_its_configuration() -> None:
    assert "3 rule files found" in promtool("check", "config", "prometheus.yml")


def test_the_eight_alerts_are_those_that_people_rely_on() -> None:
    eight: dict[str, list[str]] = {}
    for rule in RULES:
        if rule.file == "alerts.yml":
            eight.setdefault(rule.group, []).append(rule.name)
    assert eight == EIGHT


def test_the_others_are_in_a_file_of_their_own() -> None:
    assert [rule.name for rule in RULES if rule.file == "mlops_alerts.yml"] == [
        *("WorkerDown", "PredictionLogLagging", "PredictionsUnaccounted", "OutboxNearlyFull", "StreamUnreachable"),
        *("NoPredictions", "DataDriftDetected", "PredictionDriftDetected", "DriftCheckStale", "ScrapeSlow"),
    ]
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_an_alert_waits_and_says_how_bad_it_is_and_where_to_look(rule: AlertRule) -> None:
    assert rule.for_seconds >= 60
    assert set(re.findall(r"}}(\w+){{", f"}}}}{rule.labels['severity']}{{{{")) <= {"critical", "warning", "info"}
    assert rule.labels["component"] in ("api", "model", "system", "worker", "log", "stream", "drift")
    assert "threshold" in rule.annotations["description"]
    assert rule.annotations["runbook_url"] == f"MONITORING_GUIDE.md#{rule.name.lower()}"
    assert rule.annotations["summary"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_its_dashboard_exists(rule: AlertRule) -> None:
    uids = {
        match[1]
        for path in (DOCKER / "grafana" / "dashboards").glob("*.json")
        for match in re.finditer(r'^  "uid": "([\w-]+)"', path.read_text(), re.MULTILINE)
    }
    assert rule.annotations["dashboard_url"].removeprefix("/d/") in uids


def test_the_guide_has_a_heading_for_every_alert() -> None:
    if GUIDE.exists():
        headings = re.findall(r"^#+ (\w+)$", GUIDE.read_text(), re.MULTILINE)
        assert {rule.name for rule in RULES} <= set(headings)


def expressions() -> Iterator[tuple[str, str, str]]:
    """(file, name, expression) of every rule."""
    for file in read_document(PROMETHEUS / "prometheus.yml")["rule_files"]:
        for group in read_document(PROMETHEUS / file)["groups"]:
            for rule in group["rules"]:
                yield file, rule.get("alert") or rule["record"], rule["expr"]


EXPRESSIONS = list(expressions())
SCRAPED = of_the_service()


@pytest.mark.parametrize(("file", "name", "expression"), EXPRESSIONS, ids=[name for _, name, _ in EXPRESSIONS])
def test_every_metric_and_label_that_is_named_is_exported(file: str, name: str, expression: str) -> None:
    LabelsOf(of_prometheus(SCRAPED))(promql_parser.parse(expression))


def test_what_is_recorded_is_needed_by_an_alert_and_a_dashboard() -> None:
    """What one of them needs alone stands there, and nowhere else."""
    recorded = {name for _, name, _ in EXPRESSIONS if ":" in name}
    alerts = " ".join(rule.expression for rule in RULES)
    panels = " ".join(path.read_text() for path in (DOCKER / "grafana" / "dashboards").glob("*.json"))
    assert {name for name in recorded if not (name in alerts and name in panels)} == set()


@pytest.mark.parametrize(
    "wrong",
    [
        "rate(api_request_total[5m])",
        "sum by (jobs) (api_errors_total)",
        'sum(model_predictions_total{version="v1"})',
        "histogram_quantile(0.95, sum by (job) (rate(api_request_duration_seconds_bucket[5m])))",
        "outbox_bytes / outbox_max_bytes",
    ],
)
def test_what_is_not_exported_is_seen(wrong: str) -> None:
    with pytest.raises(WrongLabelError):
        LabelsOf(of_prometheus(SCRAPED))(promql_parser.parse(wrong))


def test_the_endpoints_that_rules_name_are_those_of_the_api(tmp_path: Path) -> None:
    """Under the names that the middleware gives them."""
    app = create_app(Settings(data_dir=tmp_path, tablebase=False, _env_file=None))  # type: ignore[call-arg]
    endpoints = {name for _, name, _ in EndpointNames(app.routes).expected()}
    matched = {
        pattern: sorted(name for name in endpoints if re.fullmatch(pattern, name))
        for _, _, expression in EXPRESSIONS
        for pattern in re.findall(r'endpoint[=!]~"([^"]*)"', expression)
    }
    assert matched == {
        "/metrics|/health.*": ["/health", "/health/live", "/health/ready", "/metrics"],
        "/predict/best-move(/batch)?": ["/predict/best-move", "/predict/best-move/batch"],
    }
