"""What the dashboards ask for exists, and what they are asked with means what they say."""

from collections.abc import Iterator

import promql_parser as promql
import pytest

from api_pokemon.stack import alert_rules
from tests.dashboards.committed import (
    DASHBOARDS,
    FILES,
    Asked,
    everywhere,
    interpolate,
    label_values,
    panel_queries,
    placeholders,
    variables,
)
from tests.dashboards.exported import of_an_exposition, of_prometheus, of_the_service, recorded
from tests.dashboards.node_exporter import NodeExporter
from tests.dashboards.promql import LabelsOf, WrongLabelError, parts, selectors

DURATIONS = {"__interval_ms": "30000", "__rate_interval": "40s", "__interval": "30s", "__range": "1h"}
ASKED = everywhere()
PANELS = [asked for name in FILES for asked in panel_queries(name)]
NAMES = [asked.where for asked in ASKED]
RULES_WITHOUT_INSTANCE = {
    "job:api_request_duration_seconds:p95_5m",
    "job:api_errors_per_request:ratio_rate5m",
    "job_model_version:model_prediction_duration_seconds:p95_5m",
    "job_model_version:model_confidence:mean5m",
}


def parsed(expr: str) -> promql.Expr:
    names = {name for file in FILES for name in variables(file)}
    return promql.parse(interpolate(expr, dict.fromkeys(names, ".*"), DURATIONS))


@pytest.fixture(scope="module")
def labels_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelsOf]:
    with NodeExporter(tmp_path_factory.mktemp("node")) as node:
        yield LabelsOf(of_prometheus({**of_the_service(), **of_an_exposition(node.metrics())}))


@pytest.mark.parametrize("asked", ASKED, ids=NAMES)
def test_every_metric_and_every_label_exists(asked: Asked, labels_of: LabelsOf) -> None:
    labels = labels_of(parsed(asked.expr))
    for text in asked.texts:
        assert set(placeholders(text)) <= labels, text


@pytest.mark.parametrize("name", FILES)
def test_variables_take_their_values_from_what_exists(name: str, labels_of: LabelsOf) -> None:
    for variable in variables(name).values():
        selector, label = label_values(variable)
        assert label in labels_of(parsed(selector))


@pytest.mark.parametrize(
    "expr",
    [
        "model_prediction_total",
        "sum by (versoin) (model_predictions_total)",
        'sum(rate(api_requests_total{code="500"}[5m]))',
        "histogram_quantile(0.95, sum by (endpoint) (rate(api_request_duration_seconds_bucket[5m])))",
        "sum by (endpoint) (rate(api_errors_total[5m])) / sum by (method) (rate(api_requests_total[5m]))",
        "sum by (endpoint) (rate(api_errors_total[5m])) / on (status) sum by (status) (rate(api_requests_total[5m]))",
        "job:api_errors_per_request:ratio_rate5m{instance='a'}",
        "node_cpu_seconds_total{core='1'}",
    ],
)
def test_what_does_not_exist_is_found(expr: str, labels_of: LabelsOf) -> None:
    with pytest.raises(WrongLabelError):
        labels_of(parsed(expr))


@pytest.mark.parametrize("asked", PANELS, ids=[asked.where for asked in PANELS])
def test_every_series_is_filtered_by_what_is_chosen(asked: Asked, labels_of: LabelsOf) -> None:
    """With the variables of its dashboard that it has labels for; what is about a machine, by the machine."""
    name = asked.where.partition(":")[0]
    for selector in selectors(promql.parse(_with_variables_as_words(asked.expr))):
        filtered = {matcher.name: matcher.value for matcher in selector.matchers.matchers if "chosen_" in matcher.value}
        if selector.name.startswith("node_"):
            assert filtered == {"instance": "chosen_node"}
            continue
        can = labels_of(selector) & variables(name).keys()
        assert filtered == {label: f"chosen_{label}" for label in can}, selector.name
        if "instance" not in can:
            assert selector.name in RULES_WITHOUT_INSTANCE


def _with_variables_as_words(expr: str) -> str:
    names = {name for file in FILES for name in variables(file)}
    return interpolate(expr, {name: f"chosen_{name}" for name in names}, DURATIONS)


@pytest.mark.parametrize("name", FILES)
def test_every_variable_filters_something(name: str) -> None:
    exprs = " ".join(asked.expr for asked in panel_queries(name))
    assert all(f'=~"${variable}"' in exprs for variable in variables(name))


