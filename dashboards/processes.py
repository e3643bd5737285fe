"""The processes: which run, what they are, what they take of their machine."""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import VisibilityMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from api_pokemon.monitoring import catalogue
from dashboards.frame import BUILD_INFO, Part
from dashboards.panels import DATASOURCE, RED, UP_OR_DOWN, time_series
from dashboards.queries import SERVICE, Query
from dashboards.thresholds import CPU_PERCENT, MEMORY_AVAILABLE_BYTES, MEMORY_RATIO


def process_panels() -> list[Part]:
    return [
        _up().span(14).height(8),
        _what_runs().span(10).height(8),
        _cpu().span(8).height(7),
        _memory().span(8).height(7),
        _memory_available().span(8).height(7),
    ]


def _up() -> StateTimeline:
    return (
        StateTimeline()
        .title("Processes up")
        .description(
            "Whether each scrape was answered. A gap: Prometheus itself did not run, or did not know the process."
        )
        .datasource(DATASOURCE)
        .with_target(
            Dataquery()
            .datasource(DATASOURCE)
            .ref_id("A")
            .expr(f"up{{{SERVICE}}}")
            .legend_format("{{job}} {{instance}}")
            .range()
        )
        .unit("none")
        .no_value("Nothing is scraped")
        .mappings([UP_OR_DOWN])
        .show_value(VisibilityMode.NEVER)
        .row_height(0.8)
    )


def _what_runs() -> Table:
    columns = [*BUILD_INFO.labels, "instance"]
    return (
        Table()
        .title("What runs")
        .description("The build of each API process, and the model version that answers by default.")
        .datasource(DATASOURCE)
        .with_target(
            Dataquery()
            .datasource(DATASOURCE)
            .ref_id("A")
            .expr(f"count by ({', '.join(columns)}) ({BUILD_INFO.name}{{{SERVICE}}})")
            .legend_format("{{instance}}")
            .format(PromQueryFormat.TABLE)
            .instant()
        )
        .unit("none")
        .no_value("No API known")
        .with_transformation(
            models.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True, "Value": True},
                    "indexByName": {name: place for place, name in enumerate(["instance", *BUILD_INFO.labels])},
                    "renameByName": {"model_version": "model version"},
                },
            )
        )
    )


def _cpu() -> TimeSeries:
    return time_series(
        "CPU of the API",
        "CPU in use, of what the process may use: its container's limit where there is one, else the machine. The "
        "dashed line is the threshold of the alert HighCPUUsage.",
        Query(f"{catalogue.SYSTEM_CPU_USAGE.name}{{{SERVICE}}}", "{{instance}}"),
        unit="percent",
        axis="of what may be used",
        threshold=(CPU_PERCENT, RED),
    ).max(100)


def _memory() -> TimeSeries:
    return time_series(
        "Memory of the API in use",
        "Memory in use, without what the kernel can take back, of what there is: in the container where it is limited,"
        " else on the machine. The dashed line is the threshold of the alert HighMemoryUsage.",
        Query(f"instance:system_memory_usage:ratio{{{SERVICE}}}", "{{instance}}"),
        unit="percentunit",
        axis="of what may be used",
        threshold=(MEMORY_RATIO, RED),
    ).max(1)


def _memory_available() -> TimeSeries:
    return time_series(
        "Memory of the API available",
        "Memory that can still be had before the limit. Below the dashed line the alert LowMemoryAvailable fires.",
        Query(f"{catalogue.SYSTEM_MEMORY_AVAILABLE.name}{{{SERVICE}}}", "{{instance}}"),
        unit="bytes",
        axis="available",
        threshold=(MEMORY_AVAILABLE_BYTES, RED),
    )
