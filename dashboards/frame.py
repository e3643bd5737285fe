"""What all dashboards have around their panels: variables, links to each other, annotations, the time shown."""

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from api_pokemon.monitoring.catalogue import MODEL_PREDICTIONS, MetricSpec, build_info
from dashboards.panels import BLUE, DATASOURCE, RED
from dashboards.queries import SERVICE

BUILD_INFO = build_info("api_pokemon")

TITLES = {
    "api-performance": "API performance",
    "model-performance": "Model performance",
    "service-health": "Service health",
    "drift": "Drift",
}
"""Every dashboard by its uid."""

_OF_THE_API = {"api-performance", "model-performance"}

Part: TypeAlias = Row | Builder[models.Panel]


def frame(
    uid: str,
    description: str,
    *,
    variables: Iterable[QueryVariable],
    components: Sequence[str],
    parts: Iterable[Part],
) -> models.Dashboard:
    """Put a dashboard together.

    Parameters
    ----------
    components
        Those whose alerts are marked: values of the label ``component``.
    parts
        Panels from left to right and from top to bottom, each with its span and height, and rows between them.
    """
    dashboard = (
        Dashboard(TITLES[uid])
        .uid(uid)
        .description(description)
        .tags(["api-pokemon"])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .links([_link(uid, other) for other in TITLES if other != uid])
        .annotations([_alerts(components), _deployments()])
    )
    for part in parts:
        dashboard = dashboard.with_row(part) if isinstance(part, Row) else dashboard.with_panel(part)
    built = dashboard.build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    for choice in built.templating.list_val or ():
        choice.auto = choice.auto_min = choice.auto_count = None  # of intervals; Grafana's schema has them nowhere else
    return built


def as_json(dashboard: models.Dashboard) -> str:
    """What Grafana reads."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def variable(name: str, label: str, description: str, query: str, *, every: str = ".*") -> QueryVariable:
    """A choice at the top: any number of the values that a query finds, or all that match `every`.

    All is a pattern rather than the values found, so that it also holds for what cannot be found at the moment.
    """
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": f"variable-{name}"})
        .multi(True)
        .include_all(True)
        .all_value(every)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
    )


def job(every: str) -> QueryVariable:
    """The jobs that match a pattern."""
    query = f'label_values(up{{job=~"{every}"}}, job)'
    return variable("job", "Job", "What Prometheus calls a kind of process.", query, every=every)


def instance() -> QueryVariable:
    """The processes of the chosen jobs; those that are down too, since it looks for them in ``up``."""
    return variable("instance", "Instance", "A process, by its address.", 'label_values(up{job=~"$job"}, instance)')


def model_version(metric: MetricSpec = MODEL_PREDICTIONS) -> QueryVariable:
    query = f"label_values({metric.name}{{{SERVICE}}}, model_version)"
    return variable("model_version", "Model version", "A version of the model that has answered or can.", query)


class _PrometheusAnnotation(models.AnnotationQuery):
    """With what Grafana's Prometheus data source reads beside the common part."""

    def __init__(self, name: str, expr: str, *, colour: str, title: str, text: str) -> None:
        super().__init__(name=name, datasource=DATASOURCE, icon_color=colour, expr=expr)
        self._formats = {"titleFormat": title, "textFormat": text}

    def to_json(self) -> dict[str, object]:
        return super().to_json() | self._formats


class _Built(Builder[models.AnnotationQuery]):
    """Something built, where a builder is asked for."""

    def __init__(self, annotation: models.AnnotationQuery) -> None:
        self._annotation = annotation

    def build(self) -> models.AnnotationQuery:
        return self._annotation


def _alerts(components: Sequence[str]) -> _Built:
    expr = f'ALERTS{{alertstate="firing", component=~"{"|".join(components)}"}}'
    return _Built(
        _PrometheusAnnotation(
            "Alerts", expr, colour=RED, title="{{alertname}}", text="{{severity}} {{instance}} {{model_version}}"
        )
    )


def _deployments() -> _Built:
    """Where a build or a default model appears that was not there one step before."""
    labels = ", ".join(BUILD_INFO.labels)
    builds = f"count by ({labels}) ({BUILD_INFO.name}{{{SERVICE}}}"
    expr = f"{builds}) unless {builds} offset $__interval)"
    return _Built(
        _PrometheusAnnotation(
            "Deployments",
            expr,
            colour=BLUE,
            title="Version {{version}}, model {{model_version}}",
            text="Commit {{commit}}",
        )
    )


def _link(here: str, uid: str) -> DashboardLink:
    """What is chosen goes along where it means the same: a worker chosen here is no API that is down there."""
    return (
        DashboardLink(TITLES[uid])
        .type(models.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{uid}")
        .include_vars((here in _OF_THE_API) == (uid in _OF_THE_API))
        .keep_time(True)
    )
