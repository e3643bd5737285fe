"""Writes the dashboards that Grafana reads: what `make dashboards` runs."""

from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.models import dashboard as models

from dashboards.api_performance import api_performance
from dashboards.drift import drift
from dashboards.frame import as_json
from dashboards.model_performance import model_performance
from dashboards.service_health import service_health

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docker/grafana/dashboards"

DASHBOARDS: dict[str, Callable[[], models.Dashboard]] = {
    "api_performance.json": api_performance,
    "model_performance.json": model_performance,
    "service_health.json": service_health,
    "drift.json": drift,
}
"""By the file that each goes to."""


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, build in DASHBOARDS.items():
        path = FOLDER / name
        path.write_text(as_json(build()))
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
