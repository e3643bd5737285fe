"""Whether all that was answered is kept: what was accepted, what is logged, what waits, what was refused."""

from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

from api_pokemon.monitoring import catalogue
from dashboards.frame import Part
from dashboards.panels import GREEN, RED, UP_OR_DOWN, YELLOW, stat, time_series
from dashboards.queries import SERVICE, Query, rate, total_rate
from dashboards.thresholds import LOG_LAG_SECONDS, OUTBOX_RATIO


def log_panels() -> list[Part]:
    return [
        _unaccounted().span(4).height(4),
        _pending_now().span(4).height(4),
        _lag_now().span(4).height(4),
        _log_up().span(4).height(4),
        _stream_up().span(4).height(4),
        _refused_in_range().span(4).height(4),
        _accepted_and_logged().span(12).height(8),
        _lag().span(12).height(8),
        _pending().span(8).height(7),
        _outbox_bytes().span(8).height(7),
        _refused().span(8).height(7),
    ]


def _unaccounted() -> Stat:
    series = f"abs({catalogue.EVENTS_UNACCOUNTED.name}{{{SERVICE}}})"
    return stat(
        "Unaccounted events",
        "Events that an outbox let go as logged and that the log lacks, or has twice. Anything but 0 is a loss or a "
        "bug: `api-pokemon account` tells of which outbox.",
        Query(f"sum({_each_outbox(series)})", "unaccounted", instant=True),
        unit="none",
        no_value="No outbox yet",
        steps=[(1, RED)],
    )


def _pending_now() -> Stat:
    series = f"{catalogue.EVENTS_PENDING.name}{{{SERVICE}}}"
    return stat(
        "Pending events",
        "Events in an outbox that are not known to be logged.",
        Query(f"sum({_each_outbox(series)})", "pending", instant=True),
        unit="short",
        no_value="No outbox yet",
    )


def _lag_now() -> Stat:
    return stat(
        "Log lag",
        "Age of the oldest event that is not in the prediction log.",
        Query(f"max({catalogue.LOG_LAG.name}{{{SERVICE}}})", "lag", instant=True),
        unit="s",
        steps=[(LOG_LAG_SECONDS / 2, YELLOW), (LOG_LAG_SECONDS, RED)],
    )


def _log_up() -> Stat:
    return _reachable("Prediction log", "Whether every worker can write the prediction log.", catalogue.LOG_UP.name)


def _stream_up() -> Stat:
    return _reachable(
        "Stream",
        "Whether every process reaches the stream: Redis, or the outboxes themselves where there is none.",
        catalogue.STREAM_UP.name,
    )


def _reachable(title: str, description: str, gauge: str) -> Stat:
    return stat(
        title,
        description,
        Query(f"min({gauge}{{{SERVICE}}})", title.lower(), instant=True),
        unit="none",
        no_value="No worker known",
        steps=[(float("-inf"), RED), (1, GREEN)],
    ).mappings([UP_OR_DOWN])


def _refused_in_range() -> Stat:
    return stat(
        "Refused events",
        "Predictions that could not be kept, and so were not answered (503 `not-recorded`), in the time range that is "
        "shown.",
        Query(f"sum(increase({catalogue.EVENTS_REFUSED.name}{{{SERVICE}}}[$__range]))", "refused", instant=True),
        unit="short",
        steps=[(1, RED)],
    ).decimals(0)


def _accepted_and_logged() -> TimeSeries:
    accepted = rate(catalogue.EVENTS_ACCEPTED.name, SERVICE)
    logged = rate(catalogue.EVENTS_LOGGED.name, SERVICE)
    return time_series(
        "Events accepted and logged",
        "Events per second that the outboxes accept and that the log takes. The second follows the first, or events "
        "wait.",
        Query(f"sum({_each_outbox(accepted)})", "accepted"),
        Query(f"sum({_each_outbox(logged)})", "logged"),
        unit="suffix: / s",
        axis="events / s",
    )


def _lag() -> TimeSeries:
    return time_series(
        "Log lag over time",
        "Age of the oldest event that is not in the prediction log, as each process sees it. It rises by a second per "
        "second while the log or the stream is away.",
        Query(f"max by (job, instance) ({catalogue.LOG_LAG.name}{{{SERVICE}}})", "{{job}} {{instance}}"),
        unit="s",
        axis="age",
        threshold=(LOG_LAG_SECONDS, RED),
    )


def _pending() -> TimeSeries:
    return time_series(
        "Pending events by outbox",
        "Events in each outbox that are not known to be logged.",
        Query(_each_outbox(f"{catalogue.EVENTS_PENDING.name}{{{SERVICE}}}"), "{{writer}}"),
        unit="short",
        axis="events",
    )


def _outbox_bytes() -> TimeSeries:
    used, most = (f"{gauge.name}{{{SERVICE}}}" for gauge in (catalogue.OUTBOX_BYTES, catalogue.OUTBOX_MAX_BYTES))
    return time_series(
        "Fill of the outboxes",
        "How much of `API_POKEMON_OUTBOX_MAX_BYTES` each outbox uses. A full one refuses, and predictions are answered"
        " with 503; above the dashed line the alert OutboxNearlyFull fires.",
        Query(_each_outbox(f"{used} / on (job, instance) group_left () {most}"), "{{writer}}"),
        unit="percentunit",
        axis="of its maximum",
        threshold=(OUTBOX_RATIO, RED),
    ).max(1)


def _refused() -> TimeSeries:
    return time_series(
        "Events refused",
        "Per second, by reason. Each was answered with 503 `not-recorded`.",
        Query(total_rate(catalogue.EVENTS_REFUSED.name, SERVICE, "reason"), "{{reason}}"),
        unit="suffix: / s",
        axis="refusals / s",
    )


def _each_outbox(series: str) -> str:
    """Every process that knows an outbox tells of it; each counts once."""
    return f"max by (writer) ({series})"