@pytest.mark.parametrize("asked", ASKED, ids=NAMES)
def test_rates_and_quantiles_are_what_they_seem(asked: Asked) -> None:
    counters = {name for name in of_the_service() if name.endswith(("_total", "_bucket", "_count", "_sum"))}
    for part in parts(parsed(asked.expr)):
        if isinstance(part, promql.Call) and part.func.name == "histogram_quantile":
            aggregated = part.args[1]
            assert isinstance(aggregated, promql.AggregateExpr)
            assert str(aggregated.op) == "sum"
            assert "le" in aggregated.modifier.labels
        if isinstance(part, promql.Call) and part.func.name in ("rate", "increase"):
            selected = part.args[0].vector_selector.name
            assert selected in counters or selected.startswith("node_"), "a rate of what is no counter"


@pytest.mark.parametrize("asked", ASKED, ids=NAMES)
def test_nothing_divided_by_nothing_is_dropped(asked: Asked) -> None:
    """A quantile, and a ratio of what may be 0, stand under a comparison, which NaN does not pass."""
    expr = parsed(asked.expr)
    may_be_nan = any(
        (isinstance(part, promql.Call) and part.func.name == "histogram_quantile")
        or (isinstance(part, promql.BinaryExpr) and str(part.op) == "/" and not _is_never_zero(part.rhs))
        for part in parts(expr)
    )
    if may_be_nan:
        assert isinstance(expr, promql.BinaryExpr)
        assert str(expr.op) == ">="


def _is_never_zero(expr: promql.Expr) -> bool:
    """A number, or the size of something that exists."""
    names = {selector.name for selector in selectors(expr)}
    return names <= {"outbox_max_bytes", "node_memory_MemTotal_bytes", "node_filesystem_size_bytes"}


def test_buckets_are_shown_as_a_heatmap_which_takes_them_apart() -> None:
    """Each bucket contains those below it; Grafana subtracts them where the format says that they are buckets."""
    shown = [asked for asked in PANELS if "_bucket{" in asked.expr and "histogram_quantile" not in asked.expr]
    for asked in shown:
        assert (asked.panel["type"], asked.target["format"], asked.target["legendFormat"]) == (
            *("heatmap", "heatmap"),
            "{{le}}",
        )
        assert asked.panel["options"]["calculate"] is False
        (summed,) = (part for part in parts(parsed(asked.expr)) if isinstance(part, promql.AggregateExpr))
        assert summed.modifier.labels == ["le"]
        assert summed.expr.func.name == "rate"
    assert [asked.panel["title"] for asked in shown] == ["Win-probability distribution"]


def test_per_minute_is_per_minute() -> None:
    (asked,) = (asked for asked in panel_queries("model_performance.json") if "per minute" in asked.where)
    expr = parsed(asked.expr)
    assert isinstance(expr, promql.BinaryExpr)
    assert (str(expr.op), expr.rhs.val) == ("*", 60)
    assert "rate" in {part.func.name for part in parts(expr) if isinstance(part, promql.Call)}
    assert "min" in asked.panel["fieldConfig"]["defaults"]["unit"]


def test_what_the_alerts_leave_out_the_panels_leave_out() -> None:
    excluded = {
        matcher.value
        for expr in recorded().values()
        for selector in selectors(promql.parse(expr))
        for matcher in selector.matchers.matchers
        if matcher.name == "endpoint"
    }
    judged = ("p95 latency", "Latency percentiles", "Error rate")
    for asked in panel_queries("api_performance.json"):
        if asked.panel["title"] in judged and not asked.expr.startswith("job:"):
            matchers = [each for selector in selectors(parsed(asked.expr)) for each in selector.matchers.matchers]
            assert {matcher.value for matcher in matchers if matcher.name == "endpoint"} == excluded


def test_only_alerts_of_the_dashboard_are_marked() -> None:
    components = {alert.labels["component"] for alert in alert_rules()}
    marked: set[str] = set()
    for dashboard in DASHBOARDS.values():
        (alerts,) = (each for each in dashboard["annotations"]["list"] if each["name"] == "Alerts")
        (selector,) = selectors(parsed(alerts["expr"]))
        values = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        assert values["alertstate"] == "firing"
        marked |= set(values["component"].split("|"))
    assert marked == components
