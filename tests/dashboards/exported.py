"""Every series that there is to ask for, with its labels: from those who export it."""

from collections.abc import Iterable, Mapping
from functools import cache

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

from api_pokemon.monitoring import metric_specs
from api_pokemon.stack import AlertRule, alert_rules
from api_pokemon.stack.configuration import DOCKER, read_document
from tests.dashboards.promql import LabelsOf

TARGET = frozenset({"job", "instance"})
"""What Prometheus adds to all that it scrapes."""


def of_the_service() -> dict[str, frozenset[str]]:
    return {
        name: TARGET | set(spec.labels) | ({"le"} if name.endswith("_bucket") else set())
        for spec in metric_specs("api_pokemon")
        for name in spec.series
    }


def of_an_exposition(text: str) -> dict[str, frozenset[str]]:
    """Of what a scrape shows."""
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, TARGET) | set(sample.labels)
    return found


@cache
def recorded() -> dict[str, str]:
    """The expression of each recording rule."""
    groups = read_document(DOCKER / "prometheus/recording_rules.yml")["groups"]
    return {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}


def of_prometheus(scraped: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What it makes itself: of scrapes, of recording rules, of alerts."""
    known = {**scraped, "up": TARGET, "scrape_duration_seconds": TARGET}
    for name, expr in recorded().items():
        known[name] = LabelsOf(known)(promql_parser.parse(expr))
    known["ALERTS"] = frozenset({"alertname", "alertstate"}).union(*_labels_of_alerts(alert_rules(), known))
    return known


def _labels_of_alerts(alerts: Iterable[AlertRule], known: Mapping[str, frozenset[str]]) -> Iterable[frozenset[str]]:
    for alert in alerts:
        yield LabelsOf(known)(promql_parser.parse(alert.expression)) | frozenset(alert.labels)
