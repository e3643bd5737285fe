"""Watches a prediction service: requests, predictions, model versions, machine.

It knows nothing of what is predicted. :func:`watch` is the short way in; every part can be had on its own.
"""

from api_pokemon.monitoring.catalogue import MetricSpec, metric_specs
from api_pokemon.monitoring.cgroup import Cgroup
from api_pokemon.monitoring.errors import (
    EventError,
    InvalidIdError,
    LogUnavailableError,
    MonitoringError,
    NotRecordedError,
    StreamUnavailableError,
)
from api_pokemon.monitoring.events import Event, Field, Fields, Outcome, Prediction, decode, encode
from api_pokemon.monitoring.exposition import Exposition
from api_pokemon.monitoring.ids import made_at_seconds, new_id, parse_id
from api_pokemon.monitoring.metrics import BuildInfo, HttpMetrics, ModelMetrics
from api_pokemon.monitoring.middleware import HttpMiddleware, note_error, note_prediction
from api_pokemon.monitoring.outbox import Outbox
from api_pokemon.monitoring.outbox_folder import Claim, OutboxFolder
from api_pokemon.monitoring.outbox_stream import OutboxStream
from api_pokemon.monitoring.recorder import NullRecorder, OutboxRecorder, Recorder
from api_pokemon.monitoring.stream import Entry, OutboxState, Stream
from api_pokemon.monitoring.system import SystemMetrics, SystemProbe
from api_pokemon.monitoring.watching import Unwatched, Watch, watch

__all__ = [
    "BuildInfo",
    "Cgroup",
    "Claim",
    "Entry",
    "Event",
    "EventError",
    "Exposition",
    "Field",
    "Fields",
    "HttpMetrics",
    "HttpMiddleware",
    "InvalidIdError",
    "LogUnavailableError",
    "MetricSpec",
    "ModelMetrics",
    "MonitoringError",
    "NotRecordedError",
    "NullRecorder",
    "Outbox",
    "OutboxFolder",
    "OutboxRecorder",
    "OutboxState",
    "OutboxStream",
    "Outcome",
    "Prediction",
    "Recorder",
    "Stream",
    "StreamUnavailableError",
    "SystemMetrics",
    "SystemProbe",
    "Unwatched",
    "Watch",
    "decode",
    "encode",
    "made_at_seconds",
    "metric_specs",
    "new_id",
    "note_error",
    "note_prediction",
    "parse_id",
    "watch",
]
