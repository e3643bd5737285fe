"""The dashboards as people see them: which panels, where, in which units, with which words around them."""

import re
from typing import Any

import pytest

from api_pokemon.settings import Settings
from api_pokemon.stack import alert_rules
from api_pokemon.stack.configuration import DOCKER, read_document
from dashboards.__main__ import DASHBOARDS as SOURCES
from dashboards.frame import as_json
from tests.dashboards.committed import DASHBOARDS, FILES, GRAFANA, panels, placeholders, variables

UIDS = {
    "api_performance.json": "api-performance",
    "model_performance.json": "model-performance",
    "service_health.json": "service-health",
    "drift.json": "drift",
}
API_PANELS = {
    "API status": ("stat", "none"),
    "Request rate by endpoint": ("timeseries", "reqps"),
    "p95 latency": ("stat", "s"),
    "Latency percentiles": ("timeseries", "s"),
    "Error rate": ("timeseries", "percentunit"),
    "Status codes": ("timeseries", "reqps"),
}
MODEL_PANELS = {
    "Predictions per minute": ("stat", "suffix: / min"),
    "Mean confidence": ("stat", "none"),
    "p95 prediction latency": ("stat", "s"),
    "Total predictions": ("stat", "none"),
    "Prediction latency percentiles": ("timeseries", "s"),
    "Confidence over time": ("timeseries", "none"),
    "Win-probability distribution": ("heatmap", "none"),
    "Prediction rate by model version": ("timeseries", "suffix: / s"),
}
ALL_PANELS = [(name, panel) for name in FILES for panel in panels(DASHBOARDS[name])]
IDS = [f"{name}: {panel['title']}" for name, panel in ALL_PANELS]
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}

# The threshold of an alert is where its panel turns red.
ALERTED = {
    "HighAPILatency": ("p95 latency", "Latency percentiles"),
    "HighErrorRate": ("Error rate",),
    "HighModelLatency": ("p95 prediction latency", "Prediction latency percentiles"),
    "LowModelConfidence": ("Mean confidence", "Confidence over time"),
    "HighCPUUsage": ("CPU of the API",),
    "HighMemoryUsage": ("Memory of the API in use",),
    "LowMemoryAvailable": ("Memory of the API available",),
    "PredictionLogLagging": ("Log lag", "Log lag over time"),
    "OutboxNearlyFull": ("Fill of the outboxes",),
}


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_source_makes(name: str) -> None:
    assert (GRAFANA / "dashboards" / name).read_text() == as_json(SOURCES[name]()), "run `make dashboards`"


def test_there_is_no_other_dashboard() -> None:
    assert sorted(path.name for path in (GRAFANA / "dashboards").iterdir()) == sorted(FILES) == sorted(SOURCES)


@pytest.mark.parametrize("name", FILES)
def test_links_lead_to_the_other_dashboards(name: str) -> None:
    assert DASHBOARDS[name]["uid"] == UIDS[name]
    urls = {link["title"]: link["url"] for link in DASHBOARDS[name]["links"]}
    assert urls == {DASHBOARDS[other]["title"]: f"/d/{uid}" for other, uid in UIDS.items() if other != name}
    assert all(link["keepTime"] for link in DASHBOARDS[name]["links"])


def test_a_worker_that_is_chosen_does_not_become_an_api_that_is_down() -> None:
    """Links take along what is chosen only where the variables mean the same."""
    jobs = {uid: variables(name)["job"]["allValue"] for name, uid in UIDS.items()}
    for name, uid in UIDS.items():
        for link in DASHBOARDS[name]["links"]:
            assert link["includeVars"] == (jobs[uid] == jobs[link["url"].removeprefix("/d/")])


@pytest.mark.parametrize(
    ("name", "expected"), [("api_performance.json", API_PANELS), ("model_performance.json", MODEL_PANELS)]
)
def test_the_named_dashboards_have_exactly_their_panels(name: str, expected: dict[str, tuple[str, str]]) -> None:
    assert {panel["title"]: (panel["type"], unit_of(panel)) for panel in DASHBOARDS[name]["panels"]} == expected


def unit_of(panel: dict[str, Any]) -> str:
    axis: dict[str, Any] = panel.get("options", {}).get("yAxis", {})
    return str(axis.get("unit") or panel["fieldConfig"]["defaults"]["unit"])


