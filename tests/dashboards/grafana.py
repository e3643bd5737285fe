"""Asks Prometheus what a dashboard asks it, as Grafana does."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import numpy as np

from api_pokemon.stack import PrometheusClient, Sample
from api_pokemon.stack.configuration import seconds_of
from tests.dashboards.committed import Asked, interpolate, label_values, variables

POINTS = 500
"""That a panel asks for at most: its width in pixels."""

_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")


class Series(NamedTuple):
    labels: Mapping[str, str]
    values: Sequence[float]

    @property
    def last(self) -> float:
        return self.values[-1]


@dataclass(frozen=True)
class Grafana:
    """Looks at a time range.

    Parameters
    ----------
    scrape_seconds
        The `timeInterval` of the data source.
    speedup
        How much faster than the real one everything goes here; minimal intervals of panels are divided by it.
    """

    prometheus: PrometheusClient
    scrape_seconds: float
    speedup: int
    since: float
    until: float

    def ask(self, asked: Asked, chosen: Mapping[str, str]) -> list[Series]:
        """Run a query of a panel or an annotation, with these values for the variables."""
        interval = self._interval_seconds(asked.panel.get("interval", "0"))
        expr = interpolate(asked.expr, chosen, self._durations(interval))
        if asked.target.get("instant"):
            return [_series([sample]) for sample in self.prometheus.query(expr, self.until)]
        start, end = (math.floor(moment / interval) * interval for moment in (self.since, self.until))
        return [_series(samples) for samples in self.prometheus.query_range(expr, start, end, interval)]

    def exemplars(self, asked: Asked, chosen: Mapping[str, str]) -> list[str]:
        """The ids that the dots of a panel carry."""
        expr = interpolate(asked.expr, chosen, self._durations(self.scrape_seconds))
        found = self._get("query_exemplars", query=expr)
        return [exemplar["labels"]["prediction_id"] for series in found for exemplar in series["exemplars"]]

    def choose_each(self, name: str) -> dict[str, str]:
        """All values of all variables of a dashboard, chosen one by one."""
        chosen: dict[str, str] = {}
        for variable in variables(name).values():
            selector, label = label_values(variable)
            values = self._get(f"label/{label}/values", **{"match[]": interpolate(selector, chosen, {})})
            assert values, variable["name"]
            chosen[variable["name"]] = as_pattern(values)
        return chosen

    def _get(self, path: str, **parameters: str) -> Any:
        between = {"start": str(self.since), "end": str(self.until)}
        answer = httpx.get(f"{self.prometheus.url}/api/v1/{path}", params={**parameters, **between}).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def _durations(self, interval: float) -> dict[str, str]:
        rate_interval = max(interval + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "__interval": _duration(interval),
            "__interval_ms": f"{1000 * interval:.0f}",
            "__rate_interval": _duration(rate_interval),
            "__range": _duration(round(self.until - self.since)),
        }

    def _interval_seconds(self, least: str) -> float:
        of_the_panel = seconds_of(least) / self.speedup
        return max((self.until - self.since) / POINTS, of_the_panel, self.scrape_seconds)


def choose_all(name: str) -> dict[str, str]:
    """All, as a dashboard opens."""
    return {variable["name"]: variable["allValue"] for variable in variables(name).values()}


def as_pattern(values: Sequence[str]) -> str:
    """Chosen values in a matcher, with the escapes of Grafana's Prometheus data source."""
    escaped = [_SPECIAL.sub(lambda found: f"\\\\{found[0]}", value.replace("\\", "\\\\\\\\")) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def per_bucket(series: Sequence[Series]) -> dict[float, float]:
    """What a heatmap shows of buckets, over all its time: each without what is in the one below it."""
    cumulative = {float(each.labels["le"]): sum(each.values) for each in series}
    edges = sorted(cumulative)
    counts = np.diff([0.0, *(cumulative[edge] for edge in edges)])
    return dict(zip(edges, map(float, counts), strict=True))


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f}ms"


def _series(samples: Sequence[Sample]) -> Series:
    return Series(samples[0].labels, [sample.value for sample in samples])
