"""What callers get: is the API up, how much is asked, how fast and how well it answers."""

from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import BigValueTextMode

from api_pokemon.monitoring.catalogue import API_ERRORS, API_REQUEST_DURATION, API_REQUESTS
from dashboards.frame import frame, instance, job
from dashboards.panels import GREEN, RED, UP_OR_DOWN, YELLOW, coloured, stacked, stat, time_series
from dashboards.queries import CALLERS, SERVICE, Query, percentiles, quantile, rate, recorded, share, total_rate
from dashboards.thresholds import API_LATENCY_SECONDS, ERROR_RATIO

_JOBS = "api.*"
_FAILED = f'{SERVICE}, status=~"5.."'
_NONE = 'label_replace(vector(0), "instance", "none known", "", "")'
_ALL_REQUESTS = f"sum({rate(API_REQUESTS.name, CALLERS)} or {rate(API_REQUESTS.name, _FAILED)})"
"""Those of callers, and whatever failed: errors of health checks count too, so they are in the whole as well."""


def api_performance() -> models.Dashboard:
    return frame(
        "api-performance",
        "What callers get: is the API up, how much is asked, how fast and how well does it answer?",
        variables=[job(_JOBS), instance()],
        components=["api"],
        parts=[
            _status().span(4).height(8),
            _p95().span(4).height(8),
            _request_rate().span(16).height(8),
            _percentiles().span(8).height(10),
            _error_rate().span(8).height(10),
            _status_codes().span(8).height(10),
        ],
    )


def _status() -> Stat:
    return (
        stat(
            "API status",
            "Whether Prometheus' last scrape of each API process was answered. Where it knows of none, that is Down "
            "too: a container that is stopped is no longer found. The alert APIDown fires after a minute of Down.",
            Query(f"up{{{SERVICE}}} or on () {_NONE}", "{{instance}}", instant=True),
            unit="none",
            steps=[(float("-inf"), RED), (1, GREEN)],
        )
        .mappings([UP_OR_DOWN])
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
    )


def _p95() -> Stat:
    return stat(
        "p95 latency",
        "95 of 100 requests are answered within this time, from their arrival to the last byte of the answer; all "
        "endpoints together, without scrapes and health checks.",
        Query(quantile(0.95, API_REQUEST_DURATION, CALLERS), "p95", instant=True),
        unit="s",
        no_value="No requests",
        steps=[(API_LATENCY_SECONDS / 2, YELLOW), (API_LATENCY_SECONDS, RED)],
    )


def _request_rate() -> TimeSeries:
    return time_series(
        "Request rate by endpoint",
        "Requests answered per second. Paths are templates, and all that match none are one endpoint, `unmatched`.",
        Query(total_rate(API_REQUESTS.name, SERVICE, "method", "endpoint"), "{{method}} {{endpoint}}"),
        unit="reqps",
        axis="requests / s",
        legend="right",
    )


def _percentiles() -> TimeSeries:
    return time_series(
        "Latency percentiles",
        "How long callers wait, all endpoints together, without scrapes and health checks. Dots are single requests: "
        "they carry the id of their prediction. The dashed line is the threshold of the alert HighAPILatency, for p95.",
        *percentiles(API_REQUEST_DURATION, CALLERS),
        recorded("job:api_request_duration_seconds:p95_5m", 'job=~"$job"', "p95, "),
        unit="s",
        axis="latency",
        no_value="No requests",
        threshold=(API_LATENCY_SECONDS, RED),
    )


def _error_rate() -> TimeSeries:
    by_type = total_rate(API_ERRORS.name, SERVICE, "error_type")
    return time_series(
        "Error rate",
        "The share of requests that failed: every 5xx, handled or not, and answers broken off. `not-recorded` and "
        "`log-unavailable` are by design, and count. The dashed line is the threshold of the alert HighErrorRate.",
        Query(share(total_rate(API_ERRORS.name, SERVICE), _ALL_REQUESTS), "all errors"),
        Query(share(by_type, f"on () group_left () {_ALL_REQUESTS}"), "{{error_type}}"),
        recorded("job:api_errors_per_request:ratio_rate5m", 'job=~"$job"'),
        unit="percentunit",
        axis="of all requests",
        no_value="No requests",
        threshold=(ERROR_RATIO, RED),
    )


def _status_codes() -> TimeSeries:
    panel = time_series(
        "Status codes",
        "Answers per second by status. 499 is a client that hung up before its answer was complete.",
        Query(total_rate(API_REQUESTS.name, SERVICE, "status"), "{{status}}"),
        unit="reqps",
        axis="answers / s",
    )
    for first, colour in (("2", "green"), ("3", "blue"), ("4", "yellow"), ("5", "red")):
        panel = coloured(panel, f"/^{first}/", colour)
    return stacked(panel)
