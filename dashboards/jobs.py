"""The stream that the workers read, and the periodic work that they do."""

from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import GraphDrawStyle

from api_pokemon.monitoring import catalogue
from dashboards.frame import Part
from dashboards.panels import RED, YELLOW, stat, time_series
from dashboards.queries import SERVICE, Query, count, share


def job_panels() -> list[Part]:
    return [
        _stream_entries().span(8).height(7),
        _job_runs().span(8).height(7),
        _job_age().span(4).height(7),
        _job_duration().span(4).height(7),
    ]


def _stream_entries() -> TimeSeries:
    return time_series(
        "Entries in the stream",
        "Sent, and not yet logged. There is none without Redis.",
        Query(f"max({catalogue.STREAM_ENTRIES.name}{{{SERVICE}}})", "entries"),
        unit="short",
        axis="entries",
        no_value="No stream",
    )


def _job_runs() -> TimeSeries:
    runs = count(catalogue.JOB_RUNS.name, SERVICE, "kind", "state")
    return (
        time_series(
            "Runs of jobs",
            "How many runs ended in the time of each bar, and how: *retried* begins again, *failed* is for good.",
            Query(runs, "{{kind}} {{state}}"),
            unit="short",
            axis="runs",
        )
        .interval("1m")
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
    )


def _job_age() -> Stat:
    last = f"max by (kind) ({catalogue.JOB_LAST_SUCCESS.name}{{{SERVICE}}})"
    return stat(
        "Last success of jobs",
        "How long ago a job of the kind last succeeded, on any worker. Retention is due every hour.",
        Query(f"time() - {last}", "{{kind}}", instant=True),
        unit="s",
        no_value="None yet",
        steps=[(2 * 3600, YELLOW), (6 * 3600, RED)],
    ).decimals(0)


def _job_duration() -> Stat:
    duration = catalogue.JOB_DURATION.name
    seconds, runs = (f"sum by (kind) ({duration}_{part}{{{SERVICE}}})" for part in ("sum", "count"))
    return stat(
        "Mean duration of jobs",
        "Of the runs that succeeded, since the workers that run now were started.",
        Query(share(seconds, runs), "{{kind}}", instant=True),
        unit="s",
        no_value="None yet",
    )
