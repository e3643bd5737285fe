"""PromQL of the panels, from the names of the catalogue.

Grafana fills in ``$job`` and the other variables, and ``$__rate_interval``: at least four scrapes, so that a rate never
falls between two of them.
"""

from dataclasses import dataclass

from api_pokemon.monitoring.catalogue import MetricSpec

SERVICE = 'job=~"$job", instance=~"$instance"'
"""Matchers of the processes that are chosen at the top of a dashboard."""

CALLERS = f'{SERVICE}, endpoint!~"/metrics|/health.*"'
"""The same, without scrapes and health checks: what the alerts judge."""

JUDGED = "5 min, as the alert judges it"

MODEL = f'{SERVICE}, model_version=~"$model_version"'
"""The same, of the chosen model versions."""

HOST = 'instance=~"$node"'
"""Matchers of the machines that are chosen."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Parameters
    ----------
    legend
        Names its series; ``{{label}}`` stands for the value of a label.
    instant
        Asks for the present alone, as a single figure must: of a range, it would be the last one that there was,
        however old, also of a process that is gone.
    exemplar
        Asks for exemplars too.
    """

    expr: str
    legend: str = ""
    instant: bool = False
    exemplar: bool = False


def rate(series: str, matchers: str) -> str:
    """Per second."""
    return f"rate({series}{{{matchers}}}[$__rate_interval])"


def total_rate(series: str, matchers: str, *by: str) -> str:
    """Per second, summed up by the labels.

    Examples
    --------
    >>> total_rate("jobs_total", 'job="a"', "state")
    'sum by (state) (rate(jobs_total{job="a"}[$__rate_interval]))'
    """
    grouping = f" by ({', '.join(by)}) " if by else ""
    return f"sum{grouping}({rate(series, matchers)})"


def count(series: str, matchers: str, *by: str) -> str:
    """How much was counted in each step, everything once.

    A rate over one scrape more than the step reaches the last sample of the step before; ``increase`` over the step
    alone would guess what was counted between the two.
    """
    return f"{total_rate(series, matchers, *by)} * $__interval_ms / 1000"


def share(part: str, whole: str) -> str:
    """A ratio; nothing where the whole is nothing: a comparison drops the NaN that 0 / 0 is."""
    return f"{part} / {whole} >= 0"


def recorded(rule: str, matchers: str, legend: str = "") -> Query:
    """What an alert judges: over five minutes, and over all instances whichever are chosen."""
    return Query(f"{rule}{{{matchers}}}", f"{legend}{JUDGED}")


def quantile(fraction: float, histogram: MetricSpec, matchers: str) -> str:
    """The quantile of what was observed of late; nothing where nothing was, instead of NaN.

    Examples
    --------
    >>> quantile(0.95, MetricSpec("wait_seconds", "histogram", "Waiting."), 'job="a"')
    'histogram_quantile(0.95, sum by (le) (rate(wait_seconds_bucket{job="a"}[$__rate_interval]))) >= 0'
    """
    buckets = total_rate(f"{histogram.name}_bucket", matchers, "le")
    return f"histogram_quantile({fraction:g}, {buckets}) >= 0"


def percentiles(histogram: MetricSpec, matchers: str) -> tuple[Query, ...]:
    """The median and the tail, with exemplars where the tail is."""
    return tuple(
        Query(quantile(percent / 100, histogram, matchers), f"p{percent}", exemplar=percent == 99)
        for percent in (50, 90, 95, 99)
    )


def mean(summary: MetricSpec, matchers: str, *by: str) -> str:
    """The mean of what was observed of late, each observation counting once whichever process made it."""
    return share(total_rate(f"{summary.name}_sum", matchers, *by), total_rate(f"{summary.name}_count", matchers, *by))


def count_in_range(counter: str, matchers: str) -> str:
    """How much was counted in the time range that is shown, restarts and replicas included.

    ``increase`` looks at differences only, so what a series has when it is first scraped is added.
    """
    series = f"{counter}{{{matchers}}}"
    first = f"sum(min_over_time({series}[$__range]) unless {series} offset $__range)"
    return f"sum(increase({series}[$__range])) + ({first} or vector(0))"
