"""Every fault that there is, and those of each process."""

from collections.abc import Mapping

from api_pokemon.faults.board import Effect, Fault, Faults, Level, NoEffect
from api_pokemon.faults.load import CpuBurn, MemoryPressure
from api_pokemon.monitoring import Cgroup

SLOW_HANDLER = Fault("slow-handler", "Each prediction is held back for so long.", Level(1.0, 0.01, 10.0, "seconds"))
FAILING_HANDLER = Fault(
    "failing-handler",
    "This share of predictions fails with 500, neither recorded nor counted.",
    Level(0.5, 0.01, 1.0, "share"),
)
SLOW_MODEL = Fault(
    "slow-model", "The model takes so much longer, and the process waits for it.", Level(0.2, 0.01, 2.0, "seconds")
)
UNSURE_MODEL = Fault("unsure-model", "The model gives every move a chance of 0.5; so it is answered and recorded.")
UNCOUNTED_PREDICTIONS = Fault("uncounted-predictions", "Predictions are recorded and answered, and not counted.")
SLOW_METRICS = Fault("slow-metrics", "Every scrape takes so much longer.", Level(2.0, 0.01, 9.0, "seconds"))
CPU_BURN = Fault("cpu-burn", "All CPUs are kept busy, at the lowest priority.")
MEMORY_PRESSURE = Fault(
    "memory-pressure",
    "So much of the memory that this process may use is in use; only where a control group limits it.",
    Level(0.92, 0.1, 0.99, "share"),
)
PAUSED_STREAM = Fault("paused-stream", "Redis takes no writes (CLIENT PAUSE), so nothing is sent and nothing read.")

STALLED_CONSUMER = Fault("stalled-consumer", "The worker finds nothing to log, although there is something.")
UNREACHABLE_STREAM = Fault("unreachable-stream", "The worker cannot reach the stream.")
MISCOUNTED_LOG = Fault(
    "miscounted-log",
    "The worker counts so many rows too few in the log; none is missing.",
    Level(1.0, 1.0, 1e6, "rows"),
)
DRIFTED_REQUESTS = Fault("drifted-requests", "The worker tells that requests drift, whatever they do.")
DRIFTED_CHOICES = Fault("drifted-choices", "The worker tells that the model's choices drift, whatever they do.")
STALE_DRIFT_CHECK = Fault(
    "stale-drift-check",
    "The worker tells that the latest check for drift was so much earlier.",
    Level(604_800.0, 1.0, 1e6, "seconds"),  # beyond six of the rarest checks that the settings allow
)


def api_faults(stream_url: str) -> Faults:
    """What can go wrong in the API; the stream can be paused where there is one."""
    passive = (SLOW_HANDLER, FAILING_HANDLER, SLOW_MODEL, UNSURE_MODEL, UNCOUNTED_PREDICTIONS, SLOW_METRICS)
    return Faults(
        {
            **{fault: NoEffect() for fault in passive},
            CPU_BURN: CpuBurn(),
            MEMORY_PRESSURE: MemoryPressure(Cgroup()),
            **(_pause(stream_url) if stream_url else {}),
        }
    )


def _pause(stream_url: str) -> Mapping[Fault, Effect]:
    from api_pokemon.faults.pause import StreamPause  # with Redis's client

    return {PAUSED_STREAM: StreamPause(stream_url)}


def worker_faults() -> Faults:
    """What can go wrong in a worker."""
    passive = (
        *(STALLED_CONSUMER, UNREACHABLE_STREAM, MISCOUNTED_LOG, SLOW_METRICS),
        *(DRIFTED_REQUESTS, DRIFTED_CHOICES, STALE_DRIFT_CHECK),
    )
    return Faults({fault: NoEffect() for fault in passive})
