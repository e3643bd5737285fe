"""The machines, as node-exporter sees them."""

from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import GraphTransform
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.panels import RED, time_series
from dashboards.queries import HOST, Query, rate
from dashboards.thresholds import CPU_PERCENT, MEMORY_RATIO

_DISKS = f'{HOST}, fstype!~"tmpfs|ramfs"'
"""File systems that lie on a disk; node-exporter leaves out what containers see of them."""

_CARDS = f'{HOST}, device!~"lo|veth.*|br-.*|docker.*"'
"""Network cards, without what containers talk through among themselves."""


def host_panels() -> list[TimeSeries]:
    return [panel.span(6).height(8) for panel in (_cpu(), _memory(), _disk(), _network())]


def _cpu() -> TimeSeries:
    idle = rate("node_cpu_seconds_total", f'{HOST}, mode="idle"')
    return time_series(
        "CPU",
        "Time in which the CPUs of each machine did something, all of them together.",
        Query(f"100 * (1 - avg by (instance) ({idle}))", "{{instance}}"),
        unit="percent",
        axis="busy",
        threshold=(CPU_PERCENT, RED),
    ).max(100)


def _memory() -> TimeSeries:
    available, total = (f"node_memory_{name}_bytes{{{HOST}}}" for name in ("MemAvailable", "MemTotal"))
    return time_series(
        "Memory",
        "Memory in use, without what the kernel can take back.",
        Query(f"1 - {available} / {total}", "{{instance}}"),
        unit="percentunit",
        axis="in use",
        threshold=(MEMORY_RATIO, RED),
    ).max(1)


def _disk() -> TimeSeries:
    # One file system may be mounted in several places; its fullest view counts.
    free, size = (f"node_filesystem_{name}_bytes{{{_DISKS}}}" for name in ("avail", "size"))
    return time_series(
        "Disk",
        "Space in use on each disk, of what programs may use.",
        Query(f"max by (instance, device) (1 - {free} / {size})", "{{instance}} {{device}}"),
        unit="percentunit",
        axis="in use",
        threshold=(0.9, RED),
    ).max(1)


def _network() -> TimeSeries:
    received, sent = (
        f"sum by (instance) ({rate(f'node_network_{way}_bytes_total', _CARDS)})" for way in ("receive", "transmit")
    )
    return time_series(
        "Network",
        "Received above the line, sent below.",
        Query(received, "{{instance}} received"),
        Query(sent, "{{instance}} sent"),
        unit="Bps",
        axis="sent / received",
    ).override_by_regexp("/ sent$/", [DynamicConfigValue("custom.transform", GraphTransform.NEGATIVE_Y)])
