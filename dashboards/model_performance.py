"""What the model does: how much it predicts, how fast, how sure it is, and which version answers."""

from grafana_foundation_sdk.builders import heatmap as heatmaps
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import HeatmapCellLayout
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from api_pokemon.monitoring.catalogue import (
    MODEL_CONFIDENCE,
    MODEL_CONFIDENCE_SCORE,
    MODEL_PREDICTION_DURATION,
    MODEL_PREDICTIONS,
    MODEL_WIN_PROBABILITY,
)
from dashboards.frame import frame, instance, job, model_version
from dashboards.panels import DATASOURCE, GREEN, RED, YELLOW, stacked, stat, time_series
from dashboards.queries import MODEL, Query, count, count_in_range, mean, percentiles, quantile, recorded, total_rate
from dashboards.thresholds import CONFIDENCE, MODEL_LATENCY_SECONDS

_JOBS = "api.*"
_NOTHING = "No predictions"
_VERSIONS = 'job=~"$job", model_version=~"$model_version"'


def model_performance() -> models.Dashboard:
    return frame(
        "model-performance",
        "What the model does: how much does it predict, how fast, how sure is it, and which version answers?",
        variables=[job(_JOBS), instance(), model_version()],
        components=["model"],
        parts=[
            _per_minute().span(6).height(5),
            _mean_confidence().span(6).height(5),
            _p95().span(6).height(5),
            _total().span(6).height(5),
            _percentiles().span(12).height(8),
            _confidence().span(12).height(8),
            _distribution().span(12).height(9),
            _by_version().span(12).height(9),
        ],
    )


def _per_minute() -> Stat:
    return stat(
        "Predictions per minute",
        "Predictions made per minute, at the pace of the moment. A batch makes one for each of its duels.",
        Query(f"{total_rate(MODEL_PREDICTIONS.name, MODEL)} * 60", "predictions", instant=True),
        unit="suffix: / min",
    ).decimals(0)


def _mean_confidence() -> Stat:
    return (
        stat(
            "Mean confidence",
            "How sure the model is of its predictions on average: max(p, 1 - p), from 0.5 to 1. About 0.9 is usual for"
            " best moves; below 0.6 something is broken, and the alert LowModelConfidence fires.",
            Query(mean(MODEL_CONFIDENCE, MODEL), "confidence", instant=True),
            unit="none",
            no_value=_NOTHING,
            steps=[(float("-inf"), RED), (CONFIDENCE, YELLOW), (0.75, GREEN)],
        )
        .decimals(3)
        .min(0.5)
        .max(1)
    )


def _p95() -> Stat:
    return stat(
        "p95 prediction latency",
        "For 95 of 100 predictions the model takes at most this time; what HTTP and the outbox take is not in it.",
        Query(quantile(0.95, MODEL_PREDICTION_DURATION, MODEL), "p95", instant=True),
        unit="s",
        no_value=_NOTHING,
        steps=[(MODEL_LATENCY_SECONDS / 2, YELLOW), (MODEL_LATENCY_SECONDS, RED)],
    )


def _total() -> Stat:
    return stat(
        "Total predictions",
        "Predictions made in the time range that is shown, over all restarts in it. The prediction log counts exactly:"
        " `api-pokemon account`.",
        Query(count_in_range(MODEL_PREDICTIONS.name, MODEL), "predictions", instant=True),
        unit="none",
    ).decimals(0)


def _percentiles() -> TimeSeries:
    return time_series(
        "Prediction latency percentiles",
        "How long the model takes for one prediction. Dots are single ones: they carry its id. The dashed line is the "
        "threshold of the alert HighModelLatency, for p95.",
        *percentiles(MODEL_PREDICTION_DURATION, MODEL),
        recorded("job_model_version:model_prediction_duration_seconds:p95_5m", _VERSIONS, "p95 of {{model_version}}, "),
        unit="s",
        axis="latency",
        no_value=_NOTHING,
        threshold=(MODEL_LATENCY_SECONDS, RED),
    )


def _confidence() -> TimeSeries:
    lowest = f"min by (model_version) ({MODEL_CONFIDENCE_SCORE.name}{{{MODEL}}})"
    return (
        time_series(
            "Confidence over time",
            "The mean by model version, and the least sure process, of its last minute: one that has gone wrong does "
            "not hide behind the others. The dashed line is the threshold of the alert LowModelConfidence.",
            Query(mean(MODEL_CONFIDENCE, MODEL, "model_version"), "{{model_version}}"),
            Query(lowest, "{{model_version}}, least sure process"),
            recorded("job_model_version:model_confidence:mean5m", _VERSIONS, "{{model_version}}, "),
            unit="none",
            axis="confidence",
            no_value=_NOTHING,
            threshold=(CONFIDENCE, RED),
        )
        .decimals(3)
        .min(0.5)
        .max(1)
    )


def _distribution() -> heatmaps.Panel:
    """Grafana tells each bucket from the one below it where a query has the format of a heatmap."""
    matchers = f'{MODEL}, le!="+Inf"'  # the last bucket ends at 1, and no probability is above
    buckets = count(f"{MODEL_WIN_PROBABILITY.name}_bucket", matchers, "le")
    return (
        heatmaps.Panel()
        .title("Win-probability distribution")
        .description(
            "How many predictions fell into each twentieth of the win probability, minute by minute, or more at a time"
            " in a long range. A band that moves or fades means that other duels are asked, or that the model has "
            "changed."
        )
        .datasource(DATASOURCE)
        .with_target(
            Dataquery()
            .datasource(DATASOURCE)
            .ref_id("A")
            .expr(buckets)
            .legend_format("{{le}}")
            .format(PromQueryFormat.HEATMAP)
            .range()
        )
        .interval("1m")
        .no_value(_NOTHING)
        .calculate(False)
        .rows_frame(heatmaps.RowsHeatmapOptions().layout(HeatmapCellLayout.LE).value("predictions"))
        .cell_values(heatmaps.CellValues().unit("short").decimals(0))
        .filter_values(heatmaps.FilterValueRange().le(1e-9))
        .y_axis(heatmaps.YAxisConfig().unit("none").decimals(2).axis_label("win probability"))
        .color(heatmaps.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64).min(0))
        .cell_gap(1)
        .show_legend()
        .show_y_histogram()
    )


def _by_version() -> TimeSeries:
    return stacked(
        time_series(
            "Prediction rate by model version",
            "Predictions per second by the version that made them. A new version takes over where its colour does.",
            Query(total_rate(MODEL_PREDICTIONS.name, MODEL, "model_version"), "{{model_version}}"),
            unit="suffix: / s",
            axis="predictions / s",
        )
    )
