"""Panels of the house: one look, whoever makes them."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards.queries import JUDGED, Query

DATASOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
"""What `docker/grafana/provisioning/datasources/prometheus.yml` sets up."""

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
NO_DATA = "No data"

Step: TypeAlias = tuple[float, str]
"""From this value on, this colour."""


def stat(
    title: str, description: str, *queries: Query, unit: str, no_value: str = NO_DATA, steps: Iterable[Step] = ()
) -> Stat:
    """One figure for each series, in the colour of its threshold."""
    return (
        Stat()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets(_targets(queries))
        .unit(unit)
        .no_value(no_value)
        .thresholds(thresholds(*steps))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.BACKGROUND_SOLID if steps else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().values(False).calcs(["lastNotNull"]))
    )


def time_series(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    axis: str = "",
    legend: Literal["bottom", "right"] = "bottom",
    no_value: str = NO_DATA,
    threshold: Step | None = None,
) -> TimeSeries:
    """Lines over time from 0 up; a threshold is a dashed line, and so is what it is a threshold of."""
    panel = (
        TimeSeries()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets(_targets(queries))
        .unit(unit)
        .no_value(no_value)
        .axis_label(axis)
        .axis_soft_min(0)
        .line_width(1)
        .fill_opacity(10)
        .show_points(VisibilityMode.NEVER)
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(TooltipDisplayMode.MULTI)
            .sort(SortOrder.DESCENDING)
            .hide_zeros(True)
        )
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement(legend))
            .show_legend(True)
            .calcs(["mean", "max", "lastNotNull"])
            .sort_by("Mean")
            .sort_desc(True)
        )
    )
    if threshold:
        style = common_builders.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel.thresholds(thresholds(threshold)).thresholds_style(style)
    dashes = {"fill": "dash", "dash": [6, 6]}
    return panel.override_by_regexp(f"/{JUDGED}$/", [DynamicConfigValue("custom.lineStyle", dashes)])


def stacked(panel: TimeSeries) -> TimeSeries:
    """The same, one series upon the other."""
    return panel.stacking(common_builders.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)


def coloured(panel: TimeSeries, pattern: str, colour: str) -> TimeSeries:
    """The same, with the series whose name matches in shades of one colour."""
    return panel.override_by_regexp(
        pattern, [DynamicConfigValue("color", {"mode": FieldColorModeId.SHADES, "fixedColor": colour})]
    )


def thresholds(*steps: Step) -> ThresholdsConfig:
    """Green, and from each step on its colour; a first step at minus infinity takes the place of green."""
    lowest, *higher = steps if steps and steps[0][0] == float("-inf") else ((float("-inf"), GREEN), *steps)
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(None, lowest[1]), *(Threshold(value, colour) for value, colour in higher)])
    )


def words(**texts: tuple[str, str]) -> ValueMap:
    """Words and colours in place of numbers: ``words(_1=("Up", "green"))``."""
    results = {
        name.removeprefix("_"): ValueMappingResult(text=text, color=colour, index=index)
        for index, (name, (text, colour)) in enumerate(texts.items())
    }
    return ValueMap(results)


UP_OR_DOWN = words(_0=("Down", RED), _1=("Up", GREEN))


def _targets(queries: Sequence[Query]) -> list[Builder[variants.Dataquery]]:
    return [_target(query, chr(ord("A") + number)) for number, query in enumerate(queries)]


def _target(query: Query, ref_id: str) -> Dataquery:
    target = (
        Dataquery()
        .datasource(DATASOURCE)
        .ref_id(ref_id)
        .expr(query.expr)
        .legend_format(query.legend)
        .exemplar(query.exemplar)
    )
    return target.instant() if query.instant else target.range()