@pytest.mark.parametrize(("name", "panel"), ALL_PANELS, ids=IDS)
def test_every_panel_says_what_it_shows(name: str, panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 30
    assert unit_of(panel)
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert all(target["legendFormat"] for target in panel["targets"])
    if panel["type"] == "timeseries":
        assert panel["fieldConfig"]["defaults"]["custom"]["axisLabel"]
        assert panel["options"]["legend"]["showLegend"]


@pytest.mark.parametrize(("name", "panel"), ALL_PANELS, ids=IDS)
def test_figures_are_of_the_present_and_lines_of_the_range(name: str, panel: dict[str, Any]) -> None:
    """The last value of a range may be old, and of a process that is gone: only an instant query tells the present."""
    instant = panel["type"] in ("stat", "table")
    assert {(target["instant"], target["range"]) for target in panel["targets"]} == {(instant, not instant)}


@pytest.mark.parametrize(("name", "panel"), ALL_PANELS, ids=IDS)
def test_everything_asks_the_one_data_source(name: str, panel: dict[str, Any]) -> None:
    assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [PROMETHEUS] * (
        1 + len(panel["targets"])
    )


@pytest.mark.parametrize("name", FILES)
def test_panels_lie_on_the_grid_side_by_side(name: str) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert len(own) == at["w"] * at["h"] > 0
        assert not own & cells, panel["title"]
        cells |= own
    width, height = (1 + max(cell[axis] for cell in cells) for axis in (0, 1))
    assert width == 24
    assert len(cells) == width * height, "no holes"
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_named_dashboards_fit_on_a_screen() -> None:
    for name in ("api_performance.json", "model_performance.json"):
        assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in DASHBOARDS[name]["panels"]) <= 24


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("api_performance.json", ["job", "instance"]),
        ("model_performance.json", ["job", "instance", "model_version"]),
        ("service_health.json", ["job", "instance", "node"]),
        ("drift.json", ["job", "instance", "model_version"]),
    ],
)
def test_variables_take_several_values_or_all(name: str, expected: list[str]) -> None:
    assert list(variables(name)) == expected
    for variable in variables(name).values():
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["current"]["value"] == ["$__all"]
        assert re.compile(variable["allValue"])


@pytest.mark.parametrize("name", FILES)
def test_alerts_and_deployments_are_marked(name: str) -> None:
    alerts, deployments = DASHBOARDS[name]["annotations"]["list"]
    assert (alerts["name"], deployments["name"]) == ("Alerts", "Deployments")
    assert alerts["enable"]
    assert deployments["enable"]
    assert list(placeholders(alerts["titleFormat"])) == ["alertname"]
    assert list(placeholders(deployments["titleFormat"])) == ["version", "model_version"]


def test_panels_turn_red_where_the_alerts_fire() -> None:
    steps = steps_of_panels()
    exprs = {alert.name: alert.expression for alert in alert_rules()}
    for alert, titles in ALERTED.items():
        threshold = threshold_of(exprs[alert])
        assert all(threshold in steps[title] for title in titles), alert
    (checks,) = re.findall(r"(\d+) \* max\(drift_check_interval_seconds\)", exprs["DriftCheckStale"])
    assert int(checks) * Settings.model_fields["drift_check_seconds"].default in steps["Last check"]


def steps_of_panels() -> dict[str, list[float]]:
    return {
        panel["title"]: [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for _, panel in ALL_PANELS
        if "thresholds" in panel["fieldConfig"]["defaults"]
    }


def threshold_of(expr: str) -> float:
    """The number at the end of an alert's expression."""
    found = re.search(r"[<>]=? ([\d.]+(?: \* \d+)*)\s*$", expr)
    assert found, expr
    product = 1.0
    for factor in found[1].split("*"):
        product *= float(factor)
    return product


def test_grafana_finds_the_data_source_that_the_dashboards_name() -> None:
    (source,) = read_document(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert {key: source[key] for key in ("type", "uid")} == PROMETHEUS
    scraping = read_document(DOCKER / "prometheus/prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraping


def test_a_dot_leads_to_its_prediction() -> None:
    """With what Compose gives to Grafana, which makes one dollar sign of two."""
    (source,) = read_document(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    (destination,) = source["jsonData"]["exemplarTraceIdDestinations"]
    given = read_document(DOCKER.parent / "docker-compose.yml")["services"]["grafana"]["environment"]["API_URL"]
    assert given == "${API_URL:-http://localhost:${API_POKEMON_PORT:-8000}}"
    parts = [part.replace("${API_URL}", "http://localhost:8000") for part in destination["url"].split("$$")]
    assert "$".join(parts) == "http://localhost:8000/predictions/${__value.raw}"


def test_grafana_finds_the_dashboards() -> None:
    (provider,) = read_document(GRAFANA / "provisioning/dashboards/default.yml")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
