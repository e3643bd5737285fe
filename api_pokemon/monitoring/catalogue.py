"""Every metric by name, type, labels and buckets: the one list that code, dashboards and alert rules are held to."""

from typing import Literal, NamedTuple, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)

Kind: TypeAlias = Literal["counter", "gauge", "histogram", "summary", "info"]

_SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
    "info": ("",),
}


class MetricSpec(NamedTuple):
    """One metric.

    Parameters
    ----------
    name
        As people write it in a query: a counter with its ``_total``, an info with its ``_info``.
    buckets
        The upper edges of a histogram, without infinity.

    Examples
    --------
    >>> MetricSpec("queue_wait_seconds", "histogram", "Time spent waiting.", buckets=(0.1, 1)).series
    ('queue_wait_seconds_bucket', 'queue_wait_seconds_sum', 'queue_wait_seconds_count')
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query may use."""
        return tuple(self.name + suffix for suffix in _SUFFIXES[self.kind])

    def counters(self) -> CounterMetricFamily:
        return CounterMetricFamily(self.name.removesuffix("_total"), self.help, labels=self.labels)

    def gauges(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.help, labels=self.labels)

    def histograms(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self.name, self.help, labels=self.labels)

    def summaries(self) -> SummaryMetricFamily:
        return SummaryMetricFamily(self.name, self.help, labels=self.labels)


