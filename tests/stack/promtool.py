"""What Prometheus would see and make of it: series over time, and `promtool test rules` on them."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from api_pokemon.monitoring.catalogue import MetricSpec
from api_pokemon.stack.configuration import DOCKER
from tests.needs import needs

PROMETHEUS = DOCKER / "prometheus"
STEP_SECONDS = 10

Series = Mapping[str, str]
"""Values by series, in promtool's notation, one every ten seconds."""


def promtool(*words: str) -> str:
    """Run it; it must be content."""
    needs(shutil.which("promtool"), "promtool (see scripts/prepare_tests)")
    ran = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


class Look(NamedTuple):
    """What a query answers after so many minutes: values by labels as promtool writes them, such as ``{job="api"}``.

    Parameters
    ----------
    name
        To be found by in what promtool says where it is not so.
    """

    name: str
    expression: str
    minute: float
    values: Mapping[str, float]

    def document(self) -> dict[str, Any]:
        return {
            "expr": f"{self.expression} # {self.name}",
            "eval_time": f"{round(self.minute * 60)}s",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in self.values.items()],
        }


class Told(NamedTuple):
    """What an alert says after so many minutes, once it fires."""

    alert: str
    minute: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        return {
            "alertname": self.alert,
            "eval_time": f"{round(self.minute * 60)}s",
            "exp_alerts": [{"exp_labels": self.labels, "exp_annotations": self.annotations}],
        }


def run_rules(folder: Path, files: Sequence[str], *tests: tuple[Series, Sequence[Look | Told]]) -> None:
    """Judge series by the rules of some files, and look at what comes of them."""
    document = {
        "rule_files": [str(PROMETHEUS / file) for file in files],
        "evaluation_interval": f"{STEP_SECONDS}s",
        "tests": [
            {
                "interval": f"{STEP_SECONDS}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [look.document() for look in looks if isinstance(look, Look)],
                "alert_rule_test": [look.document() for look in looks if isinstance(look, Told)],
            }
            for series, looks in tests
        ],
    }
    path = folder / "rules_test.json"  # JSON is YAML
    path.write_text(json.dumps(document))
    promtool("test", "rules", str(path))


def gauge(*stretches: tuple[float | str, float]) -> str:
    """A value for so many minutes, then another; ``_`` is no sample, ``stale`` the end of a series."""
    return " ".join(str(value) for value, minutes in stretches for _ in range(_steps(minutes)))


def counter(*stretches: tuple[float, float]) -> str:
    """Something that grows by so much every ten seconds for so many minutes; it begins at 0.

    >>> counter((5, 0.5), (0, 0.5))
    '0 5 10 15 15 15 15'
    """
    values = [0.0]
    for growth, minutes in stretches:
        values += [values[-1] + growth * step for step in range(1, _steps(minutes) + 1)]
    return " ".join(f"{value:g}" for value in values)


def histogram(spec: MetricSpec, labels: str, *stretches: tuple[Mapping[float, float], float]) -> dict[str, str]:
    """Buckets and count of a histogram that gets so many observations of each value every ten seconds."""
    edges = [*spec.buckets, float("inf")]
    growths = {
        edge: [(sum(number for value, number in seen.items() if value <= edge), minutes) for seen, minutes in stretches]
        for edge in edges
    }
    buckets = {f'{spec.name}_bucket{{{labels},le="{_edge(edge)}"}}': counter(*growths[edge]) for edge in edges}
    return {**buckets, f"{spec.name}_count{{{labels}}}": counter(*growths[float("inf")])}


def _edge(edge: float) -> str:
    return "+Inf" if edge == float("inf") else str(float(edge))


def _steps(minutes: float) -> int:
    return round(minutes * 60 / STEP_SECONDS)
