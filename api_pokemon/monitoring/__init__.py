"""Watches a prediction service: requests, predictions, model versions, machine.

It knows nothing of what is predicted. :func:`watch` is the short way in; every part can be had on its own.
"""

from api_pokemon.monitoring.catalogue import MetricSpec, metric_specs
from api_pokemon.monitoring.cgroup import Cgroup
from api_pokemon.monitoring.errors import InvalidIdError, MonitoringError, NotRecordedError
from api_pokemon.monitoring.exposition import Exposition
from api_pokemon.monitoring.ids import made_at_seconds, new_id, parse_id
from api_pokemon.monitoring.metrics import BuildInfo, HttpMetrics, ModelMetrics
from api_pokemon.monitoring.middleware import HttpMiddleware, note_error, note_prediction
from api_pokemon.monitoring.predictions import Field, Fields, Prediction
from api_pokemon.monitoring.recorder import NullRecorder, Recorder
from api_pokemon.monitoring.system import SystemMetrics, SystemProbe
from api_pokemon.monitoring.watching import Unwatched, Watch, watch

__all__ = [
    "BuildInfo",
    "Cgroup",
    "Exposition",
    "Field",
    "Fields",
    "HttpMetrics",
    "HttpMiddleware",
    "InvalidIdError",
    "MetricSpec",
    "ModelMetrics",
    "MonitoringError",
    "NotRecordedError",
    "NullRecorder",
    "Prediction",
    "Recorder",
    "SystemMetrics",
    "SystemProbe",
    "Unwatched",
    "Watch",
    "made_at_seconds",
    "metric_specs",
    "new_id",
    "note_error",
    "note_prediction",
    "parse_id",
    "watch",
]