API_REQUESTS = MetricSpec("api_requests_total", "counter", "Requests answered.", ("method", "endpoint", "status"))
API_REQUEST_DURATION = MetricSpec(
    "api_request_duration_seconds",
    "histogram",
    "From the request's arrival to the last byte of the answer.",
    ("method", "endpoint"),
    (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
API_ERRORS = MetricSpec(
    "api_errors_total",
    "counter",
    "Answers with a 5xx status, handled or not, and answers broken off by an exception.",
    ("method", "endpoint", "error_type"),
)
MODEL_PREDICTIONS = MetricSpec("model_predictions_total", "counter", "Predictions made.", ("model_version",))
MODEL_PREDICTION_DURATION = MetricSpec(
    "model_prediction_duration_seconds",
    "histogram",
    "Time the model took for one prediction.",
    ("model_version",),
    (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
MODEL_CONFIDENCE_SCORE = MetricSpec(
    "model_confidence_score",
    "gauge",
    "Mean confidence of at most the last 1,000 predictions of the last 60 s; absent when there are none.",
    ("model_version",),
)
MODEL_CONFIDENCE = MetricSpec(
    "model_confidence", "summary", "Confidence of every prediction: max(p, 1 - p).", ("model_version",)
)
MODEL_WIN_PROBABILITY = MetricSpec(
    "model_win_probability",
    "histogram",
    "Probability of the chosen answer.",
    ("model_version",),
    tuple(step / 20 for step in range(1, 21)),
)
MODEL_ENGINE = MetricSpec(
    "model_engine", "gauge", "1 for the engine that answers for a model version.", ("model_version", "engine")
)
MODEL_FILES_SOUND = MetricSpec(
    "model_files_sound",
    "gauge",
    "1 while the files of a model version are as they were when it was loaded, as last looked at.",
    ("model_version",),
)
SYSTEM_CPU_USAGE = MetricSpec(
    "system_cpu_usage_percent", "gauge", "CPU in use, in percent of what may be used, over the last interval."
)
SYSTEM_MEMORY_USAGE = MetricSpec(
    "system_memory_usage_bytes", "gauge", "Memory in use, without what the kernel can take back."
)
SYSTEM_MEMORY_AVAILABLE = MetricSpec(
    "system_memory_available_bytes", "gauge", "Memory that can still be had before the limit."
)

EVENTS_ACCEPTED = MetricSpec(
    "events_accepted_total",
    "counter",
    "Events that an outbox has accepted since it was made: its last sequence number, which outlives every process.",
    ("writer",),
)
EVENTS_PENDING = MetricSpec(
    "events_pending", "gauge", "Events in an outbox that are not known to be in the prediction log.", ("writer",)
)
EVENTS_REFUSED = MetricSpec(
    "events_refused_total", "counter", "Events that could not be made durable, and so were not answered.", ("reason",)
)
OUTBOX_BYTES = MetricSpec(
    "outbox_bytes",
    "gauge",
    "What an outbox uses of its file, its journal included; the file itself never shrinks.",
    ("writer",),
)
OUTBOX_MAX_BYTES = MetricSpec("outbox_max_bytes", "gauge", "Size at which an outbox of this process refuses.")
EVENTS_LOGGED = MetricSpec(
    "events_logged_total", "counter", "Events of an outbox that the prediction log has ever taken.", ("writer",)
)
EVENTS_UNACCOUNTED = MetricSpec(
    "events_unaccounted",
    "gauge",
    "Events that an outbox let go as logged, less those that the log has taken: above 0 lost, below 0 counted twice.",
    ("writer",),
)
LOG_LAG = MetricSpec(
    "log_lag_seconds", "gauge", "Age of the oldest event that is not in the prediction log; 0 when all are."
)
LOG_UP = MetricSpec("log_up", "gauge", "1 while the prediction log can be written, 0 while it cannot.")
STREAM_UP = MetricSpec("stream_up", "gauge", "1 while the stream can be reached, 0 while it cannot.")
STREAM_ENTRIES = MetricSpec("stream_entries", "gauge", "Entries in the stream: sent, and not yet logged.")

JOB_RUNS = MetricSpec("job_runs_total", "counter", "Runs of jobs by how they ended.", ("kind", "state"))
JOB_DURATION = MetricSpec("job_duration_seconds", "summary", "Time that successful runs of jobs took.", ("kind",))
JOB_LAST_SUCCESS = MetricSpec(
    "job_last_success_timestamp_seconds",
    "gauge",
    "Unix time at which a job of the kind last succeeded, on any worker.",
    ("kind",),
)

DRIFT_SHARE = MetricSpec(
    "drift_share",
    "gauge",
    "Share of the monitored fields of a group that drift in the latest window, in [0, 1].",
    ("model_version", "group"),
)
DRIFT_SCORE = MetricSpec(
    "drift_score",
    "gauge",
    "How far a field in the latest window is from the reference; no drift up to 0.1, or what chance alone does.",
    ("model_version", "group", "feature"),
)
DRIFT_DETECTED = MetricSpec(
    "drift_detected",
    "gauge",
    "1 where a group of fields drifts in the latest window and in the one before; a uniform reference is provisional.",
    ("model_version", "group", "reference"),
)
DRIFT_WINDOW_ROWS = MetricSpec("drift_window_rows", "gauge", "Predictions in the latest window.", ("model_version",))
DRIFT_LAST_CHECK = MetricSpec(
    "drift_last_check_timestamp_seconds",
    "gauge",
    "Unix time of the latest check for drift, by any worker.",
    ("model_version",),
)
DRIFT_CHECK_INTERVAL = MetricSpec("drift_check_interval_seconds", "gauge", "Time between two checks for drift, as set.")
DRIFT_UNCHECKED_SINCE = MetricSpec(
    "drift_unchecked_since_timestamp_seconds",
    "gauge",
    "Unix time since when this worker has seen predictions wait for a first check for drift; none once there was one.",
)
DRIFT_CHECKS = MetricSpec(
    "drift_checks_total", "counter", "Checks for drift, by any worker.", ("model_version", "verdict")
)

DRIFT_REPORT_DURATION = MetricSpec(
    "drift_report_duration_seconds",
    "gauge",
    "Time that the latest drift report took, by any worker.",
    ("model_version",),
)

WATCHED = (
    API_REQUESTS,
    API_REQUEST_DURATION,
    API_ERRORS,
    MODEL_PREDICTIONS,
    MODEL_PREDICTION_DURATION,
    MODEL_CONFIDENCE_SCORE,
    MODEL_CONFIDENCE,
    MODEL_WIN_PROBABILITY,
    MODEL_ENGINE,
    MODEL_FILES_SOUND,
    SYSTEM_CPU_USAGE,
    SYSTEM_MEMORY_USAGE,
    SYSTEM_MEMORY_AVAILABLE,
)
"""Of every process that answers requests."""

RECORDED = (
    EVENTS_ACCEPTED,
    EVENTS_PENDING,
    EVENTS_REFUSED,
    OUTBOX_BYTES,
    OUTBOX_MAX_BYTES,
    LOG_LAG,
    STREAM_UP,
    STREAM_ENTRIES,
)
"""Of one that records events too; those of the stream where there is one."""

WORKED = (
    EVENTS_LOGGED,
    EVENTS_UNACCOUNTED,
    LOG_LAG,
    LOG_UP,
    STREAM_UP,
    JOB_RUNS,
    JOB_DURATION,
    JOB_LAST_SUCCESS,
    DRIFT_CHECK_INTERVAL,
)
"""Of every worker."""

DRIFTED = (
    DRIFT_SHARE,
    DRIFT_SCORE,
    DRIFT_DETECTED,
    DRIFT_WINDOW_ROWS,
    DRIFT_LAST_CHECK,
    DRIFT_UNCHECKED_SINCE,
    DRIFT_CHECKS,
    DRIFT_REPORT_DURATION,
)
"""Of every worker, once there was something to check for drift, a check, or a report."""

METRICS = tuple(dict.fromkeys((*WATCHED, *RECORDED, *WORKED, *DRIFTED)))


def build_info(application: str) -> MetricSpec:
    """Return the metric that tells what runs, named after the application.

    Examples
    --------
    >>> build_info("iris").name
    'iris_build_info'
    """
    return MetricSpec(f"{application}_build_info", "info", "What runs here.", ("version", "commit", "model_version"))


def metric_specs(application: str) -> tuple[MetricSpec, ...]:
    """Return every metric that a watched application exposes."""
    return (*METRICS, build_info(application))
