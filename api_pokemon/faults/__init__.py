"""Faults that an admin may cause on purpose where a setting allows it, each for a bounded time."""

from api_pokemon.faults.board import Effect, Fault, Faults, FaultStatus, Level, NoEffect
from api_pokemon.faults.catalogue import (
    CPU_BURN,
    FAILING_HANDLER,
    MEMORY_PRESSURE,
    MISCOUNTED_LOG,
    PAUSED_STREAM,
    SLOW_HANDLER,
    SLOW_METRICS,
    SLOW_MODEL,
    STALLED_CONSUMER,
    UNCOUNTED_PREDICTIONS,
    UNREACHABLE_STREAM,
    UNSURE_MODEL,
    api_faults,
    worker_faults,
)
from api_pokemon.faults.hooks import FaultyLog, FaultyPredictor, FaultyRecord, FaultyStream, SlowExposition

__all__ = [
    "CPU_BURN",
    "FAILING_HANDLER",
    "MEMORY_PRESSURE",
    "MISCOUNTED_LOG",
    "PAUSED_STREAM",
    "SLOW_HANDLER",
    "SLOW_METRICS",
    "SLOW_MODEL",
    "STALLED_CONSUMER",
    "UNCOUNTED_PREDICTIONS",
    "UNREACHABLE_STREAM",
    "UNSURE_MODEL",
    "Effect",
    "Fault",
    "FaultStatus",
    "Faults",
    "FaultyLog",
    "FaultyPredictor",
    "FaultyRecord",
    "FaultyStream",
    "Level",
    "NoEffect",
    "SlowExposition",
    "api_faults",
    "worker_faults",
]
