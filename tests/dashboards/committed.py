"""The dashboards as they are committed, taken apart."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "docker/grafana"
FILES = ("api_performance.json", "model_performance.json", "service_health.json", "drift.json")
DASHBOARDS: dict[str, dict[str, Any]] = {
    name: json.loads((GRAFANA / "dashboards" / name).read_text()) for name in FILES
}
ROWS = {"row"}


@dataclass(frozen=True)
class Asked:
    """One thing that Grafana asks Prometheus for.

    Parameters
    ----------
    where
        Dashboard, panel and query, for people.
    texts
        What its labels are put into: legends and annotations.
    """

    where: str
    expr: str
    texts: tuple[str, ...]
    target: Mapping[str, Any]
    panel: Mapping[str, Any]


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that show something: rows are headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] not in ROWS]


def panel_queries(name: str) -> list[Asked]:
    return [
        Asked(f"{name}: {panel['title']}: {target['refId']}", target["expr"], (target["legendFormat"],), target, panel)
        for panel in panels(DASHBOARDS[name])
        for target in panel["targets"]
    ]


def annotation_queries(name: str) -> list[Asked]:
    return [
        Asked(f"{name}: {each['name']}", each["expr"], (each["titleFormat"], each["textFormat"]), each, {})
        for each in DASHBOARDS[name]["annotations"]["list"]
    ]


def variables(name: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in DASHBOARDS[name]["templating"]["list"]}


def label_values(variable: Mapping[str, Any]) -> tuple[str, str]:
    """The selector and the label of ``label_values(selector, label)``."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert found, variable["query"]
    return found[1], found[2]


def placeholders(text: str) -> Iterator[str]:
    """The labels that a legend names."""
    yield from re.findall(r"{{\s*(\w+)\s*}}", text)


def everywhere() -> list[Asked]:
    """What panels and annotations ask for, of all dashboards."""
    return [asked for name in FILES for asked in (*panel_queries(name), *annotation_queries(name))]


def interpolate(expr: str, chosen: Mapping[str, str], durations: Mapping[str, str]) -> str:
    """Put values in the place of variables, as Grafana does; nothing of the kind may be left.

    Parameters
    ----------
    chosen
        By the name of a variable of the dashboard, a regular expression.
    durations
        By the name of one of Grafana's own, such as ``__rate_interval``.
    """
    expr = re.sub(r"\$(\w+)", lambda found: ({**chosen, **durations})[found[1]], expr)
    assert "$" not in expr
    return expr
